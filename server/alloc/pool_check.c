#include "alloc/pool.h"

struct class_sums {
    uint64_t used_count;
    uint64_t pool_count;
    uint64_t full_count;
    uint64_t current_count;
    uint64_t leaving_count;
    uint64_t bin_count[HD_POOL_BINS];
};

struct pool_sums {
    const struct hd_pools *pools;
    uint64_t run_bytes;
    struct class_sums classes[HD_CLASS_COUNT];
};

static const char *check_free_bits(const struct hd_pool *pool)
{
    unsigned free_count = 0;
    for (unsigned word = 0; word < HD_POOL_WORDS; word++) {
        uint64_t bits = pool->free[word];
        free_count += (unsigned)__builtin_popcountll(bits);
        if (bits && word < pool->hint_word)
            return "pool: a free block lies below hint_word";
        unsigned exist = pool->capacity > word * 64 ? pool->capacity - word * 64 : 0;
        if (exist < 64 && bits >> exist)
            return "pool: a block that does not exist is free";
    }
    if (pool->used_count + free_count != pool->capacity)
        return "pool: used_count and the free bits do not add up to capacity";
    return NULL;
}

static const char *check_run(struct pool_sums *sums, const struct hd_pool *pool)
{
    if (pool->class_index != HD_CLASS_RUN || pool->capacity != 1 || pool->used_count != 1 || pool->low_water != 1)
        return "run: it must be one live block";
    sums->run_bytes += pool->granule_count * HD_GRANULE_BYTES;
    return NULL;
}

static const char *check_state(struct class_sums *sums, const struct hd_class *class, const struct hd_pool *pool)
{
    switch (pool->state) {
    case HD_POOL_CURRENT:
        sums->current_count++;
        return pool == class->current && pool->low_water == 0 ? NULL : "pool: current, but not its class's";
    case HD_POOL_FULL:
        sums->full_count++;
        return pool->used_count == pool->capacity && pool->low_water == pool->capacity
                   ? NULL
                   : "pool: not as full as its state says";
    default:
        if (pool->state == HD_POOL_LEAVING) {
            sums->leaving_count++;
            return pool->used_count > 0 && pool->low_water == 1 ? NULL : "pool: leaving, but empty";
        }
        if (pool->state >= HD_POOL_BINS)
            return "pool: state";
        sums->bin_count[pool->state]++;
        if (pool->used_count < pool->low_water || pool->low_water != class->floor[pool->state])
            return "pool: low_water";
        return pool->used_count < pool->capacity ? NULL : "pool: full, but in a bin";
    }
}

static const char *check_pool(void *context, const struct hd_pool *pool)
{
    struct pool_sums *sums = context;
    if (pool->class_index > HD_CLASS_RUN)
        return "pool: class_index";
    bool dense = pool->state == HD_POOL_BIN_0 || pool->state == HD_POOL_FULL || pool->state == HD_POOL_CURRENT;
    if (pool->dense != dense)
        return "pool: dense";
    if (pool->state != HD_POOL_RUN && hd_arena_of_pool(pool)->leaving != (pool->state == HD_POOL_LEAVING))
        return "pool: it leaves exactly if its arena does";
    const struct hd_class *class = &sums->pools->classes[pool->class_index];
    struct class_sums *row = &sums->classes[pool->class_index];
    row->pool_count++;
    row->used_count += pool->used_count;
    const char *broken = check_free_bits(pool);
    if (broken)
        return broken;
    if (pool->state == HD_POOL_RUN)
        return check_run(sums, pool);
    if (pool->capacity != class->capacity || pool->granule_count != class->granule_count ||
        pool->reciprocal != class->reciprocal)
        return "pool: it is not shaped as its class";
    return check_state(row, class, pool);
}

static const char *check_bins(const struct hd_class *class, const struct class_sums *sums)
{
    for (unsigned bin = 0; bin < HD_POOL_BINS; bin++) {
        uint64_t count = 0;
        const struct hd_pool *prev = NULL;
        for (const struct hd_pool *pool = class->bins[bin].first; pool; prev = pool, pool = pool->next) {
            if (pool->prev != prev || pool->state != bin || ++count > sums->bin_count[bin])
                return "class: a bin's list";
        }
        if (class->bins[bin].last != prev || count != sums->bin_count[bin])
            return "class: a pool's state names a bin in which it is not";
    }
    return NULL;
}

static bool is_used_block(const struct hd_pool *pool, const struct hd_class *class, const void *block)
{
    unsigned index = hd_pool_index(pool, block);
    return index < pool->capacity && block == hd_pool_start(pool) + (size_t)index * class->block_bytes &&
           !(pool->free[index / 64] >> index % 64 & 1);
}

static bool is_pending(const struct hd_pools *pools, const void *block, unsigned before)
{
    for (unsigned i = 0; i < before; i++) {
        if (pools->pending[i] == block)
            return true;
    }
    return false;
}

static bool is_cached(const struct hd_class *class, const void *block, unsigned before)
{
    for (unsigned i = 0; i < before; i++) {
        if (class->cache[i] == block)
            return true;
    }
    return false;
}

bool hd_pools_is_live(const struct hd_pools *pools, const void *block)
{
    const struct hd_arena *arena = hd_span_of(block);
    if (arena->record_of[hd_span_offset(block) / HD_GRANULE_BYTES] <= HD_GRANULE_RECORDS)
        return false;
    const struct hd_pool *pool = hd_pool_of(block);
    const struct hd_class *class = &pools->classes[pool->class_index];
    return is_used_block(pool, class, block) && !is_cached(class, block, class->cached_count) &&
           !is_pending(pools, block, HD_PENDING_COUNT);
}

static const char *check_cache(const struct hd_pools *pools, const struct hd_class *class)
{
    for (unsigned i = 0; i < class->cached_count; i++) {
        const void *block = class->cache[i];
        const struct hd_pool *pool = hd_pool_of(block);
        if (&pools->classes[pool->class_index] != class || !is_used_block(pool, class, block))
            return "class: a cached block is not one of its own";
        if (is_cached(class, block, i))
            return "class: a block is cached twice";
    }
    return NULL;
}

static const char *check_pending(const struct hd_pools *pools)
{
    for (unsigned i = 0; i < HD_PENDING_COUNT; i++) {
        const void *block = pools->pending[i];
        if (!block)
            continue;
        const struct hd_pool *pool = hd_pool_of(block);
        const struct hd_class *class = &pools->classes[pool->class_index];
        if (!is_used_block(pool, class, block) || is_cached(class, block, class->cached_count))
            return "pools: a pending block is already free";
        if (is_pending(pools, block, i))
            return "pools: a block is pending twice";
    }
    return NULL;
}

static const char *check_class(const struct hd_class *class, const struct class_sums *sums)
{
    if (class->get_count - class->put_count + class->cached_count != sums->used_count)
        return "class: get_count and put_count disagree with the pools";
    if (class->cached_count > HD_CACHE_COUNT || class->cache_limit > HD_CACHE_COUNT)
        return "class: cached_count";
    if (class->pool_count != sums->pool_count)
        return "class: pool_count";
    if (class->leaving_count != sums->leaving_count)
        return "class: leaving_count";
    if (class->full_count != sums->full_count)
        return "class: full_count";
    if (sums->current_count != (class->current ? 1 : 0))
        return "class: its current pool";
    if (class->current && class->current_start != hd_pool_start(class->current))
        return "class: current_start";
    return check_bins(class, sums);
}

const char *hd_pools_check(const struct hd_pools *pools)
{
    struct pool_sums sums = {.pools = pools};
    const char *broken = hd_arenas_each_pool(pools->arenas, check_pool, &sums);
    if (broken)
        return broken;
    for (unsigned i = 0; i < HD_CLASS_COUNT; i++) {
        broken = check_class(&pools->classes[i], &sums.classes[i]);
        if (!broken)
            broken = check_cache(pools, &pools->classes[i]);
        if (broken)
            return broken;
    }
    broken = check_pending(pools);
    if (broken)
        return broken;
    return sums.run_bytes == pools->run_bytes ? NULL : "pools: run_bytes";
}
