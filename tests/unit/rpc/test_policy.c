/* What the server does by itself. */
#include "test.h"

#define SECOND_NS UINT64_C(1000000000)

static int set_up_with(void **state, uint64_t interval_ns, bool on_session_end)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    fixture->world.rpc_config.collect_interval_ns = interval_ns;
    fixture->world.rpc_config.collect_on_session_end = on_session_end;
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}

static int set_up_interval(void **state)
{
    return set_up_with(state, 10 * SECOND_NS, false);
}

static int set_up_session_end(void **state)
{
    return set_up_with(state, 0, true);
}

static void drop_cycles(struct rpc_client *client, uint32_t slot, uint32_t count)
{
    static uint32_t generation = 0;
    for (uint32_t i = 0; i < count; i++) {
        hd_handle handle = HANDLE(slot, ++generation);
        expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, handle), handle, HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(client, send_append(client, handle, rpc_handle(handle)));
        expect_empty(client, send_release(client, handle));
    }
}

static uint64_t lists(struct fixture *fixture)
{
    return rpc_world_stat(&fixture->world, "objects_list_count");
}

static uint64_t collections(struct fixture *fixture)
{
    return rpc_world_stat(&fixture->world, "gc_collections_generation2_count");
}

static void enable(struct rpc_client *client, bool enabled)
{
    Heapd__V1__SetEnabledRequest request = HEAPD__V1__SET_ENABLED_REQUEST__INIT;
    request.enabled = enabled;
    expect_empty(client, rpc_send(client, METHOD(GC_SET_ENABLED), &request));
}

static void nothing_happens_by_default(void **state)
{
    struct fixture *fixture = *state;
    drop_cycles(&fixture->b, 1, 10);
    assert_true(hd_rpc_next_deadline_ns(fixture->world.server) == UINT64_MAX);
    fixture->world.now_ns += 1000000 * SECOND_NS;
    rpc_client_close(&fixture->b);
    rpc_world_run(&fixture->world);
    assert_int_equal(lists(fixture), 10);
}

static void the_clock_begins_collections(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    uint64_t due_ns = hd_rpc_next_deadline_ns(world->server);
    assert_true(due_ns == world->now_ns + 10 * SECOND_NS);
    drop_cycles(&fixture->a, 1, 10);
    world->now_ns = due_ns - 1;
    rpc_world_run(world);
    assert_int_equal(lists(fixture), 10);
    world->now_ns = due_ns;
    assert_true(hd_rpc_run(world->server, 1)); /* begun, not done */
    rpc_world_run(world);
    assert_int_equal(lists(fixture), 0);
    assert_int_equal(collections(fixture), 1);
    assert_true(hd_rpc_next_deadline_ns(world->server) == world->now_ns + 10 * SECOND_NS);
    /* Nobody asked for anything since. */
    for (int i = 0; i < 3; i++) {
        world->now_ns += 10 * SECOND_NS;
        rpc_world_run(world);
    }
    assert_int_equal(collections(fixture), 1);
    expect_empty(&fixture->a, send_bind(&fixture->a, 0, "x", rpc_int(1)));
    world->now_ns += 10 * SECOND_NS;
    rpc_world_run(world);
    assert_int_equal(collections(fixture), 2);
}

static void a_waiter_may_be_earlier(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    uint64_t id = send_lookup(&fixture->a, 0, "later", 0, false, 3000);
    assert_true(hd_rpc_next_deadline_ns(world->server) == world->now_ns + 3 * SECOND_NS);
    world->now_ns += 3 * SECOND_NS;
    rpc_world_run(world);
    expect_error(&fixture->a, id, HD_EDEADLINE, "");
    assert_true(hd_rpc_next_deadline_ns(world->server) == world->now_ns + 7 * SECOND_NS);
}

static void not_while_collections_are_disabled(void **state)
{
    struct fixture *fixture = *state;
    enable(&fixture->a, false);
    drop_cycles(&fixture->a, 1, 10);
    fixture->world.now_ns += 10 * SECOND_NS;
    rpc_world_run(&fixture->world);
    assert_int_equal(lists(fixture), 10);
    enable(&fixture->a, true);
    fixture->world.now_ns += 10 * SECOND_NS;
    rpc_world_run(&fixture->world);
    assert_int_equal(lists(fixture), 0);
}

static void what_a_session_left_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client idle;
    drop_cycles(&fixture->b, 1, 10);
    /* And a cycle that it still holds. */
    expect_object(&fixture->b, send_new(&fixture->b, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 1)), HANDLE(2, 1),
                  HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(&fixture->b, send_append(&fixture->b, HANDLE(2, 1), rpc_handle(HANDLE(2, 1))));
    /* A collection that began before would not find it. */
    uint64_t earlier = send_collect(&fixture->a, 2);
    (void)hd_rpc_run(world->server, 1);
    rpc_client_close(&fixture->b);
    rpc_world_run(world);
    free_message(expect_message(&fixture->a, earlier, &heapd__v1__collect_reply__descriptor));
    assert_int_equal(lists(fixture), 0);
    uint64_t before = collections(fixture);
    /* One that never held anything leaves nothing. */
    rpc_client_open(&idle, world, false);
    rpc_client_close(&idle);
    rpc_world_run(world);
    assert_int_equal(collections(fixture), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_happens_by_default),
        cmocka_unit_test_setup_teardown(the_clock_begins_collections, set_up_interval, tear_down),
        cmocka_unit_test_setup_teardown(a_waiter_may_be_earlier, set_up_interval, tear_down),
        cmocka_unit_test_setup_teardown(not_while_collections_are_disabled, set_up_interval, tear_down),
        cmocka_unit_test_setup_teardown(what_a_session_left_is_found, set_up_session_end, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
