/*
 * Arenas: where pools find their granules.
 *
 *     arena  [ granule 0: header, records | granules of pools and runs, more records ]
 *
 * The record of a pool lies apart from its blocks, so that a pool's memory is
 * blocks alone and handing out or taking back a block touches only the record,
 * which stays in the cache. An arena keeps records in granule 0 and, when those are
 * used up, in a further granule (many tiny pools need that, few large ones do not).
 *
 * Arenas stand in lists by how full they are and how long their longest free run
 * is, so that the fullest arena with room for a run is found in O(1); that
 * lets the emptiest ones drain.
 */
#ifndef HEAPD_ALLOC_ARENA_H
#define HEAPD_ALLOC_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pages.h"
#include "alloc/size_class.h"
#include "alloc/span.h"

#define HD_POOL_WORDS (HD_POOL_MAX_BLOCKS / 64)

enum hd_pool_state {
    HD_POOL_BIN_0, /* used: at least three quarters of its blocks */
    HD_POOL_BIN_1, /* used: at least half */
    HD_POOL_BIN_2, /* used: at least a quarter */
    HD_POOL_BIN_3, /* used: less */
    HD_POOL_FULL,
    HD_POOL_CURRENT, /* where its class takes blocks from; may be full or empty */
    HD_POOL_RUN,     /* one block, always live */
    HD_POOL_LEAVING, /* in an arena that is being emptied: gives no blocks, and goes back with its last */
};
#define HD_POOL_BINS 4

/*
 * The record of a pool. Blocks are numbered from 0 in order of address.
 *
 *     bit i of free   set: block i exists and is free; never for i >= capacity
 *     used_count + (set bits of free) == capacity
 *     words of free below hint_word are 0
 *     used_count < low_water   never between calls: the put that gets there sorts the pool anew
 *     dense == (state is full, current, or the fullest bin)
 *
 * A leaving pool is in no bin, not dense, and has low_water 1.
 */
struct hd_pool {
    uint64_t free[HD_POOL_WORDS];
    struct hd_pool *next; /* in its bin; of a record not in use: the next such */
    struct hd_pool *prev;
    uint32_t reciprocal; /* ceil(2^32 / block size): turns a division into a multiplication */
    uint16_t used_count;
    uint16_t low_water;
    uint16_t capacity; /* in blocks */
    uint8_t first_granule;
    uint8_t granule_count;
    uint8_t class_index;
    uint8_t hint_word;
    uint8_t state; /* enum hd_pool_state */
    uint8_t dense; /* 1: its blocks may be cached when given back */
};

_Static_assert(sizeof(struct hd_pool) == 64, "a record is one cache line");

#define HD_ARENA_WORDS ((HD_ARENA_GRANULES + 63) / 64)
/* record_of counts in records' size from the arena's start; 0 and 1 lie within the header, so they are free for this:
 */
#define HD_GRANULE_FREE 0
#define HD_GRANULE_RECORDS 1

/*
 *     free_count    == set bits of free_map
 *     longest_run   == length of the longest run of set bits
 *     record_of[g]  == HD_GRANULE_FREE where the bit is set; HD_GRANULE_RECORDS where records
 *                      (and the header) lie; else the offset of the pool's record
 *     free_count > 0 implies that a record is to be had
 *     pool_count == 0 implies that every granule but the first is free
 *     leaving: its pools are runs or leave too, and there is one; of no other arena do pools leave
 */
struct hd_arena {
    uint32_t kind; /* HD_SPAN_ARENA */
    uint32_t pool_count;
    struct hd_arenas *owner;
    uint16_t free_count;
    uint16_t longest_run;
    bool leaving; /* being emptied: nothing new is put here. In the line that hd_alloc_prefetch_leaving fetches */
    uint8_t fill; /* which list; longest_run, capped, is the other coordinate */
    struct hd_arena *next; /* in the list of its fill and longest run */
    struct hd_arena *prev;
    struct hd_arena *all_next; /* in the list of all arenas */
    struct hd_arena *all_prev;
    struct hd_pool *record_free; /* given back, linked by next */
    struct hd_pool *record_next; /* never used: record_next .. record_end */
    struct hd_pool *record_end;
    uint64_t free_map[HD_ARENA_WORDS];
    uint16_t record_of[HD_ARENA_GRANULES];
};

_Static_assert(offsetof(struct hd_arena, leaving) < 64, "in the header's first line");
_Static_assert(HD_ARENA_GRANULES >= 16 && HD_ARENA_GRANULES <= 256, "granules are numbered in a byte");
_Static_assert((HD_ARENA_BYTES & (HD_ARENA_BYTES - 1)) == 0, "arenas are found by masking an address");

/* Sixteen degrees of fullness, the fullest first, then wholly empty arenas; those that are leaving are never chosen. */
#define HD_ARENA_FILLS 18
#define HD_ARENA_FILL_EMPTY 16
#define HD_ARENA_FILL_LEAVING 17
#define HD_ARENA_LONGEST_MAX 64

/*
 *     every arena is in lists[arena->fill][min(arena->longest_run, HD_ARENA_LONGEST_MAX)]
 *     bit (r - 1) of has_run[f] is set exactly if lists[f][r] is not empty, r >= 1
 *     empty_count == arenas with pool_count == 0
 *     arena_count == mapped_count - released_count >= kept_count
 *     every arena is in the list `all`, and cursor is one of them or NULL
 */
struct hd_arenas {
    struct hd_pages *pages; /* borrow */
    uint64_t arena_count;
    uint64_t empty_count;
    uint64_t free_granule_count;
    uint64_t mapped_count;   /* ever */
    uint64_t released_count; /* ever */
    uint64_t reserve_count;  /* empty arenas beyond this go back, when there is time */
    uint64_t kept_count;     /* but never the last so many */
    bool huge_pages;
    struct hd_arena *all;
    struct hd_arena *cursor; /* of a walk over all arenas; moved on when its arena goes back */
    uint64_t has_run[HD_ARENA_FILLS];
    struct hd_arena *lists[HD_ARENA_FILLS][HD_ARENA_LONGEST_MAX + 1];
};

/* Cannot fail: nothing is mapped. */
void hd_arenas_init(struct hd_arenas *arenas, struct hd_pages *pages, size_t reserve_count, bool huge_pages);
/* Unmaps everything. */
void hd_arenas_fini(struct hd_arenas *arenas);
/* Maps arenas until there are so many, and keeps that many from now on. HD_ENOMEM: those mapped remain until fini. */
int hd_arenas_keep(struct hd_arenas *arenas, uint64_t count) HD_MUST_USE;

/*
 * A run of granules and its record, in which first_granule and granule_count are
 * set and the rest is the caller's to fill in; NULL when budget or system refuse.
 * 1 <= granule_count <= HD_ARENA_GRANULES / 4.
 */
struct hd_pool *hd_arenas_take(struct hd_arenas *arenas, unsigned granule_count);
/* Gives a run back. An arena that is empty now stays for hd_arenas_release: unmapping takes the system long. */
void hd_arenas_give(struct hd_arenas *arenas, struct hd_pool *pool);
/* Are there more empty arenas than so many, of which one may go back? */
static inline bool hd_arenas_have_spare(const struct hd_arenas *arenas, uint64_t reserve_count)
{
    return arenas->empty_count > reserve_count && arenas->arena_count > arenas->kept_count;
}
/* Gives one of them back; false if there was none. */
bool hd_arenas_release(struct hd_arenas *arenas, uint64_t reserve_count);
/* Gives back the reserve too, but not what is kept. Returns the bytes. */
size_t hd_arenas_trim(struct hd_arenas *arenas);

/* Sets the arena apart, or puts it back among the others. Its pools are the caller's affair. */
void hd_arenas_set_leaving(struct hd_arenas *arenas, struct hd_arena *arena, bool leaving);
/* The pool or run at or behind a granule of an arena; NULL if there is none. */
struct hd_pool *hd_arena_next_pool(const struct hd_arena *arena, unsigned granule);

/* Calls visit for each pool and run until it returns other than NULL; returns that. O(granules). */
const char *hd_arenas_each_pool(const struct hd_arenas *arenas,
                                const char *(*visit)(void *context, const struct hd_pool *pool), void *context);
/* NULL, or the name of an invariant that does not hold. */
const char *hd_arenas_check(const struct hd_arenas *arenas);

static inline struct hd_arena *hd_arena_of_pool(const struct hd_pool *pool)
{
    return hd_span_of(pool);
}

static inline uint8_t *hd_pool_start(const struct hd_pool *pool)
{
    return (uint8_t *)hd_span_of(pool) + pool->first_granule * HD_GRANULE_BYTES;
}

static inline void hd_arena_prefetch_record_of(const void *block)
{
    const struct hd_arena *arena = hd_span_of(block);
    __builtin_prefetch(&arena->record_of[hd_span_offset(block) / HD_GRANULE_BYTES]);
}

/* The pool of a block that is not large. */
static inline struct hd_pool *hd_pool_of(const void *block)
{
    const struct hd_arena *arena = hd_span_of(block);
    size_t record = arena->record_of[hd_span_offset(block) / HD_GRANULE_BYTES];
    return (struct hd_pool *)((uintptr_t)arena + record * sizeof(struct hd_pool));
}

#endif
