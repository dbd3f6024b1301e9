/* Requests whose replies are taken apart by the file that asked, and may come in several frames. */
#ifndef HEAPD_CLIENT_PARTS_H
#define HEAPD_CLIENT_PARTS_H

#include "client/lib/call.h"
#include "client/lib/stream.h"

struct hd_parts {
    struct heapd_connection *connection; /* borrow */
    uint64_t request_id;                 /* 0: it was answered */
    struct hd_stream stream;
};

/* Sends the request. `parts` must not move until it is ended. On failure nothing is to be ended. */
int hd_parts_begin(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message,
                   struct hd_parts *parts, struct heapd_error *error) HD_MUST_USE;
/* Waits for the next frame. 1: *out is the caller's (free); 0: there are no more; negative: the request failed. */
int hd_parts_next(struct hd_parts *parts, struct hd_stream_part **out, struct heapd_error *error) HD_MUST_USE;
#define HD_PARTS_LATE 2
/* As hd_parts_next, for at most timeout_ms (< 0: without end). HD_PARTS_LATE when the time is over. */
int hd_parts_next_within(struct hd_parts *parts, int timeout_ms, struct hd_stream_part **out,
                         struct heapd_error *error) HD_MUST_USE;
/* Stops what is still to come. */
void hd_parts_end(struct hd_parts *parts);

/*
 * A request that is answered by one message: unpacked in the arena, which the
 * caller has initialised and frees.
 */
int hd_parts_call(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message,
                  const ProtobufCMessageDescriptor *reply, struct hd_arena *arena, void **out,
                  struct heapd_error *error) HD_MUST_USE;

#endif
