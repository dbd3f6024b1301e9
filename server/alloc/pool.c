#include "alloc/pool.h"

static void init_class(struct hd_class *class, unsigned class_index)
{
    size_t block_bytes = hd_class_block_bytes(class_index);
    unsigned granules = hd_class_pool_granules(class_index);
    unsigned capacity = (unsigned)(granules * HD_GRANULE_BYTES / block_bytes);
    assert(capacity >= 1 && capacity <= HD_POOL_MAX_BLOCKS);
    *class = (struct hd_class){
        .block_bytes = (uint32_t)block_bytes,
        .reciprocal = (uint32_t)(((UINT64_C(1) << 32) + block_bytes - 1) / block_bytes),
        .capacity = (uint16_t)capacity,
        .granule_count = (uint16_t)granules,
    };
    for (unsigned bin = 0; bin < HD_POOL_BINS; bin++) {
        unsigned quarters = HD_POOL_BINS - 1 - bin;
        class->floor[bin] = (uint16_t)((capacity * quarters + 3) / 4);
    }
    class->floor[HD_POOL_BINS - 1] = 1;
}

void hd_pools_init(struct hd_pools *pools, struct hd_arenas *arenas)
{
    *pools = (struct hd_pools){.arenas = arenas};
    for (unsigned i = 0; i < HD_CLASS_RUN; i++)
        init_class(&pools->classes[i], i);
}

static void set_state(struct hd_pool *pool, unsigned state, uint16_t low_water)
{
    pool->state = (uint8_t)state;
    pool->dense = state == HD_POOL_BIN_0 || state == HD_POOL_FULL || state == HD_POOL_CURRENT;
    pool->low_water = low_water;
}

static void bin_append(struct hd_class *class, struct hd_pool *pool, unsigned bin_index)
{
    struct hd_pool_bin *bin = &class->bins[bin_index];
    set_state(pool, bin_index, class->floor[bin_index]);
    pool->next = NULL;
    pool->prev = bin->last;
    if (bin->last)
        bin->last->next = pool;
    else
        bin->first = pool;
    bin->last = pool;
}

static void bin_remove(struct hd_class *class, struct hd_pool *pool)
{
    struct hd_pool_bin *bin = &class->bins[pool->state];
    if (pool->prev)
        pool->prev->next = pool->next;
    else
        bin->first = pool->next;
    if (pool->next)
        pool->next->prev = pool->prev;
    else
        bin->last = pool->prev;
}

static struct hd_pool *new_pool(struct hd_pools *pools, unsigned class_index)
{
    struct hd_class *class = &pools->classes[class_index];
    struct hd_pool *pool = hd_arenas_take(pools->arenas, class->granule_count);
    if (!pool)
        return NULL;
    pool->class_index = (uint8_t)class_index;
    pool->reciprocal = class->reciprocal;
    pool->capacity = class->capacity;
    unsigned word = 0;
    for (unsigned left = class->capacity; left > 0; word++) {
        unsigned bits = left < 64 ? left : 64;
        pool->free[word] = ~UINT64_C(0) >> (64 - bits);
        left -= bits;
    }
    class->pool_count++;
    return pool;
}

static struct hd_pool *fullest_used_pool(struct hd_class *class)
{
    for (unsigned bin = 0; bin < HD_POOL_BINS; bin++) {
        struct hd_pool *pool = class->bins[bin].first;
        if (pool) {
            bin_remove(class, pool);
            if (pool->next)
                __builtin_prefetch(pool->next, 1); /* it is wanted when this one is full, which may be soon */
            return pool;
        }
    }
    return NULL;
}

static void set_current(struct hd_class *class, struct hd_pool *pool)
{
    struct hd_pool *full = class->current;
    if (full) {
        set_state(full, HD_POOL_FULL, full->capacity);
        class->full_count++;
    }
    /* The current pool may run empty and be used again at once; no put has to look after it. */
    set_state(pool, HD_POOL_CURRENT, 0);
    class->current = pool;
    class->current_start = hd_pool_start(pool);
}

static uint64_t live_count(const struct hd_class *class)
{
    return class->get_count - class->put_count;
}

static void set_cache_limit(struct hd_class *class)
{
    uint64_t share = live_count(class) / HD_CACHE_SHARE;
    class->cache_limit = share < HD_CACHE_COUNT ? (uint32_t)share : HD_CACHE_COUNT;
}

static bool current_has_room(const struct hd_class *class)
{
    return class->current && class->current->used_count < class->capacity;
}

static void *take_block(struct hd_class *class)
{
    struct hd_pool *pool = class->current;
    unsigned word = pool->hint_word;
    while (!pool->free[word])
        word++;
    uint64_t bits = pool->free[word];
    unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
    pool->free[word] = bits & (bits - 1);
    pool->hint_word = (uint8_t)word;
    pool->used_count++;
    class->get_count++;
    void *block = class->current_start + (size_t)index * class->block_bytes;
    hd_unpoison(block, class->block_bytes);
    return block;
}

/* Makes a pool with room the current one, or leaves something in the cache; false when there is no memory. */
static bool refill(struct hd_pools *pools, unsigned class_index)
{
    struct hd_class *class = &pools->classes[class_index];
    struct hd_pool *pool = fullest_used_pool(class);
    if (!pool) {
        /* What is pending may be of this class, and is cheaper than a new pool. */
        hd_pools_settle(pools);
        if (class->cached_count > 0 || current_has_room(class))
            return true;
        pool = fullest_used_pool(class);
    }
    if (!pool)
        pool = new_pool(pools, class_index);
    if (!pool)
        return false;
    set_current(class, pool);
    set_cache_limit(class);
    return true;
}

void *hd_pools_get_uncached(struct hd_pools *pools, unsigned class_index)
{
    struct hd_class *class = &pools->classes[class_index];
    if (!current_has_room(class) && !refill(pools, class_index))
        return NULL;
    return class->cached_count > 0 ? hd_class_take_cached(class) : take_block(class);
}

static void put_run(struct hd_pools *pools, struct hd_pool *pool)
{
    pools->classes[HD_CLASS_RUN].pool_count--;
    pools->run_bytes -= pool->granule_count * HD_GRANULE_BYTES;
    hd_arenas_give(pools->arenas, pool);
}

/* Of a pool that fell below low_water: to its bin, or back to its arena. */
static void sort_pool(struct hd_pools *pools, struct hd_class *class, struct hd_pool *pool)
{
    if (pool->state == HD_POOL_RUN) {
        put_run(pools, pool);
        return;
    }
    if (pool->state == HD_POOL_FULL)
        class->full_count--;
    else if (pool->state == HD_POOL_LEAVING)
        class->leaving_count--;
    else
        bin_remove(class, pool);
    if (pool->used_count == 0) {
        class->pool_count--;
        hd_arenas_give(pools->arenas, pool);
        return;
    }
    unsigned bin = 0;
    while (pool->used_count < class->floor[bin])
        bin++;
    bin_append(class, pool, bin);
}

static void free_block(struct hd_pools *pools, struct hd_class *class, struct hd_pool *pool, void *block)
{
    unsigned index = hd_pool_index(pool, block);
    unsigned word = index / 64;
    assert(index < pool->capacity);
    assert((uint8_t *)block == hd_pool_start(pool) + (size_t)index * class->block_bytes);
    assert(!(pool->free[word] >> index % 64 & 1)); /* else it was given back before */
    pool->free[word] |= UINT64_C(1) << index % 64;
    pool->hint_word = pool->hint_word < word ? pool->hint_word : (uint8_t)word;
    pool->used_count--;
    if (pool->used_count < pool->low_water)
        sort_pool(pools, class, pool);
}

static void drain_cache(struct hd_pools *pools, struct hd_class *class, uint32_t keep_count)
{
    while (class->cached_count > keep_count) {
        void *block = class->cache[--class->cached_count];
        free_block(pools, class, hd_pool_of(block), block);
    }
}

void hd_pools_put_uncached(struct hd_pools *pools, struct hd_pool *pool, void *block)
{
    struct hd_class *class = &pools->classes[pool->class_index];
    class->put_count++;
    free_block(pools, class, pool, block);
    set_cache_limit(class);
    drain_cache(pools, class, class->cache_limit);
}

void hd_pools_settle(struct hd_pools *pools)
{
    for (unsigned i = 0; i < HD_PENDING_COUNT; i++) {
        uint32_t slot = pools->pending_next++ % HD_PENDING_COUNT;
        void *due = pools->pending[slot];
        pools->pending[slot] = NULL;
        if (due)
            hd_pools_put_due(pools, due);
    }
}

void *hd_pools_get_run(struct hd_pools *pools, size_t bytes)
{
    hd_pools_settle(pools);
    size_t run_bytes = hd_round_to_granules(bytes);
    struct hd_pool *pool = hd_arenas_take(pools->arenas, (unsigned)(run_bytes / HD_GRANULE_BYTES));
    if (!pool)
        return NULL;
    pool->class_index = HD_CLASS_RUN;
    pool->state = HD_POOL_RUN;
    pool->capacity = 1;
    pool->used_count = 1;
    pool->low_water = 1;
    pools->run_bytes += run_bytes;
    pools->classes[HD_CLASS_RUN].pool_count++;
    pools->classes[HD_CLASS_RUN].get_count++;
    void *block = hd_pool_start(pool);
    hd_unpoison(block, run_bytes);
    return block;
}

size_t hd_pools_trim(struct hd_pools *pools)
{
    hd_pools_settle(pools);
    size_t released = 0;
    for (unsigned i = 0; i < HD_CLASS_RUN; i++) {
        struct hd_class *class = &pools->classes[i];
        uint64_t before = class->pool_count;
        drain_cache(pools, class, 0);
        if (class->current && class->current->used_count == 0) {
            hd_arenas_give(pools->arenas, class->current);
            class->current = NULL;
            class->pool_count--;
        }
        released += (size_t)(before - class->pool_count);
    }
    return released;
}

void hd_pools_leave(struct hd_pools *pools, struct hd_pool *pool)
{
    struct hd_class *class = &pools->classes[pool->class_index];
    if (pool->state == HD_POOL_RUN)
        return;
    assert(class->cached_count == 0);
    if (pool->state == HD_POOL_FULL)
        class->full_count--;
    else if (pool->state == HD_POOL_CURRENT)
        class->current = NULL;
    else
        bin_remove(class, pool);
    if (pool->used_count == 0) {
        class->pool_count--;
        hd_arenas_give(pools->arenas, pool);
        return;
    }
    class->leaving_count++;
    set_state(pool, HD_POOL_LEAVING, 1);
}

void hd_pools_stay(struct hd_pools *pools, struct hd_pool *pool)
{
    struct hd_class *class = &pools->classes[pool->class_index];
    if (pool->state != HD_POOL_LEAVING)
        return;
    class->leaving_count--;
    if (pool->used_count == pool->capacity) {
        set_state(pool, HD_POOL_FULL, pool->capacity);
        class->full_count++;
        return;
    }
    unsigned bin = 0;
    while (pool->used_count < class->floor[bin])
        bin++;
    bin_append(class, pool, bin);
}

void hd_pools_pending(const struct hd_pools *pools, uint64_t counts[HD_CLASS_COUNT], uint64_t *run_bytes)
{
    for (unsigned i = 0; i < HD_PENDING_COUNT; i++) {
        const void *block = pools->pending[i];
        if (!block)
            continue;
        const struct hd_pool *pool = hd_pool_of(block);
        if (counts)
            counts[pool->class_index]++;
        if (run_bytes && pool->state == HD_POOL_RUN)
            *run_bytes += pool->granule_count * HD_GRANULE_BYTES;
    }
}
