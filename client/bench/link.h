/* A connection's bytes: over its socket or, once asked for, through a ring in shared memory. Nothing here waits. */
#ifndef HEAPD_BENCH_LINK_H
#define HEAPD_BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/ring.h"

struct hd_bench_link {
    int fd;                      /* own; -1: none */
    struct hd_client_ring *ring; /* own; NULL: frames go over the socket */
};

/* The shared memory that the daemon passed; fd stays the caller's. 0, or -1 with errno. */
int hd_bench_link_use_ring(struct hd_bench_link *link, int fd, uint32_t to_daemon_bytes, uint32_t to_client_bytes);
void hd_bench_link_close(struct hd_bench_link *link);

/* How many bytes went; 0: none now; -1, with errno. */
long hd_bench_link_send(struct hd_bench_link *link, const uint8_t *bytes, size_t count);
/* How many came; 0: none now; -1, with errno: ECONNRESET at the connection's end. */
long hd_bench_link_receive(struct hd_bench_link *link, uint8_t *to, size_t room);

/* Of a ring: takes the bells that lie in the socket. 0, or -1 as above. */
int hd_bench_link_hear(struct hd_bench_link *link);

#endif
