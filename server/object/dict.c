/* Dicts and sets: the hash table as objects. */
#include <string.h>

#include "object/hash_table.h"
#include "object/object.h"
#include "object/payload.h"
#include "object/undo.h"

static struct hd_hash_table *table_of(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

static void dict_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_hash_table *table = payload;
    out->spans[out->span_count++] = (struct hd_span){table->entries, (size_t)table->end * 2};
}

static struct hd_span dict_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    struct hd_hash_table *table = payload;
    return (struct hd_span){table->entries, (size_t)table->end * 2};
}

static void set_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_hash_table *table = payload;
    out->spans[out->span_count++] = (struct hd_span){table->entries, table->end};
}

static void table_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    struct hd_objects *objects = hd_objects_of(gc);
    hd_hash_table_dispose(objects, payload);
    objects->type_count[hd_table_type(gc->table, index)]--;
}

static int table_relocate(struct hd_gc *gc, void *payload)
{
    return hd_hash_table_relocate(hd_objects_of(gc), payload);
}

const struct hd_type_ops hd_dict_ops = {.name = "dict",
                                        .inner = true,
                                        .tracked = true,
                                        .traverse = dict_traverse,
                                        .span = dict_span,
                                        .dispose = table_dispose,
                                        .relocate = table_relocate};
const struct hd_type_ops hd_set_ops = {.name = "set",
                                       .inner = true,
                                       .tracked = true,
                                       .traverse = set_traverse,
                                       .dispose = table_dispose,
                                       .relocate = table_relocate};

const struct hd_type_ops hd_frozenset_ops = {.name = "frozenset",
                                             .inner = true,
                                             .tracked = true,
                                             .traverse = set_traverse,
                                             .dispose = table_dispose,
                                             .relocate = table_relocate};

static unsigned stride_of(const struct hd_objects *objects, hd_value value)
{
    return hd_stride_of((enum hd_type)hd_gc_type(objects->gc, value));
}

static int table_new(struct hd_objects *objects, enum hd_type type, uint32_t capacity, hd_value *out)
{
    hd_value value;
    bool frozen = type == HD_TYPE_FROZENSET;
    size_t bytes = frozen ? sizeof(struct hd_frozenset) : sizeof(struct hd_hash_table);
    int error = hd_object_new(objects, type, bytes, &value);
    if (error)
        return error;
    if (frozen) {
        struct hd_frozenset *set = hd_gc_payload(objects->gc, value);
        set->mix = set->weight = 0;
    }
    if (capacity)
        error = hd_hash_table_reserve(objects, value, hd_stride_of(type), capacity);
    if (error)
        hd_gc_release(objects->gc, value);
    else
        *out = value;
    return error;
}

int hd_dict_new(struct hd_objects *objects, uint32_t capacity, hd_value *out)
{
    return table_new(objects, HD_TYPE_DICT, capacity, out);
}

int hd_set_new(struct hd_objects *objects, uint32_t capacity, hd_value *out)
{
    return table_new(objects, HD_TYPE_SET, capacity, out);
}

int hd_frozenset_new(struct hd_objects *objects, uint32_t capacity, hd_value *out)
{
    return table_new(objects, HD_TYPE_FROZENSET, capacity, out);
}

int hd_dict_reserve(struct hd_objects *objects, hd_value dict, uint32_t more)
{
    return hd_hash_table_reserve(objects, dict, stride_of(objects, dict), more);
}

uint32_t hd_dict_length(const struct hd_objects *objects, hd_value dict)
{
    return table_of(objects, dict)->count;
}

bool hd_dict_next(const struct hd_objects *objects, hd_value dict, uint32_t *position, hd_value *key, hd_value *value)
{
    const struct hd_hash_table *table = table_of(objects, dict);
    unsigned stride = stride_of(objects, dict);
    uint32_t found = hd_hash_table_next(table, stride, *position);
    if (found == HD_ENTRY_NONE) {
        *position = table->end;
        return false;
    }
    const hd_value *entry = table->entries + (size_t)found * stride;
    *position = found + 1;
    *key = entry[0];
    *value = stride == 2 ? entry[1] : HD_ABSENT;
    return true;
}

int hd_dict_get(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value *out)
{
    const struct hd_hash_table *table = table_of(objects, dict);
    uint32_t entry;
    int error = hd_hash_table_find(objects, table, 2, key, &entry);
    if (error)
        return error;
    if (entry == HD_ENTRY_NONE)
        return HD_EKEY;
    *out = hd_gc_retain(objects->gc, table->entries[(size_t)entry * 2 + 1]);
    return 0;
}

/* Before a change: what it takes to undo it, if it may have to be. */
static int prepare(struct hd_objects *objects, hd_value owner, unsigned stride)
{
    int error = hd_undo_prepare(objects);
    if (!error && hd_undo_is_open(objects))
        hd_hash_table_hold(objects, owner, stride);
    return error;
}

static void note_taken(struct hd_objects *objects, hd_value owner, uint32_t hash, uint32_t entry, hd_value key,
                       hd_value value)
{
    hd_undo_note(
        objects,
        &(struct hd_undo_note){
            .kind = HD_UNDO_TAKEN, .owner = owner, .hash = hash, .position = entry, .key = key, .value = value});
}

/* Adds an entry for a key that was looked for in vain. */
static int add(struct hd_objects *objects, hd_value owner, unsigned stride, struct hd_key *key, hd_value value)
{
    hd_value key_value;
    int error = prepare(objects, owner, stride);
    if (!error)
        error = hd_key_to_value(objects, key, &key_value);
    if (error)
        return error;
    error = hd_hash_table_add(objects, owner, stride, key, key_value, value);
    if (error)
        hd_gc_release(objects->gc, key_value);
    else if (hd_gc_type(objects->gc, owner) == HD_TYPE_FROZENSET)
        hd_frozenset_sum_up(hd_gc_payload(objects->gc, owner), key);
    if (!error)
        hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_ADDED, .owner = owner, .hash = key->hash});
    return error;
}

int hd_dict_set(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value value)
{
    struct hd_hash_table *table = table_of(objects, dict);
    uint32_t entry;
    int error = hd_hash_table_find(objects, table, 2, key, &entry);
    if (error)
        return error;
    if (entry == HD_ENTRY_NONE)
        return add(objects, dict, 2, key, value);
    if (hd_undo_is_open(objects)) {
        error = hd_undo_make_room(objects);
        if (error)
            return error;
        hd_hash_table_hold(objects, dict, 2);
        error = hd_hash_table_find(objects, table, 2, key, &entry);
        if (error)
            return error;
        hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_WORD,
                                                     .owner = dict,
                                                     .position = entry,
                                                     .value = table->entries[(size_t)entry * 2 + 1]});
    }
    hd_gc_store(objects->gc, hd_value_index(dict), &table->entries[(size_t)entry * 2 + 1], value);
    return 0;
}

int hd_dict_pop(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value *out)
{
    uint32_t entry;
    int error = prepare(objects, dict, 2);
    if (!error)
        error = hd_hash_table_find(objects, table_of(objects, dict), 2, key, &entry);
    if (error)
        return error;
    if (entry == HD_ENTRY_NONE)
        return HD_EKEY;
    hd_value key_value, value;
    hd_hash_table_take(objects, dict, 2, key, entry, &key_value, &value);
    note_taken(objects, dict, key->hash, entry, key_value, value);
    hd_gc_release(objects->gc, key_value);
    if (out)
        *out = value;
    else
        hd_gc_release(objects->gc, value);
    return 0;
}

int hd_set_add(struct hd_objects *objects, hd_value set, struct hd_key *key, bool *was_new)
{
    uint32_t entry;
    int error = hd_hash_table_find(objects, table_of(objects, set), 1, key, &entry);
    if (!error && entry == HD_ENTRY_NONE)
        error = add(objects, set, 1, key, HD_ABSENT);
    if (!error)
        *was_new = entry == HD_ENTRY_NONE;
    return error;
}

int hd_set_discard(struct hd_objects *objects, hd_value set, struct hd_key *key, bool *was_there)
{
    uint32_t entry;
    int error = prepare(objects, set, 1);
    if (!error)
        error = hd_hash_table_find(objects, table_of(objects, set), 1, key, &entry);
    if (error)
        return error;
    if (entry != HD_ENTRY_NONE) {
        hd_value key_value, unused;
        hd_hash_table_take(objects, set, 1, key, entry, &key_value, &unused);
        note_taken(objects, set, key->hash, entry, key_value, HD_ABSENT);
        hd_gc_release(objects->gc, key_value);
        if (hd_gc_type(objects->gc, set) == HD_TYPE_FROZENSET)
            hd_frozenset_take_off(hd_gc_payload(objects->gc, set), key);
    }
    *was_there = entry != HD_ENTRY_NONE;
    return 0;
}

int hd_dict_contains(struct hd_objects *objects, hd_value dict, struct hd_key *key, bool *out)
{
    uint32_t entry;
    int error = hd_hash_table_find(objects, table_of(objects, dict), stride_of(objects, dict), key, &entry);
    if (!error)
        *out = entry != HD_ENTRY_NONE;
    return error;
}

void hd_table_exchange(struct hd_objects *objects, hd_value left, hd_value right)
{
    bool is_table = hd_gc_type(objects->gc, left) != HD_TYPE_LIST;
    uint32_t version = is_table ? table_of(objects, left)->version : 0;
    uint32_t other = is_table ? table_of(objects, right)->version : 0;
    hd_gc_exchange(objects->gc, hd_value_index(left), hd_value_index(right));
    if (!is_table)
        return;
    table_of(objects, left)->version = version + 1;
    table_of(objects, right)->version = other + 1;
}

int hd_dict_last(struct hd_objects *objects, hd_value dict, hd_value *key, hd_value *value)
{
    const struct hd_hash_table *table = table_of(objects, dict);
    unsigned stride = stride_of(objects, dict);
    uint32_t entry = hd_hash_table_last(table, stride);
    if (entry == HD_ENTRY_NONE)
        return HD_EKEY;
    *key = table->entries[(size_t)entry * stride];
    *value = stride == 2 ? table->entries[(size_t)entry * stride + 1] : HD_ABSENT;
    return 0;
}

int hd_dict_set_default(struct hd_objects *objects, hd_value dict, struct hd_key *key, hd_value value, hd_value *out)
{
    struct hd_hash_table *table = table_of(objects, dict);
    uint32_t entry;
    int error = hd_hash_table_find(objects, table, 2, key, &entry);
    if (error)
        return error;
    if (entry != HD_ENTRY_NONE) {
        *out = hd_gc_retain(objects->gc, table->entries[(size_t)entry * 2 + 1]);
        return 0;
    }
    error = add(objects, dict, 2, key, hd_gc_retain(objects->gc, value));
    if (error)
        hd_gc_release(objects->gc, value);
    else
        *out = hd_gc_retain(objects->gc, value);
    return error;
}

int hd_dict_pop_last(struct hd_objects *objects, hd_value dict, hd_value *key, hd_value *value)
{
    const struct hd_hash_table *table = table_of(objects, dict);
    unsigned stride = stride_of(objects, dict);
    int error = prepare(objects, dict, stride);
    if (error)
        return error;
    uint32_t entry = hd_hash_table_last(table, stride);
    if (entry == HD_ENTRY_NONE)
        return HD_EKEY;
    struct hd_key last = hd_key_of(table->entries[(size_t)entry * stride]);
    error = hd_key_hash(objects, &last);
    if (error)
        return error;
    hd_value key_value, taken = HD_ABSENT;
    hd_hash_table_take(objects, dict, stride, &last, entry, &key_value, &taken);
    note_taken(objects, dict, last.hash, entry, key_value, taken);
    *key = key_value;
    if (value)
        *value = taken;
    else if (taken != HD_ABSENT)
        hd_gc_release(objects->gc, taken);
    return 0;
}
