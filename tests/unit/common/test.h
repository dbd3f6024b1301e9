/* What the tests of common/ share: cmocka's preamble, random numbers, an allocator that counts and fails. */
#ifndef HEAPD_TESTS_UNIT_COMMON_TEST_H
#define HEAPD_TESTS_UNIT_COMMON_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/allocator.h"

/* splitmix64: any seed is a good one. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t test_random_below(uint64_t *state, uint64_t limit)
{
    return test_random(state) % limit;
}

/* HEAPD_TEST_SEED if that is set, else the time; printed, so that a failure can be run again. */
static inline uint64_t test_seed(const char *what)
{
    const char *wanted = getenv("HEAPD_TEST_SEED");
    uint64_t seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL) * 1000003u + (uint64_t)clock();
    printf("%s: HEAPD_TEST_SEED=%llu\n", what, (unsigned long long)seed);
    return seed;
}

/* Passes requests on, keeps account of the sizes that it is told, and fails when `left` runs out. */
struct test_allocator {
    struct hd_allocator allocator;
    size_t used_bytes;
    size_t peak_bytes;
    size_t grow_count;
    size_t left; /* requests for more that still succeed */
};

static inline void *test_allocator_resize(void *context, void *pointer, size_t old_bytes, size_t new_bytes)
{
    struct test_allocator *test = context;
    assert_true(pointer || old_bytes == 0);
    assert_true(old_bytes <= test->used_bytes);
    if (new_bytes > old_bytes) {
        if (test->left == 0)
            return NULL;
        test->left--;
        test->grow_count++;
    }
    void *result = hd_allocator_libc.resize(NULL, pointer, old_bytes, new_bytes);
    assert_true(result || new_bytes == 0);
    test->used_bytes = test->used_bytes - old_bytes + new_bytes;
    if (test->used_bytes > test->peak_bytes)
        test->peak_bytes = test->used_bytes;
    return result;
}

static inline void test_allocator_init(struct test_allocator *test)
{
    *test = (struct test_allocator){.allocator = {test_allocator_resize, test}, .left = SIZE_MAX};
}

#endif
