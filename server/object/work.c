/* What all kinds of work have in common. */
#include "object/work.h"

#include <string.h>

#include "object/payload.h"

void hd_work_init(struct hd_work *work, const struct hd_work_kind *kind, struct hd_objects *objects)
{
    *work = (struct hd_work){.kind = kind, .objects = objects};
}

void hd_work_hold(struct hd_work *work, unsigned place, hd_value value, bool watched)
{
    assert(!work->kept && work->held[place] == HD_ABSENT);
    work->held[place] = hd_gc_retain(work->objects->gc, value);
    /* What cannot change need not be watched. */
    if (watched && hd_value_is_inner_ref(value))
        work->watched |= 1u << place;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)from;
    (void)max;
    const struct hd_work *work = (const void *)((const char *)source - offsetof(struct hd_work, roots));
    for (unsigned i = 0; i < HD_WORK_HELD_MAX; i++)
        visitor->visit(visitor, work->held[i]);
    visitor->visit(visitor, work->value);
    return 0;
}

static bool covers(const struct hd_watcher *watcher, uint32_t index)
{
    const struct hd_work *work = (const void *)((const char *)watcher - offsetof(struct hd_work, watcher));
    for (unsigned i = 0; i < HD_WORK_HELD_MAX; i++)
        if (work->watched >> i & 1 && hd_value_index(work->held[i]) == index)
            return true;
    return work->kind->covers && work->kind->covers(work, index);
}

void hd_work_keep(struct hd_work *work)
{
    struct hd_gc *gc = work->objects->gc;
    assert(!work->kept);
    work->kept = true;
    work->roots.scan = scan;
    work->watcher.covers = covers;
    hd_gc_add_roots(gc, &work->roots);
    hd_gc_watch_begin(gc, &work->watcher);
    for (unsigned i = 0; i < HD_WORK_HELD_MAX; i++)
        if (work->watched >> i & 1)
            hd_gc_watch(gc, hd_value_index(work->held[i]));
    if (work->kind->keep)
        work->kind->keep(work);
}

void hd_work_read(struct hd_work *work, uint32_t index)
{
    if (work->kept)
        hd_gc_watch(work->objects->gc, index);
}

int hd_work_step(struct hd_work *work, uint64_t units)
{
    if (work->kept && work->watcher.changed)
        return HD_ECHANGED;
    return work->kind->step(work, units);
}

int hd_work_finish(struct hd_work *work)
{
    int result = hd_work_step(work, UINT64_MAX);
    while (result == 0)
        result = hd_work_step(work, UINT64_MAX);
    return result < 0 ? result : 0;
}

void hd_work_fini(struct hd_work *work)
{
    struct hd_gc *gc = work->objects->gc;
    if (work->kept)
        hd_gc_watch_end(gc, &work->watcher);
    if (work->kind->fini)
        work->kind->fini(work);
    for (unsigned i = 0; i < HD_WORK_HELD_MAX; i++)
        hd_gc_release(gc, work->held[i]);
    hd_gc_release(gc, work->value);
    if (work->kept)
        hd_gc_remove_roots(gc, &work->roots);
}

hd_value hd_work_take_value(struct hd_work *work)
{
    hd_value value = work->value;
    work->value = HD_ABSENT;
    /* It leaves a root for one that a collection may have looked at already: R4. */
    hd_gc_shade(work->objects->gc, value);
    return value;
}

hd_value *hd_scratch_new(struct hd_objects *objects, size_t count)
{
    return hd_alloc_get(objects->gc->alloc, (count ? count : 1) * sizeof(hd_value));
}

void hd_scratch_free(struct hd_objects *objects, hd_value *words)
{
    if (words)
        hd_alloc_put(objects->gc->alloc, words);
}
