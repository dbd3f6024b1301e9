/* At the memory limit: who waits, who goes on, and how it ends. */
#include "test.h"

#include "rpc/private.h"

enum { TEXT_BYTES = 50000, OBJECTS = 20000 };
static char text[TEXT_BYTES + 1];

static int set_up_limited(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    memset(text, 'x', TEXT_BYTES);
    rpc_world_init(&fixture->world);
    fixture->world.heap_config.limit_bytes = (uint64_t)24 << 20;
    fixture->world.heap_config.thresholds[0] = 0; /* nothing is collected by itself */
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}
#define LIMITED(name) cmocka_unit_test_setup_teardown(name, set_up_limited, tear_down)

static void new_list(struct rpc_client *client, hd_handle handle)
{
    expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, handle), handle, HEAPD__V1__TYPE__TYPE_LIST);
}

/* A list of many lists, so that a collection takes some slices. */
static void make_live(struct rpc_client *client)
{
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, OBJECTS);
    for (int i = 0; i < OBJECTS; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    uint64_t id = send_create(client, built(&builder), HANDLE(90, 1));
    rpc_world_run(client->world);
    expect_object(client, id, HANDLE(90, 1), HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
}

/* Lists that hold themselves and a long text, and nothing else holds. */
static void drop_cycles(struct rpc_client *client, uint32_t count)
{
    static uint32_t generation;
    for (uint32_t i = 0; i < count; i++) {
        hd_handle handle = HANDLE(1, ++generation);
        new_list(client, handle);
        expect_empty(client, send_append(client, handle, rpc_handle(handle)));
        expect_empty(client, send_append(client, handle, rpc_str(text)));
        expect_empty(client, send_release(client, handle));
    }
}

/* Until nothing moves any more, who waits included. */
static void finish(struct rpc_world *world, struct rpc_client *client)
{
    do
        rpc_world_run(world);
    while (rpc_pump(client));
}

/* Takes what there is, down to what a text needs. */
static void fill(struct rpc_client *client, hd_handle list)
{
    struct hd_heap *heap = client->world->heap;
    while (heap->budget.limit_bytes - heap->budget.used_bytes > 3 * HD_ARENA_BYTES)
        expect_empty(client, send_append(client, list, rpc_str(text)));
    heap->budget.limit_bytes = heap->budget.used_bytes;
    while (hd_alloc_trim(heap->alloc))
        heap->budget.limit_bytes = heap->budget.used_bytes;
}

/* As many texts as there is room for without a search. */
static uint64_t append_until_it_waits(struct rpc_client *client, hd_handle list)
{
    struct rpc_reply reply;
    for (int i = 0; i < 1000; i++) {
        uint64_t id = send_append(client, list, rpc_str(text));
        if (client->connection->memory_waiting)
            return id;
        assert_true(rpc_take(client, id, &reply));
        assert_false(reply.frame.flags & HD_FRAME_ERROR);
    }
    fail_msg("the limit was not met");
    return 0;
}

static void others_go_on_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    drop_cycles(a, 40);
    fill(a, HANDLE(2, 1));
    uint64_t id = append_until_it_waits(a, HANDLE(2, 1));
    uint64_t later = send_length(a, HANDLE(2, 1)); /* in the order of its session */
    uint64_t collected = world->heap->gc.stats[2].collected_count;
    unsigned turns = 0;
    while (a->connection->memory_waiting) {
        expect_nothing(a, id);
        expect_nothing(a, later);
        expect_empty(b, send_bind(b, 0, "turn", rpc_int(turns)));
        (void)hd_rpc_run(world->server, 100);
        rpc_pump(a);
        rpc_world_check(world);
        assert_true(++turns < 10000);
    }
    assert_true(turns > 5);
    assert_true(world->heap->gc.stats[2].collected_count - collected >= 40);
    expect_empty(a, id);
    expect_kind(a, later, HEAPD__V1__VALUE__KIND_INTEGER);
    assert_int_equal(rpc_world_stat(world, "memory_collections_count"), 1);
}

static void it_is_refused_when_nothing_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    fill(a, HANDLE(2, 1));
    uint64_t id = append_until_it_waits(a, HANDLE(2, 1));
    finish(world, a);
    expect_error(a, id, HD_ENOMEM, "");
    rpc_world_check(world);
    /* So soon after there is no other search, and nobody waits for it. */
    expect_error(a, send_append(a, HANDLE(2, 1), rpc_str(text)), HD_ENOMEM, "");
    assert_int_equal(world->heap->collect_requests, 1);
    assert_false(world->server->relieving);
    /* What needs no memory goes on. */
    expect_empty(a, send_clear(a, HANDLE(2, 1)));
    rpc_world_run(world);
    expect_empty(a, send_append(a, HANDLE(2, 1), rpc_str(text)));
}

static void what_is_dead_already_is_enough(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    for (int i = 0; i < 20; i++)
        expect_empty(a, send_append(a, HANDLE(90, 1), rpc_str(text)));
    fill(a, HANDLE(2, 1));
    /* Dead, and not taken apart yet: what is small comes first. */
    expect_empty(a, send_release(a, HANDLE(90, 1)));
    uint64_t id = append_until_it_waits(a, HANDLE(2, 1));
    while (a->connection->memory_waiting)
        (void)hd_rpc_run(world->server, 100);
    rpc_pump(a);
    expect_empty(a, id);
    assert_int_equal(world->heap->gc.stats[2].collection_count, 0);
    rpc_world_run(world);
}

static void its_time_is_limited(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    fill(a, HANDLE(2, 1));
    uint64_t id = append_until_it_waits(a, HANDLE(2, 1));
    (void)hd_rpc_run(world->server, 10);
    expect_nothing(a, id);
    world->now_ns += UINT64_C(11) * 1000000000;
    (void)hd_rpc_run(world->server, 10);
    rpc_pump(a);
    expect_error(a, id, HD_ENOMEM, "");
    assert_true(world->server->relieving); /* for whoever comes next */
    rpc_world_run(world);
    assert_false(world->server->relieving);
}

static void all_that_wait_have_their_turn(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    new_list(b, HANDLE(2, 1));
    drop_cycles(a, 40);
    fill(a, HANDLE(2, 1));
    uint64_t first = append_until_it_waits(a, HANDLE(2, 1)), second = append_until_it_waits(b, HANDLE(2, 1));
    finish(world, a);
    finish(world, b);
    expect_empty(a, first);
    expect_empty(b, second);
    assert_int_equal(world->heap->collect_requests, 1); /* one search for both */
}

static void whoever_closes_waits_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    new_list(b, HANDLE(2, 1));
    fill(a, HANDLE(2, 1));
    (void)append_until_it_waits(a, HANDLE(2, 1));
    uint64_t second = append_until_it_waits(b, HANDLE(2, 1));
    (void)hd_rpc_run(world->server, 10);
    assert_true(hd_rpc_connection_is_working(a->connection));
    rpc_client_close(a);
    finish(world, b);
    expect_empty(b, second); /* what the other left is room for it */
    rpc_client_open(a, world, true);
}

static void a_long_literal_waits_too(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    drop_cycles(a, 40);
    fill(a, HANDLE(2, 1));
    struct builder builder;
    builder_init(&builder);
    enum { COUNT = 15000 };
    add_node(&builder, HD_KIND_LIST, COUNT);
    for (int i = 0; i < COUNT; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    uint64_t id = send_create(a, built(&builder), HANDLE(4, 1));
    finish(world, a);
    expect_object(a, id, HANDLE(4, 1), HEAPD__V1__TYPE__TYPE_LIST);
    assert_true(world->heap->collect_requests > 0);
    builder_fini(&builder);
}

static void input_may_look_for_memory_too(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    uint64_t lists = rpc_world_stat(world, "objects_list_count");
    drop_cycles(a, 40);
    assert_int_equal(rpc_world_stat(world, "objects_list_count"), lists + 40);
    bool helped = hd_rpc_relieve(world->server); /* its first slice may have been enough */
    assert_true(helped || world->server->relieving);
    assert_true(world->server->relieving);
    rpc_world_run(world);
    assert_int_equal(rpc_world_stat(world, "objects_list_count"), lists);
    /* A connection that has no memory for what is in its socket wants no input until it is over. */
    assert_true(hd_rpc_wait_for_memory(a->connection));
    assert_false(hd_rpc_connection_wants_input(a->connection));
    rpc_world_run(world);
    assert_true(hd_rpc_connection_wants_input(a->connection));
    struct hd_rpc_connection *ready;
    bool seen = false;
    while ((ready = hd_rpc_next_ready(world->server)) != NULL)
        seen |= ready == a->connection;
    assert_true(seen);
    /* The second time it is refused; and as the search was in vain, there is none soon. */
    assert_false(hd_rpc_wait_for_memory(a->connection));
    assert_false(hd_rpc_wait_for_memory(a->connection));
    assert_false(hd_rpc_relieve(world->server));
}

/* What may be let go of is let go of only when a collection was not enough, and before anything is refused. */
static bool evict(void *context, uint64_t units)
{
    struct fixture *fixture = context;
    struct hd_heap *heap = fixture->world.heap;
    assert_true(units > 0);
    assert_true(heap->gc.stats[2].collection_count > 0);
    hd_value list;
    assert_int_equal(hd_heap_lookup(heap, HD_ABSENT, (const uint8_t *)"soft", 4, &list), 0);
    assert_int_equal(hd_clear(&heap->objects, list), 0);
    hd_gc_release(&heap->gc, list);
    return false;
}

static void what_may_go_goes_before_a_refusal(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    world->heap->evict = evict;
    world->heap->evict_context = fixture;
    make_live(a);
    new_list(a, HANDLE(2, 1));
    new_list(a, HANDLE(3, 1));
    for (int i = 0; i < 20; i++)
        expect_empty(a, send_append(a, HANDLE(3, 1), rpc_str(text)));
    expect_empty(a, send_bind(a, 0, "soft", rpc_handle(HANDLE(3, 1))));
    fill(a, HANDLE(2, 1));
    uint64_t id = append_until_it_waits(a, HANDLE(2, 1));
    finish(world, a);
    expect_empty(a, id);
    expect_int(a, send_length(a, HANDLE(3, 1)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(others_go_on_meanwhile),
        LIMITED(it_is_refused_when_nothing_is_found),
        LIMITED(what_is_dead_already_is_enough),
        LIMITED(its_time_is_limited),
        LIMITED(all_that_wait_have_their_turn),
        LIMITED(whoever_closes_waits_no_more),
        LIMITED(a_long_literal_waits_too),
        LIMITED(input_may_look_for_memory_too),
        LIMITED(what_may_go_goes_before_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
