/*
 * A little that goes into a large table, without copying the table: it is read into
 * a table of its own, looked up with room made for it, and then put in or taken out
 * at once, which cannot fail any more.
 */
#include "object/combine_small.h"

#include "object/hash_table.h"
#include "object/payload.h"
#include "object/undo.h"

enum { TARGET, OTHERS };

/* What was found of one entry: its key's hash, and the key that is there, or HD_ABSENT. */
struct found {
    uint64_t hash;
    hd_value key;
};
_Static_assert(sizeof(struct found) == 2 * sizeof(hd_value), "two words of scratch");

static struct hd_hash_table *table_of(const struct hd_objects *objects, hd_value table)
{
    return hd_gc_payload(objects->gc, table);
}

/* All others together, or more than HD_COMBINE_RATHER. A str's length is that of its bytes, near enough. */
static uint64_t count_others(const struct hd_combine *combine)
{
    struct hd_objects *objects = combine->work.objects;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < combine->count && sum <= HD_COMBINE_RATHER; i++) {
        hd_value other = hd_tuple_at(objects, combine->work.held[OTHERS], i);
        size_t size;
        enum hd_kind_of_value kind = hd_kind_of(objects, other);
        if (kind == HD_IS_STR || kind == HD_IS_BYTES) {
            (void)hd_bytes_view(objects, &other, &size);
            sum += size;
        } else {
            sum += hd_source_length(objects, other);
        }
    }
    return sum;
}

static int gather_one(struct hd_combine *combine, hd_value other, hd_value aside)
{
    struct hd_objects *objects = combine->work.objects;
    struct hd_source source;
    hd_value first, second;
    int error = hd_source_begin(objects, other, HD_VIEW_KEYS, false, &source);
    while (!error && hd_source_next(objects, &source, &first, &second)) {
        if (combine->is_dict && second == HD_ABSENT)
            error = hd_pair_of(objects, first, &first, &second);
        struct hd_key key = hd_key_of(first);
        if (!error)
            error = hd_table_put(objects, aside, &key, second, false);
    }
    return error;
}

/* What comes, each once (new). */
static int gather(struct hd_combine *combine, hd_value *out)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value aside, only = combine->count == 1 ? hd_tuple_at(objects, combine->work.held[OTHERS], 0) : HD_ABSENT;
    /* A table that is not the target itself is that already. */
    bool fits =
        hd_is_type(objects, only, HD_TYPE_DICT) ||
        (!combine->is_dict && (hd_is_type(objects, only, HD_TYPE_SET) || hd_is_type(objects, only, HD_TYPE_FROZENSET)));
    if (fits && only != combine->work.held[TARGET]) {
        *out = hd_gc_retain(objects->gc, only);
        return 0;
    }
    int error = combine->is_dict ? hd_dict_new(objects, 0, &aside) : hd_set_new(objects, 0, &aside);
    if (error)
        return error;
    for (uint32_t i = 0; !error && i < combine->count; i++)
        error = gather_one(combine, hd_tuple_at(objects, combine->work.held[OTHERS], i), aside);
    if (error)
        hd_gc_release(objects->gc, aside);
    else
        *out = aside;
    return error;
}

/* Finds each key of `aside` in the target. */
static int look_up(struct hd_combine *combine, hd_value aside, struct found *found)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value target = combine->work.held[TARGET], first, second;
    unsigned stride = combine->is_dict ? 2 : 1;
    uint32_t position = 0;
    for (size_t i = 0; hd_dict_next(objects, aside, &position, &first, &second); i++) {
        struct hd_key key = hd_key_of(first);
        uint32_t entry;
        int error = hd_hash_table_find(objects, table_of(objects, target), stride, &key, &entry);
        if (error)
            return error;
        found[i].hash = key.hash;
        found[i].key = entry == HD_ENTRY_NONE ? HD_ABSENT : table_of(objects, target)->entries[(size_t)entry * stride];
    }
    return 0;
}

static void put_in(struct hd_combine *combine, hd_value key_value, hd_value value, const struct found *found)
{
    struct hd_objects *objects = combine->work.objects;
    struct hd_gc *gc = objects->gc;
    hd_value target = combine->work.held[TARGET];
    unsigned stride = combine->is_dict ? 2 : 1;
    struct hd_hash_table *table = table_of(objects, target);
    if (found->key != HD_ABSENT) {
        uint32_t entry = hd_hash_table_locate(table, stride, (uint32_t)found->hash, found->key);
        if (stride == 2)
            hd_gc_store(gc, hd_value_index(target), &table->entries[(size_t)entry * 2 + 1], hd_gc_retain(gc, value));
        return;
    }
    struct hd_key key = hd_key_of(key_value);
    key.hash = (uint32_t)found->hash;
    key.hashed = true;
    int error = hd_hash_table_add(objects, target, stride, &key, hd_gc_retain(gc, key_value),
                                  stride == 2 ? hd_gc_retain(gc, value) : HD_ABSENT);
    assert(!error); /* there is room */
    (void)error;
}

static void take_out(struct hd_combine *combine, const struct found *found)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value target = combine->work.held[TARGET], taken, none;
    struct hd_key key = hd_key_of(found->key);
    key.hash = (uint32_t)found->hash;
    key.hashed = true;
    uint32_t entry = hd_hash_table_locate(table_of(objects, target), 1, key.hash, found->key);
    hd_hash_table_take(objects, target, 1, &key, entry, &taken, &none);
    hd_gc_release(objects->gc, taken);
}

static void apply(struct hd_combine *combine, hd_value aside, const struct found *found)
{
    struct hd_objects *objects = combine->work.objects;
    enum hd_set_operation operation = combine->operation;
    uint32_t position = 0;
    hd_value key, value;
    for (size_t i = 0; hd_dict_next(objects, aside, &position, &key, &value); i++) {
        bool there = found[i].key != HD_ABSENT;
        if (there && operation != HD_SET_UNION)
            take_out(combine, &found[i]);
        else if (operation != HD_SET_DIFFERENCE)
            put_in(combine, key, value, &found[i]);
    }
}

/* The same so that it can be undone. It may fail in the midst: whoever has a log open rolls all of it back then. */
static int apply_noted(struct hd_combine *combine, hd_value aside, const struct found *found)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value target = combine->work.held[TARGET], key_value, value;
    enum hd_set_operation operation = combine->operation;
    uint32_t position = 0;
    bool unused;
    for (size_t i = 0; hd_dict_next(objects, aside, &position, &key_value, &value); i++) {
        struct hd_key key = hd_key_of(key_value);
        int error = 0;
        if (found[i].key != HD_ABSENT && operation != HD_SET_UNION) {
            error = hd_set_discard(objects, target, &key, &unused);
        } else if (operation != HD_SET_DIFFERENCE && combine->is_dict) {
            error = hd_dict_set(objects, target, &key, hd_gc_retain(objects->gc, value));
            if (error)
                hd_gc_release(objects->gc, value);
        } else if (operation != HD_SET_DIFFERENCE) {
            error = hd_set_add(objects, target, &key, &unused);
        }
        if (error)
            return error;
    }
    return 0;
}

int hd_combine_small(struct hd_combine *combine)
{
    struct hd_objects *objects = combine->work.objects;
    uint64_t coming = count_others(combine), there = hd_dict_length(objects, combine->work.held[TARGET]);
    bool is_small = coming <= HD_COMBINE_AT_ONCE || (coming <= HD_COMBINE_RATHER && there / HD_COMBINE_SHARE > coming);
    if (combine->operation == HD_SET_INTERSECTION || !is_small)
        return 0;
    hd_value aside;
    int error = gather(combine, &aside);
    if (error)
        return error;
    uint32_t count = hd_dict_length(objects, aside);
    hd_value *scratch = hd_scratch_new(objects, (size_t)count * 2);
    error = scratch ? 0 : HD_ENOMEM;
    /* Room first, since making it may move entries. */
    bool is_noted = hd_undo_is_open(objects);
    if (!error && combine->operation != HD_SET_DIFFERENCE && !is_noted)
        error = hd_dict_reserve(objects, combine->work.held[TARGET], count);
    if (!error)
        error = look_up(combine, aside, (struct found *)scratch);
    if (!error && is_noted)
        error = apply_noted(combine, aside, (const struct found *)scratch);
    else if (!error)
        apply(combine, aside, (const struct found *)scratch);
    objects->work_units += count;
    hd_scratch_free(objects, scratch);
    hd_gc_release(objects->gc, aside);
    return error ? error : 1;
}
