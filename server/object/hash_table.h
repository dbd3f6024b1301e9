/*
 * The ordered hash table inside dicts and sets; its fields are in payload.h.
 *
 * Costs: O(1), and no single insertion or deletion does more than a bounded part
 * of what a large table needs now and then: growth and shrinking of its index,
 * and closing the holes that deletions left, are spread over the insertions and
 * deletions that follow. Entries whose room grows or shrinks are remapped once
 * they are many.
 *
 * A position is the number of an entry, for walks over the table. It holds until
 * the next insertion or deletion, which may move entries that lie behind holes
 * towards the front. Their order stays.
 *
 * `owner` is the object whose payload the table is; its block must not move
 * during a call, which only compaction at a safe point could do.
 */
#ifndef HEAPD_OBJECT_HASH_TABLE_H
#define HEAPD_OBJECT_HASH_TABLE_H

#include "object/object.h"
#include "object/payload.h"

#define HD_TABLE_UNINDEXED 8
#define HD_ENTRY_NONE UINT32_MAX

/* Words per entry. */
static inline unsigned hd_stride_of(enum hd_type type)
{
    return type == HD_TYPE_DICT ? 2 : 1;
}

/* The key's entry, or HD_ENTRY_NONE. Errors of hd_key_hash and hd_key_equal. */
int hd_hash_table_find(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride,
                       struct hd_key *key, uint32_t *out) HD_MUST_USE;
/*
 * Makes room for `more` entries to come: until a deletion, adding that many cannot
 * fail. HD_ENOMEM, HD_ETOO_LARGE.
 */
int hd_hash_table_reserve(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t more) HD_MUST_USE;
/*
 * Adds an entry for a key that is not there: key_value (steal, only on success)
 * and, with stride 2, value (likewise).
 */
int hd_hash_table_add(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                      hd_value key_value, hd_value value) HD_MUST_USE;
/* Takes an entry out; the caller owns what it held. `key` is the entry's, hashed. */
void hd_hash_table_take(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                        uint32_t entry, hd_value *key_out, hd_value *value_out);
/* Entries whose keys may have a hash, one after the other; zeroed but for the hash to begin. */
struct hd_candidates {
    uint32_t hash;
    bool begun;
    bool old;    /* in the index that is being left */
    uint64_t at; /* the next slot or entry to look at */
};
/* The next one, or HD_ENTRY_NONE. The table must not change in between. */
uint32_t hd_hash_table_candidate(const struct hd_hash_table *table, unsigned stride, struct hd_candidates *candidates);
/*
 * For undo.c, while a log is open, in reverse order of the changes: the last entry is taken out as if it had never been
 * added; an entry that was taken out goes back to its place (steals key_value and value). They cannot fail.
 */
void hd_hash_table_take_back(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t hash,
                             hd_value *key_out, hd_value *value_out);
void hd_hash_table_put_back(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t hash, uint32_t entry,
                            hd_value key_value, hd_value value);
/* Before the first change under a log: no entry moves from now on, until the log is closed. */
void hd_hash_table_hold(struct hd_objects *objects, hd_value owner, unsigned stride);
/* What a deletion under a log put off. */
void hd_hash_table_tidy(struct hd_objects *objects, hd_value owner, unsigned stride);
/* The first entry from a position on, or HD_ENTRY_NONE. */
uint32_t hd_hash_table_next(const struct hd_hash_table *table, unsigned stride, uint32_t position);
/* The last entry before a position, or HD_ENTRY_NONE. */
uint32_t hd_hash_table_previous(const struct hd_hash_table *table, unsigned stride, uint32_t position);
/* The entry whose key is this very word and has this hash; it is there. */
uint32_t hd_hash_table_locate(const struct hd_hash_table *table, unsigned stride, uint32_t hash, hd_value key);
/* The entry that was added last of those that are there, or HD_ENTRY_NONE. */
uint32_t hd_hash_table_last(const struct hd_hash_table *table, unsigned stride);
/* Moves those of its blocks that are leaving their arenas. HD_ENOMEM. */
int hd_hash_table_relocate(struct hd_objects *objects, struct hd_hash_table *table) HD_MUST_USE;
/* Frees entries and index; the references in them are the caller's affair. */
void hd_hash_table_dispose(struct hd_objects *objects, struct hd_hash_table *table);
size_t hd_hash_table_bytes(const struct hd_hash_table *table);
/* NULL or a broken invariant. */
const char *hd_hash_table_check(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride);

#endif
