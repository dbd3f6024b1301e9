#include "test.h"

#include <math.h>

#include "common/literal.h"

#define NODES_MAX 4096

/* A graph as a plain list of nodes in pre-order: what the columns have to give back. */
struct graph {
    struct hd_node nodes[NODES_MAX];
    size_t count;
    uint8_t text[64];
};

static void graph_fill(struct graph *graph, uint64_t *random)
{
    static const int64_t edges[] = {0, -1, 1, 63, -64, 64, INT64_MAX, INT64_MIN, INT32_MIN};
    static const double reals[] = {0.0, -0.0, 1.5, INFINITY, -INFINITY, 5e-324, 1.7976931348623157e308};
    for (size_t i = 0; i < sizeof graph->text; i++)
        graph->text[i] = (uint8_t)test_random(random);
    size_t wanted = 1 + test_random_below(random, NODES_MAX);
    graph->count = 0;
    /* Containers may be given any part of the nodes that nobody waits for yet. */
    size_t promised = 0;
    while (graph->count < wanted) {
        struct hd_node *node = &graph->nodes[graph->count++];
        *node = (struct hd_node){.kind = (enum hd_kind)(1 + test_random_below(random, 16))};
        promised -= promised > 0;
        size_t spare = wanted - graph->count - promised;
        size_t need = node->kind == HD_KIND_INSTANCE;
        switch (node->kind) {
        case HD_KIND_NONE:
        case HD_KIND_FALSE:
        case HD_KIND_TRUE:
            break;
        case HD_KIND_INT:
            node->integer =
                test_random(random) % 2 ? edges[test_random_below(random, 9)] : (int64_t)test_random(random);
            break;
        case HD_KIND_FLOAT:
            node->real = reals[test_random_below(random, 7)];
            break;
        case HD_KIND_BIG_INT:
        case HD_KIND_STR:
        case HD_KIND_BYTES:
            node->bytes.size = test_random_below(random, sizeof graph->text);
            node->bytes.data = graph->text + test_random_below(random, sizeof graph->text - node->bytes.size);
            break;
        case HD_KIND_LIST:
        case HD_KIND_TUPLE:
        case HD_KIND_SET:
        case HD_KIND_FROZENSET:
            node->count = test_random_below(random, spare < 20 ? spare + 1 : 20);
            promised += node->count;
            break;
        case HD_KIND_DICT:
        case HD_KIND_INSTANCE:
            if (spare < need) {
                node->kind = HD_KIND_NONE;
                break;
            }
            node->count = test_random_below(random, spare < 20 ? (spare - need) / 2 + 1 : 9);
            promised += need + 2 * node->count;
            break;
        case HD_KIND_HANDLE:
            node->handle = test_random(random);
            break;
        case HD_KIND_SHARED:
            node->shared = test_random(random) >> test_random_below(random, 64);
            break;
        }
    }
}

static bool same(const struct hd_node *a, const struct hd_node *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case HD_KIND_NONE:
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        return true;
    case HD_KIND_FLOAT:
        return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case HD_KIND_BIG_INT:
    case HD_KIND_STR:
    case HD_KIND_BYTES:
        return a->bytes.size == b->bytes.size &&
               (a->bytes.size == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0);
    default:
        return a->count == b->count;
    }
}

static size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    for (; value >= 0x80; value >>= 7)
        bytes++;
    return bytes;
}

/* The length of the packed message by the rules of the encoding, column by column. */
static size_t packed_bytes(const struct hd_columns *columns)
{
    size_t fields[8] = {columns->kind_count, 0, columns->real_count * 8, 0, columns->data_bytes, 0, 0, 0};
    for (size_t i = 0; i < columns->integer_count; i++) {
        uint64_t integer = (uint64_t)columns->integers[i];
        fields[1] += varint_bytes(integer >> 63 ? ~(integer << 1) : integer << 1);
    }
    for (size_t i = 0; i < columns->size_count; i++)
        fields[3] += varint_bytes(columns->sizes[i]);
    for (size_t i = 0; i < columns->count_count; i++)
        fields[5] += varint_bytes(columns->counts[i]);
    for (size_t i = 0; i < columns->handle_count; i++)
        fields[6] += varint_bytes(columns->handles[i]);
    for (size_t i = 0; i < columns->shared_count; i++)
        fields[7] += varint_bytes(columns->shared[i]);
    size_t total = 0;
    for (size_t i = 0; i < 8; i++)
        total += fields[i] ? 1 + varint_bytes(fields[i]) + fields[i] : 0;
    return total;
}

static void write_graph(struct hd_literal_writer *writer, const struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        /* Ints that follow each other go in together. */
        int64_t integers[8];
        size_t run = 0;
        while (run < 8 && i + run < graph->count && graph->nodes[i + run].kind == HD_KIND_INT) {
            integers[run] = graph->nodes[i + run].integer;
            run++;
        }
        if (run > 1) {
            assert_int_equal(hd_literal_writer_add_ints(writer, integers, run), 0);
            i += run - 1;
        } else {
            assert_int_equal(hd_literal_writer_add(writer, &graph->nodes[i]), 0);
        }
    }
}

static void check_graph(const struct hd_literal_writer *writer, const struct graph *graph)
{
    struct hd_columns columns;
    hd_literal_writer_columns(writer, &columns);
    size_t exact = packed_bytes(&columns);
    size_t said = hd_literal_writer_size_bytes(writer);
    assert_true(said >= exact && said - exact < 100);
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, &columns);
    for (size_t i = 0; i < graph->count; i++) {
        struct hd_node node;
        assert_int_equal(hd_literal_reader_left(&reader), graph->count - i);
        assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
        assert_true(same(&node, &graph->nodes[i]));
        assert_true(reader.promised <= hd_literal_reader_left(&reader));
    }
    assert_int_equal(hd_literal_reader_end(&reader), 0);
    assert_int_equal(reader.promised, 0);
    struct hd_node node;
    assert_int_equal(hd_literal_reader_next(&reader, &node), HD_EPROTOCOL);
}

static void test_random_graphs_come_back(void **state)
{
    (void)state;
    uint64_t random = test_seed("literal graphs");
    static struct graph graph;
    struct test_allocator memory;
    test_allocator_init(&memory);
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &memory.allocator, 1 << 20);
    for (int round = 0; round < 300; round++) {
        graph_fill(&graph, &random);
        write_graph(&writer, &graph);
        check_graph(&writer, &graph);
        hd_literal_writer_reset(&writer);
        assert_int_equal(writer.container_count, 0);
    }
    hd_literal_writer_fini(&writer);
    assert_int_equal(memory.used_bytes, 0);
    hd_literal_writer_fini(NULL);
}

/* Counts may be put right later; the size that the writer tells follows. */
static void test_counts_set_late(void **state)
{
    (void)state;
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 1 << 20);
    const struct hd_node list = {.kind = HD_KIND_LIST};
    const struct hd_node none = {.kind = HD_KIND_NONE};
    assert_int_equal(hd_literal_writer_add(&writer, &list), 0);
    size_t position = hd_literal_writer_count_position(&writer);
    assert_int_equal(position, 1);
    assert_int_equal(hd_literal_writer_add(&writer, &list), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hd_literal_writer_add(&writer, &none), 0);
    size_t before = hd_literal_writer_size_bytes(&writer);
    hd_literal_writer_set_count(&writer, position, 1000);
    hd_literal_writer_set_count(&writer, 0, 1);
    assert_int_equal(hd_literal_writer_size_bytes(&writer), before + 1);
    assert_int_equal(writer.container_count, 2);
    struct hd_columns columns;
    hd_literal_writer_columns(&writer, &columns);
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, &columns);
    struct hd_node node;
    assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(node.count, 1);
    assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(node.count, 1000);
    hd_literal_writer_fini(&writer);
}

static void test_parts_number_on(void **state)
{
    (void)state;
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 1 << 20);
    const struct hd_node list = {.kind = HD_KIND_LIST, .count = 1000};
    const struct hd_node none = {.kind = HD_KIND_NONE};
    assert_int_equal(hd_literal_writer_add(&writer, &list), 0);
    hd_literal_writer_next_part(&writer);
    assert_int_equal(writer.container_count, 1);
    assert_int_equal(hd_literal_writer_size_bytes(&writer), 88);
    assert_int_equal(hd_literal_writer_add(&writer, &list), 0);
    assert_int_equal(hd_literal_writer_add(&writer, &none), 0);
    assert_int_equal(writer.container_count, 2);

    /* As a whole it promises too much, as a part it does not. */
    struct hd_columns columns;
    hd_literal_writer_columns(&writer, &columns);
    struct hd_literal_reader reader;
    struct hd_node node;
    hd_literal_reader_init(&reader, &columns);
    assert_int_equal(hd_literal_reader_next(&reader, &node), HD_EPROTOCOL);
    hd_literal_reader_init_part(&reader, &columns);
    assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(node.count, 1000);
    assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(hd_literal_reader_end(&reader), 0);
    hd_literal_writer_fini(&writer);
}

static void test_limits_and_memory(void **state)
{
    (void)state;
    uint64_t random = test_seed("literal memory");
    static struct graph graph;
    graph_fill(&graph, &random);
    /* Every allocation fails in turn. */
    for (size_t left = 0;; left++) {
        struct test_allocator memory;
        test_allocator_init(&memory);
        memory.left = left;
        struct hd_literal_writer writer;
        hd_literal_writer_init(&writer, &memory.allocator, 1 << 20);
        int error = 0;
        for (size_t i = 0; i < graph.count && !error; i++)
            error = hd_literal_writer_add(&writer, &graph.nodes[i]);
        if (error) {
            assert_int_equal(error, HD_ENOMEM);
            /* It can be used again after a reset. */
            memory.left = SIZE_MAX;
            hd_literal_writer_reset(&writer);
            write_graph(&writer, &graph);
            check_graph(&writer, &graph);
        }
        hd_literal_writer_fini(&writer);
        assert_int_equal(memory.used_bytes, 0);
        if (!error)
            break;
    }
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 64);
    const struct hd_node integer = {.kind = HD_KIND_INT, .integer = 5};
    for (int i = 0; i < 8; i++)
        assert_int_equal(hd_literal_writer_add(&writer, &integer), 0);
    assert_int_equal(hd_literal_writer_add(&writer, &integer), HD_ETOO_LARGE);
    hd_literal_writer_reset(&writer);
    const struct hd_node unknown = {.kind = (enum hd_kind)(HD_KIND_FROZENSET + 1)};
    assert_int_equal(hd_literal_writer_add(&writer, &unknown), HD_EINVALID);
    hd_literal_writer_fini(&writer);
}

/* A column that is one short, for each kind; the reader stays where it was. */
static void test_columns_that_run_out(void **state)
{
    (void)state;
    static const uint64_t one[] = {1};
    static const int64_t integers[] = {1};
    static const double reals[] = {1};
    for (unsigned kind = 0; kind < 256; kind++) {
        const uint8_t kinds[4] = {(uint8_t)kind, HD_KIND_NONE, HD_KIND_NONE, HD_KIND_NONE};
        struct hd_columns full = {.kinds = kinds,
                                  .integers = integers,
                                  .reals = reals,
                                  .sizes = one,
                                  .data = kinds,
                                  .counts = one,
                                  .handles = one,
                                  .shared = one,
                                  .kind_count = 4,
                                  .integer_count = 1,
                                  .real_count = 1,
                                  .size_count = 1,
                                  .data_bytes = 1,
                                  .count_count = 1,
                                  .handle_count = 1,
                                  .shared_count = 1};
        struct hd_columns bare = {.kinds = kinds, .kind_count = 4};
        bool known = kind >= HD_KIND_NONE && kind <= HD_KIND_FROZENSET;
        bool alone = kind >= HD_KIND_NONE && kind <= HD_KIND_TRUE;
        struct hd_literal_reader reader;
        struct hd_node node = {.kind = (enum hd_kind)99};
        hd_literal_reader_init(&reader, &full);
        assert_int_equal(hd_literal_reader_next(&reader, &node), known ? 0 : HD_EPROTOCOL);
        /* Not everything was used. */
        assert_int_equal(hd_literal_reader_end(&reader), HD_EPROTOCOL);
        hd_literal_reader_init(&reader, &bare);
        node.kind = (enum hd_kind)99;
        assert_int_equal(hd_literal_reader_next(&reader, &node), alone ? 0 : HD_EPROTOCOL);
        assert_int_equal(hd_literal_reader_left(&reader), alone ? 3 : 4);
        assert_int_equal(node.kind, alone ? kind : 99);
        if (kind >= HD_KIND_BIG_INT && kind <= HD_KIND_BYTES && kind != HD_KIND_FLOAT) {
            full.data_bytes = 0;
            hd_literal_reader_init(&reader, &full);
            assert_int_equal(hd_literal_reader_next(&reader, &node), HD_EPROTOCOL);
            assert_int_equal(reader.left.size_count, 1);
            static const uint64_t huge[] = {UINT64_MAX};
            full.data_bytes = 1;
            full.sizes = huge;
            hd_literal_reader_init(&reader, &full);
            assert_int_equal(hd_literal_reader_next(&reader, &node), HD_EPROTOCOL);
        }
    }
}

/* What is left over in any one column is an error, as what is missing is. */
static void test_columns_with_a_rest(void **state)
{
    (void)state;
    struct hd_columns none = {0};
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, &none);
    assert_int_equal(hd_literal_reader_end(&reader), 0);
    size_t *const counts[] = {&reader.left.kind_count,   &reader.left.integer_count, &reader.left.real_count,
                              &reader.left.size_count,   &reader.left.data_bytes,    &reader.left.count_count,
                              &reader.left.handle_count, &reader.left.shared_count};
    for (size_t i = 0; i < 8; i++) {
        *counts[i] = 1;
        assert_int_equal(hd_literal_reader_end(&reader), HD_EPROTOCOL);
        *counts[i] = 0;
    }
}

static int read_container(enum hd_kind kind, uint64_t count, size_t children)
{
    uint8_t kinds[64];
    memset(kinds, HD_KIND_NONE, sizeof kinds);
    kinds[0] = (uint8_t)kind;
    struct hd_columns columns = {.kinds = kinds, .kind_count = children + 1, .counts = &count, .count_count = 1};
    struct hd_literal_reader reader;
    hd_literal_reader_init(&reader, &columns);
    struct hd_node node;
    int error = hd_literal_reader_next(&reader, &node);
    for (size_t i = 0; i < children && !error; i++)
        error = hd_literal_reader_next(&reader, &node);
    return error ? error : hd_literal_reader_end(&reader);
}

static void test_counts_that_promise_too_much(void **state)
{
    (void)state;
    static const enum hd_kind kinds[] = {HD_KIND_LIST,      HD_KIND_TUPLE, HD_KIND_SET,
                                         HD_KIND_FROZENSET, HD_KIND_DICT,  HD_KIND_INSTANCE};
    static const uint64_t huge[] = {1000, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t each = i < 4 ? 1 : 2;
        size_t extra = i < 5 ? 0 : 1;
        for (size_t count = 0; count < 20; count++) {
            size_t need = extra + each * count;
            assert_int_equal(read_container(kinds[i], count, need), 0);
            /* More nodes than that are further top-level ones. */
            assert_int_equal(read_container(kinds[i], count, need + 3), 0);
            if (need)
                assert_int_equal(read_container(kinds[i], count, need - 1), HD_EPROTOCOL);
        }
        for (size_t j = 0; j < sizeof huge / sizeof huge[0]; j++)
            assert_int_equal(read_container(kinds[i], huge[j], 10), HD_EPROTOCOL);
    }
}

/*
 * Containers in containers, each of which promises all that is left: allowed
 * one by one they would make a reader allocate by the square of the input.
 */
static void test_nested_promises_add_up(void **state)
{
    (void)state;
    uint8_t kinds[100];
    uint64_t counts[100];
    memset(kinds, HD_KIND_LIST, sizeof kinds);
    for (size_t i = 0; i < 100; i++)
        counts[i] = 99 - i;
    struct hd_columns columns = {.kinds = kinds, .kind_count = 100, .counts = counts, .count_count = 100};
    struct hd_literal_reader reader;
    struct hd_node node;
    hd_literal_reader_init(&reader, &columns);
    assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(hd_literal_reader_next(&reader, &node), HD_EPROTOCOL);
    /* One inside the other is all right: each has one child, the last none. */
    for (size_t i = 0; i < 100; i++)
        counts[i] = i < 99;
    hd_literal_reader_init(&reader, &columns);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(hd_literal_reader_next(&reader, &node), 0);
    assert_int_equal(hd_literal_reader_end(&reader), 0);
}

/* Random columns never make it read outside of them (the sanitizer watches), and promise no more than they hold. */
static void test_random_columns(void **state)
{
    (void)state;
    uint64_t random = test_seed("literal columns");
    for (int round = 0; round < 20000; round++) {
        struct hd_columns columns = {0};
        uint64_t words[8];
        uint8_t kinds[24];
        for (size_t i = 0; i < sizeof kinds; i++)
            kinds[i] = (uint8_t)test_random_below(&random, 17);
        for (size_t i = 0; i < 8; i++)
            words[i] = test_random(&random) >> (test_random(&random) % 4 ? 61 : 0);
        columns.kind_count = test_random_below(&random, sizeof kinds);
        columns.kinds = kinds + sizeof kinds - columns.kind_count;
        columns.data = kinds;
        columns.data_bytes = test_random_below(&random, sizeof kinds);
        columns.integers = (const int64_t *)words;
        columns.sizes = columns.counts = columns.handles = columns.shared = words;
        columns.integer_count = test_random_below(&random, 9);
        columns.size_count = test_random_below(&random, 9);
        columns.count_count = test_random_below(&random, 9);
        columns.handle_count = test_random_below(&random, 9);
        columns.shared_count = test_random_below(&random, 9);
        struct hd_literal_reader reader;
        hd_literal_reader_init(&reader, &columns);
        struct hd_node node;
        uint64_t promised = 0;
        while (hd_literal_reader_next(&reader, &node) == 0) {
            if (hd_kind_is_container(node.kind))
                promised += node.count;
            assert_true(reader.promised <= hd_literal_reader_left(&reader));
        }
        assert_true(promised <= columns.kind_count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs_come_back),
        cmocka_unit_test(test_counts_set_late),
        cmocka_unit_test(test_parts_number_on),
        cmocka_unit_test(test_limits_and_memory),
        cmocka_unit_test(test_columns_that_run_out),
        cmocka_unit_test(test_columns_with_a_rest),
        cmocka_unit_test(test_counts_that_promise_too_much),
        cmocka_unit_test(test_nested_promises_add_up),
        cmocka_unit_test(test_random_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
