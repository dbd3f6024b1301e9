/*
 * A heap full of things whose contents are known: each is made from a seed, so a
 * small record beside it tells what it must hold. For tests that shake the heap
 * and then look whether anything was lost.
 */
#ifndef HEAPD_TESTS_UNIT_HEAP_MODEL_H
#define HEAPD_TESTS_UNIT_HEAP_MODEL_H

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

enum thing_kind { NOTHING, BYTES, LIST, DICT, SET, INSTANCE, CYCLE, THING_KINDS };

/*
 *   BYTES     `high` bytes
 *   LIST      numbers low .. high - 1, some of them as objects
 *   DICT, SET keys low .. high - 1, in that order
 *   INSTANCE  high - low attributes
 *   CYCLE     a list that holds itself and a BYTES of `high` bytes
 */
struct thing {
    enum thing_kind kind;
    uint32_t seed;
    uint32_t low;
    uint32_t high;
};

struct model {
    struct hd_os_fault os;
    struct hd_heap *heap;
    struct hd_objects *objects;
    struct hd_root_source source;
    hd_value class_value; /* own */
    hd_value *values;     /* own; one for each thing */
    struct thing *things;
    uint32_t count;
    uint64_t random;
    uint64_t fail_every; /* each n-th allocation fails; 0: none */
    uint64_t allocation_count;
    uint64_t failed_count;
    uint32_t live_before;
};

void model_begin(struct model *model, const char *name, uint32_t count, uint64_t limit_bytes);
/* Verifies, drops everything, and asserts that nothing is left. */
void model_end(struct model *model);

/* A thing of a random kind and size in an empty place; nothing changes if memory is short. */
void model_create(struct model *model, uint32_t place);
void model_free(struct model *model, uint32_t place);
/* Changes a thing a little, or looks at it. */
void model_change(struct model *model, uint32_t place);
void model_verify(struct model *model, uint32_t place);
void model_verify_all(struct model *model);
/* One random operation on a random place. With `dense` 100, places tend to be filled; with 0, emptied. */
void model_act(struct model *model, unsigned dense);
void model_check(struct model *model);

static inline uint32_t model_below(struct model *model, uint32_t limit)
{
    return (uint32_t)(hd_test_random(&model->random) % limit);
}

#endif
