/* Bytes out and bytes in, over the socket or a ring. All with the connection's lock held. */
#ifndef HEAPD_CLIENT_TRANSPORT_H
#define HEAPD_CLIENT_TRANSPORT_H

#include "client/lib/connection.h"

/* Of buffers that are empty again. */
#define HD_TRANSPORT_KEEP_BYTES ((size_t)256 << 10)

/* Sends what the socket takes at once. Breaks the connection if it fails. */
void hd_transport_send(struct heapd_connection *connection);

/* Takes in what is there at once and hands it out, unless another thread reads. True if something came. */
bool hd_transport_receive(struct heapd_connection *connection);

/* Beside a ring: takes in what the socket says. */
void hd_transport_hear(struct heapd_connection *connection);

/* For who polls the socket himself: it is to become readable when a reply comes, beside a ring, too. */
void hd_transport_arm(struct heapd_connection *connection);

/* The connection is lost: everything unanswered fails with this code and message. Only the first call counts. */
void hd_transport_break(struct heapd_connection *connection, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What was sent since the beginning; and what of the output may be sent now: while a ring was asked for, nothing goes
 * behind that. */
uint64_t hd_transport_sent_bytes(const struct heapd_connection *connection);
size_t hd_transport_sendable_bytes(const struct heapd_connection *connection);

/*
 * One turn of the thread that reads: sleeps, without the lock, until something comes, or what is unsent can be sent, or
 * the time is over; and takes in what came. timeout_ms < 0: without end.
 */
void hd_transport_read_turn(struct heapd_connection *connection, int timeout_ms);
/* One turn of the thread that writes while another reads. */
void hd_transport_write_turn(struct heapd_connection *connection, int timeout_ms);

#endif
