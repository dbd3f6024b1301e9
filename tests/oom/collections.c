/* Collections, while memory is short. */
#include "oom.h"

/* Appends what a root holds. */
static bool append_root(struct oom *oom, hd_value list, size_t at)
{
    hd_value value = hd_gc_retain(oom->gc, oom->roots[at]);
    int error = hd_list_append(oom->objects, list, value);
    if (error)
        hd_gc_release(oom->gc, value);
    return oom_ok(oom, error);
}

static bool drop_cycle(struct oom *oom)
{
    hd_value a, b;
    if (!oom_ok(oom, hd_list_new(oom->objects, 0, &a)))
        return false;
    oom_root(oom, 0, a);
    if (!oom_ok(oom, hd_list_new(oom->objects, 0, &b)))
        return false;
    oom_root(oom, 1, b);
    bool linked = append_root(oom, a, 1) && append_root(oom, b, 0);
    oom_root(oom, 0, HD_NONE);
    oom_root(oom, 1, HD_NONE);
    return linked;
}

/* Young collections come by themselves while memory is short; they need none. */
void oom_young_collections(struct oom *oom)
{
    for (int i = 0; i < 150; i++) {
        if (!drop_cycle(oom) && oom->fail_from)
            break;
        hd_heap_settle(oom->heap);
        if (i % 40 == 0)
            oom_check(oom);
    }
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(oom->heap, 0, &found), 0);
    assert_int_equal(hd_heap_collect(oom->heap, 1, &found), 0);
}

/* Everything fails in the middle of a full collection, and of a compaction. */
void oom_full_collections(struct oom *oom)
{
    if (!oom_make_list(oom, 2))
        return;
    for (int i = 0; i < 120; i++) {
        hd_value element;
        if (oom_ok(oom, hd_list_new(oom->objects, 3, &element))) {
            oom_root(oom, 3, element);
            append_root(oom, oom->roots[2], 3);
        }
        if (i % 50 == 10)
            hd_gc_full_start(oom->gc, false);
        if (i % 50 == 35)
            hd_heap_compact_begin(oom->heap);
        drop_cycle(oom);
        hd_heap_step(oom->heap, 20);
        if (i % 10 == 0)
            oom_check(oom);
    }
    hd_heap_compact(oom->heap);
    hd_heap_relieve(oom->heap);
    oom_check(oom);
}
