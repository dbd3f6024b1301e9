#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/path.h"

static struct hd_problem problem;

static void expect_text(const struct hd_path *path, size_t index, enum hd_path_step_kind kind, const char *text,
                        size_t count)
{
    assert_true(index < path->step_count);
    assert_int_equal(path->steps[index].kind, kind);
    assert_int_equal(path->steps[index].text_bytes, count);
    assert_memory_equal(hd_path_text(path, &path->steps[index]), text, count);
}

static void expect_index(const struct hd_path *path, size_t index, int64_t value)
{
    assert_true(index < path->step_count);
    assert_int_equal(path->steps[index].kind, HD_PATH_INDEX);
    assert_true(path->steps[index].index == value);
}

static void name_alone(void **state)
{
    (void)state;
    struct hd_path path;
    assert_int_equal(hd_path_parse("iso_3166-1/\xc3\xa4", &path, &problem), 0);
    assert_int_equal(path.step_count, 1);
    expect_text(&path, 0, HD_PATH_MEMBER, "iso_3166-1/\xc3\xa4", 13);
    hd_path_fini(&path);
}

static void all_kinds_of_steps(void **state)
{
    (void)state;
    struct hd_path path;
    assert_int_equal(hd_path_parse("countries[\"3166-1\"][0].name[-12].\"a b\"[\"\"][\"\\u0000]\\\"\\ud83d\\ude00\"]",
                                   &path, &problem),
                     0);
    assert_int_equal(path.step_count, 8);
    expect_text(&path, 0, HD_PATH_MEMBER, "countries", 9);
    expect_text(&path, 1, HD_PATH_KEY, "3166-1", 6);
    expect_index(&path, 2, 0);
    expect_text(&path, 3, HD_PATH_MEMBER, "name", 4);
    expect_index(&path, 4, -12);
    expect_text(&path, 5, HD_PATH_MEMBER, "a b", 3);
    expect_text(&path, 6, HD_PATH_KEY, "", 0);
    expect_text(&path, 7, HD_PATH_KEY, "\0]\"\xf0\x9f\x98\x80", 7);
    hd_path_fini(&path);
}

static void odd_names_in_quotes(void **state)
{
    (void)state;
    struct hd_path path;
    assert_int_equal(hd_path_parse("\"a.b[0]\\\"\".x", &path, &problem), 0);
    assert_int_equal(path.step_count, 2);
    expect_text(&path, 0, HD_PATH_MEMBER, "a.b[0]\"", 7);
    hd_path_fini(&path);
    assert_int_equal(hd_path_parse("\"\"[9223372036854775807][-9223372036854775808]", &path, &problem), 0);
    expect_text(&path, 0, HD_PATH_MEMBER, "", 0);
    expect_index(&path, 1, INT64_MAX);
    expect_index(&path, 2, INT64_MIN);
    hd_path_fini(&path);
}

static void errors_name_their_column(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int error;
        const char *where;
    } cases[] = {
        {"", HD_ESYNTAX, "column 1:"},
        {".a", HD_ESYNTAX, "column 1:"},
        {"[0]", HD_ESYNTAX, "column 1:"},
        {"a.", HD_ESYNTAX, "column 3:"},
        {"a..b", HD_ESYNTAX, "column 3:"},
        {"a b", HD_ESYNTAX, "column 2:"},
        {"\xc3\xa4\xc3\xb6 b", HD_ESYNTAX, "column 3:"},
        {"a[", HD_ESYNTAX, "column 3:"},
        {"a[]", HD_ESYNTAX, "column 3:"},
        {"a[1", HD_ESYNTAX, "column 2:"},
        {"a[1 ]", HD_ESYNTAX, "column 4:"},
        {"a[1.5]", HD_ESYNTAX, "column 4:"},
        {"a[x]", HD_ESYNTAX, "column 3:"},
        {"a[-]", HD_ESYNTAX, "column 3:"},
        {"a[0]b", HD_ESYNTAX, "column 5:"},
        {"a]", HD_ESYNTAX, "column 2:"},
        {"a[\"x]", HD_ESYNTAX, "column 3:"},
        {"a[\"x\\\"]", HD_ESYNTAX, "column 3:"},
        {"a[\"x\\q\"]", HD_ESYNTAX, "column 3:"},
        {"a.\"\\ud800\"", HD_ESYNTAX, "column 3:"},
        {"a\"b\"", HD_ESYNTAX, "column 2:"},
        {"a[9223372036854775808]", HD_EOVERFLOW, "column 3:"},
        {"a[-99999999999999999999999]", HD_EOVERFLOW, "column 3:"},
        {"a\xff", HD_EUTF8, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hd_path path;
        int error = hd_path_parse(cases[i].path, &path, &problem);
        if (error != cases[i].error || !strstr(problem.text, cases[i].where))
            fail_msg("%s: %s: %s", cases[i].path, hd_error_name(error), problem.text);
        assert_int_equal(problem.error, error);
    }
}

static void long_paths(void **state)
{
    (void)state;
    enum { STEPS = 10000 };
    char *text = malloc(2 * STEPS + 1);
    assert_non_null(text);
    for (size_t i = 0; i < STEPS; i++)
        memcpy(text + 2 * i, ".a", 2);
    text[2 * STEPS] = '\0';
    struct hd_path path;
    assert_int_equal(hd_path_parse(text + 1, &path, &problem), 0);
    assert_int_equal(path.step_count, STEPS);
    hd_path_fini(&path);
    free(text);
}

/* What is written for people can be given back. */
static void written_steps_parse_again(void **state)
{
    (void)state;
    static const char odd[] = "a \"b\"\\\0";
    struct hd_buffer text;
    hd_buffer_init(&text, &hd_allocator_libc, SIZE_MAX / 2);
    assert_int_equal(hd_path_append_member(&text, "root", 4), 0);
    assert_int_equal(hd_path_append_index(&text, 17), 0);
    assert_int_equal(hd_path_append_member(&text, odd, sizeof odd - 1), 0);
    assert_int_equal(hd_path_append_member(&text, "x", 1), 0);
    assert_int_equal(hd_path_append_member(&text, "", 0), 0);
    assert_int_equal(hd_buffer_append(&text, "", 1), 0);
    assert_string_equal((char *)hd_buffer_head(&text), "root[17].\"a \\\"b\\\"\\\\\\u0000\".x.\"\"");

    struct hd_path path;
    assert_int_equal(hd_path_parse((char *)hd_buffer_head(&text), &path, &problem), 0);
    assert_int_equal(path.step_count, 5);
    expect_index(&path, 1, 17);
    expect_text(&path, 2, HD_PATH_MEMBER, odd, sizeof odd - 1);
    hd_path_fini(&path);
    hd_buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_alone),          cmocka_unit_test(all_kinds_of_steps),
        cmocka_unit_test(odd_names_in_quotes), cmocka_unit_test(errors_name_their_column),
        cmocka_unit_test(long_paths),          cmocka_unit_test(written_steps_parse_again),
    };
    return cmocka_run_group_tests_name("heapctl paths", tests, NULL, NULL);
}
