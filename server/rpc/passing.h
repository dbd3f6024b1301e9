/* Descriptors that go with replies: descriptors.c. */
#ifndef HEAPD_RPC_PASSING_H
#define HEAPD_RPC_PASSING_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "common/error.h"

struct hd_call;
struct hd_passing;
struct hd_rpc_connection;

/* Descriptors that go out with frames of the output, oldest first. */
struct hd_passing_list {
    struct hd_passing *first;
    struct hd_passing *last;
    uint32_t count;
    uint64_t sent_bytes; /* of the output since the beginning: what the positions count from */
};
/* More of them waiting to be sent, and no further request of the connection starts. */
#define HD_PASSING_MAX 64u

/*
 * As hd_reply_message, and the frame takes a descriptor along, which is stolen on success. Then it is closed once it
 * was sent, or when the connection ends. HD_ENOMEM, HD_ETOO_LARGE.
 */
int hd_reply_passing(struct hd_call *call, const ProtobufCMessage *message, int fd) HD_MUST_USE;
/* Closes what was not sent. */
void hd_passing_fini(struct hd_rpc_connection *connection);

#endif
