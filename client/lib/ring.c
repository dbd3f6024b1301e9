#include "client/lib/ring.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "client/lib/mapping.h"

/* Looks without a find before the clock is read. */
#define LOOKS 32

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int hd_client_ring_new(int fd, uint32_t to_daemon_bytes, uint32_t to_client_bytes, struct hd_client_ring **out)
{
    struct hd_ring probe;
    size_t bytes = hd_ring_memory_bytes(to_daemon_bytes, to_client_bytes);
    if (!hd_mapping_is_safe(fd, bytes, F_SEAL_SHRINK))
        return HD_EPROTOCOL;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return HD_ENOMEM;
    struct hd_client_ring *ring = calloc(1, sizeof *ring);
    int code = ring ? hd_ring_init(&probe, memory, to_daemon_bytes, to_client_bytes, false) : HD_ENOMEM;
    if (code) {
        free(ring);
        (void)munmap(memory, bytes);
        return code == HD_EINVALID ? HD_EPROTOCOL : code;
    }
    *ring = (struct hd_client_ring){.ring = probe, .control = memory, .memory_bytes = bytes};
    *out = ring;
    return 0;
}

void hd_client_ring_free(struct hd_client_ring *ring)
{
    if (!ring)
        return;
    (void)munmap(ring->control, ring->memory_bytes);
    free(ring);
}

/* True: there is input. Who is alone pauses between looks; in a crowd the processor is lent to the others. */
static bool look(struct hd_client_ring *ring, uint64_t begin_ns, uint64_t limit_ns)
{
    uint64_t before_ns = begin_ns;
    for (unsigned looks = 1;; looks++) {
        if (hd_ring_has_input(&ring->ring))
            return true;
        if (atomic_load_explicit(&ring->control->crowd.value, memory_order_relaxed) > 1)
            (void)sched_yield();
        else
            hd_ring_relax();
        if (looks % LOOKS)
            continue;
        uint64_t now = now_ns();
        if (hd_ring_thrift_note(&ring->thrift, before_ns, now) || now - begin_ns > limit_ns)
            return hd_ring_has_input(&ring->ring);
        before_ns = now;
    }
}

bool hd_client_ring_arm(struct hd_client_ring *ring)
{
    hd_ring_want(&ring->ring, HD_RING_WANTS_INPUT);
    return !hd_ring_has_input(&ring->ring);
}

bool hd_client_ring_await(struct hd_client_ring *ring, bool wants_room, bool may_look, void (*sleep)(void *context),
                          void *context)
{
    /* Nobody need ring for one that looks. */
    hd_ring_want_nothing(&ring->ring);
    if (hd_ring_has_input(&ring->ring))
        return false;
    uint64_t begin_ns = now_ns();
    uint32_t most_ns = hd_ring_pace_most_ns(begin_ns - ring->awaited_ns);
    may_look = may_look && !wants_room && !hd_ring_thrift_sleeps(&ring->thrift, begin_ns);
    uint32_t limit_ns = may_look ? hd_ring_pace_limit_ns(&ring->pace, most_ns) : 0;
    bool found = limit_ns && look(ring, begin_ns, limit_ns);
    bool slept = false;
    if (may_look)
        hd_ring_pace_found(&ring->pace, found);
    if (!found) {
        if (wants_room)
            hd_ring_want(&ring->ring, HD_RING_WANTS_ROOM);
        slept = hd_client_ring_arm(ring);
        if (slept)
            sleep(context);
        hd_ring_want_nothing(&ring->ring);
    }
    ring->awaited_ns = now_ns();
    hd_ring_pace_note(&ring->pace, ring->awaited_ns - begin_ns);
    return slept;
}
