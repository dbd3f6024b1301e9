/*
 * Choosing arenas to be emptied.
 *
 * A round takes arenas that are not dense, as long as their live blocks fit into
 * what is free in those that stay, or, when little is free anywhere, as long as
 * they are a small part of all: then they are packed into new arenas. Several
 * rounds follow one another; each costs the caller one pass over its pointers.
 */
#include <string.h>

#include "alloc/alloc_internal.h"

/* An arena with so much of it live stays: it is about as dense as its pools' tails allow. */
#define DENSE_PERCENT 92
/* Free room is in the right classes for about so much of it. */
#define USABLE_PERCENT 70
/* With less of the arenas free than this, room is made by packing into new ones. */
#define PACKED_PERCENT 40

void hd_alloc_evacuate_begin(struct hd_alloc *alloc, unsigned caution)
{
    struct hd_alloc_stats stats;
    hd_pools_trim(&alloc->pools);
    hd_alloc_stats(alloc, &stats);
    /* Empty ones are on their way back, and no room to move into. */
    uint64_t arena_bytes = (stats.arena_count - stats.arena_free_count) * HD_ARENA_BYTES;
    alloc->evacuation = (struct hd_evacuation){
        .free_bytes = arena_bytes - stats.arena_live_bytes,
        .usable_percent = USABLE_PERCENT >> caution,
    };
    if (caution == 0 && alloc->evacuation.free_bytes < arena_bytes / 100 * PACKED_PERCENT)
        alloc->evacuation.limit_bytes = arena_bytes / 8 > 4 * HD_ARENA_BYTES ? arena_bytes / 8 : 4 * HD_ARENA_BYTES;
    alloc->arenas.cursor = alloc->arenas.all;
}

static uint64_t live_bytes_in(const struct hd_arena *arena)
{
    uint64_t bytes = 0;
    const struct hd_pool *pool;
    for (unsigned granule = 0; (pool = hd_arena_next_pool(arena, granule)) != NULL;
         granule = (unsigned)pool->first_granule + pool->granule_count)
        bytes += pool->used_count * hd_pool_block_bytes(pool);
    return bytes;
}

static bool is_worth_it(const struct hd_evacuation *round, uint64_t live_bytes)
{
    if (live_bytes == 0 || live_bytes > HD_ARENA_BYTES / 100 * DENSE_PERCENT)
        return false;
    uint64_t chosen = round->chosen_bytes + live_bytes;
    if (chosen <= round->limit_bytes)
        return true;
    uint64_t vacated = round->vacated_bytes + HD_ARENA_BYTES - live_bytes;
    return vacated < round->free_bytes && chosen <= (round->free_bytes - vacated) / 100 * round->usable_percent;
}

static void leave(struct hd_alloc *alloc, struct hd_arena *arena)
{
    hd_arenas_set_leaving(&alloc->arenas, arena, true);
    struct hd_pool *pool;
    for (unsigned granule = 0; (pool = hd_arena_next_pool(arena, granule)) != NULL;) {
        granule = (unsigned)pool->first_granule + pool->granule_count;
        hd_pools_leave(&alloc->pools, pool);
    }
}

bool hd_alloc_evacuate_choose(struct hd_alloc *alloc, unsigned arena_count)
{
    struct hd_evacuation *round = &alloc->evacuation;
    struct hd_arenas *arenas = &alloc->arenas;
    /* A cached block would be given out again from a pool that is leaving. */
    hd_pools_trim(&alloc->pools);
    for (; arena_count && arenas->cursor; arena_count--) {
        struct hd_arena *arena = arenas->cursor;
        arenas->cursor = arena->all_next;
        if (arena->leaving)
            continue;
        uint64_t live_bytes = live_bytes_in(arena);
        if (!is_worth_it(round, live_bytes))
            continue;
        round->chosen_bytes += live_bytes;
        round->vacated_bytes += HD_ARENA_BYTES - live_bytes;
        leave(alloc, arena);
    }
    return arenas->cursor != NULL;
}

uint64_t hd_alloc_evacuate_bytes(const struct hd_alloc *alloc)
{
    return alloc->evacuation.chosen_bytes;
}

static struct hd_arena *any_leaving(const struct hd_arenas *arenas)
{
    for (unsigned run = 0; run <= HD_ARENA_LONGEST_MAX; run++)
        if (arenas->lists[HD_ARENA_FILL_LEAVING][run])
            return arenas->lists[HD_ARENA_FILL_LEAVING][run];
    return NULL;
}

bool hd_alloc_evacuate_end(struct hd_alloc *alloc, unsigned arena_count)
{
    struct hd_arena *arena;
    hd_pools_settle(&alloc->pools);
    for (; arena_count && (arena = any_leaving(&alloc->arenas)) != NULL; arena_count--) {
        hd_arenas_set_leaving(&alloc->arenas, arena, false);
        struct hd_pool *pool;
        for (unsigned granule = 0; (pool = hd_arena_next_pool(arena, granule)) != NULL;
             granule = (unsigned)pool->first_granule + pool->granule_count)
            hd_pools_stay(&alloc->pools, pool);
    }
    return any_leaving(&alloc->arenas) != NULL;
}

bool hd_alloc_is_leaving(const void *block)
{
    return !hd_span_is_large(block) && ((const struct hd_arena *)hd_span_of(block))->leaving;
}

void *hd_alloc_move(struct hd_alloc *alloc, void *block)
{
    size_t bytes = hd_alloc_usable(block);
    void *moved = hd_alloc_get(alloc, bytes);
    if (!moved)
        return NULL;
    memcpy(moved, block, bytes);
    hd_alloc_put(alloc, block);
    alloc->moved_count++;
    alloc->moved_bytes += bytes;
    return moved;
}

void hd_alloc_moved(const struct hd_alloc *alloc, struct hd_alloc_moved *out)
{
    *out = (struct hd_alloc_moved){alloc->moved_count, alloc->moved_bytes, alloc->arenas.released_count};
}
