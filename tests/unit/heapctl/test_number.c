#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/number.h"

static struct hd_buffer scratch, text;

static int set_up(void **state)
{
    (void)state;
    hd_buffer_init(&scratch, &hd_allocator_libc, SIZE_MAX / 2);
    hd_buffer_init(&text, &hd_allocator_libc, SIZE_MAX / 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hd_buffer_fini(&scratch);
    hd_buffer_fini(&text);
    return 0;
}

static struct hd_node parse(const char *number)
{
    struct hd_node node;
    assert_int_equal(hd_number_parse(number, strlen(number), &scratch, &node), 0);
    return node;
}

static void small_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-1", -1},
        {"123456789012345678", 123456789012345678},
        {"-12345678901234567", -12345678901234567},
        {"1234567890123456789", 1234567890123456789},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hd_node node = parse(cases[i].text);
        char out[HD_NUMBER_TEXT_BYTES];
        assert_int_equal(node.kind, HD_KIND_INT);
        assert_true(node.integer == cases[i].value);
        size_t count = hd_number_format_int(node.integer, out);
        assert_int_equal(count, strlen(out));
        assert_string_equal(out, node.integer ? cases[i].text : "0");
    }
}

static void only_the_given_characters_count(void **state)
{
    (void)state;
    struct hd_node node;
    assert_int_equal(hd_number_parse("123456", 3, &scratch, &node), 0);
    assert_int_equal(node.integer, 123);
    assert_int_equal(hd_number_parse("1.55", 3, &scratch, &node), 0);
    assert_true(node.real == 1.5);
}

static void check_big(const char *number, const uint8_t *bytes, size_t count)
{
    struct hd_node node = parse(number);
    assert_int_equal(node.kind, HD_KIND_BIG_INT);
    if (bytes) {
        assert_int_equal(node.bytes.size, count);
        assert_memory_equal(node.bytes.data, bytes, count);
    }
    hd_buffer_reset(&text, SIZE_MAX);
    assert_int_equal(hd_number_format_big(node.bytes.data, node.bytes.size, &text), 0);
    assert_int_equal(hd_buffer_readable(&text), strlen(number));
    assert_memory_equal(hd_buffer_head(&text), number, strlen(number));
}

static void big_integers_are_twos_complement(void **state)
{
    (void)state;
    /* One beyond 64 bits on either side, and the edges where a byte of sign is needed. */
    check_big("9223372036854775808", (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0x80, 0}, 9);
    check_big("-9223372036854775809", (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff}, 9);
    check_big("18446744073709551615", (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, 9);
    check_big("-2361183241434822606848", (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0x80}, 9);
    check_big("2361183241434822606847", (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 9);
}

static void very_long_integers_come_back(void **state)
{
    (void)state;
    for (size_t digits = 20; digits < 20000; digits = digits * 3 + 1) {
        char *number = malloc(digits + 2);
        assert_non_null(number);
        number[0] = '-';
        for (size_t i = 0; i < digits; i++)
            number[1 + i] = (char)('1' + i * i % 9);
        number[1 + digits] = '\0';
        check_big(number, NULL, 0);
        check_big(number + 1, NULL, 0);
        free(number);
    }
}

static void padded_big_integers_are_understood(void **state)
{
    (void)state;
    static const uint8_t minus_one[] = {0xff, 0xff, 0xff};
    static const uint8_t zero[] = {0};
    hd_buffer_reset(&text, SIZE_MAX);
    assert_int_equal(hd_number_format_big(minus_one, 3, &text), 0);
    assert_int_equal(hd_number_format_big(zero, 1, &text), 0);
    assert_int_equal(hd_buffer_readable(&text), 3);
    assert_memory_equal(hd_buffer_head(&text), "-10", 3);
}

static void check_real(const char *number, const char *expected)
{
    struct hd_node node = parse(number);
    char out[HD_NUMBER_TEXT_BYTES];
    assert_int_equal(node.kind, HD_KIND_FLOAT);
    assert_true(node.real == strtod(number, NULL));
    assert_int_equal(!!signbit(node.real), number[0] == '-');
    size_t count = hd_number_format_real(node.real, out);
    assert_int_equal(count, strlen(out));
    assert_string_equal(out, expected);
    assert_int_equal(parse(out).kind, HD_KIND_FLOAT);
}

static void floats_stay_floats(void **state)
{
    (void)state;
    check_real("1.0", "1.0");
    check_real("-0.0", "-0.0");
    check_real("0.0", "0.0");
    check_real("-0e5", "-0.0");
    check_real("1e3", "1000.0");
    check_real("0.1", "0.1");
    check_real("-2.5E-3", "-0.0025");
    check_real("1e15", "1000000000000000.0");
    check_real("9007199254740993.0", "9007199254740992.0");
    check_real("1e22", "1e+22");
    check_real("1.7976931348623157e308", "1.7976931348623157e+308");
    check_real("2.2250738585072014e-308", "2.2250738585072014e-308");
    check_real("5e-324", "4.94065645841247e-324");
    check_real("1e-400", "0.0");
    check_real("3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117067",
               "3.141592653589793");
}

static void random_doubles_come_back(void **state)
{
    (void)state;
    const uint64_t seed = 0x9e3779b97f4a7c15u;
    uint64_t x = seed;
    print_message("seed %llx\n", (unsigned long long)seed);
    for (int i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double value;
        memcpy(&value, &x, sizeof value);
        if (!isfinite(value))
            continue;
        char out[HD_NUMBER_TEXT_BYTES];
        hd_number_format_real(value, out);
        struct hd_node node = parse(out);
        assert_int_equal(node.kind, HD_KIND_FLOAT);
        assert_memory_equal(&node.real, &value, sizeof value);
    }
}

static void infinity_is_refused(void **state)
{
    (void)state;
    struct hd_node node = {.kind = HD_KIND_NONE};
    assert_int_equal(hd_number_parse("1e309", 5, &scratch, &node), HD_EOVERFLOW);
    assert_int_equal(hd_number_parse("-1e999", 6, &scratch, &node), HD_EOVERFLOW);
    assert_int_equal(node.kind, HD_KIND_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_integers),
        cmocka_unit_test(only_the_given_characters_count),
        cmocka_unit_test(big_integers_are_twos_complement),
        cmocka_unit_test(very_long_integers_come_back),
        cmocka_unit_test(padded_big_integers_are_understood),
        cmocka_unit_test(floats_stay_floats),
        cmocka_unit_test(random_doubles_come_back),
        cmocka_unit_test(infinity_is_refused),
    };
    return cmocka_run_group_tests_name("heapctl numbers", tests, set_up, tear_down);
}
