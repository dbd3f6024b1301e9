#include "inspect/label.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hd_objects *objects_of(const struct hd_heap *heap)
{
    return (struct hd_objects *)(uintptr_t)&heap->objects; /* looked at only */
}

/* As much of UTF-8 text as fits, in whole characters. */
static size_t cut(const uint8_t *text, size_t size, size_t room)
{
    if (size <= room)
        return size;
    size_t count = room;
    while (count > 0 && (text[count] & 0xc0) == 0x80)
        count--;
    return count;
}

static uint32_t put_text(uint8_t out[HD_LABEL_BYTES], const char *text)
{
    size_t size = cut((const uint8_t *)text, strlen(text), HD_LABEL_BYTES);
    memcpy(out, text, size);
    return (uint32_t)size;
}

uint32_t hd_label_name(const struct hd_heap *heap, hd_value value, uint8_t out[HD_LABEL_BYTES])
{
    size_t size;
    const uint8_t *text = hd_bytes_view(objects_of(heap), &value, &size);
    size_t count = cut(text, size, HD_LABEL_BYTES);
    if (count)
        memcpy(out, text, count);
    return (uint32_t)count;
}

static uint32_t put_str(const struct hd_heap *heap, hd_value value, uint8_t out[HD_LABEL_BYTES])
{
    size_t size;
    const uint8_t *text = hd_bytes_view(objects_of(heap), &value, &size);
    size_t count = cut(text, size, HD_LABEL_BYTES - 5);
    uint32_t at = 0;
    out[at++] = '"';
    if (count)
        memcpy(out + at, text, count);
    at += (uint32_t)count;
    if (count < size)
        for (unsigned i = 0; i < 3; i++)
            out[at++] = '.';
    out[at++] = '"';
    return at;
}

uint32_t hd_label_value(const struct hd_heap *heap, hd_value value, uint8_t out[HD_LABEL_BYTES])
{
    struct hd_objects *objects = objects_of(heap);
    char text[HD_LABEL_BYTES];
    int64_t integer;
    switch (hd_kind_of(objects, value)) {
    case HD_IS_NONE:
        return put_text(out, "None");
    case HD_IS_BOOL:
        return put_text(out, value == HD_TRUE ? "True" : "False");
    case HD_IS_STR:
        return put_str(heap, value, out);
    case HD_IS_FLOAT:
        (void)snprintf(text, sizeof text, "%.17g", hd_float_get(objects, value));
        return put_text(out, text);
    case HD_IS_INT:
        if (hd_int_to_int64(objects, value, &integer)) {
            (void)snprintf(text, sizeof text, "%" PRId64, integer);
            return put_text(out, text);
        }
        return put_text(out, "a big int");
    default:
        (void)snprintf(text, sizeof text, "a %s", hd_kind_name(hd_kind_of(objects, value)));
        return put_text(out, text);
    }
}

static bool is_it(hd_value value, const struct hd_edge_search *search)
{
    return hd_value_is_ref(value) && hd_value_index(value) == search->to;
}

static bool done(struct hd_edge *out, enum hd_edge_kind kind, uint64_t number)
{
    *out = (struct hd_edge){.kind = kind, .number = number};
    return true;
}

static bool find_element(const struct hd_heap *heap, hd_value from, struct hd_edge_search *search, uint64_t units,
                         struct hd_edge *out)
{
    const struct hd_objects *objects = objects_of(heap);
    bool is_list = hd_kind_of(objects, from) == HD_IS_LIST;
    uint32_t length = is_list ? hd_list_length(objects, from) : hd_tuple_length(objects, from);
    for (uint64_t i = 0; i < units; i++, search->position++) {
        if (search->position >= length)
            return done(out, HD_EDGE_UNKNOWN, 0);
        uint32_t position = (uint32_t)search->position;
        hd_value value = is_list ? hd_list_at(objects, from, position) : hd_tuple_at(objects, from, position);
        if (is_it(value, search))
            return done(out, HD_EDGE_INDEX, position);
    }
    return false;
}

static bool find_entry(const struct hd_heap *heap, hd_value from, struct hd_edge_search *search, uint64_t units,
                       struct hd_edge *out)
{
    const struct hd_objects *objects = objects_of(heap);
    bool is_dict = hd_kind_of(objects, from) == HD_IS_DICT;
    uint32_t position = (uint32_t)search->position;
    for (uint64_t i = 0; i < units; i++) {
        hd_value key, value;
        if (!hd_dict_next(objects, from, &position, &key, &value))
            return done(out, HD_EDGE_UNKNOWN, 0);
        if (is_dict && is_it(value, search)) {
            *out = (struct hd_edge){.kind = HD_EDGE_KEY};
            out->text_bytes = hd_label_value(heap, key, out->text);
            return true;
        }
        if (is_it(key, search))
            return done(out, is_dict ? HD_EDGE_IS_KEY : HD_EDGE_MEMBER, 0);
    }
    search->position = position;
    return false;
}

static bool find_attribute(const struct hd_heap *heap, hd_value from, const struct hd_edge_search *search,
                           struct hd_edge *out)
{
    const struct hd_objects *objects = objects_of(heap);
    uint32_t position = 0;
    hd_value name, value;
    if (is_it(hd_instance_class(objects, from), search))
        return done(out, HD_EDGE_CLASS, 0);
    while (hd_instance_next(objects, from, &position, &name, &value)) {
        if (!is_it(value, search))
            continue;
        *out = (struct hd_edge){.kind = HD_EDGE_ATTRIBUTE};
        out->text_bytes = hd_label_name(heap, name, out->text);
        return true;
    }
    return done(out, HD_EDGE_UNKNOWN, 0);
}

static bool find_in_scope(const struct hd_heap *heap, hd_value from, const struct hd_edge_search *search,
                          struct hd_edge *out)
{
    const struct hd_objects *objects = objects_of(heap);
    if (is_it(hd_scope_names(objects, from), search))
        return done(out, HD_EDGE_NAMES, 0);
    return done(out, is_it(hd_scope_parent(objects, from), search) ? HD_EDGE_PARENT : HD_EDGE_UNKNOWN, 0);
}

/* Types that have no better way: the number of the reference, and of a class, what it is. */
static bool find_part(const struct hd_heap *heap, struct hd_edge_search *search, uint64_t units, struct hd_edge *out)
{
    static const char *const class_parts[] = {"name", "superclass", "layout", "attributes"};
    const struct hd_gc *gc = &heap->gc;
    unsigned type = hd_table_type(&heap->table, search->from);
    struct hd_refs refs = {.span_count = 0};
    gc->types[type]->traverse(gc, hd_table_payload(&heap->table, search->from), &refs);
    uint64_t before = 0;
    if (refs.hidden == search->to)
        return done(out, HD_EDGE_PART, 0);
    for (unsigned i = 0; i < refs.span_count; before += refs.spans[i].count, i++) {
        while (search->position - before < refs.spans[i].count) {
            if (units-- == 0)
                return false;
            uint64_t offset = search->position - before;
            if (is_it(refs.spans[i].words[offset], search)) {
                (void)done(out, HD_EDGE_PART, search->position);
                if (type == HD_TYPE_CLASS && offset < 4)
                    out->text_bytes = put_text(out->text, class_parts[offset]);
                return true;
            }
            search->position++;
        }
    }
    return done(out, HD_EDGE_UNKNOWN, 0);
}

bool hd_edge_find(const struct hd_heap *heap, struct hd_edge_search *search, uint64_t units, uint64_t *used,
                  struct hd_edge *out)
{
    uint64_t before = search->position;
    bool found;
    if (!hd_table_bit(heap->table.inner, search->from)) {
        *used = 1;
        return done(out, HD_EDGE_UNKNOWN, 0);
    }
    hd_value from = hd_value_ref(search->from, false);
    switch (hd_kind_of(&heap->objects, from)) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
        found = find_element(heap, from, search, units, out);
        break;
    case HD_IS_DICT:
    case HD_IS_SET:
        found = find_entry(heap, from, search, units, out);
        break;
    case HD_IS_INSTANCE:
        found = find_attribute(heap, from, search, out);
        break;
    case HD_IS_SCOPE:
        found = find_in_scope(heap, from, search, out);
        break;
    default:
        found = find_part(heap, search, units, out);
        break;
    }
    *used = search->position - before + 8;
    return found;
}
