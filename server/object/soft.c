/* Soft references: a list of all that still have an object, by their last use. */
#include "object/intern.h"
#include "object/payload.h"
#include "object/references.h"

/* A reference passed over, or let go of. */
#define UNITS_PER_SOFT 4

static struct hd_soft *soft_at(const struct hd_objects *objects, uint32_t index)
{
    return hd_table_payload(objects->gc->table, index);
}

static void unlink_soft(struct hd_objects *objects, uint32_t index)
{
    struct hd_soft *soft = soft_at(objects, index);
    if (!soft->linked)
        return;
    soft->linked = 0;
    if (soft->newer)
        soft_at(objects, soft->newer)->older = soft->older;
    else
        objects->soft_newest = soft->older;
    if (soft->older)
        soft_at(objects, soft->older)->newer = soft->newer;
    else
        objects->soft_oldest = soft->newer;
    soft->newer = soft->older = 0;
    objects->soft_count--;
}

static void link_newest(struct hd_objects *objects, uint32_t index)
{
    struct hd_soft *soft = soft_at(objects, index);
    soft->linked = 1;
    soft->newer = 0;
    soft->older = objects->soft_newest;
    if (soft->older)
        soft_at(objects, soft->older)->newer = index;
    else
        objects->soft_oldest = index;
    objects->soft_newest = index;
    objects->soft_count++;
}

static struct hd_span soft_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    return (struct hd_span){&((struct hd_soft *)payload)->value, 1};
}

static void soft_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    out->spans[out->span_count++] = soft_span(gc, payload);
}

static void soft_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
    struct hd_objects *objects = hd_objects_of(gc);
    unlink_soft(objects, index);
    objects->type_count[HD_TYPE_SOFT]--;
}

const struct hd_type_ops hd_soft_ops = {.name = "soft reference",
                                        .inner = true,
                                        .tracked = true,
                                        .traverse = soft_traverse,
                                        .span = soft_span,
                                        .dispose = soft_dispose};

int hd_soft_new(struct hd_objects *objects, hd_value value, hd_value *out)
{
    hd_value made;
    int error = hd_object_new(objects, HD_TYPE_SOFT, sizeof(struct hd_soft), &made);
    if (error)
        return error;
    uint32_t index = hd_value_index(made);
    hd_gc_put_new(&soft_at(objects, index)->value, hd_gc_retain(objects->gc, value));
    link_newest(objects, index);
    *out = made;
    return 0;
}

hd_value hd_soft_peek(const struct hd_objects *objects, hd_value soft)
{
    return soft_at(objects, hd_value_index(soft))->value;
}

hd_value hd_soft_get(struct hd_objects *objects, hd_value soft)
{
    uint32_t index = hd_value_index(soft);
    if (soft_at(objects, index)->linked && objects->soft_newest != index) {
        unlink_soft(objects, index);
        link_newest(objects, index);
    }
    return hd_gc_retain(objects->gc, soft_at(objects, index)->value);
}

/* Waits to be taken apart, or was found unreachable: its object goes without us. */
static bool is_leaving(const struct hd_gc *gc, uint32_t index)
{
    if (gc->table->state[index] & (HD_STATE_DYING | HD_STATE_CONDEMNED))
        return true;
    return gc->phase == HD_PHASE_CLEAR && !gc->dry_run && !hd_table_bit(gc->table->mark, index);
}

static bool is_shared(const struct hd_gc *gc, hd_value value)
{
    return hd_value_is_ref(value) && hd_table_count(gc->table, hd_value_index(value)) > 1;
}

static void evict(struct hd_objects *objects, uint32_t index)
{
    unlink_soft(objects, index);
    objects->soft_evicted_count++;
    hd_gc_store(objects->gc, index, &soft_at(objects, index)->value, HD_ABSENT);
}

/* One sweep from the oldest on. Returns how many were let go of. */
static uint64_t sweep(struct hd_objects *objects, bool shared_too, uint64_t bytes_wanted, uint64_t *units)
{
    struct hd_gc *gc = objects->gc;
    struct hd_alloc_stats stats;
    hd_alloc_stats(gc->alloc, &stats);
    uint64_t enough = stats.live_bytes > bytes_wanted ? stats.live_bytes - bytes_wanted : 0;
    uint64_t evicted = 0;
    uint32_t index = objects->soft_oldest;
    while (index && *units > UNITS_PER_SOFT && stats.live_bytes > enough) {
        uint32_t newer = soft_at(objects, index)->newer;
        *units -= UNITS_PER_SOFT;
        if (!is_leaving(gc, index) && (shared_too || !is_shared(gc, soft_at(objects, index)->value))) {
            evict(objects, index);
            evicted++;
            uint64_t before = gc->freed_count;
            bool more = hd_gc_reap(gc, *units);
            uint64_t freed = gc->freed_count - before;
            *units = more || freed > *units ? 0 : *units - freed;
            hd_alloc_stats(gc->alloc, &stats);
            /* Another soft reference may have been among what was taken apart. */
            if (newer && (hd_table_type(gc->table, newer) != HD_TYPE_SOFT || !soft_at(objects, newer)->linked))
                newer = objects->soft_oldest;
        }
        index = newer;
    }
    return evicted;
}

uint64_t hd_softs_evict(struct hd_objects *objects, uint64_t bytes_wanted, uint64_t units)
{
    if (!objects->soft_oldest || !bytes_wanted)
        return 0;
    uint64_t evicted = sweep(objects, false, bytes_wanted, &units);
    return evicted ? evicted : sweep(objects, true, bytes_wanted, &units);
}

static const char *check_list(const struct hd_objects *objects)
{
    uint64_t count = 0;
    uint32_t older = 0;
    for (uint32_t index = objects->soft_oldest; index; index = soft_at(objects, index)->newer) {
        if (hd_table_type(objects->gc->table, index) != HD_TYPE_SOFT || !soft_at(objects, index)->linked)
            return "soft reference: the list has soft references that have an object";
        if (soft_at(objects, index)->older != older || count++ > objects->soft_count)
            return "soft reference: the list is the same in both directions";
        older = index;
    }
    return count == objects->soft_count && older == objects->soft_newest ? NULL : "soft reference: soft_count";
}

const char *hd_references_check(struct hd_objects *objects)
{
    const char *broken = hd_weak_check(objects);
    if (!broken)
        broken = hd_intern_check(objects);
    return broken ? broken : check_list(objects);
}
