/* What the tests of the types share: a heap, an array of handles that are roots, short ways to make and compare. */
#ifndef HEAPD_TESTS_UNIT_OBJECT_FIXTURE_H
#define HEAPD_TESTS_UNIT_OBJECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap/heap.h"
#include "support/os_fault.h"

enum { FIXTURE_ROOTS = 64 };

struct fixture {
    struct hd_os_fault os;
    struct hd_heap *heap;
    struct hd_objects *objects;
    struct hd_gc *gc;
    struct hd_root_source source;
    hd_value roots[FIXTURE_ROOTS]; /* own */
    size_t root_count;
    uint64_t fault_at; /* the allocation from now on that fails, counted from 1; 0: none */
    uint64_t allocations;
    uint64_t faults;
    uint32_t live_before;
};

void begin(struct fixture *f);
/* Releases the roots, collects, asserts that nothing is left. */
void end(struct fixture *f);
void check(struct fixture *f);
/* The n-th allocation from now on fails; 0: none does. */
void arm(struct fixture *f, uint64_t n);

/* Keeps a value (steal) as a root until the end, and gives it back, borrowed. */
hd_value keep(struct fixture *f, hd_value value);
void release(struct fixture *f, hd_value value);

hd_value str(struct fixture *f, const char *text);
hd_value bytes(struct fixture *f, const char *text);
hd_value integer(struct fixture *f, int64_t number);
hd_value real(struct fixture *f, double number);
/* 2 ** power, plus add. */
hd_value power_of_two(struct fixture *f, unsigned power, bool negative);
hd_value list(struct fixture *f);
hd_value dict(struct fixture *f);
hd_value set(struct fixture *f);
/* A tuple of `count` values (steal). */
hd_value tuple(struct fixture *f, size_t count, ...);

/* Appends (steal); stores under a key (both steal). */
void append(struct fixture *f, hd_value list_value, hd_value element);
void put(struct fixture *f, hd_value dict_value, hd_value key, hd_value value);
/* The value under a key (steal), with a reference of its own; HD_ABSENT if there is none. */
hd_value look_up(struct fixture *f, hd_value dict_value, hd_value key);
/* Are they equal as keys? Steals both. */
bool same_key(struct fixture *f, hd_value left, hd_value right);

#endif
