/*
 * A pair of byte rings in shared memory, as one end of them sees it. No I/O: bytes in, bytes out, and a bell.
 *
 *     page 0      control: one struct hd_ring_control
 *     then        bytes from the client to the daemon; a power of two of them
 *     then        bytes from the daemon to the client; likewise
 *
 * Each direction has one writer and one reader. `written` and `read` count bytes since the beginning and never run
 * backwards; what lies between them is unread:
 *
 *     0 <= written - read <= capacity
 *
 * The other end is not trusted. Its counters are checked against our own, which live outside of the shared memory;
 * bytes are copied out once and never looked at in place, so nothing that was checked can change afterwards. What the
 * other end can do at worst is to be refused, or to get wrong bytes of its own.
 *
 * SLEEP AND WAKE. An end that found nothing says in `wants` what it waits for, looks again, and sleeps where the bell
 * can wake it. An end that has read or written asks hd_ring_bell_due, and rings the bell if it is. Both are operations
 * that read and write the same word, so one comes after the other: if the sleeper's comes first, the waker sees its
 * flag; if the waker's does, the sleeper sees what was written before it. No wake-up is lost, and no fence is needed.
 * The bell itself is the caller's affair (the daemon and its clients use a byte on their socket). Whoever takes the
 * flag rings, so there is at most one ring for one sleep; a bell that comes late is a wake-up for nothing.
 */
#ifndef HEAPD_COMMON_RING_H
#define HEAPD_COMMON_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define HD_RING_LINE_BYTES 64
#define HD_RING_CONTROL_BYTES 4096
#define HD_RING_LEAST_BYTES 4096u
#define HD_RING_MOST_BYTES (1u << 20)

/* What a sleeper waits for. */
enum hd_ring_want {
    HD_RING_WANTS_INPUT = 1,
    HD_RING_WANTS_ROOM = 2,
};

/* Each word is written by one side and has a cache line of its own. */
struct hd_ring_line {
    _Alignas(HD_RING_LINE_BYTES) _Atomic uint64_t value;
};

struct hd_ring_way {
    struct hd_ring_line written;
    struct hd_ring_line read;
};

struct hd_ring_control {
    struct hd_ring_way to_daemon;
    struct hd_ring_way to_client;
    struct hd_ring_line daemon_wants; /* enum hd_ring_want; set by the daemon, taken by the client */
    struct hd_ring_line client_wants; /* the other way round */
    struct hd_ring_line crowd;        /* rings that the daemon is polling now: who is not alone yields */
};

struct hd_ring {
    struct hd_ring_way *in; /* borrow: shared memory, until the end of use */
    struct hd_ring_way *out;
    _Atomic uint64_t *own_wants;
    _Atomic uint64_t *peer_wants;
    const uint8_t *in_data;
    uint8_t *out_data;
    uint64_t in_at;    /* what we have read; the shared counter is written, never read back */
    uint64_t out_at;   /* what we have written */
    uint64_t out_read; /* what the other end had read of it when we last looked */
    uint32_t in_bytes;
    uint32_t out_bytes;
};

/* All of the shared memory of a pair. */
static inline size_t hd_ring_memory_bytes(uint32_t to_daemon_bytes, uint32_t to_client_bytes)
{
    return HD_RING_CONTROL_BYTES + (size_t)to_daemon_bytes + to_client_bytes;
}

/*
 * `memory` (borrow, until the end of use) is of hd_ring_memory_bytes, and zero when the daemon begins. HD_EINVALID: a
 * size is not a power of two between the bounds.
 */
int hd_ring_init(struct hd_ring *ring, void *memory, uint32_t to_daemon_bytes, uint32_t to_client_bytes,
                 bool is_daemon) HD_MUST_USE;

/* Is there something to read? Also true when the other end's counter makes no sense: reading says so. */
static inline bool hd_ring_has_input(const struct hd_ring *ring)
{
    return atomic_load_explicit(&ring->in->written.value, memory_order_acquire) != ring->in_at;
}

/*
 * Copies out what is there, at most `room` bytes; *count may be 0. HD_EPROTOCOL: the other end's counter runs backwards
 * or promises more than the ring holds; nothing was read, and nothing can be read any more.
 */
int hd_ring_read(struct hd_ring *ring, uint8_t *to, size_t room, size_t *count) HD_MUST_USE;

/* Copies in what there is room for; *taken may be 0. HD_EPROTOCOL as above. */
int hd_ring_write(struct hd_ring *ring, const uint8_t *bytes, size_t count, size_t *taken) HD_MUST_USE;

/* After reading or writing: is the other end asleep and waits for that? Who is told true must ring the bell. */
static inline bool hd_ring_bell_due(struct hd_ring *ring)
{
    if (atomic_fetch_or_explicit(ring->peer_wants, 0, memory_order_acq_rel) == 0)
        return false;
    return atomic_exchange_explicit(ring->peer_wants, 0, memory_order_acq_rel) != 0;
}

/* Says what we wait for, in addition to what was said before. Look again before sleeping. */
static inline void hd_ring_want(struct hd_ring *ring, enum hd_ring_want wants)
{
    (void)atomic_fetch_or_explicit(ring->own_wants, (uint64_t)wants, memory_order_acq_rel);
}

/* Awake again. */
static inline void hd_ring_want_nothing(struct hd_ring *ring)
{
    if (atomic_load_explicit(ring->own_wants, memory_order_relaxed))
        (void)atomic_exchange_explicit(ring->own_wants, 0, memory_order_acq_rel);
}

/* ---- how long to look before sleeping -------------------------------------------------------------------------- */

#define HD_RING_SPIN_MOST_NS 50000u
#define HD_RING_SPIN_LEAST_NS 5000u

/* After so many looks in vain in a row one sleeps at once, but tries again after twice as many waits each, at most so
 * many. */
#define HD_RING_MISSES_MOST 4u
#define HD_RING_TRY_EACH 1024u

/* A moving average of how long one had to wait, and how often in a row looking did not help. */
struct hd_ring_pace {
    uint32_t average_ns;
    uint32_t missed_count;
};

static inline void hd_ring_pace_note(struct hd_ring_pace *pace, uint64_t waited_ns)
{
    uint32_t sample = waited_ns < 4 * HD_RING_SPIN_MOST_NS ? (uint32_t)waited_ns : 4 * HD_RING_SPIN_MOST_NS;
    pace->average_ns = pace->average_ns - pace->average_ns / 8 + sample / 8;
}

/* Did looking help? Not to be said of one that slept at once because of its processor. */
static inline void hd_ring_pace_found(struct hd_ring_pace *pace, bool found)
{
    pace->missed_count = found ? 0 : pace->missed_count + 1;
}

static inline bool hd_ring_pace_tries(uint32_t missed_count)
{
    bool is_power = (missed_count & (missed_count - 1)) == 0;
    return (is_power && missed_count > HD_RING_MISSES_MOST) || missed_count % HD_RING_TRY_EACH == 0;
}

/*
 * The longest look, for one that has worked for so long since its wait before: looking then costs at most a multiple of
 * what it is for, and who exchanges long requests for long replies need not sleep in between.
 */
#define HD_RING_WORK_MOST_NS 75000u

static inline uint32_t hd_ring_pace_most_ns(uint64_t worked_ns)
{
    return HD_RING_SPIN_MOST_NS + 2 * (worked_ns < HD_RING_WORK_MOST_NS ? (uint32_t)worked_ns : HD_RING_WORK_MOST_NS);
}

/*
 * most_ns: hd_ring_pace_most_ns.
 * Who usually waits for longer than it is worth looks only for a moment. Else four times the usual and a bit, so that
 * a late answer does not cost a sleep. Who never finds anything does not look, but for a long try now and then: were
 * it as short as usual, two ends that both sleep would never see each other awake.
 */
static inline uint32_t hd_ring_pace_limit_ns(const struct hd_ring_pace *pace, uint32_t most_ns)
{
    if (pace->missed_count >= HD_RING_MISSES_MOST)
        return hd_ring_pace_tries(pace->missed_count) ? most_ns : 0;
    if (pace->average_ns > most_ns)
        return HD_RING_SPIN_LEAST_NS;
    uint32_t limit = 4 * pace->average_ns + HD_RING_SPIN_LEAST_NS;
    return limit < most_ns ? limit : most_ns;
}

/*
 * Whether the processor is ours to look with. Who looks uses up his share of a processor that others want, is put
 * aside for milliseconds, and loses the precedence that the scheduler gives to sleepers that wake: so whoever was put
 * aside sleeps instead, for a time that doubles as long as it happens again soon after.
 */
#define HD_RING_ROBBED_NS 300000u
#define HD_RING_SLEEP_LEAST_NS 16000000u
#define HD_RING_SLEEP_MOST_NS 512000000u

struct hd_ring_thrift {
    uint64_t until_ns; /* sleep at once until then */
    uint64_t term_ns;  /* how long that was */
};

static inline bool hd_ring_thrift_sleeps(const struct hd_ring_thrift *thrift, uint64_t at_ns)
{
    return at_ns < thrift->until_ns;
}

/* Between two looks at the clock, with nothing but looks for input in between. True: another had the processor. */
static inline bool hd_ring_thrift_note(struct hd_ring_thrift *thrift, uint64_t before_ns, uint64_t after_ns)
{
    if (after_ns - before_ns < HD_RING_ROBBED_NS)
        return false;
    bool again = after_ns - thrift->until_ns < 8 * thrift->term_ns + 32 * (uint64_t)HD_RING_ROBBED_NS;
    uint64_t term_ns = again ? 2 * thrift->term_ns : 0;
    if (term_ns < HD_RING_SLEEP_LEAST_NS)
        term_ns = HD_RING_SLEEP_LEAST_NS;
    if (term_ns > HD_RING_SLEEP_MOST_NS)
        term_ns = HD_RING_SLEEP_MOST_NS;
    thrift->term_ns = term_ns;
    thrift->until_ns = after_ns + term_ns;
    return true;
}

/* Tells the processor that we only look. */
static inline void hd_ring_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
