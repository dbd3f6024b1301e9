/* Values and keys at random, and where they are kept. */
#include <math.h>
#include <string.h>

#include "operations.h"

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

const char *const names[NAMES] = {"a", "b", "c", "x", "y", "next", "value", "size", "name", "left", "right", "self"};

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

bool new_scalar(struct run *run, struct model_value *out)
{
    const struct model_scalar *scalar = &scalars[run_below(run, LENGTH_OF(scalars))];
    hd_value word;
    if (!run_expect(run, make_scalar(run, scalar, &word), 0))
        return false;
    *out = model_adopt(&run->model, run->heap, word, scalar);
    return true;
}

void let_go(struct run *run, struct model_value value)
{
    hd_gc_release(run->gc, value.word);
}

struct model_value again(struct run *run, struct model_value value)
{
    hd_gc_retain(run->gc, value.word);
    return value;
}

uint32_t any_root(struct run *run)
{
    return run_below(run, MODEL_ROOTS);
}

void set_root(struct run *run, uint32_t at, struct model_value value)
{
    struct model_value old = run->model.roots[at];
    run->model.roots[at] = value;
    let_go(run, old);
}

bool some_value(struct run *run, struct model_value *out)
{
    if (run_below(run, 3) == 0)
        return new_scalar(run, out);
    *out = again(run, run->model.roots[any_root(run)]);
    return true;
}

struct model_object *some_object(struct run *run, unsigned kinds)
{
    for (int tries = 0; tries < 24; tries++) {
        uint32_t number = run->model.roots[any_root(run)].object;
        if (number && (kinds >> model_at(&run->model, number)->kind & 1))
            return model_at(&run->model, number);
    }
    return NULL;
}

bool is_container(struct run *run, struct model_value value)
{
    return value.object && model_at(&run->model, value.object)->kind >= HD_IS_LIST;
}

void keep(struct run *run, struct model_value value)
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

int64_t some_index(struct run *run, uint32_t length)
{
    return (int64_t)run_below(run, 2 * length + 4) - length - 2;
}

bool position_of(int64_t index, uint32_t length, uint32_t *out)
{
    if (index < 0)
        index += length;
    if (index < 0 || index >= length)
        return false;
    *out = (uint32_t)index;
    return true;
}

/* ---- keys ---- */

bool make_key(struct run *run, struct some_key *out)
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

void drop_key(struct run *run, const struct some_key *key)
{
    if (key->value.word != HD_ABSENT)
        let_go(run, key->value);
}

bool key_is(struct run *run, const struct some_key *key, struct model_value other)
{
    if (key->value.word != HD_ABSENT)
        return model_equal(&run->model, key->value, other);
    if (!other.object)
        return false;
    const struct model_scalar *scalar = &model_at(&run->model, other.object)->scalar;
    return scalar->kind == key->scalar->kind && scalar->size == key->scalar->size &&
           memcmp(scalar->bytes, key->scalar->bytes, scalar->size) == 0;
}

bool key_hashable(struct run *run, const struct some_key *key)
{
    return key->value.word == HD_ABSENT || model_hashable(&run->model, key->value);
}

int64_t find_key(struct run *run, const struct model_object *object, uint32_t stride, const struct some_key *key)
{
    for (uint32_t i = 0; i < object->count; i += stride)
        if (key_is(run, key, object->items[i]))
            return i;
    return -1;
}

struct model_value last_key(struct run *run, const struct model_object *object, const struct some_key *key)
{
    if (key->value.word != HD_ABSENT)
        return key->value;
    uint32_t position = 0;
    hd_value word = HD_ABSENT, value;
    while (hd_dict_next(run->objects, object->word, &position, &word, &value))
        ;
    return model_adopt(&run->model, run->heap, word, key->scalar);
}
