/* Literals as bytes: what protobuf-c writes and reads is the measure. */
#include "test.h"

#include <heapd/v1/value.pb-c.h>

#include "common/literal_wire.h"

#define COUNT_MAX 600

struct sample {
    uint8_t kinds[COUNT_MAX], data[COUNT_MAX];
    int64_t integers[COUNT_MAX];
    double reals[COUNT_MAX];
    uint64_t sizes[COUNT_MAX], counts[COUNT_MAX], handles[COUNT_MAX], shared[COUNT_MAX];
    struct hd_columns columns;
};

/* Of every length that a varint has. */
static uint64_t number(uint64_t *random)
{
    return test_random(random) >> test_random_below(random, 64);
}

static size_t count_of(uint64_t *random)
{
    return test_random(random) % 3 ? test_random_below(random, 5) : test_random_below(random, COUNT_MAX);
}

static void fill(struct sample *sample, uint64_t *random)
{
    struct hd_columns *columns = &sample->columns;
    for (size_t i = 0; i < COUNT_MAX; i++) {
        sample->kinds[i] = (uint8_t)test_random(random);
        sample->data[i] = (uint8_t)test_random(random);
        sample->integers[i] = (int64_t)(number(random) ^ (test_random(random) % 2 ? UINT64_MAX : 0));
        sample->reals[i] = (double)(int64_t)test_random(random) / 3;
        sample->sizes[i] = number(random);
        sample->counts[i] = number(random);
        sample->handles[i] = number(random);
        sample->shared[i] = number(random);
    }
    *columns = (struct hd_columns){sample->kinds,    sample->integers, sample->reals,    sample->sizes,
                                   sample->data,     sample->counts,   sample->handles,  sample->shared,
                                   count_of(random), count_of(random), count_of(random), count_of(random),
                                   count_of(random), count_of(random), count_of(random), count_of(random)};
}

static size_t pack_by_protobuf(const struct hd_columns *columns, uint8_t *to)
{
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    literal.kinds = (ProtobufCBinaryData){columns->kind_count, (uint8_t *)(uintptr_t)columns->kinds};
    literal.data = (ProtobufCBinaryData){columns->data_bytes, (uint8_t *)(uintptr_t)columns->data};
    literal.integers = (int64_t *)(uintptr_t)columns->integers;
    literal.n_integers = columns->integer_count;
    literal.reals = (double *)(uintptr_t)columns->reals;
    literal.n_reals = columns->real_count;
    literal.sizes = (uint64_t *)(uintptr_t)columns->sizes;
    literal.n_sizes = columns->size_count;
    literal.counts = (uint64_t *)(uintptr_t)columns->counts;
    literal.n_counts = columns->count_count;
    literal.handles = (uint64_t *)(uintptr_t)columns->handles;
    literal.n_handles = columns->handle_count;
    literal.shared = (uint64_t *)(uintptr_t)columns->shared;
    literal.n_shared = columns->shared_count;
    return heapd__v1__literal__pack(&literal, to);
}

struct memory {
    void *blocks[8];
    size_t count;
    size_t left; /* allocations until one fails */
};

static void *get(void *context, size_t bytes)
{
    struct memory *memory = context;
    if (memory->left == 0)
        return NULL;
    memory->left--;
    /* Of exactly this size, so that a sanitizer sees what goes beyond. */
    return memory->blocks[memory->count++] = malloc(bytes);
}

static void give_back(struct memory *memory)
{
    while (memory->count)
        free(memory->blocks[--memory->count]);
}

static void check_numbers(const void *left, size_t left_count, const void *right, size_t right_count)
{
    assert_int_equal(left_count, right_count);
    if (left_count)
        assert_memory_equal(left, right, left_count * sizeof(uint64_t));
}

static void check_columns(const struct hd_columns *a, const struct hd_columns *b)
{
    assert_int_equal(a->kind_count, b->kind_count);
    assert_int_equal(a->data_bytes, b->data_bytes);
    if (a->kind_count)
        assert_memory_equal(a->kinds, b->kinds, a->kind_count);
    if (a->data_bytes)
        assert_memory_equal(a->data, b->data, a->data_bytes);
    check_numbers(a->integers, a->integer_count, b->integers, b->integer_count);
    check_numbers(a->reals, a->real_count, b->reals, b->real_count);
    check_numbers(a->sizes, a->size_count, b->sizes, b->size_count);
    check_numbers(a->counts, a->count_count, b->counts, b->count_count);
    check_numbers(a->handles, a->handle_count, b->handles, b->handle_count);
    check_numbers(a->shared, a->shared_count, b->shared, b->shared_count);
}

static uint8_t ours[64 * COUNT_MAX], theirs[64 * COUNT_MAX];

static void as_protobuf_does(void **state)
{
    (void)state;
    uint64_t random = test_seed("literals as bytes");
    static struct sample sample;
    for (int round = 0; round < 300; round++) {
        struct memory memory = {.left = SIZE_MAX};
        struct hd_columns back;
        fill(&sample, &random);
        size_t size = hd_literal_pack(&sample.columns, ours);
        assert_int_equal(size, pack_by_protobuf(&sample.columns, theirs));
        assert_memory_equal(ours, theirs, size);
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, ours, size);
        assert_int_equal(hd_literal_unpack(exact, size, get, &memory, &back), 0);
        check_columns(&back, &sample.columns);
        give_back(&memory);
        for (size_t left = 0; left < 6; left++) {
            memory.left = left;
            int code = hd_literal_unpack(exact, size, get, &memory, &back);
            assert_true(code == 0 || code == HD_ENOMEM);
            give_back(&memory);
        }
        free(exact);
    }
}

/* What is cut off or altered is never more than protobuf-c would take, and never read beyond its end. */
static void broken_bytes(void **state)
{
    (void)state;
    uint64_t random = test_seed("broken literals");
    static struct sample sample;
    for (int round = 0; round < 2000; round++) {
        struct memory memory = {.left = SIZE_MAX};
        struct hd_columns back = {.kind_count = 77};
        fill(&sample, &random);
        size_t size = hd_literal_pack(&sample.columns, ours);
        size_t cut = size ? test_random_below(&random, size) : 0;
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, ours, size);
        if (round % 2 && size)
            exact[cut] ^= (uint8_t)(1 + test_random_below(&random, 255));
        else
            exact = realloc(exact, (size = cut) + 1);
        int code = hd_literal_unpack(exact, size, get, &memory, &back);
        assert_true(code == 0 || (code == 1 && back.kind_count == 77));
        Heapd__V1__Literal *literal = heapd__v1__literal__unpack(NULL, size, exact);
        if (code == 0) {
            assert_non_null(literal);
            assert_int_equal(literal->n_integers, back.integer_count);
            assert_int_equal(literal->kinds.len, back.kind_count);
        }
        if (literal)
            heapd__v1__literal__free_unpacked(literal, NULL);
        give_back(&memory);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_protobuf_does),
        cmocka_unit_test(broken_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
