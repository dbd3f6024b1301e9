#include "alloc/large.h"

#include <assert.h>

#include "alloc/poison.h"

#define HD_HUGE_PAGE_BYTES ((size_t)2 << 20)
/* Up to this, unmapping at once disturbs nobody. */
#define HD_RETIRE_MIN_BYTES ((size_t)1 << 20)

void hd_larges_init(struct hd_larges *larges, struct hd_pages *pages, bool huge_pages)
{
    *larges = (struct hd_larges){.pages = pages, .huge_pages = huge_pages};
}

void hd_larges_fini(struct hd_larges *larges)
{
    while (larges->first)
        hd_larges_put(larges, (uint8_t *)larges->first + HD_LARGE_HEADER_BYTES);
    while (hd_larges_release(larges, SIZE_MAX))
        ;
}

/*
 * Where huge pages lie behind a mapping, it moves by whole ones only if it begins
 * at a multiple of one, before and after; otherwise they are split first, for
 * milliseconds.
 */
static size_t align_bytes(const struct hd_larges *larges)
{
    return larges->huge_pages && HD_ARENA_BYTES < HD_HUGE_PAGE_BYTES ? HD_HUGE_PAGE_BYTES : HD_ARENA_BYTES;
}

void hd_larges_populated(const struct hd_larges *larges, struct hd_large *large)
{
    /* All of it or nothing: the system would not resize a mapping of which a part has huge pages. */
    if (larges->huge_pages && large->mapped_bytes >= HD_HUGE_PAGE_BYTES)
        larges->pages->os->advise_huge(larges->pages->os->context, large, large->mapped_bytes);
}

/* Points the neighbours at where the header lies now. */
static void relink(struct hd_larges *larges, struct hd_large *large)
{
    if (large->next)
        large->next->prev = large;
    if (large->prev)
        large->prev->next = large;
    else
        larges->first = large;
}

void *hd_larges_get(struct hd_larges *larges, size_t bytes)
{
    size_t mapped_bytes = hd_large_round(bytes) + HD_LARGE_HEADER_BYTES;
    struct hd_large *large = hd_pages_map(larges->pages, mapped_bytes, align_bytes(larges));
    if (!large)
        return NULL;
    *large = (struct hd_large){
        .kind = HD_SPAN_LARGE,
        .owner = larges,
        .next = larges->first,
        .mapped_bytes = mapped_bytes,
    };
    relink(larges, large);
    larges->count++;
    larges->get_count++;
    larges->mapped_bytes += mapped_bytes;
    return (uint8_t *)large + HD_LARGE_HEADER_BYTES;
}

/* `large` may be the tail of another one: whole pages. */
static void retire(struct hd_larges *larges, struct hd_large *large, size_t bytes)
{
    *large =
        (struct hd_large){.kind = HD_SPAN_RETIRED, .owner = larges, .next = larges->retired, .mapped_bytes = bytes};
    larges->retired = large;
    larges->retired_bytes += bytes;
    hd_poison(large + 1, bytes - sizeof *large);
}

void hd_larges_put(struct hd_larges *larges, void *block)
{
    struct hd_large *large = hd_span_of(block);
    assert(large->kind == HD_SPAN_LARGE && large->owner == larges);
    if (large->next)
        large->next->prev = large->prev;
    if (large->prev)
        large->prev->next = large->next;
    else
        larges->first = large->next;
    larges->count--;
    larges->mapped_bytes -= large->mapped_bytes;
    if (large->mapped_bytes <= HD_RETIRE_MIN_BYTES)
        hd_pages_unmap(larges->pages, large, large->mapped_bytes);
    else
        retire(larges, large, large->mapped_bytes);
}

bool hd_larges_release(struct hd_larges *larges, size_t bytes)
{
    struct hd_large *large = larges->retired;
    if (!large)
        return false;
    /* Half a huge page would first have to be split. */
    size_t unit_bytes = larges->huge_pages ? HD_HUGE_PAGE_BYTES : HD_GRANULE_BYTES;
    size_t whole_bytes = bytes < unit_bytes ? unit_bytes : bytes / unit_bytes * unit_bytes;
    if (large->mapped_bytes > whole_bytes) {
        size_t left_bytes = (large->mapped_bytes - whole_bytes + unit_bytes - 1) / unit_bytes * unit_bytes;
        size_t old_bytes = large->mapped_bytes;
        hd_unpoison((uint8_t *)large + left_bytes, old_bytes - left_bytes);
        if (left_bytes < old_bytes && hd_pages_remap(larges->pages, large, old_bytes, left_bytes, HD_ARENA_BYTES)) {
            large->mapped_bytes = left_bytes;
            larges->retired_bytes -= old_bytes - left_bytes;
            return true;
        }
    }
    larges->retired = large->next;
    larges->retired_bytes -= large->mapped_bytes;
    hd_pages_unmap(larges->pages, large, large->mapped_bytes);
    return larges->retired != NULL;
}

void *hd_larges_resize(struct hd_larges *larges, void *block, size_t bytes)
{
    struct hd_large *large = hd_span_of(block);
    assert(large->kind == HD_SPAN_LARGE && large->owner == larges);
    size_t old_bytes = large->mapped_bytes;
    size_t new_bytes = hd_large_round(bytes) + HD_LARGE_HEADER_BYTES;
    if (new_bytes == old_bytes)
        return block;
    if (new_bytes < old_bytes && old_bytes - new_bytes > HD_RETIRE_MIN_BYTES) {
        retire(larges, (struct hd_large *)(void *)((uint8_t *)large + new_bytes), old_bytes - new_bytes);
        large->mapped_bytes = new_bytes;
        larges->mapped_bytes -= old_bytes - new_bytes;
        return block;
    }
    large = hd_pages_remap(larges->pages, large, old_bytes, new_bytes, align_bytes(larges));
    if (!large)
        return NULL;
    large->mapped_bytes = new_bytes;
    relink(larges, large);
    larges->mapped_bytes += new_bytes;
    larges->mapped_bytes -= old_bytes;
    return (uint8_t *)large + HD_LARGE_HEADER_BYTES;
}

const char *hd_larges_check(const struct hd_larges *larges)
{
    uint64_t count = 0;
    uint64_t mapped_bytes = 0;
    const struct hd_large *prev = NULL;
    for (const struct hd_large *large = larges->first; large; prev = large, large = large->next) {
        if (hd_span_offset(large) != 0 || large->kind != HD_SPAN_LARGE || large->owner != larges)
            return "large: header";
        if (large->prev != prev)
            return "large: list";
        if (large->mapped_bytes % HD_GRANULE_BYTES != 0 || large->mapped_bytes < HD_LARGE_MIN_BYTES)
            return "large: mapped_bytes";
        count++;
        mapped_bytes += large->mapped_bytes;
    }
    uint64_t retired_bytes = 0;
    for (const struct hd_large *large = larges->retired; large; large = large->next) {
        if ((uintptr_t)large % HD_GRANULE_BYTES != 0 || large->kind != HD_SPAN_RETIRED || large->owner != larges)
            return "retired: header";
        if (large->mapped_bytes == 0 || large->mapped_bytes % HD_GRANULE_BYTES != 0 ||
            large->mapped_bytes > larges->retired_bytes - retired_bytes)
            return "retired: mapped_bytes";
        retired_bytes += large->mapped_bytes;
    }
    if (retired_bytes != larges->retired_bytes)
        return "larges: retired_bytes";
    if (count != larges->count)
        return "larges: count";
    return mapped_bytes == larges->mapped_bytes ? NULL : "larges: mapped_bytes";
}
