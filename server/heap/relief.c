/*
 * Looking for memory at the limit, in slices.
 *
 * The cheap first: what is dead already; then a collection; then what may be let
 * go of; then moving together what is left. After each part that gave something
 * back it is worth asking again.
 */
#include "heap/heap.h"
#include "object/references.h"

#define RELIEF_UNITS 4096
/* The part of the limit that is let go of at a time, at least. */
#define EVICT_SHARE 32

static uint64_t room_bytes(const struct hd_heap *heap)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(heap->alloc, &stats);
    /* Blocks that were freed within arenas that stay are room as well. */
    uint64_t holes_bytes = stats.arena_count * HD_ARENA_BYTES - stats.arena_live_bytes;
    return holes_bytes + (heap->budget.limit_bytes - heap->budget.used_bytes);
}

static void enter(struct hd_heap *heap, struct hd_relief *relief, enum hd_relief_phase phase)
{
    relief->phase = phase;
    relief->room_before_bytes = room_bytes(heap);
    relief->freed_before = heap->gc.freed_count;
}

void hd_heap_relief_begin(struct hd_heap *heap, struct hd_relief *relief)
{
    *relief = (struct hd_relief){0};
    heap->collect_requests++;
    enter(heap, relief, HD_RELIEF_FREE);
}

/* What is dead is taken apart, and what is empty goes back. True while there is more. */
static bool free_step(struct hd_heap *heap, uint64_t units)
{
    bool more = hd_gc_reap(&heap->gc, units);
    return hd_heap_release_step(heap, units) || more;
}

/* At the limit a few arenas are worth a compaction; while one is under way, what it empties is no room for others. */
static bool is_worth_compacting(const struct hd_heap *heap)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(heap->alloc, &stats);
    uint64_t arena_bytes = (stats.arena_count - stats.arena_free_count) * HD_ARENA_BYTES;
    return arena_bytes > stats.arena_live_bytes + 2 * HD_ARENA_BYTES + arena_bytes / 8;
}

static bool compact_step(struct hd_heap *heap, struct hd_relief *relief, uint64_t units)
{
    struct hd_compaction *compaction = &heap->gc.compaction;
    if (!relief->begun) {
        relief->begun = true;
        /* One that is under way chose its arenas before what has been freed since. */
        bool under_way = compaction->phase != HD_COMPACT_IDLE;
        relief->wait_for = compaction->compaction_count + under_way + is_worth_compacting(heap);
    }
    if (compaction->compaction_count < relief->wait_for) {
        hd_gc_compact_start(&heap->gc);
        hd_gc_compact_step(&heap->gc, units);
        return true;
    }
    return free_step(heap, units);
}

/* What may be let go of: a part of the limit at a time, or what was refused; the rest stays as long as it can. */
static bool evict_step(struct hd_heap *heap, struct hd_relief *relief, uint64_t units)
{
    /* What was let go of until now counts once it is taken apart. */
    if (free_step(heap, units))
        return true;
    uint64_t wanted = heap->budget.limit_bytes / EVICT_SHARE;
    uint64_t refused = heap->budget.refused_bytes + heap->budget.refused_bytes / 4;
    uint64_t room = room_bytes(heap);
    uint64_t gained = room > relief->room_before_bytes ? room - relief->room_before_bytes : 0;
    wanted = wanted > refused ? wanted : refused;
    if (gained < wanted && hd_softs_evict(&heap->objects, wanted - gained, units))
        return true;
    return heap->evict && heap->evict(heap->evict_context, units);
}

static bool phase_step(struct hd_heap *heap, struct hd_relief *relief, uint64_t units)
{
    switch (relief->phase) {
    case HD_RELIEF_FREE:
        return free_step(heap, units);
    case HD_RELIEF_COLLECT:
        if (!relief->begun) {
            relief->begun = true;
            if (hd_heap_collect_begin(heap, HD_GENERATIONS - 1, &relief->collect) != 0)
                return false;
        }
        return hd_heap_collect_step(heap, &relief->collect, units) || free_step(heap, units);
    case HD_RELIEF_EVICT:
        return evict_step(heap, relief, units) || free_step(heap, units);
    case HD_RELIEF_COMPACT:
        return compact_step(heap, relief, units);
    case HD_RELIEF_OVER:
        break;
    }
    return false;
}

enum hd_relief_result hd_heap_relief_step(struct hd_heap *heap, struct hd_relief *relief, uint64_t units)
{
    if (relief->phase == HD_RELIEF_OVER)
        return HD_RELIEF_ENDED;
    if (phase_step(heap, relief, units))
        return HD_RELIEF_GOES_ON;
    /* Caches and the reserve: little. */
    if (relief->phase == HD_RELIEF_COMPACT)
        hd_alloc_trim(heap->alloc);
    bool helped = room_bytes(heap) > relief->room_before_bytes || heap->gc.freed_count > relief->freed_before;
    relief->helped |= helped;
    relief->begun = false;
    enter(heap, relief, relief->phase + 1);
    if (relief->phase == HD_RELIEF_OVER)
        return HD_RELIEF_ENDED;
    return helped ? HD_RELIEF_HELPED : HD_RELIEF_GOES_ON;
}

bool hd_heap_relieve(struct hd_heap *heap)
{
    struct hd_relief relief;
    hd_heap_relief_begin(heap, &relief);
    while (hd_heap_relief_step(heap, &relief, RELIEF_UNITS) != HD_RELIEF_ENDED)
        ;
    return relief.helped;
}
