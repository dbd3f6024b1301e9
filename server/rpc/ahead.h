/* The frames that come next: ahead.c. */
#ifndef HEAPD_RPC_AHEAD_H
#define HEAPD_RPC_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/frame.h"
#include "object/prefetch.h"
#include "rpc/hot.h"

struct hd_rpc_connection;

/* So many are read before the first of them runs: enough for their waits for memory to overlap. */
#define HD_AHEAD_MAX 32

struct hd_ahead_frame {
    struct hd_frame frame;
    struct hd_hot hot; /* hot.request is NULL: protobuf-c reads it when its turn comes */
    struct hd_prefetch prefetch;
};

/* Frames of one connection that lie whole in its input, from `next` on. Holds within one hd_rpc_receive. */
struct hd_ahead {
    unsigned count;
    unsigned next;
    struct hd_ahead_frame frames[HD_AHEAD_MAX];
};

/* Reads what lies at the front of `bytes`, and asks for the memory that it will need. May find none. */
void hd_ahead_look(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count);

#endif
