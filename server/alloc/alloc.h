/*
 * Memory for objects: arenas, pools, blocks, and large objects.
 *
 *   arena    HD_ARENA_BYTES, mapped and aligned as one; a header, then granules
 *            of 4 KiB of which pools and runs are made. The fullest arenas are
 *            used first, so that others drain; an empty one goes back to the
 *            system, but for a small reserve.
 *   pool     HD_POOL_BYTES of one size class, less for the smallest: used (some
 *            blocks free), full or empty. Which blocks are free is a bit for each in
 *            the arena's header, the lowest being handed out first, so that a block
 *            is not touched before it is needed, nor when it is given back.
 *   block    of a size class: every 16 bytes up to 512, then eight classes for
 *            each doubling (at most 12.5% waste) up to HD_MEDIUM_MAX_BYTES, cut
 *            from pools of several granules; runs of whole granules below
 *            HD_LARGE_MIN_BYTES.
 *   large    from HD_LARGE_MIN_BYTES on, mapped by itself, resized by remapping.
 *
 * Arenas and large objects begin with the same kind of header at a multiple of
 * HD_ARENA_BYTES, so an address alone tells what it belongs to.
 *
 * Mapped bytes are charged to the budget before they are asked of the system.
 * Single-threaded; no function recurses; costs are O(1) except where said.
 */
#ifndef HEAPD_ALLOC_ALLOC_H
#define HEAPD_ALLOC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "alloc/account.h"
#include "common/error.h"
#include "os/os.h"

#ifdef HEAPD_ARENA_KIB
#define HD_ARENA_BYTES ((size_t)HEAPD_ARENA_KIB << 10)
#else
#define HD_ARENA_BYTES \
    ((size_t)1 << 20) /* 1 MiB; the build option HEAPD_ARENA_KIB makes it 256 or, for tests, 64 KiB */
#endif
#ifdef HEAPD_POOL_KIB
#define HD_POOL_BYTES ((size_t)HEAPD_POOL_KIB << 10)
#else
#define HD_POOL_BYTES ((size_t)16 << 10) /* HEAPD_POOL_KIB: 16 or 4 */
#endif
#define HD_SMALL_MAX_BYTES 512

struct hd_alloc;

struct hd_alloc_config {
    size_t reserve_arena_count; /* empty arenas to keep; 2 is usual */
    size_t preallocate_bytes;   /* in arenas mapped at once and never given back */
    bool huge_pages; /* asked for behind arenas, mapped in pairs then, and large objects: hd_alloc_populated */
    bool (*fault)(void *context); /* tests: true makes an allocation fail; NULL otherwise */
    void *fault_context;
};

struct hd_alloc_stats {
    uint64_t live_bytes; /* of blocks handed out, rounded to their class */
    uint64_t live_count;
    uint64_t arena_live_bytes; /* of these, in arenas */
    uint64_t mapped_bytes;     /* arenas and large objects, retired ones too */
    uint64_t arena_count;
    uint64_t arena_free_count; /* of these, wholly empty: the reserve, and those that wait to be unmapped */
    uint64_t pool_used_count;  /* with room, those kept empty for their class's next block too */
    uint64_t pool_full_count;  /* runs too */
    uint64_t pool_empty_count; /* granules of arenas that belong to no pool, in pools */
    uint64_t large_count;
    uint64_t large_bytes;
    uint64_t retired_bytes; /* of large objects that were given back and wait to be unmapped; among mapped_bytes */
    uint64_t arenas_mapped_count;   /* ever */
    uint64_t arenas_released_count; /* ever */
    uint64_t allocations_count;     /* ever */
};

/* One row for each size class: what the pools of it hold. The last row is that of runs. */
struct hd_alloc_class_stats {
    uint32_t block_bytes; /* 0: runs, of any number of granules */
    uint32_t blocks_per_pool;
    uint64_t pool_used_count;
    uint64_t pool_full_count;
    uint64_t live_count;
};

/*
 * os, budget and allocator are borrowed until free; what it needs beside the arenas
 * comes from the allocator. HD_ENOMEM: also when preallocate_bytes do not fit.
 * HD_ESYSTEM: the system's pages are larger than a granule.
 */
int hd_alloc_new(const struct hd_os *os, struct hd_budget *budget, const struct hd_allocator *allocator,
                 const struct hd_alloc_config *config, struct hd_alloc **out) HD_MUST_USE;
/* Unmaps everything, live blocks included. Takes NULL. */
void hd_alloc_free(struct hd_alloc *alloc);

/*
 * The capacity that a request of `bytes` gets: pure, monotonic, >= bytes. bytes >= 1.
 * SIZE_MAX for more than any system can give.
 */
size_t hd_alloc_round(size_t bytes);

/*
 * A block of at least `bytes` (>= 1), aligned to 16, contents undefined. NULL
 * when budget or system refuse; nothing has changed then. What waits to be
 * unmapped is, up to some MiB, unmapped first; beyond that it is for
 * hd_alloc_release or hd_alloc_trim to make room, and to ask again.
 */
void *hd_alloc_get(struct hd_alloc *alloc, size_t bytes);
/* Gives a block back. */
void hd_alloc_put(struct hd_alloc *alloc, void *block);
/*
 * Resizes, perhaps elsewhere; the contents up to the smaller size are kept. For
 * large objects the cost does not depend on their size. NULL: unchanged.
 */
void *hd_alloc_resize(struct hd_alloc *alloc, void *block, size_t bytes);
/* The capacity of a block, as hd_alloc_round of what it was asked for. */
size_t hd_alloc_usable(const void *block);
bool hd_alloc_is_large(const void *block);
/* All of the block has been written, and it will not grow: huge pages behind it do no harm now. */
void hd_alloc_populated(struct hd_alloc *alloc, void *block);

/*
 * Emptying arenas, so that they can go back to the system. A round is begun and
 * chooses in slices; then whoever knows where the pointers to blocks are moves
 * each block that is leaving (hd_alloc_move); arenas go back as their last block
 * leaves. hd_alloc_evacuate_end puts those that did not empty among the others
 * again. With each degree of caution half as much is chosen, for when there was
 * no memory to move all into.
 */
void hd_alloc_evacuate_begin(struct hd_alloc *alloc, unsigned caution);
/* Looks at up to arena_count arenas more. True while there are more to look at. */
bool hd_alloc_evacuate_choose(struct hd_alloc *alloc, unsigned arena_count);
/* Bytes of live blocks in the arenas that were chosen. */
uint64_t hd_alloc_evacuate_bytes(const struct hd_alloc *alloc);
/* Gives up on up to arena_count arenas. True while there are more. */
bool hd_alloc_evacuate_end(struct hd_alloc *alloc, unsigned arena_count);
/* Is the block in an arena that is being emptied? */
bool hd_alloc_is_leaving(const void *block);
/* Fetches what that question needs. Any pointer will do. */
static inline void hd_alloc_prefetch_leaving(const void *block)
{
    __builtin_prefetch((const void *)((uintptr_t)block & ~(uintptr_t)(HD_ARENA_BYTES - 1)));
}
/* A block of the same size and contents elsewhere; the old one is given back. NULL: unchanged. */
void *hd_alloc_move(struct hd_alloc *alloc, void *block);
/* What hd_alloc_move has done and led to, ever: the work that it was. */
struct hd_alloc_moved {
    uint64_t block_count;
    uint64_t bytes;
    uint64_t arena_count; /* given back to the system, by whatever */
};
/* O(1). */
void hd_alloc_moved(const struct hd_alloc *alloc, struct hd_alloc_moved *out);

/*
 * Unmaps about so many bytes of large objects that were given back, or of arenas that are empty and not needed for the
 * reserve; small amounts add up to an arena. True while some are left.
 */
bool hd_alloc_release(struct hd_alloc *alloc, size_t bytes);
bool hd_alloc_has_retired(const struct hd_alloc *alloc);

/* Gives all empty arenas back, the reserve too, but not what was preallocated. Returns the bytes. O(empty arenas). */
size_t hd_alloc_trim(struct hd_alloc *alloc);

/* O(size classes). */
void hd_alloc_stats(const struct hd_alloc *alloc, struct hd_alloc_stats *out);
/* Number of size classes; `out` (may be NULL) takes that many rows. */
size_t hd_alloc_class_stats(const struct hd_alloc *alloc, struct hd_alloc_class_stats *out);

/* As hd_alloc_get, all zero. Large blocks come zeroed from the system, untouched. */
static inline void *hd_alloc_get_zeroed(struct hd_alloc *alloc, size_t bytes)
{
    void *block = hd_alloc_get(alloc, bytes);
    if (block && !hd_alloc_is_large(block))
        memset(block, 0, bytes);
    return block;
}

/*
 * Checks every invariant of every arena, pool and list; O(heap). Returns NULL if
 * all hold, else the name of one that does not.
 */
const char *hd_alloc_check(const struct hd_alloc *alloc);

#endif
