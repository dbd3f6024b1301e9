/*
 * The object table: what a reference's index means.
 *
 * Split into arrays, so that each pass over the heap reads only what it needs:
 *
 *   location  8 bytes  where the payload lies, and the entry's generation
 *   meta      4 bytes  type (low 6 bits) and reference count (high 26 bits)
 *   state     1 byte   the collector's bits
 *   inner     1 bit    a live object that can hold references
 *   mark      1 bit    reached by the full collection under way
 *   done      1 bit    and its own references followed
 *
 * All are there from the moment an entry is made, so collecting allocates
 * nothing. A location word is
 *
 *     bits  0..3   generation, low part   (payloads are aligned to 16)
 *     bits  4..47  address
 *     bits 48..63  generation, high part
 *
 * and, in a free entry, the address field is the index of the next free one.
 * An identity is generation and index together: unique among the living, and an
 * index waits in a queue behind all other free ones before it is used again.
 *
 *     live_count + free_count == length - 1      (entry 0 is never used)
 *     length <= committed_count <= capacity_count
 *     type(i) == HD_TYPE_FREE  <=>  i is in the free queue
 *     inner(i)  =>  type(i) != HD_TYPE_FREE
 */
#ifndef HEAPD_ALLOC_TABLE_H
#define HEAPD_ALLOC_TABLE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/account.h"
#include "alloc/value.h"
#include "common/error.h"
#include "os/os.h"

#define HD_TYPE_FREE 0
#define HD_TYPE_COUNT 64

#define HD_TABLE_COLUMNS 6 /* location, meta, state, inner, mark, done */

#define HD_META_TYPE_BITS 6
#define HD_META_ONE (UINT32_C(1) << HD_META_TYPE_BITS)
#define HD_COUNT_SATURATED ((UINT32_C(1) << 26) - 1)

/* Entries are committed to, charged and given back by this many. */
#ifndef HD_TABLE_CHUNK
#define HD_TABLE_CHUNK 65536u
#endif

enum hd_state {
    HD_STATE_GENERATION = 3, /* 0, 1: young; 2: old; 3: frozen */
    HD_STATE_TRACKED = 4,    /* known to the cycle collector */
    HD_STATE_DYING = 8,      /* count is zero, waits to be taken apart */
    HD_STATE_WATCHED = 16,   /* somebody wants to know of changes */
    HD_STATE_CANDIDATE = 32, /* perhaps unreachable (during a young collection) */
    HD_STATE_CONDEMNED = 64, /* found unreachable, being cleared */
};

struct hd_table {
    uint64_t *location;
    uint32_t *meta;
    uint8_t *state;
    uint64_t *inner;
    uint64_t *mark;
    uint64_t *done;

    uint32_t length;          /* entries ever used, the unused entry 0 included */
    uint32_t committed_count; /* charged to the budget */
    uint32_t capacity_count;  /* mapped, in every column */
    size_t mapped_bytes[HD_TABLE_COLUMNS];
    uint32_t free_head; /* 0: none */
    uint32_t free_tail;
    uint32_t free_count;
    uint32_t live_count;

    bool huge_pages;
    const struct hd_os *os;   /* borrow */
    struct hd_budget *budget; /* borrow */
};

/* HD_ENOMEM. */
int hd_table_init(struct hd_table *table, const struct hd_os *os, struct hd_budget *budget,
                  bool huge_pages) HD_MUST_USE;
void hd_table_fini(struct hd_table *table);

/*
 * Takes an entry for a payload, with a count of one, state 0, no bits. HD_ENOMEM:
 * nothing has changed.
 */
int hd_table_add(struct hd_table *table, unsigned type, void *payload, bool inner, uint32_t *out) HD_MUST_USE;
/* Frees an entry; its generation is raised. The payload is the caller's affair. */
void hd_table_remove(struct hd_table *table, uint32_t index);

/* Bytes of the arrays that are charged. */
uint64_t hd_table_bytes(const struct hd_table *table);
/* NULL, or the name of an invariant that does not hold. O(length). */
const char *hd_table_check(const struct hd_table *table);

#define HD_LOCATION_ADDRESS UINT64_C(0x0000fffffffffff0)

static inline void *hd_table_payload(const struct hd_table *table, uint32_t index)
{
    return (void *)(uintptr_t)(table->location[index] & HD_LOCATION_ADDRESS);
}

static inline void hd_table_set_payload(struct hd_table *table, uint32_t index, void *payload)
{
    uint64_t word = table->location[index];
    table->location[index] = (word & ~HD_LOCATION_ADDRESS) | (uint64_t)(uintptr_t)payload;
}

static inline uint32_t hd_table_generation(const struct hd_table *table, uint32_t index)
{
    uint64_t word = table->location[index];
    return (uint32_t)(word >> 48 << 4 | (word & 15));
}

static inline uint64_t hd_table_identity(const struct hd_table *table, uint32_t index)
{
    return (uint64_t)hd_table_generation(table, index) << 32 | index;
}

static inline unsigned hd_table_type(const struct hd_table *table, uint32_t index)
{
    return table->meta[index] & (HD_META_ONE - 1);
}

static inline uint32_t hd_table_count(const struct hd_table *table, uint32_t index)
{
    return table->meta[index] >> HD_META_TYPE_BITS;
}

static inline bool hd_table_bit(const uint64_t *bitmap, uint32_t index)
{
    return bitmap[index >> 6] >> (index & 63) & 1;
}

static inline void hd_table_bit_set(uint64_t *bitmap, uint32_t index)
{
    bitmap[index >> 6] |= UINT64_C(1) << (index & 63);
}

static inline void hd_table_bit_clear(uint64_t *bitmap, uint32_t index)
{
    bitmap[index >> 6] &= ~(UINT64_C(1) << (index & 63));
}

/* The live object of that identity, or 0. */
static inline uint32_t hd_table_find(const struct hd_table *table, uint64_t identity)
{
    uint32_t index = (uint32_t)identity;
    if (index == 0 || index >= table->length || hd_table_type(table, index) == HD_TYPE_FREE)
        return 0;
    return hd_table_identity(table, index) == identity ? index : 0;
}

#endif
