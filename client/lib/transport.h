/* Bytes out, replies in, and waiting for them. All with the connection's lock held. */
#ifndef HEAPD_CLIENT_TRANSPORT_H
#define HEAPD_CLIENT_TRANSPORT_H

#include "client/lib/connection.h"

/* Sends what the socket takes at once. Breaks the connection if it fails. */
void hd_transport_send(struct heapd_connection *connection);

/* Takes in what is there at once and hands it out, unless another thread reads. True if something came. */
bool hd_transport_receive(struct heapd_connection *connection);

/* Beside a ring: takes in what the socket says. */
void hd_transport_hear(struct heapd_connection *connection);

/* For who polls the socket himself: it is to become readable when a reply comes, beside a ring, too. */
void hd_transport_arm(struct heapd_connection *connection);

/*
 * Asks the daemon for a ring, and uses it from then on; without one all goes on as before. Gives up the lock meanwhile;
 * what others begin is sent afterwards.
 */
void hd_transport_open_ring(struct heapd_connection *connection);

/*
 * After a synchronous call: so many of them in so short a time are worth a ring, if the program leaves that to us and
 * nothing else is under way.
 */
void hd_transport_consider_ring(struct heapd_connection *connection);

/* An answered request whose callback heapd_step is to call. */
void hd_transport_queue_callback(struct heapd_connection *connection, struct hd_request *request);

/* The connection is lost: everything unanswered fails with this code and message. Only the first call counts. */
void hd_transport_break(struct heapd_connection *connection, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum hd_wait_kind {
    HD_WAIT_REQUEST, /* until the request is answered */
    HD_WAIT_PART,    /* until the request is answered or its stream has a part */
    HD_WAIT_OLDER,   /* until no request up to this id is unanswered */
    HD_WAIT_EVENT,   /* until an event has come */
    HD_WAIT_ROOM,    /* until the output is below its limit */
};

struct hd_wait {
    enum hd_wait_kind kind;
    const struct hd_request *request;
    uint64_t id;
};

/*
 * Waits, giving up the lock meanwhile. timeout_ms < 0: without end. 0, or
 * HEAPD_PENDING when the time is over. A lost connection ends every wait, since
 * it answers every request.
 */
int hd_transport_wait(struct heapd_connection *connection, const struct hd_wait *wait, int timeout_ms) HD_MUST_USE;

#endif
