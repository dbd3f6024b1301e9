#include "inspect/export.h"

static bool is_alive(const struct hd_snapshot *s, uint32_t node)
{
    const struct hd_table *table = &s->heap->table;
    return hd_table_find(table, hd_snapshot_identity(s, node)) && !(table->state[node] & HD_STATE_DYING);
}

/* Edges are met in the order in which they were read; `next` is the one that is looked for. */
struct naming {
    const struct hd_snapshot *snapshot;
    uint32_t node;
    uint32_t next; /* number of the edge */
    uint32_t from, count;
    struct hd_named_edge *out;
};

/* The object holds `value` here: if that is the next edge, it has a name. False: they do not agree, it has changed. */
static bool meet(struct naming *naming, hd_value value, enum hd_edge_kind kind, uint64_t number, hd_value text)
{
    const struct hd_snapshot *s = naming->snapshot;
    if (!hd_value_is_ref(value))
        return true;
    if (naming->next >= s->node[naming->node].count ||
        s->edges[s->node[naming->node].first + naming->next] != hd_value_index(value))
        return false;
    uint32_t at = naming->next++;
    if (at < naming->from || at - naming->from >= naming->count)
        return true;
    struct hd_edge *edge = &naming->out[at - naming->from].edge;
    *edge = (struct hd_edge){.kind = kind, .number = number};
    if (text != HD_ABSENT && kind == HD_EDGE_KEY)
        edge->text_bytes = hd_label_value(s->heap, text, edge->text);
    else if (text != HD_ABSENT)
        edge->text_bytes = hd_label_name(s->heap, text, edge->text);
    return true;
}

static void name_elements(struct naming *naming, hd_value object, bool is_list)
{
    const struct hd_objects *objects = &naming->snapshot->heap->objects;
    uint32_t length = is_list ? hd_list_length(objects, object) : hd_tuple_length(objects, object);
    uint32_t end = naming->from + naming->count;
    for (uint32_t i = 0; i < length && i < 4 * HD_EXPORT_NAMED && naming->next < end; i++) {
        hd_value value = is_list ? hd_list_at(objects, object, i) : hd_tuple_at(objects, object, i);
        if (!meet(naming, value, HD_EDGE_INDEX, i, HD_ABSENT))
            return;
    }
}

static void name_entries(struct naming *naming, hd_value object, bool is_dict)
{
    const struct hd_objects *objects = &naming->snapshot->heap->objects;
    uint32_t position = 0, end = naming->from + naming->count;
    hd_value key, value;
    for (uint32_t i = 0; i < HD_EXPORT_NAMED && naming->next < end; i++) {
        if (!hd_dict_next(objects, object, &position, &key, &value))
            return;
        if (!meet(naming, key, is_dict ? HD_EDGE_IS_KEY : HD_EDGE_MEMBER, i, HD_ABSENT) ||
            (is_dict && !meet(naming, value, HD_EDGE_KEY, i, key)))
            return;
    }
}

static void name_attributes(struct naming *naming, hd_value object)
{
    const struct hd_objects *objects = &naming->snapshot->heap->objects;
    uint32_t position = 0;
    hd_value name, value;
    while (hd_instance_next(objects, object, &position, &name, &value))
        if (!meet(naming, value, HD_EDGE_ATTRIBUTE, 0, name))
            return;
    (void)meet(naming, hd_instance_class(objects, object), HD_EDGE_CLASS, 0, HD_ABSENT);
}

static void name_scope(struct naming *naming, hd_value object)
{
    const struct hd_objects *objects = &naming->snapshot->heap->objects;
    if (meet(naming, hd_scope_names(objects, object), HD_EDGE_NAMES, 0, HD_ABSENT))
        (void)meet(naming, hd_scope_parent(objects, object), HD_EDGE_PARENT, 0, HD_ABSENT);
}

void hd_export_edges(const struct hd_snapshot *s, uint32_t node, uint32_t from, uint32_t count,
                     struct hd_named_edge *out)
{
    struct naming naming = {.snapshot = s, .node = node, .from = from, .count = count, .out = out};
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct hd_named_edge){.target = s->edges[s->node[node].first + from + i],
                                        .edge = {.kind = HD_EDGE_PART, .number = from + i}};
    if (count == 0 || from >= HD_EXPORT_NAMED || !is_alive(s, node))
        return;
    hd_value object = hd_value_ref(node, false);
    switch (hd_kind_of(&s->heap->objects, object)) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
        name_elements(&naming, object, hd_kind_of(&s->heap->objects, object) == HD_IS_LIST);
        break;
    case HD_IS_DICT:
    case HD_IS_SET:
        name_entries(&naming, object, hd_kind_of(&s->heap->objects, object) == HD_IS_DICT);
        break;
    case HD_IS_INSTANCE:
        name_attributes(&naming, object);
        break;
    case HD_IS_SCOPE:
        name_scope(&naming, object);
        break;
    default:
        break;
    }
}

uint32_t hd_export_name(const struct hd_snapshot *s, uint32_t node, uint8_t out[HD_LABEL_BYTES])
{
    const struct hd_heap *heap = s->heap;
    if (!is_alive(s, node))
        return 0;
    hd_value object = hd_value_ref(node, !hd_table_bit(heap->table.inner, node));
    switch (hd_kind_of(&heap->objects, object)) {
    case HD_IS_STR:
        return hd_label_name(heap, object, out);
    case HD_IS_CLASS:
        return hd_label_name(heap, hd_class_name(&heap->objects, object), out);
    case HD_IS_INSTANCE:
        return hd_label_name(heap, hd_class_name(&heap->objects, hd_instance_class(&heap->objects, object)), out);
    default:
        return 0;
    }
}
