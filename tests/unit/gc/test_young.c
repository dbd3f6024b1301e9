/* Young collections: cycles are found, what is referred to from outside lives, survivors grow older. */
#include "toy.h"

static unsigned generation_of(const struct toy *toy, hd_value value)
{
    return toy->table.state[hd_value_index(value)] & HD_STATE_GENERATION;
}

/* A ring of `count` nodes, of which the caller owns one reference, to the first. */
static hd_value ring(struct toy *toy, uint32_t count)
{
    hd_value first = toy_node(toy, 0, 2), last = first;
    for (uint32_t i = 1; i < count; i++) {
        hd_value next = toy_node(toy, i, 2);
        toy_set(toy, last, 0, next);
        last = next;
    }
    toy_set(toy, last, 0, hd_gc_retain(&toy->gc, first));
    return first;
}

static void an_empty_heap_can_be_collected(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    struct hd_collection found;
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    toy_fini(&toy, 0);
}

static void a_dropped_cycle_is_found(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 200; count = count * 2 + 1) {
        struct toy toy;
        toy_init(&toy, 1);
        hd_gc_release(&toy.gc, ring(&toy, count));
        assert_int_equal(toy.table.live_count, count);
        struct hd_collection found;
        toy_collect_young(&toy, 0, &found);
        assert_int_equal(found.unreachable_count[0], count);
        assert_int_equal(found.examined_count[0], count);
        assert_int_equal(toy.table.live_count, 0);
        assert_int_equal(toy.gc.stats[0].collected_count, count);
        assert_int_equal(toy.gc.stats[0].collection_count, 1);
        toy_fini(&toy, 0);
    }
}

static void a_cycle_that_is_held_lives(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value first = ring(&toy, 50);
    toy_root(&toy, 0, first);
    struct hd_collection found;
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    assert_int_equal(toy.table.live_count, 50);
    for (hd_value node = toy_at(&toy, first)->words[0]; node != first; node = toy_at(&toy, node)->words[0])
        assert_int_equal(generation_of(&toy, node), 1);
    toy_fini(&toy, 0);
}

/* The example at the top of young.c: a and b refer to each other, b to c, and c is held. */
static void garbage_does_not_take_the_living_with_it(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value a = toy_node(&toy, 1, 1), b = toy_node(&toy, 2, 2), c = toy_node(&toy, 3, 0);
    toy_root(&toy, 0, hd_gc_retain(&toy.gc, c));
    toy_set(&toy, b, 0, hd_gc_retain(&toy.gc, a));
    toy_set(&toy, b, 1, c);
    toy_set(&toy, a, 0, b);
    hd_gc_release(&toy.gc, a);
    struct hd_collection found;
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 2);
    assert_int_equal(toy.table.live_count, 1);
    assert_int_equal(hd_table_count(&toy.table, hd_value_index(c)), 1);
    toy_fini(&toy, 0);
}

static void survivors_grow_older(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value node = toy_node(&toy, 1, 0);
    toy_root(&toy, 0, node);
    struct hd_collection found;
    assert_int_equal(generation_of(&toy, node), 0);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(generation_of(&toy, node), 1);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(generation_of(&toy, node), 1);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(found.examined_count[1], 1);
    assert_int_equal(generation_of(&toy, node), 2);
    assert_int_equal(toy.gc.tracked_count[2], 1);
    assert_int_equal(toy.gc.long_lived_pending, 1);
    toy_fini(&toy, 0);
}

/* What an old or untracked object refers to is referred to from outside. */
static void the_old_and_the_untracked_keep_the_young(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    struct hd_collection found;
    hd_value old = toy_node(&toy, 1, 1), still = HD_ABSENT;
    toy_root(&toy, 0, old);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(generation_of(&toy, old), 2);
    assert_int_equal(toy_try_node(&toy, TOY_STILL, 2, 1, &still), 0);
    toy_root(&toy, 1, still);
    toy_set(&toy, old, 0, ring(&toy, 5));
    toy_set(&toy, still, 0, ring(&toy, 5));
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    assert_int_equal(toy.table.live_count, 12);
    toy_fini(&toy, 0);
}

/* A cycle through an old object is beyond a young collection, but not beyond a full one. */
static void a_cycle_across_generations_waits(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    struct hd_collection found;
    hd_value old = toy_node(&toy, 1, 1);
    toy_root(&toy, 0, old);
    toy_collect_young(&toy, 0, &found);
    hd_value young = toy_node(&toy, 2, 1);
    toy_set(&toy, young, 0, hd_gc_retain(&toy.gc, old));
    toy_set(&toy, old, 0, young);
    toy_root(&toy, 0, HD_NONE);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    toy_collect_young(&toy, 1, &found); /* both are of generation 1 now */
    assert_int_equal(toy_unreachable(&found), 2);
    assert_int_equal(found.unreachable_count[1], 2);
    toy_fini(&toy, 0);
}

static void hidden_references_are_counted(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    struct hd_collection found;
    /* A class that refers to its instance, which refers to its class: garbage. */
    hd_value class_value = toy_node(&toy, 1, 1);
    hd_value instance = toy_node(&toy, 2, 1);
    toy_at(&toy, instance)->hidden = hd_value_index(class_value); /* steals ours */
    toy_set(&toy, class_value, 0, instance);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 2);
    assert_int_equal(toy.table.live_count, 0);
    /* The same, held. */
    class_value = toy_node(&toy, 1, 1);
    instance = toy_node(&toy, 2, 1);
    toy_at(&toy, instance)->hidden = hd_value_index(class_value);
    toy_set(&toy, class_value, 0, hd_gc_retain(&toy.gc, instance));
    toy_root(&toy, 0, instance);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    assert_int_equal(toy.table.live_count, 2);
    toy_fini(&toy, 0);
}

static void a_saturated_count_keeps_alive(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    struct hd_collection found;
    hd_value first = ring(&toy, 3);
    toy_saturate(&toy, first);
    hd_gc_release(&toy.gc, first);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    assert_int_equal(hd_table_count(&toy.table, hd_value_index(first)), HD_COUNT_SATURATED);
    assert_int_equal(toy.table.live_count, 3);
    toy_fini(&toy, 0);
}

/* Very large containers become old unexamined, and keep what they hold. */
static void a_large_container_is_left_out(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    struct hd_collection found;
    hd_value large = toy_node(&toy, 1, 100000);
    for (uint32_t i = 0; i < 100000; i += 100)
        toy_set(&toy, large, i, ring(&toy, 2));
    toy_root(&toy, 0, large);
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(toy_unreachable(&found), 0);
    assert_int_equal(generation_of(&toy, large), 2);
    assert_int_equal(toy.table.live_count, 2001);
    toy_root(&toy, 0, HD_NONE);
    toy_reap(&toy);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(toy_unreachable(&found), 2000);
    toy_fini(&toy, 0);
}

/* An index that died and was born again stands in a list twice, and is one object all the same. */
static void indices_that_were_reused_are_one_object(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 20);
    struct hd_collection found;
    for (int round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 20; i++)
            toy_root(&toy, i, toy_node(&toy, i, 1));
        if (round % 8 == 5)
            toy_collect_young(&toy, 0, &found); /* some die in the middle generation */
        toy_check(&toy);
        for (uint32_t i = 0; i < 20; i++)
            toy_root(&toy, i, HD_NONE);
        toy_reap(&toy);
    }
    for (uint32_t i = 0; i < 20; i++)
        toy_root(&toy, i, toy_node(&toy, i, 1));
    toy_collect_young(&toy, 0, &found);
    assert_int_equal(found.examined_count[0], 20);
    toy_collect_young(&toy, 1, &found);
    assert_int_equal(found.examined_count[0], 0);
    assert_int_equal(found.examined_count[1], 20);
    toy_fini(&toy, 0);
}

/* Lists of the young forget the dead: their memory does not grow with what was ever born. */
static void the_lists_do_not_grow_with_the_dead(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    toy.gc.enabled = false;
    for (uint32_t i = 0; i < 200000; i++) {
        hd_gc_release(&toy.gc, toy_node(&toy, i, 0));
        hd_gc_reap(&toy.gc, 10);
    }
    assert_true(toy.gc.young[0].capacity <= 4096);
    toy_fini(&toy, 0);
}

/* No memory for the list of generation 1: survivors become old instead. */
static void promotion_without_memory(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 3000);
    for (uint32_t i = 0; i < 3000; i++)
        toy_root(&toy, i, toy_node(&toy, i, 0));
    struct hd_collection found;
    toy.allocation_left = 0;
    toy_collect_young(&toy, 0, &found);
    toy.allocation_left = UINT64_MAX;
    assert_int_equal(toy.gc.tracked_count[0], 0);
    assert_int_equal(toy.gc.tracked_count[1] + toy.gc.tracked_count[2], 3000);
    assert_true(toy.gc.tracked_count[2] > 0);
    toy_fini(&toy, 0);
}

static void thresholds_start_collections(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    toy.gc.thresholds[0] = 100;
    toy.gc.thresholds[1] = 3;
    toy.gc.thresholds[2] = 2;
    for (uint32_t i = 0; i < 101 * 3; i++) {
        assert_int_equal(toy.gc.stats[0].collection_count, i / 101);
        hd_gc_release(&toy.gc, ring(&toy, 1));
        hd_gc_poll(&toy.gc);
        toy_reap(&toy);
    }
    assert_int_equal(toy.gc.stats[0].collected_count, 303);
    while (toy.gc.phase == HD_PHASE_IDLE) {
        hd_gc_release(&toy.gc, ring(&toy, 1));
        hd_gc_poll(&toy.gc);
        toy_reap(&toy);
    }
    assert_int_equal(toy.gc.stats[1].collection_count, 4); /* more than two, and one that is due */
    while (hd_gc_full_step(&toy.gc, 100))
        ;
    assert_int_equal(toy.gc.stats[2].collection_count, 1);
    /* Off means off; a threshold of 0 too. */
    uint64_t before = toy.gc.stats[0].collection_count;
    toy.gc.enabled = false;
    for (uint32_t i = 0; i < 300; i++) {
        hd_gc_release(&toy.gc, ring(&toy, 1));
        hd_gc_poll(&toy.gc);
    }
    toy.gc.enabled = true;
    toy.gc.thresholds[0] = 0;
    hd_gc_poll(&toy.gc);
    assert_int_equal(toy.gc.stats[0].collection_count, before);
    toy_fini(&toy, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_can_be_collected),
        cmocka_unit_test(a_dropped_cycle_is_found),
        cmocka_unit_test(a_cycle_that_is_held_lives),
        cmocka_unit_test(garbage_does_not_take_the_living_with_it),
        cmocka_unit_test(survivors_grow_older),
        cmocka_unit_test(the_old_and_the_untracked_keep_the_young),
        cmocka_unit_test(a_cycle_across_generations_waits),
        cmocka_unit_test(hidden_references_are_counted),
        cmocka_unit_test(a_saturated_count_keeps_alive),
        cmocka_unit_test(a_large_container_is_left_out),
        cmocka_unit_test(indices_that_were_reused_are_one_object),
        cmocka_unit_test(the_lists_do_not_grow_with_the_dead),
        cmocka_unit_test(promotion_without_memory),
        cmocka_unit_test(thresholds_start_collections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
