/* Frozen objects are kept, unless counting frees them; and dry runs, which only count. */
#include "toy.h"

static void freeze(struct toy *toy)
{
    uint32_t next = 0;
    while (hd_gc_freeze_step(&toy->gc, &next, 7))
        toy_check(toy);
    toy_check(toy);
}

static void unfreeze(struct toy *toy)
{
    uint32_t next = 0;
    while (hd_gc_unfreeze_step(&toy->gc, &next, 101))
        toy_check(toy);
    toy_check(toy);
}

/* A dropped ring of so many, each with a leaf. */
static void drop_ring(struct toy *toy, uint32_t count)
{
    hd_value first = toy_node(toy, 0, 2), last = first;
    for (uint32_t i = 1; i < count; i++) {
        hd_value next = toy_node(toy, i, 2);
        toy_set(toy, last, 0, next);
        last = next;
    }
    toy_set(toy, last, 0, hd_gc_retain(&toy->gc, first));
    toy_set(toy, last, 1, toy_leaf(toy));
    hd_gc_release(&toy->gc, first);
}

static void frozen_garbage_is_kept_until_it_thaws(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    drop_ring(&toy, 50);
    freeze(&toy);
    assert_int_equal(toy.gc.tracked_count[3], 50);
    assert_int_equal(toy.gc.counts[0], 0);
    struct hd_collection found;
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(found.examined_count[0] + found.examined_count[1], 0);
    assert_int_equal(toy_collect(&toy), 0);
    toy_check(&toy);
    assert_int_equal(toy.gc.tracked_count[3], 50);
    unfreeze(&toy);
    assert_int_equal(toy.gc.tracked_count[3], 0);
    assert_int_equal(toy.gc.tracked_count[2], 50);
    assert_int_equal(toy_collect(&toy), 50);
    toy_fini(&toy, 0);
}

static void what_the_frozen_reach_lives(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value frozen = toy_node(&toy, 1, 3);
    uint64_t identity = toy_identity(&toy, frozen);
    toy_set(&toy, frozen, 0, hd_gc_retain(&toy.gc, frozen));
    toy_root(&toy, 0, frozen);
    freeze(&toy);
    /* Young ones that only a frozen one refers to. */
    hd_value young = toy_node(&toy, 2, 2);
    uint64_t young_identity = toy_identity(&toy, young);
    toy_set(&toy, young, 0, hd_gc_retain(&toy.gc, young));
    toy_set(&toy, frozen, 1, young);
    toy_root(&toy, 0, HD_NONE);
    drop_ring(&toy, 4);
    struct hd_collection found;
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(toy_unreachable(&found), 4);
    drop_ring(&toy, 5);
    assert_int_equal(toy_collect(&toy), 5);
    assert_true(toy_lives(&toy, identity) && toy_lives(&toy, young_identity));
    unfreeze(&toy);
    assert_int_equal(toy_collect(&toy), 2);
    toy_fini(&toy, 0);
}

static void counting_frees_the_frozen(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value chain = toy_node(&toy, 0, 1);
    toy_root(&toy, 0, chain);
    for (uint32_t i = 1; i < 100; i++) {
        hd_value next = toy_node(&toy, i, 1);
        toy_set(&toy, chain, 0, next);
        chain = next;
    }
    freeze(&toy);
    toy_root(&toy, 0, HD_NONE);
    toy_reap(&toy);
    toy_check(&toy);
    assert_int_equal(toy.table.live_count, 0);
    assert_int_equal(toy.gc.tracked_count[3], 0);
    toy_fini(&toy, 0);
}

static void again_and_back_changes_nothing(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    toy_root(&toy, 0, toy_node(&toy, 0, 1));
    for (int i = 0; i < 3; i++) {
        freeze(&toy);
        freeze(&toy);
        assert_int_equal(toy.gc.tracked_count[3], 1);
        unfreeze(&toy);
        unfreeze(&toy);
        assert_int_equal(toy.gc.tracked_count[2], 1);
    }
    toy_fini(&toy, 0);
}

/* Between the slices of freezing, objects are born and die, and the young are collected. */
static void freezing_goes_on_beside_others(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("gc_freeze");
    struct toy toy;
    enum { ROOTS = 500 };
    toy_init(&toy, ROOTS);
    for (uint32_t i = 0; i < ROOTS; i++)
        toy_root(&toy, i, toy_node(&toy, i, 3));
    for (int round = 0; round < 10; round++) {
        bool thaw = round % 2;
        uint32_t next = 0;
        bool more = true;
        while (more) {
            more = thaw ? hd_gc_unfreeze_step(&toy.gc, &next, 1 + toy_below(&random, 200))
                        : hd_gc_freeze_step(&toy.gc, &next, 1 + toy_below(&random, 200));
            for (int i = 0; i < 5; i++) {
                hd_value to = toy.roots.words[toy_below(&random, ROOTS)];
                hd_value node = toy_node(&toy, 0, 3);
                toy_set(&toy, node, 0, hd_gc_retain(&toy.gc, to));
                toy_set(&toy, to, toy_below(&random, 3), hd_gc_retain(&toy.gc, node));
                toy_root(&toy, toy_below(&random, ROOTS), node);
            }
            struct hd_collection found;
            if (toy_below(&random, 10) == 0)
                hd_gc_collect_young(&toy.gc, toy_below(&random, 2), &found);
            hd_gc_reap(&toy.gc, 10);
            toy_check(&toy);
        }
        if (round % 3 == 2)
            toy_collect(&toy);
    }
    unfreeze(&toy);
    toy_fini(&toy, 0);
}

/* ---- dry runs ------------------------------------------------------------- */

static void run_dry(struct toy *toy, uint64_t units)
{
    uint64_t ended = toy->gc.dry_run_ended_count;
    hd_gc_full_start(&toy->gc, true);
    while (hd_gc_full_step(&toy->gc, units))
        ;
    assert_int_equal(toy->gc.dry_run_ended_count, ended + 1);
    toy_check(toy);
}

static void a_dry_run_counts_what_the_next_collection_frees(void **state)
{
    (void)state;
    for (uint64_t units = 1; units < 5000; units *= 7) {
        struct toy toy;
        toy_init(&toy, 2);
        struct hd_collection found;
        drop_ring(&toy, 20);
        hd_value kept = toy_node(&toy, 1, 2);
        toy_root(&toy, 0, kept);
        /* Garbage in each generation: what is held while the young are collected moves up. */
        toy_root(&toy, 1, toy_node(&toy, 3, 2));
        toy_set(&toy, toy.roots.words[1], 0, hd_gc_retain(&toy.gc, toy.roots.words[1]));
        toy_collect_young(&toy, 1, &found);
        toy_collect_young(&toy, 1, &found);
        toy_root(&toy, 1, HD_NONE);
        drop_ring(&toy, 30);
        uint64_t counts = toy.gc.counts[0], live = toy.table.live_count, freed = toy.gc.freed_count;
        run_dry(&toy, units);
        assert_int_equal(toy.gc.counts[0], counts);
        assert_int_equal(toy.table.live_count, live);
        assert_int_equal(toy.gc.freed_count, freed);
        assert_int_equal(toy.gc.full_ended_count, 0);
        assert_int_equal(toy.gc.stats[2].collection_count, 0);
        struct hd_collection dry = toy.gc.last_dry_run;
        assert_int_equal(toy_unreachable(&dry), 31);
        assert_true(dry.unreachable_bytes >= 31 * sizeof(struct toy_node));
        toy_collect(&toy);
        for (unsigned i = 0; i < HD_GENERATIONS; i++)
            assert_int_equal(dry.unreachable_count[i], toy.gc.last.unreachable_count[i]);
        /* What the one found is not what the other did. */
        run_dry(&toy, units);
        assert_int_equal(toy_unreachable(&toy.gc.last), 31);
        assert_int_equal(toy_unreachable(&toy.gc.last_dry_run), 0);
        toy_fini(&toy, 0);
    }
}

/* Old garbage that hangs on young garbage is counted once, whichever goes first. */
static void a_young_collection_in_the_middle(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 60; steps++) {
        struct toy toy;
        toy_init(&toy, 1);
        struct hd_collection found;
        hd_value old = toy_node(&toy, 1, 2);
        toy_root(&toy, 0, old);
        toy_collect(&toy);
        hd_value young = toy_node(&toy, 2, 2);
        toy_set(&toy, young, 0, hd_gc_retain(&toy.gc, young));
        toy_set(&toy, young, 1, hd_gc_retain(&toy.gc, old));
        hd_gc_release(&toy.gc, young);
        toy_root(&toy, 0, HD_NONE);
        hd_gc_full_start(&toy.gc, true);
        for (unsigned i = 0; i < steps; i++)
            hd_gc_full_step(&toy.gc, 1);
        toy_collect_young(&toy, 1, &found);
        while (hd_gc_full_step(&toy.gc, 1))
            ;
        assert_true(toy_unreachable(&toy.gc.last_dry_run) <= 2);
        toy_check(&toy);
        assert_int_equal(toy.table.live_count, 0);
        toy_fini(&toy, 0);
    }
}

static void a_dry_run_disturbs_nobody(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("gc_dry_run");
    struct toy toy;
    enum { ROOTS = 300 };
    toy_init(&toy, ROOTS);
    for (uint32_t i = 0; i < ROOTS; i++)
        toy_root(&toy, i, toy_node(&toy, i, 4));
    hd_gc_full_start(&toy.gc, true);
    for (unsigned step = 0; toy.gc.dry_run_ended_count < 20; step++) {
        if (!hd_gc_full_step(&toy.gc, 1 + toy_below(&random, 50)))
            hd_gc_full_start(&toy.gc, true);
        hd_value from = toy.roots.words[toy_below(&random, ROOTS)];
        hd_value node = toy_node(&toy, step, 4);
        toy_set(&toy, from, toy_below(&random, 4), hd_gc_retain(&toy.gc, node));
        toy_set(&toy, node, 0, hd_gc_retain(&toy.gc, from));
        toy_root(&toy, toy_below(&random, ROOTS), node);
        hd_gc_reap(&toy.gc, toy_below(&random, 5));
        if (step % 10 == 0)
            toy_check(&toy);
    }
    while (hd_gc_full_step(&toy.gc, 100))
        ;
    run_dry(&toy, 10);
    uint64_t expected = toy_unreachable(&toy.gc.last_dry_run);
    toy_reap(&toy);
    run_dry(&toy, 10);
    assert_true(toy_unreachable(&toy.gc.last_dry_run) <= expected);
    expected = toy_unreachable(&toy.gc.last_dry_run);
    assert_int_equal(toy_collect(&toy), expected);
    toy_fini(&toy, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_garbage_is_kept_until_it_thaws),
        cmocka_unit_test(what_the_frozen_reach_lives),
        cmocka_unit_test(counting_frees_the_frozen),
        cmocka_unit_test(again_and_back_changes_nothing),
        cmocka_unit_test(freezing_goes_on_beside_others),
        cmocka_unit_test(a_dry_run_counts_what_the_next_collection_frees),
        cmocka_unit_test(a_young_collection_in_the_middle),
        cmocka_unit_test(a_dry_run_disturbs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
