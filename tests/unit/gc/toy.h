/*
 * A heap of toys: table, allocator and collector, and types that are as simple as
 * the collector allows, so that its tests need no object layer.
 *
 *   node   a number of its own, N references, perhaps a hidden one; tracked
 *   still  the same, not tracked (as a tuple of scalars would be)
 *   leaf   no references
 */
#ifndef HEAPD_TESTS_UNIT_GC_TOY_H
#define HEAPD_TESTS_UNIT_GC_TOY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/account.h"
#include "gc/gc.h"
#include "support/os_fault.h"

enum toy_type {
    TOY_NODE = 1,
    TOY_STILL = 2,
    TOY_LEAF = 3,
};

struct toy_node {
    uint32_t count;
    uint32_t collectors; /* bytes 4..7: the collector's, once the node is dead */
    uint32_t id;
    uint32_t hidden;
    hd_value words[];
};

/* References from outside, shown to the collector a few at a time. */
struct toy_roots {
    struct hd_root_source source;
    hd_value *words; /* own */
    size_t count;
    size_t scans;
};

struct toy {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_account account;
    struct hd_alloc *alloc;
    struct hd_table table;
    struct hd_gc gc;
    struct toy_roots roots;
    uint64_t disposed_count;
    uint64_t allocation_left; /* allocations of all kinds that still succeed */
};

void toy_init(struct toy *toy, size_t root_count);
/* Releases the roots, collects, and asserts that nothing is left. Saturated leaves never die: tell their number. */
void toy_fini(struct toy *toy, uint64_t immortal_count);

void toy_roots_init(struct toy *toy, struct toy_roots *roots, size_t count);
/* Releases what they hold. */
void toy_roots_fini(struct toy *toy, struct toy_roots *roots);

/* A node without references yet: all words absent. */
int toy_try_node(struct toy *toy, unsigned type, uint32_t id, uint32_t count, hd_value *out);
hd_value toy_node(struct toy *toy, uint32_t id, uint32_t count);
hd_value toy_leaf(struct toy *toy);
struct toy_node *toy_at(const struct toy *toy, hd_value node);

/* Stores (steal) into a node; into a root. */
void toy_set(struct toy *toy, hd_value node, uint32_t position, hd_value value);
void toy_root(struct toy *toy, size_t position, hd_value value);
/* A node's word, with a reference of its own. */
hd_value toy_get(struct toy *toy, hd_value node, uint32_t position);

/* All checks there are, R2 among them. */
void toy_check(struct toy *toy);
/* Takes everything apart that is dead. */
void toy_reap(struct toy *toy);
/* A full collection in one go, all dead taken apart; returns how many were found. */
uint64_t toy_collect(struct toy *toy);
void toy_collect_young(struct toy *toy, unsigned generation, struct hd_collection *out);
uint64_t toy_unreachable(const struct hd_collection *collection);

/* Makes an object's count a saturated one. */
void toy_saturate(struct toy *toy, hd_value value);

static inline uint64_t toy_identity(const struct toy *toy, hd_value value)
{
    return hd_table_identity(&toy->table, hd_value_index(value));
}

static inline bool toy_lives(const struct toy *toy, uint64_t identity)
{
    return hd_table_find(&toy->table, identity) != 0;
}

static inline uint32_t toy_below(uint64_t *random, uint32_t limit)
{
    return (uint32_t)(hd_test_random(random) % limit);
}

#endif
