#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/options.h"

#define PARSE(...) parse((char *[]){__VA_ARGS__}, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))

static struct hd_ctl_options options;
static struct hd_problem problem;

static int parse(char **arguments, int count)
{
    return hd_ctl_options_parse(count, arguments, &options, &problem);
}

static void expect_operands(const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < options.operand_count; i++) {
        strcat(text, options.operands[i]);
        strcat(text, "|");
    }
    assert_string_equal(text, expected);
    assert_null(options.operands[options.operand_count]);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--json", "get", "-a", "unix:/x", "name", "--indent=4", "-q"), 0);
    expect_operands("get|name|");
    assert_true(hd_ctl_options_has(&options, HD_OPTION_JSON));
    assert_true(hd_ctl_options_has(&options, HD_OPTION_QUIET));
    assert_false(hd_ctl_options_has(&options, HD_OPTION_RAW));
    assert_string_equal(options.address, "unix:/x");
    assert_int_equal(options.indent, 4);
    hd_ctl_options_fini(&options);

    assert_int_equal(PARSE("-jqi3", "--bytes", "base64"), 0);
    expect_operands("");
    assert_int_equal(options.indent, 3);
    assert_true(options.bytes_as_base64);
    assert_true(hd_ctl_options_has(&options, HD_OPTION_JSON));
    hd_ctl_options_fini(&options);
}

static void values_may_begin_with_a_dash(void **state)
{
    (void)state;
    assert_int_equal(PARSE("set", "x", "-5", "-"), 0);
    expect_operands("set|x|-5|-|");
    hd_ctl_options_fini(&options);
    assert_int_equal(PARSE("set", "--", "--json", "-x"), 0);
    expect_operands("set|--json|-x|");
    hd_ctl_options_fini(&options);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--jso"), HD_EINVALID);
    assert_string_equal(problem.text, "unknown option --jso");
    assert_int_equal(PARSE("-jx"), HD_EINVALID);
    assert_string_equal(problem.text, "unknown option -x");
    assert_int_equal(PARSE("get", "--address"), HD_EINVALID);
    assert_int_equal(PARSE("--json=1"), HD_EINVALID);
    assert_int_equal(PARSE("--indent", "-1"), HD_EINVALID);
    assert_int_equal(PARSE("--indent", "x"), HD_EINVALID);
    assert_int_equal(PARSE("--indent", ""), HD_EINVALID);
    assert_int_equal(PARSE("--indent", "33"), HD_EINVALID);
    assert_int_equal(PARSE("--bytes=hex"), HD_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(values_may_begin_with_a_dash),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests_name("heapctl options", tests, NULL, NULL);
}
