/*
 * Objects to literals: a walk over what an object reaches, in slices.
 *
 * Clients go on meanwhile. Each container is watched from the moment it is looked
 * at until the walk ends; if one of them changes, the walk has shown a picture that
 * never was, and ends with HD_ECHANGED. If none does, the picture is that of the
 * moment at which the walk ended.
 */
#include <string.h>

#include "object/object.h"
#include "object/payload.h"

/* Numbers of visited containers, by table index: a directory of chunks, made as they are needed. */
#define CHUNK_BITS 12
#define CHUNK_ENTRIES (1u << CHUNK_BITS)

/* What a node takes beside its bytes; what has fewer than that is not looked at twice. */
#define NODE_MAX_BYTES 64u

struct chunk {
    uint32_t number[CHUNK_ENTRIES]; /* of the container in the literal, + 1; 0: not visited */
};

struct frame {
    hd_value container; /* borrowed: reached from the root, and watched */
    uint32_t position;
    bool second; /* the value of the pair at `pending` is to come */
    hd_value pending;
};

struct hd_walk {
    struct hd_objects *objects;
    hd_value root; /* own */
    struct hd_root_source roots;
    struct hd_watcher watcher;
    struct chunk **directory; /* own */
    size_t directory_length;
    struct frame *frames; /* own */
    size_t depth;
    size_t capacity;
    uint32_t visited_count;
    bool begun;
    bool keeps_child; /* `kept_child`, borrowed as a frame's pending one, did not fit the part and begins the next */
    hd_value kept_child;
};

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)from;
    (void)max;
    const struct hd_walk *walk = (const void *)((const char *)source - offsetof(struct hd_walk, roots));
    visitor->visit(visitor, walk->root);
    return 0;
}

static uint32_t *number_of(const struct hd_walk *walk, uint32_t index)
{
    size_t chunk = index >> CHUNK_BITS;
    if (chunk >= walk->directory_length || !walk->directory[chunk])
        return NULL;
    return &walk->directory[chunk]->number[index & (CHUNK_ENTRIES - 1)];
}

static bool covers(const struct hd_watcher *watcher, uint32_t index)
{
    const struct hd_walk *walk = (const void *)((const char *)watcher - offsetof(struct hd_walk, watcher));
    const uint32_t *number = number_of(walk, index);
    return number && *number;
}

int hd_walk_new(struct hd_objects *objects, hd_value root, struct hd_walk **out)
{
    struct hd_walk *walk = hd_allocator_new_zeroed(objects->allocator, sizeof *walk);
    if (!walk)
        return HD_ENOMEM;
    walk->objects = objects;
    walk->root = hd_gc_retain(objects->gc, root);
    walk->roots.scan = scan;
    walk->watcher.covers = covers;
    hd_gc_add_roots(objects->gc, &walk->roots);
    hd_gc_watch_begin(objects->gc, &walk->watcher);
    *out = walk;
    return 0;
}

void hd_walk_free(struct hd_walk *walk)
{
    if (!walk)
        return;
    const struct hd_allocator *allocator = walk->objects->allocator;
    hd_gc_watch_end(walk->objects->gc, &walk->watcher);
    hd_gc_release(walk->objects->gc, walk->root);
    hd_gc_remove_roots(walk->objects->gc, &walk->roots);
    for (size_t i = 0; i < walk->directory_length; i++)
        hd_allocator_free(allocator, walk->directory[i], sizeof(struct chunk));
    hd_allocator_free(allocator, walk->directory, walk->directory_length * sizeof *walk->directory);
    hd_allocator_free(allocator, walk->frames, walk->capacity * sizeof *walk->frames);
    hd_allocator_free(allocator, walk, sizeof *walk);
}

/* Where the number of a container is to be kept. */
static int reserve_number(struct hd_walk *walk, uint32_t index, uint32_t **out)
{
    const struct hd_allocator *allocator = walk->objects->allocator;
    size_t chunk = index >> CHUNK_BITS;
    if (chunk >= walk->directory_length) {
        size_t length = chunk + 1 > walk->directory_length * 2 ? chunk + 1 : walk->directory_length * 2;
        struct chunk **directory = hd_allocator_resize(
            allocator, walk->directory, walk->directory_length * sizeof *directory, length * sizeof *directory);
        if (!directory)
            return HD_ENOMEM;
        memset(directory + walk->directory_length, 0, (length - walk->directory_length) * sizeof *directory);
        walk->directory = directory;
        walk->directory_length = length;
    }
    if (!walk->directory[chunk]) {
        walk->directory[chunk] = hd_allocator_new_zeroed(allocator, sizeof(struct chunk));
        if (!walk->directory[chunk])
            return HD_ENOMEM;
    }
    *out = &walk->directory[chunk]->number[index & (CHUNK_ENTRIES - 1)];
    return 0;
}

static int push(struct hd_walk *walk, hd_value container)
{
    if (walk->depth == walk->capacity) {
        size_t capacity = walk->capacity ? walk->capacity * 2 : 16;
        struct frame *frames = hd_allocator_resize(walk->objects->allocator, walk->frames,
                                                   walk->capacity * sizeof *frames, capacity * sizeof *frames);
        if (!frames)
            return HD_ENOMEM;
        walk->frames = frames;
        walk->capacity = capacity;
    }
    walk->frames[walk->depth++] = (struct frame){.container = container};
    return 0;
}

/* ---- nodes ---------------------------------------------------------------- */

static int add_bytes(struct hd_literal_writer *writer, enum hd_kind kind, const uint8_t *bytes, size_t size)
{
    struct hd_node node = {.kind = kind};
    node.bytes.data = bytes;
    node.bytes.size = size;
    return hd_literal_writer_add(writer, &node);
}

static int add_int(struct hd_objects *objects, struct hd_literal_writer *writer, hd_value value)
{
    struct hd_node node = {.kind = HD_KIND_INT};
    if (hd_int_to_int64(objects, value, &node.integer))
        return hd_literal_writer_add(writer, &node);
    size_t size = hd_int_size(objects, value);
    uint8_t *bytes = hd_allocator_new(objects->allocator, size);
    if (!bytes)
        return HD_ENOMEM;
    hd_int_write(objects, value, bytes);
    int error = add_bytes(writer, HD_KIND_BIG_INT, bytes, size);
    hd_allocator_free(objects->allocator, bytes, size);
    return error;
}

int hd_literal_add_scalar(struct hd_objects *objects, struct hd_literal_writer *writer, hd_value value)
{
    struct hd_node node = {0};
    size_t size;
    const uint8_t *bytes;
    switch (hd_kind_of(objects, value)) {
    case HD_IS_NONE:
        node.kind = HD_KIND_NONE;
        break;
    case HD_IS_BOOL:
        node.kind = value == HD_TRUE ? HD_KIND_TRUE : HD_KIND_FALSE;
        break;
    case HD_IS_INT:
        return add_int(objects, writer, value);
    case HD_IS_FLOAT:
        node.kind = HD_KIND_FLOAT;
        node.real = hd_float_get(objects, value);
        break;
    case HD_IS_STR:
        bytes = hd_bytes_view(objects, &value, &size);
        return add_bytes(writer, HD_KIND_STR, bytes, size);
    case HD_IS_BYTES:
        bytes = hd_bytes_view(objects, &value, &size);
        return add_bytes(writer, HD_KIND_BYTES, bytes, size);
    default:
        return HD_ETYPE; /* a class or a scope is no value of a literal */
    }
    return hd_literal_writer_add(writer, &node);
}

static enum hd_kind container_kind(enum hd_kind_of_value kind)
{
    switch (kind) {
    case HD_IS_LIST:
        return HD_KIND_LIST;
    case HD_IS_TUPLE:
        return HD_KIND_TUPLE;
    case HD_IS_DICT:
        return HD_KIND_DICT;
    case HD_IS_SET:
        return HD_KIND_SET;
    case HD_IS_FROZENSET:
        return HD_KIND_FROZENSET;
    case HD_IS_INSTANCE:
        return HD_KIND_INSTANCE;
    default:
        return HD_KIND_NONE;
    }
}

/* A container's node; its children come from its frame. */
static int add_container(struct hd_walk *walk, struct hd_literal_writer *writer, hd_value value, enum hd_kind kind)
{
    struct hd_objects *objects = walk->objects;
    uint32_t index = hd_value_index(value);
    uint32_t *number;
    int error = reserve_number(walk, index, &number);
    if (error)
        return error;
    if (*number) {
        struct hd_node shared = {.kind = HD_KIND_SHARED, .shared = *number - 1};
        return hd_literal_writer_add(writer, &shared);
    }
    error = push(walk, value);
    if (error)
        return error;
    struct hd_node node = {.kind = kind};
    error = hd_length(objects, value, &node.count);
    if (!error)
        error = hd_literal_writer_add(writer, &node);
    if (!error && kind == HD_KIND_INSTANCE)
        error = hd_literal_add_scalar(objects, writer, hd_class_name(objects, hd_instance_class(objects, value)));
    if (error)
        return error;
    *number = ++walk->visited_count;
    hd_gc_watch(objects->gc, index);
    return 0;
}

static int add_value(struct hd_walk *walk, struct hd_literal_writer *writer, hd_value value)
{
    enum hd_kind kind = container_kind(hd_kind_of(walk->objects, value));
    if (kind == HD_KIND_NONE)
        return hd_literal_add_scalar(walk->objects, writer, value);
    return add_container(walk, writer, value, kind);
}

/* The innermost open container's next child; false when it has no more. */
static bool next_child(struct hd_walk *walk, hd_value *out)
{
    struct hd_objects *objects = walk->objects;
    struct frame *frame = &walk->frames[walk->depth - 1];
    if (frame->second) {
        frame->second = false;
        *out = frame->pending;
        return true;
    }
    hd_value container = frame->container;
    switch (hd_kind_of(objects, container)) {
    case HD_IS_LIST:
        if (frame->position == hd_list_length(objects, container))
            return false;
        *out = hd_list_at(objects, container, frame->position++);
        return true;
    case HD_IS_TUPLE:
        if (frame->position == hd_tuple_length(objects, container))
            return false;
        *out = hd_tuple_at(objects, container, frame->position++);
        return true;
    case HD_IS_INSTANCE:
        frame->second = hd_instance_next(objects, container, &frame->position, out, &frame->pending);
        return frame->second;
    case HD_IS_SET:
    case HD_IS_FROZENSET:
        return hd_dict_next(objects, container, &frame->position, out, &frame->pending);
    default:
        frame->second = hd_dict_next(objects, container, &frame->position, out, &frame->pending);
        return frame->second;
    }
}

/* Does the value, with what the part has already, stay below the writer's limit? What is alone in a part is let
 * through. */
static bool fits(const struct hd_walk *walk, const struct hd_literal_writer *writer, hd_value value)
{
    struct hd_objects *objects = walk->objects;
    size_t size = 0;
    switch (hd_kind_of(objects, value)) {
    case HD_IS_STR:
    case HD_IS_BYTES:
        (void)hd_bytes_view(objects, &value, &size);
        break;
    case HD_IS_INT:
        size = hd_value_is_ref(value) ? hd_int_size(objects, value) : 0;
        break;
    case HD_IS_INSTANCE:
        size = HD_NAME_MAX_BYTES;
        break;
    default:
        break;
    }
    if (size < NODE_MAX_BYTES || hd_buffer_readable(&writer->kinds) == 0)
        return true;
    return hd_literal_writer_size_bytes(writer) + size + NODE_MAX_BYTES <= writer->data.limit_bytes;
}

/* Ints are handed over by so many. */
#define RUN_INTS 128
/* What an int takes at most: its kind, and ten bytes of a varint. */
#define INT_BYTES 11

/*
 * Long lists are mostly of ints: those that come next in a list or tuple, at most `limit`, all at once. Gives how many
 * there were, or an error.
 */
static int take_ints(struct hd_walk *walk, struct hd_literal_writer *writer, size_t limit)
{
    struct frame *frame = &walk->frames[walk->depth - 1];
    struct hd_gc *gc = walk->objects->gc;
    const hd_value *items;
    uint32_t length;
    int64_t integers[RUN_INTS];
    size_t count = 0;
    if (frame->second || walk->keeps_child)
        return 0;
    switch (hd_gc_type(gc, frame->container)) {
    case HD_TYPE_LIST: {
        const struct hd_list *list = hd_gc_payload(gc, frame->container);
        items = list->items + list->head;
        length = list->length;
        break;
    }
    case HD_TYPE_TUPLE: {
        const struct hd_tuple *tuple = hd_gc_payload(gc, frame->container);
        items = tuple->items;
        length = tuple->length;
        break;
    }
    default:
        return 0;
    }
    if (limit > RUN_INTS)
        limit = RUN_INTS;
    if (limit > length - frame->position)
        limit = length - frame->position;
    items += frame->position;
    for (; count < limit && hd_value_tag(items[count]) == HD_TAG_INT; count++)
        integers[count] = hd_value_to_int(items[count]);
    int error = count ? hd_literal_writer_add_ints(writer, integers, count) : 0;
    if (error)
        return error;
    frame->position += (uint32_t)count;
    return (int)count;
}

int hd_walk_step(struct hd_walk *walk, struct hd_literal_writer *writer, size_t part_bytes, uint64_t units)
{
    if (walk->watcher.changed)
        return HD_ECHANGED;
    if (!walk->begun) {
        walk->begun = true;
        int error = add_value(walk, writer, walk->root);
        if (error)
            return error;
    }
    while (walk->depth) {
        size_t bytes = hd_literal_writer_size_bytes(writer);
        if (units == 0 || bytes >= part_bytes)
            return 0;
        size_t room = (part_bytes - bytes) / INT_BYTES + 1;
        int taken = take_ints(walk, writer, room < units ? room : (size_t)units);
        if (taken < 0)
            return taken;
        if (taken) {
            units -= (uint64_t)taken;
            continue;
        }
        units--;
        hd_value child = walk->kept_child;
        if (!walk->keeps_child && !next_child(walk, &child)) {
            walk->depth--;
            continue;
        }
        walk->keeps_child = !fits(walk, writer, child);
        walk->kept_child = child;
        if (walk->keeps_child)
            return 0;
        int error = add_value(walk, writer, child);
        if (error)
            return error;
    }
    return 1;
}
