/*
 * The parts of the hash table, for its own files.
 *
 *     hash_table.c    entries: adding, taking out, room
 *     hash_slots.c    the index over them
 *     hash_closing.c  holes, and how they are closed
 */
#ifndef HEAPD_OBJECT_HASH_INTERNAL_H
#define HEAPD_OBJECT_HASH_INTERNAL_H

#include "object/hash_table.h"

/* Up to so many entries, what is spread over many calls otherwise is done in one. */
#define HD_TABLE_AT_ONCE 1024
/* Entries or slots that one insertion or deletion moves, unless it must be more. */
#define HD_TABLE_STEP 32

/* ---- holes ---------------------------------------------------------------- */

/*
 * What stands for the key in a deleted entry: no value of any kind. It tells how
 * many holes lie from here on, and how many up to here, itself included, so that
 * a walk in either direction passes any number of them in a step or few.
 *
 *     bits 0..2 HD_HOLE_TAG   bits 3..32 forward   bits 33..62 backward
 *
 * The first of a run tells its length forward, the last backward. Within a run
 * the numbers may be too small, and of holes that are being closed also too large,
 * but never lead out of the run.
 */
#define HD_HOLE_TAG 7
#define HD_HOLE_MAX ((UINT32_C(1) << 30) - 1)

static inline bool hd_is_hole(hd_value key)
{
    return (key & 7) == HD_HOLE_TAG;
}

static inline uint32_t hd_hole_forward(hd_value hole)
{
    return (uint32_t)(hole >> 3) & HD_HOLE_MAX;
}

static inline uint32_t hd_hole_backward(hd_value hole)
{
    return (uint32_t)(hole >> 33) & HD_HOLE_MAX;
}

/* The entry becomes a hole; what it held was taken out before. */
void hd_holes_dig(struct hd_hash_table *table, unsigned stride, uint32_t entry);
/* The opposite, with nothing dug or filled meanwhile: what stood beside the entry is as it was. */
void hd_holes_fill(struct hd_hash_table *table, unsigned stride, uint32_t entry);
/* Gives up the holes at the end. */
void hd_holes_trim(struct hd_hash_table *table, unsigned stride);

/* ---- closing holes -------------------------------------------------------- */

/*
 * Holes are closed in two stretches. First the entries are moved to the front:
 *
 *     [0, to)      entries that were looked at: no holes but those dug since
 *     [to, from)   holes
 *     [from, end)  not looked at; new entries come behind
 *
 * Meanwhile the numbers in the index are those of before, and `position` tells
 * where an entry below `from` has gone. When `from` meets `end`, that becomes `to`,
 * and the index to come is put in place, with new numbers in it; the old one is
 * left step by step as when it grows, and the numbers in it are translated.
 *
 *     to <= from <= end <= length; to is 0 or entry to - 1 is no hole
 *     while slots != NULL: old_slots == NULL of the table
 */
struct hd_closing {
    uint32_t from;
    uint32_t to;
    uint32_t length;     /* of position */
    uint32_t slot_bits;  /* of slots */
    uint64_t *slots;     /* own: the index to come, empty; NULL once it is in place */
    uint32_t position[]; /* by the number that an entry had */
};

/* Are entries being moved? */
static inline bool hd_closing_moves(const struct hd_hash_table *table)
{
    return table->closing && table->closing->slots;
}

/*
 * Begins; all that it takes is got now. `more` entries may come before the holes
 * are closed. There is an index, no old one, and nothing is being closed. HD_ENOMEM.
 */
int hd_closing_begin(struct hd_objects *objects, struct hd_hash_table *table, uint32_t more) HD_MUST_USE;
/* Looks at `count` entries more, while they are being moved. */
void hd_closing_step(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint64_t count);
void hd_closing_free(struct hd_objects *objects, struct hd_hash_table *table);
/* Closes the holes of a table that has no index. */
void hd_closing_unindexed(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride);

/* ---- the index ------------------------------------------------------------ */

#define HD_SLOT_DELETED UINT64_C(0xffffffff)

static inline uint64_t hd_slot_count(uint32_t bits)
{
    return UINT64_C(1) << bits;
}

static inline uint64_t hd_slot_limit(uint32_t bits)
{
    return hd_slot_count(bits) / 4 * 3;
}

/* log2 of the slots for so many entries: they fill two thirds at most. */
uint32_t hd_slots_bits_for(uint64_t entries);
/* An empty index. NULL. */
uint64_t *hd_slots_new(struct hd_objects *objects, uint32_t bits);
/* The first index of a table that had none, for so many entries. Errors of hd_key_hash. */
int hd_slots_build(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride,
                   uint64_t entries) HD_MUST_USE;
/* Puts an empty index (steal) in place; the old one is left step by step. No index is being left. */
void hd_slots_replace(struct hd_hash_table *table, uint64_t *slots, uint32_t bits);
/* Moves up to `count` slots out of the index that is being left. */
void hd_slots_migrate(struct hd_objects *objects, struct hd_hash_table *table, uint64_t count);
int hd_slots_find(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride,
                  const struct hd_key *key, uint32_t *out) HD_MUST_USE;
void hd_slots_put(struct hd_hash_table *table, uint32_t hash, uint32_t entry);
/* Of an entry that is there. */
void hd_slots_take(struct hd_hash_table *table, uint32_t hash, uint32_t entry);
/* NULL or a broken invariant of the slots. */
const char *hd_slots_check(const struct hd_hash_table *table);

#endif
