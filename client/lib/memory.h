/* The reply of Memory, as the program gets it. */
#ifndef HEAPD_CLIENT_MEMORY_H
#define HEAPD_CLIENT_MEMORY_H

#include <heapd/heapd.h>
#include <protobuf-c/protobuf-c.h>

#include "client/lib/error.h"

/* Fills result->as.memory, all of which lies in result->memory. HD_ENOMEM. */
int hd_memory_decode(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;

#endif
