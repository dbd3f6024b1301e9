/* Counting: objects are made, counted, taken apart in slices; saturation, watching, failures. */
#include "toy.h"

static void counts_follow_references(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 4);
    hd_value parent = toy_node(&toy, 1, 3);
    toy_root(&toy, 0, parent);
    hd_value child = toy_node(&toy, 2, 0);
    uint32_t index = hd_value_index(child);
    assert_int_equal(hd_table_count(&toy.table, index), 1);
    toy_set(&toy, parent, 0, hd_gc_retain(&toy.gc, child));
    toy_set(&toy, parent, 1, child);
    assert_int_equal(hd_table_count(&toy.table, index), 2);
    toy_check(&toy);
    toy_set(&toy, parent, 0, HD_NONE);
    assert_int_equal(hd_table_count(&toy.table, index), 1);
    hd_value taken = hd_gc_take(&toy.gc, hd_value_index(parent), &toy_at(&toy, parent)->words[1]);
    assert_int_equal(taken, child);
    assert_int_equal(hd_table_count(&toy.table, index), 1);
    hd_gc_release(&toy.gc, taken);
    toy_reap(&toy);
    assert_int_equal(toy.table.live_count, 1);
    toy_fini(&toy, 0);
}

static void a_leaf_goes_at_once(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value leaf = toy_leaf(&toy);
    assert_true(hd_value_is_leaf_ref(leaf));
    uint64_t identity = toy_identity(&toy, leaf);
    hd_gc_retain(&toy.gc, leaf);
    hd_gc_release(&toy.gc, leaf);
    assert_true(toy_lives(&toy, identity));
    hd_gc_release(&toy.gc, leaf);
    assert_false(toy_lives(&toy, identity));
    assert_int_equal(toy.gc.dead_count, 0);
    toy_fini(&toy, 0);
}

static void inline_values_are_not_counted(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_gc_release(&toy.gc, hd_gc_retain(&toy.gc, HD_NONE));
    hd_gc_release(&toy.gc, hd_value_int(-1));
    hd_gc_release(&toy.gc, HD_ABSENT);
    assert_int_equal(hd_gc_retain(&toy.gc, hd_value_int(8)), hd_value_int(8));
    toy_fini(&toy, 0);
}

static void a_long_chain_is_freed_in_slices(void **state)
{
    (void)state;
    enum { LENGTH = 1000000, SLICE = 1000 };
    struct toy toy;
    toy_init(&toy, 1);
    hd_value head = HD_NONE;
    for (uint32_t i = 0; i < LENGTH; i++) {
        hd_value node = toy_node(&toy, i, 1);
        toy_set(&toy, node, 0, head);
        head = node;
    }
    assert_int_equal(toy.table.live_count, LENGTH);
    hd_gc_release(&toy.gc, head);
    assert_int_equal(toy.table.live_count, LENGTH); /* nothing recursed */
    uint64_t slices = 0, before = toy.table.live_count;
    while (hd_gc_reap(&toy.gc, SLICE)) {
        uint64_t freed = before - toy.table.live_count;
        assert_in_range(freed, 1, SLICE);
        before = toy.table.live_count;
        if (++slices % 400 == 0)
            toy_check(&toy);
    }
    assert_true(slices >= LENGTH / SLICE);
    assert_int_equal(toy.table.live_count, 0);
    toy_fini(&toy, 0);
}

static void a_wide_node_is_freed_in_slices(void **state)
{
    (void)state;
    enum { WIDTH = 100000 };
    struct toy toy;
    toy_init(&toy, 1);
    hd_value wide = toy_node(&toy, 0, WIDTH);
    for (uint32_t i = 0; i < WIDTH; i++)
        toy_set(&toy, wide, i, i % 3 ? toy_leaf(&toy) : toy_node(&toy, i, 2));
    hd_gc_release(&toy.gc, wide);
    uint64_t slices = 0;
    for (uint64_t before = toy.table.live_count; hd_gc_reap(&toy.gc, 500); slices++) {
        assert_true(before - toy.table.live_count <= 501);
        before = toy.table.live_count;
        if (slices % 50 == 0)
            toy_check(&toy);
    }
    assert_true(slices > WIDTH / 500);
    toy_fini(&toy, 0);
}

/* Whatever the slice, freeing goes on: a slice of one unit too. */
static void the_smallest_slice_makes_progress(void **state)
{
    (void)state;
    for (uint64_t units = 1; units <= 3; units++) {
        struct toy toy;
        toy_init(&toy, 1);
        hd_value node = toy_node(&toy, 0, 5);
        for (uint32_t i = 0; i < 5; i++)
            toy_set(&toy, node, i, toy_node(&toy, i, 2));
        hd_gc_release(&toy.gc, node);
        unsigned slices = 0;
        while (hd_gc_reap(&toy.gc, units))
            assert_true(++slices < 1000);
        assert_int_equal(toy.table.live_count, 0);
        toy_fini(&toy, 0);
    }
}

static void the_dead_are_checked_while_they_wait(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    /* A shared child outlives the dead that still refer to it. */
    hd_value child = toy_node(&toy, 9, 0);
    toy_root(&toy, 0, child);
    for (int i = 0; i < 50; i++) {
        hd_value node = toy_node(&toy, 1, 20);
        for (uint32_t k = 0; k < 20; k++)
            toy_set(&toy, node, k, hd_gc_retain(&toy.gc, child));
        hd_gc_release(&toy.gc, node);
    }
    assert_int_equal(toy.gc.dead_count, 50);
    assert_int_equal(hd_table_count(&toy.table, hd_value_index(child)), 1001);
    while (hd_gc_reap(&toy.gc, 7))
        toy_check(&toy);
    assert_int_equal(hd_table_count(&toy.table, hd_value_index(child)), 1);
    toy_fini(&toy, 0);
}

static void a_hidden_reference_is_given_up_last(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value class_value = toy_node(&toy, 1, 0);
    hd_value instance = toy_node(&toy, 2, 1);
    toy_at(&toy, instance)->hidden = hd_value_index(class_value); /* steals ours */
    toy_root(&toy, 0, instance);
    toy_check(&toy);
    assert_int_equal(toy_collect(&toy), 0);
    assert_int_equal(toy.table.live_count, 2);
    toy_root(&toy, 0, HD_NONE);
    toy_reap(&toy);
    assert_int_equal(toy.table.live_count, 0);
    toy_fini(&toy, 0);
}

static void a_saturated_count_never_changes(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    hd_value node = toy_node(&toy, 1, 0);
    toy_root(&toy, 0, node);
    uint32_t index = hd_value_index(node);
    toy.table.meta[index] = TOY_NODE | (HD_COUNT_SATURATED - 1) << HD_META_TYPE_BITS;
    hd_gc_retain(&toy.gc, node);
    assert_int_equal(hd_table_count(&toy.table, index), HD_COUNT_SATURATED);
    hd_gc_retain(&toy.gc, node);
    assert_int_equal(hd_table_count(&toy.table, index), HD_COUNT_SATURATED);
    assert_int_equal(hd_table_type(&toy.table, index), TOY_NODE);
    for (int i = 0; i < 5; i++)
        hd_gc_release(&toy.gc, node);
    assert_int_equal(hd_table_count(&toy.table, index), HD_COUNT_SATURATED);
    toy_check(&toy);
    toy_fini(&toy, 0); /* where a full collection frees it */
}

static void resizing_keeps_the_references(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value node = toy_node(&toy, 1, 1);
    toy_root(&toy, 0, node);
    hd_value child = toy_node(&toy, 2, 0);
    toy_set(&toy, node, 0, child);
    for (uint32_t count = 2; count < 300000; count = count * 3 / 2 + 1) {
        assert_int_equal(
            hd_gc_resize(&toy.gc, hd_value_index(node), sizeof(struct toy_node) + count * sizeof(hd_value)), 0);
        struct toy_node *at = toy_at(&toy, node);
        assert_int_equal(at->words[0], child);
        memset(at->words + at->count, 0, (count - at->count) * sizeof(hd_value));
        at->count = count;
    }
    toy_check(&toy);
    toy_fini(&toy, 0);
}

static void a_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 0);
    /* The young, the block, the entry: each fails in turn, then all succeed. */
    uint64_t failures = 0;
    hd_value kept[3000];
    uint32_t count = 0;
    while (count < 3000) {
        uint64_t created = toy.gc.created_count, tracked = toy.gc.tracked_count[0];
        uint32_t live = toy.table.live_count;
        hd_value value = 77;
        toy.allocation_left = count % 4 == 3 ? 0 : UINT64_MAX;
        int error = toy_try_node(&toy, TOY_NODE, count, 2, &value);
        if (error) {
            assert_int_equal(error, HD_ENOMEM);
            assert_int_equal(value, 77);
            assert_int_equal(toy.gc.created_count, created);
            assert_int_equal(toy.gc.tracked_count[0], tracked);
            assert_int_equal(toy.table.live_count, live);
            failures++;
            toy.allocation_left = UINT64_MAX;
            assert_int_equal(toy_try_node(&toy, TOY_NODE, count, 2, &value), 0);
        }
        kept[count++] = value;
    }
    assert_int_equal(failures, 750);
    for (uint32_t i = 0; i < count; i++)
        hd_gc_release(&toy.gc, kept[i]);
    toy_fini(&toy, 0);
}

/* Watches one object. */
struct toy_watcher {
    struct hd_watcher watcher;
    uint32_t index;
};

static bool covers(const struct hd_watcher *watcher, uint32_t index)
{
    return ((const struct toy_watcher *)watcher)->index == index;
}

static void watch(struct toy *toy, struct toy_watcher *watcher, hd_value value)
{
    *watcher = (struct toy_watcher){.watcher = {.covers = covers}, .index = hd_value_index(value)};
    hd_gc_watch_begin(&toy->gc, &watcher->watcher);
    hd_gc_watch(&toy->gc, watcher->index);
}

static void watchers_are_told_of_their_own_alone(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 3);
    hd_value nodes[3];
    struct toy_watcher watchers[3];
    for (uint32_t i = 0; i < 3; i++) {
        nodes[i] = toy_node(&toy, i, 2);
        toy_root(&toy, i, nodes[i]);
        watch(&toy, &watchers[i], nodes[i]);
    }
    toy_set(&toy, nodes[1], 0, HD_NONE);
    assert_false(watchers[0].watcher.changed);
    assert_true(watchers[1].watcher.changed);
    assert_false(watchers[2].watcher.changed);
    toy_root(&toy, 2, HD_NONE); /* its death is a change too */
    assert_true(watchers[2].watcher.changed);
    hd_gc_watch_end(&toy.gc, &watchers[1].watcher);
    hd_gc_take(&toy.gc, hd_value_index(nodes[0]), &toy_at(&toy, nodes[0])->words[0]);
    assert_true(watchers[0].watcher.changed);
    hd_gc_watch_end(&toy.gc, &watchers[0].watcher);
    hd_gc_watch_end(&toy.gc, &watchers[2].watcher);
    assert_null(toy.gc.watchers);
    toy_fini(&toy, 0);
}

static void two_watch_the_same(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value node = toy_node(&toy, 1, 1);
    toy_root(&toy, 0, node);
    struct toy_watcher first, second;
    watch(&toy, &first, node);
    watch(&toy, &second, node);
    toy_set(&toy, node, 0, HD_NONE);
    assert_true(first.watcher.changed);
    assert_true(second.watcher.changed);
    hd_gc_watch_end(&toy.gc, &first.watcher);
    hd_gc_watch_end(&toy.gc, &second.watcher);
    toy_fini(&toy, 0);
}

static void marks_of_the_ended_are_harmless(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    hd_value node = toy_node(&toy, 1, 1), other = toy_node(&toy, 2, 1);
    toy_root(&toy, 0, node);
    toy_root(&toy, 1, other);
    struct toy_watcher first, second;
    watch(&toy, &first, node);
    hd_gc_watch_end(&toy.gc, &first.watcher);
    watch(&toy, &second, other);
    toy_set(&toy, node, 0, HD_TRUE);
    assert_false(second.watcher.changed);
    assert_false(toy.table.state[hd_value_index(node)] & HD_STATE_WATCHED);
    hd_gc_watch_end(&toy.gc, &second.watcher);
    toy_fini(&toy, 0);
}

/* Collections of the young and full ones are no change to what is watched. */
static void a_collection_is_no_change(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value node = toy_node(&toy, 1, 1);
    toy_root(&toy, 0, node);
    toy_set(&toy, node, 0, hd_gc_retain(&toy.gc, node));
    struct toy_watcher watcher;
    watch(&toy, &watcher, node);
    struct hd_collection found;
    toy_collect_young(&toy, 1, &found);
    toy_collect(&toy);
    assert_false(watcher.watcher.changed);
    assert_true(toy.table.state[hd_value_index(node)] & HD_STATE_WATCHED);
    hd_gc_watch_end(&toy.gc, &watcher.watcher);
    toy_fini(&toy, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_follow_references),
        cmocka_unit_test(a_leaf_goes_at_once),
        cmocka_unit_test(inline_values_are_not_counted),
        cmocka_unit_test(a_long_chain_is_freed_in_slices),
        cmocka_unit_test(a_wide_node_is_freed_in_slices),
        cmocka_unit_test(the_smallest_slice_makes_progress),
        cmocka_unit_test(the_dead_are_checked_while_they_wait),
        cmocka_unit_test(a_hidden_reference_is_given_up_last),
        cmocka_unit_test(a_saturated_count_never_changes),
        cmocka_unit_test(resizing_keeps_the_references),
        cmocka_unit_test(a_failed_allocation_changes_nothing),
        cmocka_unit_test(watchers_are_told_of_their_own_alone),
        cmocka_unit_test(two_watch_the_same),
        cmocka_unit_test(marks_of_the_ended_are_harmless),
        cmocka_unit_test(a_collection_is_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
