/* The allocator's parts, for its own files. */
#ifndef HEAPD_ALLOC_ALLOC_INTERNAL_H
#define HEAPD_ALLOC_ALLOC_INTERNAL_H

#include "alloc/alloc.h"
#include "alloc/large.h"
#include "alloc/pool.h"

/* One round of emptying arenas. */
struct hd_evacuation {
    uint64_t free_bytes;     /* of arenas, when the round began: what was neither block nor header, about */
    uint64_t limit_bytes;    /* of live blocks that may be moved whatever is free elsewhere */
    uint64_t usable_percent; /* of what is free elsewhere that may be counted on */
    uint64_t chosen_bytes;   /* live, in arenas that were chosen */
    uint64_t vacated_bytes;  /* free, in arenas that were chosen: no room for the others */
};

struct hd_alloc {
    struct hd_pages pages;
    struct hd_arenas arenas;
    struct hd_pools pools;
    struct hd_larges larges;
    struct hd_evacuation evacuation;
    uint64_t moved_count;                 /* ever */
    uint64_t moved_bytes;                 /* ever */
    size_t release_credit_bytes;          /* that hd_alloc_release was given and that did not make an arena yet */
    const struct hd_allocator *allocator; /* borrow; where this structure lies */
    bool (*fault)(void *context);
    void *fault_context;
};

#endif
