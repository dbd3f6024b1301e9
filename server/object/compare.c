/*
 * The comparer, and comparing as work.
 *
 * A frame is a pair of containers that are being gone through. Only whether two
 * elements are equal ever comes back to a frame: when an order is asked for and
 * the first two elements that differ are found, their order is the answer, so that
 * they take the frame's place.
 */
#include "object/compare.h"

#include <string.h>

#include "object/payload.h"
#include "object/references.h"

/* ---- values without elements ---------------------------------------------- */

static bool is_number(enum hd_kind_of_value kind)
{
    return kind == HD_IS_BOOL || kind == HD_IS_INT || kind == HD_IS_FLOAT;
}

static int sign_of(bool less, bool equal)
{
    return less ? -1 : equal ? 0 : 1;
}

static int order_ints(const struct hd_int_view *left, const struct hd_int_view *right)
{
    bool left_negative = left->negative && left->limb_count, right_negative = right->negative && right->limb_count;
    if (left_negative != right_negative)
        return left_negative ? -1 : 1;
    int magnitude = 0;
    if (left->limb_count != right->limb_count)
        magnitude = left->limb_count < right->limb_count ? -1 : 1;
    for (size_t i = left->limb_count; magnitude == 0 && i-- > 0;)
        if (left->limbs[i] != right->limbs[i])
            magnitude = left->limbs[i] < right->limbs[i] ? -1 : 1;
    return left_negative ? -magnitude : magnitude;
}

/* Exactly: the float's whole part is an int, and what it has behind that decides among equals. */
static int order_int_float(const struct hd_objects *objects, hd_value left, double right)
{
    struct hd_int_view a, b;
    uint64_t limbs[17];
    if (right != right)
        return 2;
    if (right > 1.7976931348623157e308)
        return -1;
    if (right < -1.7976931348623157e308)
        return 1;
    double whole = __builtin_trunc(right);
    (void)hd_float_to_limbs(whole, limbs, &b.limb_count, &b.negative);
    b.limbs = limbs;
    hd_int_view(objects, left, &a);
    int order = order_ints(&a, &b);
    return order ? order : sign_of(right > whole, right == whole);
}

static int order_numbers(const struct hd_objects *objects, hd_value left, hd_value right)
{
    if (hd_value_tag(left) == HD_TAG_INT && hd_value_tag(right) == HD_TAG_INT)
        return sign_of(hd_value_to_int(left) < hd_value_to_int(right), left == right);
    bool left_real = hd_kind_of(objects, left) == HD_IS_FLOAT, right_real = hd_kind_of(objects, right) == HD_IS_FLOAT;
    if (left_real && right_real) {
        double a = hd_float_get(objects, left), b = hd_float_get(objects, right);
        return a != a || b != b ? 2 : sign_of(a < b, a == b);
    }
    if (right_real)
        return order_int_float(objects, left, hd_float_get(objects, right));
    if (left_real) {
        int order = order_int_float(objects, right, hd_float_get(objects, left));
        return order == 2 ? 2 : -order;
    }
    struct hd_int_view a, b;
    hd_int_view(objects, left, &a);
    hd_int_view(objects, right, &b);
    return order_ints(&a, &b);
}

int hd_order(struct hd_objects *objects, hd_value left, hd_value right, int *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, left), other = hd_kind_of(objects, right);
    if (is_number(kind) && is_number(other)) {
        *out = order_numbers(objects, left, right);
        return 0;
    }
    if (kind != other || (kind != HD_IS_STR && kind != HD_IS_BYTES))
        return HD_ETYPE;
    size_t left_size, right_size;
    const uint8_t *a = hd_bytes_view(objects, &left, &left_size), *b = hd_bytes_view(objects, &right, &right_size);
    size_t size = left_size < right_size ? left_size : right_size;
    /* UTF-8 orders as its code points do. */
    int order = memcmp(a, b, size);
    hd_objects_worked(objects, size);
    *out = order ? sign_of(order < 0, false) : sign_of(left_size < right_size, left_size == right_size);
    return 0;
}

static bool holds(enum hd_relation relation, int order)
{
    switch (relation) {
    case HD_LESS:
        return order == -1;
    case HD_LESS_OR_EQUAL:
        return order == -1 || order == 0;
    case HD_GREATER:
        return order == 1;
    case HD_GREATER_OR_EQUAL:
        return order == 1 || order == 0;
    case HD_NOT_EQUAL:
        return order != 0;
    default:
        return order == 0;
    }
}

/* ---- the stack ------------------------------------------------------------ */

void hd_comparer_init(struct hd_comparer *comparer, struct hd_objects *objects)
{
    *comparer = (struct hd_comparer){.objects = objects};
}

void hd_comparer_fini(struct hd_comparer *comparer)
{
    hd_allocator_free(comparer->objects->allocator, comparer->frames, comparer->capacity * sizeof *comparer->frames);
    comparer->frames = NULL;
    comparer->capacity = 0;
}

void hd_comparer_reset(struct hd_comparer *comparer)
{
    comparer->active = false;
    comparer->depth = 0;
    comparer->mark_depth = 0;
    comparer->mark_next = 0;
}

static int note_read(struct hd_comparer *comparer, hd_value container)
{
    if (!comparer->read)
        return 0;
    int error = hd_sparse_add(comparer->read, hd_value_index(container));
    if (!error)
        hd_work_read(comparer->reader, hd_value_index(container));
    return error;
}

/*
 * Without an end, the way down repeats itself: a pair that is remembered long enough
 * comes again (Brent, "An improved Monte Carlo factorization algorithm", 1980, who
 * looks again at twice the distance each time).
 */
static int look_for_circle(struct hd_comparer *comparer, hd_value left, hd_value right)
{
    if (comparer->mark_depth > comparer->depth) {
        comparer->mark_depth = 0;
        comparer->mark_next = comparer->depth;
    }
    if (comparer->mark_depth && left == comparer->mark_left && right == comparer->mark_right)
        return HD_ERECURSION;
    if (comparer->depth >= comparer->mark_next) {
        comparer->mark_left = left;
        comparer->mark_right = right;
        comparer->mark_depth = comparer->depth + 1;
        comparer->mark_next = comparer->mark_depth * 2;
    }
    return 0;
}

static int push(struct hd_comparer *comparer, hd_value left, hd_value right)
{
    int error = look_for_circle(comparer, left, right);
    if (!error)
        error = note_read(comparer, left);
    if (!error)
        error = note_read(comparer, right);
    if (!error && comparer->depth == comparer->capacity) {
        size_t capacity = comparer->capacity ? comparer->capacity * 2 : 16;
        struct hd_compare_frame *frames =
            hd_allocator_resize(comparer->objects->allocator, comparer->frames, comparer->capacity * sizeof *frames,
                                capacity * sizeof *frames);
        if (!frames)
            return HD_ENOMEM;
        comparer->frames = frames;
        comparer->capacity = capacity;
    }
    if (!error)
        comparer->frames[comparer->depth++] = (struct hd_compare_frame){.left = left, .right = right};
    return error;
}

static enum hd_relation relation_at(const struct hd_comparer *comparer)
{
    return comparer->depth == 0 ? comparer->relation : HD_EQUAL;
}

/* What can be gone through in pairs with what. */
enum shape { SHAPE_NONE, SHAPE_LIST, SHAPE_TUPLE, SHAPE_DICT, SHAPE_SET };

static enum shape shape_of(enum hd_kind_of_value kind)
{
    switch (kind) {
    case HD_IS_LIST:
        return SHAPE_LIST;
    case HD_IS_TUPLE:
        return SHAPE_TUPLE;
    case HD_IS_DICT:
        return SHAPE_DICT;
    case HD_IS_SET:
    case HD_IS_FROZENSET:
        return SHAPE_SET;
    default:
        return SHAPE_NONE;
    }
}

static uint32_t length_of(const struct hd_objects *objects, hd_value container, enum shape shape)
{
    return shape == SHAPE_LIST    ? hd_list_length(objects, container)
           : shape == SHAPE_TUPLE ? hd_tuple_length(objects, container)
                                  : hd_dict_length(objects, container);
}

/* Two sets: from their lengths, or a frame in which each element of the left one is looked for in the right one. */
static int begin_sets(struct hd_comparer *comparer, hd_value left, hd_value right)
{
    struct hd_objects *objects = comparer->objects;
    enum hd_relation relation = relation_at(comparer);
    uint32_t left_count = hd_dict_length(objects, left), right_count = hd_dict_length(objects, right);
    bool swapped = relation == HD_GREATER || relation == HD_GREATER_OR_EQUAL;
    uint32_t small = swapped ? right_count : left_count, large = swapped ? left_count : right_count;
    bool strict = relation == HD_LESS || relation == HD_GREATER;
    bool same = relation == HD_EQUAL || relation == HD_NOT_EQUAL;
    if (same ? small != large : strict ? small >= large : small > large) {
        comparer->truth = relation == HD_NOT_EQUAL;
        return 1;
    }
    return swapped ? push(comparer, right, left) : push(comparer, left, right);
}

/*
 * 1: truth is the answer for this pair; 0: a frame was pushed, or memory is short
 * and nothing was (HD_ENOMEM).
 */
static int begin_pair(struct hd_comparer *comparer, hd_value left, hd_value right, bool shortcut)
{
    struct hd_objects *objects = comparer->objects;
    enum hd_relation relation = relation_at(comparer);
    bool equality = relation == HD_EQUAL || relation == HD_NOT_EQUAL;
    if (shortcut && left == right && equality) {
        comparer->truth = relation == HD_EQUAL;
        return 1;
    }
    enum hd_kind_of_value kind = hd_kind_of(objects, left), other = hd_kind_of(objects, right);
    while (equality && kind == HD_IS_WEAK && other == HD_IS_WEAK && left != right) {
        /* As long as both lead to an object, these are compared. */
        hd_value left_target = hd_weak_peek(objects, left), right_target = hd_weak_peek(objects, right);
        if (left_target == HD_ABSENT || right_target == HD_ABSENT)
            break;
        left = left_target;
        right = right_target;
        kind = hd_kind_of(objects, left);
        other = hd_kind_of(objects, right);
    }
    enum shape shape = shape_of(kind);
    if (shape != SHAPE_NONE && shape == shape_of(other)) {
        if (shape == SHAPE_SET)
            return begin_sets(comparer, left, right);
        if (shape == SHAPE_DICT && !equality)
            return HD_ETYPE;
        if (equality && length_of(objects, left, shape) != length_of(objects, right, shape)) {
            comparer->truth = relation == HD_NOT_EQUAL;
            return 1;
        }
        return push(comparer, left, right);
    }
    int order;
    int error = hd_order(objects, left, right, &order);
    if (error && !equality)
        return error;
    comparer->truth = holds(relation, error ? left != right : order);
    return 1;
}

/* ---- frames --------------------------------------------------------------- */

/* The frame at the top has its answer, which goes down to the one below. */
static void answer(struct hd_comparer *comparer, bool equal)
{
    comparer->depth--;
    comparer->truth = comparer->depth == 0 && comparer->relation == HD_NOT_EQUAL ? !equal : equal;
}

/* Lists and tuples. 1: truth is the answer of the frame, which is gone; 0: go on at the top; or an error. */
static int step_sequence(struct hd_comparer *comparer, enum shape shape, uint64_t *units)
{
    struct hd_objects *objects = comparer->objects;
    struct hd_compare_frame *frame = &comparer->frames[comparer->depth - 1];
    bool list = shape == SHAPE_LIST;
    bool ordered = comparer->depth == 1 && comparer->relation != HD_EQUAL && comparer->relation != HD_NOT_EQUAL;
    uint32_t left_length = length_of(objects, frame->left, shape),
             right_length = length_of(objects, frame->right, shape);
    uint32_t end = left_length < right_length ? left_length : right_length;
    for (bool equal = true;; equal = true) {
        hd_value left = HD_ABSENT, right = HD_ABSENT;
        if (frame->position < end) {
            left = list ? hd_list_at(objects, frame->left, frame->position)
                        : hd_tuple_at(objects, frame->left, frame->position);
            right = list ? hd_list_at(objects, frame->right, frame->position)
                         : hd_tuple_at(objects, frame->right, frame->position);
        }
        if (frame->asked) {
            equal = comparer->truth;
            frame->asked = false;
        } else if (frame->position == end) {
            if (!ordered) {
                answer(comparer, left_length == right_length);
                return 1;
            }
            comparer->depth--;
            comparer->truth =
                holds(comparer->relation, sign_of(left_length < right_length, left_length == right_length));
            return 1;
        } else {
            if (*units == 0)
                return 0;
            --*units;
            int result = begin_pair(comparer, left, right, true);
            if (result < 0)
                return result;
            /* The stack may have moved. */
            if (result == 0) {
                comparer->frames[comparer->depth - 2].asked = true;
                return 0;
            }
            equal = comparer->truth;
        }
        if (equal) {
            frame->position++;
            continue;
        }
        if (!ordered) {
            answer(comparer, false);
            return 1;
        }
        comparer->depth--;
        int result = begin_pair(comparer, left, right, false);
        if (result == HD_ENOMEM) {
            /* The frame as it was, so that this can be tried again. */
            comparer->depth++;
            frame->asked = true;
        }
        return result;
    }
}

/* 1: the frame is gone; 0: the top is another, or the units are used; or an error. */
static int step_dict(struct hd_comparer *comparer, uint64_t *units)
{
    struct hd_objects *objects = comparer->objects;
    struct hd_compare_frame *frame = &comparer->frames[comparer->depth - 1];
    hd_value key_value, left, right;
    if (frame->asked) {
        frame->asked = false;
        if (!comparer->truth) {
            answer(comparer, false);
            return 1;
        }
    }
    for (;;) {
        uint32_t position = frame->position;
        if (*units == 0)
            return 0;
        --*units;
        if (!hd_dict_next(objects, frame->left, &position, &key_value, &left)) {
            answer(comparer, true);
            return 1;
        }
        struct hd_key key = hd_key_of(key_value);
        int result = hd_dict_get(objects, frame->right, &key, &right);
        if (result == HD_EKEY) {
            answer(comparer, false);
            return 1;
        }
        if (result)
            return result;
        /* The dict holds it. */
        hd_gc_release(objects->gc, right);
        result = begin_pair(comparer, left, right, true);
        if (result < 0)
            return result;
        comparer->frames[result ? comparer->depth - 1 : comparer->depth - 2].position = position;
        if (result == 0) {
            comparer->frames[comparer->depth - 2].asked = true;
            return 0;
        }
        if (!comparer->truth) {
            answer(comparer, false);
            return 1;
        }
    }
}

static int step_set(struct hd_comparer *comparer, uint64_t *units)
{
    struct hd_objects *objects = comparer->objects;
    struct hd_compare_frame *frame = &comparer->frames[comparer->depth - 1];
    for (bool there = true; there;) {
        uint32_t position = frame->position;
        hd_value element, none;
        if (*units == 0)
            return 0;
        --*units;
        if (!hd_dict_next(objects, frame->left, &position, &element, &none)) {
            answer(comparer, true);
            return 1;
        }
        struct hd_key key = hd_key_of(element);
        int error = hd_dict_contains(objects, frame->right, &key, &there);
        if (error)
            return error;
        frame->position = position;
    }
    answer(comparer, false);
    return 1;
}

int hd_comparer_run(struct hd_comparer *comparer, hd_value left, hd_value right, enum hd_relation relation,
                    bool shortcut, uint64_t *units)
{
    struct hd_objects *objects = comparer->objects;
    int result = 0;
    /* Whoever has used up his units still gets on, and has none left afterwards. */
    uint64_t one = 1;
    if (*units == 0)
        units = &one;
    if (!comparer->active) {
        comparer->relation = relation;
        result = begin_pair(comparer, left, right, shortcut);
        if (result)
            return result;
        comparer->active = true;
    }
    while (comparer->depth && result >= 0) {
        if (*units == 0)
            return 0;
        struct hd_compare_frame *frame = &comparer->frames[comparer->depth - 1];
        enum shape shape = shape_of(hd_kind_of(objects, frame->left));
        /* What is long in an element is paid for as it is looked at. */
        uint64_t worked = objects->work_units;
        result = shape == SHAPE_DICT  ? step_dict(comparer, units)
                 : shape == SHAPE_SET ? step_set(comparer, units)
                                      : step_sequence(comparer, shape, units);
        worked = objects->work_units - worked;
        *units -= worked < *units ? worked : *units;
    }
    if (result == HD_ENOMEM)
        return result;
    hd_comparer_reset(comparer);
    return result < 0 ? result : 1;
}

/* ---- as work -------------------------------------------------------------- */

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_compare *compare = (struct hd_compare *)work;
    uint64_t left = units;
    if (compare->relation == HD_IDENTICAL) {
        work->truth = work->held[0] == work->held[1];
        return 1;
    }
    int result = hd_comparer_run(&compare->comparer, work->held[0], work->held[1], compare->relation, false, &left);
    work->objects->work_units += (units - left) / 4;
    if (result == 1)
        work->truth = compare->comparer.truth;
    return result;
}

/* What was read was not watched: from the beginning again, once. */
static void keep(struct hd_work *work)
{
    struct hd_compare *compare = (struct hd_compare *)work;
    hd_comparer_reset(&compare->comparer);
    compare->comparer.read = &compare->read;
    compare->comparer.reader = work;
}

static bool covers(const struct hd_work *work, uint32_t index)
{
    return hd_sparse_has(&((const struct hd_compare *)work)->read, index);
}

static void fini(struct hd_work *work)
{
    struct hd_compare *compare = (struct hd_compare *)work;
    hd_comparer_fini(&compare->comparer);
    hd_sparse_clear(&compare->read);
}

static const struct hd_work_kind compare_kind = {
    .bytes = sizeof(struct hd_compare), .step = step, .keep = keep, .covers = covers, .fini = fini};

int hd_compare_begin(struct hd_objects *objects, hd_value left, enum hd_relation relation, hd_value right,
                     struct hd_compare *out)
{
    if (relation < HD_EQUAL || relation > HD_IDENTICAL)
        return HD_EINVALID;
    hd_work_init(&out->work, &compare_kind, objects);
    hd_comparer_init(&out->comparer, objects);
    out->read = (struct hd_sparse){.allocator = objects->allocator};
    out->relation = relation;
    hd_work_hold(&out->work, 0, left, false);
    hd_work_hold(&out->work, 1, right, false);
    return 0;
}
