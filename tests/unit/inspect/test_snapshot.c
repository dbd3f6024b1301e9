/* The snapshot is of one moment, whatever happens while it is taken. */
#include "graph.h"

static void take(struct hd_snapshot *s)
{
    uint64_t used;
    int result;
    do {
        result = hd_snapshot_step(s, 1000, &used);
        assert_true(result >= 0);
    } while (result == 0);
}

static void nothing_happens_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    struct graph graph;
    struct hd_snapshot s;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    append(&f, l, hd_gc_retain(f.gc, l));
    append(&f, l, str(&f, "a string that is boxed"));
    uint64_t used_before = f.heap->budget.used_bytes;
    graph_take(&f, &graph);
    hd_snapshot_init(&s, f.heap, (struct hd_snapshot_need){4, 4});
    take(&s);
    graph_compare(&graph, &s);
    assert_null(f.gc->observer);
    assert_int_equal(s.live_count, f.heap->table.live_count);
    check(&f);
    assert_true(f.heap->budget.used_bytes > used_before);
    while (hd_snapshot_release(&s, 65536))
        ;
    assert_int_equal(f.heap->budget.used_bytes, used_before);
    graph_free(&graph);
    end(&f);
}

/* Steps of a few units, with changes in between; the graph is that of the moment in which observing began. */
static void one_round(struct fixture *f, struct random *random, uint32_t max_units)
{
    struct graph graph;
    struct hd_snapshot s;
    int result;
    graph_take(f, &graph);
    hd_snapshot_init(&s, f->heap, (struct hd_snapshot_need){0, 0});
    do {
        bool begun = s.observing;
        uint64_t used;
        if (!begun) {
            graph_free(&graph);
            graph_take(f, &graph);
        }
        result = hd_snapshot_step(&s, random_below(random, max_units) + 1, &used);
        assert_true(result >= 0);
        for (uint32_t i = random_below(random, 8); i > 0; i--)
            graph_mutate(f, random);
    } while (result == 0);
    graph_compare(&graph, &s);
    hd_snapshot_fini(&s);
    graph_free(&graph);
}

static void changes_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    begin(&f);
    random_init(&random);
    for (unsigned i = 0; i < 3000; i++)
        graph_mutate(&f, &random);
    for (unsigned round = 0; round < 60; round++) {
        one_round(&f, &random, round % 2 ? 40 : 400);
        for (unsigned i = 0; i < 100; i++)
            graph_mutate(&f, &random);
        check(&f);
    }
    end(&f);
}

/* Containers that are read in parts, and changed in the midst of it. */
static void large_containers(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    begin(&f);
    random_init(&random);
    for (unsigned i = 0; i < FIXTURE_ROOTS; i++)
        keep(&f, list(&f));
    for (unsigned n = 0; n < 3; n++)
        for (unsigned i = 0; i < 9000; i++)
            append(&f, f.roots[n], i % 3 ? hd_gc_retain(f.gc, f.roots[3 + i % 7]) : hd_value_int(i));
    for (unsigned round = 0; round < 40; round++)
        one_round(&f, &random, 3000);
    end(&f);
}

enum { LARGE = 12, LARGE_LENGTH = 6000 }; /* more than are read in parts at a time */

static void set_some(struct fixture *f, struct random *random, hd_value container, bool is_dict)
{
    hd_value value = random_below(random, 3) ? list(f) : hd_value_int(7);
    uint32_t at = random_below(random, LARGE_LENGTH);
    if (is_dict)
        put(f, container, hd_value_int((int64_t)at), value);
    else if (random_below(random, 4) == 0)
        append(f, container, value);
    else
        assert_int_equal(hd_list_set(f->objects, container, at, value), 0);
}

static void change_shape(struct fixture *f, struct random *random, hd_value container)
{
    hd_value out;
    if (random_below(random, 2)) {
        assert_int_equal(hd_list_pop(f->objects, container, random_below(random, 2) ? 0 : -1, &out), 0);
        hd_gc_release(f->gc, out);
    }
    assert_int_equal(hd_list_insert(f->objects, container, random_below(random, 9), list(f)), 0);
}

/* Words are stored one by one while their container is read in parts, and now and then its shape changes. */
static void stores_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    uint32_t most = 0;
    begin(&f);
    random_init(&random);
    hd_value large[LARGE];
    for (unsigned n = 0; n < LARGE; n++) {
        large[n] = keep(&f, n % 4 == 3 ? dict(&f) : list(&f));
        for (unsigned i = 0; i < LARGE_LENGTH; i++) {
            hd_value value = i % 3 ? list(&f) : hd_value_int(i);
            if (n % 4 == 3)
                put(&f, large[n], hd_value_int((int64_t)i), value);
            else
                append(&f, large[n], value);
        }
    }
    for (unsigned round = 0; round < 12; round++) {
        struct graph graph = {.length = 0};
        struct hd_snapshot s;
        int result;
        uint64_t used;
        hd_snapshot_init(&s, f.heap, (struct hd_snapshot_need){0, 0});
        do {
            if (!s.observing) {
                graph_free(&graph);
                graph_take(&f, &graph);
            }
            result = hd_snapshot_step(&s, random_below(&random, 3000) + 1, &used);
            assert_true(result >= 0);
            for (uint32_t i = random_below(&random, 6); i > 0; i--) {
                uint32_t n = random_below(&random, LARGE);
                set_some(&f, &random, large[n], n % 4 == 3);
                if (random_below(&random, 40) == 0 && n % 4 != 3)
                    change_shape(&f, &random, large[n]);
            }
            if (random_below(&random, 20) == 0)
                (void)hd_heap_step(f.heap, 200);
            if (random_below(&random, 100) == 0)
                hd_heap_compact_begin(f.heap);
            most = s.part_count > most ? s.part_count : most;
        } while (result == 0);
        graph_compare(&graph, &s);
        uint64_t edges = 0;
        for (uint32_t i = 1; i < s.length; i++)
            edges += s.node[i].count;
        assert_int_equal(edges, s.edge_count - s.unused_count);
        hd_snapshot_fini(&s);
        graph_free(&graph);
        check(&f);
    }
    assert_int_equal(most, HD_SNAPSHOT_PARTS_MAX);
    end(&f);
}

/* A store reads what lies around it and no more; the rest is read in slices. */
static void a_store_reads_little(void **state)
{
    (void)state;
    struct fixture f;
    struct graph graph;
    struct hd_snapshot s;
    uint64_t used;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    for (unsigned i = 0; i < 100000; i++)
        append(&f, l, hd_gc_retain(f.gc, l));
    hd_snapshot_init(&s, f.heap, (struct hd_snapshot_need){0, 0});
    graph_take(&f, &graph);
    while (!s.observing)
        assert_int_equal(hd_snapshot_step(&s, 1, &used), 0);
    assert_int_equal(hd_list_set(f.objects, l, 50000, hd_value_int(1)), 0);
    append(&f, l, hd_value_int(2));
    assert_int_equal(s.part_count, 1);
    uint32_t read = 0;
    for (uint32_t i = 0; i < s.parts[0].words; i++)
        read += s.edges[s.parts[0].first + i] != 0;
    assert_in_range(read, 1, 1000);
    assert_false(hd_table_bit(s.captured, hd_value_index(l)));
    take(&s);
    graph_compare(&graph, &s);
    hd_snapshot_fini(&s);
    graph_free(&graph);
    end(&f);
}

static void refused_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    keep(&f, list(&f));
    uint64_t used_before = f.heap->budget.used_bytes;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct hd_snapshot s;
        uint64_t used;
        int result;
        hd_snapshot_init(&s, f.heap, (struct hd_snapshot_need){8, 8});
        arm(&f, n);
        do {
            result = hd_snapshot_step(&s, 1000, &used);
        } while (result == 0);
        arm(&f, 0);
        failed = result < 0;
        if (failed)
            assert_int_equal(result, HD_ENOMEM);
        assert_null(f.gc->observer);
        hd_snapshot_fini(&s);
        assert_int_equal(f.heap->budget.used_bytes, used_before);
        check(&f);
        assert_true(n < 100);
    }
    end(&f);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_snapshot first, second;
    uint64_t used;
    begin(&f);
    for (unsigned i = 0; i < 1000; i++)
        append(&f, i ? f.roots[0] : keep(&f, list(&f)), list(&f));
    hd_snapshot_init(&first, f.heap, (struct hd_snapshot_need){0, 0});
    hd_snapshot_init(&second, f.heap, (struct hd_snapshot_need){0, 0});
    while (!first.observing)
        assert_int_equal(hd_snapshot_step(&first, 1, &used), 0);
    assert_int_equal(hd_snapshot_step(&second, 1, &used), HD_EEXISTS);
    hd_snapshot_fini(&second);
    assert_non_null(f.gc->observer);
    hd_snapshot_fini(&first);
    assert_null(f.gc->observer);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_meanwhile),
        cmocka_unit_test(changes_meanwhile),
        cmocka_unit_test(large_containers),
        cmocka_unit_test(stores_meanwhile),
        cmocka_unit_test(a_store_reads_little),
        cmocka_unit_test(refused_without_memory),
        cmocka_unit_test(one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
