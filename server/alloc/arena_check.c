#include "alloc/arena.h"

struct arena_sums {
    uint64_t arena_count;
    uint64_t empty_count;
    uint64_t free_granule_count;
};

static bool is_free(const struct hd_arena *arena, unsigned granule)
{
    return arena->free_map[granule / 64] >> granule % 64 & 1;
}

/* The record's offset must point into granule 0 behind the header or into a granule of records. */
static bool is_record(const struct hd_arena *arena, uint16_t record)
{
    size_t offset = record * sizeof(struct hd_pool);
    return offset >= sizeof *arena && arena->record_of[offset / HD_GRANULE_BYTES] == HD_GRANULE_RECORDS;
}

static const char *check_pool_granules(const struct hd_arena *arena, unsigned first)
{
    uint16_t record = arena->record_of[first];
    if (!is_record(arena, record))
        return "arena: record_of points outside of the records";
    const struct hd_pool *pool = (const struct hd_pool *)((uintptr_t)arena + record * sizeof *pool);
    if (pool->first_granule != first || pool->granule_count == 0 || first + pool->granule_count > HD_ARENA_GRANULES)
        return "pool: first_granule and granule_count disagree with record_of";
    for (unsigned granule = first; granule < first + pool->granule_count; granule++) {
        if (is_free(arena, granule) || arena->record_of[granule] != record)
            return "pool: a granule of it is marked otherwise";
    }
    return NULL;
}

static const char *check_granules(const struct hd_arena *arena)
{
    unsigned free_count = 0;
    unsigned pool_count = 0;
    unsigned run = 0;
    unsigned longest = 0;
    for (unsigned granule = 0; granule < HD_ARENA_GRANULES;) {
        uint16_t record = arena->record_of[granule];
        if (is_free(arena, granule) != (record == HD_GRANULE_FREE))
            return "arena: free_map disagrees with record_of";
        run = record == HD_GRANULE_FREE ? run + 1 : 0;
        longest = run > longest ? run : longest;
        free_count += record == HD_GRANULE_FREE;
        if (record <= HD_GRANULE_RECORDS) {
            granule++;
            continue;
        }
        const char *broken = check_pool_granules(arena, granule);
        if (broken)
            return broken;
        pool_count++;
        granule += ((const struct hd_pool *)((uintptr_t)arena + record * sizeof(struct hd_pool)))->granule_count;
    }
    if (free_count != arena->free_count)
        return "arena: free_count";
    if (longest != arena->longest_run)
        return "arena: longest_run";
    if (pool_count != arena->pool_count)
        return "arena: pool_count";
    if (pool_count == 0 && free_count != HD_ARENA_GRANULES - 1)
        return "arena: empty, but not all of it is free";
    return NULL;
}

static const char *check_arena(const struct hd_arenas *arenas, const struct hd_arena *arena)
{
    if (hd_span_offset(arena) != 0 || arena->kind != HD_SPAN_ARENA || arena->owner != arenas)
        return "arena: header";
    if (arena->record_of[0] != HD_GRANULE_RECORDS)
        return "arena: granule 0 must hold records";
    if (arena->free_count > 0 && !arena->record_free && arena->record_next == arena->record_end)
        return "arena: granules are free, but there is no record for them";
    unsigned fill = arena->pool_count == 0 ? HD_ARENA_FILL_EMPTY : arena->free_count * 16u / HD_ARENA_GRANULES;
    if (arena->leaving)
        fill = HD_ARENA_FILL_LEAVING;
    if (arena->fill != fill)
        return "arena: fill";
    if (arena->leaving && arena->pool_count == 0)
        return "arena: it has nothing to be emptied of";
    return check_granules(arena);
}

static const char *check_list(const struct hd_arenas *arenas, unsigned fill, unsigned run, struct arena_sums *sums)
{
    const struct hd_arena *head = arenas->lists[fill][run];
    bool marked = run > 0 && (arenas->has_run[fill] >> (run - 1) & 1);
    if (run > 0 && marked != (head != NULL))
        return "arenas: has_run disagrees with the lists";
    const struct hd_arena *prev = NULL;
    for (const struct hd_arena *arena = head; arena; prev = arena, arena = arena->next) {
        unsigned longest = arena->longest_run < HD_ARENA_LONGEST_MAX ? arena->longest_run : HD_ARENA_LONGEST_MAX;
        if (arena->prev != prev || arena->fill != fill || longest != run)
            return "arenas: an arena stands in the wrong list";
        const char *broken = check_arena(arenas, arena);
        if (broken)
            return broken;
        sums->arena_count++;
        sums->empty_count += arena->pool_count == 0;
        sums->free_granule_count += arena->free_count;
    }
    return NULL;
}

static const char *check_all(const struct hd_arenas *arenas)
{
    uint64_t count = 0;
    bool met_cursor = arenas->cursor == NULL;
    const struct hd_arena *prev = NULL;
    for (const struct hd_arena *arena = arenas->all; arena; prev = arena, arena = arena->all_next) {
        if (hd_span_offset(arena) != 0 || arena->kind != HD_SPAN_ARENA || arena->all_prev != prev ||
            ++count > arenas->arena_count)
            return "arenas: the list of all";
        met_cursor |= arena == arenas->cursor;
    }
    if (count != arenas->arena_count)
        return "arenas: an arena is not in the list of all";
    return met_cursor ? NULL : "arenas: cursor is none of them";
}

const char *hd_arenas_check(const struct hd_arenas *arenas)
{
    struct arena_sums sums = {0};
    for (unsigned fill = 0; fill < HD_ARENA_FILLS; fill++) {
        for (unsigned run = 0; run <= HD_ARENA_LONGEST_MAX; run++) {
            const char *broken = check_list(arenas, fill, run, &sums);
            if (broken)
                return broken;
        }
    }
    if (sums.arena_count != arenas->arena_count || arenas->arena_count != arenas->mapped_count - arenas->released_count)
        return "arenas: arena_count";
    if (arenas->arena_count < arenas->kept_count)
        return "arenas: fewer than are to be kept";
    if (sums.empty_count != arenas->empty_count)
        return "arenas: empty_count";
    if (sums.free_granule_count != arenas->free_granule_count)
        return "arenas: free_granule_count";
    return check_all(arenas);
}
