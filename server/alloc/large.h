/*
 * Large objects: each a mapping of its own, aligned as an arena, resized by
 * moving page tables instead of bytes.
 *
 *     mapping  [ header, HD_LARGE_HEADER_BYTES | block ]
 *
 * To unmap a gigabyte takes the kernel a tenth of a second. A large object that was
 * given back, or what was cut off its end, is therefore retired, and released in
 * slices, from its end. Until then it stays charged.
 */
#ifndef HEAPD_ALLOC_LARGE_H
#define HEAPD_ALLOC_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pages.h"
#include "alloc/size_class.h"
#include "alloc/span.h"

struct hd_large {
    uint32_t kind; /* HD_SPAN_LARGE, HD_SPAN_RETIRED */
    struct hd_larges *owner;
    struct hd_large *next;
    struct hd_large *prev;
    size_t mapped_bytes; /* header included */
};

_Static_assert(sizeof(struct hd_large) <= HD_LARGE_HEADER_BYTES, "the block lies right behind the header");

/*
 *     count == length of the list
 *     mapped_bytes == sum of mapped_bytes over the list
 *     retired_bytes == sum of mapped_bytes over the retired ones
 */
struct hd_larges {
    struct hd_pages *pages; /* borrow */
    struct hd_large *first;
    uint64_t count;
    uint64_t mapped_bytes;
    struct hd_large *retired; /* linked by next */
    uint64_t retired_bytes;
    uint64_t get_count; /* ever */
    bool huge_pages;
};

/* The capacity of a large block for `bytes`, which is at most HD_LARGE_MAX_BYTES. */
static inline size_t hd_large_round(size_t bytes)
{
    return hd_round_to_granules(bytes + HD_LARGE_HEADER_BYTES) - HD_LARGE_HEADER_BYTES;
}

static inline size_t hd_large_usable(const void *block)
{
    const struct hd_large *large = hd_span_of(block);
    return large->mapped_bytes - HD_LARGE_HEADER_BYTES;
}

void hd_larges_init(struct hd_larges *larges, struct hd_pages *pages, bool huge_pages);
/* Unmaps everything. */
void hd_larges_fini(struct hd_larges *larges);
/* NULL when budget or system refuse. */
void *hd_larges_get(struct hd_larges *larges, size_t bytes);
void hd_larges_put(struct hd_larges *larges, void *block);
/* Releases about so many bytes of retired ones. True while some are left. */
bool hd_larges_release(struct hd_larges *larges, size_t bytes);
/* From large to large, perhaps elsewhere. NULL: unchanged. What is cut off may be retired. */
void *hd_larges_resize(struct hd_larges *larges, void *block, size_t bytes);
/*
 * All of it has been written: asks for huge pages behind it. Not before, since to
 * touch a huge page for the first time takes the system a good part of a
 * millisecond, and in a virtual machine several.
 */
void hd_larges_populated(const struct hd_larges *larges, struct hd_large *large);
const char *hd_larges_check(const struct hd_larges *larges);

#endif
