#include "alloc/map.h"

#include "alloc/alloc_internal.h"

static void add_pool(struct hd_arena_map *row, const struct hd_pool *pool)
{
    uint8_t fill = (uint8_t)(pool->capacity ? pool->used_count * 255u / pool->capacity : 255u);
    for (unsigned i = 0; i < pool->granule_count; i++) {
        row->use[pool->first_granule + i] = (uint8_t)(HD_MAP_CLASS + pool->class_index);
        row->fill[pool->first_granule + i] = fill;
    }
    row->pool_count++;
    row->live_bytes +=
        pool->state == HD_POOL_RUN ? hd_pool_block_bytes(pool) : (uint64_t)pool->used_count * hd_pool_block_bytes(pool);
}

static void describe(const struct hd_arena *arena, struct hd_arena_map *row)
{
    *row = (struct hd_arena_map){.free_count = arena->free_count, .leaving = arena->leaving};
    unsigned granule = 0;
    while (granule < HD_ARENA_GRANULES) {
        uint16_t record = arena->record_of[granule];
        if (record <= HD_GRANULE_RECORDS) {
            row->use[granule++] = (uint8_t)(record == HD_GRANULE_FREE ? HD_MAP_FREE : HD_MAP_RECORDS);
            continue;
        }
        const struct hd_pool *pool = hd_arena_next_pool(arena, granule);
        add_pool(row, pool);
        granule = pool->first_granule + pool->granule_count;
    }
}

uint64_t hd_alloc_map(const struct hd_alloc *alloc, uint64_t from, struct hd_arena_map *rows, size_t max, size_t *count)
{
    const struct hd_arena *arena = alloc->arenas.all;
    uint64_t at = 0;
    *count = 0;
    for (; arena && *count < max; arena = arena->all_next, at++)
        if (at >= from)
            describe(arena, &rows[(*count)++]);
    return arena ? at : 0;
}
