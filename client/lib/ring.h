/* The client's end of a pair of rings: memory, looking for replies, sleeping. Which frames they are is incoming.c's.
 */
#ifndef HEAPD_CLIENT_RING_H
#define HEAPD_CLIENT_RING_H

#include "common/ring.h"

struct hd_client_ring {
    struct hd_ring ring;
    struct hd_ring_control *control; /* own: the mapping, all of it */
    size_t memory_bytes;
    struct hd_ring_pace pace; /* of the thread that reads */
    uint64_t awaited_ns;      /* when its last wait ended */
    struct hd_ring_thrift thrift;
    bool full;    /* the last write did not fit: the bell tells when there is room */
    bool hung_up; /* the socket has ended; what lies in the ring comes before that */
};

/* Maps the memory behind fd, which stays the caller's. HD_EPROTOCOL (sizes), HD_ENOMEM. */
int hd_client_ring_new(int fd, uint32_t to_daemon_bytes, uint32_t to_client_bytes,
                       struct hd_client_ring **out) HD_MUST_USE;
/* Takes NULL. */
void hd_client_ring_free(struct hd_client_ring *ring);

/*
 * Looks for replies, for as long as it is likely to help, and then calls `sleep`, which returns once the socket has
 * something to say, a bell or its end, or at its own time. Without the connection's lock; one thread at a time.
 * `may_look` false: sleeps at once. True: it has slept.
 */
bool hd_client_ring_await(struct hd_client_ring *ring, bool wants_room, bool may_look, void (*sleep)(void *context),
                          void *context);

/* So that the bell rings when there is something to read, for who polls the socket. False: there is already. */
bool hd_client_ring_arm(struct hd_client_ring *ring);

#endif
