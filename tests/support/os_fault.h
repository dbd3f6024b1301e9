/*
 * An operating system that does what a test says: the n-th mapping fails, time
 * passes only when it is told to, and random bytes repeat.
 *
 * Pages are really mapped, by hd_os_linux, so addresses, alignment and zeroing
 * are those of the daemon.
 */
#ifndef HEAPD_TESTS_SUPPORT_OS_FAULT_H
#define HEAPD_TESTS_SUPPORT_OS_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

/*
 *     mapped_bytes == bytes mapped through os and not given back: 0 at the end, or something leaked
 *     call_count   == calls of map and remap, and of those that make or pass shared memory; failed ones too
 *     shared_count == descriptors of shared memory that were made and not closed: 0 at the end
 */
struct hd_os_fault {
    struct hd_os os; /* what is handed to the code under test */
    const struct hd_os *real;
    uint64_t call_count;
    uint64_t fail_at; /* the call that fails, counted from 1; 0: none */
    bool fail_from;   /* and all later ones */
    bool fail_random; /* random() fails */
    uint64_t failed_count;
    size_t mapped_bytes;
    atomic_int shared_count;  /* a helper's thread closes */
    uint64_t discarded_bytes; /* ever */
    uint64_t now_ns;
    uint64_t cpu_ns;
    uint64_t random_state; /* the seed */
};

/* Must not move while it is in use. */
void hd_os_fault_init(struct hd_os_fault *fault);
/* From now on, the n-th of these calls fails; 0: none. With `from`, all later ones too. */
void hd_os_fault_arm(struct hd_os_fault *fault, uint64_t n, bool from);

/*
 * A generator for tests: deterministic, good enough, one word of state, which is
 * the seed to print.
 */
static inline uint64_t hd_test_random(uint64_t *state)
{
    uint64_t word = *state += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

/* The seed of a random test: from the environment (HEAPD_TEST_SEED), else from the clock. Prints it. */
uint64_t hd_test_seed(const char *test_name);

#endif
