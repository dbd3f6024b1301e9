/* A picture of the arenas: what each of their granules is used for, and how well. */
#ifndef HEAPD_ALLOC_MAP_H
#define HEAPD_ALLOC_MAP_H

#include "alloc/alloc.h"
#include "alloc/size_class.h"

/* Of a granule; else the size class of its pool, as hd_alloc_class_stats numbers them, from HD_MAP_CLASS on. */
#define HD_MAP_FREE 0u
#define HD_MAP_RECORDS 1u
#define HD_MAP_CLASS 2u

struct hd_arena_map {
    uint8_t use[HD_ARENA_GRANULES];
    uint8_t fill[HD_ARENA_GRANULES]; /* of a pool's granules: the share of its blocks that is used, of 255 */
    uint32_t pool_count;
    uint32_t free_count; /* granules */
    uint64_t live_bytes; /* blocks that are used; those that wait to be entered into the books count as used */
    bool leaving;        /* being emptied by a compaction */
};

/*
 * Describes at most `max` arenas from number `from` on, in the order in which they stand. Returns where to go on; 0:
 * there are no more. Numbers shift when arenas come and go. O(from + max * granules).
 */
uint64_t hd_alloc_map(const struct hd_alloc *alloc, uint64_t from, struct hd_arena_map *rows, size_t max,
                      size_t *count);

#endif
