/*
 * What a literal was read into, handed out: as a value, or into a container; at
 * once, or by a builder that goes on in slices and is a root meanwhile.
 */
#include <assert.h>

#include "object/build_internal.h"
#include "object/object.h"
#include "object/work.h"

static void hand_out_captures(struct hd_builder *builder)
{
    const struct hd_build *build = builder->build;
    for (size_t i = 0; i < build->capture_count; i++)
        build->captured[i] = hd_gc_retain(builder->objects->gc, builder->numbered[build->captures[i]].value);
}

static int finish_value(struct hd_builder *builder, hd_value *out)
{
    if (builder->done_count != 1)
        return HD_EPROTOCOL;
    hd_gc_shade(builder->objects->gc, builder->done[0]);
    *out = builder->done[0];
    builder->done_count = 0;
    return 0;
}

/* ---- extending ------------------------------------------------------------ */

static int extend_list(struct hd_builder *builder, hd_value list)
{
    if (builder->done_count > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    builder->objects->undo = builder->undo;
    int error = hd_list_reserve(builder->objects, list, (uint32_t)builder->done_count);
    for (size_t i = 0; !error && i < builder->done_count; i++) {
        error = hd_list_append(builder->objects, list, builder->done[i]);
        hd_gc_shade(builder->objects->gc, builder->done[i]);
        if (error)
            break;
        builder->done[i] = HD_ABSENT;
    }
    builder->objects->undo = NULL;
    return error;
}

/*
 * All keys are hashed, and room is made, before the first is put in: from then on nothing can fail, but for noting it
 * where it may be undone; and then all of it is.
 */
static int extend_dict(struct hd_builder *builder, hd_value dict)
{
    struct hd_objects *objects = builder->objects;
    size_t count = builder->done_count / 2;
    if (count == 0)
        return 0;
    if (count > HD_ELEMENTS_MAX)
        return HD_ETOO_LARGE;
    hd_value *hashes = hd_scratch_new(objects, count);
    objects->undo = builder->undo;
    int error = hashes ? hd_dict_reserve(objects, dict, (uint32_t)count) : HD_ENOMEM;
    for (size_t i = 0; !error && i < count; i++) {
        struct hd_key key = hd_key_of(builder->done[2 * i]);
        error = hd_key_hash(objects, &key);
        hashes[i] = key.hash;
    }
    for (size_t i = 0; !error && i < count; i++) {
        struct hd_key key = hd_key_of(builder->done[2 * i]);
        key.hash = (uint32_t)hashes[i];
        key.hashed = true;
        hd_value value = builder->done[2 * i + 1];
        hd_gc_shade(objects->gc, key.value);
        hd_gc_shade(objects->gc, value);
        error = hd_dict_set(objects, dict, &key, value);
        assert(!error || builder->undo); /* simple keys, and there is room; a note of it may find no memory */
        if (error)
            break;
        builder->done[2 * i + 1] = HD_ABSENT;
    }
    objects->undo = NULL;
    hd_scratch_free(objects, hashes);
    return error;
}

int hd_builder_finish(struct hd_builder *builder, hd_value *out)
{
    int error;
    hd_value value = HD_ABSENT;
    if (builder->into == HD_ABSENT)
        error = finish_value(builder, &value);
    else if (builder->aside == HD_ABSENT)
        error = builder->keys_in_done ? extend_dict(builder, builder->into) : extend_list(builder, builder->into);
    else
        error = 0; /* the last step has made what was read a part of it */
    if (error)
        return error;
    hand_out_captures(builder);
    builder->succeeded = true;
    *out = value;
    return 0;
}

/* ---- at once -------------------------------------------------------------- */

static int build_at_once(struct hd_objects *objects, const struct hd_build *build, hd_value into, hd_value *out)
{
    struct hd_builder builder = {.undo = objects->undo};
    objects->undo = NULL;
    hd_builder_begin(&builder, objects, build, into);
    int error = hd_builder_step(&builder, UINT64_MAX);
    if (error == 1)
        error = hd_builder_finish(&builder, out);
    hd_builder_fini(&builder);
    objects->undo = builder.undo;
    return error;
}

int hd_build_value(struct hd_objects *objects, const struct hd_build *build, hd_value *out)
{
    return build_at_once(objects, build, HD_ABSENT, out);
}

static bool can_extend(const struct hd_objects *objects, hd_value container)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, container);
    return kind == HD_IS_LIST || kind == HD_IS_DICT || kind == HD_IS_SET;
}

int hd_build_extend(struct hd_objects *objects, const struct hd_build *build, hd_value container)
{
    hd_value none;
    return can_extend(objects, container) ? build_at_once(objects, build, container, &none) : HD_ETYPE;
}

/* ---- in slices ------------------------------------------------------------ */

/*
 * One place after the other in all that the builder holds; false behind the last.
 * What only grows comes first and the stack last, so that what a scan has not seen
 * yet never moves in front of where it stands.
 */
static bool value_at(const struct hd_builder *builder, size_t position, hd_value *out)
{
    if (position == 0) {
        *out = builder->into;
        return true;
    }
    if (position <= 2) {
        *out = position == 1 ? builder->aside : builder->pending;
        return true;
    }
    position -= 3;
    if (position < builder->handle_count) {
        *out = builder->handles[position];
        return true;
    }
    position -= builder->handle_count;
    size_t numbered_count = builder->numbering ? (size_t)builder->container_count : 0;
    if (position < numbered_count) {
        *out = builder->numbered[position].value;
        return true;
    }
    position -= numbered_count;
    if (position < builder->done_count) {
        *out = builder->done[position];
        return true;
    }
    position -= builder->done_count;
    if (position < builder->class_count) {
        *out = builder->classes[position];
        return true;
    }
    position -= builder->class_count;
    if (position / 2 >= builder->depth)
        return false;
    const struct frame *frame = &builder->frames[position / 2];
    *out = position % 2 == 0 ? frame->container : frame->has_key ? frame->key.value : HD_ABSENT;
    return true;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_builder *builder = (const void *)((const char *)source - offsetof(struct hd_builder, roots));
    hd_value value;
    for (size_t i = 0; i < max; i++, from++) {
        if (!value_at(builder, from, &value))
            return 0;
        visitor->visit(visitor, value);
    }
    return from;
}

static int resolve_all(struct hd_builder *builder)
{
    const struct hd_columns *columns = builder->build->columns;
    size_t bytes = columns->handle_count * sizeof *builder->handles;
    if (bytes == 0)
        return 0;
    builder->handles = hd_allocator_new_zeroed(builder->objects->allocator, bytes);
    if (!builder->handles)
        return HD_ENOMEM;
    builder->handle_count = columns->handle_count;
    for (size_t i = 0; i < builder->handle_count; i++) {
        hd_value value;
        int error = hd_build_resolve(builder->build, columns->handles[i], &value);
        if (error)
            return error;
        builder->handles[i] = hd_gc_retain(builder->objects->gc, value);
    }
    return 0;
}

int hd_builder_new(struct hd_objects *objects, const struct hd_build *build, hd_value into, struct hd_builder **out)
{
    if (into != HD_ABSENT && !can_extend(objects, into))
        return HD_ETYPE;
    struct hd_builder *builder = hd_allocator_new_zeroed(objects->allocator, sizeof *builder);
    if (!builder)
        return HD_ENOMEM;
    hd_builder_begin(builder, objects, build, into);
    int error = resolve_all(builder);
    if (error) {
        hd_builder_fini(builder);
        hd_allocator_free(objects->allocator, builder, sizeof *builder);
        return error;
    }
    hd_gc_retain(objects->gc, into);
    builder->in_slices = true;
    builder->roots.scan = scan;
    hd_gc_add_roots(objects->gc, &builder->roots);
    *out = builder;
    return 0;
}

void hd_builder_free(struct hd_builder *builder)
{
    if (!builder)
        return;
    struct hd_objects *objects = builder->objects;
    hd_gc_release(objects->gc, builder->into);
    hd_builder_fini(builder);
    hd_gc_remove_roots(objects->gc, &builder->roots);
    hd_allocator_free(objects->allocator, builder, sizeof *builder);
}
