/* Freezing and dry runs through the heap, beside a mutator and collections that are under way. */
#include "model.h"

static void fill(struct model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_create(model, i);
}

static void act(struct model *model, uint32_t times)
{
    for (; times; times--)
        model_act(model, 60);
}

static uint64_t unreachable(const struct hd_collection *collection)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        sum += collection->unreachable_count[i];
    return sum;
}

static void drop_cycles(struct model *model, uint32_t count)
{
    for (; count; count--) {
        hd_value list;
        assert_int_equal(hd_list_new(model->objects, 1, &list), 0);
        assert_int_equal(hd_list_append(model->objects, list, hd_gc_retain(&model->heap->gc, list)), 0);
        hd_gc_release(&model->heap->gc, list);
    }
}

static void settle(struct model *model)
{
    while (hd_heap_step(model->heap, 10000))
        ;
}

/* Freezing begins in the middle of a collection, and clients go on. */
static void freeze_during_a_collection(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_freeze", 400, UINT64_MAX);
    fill(&model);
    for (unsigned steps = 0; steps < 60; steps += 1 + steps / 4) {
        bool freeze = steps % 2 == 0;
        hd_gc_full_start(&model.heap->gc, steps % 5 == 4);
        for (unsigned i = 0; i < steps; i++) {
            hd_gc_full_step(&model.heap->gc, 20);
            act(&model, 1);
        }
        uint32_t next = 0;
        while (hd_heap_freeze_step(model.heap, freeze, &next, 300))
            act(&model, 2);
        act(&model, 20);
        model_check(&model);
        model_verify_all(&model);
    }
    uint32_t next = 0;
    while (hd_heap_freeze_step(model.heap, false, &next, 1000))
        ;
    assert_int_equal(model.heap->gc.tracked_count[3], 0);
    model_end(&model);
}

static void frozen_cycles_outlive_collections(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_freeze", 10, UINT64_MAX);
    model.heap->gc.enabled = false;
    drop_cycles(&model, 100);
    uint32_t next = 0;
    while (hd_heap_freeze_step(model.heap, true, &next, 10))
        ;
    struct hd_collection found;
    drop_cycles(&model, 7);
    assert_int_equal(hd_heap_collect(model.heap, 2, &found), 0);
    assert_int_equal(unreachable(&found), 7);
    assert_true(model.heap->gc.tracked_count[3] >= 100);
    next = 0;
    while (hd_heap_freeze_step(model.heap, false, &next, 10))
        ;
    assert_int_equal(hd_heap_collect(model.heap, 2, &found), 0);
    assert_int_equal(unreachable(&found), 100);
    model_end(&model);
}

static void a_dry_run_and_a_collection_at_once(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_freeze", 200, UINT64_MAX);
    fill(&model);
    for (uint32_t round = 0; round < 30; round++) {
        settle(&model);
        drop_cycles(&model, 50);
        struct hd_collect dry, real;
        hd_heap_dry_run_begin(model.heap, &dry);
        while (hd_heap_collect_step(model.heap, &dry, 1 + model_below(&model, 2000)))
            ;
        /* Two clients ask, in either order, and each gets the answer to its own question. */
        struct hd_collect again;
        if (round % 2)
            hd_heap_dry_run_begin(model.heap, &again);
        assert_int_equal(hd_heap_collect_begin(model.heap, 2, &real), 0);
        if (round % 2 == 0)
            hd_heap_dry_run_begin(model.heap, &again);
        bool more_real = true, more_again = true;
        while (more_real || more_again) {
            if (more_again)
                more_again = hd_heap_collect_step(model.heap, &again, 1 + model_below(&model, 500));
            if (more_real)
                more_real = hd_heap_collect_step(model.heap, &real, 1 + model_below(&model, 500));
            act(&model, round % 3);
        }
        if (round % 3 == 0) {
            assert_int_equal(unreachable(&dry.result), unreachable(&real.result));
            assert_true(unreachable(&again.result) <= unreachable(&dry.result));
        }
        model_check(&model);
    }
    model_end(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeze_during_a_collection),
        cmocka_unit_test(frozen_cycles_outlive_collections),
        cmocka_unit_test(a_dry_run_and_a_collection_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
