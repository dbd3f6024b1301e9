/* The value word: what fits inline comes back unchanged, and each value has one word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/value.h"
#include "support/os_fault.h"

static uint64_t bits_of(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static double real_of(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* The exponents that fit are the 256 around 1.0; and zero. */
static bool should_fit(double real)
{
    uint64_t bits = bits_of(real);
    uint64_t exponent = bits >> 52 & 0x7ff, mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0 && mantissa == 0)
        return true;
    /* The two words that zero took: the smallest power of two of the range, positive and negative. */
    if (exponent == 0x380 && mantissa == 0)
        return false;
    return exponent >= 0x380 && exponent <= 0x47f;
}

static void check_real(double real)
{
    hd_value value = 77;
    bool fits = hd_value_from_double(real, &value);
    assert_int_equal(fits, should_fit(real));
    if (!fits) {
        assert_int_equal(value, 77);
        return;
    }
    assert_int_equal(hd_value_tag(value), HD_TAG_FLOAT);
    assert_int_equal(bits_of(hd_value_to_double(value)), bits_of(real));
}

static void floats_come_back(void **state)
{
    (void)state;
    /* Every exponent, with mantissas at their edges, in both signs. */
    static const uint64_t mantissas[] = {0, 1, 2, 0x8000000000000, 0xffffffffffffe, 0xfffffffffffff, 0x5555555555555};
    for (uint64_t exponent = 0; exponent <= 0x7ff; exponent++)
        for (size_t i = 0; i < sizeof mantissas / sizeof mantissas[0]; i++)
            for (uint64_t sign = 0; sign < 2; sign++)
                check_real(real_of(sign << 63 | exponent << 52 | mantissas[i]));
    static const double plain[] = {0.0,    -0.0, 1.0,  -1.0,  0.1,   3.14159, 1e10,
                                   -1e-10, 1e38, 1e39, 1e-38, 1e-39, 1e300,   5e-324};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        check_real(plain[i]);
    hd_value one;
    assert_true(hd_value_from_double(1.0, &one)); /* the point of it: common numbers are inline */
    hd_value zero, minus;
    assert_true(hd_value_from_double(0.0, &zero));
    assert_true(hd_value_from_double(-0.0, &minus));
    assert_true(zero != minus);
    assert_false(hd_value_from_double(real_of(0x7ff8000000000000), &one)); /* not a number */
    assert_false(hd_value_from_double(real_of(0x7ff0000000000000), &one)); /* infinite */
}

static void random_floats_come_back(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("alloc_value");
    for (int i = 0; i < 1000000; i++) {
        uint64_t bits = hd_test_random(&random);
        if (i % 2) /* mostly in the range that fits */
            bits = (bits & ~(UINT64_C(0x7ff) << 52)) | (0x370 + bits % 0x120) << 52;
        check_real(real_of(bits));
    }
}

static void different_floats_have_different_words(void **state)
{
    (void)state;
    hd_value last = 0;
    for (uint64_t exponent = 0x380; exponent <= 0x47f; exponent++) {
        for (uint64_t mantissa = exponent == 0x380; mantissa < 3; mantissa++) {
            hd_value value;
            assert_true(hd_value_from_double(real_of(exponent << 52 | mantissa), &value));
            assert_true(value > last); /* positive ones keep their order */
            last = value;
        }
    }
}

static void ints_come_back(void **state)
{
    (void)state;
    static const int64_t ints[] = {0,         1,         -1,         2,          127,           -128,
                                   INT32_MAX, INT32_MIN, HD_INT_MAX, HD_INT_MIN, HD_INT_MAX - 1};
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        assert_true(hd_int_fits(ints[i]));
        hd_value value = hd_value_int(ints[i]);
        assert_int_equal(hd_value_tag(value), HD_TAG_INT);
        assert_true(hd_value_to_int(value) == ints[i]);
        assert_false(hd_value_is_ref(value));
    }
    assert_false(hd_int_fits(HD_INT_MAX + 1));
    assert_false(hd_int_fits(HD_INT_MIN - 1));
    assert_false(hd_int_fits(INT64_MAX));
    assert_false(hd_int_fits(INT64_MIN));
}

static void short_strings_come_back(void **state)
{
    (void)state;
    static const uint8_t bytes[HD_INLINE_BYTES_MAX] = {0, 'a', 0xff, 0, 0x80, 'z', 0};
    hd_value seen[2 * (HD_INLINE_BYTES_MAX + 1)];
    size_t seen_count = 0;
    for (size_t size = 0; size <= HD_INLINE_BYTES_MAX; size++) {
        for (enum hd_tag tag = HD_TAG_STR; tag <= HD_TAG_BYTES; tag++) {
            hd_value value = hd_value_short(tag, bytes, size);
            assert_int_equal(hd_value_tag(value), tag);
            assert_int_equal(hd_value_short_size(value), size);
            assert_memory_equal(hd_value_short_bytes(&value), bytes, size);
            assert_true(value != HD_ABSENT);
            assert_false(hd_value_is_ref(value) || hd_value_is_inner_ref(value) || hd_value_is_leaf_ref(value));
            /* Also those that differ in a NUL at the end alone. */
            for (size_t i = 0; i < seen_count; i++)
                assert_true(seen[i] != value);
            seen[seen_count++] = value;
        }
    }
}

static void references_are_what_they_say(void **state)
{
    (void)state;
    static const uint32_t indices[] = {1, 2, 63, 64, 65536, UINT32_MAX};
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
        hd_value inner = hd_value_ref(indices[i], false), leaf = hd_value_ref(indices[i], true);
        assert_int_equal(hd_value_index(inner), indices[i]);
        assert_int_equal(hd_value_index(leaf), indices[i]);
        assert_true(hd_value_is_ref(inner) && hd_value_is_inner_ref(inner) && !hd_value_is_leaf_ref(inner));
        assert_true(hd_value_is_ref(leaf) && !hd_value_is_inner_ref(leaf) && hd_value_is_leaf_ref(leaf));
    }
    assert_false(hd_value_is_ref(HD_ABSENT) || hd_value_is_inner_ref(HD_ABSENT) || hd_value_is_leaf_ref(HD_ABSENT));
    assert_true(HD_NONE != HD_FALSE && HD_FALSE != HD_TRUE && HD_NONE != HD_TRUE);
    assert_int_equal(hd_value_bool(true), HD_TRUE);
    assert_int_equal(hd_value_bool(false), HD_FALSE);
    assert_false(hd_value_is_ref(HD_NONE) || hd_value_is_ref(HD_TRUE) || hd_value_is_leaf_ref(HD_FALSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_come_back),
        cmocka_unit_test(random_floats_come_back),
        cmocka_unit_test(different_floats_have_different_words),
        cmocka_unit_test(ints_come_back),
        cmocka_unit_test(short_strings_come_back),
        cmocka_unit_test(references_are_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
