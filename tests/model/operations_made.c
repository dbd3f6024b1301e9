/* Making objects and letting go of them. */
#include <stdlib.h>

#include "operations.h"

/* ---- making ---- */

void op_new_scalar(struct run *run)
{
    struct model_value value;
    if (new_scalar(run, &value))
        keep(run, value);
}

void op_new_container(struct run *run)
{
    hd_value word;
    uint32_t capacity = run_below(run, 3) ? 0 : run_below(run, 40);
    uint32_t which = run_below(run, 3);
    int error = which == 0   ? hd_list_new(run->objects, capacity, &word)
                : which == 1 ? hd_dict_new(run->objects, capacity, &word)
                             : hd_set_new(run->objects, capacity, &word);
    if (run_expect(run, error, 0))
        keep(run, model_adopt(&run->model, run->heap, word, NULL));
}

void op_new_tuple(struct run *run)
{
    uint32_t length = run_below(run, 5);
    hd_value word;
    if (!run_expect(run, hd_tuple_new(run->objects, length, &word), 0))
        return;
    struct model_value value = model_adopt(&run->model, run->heap, word, NULL);
    for (uint32_t i = 0; i < length; i++) {
        struct model_value element = again(run, run->model.roots[any_root(run)]);
        struct model_object *tuple = model_at(&run->model, value.object);
        unsigned depth = element.object ? model_at(&run->model, element.object)->depth : 0;
        if (depth > 4) { /* the model compares by recursion */
            let_go(run, element);
            element = (struct model_value){.word = HD_NONE};
            depth = 0;
        }
        tuple->depth = depth + 1 > tuple->depth ? depth + 1 : tuple->depth;
        hd_tuple_init_at(run->objects, word, i, element.word);
        model_insert(&tuple->items, &tuple->count, &tuple->capacity, i, element);
    }
    keep(run, value);
}

void op_new_class(struct run *run)
{
    struct model_value name;
    struct model_object *super = run_below(run, 2) ? some_object(run, KIND(CLASS)) : NULL;
    uint32_t super_number = super ? model_known(&run->model, run->heap, super->word).object : MODEL_NONE;
    if (!new_scalar(run, &name))
        return;
    struct model_scalar scalar;
    bool is_str = model_scalar_of(&run->model, name, &scalar) && scalar.kind == HD_IS_STR;
    hd_value word;
    hd_value super_word = super_number ? model_at(&run->model, super_number)->word : HD_ABSENT;
    int error = hd_class_new(run->objects, name.word, super_word, &word);
    if (run_expect(run, error, is_str ? 0 : HD_ETYPE) && is_str) {
        struct model_value value = model_adopt(&run->model, run->heap, word, NULL);
        struct model_object *object = model_at(&run->model, value.object);
        object->name = name;
        object->owner = super_number;
        if (super_number) {
            super = model_at(&run->model, super_number);
            object->names = calloc(LENGTH_OF(names), sizeof *object->names);
            memcpy(object->names, super->names, super->name_count * sizeof *object->names);
            object->name_count = super->name_count;
        }
        if (!object->names)
            object->names = calloc(LENGTH_OF(names), sizeof *object->names);
        keep(run, value);
    }
    let_go(run, name);
}

void op_new_instance(struct run *run)
{
    struct model_object *object = some_object(run, ~0u);
    if (!object)
        return;
    bool is_class = object->kind == HD_IS_CLASS;
    uint32_t class_number = model_known(&run->model, run->heap, object->word).object;
    hd_value word;
    int error = hd_instance_new(run->objects, object->word, &word);
    if (!run_expect(run, error, is_class ? 0 : HD_ETYPE) || !is_class)
        return;
    struct model_value value = model_adopt(&run->model, run->heap, word, NULL);
    model_at(&run->model, value.object)->owner = class_number;
    keep(run, value);
}

void op_new_scope(struct run *run)
{
    struct model_object *parent = run_below(run, 2) ? some_object(run, KIND(SCOPE)) : NULL;
    uint32_t number = parent ? model_known(&run->model, run->heap, parent->word).object : MODEL_NONE;
    hd_value word;
    if (!run_expect(run, hd_scope_new(run->objects, parent ? parent->word : HD_ABSENT, &word), 0))
        return;
    struct model_value value = model_adopt(&run->model, run->heap, word, NULL);
    model_at(&run->model, value.object)->owner = number;
    keep(run, value);
}

/* ---- handles ---- */

void op_duplicate(struct run *run)
{
    keep(run, again(run, run->model.roots[any_root(run)]));
}

void op_release(struct run *run)
{
    if (run->growing && run_below(run, 10))
        return;
    set_root(run, any_root(run), (struct model_value){.word = HD_NONE});
}

/* Looks into a container, and keeps what is there. */
void op_descend(struct run *run)
{
    struct model_object *object = some_object(run, KIND(LIST) | KIND(TUPLE));
    if (!object)
        return;
    int64_t index = some_index(run, object->count);
    struct hd_key key = hd_key_of(hd_value_int(index));
    uint32_t at;
    bool there = position_of(index, object->count, &at);
    hd_value word;
    if (run_expect(run, hd_get_item(run->objects, object->word, &key, &word), there ? 0 : HD_EINDEX) && there) {
        MODEL_ASSERT(word == object->items[at].word);
        keep(run, object->items[at]);
    }
}

/* ---- literals ---- */

static int resolve(void *context, uint64_t handle, hd_value *out)
{
    struct run *run = context;
    if (handle >= MODEL_ROOTS)
        return HD_EHANDLE_UNKNOWN;
    *out = run->model.roots[handle].word;
    return 0;
}

static void add_node(struct hd_literal_writer *writer, struct hd_node node)
{
    MODEL_ASSERT(hd_literal_writer_add(writer, &node) == 0);
}

/* A list of roots, of a tuple of ints, and of that tuple again; built at once, or put at the end of a list. */
void op_build(struct run *run)
{
    struct model_object *target = run_below(run, 2) ? some_object(run, KIND(LIST)) : NULL;
    uint32_t target_number = target ? model_known(&run->model, run->heap, target->word).object : MODEL_NONE;
    uint32_t handles = run_below(run, 6), ints = run_below(run, 4), roots[6];
    bool broken = run_below(run, 8) == 0;
    if (target && target->count > 4000)
        return;
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 1 << 20);
    if (!target)
        add_node(&writer, (struct hd_node){.kind = HD_KIND_LIST, .count = handles + 2u + broken});
    for (uint32_t i = 0; i < handles; i++) {
        roots[i] = any_root(run);
        add_node(&writer, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = roots[i]});
    }
    add_node(&writer, (struct hd_node){.kind = HD_KIND_TUPLE, .count = ints});
    for (uint32_t i = 0; i < ints; i++)
        add_node(&writer, (struct hd_node){.kind = HD_KIND_INT, .integer = i});
    add_node(&writer, (struct hd_node){.kind = HD_KIND_SHARED, .shared = target ? 0 : 1});
    if (broken)
        add_node(&writer, (struct hd_node){.kind = HD_KIND_HANDLE, .handle = MODEL_ROOTS + 1});
    struct hd_columns columns;
    hd_literal_writer_columns(&writer, &columns);
    uint64_t capture = target ? 0 : 1;
    hd_value captured = HD_ABSENT, word = HD_ABSENT;
    struct hd_build build = {.columns = &columns,
                             .resolver = {resolve, run},
                             .captures = &capture,
                             .capture_count = 1,
                             .captured = &captured};
    int error =
        target ? hd_build_extend(run->objects, &build, target->word) : hd_build_value(run->objects, &build, &word);
    hd_literal_writer_fini(&writer);
    int wanted = broken ? HD_EHANDLE_UNKNOWN : 0;
    if (!run_expect(run, error, wanted) || wanted)
        return;
    struct model_value tuple = model_adopt(&run->model, run->heap, captured, NULL);
    struct model_object *object = model_at(&run->model, tuple.object);
    for (uint32_t i = 0; i < ints; i++)
        model_insert(&object->items, &object->count, &object->capacity, i,
                     (struct model_value){.word = hd_value_int(i)});
    object->depth = 1;
    struct model_value list = {.word = word};
    if (!target) {
        list = model_adopt(&run->model, run->heap, word, NULL);
        target_number = list.object;
    }
    object = model_at(&run->model, target_number);
    for (uint32_t i = 0; i < handles; i++)
        model_insert(&object->items, &object->count, &object->capacity, object->count, run->model.roots[roots[i]]);
    model_insert(&object->items, &object->count, &object->capacity, object->count, tuple);
    model_insert(&object->items, &object->count, &object->capacity, object->count, tuple);
    if (!target)
        keep(run, list);
    keep(run, tuple);
}
