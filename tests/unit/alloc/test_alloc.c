#include <string.h>

#include "alloc/poison.h"
#include "alloc/size_class.h"
#include "fixture.h"

static const struct hd_alloc_config plain = {.reserve_arena_count = 2};

static void sizes_that_matter(size_t *out, size_t *count)
{
    const size_t around[] = {16,
                             HD_SMALL_MAX_BYTES,
                             1024,
                             4096,
                             HD_MEDIUM_MAX_BYTES,
                             HD_LARGE_MIN_BYTES - 1,
                             HD_LARGE_MIN_BYTES,
                             HD_ARENA_BYTES,
                             3 * HD_ARENA_BYTES};
    *count = 0;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        out[(*count)++] = around[i] - 1;
        out[(*count)++] = around[i];
        out[(*count)++] = around[i] + 1;
    }
}

static void every_size_gets_an_aligned_block_that_can_be_filled(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    size_t sizes[64];
    size_t count;
    sizes_that_matter(sizes, &count);
    uint8_t *blocks[64];
    uint64_t live_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = hd_alloc_get(f.alloc, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_int_equal(hd_alloc_usable(blocks[i]), hd_alloc_round(sizes[i]));
        assert_int_equal(hd_alloc_is_large(blocks[i]), sizes[i] >= HD_LARGE_MIN_BYTES);
        memset(blocks[i], (int)i, hd_alloc_usable(blocks[i]));
        live_bytes += hd_alloc_usable(blocks[i]);
        assert_sound(hd_alloc_check(f.alloc));
    }
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.alloc, &stats);
    assert_int_equal(stats.live_count, count);
    assert_int_equal(stats.live_bytes, live_bytes);
    assert_int_equal(stats.allocations_count, count);
    assert_int_equal(stats.mapped_bytes, f.os.mapped_bytes);
    assert_int_equal(stats.mapped_bytes, stats.arena_count * HD_ARENA_BYTES + stats.large_bytes);
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < sizes[i]; at += 61)
            assert_int_equal(blocks[i][at], (uint8_t)i);
        hd_alloc_put(f.alloc, blocks[i]);
        assert_sound(hd_alloc_check(f.alloc));
        hd_alloc_stats(f.alloc, &stats);
        assert_int_equal(stats.live_count, count - 1 - i);
    }
    assert_int_equal(stats.live_bytes, 0);
    fixture_fini(&f);
}

static void resize_keeps_contents_between_all_kinds(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    size_t sizes[64];
    size_t count;
    sizes_that_matter(sizes, &count);
    for (size_t from = 0; from < count; from++) {
        for (size_t to = 0; to < count; to++) {
            uint8_t *block = hd_alloc_get(f.alloc, sizes[from]);
            assert_non_null(block);
            memset(block, 0x5a, sizes[from]);
            uint8_t *resized = hd_alloc_resize(f.alloc, block, sizes[to]);
            assert_non_null(resized);
            assert_int_equal(hd_alloc_usable(resized), hd_alloc_round(sizes[to]));
            size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            for (size_t at = 0; at < kept; at += kept < 97 ? 1 : kept / 97)
                assert_int_equal(resized[at], 0x5a);
            if (hd_alloc_round(sizes[from]) == hd_alloc_round(sizes[to]))
                assert_ptr_equal(resized, block);
            hd_alloc_put(f.alloc, resized);
        }
        assert_sound(hd_alloc_check(f.alloc));
    }
    fixture_fini(&f);
}

static void a_request_beyond_all_reason_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    assert_null(hd_alloc_get(f.alloc, SIZE_MAX));
    assert_null(hd_alloc_get(f.alloc, HD_LARGE_MAX_BYTES + 1));
    void *block = hd_alloc_get(f.alloc, HD_LARGE_MIN_BYTES);
    assert_null(hd_alloc_resize(f.alloc, block, SIZE_MAX));
    assert_sound(hd_alloc_check(f.alloc));
    fixture_fini(&f);
}

static void the_limit_holds_and_room_that_comes_free_is_found(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t limit = 4 * HD_ARENA_BYTES + (256u << 10);
    fixture_init(&f, limit);
    fixture_start(&f, &plain);
    static void *blocks[100000];
    const size_t sizes[] = {40, 512, 3000, HD_LARGE_MIN_BYTES - 1, HD_LARGE_MIN_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t count = 0;
        while ((blocks[count] = hd_alloc_get(f.alloc, sizes[i])))
            count++;
        assert_true(count > 0);
        assert_true(f.budget.used_bytes <= limit);
        assert_sound(hd_alloc_check(f.alloc));
        for (size_t round = 0; round < 50; round++) {
            size_t victim = round * 31 % count;
            hd_alloc_put(f.alloc, blocks[victim]);
            blocks[victim] = hd_alloc_get(f.alloc, sizes[i]);
            assert_non_null(blocks[victim]);
        }
        /* Everything is free again for the next size: nothing that is kept for speed stands in its way. */
        for (size_t n = 0; n < count; n++)
            hd_alloc_put(f.alloc, blocks[n]);
        assert_sound(hd_alloc_check(f.alloc));
    }
    fixture_fini(&f);
}

static void memory_goes_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    enum { COUNT = 50000 };
    static void *blocks[COUNT];
    uint64_t seed = hd_test_seed("alloc memory_goes_back");
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = hd_alloc_get(f.alloc, 16 + hd_test_random(&seed) % 497);
        assert_non_null(blocks[i]);
    }
    for (int i = COUNT - 1; i > 0; i--) {
        size_t other = hd_test_random(&seed) % (size_t)(i + 1);
        void *swapped = blocks[i];
        blocks[i] = blocks[other];
        blocks[other] = swapped;
    }
    for (int i = 0; i < COUNT; i++)
        hd_alloc_put(f.alloc, blocks[i]);
    assert_sound(hd_alloc_check(f.alloc));
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.alloc, &stats);
    /* Each class may hold on to its current pool, the queue to a few, and caches to those of a few blocks. */
    assert_int_equal(stats.live_count, 0);
    unsigned cached_count = HD_POOL_BYTES < ((size_t)16 << 10) ? 4 : 0; /* smaller pools, more of them */
    assert_true(stats.pool_used_count <= HD_SMALL_CLASSES * (1 + cached_count) + 16);
    size_t trimmed = hd_alloc_trim(f.alloc);
    assert_int_equal(trimmed, stats.mapped_bytes);
    hd_alloc_stats(f.alloc, &stats);
    assert_int_equal(stats.mapped_bytes, 0);
    assert_int_equal(stats.arena_count, 0);
    assert_int_equal(stats.pool_used_count + stats.pool_full_count, 0);
    assert_int_equal(stats.arenas_mapped_count, stats.arenas_released_count);
    fixture_fini(&f);
}

static void what_was_preallocated_stays(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    struct hd_alloc_config config = {.preallocate_bytes = 2 * HD_ARENA_BYTES + 1};
    fixture_start(&f, &config);
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.alloc, &stats);
    assert_int_equal(stats.arena_count, 3);
    assert_int_equal(stats.arena_free_count, 3);
    assert_true(stats.pool_empty_count > 0);
    hd_alloc_put(f.alloc, hd_alloc_get(f.alloc, 100));
    assert_int_equal(hd_alloc_trim(f.alloc), 0);
    fixture_fini(&f);
}

static void a_new_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_alloc *none = NULL;
    struct hd_alloc_config config = {.preallocate_bytes = 4 * HD_ARENA_BYTES};
    fixture_init(&f, 2 * HD_ARENA_BYTES);
    assert_int_equal(hd_alloc_new(&f.os.os, &f.budget, &f.account.allocator, &config, &none), HD_ENOMEM);
    assert_null(none);
    assert_int_equal(f.budget.used_bytes, 0);
    f.budget.limit_bytes = 100;
    assert_int_equal(hd_alloc_new(&f.os.os, &f.budget, &f.account.allocator, &plain, &none), HD_ENOMEM);
    f.os.os.page_bytes = 65536;
    f.budget.limit_bytes = UINT64_MAX;
    assert_int_equal(hd_alloc_new(&f.os.os, &f.budget, &f.account.allocator, &plain, &none), HD_ESYSTEM);
    assert_null(none);
    hd_alloc_free(NULL);
    fixture_fini(&f);
}

static bool countdown(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

/* A short scenario, over and over, with the n-th request failing, until it passes. */
static void each_request_failing_in_turn_changes_nothing(void **state)
{
    (void)state;
    const size_t sizes[] = {24, 24, 700, HD_LARGE_MIN_BYTES - 1, HD_LARGE_MIN_BYTES, 3 * HD_ARENA_BYTES};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    bool passed = false;
    for (int n = 0; !passed; n++) {
        int left = n;
        struct fixture f;
        struct hd_alloc_config config = {.reserve_arena_count = 1, .fault = countdown, .fault_context = &left};
        fixture_init(&f, UINT64_MAX);
        fixture_start(&f, &config);
        uint8_t *blocks[COUNT] = {0};
        size_t done = 0;
        while (done < COUNT && (blocks[done] = hd_alloc_get(f.alloc, sizes[done]))) {
            memset(blocks[done], 1, sizes[done]);
            done++;
        }
        for (size_t i = 0; i < done; i++) {
            uint8_t *resized = hd_alloc_resize(f.alloc, blocks[i], 2 * sizes[i] + 1);
            if (resized)
                blocks[i] = resized;
            assert_int_equal(blocks[i][0], 1);
            assert_int_equal(blocks[i][sizes[i] - 1], 1);
        }
        struct hd_alloc_stats stats;
        hd_alloc_stats(f.alloc, &stats);
        assert_int_equal(stats.live_count, done);
        assert_sound(hd_alloc_check(f.alloc));
        for (size_t i = 0; i < done; i++)
            hd_alloc_put(f.alloc, blocks[i]);
        hd_alloc_trim(f.alloc);
        assert_sound(hd_alloc_check(f.alloc));
        assert_int_equal(f.os.mapped_bytes, 0);
        fixture_fini(&f);
        passed = left >= 0;
    }
}

static void each_mapping_failing_in_turn_changes_nothing(void **state)
{
    (void)state;
    bool passed = false;
    for (uint64_t n = 1; !passed; n++) {
        struct fixture f;
        fixture_init(&f, UINT64_MAX);
        fixture_start(&f, &plain);
        hd_os_fault_arm(&f.os, n, true);
        uint8_t *blocks[24] = {0};
        uint64_t live = 0;
        for (size_t i = 0; i < 24; i++) {
            size_t bytes = i % 3 == 2 ? HD_LARGE_MIN_BYTES : HD_ARENA_BYTES / 4 - 4096;
            blocks[i] = hd_alloc_get(f.alloc, bytes);
            if (!blocks[i])
                continue;
            live++;
            memset(blocks[i], 3, bytes);
            if (i % 3 == 2) {
                uint8_t *grown = hd_alloc_resize(f.alloc, blocks[i], 2 * bytes);
                blocks[i] = grown ? grown : blocks[i];
                assert_int_equal(blocks[i][bytes - 1], 3);
            }
        }
        struct hd_alloc_stats stats;
        hd_alloc_stats(f.alloc, &stats);
        assert_int_equal(stats.live_count, live);
        assert_int_equal(stats.mapped_bytes, f.os.mapped_bytes);
        assert_sound(hd_alloc_check(f.alloc));
        passed = f.os.failed_count == 0;
        fixture_fini(&f);
    }
}

static void class_rows_add_up_to_the_whole(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    for (size_t bytes = 1; bytes < HD_LARGE_MIN_BYTES; bytes += 1 + bytes / 20)
        assert_non_null(hd_alloc_get(f.alloc, bytes));
    struct hd_alloc_class_stats rows[200];
    size_t count = hd_alloc_class_stats(f.alloc, NULL);
    assert_true(count <= 200);
    assert_int_equal(hd_alloc_class_stats(f.alloc, rows), count);
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.alloc, &stats);
    uint64_t live = 0;
    uint64_t pools = 0;
    for (size_t i = 0; i < count; i++) {
        live += rows[i].live_count;
        pools += rows[i].pool_used_count + rows[i].pool_full_count;
        assert_true(rows[i].live_count <=
                    rows[i].blocks_per_pool * (rows[i].pool_used_count + rows[i].pool_full_count));
        if (i + 1 < count)
            assert_int_equal(rows[i].block_bytes, hd_alloc_round(rows[i].block_bytes));
    }
    assert_int_equal(live, stats.live_count);
    assert_int_equal(pools, stats.pool_used_count + stats.pool_full_count);
    fixture_fini(&f);
}

static void freed_blocks_are_poisoned(void **state)
{
    (void)state;
#ifdef HD_POISON_ENABLED
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    fixture_start(&f, &plain);
    uint8_t *small = hd_alloc_get(f.alloc, 40);
    uint8_t *run = hd_alloc_get(f.alloc, HD_LARGE_MIN_BYTES - 1);
    assert_false(__asan_address_is_poisoned(small));
    assert_false(__asan_address_is_poisoned(small + 47));
    assert_true(__asan_address_is_poisoned(small + 48));
    assert_false(__asan_address_is_poisoned(run));
    hd_alloc_put(f.alloc, small);
    hd_alloc_put(f.alloc, run);
    assert_true(__asan_address_is_poisoned(small));
    assert_true(__asan_address_is_poisoned(run + 4096));
    fixture_fini(&f);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_gets_an_aligned_block_that_can_be_filled),
        cmocka_unit_test(resize_keeps_contents_between_all_kinds),
        cmocka_unit_test(a_request_beyond_all_reason_is_refused),
        cmocka_unit_test(the_limit_holds_and_room_that_comes_free_is_found),
        cmocka_unit_test(memory_goes_back),
        cmocka_unit_test(what_was_preallocated_stays),
        cmocka_unit_test(a_new_that_fails_leaves_nothing),
        cmocka_unit_test(each_request_failing_in_turn_changes_nothing),
        cmocka_unit_test(each_mapping_failing_in_turn_changes_nothing),
        cmocka_unit_test(class_rows_add_up_to_the_whole),
        cmocka_unit_test(freed_blocks_are_poisoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
