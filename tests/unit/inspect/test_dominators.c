/* Retained sizes are those of the definition: what no root leads to any more once the object is taken away. */
#include "graph.h"
#include "inspect/dominators.h"

static void run(struct hd_dominators *d, uint64_t units)
{
    uint64_t used;
    int result;
    do {
        result = hd_dominators_step(d, units, &used);
        assert_true(result >= 0);
    } while (result == 0);
}

/* Objects that roots lead to without passing through `without`; true for each. To be freed. */
static bool *reached_without(const struct graph *graph, uint32_t without)
{
    bool *reached = calloc(graph->length, sizeof *reached);
    uint32_t *stack = malloc(graph->length * sizeof *stack);
    uint32_t depth = 0;
    assert_non_null(reached);
    assert_non_null(stack);
    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t root = graph->roots[i];
        if (root != without && !reached[root]) {
            reached[root] = true;
            stack[depth++] = root;
        }
        while (depth) {
            const struct graph_node *node = &graph->nodes[stack[--depth]];
            for (uint32_t e = 0; e < node->edge_count; e++) {
                uint32_t to = node->edges[e];
                if (to == without || reached[to])
                    continue;
                reached[to] = true;
                stack[depth++] = to;
            }
        }
    }
    free(stack);
    return reached;
}

static void compare_sizes(const struct graph *graph, const struct hd_dominators *d)
{
    bool *all = reached_without(graph, 0);
    for (uint32_t i = 1; i < graph->length; i++) {
        uint32_t number = hd_dominators_number(d, i);
        assert_int_equal(number != 0, all[i]);
        if (!number)
            continue;
        bool *rest = reached_without(graph, i);
        uint64_t bytes = 0, count = 0;
        for (uint32_t n = 1; n < graph->length; n++) {
            if (all[n] && !rest[n]) {
                bytes += graph->nodes[n].bytes;
                count++;
            }
        }
        free(rest);
        assert_int_equal(d->retained[number], bytes);
        assert_int_equal(d->retained_count[number], count);
    }
    free(all);
}

static void as_by_definition(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    begin(&f);
    random_init(&random);
    for (unsigned round = 0; round < 30; round++) {
        struct graph graph;
        struct hd_dominators d;
        uint64_t used_before = f.heap->budget.used_bytes;
        for (unsigned i = 0; i < 60; i++)
            graph_mutate(&f, &random);
        used_before = f.heap->budget.used_bytes;
        graph_take(&f, &graph);
        hd_dominators_init(&d, f.heap);
        run(&d, 1 + random_below(&random, 60));
        compare_sizes(&graph, &d);
        hd_dominators_fini(&d);
        assert_int_equal(f.heap->budget.used_bytes, used_before);
        graph_free(&graph);
    }
    end(&f);
}

/* Long chains with references back and forth: compressions of thousands of steps, in slices. */
static void long_chains(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    struct hd_dominators d;
    enum { COUNT = 20000 };
    static hd_value chain[COUNT];
    begin(&f);
    random_init(&random);
    for (unsigned i = 0; i < COUNT; i++) {
        chain[i] = list(&f);
        if (i == 0)
            keep(&f, chain[0]);
        else
            append(&f, chain[i - 1], chain[i]);
    }
    for (unsigned i = 0; i < COUNT / 4; i++)
        append(&f, chain[random_below(&random, COUNT)], hd_gc_retain(f.gc, chain[random_below(&random, COUNT)]));
    hd_dominators_init(&d, f.heap);
    run(&d, 500);
    uint32_t first = hd_dominators_number(&d, hd_value_index(chain[0]));
    assert_int_equal(d.retained_count[first], COUNT);
    assert_int_equal(d.count, d.retained_count[1] + d.source_count + 1 + 1);
    hd_dominators_fini(&d);
    end(&f);
}

static void sources(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_dominators d;
    begin(&f);
    hd_value shared = list(&f), own = keep(&f, list(&f));
    append(&f, own, shared);
    append(&f, own, list(&f));
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, (const uint8_t *)"n", 1, hd_gc_retain(f.gc, shared)), 0);
    hd_dominators_init(&d, f.heap);
    run(&d, 1000);
    for (uint32_t i = 0; i < d.source_count; i++) {
        uint32_t number = hd_dominators_source(&d, i);
        if (d.snapshot.sources[i].kind == HD_ROOT_GLOBALS)
            assert_int_equal(d.retained_count[number], 2); /* the scope and its dict */
        else
            assert_int_equal(d.retained_count[number], 2); /* the list and its second element */
    }
    hd_dominators_fini(&d);
    assert_int_equal(hd_heap_unbind(f.heap, HD_ABSENT, (const uint8_t *)"n", 1), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_by_definition),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
