/* What happens when memory cannot be had: each allocation fails in turn, and the limit is reached. */
#include "test.h"

/* One short conversation; what it does must not depend on what failed before. */
typedef void scenario(struct rpc_client *client, uint32_t slot);

static void ignore(struct rpc_client *client)
{
    struct rpc_reply reply;
    while (rpc_take_any(client, &reply))
        ;
}

static void create_document(struct rpc_client *client, uint32_t slot)
{
    struct builder builder;
    uint64_t capture = 1;
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    builder_init(&builder);
    add_node(&builder, HD_KIND_DICT, 2);
    add_text(&builder, HD_KIND_STR, "a key of some length");
    add_numbers(&builder, 50);
    add_text(&builder, HD_KIND_STR, "other");
    add_node(&builder, HD_KIND_SET, 1);
    add_text(&builder, HD_KIND_STR, "an element of some length");
    Heapd__V1__Literal literal = built(&builder);
    request.literal = &literal;
    request.into = HANDLE(slot, 1);
    request.captures = &capture;
    request.n_captures = 1;
    request.captures_into = HANDLE(slot + 1, 1);
    rpc_send(client, METHOD(CREATE), &request);
    builder_fini(&builder);
}

static void change_containers(struct rpc_client *client, uint32_t slot)
{
    Heapd__V1__Value key = rpc_str("a longer key of the dict");
    send_new(client, HEAPD__V1__KIND__KIND_DICT, HANDLE(slot, 1));
    send_new(client, HEAPD__V1__KIND__KIND_LIST, HANDLE(slot + 1, 1));
    send_new(client, HEAPD__V1__KIND__KIND_SET, HANDLE(slot + 2, 1));
    send_set(client, HANDLE(slot, 1), key, rpc_int(INT64_MAX));
    send_add(client, HANDLE(slot, 1), &key, NULL, rpc_int(INT64_MAX));
    send_set_add(client, HANDLE(slot + 2, 1), rpc_str("an element of some length"));
    for (int i = 0; i < 10; i++)
        send_append(client, HANDLE(slot + 1, 1), rpc_str("a string of some length"));
    send_pop(client, HANDLE(slot + 1, 1), NULL, 0);
    send_pop(client, HANDLE(slot, 1), NULL, 0);
    send_pop(client, HANDLE(slot + 2, 1), NULL, HANDLE(slot + 4, 1));
    send_clear(client, HANDLE(slot + 1, 1));
}

static void use_classes(struct rpc_client *client, uint32_t slot)
{
    struct builder builder;
    send_class(client, "A class of some length", 0, "an attribute of some length", HANDLE(slot, 1));
    builder_init(&builder);
    add_node(&builder, HD_KIND_INSTANCE, 1);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(slot, 1));
    add_text(&builder, HD_KIND_STR, "an attribute of some length");
    add_node(&builder, HD_KIND_INT, 1);
    send_create(client, built(&builder), HANDLE(slot + 1, 1));
    builder_fini(&builder);
    send_set_attr(client, HANDLE(slot + 1, 1), "another attribute", rpc_real(1e300));
    send_get_attr(client, HANDLE(slot + 1, 1), "another attribute", 0, false);
    send_del_attr(client, HANDLE(slot + 1, 1), "another attribute");
}

static void use_names(struct rpc_client *client, uint32_t slot)
{
    send_open_scope(client, 0, HANDLE(slot, 1));
    send_bind(client, HANDLE(slot, 1), "a name of some length", rpc_int(5));
    uint64_t waits = send_lookup(client, HANDLE(slot, 1), "a name that comes later", HANDLE(slot + 1, 1), true, 100);
    send_lookup(client, HANDLE(slot, 1), "a name that never comes", HANDLE(slot + 2, 1), true, 100);
    send_bind(client, HANDLE(slot, 1), "a name that comes later", rpc_str("a string of some length"));
    rpc_cancel(client, waits + 1);
    Heapd__V1__ListNamesRequest request = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    request.scope = HANDLE(slot, 1);
    rpc_send(client, METHOD(LIST_NAMES), &request);
    send_close_scope(client, HANDLE(slot, 1));
}

static void export_and_collect(struct rpc_client *client, uint32_t slot)
{
    create_document(client, slot);
    send_export(client, HANDLE(slot, 1), 1024);
    send_collect(client, 2);
    rpc_world_run(client->world);
    send_collect(client, 0);
    rpc_send(client, METHOD(STATS), NULL);
    rpc_send(client, METHOD(LIST_SESSIONS), NULL);
}

static void large_replies(struct rpc_client *client, uint32_t slot)
{
    static char text[30001];
    memset(text, 'x', sizeof text - 1);
    send_new(client, HEAPD__V1__KIND__KIND_LIST, HANDLE(slot, 1));
    send_append(client, HANDLE(slot, 1), rpc_str(text));
    client->deaf = true;
    for (int i = 0; i < 5; i++)
        send_get(client, HANDLE(slot, 1), rpc_int(0), 0, false);
    send_pop(client, HANDLE(slot, 1), NULL, 0);
    client->deaf = false;
}

static void fail_each(struct fixture *fixture, scenario *run, bool every)
{
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        uint32_t slot = 1;
        struct rpc_client client;
        rpc_client_open(&client, world, true);
        ignore(a);
        world->fail_at = n;
        world->fail_every = every;
        uint64_t first = client.last_id + 1;
        run(&client, slot);
        /* What goes on in slices, and what waits behind it, meets the failure as well. */
        do
            rpc_world_run(world);
        while (rpc_pump(&client));
        /* Those that fail for ever may leave nothing to answer with while output waits, but it is not lost. */
        failed = world->fail_at == 0 || (every && world->fail_at == 1);
        world->fail_at = 0;
        rpc_world_run(world);
        world->now_ns += 1000000000;
        rpc_world_run(world);
        /* Each request was answered, in one way or the other. */
        for (uint64_t id = first; id <= client.last_id; id++) {
            struct rpc_reply reply;
            bool last = false;
            while (!last && rpc_take(&client, id, &reply)) {
                last = !(reply.frame.flags & HD_FRAME_MORE);
                rpc_world_run(world);
            }
            if (!last)
                fail_msg("allocation %llu (%s): request %llu was not answered", (unsigned long long)n,
                         every ? "and all later ones" : "alone", (unsigned long long)id);
        }
        rpc_world_check(world);
        free_message(
            expect_message(&client, rpc_send(&client, METHOD(PING), NULL), &heapd__v1__ping_reply__descriptor));
        rpc_client_close(&client);
        rpc_world_run(world);
    }
}

static void each_allocation_fails_in_turn(void **state)
{
    static scenario *const scenarios[] = {create_document, change_containers,  use_classes,
                                          use_names,       export_and_collect, large_replies};
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        fail_each(*state, scenarios[i], false);
        fail_each(*state, scenarios[i], true);
    }
}

/* The same, with every document built in slices. */
static int set_up_sliced(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    fixture->world.rpc_config.at_once_nodes = 1;
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}

static void connections_need_memory(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    const struct hd_rpc_peer peer = {.uid = 1};
    struct hd_rpc_connection *connection = NULL;
    int error = HD_ENOMEM;
    for (uint64_t n = 1; error == HD_ENOMEM; n++) {
        world->fail_at = n;
        error = hd_rpc_connection_new(world->server, &peer, NULL, &connection);
        rpc_world_check(world);
    }
    world->fail_at = 0;
    assert_int_equal(error, 0);
    hd_rpc_connection_close(connection);
    struct hd_rpc_server *server = NULL;
    error = HD_ENOMEM;
    for (uint64_t n = 1; error == HD_ENOMEM; n++) {
        world->fail_at = n;
        error = hd_rpc_server_new(world->heap, &world->os, &world->rpc_config, &server);
        rpc_world_check(world);
    }
    assert_int_equal(error, 0);
    hd_rpc_server_free(server);
}

static int set_up_limited(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    fixture->world.heap_config.limit_bytes = (uint64_t)16 << 20;
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}

/* A request that does not fit is refused, and the daemon lives on. */
static void the_limit_holds(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[50001];
    memset(text, 'x', sizeof text - 1);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    uint64_t id;
    struct rpc_reply reply;
    int64_t count = -1;
    do {
        id = send_append(a, HANDLE(1, 1), rpc_str(text));
        do /* it may wait while memory is looked for */
            rpc_world_run(&fixture->world);
        while (rpc_pump(a));
        assert_true(rpc_take(a, id, &reply));
        count++;
    } while (!(reply.frame.flags & HD_FRAME_ERROR));
    assert_true(count > 100);
    rpc_world_check(&fixture->world);
    expect_error(a, send_append(a, HANDLE(1, 1), rpc_str(text)), HD_ENOMEM, "");
    expect_int(a, send_length(a, HANDLE(1, 1)), count);
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "small", rpc_int(1)));
    /* What was released is there for the next. */
    expect_empty(a, send_clear(a, HANDLE(1, 1)));
    rpc_world_run(&fixture->world);
    expect_empty(a, send_append(a, HANDLE(1, 1), rpc_str(text)));
}

/* At the limit the request itself finds what cycles hold. */
static void garbage_is_found_when_memory_runs_short(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[50001];
    memset(text, 'x', sizeof text - 1);
    fixture->world.heap->gc.enabled = false;
    for (uint32_t i = 1; i <= 2000; i++) {
        expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, i)), HANDLE(1, i),
                      HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(a, send_append(a, HANDLE(1, i), rpc_handle(HANDLE(1, i))));
        expect_empty(a, send_append(a, HANDLE(1, i), rpc_str(text)));
        expect_empty(a, send_release(a, HANDLE(1, i)));
    }
    assert_true(fixture->world.heap->collect_requests > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_allocation_fails_in_turn),
        cmocka_unit_test_setup_teardown(each_allocation_fails_in_turn, set_up_sliced, tear_down),
        TEST(connections_need_memory),
        cmocka_unit_test_setup_teardown(the_limit_holds, set_up_limited, tear_down),
        cmocka_unit_test_setup_teardown(garbage_is_found_when_memory_runs_short, set_up_limited, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
