/* Lists, and what lists share with other containers. */
#include "operations.h"

/* ---- lists ---- */

void op_append(struct run *run)
{
    struct model_object *list = some_object(run, KIND(LIST));
    struct model_value value;
    if (!list || list->count > 4000)
        return;
    uint32_t number = model_known(&run->model, run->heap, list->word).object;
    for (uint32_t more = run_below(run, 30) ? 1 : run_below(run, 200); more; more--) {
        if (!some_value(run, &value))
            return;
        list = model_at(&run->model, number);
        if (run_expect(run, hd_list_append(run->objects, list->word, value.word), 0))
            model_insert(&list->items, &list->count, &list->capacity, list->count, value);
        else
            let_go(run, value);
    }
}

void op_insert(struct run *run)
{
    struct model_value value;
    if (!some_value(run, &value))
        return;
    struct model_object *list = some_object(run, KIND(LIST));
    if (!list) {
        let_go(run, value);
        return;
    }
    int64_t index = some_index(run, list->count);
    if (!run_expect(run, hd_list_insert(run->objects, list->word, index, value.word), 0)) {
        let_go(run, value);
        return;
    }
    int64_t at = index < 0 ? index + list->count : index;
    at = at < 0 ? 0 : at > list->count ? list->count : at;
    model_insert(&list->items, &list->count, &list->capacity, (uint32_t)at, value);
}

void op_list_set(struct run *run)
{
    struct model_value value;
    if (!some_value(run, &value))
        return;
    struct model_object *object = some_object(run, KIND(LIST) | KIND(TUPLE) | KIND(SET));
    if (!object) {
        let_go(run, value);
        return;
    }
    int64_t index = some_index(run, object->count);
    struct hd_key key = hd_key_of(hd_value_int(index));
    uint32_t at;
    int wanted = object->kind != HD_IS_LIST ? HD_ETYPE : position_of(index, object->count, &at) ? 0 : HD_EINDEX;
    if (!run_expect(run, hd_set_item(run->objects, object->word, &key, value.word), wanted) || wanted)
        let_go(run, value);
    else
        object->items[at] = value;
}

void op_list_pop(struct run *run)
{
    struct model_object *list = some_object(run, KIND(LIST));
    if (!list)
        return;
    for (uint32_t more = run_below(run, 20) ? 1 : run_below(run, 100); more; more--) {
        int64_t index = run_below(run, 3) ? some_index(run, list->count) : -1;
        uint32_t at;
        bool there = position_of(index, list->count, &at);
        hd_value word;
        if (!run_expect(run, hd_list_pop(run->objects, list->word, index, &word), there ? 0 : HD_EINDEX) || !there)
            return;
        MODEL_ASSERT(word == list->items[at].word);
        struct model_value value = list->items[at];
        model_remove(list->items, &list->count, at);
        if (run_below(run, 2))
            let_go(run, value);
        else
            keep(run, value);
    }
}

void op_contains(struct run *run)
{
    struct some_key key;
    if (!make_key(run, &key))
        return;
    struct model_object *object = some_object(run, KIND(LIST) | KIND(TUPLE) | KIND(DICT) | KIND(SET) | KIND(CLASS));
    if (object) {
        bool hashed = object->kind == HD_IS_DICT || object->kind == HD_IS_SET;
        int wanted = object->kind == HD_IS_CLASS ? HD_ETYPE : hashed && !key_hashable(run, &key) ? HD_EUNHASHABLE : 0;
        /* Whether two containers are equal, however deep and whatever circles they are in, is not the model's to say.
         */
        struct model_scalar scalar;
        bool plain = key.value.word == HD_ABSENT || model_scalar_of(&run->model, key.value, &scalar);
        bool found, there = find_key(run, object, object->kind == HD_IS_DICT ? 2 : 1, &key) >= 0;
        if (!hashed && !plain) {
            drop_key(run, &key);
            return;
        }
        if (run_expect(run, hd_contains(run->objects, object->word, &key.key, &found), wanted) && !wanted)
            MODEL_ASSERT(found == there);
    }
    drop_key(run, &key);
}

void op_clear(struct run *run)
{
    struct model_object *object = some_object(run, KIND(LIST) | KIND(DICT) | KIND(SET) | KIND(TUPLE));
    if (!object || run_below(run, 4))
        return;
    bool can = object->kind != HD_IS_TUPLE;
    if (run_expect(run, hd_clear(run->objects, object->word), can ? 0 : HD_ETYPE) && can)
        object->count = 0;
}

/* ---- numbers ---- */

/* Adds to a number in a list, where model and engine can both say what comes out. */
void op_add(struct run *run)
{
    struct model_object *list = some_object(run, KIND(LIST));
    if (!list || !list->count)
        return;
    uint32_t at = run_below(run, list->count), number = model_known(&run->model, run->heap, list->word).object;
    struct model_scalar old, sum = {0};
    bool is_scalar = model_scalar_of(&run->model, list->items[at], &old);
    struct hd_key key = hd_key_of(hd_value_int(at));
    int64_t delta = (int64_t)run_below(run, 2000) - 1000;
    int wanted = 0;
    if (!is_scalar || (old.kind != HD_IS_INT && old.kind != HD_IS_FLOAT && old.kind != HD_IS_BOOL)) {
        wanted = HD_ETYPE;
    } else if (old.kind == HD_IS_FLOAT) {
        sum.kind = HD_IS_FLOAT;
        sum.real = old.real + (double)delta;
    } else {
        sum.kind = HD_IS_INT;
        if (old.big || __builtin_add_overflow(old.integer, delta, &sum.integer))
            return;
    }
    hd_value word;
    int error = hd_heap_add_to_item(run->heap, list->word, &key, hd_value_int(delta), &word);
    if (!run_expect(run, error, wanted) || wanted)
        return;
    struct model_value value = model_adopt(&run->model, run->heap, word, &sum);
    if (sum.kind == HD_IS_FLOAT)
        MODEL_ASSERT(hd_float_get(run->objects, word) == sum.real || sum.real != sum.real);
    else
        MODEL_ASSERT(hd_int_to_int64(run->objects, word, &old.integer) && old.integer == sum.integer);
    model_at(&run->model, number)->items[at] = value;
    let_go(run, value); /* the one that came out */
}
