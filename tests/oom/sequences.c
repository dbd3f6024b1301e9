/* Sequences, set algebra, references: what the object layer does in steps. */
#include "oom.h"

#include "object/combine.h"
#include "object/cursor.h"
#include "object/references.h"
#include "object/sequence.h"

/* Finishes a work that was begun, and lets go of what it made. Whatever fails, nothing has changed. */
static bool finish_work(struct oom *oom, int begun, struct hd_work *work)
{
    if (begun)
        return oom_unchanged(oom, begun);
    int error = hd_work_finish(work);
    hd_work_fini(work);
    return error ? oom_unchanged(oom, error) : oom_ok(oom, 0);
}

static bool fill_list(struct oom *oom, size_t at)
{
    if (!oom_make_list(oom, at))
        return false;
    for (int i = 0; i < 60; i++) {
        hd_value value;
        if (!oom_ok(oom, i % 3 ? oom_new_str(oom, "a str that is not short", &value)
                               : hd_int_new(oom->objects, INT64_MAX - i, &value)))
            return false;
        int error = hd_list_append(oom->objects, oom->roots[at], value);
        if (error)
            hd_gc_release(oom->gc, value);
        if (!oom_ok(oom, error))
            return false;
    }
    return true;
}

void oom_sequences(struct oom *oom)
{
    if (!fill_list(oom, 0) || !fill_list(oom, 1))
        return;
    struct hd_objects *objects = oom->objects;
    hd_value list = oom->roots[0], other = oom->roots[1];
    const struct hd_range part = {hd_value_int(5), hd_value_int(50), hd_value_int(3)};
    const struct hd_range front = {hd_value_int(2), hd_value_int(9), HD_NONE};
    union {
        struct hd_work work;
        union hd_make make;
        struct hd_splice splice;
        struct hd_sort sort;
        struct hd_copy copy;
        struct hd_compare compare;
    } any;
#define WORK(call) \
    do { \
        oom_begin(oom); \
        int begun = (call); \
        if (!finish_work(oom, begun, &any.work) && oom->fail_from) \
            return; \
    } while (0)
    WORK(hd_get_slice_begin(objects, list, &part, &any.make));
    WORK(hd_concat_begin(objects, list, other, &any.make));
    WORK(hd_repeat_begin(objects, list, hd_value_int(3), &any.make));
    WORK(hd_copy_begin(objects, list, true, &any.copy));
    WORK(hd_compare_begin(objects, list, HD_EQUAL, other, &any.compare));
    WORK(hd_set_slice_begin(objects, list, &front, other, &any.splice));
    WORK(hd_delete_slice_begin(objects, list, &part, &any.splice));
    WORK(hd_extend_begin(objects, list, list, &any.splice));
    WORK(hd_reverse_begin(objects, list, &any.splice));
    WORK(hd_repeat_in_place_begin(objects, other, hd_value_int(2), &any.splice));
    WORK(hd_delete_slice_begin(objects, list, &front, &any.splice));
#undef WORK
    if (!oom_make_list(oom, 2))
        return;
    for (int i = 0; i < 80; i++)
        if (!oom_ok(oom, hd_list_append(objects, oom->roots[2], hd_value_int(i * 37 % 80))))
            return;
    oom_begin(oom);
    (void)finish_work(oom, hd_sort_begin(objects, oom->roots[2], false, &any.sort), &any.work);
    for (int i = HD_ADD; i <= HD_XOR; i++) {
        hd_value result, small = hd_value_int(3);
        oom_begin(oom);
        hd_value big = hd_list_at(objects, other, 0);
        if (oom_unchanged(oom, hd_number_compute(objects, (enum hd_arithmetic)i, big, small, &result)))
            hd_gc_release(oom->gc, result);
        else if (oom->fail_from)
            return;
    }
}

static bool fill_set(struct oom *oom, size_t at, bool frozen, int from, int count)
{
    hd_value set;
    int error = frozen ? hd_frozenset_new(oom->objects, 0, &set) : hd_set_new(oom->objects, 0, &set);
    if (!oom_ok(oom, error))
        return false;
    for (int i = from; !error && i < from + count; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        bool was_new;
        error = hd_set_add(oom->objects, set, &key, &was_new);
    }
    oom_root(oom, at, set);
    return oom_ok(oom, error);
}

/* New ones, and in place; by a little, and by what takes another table. */
void oom_set_algebra(struct oom *oom)
{
    hd_value others;
    if (!fill_set(oom, 0, false, 0, 40) || !fill_set(oom, 1, true, 20, 2200))
        return;
    if (!oom_ok(oom, hd_tuple_new(oom->objects, 1, &others)))
        return;
    hd_tuple_init_at(oom->objects, others, 0, hd_gc_retain(oom->gc, oom->roots[1]));
    oom_root(oom, 2, others);
    for (int operation = HD_SET_UNION; operation <= HD_SET_SYMMETRIC_DIFFERENCE; operation++) {
        struct hd_combine combine;
        oom_begin(oom);
        int error = hd_combine_begin(oom->objects, oom->roots[0], (enum hd_set_operation)operation, others, true,
                                     operation % 2 == 0, &combine);
        if (!error) {
            error = hd_work_finish(&combine.work);
            hd_work_fini(&combine.work);
        }
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
}

void oom_references(struct oom *oom)
{
    if (!oom_make_list(oom, 0))
        return;
    hd_value weak, soft, cursor;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_weak_new(oom->objects, oom->roots[0], &weak)))
        oom_root(oom, 1, weak);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_soft_new(oom->objects, oom->roots[0], &soft)))
        oom_root(oom, 2, soft);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_cursor_new(oom->objects, oom->roots[0], HD_VIEW_KEYS, false, &cursor)))
        oom_root(oom, 3, cursor);
    /* The list goes with its holders; the weak reference is told. */
    oom_root(oom, 0, HD_NONE);
    oom_root(oom, 2, HD_NONE);
    oom_root(oom, 3, HD_NONE);
    while (hd_gc_reap(oom->gc, 100))
        ;
    if (oom->roots[1] != HD_ABSENT)
        assert_int_equal(hd_weak_get(oom->objects, oom->roots[1]), HD_ABSENT);
    oom_check(oom);
}
