/* The heap's life, and the work between requests: collections asked for, dry runs, freezing, pressure. */
#include "fixture.h"

/* `count` dropped cycles of two lists. */
static void drop_cycles(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        hd_value a = list(f), b = list(f);
        append(f, a, b);
        append(f, b, a);
    }
}

static uint64_t sum(const struct hd_collection *found)
{
    return found->unreachable_count[0] + found->unreachable_count[1] + found->unreachable_count[2];
}

static void collections_are_exact(void **state)
{
    (void)state;
    for (unsigned generation = 0; generation < 3; generation++) {
        struct fixture f;
        begin(&f);
        drop_cycles(&f, 100);
        struct hd_collection found;
        assert_int_equal(hd_heap_collect(f.heap, generation, &found), 0);
        assert_int_equal(sum(&found), 200);
        assert_int_equal(f.heap->table.live_count, f.live_before);
        assert_int_equal(hd_heap_collect(f.heap, generation, &found), 0);
        assert_int_equal(sum(&found), 0);
        end(&f);
    }
}

static void there_are_three_generations(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct hd_collection found;
    struct hd_collect collect;
    assert_int_equal(hd_heap_collect(f.heap, 3, &found), HD_EINVALID);
    assert_int_equal(hd_heap_collect_begin(f.heap, UINT32_MAX, &collect), HD_EINVALID);
    end(&f);
}

/* A collection that was under way when another was asked for does not count for it. */
static void a_collection_finds_what_is_garbage_now(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    for (int i = 0; i < 5000; i++)
        append(&f, l, list(&f));
    struct hd_collect first, second;
    assert_int_equal(hd_heap_collect_begin(f.heap, 2, &first), 0);
    assert_true(hd_heap_collect_step(f.heap, &first, 300));
    drop_cycles(&f, 10); /* born marked: not found by the first */
    assert_int_equal(hd_heap_collect_begin(f.heap, 2, &second), 0);
    bool one = true, two = true;
    for (int i = 0; one || two; i++) {
        assert_true(i < 10000);
        one = one && hd_heap_collect_step(f.heap, &first, 100);
        two = two && hd_heap_collect_step(f.heap, &second, 100);
    }
    assert_int_equal(sum(&first.result), 0);
    assert_int_equal(sum(&second.result), 20);
    assert_int_equal(f.heap->table.live_count, f.live_before + 5001);
    end(&f);
}

static void a_dry_run_only_counts(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    keep(&f, list(&f));
    drop_cycles(&f, 50);
    uint32_t live = f.heap->table.live_count;
    struct hd_collect dry;
    hd_heap_dry_run_begin(f.heap, &dry);
    while (hd_heap_collect_step(f.heap, &dry, 20))
        ;
    assert_int_equal(sum(&dry.result), 100);
    assert_int_equal(f.heap->table.live_count, live);
    check(&f);
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
    assert_int_equal(sum(&found), 100);
    end(&f);
}

static void the_frozen_are_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    drop_cycles(&f, 50);
    uint32_t next = 0;
    while (hd_heap_freeze_step(f.heap, true, &next, 7))
        check(&f);
    assert_true(f.gc->tracked_count[3] >= 100);
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
    assert_int_equal(sum(&found), 0);
    assert_true(f.heap->table.live_count >= f.live_before + 100);
    next = 0;
    while (hd_heap_freeze_step(f.heap, false, &next, 7))
        check(&f);
    assert_int_equal(f.gc->tracked_count[3], 0);
    assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
    assert_int_equal(sum(&found), 100);
    end(&f);
}

/* Garbage that comes without end, and nobody asks: thresholds and slices keep up with it. */
static void settling_keeps_up(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value kept = keep(&f, list(&f));
    for (int i = 0; i < 100000; i++) {
        drop_cycles(&f, 1);
        if (i % 50 == 0)
            append(&f, kept, list(&f));
        hd_heap_settle(f.heap);
        if (i % 5000 == 0)
            check(&f);
    }
    assert_true(f.heap->table.live_count < 10000);
    assert_true(f.gc->stats[0].collection_count > 10);
    assert_true(f.gc->stats[1].collection_count > 1);
    end(&f);
}

/* However high generation 1's threshold is, and whatever survives: a pause has its bounds. */
static void young_collections_stay_short(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.gc->thresholds[0] = 700;
    f.gc->thresholds[1] = 1000;
    hd_value kept = keep(&f, list(&f));
    for (int i = 0; i < 20000; i++) {
        append(&f, kept, list(&f));
        hd_heap_settle(f.heap);
        assert_true(f.gc->young[0].length + f.gc->young[1].length <= HD_MIDDLE_MAX + 2 * 701);
    }
    assert_true(f.gc->stats[1].collection_count >= 4);
    check(&f);
    end(&f);
}

static void work_needs_a_slice(void **state)
{
    (void)state;
    struct hd_heap_config config;
    struct hd_heap *heap = NULL;
    hd_heap_config_default(&config);
    config.settle_units = 0;
    assert_int_equal(hd_heap_new(hd_os_linux(), &config, &heap), HD_EINVALID);
    assert_null(heap);
}

static void slices_of_any_size_end(void **state)
{
    (void)state;
    for (uint64_t units = 1; units < 8; units++) {
        struct fixture f;
        begin(&f);
        hd_value l = keep(&f, list(&f));
        for (int i = 0; i < 300; i++)
            append(&f, l, list(&f));
        drop_cycles(&f, 100);
        struct hd_collect collect;
        assert_int_equal(hd_heap_collect_begin(f.heap, 2, &collect), 0);
        for (int i = 0; hd_heap_collect_step(f.heap, &collect, units); i++)
            assert_true(i < 100000);
        assert_int_equal(hd_clear(f.objects, l), 0);
        for (int i = 0; hd_heap_step(f.heap, units); i++)
            assert_true(i < 100000);
        assert_int_equal(f.heap->table.live_count, f.live_before + 1);
        end(&f);
    }
}

/* At the limit: refused, nothing changed; with garbage about, relief finds room for a second try. */
static void a_limit_holds(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value kept = keep(&f, list(&f));
    assert_int_equal(hd_list_reserve(f.objects, kept, 20000), 0);
    f.gc->enabled = false;
    f.heap->budget.limit_bytes = f.heap->budget.used_bytes + (4 << 20);
    uint32_t made = 0;
    int error;
    for (;;) {
        hd_value value;
        error = hd_list_new(f.objects, 100, &value);
        if (error)
            break;
        error = hd_list_append(f.objects, made % 2 ? kept : value, made % 2 ? value : hd_gc_retain(f.gc, value));
        if (error) {
            release(&f, value);
            break;
        }
        if (made % 2 == 0)
            release(&f, value); /* a cycle of one, dropped */
        made++;
    }
    assert_int_equal(error, HD_ENOMEM);
    assert_true(f.heap->budget.used_bytes <= f.heap->budget.limit_bytes);
    check(&f);
    assert_true(hd_heap_relieve(f.heap));
    check(&f);
    hd_value value;
    assert_int_equal(hd_list_new(f.objects, 100, &value), 0);
    release(&f, value);
    /* When all that there is is in use, it says so. */
    for (int i = 0; i < 100000 && error == HD_ENOMEM; i++) {
        if (hd_list_new(f.objects, 100, &value) == 0) {
            append(&f, kept, value);
        } else if (!hd_heap_relieve(f.heap)) {
            error = 0;
        }
    }
    assert_int_equal(error, 0);
    check(&f);
    f.heap->budget.limit_bytes = UINT64_MAX;
    end(&f);
}

/* Much is dropped, little is kept here and there: compaction gives arenas back, and the little is as it was. */
static void compaction_gives_memory_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), kept = keep(&f, list(&f));
    for (int i = 0; i < 60000; i++) {
        hd_value d = dict(&f);
        put(&f, d, hd_value_int(i), str(&f, "a value that is boxed as well"));
        if (i % 40 == 0)
            append(&f, kept, hd_gc_retain(f.gc, d));
        append(&f, l, d);
    }
    uint64_t full = f.heap->budget.used_bytes;
    assert_int_equal(hd_clear(f.objects, l), 0);
    hd_heap_compact_begin(f.heap);
    while (hd_heap_step(f.heap, 500))
        ;
    hd_heap_compact(f.heap);
    check(&f);
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.heap->alloc, &stats);
    assert_true(f.heap->budget.used_bytes < full / 2);
    for (uint32_t i = 0; i < hd_list_length(f.objects, kept); i++) {
        hd_value value = look_up(&f, hd_list_at(f.objects, kept, i), hd_value_int(i * 40));
        size_t size;
        assert_memory_equal(hd_bytes_view(f.objects, &value, &size), "a value that is boxed as well", 29);
        release(&f, value);
    }
    end(&f);
}

static void it_is_deterministic(void **state)
{
    (void)state;
    uint64_t identities[2] = {0, 0}, freed[2] = {0, 0};
    for (int round = 0; round < 2; round++) {
        struct fixture f;
        begin(&f);
        hd_value d = keep(&f, dict(&f)), key, value;
        uint64_t random = 42;
        for (int i = 0; i < 20000; i++) {
            hd_value l = list(&f);
            identities[round] = identities[round] * 31 + hd_table_identity(&f.heap->table, hd_value_index(l));
            append(&f, l, hd_gc_retain(f.gc, l));
            put(&f, d, hd_value_int((int64_t)(hd_test_random(&random) % 500)), l);
            hd_heap_settle(f.heap);
        }
        uint32_t position = 0;
        while (hd_dict_next(f.objects, d, &position, &key, &value))
            identities[round] = identities[round] * 31 + key;
        freed[round] = f.gc->freed_count;
        end(&f);
    }
    assert_int_equal(identities[0], identities[1]);
    assert_int_equal(freed[0], freed[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collections_are_exact),
        cmocka_unit_test(there_are_three_generations),
        cmocka_unit_test(a_collection_finds_what_is_garbage_now),
        cmocka_unit_test(a_dry_run_only_counts),
        cmocka_unit_test(the_frozen_are_left_alone),
        cmocka_unit_test(settling_keeps_up),
        cmocka_unit_test(young_collections_stay_short),
        cmocka_unit_test(work_needs_a_slice),
        cmocka_unit_test(slices_of_any_size_end),
        cmocka_unit_test(a_limit_holds),
        cmocka_unit_test(compaction_gives_memory_back),
        cmocka_unit_test(it_is_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
