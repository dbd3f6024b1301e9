/* Requests about the whole heap: dry runs, freezing, compaction. */
#include "test.h"

enum { MANY = 30000 };

static uint32_t generations = 0;

/* Lists that hold themselves, and nobody else. */
static void drop_cycles(struct rpc_client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hd_handle handle = HANDLE(1, ++generations);
        expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, handle), handle, HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(client, send_append(client, handle, rpc_handle(handle)));
        expect_empty(client, send_release(client, handle));
    }
}

/* A list of many lists. */
static void make_many(struct rpc_world *world, struct rpc_client *client, hd_handle into)
{
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, MANY);
    for (int i = 0; i < MANY; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    uint64_t id = send_create(client, built(&builder), into);
    rpc_world_run(world);
    expect_object(client, id, into, HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
    rpc_world_run(world);
}

static uint64_t send_dry_run(struct rpc_client *client, uint32_t generation)
{
    Heapd__V1__CollectRequest request = HEAPD__V1__COLLECT_REQUEST__INIT;
    request.generation = generation;
    request.dry_run = true;
    return rpc_send(client, METHOD(GC_COLLECT), &request);
}

static uint64_t unreachable(struct fixture *fixture, uint64_t id, uint64_t *bytes)
{
    rpc_world_run(&fixture->world);
    Heapd__V1__CollectReply *reply = expect_message(&fixture->a, id, &heapd__v1__collect_reply__descriptor);
    uint64_t count = reply->unreachable;
    *bytes = reply->unreachable_bytes;
    free_message(reply);
    return count;
}

static void a_dry_run_counts_and_frees_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t bytes, freed_bytes;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_list_count");
    drop_cycles(a, 20);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(unreachable(fixture, send_dry_run(a, 2), &bytes), 20);
        assert_true(bytes >= 20 * 16);
        assert_int_equal(rpc_world_stat(&fixture->world, "objects_list_count"), before + 20);
    }
    assert_int_equal(unreachable(fixture, send_collect(a, 2), &freed_bytes), 20);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_list_count"), before);
    assert_int_equal(unreachable(fixture, send_dry_run(a, 2), &bytes), 0);
    assert_int_equal(bytes, 0);
    for (uint32_t generation = 0; generation < 2; generation++)
        expect_error(a, send_dry_run(a, generation), HD_EINVALID, "only one of generation 2");
    expect_error(a, send_dry_run(a, 3), HD_EINVALID, "generation 3");
}

static void a_dry_run_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = send_dry_run(&fixture->a, 2);
    rpc_cancel(&fixture->a, id);
    expect_error(&fixture->a, id, HD_ECANCELLED, "");
    rpc_world_run(&fixture->world);
}

static int64_t frozen_count(struct rpc_client *client)
{
    Heapd__V1__Value *value =
        expect_message(client, rpc_send(client, METHOD(GC_FREEZE_COUNT), NULL), &heapd__v1__value__descriptor);
    assert_int_equal(value->kind_case, HEAPD__V1__VALUE__KIND_INTEGER);
    int64_t count = value->integer;
    free_message(value);
    return count;
}

static void frozen_objects_are_passed_by(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t bytes;
    make_many(&fixture->world, a, HANDLE(2, 1));
    drop_cycles(a, 5);
    assert_int_equal(frozen_count(a), 0);
    uint64_t id = rpc_send(a, METHOD(GC_FREEZE), NULL);
    expect_nothing(a, id);
    expect_int(b, rpc_send(b, METHOD(GC_FREEZE_COUNT), NULL), 0); /* not begun yet */
    unsigned slices = 0;
    while (hd_rpc_run(fixture->world.server, 1000))
        slices++;
    assert_true(slices > 3);
    expect_empty(a, id);
    assert_true(frozen_count(b) >= MANY + 5);
    assert_int_equal(unreachable(fixture, send_collect(a, 2), &bytes), 0);
    /* Counting frees them. */
    expect_empty(a, send_release(a, HANDLE(2, 1)));
    rpc_world_run(&fixture->world);
    assert_true(frozen_count(b) < MANY);
    id = rpc_send(a, METHOD(GC_UNFREEZE), NULL);
    rpc_world_run(&fixture->world);
    expect_empty(a, id);
    assert_int_equal(frozen_count(b), 0);
    assert_int_equal(unreachable(fixture, send_collect(a, 2), &bytes), 5);
}

/* Each sees every object as the one before it left it. */
static void the_last_of_many_wins(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_many(&fixture->world, a, HANDLE(2, 1));
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = rpc_send(i % 2 ? b : a, i % 2 ? METHOD(GC_UNFREEZE) : METHOD(GC_FREEZE), NULL);
    while (hd_rpc_run(fixture->world.server, 700))
        ;
    for (int i = 0; i < 4; i++)
        expect_empty(i % 2 ? b : a, ids[i]);
    assert_int_equal(frozen_count(a), 0);
    /* One that is cancelled half-way holds nobody up. */
    ids[0] = rpc_send(a, METHOD(GC_FREEZE), NULL);
    ids[1] = rpc_send(b, METHOD(GC_FREEZE), NULL);
    assert_true(hd_rpc_run(fixture->world.server, 700));
    rpc_cancel(a, ids[0]);
    expect_error(a, ids[0], HD_ECANCELLED, "");
    rpc_world_run(&fixture->world);
    expect_empty(b, ids[1]);
    assert_true(frozen_count(a) >= MANY);
}

static Heapd__V1__CompactReply *compacted(struct fixture *fixture, uint64_t id)
{
    rpc_world_run(&fixture->world);
    return expect_message(&fixture->a, id, &heapd__v1__compact_reply__descriptor);
}

static void memory_goes_back_on_request(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    /* Half of what comes in turns is dropped: holes everywhere. */
    enum { PAIRS = 6 };
    for (uint32_t i = 0; i < 2 * PAIRS; i++)
        make_many(world, a, HANDLE(10 + i, 1));
    for (uint32_t i = 0; i < PAIRS; i++)
        expect_empty(a, send_release(a, HANDLE(10 + 2 * i, 1)));
    rpc_world_run(world);
    uint64_t before = rpc_world_stat(world, "arenas_count");
    uint64_t id = rpc_send(a, METHOD(COMPACT), NULL), second = rpc_send(a, METHOD(COMPACT), NULL);
    expect_int(a, send_length(a, HANDLE(11, 1)), MANY);
    expect_nothing(a, id);
    Heapd__V1__CompactReply *reply = compacted(fixture, id);
    assert_true(reply->moved_count > 0);
    assert_true(reply->moved_bytes >= 16 * reply->moved_count);
    assert_true(reply->released_bytes > 0);
    assert_int_equal(reply->released_bytes % HD_ARENA_BYTES, 0);
    free_message(reply);
    free_message(compacted(fixture, second));
    assert_true(rpc_world_stat(world, "arenas_count") < before);
    rpc_world_check(world);
    id = rpc_send(a, METHOD(COMPACT), NULL);
    rpc_cancel(a, id);
    expect_error(a, id, HD_ECANCELLED, "");
    for (uint32_t i = 0; i < PAIRS; i++)
        expect_int(a, send_length(a, HANDLE(11 + 2 * i, 1)), MANY);
}

static void so_many_go_on_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static const int methods[] = {METHOD(GC_FREEZE), METHOD(GC_UNFREEZE), METHOD(COMPACT)};
    for (uint32_t i = 0; i < fixture->world.rpc_config.max_parked; i++)
        send_lookup(a, 0, "later", 0, false, 1000);
    for (size_t i = 0; i < 3; i++)
        expect_error(a, rpc_send(a, methods[i], NULL), HD_ELIMIT, "not finished yet");
    expect_error(a, send_dry_run(a, 2), HD_ELIMIT, "not finished yet");
}

static void each_allocation_fails_in_turn(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    static const int methods[] = {METHOD(GC_FREEZE), METHOD(GC_UNFREEZE), METHOD(COMPACT), METHOD(MEMORY),
                                  METHOD(GC_FREEZE_COUNT)};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        for (int every = 0; every < 2; every++) {
            bool failed = true;
            for (uint64_t at = 1; failed && at < 50; at++) {
                struct rpc_reply reply;
                world->fail_every = (uint64_t)every;
                world->fail_at = at;
                uint64_t id = rpc_send(a, methods[i], NULL);
                rpc_world_run(world);
                /* It may have waited while memory was looked for. */
                rpc_pump(a);
                rpc_world_run(world);
                failed = world->fail_at == 0 || (every && world->fail_at == 1);
                world->fail_at = 0;
                assert_true(rpc_take(a, id, &reply));
                rpc_world_check(world);
            }
            assert_false(failed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dry_run_counts_and_frees_nothing), TEST(a_dry_run_can_be_cancelled),
        TEST(frozen_objects_are_passed_by),       TEST(the_last_of_many_wins),
        TEST(memory_goes_back_on_request),        TEST(so_many_go_on_at_a_time),
        TEST(each_allocation_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
