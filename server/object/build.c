/*
 * Literals to objects.
 *
 * Nodes come in pre-order. A stack holds the containers that are open; a value
 * that is complete is delivered to the innermost of them, which may complete it
 * in turn. Nothing that is being built can be reached by anybody before the whole
 * is done, so a failure at any point just lets go of what there is.
 */
#include <string.h>

#include "common/utf8.h"
#include "object/build_internal.h"
#include "object/object.h"
#include "object/payload.h"
#include "object/undo.h"

/* A node is worth so many units of other work. */
#define UNITS_PER_NODE 4

/* Whose instances one literal makes: as many as can be looked through for each instance. */
#define CLASSES_MAX 256

/* Makes room for one more of `bytes` each. */
static int grow(struct hd_builder *builder, void **array, size_t *capacity, size_t bytes)
{
    size_t more = *capacity ? *capacity * 2 : 16;
    void *grown = hd_allocator_resize(builder->objects->allocator, *array, *capacity * bytes, more * bytes);
    if (!grown)
        return HD_ENOMEM;
    *array = grown;
    *capacity = more;
    return 0;
}

static void release_key(struct hd_builder *builder, struct frame *frame)
{
    if (frame->has_key)
        hd_gc_release(builder->objects->gc, frame->key.value);
    frame->has_key = false;
}

/* Is what extends a list read into a list aside? */
static bool joins_list(const struct hd_builder *builder)
{
    return builder->aside != HD_ABSENT && hd_is_type(builder->objects, builder->aside, HD_TYPE_LIST);
}

void hd_builder_fini(struct hd_builder *builder)
{
    struct hd_gc *gc = builder->objects->gc;
    const struct hd_allocator *allocator = builder->objects->allocator;
    for (uint32_t i = 0; i < builder->depth; i++) {
        release_key(builder, &builder->frames[i]);
        hd_gc_release(gc, builder->frames[i].container);
    }
    for (size_t i = 0; builder->numbering && i < builder->container_count; i++)
        hd_gc_release(gc, builder->numbered[i].value);
    for (size_t i = 0; i < builder->done_count; i++)
        hd_gc_release(gc, builder->done[i]);
    for (size_t i = 0; i < builder->handle_count; i++)
        hd_gc_release(gc, builder->handles[i]);
    if (builder->joining)
        hd_work_fini(joins_list(builder) ? &builder->append.work : &builder->join.work);
    hd_gc_release(gc, builder->aside);
    hd_gc_release(gc, builder->pending);
    for (size_t i = 0; i < builder->class_count; i++) {
        hd_class_builder_ends(builder->objects, builder->classes[i], builder->succeeded);
        hd_gc_release(gc, builder->classes[i]);
    }
    hd_allocator_free(allocator, builder->classes, builder->class_capacity * sizeof *builder->classes);
    hd_allocator_free(allocator, builder->handles, builder->handle_count * sizeof *builder->handles);
    hd_allocator_free(allocator, builder->frames, builder->frame_capacity * sizeof *builder->frames);
    hd_allocator_free(allocator, builder->numbered, builder->numbered_capacity * sizeof *builder->numbered);
    hd_allocator_free(allocator, builder->done, builder->done_capacity * sizeof *builder->done);
}

/* ---- completing ----------------------------------------------------------- */

static void remember(struct hd_builder *builder, uint64_t number, hd_value container)
{
    if (builder->numbering)
        builder->numbered[number].value = hd_gc_retain(builder->objects->gc, container);
}

static int append_done(struct hd_builder *builder, hd_value value)
{
    if (builder->done_count == builder->done_capacity) {
        int error = grow(builder, (void **)&builder->done, &builder->done_capacity, sizeof *builder->done);
        if (error)
            return error;
    }
    builder->done[builder->done_count++] = value;
    return 0;
}

/* Classes are few, and the one that came last comes again. */
static int note_class(struct hd_builder *builder, hd_value class_value)
{
    for (size_t i = builder->class_count; i-- > 0;)
        if (builder->classes[i] == class_value)
            return 0;
    if (builder->class_count == CLASSES_MAX) {
        builder->many_classes = true;
        return 0;
    }
    if (builder->class_count == builder->class_capacity) {
        int error = grow(builder, (void **)&builder->classes, &builder->class_capacity, sizeof *builder->classes);
        if (error)
            return error;
    }
    builder->classes[builder->class_count++] = hd_gc_retain(builder->objects->gc, class_value);
    hd_class_builder_begins(builder->objects, class_value);
    return 0;
}

/* The class of an instance that is being built. */
static int begin_instance(struct hd_builder *builder, struct frame *frame, hd_value class_value)
{
    if (!hd_is_type(builder->objects, class_value, HD_TYPE_CLASS))
        return HD_ETYPE;
    int error = note_class(builder, class_value);
    if (!error)
        error = hd_instance_new(builder->objects, class_value, &frame->container);
    if (!error)
        hd_gc_release(builder->objects->gc, class_value);
    return error;
}

/* Puts a complete value (steal, only on success) into a frame. */
static int put(struct hd_builder *builder, struct frame *frame, hd_value value)
{
    struct hd_objects *objects = builder->objects;
    struct hd_key key;
    bool was_new;
    int error;
    switch (frame->kind) {
    case HD_KIND_LIST:
        return hd_list_append(objects, frame->container, value);
    case HD_KIND_TUPLE:
        hd_tuple_init_at(objects, frame->container, hd_tuple_length(objects, frame->container) - (uint32_t)frame->left,
                         value);
        return 0;
    case HD_KIND_SET:
    case HD_KIND_FROZENSET:
        key = hd_key_of(value);
        error = hd_set_add(objects, frame->container, &key, &was_new);
        if (!error)
            hd_gc_release(objects->gc, value);
        return error;
    default: /* a dict or an instance */
        if (frame->container == HD_ABSENT)
            return begin_instance(builder, frame, value);
        if (!frame->has_key) {
            frame->key = hd_key_of(value);
            frame->has_key = true;
            return 0;
        }
        if (frame->kind == HD_KIND_DICT)
            error = hd_dict_set(objects, frame->container, &frame->key, value);
        else if (builder->many_classes)
            error = hd_attribute_set(objects, frame->container, &frame->key, value);
        else
            error = hd_attribute_set_in_literal(objects, frame->container, &frame->key, value);
        if (!error)
            release_key(builder, frame);
        return error;
    }
}

/* A top-level value (steal, only on success) of what extends a container that has something aside. */
static int put_aside(struct hd_builder *builder, hd_value value)
{
    struct hd_objects *objects = builder->objects;
    hd_value key_value = builder->keys_in_done ? builder->pending : value;
    if (joins_list(builder)) {
        int error = hd_list_append(objects, builder->aside, value);
        if (!error)
            hd_gc_shade(objects->gc, value);
        return error;
    }
    struct hd_key key = hd_key_of(key_value);
    hd_gc_shade(objects->gc, value);
    if (key_value == HD_ABSENT) {
        builder->pending = value;
        return 0;
    }
    int error = hd_table_put(objects, builder->aside, &key, value, false);
    if (error)
        return error;
    builder->pending = HD_ABSENT;
    hd_gc_release(objects->gc, value);
    if (builder->keys_in_done)
        hd_gc_release(objects->gc, key_value);
    return 0;
}

/* A complete value (steal) goes where it belongs, and so do the containers that it completes. */
static int deliver(struct hd_builder *builder, hd_value value)
{
    while (builder->depth) {
        struct frame *frame = &builder->frames[builder->depth - 1];
        int error = put(builder, frame, value);
        if (error) {
            hd_gc_release(builder->objects->gc, value);
            return error;
        }
        /* It leaves the builder, a root, for an object that a collection may have followed already: R4. */
        hd_gc_shade(builder->objects->gc, value);
        if (--frame->left)
            return 0;
        value = frame->container;
        remember(builder, frame->number, value);
        builder->depth--;
    }
    int error = builder->aside == HD_ABSENT ? append_done(builder, value) : put_aside(builder, value);
    if (error)
        hd_gc_release(builder->objects->gc, value);
    return error;
}

/* ---- reading -------------------------------------------------------------- */

/* Is the next node a key that need not be an object yet? */
static struct frame *waits_for_key(struct hd_builder *builder)
{
    if (!builder->depth)
        return NULL;
    struct frame *frame = &builder->frames[builder->depth - 1];
    bool keyed = frame->kind == HD_KIND_DICT || frame->kind == HD_KIND_INSTANCE;
    return keyed && frame->container != HD_ABSENT && !frame->has_key ? frame : NULL;
}

/* Of the top-level nodes of what extends a dict. */
static bool is_key_next(const struct hd_builder *builder)
{
    if (!builder->keys_in_done)
        return false;
    return builder->aside == HD_ABSENT ? builder->done_count % 2 == 0 : builder->pending == HD_ABSENT;
}

static int read_str(struct hd_builder *builder, const struct hd_node *node)
{
    const uint8_t *bytes = node->bytes.data;
    size_t size = node->bytes.size;
    struct frame *frame = waits_for_key(builder);
    struct hd_objects *objects = builder->objects;
    hd_value value;
    int error;
    if (frame) {
        /* Looked up by its bytes, so that a key that is met again shares one object. */
        if (!hd_utf8_valid(bytes, size))
            return HD_EUTF8;
        frame->key = hd_key_of_bytes(HD_TAG_STR, bytes, size);
        frame->has_key = true;
        frame->left--;
        return 0;
    }
    if (builder->depth == 0 && is_key_next(builder)) {
        if (!hd_utf8_valid(bytes, size))
            return HD_EUTF8;
        struct hd_key key = hd_key_of_bytes(HD_TAG_STR, bytes, size);
        error = hd_key_to_value(objects, &key, &value);
    } else {
        error = hd_str_new(objects, bytes, size, &value);
    }
    return error ? error : deliver(builder, value);
}

static int number_container(struct hd_builder *builder, uint64_t *out)
{
    if (builder->numbering) {
        if (builder->container_count == builder->numbered_capacity) {
            int error =
                grow(builder, (void **)&builder->numbered, &builder->numbered_capacity, sizeof *builder->numbered);
            if (error)
                return error;
        }
        builder->numbered[builder->container_count].value = HD_ABSENT;
    }
    *out = builder->container_count++;
    return 0;
}

static int new_container(struct hd_objects *objects, const struct hd_node *node, hd_value *out)
{
    /* The reader has checked that at least as many nodes are left as a count promises. */
    if (node->count > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    uint32_t count = (uint32_t)node->count;
    switch (node->kind) {
    case HD_KIND_LIST:
        return hd_list_new(objects, count, out);
    case HD_KIND_TUPLE:
        return hd_tuple_new(objects, count, out);
    case HD_KIND_DICT:
        return hd_dict_new(objects, count, out);
    case HD_KIND_SET:
        return hd_set_new(objects, count, out);
    case HD_KIND_FROZENSET:
        return hd_frozenset_new(objects, count, out);
    default:
        *out = HD_ABSENT;
        return 0;
    }
}

static int push_frame(struct hd_builder *builder, struct frame frame)
{
    if (builder->depth == HD_LITERAL_MAX_DEPTH)
        return HD_EDEPTH;
    if (builder->depth == builder->frame_capacity) {
        size_t capacity = builder->frame_capacity;
        int error = grow(builder, (void **)&builder->frames, &capacity, sizeof *builder->frames);
        if (error)
            return error;
        builder->frame_capacity = (uint32_t)capacity;
    }
    builder->frames[builder->depth++] = frame;
    return 0;
}

static int read_container(struct hd_builder *builder, const struct hd_node *node)
{
    uint64_t number;
    int error = number_container(builder, &number);
    if (error)
        return error;
    hd_value container;
    error = new_container(builder->objects, node, &container);
    if (error)
        return error;
    uint64_t left = node->count;
    if (node->kind == HD_KIND_DICT || node->kind == HD_KIND_INSTANCE)
        left *= 2;
    if (node->kind == HD_KIND_INSTANCE)
        left++;
    if (left == 0) {
        remember(builder, number, container);
        return deliver(builder, container);
    }
    error =
        push_frame(builder, (struct frame){.container = container, .kind = node->kind, .left = left, .number = number});
    if (error)
        hd_gc_release(builder->objects->gc, container);
    return error;
}

int hd_build_resolve(const struct hd_build *build, uint64_t handle, hd_value *out)
{
    const struct hd_resolver *resolver = &build->resolver;
    return resolver->resolve ? resolver->resolve(resolver->context, handle, out) : HD_EHANDLE_UNKNOWN;
}

static int read_reference(struct hd_builder *builder, const struct hd_node *node)
{
    hd_value value;
    if (node->kind == HD_KIND_SHARED) {
        if (node->shared >= builder->container_count)
            return HD_EINVALID;
        value = builder->numbered[node->shared].value;
        if (value == HD_ABSENT)
            return HD_ECYCLE;
    } else if (builder->handles) {
        value = builder->handles[builder->handle_next++];
    } else {
        int error = hd_build_resolve(builder->build, node->handle, &value);
        if (error)
            return error;
    }
    return deliver(builder, hd_gc_retain(builder->objects->gc, value));
}

static int read_node(struct hd_builder *builder)
{
    struct hd_objects *objects = builder->objects;
    struct hd_node node;
    int error = hd_literal_reader_next(&builder->reader, &node);
    if (error)
        return error;
    hd_value value;
    switch (node.kind) {
    case HD_KIND_NONE:
        return deliver(builder, HD_NONE);
    case HD_KIND_FALSE:
        return deliver(builder, HD_FALSE);
    case HD_KIND_TRUE:
        return deliver(builder, HD_TRUE);
    case HD_KIND_INT:
        error = hd_int_new(objects, node.integer, &value);
        break;
    case HD_KIND_BIG_INT:
        error = hd_int_from_bytes(objects, node.bytes.data, node.bytes.size, &value);
        break;
    case HD_KIND_FLOAT:
        error = hd_float_new(objects, node.real, &value);
        break;
    case HD_KIND_STR:
        return read_str(builder, &node);
    case HD_KIND_BYTES:
        error = hd_bytes_new(objects, node.bytes.data, node.bytes.size, &value);
        break;
    case HD_KIND_HANDLE:
    case HD_KIND_SHARED:
        return read_reference(builder, &node);
    default:
        return read_container(builder, &node);
    }
    return error ? error : deliver(builder, value);
}

/* Hands out the containers that were asked for. */
static int check_captures(const struct hd_builder *builder)
{
    const struct hd_build *build = builder->build;
    for (size_t i = 0; i < build->capture_count; i++) {
        if (build->captures[i] >= builder->container_count || (i && build->captures[i] <= build->captures[i - 1]))
            return HD_EINVALID;
    }
    return 0;
}

void hd_builder_begin(struct hd_builder *builder, struct hd_objects *objects, const struct hd_build *build,
                      hd_value into)
{
    builder->objects = objects;
    builder->build = build;
    builder->into = into;
    builder->keys_in_done = into != HD_ABSENT && hd_kind_of(objects, into) == HD_IS_DICT;
    builder->numbering = build->capture_count > 0 || build->columns->shared_count > 0;
    hd_literal_reader_init(&builder->reader, build->columns);
}

#define JOIN_ATTEMPTS_MAX 3

/* As join, of a list. When it is changed meanwhile, once more at its new end; at last in one go. */
static int join_list(struct hd_builder *builder, uint64_t units)
{
    for (;;) {
        if (!builder->joining) {
            int error = hd_extend_begin(builder->objects, builder->into, builder->aside, &builder->append);
            if (error)
                return error;
            builder->joining = true;
            hd_work_keep(&builder->append.work);
        }
        int result = hd_work_step(&builder->append.work, builder->attempts < JOIN_ATTEMPTS_MAX ? units : UINT64_MAX);
        if (result != HD_ECHANGED)
            return result;
        hd_work_fini(&builder->append.work);
        builder->joining = false;
        builder->attempts++;
    }
}

static int join(struct hd_builder *builder, uint64_t units)
{
    if (joins_list(builder))
        return join_list(builder, units);
    if (!builder->joining) {
        hd_value others;
        if (builder->pending != HD_ABSENT)
            return HD_EPROTOCOL; /* a key without a value */
        int error = hd_tuple_new(builder->objects, 1, &others);
        if (error)
            return error;
        hd_tuple_init_at(builder->objects, others, 0, hd_gc_retain(builder->objects->gc, builder->aside));
        error =
            builder->keys_in_done
                ? hd_merge_begin(builder->objects, builder->into, others, true, true, &builder->join)
                : hd_combine_begin(builder->objects, builder->into, HD_SET_UNION, others, true, true, &builder->join);
        hd_gc_release(builder->objects->gc, others);
        if (error)
            return error;
        builder->joining = true;
        if (builder->in_slices)
            hd_work_keep(&builder->join.work);
    }
    builder->objects->undo = builder->undo;
    int result = hd_work_step(&builder->join.work, units);
    builder->objects->undo = NULL;
    return result;
}

/* A short literal goes into its dict without a table of its own, unless it may have to be undone. */
static bool is_direct(const struct hd_builder *builder)
{
    return builder->keys_in_done && !builder->in_slices && !hd_undo_is_open(builder->objects);
}

/*
 * Pairs that were read for a dict can be put into it at once: hashed, and none that cannot be compared without memory.
 * 0: they were moved into a table aside instead.
 */
static int prepare_pairs(struct hd_builder *builder)
{
    struct hd_objects *objects = builder->objects;
    size_t i = 0;
    if (builder->done_count % 2)
        return HD_EPROTOCOL; /* a key without a value */
    while (i < builder->done_count && hd_key_is_simple(objects, builder->done[i]))
        i += 2;
    if (i >= builder->done_count)
        return 1;
    int error = hd_dict_new(objects, 0, &builder->aside);
    for (i = 0; !error && i < builder->done_count; i++) {
        error = put_aside(builder, builder->done[i]);
        if (!error)
            builder->done[i] = HD_ABSENT;
    }
    return error;
}

/* The table, or the list, that a container is to be extended by. */
static int make_aside(struct hd_builder *builder)
{
    enum hd_kind_of_value kind = hd_kind_of(builder->objects, builder->into);
    if (builder->aside != HD_ABSENT || (kind == HD_IS_LIST && !builder->in_slices) || is_direct(builder))
        return 0;
    if (kind == HD_IS_LIST)
        return hd_list_new(builder->objects, 0, &builder->aside);
    return kind == HD_IS_DICT ? hd_dict_new(builder->objects, 0, &builder->aside)
                              : hd_set_new(builder->objects, 0, &builder->aside);
}

int hd_builder_step(struct hd_builder *builder, uint64_t units)
{
    /* A node costs a unit, and what hashing and comparing it as a key takes. */
    uint64_t begun = builder->objects->work_units;
    int made = builder->into == HD_ABSENT ? 0 : make_aside(builder);
    if (made)
        return made;
    for (uint64_t nodes = 0; hd_literal_reader_left(&builder->reader); nodes++) {
        if (nodes + (builder->objects->work_units - begun) >= units)
            return 0;
        int error = read_node(builder);
        if (error)
            return error;
    }
    if (builder->depth)
        return HD_EPROTOCOL; /* fewer nodes than the counts promise */
    int error = hd_literal_reader_end(&builder->reader);
    if (!error)
        error = check_captures(builder);
    if (!error && builder->into != HD_ABSENT && builder->aside == HD_ABSENT && builder->keys_in_done) {
        int direct = prepare_pairs(builder);
        if (direct)
            return direct;
    }
    if (error)
        return error;
    return builder->aside == HD_ABSENT
               ? 1
               : join(builder, units < UINT64_MAX / UNITS_PER_NODE ? units * UNITS_PER_NODE : units);
}
