/*
 * Pools of each size class, and the blocks in them.
 *
 * A class takes blocks from its current pool until that is full, then from the
 * fullest of its used pools, then from a new one. Used pools stand in four bins
 * by how full they are, so that the emptier ones are left alone and drain. Within
 * a bin the pool that came first is next, so that it had time to gather free
 * blocks.
 *
 * Which blocks are free is a bit for each in the pool's record; the lowest is
 * taken first. So a fresh pool is used upwards, like a bump pointer; giving a
 * block back does not touch its memory; and blocks stay packed at the bottom.
 *
 * Two things stand before these books, because random lifetimes in a large heap
 * would otherwise wait for memory and mispredict a branch at every step:
 *
 *   pending   a block that is given back waits in a short queue while first the
 *             line of the arena that names its record, then the record are fetched;
 *   cache     a block of a pool that is nearly full is then kept at hand, for the
 *             next request of its class. Blocks of emptier pools are not, so that
 *             these drain; nor are more than a 64th of the class's live blocks, so
 *             that what the cache holds on to stays in proportion.
 *
 * Both are emptied before the allocator asks for an arena that it cannot get.
 */
#ifndef HEAPD_ALLOC_POOL_H
#define HEAPD_ALLOC_POOL_H

#include <assert.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "alloc/poison.h"

struct hd_pool_bin {
    struct hd_pool *first;
    struct hd_pool *last;
};

#define HD_CACHE_COUNT 32u
/* At most one block in so many is cached. Builds with checks cache more, so that small test heaps do it at all. */
#ifdef HEAPD_DEBUG_CHECKS
#define HD_CACHE_SHARE 4u
#else
#define HD_CACHE_SHARE 64u
#endif

/*
 *     get_count - put_count == live blocks, pending ones among them
 *     live + cached_count == sum of used_count over the class's pools
 *     cached_count <= HD_CACHE_COUNT; a cached block counts as used in its pool
 *     pool_count == full_count + leaving_count + pools in bins + (current ? 1 : 0)
 *     floor[b] is the least used_count of a pool in bin b
 */
struct hd_class {
    uint32_t cached_count;
    uint32_t cache_limit; /* min(HD_CACHE_COUNT, live / HD_CACHE_SHARE) when it was last looked at */
    uint32_t block_bytes; /* 0: the class of runs */
    uint32_t reciprocal;
    struct hd_pool *current; /* NULL: none */
    uint8_t *current_start;
    uint64_t get_count; /* ever */
    uint64_t put_count; /* ever */
    uint64_t pool_count;
    uint64_t full_count;
    uint64_t leaving_count;
    uint16_t capacity;
    uint16_t granule_count;
    uint16_t floor[HD_POOL_BINS];
    struct hd_pool_bin bins[HD_POOL_BINS];
    void *cache[HD_CACHE_COUNT];
};

/* How many blocks wait; a power of two. The record is fetched when half of them have come after. */
#define HD_PENDING_COUNT 16u

/*
 *     run_bytes == sum of granule_count * HD_GRANULE_BYTES over the runs
 *     a block is pending, cached or free in its pool's record, and that once, or live
 */
struct hd_pools {
    struct hd_arenas *arenas; /* borrow */
    uint64_t run_bytes;
    uint32_t pending_next;           /* modulo HD_PENDING_COUNT: the slot of the oldest, where the next one goes */
    void *pending[HD_PENDING_COUNT]; /* given back, not yet in the books; NULL: none */
    struct hd_class classes[HD_CLASS_COUNT];
};

void hd_pools_init(struct hd_pools *pools, struct hd_arenas *arenas);
/* A block from the class's pools, none being cached; NULL when there is no memory. */
void *hd_pools_get_uncached(struct hd_pools *pools, unsigned class_index);
/* Enters a block into its pool's record, and looks whether the class still deserves its cache. */
void hd_pools_put_uncached(struct hd_pools *pools, struct hd_pool *pool, void *block);
/* Enters all pending blocks into the books. */
void hd_pools_settle(struct hd_pools *pools);
void *hd_pools_get_run(struct hd_pools *pools, size_t bytes);
/* Empties the caches and gives back the current pools that are empty. Returns the pools given back. O(classes). */
size_t hd_pools_trim(struct hd_pools *pools);
/*
 * A pool of an arena that is leaving takes no more blocks; or may again. A pool
 * that is empty goes back, and a run is left as it is. Caches must be empty.
 */
void hd_pools_leave(struct hd_pools *pools, struct hd_pool *pool);
void hd_pools_stay(struct hd_pools *pools, struct hd_pool *pool);
/* The blocks that wait: adds them up by class, and the bytes of the runs among them; either may be NULL. */
void hd_pools_pending(const struct hd_pools *pools, uint64_t counts[HD_CLASS_COUNT], uint64_t *run_bytes);
/* Whether it is the start of a block that was handed out and not given back; for assertions. */
bool hd_pools_is_live(const struct hd_pools *pools, const void *block);
/* NULL, or the name of an invariant that does not hold; the arenas' must hold. */
const char *hd_pools_check(const struct hd_pools *pools);

/* The number of the block that begins at `block`. */
static inline unsigned hd_pool_index(const struct hd_pool *pool, const void *block)
{
    uint32_t offset = (uint32_t)((const uint8_t *)block - hd_pool_start(pool));
    return (unsigned)((uint64_t)offset * pool->reciprocal >> 32);
}

static inline void *hd_class_take_cached(struct hd_class *class)
{
    void *block = class->cache[--class->cached_count];
    class->get_count++;
    hd_unpoison(block, class->block_bytes);
    return block;
}

static inline void *hd_pools_get(struct hd_pools *pools, unsigned class_index)
{
    struct hd_class *class = &pools->classes[class_index];
    return class->cached_count > 0 ? hd_class_take_cached(class) : hd_pools_get_uncached(pools, class_index);
}

/* The capacity of a block that is not large. */
static inline size_t hd_pool_block_bytes(const struct hd_pool *pool)
{
    return pool->state == HD_POOL_RUN ? pool->granule_count * HD_GRANULE_BYTES
                                      : hd_class_block_bytes(pool->class_index);
}

/* The second half of giving back. Runs too: they are pools of one block, and never dense. */
static inline void hd_pools_put_due(struct hd_pools *pools, void *block)
{
    struct hd_pool *pool = hd_pool_of(block);
    struct hd_class *class = &pools->classes[pool->class_index];
    if (pool->dense && class->cached_count < class->cache_limit) {
        class->cache[class->cached_count++] = block;
        class->put_count++;
    } else {
        hd_pools_put_uncached(pools, pool, block);
    }
}

/* Gives a block back, of a pool or a run. */
static inline void hd_pools_put(struct hd_pools *pools, void *block)
{
    assert(hd_pools_is_live(pools, block));
#ifdef HD_POISON_ENABLED
    hd_poison(block, hd_pool_block_bytes(hd_pool_of(block)));
#endif
    uint32_t slot = pools->pending_next++ % HD_PENDING_COUNT;
    void *due = pools->pending[slot];
    void *halfway = pools->pending[(slot + HD_PENDING_COUNT / 2) % HD_PENDING_COUNT];
    pools->pending[slot] = block;
    hd_arena_prefetch_record_of(block);
    if (__builtin_expect(halfway != NULL, 1))
        __builtin_prefetch(hd_pool_of(halfway));
    if (__builtin_expect(due != NULL, 1))
        hd_pools_put_due(pools, due);
}

#endif
