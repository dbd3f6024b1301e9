/*
 * The index of a hash table: slots with a part of the hash and an entry's number.
 *
 * An index is never rebuilt in one go when it is large: the new one and the old one
 * stand side by side, what is added goes into the new one, and each insertion and
 * deletion moves some slots over. A slot holds 32 bits of hash, so that no key is
 * looked at for that.
 */
#include "object/hash_internal.h"

static uint64_t make_slot(uint32_t hash, uint32_t entry)
{
    return (uint64_t)hash << 32 | (entry + 1);
}

static uint32_t slot_hash(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

static bool slot_is_live(uint64_t slot)
{
    return slot != 0 && (uint32_t)slot != (uint32_t)HD_SLOT_DELETED;
}

/* Where the entry lies that a slot of the index, or of the one that is being left, numbers. */
static inline uint32_t slot_entry(const struct hd_hash_table *table, bool old, uint64_t slot)
{
    uint32_t number = (uint32_t)slot - 1;
    const struct hd_closing *closing = table->closing;
    if (__builtin_expect(closing != NULL, 0) && (old || closing->slots) && number < closing->from)
        return closing->position[number];
    return number;
}

static int probe(struct hd_objects *objects, const struct hd_hash_table *table, bool old, unsigned stride,
                 const struct hd_key *key, uint32_t *out)
{
    const uint64_t *slots = old ? table->old_slots : table->slots;
    uint64_t mask = hd_slot_count(old ? table->old_slot_bits : table->slot_bits) - 1;
    for (uint64_t i = key->hash & mask; slots[i]; i = (i + 1) & mask) {
        if (slot_hash(slots[i]) != key->hash || !slot_is_live(slots[i]))
            continue;
        uint32_t entry = slot_entry(table, old, slots[i]);
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

int hd_slots_find(struct hd_objects *objects, const struct hd_hash_table *table, unsigned stride,
                  const struct hd_key *key, uint32_t *out)
{
    uint32_t found;
    int error = probe(objects, table, false, stride, key, &found);
    if (!error && found == HD_ENTRY_NONE && table->old_slots)
        error = probe(objects, table, true, stride, key, &found);
    if (!error)
        *out = found;
    return error;
}

uint32_t hd_hash_table_candidate(const struct hd_hash_table *table, unsigned stride, struct hd_candidates *candidates)
{
    if (!table->slots) {
        uint32_t entry = hd_hash_table_next(table, stride, (uint32_t)candidates->at);
        candidates->at = (uint64_t)entry + 1;
        return entry;
    }
    for (;;) {
        const uint64_t *slots = candidates->old ? table->old_slots : table->slots;
        uint64_t mask = hd_slot_count(candidates->old ? table->old_slot_bits : table->slot_bits) - 1;
        uint64_t i = candidates->begun ? candidates->at : candidates->hash & mask;
        for (candidates->begun = true; slots[i]; i = (i + 1) & mask) {
            if (slot_hash(slots[i]) != candidates->hash || !slot_is_live(slots[i]))
                continue;
            candidates->at = (i + 1) & mask;
            return slot_entry(table, candidates->old, slots[i]);
        }
        candidates->at = i;
        if (candidates->old || !table->old_slots)
            return HD_ENTRY_NONE;
        candidates->old = true;
        candidates->begun = false;
    }
}

uint32_t hd_hash_table_locate(const struct hd_hash_table *table, unsigned stride, uint32_t hash, hd_value key)
{
    struct hd_candidates candidates = {.hash = hash};
    uint32_t entry = hd_hash_table_candidate(table, stride, &candidates);
    while (entry != HD_ENTRY_NONE && table->entries[(size_t)entry * stride] != key)
        entry = hd_hash_table_candidate(table, stride, &candidates);
    return entry;
}

/* The slot of an entry, or NULL. */
static uint64_t *slot_of(const struct hd_hash_table *table, bool old, uint32_t hash, uint32_t entry)
{
    uint64_t *slots = old ? table->old_slots : table->slots;
    uint64_t mask = hd_slot_count(old ? table->old_slot_bits : table->slot_bits) - 1;
    for (uint64_t i = hash & mask; slots[i]; i = (i + 1) & mask)
        if (slot_hash(slots[i]) == hash && slot_is_live(slots[i]) && slot_entry(table, old, slots[i]) == entry)
            return &slots[i];
    return NULL;
}

void hd_slots_take(struct hd_hash_table *table, uint32_t hash, uint32_t entry)
{
    uint64_t *slot = slot_of(table, false, hash, entry);
    if (!slot) {
        slot = slot_of(table, true, hash, entry);
        table->waiting--;
    }
    *slot = HD_SLOT_DELETED;
}

void hd_slots_put(struct hd_hash_table *table, uint32_t hash, uint32_t entry)
{
    uint64_t mask = hd_slot_count(table->slot_bits) - 1;
    uint64_t i = hash & mask;
    while (slot_is_live(table->slots[i]))
        i = (i + 1) & mask;
    table->filled += table->slots[i] == 0;
    table->slots[i] = make_slot(hash, entry);
}

uint32_t hd_slots_bits_for(uint64_t entries)
{
    uint32_t bits = 4;
    while (hd_slot_count(bits) < entries + entries / 2 + 1)
        bits++;
    return bits;
}

uint64_t *hd_slots_new(struct hd_objects *objects, uint32_t bits)
{
    return hd_alloc_get_zeroed(objects->gc->alloc, hd_slot_count(bits) * sizeof(uint64_t));
}

int hd_slots_build(struct hd_objects *objects, struct hd_hash_table *table, unsigned stride, uint64_t entries)
{
    uint32_t hashes[HD_TABLE_UNINDEXED];
    for (uint32_t i = 0; i < table->end; i++) {
        struct hd_key key = hd_key_of(table->entries[i * stride]);
        if (hd_is_hole(key.value))
            continue;
        int error = hd_key_hash(objects, &key);
        if (error)
            return error;
        hashes[i] = key.hash;
    }
    uint32_t bits = hd_slots_bits_for(entries);
    uint64_t *slots = hd_slots_new(objects, bits);
    if (!slots)
        return HD_ENOMEM;
    table->slots = slots;
    table->slot_bits = (uint8_t)bits;
    table->filled = 0;
    for (uint32_t i = 0; i < table->end; i++)
        if (!hd_is_hole(table->entries[i * stride]))
            hd_slots_put(table, hashes[i], i);
    return 0;
}

void hd_slots_replace(struct hd_hash_table *table, uint64_t *slots, uint32_t bits)
{
    assert(!table->old_slots);
    table->old_slots = table->slots;
    table->old_slot_bits = table->slot_bits;
    table->migrated = 0;
    table->waiting = table->count;
    table->slots = slots;
    table->slot_bits = (uint8_t)bits;
    table->filled = 0;
}

void hd_slots_migrate(struct hd_objects *objects, struct hd_hash_table *table, uint64_t count)
{
    uint64_t old_count = hd_slot_count(table->old_slot_bits);
    for (; count && table->migrated < old_count; count--) {
        uint64_t *slot = &table->old_slots[table->migrated++];
        if (slot_is_live(*slot)) {
            hd_slots_put(table, slot_hash(*slot), slot_entry(table, true, *slot));
            table->waiting--;
        }
        /* Not emptied: whoever looks for a key behind it must go on. */
        if (*slot)
            *slot = HD_SLOT_DELETED;
    }
    if (table->migrated < old_count)
        return;
    hd_alloc_put(objects->gc->alloc, table->old_slots);
    table->old_slots = NULL;
    hd_alloc_populated(objects->gc->alloc, table->slots);
    hd_closing_free(objects, table);
}

const char *hd_slots_check(const struct hd_hash_table *table)
{
    uint64_t live = 0, waiting = 0, filled = 0;
    for (uint64_t i = 0; table->slots && i < hd_slot_count(table->slot_bits); i++) {
        live += slot_is_live(table->slots[i]);
        filled += table->slots[i] != 0;
    }
    for (uint64_t i = 0; table->old_slots && i < hd_slot_count(table->old_slot_bits); i++) {
        waiting += slot_is_live(table->old_slots[i]);
        if (i < table->migrated && slot_is_live(table->old_slots[i]))
            return "hash table: what was migrated is gone from the old index";
    }
    if (!table->slots)
        return table->old_slots || table->closing ? "hash table: without an index there is no old one" : NULL;
    if (live + waiting != table->count)
        return "hash table: each entry has one slot";
    if (filled != table->filled || (table->old_slots && waiting != table->waiting))
        return "hash table: filled and waiting count slots";
    if (filled + waiting > hd_slot_limit(table->slot_bits))
        return "hash table: at least a quarter of the slots was never used";
    return NULL;
}
