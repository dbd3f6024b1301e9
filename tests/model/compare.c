/* The engine beside the model: contents and numbers. */
#include "model.h"

#include <string.h>

static void compare_sequence(const struct model_object *object, struct hd_objects *objects)
{
    bool is_list = object->kind == HD_IS_LIST;
    uint32_t length = is_list ? hd_list_length(objects, object->word) : hd_tuple_length(objects, object->word);
    MODEL_ASSERT(length == object->count);
    for (uint32_t i = 0; i < length; i++) {
        hd_value word = is_list ? hd_list_at(objects, object->word, i) : hd_tuple_at(objects, object->word, i);
        MODEL_ASSERT(word == object->items[i].word);
    }
}

static void compare_table(const struct model_object *object, struct hd_objects *objects)
{
    uint32_t stride = object->kind == HD_IS_DICT ? 2 : 1, position = 0, seen = 0;
    hd_value key, value;
    MODEL_ASSERT(hd_dict_length(objects, object->word) == object->count / stride);
    while (hd_dict_next(objects, object->word, &position, &key, &value)) {
        MODEL_ASSERT(seen < object->count);
        MODEL_ASSERT(key == object->items[seen].word);
        MODEL_ASSERT(stride == 1 ? value == HD_ABSENT : value == object->items[seen + 1].word);
        seen += stride;
    }
    MODEL_ASSERT(seen == object->count);
}

static void compare_instance(const struct model *model, const struct model_object *object, struct hd_objects *objects)
{
    const struct model_object *class_object = model_at(model, object->owner);
    MODEL_ASSERT(hd_instance_class(objects, object->word) == class_object->word);
    uint32_t position = 0, at = 0, set = 0;
    hd_value name, value;
    while (hd_instance_next(objects, object->word, &position, &name, &value)) {
        while (at < object->count && object->items[at].word == HD_ABSENT)
            at++;
        MODEL_ASSERT(at < object->count);
        MODEL_ASSERT(name == class_object->names[at]);
        MODEL_ASSERT(value == object->items[at].word);
        at++;
        set++;
    }
    for (; at < object->count; at++)
        MODEL_ASSERT(object->items[at].word == HD_ABSENT);
    MODEL_ASSERT(hd_instance_length(objects, object->word) == set);
}

static void compare_class(const struct model_object *object, struct hd_objects *objects)
{
    MODEL_ASSERT(hd_class_name(objects, object->word) == object->name.word);
    for (uint32_t i = 0; i < object->own_count; i += 2) {
        struct hd_key key = hd_key_of(object->own[i].word);
        hd_value value = HD_ABSENT;
        MODEL_ASSERT(hd_attribute_get(objects, object->word, &key, &value) == 0);
        MODEL_ASSERT(value == object->own[i + 1].word);
        hd_gc_release(objects->gc, value);
    }
}

static void compare_names(const struct model_value *names, uint32_t count, const struct hd_heap *heap, hd_value scope)
{
    uint32_t position = 0, seen = 0;
    hd_value name, value;
    while (hd_heap_next_name(heap, scope, &position, &name, &value)) {
        MODEL_ASSERT(seen < count);
        MODEL_ASSERT(name == names[seen].word);
        MODEL_ASSERT(value == names[seen + 1].word);
        seen += 2;
    }
    MODEL_ASSERT(seen == count);
}

static void compare_scope(const struct model *model, const struct model_object *object, const struct hd_heap *heap)
{
    MODEL_ASSERT(hd_scope_is_closed(&heap->objects, object->word) == object->closed);
    if (object->closed)
        return;
    hd_value parent = hd_scope_parent(&heap->objects, object->word);
    MODEL_ASSERT(parent == (object->owner ? model_at(model, object->owner)->word : HD_ABSENT));
    compare_names(object->items, object->count, heap, object->word);
}

static void compare_leaf(const struct model_object *object, const struct hd_objects *objects)
{
    const struct model_scalar *scalar = &object->scalar;
    if (scalar->kind == HD_IS_STR || scalar->kind == HD_IS_BYTES) {
        size_t size;
        const uint8_t *bytes = hd_bytes_view(objects, &object->word, &size);
        MODEL_ASSERT(size == scalar->size && memcmp(bytes, scalar->bytes, size) == 0);
    } else if (scalar->kind == HD_IS_FLOAT) {
        double real = hd_float_get(objects, object->word);
        MODEL_ASSERT(memcmp(&real, &scalar->real, sizeof real) == 0);
    } else {
        int64_t integer;
        MODEL_ASSERT(hd_int_to_int64(objects, object->word, &integer) == !scalar->big);
        MODEL_ASSERT(scalar->big || integer == scalar->integer);
    }
}

void model_compare(struct model *model, struct hd_heap *heap)
{
    struct hd_objects *objects = &heap->objects;
    model_reach(model);
    for (uint32_t i = 1; i < model->object_count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->used)
            continue;
        uint32_t index = hd_table_find(&heap->table, object->identity);
        MODEL_ASSERT(index != 0 && index == hd_value_index(object->word)); /* nothing reachable was freed */
        MODEL_ASSERT(!(heap->table.state[index] & (HD_STATE_DYING | HD_STATE_CONDEMNED)));
        MODEL_ASSERT(hd_kind_of(objects, object->word) == object->kind);
        switch (object->kind) {
        case HD_IS_LIST:
        case HD_IS_TUPLE:
            compare_sequence(object, objects);
            break;
        case HD_IS_DICT:
        case HD_IS_SET:
            compare_table(object, objects);
            break;
        case HD_IS_INSTANCE:
            compare_instance(model, object, objects);
            break;
        case HD_IS_CLASS:
            compare_class(object, objects);
            break;
        case HD_IS_SCOPE:
            compare_scope(model, object, heap);
            break;
        default:
            compare_leaf(object, objects);
            break;
        }
    }
    compare_names(model->globals, model->global_count, heap, HD_ABSENT);
}

void model_compare_counts(const struct model *model, const struct hd_heap *heap)
{
    uint64_t wanted[HD_TYPE_COUNT] = {0};
    wanted[HD_TYPE_SCOPE] = 1; /* the global one, and its names */
    wanted[HD_TYPE_DICT] = 1;
    for (uint32_t i = 1; i < model->object_count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->used)
            continue;
        wanted[object->kind - 2]++;
        if (object->kind == HD_IS_CLASS)
            wanted[HD_TYPE_DICT] += 1u + object->has_own;
        if (object->kind == HD_IS_SCOPE)
            wanted[HD_TYPE_DICT] += !object->closed;
    }
    uint64_t bytes = 0;
    for (unsigned type = 1; type < HD_TYPE_COUNT; type++)
        if (wanted[type] != heap->objects.type_count[type])
            model_fail("after a full collection there are %llu of type %u, the model reaches %llu",
                       (unsigned long long)heap->objects.type_count[type], type, (unsigned long long)wanted[type]);
    for (uint32_t i = 1; i < heap->table.length; i++)
        if (hd_table_type(&heap->table, i) != HD_TYPE_FREE)
            bytes += hd_shallow_bytes(&heap->objects, hd_value_ref(i, !hd_table_bit(heap->table.inner, i)));
    struct hd_alloc_stats stats;
    hd_alloc_stats(heap->alloc, &stats);
    MODEL_ASSERT(bytes == stats.live_bytes);
}
