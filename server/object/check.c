/* The invariants of each type's payload. */
#include "common/utf8.h"
#include "object/hash_table.h"
#include "object/object.h"
#include "object/payload.h"
#include "object/sync.h"

static const char *check_int(const struct hd_int *big)
{
    if (big->limb_count == 0 || big->limbs[big->limb_count - 1] == 0)
        return "int: no leading zero limbs";
    if (big->limb_count == 1 && big->limbs[0] <= (uint64_t)HD_INT_MAX + big->negative)
        return "int: what fits inline is inline";
    return NULL;
}

static const char *check_list(const struct hd_list *list)
{
    if ((uint64_t)list->head + list->length > list->capacity)
        return "list: head + length <= capacity";
    if (sizeof *list + (size_t)list->capacity * sizeof(hd_value) > hd_alloc_usable(list))
        return "list: capacity fits the block";
    for (uint32_t i = 0; i < list->length; i++)
        if (list->items[list->head + i] == HD_ABSENT)
            return "list: no element is absent";
    return NULL;
}

const char *hd_object_check(struct hd_objects *objects, hd_value object)
{
    const void *payload = hd_gc_payload(objects->gc, object);
    hd_value unused;
    switch ((enum hd_type)hd_gc_type(objects->gc, object)) {
    case HD_TYPE_INT:
        return check_int(payload);
    case HD_TYPE_FLOAT:
        return hd_value_from_double(((const struct hd_float *)payload)->real, &unused)
                   ? "float: what fits inline is inline"
                   : NULL;
    case HD_TYPE_STR: {
        const struct hd_str *str = payload;
        if (!hd_utf8_valid(str->bytes, str->size))
            return "str: valid UTF-8";
        return str->size <= HD_INLINE_BYTES_MAX ? "str: what fits inline is inline" : NULL;
    }
    case HD_TYPE_BYTES:
        return ((const struct hd_str *)payload)->size <= HD_INLINE_BYTES_MAX ? "bytes: what fits inline is inline"
                                                                             : NULL;
    case HD_TYPE_LIST:
        return check_list(payload);
    case HD_TYPE_DICT:
        return hd_hash_table_check(objects, payload, 2);
    case HD_TYPE_SET:
    case HD_TYPE_FROZENSET:
        return hd_hash_table_check(objects, payload, 1);
    case HD_TYPE_CLASS: {
        const struct hd_class *class = payload;
        if (objects->class_indices[class->id] != hd_value_index(object))
            return "class: its id leads to it";
        return class->layout_count == hd_dict_length(objects, class->layout) ? NULL : "class: layout_count";
    }
    default:
        return hd_sync_check(objects, object);
    }
}
