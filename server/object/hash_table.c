/* Entries of a hash table: looking, adding, taking out, and the room that they have. */
#include "object/hash_table.h"

#include <string.h>

#include "object/hash_internal.h"
#include "object/undo.h"

/* ---- looking -------------------------------------------------------------- */

/* A few entries are looked through: equal words first, which is all that shared keys need. */
static int look_through(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride,
                        const struct hd_key *key, uint32_t *out)
{
    if (key->value != HD_ABSENT) {
        for (uint32_t i = 0; i < table->end; i++) {
            if (table->entries[i * stride] == key->value) {
                *out = i;
                return 0;
            }
        }
    }
    for (uint32_t i = 0; i < table->end; i++) {
        hd_value candidate = table->entries[i * stride];
        if (hd_is_hole(candidate))
            continue;
        bool equal;
        int error = hd_key_equal(objects, key, candidate, &equal);
        if (error)
            return error;
        if (equal) {
            *out = i;
            return 0;
        }
    }
    *out = HD_ENTRY_NONE;
    return 0;
}

int hd_hash_table_find(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride,
                       struct hd_key *key, uint32_t *out)
{
    /* Hashed even where the hash is not needed: a list is no key of a small dict either. */
    int error = hd_key_hash(objects, key);
    if (error)
        return error;
    if (!table->slots)
        return look_through(objects, table, stride, key, out);
    return hd_slots_find(objects, table, stride, key, out);
}

uint32_t hd_hash_table_next(const struct hd_hash_table *table, unsigned stride, uint32_t position)
{
    while (position < table->end) {
        hd_value key = table->entries[(size_t)position * stride];
        if (!hd_is_hole(key))
            return position;
        position += hd_hole_forward(key);
    }
    return HD_ENTRY_NONE;
}

uint32_t hd_hash_table_previous(const struct hd_hash_table *table, unsigned stride, uint32_t position)
{
    while (position > 0) {
        hd_value key = table->entries[(size_t)(position - 1) * stride];
        if (!hd_is_hole(key))
            return position - 1;
        position -= hd_hole_backward(key);
    }
    return HD_ENTRY_NONE;
}

uint32_t hd_hash_table_last(const struct hd_hash_table *table, unsigned stride)
{
    if (table->count == 0)
        return HD_ENTRY_NONE;
    uint32_t entry = table->end - 1;
    while (hd_is_hole(table->entries[(size_t)entry * stride]))
        entry -= hd_hole_backward(table->entries[(size_t)entry * stride]);
    return entry;
}

/* ---- work that is spread -------------------------------------------------- */

/* So much of what is left is done now that it is over before the room is used up, or half of the entries are gone. */
static uint64_t pace(const struct hd_hash_table *table, uint64_t left, uint64_t room)
{
    uint64_t steps = room < table->count / 2 ? room : table->count / 2;
    uint64_t needed = left / (steps + 1) + 1;
    return needed > HD_TABLE_STEP ? needed : HD_TABLE_STEP;
}

/* Slots that may still be filled before the index must be replaced. */
static uint64_t index_room(const struct hd_hash_table *table)
{
    uint64_t used = (uint64_t)table->filled + (table->old_slots ? table->waiting : 0);
    uint64_t limit = hd_slot_limit(table->slot_bits);
    return used < limit ? limit - used : 0;
}

/* Slots that are moved for a unit: each into a place of its own of the new index, which may be a fresh page. */
#define SLOTS_PER_UNIT 4

/* Goes on with what is under way; what that costs counts, so that whoever adds many does fewer in a slice. */
static void work(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride)
{
    if (hd_closing_moves(table)) {
        uint64_t left = table->end - table->closing->from;
        uint64_t room = index_room(table), numbers = table->closing->length - table->end;
        hd_closing_step(objects, table, stride, pace(table, left, room < numbers ? room : numbers));
    } else if (table->old_slots) {
        uint64_t left = hd_slot_count(table->old_slot_bits) - table->migrated, waiting = table->waiting;
        hd_slots_migrate(objects, table, pace(table, left, index_room(table)));
        objects->work_units += (waiting - table->waiting) / SLOTS_PER_UNIT;
    }
}

/* Ends what is under way. */
static void finish(struct hd_objects *objects, hd_value owner, struct hd_hash_table *table, unsigned stride)
{
    if (hd_closing_moves(table)) {
        hd_gc_touch(objects->gc, hd_value_index(owner));
        hd_closing_step(objects, table, stride, UINT64_MAX);
    }
    if (table->old_slots)
        hd_slots_migrate(objects, table, UINT64_MAX);
}

/* An index for so many entries in place of the one that there is. */
static int replace_slots(struct hd_objects *objects, hd_value owner, struct hd_hash_table *table, unsigned stride,
                         uint32_t bits)
{
    finish(objects, owner, table, stride);
    uint64_t *slots = hd_slots_new(objects, bits);
    if (!slots)
        return HD_ENOMEM;
    hd_slots_replace(table, slots, bits);
    if (hd_slot_count(table->old_slot_bits) <= 4 * HD_TABLE_AT_ONCE)
        hd_slots_migrate(objects, table, UINT64_MAX);
    return 0;
}

static bool has_many_holes(const struct hd_hash_table *table)
{
    return table->end - table->count > table->end / 4;
}

/*
 * Begins to close the holes, if that can begin now; of a small table, closes them.
 * `more` entries are to come.
 */
static void close_holes(struct hd_objects *objects, hd_value owner, struct hd_hash_table *table, unsigned stride,
                        uint32_t more)
{
    if (!table->slots) {
        hd_gc_touch(objects->gc, hd_value_index(owner));
        hd_closing_unindexed(objects, table, stride);
        return;
    }
    bool at_once = table->end <= HD_TABLE_AT_ONCE;
    if (at_once)
        finish(objects, owner, table, stride);
    if (table->closing || table->old_slots)
        return;
    /* What may come while entries are moved: each brings HD_TABLE_STEP of them forward. */
    uint32_t room = more;
    if (!at_once && room < table->end / 16 + 64)
        room = table->end / 16 + 64;
    if (!at_once && index_room(table) < room) {
        /* The index must be replaced meanwhile, so that goes first. */
        (void)replace_slots(objects, owner, table, stride, hd_slots_bits_for((uint64_t)table->count + room));
        return;
    }
    if (hd_closing_begin(objects, table, room) == 0 && at_once)
        finish(objects, owner, table, stride);
}

/* ---- room ----------------------------------------------------------------- */

static int resize_entries(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint64_t capacity)
{
    struct hd_alloc *alloc = objects->gc->alloc;
    if (capacity > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    size_t bytes = (size_t)capacity * stride * sizeof(hd_value);
    hd_value *entries = table->entries ? hd_alloc_resize(alloc, table->entries, bytes) : hd_alloc_get(alloc, bytes);
    if (!entries)
        return HD_ENOMEM;
    table->entries = entries;
    uint64_t room = hd_alloc_usable(entries) / (stride * sizeof(hd_value));
    table->capacity = room > HD_ELEMENTS_MAX ? HD_ELEMENTS_MAX : (uint32_t)room;
    /* Without an index no more entries are used than can be looked through. */
    if (!table->slots && table->capacity > HD_TABLE_UNINDEXED)
        table->capacity = HD_TABLE_UNINDEXED;
    return 0;
}

/*
 * Slots that what was taken out under an open log may fill when it comes back: what was taken
 * out of the old index, or before the index was replaced, has left none in this one.
 */
static uint64_t owed_slots(const struct hd_objects *objects, const struct hd_hash_table *table)
{
    if (!hd_undo_is_open(objects))
        return 0;
    uint32_t holes = table->end - table->count;
    return holes < objects->undo->count ? holes : objects->undo->count;
}

static int reserve_index(struct hd_objects *objects, hd_value owner, struct hd_hash_table *table, unsigned stride,
                         uint32_t more)
{
    if ((uint64_t)table->end + more <= HD_TABLE_UNINDEXED && !table->slots)
        return 0;
    if (!table->slots)
        return hd_slots_build(objects, table, stride, (uint64_t)table->end + more);
    uint64_t owed = owed_slots(objects, table);
    if (index_room(table) >= more + owed)
        return 0;
    return replace_slots(objects, owner, table, stride, hd_slots_bits_for(table->count + owed + more));
}

static int reserve_entries(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint32_t more)
{
    uint64_t needed = (uint64_t)table->end + more;
    if (needed <= table->capacity)
        return 0;
    uint64_t step = table->end < HD_TABLE_AT_ONCE ? table->end : table->end / 4;
    /* Holes that are being closed, or could be if the index were done, are room soon. */
    if (table->end > HD_TABLE_AT_ONCE && has_many_holes(table))
        step = table->end / 8;
    uint64_t capacity = needed > table->end + step ? needed : table->end + step;
    return resize_entries(objects, table, stride, capacity < 4 ? 4 : capacity);
}

int hd_hash_table_reserve(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t more)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    if (more > HD_ELEMENTS_MAX - table->end)
        return HD_ETOO_LARGE;
    /* More than was foreseen when the closing began: a good part of the table, so that ending it is no more. */
    if (hd_closing_moves(table) && (index_room(table) < more || table->closing->length - table->end < more))
        finish(objects, owner, table, stride);
    if (more > table->capacity - table->end && has_many_holes(table) && !hd_undo_is_open(objects))
        close_holes(objects, owner, table, stride, more);
    /* The index first: an index that is larger than it need be does no harm if the entries then fail. */
    int error = reserve_index(objects, owner, table, stride, more);
    if (error)
        return error;
    error = reserve_entries(objects, table, stride, more);
    if (error && hd_closing_moves(table)) {
        finish(objects, owner, table, stride);
        error = reserve_entries(objects, table, stride, more);
    }
    return error;
}

/*
 * After a deletion. Much smaller than its room: gives some back. Failures are left
 * to later deletions.
 */
static void shrink(struct hd_objects *objects, hd_value owner, struct hd_hash_table *table, unsigned stride)
{
    if (!table->slots || table->closing || table->old_slots)
        return;
    uint32_t holes = table->end - table->count;
    /* Once in a while, since it may not be possible to begin. */
    if (table->end > HD_TABLE_AT_ONCE && holes % 1024 == 0 && has_many_holes(table))
        close_holes(objects, owner, table, stride, 0);
    if (table->count >= 64 && table->count % 64 != 0)
        return;
    uint64_t little = (uint64_t)table->count + HD_TABLE_UNINDEXED;
    if (table->capacity > 4 * little && table->end <= HD_TABLE_AT_ONCE && holes)
        close_holes(objects, owner, table, stride, 0);
    if (table->capacity > (table->end > HD_TABLE_AT_ONCE ? 2 : 4) * ((uint64_t)table->end + HD_TABLE_UNINDEXED))
        (void)resize_entries(objects, table, stride, table->end + table->end / 4 + HD_TABLE_UNINDEXED);
    if (!table->closing && !table->old_slots && hd_slot_count(table->slot_bits) > 16 * little)
        (void)replace_slots(objects, owner, table, stride, table->slot_bits - 3u);
}

/* ---- changing ------------------------------------------------------------- */

int hd_hash_table_add(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                      hd_value key_value, hd_value value)
{
    int error = hd_hash_table_reserve(objects, owner, stride, 1);
    if (error)
        return error;
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    hd_gc_touch(objects->gc, hd_value_index(owner));
    if (!hd_undo_is_open(objects))
        work(objects, table, stride);
    hd_value *entry = table->entries + (size_t)table->end * stride;
    hd_gc_put_new(&entry[0], key_value);
    if (stride == 2)
        hd_gc_put_new(&entry[1], value);
    if (table->slots)
        hd_slots_put(table, key->hash, table->end);
    table->end++;
    table->count++;
    table->version++;
    return 0;
}

void hd_hash_table_take(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                        uint32_t entry, hd_value *key_out, hd_value *value_out)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    uint32_t index = hd_value_index(owner);
    hd_value *words = table->entries + (size_t)entry * stride;
    if (table->slots)
        hd_slots_take(table, key->hash, entry);
    *key_out = hd_gc_take(objects->gc, index, &words[0]);
    if (stride == 2)
        *value_out = hd_gc_take(objects->gc, index, &words[1]);
    table->count--;
    table->version++;
    /* What can be undone leaves its place: the rest is done when the log is closed. */
    if (hd_undo_is_open(objects)) {
        hd_holes_dig(table, stride, entry);
        return;
    }
    if (table->count == 0) {
        hd_hash_table_dispose(objects, table);
        return;
    }
    hd_holes_dig(table, stride, entry);
    hd_holes_trim(table, stride);
    work(objects, table, stride);
    shrink(objects, owner, table, stride);
}

/* ---- under a log ---------------------------------------------------------- */

void hd_hash_table_hold(struct hd_objects *objects, hd_value owner, unsigned stride)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    if (table->closing)
        finish(objects, owner, table, stride);
}

void hd_hash_table_tidy(struct hd_objects *objects, hd_value owner, unsigned stride)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    if (table->count == 0) {
        hd_hash_table_dispose(objects, table);
        return;
    }
    hd_holes_trim(table, stride);
    shrink(objects, owner, table, stride);
}

void hd_hash_table_take_back(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t hash,
                             hd_value *key_out, hd_value *value_out)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    uint32_t index = hd_value_index(owner), entry = table->end - 1;
    hd_value *words = table->entries + (size_t)entry * stride;
    if (table->slots)
        hd_slots_take(table, hash, entry);
    *key_out = hd_gc_take(objects->gc, index, &words[0]);
    *value_out = stride == 2 ? hd_gc_take(objects->gc, index, &words[1]) : HD_ABSENT;
    table->end--;
    table->count--;
    table->version++;
}

void hd_hash_table_put_back(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t hash, uint32_t entry,
                            hd_value key_value, hd_value value)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    hd_value *words = table->entries + (size_t)entry * stride;
    hd_gc_touch(objects->gc, hd_value_index(owner));
    hd_holes_fill(table, stride, entry);
    hd_gc_put_new(&words[0], key_value);
    if (stride == 2)
        hd_gc_put_new(&words[1], value);
    if (table->slots)
        hd_slots_put(table, hash, entry);
    table->count++;
    table->version++;
}

/* The block, or the one that it was moved to; NULL when there is no memory. */
static void *moved(struct hd_objects *objects, void *block)
{
    return block && hd_alloc_is_leaving(block) ? hd_alloc_move(objects->gc->alloc, block) : block;
}

int hd_hash_table_relocate(struct hd_objects *objects, struct hd_hash_table *table)
{
    hd_value *entries = moved(objects, table->entries);
    if (!entries && table->entries)
        return HD_ENOMEM;
    table->entries = entries;
    uint64_t *slots = moved(objects, table->slots);
    if (!slots && table->slots)
        return HD_ENOMEM;
    table->slots = slots;
    uint64_t *old_slots = moved(objects, table->old_slots);
    if (!old_slots && table->old_slots)
        return HD_ENOMEM;
    table->old_slots = old_slots;
    if (!table->closing)
        return 0;
    struct hd_closing *closing = moved(objects, table->closing);
    if (!closing)
        return HD_ENOMEM;
    table->closing = closing;
    slots = moved(objects, closing->slots);
    if (!slots && closing->slots)
        return HD_ENOMEM;
    closing->slots = slots;
    return 0;
}

void hd_hash_table_dispose(struct hd_objects *objects, struct hd_hash_table *table)
{
    struct hd_alloc *alloc = objects->gc->alloc;
    if (table->entries)
        hd_alloc_put(alloc, table->entries);
    if (table->slots)
        hd_alloc_put(alloc, table->slots);
    if (table->old_slots)
        hd_alloc_put(alloc, table->old_slots);
    hd_closing_free(objects, table);
    table->entries = NULL;
    table->slots = table->old_slots = NULL;
    table->count = table->end = table->capacity = 0;
    table->filled = table->migrated = table->waiting = 0;
    table->slot_bits = table->old_slot_bits = 0;
}

size_t hd_hash_table_bytes(const struct hd_hash_table *table)
{
    size_t bytes = table->entries ? hd_alloc_usable(table->entries) : 0;
    bytes += table->slots ? hd_alloc_usable(table->slots) : 0;
    bytes += table->old_slots ? hd_alloc_usable(table->old_slots) : 0;
    if (!table->closing)
        return bytes;
    bytes += hd_alloc_usable(table->closing);
    return bytes + (table->closing->slots ? hd_alloc_usable(table->closing->slots) : 0);
}

/* ---- checks --------------------------------------------------------------- */

static const char *check_closing(const struct hd_hash_table *table, unsigned stride)
{
    const struct hd_closing *closing = table->closing;
    if (!closing)
        return NULL;
    if (!closing->slots)
        return table->old_slots ? NULL : "hash table: a closing ends with the old index";
    if (table->old_slots)
        return "hash table: no index is left while entries are moved";
    if (closing->to > closing->from || closing->from > table->end || table->end > closing->length)
        return "hash table: to <= from <= end <= length";
    for (uint32_t i = closing->to; i < closing->from; i++)
        if (!hd_is_hole(table->entries[(size_t)i * stride]))
            return "hash table: between to and from there are holes";
    if (closing->to && hd_is_hole(table->entries[(size_t)(closing->to - 1) * stride]))
        return "hash table: before to there is an entry";
    return NULL;
}

/* What holes tell does not lead past an entry, in either direction. */
static const char *check_holes(const struct hd_hash_table *table, unsigned stride)
{
    uint32_t skipped = 0, run = 0;
    for (uint32_t i = 0; i < table->end; i++) {
        hd_value key = table->entries[(size_t)i * stride];
        if (!hd_is_hole(key)) {
            if (skipped)
                return "hash table: a hole leads forward past an entry";
            run = 0;
            continue;
        }
        if (run++ == 0 || skipped == 0)
            skipped = hd_hole_forward(key);
        if (skipped-- == 0)
            return "hash table: a hole leads nowhere";
        bool last = i + 1 == table->end || !hd_is_hole(table->entries[(size_t)(i + 1) * stride]);
        if (last && (hd_hole_backward(key) == 0 || hd_hole_backward(key) > run))
            return "hash table: a hole leads back past an entry";
    }
    if (skipped)
        return "hash table: a hole leads forward past the end";
    bool last_is_hole = table->end && hd_is_hole(table->entries[(size_t)(table->end - 1) * stride]);
    return last_is_hole && !hd_closing_moves(table) ? "hash table: the last entry is no hole" : NULL;
}

const char *hd_hash_table_check(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride)
{
    if (table->count > table->end || table->end > table->capacity)
        return "hash table: count <= end <= capacity";
    uint32_t present = 0;
    for (uint32_t i = 0; i < table->end; i++) {
        hd_value key_value = table->entries[(size_t)i * stride];
        if (hd_is_hole(key_value))
            continue;
        if (key_value == HD_ABSENT)
            return "hash table: an entry has a key";
        present++;
        struct hd_key key = hd_key_of(key_value);
        uint32_t found;
        if (hd_hash_table_find(objects, table, stride, &key, &found) != 0)
            return "hash table: each key has a hash";
        if (found != i)
            return "hash table: each key is found at its entry";
    }
    if (present != table->count)
        return "hash table: count is the number of present entries";
    const char *broken = check_closing(table, stride);
    if (!broken)
        broken = check_holes(table, stride);
    return broken ? broken : hd_slots_check(table);
}
