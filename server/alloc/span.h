/*
 * What lies at each multiple of HD_ARENA_BYTES that the allocator has mapped: the
 * header of an arena or of a large object.
 *
 * A large object's block begins right behind its header, where no block of an
 * arena ever lies (granule 0 of an arena holds records only), so an address
 * alone tells one from the other, without a look at memory.
 */
#ifndef HEAPD_ALLOC_SPAN_H
#define HEAPD_ALLOC_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/alloc.h"

#define HD_LARGE_HEADER_BYTES ((size_t)64)

enum hd_span_kind {
    HD_SPAN_ARENA = 0x41524e41,
    HD_SPAN_LARGE = 0x4c415247,
    HD_SPAN_RETIRED = 0x52455449,
};

static inline size_t hd_span_offset(const void *block)
{
    return (size_t)((uintptr_t)block & (HD_ARENA_BYTES - 1));
}

static inline void *hd_span_of(const void *block)
{
    return (void *)((uintptr_t)block & ~(uintptr_t)(HD_ARENA_BYTES - 1));
}

static inline bool hd_span_is_large(const void *block)
{
    return hd_span_offset(block) == HD_LARGE_HEADER_BYTES;
}

#endif
