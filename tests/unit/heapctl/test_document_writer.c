#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/document_writer.h"

static struct hd_document_writer writer;
static struct hd_problem problem;
static FILE *stream;
static char *json;
static size_t json_bytes;
static uint64_t containers;
static uint64_t open_numbers[100000];
static size_t open_count;

static void begin(bool base64)
{
    const struct hd_document_options options = {.layout = {.compact = true}, .bytes_as_base64 = base64};
    stream = open_memstream(&json, &json_bytes);
    assert_non_null(stream);
    containers = open_count = 0;
    problem = (struct hd_problem){0};
    assert_int_equal(hd_document_writer_init(&writer, stream, &options, "root"), 0);
}

static void finish(const char *expected)
{
    assert_int_equal(fclose(stream), 0);
    if (expected)
        assert_string_equal(json, expected);
    free(json);
    hd_document_writer_fini(&writer);
}

static int node(enum heapd_node_kind kind, bool is_key, uint64_t container, const struct heapd_value *value)
{
    struct heapd_node out;
    memset(&out, 0, sizeof out);
    out.kind = kind;
    out.is_key = is_key;
    out.container = container;
    if (value)
        out.value = *value;
    return hd_document_writer_node(&writer, &out, &problem);
}

static int value(struct heapd_value what)
{
    return node(HEAPD_NODE_VALUE, false, 0, &what);
}

static int key(struct heapd_value what)
{
    return node(HEAPD_NODE_VALUE, true, 0, &what);
}

static int open_container(enum heapd_node_kind kind)
{
    open_numbers[open_count++] = containers;
    return node(kind, false, containers++, NULL);
}

static int end(void)
{
    return node(HEAPD_NODE_END, false, open_numbers[--open_count], NULL);
}

static int shared(uint64_t container)
{
    return node(HEAPD_NODE_SHARED, false, container, NULL);
}

static void all_kinds_of_containers(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    assert_int_equal(key(heapd_str("list")), 0);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    assert_int_equal(value(heapd_int(-7)), 0);
    assert_int_equal(value(heapd_float(0.5)), 0);
    assert_int_equal(value(heapd_none()), 0);
    assert_int_equal(value(heapd_bool(true)), 0);
    assert_int_equal(value(heapd_big_int("\0\0\0\0\0\0\0\0\x01", 9)), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(key(heapd_str_of("t\0", 2)), 0);
    assert_int_equal(open_container(HEAPD_NODE_TUPLE), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(key(heapd_str("set")), 0);
    assert_int_equal(open_container(HEAPD_NODE_SET), 0);
    assert_int_equal(value(heapd_str("x")), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(key(heapd_str("point")), 0);
    assert_int_equal(open_container(HEAPD_NODE_INSTANCE), 0);
    assert_int_equal(key(heapd_str("x")), 0);
    assert_int_equal(value(heapd_int(1)), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(end(), 0);
    finish("{\"list\":[-7,0.5,null,true,18446744073709551616],\"t\\u0000\":[],\"set\":[\"x\"],\"point\":{\"x\":1}}");
}

static void keys_that_are_no_text(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    const struct heapd_value keys[] = {heapd_int(5), heapd_float(1.0),         heapd_bool(false),
                                       heapd_none(), heapd_big_int("\xff", 1), heapd_bytes_of("\xff\0\x10", 3)};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(key(keys[i]), 0);
        assert_int_equal(value(heapd_int(0)), 0);
    }
    assert_int_equal(end(), 0);
    finish("{\"5\":0,\"1.0\":0,\"false\":0,\"null\":0,\"-1\":0,\"/wAQ\":0}");
}

static void base64_has_its_padding(void **state)
{
    (void)state;
    begin(true);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    for (size_t size = 0; size <= 4; size++)
        assert_int_equal(value(heapd_bytes_of("\xfb\xff\xbf\x3e", size)), 0);
    assert_int_equal(end(), 0);
    finish("[\"\",\"+w==\",\"+/8=\",\"+/+/\",\"+/+/Pg==\"]");
}

static void shared_parts_come_again(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0); /* 0 */
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0); /* 1 */
    assert_int_equal(key(heapd_str("a")), 0);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0); /* 2 */
    assert_int_equal(value(heapd_str("leaf")), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(key(heapd_str("b")), 0);
    assert_int_equal(shared(2), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(shared(1), 0);
    assert_int_equal(open_container(HEAPD_NODE_TUPLE), 0); /* 3 */
    assert_int_equal(shared(1), 0);
    assert_int_equal(shared(2), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(shared(3), 0);
    assert_int_equal(value(heapd_int(9)), 0);
    assert_int_equal(end(), 0);
#define D "{\"a\":[\"leaf\"],\"b\":[\"leaf\"]}"
    finish("[" D "," D ",[" D ",[\"leaf\"]],[" D ",[\"leaf\"]],9]");
#undef D
}

/* Each level refers to the one before twice: replays within replays, without recursion. */
static void shared_parts_within_shared_parts(void **state)
{
    (void)state;
    enum { LEVELS = 12 };
    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    assert_int_equal(value(heapd_int(1)), 0);
    assert_int_equal(end(), 0);
    for (uint64_t i = 1; i < LEVELS; i++) {
        assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
        assert_int_equal(shared(i), 0);
        assert_int_equal(shared(i), 0);
        assert_int_equal(end(), 0);
    }
    assert_int_equal(end(), 0);
    assert_int_equal(fflush(stream), 0);
    size_t ones = 0;
    for (size_t i = 0; i < json_bytes; i++)
        ones += json[i] == '1';
    assert_int_equal(ones, (1 << LEVELS) - 1);
    finish(NULL);
}

static void expect_refusal(int got, int error, const char *text)
{
    assert_int_equal(got, error);
    assert_int_equal(problem.error, error);
    if (strncmp(problem.text, text, strlen(text)))
        fail_msg("%s", problem.text);
    finish(NULL);
}

static void refusals_name_the_path(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    assert_int_equal(value(heapd_int(0)), 0);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    assert_int_equal(key(heapd_str("a b")), 0);
    assert_int_equal(value(heapd_int(0)), 0);
    assert_int_equal(key(heapd_str("x")), 0);
    expect_refusal(value(heapd_bytes_of("", 0)), HD_ETYPE, "root[1].x: bytes have no form");

    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    assert_int_equal(key(heapd_str("a b")), 0);
    expect_refusal(value(heapd_float(NAN)), HD_ETYPE, "root.\"a b\": NaN");

    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    expect_refusal(value(heapd_float(-INFINITY)), HD_ETYPE, "root[0]: infinity");

    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    expect_refusal(node(HEAPD_NODE_TUPLE, true, 1, NULL), HD_ETYPE, "root.?: a key that is a container");

    begin(false);
    expect_refusal(value(heapd_ref(1)), HD_ETYPE, "root: this kind");
}

static void cycles_are_refused(void **state)
{
    (void)state;
    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    assert_int_equal(end(), 0);
    assert_int_equal(open_container(HEAPD_NODE_DICT), 0);
    assert_int_equal(key(heapd_str("up")), 0);
    expect_refusal(shared(0), HD_ECYCLE, "root[1].up: ");

    begin(false);
    assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    expect_refusal(shared(5), HD_EPROTOCOL, "");
}

static void a_long_path_is_cut(void **state)
{
    (void)state;
    begin(false);
    for (size_t i = 0; i < 50000; i++)
        assert_int_equal(open_container(HEAPD_NODE_LIST), 0);
    int error = value(heapd_float(INFINITY));
    assert_non_null(strstr(problem.text, " ... "));
    assert_non_null(strstr(problem.text, "[0]: infinity has no form in JSON"));
    expect_refusal(error, HD_ETYPE, "root[0][0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_containers),
        cmocka_unit_test(keys_that_are_no_text),
        cmocka_unit_test(base64_has_its_padding),
        cmocka_unit_test(shared_parts_come_again),
        cmocka_unit_test(shared_parts_within_shared_parts),
        cmocka_unit_test(refusals_name_the_path),
        cmocka_unit_test(cycles_are_refused),
        cmocka_unit_test(a_long_path_is_cut),
    };
    return cmocka_run_group_tests_name("heapctl document writer", tests, NULL, NULL);
}
