#include <string.h>

#include "alloc/arena.h"
#include "fixture.h"

struct arena_fixture {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_pages pages;
    struct hd_arenas arenas;
};

static void start(struct arena_fixture *f, uint64_t limit_bytes, size_t reserve_count, bool huge_pages)
{
    hd_os_fault_init(&f->os);
    hd_budget_init(&f->budget, limit_bytes);
    f->pages = (struct hd_pages){.os = &f->os.os, .budget = &f->budget};
    hd_arenas_init(&f->arenas, &f->pages, reserve_count, huge_pages);
}

static void stop(struct arena_fixture *f)
{
    assert_sound(hd_arenas_check(&f->arenas));
    hd_arenas_fini(&f->arenas);
    assert_int_equal(f->pages.mapped_bytes, 0);
    assert_int_equal(f->budget.used_bytes, 0);
    assert_int_equal(f->os.mapped_bytes, 0);
}

static struct hd_pool *take(struct arena_fixture *f, unsigned granule_count)
{
    struct hd_pool *pool = hd_arenas_take(&f->arenas, granule_count);
    assert_non_null(pool);
    assert_int_equal(pool->granule_count, granule_count);
    assert_sound(hd_arenas_check(&f->arenas));
    return pool;
}

static void give(struct arena_fixture *f, struct hd_pool *pool)
{
    hd_arenas_give(&f->arenas, pool);
    assert_sound(hd_arenas_check(&f->arenas));
}

static void every_address_of_a_run_finds_its_record(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 0, false);
    struct hd_pool *a = take(&f, 3);
    struct hd_pool *b = take(&f, 1);
    for (size_t offset = 0; offset < 3 * HD_GRANULE_BYTES; offset += 16)
        assert_ptr_equal(hd_pool_of(hd_pool_start(a) + offset), a);
    assert_ptr_equal(hd_pool_of(hd_pool_start(b)), b);
    assert_ptr_equal(hd_arena_of_pool(a), hd_span_of(hd_pool_start(a)));
    assert_false(hd_span_is_large(hd_pool_start(a)));
    give(&f, a);
    give(&f, b);
    stop(&f);
}

static void an_arena_is_used_to_the_last_granule(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 0, false);
    /* Of single granules, so that the records in granule 0 do not suffice where there are many granules. */
    unsigned count = 0;
    while (f.arenas.arena_count <= 1 && count < 1000) {
        take(&f, 1);
        count++;
    }
    unsigned records_in_front = (unsigned)(HD_GRANULE_BYTES - sizeof(struct hd_arena)) / sizeof(struct hd_pool);
    unsigned overhead = 1;
    while (records_in_front + (overhead - 1) * 64 < HD_ARENA_GRANULES - overhead)
        overhead++;
    assert_int_equal(count - 1, HD_ARENA_GRANULES - overhead);
    stop(&f);
}

static void the_fullest_arena_with_room_is_taken_from(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 8, false);
    enum { QUARTER = HD_ARENA_GRANULES / 4 };
    struct hd_pool *pools[3][3];
    for (int arena = 0; arena < 3; arena++) {
        for (int i = 0; i < 3; i++)
            pools[arena][i] = take(&f, QUARTER);
    }
    assert_int_equal(f.arenas.arena_count, 3);
    give(&f, pools[0][0]);
    give(&f, pools[2][0]);
    give(&f, pools[2][2]);
    /* Arena 1 has a rest at the end only, arena 0 a quarter more, arena 2 two quarters more. */
    struct hd_pool *small = take(&f, 2);
    assert_ptr_equal(hd_arena_of_pool(small), hd_arena_of_pool(pools[1][0]));
    struct hd_pool *big = take(&f, QUARTER);
    assert_ptr_equal(hd_arena_of_pool(big), hd_arena_of_pool(pools[0][1]));
    big = take(&f, QUARTER);
    assert_ptr_equal(hd_arena_of_pool(big), hd_arena_of_pool(pools[2][1]));
    stop(&f);
}

static void the_tightest_hole_is_filled_first(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 0, false);
    struct hd_pool *wide = take(&f, 3);
    struct hd_pool *wall = take(&f, 1);
    struct hd_pool *narrow = take(&f, 2);
    take(&f, 1);
    uint8_t *narrow_start = hd_pool_start(narrow);
    uint8_t *wide_start = hd_pool_start(wide);
    give(&f, wide);
    give(&f, narrow);
    assert_ptr_equal(hd_pool_start(take(&f, 2)), narrow_start);
    assert_ptr_equal(hd_pool_start(take(&f, 2)), wide_start);
    /* Holes side by side become one. */
    give(&f, wall);
    assert_ptr_equal(hd_pool_start(take(&f, 2)), wide_start + 2 * HD_GRANULE_BYTES);
    stop(&f);
}

static void empty_arenas_go_back_but_for_the_reserve(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 2, false);
    struct hd_pool *pools[20];
    for (int i = 0; i < 20; i++)
        pools[i] = take(&f, HD_ARENA_GRANULES / 4);
    uint64_t arena_count = f.arenas.arena_count;
    assert_true(arena_count >= 5);
    for (int i = 0; i < 20; i++)
        give(&f, pools[i]);
    /* Each takes the system long, so they wait for whoever has the time. */
    assert_int_equal(f.arenas.arena_count, arena_count);
    assert_int_equal(f.arenas.empty_count, arena_count);
    for (uint64_t left = arena_count; left > 2; left--) {
        assert_true(hd_arenas_have_spare(&f.arenas, 2));
        assert_true(hd_arenas_release(&f.arenas, 2));
        assert_int_equal(f.arenas.arena_count, left - 1);
        assert_sound(hd_arenas_check(&f.arenas));
    }
    assert_false(hd_arenas_have_spare(&f.arenas, 2));
    assert_false(hd_arenas_release(&f.arenas, 2));
    assert_int_equal(f.arenas.arena_count, 2);
    assert_int_equal(f.arenas.empty_count, 2);
    assert_int_equal(f.arenas.released_count, arena_count - 2);
    assert_int_equal(f.os.mapped_bytes, 2 * HD_ARENA_BYTES);
    assert_int_equal(hd_arenas_trim(&f.arenas), 2 * HD_ARENA_BYTES);
    assert_int_equal(f.arenas.arena_count, 0);
    assert_int_equal(hd_arenas_trim(&f.arenas), 0);
    stop(&f);
}

static void kept_arenas_stay(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, UINT64_MAX, 0, false);
    assert_int_equal(hd_arenas_keep(&f.arenas, 3), 0);
    assert_int_equal(f.arenas.arena_count, 3);
    assert_sound(hd_arenas_check(&f.arenas));
    assert_int_equal(hd_arenas_trim(&f.arenas), 0);
    struct hd_pool *pools[20];
    for (int i = 0; i < 20; i++)
        pools[i] = take(&f, HD_ARENA_GRANULES / 4);
    for (int i = 0; i < 20; i++)
        give(&f, pools[i]);
    while (hd_arenas_release(&f.arenas, 0))
        ;
    assert_int_equal(f.arenas.arena_count, 3);
    stop(&f);
}

static void a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct arena_fixture f;
    start(&f, 2 * HD_ARENA_BYTES, 0, false);
    hd_os_fault_arm(&f.os, 1, false);
    assert_null(hd_arenas_take(&f.arenas, 1));
    assert_int_equal(f.budget.used_bytes, 0);
    assert_int_equal(f.arenas.arena_count, 0);
    unsigned count = 0;
    while (hd_arenas_take(&f.arenas, HD_ARENA_GRANULES / 4))
        count++;
    assert_int_equal(f.arenas.arena_count, 2);
    assert_int_equal(count, 6);
    assert_int_equal(f.budget.refused_count, 1);
    assert_non_null(take(&f, 1));
    assert_int_equal(hd_arenas_keep(&f.arenas, 3), HD_ENOMEM);
    stop(&f);
}

static void huge_pages_map_arenas_in_groups_where_the_limit_allows(void **state)
{
    (void)state;
    struct arena_fixture f;
    uint64_t group = HD_ARENA_BYTES < (2u << 20) ? (2u << 20) / HD_ARENA_BYTES : 1;
    start(&f, (group + 1) * HD_ARENA_BYTES, 0, true);
    struct hd_pool *first = take(&f, HD_ARENA_GRANULES / 4);
    assert_int_equal(f.arenas.arena_count, group);
    assert_int_equal((uintptr_t)hd_arena_of_pool(first) % (group * HD_ARENA_BYTES), 0);
    while (hd_arenas_take(&f.arenas, HD_ARENA_GRANULES / 4))
        assert_sound(hd_arenas_check(&f.arenas));
    assert_int_equal(f.arenas.arena_count, group + 1);
    stop(&f);
}

static void random_runs_keep_the_books(void **state)
{
    (void)state;
    uint64_t seed = hd_test_seed("alloc_arena");
    struct arena_fixture f;
    start(&f, UINT64_MAX, 1, false);
    enum { LIVE = 300 };
    static struct hd_pool *pools[LIVE];
    static uint8_t *starts[LIVE];
    static uint8_t counts[LIVE];
    memset(pools, 0, sizeof pools);
    for (int step = 0; step < 20000; step++) {
        size_t slot = hd_test_random(&seed) % LIVE;
        if (pools[slot]) {
            assert_ptr_equal(hd_pool_start(pools[slot]), starts[slot]);
            assert_int_equal(pools[slot]->granule_count, counts[slot]);
            hd_arenas_give(&f.arenas, pools[slot]);
            pools[slot] = NULL;
        } else {
            uint64_t word = hd_test_random(&seed);
            unsigned most = word % 8 ? 4 : HD_ARENA_GRANULES / 4;
            counts[slot] = (uint8_t)(1 + (word >> 8) % most);
            pools[slot] = hd_arenas_take(&f.arenas, counts[slot]);
            assert_non_null(pools[slot]);
            starts[slot] = hd_pool_start(pools[slot]);
        }
        if (step % 16 == 0)
            assert_sound(hd_arenas_check(&f.arenas));
    }
    for (int slot = 0; slot < LIVE; slot++) {
        if (pools[slot])
            give(&f, pools[slot]);
    }
    while (hd_arenas_release(&f.arenas, 1))
        ;
    assert_int_equal(f.arenas.arena_count, 1);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_of_a_run_finds_its_record),
        cmocka_unit_test(an_arena_is_used_to_the_last_granule),
        cmocka_unit_test(the_fullest_arena_with_room_is_taken_from),
        cmocka_unit_test(the_tightest_hole_is_filled_first),
        cmocka_unit_test(empty_arenas_go_back_but_for_the_reserve),
        cmocka_unit_test(kept_arenas_stay),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(huge_pages_map_arenas_in_groups_where_the_limit_allows),
        cmocka_unit_test(random_runs_keep_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
