#include "test.h"

#include "common/utf8.h"

/* By the definition: decode the bit pattern, then look at the number. Code points, or -1 when not valid. */
static long naive_count(const uint8_t *bytes, size_t count)
{
    long points = 0;
    for (size_t at = 0; at < count;) {
        uint8_t first = bytes[at];
        size_t size = first < 0x80             ? 1
                      : (first & 0xe0) == 0xc0 ? 2
                      : (first & 0xf0) == 0xe0 ? 3
                      : (first & 0xf8) == 0xf0 ? 4
                                               : 0;
        if (size == 0 || size > count - at)
            return -1;
        uint32_t point = size == 1 ? first : first & (0x7fu >> size);
        for (size_t i = 1; i < size; i++) {
            if ((bytes[at + i] & 0xc0) != 0x80)
                return -1;
            point = point << 6 | (bytes[at + i] & 0x3f);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return -1;
        at += size;
        points++;
    }
    return points;
}

static void compare(const uint8_t *bytes, size_t count)
{
    long points = naive_count(bytes, count);
    if (hd_utf8_valid(bytes, count) != (points >= 0)) {
        for (size_t i = 0; i < count; i++)
            printf("%02x ", bytes[i]);
        fail_msg("should be %s", points >= 0 ? "valid" : "refused");
    }
    if (points >= 0)
        assert_int_equal(hd_utf8_length(bytes, count), (size_t)points);
}

static void test_all_short_sequences(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 0x1000000; word++) {
        const uint8_t bytes[3] = {(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
        /* Two ASCII bytes in front say nothing that the loop below does not. */
        if (bytes[0] < 0x80 && bytes[1] < 0x80)
            continue;
        if (hd_utf8_valid(bytes, 3) != (naive_count(bytes, 3) >= 0))
            compare(bytes, 3);
    }
    for (uint32_t word = 0; word < 0x10000; word++) {
        const uint8_t bytes[2] = {(uint8_t)(word >> 8), (uint8_t)word};
        compare(bytes, 2);
        compare(bytes, 1);
    }
}

static void test_four_byte_sequences(void **state)
{
    (void)state;
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xff};
    for (unsigned first = 0xe0; first < 0x100; first++)
        for (unsigned second = 0; second < 0x100; second++)
            for (size_t i = 0; i < sizeof tails; i++)
                for (size_t j = 0; j < sizeof tails; j++) {
                    const uint8_t bytes[4] = {(uint8_t)first, (uint8_t)second, tails[i], tails[j]};
                    compare(bytes, 4);
                }
}

struct named {
    const char *bytes;
    size_t count;
    bool valid;
};
#define CASE(text, ok) \
    { \
        text, sizeof text - 1, ok \
    }

static void test_boundaries(void **state)
{
    (void)state;
    static const struct named cases[] = {
        CASE("", true),
        CASE("\0", true),
        CASE("a\0b", true),
        CASE("\x7f", true),
        CASE("\xc2\x80", true),
        CASE("\xc0\x80", false), /* an overlong NUL, as some languages write it */
        CASE("\xc1\xbf", false),
        CASE("\xdf\xbf", true),
        CASE("\xe0\x9f\xbf", false),
        CASE("\xe0\xa0\x80", true),
        CASE("\xed\x9f\xbf", true),
        CASE("\xed\xa0\x80", false),             /* the first surrogate */
        CASE("\xed\xbf\xbf", false),             /* the last one */
        CASE("\xed\xa0\xbd\xed\xb8\x80", false), /* a pair of them, as CESU-8 has it */
        CASE("\xee\x80\x80", true),
        CASE("\xef\xbb\xbf", true), /* a byte order mark is a character like any other */
        CASE("\xef\xbf\xbf", true),
        CASE("\xf0\x8f\xbf\xbf", false),
        CASE("\xf0\x90\x80\x80", true),
        CASE("\xf4\x8f\xbf\xbf", true),
        CASE("\xf4\x90\x80\x80", false),
        CASE("\xf5\x80\x80\x80", false),
        CASE("\xf8\x88\x80\x80\x80", false),
        CASE("\xfe", false),
        CASE("\x80", false),
        CASE("\xe2\x82", false),
        CASE("\xf0\x9f\x98", false),
        CASE("\xf0\x9f\x98\x80", true),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(hd_utf8_valid((const uint8_t *)cases[i].bytes, cases[i].count), cases[i].valid);
        compare((const uint8_t *)cases[i].bytes, cases[i].count);
    }
    assert_true(hd_utf8_valid(NULL, 0));
    assert_int_equal(hd_utf8_length(NULL, 0), 0);
}

/* Each offset in text of each length: the fast path's word edges, and reads past the end under a sanitizer. */
static void test_one_bad_byte_anywhere(void **state)
{
    (void)state;
    for (size_t count = 1; count < 80; count++) {
        uint8_t *bytes = malloc(count);
        assert_non_null(bytes);
        memset(bytes, 'a', count);
        compare(bytes, count);
        for (size_t at = 0; at < count; at++) {
            bytes[at] = 0xff;
            compare(bytes, count);
            bytes[at] = 0xc3;
            compare(bytes, count);
            if (at + 1 < count) {
                bytes[at + 1] = 0xa4;
                compare(bytes, count);
                bytes[at + 1] = 'a';
            }
            bytes[at] = 'a';
        }
        free(bytes);
    }
}

static size_t put_point(uint8_t *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        to[i] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    to[0] = (uint8_t)(0xf0u << (4 - size) | point);
    return size;
}

static void test_random_text(void **state)
{
    (void)state;
    uint64_t random = test_seed("utf8");
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[400];
        size_t count = 0;
        size_t points = test_random_below(&random, 90);
        for (size_t i = 0; i < points; i++) {
            static const uint32_t ranges[] = {0x80, 0x80, 0x80, 0x800, 0xd800, 0x110000};
            uint32_t point = (uint32_t)test_random_below(&random, ranges[test_random_below(&random, 6)]);
            if (point >= 0xd800 && point < 0xe000)
                point = 'x';
            count += put_point(bytes + count, point);
        }
        assert_true(hd_utf8_valid(bytes, count));
        assert_int_equal(hd_utf8_length(bytes, count), points);
        for (int damage = 0; count && damage < 5; damage++) {
            bytes[test_random_below(&random, count)] = (uint8_t)test_random(&random);
            compare(bytes, count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_short_sequences), cmocka_unit_test(test_four_byte_sequences),
        cmocka_unit_test(test_boundaries),          cmocka_unit_test(test_one_bad_byte_anywhere),
        cmocka_unit_test(test_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
