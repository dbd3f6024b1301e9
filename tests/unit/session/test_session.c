#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "session/session.h"

struct world {
    struct hd_heap *heap;
    struct hd_session session;
    bool failing;
};

static bool fault(void *context)
{
    return ((struct world *)context)->failing;
}

static int set_up(void **state)
{
    static struct world world;
    struct hd_heap_config config;
    memset(&world, 0, sizeof world);
    hd_heap_config_default(&config);
    config.fault = fault;
    config.fault_context = &world;
    assert_int_equal(hd_heap_new(hd_os_linux(), &config, &world.heap), 0);
    hd_session_init(&world.session, world.heap, 7, 100);
    *state = &world;
    return 0;
}

static void check(struct world *world)
{
    const char *broken = hd_session_check(&world->session);
    if (!broken)
        broken = hd_heap_check(world->heap, &hd_allocator_libc);
    assert_null(broken);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    world->failing = false;
    check(world);
    hd_session_close(&world->session);
    while (hd_session_close_step(&world->session, 3))
        ;
    hd_session_fini(&world->session);
    struct hd_collection ignored;
    assert_int_equal(hd_heap_collect(world->heap, 2, &ignored), 0);
    assert_null(hd_heap_check(world->heap, &hd_allocator_libc));
    hd_heap_free(world->heap);
    return 0;
}

static hd_value new_list(struct world *world)
{
    hd_value list = HD_ABSENT;
    assert_int_equal(hd_list_new(&world->heap->objects, 0, &list), 0);
    return list;
}

static void fill(struct world *world, hd_handle handle)
{
    hd_value list = new_list(world);
    assert_int_equal(hd_session_prepare(&world->session, handle), 0);
    hd_session_fill(&world->session, handle, list);
}

static int get(struct world *world, hd_handle handle, uint64_t *failed_request)
{
    hd_value value;
    return hd_session_get(&world->session, handle, &value, failed_request);
}

static void expect(struct world *world, hd_handle handle, int wanted)
{
    uint64_t failed = 0;
    assert_int_equal(get(world, handle, &failed), wanted);
}

static void expect_failed(struct world *world, hd_handle handle, uint64_t request)
{
    uint64_t failed = 0;
    assert_int_equal(get(world, handle, &failed), HD_EABORTED);
    assert_int_equal(failed, request);
}

static void holds_and_releases(void **state)
{
    struct world *world = *state;
    hd_handle handle = hd_handle_make(5, 1);
    uint64_t failed;
    hd_value value = HD_ABSENT;
    fill(world, handle);
    assert_int_equal(hd_session_get(&world->session, handle, &value, &failed), 0);
    assert_int_equal(hd_kind_of(&world->heap->objects, value), HD_IS_LIST);
    assert_int_equal(world->session.handle_count, 1);
    check(world);
    assert_int_equal(hd_session_release(&world->session, handle, &failed), 0);
    assert_int_equal(world->session.handle_count, 0);
    expect(world, handle, HD_EHANDLE_STALE);
    assert_int_equal(hd_session_release(&world->session, handle, &failed), HD_EHANDLE_STALE);
}

static void tells_wrong_handles_apart(void **state)
{
    struct world *world = *state;
    fill(world, hd_handle_make(5, 2));
    expect(world, 0, HD_EHANDLE_UNKNOWN);
    expect(world, hd_handle_make(0, 1), HD_EHANDLE_UNKNOWN);
    expect(world, hd_handle_make(6, 0), HD_EHANDLE_UNKNOWN);
    expect(world, hd_handle_make(99, 1), HD_EHANDLE_UNKNOWN);
    expect(world, hd_handle_make(UINT32_MAX, UINT32_MAX), HD_EHANDLE_UNKNOWN);
    expect(world, hd_handle_make(5, 1), HD_EHANDLE_STALE);
    expect(world, hd_handle_make(5, 3), HD_EHANDLE_UNKNOWN);
}

static void refuses_slots_that_cannot_take_a_result(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    uint64_t failed;
    assert_int_equal(hd_session_prepare(session, 0), HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(100, 1)), HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(99, 0)), 0);
    fill(world, hd_handle_make(5, 2));
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 3)), HD_ESLOT_OCCUPIED);
    assert_int_equal(hd_session_release(session, hd_handle_make(5, 2), &failed), 0);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 2)), HD_ESLOT_GENERATION);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 1)), HD_ESLOT_GENERATION);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 9)), 0);
    fill(world, hd_handle_make(5, 9));
    expect(world, hd_handle_make(5, 9), 0);
}

static void preparing_changes_nothing(void **state)
{
    struct world *world = *state;
    assert_int_equal(hd_session_prepare(&world->session, hd_handle_make(8, 4)), 0);
    expect(world, hd_handle_make(8, 4), HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_prepare(&world->session, hd_handle_make(8, 0)), 0);
}

static void a_range_is_prepared_as_one(void **state)
{
    struct world *world = *state;
    hd_handle bad = 0;
    fill(world, hd_handle_make(20, 1));
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(10, 1), 10, &bad), 0);
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(10, 1), 11, &bad), HD_ESLOT_OCCUPIED);
    assert_int_equal(bad, hd_handle_make(20, 1));
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(90, 1), 11, &bad), HD_EHANDLE_UNKNOWN);
    assert_int_equal(bad, hd_handle_make(100, 1));
    bad = 0;
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(UINT32_MAX, 1), 3, &bad),
                     HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(0, 1), 3, &bad), HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_prepare_range(&world->session, hd_handle_make(0, 1), 0, &bad), 0);
}

static void a_pending_slot_waits(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    hd_handle handle = hd_handle_make(3, 1);
    uint64_t failed;
    assert_int_equal(hd_session_prepare(session, handle), 0);
    hd_session_pend(session, handle, 77);
    check(world);
    expect(world, handle, HD_ESLOT_PENDING);
    assert_int_equal(hd_session_prepare(session, hd_handle_make(3, 2)), HD_ESLOT_PENDING);
    assert_int_equal(hd_session_release(session, handle, &failed), HD_ESLOT_PENDING);
    hd_session_fill(session, handle, new_list(world));
    expect(world, handle, 0);
    assert_int_equal(session->pending_count, 0);
}

static void a_slot_that_stayed_free_takes_the_same_handle(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    const hd_handle handles[] = {hd_handle_make(3, 0), hd_handle_make(4, 1), hd_handle_make(5, 8)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(hd_session_prepare(session, handles[i]), 0);
        hd_session_pend(session, handles[i], 1);
        hd_session_unpend(session, handles[i]);
        check(world);
        expect(world, handles[i], HD_EHANDLE_UNKNOWN);
        fill(world, handles[i]);
    }
}

static void remembers_who_failed_first(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    hd_handle handle = hd_handle_make(3, 1);
    uint64_t failed;
    hd_session_fail(session, handle, 12, 12);
    expect_failed(world, handle, 12);
    assert_int_equal(hd_session_release(session, handle, &failed), HD_EABORTED);
    assert_int_equal(failed, 12);
    assert_int_equal(hd_session_prepare(session, handle), HD_ESLOT_GENERATION);
    fill(world, hd_handle_make(3, 2));
    /* An occupied one is not touched. */
    hd_session_fail(session, hd_handle_make(3, 3), 13, 13);
    expect(world, hd_handle_make(3, 2), 0);
    hd_session_fail(session, 0, 13, 13);
    hd_session_fail(session, hd_handle_make(1000, 1), 13, 13);
    /* A pending one is. */
    assert_int_equal(hd_session_prepare(session, hd_handle_make(4, 1)), 0);
    hd_session_pend(session, hd_handle_make(4, 1), 14);
    /* But only by the request that it waits for. */
    hd_session_fail(session, hd_handle_make(4, 1), 15, 12);
    expect(world, hd_handle_make(4, 1), HD_ESLOT_PENDING);
    hd_session_fail(session, hd_handle_make(4, 1), 14, 12);
    expect_failed(world, hd_handle_make(4, 1), 12);
    hd_session_fail_range(session, hd_handle_make(98, 1), 1000, 16, 16);
    expect_failed(world, hd_handle_make(99, 1), 16);
    check(world);
}

static void releases_all_or_none(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    hd_handle handles[5];
    size_t bad = 99;
    uint64_t failed;
    for (uint32_t i = 0; i < 4; i++)
        fill(world, handles[i] = hd_handle_make(10 + i, 1));
    handles[4] = hd_handle_make(50, 1);
    assert_int_equal(hd_session_release_all(session, handles, 5, &bad, &failed), HD_EHANDLE_UNKNOWN);
    assert_int_equal(bad, 4);
    assert_int_equal(session->handle_count, 4);
    check(world);
    handles[4] = handles[1];
    assert_int_equal(hd_session_release_all(session, handles, 5, &bad, &failed), HD_EHANDLE_STALE);
    assert_int_equal(bad, 4);
    assert_int_equal(session->handle_count, 4);
    check(world);
    assert_int_equal(hd_session_release_all(session, handles, 4, &bad, &failed), 0);
    assert_int_equal(session->handle_count, 0);
    assert_int_equal(hd_session_release_all(session, NULL, 0, &bad, &failed), 0);
}

/* Between the steps of a release of many it still holds what it held, whoever comes by. */
static void a_leaving_slot_takes_no_result(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    const hd_handle handle = hd_handle_make(3, 1), next = hd_handle_make(3, 2);
    struct hd_collection ignored;
    uint64_t failed;
    fill(world, handle);
    assert_int_equal(hd_session_mark_leaving(session, handle, &failed), 0);
    assert_int_equal(hd_session_mark_leaving(session, handle, &failed), HD_EHANDLE_STALE);
    assert_int_equal(hd_session_prepare(session, next), HD_ESLOT_OCCUPIED);
    hd_session_fail(session, next, 9, 9);
    assert_int_equal(hd_heap_collect(world->heap, 2, &ignored), 0);
    check(world);
    hd_session_unmark_leaving(session, handle);
    expect(world, handle, 0);
    assert_int_equal(hd_session_mark_leaving(session, handle, &failed), 0);
    hd_session_release_leaving(session, handle);
    assert_int_equal(hd_session_prepare(session, next), 0);
    /* And one that is on its way when the session ends. */
    fill(world, next);
    assert_int_equal(hd_session_mark_leaving(session, next, &failed), 0);
}

static void holds_inline_values(void **state)
{
    struct world *world = *state;
    hd_handle handle = hd_handle_make(1, 1);
    hd_value value = HD_ABSENT;
    uint64_t failed;
    assert_int_equal(hd_session_prepare(&world->session, handle), 0);
    hd_session_fill(&world->session, handle, hd_value_int(42));
    assert_int_equal(hd_session_get(&world->session, handle, &value, &failed), 0);
    assert_int_equal(value, hd_value_int(42));
}

static void without_memory_nothing_changes(void **state)
{
    struct world *world = *state;
    struct hd_session *session = &world->session;
    hd_handle bad = 0;
    world->failing = true;
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 1)), HD_ENOMEM);
    assert_int_equal(hd_session_prepare_range(session, hd_handle_make(5, 1), 4, &bad), HD_ENOMEM);
    hd_session_fail(session, hd_handle_make(5, 1), 3, 3);
    expect(world, hd_handle_make(5, 1), HD_EHANDLE_UNKNOWN);
    world->failing = false;
    assert_int_equal(hd_session_prepare(session, hd_handle_make(5, 1)), 0);
}

/* What only the session holds survives a full collection, in whatever slot. */
static void is_a_root(void **state)
{
    struct world *world = *state;
    struct hd_collection found;
    for (uint32_t i = 1; i < 100; i++) {
        hd_value list = new_list(world);
        assert_int_equal(hd_list_append(&world->heap->objects, list, hd_gc_retain(&world->heap->gc, list)), 0);
        assert_int_equal(hd_session_prepare(&world->session, hd_handle_make(i, 1)), 0);
        hd_session_fill(&world->session, hd_handle_make(i, 1), list);
    }
    assert_int_equal(hd_heap_collect(world->heap, 2, &found), 0);
    assert_int_equal(found.unreachable_count[0] + found.unreachable_count[1] + found.unreachable_count[2], 0);
    for (uint32_t i = 1; i < 100; i += 2) {
        uint64_t failed;
        assert_int_equal(hd_session_release(&world->session, hd_handle_make(i, 1), &failed), 0);
    }
    check(world);
    assert_int_equal(hd_heap_collect(world->heap, 2, &found), 0);
    assert_int_equal(found.unreachable_count[0] + found.unreachable_count[1] + found.unreachable_count[2], 50);
}

static void closes_in_slices(void **state)
{
    struct world *world = *state;
    struct hd_session other;
    unsigned steps = 1;
    hd_session_init(&other, world->heap, 8, 1000);
    for (uint32_t i = 1; i <= 900; i++) {
        assert_int_equal(hd_session_prepare(&other, hd_handle_make(i, 1)), 0);
        if (i % 10 == 0)
            hd_session_pend(&other, hd_handle_make(i, 1), i);
        else
            hd_session_fill(&other, hd_handle_make(i, 1), new_list(world));
    }
    hd_session_close(&other);
    while (hd_session_close_step(&other, 100)) {
        assert_null(hd_heap_check(world->heap, &hd_allocator_libc));
        steps++;
    }
    assert_true(steps >= 9);
    assert_int_equal(other.handle_count, 0);
    assert_int_equal(other.pending_count, 0);
    hd_session_fini(&other);
    hd_session_fini(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Slots far apart cost a chunk each, are roots, and are released at the end. */
static void far_slots_cost_a_chunk(void **state)
{
    struct world *world = *state;
    struct hd_session far;
    hd_value value, found;
    uint64_t failed;
    static const uint32_t numbers[] = {1, 4095, 4096, 70000, 999999};
    hd_session_init(&far, world->heap, 8, 1000000);
    /* The collector's own list of the young is made with the first of them. */
    assert_int_equal(hd_list_new(&world->heap->objects, 0, &value), 0);
    hd_gc_release(&world->heap->gc, value);
    uint64_t before = world->heap->account.used_bytes;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hd_handle handle = hd_handle_make(numbers[i], 1);
        assert_int_equal(hd_session_prepare(&far, handle), 0);
        assert_int_equal(hd_list_new(&world->heap->objects, 0, &value), 0);
        hd_session_fill(&far, handle, value);
        assert_null(hd_session_check(&far));
    }
    assert_true(world->heap->account.used_bytes - before < 5 * 65536);
    assert_int_equal(hd_session_get(&far, hd_handle_make(5000, 1), &found, &failed), HD_EHANDLE_UNKNOWN);
    assert_int_equal(hd_session_get(&far, hd_handle_make(500000, 1), &found, &failed), HD_EHANDLE_UNKNOWN);
    struct hd_collection collection;
    assert_int_equal(hd_heap_collect(world->heap, 2, &collection), 0);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(hd_session_get(&far, hd_handle_make(numbers[i], 1), &found, &failed), 0);
    check(world);
    /* A range that lies across two chunks, and memory that runs out on the way. */
    hd_handle bad;
    world->failing = true;
    assert_int_equal(hd_session_prepare_range(&far, hd_handle_make(12286, 1), 4, &bad), HD_ENOMEM);
    world->failing = false;
    assert_int_equal(hd_session_prepare_range(&far, hd_handle_make(12286, 1), 4, &bad), 0);
    assert_null(hd_session_check(&far));
    hd_session_close(&far);
    unsigned steps = 0;
    while (hd_session_close_step(&far, 64))
        steps++;
    assert_in_range(steps, 1, 5000);
    hd_session_fini(&far);
    assert_int_equal(world->heap->account.used_bytes, before);
    check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(far_slots_cost_a_chunk),
        TEST(holds_and_releases),
        TEST(tells_wrong_handles_apart),
        TEST(refuses_slots_that_cannot_take_a_result),
        TEST(preparing_changes_nothing),
        TEST(a_range_is_prepared_as_one),
        TEST(a_pending_slot_waits),
        TEST(a_slot_that_stayed_free_takes_the_same_handle),
        TEST(remembers_who_failed_first),
        TEST(releases_all_or_none),
        TEST(a_leaving_slot_takes_no_result),
        TEST(holds_inline_values),
        TEST(without_memory_nothing_changes),
        TEST(is_a_root),
        TEST(closes_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
