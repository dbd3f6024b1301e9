#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/json_writer.h"

static char *json;
static size_t json_bytes;
static FILE *stream;
static struct hd_json_writer writer;

static void open_writer(const struct hd_json_layout *layout)
{
    stream = open_memstream(&json, &json_bytes);
    assert_non_null(stream);
    hd_json_writer_init(&writer, stream, layout);
}

static void close_and_expect(const char *expected)
{
    hd_json_writer_fini(&writer);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(json, expected);
    assert_int_equal(json_bytes, strlen(expected));
    free(json);
}

static void write_sample(void)
{
    assert_int_equal(hd_json_writer_begin_object(&writer), 0);
    hd_json_writer_key(&writer, "a", 1);
    assert_int_equal(hd_json_writer_begin_array(&writer), 0);
    hd_json_writer_int(&writer, -1);
    hd_json_writer_uint(&writer, UINT64_MAX);
    assert_int_equal(hd_json_writer_begin_array(&writer), 0);
    hd_json_writer_end(&writer);
    hd_json_writer_end(&writer);
    hd_json_writer_key(&writer, "", 0);
    hd_json_writer_null(&writer);
    hd_json_writer_key(&writer, "b", 1);
    assert_int_equal(hd_json_writer_begin_object(&writer), 0);
    hd_json_writer_key(&writer, "c", 1);
    hd_json_writer_bool(&writer, true);
    hd_json_writer_end(&writer);
    hd_json_writer_end(&writer);
    assert_int_equal(hd_json_writer_depth(&writer), 0);
}

static void layouts(void **state)
{
    (void)state;
    open_writer(&(struct hd_json_layout){.compact = true});
    write_sample();
    close_and_expect("{\"a\":[-1,18446744073709551615,[]],\"\":null,\"b\":{\"c\":true}}");

    open_writer(&(struct hd_json_layout){0});
    write_sample();
    close_and_expect("{\"a\": [-1, 18446744073709551615, []], \"\": null, \"b\": {\"c\": true}}");

    open_writer(&(struct hd_json_layout){.indent = 2});
    write_sample();
    close_and_expect("{\n  \"a\": [\n    -1,\n    18446744073709551615,\n    []\n  ],\n  \"\": null,\n"
                     "  \"b\": {\n    \"c\": true\n  }\n}");
}

static void scalars_alone(void **state)
{
    (void)state;
    open_writer(&(struct hd_json_layout){.indent = 4});
    hd_json_writer_real(&writer, 1.0);
    close_and_expect("1.0");
}

static void escapes(void **state)
{
    (void)state;
    static const char text[] = "\0\b\t\n\v\f\r\x1f \"\\/\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
    open_writer(&(struct hd_json_layout){0});
    hd_json_writer_string(&writer, text, sizeof text - 1);
    close_and_expect("\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");

    open_writer(&(struct hd_json_layout){.ascii = true});
    hd_json_writer_string(&writer, text, sizeof text - 1);
    close_and_expect("\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\\u00e4\\u20ac\\ud83d\\ude00\"");
}

static void deep_nesting(void **state)
{
    (void)state;
    const size_t depth = 5000;
    open_writer(&(struct hd_json_layout){.compact = true});
    for (size_t i = 0; i < depth; i++)
        assert_int_equal(hd_json_writer_begin_array(&writer), 0);
    for (size_t i = 0; i < depth; i++)
        hd_json_writer_end(&writer);
    char *expected = calloc(2 * depth + 1, 1);
    memset(expected, '[', depth);
    memset(expected + depth, ']', depth);
    close_and_expect(expected);
    free(expected);

    /* An indent wider than the writer's run of spaces. */
    open_writer(&(struct hd_json_layout){.indent = 100});
    assert_int_equal(hd_json_writer_begin_array(&writer), 0);
    hd_json_writer_int(&writer, 0);
    hd_json_writer_end(&writer);
    char wide[110];
    snprintf(wide, sizeof wide, "[\n%100s0\n]", "");
    close_and_expect(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(scalars_alone),
        cmocka_unit_test(escapes),
        cmocka_unit_test(deep_nesting),
    };
    return cmocka_run_group_tests_name("heapctl JSON writer", tests, NULL, NULL);
}
