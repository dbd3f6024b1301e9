/*
 * Weak references, and the side table that finds the one of an object.
 *
 * The table is a directory of chunks by the object's index, made as they are needed
 * and given back when they are empty, so that no entry is ever moved.
 */
#include <string.h>

#include "object/intern.h"
#include "object/payload.h"
#include "object/references.h"

#define CHUNK_BITS 8
#define CHUNK_ENTRIES (1u << CHUNK_BITS)

/* count == number of entries that are not 0 */
struct hd_weak_chunk {
    uint32_t count;
    uint32_t weak[CHUNK_ENTRIES]; /* index of the weak reference, or 0 */
};

static struct hd_weak *weak_of(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

/* ---- the side table --------------------------------------------------------- */

static struct hd_weak_chunk *chunk_of(const struct hd_objects *objects, uint32_t index)
{
    size_t chunk = index >> CHUNK_BITS;
    return chunk < objects->weak_chunk_count ? objects->weak_chunks[chunk] : NULL;
}

static int reserve(struct hd_objects *objects, uint32_t index)
{
    const struct hd_allocator *allocator = objects->allocator;
    size_t chunk = index >> CHUNK_BITS, old = objects->weak_chunk_count;
    if (chunk >= old) {
        size_t count = chunk + 1 > old * 2 ? chunk + 1 : old * 2;
        struct hd_weak_chunk **chunks =
            hd_allocator_resize(allocator, objects->weak_chunks, old * sizeof(void *), count * sizeof(void *));
        if (!chunks)
            return HD_ENOMEM;
        memset(chunks + old, 0, (count - old) * sizeof(void *));
        objects->weak_chunks = chunks;
        objects->weak_chunk_count = count;
    }
    if (!objects->weak_chunks[chunk])
        objects->weak_chunks[chunk] = hd_allocator_new_zeroed(allocator, sizeof(struct hd_weak_chunk));
    return objects->weak_chunks[chunk] ? 0 : HD_ENOMEM;
}

static void give_back_if_empty(struct hd_objects *objects, uint32_t index)
{
    struct hd_weak_chunk **chunk = &objects->weak_chunks[index >> CHUNK_BITS];
    if ((*chunk)->count)
        return;
    hd_allocator_free(objects->allocator, *chunk, sizeof **chunk);
    *chunk = NULL;
}

/* The object's entry is free again. */
static void forget(struct hd_objects *objects, uint32_t index)
{
    struct hd_weak_chunk *chunk = chunk_of(objects, index);
    chunk->weak[index & (CHUNK_ENTRIES - 1)] = 0;
    chunk->count--;
    give_back_if_empty(objects, index);
}

/* ---- the end of an object ---------------------------------------------------- */

/* For the collector: an object with HD_STATE_WEAK goes. */
static void gone(struct hd_gc *gc, uint32_t index)
{
    struct hd_objects *objects = hd_objects_of(gc);
    const struct hd_weak_chunk *chunk = chunk_of(objects, index);
    uint32_t weak = chunk ? chunk->weak[index & (CHUNK_ENTRIES - 1)] : 0;
    gc->table->state[index] &= (uint8_t)~HD_STATE_WEAK;
    if (weak) {
        weak_of(objects, hd_value_ref(weak, true))->target = 0;
        objects->weak_cleared_count++;
        forget(objects, index);
    }
    hd_intern_gone(objects, index);
    if (objects->gone)
        objects->gone(objects->gone_context, index);
}

void hd_objects_tell_gone(struct hd_objects *objects, uint32_t index)
{
    objects->gc->table->state[index] |= HD_STATE_WEAK;
    objects->gc->gone = gone;
}

void hd_objects_on_gone(struct hd_objects *objects, void (*hook)(void *context, uint32_t index), void *context)
{
    objects->gone = hook;
    objects->gone_context = context;
    objects->gc->gone = gone;
}

static void weak_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    struct hd_objects *objects = hd_objects_of(gc);
    const struct hd_weak *weak = payload;
    (void)index;
    objects->type_count[HD_TYPE_WEAK]--;
    uint32_t target = (uint32_t)weak->target;
    if (!target)
        return;
    forget(objects, target);
    if (!objects->gone && !objects->interned.count)
        gc->table->state[target] &= (uint8_t)~HD_STATE_WEAK;
}

const struct hd_type_ops hd_weak_ops = {.name = "weak reference", .dispose = weak_dispose};

/* ---- references -------------------------------------------------------------- */

hd_value hd_weak_of(const struct hd_objects *objects, hd_value target)
{
    const struct hd_weak_chunk *chunk = chunk_of(objects, hd_value_index(target));
    uint32_t weak = chunk ? chunk->weak[hd_value_index(target) & (CHUNK_ENTRIES - 1)] : 0;
    return weak ? hd_value_ref(weak, true) : HD_ABSENT;
}

int hd_weak_new(struct hd_objects *objects, hd_value target, hd_value *out)
{
    if (!hd_value_is_ref(target))
        return HD_ETYPE;
    hd_value known = hd_weak_of(objects, target);
    if (known != HD_ABSENT) {
        *out = hd_gc_retain(objects->gc, known);
        return 0;
    }
    uint32_t index = hd_value_index(target);
    int error = reserve(objects, index);
    if (error)
        return error;
    hd_value value;
    error = hd_object_new(objects, HD_TYPE_WEAK, sizeof(struct hd_weak), &value);
    if (error) {
        give_back_if_empty(objects, index);
        return error;
    }
    struct hd_table *table = objects->gc->table;
    *weak_of(objects, value) = (struct hd_weak){.target = hd_table_identity(table, index)};
    struct hd_weak_chunk *chunk = chunk_of(objects, index);
    chunk->weak[index & (CHUNK_ENTRIES - 1)] = hd_value_index(value);
    chunk->count++;
    table->state[index] |= HD_STATE_WEAK;
    objects->gc->gone = gone;
    *out = value;
    return 0;
}

hd_value hd_weak_peek(const struct hd_objects *objects, hd_value weak)
{
    const struct hd_gc *gc = objects->gc;
    uint32_t index = (uint32_t)weak_of(objects, weak)->target;
    if (!index)
        return HD_ABSENT;
    bool inner = hd_table_bit(gc->table->inner, index);
    /* Found unreachable, though its turn to be cleared has not come. */
    if (inner && gc->phase == HD_PHASE_CLEAR && !gc->dry_run && !hd_table_bit(gc->table->mark, index))
        return HD_ABSENT;
    return hd_value_ref(index, !inner);
}

hd_value hd_weak_get(struct hd_objects *objects, hd_value weak)
{
    hd_value target = hd_weak_peek(objects, weak);
    /* Nothing else may have led the collection to it: R4. */
    hd_gc_shade(objects->gc, target);
    return hd_gc_retain(objects->gc, target);
}

/* ---- checks ------------------------------------------------------------------ */

const char *hd_weak_check(struct hd_objects *objects)
{
    const struct hd_table *table = objects->gc->table;
    uint64_t entries = 0, targets = 0;
    for (size_t i = 0; i < objects->weak_chunk_count; i++)
        entries += objects->weak_chunks[i] ? objects->weak_chunks[i]->count : 0;
    for (uint32_t i = 1; i < table->length; i++) {
        if (hd_table_type(table, i) != HD_TYPE_WEAK)
            continue;
        const struct hd_weak *weak = hd_table_payload(table, i);
        if (!weak->target)
            continue;
        targets++;
        uint32_t target = hd_table_find(table, weak->target);
        if (!target || !(table->state[target] & HD_STATE_WEAK) || table->state[target] & HD_STATE_DYING)
            return "weak reference: it leads to a living object that knows of it";
        if (hd_weak_of(objects, hd_value_ref(target, false)) != hd_value_ref(i, true))
            return "weak reference: the side table leads back to it";
    }
    return entries == targets ? NULL : "weak reference: as many entries as there are targets";
}

void hd_references_fini(struct hd_objects *objects)
{
    for (size_t i = 0; i < objects->weak_chunk_count; i++)
        hd_allocator_free(objects->allocator, objects->weak_chunks[i], sizeof(struct hd_weak_chunk));
    hd_allocator_free(objects->allocator, objects->weak_chunks, objects->weak_chunk_count * sizeof(void *));
}
