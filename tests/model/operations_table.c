/* Dicts and sets. */
#include "operations.h"

static void put_into_table(struct run *run, struct model_object *object, struct some_key *key)
{
    bool is_dict = object->kind == HD_IS_DICT;
    uint32_t number = model_known(&run->model, run->heap, object->word).object;
    struct model_value value = {.word = HD_ABSENT};
    if (is_dict && !some_value(run, &value))
        return;
    object = model_at(&run->model, number);
    int wanted = key_hashable(run, key) ? 0 : HD_EUNHASHABLE;
    int64_t at = wanted ? -1 : find_key(run, object, is_dict ? 2 : 1, key);
    bool was_new = false;
    int error = is_dict ? hd_dict_set(run->objects, object->word, &key->key, value.word)
                        : hd_set_add(run->objects, object->word, &key->key, &was_new);
    if (!run_expect(run, error, wanted) || wanted) {
        if (is_dict)
            let_go(run, value);
        return;
    }
    MODEL_ASSERT(is_dict || was_new == (at < 0));
    if (at < 0) {
        struct model_value kept = last_key(run, object, key);
        object = model_at(&run->model, number);
        model_insert(&object->items, &object->count, &object->capacity, object->count, kept);
        if (is_dict)
            model_insert(&object->items, &object->count, &object->capacity, object->count, value);
    } else if (is_dict) {
        object->items[at + 1] = value;
    }
}

void op_table_put(struct run *run)
{
    struct model_object *object = some_object(run, KIND(DICT) | KIND(SET));
    if (!object || object->count > 5000)
        return;
    hd_value word = object->word;
    for (uint32_t more = run_below(run, 60) ? 1 : run_below(run, 600); more; more--) {
        struct some_key key;
        if (!make_key(run, &key))
            return;
        uint32_t number = model_known(&run->model, run->heap, word).object;
        put_into_table(run, model_at(&run->model, number), &key);
        drop_key(run, &key);
    }
}

void op_table_get(struct run *run)
{
    struct some_key key;
    if (!make_key(run, &key))
        return;
    struct model_object *dict = some_object(run, KIND(DICT));
    if (dict) {
        int64_t at = -1;
        int wanted = HD_EUNHASHABLE;
        if (key_hashable(run, &key)) {
            at = find_key(run, dict, 2, &key);
            wanted = at < 0 ? HD_EKEY : 0;
        }
        hd_value word;
        if (run_expect(run, hd_get_item(run->objects, dict->word, &key.key, &word), wanted) && !wanted) {
            MODEL_ASSERT(word == dict->items[at + 1].word);
            keep(run, dict->items[at + 1]);
        }
    }
    drop_key(run, &key);
}

void op_table_remove(struct run *run)
{
    struct some_key key;
    if (!make_key(run, &key))
        return;
    struct model_object *object = some_object(run, KIND(DICT) | KIND(SET));
    if (object) {
        bool is_dict = object->kind == HD_IS_DICT, was_there = false;
        bool hashable = key_hashable(run, &key);
        int64_t at = hashable ? find_key(run, object, is_dict ? 2 : 1, &key) : -1;
        int wanted = !hashable ? HD_EUNHASHABLE : is_dict && at < 0 ? HD_EKEY : 0;
        hd_value word = HD_ABSENT;
        int error = is_dict ? hd_pop_item(run->objects, object->word, &key.key, &word)
                            : hd_set_discard(run->objects, object->word, &key.key, &was_there);
        if (run_expect(run, error, wanted) && !wanted) {
            MODEL_ASSERT(is_dict || was_there == (at >= 0));
            if (at >= 0) {
                struct model_value value = object->items[is_dict ? at + 1 : at];
                MODEL_ASSERT(!is_dict || word == value.word);
                if (is_dict)
                    model_remove(object->items, &object->count, (uint32_t)at + 1);
                model_remove(object->items, &object->count, (uint32_t)at);
                if (is_dict)
                    keep(run, value);
            }
        }
    }
    drop_key(run, &key);
}

static bool pop_last_of(struct run *run, struct model_object *object)
{
    int wanted = object->count ? 0 : object->kind == HD_IS_LIST ? HD_EINDEX : HD_EKEY;
    hd_value word;
    if (!run_expect(run, hd_pop_item(run->objects, object->word, NULL, &word), wanted) || wanted)
        return false;
    struct model_value value = object->items[object->count - 1];
    MODEL_ASSERT(word == value.word);
    object->count -= object->kind == HD_IS_DICT ? 2 : 1;
    keep(run, value);
    return true;
}

void op_pop_last(struct run *run)
{
    struct model_object *object = some_object(run, KIND(LIST) | KIND(DICT) | KIND(SET));
    if (!object)
        return;
    /* What is kept may take the place of the last root that leads to it. */
    hd_value held = hd_gc_retain(run->gc, object->word);
    for (uint32_t more = run_below(run, 10); more && pop_last_of(run, object); more--)
        ;
    hd_gc_release(run->gc, held);
}
