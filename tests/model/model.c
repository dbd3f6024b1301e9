#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void model_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "model: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

static void *grow(void *pointer, size_t bytes)
{
    void *grown = realloc(pointer, bytes);
    MODEL_ASSERT(grown != NULL);
    return grown;
}

void model_init(struct model *model)
{
    memset(model, 0, sizeof *model);
    model->object_count = 1;
    model->free_number = 1;
    for (size_t i = 0; i < MODEL_ROOTS; i++)
        model->roots[i].word = HD_NONE;
    model->walk_root.word = HD_NONE;
}

static void forget(struct model_object *object)
{
    free(object->items);
    free(object->names);
    free(object->own);
    memset(object, 0, sizeof *object);
}

void model_fini(struct model *model)
{
    for (uint32_t i = 1; i < model->object_count; i++)
        forget(&model->objects[i]);
    free(model->objects);
    free(model->by_index);
    free(model->globals);
    free(model->queue);
}

static uint32_t new_number(struct model *model)
{
    for (uint32_t i = model->free_number; i < model->object_count; i++) {
        if (!model->objects[i].used) {
            model->free_number = i + 1;
            return i;
        }
    }
    if (model->object_count >= model->capacity) {
        model->capacity = model->capacity ? model->capacity * 2 : 1024;
        model->objects = grow(model->objects, model->capacity * sizeof *model->objects);
        model->queue = grow(model->queue, model->capacity * sizeof *model->queue);
    }
    memset(&model->objects[model->object_count], 0, sizeof *model->objects);
    model->free_number = model->object_count + 1;
    return model->object_count++;
}

static uint32_t find(const struct model *model, const struct hd_heap *heap, hd_value word)
{
    uint32_t index = hd_value_index(word);
    if (index >= model->by_index_count || !model->by_index[index])
        return MODEL_NONE;
    uint32_t number = model->by_index[index];
    bool same =
        model->objects[number].used && model->objects[number].identity == hd_table_identity(&heap->table, index);
    return same ? number : MODEL_NONE;
}

struct model_value model_known(const struct model *model, const struct hd_heap *heap, hd_value word)
{
    struct model_value value = {.word = word};
    if (hd_value_is_ref(word)) {
        value.object = find(model, heap, word);
        MODEL_ASSERT(value.object != MODEL_NONE);
    }
    return value;
}

struct model_value model_adopt(struct model *model, const struct hd_heap *heap, hd_value word,
                               const struct model_scalar *scalar)
{
    struct model_value value = {.word = word};
    if (!hd_value_is_ref(word))
        return value;
    value.object = find(model, heap, word);
    if (value.object != MODEL_NONE)
        return value;
    uint32_t index = hd_value_index(word);
    if (index >= model->by_index_count) {
        uint32_t count = (index + 1) * 2;
        model->by_index = grow(model->by_index, count * sizeof *model->by_index);
        memset(model->by_index + model->by_index_count, 0, (count - model->by_index_count) * sizeof *model->by_index);
        model->by_index_count = count;
    }
    value.object = new_number(model);
    model->by_index[index] = value.object;
    struct model_object *object = &model->objects[value.object];
    object->used = true;
    object->kind = hd_kind_of(&heap->objects, word);
    object->identity = hd_table_identity(&heap->table, index);
    object->word = word;
    if (scalar)
        object->scalar = *scalar;
    return value;
}

void model_insert(struct model_value **items, uint32_t *count, uint32_t *capacity, uint32_t at,
                  struct model_value value)
{
    if (*count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 4;
        *items = grow(*items, *capacity * sizeof **items);
    }
    memmove(*items + at + 1, *items + at, (*count - at) * sizeof **items);
    (*items)[at] = value;
    ++*count;
}

void model_remove(struct model_value *items, uint32_t *count, uint32_t at)
{
    memmove(items + at, items + at + 1, (*count - at - 1) * sizeof *items);
    --*count;
}

/* ---- equality, as Python has it --------------------------------------------- */

bool model_scalar_of(const struct model *model, struct model_value value, struct model_scalar *out)
{
    if (value.object) {
        *out = model_at(model, value.object)->scalar;
        return out->kind != 0;
    }
    *out = (struct model_scalar){0};
    switch (hd_value_tag(value.word)) {
    case HD_TAG_INT:
        out->kind = HD_IS_INT;
        out->integer = hd_value_to_int(value.word);
        return true;
    case HD_TAG_FLOAT:
        out->kind = HD_IS_FLOAT;
        out->real = hd_value_to_double(value.word);
        return true;
    case HD_TAG_STR:
    case HD_TAG_BYTES:
        out->kind = hd_value_tag(value.word) == HD_TAG_STR ? HD_IS_STR : HD_IS_BYTES;
        out->size = hd_value_short_size(value.word);
        return true; /* short ones are equal when their words are */
    default:
        out->kind = value.word == HD_NONE ? HD_IS_NONE : HD_IS_BOOL;
        out->integer = value.word == HD_TRUE;
        return true;
    }
}

static bool is_number(const struct model_scalar *scalar)
{
    return scalar->kind == HD_IS_BOOL || scalar->kind == HD_IS_INT || scalar->kind == HD_IS_FLOAT;
}

/* The integer of a float that has one of 64 bits. */
static bool real_to_integer(double real, int64_t *out)
{
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) || real != floor(real))
        return false;
    *out = (int64_t)real;
    return true;
}

static bool numbers_equal(const struct model_scalar *a, const struct model_scalar *b)
{
    if (a->kind == HD_IS_FLOAT && b->kind == HD_IS_FLOAT)
        return a->real == b->real;
    if (b->kind == HD_IS_FLOAT)
        return numbers_equal(b, a);
    if (a->kind == HD_IS_FLOAT) {
        int64_t integer;
        if (b->big)
            return a->real == (b->negative ? -ldexp(1, (int)b->power) : ldexp(1, (int)b->power));
        return real_to_integer(a->real, &integer) && integer == b->integer;
    }
    return a->big == b->big && a->power == b->power && a->negative == b->negative && a->integer == b->integer;
}

static bool scalars_equal(const struct model_scalar *a, const struct model_scalar *b)
{
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (a->kind != b->kind || a->kind == HD_IS_NONE)
        return false; /* the same word was seen before */
    return a->bytes && b->bytes && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

bool model_equal(const struct model *model, struct model_value left, struct model_value right)
{
    if (left.word == right.word)
        return true;
    struct model_scalar a, b;
    bool plain = model_scalar_of(model, left, &a), other_plain = model_scalar_of(model, right, &b);
    if (plain || other_plain)
        return plain && other_plain && scalars_equal(&a, &b);
    const struct model_object *x = model_at(model, left.object), *y = model_at(model, right.object);
    if (x->kind != HD_IS_TUPLE || y->kind != HD_IS_TUPLE || x->count != y->count)
        return false;
    for (uint32_t i = 0; i < x->count; i++) /* no deeper than model_object.depth says */
        if (!model_equal(model, x->items[i], y->items[i]))
            return false;
    return true;
}

bool model_hashable(const struct model *model, struct model_value value)
{
    struct model_scalar scalar;
    if (model_scalar_of(model, value, &scalar))
        return true;
    const struct model_object *object = model_at(model, value.object);
    if (object->kind == HD_IS_TUPLE)
        for (uint32_t i = 0; i < object->count; i++)
            if (!model_hashable(model, object->items[i]))
                return false;
    return object->kind != HD_IS_LIST && object->kind != HD_IS_DICT && object->kind != HD_IS_SET;
}

/* ---- reachability ----------------------------------------------------------- */

struct search {
    struct model *model;
    uint32_t length;
};

static void reach_number(struct search *search, uint32_t number)
{
    if (number == MODEL_NONE || search->model->objects[number].reached)
        return;
    search->model->objects[number].reached = true;
    search->model->queue[search->length++] = number;
}

static void reach_all(struct search *search, const struct model_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        reach_number(search, values[i].object);
}

static void reach_from(struct search *search)
{
    for (uint32_t head = 0; head < search->length; head++) {
        const struct model_object *object = model_at(search->model, search->model->queue[head]);
        reach_all(search, object->items, object->count);
        reach_all(search, object->own, object->own_count);
        reach_number(search, object->owner);
        reach_number(search, object->name.object);
    }
}

void model_reach(struct model *model)
{
    struct search search = {.model = model};
    for (uint32_t i = 1; i < model->object_count; i++)
        model->objects[i].reached = false;
    reach_all(&search, model->roots, MODEL_ROOTS);
    for (size_t i = 0; i < MODEL_SESSIONS; i++)
        reach_all(&search, model->held[i], MODEL_SLOTS);
    reach_all(&search, &model->walk_root, 1);
    reach_all(&search, model->globals, model->global_count);
    reach_from(&search);
    for (uint32_t i = 1; i < model->object_count; i++)
        if (model->objects[i].used && !model->objects[i].reached)
            forget(&model->objects[i]);
    model->free_number = 1;
}

bool model_count_nodes(struct model *model, struct model_value root, uint64_t *nodes, uint64_t *containers)
{
    struct search search = {.model = model};
    for (uint32_t i = 1; i < model->object_count; i++)
        model->objects[i].reached = false;
    *nodes = 1;
    *containers = 0;
    struct model_scalar scalar;
    if (!model_scalar_of(model, root, &scalar))
        reach_number(&search, root.object);
    for (uint32_t head = 0; head < search.length; head++) {
        const struct model_object *object = model_at(model, model->queue[head]);
        if (object->kind == HD_IS_CLASS || object->kind == HD_IS_SCOPE)
            return false;
        ++*containers;
        *nodes += object->kind == HD_IS_INSTANCE; /* the name of its class */
        for (uint32_t i = 0; i < object->count; i++) {
            if (object->items[i].word == HD_ABSENT)
                continue; /* an attribute that is not set */
            *nodes += object->kind == HD_IS_INSTANCE ? 2 : 1;
            if (!model_scalar_of(model, object->items[i], &scalar))
                reach_number(&search, object->items[i].object);
        }
    }
    return true;
}
