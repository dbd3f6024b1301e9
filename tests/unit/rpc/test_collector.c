/* The collector over rpc. */
#include "test.h"

/* Lists that hold themselves, and nobody else. */
static void drop_cycles(struct rpc_client *client, uint32_t count)
{
    static uint32_t generation = 0;
    for (uint32_t i = 0; i < count; i++) {
        hd_handle handle = HANDLE(1, ++generation);
        expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, handle), handle, HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(client, send_append(client, handle, rpc_handle(handle)));
        expect_empty(client, send_release(client, handle));
    }
}

static uint64_t collected(struct fixture *fixture, uint64_t id)
{
    rpc_world_run(&fixture->world);
    Heapd__V1__CollectReply *reply = expect_message(&fixture->a, id, &heapd__v1__collect_reply__descriptor);
    assert_int_equal(reply->n_unreachable_by_generation, 3);
    assert_int_equal(reply->n_examined_by_generation, 3);
    uint64_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += reply->unreachable_by_generation[i];
    assert_int_equal(sum, reply->unreachable);
    free_message(reply);
    return sum;
}

static void cycles_are_found_on_request(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_list_count");
    for (uint32_t generation = 0; generation < 3; generation++) {
        drop_cycles(&fixture->a, 20);
        assert_int_equal(rpc_world_stat(&fixture->world, "objects_list_count"), before + 20);
        assert_int_equal(collected(fixture, send_collect(&fixture->a, generation)), 20);
        rpc_world_run(&fixture->world);
        assert_int_equal(rpc_world_stat(&fixture->world, "objects_list_count"), before);
    }
    expect_error(&fixture->a, send_collect(&fixture->a, 3), HD_EINVALID, "generation 3; generations are 0 to 2");
}

static void a_full_collection_goes_on_in_slices(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, 20000);
    for (int i = 0; i < 20000; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    expect_object(a, send_create(a, built(&builder), HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
    drop_cycles(a, 10);
    uint64_t id = send_collect(a, 2), second = send_collect(a, 2);
    /* Others, and later requests, are answered meanwhile. */
    expect_int(a, send_length(a, HANDLE(2, 1)), 20000);
    expect_nothing(a, id);
    unsigned slices = 0;
    while (hd_rpc_run(fixture->world.server, 500))
        slices++;
    assert_true(slices > 5);
    assert_int_equal(collected(fixture, id), 10);
    assert_int_equal(collected(fixture, second), 0);
}

static void a_collection_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = send_collect(&fixture->a, 2);
    rpc_cancel(&fixture->a, id);
    expect_error(&fixture->a, id, HD_ECANCELLED, "");
    send_collect(&fixture->b, 2);
    rpc_client_close(&fixture->b);
    rpc_world_run(&fixture->world);
    expect_nothing(&fixture->a, id);
}

static void thresholds(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    Heapd__V1__Thresholds request = HEAPD__V1__THRESHOLDS__INIT;
    request.threshold0 = 100;
    request.threshold1 = 5;
    request.threshold2 = 0;
    expect_empty(a, rpc_send(a, METHOD(GC_SET_THRESHOLD), &request));
    request.threshold1 = 0x80000001u;
    expect_error(a, rpc_send(a, METHOD(GC_SET_THRESHOLD), &request), HD_EINVALID, "threshold1 of 2147483649");
    Heapd__V1__Thresholds *reply =
        expect_message(a, rpc_send(a, METHOD(GC_GET_THRESHOLD), NULL), &heapd__v1__thresholds__descriptor);
    assert_int_equal(reply->threshold0, 100);
    assert_int_equal(reply->threshold1, 5);
    assert_int_equal(reply->threshold2, 0);
    free_message(reply);
}

static void counts_and_stats(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    Heapd__V1__SetEnabledRequest enabled = HEAPD__V1__SET_ENABLED_REQUEST__INIT;
    Heapd__V1__Counts *before =
        expect_message(a, rpc_send(a, METHOD(GC_GET_COUNT), NULL), &heapd__v1__counts__descriptor);
    drop_cycles(a, 7);
    Heapd__V1__Counts *after =
        expect_message(a, rpc_send(a, METHOD(GC_GET_COUNT), NULL), &heapd__v1__counts__descriptor);
    assert_int_equal(after->count0, before->count0 + 7);
    free_message(before);
    free_message(after);
    assert_int_equal(collected(fixture, send_collect(a, 0)), 7);
    Heapd__V1__GcStatsReply *stats =
        expect_message(a, rpc_send(a, METHOD(GC_STATS), NULL), &heapd__v1__gc_stats_reply__descriptor);
    assert_int_equal(stats->n_generations, 3);
    assert_int_equal(stats->generations[0]->collections, 1);
    assert_int_equal(stats->generations[0]->collected, 7);
    assert_true(stats->enabled);
    free_message(stats);
    expect_empty(a, rpc_send(a, METHOD(GC_SET_ENABLED), &enabled));
    drop_cycles(a, 1000);
    stats = expect_message(a, rpc_send(a, METHOD(GC_STATS), NULL), &heapd__v1__gc_stats_reply__descriptor);
    assert_false(stats->enabled);
    assert_int_equal(stats->generations[0]->collections, 1);
    free_message(stats);
    enabled.enabled = true;
    expect_empty(a, rpc_send(a, METHOD(GC_SET_ENABLED), &enabled));
    drop_cycles(a, 1);
    stats = expect_message(a, rpc_send(a, METHOD(GC_STATS), NULL), &heapd__v1__gc_stats_reply__descriptor);
    assert_int_equal(stats->generations[0]->collections, 2);
    free_message(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cycles_are_found_on_request),
        TEST(a_full_collection_goes_on_in_slices),
        TEST(a_collection_can_be_cancelled),
        TEST(thresholds),
        TEST(counts_and_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
