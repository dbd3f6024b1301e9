/* Events on their way to the program: taken in by whoever reads, given out by heapd_next_event. */
#ifndef HEAPD_CLIENT_WATCH_H
#define HEAPD_CLIENT_WATCH_H

#include "client/lib/connection.h"

/* With the lock held. An event frame came. */
void hd_watch_take(struct heapd_connection *connection, const struct hd_frame *frame, const uint8_t *body);
/* Frees those that nobody asked for. */
void hd_watch_fini(struct heapd_connection *connection);

#endif
