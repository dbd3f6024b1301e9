#include "alloc/size_class.h"

#define HD_POOL_GRANULES ((unsigned)(HD_POOL_BYTES / HD_GRANULE_BYTES))

/* Small blocks: no more of them than a record has bits for. The tail is shorter than a block, so it needs no care. */
static unsigned small_pool_granules(size_t block_bytes)
{
    unsigned most = (unsigned)(HD_POOL_MAX_BLOCKS * block_bytes / HD_GRANULE_BYTES);
    return most < HD_POOL_GRANULES ? most : HD_POOL_GRANULES;
}

/* Medium blocks: the fewest granules whose tail is at most a 32nd, else those that waste the smallest part. */
static unsigned medium_pool_granules(size_t block_bytes)
{
    unsigned best = 0;
    size_t best_tail = 0;
    for (unsigned granules = HD_POOL_GRANULES; granules <= HD_MEDIUM_POOL_MAX_GRANULES; granules++) {
        size_t pool_bytes = granules * HD_GRANULE_BYTES;
        size_t tail = pool_bytes % block_bytes;
        if (pool_bytes < block_bytes)
            continue;
        if (tail * 32 <= pool_bytes)
            return granules;
        if (best == 0 || tail * best < best_tail * granules) {
            best = granules;
            best_tail = tail;
        }
    }
    return best;
}

unsigned hd_class_pool_granules(unsigned class_index)
{
    size_t block_bytes = hd_class_block_bytes(class_index);
    return class_index < HD_SMALL_CLASSES ? small_pool_granules(block_bytes) : medium_pool_granules(block_bytes);
}
