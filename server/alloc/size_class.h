/*
 * Size classes: which sizes of block there are, and how many granules a pool of
 * each takes. Pure arithmetic.
 *
 *     small    class 0 .. 31   16, 32, ... 512 bytes
 *     medium   from class 32   eight to each doubling: 576, 640, ... 1024, 1152, ...
 *     run      HD_CLASS_RUN    whole granules; one block is the whole pool
 *
 * Classes grow with their number, and a block wastes at most 15 bytes when small,
 * an eighth of itself when medium.
 */
#ifndef HEAPD_ALLOC_SIZE_CLASS_H
#define HEAPD_ALLOC_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/alloc.h"

#define HD_GRANULE_BYTES ((size_t)4096)
#define HD_ARENA_GRANULES (HD_ARENA_BYTES / HD_GRANULE_BYTES)

/* A pool's record has one bit for each of its blocks; this is how many it has room for. */
#define HD_POOL_MAX_BLOCKS 256
#define HD_MEDIUM_POOL_MAX_GRANULES (HD_ARENA_GRANULES / 4 < 16 ? HD_ARENA_GRANULES / 4 : 16)

#define HD_SMALL_CLASSES (HD_SMALL_MAX_BYTES / 16)
#define HD_MEDIUM_DOUBLINGS (HD_ARENA_BYTES >= (256u << 10) ? 6u : HD_ARENA_BYTES >= (128u << 10) ? 5u : 4u)
#define HD_MEDIUM_MAX_BYTES ((size_t)HD_SMALL_MAX_BYTES << HD_MEDIUM_DOUBLINGS)
#define HD_CLASS_RUN (HD_SMALL_CLASSES + 8u * HD_MEDIUM_DOUBLINGS)
#define HD_CLASS_COUNT (HD_CLASS_RUN + 1u)

/* From here on a block is mapped by itself. */
#define HD_LARGE_MIN_BYTES (HD_ARENA_BYTES / 4 + 1)
/* Beyond this nothing is asked of the system: more than the address space holds, and safe to add to. */
#define HD_LARGE_MAX_BYTES ((size_t)1 << 46)

_Static_assert(HD_MEDIUM_MAX_BYTES <= HD_ARENA_BYTES / 8, "a medium pool must fit an arena several times");
_Static_assert(HD_POOL_BYTES % HD_GRANULE_BYTES == 0 && HD_POOL_BYTES <= HD_ARENA_BYTES / 4, "pools are of granules");

/* The class for 1 <= bytes <= HD_MEDIUM_MAX_BYTES. */
static inline unsigned hd_class_of(size_t bytes)
{
    if (bytes <= HD_SMALL_MAX_BYTES)
        return (unsigned)((bytes - 1) / 16);
    unsigned doubling = 63u - (unsigned)__builtin_clzll((bytes - 1) / HD_SMALL_MAX_BYTES);
    unsigned eighth = (unsigned)((bytes - 1) >> (6 + doubling)) - 8;
    return HD_SMALL_CLASSES + 8 * doubling + eighth;
}

/* The size of a block of a small or medium class. */
static inline size_t hd_class_block_bytes(unsigned class_index)
{
    if (class_index < HD_SMALL_CLASSES)
        return 16 * ((size_t)class_index + 1);
    unsigned medium = class_index - HD_SMALL_CLASSES;
    return (HD_SMALL_MAX_BYTES + 64 * (size_t)(medium % 8 + 1)) << (medium / 8);
}

static inline size_t hd_round_to_granules(size_t bytes)
{
    return (bytes + HD_GRANULE_BYTES - 1) & ~(HD_GRANULE_BYTES - 1);
}

/* Granules of a pool of a small or medium class. */
unsigned hd_class_pool_granules(unsigned class_index);

#endif
