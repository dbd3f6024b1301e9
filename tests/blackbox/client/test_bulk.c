/* Columns through libheapd: into lists and dicts and back, of any length; several items in one request. */
#include <heapd/heapd.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "test.h"

/* Many parts. */
#define COUNT 100000u

static struct bb_daemon bb;
static struct heapd_connection *heap;
static struct heapd_error error;

#define DO(call) \
    do { \
        int do_code = (call); \
        if (do_code) \
            fail_msg("%s: %d, %s", #call, do_code, error.message); \
    } while (0)

static int start(void **state)
{
    (void)state;
    char address[128];
    bb_daemon_start(&bb, NULL);
    (void)snprintf(address, sizeof address, "unix:%s", bb.path);
    return heapd_connect(address, NULL, &heap, &error);
}

static int stop(void **state)
{
    (void)state;
    heapd_close(heap);
    bb_daemon_stop(&bb);
    return 0;
}

/* No handle is left behind. */
static uint64_t handles_held(void)
{
    struct heapd_result stats = {0};
    DO(heapd_flush(heap, &error));
    DO(heapd_stats(heap, &stats, &error));
    uint64_t held = heapd_result_stat(&stats, "rpc_handles_count", UINT64_MAX);
    heapd_result_clear(&stats);
    return held;
}

static int64_t int_at(size_t i)
{
    return (int64_t)(i * 2654435761u) - (int64_t)(i % 7) * INT64_C(1000000000000);
}

static void ints_go_in_and_come_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 100, 8192, 8193, COUNT};
    int64_t *in = malloc(COUNT * sizeof *in), *out = malloc(COUNT * sizeof *out);
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 0; i < COUNT; i++)
        in[i] = int_at(i);
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        heapd_handle list;
        size_t read;
        uint64_t length, before = handles_held();
        DO(heapd_new_list_of(heap, heapd_column_of_ints(in, counts[n]), &list, &error));
        DO(heapd_read_ints(heap, list, 0, out, COUNT, &read, &error));
        assert_int_equal(read, counts[n]);
        assert_memory_equal(in, out, read * sizeof *in);
        DO(heapd_extend_column(heap, list, heapd_column_of_ints(in, counts[n]), &error));
        DO(heapd_length(heap, list, &length, &error));
        assert_int_equal(length, 2 * counts[n]);
        /* A part from the middle. */
        if (counts[n]) {
            DO(heapd_read_ints(heap, list, counts[n] - 1, out, 2, &read, &error));
            assert_int_equal(read, 2);
            assert_int_equal(out[0], in[counts[n] - 1]);
            assert_int_equal(out[1], in[0]);
        }
        DO(heapd_read_ints(heap, list, length, out, 2, &read, &error));
        assert_int_equal(read, 0);
        (void)heapd_release(heap, list);
        assert_int_equal(handles_held(), before);
    }
    free(in);
    free(out);
}

static void floats_take_ints_along(void **state)
{
    (void)state;
    double *in = malloc(COUNT * sizeof *in), *out = malloc((COUNT + 1) * sizeof *out);
    int64_t whole = 42, ints[2];
    heapd_handle list;
    size_t read;
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 0; i < COUNT; i++)
        in[i] = (double)i / 3;
    DO(heapd_new_list_of(heap, heapd_column_of_floats(in, COUNT), &list, &error));
    DO(heapd_extend_column(heap, list, heapd_column_of_ints(&whole, 1), &error));
    DO(heapd_read_floats(heap, list, 0, out, COUNT + 1, &read, &error));
    assert_int_equal(read, COUNT + 1);
    assert_memory_equal(in, out, COUNT * sizeof *in);
    assert_true(out[COUNT] == 42.0);
    assert_int_equal(heapd_read_ints(heap, list, COUNT - 1, ints, 2, &read, &error), HEAPD_ETYPE);
    assert_non_null(strstr(error.message, "element 0"));
    (void)heapd_release(heap, list);
    free(in);
    free(out);
}

static void dicts_out_of_columns(void **state)
{
    (void)state;
    char(*names)[16] = malloc(COUNT * sizeof *names);
    struct heapd_bytes *keys = malloc(COUNT * sizeof *keys);
    int64_t *values = malloc(COUNT * sizeof *values);
    uint64_t length, before = handles_held();
    struct heapd_value value;
    heapd_handle dict, numbers;
    assert_non_null(names);
    assert_non_null(keys);
    assert_non_null(values);
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "key-%zu", i);
        keys[i] = (struct heapd_bytes){names[i], strlen(names[i])};
        values[i] = int_at(i);
    }
    DO(heapd_new_dict_of(heap, heapd_column_of_strs(keys, COUNT), heapd_column_of_ints(values, COUNT), &dict, &error));
    DO(heapd_length(heap, dict, &length, &error));
    assert_int_equal(length, COUNT);
    for (size_t i = 0; i < COUNT; i += 9999) {
        DO(heapd_get_item(heap, dict, heapd_str(names[i]), HEAPD_PLAIN, &value, &error));
        assert_int_equal(value.as.integer, values[i]);
    }
    /* Both of one kind: they take turns in one column. In one part, and in many. */
    for (size_t count = 10; count <= COUNT; count *= 100) {
        DO(heapd_update_columns(heap, dict, heapd_column_of_strs(keys, count), heapd_column_of_strs(keys, count),
                                &error));
        DO(heapd_get_item(heap, dict, heapd_str(names[count - 1]), HEAPD_PLAIN, &value, &error));
        assert_int_equal(value.kind, HEAPD_VALUE_STR);
        assert_int_equal(value.as.bytes.size, strlen(names[count - 1]));
        assert_memory_equal(value.as.bytes.data, names[count - 1], value.as.bytes.size);
        heapd_value_clear(&value);
    }
    DO(heapd_new_dict_of(heap, heapd_column_of_ints(values, COUNT), heapd_column_of_ints(values, COUNT), &numbers,
                         &error));
    DO(heapd_get_item(heap, numbers, heapd_int(values[COUNT / 2]), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, values[COUNT / 2]);
    assert_int_equal(
        heapd_update_columns(heap, dict, heapd_column_of_strs(keys, 2), heapd_column_of_ints(values, 3), &error),
        HEAPD_EINVALID);
    (void)heapd_release(heap, dict);
    (void)heapd_release(heap, numbers);
    assert_int_equal(handles_held(), before);
    free(names);
    free(keys);
    free(values);
}

/* What cannot be all, is not at all. */
static void a_column_with_a_fault_changes_nothing(void **state)
{
    (void)state;
    struct heapd_bytes *texts = malloc(COUNT * sizeof *texts);
    heapd_handle list;
    uint64_t length;
    int64_t one = 1;
    assert_non_null(texts);
    for (size_t i = 0; i < COUNT; i++)
        texts[i] = (struct heapd_bytes){"text", 4};
    texts[COUNT - 10] = (struct heapd_bytes){"\xff\xfe", 2};
    DO(heapd_new_list_of(heap, heapd_column_of_ints(&one, 1), &list, &error));
    uint64_t before = handles_held();
    assert_int_equal(heapd_extend_column(heap, list, heapd_column_of_strs(texts, COUNT), &error), HEAPD_EUTF8);
    DO(heapd_length(heap, list, &length, &error));
    assert_int_equal(length, 1);
    assert_int_equal(handles_held(), before);
    (void)heapd_release(heap, list);
    free(texts);
}

static void several_items_come_in_one_reply(void **state)
{
    (void)state;
    const char *names[] = {"a", "b", "list", "absent"};
    struct heapd_value keys[4], nothing = heapd_value_make(HEAPD_VALUE_ABSENT);
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_result result = {0};
    heapd_handle dict;
    (void)heapd_literal_open_dict(literal);
    (void)heapd_literal_add(literal, heapd_str("a"));
    (void)heapd_literal_add(literal, heapd_int(1));
    (void)heapd_literal_add(literal, heapd_str("b"));
    (void)heapd_literal_add(literal, heapd_str("two"));
    (void)heapd_literal_add(literal, heapd_str("list"));
    (void)heapd_literal_open_list(literal);
    (void)heapd_literal_add(literal, heapd_int(10));
    (void)heapd_literal_close(literal);
    (void)heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &dict, &error));
    heapd_literal_free(literal);
    for (int i = 0; i < 4; i++)
        keys[i] = heapd_str(names[i]);
    uint64_t before = handles_held();
    DO(heapd_get_many(heap, dict, keys, 2, nothing, 0, &result, &error));
    assert_true(result.as.chunk.done);
    assert_int_equal(result.as.chunk.count, 2);
    assert_int_equal(result.as.chunk.items[0].as.integer, 1);
    assert_memory_equal(result.as.chunk.items[1].as.bytes.data, "two", 3);
    heapd_result_clear(&result);
    assert_int_equal(heapd_get_many(heap, dict, keys, 4, nothing, 4, &result, &error), HEAPD_EKEY);
    assert_int_equal(heapd_get_many(heap, dict, &keys[2], 1, nothing, 0, &result, &error), HEAPD_ENOT_PLAIN);
    /* Without a slot the reply ends in front of the list. */
    DO(heapd_get_many(heap, dict, keys, 4, heapd_none(), 0, &result, &error));
    assert_false(result.as.chunk.done);
    assert_int_equal(result.as.chunk.count, 2);
    heapd_result_clear(&result);
    DO(heapd_get_many(heap, dict, keys, 4, heapd_none(), 3, &result, &error));
    assert_true(result.as.chunk.done);
    assert_int_equal(result.as.chunk.count, 4);
    assert_int_equal(result.as.chunk.items[3].kind, HEAPD_VALUE_NONE);
    assert_int_equal(result.as.chunk.items[2].kind, HEAPD_VALUE_REF);
    heapd_handle list = result.as.chunk.items[2].as.ref;
    heapd_result_clear(&result);
    /* Of a list, from either end. */
    struct heapd_value indexes[] = {heapd_int(0), heapd_int(-1), heapd_int(5)};
    DO(heapd_get_many(heap, list, indexes, 2, nothing, 0, &result, &error));
    assert_int_equal(result.as.chunk.items[1].as.integer, 10);
    heapd_result_clear(&result);
    assert_int_equal(heapd_get_many(heap, list, indexes, 3, nothing, 0, &result, &error), HEAPD_EINDEX);
    (void)heapd_release(heap, list);
    assert_int_equal(handles_held(), before);
    (void)heapd_release(heap, dict);
}

static void many_items_come_in_several_replies(void **state)
{
    (void)state;
    int64_t *values = malloc(COUNT * sizeof *values);
    struct heapd_value *keys = malloc(COUNT * sizeof *keys);
    heapd_handle list;
    size_t got = 0;
    assert_non_null(values);
    assert_non_null(keys);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = int_at(i);
        keys[i] = heapd_int((int64_t)(COUNT - 1 - i));
    }
    DO(heapd_new_list_of(heap, heapd_column_of_ints(values, COUNT), &list, &error));
    for (bool done = false; !done;) {
        struct heapd_result result = {0};
        DO(heapd_get_many(heap, list, keys + got, COUNT - got, heapd_value_make(HEAPD_VALUE_ABSENT), 0, &result,
                          &error));
        assert_true(result.as.chunk.count > 0);
        for (size_t i = 0; i < result.as.chunk.count; i++)
            assert_int_equal(result.as.chunk.items[i].as.integer, values[COUNT - 1 - got - i]);
        got += result.as.chunk.count;
        done = result.as.chunk.done;
        heapd_result_clear(&result);
    }
    assert_int_equal(got, COUNT);
    (void)heapd_release(heap, list);
    free(values);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_go_in_and_come_back),
        cmocka_unit_test(floats_take_ints_along),
        cmocka_unit_test(dicts_out_of_columns),
        cmocka_unit_test(a_column_with_a_fault_changes_nothing),
        cmocka_unit_test(several_items_come_in_one_reply),
        cmocka_unit_test(many_items_come_in_several_replies),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
