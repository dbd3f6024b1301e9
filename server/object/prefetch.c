#include "object/prefetch.h"

#include "object/hash_internal.h"
#include "object/payload.h"

/* Slots of an index that are looked at for one with the hash: they share a cache line or two. */
#define PROBES_MAX 8

/*
 * Inlined always: gcc takes a function that does nothing but prefetch for one
 * without effects, and leaves its calls out.
 */
#define ASKS static inline __attribute__((always_inline)) void

ASKS ask_entry(const struct hd_objects *objects, hd_value value)
{
    const struct hd_table *table = objects->gc->table;
    if (!hd_value_is_ref(value))
        return;
    __builtin_prefetch(&table->meta[hd_value_index(value)], 1);
    __builtin_prefetch(&table->location[hd_value_index(value)]);
}

/* Where an item of a list or tuple lies; NULL: there is none. */
static const hd_value *place_of(const hd_value *items, uint32_t length, hd_value key)
{
    if (hd_value_tag(key) != HD_TAG_INT)
        return NULL;
    int64_t index = hd_value_to_int(key);
    if (index < 0)
        index += length;
    return index >= 0 && index < length ? &items[index] : NULL;
}

/* The payload is here: where in it, or in what it owns, does the access go? */
static const hd_value *ask_inside(struct hd_objects *objects, struct hd_prefetch *prefetch)
{
    const void *payload = hd_gc_payload(objects->gc, prefetch->object);
    const struct hd_hash_table *table = payload;
    const struct hd_list *list = payload;
    const struct hd_tuple *tuple = payload;
    switch (hd_gc_type(objects->gc, prefetch->object)) {
    case HD_TYPE_LIST:
        if (prefetch->has_key)
            return place_of(list->items + list->head, list->length, prefetch->key.value);
        /* Without a key it is about the end. */
        __builtin_prefetch(list->items + list->head + list->length, 1);
        return NULL;
    case HD_TYPE_TUPLE:
        return prefetch->has_key ? place_of(tuple->items, tuple->length, prefetch->key.value) : NULL;
    case HD_TYPE_DICT:
    case HD_TYPE_SET:
        if (!prefetch->has_key || hd_key_hash(objects, &prefetch->key))
            return NULL;
        if (table->slots)
            return (const hd_value *)&table->slots[prefetch->key.hash & (hd_slot_count(table->slot_bits) - 1)];
        return table->end ? table->entries : NULL;
    default:
        return NULL;
    }
}

/* The slot is here: which entry does it lead to? */
static const hd_value *ask_by_slot(const struct hd_objects *objects, const struct hd_prefetch *prefetch)
{
    const struct hd_hash_table *table = hd_gc_payload(objects->gc, prefetch->object);
    unsigned stride = hd_stride_of((enum hd_type)hd_gc_type(objects->gc, prefetch->object));
    if (!table->slots)
        return prefetch->at;
    uint64_t mask = hd_slot_count(table->slot_bits) - 1;
    for (uint64_t i = 0; i < PROBES_MAX; i++) {
        uint64_t slot = table->slots[(prefetch->key.hash + i) & mask];
        uint32_t number = (uint32_t)slot - 1;
        if (slot == 0)
            return NULL;
        /* While holes are closed it may lie elsewhere: then this asked in vain. */
        if ((uint32_t)(slot >> 32) == prefetch->key.hash && number < table->end)
            return &table->entries[(size_t)number * stride];
    }
    return NULL;
}

static inline bool is_table(const struct hd_objects *objects, hd_value object)
{
    return hd_is_type(objects, object, HD_TYPE_DICT) || hd_is_type(objects, object, HD_TYPE_SET);
}

ASKS ask_payload(const struct hd_objects *objects, hd_value value)
{
    if (hd_value_is_ref(value))
        __builtin_prefetch(hd_gc_payload(objects->gc, value));
}

/* What an entry of a table holds: its key, and of a dict its value. */
#define ASK_ENTRY_WORDS(ask, objects, prefetch) \
    do { \
        ask(objects, (prefetch)->at[0]); \
        if (hd_is_type(objects, (prefetch)->object, HD_TYPE_DICT)) \
            ask(objects, (prefetch)->at[1]); \
    } while (0)

/* One step. False: there is nothing more to ask for. */
static inline __attribute__((always_inline)) bool step(struct hd_objects *objects, struct hd_prefetch *prefetch,
                                                       unsigned number)
{
    switch (number) {
    case 0:
        if (!prefetch->is_known)
            ask_entry(objects, prefetch->object);
        return true;
    case 1:
        if (!prefetch->is_known)
            ask_payload(objects, prefetch->object);
        return true;
    case 2:
        prefetch->at = ask_inside(objects, prefetch);
        break;
    case 3:
        if (is_table(objects, prefetch->object)) {
            prefetch->at = ask_by_slot(objects, prefetch);
            break;
        }
        ask_entry(objects, *prefetch->at);
        return true;
    case 4:
        if (!is_table(objects, prefetch->object)) {
            ask_payload(objects, *prefetch->at);
            return false;
        }
        if (hd_is_hole(prefetch->at[0]))
            return false;
        ASK_ENTRY_WORDS(ask_entry, objects, prefetch);
        return true;
    default:
        ASK_ENTRY_WORDS(ask_payload, objects, prefetch);
        return false;
    }
    if (prefetch->at)
        __builtin_prefetch(prefetch->at);
    return prefetch->at != NULL;
}

static inline __attribute__((always_inline)) unsigned pass(struct hd_objects *objects, struct hd_prefetch **wanted,
                                                           unsigned count, unsigned number)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++)
        if (step(objects, wanted[i], number))
            wanted[kept++] = wanted[i];
    return kept;
}

void hd_prefetch_all(struct hd_objects *objects, struct hd_prefetch **wanted, unsigned count)
{
    count = pass(objects, wanted, count, 0);
    count = pass(objects, wanted, count, 1);
    count = pass(objects, wanted, count, 2);
    count = pass(objects, wanted, count, 3);
    count = pass(objects, wanted, count, 4);
    (void)pass(objects, wanted, count, 5);
}
