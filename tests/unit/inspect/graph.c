#include "graph.h"

#include <time.h>

/* ---- writing it down ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void take_edges(struct fixture *f, uint32_t index, struct graph_node *node)
{
    struct hd_refs refs = {.span_count = 0};
    if (!hd_table_bit(f->heap->table.inner, index))
        return;
    f->gc->types[node->type]->traverse(f->gc, hd_table_payload(&f->heap->table, index), &refs);
    size_t room = 1;
    for (unsigned i = 0; i < refs.span_count; i++)
        room += refs.spans[i].count;
    node->edges = malloc(room * sizeof *node->edges);
    assert_non_null(node->edges);
    for (unsigned i = 0; i < refs.span_count; i++)
        for (size_t w = 0; w < refs.spans[i].count; w++)
            if (hd_value_is_ref(refs.spans[i].words[w]))
                node->edges[node->edge_count++] = hd_value_index(refs.spans[i].words[w]);
    if (refs.hidden)
        node->edges[node->edge_count++] = refs.hidden;
    qsort(node->edges, node->edge_count, sizeof *node->edges, by_number);
}

static void take_root(struct hd_root_visitor *visitor, hd_value value)
{
    struct graph *graph = visitor->context;
    if (!hd_value_is_ref(value))
        return;
    graph->roots = realloc(graph->roots, (graph->root_count + 1) * sizeof *graph->roots);
    assert_non_null(graph->roots);
    graph->roots[graph->root_count++] = hd_value_index(value);
}

void graph_take(struct fixture *f, struct graph *out)
{
    const struct hd_table *table = &f->heap->table;
    *out = (struct graph){.length = table->length};
    out->nodes = calloc(table->length, sizeof *out->nodes);
    assert_non_null(out->nodes);
    for (uint32_t i = 1; i < table->length; i++) {
        struct graph_node *node = &out->nodes[i];
        if (hd_table_type(table, i) == HD_TYPE_FREE || (table->state[i] & HD_STATE_DYING))
            continue;
        node->identity = hd_table_identity(table, i);
        node->type = hd_table_type(table, i);
        node->bytes = hd_shallow_bytes(f->objects, hd_value_ref(i, !hd_table_bit(table->inner, i)));
        take_edges(f, i, node);
    }
    struct hd_root_visitor visitor = {take_root, out};
    for (struct hd_root_source *source = f->gc->roots; source; source = source->next) {
        size_t from = 0;
        do {
            from = source->scan(source, &visitor, from, 100);
        } while (from);
    }
    qsort(out->roots, out->root_count, sizeof *out->roots, by_number);
}

void graph_free(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->length; i++)
        free(graph->nodes[i].edges);
    free(graph->nodes);
    free(graph->roots);
    *graph = (struct graph){.length = 0};
}

static void compare_node(const struct graph_node *wanted, const struct hd_snapshot *s, uint32_t index)
{
    const struct hd_snapshot_node *got = &s->node[index];
    if (!wanted->identity) {
        assert_int_equal(got->kind, 0);
        return;
    }
    assert_int_equal(hd_snapshot_type(s, index), wanted->type);
    assert_int_equal(hd_snapshot_identity(s, index), wanted->identity);
    assert_int_equal(got->count, wanted->edge_count);
    uint32_t *edges = malloc((got->count + 1) * sizeof *edges);
    assert_non_null(edges);
    memcpy(edges, s->edges + got->first, got->count * sizeof *edges);
    qsort(edges, got->count, sizeof *edges, by_number);
    for (uint32_t i = 0; i < got->count; i++)
        assert_int_equal(edges[i], wanted->edges[i]);
    free(edges);
}

void graph_compare(const struct graph *graph, const struct hd_snapshot *s)
{
    assert_null(hd_snapshot_check(s));
    assert_int_equal(s->length, graph->length);
    for (uint32_t i = 1; i < graph->length; i++)
        compare_node(&graph->nodes[i], s, i);
    assert_int_equal(s->root_count, graph->root_count);
    uint32_t *roots = malloc((s->root_count + 1) * sizeof *roots);
    assert_non_null(roots);
    for (uint32_t i = 0; i < s->root_count; i++)
        roots[i] = s->roots[i].index;
    qsort(roots, s->root_count, sizeof *roots, by_number);
    for (uint32_t i = 0; i < s->root_count; i++)
        assert_int_equal(roots[i], graph->roots[i]);
    free(roots);
}

uint32_t *graph_distances(const struct graph *graph)
{
    uint32_t *distance = malloc(graph->length * sizeof *distance);
    assert_non_null(distance);
    for (uint32_t i = 0; i < graph->length; i++)
        distance[i] = UINT32_MAX;
    for (uint32_t i = 0; i < graph->root_count; i++)
        distance[graph->roots[i]] = 0;
    bool changed = true;
    for (uint32_t d = 0; changed; d++) {
        changed = false;
        for (uint32_t i = 1; i < graph->length; i++) {
            for (uint32_t e = 0; distance[i] == d && e < graph->nodes[i].edge_count; e++) {
                uint32_t *to = &distance[graph->nodes[i].edges[e]];
                changed |= *to > d + 1;
                *to = *to > d + 1 ? d + 1 : *to;
            }
        }
    }
    return distance;
}

/* ---- chance ---- */

void random_init(struct random *random)
{
    const char *given = getenv("HEAPD_TEST_SEED");
    random->state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;
    print_message("HEAPD_TEST_SEED=%llu\n", (unsigned long long)random->state);
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random->state >> 33) % limit);
}

/* ---- changes ---- */

/* Any value: an object that a root reaches in a few steps, a number, or something new. */
static hd_value some_value(struct fixture *f, struct random *random)
{
    char text[32];
    switch (random_below(random, 8)) {
    case 0:
        return hd_value_int((int64_t)random_below(random, 100));
    case 1:
        (void)snprintf(text, sizeof text, "a text that is boxed %u", random_below(random, 1000));
        return str(f, text);
    case 2:
        return list(f);
    case 3:
        return dict(f);
    case 4:
        return tuple(f, 2, hd_gc_retain(f->gc, f->roots[random_below(random, FIXTURE_ROOTS)]), hd_value_int(1));
    default:
        return hd_gc_retain(f->gc, f->roots[random_below(random, FIXTURE_ROOTS)]);
    }
}

static void change_list(struct fixture *f, struct random *random, hd_value value)
{
    hd_value out;
    uint32_t length = hd_list_length(f->objects, value);
    switch (random_below(random, 6)) {
    case 0:
    case 1:
        append(f, value, some_value(f, random));
        break;
    case 2:
        assert_int_equal(hd_list_insert(f->objects, value, random_below(random, length + 1), some_value(f, random)), 0);
        break;
    case 3:
        if (length && hd_list_pop(f->objects, value, random_below(random, length), &out) == 0)
            hd_gc_release(f->gc, out);
        break;
    case 4:
        if (length)
            assert_int_equal(hd_list_set(f->objects, value, random_below(random, length), some_value(f, random)), 0);
        break;
    default:
        if (random_below(random, 16) == 0)
            assert_int_equal(hd_clear(f->objects, value), 0);
        break;
    }
}

static void change_dict(struct fixture *f, struct random *random, hd_value value)
{
    struct hd_key key = hd_key_of(hd_value_int((int64_t)random_below(random, 40)));
    if (random_below(random, 3))
        put(f, value, key.value, some_value(f, random));
    else if (random_below(random, 20) == 0)
        assert_int_equal(hd_clear(f->objects, value), 0);
    else
        (void)!hd_dict_pop(f->objects, value, &key, NULL);
}

static void change_heap(struct fixture *f, struct random *random)
{
    struct hd_collection found;
    switch (random_below(random, 6)) {
    case 0:
        hd_gc_collect_young(f->gc, random_below(random, 2), &found);
        break;
    case 1:
        hd_gc_full_start(f->gc, random_below(random, 4) == 0);
        break;
    case 2:
        hd_heap_compact_begin(f->heap);
        break;
    default:
        hd_heap_step(f->heap, random_below(random, 200) + 1);
        break;
    }
}

void graph_mutate(struct fixture *f, struct random *random)
{
    uint32_t at = random_below(random, FIXTURE_ROOTS);
    hd_value *root = &f->roots[at];
    while (f->root_count < FIXTURE_ROOTS)
        keep(f, list(f));
    uint32_t what = random_below(random, 20);
    if (what == 0) {
        hd_value old = *root;
        *root = some_value(f, random);
        hd_gc_release(f->gc, old);
    } else if (what < 4) {
        change_heap(f, random);
    } else if (hd_kind_of(f->objects, *root) == HD_IS_LIST) {
        change_list(f, random, *root);
    } else if (hd_kind_of(f->objects, *root) == HD_IS_DICT) {
        change_dict(f, random, *root);
    } else if (hd_kind_of(f->objects, *root) == HD_IS_TUPLE) {
        hd_value first = hd_gc_retain(f->gc, hd_tuple_at(f->objects, *root, 0)), old = *root;
        *root = first;
        hd_gc_release(f->gc, old);
    } else {
        hd_value old = *root;
        *root = random_below(random, 2) ? list(f) : dict(f);
        hd_gc_release(f->gc, old);
    }
}
