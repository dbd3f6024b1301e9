#include "object/hash_table.h"

#include <string.h>

#define SLOT_DELETED UINT64_C(0xffffffff)
/* Slots of an index that is being left that one insertion moves. */
#define MIGRATE_STEP 32
/* Up to this many slots an index is rebuilt at once. */
#define MIGRATE_AT_ONCE 1024

static uint64_t make_slot(uint32_t hash, uint32_t entry)
{
    return (uint64_t)hash << 32 | (entry + 1);
}

static uint32_t slot_entry(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

static uint32_t slot_hash(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static bool slot_is_live(uint64_t slot)
{
    return slot != 0 && (uint32_t)slot != (uint32_t)SLOT_DELETED;
}

static uint64_t slot_count(uint32_t bits)
{
    return UINT64_C(1) << bits;
}

/* ---- looking -------------------------------------------------------------- */

static int probe(struct hd_objects *objects, const struct hd_hash_table *table, const uint64_t *slots, uint32_t bits,
                 unsigned stride, const struct hd_key *key, uint32_t *out)
{
    uint64_t mask = slot_count(bits) - 1;
    for (uint64_t i = key->hash & mask; slots[i]; i = (i + 1) & mask) {
        if (slot_hash(slots[i]) != key->hash || !slot_is_live(slots[i]))
            continue;
        uint32_t entry = slot_entry(slots[i]);
        bool equal;
        int error = hd_key_equal(objects, key, table->entries[(size_t)entry * stride], &equal);
        if (error)
            return error;
        if (equal) {
            *out = entry;
            return 0;
        }
    }
    *out = HD_ENTRY_NONE;
    return 0;
}

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
        if (candidate == HD_ABSENT)
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
    error = probe(objects, table, table->slots, table->slot_bits, stride, key, out);
    if (error || *out != HD_ENTRY_NONE || !table->old_slots)
        return error;
    return probe(objects, table, table->old_slots, table->old_slot_bits, stride, key, out);
}

/* The slot of an entry that is known to be there. */
static uint64_t *slot_of(uint64_t *slots, uint32_t bits, uint32_t hash, uint32_t entry)
{
    uint64_t mask = slot_count(bits) - 1;
    for (uint64_t i = hash & mask; slots[i]; i = (i + 1) & mask)
        if (slots[i] == make_slot(hash, entry))
            return &slots[i];
    return NULL;
}

/* ---- the index ------------------------------------------------------------ */

static void slot_put(struct hd_hash_table *table, uint32_t hash, uint32_t entry)
{
    uint64_t mask = slot_count(table->slot_bits) - 1;
    uint64_t i = hash & mask;
    while (slot_is_live(table->slots[i]))
        i = (i + 1) & mask;
    table->filled += table->slots[i] == 0;
    table->slots[i] = make_slot(hash, entry);
}

static uint64_t *new_slots(struct hd_objects *objects, uint32_t bits)
{
    size_t bytes = slot_count(bits) * sizeof(uint64_t);
    return hd_alloc_get_zeroed(objects->gc->alloc, bytes);
}

/* Moves up to `count` slots out of the old index. */
static void migrate(struct hd_objects *objects, struct hd_hash_table *table, uint64_t count)
{
    uint64_t old_count = slot_count(table->old_slot_bits);
    for (; count && table->migrated < old_count; count--) {
        uint64_t *slot = &table->old_slots[table->migrated++];
        if (slot_is_live(*slot))
            slot_put(table, slot_hash(*slot), slot_entry(*slot));
        /* Not emptied: whoever looks for a key behind it must go on. */
        if (*slot)
            *slot = SLOT_DELETED;
    }
    if (table->migrated == old_count) {
        hd_alloc_put(objects->gc->alloc, table->old_slots);
        table->old_slots = NULL;
    }
}

/* At most so many slots will still come over from the old index. */
static uint64_t still_to_migrate(const struct hd_hash_table *table)
{
    if (!table->old_slots)
        return 0;
    uint64_t left = slot_count(table->old_slot_bits) - table->migrated;
    return left < table->count ? left : table->count;
}

/* Slots for so many entries: they fill two thirds at most. */
static uint32_t bits_for(uint64_t entries)
{
    uint32_t bits = 4;
    while (slot_count(bits) < entries + entries / 2 + 1)
        bits++;
    return bits;
}

/* Puts a new, larger index in place; the old one is emptied step by step. */
static int grow_slots(struct hd_objects *objects, struct hd_hash_table *table, uint32_t bits)
{
    if (table->old_slots)
        migrate(objects, table, UINT64_MAX);
    uint64_t *slots = new_slots(objects, bits);
    if (!slots)
        return HD_ENOMEM;
    table->old_slots = table->slots;
    table->old_slot_bits = table->slot_bits;
    table->migrated = 0;
    table->slots = slots;
    table->slot_bits = bits;
    table->filled = 0;
    if (slot_count(table->old_slot_bits) <= MIGRATE_AT_ONCE)
        migrate(objects, table, UINT64_MAX);
    return 0;
}

/* The first index of a table that had none. */
static int build_slots(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint64_t entries)
{
    uint32_t hashes[HD_TABLE_UNINDEXED];
    for (uint32_t i = 0; i < table->end; i++) {
        struct hd_key key = hd_key_of(table->entries[i * stride]);
        if (key.value == HD_ABSENT)
            continue;
        int error = hd_key_hash(objects, &key);
        if (error)
            return error;
        hashes[i] = key.hash;
    }
    uint32_t bits = bits_for(entries);
    uint64_t *slots = new_slots(objects, bits);
    if (!slots)
        return HD_ENOMEM;
    table->slots = slots;
    table->slot_bits = bits;
    table->filled = 0;
    for (uint32_t i = 0; i < table->end; i++)
        if (table->entries[i * stride] != HD_ABSENT)
            slot_put(table, hashes[i], i);
    return 0;
}

/* ---- the entries ---------------------------------------------------------- */

static void renumber(uint64_t *slots, uint32_t bits, const uint32_t *position)
{
    for (uint64_t i = 0; slots && i < slot_count(bits); i++)
        if (slot_is_live(slots[i]))
            slots[i] = make_slot(slot_hash(slots[i]), position[slot_entry(slots[i])]);
}

/* Removes the holes that deletions left. */
static int close_holes(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride)
{
    uint32_t *position = NULL;
    if (table->slots) {
        position = hd_alloc_get(objects->gc->alloc, table->end * sizeof *position);
        if (!position)
            return HD_ENOMEM;
    }
    uint32_t to = 0;
    for (uint32_t from = 0; from < table->end; from++) {
        hd_value *entry = table->entries + (size_t)from * stride;
        if (*entry == HD_ABSENT)
            continue;
        if (position)
            position[from] = to;
        if (from != to) {
            hd_gc_shade_words(objects->gc, entry, stride);
            memcpy(table->entries + (size_t)to * stride, entry, stride * sizeof *entry);
        }
        to++;
    }
    memset(table->entries + (size_t)to * stride, 0, (size_t)(table->end - to) * stride * sizeof(hd_value));
    if (position) {
        renumber(table->slots, table->slot_bits, position);
        renumber(table->old_slots, table->old_slot_bits, position);
        hd_alloc_put(objects->gc->alloc, position);
    }
    table->end = to;
    return 0;
}

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

int hd_hash_table_reserve(struct hd_objects *objects, hd_value owner, unsigned stride, uint32_t more)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    if (more > HD_ELEMENTS_MAX - table->end)
        return HD_ETOO_LARGE;
    if (more > table->capacity - table->end && table->end - table->count > table->end / 4) {
        /* Entries get other positions, even if the rest of this fails. */
        hd_gc_touch(objects->gc, hd_value_index(owner));
        int error = close_holes(objects, table, stride);
        if (error)
            return error;
    }
    uint64_t needed = (uint64_t)table->end + more;
    /* The index first: an index that is larger than it need be does no harm if the entries then fail. */
    if (table->slots || needed > HD_TABLE_UNINDEXED) {
        int error = 0;
        if (!table->slots)
            error = build_slots(objects, table, stride, needed);
        else if (table->filled + still_to_migrate(table) + more > slot_count(table->slot_bits) / 4 * 3)
            error = grow_slots(objects, table, bits_for((uint64_t)table->count + more));
        if (error)
            return error;
    }
    if (needed <= table->capacity)
        return 0;
    uint64_t step = table->end < 1024 ? table->end : table->end / 4;
    uint64_t capacity = needed > table->end + step ? needed : table->end + step;
    return resize_entries(objects, table, stride, capacity < 4 ? 4 : capacity);
}

int hd_hash_table_add(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                      hd_value key_value, hd_value value)
{
    int error = hd_hash_table_reserve(objects, owner, stride, 1);
    if (error)
        return error;
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    hd_gc_touch(objects->gc, hd_value_index(owner));
    if (table->old_slots)
        migrate(objects, table, MIGRATE_STEP);
    hd_value *entry = table->entries + (size_t)table->end * stride;
    hd_gc_put_new(&entry[0], key_value);
    if (stride == 2)
        hd_gc_put_new(&entry[1], value);
    if (table->slots)
        slot_put(table, key->hash, table->end);
    table->end++;
    table->count++;
    return 0;
}

void hd_hash_table_take(struct hd_objects *objects, hd_value owner, unsigned stride, const struct hd_key *key,
                        uint32_t entry, hd_value *key_out, hd_value *value_out)
{
    struct hd_hash_table *table = hd_gc_payload(objects->gc, owner);
    uint32_t index = hd_value_index(owner);
    hd_value *words = table->entries + (size_t)entry * stride;
    if (table->slots) {
        uint64_t *slot = slot_of(table->slots, table->slot_bits, key->hash, entry);
        if (!slot)
            slot = slot_of(table->old_slots, table->old_slot_bits, key->hash, entry);
        *slot = SLOT_DELETED;
    }
    *key_out = hd_gc_take(objects->gc, index, &words[0]);
    if (stride == 2)
        *value_out = hd_gc_take(objects->gc, index, &words[1]);
    table->count--;
    if (table->count == 0) {
        hd_hash_table_dispose(objects, table);
        return;
    }
    while (table->entries[(size_t)(table->end - 1) * stride] == HD_ABSENT)
        table->end--;
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
    table->entries = NULL;
    table->slots = table->old_slots = NULL;
    table->count = table->end = table->capacity = 0;
    table->slot_bits = table->old_slot_bits = table->filled = table->migrated = 0;
}

size_t hd_hash_table_bytes(const struct hd_hash_table *table)
{
    size_t bytes = table->entries ? hd_alloc_usable(table->entries) : 0;
    bytes += table->slots ? hd_alloc_usable(table->slots) : 0;
    return bytes + (table->old_slots ? hd_alloc_usable(table->old_slots) : 0);
}

const char *hd_hash_table_check(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride)
{
    if (table->count > table->end || table->end > table->capacity)
        return "hash table: count <= end <= capacity";
    uint32_t present = 0;
    for (uint32_t i = 0; i < table->end; i++) {
        hd_value key_value = table->entries[(size_t)i * stride];
        if (key_value == HD_ABSENT)
            continue;
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
    if (table->slots && table->filled > slot_count(table->slot_bits) / 4 * 3)
        return "hash table: at least a quarter of the slots was never used";
    return NULL;
}
