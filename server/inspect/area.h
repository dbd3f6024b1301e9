/*
 * Memory for one analysis: a zeroed mapping of its own, charged to the heap's
 * limit. To unmap hundreds of megabytes is long, so it goes back in slices.
 */
#ifndef HEAPD_INSPECT_AREA_H
#define HEAPD_INSPECT_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "heap/heap.h"

struct hd_area {
    void *base; /* own; NULL: nothing is mapped */
    size_t mapped_bytes;
};

/* HD_ENOMEM: neither charged nor mapped. 0 bytes are one page. */
int hd_area_map(struct hd_heap *heap, uint64_t bytes, struct hd_area *out) HD_MUST_USE;
/* Makes it larger, perhaps elsewhere. HD_ENOMEM: as it was. */
int hd_area_grow(struct hd_heap *heap, struct hd_area *area, uint64_t bytes) HD_MUST_USE;
/* Gives back about `bytes` from its end. True while there are more. */
bool hd_area_release(struct hd_heap *heap, struct hd_area *area, uint64_t bytes);

#endif
