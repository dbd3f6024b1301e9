/* Paths from roots: the shortest, of the moment in which the question was asked, and named. */
#include "graph.h"
#include "inspect/paths.h"

static int run_paths(struct hd_paths *p, uint64_t units)
{
    uint64_t used;
    int result;
    do {
        result = hd_paths_step(p, units, &used);
    } while (result == 0);
    return result;
}

static uint64_t identity_of(struct fixture *f, hd_value value)
{
    return hd_table_identity(&f->heap->table, hd_value_index(value));
}

static void expect_text(const struct hd_edge *edge, enum hd_edge_kind kind, const char *text)
{
    assert_int_equal(edge->kind, kind);
    assert_int_equal(edge->text_bytes, strlen(text));
    assert_memory_equal(edge->text, text, edge->text_bytes);
}

static void every_kind_of_edge(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_paths p;
    begin(&f);
    /* name -> scope -> name -> dict["k"] -> tuple[1] -> list[2] -> target */
    hd_value scope, target = list(&f), l = list(&f), d = dict(&f);
    append(&f, l, hd_value_int(1));
    append(&f, l, hd_value_int(2));
    append(&f, l, target);
    put(&f, d, str(&f, "k"), tuple(&f, 2, hd_value_int(7), l));
    assert_int_equal(hd_scope_new(f.objects, HD_ABSENT, &scope), 0);
    assert_int_equal(hd_heap_bind(f.heap, scope, (const uint8_t *)"inner", 5, d), 0);
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, (const uint8_t *)"outer", 5, scope), 0);
    hd_paths_init(&p, f.heap, identity_of(&f, target), 5, 64);
    assert_int_equal(run_paths(&p, 10), 1);
    assert_int_equal(p.path_count, 1);
    const struct hd_path *path = &p.paths[0];
    assert_int_equal(path->root_kind, HD_ROOT_GLOBALS);
    assert_int_equal(path->step_count, 6);
    expect_text(&path->steps[1].edge, HD_EDGE_NAME, "outer");
    expect_text(&path->steps[2].edge, HD_EDGE_NAME, "inner");
    expect_text(&path->steps[3].edge, HD_EDGE_KEY, "\"k\"");
    assert_int_equal(path->steps[4].edge.kind, HD_EDGE_INDEX);
    assert_int_equal(path->steps[4].edge.number, 1);
    assert_int_equal(path->steps[5].edge.number, 2);
    assert_int_equal(path->steps[5].identity, identity_of(&f, target));
    hd_paths_fini(&p);
    assert_int_equal(hd_heap_unbind(f.heap, HD_ABSENT, (const uint8_t *)"outer", 5), 0);
    end(&f);
}

/* A long chain: the middle is left out, and nothing is walked in one go. */
static void longer_than_the_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_paths p;
    begin(&f);
    hd_value first = keep(&f, list(&f)), last = first;
    for (unsigned i = 0; i < 5000; i++) {
        hd_value next = list(&f);
        append(&f, last, next);
        last = next;
    }
    hd_paths_init(&p, f.heap, identity_of(&f, last), 1, 10);
    assert_int_equal(run_paths(&p, 50), 1);
    assert_int_equal(p.path_count, 1);
    assert_int_equal(p.paths[0].step_count, 10);
    assert_int_equal(p.paths[0].elided_count, 5001 - 10);
    assert_int_equal(p.paths[0].elided_at, 5);
    assert_int_equal(p.paths[0].steps[0].identity, identity_of(&f, first));
    assert_int_equal(p.paths[0].steps[9].identity, identity_of(&f, last));
    hd_paths_fini(&p);
    end(&f);
}

static void it_dies_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_paths p;
    uint64_t used;
    begin(&f);
    hd_value l = keep(&f, list(&f)), inner = list(&f);
    append(&f, l, inner);
    hd_paths_init(&p, f.heap, identity_of(&f, inner), 5, 64);
    while (!p.snapshot.observing && p.snapshot.length == 0)
        assert_int_equal(hd_paths_step(&p, 1, &used), 0);
    assert_int_equal(hd_clear(f.objects, l), 0);
    hd_gc_reap(f.gc, 1000);
    assert_int_equal(run_paths(&p, 100), 1);
    /* It was alive when the question was asked. */
    assert_int_equal(p.path_count, 1);
    assert_int_equal(p.paths[0].step_count, 2);
    assert_true(p.paths[0].steps[1].gone);
    assert_false(p.paths[0].steps[0].gone);
    assert_int_equal(p.paths[0].steps[1].edge.kind, HD_EDGE_UNKNOWN);
    hd_paths_fini(&p);
    hd_paths_init(&p, f.heap, UINT64_C(0x7777), 5, 64);
    assert_int_equal(run_paths(&p, 100), HD_EKEY);
    hd_paths_fini(&p);
    end(&f);
}

static void frozen_garbage(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_paths p;
    uint32_t next = 0;
    begin(&f);
    hd_value l = list(&f);
    append(&f, l, hd_gc_retain(f.gc, l));
    uint64_t identity = identity_of(&f, l);
    while (hd_heap_freeze_step(f.heap, true, &next, 1000))
        ;
    hd_gc_release(f.gc, l);
    hd_paths_init(&p, f.heap, identity, 5, 64);
    assert_int_equal(run_paths(&p, 100), 1);
    assert_int_equal(p.path_count, 1);
    assert_int_equal(p.paths[0].root_kind, HD_ROOT_FROZEN);
    hd_paths_fini(&p);
    next = 0;
    while (hd_heap_freeze_step(f.heap, false, &next, 1000))
        ;
    hd_paths_init(&p, f.heap, identity, 5, 64);
    assert_int_equal(run_paths(&p, 100), 1);
    assert_int_equal(p.path_count, 0);
    hd_paths_fini(&p);
    end(&f);
}

/* On random graphs: as long as the book says, and every step is an edge. */
static void as_short_as_can_be(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    begin(&f);
    random_init(&random);
    for (unsigned round = 0; round < 40; round++) {
        struct graph graph;
        struct hd_paths p;
        for (unsigned i = 0; i < 200; i++)
            graph_mutate(&f, &random);
        graph_take(&f, &graph);
        uint32_t *distance = graph_distances(&graph);
        for (unsigned n = 0; n < 5; n++) {
            uint32_t index = 1 + random_below(&random, graph.length - 1);
            if (!graph.nodes[index].identity)
                continue;
            hd_paths_init(&p, f.heap, graph.nodes[index].identity, 3, HD_PATH_STEPS_MAX);
            assert_int_equal(run_paths(&p, 100), 1);
            assert_int_equal(p.path_count != 0, distance[index] != UINT32_MAX);
            for (uint32_t i = 0; i < p.path_count; i++) {
                const struct hd_path *path = &p.paths[i];
                uint32_t at = (uint32_t)path->steps[0].identity;
                assert_int_equal(distance[at], 0);
                for (uint32_t step = 1; step < path->step_count; step++) {
                    uint32_t to = (uint32_t)path->steps[step].identity;
                    assert_int_not_equal(path->steps[step].edge.kind, HD_EDGE_UNKNOWN);
                    assert_true(distance[to] <= distance[at] + 1);
                    at = to;
                }
                if (i == 0) /* globals have one step less: names are no step of their own */
                    assert_true(path->step_count <= distance[index] + 1);
            }
            hd_paths_fini(&p);
        }
        free(distance);
        graph_free(&graph);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_edge), cmocka_unit_test(longer_than_the_limit),
        cmocka_unit_test(it_dies_meanwhile),  cmocka_unit_test(frozen_garbage),
        cmocka_unit_test(as_short_as_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
