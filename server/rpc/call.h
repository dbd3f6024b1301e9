/* One request: call.c. */
#ifndef HEAPD_RPC_CALL_H
#define HEAPD_RPC_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/frame.h"
#include "rpc/limits.h"
#include "session/session.h"

struct hd_ahead_frame;
struct hd_operation;
struct hd_rpc_connection;
struct hd_rpc_server;

struct hd_call {
    struct hd_rpc_server *server;
    struct hd_rpc_connection *connection;
    struct hd_session *session;
    struct hd_heap *heap;
    struct hd_objects *objects;
    const struct hd_operation *operation;
    const struct hd_ahead_frame *ahead; /* NULL: not one that was read ahead */
    uint64_t request_id;
    uint16_t method;
    /* The slots that results go to: on failure they are marked. */
    hd_handle into;
    hd_handle captures_into;
    uint64_t captures_count;
    uint64_t failed_request;        /* with HD_EABORTED: the request that failed first, or 0 */
    char message[HD_MESSAGE_BYTES]; /* what exactly was wrong; empty: the general text says it all */
};

void hd_call_init(struct hd_call *call, struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id);
/*
 * A frame that waits behind a request that goes on: if it cancels one that is under way, that ends now. There is room
 * for a small reply.
 */
void hd_call_overhear(struct hd_rpc_connection *connection, const struct hd_frame *frame);
/*
 * Runs the request of one whole frame, up to its reply. There is room for a small reply. `ahead` may be NULL. False:
 * the frame is to be kept: there is no memory, nothing has changed, and it is to run again when the connection is
 * ready; or it goes on in the next turn (release.c).
 */
bool hd_call_run(struct hd_rpc_connection *connection, const struct hd_frame *frame, const uint8_t *body,
                 const struct hd_ahead_frame *ahead);
/* Decodes a body and runs it: what its handler says. */
int hd_call_do(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
/* Marks the result slots and says so. There is room for a small reply. */
void hd_call_refuse(struct hd_call *call, int error);

#endif
