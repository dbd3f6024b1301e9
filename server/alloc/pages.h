/*
 * Mapped memory that is paid for: charged to the budget before the system is
 * asked, so that a limit is never passed, not even for a moment.
 *
 *     pages->mapped_bytes == arenas * HD_ARENA_BYTES + sum of the large objects' mappings
 */
#ifndef HEAPD_ALLOC_PAGES_H
#define HEAPD_ALLOC_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/account.h"
#include "os/os.h"

struct hd_pages {
    const struct hd_os *os;   /* borrow */
    struct hd_budget *budget; /* borrow */
    uint64_t mapped_bytes;
};

/* Zeroed, aligned pages, or NULL when budget or system refuse. */
void *hd_pages_map(struct hd_pages *pages, size_t bytes, size_t align_bytes);
void hd_pages_unmap(struct hd_pages *pages, void *pointer, size_t bytes);
/* As hd_os.remap, charged. NULL: unchanged. */
void *hd_pages_remap(struct hd_pages *pages, void *pointer, size_t old_bytes, size_t new_bytes, size_t align_bytes);

#endif
