/* What can be asked of an object whatever its type: the type decides. */
#include <string.h>

#include "common/utf8.h"
#include "object/bulk.h"
#include "object/hash_table.h"
#include "object/object.h"
#include "object/payload.h"
#include "object/sequence.h"
#include "object/sync.h"
#include "object/undo.h"

/* Python's index from a key: an int or a bool. One that fits no list is out of any range. */
static int index_of(const struct hd_objects *objects, const struct hd_key *key, int64_t *out)
{
    if (key->value == HD_TRUE || key->value == HD_FALSE) {
        *out = key->value == HD_TRUE;
        return 0;
    }
    if (key->value == HD_ABSENT || hd_kind_of(objects, key->value) != HD_IS_INT)
        return HD_ETYPE;
    return hd_int_to_int64(objects, key->value, out) ? 0 : HD_EINDEX;
}

static int tuple_get(struct hd_objects *objects, hd_value tuple, int64_t index, hd_value *out)
{
    int64_t length = hd_tuple_length(objects, tuple);
    if (index < 0)
        index += length;
    if (index < 0 || index >= length)
        return HD_EINDEX;
    *out = hd_gc_retain(objects->gc, hd_tuple_at(objects, tuple, (uint32_t)index));
    return 0;
}

int hd_get_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_DICT)
        return hd_dict_get(objects, object, key, out);
    if (kind != HD_IS_LIST && kind != HD_IS_TUPLE)
        return HD_ETYPE;
    int64_t index;
    int error = index_of(objects, key, &index);
    if (error)
        return error;
    return kind == HD_IS_LIST ? hd_list_get(objects, object, index, out) : tuple_get(objects, object, index, out);
}

int hd_set_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value value)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_DICT)
        return hd_dict_set(objects, object, key, value);
    if (kind != HD_IS_LIST)
        return HD_ETYPE;
    int64_t index;
    int error = index_of(objects, key, &index);
    return error ? error : hd_list_set(objects, object, index, value);
}

static int pop_last(struct hd_objects *objects, hd_value object, enum hd_kind_of_value kind, hd_value *out)
{
    if (kind == HD_IS_LIST)
        return hd_list_pop(objects, object, -1, out);
    if (kind == HD_IS_SET)
        return hd_dict_pop_last(objects, object, out, NULL);
    if (kind != HD_IS_DICT)
        return HD_ETYPE;
    hd_value key;
    int error = hd_dict_pop_last(objects, object, &key, out);
    if (!error)
        hd_gc_release(objects->gc, key);
    return error;
}

int hd_pop_item(struct hd_objects *objects, hd_value object, struct hd_key *key, hd_value *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    hd_value taken;
    int error;
    if (!key) {
        error = pop_last(objects, object, kind, &taken);
    } else if (kind == HD_IS_DICT) {
        error = hd_dict_pop(objects, object, key, &taken);
    } else if (kind == HD_IS_LIST) {
        int64_t index;
        error = index_of(objects, key, &index);
        if (!error)
            error = hd_list_pop(objects, object, index, &taken);
    } else {
        error = HD_ETYPE;
    }
    if (error)
        return error;
    if (out)
        *out = taken;
    else
        hd_gc_release(objects->gc, taken);
    return 0;
}

/* An element of a list or tuple, which may be a container itself, or a part of a str or bytes. */
static int look_through(struct hd_objects *objects, hd_value object, struct hd_key *key, bool *out)
{
    const struct hd_range whole = {0};
    struct hd_search search;
    hd_value what;
    int error = hd_key_to_value(objects, key, &what);
    if (error)
        return error;
    error = hd_search_begin(objects, object, HD_SEARCH_CONTAINS, what, &whole, &search);
    hd_gc_release(objects->gc, what);
    if (error)
        return error;
    error = hd_work_finish(&search.work);
    if (!error)
        *out = search.work.truth;
    hd_work_fini(&search.work);
    return error;
}

int hd_contains(struct hd_objects *objects, hd_value object, struct hd_key *key, bool *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_DICT || kind == HD_IS_SET || kind == HD_IS_FROZENSET)
        return hd_dict_contains(objects, object, key, out);
    return look_through(objects, object, key, out);
}

int hd_length(struct hd_objects *objects, hd_value object, uint64_t *out)
{
    size_t size;
    switch (hd_kind_of(objects, object)) {
    case HD_IS_STR: {
        const uint8_t *bytes = hd_bytes_view(objects, &object, &size);
        *out = hd_utf8_length(bytes, size);
        hd_objects_worked(objects, size);
        return 0;
    }
    case HD_IS_BYTES:
        hd_bytes_view(objects, &object, &size);
        *out = size;
        return 0;
    case HD_IS_LIST:
        *out = hd_list_length(objects, object);
        return 0;
    case HD_IS_TUPLE:
        *out = hd_tuple_length(objects, object);
        return 0;
    case HD_IS_DICT:
    case HD_IS_SET:
    case HD_IS_FROZENSET:
        *out = hd_dict_length(objects, object);
        return 0;
    case HD_IS_INSTANCE:
        *out = hd_instance_length(objects, object);
        return 0;
    case HD_IS_BUFFER:
        *out = hd_bulk_bytes(objects, object);
        return 0;
    case HD_IS_SCOPE:
        *out = hd_scope_is_closed(objects, object) ? 0 : hd_dict_length(objects, hd_scope_names(objects, object));
        return 0;
    case HD_IS_QUEUE: {
        struct hd_sync_info info;
        hd_sync_inspect(objects, object, &info);
        *out = info.value;
        return 0;
    }
    default:
        return HD_ETYPE;
    }
}

/*
 * The contents change places with those of a new, empty object, which is then
 * released: freeing ten million elements is left to the queue of the dead.
 */
static int clear_by_exchange(struct hd_objects *objects, hd_value object, hd_value empty)
{
    int error = hd_undo_prepare(objects);
    if (!error) {
        hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_CLEARED, .owner = object, .value = empty});
        hd_table_exchange(objects, object, empty);
    }
    hd_gc_release(objects->gc, empty);
    return error;
}

int hd_clear(struct hd_objects *objects, hd_value object)
{
    hd_value empty;
    int error;
    switch (hd_kind_of(objects, object)) {
    case HD_IS_LIST:
        error = hd_list_new(objects, 0, &empty);
        break;
    case HD_IS_DICT:
        error = hd_dict_new(objects, 0, &empty);
        break;
    case HD_IS_SET:
        error = hd_set_new(objects, 0, &empty);
        break;
    default:
        return HD_ETYPE;
    }
    return error ? error : clear_by_exchange(objects, object, empty);
}

uint64_t hd_shallow_bytes(const struct hd_objects *objects, hd_value object)
{
    if (!hd_value_is_ref(object))
        return 0;
    const void *payload = hd_gc_payload(objects->gc, object);
    uint64_t bytes = hd_alloc_usable(payload);
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_DICT || kind == HD_IS_SET || kind == HD_IS_FROZENSET)
        bytes += hd_hash_table_bytes(payload);
    else if (kind == HD_IS_BUFFER)
        bytes += hd_bulk_bytes(objects, object);
    return bytes;
}
