/* Ints of any size, floats, str, bytes, and sums of numbers, as Python has them. */
#include "fixture.h"

#include <float.h>
#include <math.h>

/* The checks of one object, if it is one. */
static void assert_whole(struct fixture *f, hd_value value)
{
    const char *broken = hd_value_is_ref(value) ? hd_object_check(f->objects, value) : NULL;
    if (broken)
        fail_msg("broken invariant: %s", broken);
}

static void ints_of_64_bits(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const int64_t ints[] = {0,
                                   1,
                                   -1,
                                   127,
                                   128,
                                   -128,
                                   -129,
                                   HD_INT_MAX,
                                   HD_INT_MAX + 1,
                                   HD_INT_MIN,
                                   HD_INT_MIN - 1,
                                   INT64_MAX,
                                   INT64_MIN,
                                   INT64_MIN + 1};
    static const size_t sizes[] = {1, 1, 1, 1, 2, 1, 2, 8, 8, 8, 8, 8, 8, 8};
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) {
        hd_value value = integer(&f, ints[i]);
        int64_t back;
        assert_true(hd_int_to_int64(f.objects, value, &back));
        assert_true(back == ints[i]);
        assert_int_equal(hd_value_is_ref(value), !hd_int_fits(ints[i]));
        assert_int_equal(hd_kind_of(f.objects, value), HD_IS_INT);
        assert_int_equal(hd_int_size(f.objects, value), sizes[i]);
        uint8_t raw[8];
        hd_int_write(f.objects, value, raw);
        hd_value again;
        assert_int_equal(hd_int_from_bytes(f.objects, raw, sizes[i], &again), 0);
        assert_true(same_key(&f, value, again));
    }
    int64_t unused;
    assert_false(hd_int_to_int64(f.objects, HD_TRUE, &unused));
    assert_false(hd_int_to_int64(f.objects, HD_NONE, &unused));
    end(&f);
}

/* Two's complement of any length comes back in its shortest form. */
static void big_ints_come_back(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("object_scalars");
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 20000; i++) {
        uint8_t raw[60], back[60];
        size_t size = 1 + hd_test_random(&random) % 50;
        for (size_t k = 0; k < size; k++)
            raw[k] = (uint8_t)hd_test_random(&random);
        if (i % 3 == 0) /* near powers of two */
            memset(raw, i % 2 ? 0xff : 0, size - 1);
        /* Sign bytes on top change nothing. */
        size_t padded = size + hd_test_random(&random) % 9;
        memset(raw + size, raw[size - 1] & 0x80 ? 0xff : 0, padded - size);
        hd_value value;
        assert_int_equal(hd_int_from_bytes(f.objects, raw, padded, &value), 0);
        size_t shortest = size;
        while (shortest > 1 && ((raw[shortest - 1] == 0 && !(raw[shortest - 2] & 0x80)) ||
                                (raw[shortest - 1] == 0xff && (raw[shortest - 2] & 0x80))))
            shortest--;
        assert_int_equal(hd_int_size(f.objects, value), shortest);
        hd_int_write(f.objects, value, back);
        assert_memory_equal(back, raw, shortest);
        assert_whole(&f, value);
        release(&f, value);
    }
    end(&f);
}

static void bad_ints(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = 77;
    assert_int_equal(hd_int_from_bytes(f.objects, (const uint8_t *)"", 0, &value), HD_EINVALID);
    assert_int_equal(value, 77);
    end(&f);
}

static void floats_come_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const double reals[] = {0.0, -0.0, 1.5, -1e300, 5e-324, DBL_MAX, DBL_MIN, INFINITY, -INFINITY, 1e-200};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        hd_value value = real(&f, reals[i]);
        double back = hd_float_get(f.objects, value);
        assert_memory_equal(&back, &reals[i], sizeof back);
        assert_int_equal(hd_kind_of(f.objects, value), HD_IS_FLOAT);
        release(&f, value);
    }
    hd_value nan = real(&f, NAN);
    assert_true(isnan(hd_float_get(f.objects, nan)));
    release(&f, nan);
    end(&f);
}

static void text_and_bytes(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const char text[] = "na\xc3\xafve \xf0\x9f\x90\x8d with a NUL \0 in it";
    for (size_t size = 0; size < sizeof text; size++) {
        hd_value value = 77;
        int error = hd_str_new(f.objects, (const uint8_t *)text, size, &value);
        bool whole = size != 3 && !(size > 7 && size < 11); /* not in the middle of a character */
        assert_int_equal(error, whole ? 0 : HD_EUTF8);
        if (!whole) {
            assert_int_equal(value, 77);
            continue;
        }
        size_t back;
        const uint8_t *view = hd_bytes_view(f.objects, &value, &back);
        assert_int_equal(back, size);
        assert_memory_equal(view, text, size);
        assert_int_equal(hd_value_is_ref(value), size > HD_INLINE_BYTES_MAX);
        uint64_t length;
        assert_int_equal(hd_length(f.objects, value, &length), 0);
        assert_int_equal(length, size - (size > 3 ? 1 : 0) - (size > 10 ? 3 : 0));
        release(&f, value);
    }
    hd_value value;
    assert_int_equal(hd_str_new(f.objects, (const uint8_t *)"\xed\xa0\x80", 3, &value), HD_EUTF8); /* a surrogate */
    assert_int_equal(hd_bytes_new(f.objects, (const uint8_t *)"\xed\xa0\x80\xff----", 8, &value), 0);
    uint64_t length;
    assert_int_equal(hd_length(f.objects, value, &length), 0);
    assert_int_equal(length, 8);
    release(&f, value);
    end(&f);
}

/* left + right is wanted (all stolen). */
static void check_sum(struct fixture *f, hd_value left, hd_value right, hd_value wanted)
{
    hd_value sum, other;
    assert_int_equal(hd_number_add(f->objects, left, right, &sum), 0);
    assert_int_equal(hd_number_add(f->objects, right, left, &other), 0);
    assert_int_equal(hd_kind_of(f->objects, sum), hd_kind_of(f->objects, wanted));
    assert_whole(f, sum);
    assert_true(same_key(f, hd_gc_retain(f->gc, sum), other));
    assert_true(same_key(f, sum, wanted));
    release(f, left);
    release(f, right);
}

static void sums(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    check_sum(&f, integer(&f, 2), integer(&f, 3), integer(&f, 5));
    check_sum(&f, integer(&f, HD_INT_MAX), integer(&f, 1), integer(&f, HD_INT_MAX + 1));
    check_sum(&f, integer(&f, HD_INT_MIN), integer(&f, -1), integer(&f, HD_INT_MIN - 1));
    check_sum(&f, integer(&f, HD_INT_MAX + 1), integer(&f, -1), integer(&f, HD_INT_MAX)); /* and inline again */
    check_sum(&f, integer(&f, INT64_MAX), integer(&f, INT64_MIN), integer(&f, -1));
    check_sum(&f, power_of_two(&f, 63, false), power_of_two(&f, 63, false), power_of_two(&f, 64, false));
    check_sum(&f, power_of_two(&f, 200, false), power_of_two(&f, 200, true), integer(&f, 0));
    check_sum(&f, power_of_two(&f, 200, true), power_of_two(&f, 199, false), power_of_two(&f, 199, true));
    check_sum(&f, HD_TRUE, HD_TRUE, integer(&f, 2));
    check_sum(&f, HD_FALSE, HD_FALSE, integer(&f, 0));
    check_sum(&f, HD_TRUE, real(&f, 0.5), real(&f, 1.5));
    check_sum(&f, power_of_two(&f, 64, false), real(&f, 0.0), real(&f, 18446744073709551616.0));
    check_sum(&f, power_of_two(&f, 1023, true), real(&f, 0.0), real(&f, -ldexp(1, 1023)));
    hd_value sum = 77;
    hd_value huge = keep(&f, power_of_two(&f, 1024, false));
    hd_value half = keep(&f, real(&f, 0.5));
    assert_int_equal(hd_number_add(f.objects, huge, half, &sum), HD_EOVERFLOW);
    assert_int_equal(hd_number_add(f.objects, huge, HD_NONE, &sum), HD_ETYPE);
    assert_int_equal(hd_number_add(f.objects, keep(&f, str(&f, "1")), huge, &sum), HD_ETYPE);
    assert_int_equal(sum, 77);
    end(&f);
}

/* 2**53 and its neighbours: to a float they go to the nearest, ties to even. */
static void ints_round_to_floats(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const int64_t ints[] = {9007199254740991,   9007199254740992,   9007199254740993,
                                   9007199254740995,   INT64_MAX,          INT64_MIN,
                                   0x7ffffffffffffbff, 0x7ffffffffffffc00, 0x7ffffffffffffc01};
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++)
        check_sum(&f, integer(&f, ints[i]), real(&f, 0.0), real(&f, (double)ints[i]));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_of_64_bits),      cmocka_unit_test(big_ints_come_back), cmocka_unit_test(bad_ints),
        cmocka_unit_test(floats_come_back),     cmocka_unit_test(text_and_bytes),     cmocka_unit_test(sums),
        cmocka_unit_test(ints_round_to_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
