#include "alloc/alloc.h"

#include <string.h>

#include "alloc/alloc_internal.h"

/* Unmapped on the spot for a request that would be refused otherwise: below a millisecond. */
#define RELIEVE_MAX_BYTES ((size_t)4 << 20)

int hd_alloc_new(const struct hd_os *os, struct hd_budget *budget, const struct hd_allocator *allocator,
                 const struct hd_alloc_config *config, struct hd_alloc **out)
{
    if (os->page_bytes > HD_GRANULE_BYTES)
        return HD_ESYSTEM;
    struct hd_alloc *alloc = hd_allocator_new(allocator, sizeof *alloc);
    if (!alloc)
        return HD_ENOMEM;
    alloc->pages = (struct hd_pages){.os = os, .budget = budget};
    alloc->evacuation = (struct hd_evacuation){0};
    alloc->moved_count = alloc->moved_bytes = 0;
    alloc->release_credit_bytes = 0;
    alloc->allocator = allocator;
    alloc->fault = config->fault;
    alloc->fault_context = config->fault_context;
    hd_arenas_init(&alloc->arenas, &alloc->pages, config->reserve_arena_count, config->huge_pages);
    hd_pools_init(&alloc->pools, &alloc->arenas);
    hd_larges_init(&alloc->larges, &alloc->pages, config->huge_pages);
    uint64_t kept_count =
        config->preallocate_bytes / HD_ARENA_BYTES + (config->preallocate_bytes % HD_ARENA_BYTES != 0);
    int error = hd_arenas_keep(&alloc->arenas, kept_count);
    if (error) {
        hd_alloc_free(alloc);
        return error;
    }
    *out = alloc;
    return 0;
}

void hd_alloc_free(struct hd_alloc *alloc)
{
    if (!alloc)
        return;
    hd_larges_fini(&alloc->larges);
    hd_arenas_fini(&alloc->arenas);
    hd_allocator_free(alloc->allocator, alloc, sizeof *alloc);
}

size_t hd_alloc_round(size_t bytes)
{
    if (bytes <= HD_MEDIUM_MAX_BYTES)
        return hd_class_block_bytes(hd_class_of(bytes));
    if (bytes < HD_LARGE_MIN_BYTES)
        return hd_round_to_granules(bytes);
    return bytes <= HD_LARGE_MAX_BYTES ? hd_large_round(bytes) : SIZE_MAX;
}

static void *get_bigger(struct hd_alloc *alloc, size_t bytes)
{
    if (bytes < HD_LARGE_MIN_BYTES)
        return hd_pools_get_run(&alloc->pools, bytes);
    return bytes <= HD_LARGE_MAX_BYTES ? hd_larges_get(&alloc->larges, bytes) : NULL;
}

static inline void *get(struct hd_alloc *alloc, size_t bytes)
{
    if (__builtin_expect(bytes <= HD_MEDIUM_MAX_BYTES, 1))
        return hd_pools_get(&alloc->pools, hd_class_of(bytes));
    return get_bigger(alloc, bytes);
}

static bool have_spare_arenas(const struct hd_alloc *alloc)
{
    return hd_arenas_have_spare(&alloc->arenas, alloc->arenas.reserve_count);
}

bool hd_alloc_release(struct hd_alloc *alloc, size_t bytes)
{
    if (alloc->larges.retired)
        return hd_larges_release(&alloc->larges, bytes) || have_spare_arenas(alloc);
    if (!have_spare_arenas(alloc)) {
        alloc->release_credit_bytes = 0;
        return false;
    }
    size_t credit = alloc->release_credit_bytes;
    credit = bytes > SIZE_MAX - credit ? SIZE_MAX : credit + bytes;
    while (credit >= HD_ARENA_BYTES && hd_arenas_release(&alloc->arenas, alloc->arenas.reserve_count))
        credit -= HD_ARENA_BYTES;
    alloc->release_credit_bytes = credit < HD_ARENA_BYTES ? credit : 0;
    return have_spare_arenas(alloc);
}

bool hd_alloc_has_retired(const struct hd_alloc *alloc)
{
    return alloc->larges.retired != NULL || have_spare_arenas(alloc);
}

static void release_all(struct hd_alloc *alloc)
{
    while (hd_larges_release(&alloc->larges, SIZE_MAX))
        ;
}

/*
 * Before a refusal: unmaps what waits for it or is kept for speed alone, a little of it. Returns the bytes unmapped; 0
 * if there was nothing left. Caches and empty pools go first, since their arenas may be among the rest.
 */
static size_t relieve(struct hd_alloc *alloc)
{
    uint64_t before = alloc->pages.mapped_bytes;
    size_t pools_released = hd_pools_trim(&alloc->pools);
    if (alloc->larges.retired)
        (void)hd_larges_release(&alloc->larges, HD_ARENA_BYTES);
    else if (!hd_arenas_release(&alloc->arenas, 0))
        return pools_released;
    return (size_t)(before - alloc->pages.mapped_bytes);
}

static bool fails_for_test(const struct hd_alloc *alloc)
{
    return __builtin_expect(alloc->fault != NULL, 0) && alloc->fault(alloc->fault_context);
}

void *hd_alloc_get(struct hd_alloc *alloc, size_t bytes)
{
    assert(bytes >= 1);
    if (fails_for_test(alloc))
        return NULL;
    void *block = get(alloc, bytes);
    size_t unmapped = 0, now = 1;
    while (__builtin_expect(!block, 0) && bytes <= HD_LARGE_MAX_BYTES && unmapped < RELIEVE_MAX_BYTES && now) {
        now = relieve(alloc);
        unmapped += now;
        block = now ? get(alloc, bytes) : NULL;
    }
    return block;
}

void hd_alloc_put(struct hd_alloc *alloc, void *block)
{
    if (__builtin_expect(hd_span_is_large(block), 0))
        hd_larges_put(&alloc->larges, block);
    else
        hd_pools_put(&alloc->pools, block);
}

bool hd_alloc_is_large(const void *block)
{
    return hd_span_is_large(block);
}

void hd_alloc_populated(struct hd_alloc *alloc, void *block)
{
    if (hd_span_is_large(block))
        hd_larges_populated(&alloc->larges, hd_span_of(block));
}

size_t hd_alloc_usable(const void *block)
{
    return hd_span_is_large(block) ? hd_large_usable(block) : hd_pool_block_bytes(hd_pool_of(block));
}

void *hd_alloc_resize(struct hd_alloc *alloc, void *block, size_t bytes)
{
    assert(bytes >= 1);
    size_t old_bytes = hd_alloc_usable(block);
    if (hd_alloc_round(bytes) == old_bytes)
        return block;
    if (hd_span_is_large(block) && bytes >= HD_LARGE_MIN_BYTES) {
        if (bytes > HD_LARGE_MAX_BYTES || fails_for_test(alloc))
            return NULL;
        void *resized = hd_larges_resize(&alloc->larges, block, bytes);
        size_t unmapped = 0, now = 1;
        while (!resized && unmapped < RELIEVE_MAX_BYTES && now) {
            now = relieve(alloc);
            unmapped += now;
            resized = now ? hd_larges_resize(&alloc->larges, block, bytes) : NULL;
        }
        return resized;
    }
    void *moved = hd_alloc_get(alloc, bytes);
    if (!moved)
        return NULL;
    memcpy(moved, block, bytes < old_bytes ? bytes : old_bytes);
    hd_alloc_put(alloc, block);
    return moved;
}

size_t hd_alloc_trim(struct hd_alloc *alloc)
{
    uint64_t before = alloc->pages.mapped_bytes;
    release_all(alloc);
    hd_pools_trim(&alloc->pools);
    hd_arenas_trim(&alloc->arenas);
    return (size_t)(before - alloc->pages.mapped_bytes);
}

void hd_alloc_stats(const struct hd_alloc *alloc, struct hd_alloc_stats *out)
{
    const struct hd_arenas *arenas = &alloc->arenas;
    const struct hd_larges *larges = &alloc->larges;
    uint64_t pending_run_bytes = 0;
    hd_pools_pending(&alloc->pools, NULL, &pending_run_bytes);
    uint64_t run_bytes = alloc->pools.run_bytes - pending_run_bytes;
    struct hd_alloc_stats stats = {
        .arena_live_bytes = run_bytes,
        .live_count = larges->count,
        .mapped_bytes = alloc->pages.mapped_bytes,
        .arena_count = arenas->arena_count,
        .arena_free_count = arenas->empty_count,
        .pool_empty_count = arenas->free_granule_count * HD_GRANULE_BYTES / HD_POOL_BYTES,
        .large_count = larges->count,
        .large_bytes = larges->mapped_bytes,
        .retired_bytes = larges->retired_bytes,
        .arenas_mapped_count = arenas->mapped_count,
        .arenas_released_count = arenas->released_count,
        .allocations_count = larges->get_count,
    };
    struct hd_alloc_class_stats rows[HD_CLASS_COUNT];
    hd_alloc_class_stats(alloc, rows);
    for (unsigned i = 0; i < HD_CLASS_COUNT; i++) {
        stats.arena_live_bytes += rows[i].live_count * rows[i].block_bytes;
        stats.live_count += rows[i].live_count;
        stats.pool_used_count += rows[i].pool_used_count;
        stats.pool_full_count += rows[i].pool_full_count;
        stats.allocations_count += alloc->pools.classes[i].get_count;
    }
    stats.live_bytes = stats.arena_live_bytes + larges->mapped_bytes - larges->count * HD_LARGE_HEADER_BYTES;
    *out = stats;
}

size_t hd_alloc_class_stats(const struct hd_alloc *alloc, struct hd_alloc_class_stats *out)
{
    uint64_t pending[HD_CLASS_COUNT] = {0};
    hd_pools_pending(&alloc->pools, pending, NULL);
    for (unsigned i = 0; out && i < HD_CLASS_COUNT; i++) {
        const struct hd_class *class = &alloc->pools.classes[i];
        bool full_current = class->current && class->current->used_count == class->capacity;
        uint64_t full_count = i == HD_CLASS_RUN ? class->pool_count : class->full_count + full_current;
        out[i] = (struct hd_alloc_class_stats){
            .block_bytes = class->block_bytes,
            .blocks_per_pool = i == HD_CLASS_RUN ? 1 : class->capacity,
            .pool_used_count = class->pool_count - full_count,
            .pool_full_count = full_count,
            .live_count = class->get_count - class->put_count - pending[i],
        };
    }
    return HD_CLASS_COUNT;
}

const char *hd_alloc_check(const struct hd_alloc *alloc)
{
    const char *broken = hd_arenas_check(&alloc->arenas);
    if (!broken)
        broken = hd_pools_check(&alloc->pools);
    if (!broken)
        broken = hd_larges_check(&alloc->larges);
    if (!broken && alloc->pages.mapped_bytes != alloc->arenas.arena_count * HD_ARENA_BYTES +
                                                    alloc->larges.mapped_bytes + alloc->larges.retired_bytes)
        broken = "alloc: mapped_bytes";
    if (!broken && alloc->pages.budget->used_bytes < alloc->pages.mapped_bytes)
        broken = "alloc: the budget holds less than is mapped";
    return broken;
}
