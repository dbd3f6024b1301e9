/* Sending a request: handles for its results, its frame, and the queued releases in front of it. */
#ifndef HEAPD_CLIENT_CALL_H
#define HEAPD_CLIENT_CALL_H

#include "client/lib/connection.h"

struct hd_call {
    uint16_t method;
    bool may_park;                   /* the daemon may hold the request back while later ones run */
    bool handed_out;                 /* the program gets the handle ahead of the result */
    const ProtobufCMessage *message; /* borrow, until the function returns */
    uint64_t *into;                  /* the field of the message for a handle; NULL: no handle is wanted */
    uint64_t *captures_into;         /* likewise, for the first of capture_count handles side by side */
    uint32_t capture_count;
    struct hd_stream *stream; /* borrow, until the request is answered: where an export's parts go */
};

/*
 * Queues the request. `code` is what went wrong while the message was made: if
 * it is not 0, nothing is sent and the code is returned. ticket NULL: nobody
 * will ask, and heapd_finish reports a failure. After a success *call->into and
 * *call->captures_into hold the handles.
 */
int hd_call_begin(struct heapd_connection *connection, const struct hd_call *call, int code, heapd_ticket *ticket,
                  struct heapd_error *error) HD_MUST_USE;

/* Queues, sends, and waits for the result, which may be NULL if it can be no handle. */
int hd_call_sync(struct heapd_connection *connection, const struct hd_call *call, int code, struct heapd_result *result,
                 struct heapd_error *error) HD_MUST_USE;

/*
 * For pipeline.c and connection.c, with the lock held.
 */

/* As hd_call_begin, giving the request itself, which has a ticket. */
int hd_call_queue(struct heapd_connection *connection, const struct hd_call *call, struct hd_request **out,
                  struct heapd_error *error) HD_MUST_USE;
/* The queued releases as a request of their own; they stay queued if there is no memory. */
void hd_call_queue_releases(struct heapd_connection *connection);
/* Moves result or failure out of an answered request and removes it. Returns its code. */
int hd_call_take(struct heapd_connection *connection, struct hd_request *request, struct heapd_result *result,
                 struct heapd_error *error);

#endif
