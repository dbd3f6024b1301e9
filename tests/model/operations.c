/* The random operations on objects, done to engine and model side by side. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "object/payload.h"
#include "run.h"

#define LENGTH_OF(array) ((uint32_t)(sizeof(array) / sizeof(array)[0]))
#define TEXT(k, text) \
    { \
        .kind = (k), .bytes = (text), .size = sizeof(text) - 1 \
    }

static const struct model_scalar scalars[] = {
    {.kind = HD_IS_NONE},
    {.kind = HD_IS_BOOL, .integer = 0},
    {.kind = HD_IS_BOOL, .integer = 1},
    {.kind = HD_IS_INT, .integer = 0},
    {.kind = HD_IS_INT, .integer = 1},
    {.kind = HD_IS_INT, .integer = -1},
    {.kind = HD_IS_INT, .integer = 2},
    {.kind = HD_IS_INT, .integer = HD_INT_MAX},
    {.kind = HD_IS_INT, .integer = HD_INT_MAX + 1},
    {.kind = HD_IS_INT, .integer = HD_INT_MIN},
    {.kind = HD_IS_INT, .integer = INT64_MAX},
    {.kind = HD_IS_INT, .integer = INT64_MIN},
    {.kind = HD_IS_INT, .big = true, .power = 64},
    {.kind = HD_IS_INT, .big = true, .power = 200},
    {.kind = HD_IS_INT, .big = true, .power = 200, .negative = true},
    {.kind = HD_IS_FLOAT, .real = 0.0},
    {.kind = HD_IS_FLOAT, .real = -0.0},
    {.kind = HD_IS_FLOAT, .real = 1.0},
    {.kind = HD_IS_FLOAT, .real = 2.0},
    {.kind = HD_IS_FLOAT, .real = 0.5},
    {.kind = HD_IS_FLOAT, .real = 18446744073709551616.0},
    {.kind = HD_IS_FLOAT, .real = 1e300},
    {.kind = HD_IS_FLOAT, .real = 5e-324},
    {.kind = HD_IS_FLOAT, .real = INFINITY},
    {.kind = HD_IS_FLOAT, .real = NAN},
    TEXT(HD_IS_STR, ""),
    TEXT(HD_IS_STR, "a"),
    TEXT(HD_IS_STR, "seven77"),
    TEXT(HD_IS_STR, "eight888"),
    TEXT(HD_IS_STR, "a longer string that is boxed"),
    TEXT(HD_IS_STR, "another string, of some length, that does not fit a word"),
    TEXT(HD_IS_BYTES, "a"),
    TEXT(HD_IS_BYTES, "eight888"),
    TEXT(HD_IS_BYTES, "a longer string that is boxed"),
};

static const char *const names[] = {"a", "b", "c", "x", "y", "next", "value", "size", "name", "left", "right", "self"};

bool run_expect(struct run *run, int error, int wanted)
{
    if (error == HD_ENOMEM && (run->faults || run->options->limit_bytes)) {
        run->failed = true;
        return false;
    }
    if (error != wanted)
        model_fail("error %s where %s was expected", hd_error_name(error), hd_error_name(wanted));
    return true;
}

/* ---- values ------------------------------------------------------------------ */

static int make_scalar(struct run *run, const struct model_scalar *scalar, hd_value *out)
{
    uint8_t raw[32] = {0};
    switch (scalar->kind) {
    case HD_IS_NONE:
        *out = HD_NONE;
        return 0;
    case HD_IS_BOOL:
        *out = hd_value_bool(scalar->integer != 0);
        return 0;
    case HD_IS_FLOAT:
        return hd_float_new(run->objects, scalar->real, out);
    case HD_IS_STR:
        return hd_str_new(run->objects, (const uint8_t *)scalar->bytes, scalar->size, out);
    case HD_IS_BYTES:
        return hd_bytes_new(run->objects, (const uint8_t *)scalar->bytes, scalar->size, out);
    default:
        break;
    }
    if (!scalar->big)
        return hd_int_new(run->objects, scalar->integer, out);
    memset(raw + scalar->power / 8, scalar->negative ? 0xff : 0, sizeof raw - scalar->power / 8);
    raw[scalar->power / 8] = (uint8_t)(scalar->negative ? 0xffu << scalar->power % 8 : 1u << scalar->power % 8);
    return hd_int_from_bytes(run->objects, raw, sizeof raw, out);
}

static bool new_scalar(struct run *run, struct model_value *out)
{
    const struct model_scalar *scalar = &scalars[run_below(run, LENGTH_OF(scalars))];
    hd_value word;
    if (!run_expect(run, make_scalar(run, scalar, &word), 0))
        return false;
    *out = model_adopt(&run->model, run->heap, word, scalar);
    return true;
}

static void let_go(struct run *run, struct model_value value)
{
    hd_gc_release(run->gc, value.word);
}

static struct model_value again(struct run *run, struct model_value value)
{
    hd_gc_retain(run->gc, value.word);
    return value;
}

static uint32_t any_root(struct run *run)
{
    return run_below(run, MODEL_ROOTS);
}

/* Puts a value (steal) into a root. */
static void set_root(struct run *run, uint32_t at, struct model_value value)
{
    struct model_value old = run->model.roots[at];
    run->model.roots[at] = value;
    let_go(run, old);
}

/* Some value, owned: a new scalar, or what a root holds. */
static bool some_value(struct run *run, struct model_value *out)
{
    if (run_below(run, 3) == 0)
        return new_scalar(run, out);
    *out = again(run, run->model.roots[any_root(run)]);
    return true;
}

/* A root that holds one of these kinds, borrowed; NULL if none was met. */
static struct model_object *some_object(struct run *run, unsigned kinds)
{
    for (int tries = 0; tries < 24; tries++) {
        uint32_t number = run->model.roots[any_root(run)].object;
        if (number && (kinds >> model_at(&run->model, number)->kind & 1))
            return model_at(&run->model, number);
    }
    return NULL;
}

#define KIND(kind) (1u << HD_IS_##kind)

static bool is_container(struct run *run, struct model_value value)
{
    return value.object && model_at(&run->model, value.object)->kind >= HD_IS_LIST;
}

/* Keeps a value (steal): in a root, or, while the heap is to grow, often at the end of a list. */
static void keep(struct run *run, struct model_value value)
{
    struct model_object *list = run->growing && run_below(run, 4) ? some_object(run, KIND(LIST)) : NULL;
    if (list && list->count < 4000 && hd_list_append(run->objects, list->word, value.word) == 0) {
        model_insert(&list->items, &list->count, &list->capacity, list->count, value);
        return;
    }
    uint32_t at = any_root(run);
    /* Scalars are many; containers are what the others need. */
    if (!is_container(run, value) && is_container(run, run->model.roots[at]) && run_below(run, 6))
        let_go(run, value);
    else
        set_root(run, at, value);
}

/* An index in range or a little beyond, from the front or the end. */
static int64_t some_index(struct run *run, uint32_t length)
{
    return (int64_t)run_below(run, 2 * length + 4) - length - 2;
}

/* Python's meaning of an index; false: out of range. */
static bool position_of(int64_t index, uint32_t length, uint32_t *out)
{
    if (index < 0)
        index += length;
    if (index < 0 || index >= length)
        return false;
    *out = (uint32_t)index;
    return true;
}

/* ---- keys ---------------------------------------------------------------------- */

struct some_key {
    struct hd_key key;
    struct model_value value;          /* owned; word HD_ABSENT if the key is given by its bytes */
    const struct model_scalar *scalar; /* then */
};

static bool make_key(struct run *run, struct some_key *out)
{
    *out = (struct some_key){.value.word = HD_ABSENT};
    const struct model_scalar *scalar = &scalars[run_below(run, LENGTH_OF(scalars))];
    if (scalar->size > HD_INLINE_BYTES_MAX && run_below(run, 2)) {
        enum hd_tag tag = scalar->kind == HD_IS_STR ? HD_TAG_STR : HD_TAG_BYTES;
        out->key = hd_key_of_bytes(tag, (const uint8_t *)scalar->bytes, scalar->size);
        out->scalar = scalar;
        return true;
    }
    if (run_below(run, 2) == 0)
        out->value = (struct model_value){.word = hd_value_int(run_below(run, run_below(run, 2) ? 300 : 100000))};
    else if (!some_value(run, &out->value))
        return false;
    out->key = hd_key_of(out->value.word);
    return true;
}

static void drop_key(struct run *run, const struct some_key *key)
{
    if (key->value.word != HD_ABSENT)
        let_go(run, key->value);
}

static bool key_is(struct run *run, const struct some_key *key, struct model_value other)
{
    if (key->value.word != HD_ABSENT)
        return model_equal(&run->model, key->value, other);
    if (!other.object)
        return false;
    const struct model_scalar *scalar = &model_at(&run->model, other.object)->scalar;
    return scalar->kind == key->scalar->kind && scalar->size == key->scalar->size &&
           memcmp(scalar->bytes, key->scalar->bytes, scalar->size) == 0;
}

static bool key_hashable(struct run *run, const struct some_key *key)
{
    return key->value.word == HD_ABSENT || model_hashable(&run->model, key->value);
}

/* Its position among the words of a dict (stride 2) or set (1); -1. */
static int64_t find_key(struct run *run, const struct model_object *object, uint32_t stride, const struct some_key *key)
{
    for (uint32_t i = 0; i < object->count; i += stride)
        if (key_is(run, key, object->items[i]))
            return i;
    return -1;
}

/* The key as the engine keeps it, now that it is the last entry of a dict or set. */
static struct model_value last_key(struct run *run, const struct model_object *object, const struct some_key *key)
{
    if (key->value.word != HD_ABSENT)
        return key->value;
    uint32_t position = 0;
    hd_value word = HD_ABSENT, value;
    while (hd_dict_next(run->objects, object->word, &position, &word, &value))
        ;
    return model_adopt(&run->model, run->heap, word, key->scalar);
}

/* ---- making ---------------------------------------------------------------------- */

static void op_new_scalar(struct run *run)
{
    struct model_value value;
    if (new_scalar(run, &value))
        keep(run, value);
}

static void op_new_container(struct run *run)
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

static void op_new_tuple(struct run *run)
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

static void op_new_class(struct run *run)
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

static void op_new_instance(struct run *run)
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

static void op_new_scope(struct run *run)
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

/* ---- handles ---------------------------------------------------------------------- */

static void op_duplicate(struct run *run)
{
    keep(run, again(run, run->model.roots[any_root(run)]));
}

static void op_release(struct run *run)
{
    if (run->growing && run_below(run, 10))
        return;
    set_root(run, any_root(run), (struct model_value){.word = HD_NONE});
}

/* Looks into a container, and keeps what is there. */
static void op_descend(struct run *run)
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

/* ---- lists ---------------------------------------------------------------------- */

static void op_append(struct run *run)
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

static void op_insert(struct run *run)
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

static void op_list_set(struct run *run)
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

static void op_list_pop(struct run *run)
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

static void op_contains(struct run *run)
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

static void op_clear(struct run *run)
{
    struct model_object *object = some_object(run, KIND(LIST) | KIND(DICT) | KIND(SET) | KIND(TUPLE));
    if (!object || run_below(run, 4))
        return;
    bool can = object->kind != HD_IS_TUPLE;
    if (run_expect(run, hd_clear(run->objects, object->word), can ? 0 : HD_ETYPE) && can)
        object->count = 0;
}

/* ---- dicts and sets ---------------------------------------------------------------- */

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

static void op_table_put(struct run *run)
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

static void op_table_get(struct run *run)
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

static void op_table_remove(struct run *run)
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

static void op_pop_last(struct run *run)
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

/* ---- attributes ---------------------------------------------------------------------- */

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

static void op_attribute_set(struct run *run)
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

static void op_attribute_get(struct run *run)
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

static void op_attribute_delete(struct run *run)
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

/* ---- names ---------------------------------------------------------------------- */

/* A scope, or NULL for the global one. */
static struct model_object *some_scope(struct run *run)
{
    return run_below(run, 3) ? some_object(run, KIND(SCOPE)) : NULL;
}

static void op_bind(struct run *run)
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

static void op_unbind(struct run *run)
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

static void op_look_up(struct run *run)
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

static void op_close_scope(struct run *run)
{
    struct model_object *scope = some_object(run, KIND(SCOPE));
    if (!scope || run_below(run, 3))
        return;
    hd_scope_close(run->objects, scope->word);
    scope->closed = true;
    scope->count = 0;
    scope->owner = MODEL_NONE;
}

/* ---- numbers ---------------------------------------------------------------------- */

/* Adds to a number in a list, where model and engine can both say what comes out. */
static void op_add(struct run *run)
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

/* ---- literals ---------------------------------------------------------------------- */

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
static void op_build(struct run *run)
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

/* ---- one of them ---------------------------------------------------------------------- */

static const struct {
    void (*run)(struct run *run);
    unsigned weight;
} operations[] = {
    {op_new_scalar, 4},    {op_new_container, 30},   {op_new_tuple, 10}, {op_new_class, 2},
    {op_new_instance, 5},  {op_new_scope, 2},        {op_duplicate, 5},  {op_release, 14},
    {op_descend, 12},      {op_append, 20},          {op_insert, 7},     {op_list_set, 6},
    {op_list_pop, 7},      {op_contains, 4},         {op_clear, 2},      {op_table_put, 24},
    {op_table_get, 6},     {op_table_remove, 7},     {op_pop_last, 3},   {op_attribute_set, 10},
    {op_attribute_get, 5}, {op_attribute_delete, 3}, {op_bind, 4},       {op_unbind, 3},
    {op_look_up, 4},       {op_close_scope, 1},      {op_add, 4},        {op_build, 5},
    {run_work, 20},        {run_session, 10},
};

void run_operation(struct run *run)
{
    unsigned sum = 0;
    for (uint32_t i = 0; i < LENGTH_OF(operations); i++)
        sum += operations[i].weight;
    uint32_t choice = run_below(run, sum), at = 0;
    while (choice >= operations[at].weight)
        choice -= operations[at++].weight;
    run->failed = false;
    run->faults = 0;
    run->fault_in = run_below(run, 100) < run->options->fault_percent ? 1 + run_below(run, 4) : 0;
    operations[at].run(run);
    run->fault_in = 0;
    run->done_by_operation[at]++;
}
