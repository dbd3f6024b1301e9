/* Subscriptions and the events that they bring; names with a time to live. */
#include <heapd/v1/watch.pb-c.h>

#include "test.h"

#define LIST HANDLE(1, 1)

static uint64_t send_subscribe(struct rpc_client *client, hd_handle object, hd_handle scope, const char *name)
{
    Heapd__V1__SubscribeRequest request = HEAPD__V1__SUBSCRIBE_REQUEST__INIT;
    request.object = object;
    request.scope = scope;
    if (name)
        request.name = rpc_bytes(name);
    return rpc_send(client, METHOD(SUBSCRIBE), &request);
}

static uint64_t send_unsubscribe(struct rpc_client *client, uint64_t subscription)
{
    Heapd__V1__UnsubscribeRequest request = HEAPD__V1__UNSUBSCRIBE_REQUEST__INIT;
    request.subscription = subscription;
    return rpc_send(client, METHOD(UNSUBSCRIBE), &request);
}

static uint64_t send_bind_ttl(struct rpc_client *client, hd_handle scope, const char *name, int64_t integer,
                              uint64_t ttl_ms)
{
    Heapd__V1__BindRequest request = HEAPD__V1__BIND_REQUEST__INIT;
    Heapd__V1__Value value = rpc_int(integer);
    request.scope = scope;
    request.name = rpc_bytes(name);
    request.value = &value;
    request.ttl_ms = ttl_ms;
    return rpc_send(client, METHOD(BIND), &request);
}

static uint64_t send_expire(struct rpc_client *client, hd_handle scope, const char *name, uint64_t ttl_ms)
{
    Heapd__V1__ExpireRequest request = HEAPD__V1__EXPIRE_REQUEST__INIT;
    request.scope = scope;
    request.name = rpc_bytes(name);
    request.ttl_ms = ttl_ms;
    return rpc_send(client, METHOD(EXPIRE), &request);
}

static uint64_t send_ttl(struct rpc_client *client, hd_handle scope, const char *name)
{
    Heapd__V1__TimeToLiveRequest request = HEAPD__V1__TIME_TO_LIVE_REQUEST__INIT;
    request.scope = scope;
    request.name = rpc_bytes(name);
    return rpc_send(client, METHOD(TIME_TO_LIVE), &request);
}

static void pass_ms(struct fixture *fixture, uint64_t ms)
{
    fixture->world.now_ns += ms * 1000000;
    rpc_world_run(&fixture->world);
}

/* An event of that subscription, and nothing else before it. Returns its identity. */
static uint64_t expect_event(struct rpc_client *client, uint64_t subscription, uint64_t count, bool bound, bool gone)
{
    struct rpc_reply reply;
    (void)rpc_pump(client);
    if (!rpc_take(client, 0, &reply))
        fail_msg("no event");
    assert_int_equal(reply.frame.flags, HD_FRAME_EVENT);
    assert_int_equal(reply.frame.method, METHOD(EVENT));
    Heapd__V1__Event *event = rpc_unpack(&reply, &heapd__v1__event__descriptor);
    assert_non_null(event);
    assert_int_equal(event->subscription, subscription);
    assert_int_equal(event->count, count);
    assert_int_equal(event->bound, bound);
    assert_int_equal(event->gone, gone);
    uint64_t identity = event->identity;
    protobuf_c_message_free_unpacked(&event->base, NULL);
    return identity;
}

static void expect_silence(struct rpc_client *client)
{
    struct rpc_reply reply;
    (void)rpc_pump(client);
    assert_false(rpc_take(client, 0, &reply));
}

static uint64_t subscribed(struct rpc_client *client, uint64_t id)
{
    Heapd__V1__Value *value = expect_message(client, id, &heapd__v1__value__descriptor);
    uint64_t identity = (uint64_t)value->integer;
    free_message(value);
    return identity;
}

static void containers_tell_of_changes(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, LIST), LIST, HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "x", rpc_handle(LIST)));
    expect_object(b, send_lookup(b, 0, "x", LIST, true, 0), LIST, HEAPD__V1__TYPE__TYPE_LIST);
    uint64_t watch = send_subscribe(b, LIST, 0, NULL);
    uint64_t identity = subscribed(b, watch);
    expect_silence(b);
    expect_empty(a, send_append(a, LIST, rpc_int(1)));
    assert_int_equal(expect_event(b, watch, 1, false, false), identity);
    expect_silence(b);
    /* Many changes in one request are one. */
    Heapd__V1__ExtendRequest extend = HEAPD__V1__EXTEND_REQUEST__INIT;
    struct builder builder;
    builder_init(&builder);
    for (unsigned i = 0; i < 10; i++)
        add_node(&builder, HD_KIND_INT, i);
    Heapd__V1__Literal literal = built(&builder);
    extend.object = LIST;
    extend.literal = &literal;
    expect_empty(a, rpc_send(a, METHOD(EXTEND), &extend));
    builder_fini(&builder);
    (void)expect_event(b, watch, 1, false, false);
    /* One's own changes, too; reading is none. */
    expect_empty(b, send_set(b, LIST, rpc_int(0), rpc_int(5)));
    (void)expect_event(b, watch, 1, false, false);
    expect_int(b, send_get(b, LIST, rpc_int(0), 0, false), 5);
    expect_silence(b);
    expect_empty(b, send_unsubscribe(b, watch));
    expect_empty(a, send_clear(a, LIST));
    expect_silence(b);
    expect_error(b, send_unsubscribe(b, watch), HD_EKEY, "subscription");
    /* Its end is told. */
    watch = send_subscribe(b, LIST, 0, NULL);
    (void)subscribed(b, watch);
    expect_empty(b, send_release(b, LIST));
    expect_empty(a, send_release(a, LIST));
    expect_silence(b);
    expect_empty(a, send_unbind(a, 0, "x"));
    rpc_world_run(&fixture->world);
    assert_int_equal(expect_event(b, watch, 1, false, true), identity);
    expect_error(b, send_subscribe(b, LIST, 0, NULL), HD_EHANDLE_STALE, "");
}

static void names_tell_of_changes(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t watch = send_subscribe(b, 0, 0, "x"), all = send_subscribe(b, 0, 0, NULL);
    assert_int_equal(subscribed(b, watch), 0);
    (void)subscribed(b, all);
    expect_empty(a, send_bind(a, 0, "y", rpc_int(1)));
    (void)expect_event(b, all, 1, false, false);
    expect_silence(b);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, LIST), LIST, HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "x", rpc_handle(LIST)));
    (void)expect_event(b, all, 1, false, false);
    assert_int_not_equal(expect_event(b, watch, 1, true, false), 0);
    expect_empty(b, send_unsubscribe(b, all));
    expect_empty(a, send_bind(a, 0, "x", rpc_int(7)));
    assert_int_equal(expect_event(b, watch, 1, true, false), 0);
    expect_int(a, send_add(a, 0, NULL, "x", rpc_int(1)), 8);
    (void)expect_event(b, watch, 1, true, false);
    expect_empty(a, send_unbind(a, 0, "x"));
    (void)expect_event(b, watch, 1, false, false);
    expect_error(a, send_unbind(a, 0, "x"), HD_ENAME, "");
    expect_silence(b);
    /* In a scope, whose end is told. */
    expect_object(b, send_open_scope(b, 0, HANDLE(2, 1)), HANDLE(2, 1), HEAPD__V1__TYPE__TYPE_SCOPE);
    uint64_t local = send_subscribe(b, 0, HANDLE(2, 1), "x");
    (void)subscribed(b, local);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(1)));
    (void)expect_event(b, watch, 1, true, false);
    expect_silence(b);
    expect_empty(b, send_bind(b, HANDLE(2, 1), "x", rpc_int(1)));
    (void)expect_event(b, local, 1, true, false);
    expect_empty(b, send_close_scope(b, HANDLE(2, 1)));
    (void)expect_event(b, local, 1, false, true);
    expect_error(b, send_subscribe(b, HANDLE(2, 1), 0, NULL), HD_EINVALID, "closed");
    expect_error(b, send_subscribe(b, 0, HANDLE(2, 1), "x"), HD_EINVALID, "closed");
    expect_object(b, send_create(b, rpc_empty(HEAPD__V1__KIND__KIND_TUPLE), HANDLE(4, 1)), HANDLE(4, 1),
                  HEAPD__V1__TYPE__TYPE_TUPLE);
    expect_error(b, send_subscribe(b, HANDLE(4, 1), 0, NULL), HD_ETYPE, "a tuple never changes");
}

static void one_that_does_not_read_costs_little(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t watch = send_subscribe(b, 0, 0, "x");
    (void)subscribed(b, watch);
    b->deaf = true;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    char *large = malloc(60001);
    assert_non_null(large);
    memset(large, 'x', 60000);
    large[60000] = '\0';
    ping.payload = rpc_bytes(large);
    while (hd_rpc_connection_wants_input(b->connection))
        (void)rpc_send(b, METHOD(PING), &ping);
    free(large);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(0)));
    uint64_t used = fixture->world.heap->account.used_bytes;
    for (int i = 0; i < 5000; i++)
        expect_empty(a, send_bind(a, 0, "x", rpc_int(i)));
    assert_int_equal(fixture->world.heap->account.used_bytes, used);
    b->deaf = false;
    while (rpc_pump(b))
        ;
    (void)expect_event(b, watch, 5001, true, false);
    expect_silence(b);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(0)));
    (void)expect_event(b, watch, 1, true, false);
}

static void many_subscribers_are_told_in_turns(void **state)
{
    enum { COUNT = 500 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t ids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ids[i] = send_subscribe(b, 0, 0, "x");
        (void)subscribed(b, ids[i]);
    }
    expect_empty(a, send_bind(a, 0, "x", rpc_int(0)));
    rpc_world_run(&fixture->world);
    struct rpc_reply reply;
    (void)rpc_pump(b);
    for (int i = 0; i < COUNT; i++)
        assert_true(rpc_take(b, 0, &reply));
    expect_silence(b);
    for (int i = COUNT; i < 1024; i++)
        (void)subscribed(b, send_subscribe(b, 0, 0, "y"));
    expect_error(b, send_subscribe(b, 0, 0, "y"), HD_ELIMIT, "1024 subscriptions");
    rpc_client_close(b);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(0)));
    assert_int_equal(fixture->world.heap->watch->count, 0);
}

static void names_end_by_themselves(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_empty(a, send_bind_ttl(a, 0, "x", 1, 1000));
    uint64_t watch = send_subscribe(b, 0, 0, "x");
    (void)subscribed(b, watch);
    expect_int(a, send_ttl(a, 0, "x"), 1000);
    pass_ms(fixture, 400);
    expect_int(a, send_ttl(a, 0, "x"), 600);
    expect_int(a, send_lookup(a, 0, "x", 0, false, 0), 1);
    /* Adding keeps it. */
    expect_int(a, send_add(a, 0, NULL, "x", rpc_int(1)), 2);
    (void)expect_event(b, watch, 1, true, false);
    pass_ms(fixture, 600);
    expect_error(a, send_lookup(a, 0, "x", 0, false, 0), HD_ENAME, "");
    (void)expect_event(b, watch, 1, false, false);
    expect_error(a, send_ttl(a, 0, "x"), HD_ENAME, "");
    assert_int_equal(rpc_world_stat(&fixture->world, "names_expired_count"), 1);
    /* Bound again, it stays. */
    expect_empty(a, send_bind_ttl(a, 0, "x", 1, 1000));
    expect_empty(a, send_bind(a, 0, "x", rpc_int(2)));
    expect_int(a, send_ttl(a, 0, "x"), -1);
    expect_empty(a, send_bind_ttl(a, 0, "y", 1, 1000));
    expect_empty(a, send_unbind(a, 0, "y"));
    expect_empty(a, send_bind(a, 0, "y", rpc_int(3)));
    pass_ms(fixture, 2000);
    expect_int(a, send_lookup(a, 0, "x", 0, false, 0), 2);
    expect_int(a, send_lookup(a, 0, "y", 0, false, 0), 3);
    /* Given, changed and taken away later. */
    expect_empty(a, send_expire(a, 0, "x", 100));
    expect_empty(a, send_expire(a, 0, "y", 100));
    expect_empty(a, send_expire(a, 0, "y", 300));
    expect_empty(a, send_expire(a, 0, "x", 0));
    pass_ms(fixture, 299);
    expect_int(a, send_ttl(a, 0, "y"), 1);
    /* As soon as a request comes, whether anything ran in between or not. */
    fixture->world.now_ns += 1000000;
    expect_error(a, send_lookup(a, 0, "y", 0, false, 0), HD_ENAME, "");
    expect_int(a, send_lookup(a, 0, "x", 0, false, 0), 2);
    expect_error(a, send_expire(a, 0, "z", 100), HD_ENAME, "");
    /* The next one is known. */
    assert_int_equal(hd_rpc_next_deadline_ns(fixture->world.server), UINT64_MAX);
    expect_empty(a, send_bind_ttl(a, 0, "w", 1, 50));
    assert_int_equal(hd_rpc_next_deadline_ns(fixture->world.server), fixture->world.now_ns + 50 * 1000000);
    Heapd__V1__ListNamesRequest list = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    uint64_t id = rpc_send(a, METHOD(LIST_NAMES), &list);
    Heapd__V1__ListNamesReply *reply = expect_message(a, id, &heapd__v1__list_names_reply__descriptor);
    assert_int_equal(reply->n_names, 2);
    assert_int_equal(reply->names[0]->ttl_ms, 0);
    assert_int_equal(reply->names[1]->ttl_ms, 50);
    free_message(reply);
}

static void many_names_end_in_slices(void **state)
{
    enum { COUNT = 3000 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "name %d", i * 7919 % COUNT);
        expect_empty(a, send_bind_ttl(a, 0, name, i, (uint64_t)(1 + i % 10) * 100));
    }
    rpc_world_check(&fixture->world);
    pass_ms(fixture, 500);
    assert_int_equal(rpc_world_stat(&fixture->world, "names_timed_count"), COUNT / 2);
    pass_ms(fixture, 500);
    assert_int_equal(rpc_world_stat(&fixture->world, "names_timed_count"), 0);
    assert_int_equal(rpc_world_stat(&fixture->world, "names_expired_count"), COUNT);
    /* Scopes that end take theirs along; what is left of these is swept away. */
    for (uint32_t i = 0; i < 500; i++) {
        expect_object(a, send_open_scope(a, 0, HANDLE(2, i + 1)), HANDLE(2, i + 1), HEAPD__V1__TYPE__TYPE_SCOPE);
        expect_empty(a, send_bind_ttl(a, HANDLE(2, i + 1), "x", 1, 1000000));
        if (i % 2)
            expect_empty(a, send_close_scope(a, HANDLE(2, i + 1)));
        expect_empty(a, send_release(a, HANDLE(2, i + 1)));
    }
    assert_true(rpc_world_stat(&fixture->world, "names_timed_count") < 100);
    pass_ms(fixture, 1000000);
    assert_int_equal(rpc_world_stat(&fixture->world, "names_timed_count"), 0);
    assert_int_equal(rpc_world_stat(&fixture->world, "names_expired_count"), COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(containers_tell_of_changes),
        TEST(names_tell_of_changes),
        TEST(one_that_does_not_read_costs_little),
        TEST(many_subscribers_are_told_in_turns),
        TEST(names_end_by_themselves),
        TEST(many_names_end_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
