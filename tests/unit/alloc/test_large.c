#include <string.h>

#include "alloc/large.h"
#include "fixture.h"

struct large_fixture {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_pages pages;
    struct hd_larges larges;
};

static void start(struct large_fixture *f, uint64_t limit_bytes)
{
    hd_os_fault_init(&f->os);
    hd_budget_init(&f->budget, limit_bytes);
    f->pages = (struct hd_pages){.os = &f->os.os, .budget = &f->budget};
    hd_larges_init(&f->larges, &f->pages, true);
}

static void stop(struct large_fixture *f)
{
    assert_sound(hd_larges_check(&f->larges));
    hd_larges_fini(&f->larges);
    assert_sound(hd_larges_check(&f->larges));
    assert_int_equal(f->larges.count, 0);
    assert_int_equal(f->budget.used_bytes, 0);
    assert_int_equal(f->os.mapped_bytes, 0);
}

static void a_large_block_is_known_by_its_address(void **state)
{
    (void)state;
    struct large_fixture f;
    start(&f, UINT64_MAX);
    for (size_t bytes = HD_LARGE_MIN_BYTES; bytes < (16u << 20); bytes = bytes * 3 / 2 + 1) {
        uint8_t *block = hd_larges_get(&f.larges, bytes);
        assert_non_null(block);
        assert_true(hd_span_is_large(block));
        assert_int_equal((uintptr_t)block % 16, 0);
        assert_true(hd_large_usable(block) == hd_large_round(bytes));
        block[0] = 1;
        block[bytes - 1] = 2;
        assert_sound(hd_larges_check(&f.larges));
    }
    stop(&f);
}

static void resizing_keeps_the_contents_and_the_list(void **state)
{
    (void)state;
    struct large_fixture f;
    start(&f, UINT64_MAX);
    uint8_t *blocks[3];
    for (int i = 0; i < 3; i++) {
        blocks[i] = hd_larges_get(&f.larges, HD_LARGE_MIN_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], i + 1, HD_LARGE_MIN_BYTES);
    }
    size_t bytes = HD_LARGE_MIN_BYTES;
    for (int step = 0; step < 5; step++) {
        bytes *= 3;
        for (int i = 0; i < 3; i++) {
            blocks[i] = hd_larges_resize(&f.larges, blocks[i], bytes);
            assert_non_null(blocks[i]);
            assert_int_equal(blocks[i][0], i + 1);
            assert_int_equal(blocks[i][HD_LARGE_MIN_BYTES - 1], i + 1);
            blocks[i][bytes - 1] = 9;
            assert_sound(hd_larges_check(&f.larges));
        }
    }
    for (int i = 0; i < 3; i++) {
        uint8_t *shrunk = hd_larges_resize(&f.larges, blocks[i], HD_LARGE_MIN_BYTES);
        assert_ptr_equal(shrunk, blocks[i]);
        assert_int_equal(shrunk[HD_LARGE_MIN_BYTES - 1], i + 1);
        assert_sound(hd_larges_check(&f.larges));
    }
    hd_larges_put(&f.larges, blocks[1]);
    assert_sound(hd_larges_check(&f.larges));
    stop(&f);
}

static void a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct large_fixture f;
    size_t mapped = hd_large_round(HD_LARGE_MIN_BYTES) + HD_LARGE_HEADER_BYTES;
    start(&f, 2 * mapped);
    uint8_t *block = hd_larges_get(&f.larges, HD_LARGE_MIN_BYTES);
    assert_non_null(block);
    memset(block, 5, HD_LARGE_MIN_BYTES);
    assert_null(hd_larges_resize(&f.larges, block, 4 * HD_LARGE_MIN_BYTES));
    assert_null(hd_larges_get(&f.larges, HD_LARGE_MIN_BYTES + mapped));
    hd_os_fault_arm(&f.os, 1, true);
    assert_null(hd_larges_resize(&f.larges, block, HD_LARGE_MIN_BYTES + 5000));
    assert_null(hd_larges_get(&f.larges, HD_LARGE_MIN_BYTES));
    assert_int_equal(f.budget.used_bytes, mapped);
    assert_int_equal(block[HD_LARGE_MIN_BYTES - 1], 5);
    stop(&f);
}

enum { MIB = 1 << 20 };

/* Given back is not yet released: it stays mapped and charged, and goes in slices, from its end. */
static void a_retired_block_is_released_in_slices(void **state)
{
    (void)state;
    for (int huge = 0; huge < 2; huge++) {
        struct large_fixture f;
        start(&f, UINT64_MAX);
        f.larges.huge_pages = huge;
        uint8_t *blocks[3];
        for (int i = 0; i < 3; i++) {
            blocks[i] = hd_larges_get(&f.larges, (size_t)(5 + i) * MIB);
            assert_non_null(blocks[i]);
            memset(blocks[i], 1, 5 * MIB);
        }
        uint64_t charged = f.budget.used_bytes;
        hd_larges_put(&f.larges, blocks[0]);
        hd_larges_put(&f.larges, blocks[2]);
        assert_int_equal(f.budget.used_bytes, charged);
        assert_int_equal(f.larges.count, 1);
        assert_int_equal(f.larges.retired_bytes + f.larges.mapped_bytes, charged);
        assert_sound(hd_larges_check(&f.larges));
        size_t slice = huge ? 2 * MIB : 64 << 10;
        unsigned steps = 0;
        for (bool more = true; more; steps++) {
            uint64_t before = f.budget.used_bytes;
            more = hd_larges_release(&f.larges, slice);
            assert_true(before - f.budget.used_bytes <= slice && before > f.budget.used_bytes);
            assert_int_equal(f.budget.used_bytes, f.os.mapped_bytes);
            assert_sound(hd_larges_check(&f.larges));
        }
        assert_true(steps >= 12 * MIB / slice);
        assert_int_equal(f.budget.used_bytes, f.larges.mapped_bytes);
        assert_false(hd_larges_release(&f.larges, slice));
        stop(&f);
    }
}

static void a_small_one_goes_at_once(void **state)
{
    (void)state;
    struct large_fixture f;
    start(&f, UINT64_MAX);
    hd_larges_put(&f.larges, hd_larges_get(&f.larges, HD_LARGE_MIN_BYTES));
    assert_null(f.larges.retired);
    assert_int_equal(f.budget.used_bytes, 0);
    stop(&f);
}

/* To cut a gigabyte off costs what cutting off a page does: the tail is retired where it lies. */
static void the_tail_that_is_cut_off_is_retired(void **state)
{
    (void)state;
    struct large_fixture f;
    start(&f, UINT64_MAX);
    uint8_t *block = hd_larges_get(&f.larges, 9 * MIB);
    assert_non_null(block);
    memset(block, 7, 9 * MIB);
    uint64_t charged = f.budget.used_bytes, calls = f.os.call_count;
    assert_ptr_equal(hd_larges_resize(&f.larges, block, 3 * MIB), block);
    assert_int_equal(f.os.call_count, calls);
    assert_int_equal(hd_large_usable(block), hd_large_round(3 * MIB));
    assert_int_equal(f.budget.used_bytes, charged);
    assert_sound(hd_larges_check(&f.larges));
    /* The block may grow again while its former tail is there. */
    block = hd_larges_resize(&f.larges, block, 20 * MIB);
    assert_non_null(block);
    assert_int_equal(block[3 * MIB - 1], 7);
    assert_int_equal(block[20 * MIB - 1], 0);
    assert_sound(hd_larges_check(&f.larges));
    while (hd_larges_release(&f.larges, MIB))
        assert_sound(hd_larges_check(&f.larges));
    assert_int_equal(f.budget.used_bytes, f.larges.mapped_bytes);
    assert_int_equal(f.budget.used_bytes, f.os.mapped_bytes);
    hd_larges_put(&f.larges, block);
    stop(&f);
}

/* Where the system will not shrink a mapping, it goes as a whole. */
static void a_refused_slice_goes_as_a_whole(void **state)
{
    (void)state;
    struct large_fixture f;
    start(&f, UINT64_MAX);
    hd_larges_put(&f.larges, hd_larges_get(&f.larges, 5 * MIB));
    hd_os_fault_arm(&f.os, 1, true);
    assert_false(hd_larges_release(&f.larges, MIB));
    assert_int_equal(f.budget.used_bytes, 0);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_block_is_known_by_its_address),
        cmocka_unit_test(resizing_keeps_the_contents_and_the_list),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(a_retired_block_is_released_in_slices),
        cmocka_unit_test(a_small_one_goes_at_once),
        cmocka_unit_test(the_tail_that_is_cut_off_is_retired),
        cmocka_unit_test(a_refused_slice_goes_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
