/* Going through containers. */
#include "object/source.h"

#include "object/hash_table.h"
#include "object/payload.h"

/* The table in which a container of names has them, or HD_ABSENT. */
static hd_value table_of(const struct hd_objects *objects, hd_value container)
{
    switch (hd_kind_of(objects, container)) {
    case HD_IS_DICT:
    case HD_IS_SET:
    case HD_IS_FROZENSET:
        return container;
    case HD_IS_CLASS:
        return ((const struct hd_class *)hd_gc_payload(objects->gc, container))->attributes;
    case HD_IS_SCOPE:
        return hd_scope_is_closed(objects, container) ? HD_ABSENT : hd_scope_names(objects, container);
    default:
        return HD_ABSENT;
    }
}

/* Of a list or tuple. */
static uint32_t length_of(const struct hd_objects *objects, hd_value sequence)
{
    return hd_is_type(objects, sequence, HD_TYPE_LIST) ? hd_list_length(objects, sequence)
                                                       : hd_tuple_length(objects, sequence);
}

int hd_source_begin(const struct hd_objects *objects, hd_value container, enum hd_view view, bool reversed,
                    struct hd_source *out)
{
    bool pairs = false, reversible = false;
    switch (hd_kind_of(objects, container)) {
    case HD_IS_DICT:
        reversible = true;
        pairs = true;
        break;
    case HD_IS_INSTANCE:
    case HD_IS_CLASS:
    case HD_IS_SCOPE:
        pairs = true;
        break;
    case HD_IS_LIST:
    case HD_IS_TUPLE:
        reversible = true;
        break;
    case HD_IS_SET:
    case HD_IS_FROZENSET:
    case HD_IS_STR:
    case HD_IS_BYTES:
        break;
    default:
        return HD_ETYPE;
    }
    if ((view != HD_VIEW_KEYS && !pairs) || (reversed && !reversible))
        return HD_ETYPE;
    *out = (struct hd_source){.container = container, .reversed = reversed};
    if (reversed && hd_kind_of(objects, container) != HD_IS_DICT)
        out->from = length_of(objects, container);
    return 0;
}

static bool next_backward(const struct hd_objects *objects, struct hd_source *source, hd_value table, hd_value *first,
                          hd_value *second)
{
    const struct hd_hash_table *entries = hd_gc_payload(objects->gc, table);
    uint32_t entry = hd_hash_table_previous(entries, 2, entries->end - source->position);
    if (entry == HD_ENTRY_NONE)
        return false;
    source->position = entries->end - entry;
    *first = entries->entries[(size_t)entry * 2];
    *second = entries->entries[(size_t)entry * 2 + 1];
    return true;
}

static bool next_of_sequence(const struct hd_objects *objects, struct hd_source *source, bool is_list, hd_value *out)
{
    uint32_t length = length_of(objects, source->container);
    uint32_t at = source->reversed ? source->from - 1 - source->position : source->position;
    if (at >= length || (source->reversed && source->position >= source->from))
        return false;
    source->position++;
    *out = is_list ? hd_list_at(objects, source->container, at) : hd_tuple_at(objects, source->container, at);
    return true;
}

static bool next_of_bytes(const struct hd_objects *objects, struct hd_source *source, bool is_str, hd_value *out)
{
    size_t size;
    const uint8_t *bytes = hd_bytes_view(objects, &source->container, &size);
    if (source->position >= size)
        return false;
    const uint8_t *at = bytes + source->position;
    if (!is_str) {
        source->position++;
        *out = hd_value_int(*at);
        return true;
    }
    unsigned length = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4; /* it is valid */
    source->position += length;
    *out = hd_value_short(HD_TAG_STR, at, length);
    return true;
}

bool hd_source_next(const struct hd_objects *objects, struct hd_source *source, hd_value *first, hd_value *second)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, source->container);
    *second = HD_ABSENT;
    switch (kind) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
        return next_of_sequence(objects, source, kind == HD_IS_LIST, first);
    case HD_IS_STR:
    case HD_IS_BYTES:
        return next_of_bytes(objects, source, kind == HD_IS_STR, first);
    case HD_IS_INSTANCE:
        return hd_instance_next(objects, source->container, &source->position, first, second);
    default:
        break;
    }
    hd_value table = table_of(objects, source->container);
    if (table == HD_ABSENT)
        return false;
    if (source->reversed)
        return next_backward(objects, source, table, first, second);
    return hd_dict_next(objects, table, &source->position, first, second);
}

uint64_t hd_source_length(struct hd_objects *objects, hd_value container)
{
    uint64_t length = 0;
    if (hd_kind_of(objects, container) == HD_IS_CLASS) {
        hd_value table = table_of(objects, container);
        return table == HD_ABSENT ? 0 : hd_dict_length(objects, table);
    }
    return hd_length(objects, container, &length) ? 0 : length;
}

uint64_t hd_source_version(const struct hd_objects *objects, hd_value container)
{
    if (hd_kind_of(objects, container) == HD_IS_INSTANCE)
        return hd_instance_length(objects, container);
    hd_value table = table_of(objects, container);
    if (table == HD_ABSENT)
        return 0;
    const struct hd_hash_table *entries = hd_gc_payload(objects->gc, table);
    return (uint64_t)entries->version << 32 | entries->count;
}
