#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/json_reader.h"
#include "client/heapctl/number.h"

/* Writes what it is given as a line of tokens, so that a test can compare one string. */
struct recorder {
    struct hd_buffer text;
    int fail_with;
};

static struct recorder recorder;
static struct hd_problem problem;

static void record(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_true(count >= 0 && count < (int)sizeof text);
    assert_int_equal(hd_buffer_append(&recorder.text, text, (size_t)count), 0);
}

static void record_bytes(char mark, const uint8_t *text, size_t count)
{
    record("%c<", mark);
    assert_int_equal(hd_buffer_append(&recorder.text, text, count), 0);
    record("> ");
}

static int on_value(void *context, const struct hd_node *node, struct hd_problem *out)
{
    assert_ptr_equal(context, &recorder);
    if (recorder.fail_with)
        return hd_problem_set(out, recorder.fail_with, "the sink is full");
    switch (node->kind) {
    case HD_KIND_NONE:
        record("null ");
        break;
    case HD_KIND_FALSE:
        record("false ");
        break;
    case HD_KIND_TRUE:
        record("true ");
        break;
    case HD_KIND_INT:
        record("i%lld ", (long long)node->integer);
        break;
    case HD_KIND_BIG_INT:
        record("b%zu ", node->bytes.size);
        break;
    case HD_KIND_FLOAT:
        record("f%g ", node->real);
        break;
    case HD_KIND_STR:
        record_bytes('s', node->bytes.data, node->bytes.size);
        break;
    case HD_KIND_LIST:
        record("[ ");
        break;
    case HD_KIND_DICT:
        record("{ ");
        break;
    default:
        fail();
    }
    return 0;
}

static int on_key(void *context, const uint8_t *text, size_t count, struct hd_problem *out)
{
    (void)context;
    (void)out;
    record_bytes('k', text, count);
    return 0;
}

static int on_end(void *context, struct hd_problem *out)
{
    (void)context;
    (void)out;
    record("end ");
    return 0;
}

/* Reads in pieces of `piece` bytes; each piece lies alone in memory of its own, so that overreads are seen. */
static int read_in_pieces(const char *json, size_t count, size_t piece, uint32_t max_depth)
{
    const struct hd_json_sink sink = {on_value, on_key, on_end, &recorder};
    struct hd_json_reader reader;
    hd_buffer_reset(&recorder.text, SIZE_MAX);
    problem = (struct hd_problem){0};
    int error = hd_json_reader_init(&reader, &sink, (struct hd_json_limits){max_depth, 100});
    for (size_t at = 0; !error && at < count; at += piece) {
        size_t some = count - at < piece ? count - at : piece;
        uint8_t *copy = malloc(some);
        assert_non_null(copy);
        memcpy(copy, json + at, some);
        error = hd_json_reader_feed(&reader, copy, some, &problem);
        free(copy);
    }
    if (!error)
        error = hd_json_reader_finish(&reader, &problem);
    hd_json_reader_fini(&reader);
    assert_int_equal(problem.error, error);
    return error;
}

static void expect_count(const char *json, size_t count, const char *expected, size_t expected_count)
{
    for (size_t piece = 1; piece <= count; piece = piece < 9 ? piece + 1 : count > piece ? count : count + 1) {
        int error = read_in_pieces(json, count, piece, 100);
        if (error)
            fail_msg("%s in pieces of %zu: %s", json, piece, problem.text);
        if (hd_buffer_readable(&recorder.text) != expected_count ||
            memcmp(hd_buffer_head(&recorder.text), expected, expected_count))
            fail_msg("%s in pieces of %zu: got %.*s", json, piece, (int)hd_buffer_readable(&recorder.text),
                     (char *)hd_buffer_head(&recorder.text));
    }
}

static void expect(const char *json, const char *expected)
{
    expect_count(json, strlen(json), expected, strlen(expected));
}

static void values(void **state)
{
    (void)state;
    expect("null", "null ");
    expect(" true ", "true ");
    expect("17", "i17 ");
    expect("-0.5e1\n", "f-5 ");
    expect("\"\"", "s<> ");
    expect("[]", "[ end ");
    expect("{}", "{ end ");
    expect("{\"a\": [1, 2.5, false, null, \"x\"], \"a\": {\"\": 18446744073709551616}}",
           "{ k<a> [ i1 f2.5 false null s<x> end k<a> { k<> b9 end end ");
}

static void strings(void **state)
{
    (void)state;
    expect("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s<\"\\/\b\f\n\r\t> ");
    expect("\"\\u00e4\\u20AC\\ud83d\\uDE00 \xf0\x9f\x98\x80\"",
           "s<\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \xf0\x9f\x98\x80> ");
    expect("{\"\\u0061\\\\u12\": \"\\\\\\\\ud800\"}", "{ k<a\\u12> s<\\\\ud800> end ");
    expect_count("[\"a\\u0000b\"]", 12, "[ s<a\0b> end ", 13);
}

static void expect_error(const char *json, size_t count, int error, const char *text)
{
    int got = read_in_pieces(json, count, count ? count : 1, 5);
    if (got != error || !strstr(problem.text, text))
        fail_msg("%s: %s: %s", json, hd_error_name(got), problem.text);
    /* Cut into pieces, the same place: but of an escape, whose first half may be in the piece before. */
    for (size_t piece = 1; piece < count && error != HD_EUTF8; piece++) {
        got = read_in_pieces(json, count, piece, 5);
        if (got != error || !strstr(problem.text, text))
            fail_msg("%s in pieces of %zu: %s: %s", json, piece, hd_error_name(got), problem.text);
    }
}

static void syntax_errors_have_positions(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"", "line 1, column 1: the text ends too early"},
        {"[1,\n 2,\n]", "line 3, column 1: unallowed token"},
        {"[1,]", "line 1, column 4:"},
        {"{\"a\":1,}", "line 1, column 8:"},
        {"[1 2]", "line 1, column 4:"},
        {"[1, 123456 123456789]", "line 1, column 12:"},
        {"{\"abc\": 12, \"long \\\" string\" \"x\\\"\": 2}", "line 1, column 30:"},
        {"{\"a\" 1}", "line 1, column 6:"},
        {"{\"abc\": 12, 99: 2}", "line 1, column 13:"},
        {"\n\n  {\"\xc3\xa4\xc3\xb6\": x}", "line 3, column 10: invalid char"},
        {"[truf]", "line 1, column 5:"},
        {"[\"a\\x\"]", "line 1, column 5:"},
        {"[\"a\tb\"]", "line 1, column 4:"},
        {"[\"\\u12g4\"]", "line 1, column 7:"},
        {"[01]", "line 1, column 3:"},
        {"[1.]", "line 1, column 4:"},
        {"[-]", "line 1, column 3:"},
        {"[1, \"abc", "line 1, column 9: the text ends too early"},
        {"[\n", "line 2, column 1: the text ends too early"},
        {"[1]]", "line 1, column 4: trailing garbage"},
        {"[1] 2", "line 1, column"},
        {"[NaN]", "line 1, column 2: NaN and Infinity are not JSON"},
        {"[Infinity]", "line 1, column 2: NaN and Infinity are not JSON"},
        {"[1, -Infinity]", "line 1, column 6: NaN and Infinity are not JSON"},
        {"\xef\xbb\xbf[]", "line 1, column 1: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(cases[i].json, strlen(cases[i].json), HD_ESYNTAX, cases[i].text);
    expect_error("[\"a\0b\"]", 7, HD_ESYNTAX, "line 1, column 4:");
}

static void refused_contents(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int error;
        const char *text;
    } cases[] = {
        {"[1,\n\"ab\\ud800\"]", HD_EUTF8, "line 2, column 4: half of a surrogate pair"},
        {"[\"\\ud800\\n\"]", HD_EUTF8, "line 1, column 3:"},
        {"[\"\\ud800\\u0041\"]", HD_EUTF8, "line 1, column 3:"},
        {"[\"\\ud800\\ud801\\udc00\"]", HD_EUTF8, "line 1, column 3:"},
        {"[\"\\udc00\"]", HD_EUTF8, "line 1, column 3:"},
        {"[\"\\ud83d\\ude00\\ude00\"]", HD_EUTF8, "line 1, column 15:"},
        {"{\"\\udfff\": 1}", HD_EUTF8, "line 1, column 3:"},
        {"[1, \"\xed\xa0\x80\"]", HD_EUTF8, "line 1, column 5:"},
        {"[\"\xc0\x80\"]", HD_EUTF8, "line 1, column 2:"},
        {"{\"\xf4\x90\x80\x80\": 0}", HD_EUTF8, "line 1, column 2:"},
        {"[1, 1e999]", HD_EOVERFLOW, "line 1, column 5: the number is beyond"},
        {" -1e999", HD_EOVERFLOW, "line 1, column 2:"},
        {"[[[[[[]]]]]]", HD_EDEPTH, "line 1, column 6: nested deeper"},
        {"[[[[[\n{}]]]]]", HD_EDEPTH, "line 2, column 1: nested deeper"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(cases[i].json, strlen(cases[i].json), cases[i].error, cases[i].text);
    assert_int_equal(read_in_pieces("[[[[[]]]],[[]]]", 15, 4, 5), 0);
}

static void long_strings_are_refused(void **state)
{
    (void)state;
    char json[120];
    snprintf(json, sizeof json, "{\"%0100d\": 1}", 1);
    assert_int_equal(read_in_pieces(json, strlen(json), 30, 5), 0);
    snprintf(json, sizeof json, "{\"%0101d\": 1}", 1);
    expect_error(json, strlen(json), HD_ETOO_LARGE, "line 1, column 2: a string of 101 bytes");
    snprintf(json, sizeof json, "[\n\"%0101d\"]", 1);
    expect_error(json, strlen(json), HD_ETOO_LARGE, "line 2, column 1: a string of 101 bytes");
}

static void bytes_that_are_not_utf8_are_a_syntax_error(void **state)
{
    (void)state;
    expect_error("[\"\xff\"]", 5, HD_ESYNTAX, "line 1, column 3:");
}

static void errors_of_the_sink_pass_through(void **state)
{
    (void)state;
    recorder.fail_with = HD_ELIMIT;
    assert_int_equal(read_in_pieces("[1]", 3, 3, 5), HD_ELIMIT);
    assert_string_equal(problem.text, "the sink is full");
    assert_int_equal(read_in_pieces("1", 1, 1, 5), HD_ELIMIT);
    recorder.fail_with = 0;
}

static void deep_nesting_takes_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    char *json = malloc(2 * DEPTH);
    assert_non_null(json);
    memset(json, '[', DEPTH);
    memset(json + DEPTH, ']', DEPTH);
    assert_int_equal(read_in_pieces(json, 2 * DEPTH, 65536, DEPTH), 0);
    assert_int_equal(read_in_pieces(json, 2 * DEPTH, 65536, DEPTH - 1), HD_EDEPTH);
    free(json);
}

static int set_up(void **state)
{
    (void)state;
    hd_buffer_init(&recorder.text, &hd_allocator_libc, SIZE_MAX / 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hd_buffer_fini(&recorder.text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(strings),
        cmocka_unit_test(syntax_errors_have_positions),
        cmocka_unit_test(refused_contents),
        cmocka_unit_test(long_strings_are_refused),
        cmocka_unit_test(bytes_that_are_not_utf8_are_a_syntax_error),
        cmocka_unit_test(errors_of_the_sink_pass_through),
        cmocka_unit_test(deep_nesting_takes_no_stack),
    };
    return cmocka_run_group_tests_name("heapctl JSON reader", tests, set_up, tear_down);
}
