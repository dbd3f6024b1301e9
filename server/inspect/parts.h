/*
 * What a snapshot does with large containers: they are read in parts, in any order, so that one that is about to change
 * is not read in one go. Part of the snapshot; nobody else calls these.
 */
#ifndef HEAPD_INSPECT_PARTS_H
#define HEAPD_INSPECT_PARTS_H

#include "inspect/snapshot.h"

/* In snapshot.c. Makes the node of an object whose edges are these, as the object is now, and marks it as read. */
void hd_snapshot_fill(struct hd_snapshot *snapshot, uint32_t index, uint32_t first, uint32_t count);

static inline void hd_snapshot_refs(const struct hd_snapshot *s, uint32_t index, struct hd_refs *refs)
{
    const struct hd_table *table = &s->heap->table;
    refs->span_count = 0;
    refs->hidden = 0;
    s->heap->gc.types[hd_table_type(table, index)]->traverse(&s->heap->gc, hd_table_payload(table, index), refs);
}

/* Entries that were made since then are of no concern. */
static inline bool hd_snapshot_is_edge(const struct hd_snapshot *s, hd_value word)
{
    return hd_value_is_ref(word) && hd_value_index(word) < s->length;
}

/* NULL: it is not being read. Valid until a part is done. */
struct hd_snapshot_part *hd_parts_find(struct hd_snapshot *snapshot, uint32_t index);
/*
 * Begins; nothing is read. NULL: there is no room for a place for each of its words, or too many are being read. Places
 * are more than edges, so a snapshot that begins anew for want of room does without.
 */
struct hd_snapshot_part *hd_parts_begin(struct hd_snapshot *snapshot, uint32_t index);
/*
 * Reads what lies around a word that is about to change; nothing, if it is NULL, which says that one is put behind the
 * last. False: it is none of the container's, and nothing is read.
 */
bool hd_parts_read_around(struct hd_snapshot *snapshot, const struct hd_snapshot_part *part, const hd_value *word);
/* Reads what was not read yet, for about `units`. Returns the work done. */
uint64_t hd_parts_read(struct hd_snapshot *snapshot, struct hd_snapshot_part *part, uint64_t units);
/* Reads, or moves edges together, and lets go of the part when it is done. Returns the work done. */
uint64_t hd_parts_step(struct hd_snapshot *snapshot, struct hd_snapshot_part *part, uint64_t units);

#endif
