/*
 * Making containers of what others have.
 *
 *     held[SOURCE]   watched
 *     held[RESULT]   what is being made
 *     held[VALUE]    of dict.fromkeys
 */
#include "object/gather.h"

#include <string.h>

#include "object/combine.h"
#include "object/payload.h"

enum { SOURCE, RESULT, VALUE };

#define UNITS_PER_APPEND 1
#define UNITS_PER_PUT 8

static int make_result(struct hd_gather *gather)
{
    struct hd_objects *objects = gather->work.objects;
    uint64_t length = hd_source_length(objects, gather->work.held[SOURCE]);
    if (length > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    hd_value value;
    int error;
    switch (gather->kind) {
    case HD_IS_LIST:
        error = hd_list_new(objects, (uint32_t)length, &value);
        break;
    case HD_IS_TUPLE:
        error = hd_tuple_new(objects, (uint32_t)length, &value);
        break;
    case HD_IS_SET:
        error = hd_set_new(objects, 0, &value);
        break;
    case HD_IS_FROZENSET:
        error = hd_frozenset_new(objects, 0, &value);
        break;
    default:
        error = hd_dict_new(objects, 0, &value);
    }
    if (!error)
        gather->work.held[RESULT] = value;
    return error;
}

/* What the view shows of one element (new). */
static int shown(struct hd_gather *gather, hd_value first, hd_value second, hd_value *out)
{
    struct hd_objects *objects = gather->work.objects;
    if (gather->view != HD_VIEW_ITEMS) {
        *out = hd_gc_retain(objects->gc, gather->view == HD_VIEW_KEYS ? first : second);
        return 0;
    }
    int error = hd_tuple_new(objects, 2, out);
    if (error)
        return error;
    hd_tuple_init_at(objects, *out, 0, hd_gc_retain(objects->gc, first));
    hd_tuple_init_at(objects, *out, 1, hd_gc_retain(objects->gc, second));
    return 0;
}

static int add_pair(struct hd_gather *gather, hd_value first, hd_value second)
{
    struct hd_objects *objects = gather->work.objects;
    if (gather->from_keys) {
        second = gather->work.held[VALUE];
    } else if (second == HD_ABSENT || gather->view != HD_VIEW_KEYS) {
        /* dict(d) takes what d has; dict of anything else, or of a view, takes pairs. */
        int error = hd_pair_of(objects, gather->view == HD_VIEW_VALUES ? second : first, &first, &second);
        if (error)
            return error;
    }
    struct hd_key key = hd_key_of(first);
    return hd_table_put(objects, gather->work.held[RESULT], &key, second, false);
}

static int add_element(struct hd_gather *gather, hd_value first, hd_value second)
{
    struct hd_objects *objects = gather->work.objects;
    hd_value result = gather->work.held[RESULT], value;
    if (gather->kind == HD_IS_DICT)
        return add_pair(gather, first, second);
    int error = shown(gather, first, second, &value);
    if (error)
        return error;
    if (gather->kind == HD_IS_TUPLE) {
        hd_tuple_init_at(objects, result, gather->count++, value);
        return 0;
    }
    if (gather->kind == HD_IS_LIST) {
        error = hd_list_append(objects, result, value);
        if (error)
            hd_gc_release(objects->gc, value);
        return error;
    }
    struct hd_key key = hd_key_of(value);
    error = hd_table_put(objects, result, &key, HD_ABSENT, false);
    hd_gc_release(objects->gc, value);
    return error;
}

static int run(struct hd_gather *gather, uint64_t *units)
{
    struct hd_work *work = &gather->work;
    struct hd_objects *objects = work->objects;
    bool is_sequence = gather->kind == HD_IS_LIST || gather->kind == HD_IS_TUPLE;
    uint64_t each = is_sequence && gather->view != HD_VIEW_ITEMS ? UNITS_PER_APPEND : UNITS_PER_PUT;
    if (work->held[RESULT] == HD_ABSENT) {
        int error = make_result(gather);
        if (error)
            return error;
    }
    for (;;) {
        if (*units == 0)
            return 0;
        uint64_t worked = objects->work_units;
        struct hd_source next = gather->source;
        hd_value first, second;
        if (!hd_source_next(objects, &next, &first, &second))
            break;
        int error = add_element(gather, first, second);
        if (error)
            return error;
        gather->source = next;
        uint64_t used = each + (objects->work_units - worked);
        *units -= used < *units ? used : *units;
    }
    work->value = work->held[RESULT];
    work->held[RESULT] = HD_ABSENT;
    return 1;
}

static int step(struct hd_work *work, uint64_t units)
{
    uint64_t left = units;
    int result = run((struct hd_gather *)work, &left);
    work->objects->work_units += (units - left) / 4;
    return result;
}

static const struct hd_work_kind gather_kind = {.bytes = sizeof(struct hd_gather), .step = step};

int hd_gather_begin(struct hd_objects *objects, hd_value container, enum hd_view view, bool reversed,
                    enum hd_kind_of_value kind, struct hd_gather *out)
{
    struct hd_source source;
    bool known =
        kind == HD_IS_LIST || kind == HD_IS_TUPLE || kind == HD_IS_SET || kind == HD_IS_FROZENSET || kind == HD_IS_DICT;
    if (!known)
        return HD_EINVALID;
    int error = hd_source_begin(objects, container, view, reversed, &source);
    if (error)
        return error;
    memset(out, 0, sizeof *out);
    hd_work_init(&out->work, &gather_kind, objects);
    hd_work_hold(&out->work, SOURCE, container, true);
    out->kind = kind;
    out->view = view;
    out->source = source;
    /* dict(d.items()) is dict(d). */
    if (kind == HD_IS_DICT && view == HD_VIEW_ITEMS)
        out->view = HD_VIEW_KEYS;
    return 0;
}

int hd_from_keys_begin(struct hd_objects *objects, hd_value container, hd_value value, struct hd_gather *out)
{
    int error = hd_gather_begin(objects, container, HD_VIEW_KEYS, false, HD_IS_DICT, out);
    if (error)
        return error;
    hd_work_hold(&out->work, VALUE, value, false);
    out->from_keys = true;
    return 0;
}
