/*
 * Copying objects, shallow and deep.
 *
 * Deep: a stack of pairs, an original and its copy that is being filled. What was
 * copied is remembered by the original's index, so that circles and shared parts are
 * met again. Everything that was made is held by a list of our own until the end,
 * when the copy is handed out and that list dies.
 */
#include "object/payload.h"
#include "object/sequence.h"

enum { ORIGINAL = 0, MADE = 1 };

#define UNITS_PER_PUT 8

struct hd_copy_frame {
    hd_value from; /* borrow: reached from the original, which must not change */
    hd_value to;   /* borrow: held by the list of what was made */
    hd_value key;  /* borrow, likewise or reached from the original: waits for its value */
    uint32_t position;
    bool has_key;
    bool changed; /* of a tuple or frozenset: some element is not the original's */
};

static enum hd_kind_of_value kind_of(const struct hd_copy *copy, hd_value value)
{
    return hd_kind_of(copy->work.objects, value);
}

/* ---- what was made -------------------------------------------------------- */

static int push(struct hd_copy *copy, hd_value from, hd_value to)
{
    const struct hd_allocator *allocator = copy->work.objects->allocator;
    if (copy->depth == copy->capacity) {
        size_t capacity = copy->capacity ? copy->capacity * 2 : 16;
        struct hd_copy_frame *frames =
            hd_allocator_resize(allocator, copy->frames, copy->capacity * sizeof *frames, capacity * sizeof *frames);
        if (!frames)
            return HD_ENOMEM;
        copy->frames = frames;
        copy->capacity = capacity;
    }
    copy->frames[copy->depth++] = (struct hd_copy_frame){.from = from, .to = to};
    return 0;
}

/* An empty object of the same kind, with room for as much. */
static int make(struct hd_copy *copy, hd_value from, hd_value *out)
{
    struct hd_objects *objects = copy->work.objects;
    switch (kind_of(copy, from)) {
    case HD_IS_LIST:
        return hd_list_new(objects, hd_list_length(objects, from), out);
    case HD_IS_TUPLE:
        return hd_tuple_new_open(objects, hd_tuple_length(objects, from), out);
    case HD_IS_DICT:
        return hd_dict_new(objects, 0, out);
    case HD_IS_SET:
        return hd_set_new(objects, 0, out);
    case HD_IS_FROZENSET:
        return hd_frozenset_new(objects, hd_dict_length(objects, from), out);
    case HD_IS_INSTANCE:
        return hd_instance_new(objects, hd_instance_class(objects, from), out);
    default:
        return HD_ETYPE;
    }
}

static bool is_immutable(enum hd_kind_of_value kind)
{
    return kind == HD_IS_TUPLE || kind == HD_IS_FROZENSET;
}

static int remember(struct hd_copy *copy, hd_value from, hd_value to)
{
    int error = hd_sparse_set(&copy->made, hd_value_index(from), to);
    if (!error)
        hd_work_read(&copy->work, hd_value_index(from));
    return error;
}

/* Makes the copy that is to be filled, remembers it and goes down into it. Nothing is left behind by a failure. */
static int descend(struct hd_copy *copy, hd_value from)
{
    struct hd_objects *objects = copy->work.objects;
    size_t depth = copy->depth;
    hd_value to;
    int error = hd_list_reserve(objects, copy->work.held[MADE], 1);
    if (!error)
        error = make(copy, from, &to);
    if (error)
        return error;
    error = push(copy, from, to);
    /* A tuple (or frozenset) is met again before it is complete only in a circle, and then has to be copied once more
     * to be complete. */
    if (!error && !is_immutable(kind_of(copy, from)))
        error = remember(copy, from, to);
    if (error) {
        copy->depth = depth;
        hd_gc_release(objects->gc, to);
        return error;
    }
    return hd_list_append(objects, copy->work.held[MADE], to);
}

/* What cannot change, or is no part of a value but what it is an instance of. */
static bool is_shared(enum hd_kind_of_value kind)
{
    switch (kind) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
    case HD_IS_DICT:
    case HD_IS_SET:
    case HD_IS_FROZENSET:
    case HD_IS_INSTANCE:
    case HD_IS_SCOPE:
        return false;
    default:
        return true;
    }
}

/* 1: *out (borrowed) is the copy; 0: it is being made at the top of the stack; or an error. */
static int copy_of(struct hd_copy *copy, hd_value value, hd_value *out)
{
    *out = value;
    if (!hd_value_is_ref(value) || (!copy->deep && copy->begun) || is_shared(kind_of(copy, value)))
        return 1;
    hd_value made = hd_sparse_get(&copy->made, hd_value_index(value));
    if (made) {
        *out = made;
        return 1;
    }
    return descend(copy, value);
}

/* ---- filling -------------------------------------------------------------- */

/* The next child of the frame's original, without a step forward; false: there is none. */
static bool child_of(const struct hd_copy *copy, const struct hd_copy_frame *frame, uint32_t *position, hd_value *key,
                     hd_value *value)
{
    const struct hd_objects *objects = copy->work.objects;
    *position = frame->position;
    *key = HD_ABSENT;
    switch (kind_of(copy, frame->from)) {
    case HD_IS_DICT:
        return hd_dict_next(objects, frame->from, position, key, value);
    case HD_IS_INSTANCE:
        return hd_instance_next(objects, frame->from, position, key, value);
    default:
        return hd_iterate(objects, frame->from, position, value);
    }
}

static int put(struct hd_copy *copy, struct hd_copy_frame *frame, hd_value key_value, hd_value value)
{
    struct hd_objects *objects = copy->work.objects;
    struct hd_key key = hd_key_of(key_value);
    bool was_new;
    int error;
    switch (kind_of(copy, frame->to)) {
    case HD_IS_LIST:
        error = hd_list_append(objects, frame->to, hd_gc_retain(objects->gc, value));
        break;
    case HD_IS_TUPLE: {
        struct hd_tuple *tuple = hd_gc_payload(objects->gc, frame->to);
        hd_gc_put_new(&tuple->items[tuple->length++], hd_gc_retain(objects->gc, value));
        return 0;
    }
    case HD_IS_SET:
    case HD_IS_FROZENSET:
        key = hd_key_of(value);
        return hd_set_add(objects, frame->to, &key, &was_new);
    case HD_IS_DICT:
        error = hd_dict_set(objects, frame->to, &key, hd_gc_retain(objects->gc, value));
        break;
    default:
        error = hd_attribute_set(objects, frame->to, &key, hd_gc_retain(objects->gc, value));
    }
    if (error)
        hd_gc_release(objects->gc, value);
    return error;
}

/* One child more of the object at the top: 1; 0: it went down into the child; or an error. */
static int copy_child(struct hd_copy *copy, uint32_t position, hd_value key, hd_value value)
{
    struct hd_copy_frame *frame = &copy->frames[copy->depth - 1];
    hd_value made;
    int result;
    if (key != HD_ABSENT && !frame->has_key) {
        bool is_dict = kind_of(copy, frame->from) == HD_IS_DICT;
        result = is_dict ? copy_of(copy, key, &made) : 1;
        if (result != 1)
            return result;
        frame->key = is_dict ? made : key;
        frame->has_key = true;
    }
    result = copy_of(copy, value, &made);
    if (result != 1)
        return result;
    result = put(copy, frame, frame->key, made);
    if (result)
        return result;
    frame->changed |= made != value;
    frame->has_key = false;
    frame->position = position;
    return 1;
}

/*
 * The object at the top is complete. A tuple (or frozenset) all of whose elements are the original's
 * is the original itself, and one that a circle led to again was copied on the way.
 */
static int complete(struct hd_copy *copy)
{
    struct hd_copy_frame *frame = &copy->frames[copy->depth - 1];
    if (is_immutable(kind_of(copy, frame->from)) && !hd_sparse_get(&copy->made, hd_value_index(frame->from))) {
        int error = remember(copy, frame->from, frame->changed ? frame->to : frame->from);
        if (error)
            return error;
    }
    copy->depth--;
    return 0;
}

/* One child more, or the end of the object at the top: as copy_child. What it cost is taken off the units that are left. */
static int copy_next(struct hd_copy *copy, uint64_t *left)
{
    uint32_t position;
    hd_value key, value;
    const struct hd_copy_frame *top = &copy->frames[copy->depth - 1];
    enum hd_kind_of_value kind = kind_of(copy, top->to);
    bool is_sequence = kind == HD_IS_LIST || kind == HD_IS_TUPLE;
    int result = 0;
    if (child_of(copy, top, &position, &key, &value))
        result = copy_child(copy, position, key, value);
    else
        return complete(copy);
    /* Putting into a table, and making an object, is as much as several elements of a list. */
    uint64_t cost = result == 1 && is_sequence ? 0 : UNITS_PER_PUT - 1;
    *left -= cost < *left ? cost : *left;
    return result;
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_copy *copy = (struct hd_copy *)work;
    struct hd_objects *objects = work->objects;
    uint64_t left = units, worked = objects->work_units;
    hd_value original = work->held[ORIGINAL], made = original;
    int result = 1;
    if (work->held[MADE] == HD_ABSENT) {
        hd_value list;
        int error = hd_list_new(objects, 0, &list);
        if (error)
            return error;
        work->held[MADE] = list;
    }
    if (!copy->begun)
        result = copy_of(copy, original, &made);
    if (result < 0)
        return result;
    copy->begun = true;
    while (copy->depth) {
        uint64_t used = objects->work_units - worked;
        if (left <= used)
            return 0;
        left--;
        result = copy_next(copy, &left);
        if (result < 0)
            return result;
    }
    objects->work_units += (units - left) / 2;
    if (hd_value_is_ref(original) && hd_sparse_get(&copy->made, hd_value_index(original)))
        made = hd_sparse_get(&copy->made, hd_value_index(original));
    work->value = hd_gc_retain(objects->gc, made);
    return 1;
}

/* What was read was not watched: from the beginning again, once. */
static void keep(struct hd_work *work)
{
    struct hd_copy *copy = (struct hd_copy *)work;
    copy->depth = 0;
    copy->begun = false;
    hd_sparse_clear(&copy->made);
    hd_gc_release(work->objects->gc, work->held[MADE]);
    work->held[MADE] = HD_ABSENT;
}

static bool covers(const struct hd_work *work, uint32_t index)
{
    return hd_sparse_get(&((const struct hd_copy *)work)->made, index) != 0;
}

static void fini(struct hd_work *work)
{
    struct hd_copy *copy = (struct hd_copy *)work;
    hd_sparse_clear(&copy->made);
    hd_allocator_free(work->objects->allocator, copy->frames, copy->capacity * sizeof *copy->frames);
}

static const struct hd_work_kind copy_kind = {
    .bytes = sizeof(struct hd_copy), .step = step, .keep = keep, .covers = covers, .fini = fini};

int hd_copy_begin(struct hd_objects *objects, hd_value object, bool deep, struct hd_copy *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (kind == HD_IS_SCOPE)
        return HD_ETYPE;
    *out = (struct hd_copy){.deep = deep, .made = {.allocator = objects->allocator}};
    hd_work_init(&out->work, &copy_kind, objects);
    hd_work_hold(&out->work, ORIGINAL, object, false);
    /* Of one that cannot change there is nothing to copy. */
    out->begun = !deep && (kind == HD_IS_TUPLE || kind == HD_IS_FROZENSET);
    return 0;
}
