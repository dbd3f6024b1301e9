#include "object/intern.h"

#include <stddef.h>
#include <string.h>

#include "object/payload.h"
#include "object/references.h"

#define CAPACITY_MIN 64u
/* Slots of the old table that each insertion empties: it is empty long before the new one is full. */
#define MOVED_AT_ONCE 64u

/* ---- slots ---------------------------------------------------------------- */

static bool is_entry(const struct hd_intern_slot *slot)
{
    return slot->identity != 0 && slot->identity != HD_INTERN_GRAVE;
}

static hd_value value_of(const struct hd_intern_slot *slot)
{
    return hd_value_ref((uint32_t)slot->identity, true);
}

/* The entry of an equal str, or NULL. Equality of bytes cannot fail. */
static struct hd_intern_slot *find_in(struct hd_objects *objects, const struct hd_intern_table *table, uint32_t hash,
                                      const uint8_t *bytes, size_t size)
{
    for (uint64_t i = 0, at = hash; i < table->capacity; i++, at++) {
        struct hd_intern_slot *slot = &table->slots[at & (table->capacity - 1)];
        if (slot->identity == 0)
            return NULL;
        if (is_entry(slot) && slot->hash == hash && hd_key_bytes_equal(objects, HD_IS_STR, bytes, size, value_of(slot)))
            return slot;
    }
    return NULL;
}

static struct hd_intern_slot *find(struct hd_objects *objects, uint32_t hash, const uint8_t *bytes, size_t size)
{
    struct hd_interned *interned = &objects->interned;
    struct hd_intern_slot *slot = find_in(objects, &interned->now, hash, bytes, size);
    return slot ? slot : find_in(objects, &interned->old, hash, bytes, size);
}

/* There is an empty slot. */
static void put(struct hd_intern_table *table, struct hd_intern_slot entry)
{
    uint64_t at = entry.hash;
    while (table->slots[at & (table->capacity - 1)].identity != 0)
        at++;
    table->slots[at & (table->capacity - 1)] = entry;
    table->used++;
}

static void free_table(struct hd_objects *objects, struct hd_intern_table *table)
{
    hd_allocator_free(objects->allocator, table->slots, table->capacity * sizeof *table->slots);
    *table = (struct hd_intern_table){.slots = NULL};
}

static void move_some(struct hd_objects *objects, uint64_t count)
{
    struct hd_interned *interned = &objects->interned;
    struct hd_intern_table *old = &interned->old;
    for (; interned->moved < old->capacity && count > 0; count--) {
        struct hd_intern_slot *slot = &old->slots[interned->moved++];
        if (!is_entry(slot))
            continue;
        put(&interned->now, *slot);
        slot->identity = HD_INTERN_GRAVE; /* so that who looks for what lay behind it goes on */
    }
    if (old->capacity && interned->moved == old->capacity)
        free_table(objects, old);
}

/* Room for one more. */
static int reserve(struct hd_objects *objects)
{
    struct hd_interned *interned = &objects->interned;
    struct hd_intern_table *now = &interned->now;
    move_some(objects, MOVED_AT_ONCE);
    bool is_sparse = now->capacity > 16 * CAPACITY_MIN && interned->count < now->capacity / 16;
    bool is_full = (now->used + 1) * 4 > now->capacity * 3;
    if (!is_full && (!is_sparse || interned->old.capacity))
        return 0;
    /* Not too small: it must not be full before the old one is empty. */
    uint64_t capacity = now->capacity / 8 > CAPACITY_MIN ? now->capacity / 8 : CAPACITY_MIN;
    while (capacity < (interned->count + 1) * 3)
        capacity *= 2;
    struct hd_intern_slot *slots = hd_allocator_new_zeroed(objects->allocator, capacity * sizeof *slots);
    if (!slots)
        return is_full ? HD_ENOMEM : 0;
    move_some(objects, UINT64_MAX); /* nothing is left of it by now */
    interned->old = *now;
    interned->moved = 0;
    *now = (struct hd_intern_table){slots, capacity, 0};
    move_some(objects, MOVED_AT_ONCE);
    return 0;
}

/* ---- roots ---------------------------------------------------------------- */

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_interned *interned = (const void *)((const char *)source - offsetof(struct hd_interned, roots));
    size_t end = (size_t)(interned->now.capacity + interned->old.capacity);
    if (!interned->held_count)
        return 0;
    for (; from < end && max > 0; from++, max--) {
        const struct hd_intern_slot *slot = from < interned->now.capacity
                                                ? &interned->now.slots[from]
                                                : &interned->old.slots[from - interned->now.capacity];
        if (is_entry(slot) && slot->held)
            visitor->visit(visitor, value_of(slot));
    }
    return from < end ? from : 0;
}

static void hold_entry(struct hd_objects *objects, struct hd_intern_slot *slot)
{
    struct hd_interned *interned = &objects->interned;
    if (slot->held)
        return;
    if (!interned->is_root) {
        interned->roots.scan = scan;
        interned->roots.kind = HD_ROOT_INTERNED;
        hd_gc_add_roots(objects->gc, &interned->roots);
        interned->is_root = true;
    }
    (void)hd_gc_retain(objects->gc, value_of(slot));
    slot->held = true;
    interned->held_count++;
}

/* ---- interning ------------------------------------------------------------ */

/* Its bytes; *inline_out: it lies in the word. */
static int look(struct hd_objects *objects, struct hd_key *key, const uint8_t **bytes, size_t *size, bool *inline_out)
{
    if (key->value == HD_ABSENT) {
        if (key->tag != HD_TAG_STR)
            return HD_ETYPE;
        *bytes = key->bytes;
        *size = key->size;
    } else {
        if (hd_kind_of(objects, key->value) != HD_IS_STR)
            return HD_ETYPE;
        *bytes = hd_bytes_view(objects, &key->value, size);
    }
    *inline_out = key->value != HD_ABSENT && !hd_value_is_ref(key->value);
    return *size > HD_INTERN_MAX_BYTES ? HD_ETOO_LARGE : hd_key_hash(objects, key);
}

int hd_intern(struct hd_objects *objects, struct hd_key *key, bool hold, hd_value *out)
{
    struct hd_interned *interned = &objects->interned;
    const uint8_t *bytes;
    size_t size;
    bool is_inline;
    int error = look(objects, key, &bytes, &size, &is_inline);
    if (error)
        return error;
    if (is_inline) {
        *out = key->value;
        return 0;
    }
    struct hd_intern_slot *slot = find(objects, key->hash, bytes, size);
    if (slot) {
        interned->hit_count++;
    } else {
        hd_value value;
        error = reserve(objects);
        if (!error)
            error = hd_key_to_value(objects, key, &value);
        if (error)
            return error;
        uint64_t identity = hd_table_identity(objects->gc->table, hd_value_index(value));
        put(&interned->now, (struct hd_intern_slot){.identity = identity, .hash = key->hash});
        interned->count++;
        hd_objects_tell_gone(objects, hd_value_index(value));
        slot = find(objects, key->hash, bytes, size);
        if (hold)
            hold_entry(objects, slot);
        *out = value;
        return 0;
    }
    if (hold)
        hold_entry(objects, slot);
    *out = hd_gc_retain(objects->gc, value_of(slot));
    return 0;
}

bool hd_is_interned(struct hd_objects *objects, hd_value value)
{
    struct hd_key key = hd_key_of(value);
    const uint8_t *bytes;
    size_t size;
    bool is_inline;
    if (look(objects, &key, &bytes, &size, &is_inline))
        return false;
    if (is_inline)
        return true;
    const struct hd_intern_slot *slot = find(objects, key.hash, bytes, size);
    return slot && value_of(slot) == value;
}

int hd_intern_let_go(struct hd_objects *objects, struct hd_key *key, bool *out)
{
    const uint8_t *bytes;
    size_t size;
    bool is_inline;
    int error = look(objects, key, &bytes, &size, &is_inline);
    if (error)
        return error;
    struct hd_intern_slot *slot = is_inline ? NULL : find(objects, key->hash, bytes, size);
    *out = slot && slot->held;
    if (!*out)
        return 0;
    slot->held = false;
    objects->interned.held_count--;
    hd_gc_release(objects->gc, value_of(slot));
    return 0;
}

/* ---- the end -------------------------------------------------------------- */

static bool bury(struct hd_intern_table *table, uint32_t hash, uint64_t identity)
{
    for (uint64_t i = 0, at = hash; i < table->capacity; i++, at++) {
        struct hd_intern_slot *slot = &table->slots[at & (table->capacity - 1)];
        if (slot->identity == 0)
            return false;
        if (slot->identity == identity) {
            slot->identity = HD_INTERN_GRAVE;
            return true;
        }
    }
    return false;
}

void hd_intern_gone(struct hd_objects *objects, uint32_t index)
{
    struct hd_interned *interned = &objects->interned;
    const struct hd_table *table = objects->gc->table;
    if (!interned->count || hd_table_type(table, index) != HD_TYPE_STR)
        return;
    struct hd_key key = hd_key_of(hd_value_ref(index, true));
    if (hd_key_hash(objects, &key))
        return; /* of a str it cannot fail */
    uint64_t identity = hd_table_identity(table, index);
    if (!bury(&interned->now, key.hash, identity) && !bury(&interned->old, key.hash, identity))
        return;
    if (--interned->count)
        return;
    free_table(objects, &interned->now);
    free_table(objects, &interned->old);
}

void hd_intern_fini(struct hd_objects *objects)
{
    free_table(objects, &objects->interned.now);
    free_table(objects, &objects->interned.old);
}

static const char *check_table(struct hd_objects *objects, const struct hd_intern_table *table, uint64_t *count,
                               uint64_t *held)
{
    uint64_t used = 0;
    for (uint64_t i = 0; i < table->capacity; i++) {
        const struct hd_intern_slot *slot = &table->slots[i];
        used += slot->identity != 0;
        if (!is_entry(slot))
            continue;
        uint32_t index = hd_table_find(objects->gc->table, slot->identity);
        if (!index || hd_table_type(objects->gc->table, index) != HD_TYPE_STR)
            return "interned: an entry is a str that lives";
        if (!(objects->gc->table->state[index] & HD_STATE_WEAK))
            return "interned: the table is told when it goes";
        if (!hd_is_interned(objects, hd_value_ref(index, true)))
            return "interned: an entry is found";
        ++*count;
        *held += slot->held;
    }
    return used <= table->used || table == &objects->interned.old ? NULL : "interned: used counts what is not empty";
}

const char *hd_intern_check(struct hd_objects *objects)
{
    const struct hd_interned *interned = &objects->interned;
    uint64_t count = 0, held = 0;
    const char *broken = check_table(objects, &interned->now, &count, &held);
    if (!broken)
        broken = check_table(objects, &interned->old, &count, &held);
    if (broken)
        return broken;
    if (count != interned->count)
        return "interned: count counts the entries";
    return held == interned->held_count ? NULL : "interned: held_count counts those that are held";
}
