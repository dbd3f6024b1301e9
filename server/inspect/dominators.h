/*
 * What an object keeps alive: its dominator tree's part below it, over a snapshot.
 *
 * A dominates B if every path from the roots to B goes through A; then B goes when
 * A goes. The retained size of A is the sum of the shallow sizes of all that it
 * dominates, itself included. Roots hang below a node for each source (a session,
 * the global names), so what a session keeps is the retained size of its node.
 *
 * By Lengauer and Tarjan (1979), with path compression: O(edges * log nodes), in
 * slices; nothing recurses, and all memory is there before it begins.
 *
 * Objects get numbers in the order in which a depth-first walk meets them:
 * 1 is above all roots, 2 .. count the rest; a dominator's number is less than that
 * of what it dominates. Objects that no root leads to have the number 0; those of
 * them that are frozen hang below a node of their own.
 */
#ifndef HEAPD_INSPECT_DOMINATORS_H
#define HEAPD_INSPECT_DOMINATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/snapshot.h"

struct hd_dominators {
    struct hd_snapshot snapshot;
    int phase;
    int error;
    uint32_t limit;         /* nodes that arrays have room for */
    uint32_t first_source;  /* nodes from here on are sources, in their order; the last is that of the frozen */
    uint32_t *source_roots; /* own; the first root of each source, source_count + 1 of them */
    uint32_t source_count;  /* the frozen not counted */
    uint32_t count;         /* numbers given */
    uint32_t frozen_next;

    /* By node. */
    uint32_t *number; /* while dominators are looked for: the stack of a compression */
    /* By number. */
    uint32_t *vertex; /* its node */
    uint32_t *parent; /* in the walk */
    uint32_t *semi;
    uint32_t *label; /* in the walk: the edge to go on from */
    uint32_t *ancestor;
    uint32_t *dominator;
    uint32_t *bucket_head, *bucket_next;
    uint32_t *pred_first; /* where its predecessors begin; limit + 1 of them */
    uint32_t *preds;      /* numbers */
    /* In the end, in the memory of what is not needed any more. */
    uint64_t *retained;       /* by number: bytes, of semi and label */
    uint32_t *retained_count; /* by number: objects, of ancestor */

    uint32_t at;     /* number that is being looked at */
    uint32_t cursor; /* and which of its edges or predecessors */
    uint32_t bucket; /* member of a bucket that is looked at */
    bool in_bucket;
    /* A compression under way. */
    uint32_t stack_length;
    uint32_t climb;
    bool descending;
};

/* The heap is borrowed until fini. */
void hd_dominators_init(struct hd_dominators *d, struct hd_heap *heap);
/* 1: done; 0: there is more; else as hd_snapshot_step. */
int hd_dominators_step(struct hd_dominators *d, uint64_t units, uint64_t *used) HD_MUST_USE;
bool hd_dominators_release(struct hd_dominators *d, uint64_t bytes);
void hd_dominators_fini(struct hd_dominators *d);

/* All that follows: when it is done. */

/* The number of an object of the snapshot; 0: no root leads to it. */
static inline uint32_t hd_dominators_number(const struct hd_dominators *d, uint32_t node)
{
    return d->number[node];
}

/* Is this number an object, and not a source or what is above them? */
static inline bool hd_dominators_is_object(const struct hd_dominators *d, uint32_t number)
{
    return number > 1 && d->vertex[number] < d->first_source;
}

/* The number of a source, by its place in snapshot.sources; source_count: of the frozen. 0: it holds nothing. */
static inline uint32_t hd_dominators_source(const struct hd_dominators *d, uint32_t source)
{
    return d->number[d->first_source + source];
}

#endif
