/* Emptying arenas: what is chosen, what stays, and that they go back when their blocks have moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc_internal.h"
#include "fixture.h"

struct blocks {
    struct fixture f;
    uint8_t **at; /* NULL: freed */
    size_t *bytes;
    uint32_t count;
    uint64_t random;
    bool failing; /* every allocation fails */
};

static bool fault(void *context)
{
    return ((struct blocks *)context)->failing;
}

static uint8_t fill_of(uint32_t i)
{
    return (uint8_t)(i * 31 + 7);
}

static uint32_t below(struct blocks *b, uint32_t limit)
{
    return (uint32_t)(hd_test_random(&b->random) % limit);
}

static void take(struct blocks *b, uint32_t i)
{
    uint32_t most = below(b, 50) ? 512 : HD_MEDIUM_MAX_BYTES + 3 * HD_GRANULE_BYTES;
    b->bytes[i] = 1 + below(b, most);
    b->at[i] = hd_alloc_get(b->f.alloc, b->bytes[i]);
    assert_non_null(b->at[i]);
    memset(b->at[i], fill_of(i), b->bytes[i]);
}

static void start(struct blocks *b, uint32_t count, uint64_t limit_bytes)
{
    memset(b, 0, sizeof *b);
    b->random = hd_test_seed("alloc_evacuate");
    fixture_init(&b->f, limit_bytes);
    struct hd_alloc_config config = {.reserve_arena_count = 2, .fault = fault, .fault_context = b};
    fixture_start(&b->f, &config);
    b->count = count;
    b->at = calloc(count, sizeof *b->at);
    b->bytes = calloc(count, sizeof *b->bytes);
    assert_true(b->at && b->bytes);
    for (uint32_t i = 0; i < count; i++)
        take(b, i);
}

static void drop(struct blocks *b, uint32_t i)
{
    if (b->at[i])
        hd_alloc_put(b->f.alloc, b->at[i]);
    b->at[i] = NULL;
}

static void drop_share(struct blocks *b, uint32_t percent)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (below(b, 100) < percent)
            drop(b, i);
}

static void check(struct blocks *b)
{
    assert_sound(hd_alloc_check(b->f.alloc));
}

static void stop(struct blocks *b)
{
    check(b);
    for (uint32_t i = 0; i < b->count; i++) {
        for (size_t k = 0; b->at[i] && k < b->bytes[i]; k++)
            assert_int_equal(b->at[i][k], fill_of(i));
        drop(b, i);
    }
    hd_alloc_trim(b->f.alloc);
    check(b);
    struct hd_alloc_stats stats;
    hd_alloc_stats(b->f.alloc, &stats);
    assert_int_equal(stats.live_bytes, 0);
    assert_int_equal(stats.arena_count, 0);
    free(b->at);
    free(b->bytes);
    fixture_fini(&b->f);
}

static struct hd_alloc_stats stats_of(struct blocks *b)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(b->f.alloc, &stats);
    return stats;
}

static void choose_all(struct blocks *b)
{
    hd_alloc_evacuate_begin(b->f.alloc, 0);
    while (hd_alloc_evacuate_choose(b->f.alloc, 1))
        check(b);
    check(b);
}

/* Live bytes of blocks that are leaving. */
static uint64_t leaving_bytes(struct blocks *b)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (b->at[i] && hd_alloc_is_leaving(b->at[i]))
            sum += hd_alloc_usable(b->at[i]);
    return sum;
}

static bool move(struct blocks *b, uint32_t i)
{
    if (!b->at[i] || !hd_alloc_is_leaving(b->at[i]))
        return true;
    size_t usable = hd_alloc_usable(b->at[i]);
    uint8_t *moved = hd_alloc_move(b->f.alloc, b->at[i]);
    if (!moved)
        return false;
    assert_int_equal(hd_alloc_usable(moved), usable);
    assert_false(hd_alloc_is_leaving(moved));
    b->at[i] = moved;
    return true;
}

static void end_all(struct blocks *b)
{
    while (hd_alloc_evacuate_end(b->f.alloc, 1))
        check(b);
    check(b);
    assert_int_equal(leaving_bytes(b), 0);
}

static void chosen_arenas_empty_and_go_back(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 40000, UINT64_MAX);
    drop_share(&b, 90);
    uint64_t before = stats_of(&b).arena_count;
    choose_all(&b);
    assert_true(hd_alloc_evacuate_bytes(b.f.alloc) > 0);
    assert_int_equal(hd_alloc_evacuate_bytes(b.f.alloc), leaving_bytes(&b));
    struct hd_alloc_moved from, to;
    hd_alloc_moved(b.f.alloc, &from);
    for (uint32_t i = 0; i < b.count; i++) {
        assert_true(move(&b, i));
        if (i % 2000 == 0)
            check(&b);
    }
    hd_alloc_moved(b.f.alloc, &to);
    assert_int_equal(to.bytes - from.bytes, hd_alloc_evacuate_bytes(b.f.alloc));
    hd_alloc_trim(b.f.alloc);
    /* Nothing was left behind: every arena that was chosen is gone. */
    for (unsigned run = 0; run <= HD_ARENA_LONGEST_MAX; run++)
        assert_null(b.f.alloc->arenas.lists[HD_ARENA_FILL_LEAVING][run]);
    end_all(&b);
    assert_true(stats_of(&b).arena_count < before);
    hd_alloc_moved(b.f.alloc, &to);
    assert_true(to.arena_count > from.arena_count);
    stop(&b);
}

static void a_dense_heap_is_left_alone(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 1, UINT64_MAX);
    /* Blocks that fill their pools: what is free is the tail of the last arena. */
    enum { COUNT = 3000 };
    uint8_t *full[COUNT];
    for (int i = 0; i < COUNT; i++) {
        full[i] = hd_alloc_get(b.f.alloc, 512);
        assert_non_null(full[i]);
    }
    choose_all(&b);
    uint64_t limit = 5 * HD_ARENA_BYTES;
    assert_true(hd_alloc_evacuate_bytes(b.f.alloc) <= limit);
    end_all(&b);
    for (int i = 0; i < COUNT; i++)
        hd_alloc_put(b.f.alloc, full[i]);
    stop(&b);
}

static void what_does_not_move_stays(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 20000, UINT64_MAX);
    drop_share(&b, 80);
    choose_all(&b);
    for (uint32_t i = 0; i < b.count; i += 2)
        assert_true(move(&b, i));
    end_all(&b);
    /* And takes blocks again, also from pools that had been full. */
    for (uint32_t i = 0; i < b.count; i++)
        if (!b.at[i])
            take(&b, i);
    stop(&b);
}

/* Blocks come and go while arenas are being emptied. */
static void others_go_on_meanwhile(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 20000, UINT64_MAX);
    for (int round = 0; round < 6; round++) {
        drop_share(&b, 70);
        hd_alloc_evacuate_begin(b.f.alloc, 0);
        bool choosing = true;
        for (uint32_t next = 0; next < b.count;) {
            for (uint32_t times = below(&b, 30); times; times--) {
                uint32_t i = below(&b, b.count);
                if (b.at[i]) {
                    drop(&b, i);
                } else {
                    take(&b, i);
                    assert_false(hd_alloc_is_leaving(b.at[i]));
                }
            }
            if (choosing)
                choosing = hd_alloc_evacuate_choose(b.f.alloc, 1 + below(&b, 3));
            else
                for (uint32_t times = below(&b, 200); times && next < b.count; times--)
                    assert_true(move(&b, next++));
            if (below(&b, 50) == 0)
                check(&b);
            if (below(&b, 200) == 0)
                hd_alloc_trim(b.f.alloc);
        }
        end_all(&b);
    }
    stop(&b);
}

/* A round may be ended before it has begun to choose, or in the middle. */
static void a_round_can_end_at_any_time(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 10000, UINT64_MAX);
    drop_share(&b, 85);
    assert_false(hd_alloc_evacuate_end(b.f.alloc, 1));
    hd_alloc_evacuate_begin(b.f.alloc, 0);
    end_all(&b);
    hd_alloc_evacuate_begin(b.f.alloc, 0);
    hd_alloc_evacuate_choose(b.f.alloc, 2);
    end_all(&b);
    choose_all(&b);
    /* All arenas go while some are leaving. */
    for (uint32_t i = 0; i < b.count; i++)
        drop(&b, i);
    hd_alloc_trim(b.f.alloc);
    check(&b);
    assert_int_equal(stats_of(&b).arena_count, 0);
    assert_false(hd_alloc_evacuate_choose(b.f.alloc, 1));
    end_all(&b);
    stop(&b);
}

static void a_refused_move_changes_nothing(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 10000, UINT64_MAX);
    drop_share(&b, 85);
    choose_all(&b);
    uint64_t leaving = leaving_bytes(&b);
    assert_true(leaving > 0);
    b.failing = true;
    for (uint32_t i = 0; i < b.count; i++)
        assert_true(!b.at[i] || !hd_alloc_is_leaving(b.at[i]) || !move(&b, i));
    b.failing = false;
    assert_int_equal(leaving_bytes(&b), leaving);
    end_all(&b);
    stop(&b);
}

/* What was allocated in advance is emptied too, but does not go back. */
static void kept_arenas_stay_mapped(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, UINT64_MAX);
    struct hd_alloc_config config = {.preallocate_bytes = 8 * HD_ARENA_BYTES};
    fixture_start(&f, &config);
    enum { COUNT = 8 * (HD_ARENA_BYTES - 2 * HD_POOL_BYTES) / 256 };
    uint8_t **blocks = calloc(COUNT, sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(blocks[i] = hd_alloc_get(f.alloc, 256));
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 16) {
            hd_alloc_put(f.alloc, blocks[i]);
            blocks[i] = NULL;
        }
    }
    hd_alloc_evacuate_begin(f.alloc, 0);
    while (hd_alloc_evacuate_choose(f.alloc, 1))
        ;
    assert_true(hd_alloc_evacuate_bytes(f.alloc) > 0);
    for (size_t i = 0; i < COUNT; i++)
        if (blocks[i] && hd_alloc_is_leaving(blocks[i]))
            assert_non_null(blocks[i] = hd_alloc_move(f.alloc, blocks[i]));
    hd_alloc_trim(f.alloc);
    while (hd_alloc_evacuate_end(f.alloc, 1))
        ;
    assert_sound(hd_alloc_check(f.alloc));
    struct hd_alloc_stats stats;
    hd_alloc_stats(f.alloc, &stats);
    assert_int_equal(stats.arena_count, 8);
    assert_true(stats.arena_free_count >= 4);
    for (size_t i = 0; i < COUNT; i++)
        if (blocks[i])
            hd_alloc_put(f.alloc, blocks[i]);
    free(blocks);
    fixture_fini(&f);
}

static void large_blocks_never_leave(void **state)
{
    (void)state;
    struct blocks b;
    start(&b, 100, UINT64_MAX);
    uint8_t *large = hd_alloc_get(b.f.alloc, HD_LARGE_MIN_BYTES);
    assert_non_null(large);
    drop_share(&b, 90);
    choose_all(&b);
    assert_false(hd_alloc_is_leaving(large));
    end_all(&b);
    hd_alloc_put(b.f.alloc, large);
    stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_arenas_empty_and_go_back), cmocka_unit_test(a_dense_heap_is_left_alone),
        cmocka_unit_test(what_does_not_move_stays),        cmocka_unit_test(others_go_on_meanwhile),
        cmocka_unit_test(a_round_can_end_at_any_time),     cmocka_unit_test(a_refused_move_changes_nothing),
        cmocka_unit_test(kept_arenas_stay_mapped),         cmocka_unit_test(large_blocks_never_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
