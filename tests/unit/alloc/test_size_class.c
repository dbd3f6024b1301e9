#include "alloc/size_class.h"
#include "fixture.h"

static void every_size_has_the_smallest_class_that_fits(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= HD_MEDIUM_MAX_BYTES; bytes++) {
        unsigned class_index = hd_class_of(bytes);
        assert_true(class_index < HD_CLASS_RUN);
        assert_true(hd_class_block_bytes(class_index) >= bytes);
        if (class_index > 0)
            assert_true(hd_class_block_bytes(class_index - 1) < bytes);
    }
    assert_int_equal(hd_class_of(HD_MEDIUM_MAX_BYTES), HD_CLASS_RUN - 1);
}

static void blocks_are_aligned_and_waste_is_bounded(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= HD_MEDIUM_MAX_BYTES; bytes++) {
        size_t block_bytes = hd_class_block_bytes(hd_class_of(bytes));
        assert_int_equal(block_bytes % 16, 0);
        if (bytes <= HD_SMALL_MAX_BYTES)
            assert_true(block_bytes - bytes < 16);
        else
            assert_true((block_bytes - bytes) * 8 <= bytes);
    }
}

static void pools_fit_their_record_and_waste_little(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HD_CLASS_RUN; i++) {
        size_t block_bytes = hd_class_block_bytes(i);
        size_t pool_bytes = hd_class_pool_granules(i) * HD_GRANULE_BYTES;
        size_t capacity = pool_bytes / block_bytes;
        size_t tail_bytes = pool_bytes % block_bytes;
        assert_true(capacity >= 1 && capacity <= HD_POOL_MAX_BLOCKS);
        assert_true(pool_bytes <= HD_ARENA_BYTES / 4);
        if (block_bytes <= HD_SMALL_MAX_BYTES)
            assert_true(pool_bytes <= HD_POOL_BYTES && tail_bytes < block_bytes);
        if (HD_ARENA_BYTES >= (256u << 10) && HD_POOL_BYTES >= (16u << 10))
            assert_true(tail_bytes * 16 <= pool_bytes);
    }
}

static void rounding_is_monotonic_and_never_down(void **state)
{
    (void)state;
    size_t last = 0;
    for (size_t bytes = 1; bytes <= 2 * HD_ARENA_BYTES; bytes += bytes < 70000 ? 1 : 97) {
        size_t rounded = hd_alloc_round(bytes);
        assert_true(rounded >= bytes);
        assert_true(rounded >= last);
        assert_int_equal(hd_alloc_round(rounded), rounded);
        last = rounded;
    }
    assert_true(hd_alloc_round(HD_LARGE_MIN_BYTES - 1) < hd_alloc_round(HD_LARGE_MIN_BYTES));
    assert_true(hd_alloc_round(HD_LARGE_MAX_BYTES) >= HD_LARGE_MAX_BYTES);
    assert_true(hd_alloc_round(HD_LARGE_MAX_BYTES + 1) == SIZE_MAX);
    assert_true(hd_alloc_round(SIZE_MAX) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_the_smallest_class_that_fits),
        cmocka_unit_test(blocks_are_aligned_and_waste_is_bounded),
        cmocka_unit_test(pools_fit_their_record_and_waste_little),
        cmocka_unit_test(rounding_is_monotonic_and_never_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
