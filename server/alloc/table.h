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
 *   holes     1 bit    an entry that was used and is free
 *
 * All are there from the moment an entry is made, so collecting allocates
 * nothing. A location word is
 *
 *     bits  0..3   generation, low part   (payloads are aligned to 16)
 *     bits  4..47  address
 *     bits 48..63  generation, high part
 *
 * and its address is 0 in a free entry. An identity is generation and index
 * together: unique among the living, and not used again soon.
 *
 * Entries are committed to, charged and given back by chunks. Which free entry is
 * used next:
 *
 *   holes    of the lowest chunk that has many, so that higher ones drain; there in
 *            order, round and round, so that an index rests while the others of its
 *            chunk are used. A chunk is left before its last holes are used.
 *   fresh    entries that were never used since their chunk was committed, when no
 *            chunk has many holes.
 *
 * A chunk without a live entry goes back. What it must remember is one number: the
 * generation that is above all that its entries had, with which they begin when it
 * is committed again.
 *
 *     live(c) + holes(c) == fresh(c), of every committed chunk (entry 0 counts as live)
 *     live_count, free_count, committed_count: the sums over the chunks (entry 0 is left out)
 *     length: one beyond the last entry of the last committed chunk that was used
 *     empty_count: committed chunks without a live entry, but the first, which stays
 *     hole(i)  =>  type(i) == HD_TYPE_FREE;  inner(i)  =>  type(i) != HD_TYPE_FREE
 *     arrays of a chunk that is not committed are zero
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

#define HD_TABLE_COLUMNS 7 /* location, meta, state, inner, mark, done, holes */

#define HD_META_TYPE_BITS 6
#define HD_META_ONE (UINT32_C(1) << HD_META_TYPE_BITS)
#define HD_COUNT_SATURATED ((UINT32_C(1) << 26) - 1)

/* Entries are committed to, charged and given back by this many. */
#ifdef HEAPD_TABLE_CHUNK
#define HD_TABLE_CHUNK ((uint32_t)HEAPD_TABLE_CHUNK)
#else
#define HD_TABLE_CHUNK 65536u
#endif
/* Holes that make a chunk worth going to, and those that it is left with: so many uses lie between two of an index. */
#define HD_TABLE_HOLES_MIN (HD_TABLE_CHUNK / 64)
#define HD_TABLE_HOLES_LEFT (HD_TABLE_CHUNK / 256)
#define HD_TABLE_NO_CHUNK UINT32_MAX

struct hd_table_chunk {
    uint32_t live_count;
    uint32_t hole_count;
    uint32_t fresh_count;      /* entries used since it was committed */
    uint32_t next_generation;  /* above every generation that its entries had */
    uint32_t first_generation; /* of an entry that is used for the first time since it was committed */
    bool committed;
};

enum hd_state {
    HD_STATE_GENERATION = 3, /* 0, 1: young; 2: old; 3: frozen */
    HD_STATE_TRACKED = 4,    /* known to the cycle collector */
    HD_STATE_DYING = 8,      /* count is zero, waits to be taken apart */
    HD_STATE_WATCHED = 16,   /* somebody wants to know of changes */
    HD_STATE_CANDIDATE = 32, /* perhaps unreachable (during a young collection) */
    HD_STATE_CONDEMNED = 64, /* found unreachable, being cleared */
    HD_STATE_BARREN = 64,    /* while young ones are collected, of a candidate: refers to no other of them */
    HD_STATE_WEAK = 128,     /* somebody who does not hold it is to be told when it goes */
};

struct hd_table {
    uint64_t *location;
    uint32_t *meta;
    uint8_t *state;
    uint64_t *inner;
    uint64_t *mark;
    uint64_t *done;
    uint64_t *holes;

    uint32_t length;
    uint32_t committed_count; /* charged to the budget */
    uint32_t capacity_count;  /* mapped, in every column */
    size_t mapped_bytes[HD_TABLE_COLUMNS];
    uint32_t free_count; /* holes */
    uint32_t live_count;

    struct hd_table_chunk *chunks; /* mapped for as many as there can be */
    uint32_t chunk_count;          /* that were ever committed */
    uint32_t empty_count;
    uint32_t fresh_chunk; /* whose fresh entries are used; all committed others are used up */
    uint32_t hole_chunk;  /* whose holes are used, or HD_TABLE_NO_CHUNK */
    uint32_t hole_next;   /* where the search for one goes on */
    uint32_t hole_low;    /* no chunk below has HD_TABLE_HOLES_MIN */

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

/* Is there a chunk that hd_table_release would give back? */
bool hd_table_has_spare(const struct hd_table *table);
/* Gives one chunk back to the system, side arrays and all; false if there was none. O(chunks). */
bool hd_table_release(struct hd_table *table);
/* The bytes of one. */
uint64_t hd_table_chunk_bytes(void);

/* Clears the mark and done bits of `count` entries or a few more from `from` on. Returns where to go on. */
uint32_t hd_table_clear_marks(struct hd_table *table, uint32_t from, uint32_t count);
/* For who goes along the table: `index`, or the first of the next chunk that is committed, or the length. */
uint32_t hd_table_skip(const struct hd_table *table, uint32_t index);

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
