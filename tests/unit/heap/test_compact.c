/* Compaction through the heap, beside a mutator and full collections: nothing is lost, and memory goes back. */
#include "model.h"

static void fill(struct model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_create(model, i);
}

/* Of a hundred things, so many. */
static void free_share(struct model *model, uint32_t percent)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model_below(model, 100) < percent)
            model_free(model, i);
    while (hd_gc_reap(&model->heap->gc, 10000))
        ;
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(model->heap, 2, &found), 0);
}

static uint64_t arena_count(const struct model *model)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(model->heap->alloc, &stats);
    return stats.arena_count;
}

/* What is live fits what is mapped: a third more, and a pool and its arena for each class. */
static void assert_compact(struct model *model)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(model->heap->alloc, &stats);
    size_t classes = hd_alloc_class_stats(model->heap->alloc, NULL);
    uint64_t most = stats.arena_live_bytes / 3 * 4 + classes * 2 * HD_POOL_BYTES + 4 * HD_ARENA_BYTES;
    if (stats.arena_count * HD_ARENA_BYTES > most)
        fail_msg("%llu arenas for %llu live bytes", (unsigned long long)stats.arena_count,
                 (unsigned long long)stats.arena_live_bytes);
}

/* Compacts in random slices; between them, up to `actions` operations. Collections run when the dice say so. */
static void compact_in_slices(struct model *model, uint32_t actions, unsigned dense)
{
    struct hd_gc *gc = &model->heap->gc;
    hd_heap_compact_begin(model->heap);
    for (uint32_t step = 0; gc->compaction.phase != HD_COMPACT_IDLE; step++) {
        uint64_t units = 1 + model_below(model, step % 8 ? 500 : 5000);
        uint32_t dice = model_below(model, 100);
        if (dice < 60)
            hd_gc_compact_step(gc, units);
        else if (dice < 80)
            hd_gc_full_step(gc, units);
        else if (dice < 90)
            hd_heap_step(model->heap, units);
        else
            hd_gc_reap(gc, units);
        if (dice == 7)
            hd_gc_full_start(gc, model_below(model, 4) == 0);
        for (uint32_t i = actions ? model_below(model, actions) : 0; i; i--)
            model_act(model, dense);
        if (step % 400 == 0)
            model_check(model);
        assert_true(step < 10000000);
    }
    while (hd_heap_step(model->heap, 10000))
        ;
}

static void in_one_go(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 8000, UINT64_MAX);
    fill(&model);
    free_share(&model, 90);
    uint64_t before = arena_count(&model);
    hd_heap_compact(model.heap);
    model_check(&model);
    model_verify_all(&model);
    assert_true(arena_count(&model) < before);
    assert_compact(&model);
    assert_int_equal(model.heap->gc.compaction.compaction_count, 1);
    model_end(&model);
}

static void in_slices(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 8000, UINT64_MAX);
    fill(&model);
    free_share(&model, 90);
    uint64_t before = arena_count(&model);
    compact_in_slices(&model, 0, 0);
    hd_alloc_trim(model.heap->alloc);
    assert_true(arena_count(&model) < before);
    assert_compact(&model);
    assert_true(model.heap->gc.compaction.moved_count > 0);
    model_end(&model);
}

static void beside_a_mutator(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 6000, UINT64_MAX);
    fill(&model);
    for (int round = 0; round < 3; round++) {
        free_share(&model, 90);
        compact_in_slices(&model, 6, 12);
        model_check(&model);
        model_verify_all(&model);
        for (uint32_t i = 0; i < model.count / 2; i++)
            model_act(&model, 90);
    }
    free_share(&model, 90);
    hd_heap_compact(model.heap);
    assert_compact(&model);
    model_end(&model);
}

static void again_and_again(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 1500, UINT64_MAX);
    fill(&model);
    free_share(&model, 80);
    for (int round = 0; round < 8; round++) {
        compact_in_slices(&model, 2, 20);
        model_check(&model);
    }
    hd_heap_compact(model.heap);
    hd_heap_compact(model.heap);
    assert_compact(&model);
    model_end(&model);
}

static void with_failing_allocations(void **state)
{
    (void)state;
    static const uint64_t every[] = {1, 2, 3, 7, 50, 1000};
    struct model model;
    model_begin(&model, "heap_compact", 3000, UINT64_MAX);
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        for (uint32_t place = 0; place < model.count; place++)
            if (model.things[place].kind == NOTHING)
                model_create(&model, place);
        free_share(&model, 85);
        model.fail_every = every[i];
        compact_in_slices(&model, i % 2 ? 3 : 0, 15);
        assert_true(model.failed_count > 0);
        model.fail_every = 0;
        model.failed_count = 0;
        model_check(&model);
        model_verify_all(&model);
    }
    model_end(&model);
}

/* The system refuses every mapping: room is only what there is. */
static void without_more_memory(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 4000, UINT64_MAX);
    fill(&model);
    free_share(&model, 80);
    struct hd_alloc_stats stats;
    hd_alloc_stats(model.heap->alloc, &stats);
    hd_os_fault_arm(&model.os, 1, true);
    compact_in_slices(&model, 1, 10);
    hd_os_fault_arm(&model.os, 0, false);
    model_check(&model);
    /* Where little is free, only packing into new arenas would help. */
    if (stats.arena_live_bytes < stats.arena_count * HD_ARENA_BYTES / 2)
        assert_true(arena_count(&model) < stats.arena_count);
    model_end(&model);
}

static void near_the_limit(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 3000, UINT64_MAX);
    fill(&model);
    model.heap->budget.limit_bytes = model.heap->budget.used_bytes + HD_ARENA_BYTES / 2;
    for (int round = 0; round < 4; round++) {
        free_share(&model, 60);
        compact_in_slices(&model, 2, 40);
        model_check(&model);
        /* What is filled again may be refused, and is tried again after relief, as a request would. */
        for (uint32_t place = 0; place < model.count; place++) {
            if (model.things[place].kind != NOTHING)
                continue;
            model_create(&model, place);
            if (model.things[place].kind == NOTHING && model_below(&model, 50) == 0)
                (void)hd_heap_relieve(model.heap);
        }
        model_check(&model);
    }
    model.heap->budget.limit_bytes = UINT64_MAX;
    model_end(&model);
}

/* Relief in the middle of a compaction finishes it: what is being emptied would be no room for anyone. */
static void relief_finishes_it(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 4000, UINT64_MAX);
    fill(&model);
    free_share(&model, 70);
    hd_heap_compact_begin(model.heap);
    while (model.heap->gc.compaction.phase != HD_COMPACT_MOVE)
        assert_true(hd_gc_compact_step(&model.heap->gc, 1));
    hd_gc_compact_step(&model.heap->gc, 1000);
    (void)hd_heap_relieve(model.heap);
    assert_int_equal(model.heap->gc.compaction.phase, HD_COMPACT_IDLE);
    assert_compact(&model);
    model_end(&model);
}

/* A large object that was given back is charged until it is released, and relief releases it at once. */
static void retired_memory_is_released_on_relief(void **state)
{
    (void)state;
    struct model model;
    model_begin(&model, "heap_compact", 1, UINT64_MAX);
    static uint8_t raw[16 << 20];
    hd_value value;
    uint64_t before = model.heap->budget.used_bytes;
    assert_int_equal(hd_bytes_new(model.objects, raw, sizeof raw, &value), 0);
    hd_gc_release(&model.heap->gc, value);
    assert_true(model.heap->budget.used_bytes > before + sizeof raw);
    assert_true(hd_heap_has_work(model.heap));
    model_check(&model);
    assert_true(hd_heap_step(model.heap, 1000));
    assert_true(model.heap->budget.used_bytes > before + sizeof raw / 2);
    assert_true(hd_heap_relieve(model.heap));
    assert_true(model.heap->budget.used_bytes < before + HD_ARENA_BYTES);
    model_end(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_go),
        cmocka_unit_test(in_slices),
        cmocka_unit_test(beside_a_mutator),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(with_failing_allocations),
        cmocka_unit_test(without_more_memory),
        cmocka_unit_test(near_the_limit),
        cmocka_unit_test(relief_finishes_it),
        cmocka_unit_test(retired_memory_is_released_on_relief),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
