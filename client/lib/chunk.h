/* Replies with several values: a dict's pair, and a cursor's chunk. For reply.c. */
#ifndef HEAPD_CLIENT_CHUNK_H
#define HEAPD_CLIENT_CHUNK_H

#include <heapd/heapd.h>

#include "common/error.h"
#include "heapd/v1/containers.pb-c.h"

/* As all decoders of reply.c: HD_EPROTOCOL, HD_ENOMEM; what was allocated is the result's in any case. */
int hd_pair_decode(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;
int hd_chunk_decode(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;

#endif
