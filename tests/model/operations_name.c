/* Attributes and names. */
#include "operations.h"

/* ---- attributes ---- */

static struct hd_key some_name(struct run *run, hd_value *word)
{
    const char *name = names[run_below(run, LENGTH_OF(names))];
    *word = hd_value_short(HD_TAG_STR, name, strlen(name));
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)name, strlen(name));
}

static int64_t find_name(const struct model_value *pairs, uint32_t count, hd_value name)
{
    for (uint32_t i = 0; i < count; i += 2)
        if (pairs[i].word == name)
            return i;
    return -1;
}

static int64_t find_slot(const struct model_object *class_object, hd_value name)
{
    for (uint32_t i = 0; i < class_object->name_count; i++)
        if (class_object->names[i] == name)
            return i;
    return -1;
}

/* A failed operation may leave a class prepared for what it was to take: nobody can see it but the order of slots. */
static void follow_class(struct run *run, struct model_object *class_object, hd_value name)
{
    const struct hd_class *class = hd_gc_payload(run->gc, class_object->word);
    if (class->layout_count == class_object->name_count + 1)
        class_object->names[class_object->name_count++] = name;
    MODEL_ASSERT(class->layout_count == class_object->name_count);
    class_object->has_own = class->attributes != HD_ABSENT;
}

void op_attribute_set(struct run *run)
{
    struct model_value value;
    if (!some_value(run, &value))
        return;
    struct model_object *object = some_object(run, run_below(run, 6) ? KIND(INSTANCE) | KIND(CLASS) : KIND(LIST));
    if (!object) {
        let_go(run, value);
        return;
    }
    hd_value name;
    struct hd_key key = some_name(run, &name);
    int wanted = object->kind == HD_IS_LIST ? HD_ETYPE : 0;
    bool done = run_expect(run, hd_attribute_set(run->objects, object->word, &key, value.word), wanted) && !wanted;
    if (object->kind == HD_IS_LIST) {
        let_go(run, value);
        return;
    }
    struct model_object *class_object = object->kind == HD_IS_CLASS ? object : model_at(&run->model, object->owner);
    follow_class(run, class_object, name);
    if (!done) {
        let_go(run, value);
    } else if (object->kind == HD_IS_CLASS) {
        int64_t at = find_name(object->own, object->own_count, name);
        if (at < 0) {
            struct model_value word = {.word = name};
            model_insert(&object->own, &object->own_count, &object->own_capacity, object->own_count, word);
            model_insert(&object->own, &object->own_count, &object->own_capacity, object->own_count, value);
        } else {
            object->own[at + 1] = value;
        }
    } else {
        int64_t slot = find_slot(class_object, name);
        MODEL_ASSERT(slot >= 0);
        while (object->count <= slot)
            model_insert(&object->items, &object->count, &object->capacity, object->count,
                         (struct model_value){.word = HD_ABSENT});
        object->items[slot] = value;
    }
}

/* Where an attribute is found, or NULL. */
static struct model_value *find_attribute(struct run *run, struct model_object *object, hd_value name, bool inherited)
{
    if (object->kind == HD_IS_INSTANCE) {
        struct model_object *class_object = model_at(&run->model, object->owner);
        int64_t slot = find_slot(class_object, name);
        if (slot >= 0 && slot < object->count && object->items[slot].word != HD_ABSENT)
            return &object->items[slot];
        object = class_object;
        if (!inherited)
            return NULL;
    }
    for (;;) {
        int64_t at = find_name(object->own, object->own_count, name);
        if (at >= 0)
            return &object->own[at + 1];
        if (!inherited || !object->owner)
            return NULL;
        object = model_at(&run->model, object->owner);
    }
}

void op_attribute_get(struct run *run)
{
    struct model_object *object = some_object(run, KIND(INSTANCE) | KIND(CLASS));
    if (!object)
        return;
    hd_value name, word;
    struct hd_key key = some_name(run, &name);
    const struct model_value *found = find_attribute(run, object, name, true);
    int wanted = found ? 0 : HD_EATTRIBUTE;
    if (run_expect(run, hd_attribute_get(run->objects, object->word, &key, &word), wanted) && found) {
        MODEL_ASSERT(word == found->word);
        keep(run, *found);
    }
}

void op_attribute_delete(struct run *run)
{
    struct model_object *object = some_object(run, KIND(INSTANCE) | KIND(CLASS));
    if (!object)
        return;
    hd_value name;
    struct hd_key key = some_name(run, &name);
    struct model_value *found = find_attribute(run, object, name, false);
    int wanted = found ? 0 : HD_EATTRIBUTE;
    if (!run_expect(run, hd_attribute_delete(run->objects, object->word, &key), wanted) || wanted)
        return;
    if (object->kind == HD_IS_INSTANCE) {
        *found = (struct model_value){.word = HD_ABSENT};
        return;
    }
    uint32_t at = (uint32_t)(found - object->own);
    model_remove(object->own, &object->own_count, at);
    model_remove(object->own, &object->own_count, at - 1);
}

/* ---- names ---- */

/* A scope, or NULL for the global one. */
static struct model_object *some_scope(struct run *run)
{
    return run_below(run, 3) ? some_object(run, KIND(SCOPE)) : NULL;
}

void op_bind(struct run *run)
{
    struct model_value value;
    if (!some_value(run, &value))
        return;
    struct model_object *scope = some_scope(run);
    const char *name = names[run_below(run, LENGTH_OF(names))];
    hd_value word = hd_value_short(HD_TAG_STR, name, strlen(name));
    int wanted = scope && scope->closed ? HD_EINVALID : 0;
    int error =
        hd_heap_bind(run->heap, scope ? scope->word : HD_ABSENT, (const uint8_t *)name, strlen(name), value.word);
    if (!run_expect(run, error, wanted) || wanted) {
        let_go(run, value);
        return;
    }
    struct model *model = &run->model;
    struct model_value **pairs = scope ? &scope->items : &model->globals;
    uint32_t *count = scope ? &scope->count : &model->global_count;
    uint32_t *capacity = scope ? &scope->capacity : &model->global_capacity;
    int64_t at = find_name(*pairs, *count, word);
    if (at < 0) {
        model_insert(pairs, count, capacity, *count, (struct model_value){.word = word});
        model_insert(pairs, count, capacity, *count, value);
    } else {
        (*pairs)[at + 1] = value;
    }
}

void op_unbind(struct run *run)
{
    struct model_object *scope = some_scope(run);
    const char *name = names[run_below(run, LENGTH_OF(names))];
    struct model_value *pairs = scope ? scope->items : run->model.globals;
    uint32_t *count = scope ? &scope->count : &run->model.global_count;
    int64_t at = find_name(pairs, *count, hd_value_short(HD_TAG_STR, name, strlen(name)));
    int wanted = scope && scope->closed ? HD_EINVALID : at < 0 ? HD_ENAME : 0;
    int error = hd_heap_unbind(run->heap, scope ? scope->word : HD_ABSENT, (const uint8_t *)name, strlen(name));
    if (!run_expect(run, error, wanted) || wanted)
        return;
    model_remove(pairs, count, (uint32_t)at + 1);
    model_remove(pairs, count, (uint32_t)at);
}

void op_look_up(struct run *run)
{
    struct model_object *scope = some_scope(run);
    const char *name = names[run_below(run, LENGTH_OF(names))];
    hd_value name_word = hd_value_short(HD_TAG_STR, name, strlen(name)), word;
    const struct model_value *found = NULL;
    int wanted = scope && scope->closed ? HD_EINVALID : 0;
    hd_value scope_word = scope ? scope->word : HD_ABSENT;
    for (; !wanted && scope && !scope->closed && !found;
         scope = scope->owner ? model_at(&run->model, scope->owner) : NULL) {
        int64_t at = find_name(scope->items, scope->count, name_word);
        found = at < 0 ? NULL : &scope->items[at + 1];
    }
    if (!wanted && !found) {
        int64_t at = find_name(run->model.globals, run->model.global_count, name_word);
        found = at < 0 ? NULL : &run->model.globals[at + 1];
        wanted = found ? 0 : HD_ENAME;
    }
    int error = hd_heap_lookup(run->heap, scope_word, (const uint8_t *)name, strlen(name), &word);
    if (run_expect(run, error, wanted) && !wanted) {
        MODEL_ASSERT(word == found->word);
        keep(run, *found);
    }
}

void op_close_scope(struct run *run)
{
    struct model_object *scope = some_object(run, KIND(SCOPE));
    if (!scope || run_below(run, 3))
        return;
    hd_scope_close(run->objects, scope->word);
    scope->closed = true;
    scope->count = 0;
    scope->owner = MODEL_NONE;
}
