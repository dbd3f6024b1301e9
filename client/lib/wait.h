/*
 * Waiting for replies: who reads, who sleeps, who is woken; and when so much waiting is worth a ring. All with the
 * connection's lock held. DESIGN.md says why nobody is forgotten.
 */
#ifndef HEAPD_CLIENT_WAIT_H
#define HEAPD_CLIENT_WAIT_H

#include "client/lib/connection.h"

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
 *
 * So many waits for replies in so short a time are worth a ring, if the program
 * leaves that to us and nothing else is under way: then it is asked for here,
 * which costs that wait two round trips more.
 */
int hd_wait_for(struct heapd_connection *connection, const struct hd_wait *wait, int timeout_ms) HD_MUST_USE;

/* Wakes those who have what they wait for: whoever takes in replies, or makes room, says so. */
void hd_wait_wake_served(struct heapd_connection *connection);

/*
 * Asks the daemon for a ring, and uses it from then on; without one all goes on as before. Gives up the lock meanwhile;
 * what others begin is sent afterwards.
 */
void hd_wait_open_ring(struct heapd_connection *connection);

#endif
