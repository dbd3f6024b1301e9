/*
 * Holes of a hash table, and how they are closed a few entries at a time.
 *
 * Entries keep their order, so holes are closed by moving all that follows. That
 * is done where the entries lie, since a second block as large as theirs would not
 * fit where memory is short; only a number for each entry is needed beside. The
 * index is then left for a new one, which gets rid of its deleted slots, and of
 * slots that are too many, by the way.
 */
#include "object/hash_internal.h"

#include <string.h>

static hd_value *key_at(const struct hd_hash_table *table, unsigned stride, uint32_t entry)
{
    return table->entries + (size_t)entry * stride;
}

/* ---- holes ---------------------------------------------------------------- */

static hd_value make_hole(uint32_t forward, uint32_t backward)
{
    uint64_t ahead = forward < HD_HOLE_MAX ? forward : HD_HOLE_MAX;
    uint64_t behind = backward < HD_HOLE_MAX ? backward : HD_HOLE_MAX;
    return behind << 33 | ahead << 3 | HD_HOLE_TAG;
}

/* The entries from first to last are holes; what lies between them says so already. */
static void set_run(struct hd_hash_table *table, unsigned stride, uint32_t first, uint32_t last)
{
    uint32_t length = last - first + 1;
    *key_at(table, stride, first) = make_hole(length, 1);
    *key_at(table, stride, last) = make_hole(1, length);
    if (first == last)
        *key_at(table, stride, first) = make_hole(1, 1);
}

void hd_holes_dig(struct hd_hash_table *table, unsigned stride, uint32_t entry)
{
    hd_value *key = key_at(table, stride, entry);
    uint32_t ahead = 0, behind = 0;
    if (entry + 1 < table->end && hd_is_hole(key[stride]))
        ahead = hd_hole_forward(key[stride]);
    if (entry > 0 && hd_is_hole(*key_at(table, stride, entry - 1)))
        behind = hd_hole_backward(*key_at(table, stride, entry - 1));
    uint32_t first = entry - behind, last = entry + ahead;
    *key = make_hole(ahead + 1, behind + 1);
    if (behind)
        *key_at(table, stride, first) = make_hole(behind + 1 + ahead, 1);
    if (ahead)
        *key_at(table, stride, last) = make_hole(1, behind + 1 + ahead);
    /* Right before the holes that are being closed: one of them. */
    if (hd_closing_moves(table) && first < table->closing->to && last + 1 >= table->closing->to)
        table->closing->to = first;
}

void hd_holes_fill(struct hd_hash_table *table, unsigned stride, uint32_t entry)
{
    hd_value hole = *key_at(table, stride, entry);
    uint32_t ahead = hd_hole_forward(hole) - 1, behind = hd_hole_backward(hole) - 1;
    if (behind)
        set_run(table, stride, entry - behind, entry - 1);
    if (ahead)
        set_run(table, stride, entry + 1, entry + ahead);
}

void hd_holes_trim(struct hd_hash_table *table, unsigned stride)
{
    const struct hd_closing *closing = hd_closing_moves(table) ? table->closing : NULL;
    uint32_t low = closing ? closing->from : 0;
    while (table->end > low && hd_is_hole(*key_at(table, stride, table->end - 1))) {
        uint32_t holes = hd_hole_backward(*key_at(table, stride, table->end - 1));
        table->end -= holes < table->end - low ? holes : table->end - low;
    }
    /* They may have been one run with those that lay at the end. */
    if (closing && table->end == low && closing->to < low)
        set_run(table, stride, closing->to, low - 1);
}

/* ---- closing -------------------------------------------------------------- */

int hd_closing_begin(struct hd_objects *objects, struct hd_hash_table *table, uint32_t more)
{
    assert(table->slots && !table->old_slots && !table->closing);
    struct hd_alloc *alloc = objects->gc->alloc;
    uint64_t length = (uint64_t)table->end + more;
    struct hd_closing *closing = hd_alloc_get(alloc, sizeof *closing + (size_t)length * sizeof(uint32_t));
    if (!closing)
        return HD_ENOMEM;
    uint32_t bits = hd_slots_bits_for((uint64_t)table->count + more);
    /* Not too small at once: the less room there is in the new index, the faster the old one must be left. */
    if (bits + 4 < table->slot_bits)
        bits = table->slot_bits - 4u;
    *closing = (struct hd_closing){.length = (uint32_t)length, .slot_bits = bits};
    closing->slots = hd_slots_new(objects, bits);
    if (!closing->slots) {
        hd_alloc_put(alloc, closing);
        return HD_ENOMEM;
    }
    table->closing = closing;
    return 0;
}

void hd_closing_free(struct hd_objects *objects, struct hd_hash_table *table)
{
    struct hd_closing *closing = table->closing;
    if (!closing)
        return;
    if (closing->slots)
        hd_alloc_put(objects->gc->alloc, closing->slots);
    hd_alloc_put(objects->gc->alloc, closing);
    table->closing = NULL;
}

/* All entries have been moved: from now on they are numbered by where they lie. */
static void renumber(struct hd_hash_table *table)
{
    struct hd_closing *closing = table->closing;
    uint64_t *slots = closing->slots;
    closing->slots = NULL;
    table->end = closing->to;
    hd_slots_replace(table, slots, closing->slot_bits);
}

static void move_entry(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint32_t from,
                       uint32_t to)
{
    hd_value *source = key_at(table, stride, from);
    hd_gc_shade_words(objects->gc, source, stride);
    memcpy(key_at(table, stride, to), source, stride * sizeof *source);
    source[0] = make_hole(1, 1);
    if (stride == 2)
        source[1] = HD_ABSENT;
}

void hd_closing_step(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint64_t count)
{
    struct hd_closing *closing = table->closing;
    for (; count && closing->from < table->end; count--) {
        hd_value key = *key_at(table, stride, closing->from);
        if (hd_is_hole(key)) {
            uint32_t holes = hd_hole_forward(key);
            closing->from += holes < table->end - closing->from ? holes : table->end - closing->from;
            continue;
        }
        if (closing->to != closing->from)
            move_entry(objects, table, stride, closing->from, closing->to);
        closing->position[closing->from++] = closing->to++;
    }
    if (closing->from == table->end)
        renumber(table);
    else if (closing->to != closing->from)
        set_run(table, stride, closing->to, closing->from - 1);
}

void hd_closing_unindexed(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride)
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < table->end; from++) {
        if (hd_is_hole(*key_at(table, stride, from)))
            continue;
        if (to != from)
            move_entry(objects, table, stride, from, to);
        to++;
    }
    table->end = to;
}
