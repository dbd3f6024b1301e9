/* From the bytes that came to requests that are answered. All with the connection's lock held. */
#ifndef HEAPD_CLIENT_INCOMING_H
#define HEAPD_CLIENT_INCOMING_H

#include "client/lib/connection.h"

/* Takes the whole frames of the input apart and hands them out. Breaks the connection if they make no sense. */
void hd_incoming_take(struct heapd_connection *connection);

/* Answers everything unanswered with this failure. */
void hd_incoming_fail_all(struct heapd_connection *connection, const struct heapd_error *detail);

/* An answered request whose callback heapd_step is to call. */
void hd_incoming_queue_callback(struct heapd_connection *connection, struct hd_request *request);

#endif
