/* Names, scopes, and waiting for names. */
#include "test.h"

#define SCOPE HANDLE(1, 1)
#define INNER HANDLE(2, 1)

static void names_keep_values(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_empty(a, send_bind(a, 0, "answer", rpc_int(42)));
    expect_int(b, send_lookup(b, 0, "answer", 0, false, 0), 42);
    expect_object(b, send_lookup(b, 0, "answer", HANDLE(5, 1), true, 0), HANDLE(5, 1), HEAPD__V1__TYPE__TYPE_INT);
    expect_empty(a, send_bind(a, 0, "answer", rpc_str("other")));
    expect_str(b, send_lookup(b, 0, "answer", 0, false, 0), "other");
    expect_empty(b, send_unbind(b, 0, "answer"));
    expect_error(a, send_lookup(a, 0, "answer", 0, false, 0), HD_ENAME, "name \"answer\"");
    expect_error(a, send_unbind(a, 0, "answer"), HD_ENAME, "name \"answer\"");
}

static void bad_names_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[4098];
    memset(text, 'n', sizeof text - 1);
    expect_error(a, send_bind(a, 0, "", rpc_int(1)), HD_EINVALID, "a name of 0 bytes; names have 1 to 4096");
    expect_error(a, send_bind(a, 0, text, rpc_int(1)), HD_EINVALID, "a name of 4097 bytes");
    expect_error(a, send_bind(a, 0, "\xc3", rpc_int(1)), HD_EUTF8, "name \"\\xc3\"");
    expect_error(a, send_lookup(a, 0, "", 0, false, 10), HD_EINVALID, "a name of 0 bytes");
    expect_empty(a, send_bind(a, 0, text + 1, rpc_int(1)));
    text[60] = '\0';
    expect_error(a, send_bind(a, HANDLE(9, 1), text, rpc_int(1)), HD_EHANDLE_UNKNOWN, "slot 9");
}

static void scopes_have_parents(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_object(a, send_open_scope(a, 0, SCOPE), SCOPE, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_object(a, send_open_scope(a, SCOPE, INNER), INNER, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_empty(a, send_bind(a, 0, "x", rpc_int(1)));
    expect_empty(a, send_bind(a, SCOPE, "y", rpc_int(2)));
    expect_empty(a, send_bind(a, INNER, "z", rpc_int(3)));
    expect_int(a, send_lookup(a, INNER, "x", 0, false, 0), 1);
    expect_int(a, send_lookup(a, INNER, "y", 0, false, 0), 2);
    expect_int(a, send_lookup(a, INNER, "z", 0, false, 0), 3);
    expect_error(a, send_lookup(a, SCOPE, "z", 0, false, 0), HD_ENAME, "\"z\"");
    expect_error(a, send_unbind(a, INNER, "y"), HD_ENAME, "\"y\"");
    expect_empty(a, send_close_scope(a, INNER));
    expect_error(a, send_lookup(a, INNER, "x", 0, false, 0), HD_EINVALID, "the scope is closed");
    expect_error(a, send_close_scope(a, INNER), HD_EINVALID, "closed");
    expect_error(a, send_close_scope(a, 0), HD_EINVALID, "global scope");
    expect_error(a, send_open_scope(a, 0, 0), HD_ENOT_PLAIN, "the result is a");
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(3, 1)), HANDLE(3, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_bind(a, HANDLE(3, 1), "x", rpc_int(1)), HD_ETYPE, "a list was given as the scope");
}

static Heapd__V1__ListNamesReply *list(struct rpc_client *client, const char *prefix, uint64_t start, uint32_t limit)
{
    Heapd__V1__ListNamesRequest request = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    request.prefix = rpc_bytes(prefix);
    request.start = start;
    request.limit = limit;
    uint64_t id = rpc_send(client, METHOD(LIST_NAMES), &request);
    return expect_message(client, id, &heapd__v1__list_names_reply__descriptor);
}

static void names_are_listed_in_pages(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    char name[32];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "%s%d", i % 2 ? "odd" : "even", i);
        expect_empty(a, send_bind(a, 0, name, rpc_int(i)));
    }
    Heapd__V1__ListNamesReply *reply = list(a, "", 0, 0);
    assert_int_equal(reply->n_names, 50);
    assert_int_equal(reply->next, 0);
    assert_memory_equal(reply->names[49]->name.data, "odd49", 5);
    assert_int_equal(reply->names[49]->type, HEAPD__V1__TYPE__TYPE_INT);
    free_message(reply);
    uint64_t start = 0;
    size_t found = 0, pages = 0;
    do {
        reply = list(a, "odd", start, 10);
        found += reply->n_names;
        start = reply->next;
        pages++;
        free_message(reply);
    } while (start);
    assert_int_equal(found, 25);
    assert_true(pages >= 3);
    reply = list(a, "none", 0, 0);
    assert_int_equal(reply->n_names, 0);
    free_message(reply);
    reply = list(a, "", 1000, 0);
    assert_int_equal(reply->n_names + reply->next, 0);
    free_message(reply);
}

/* ---- waiting ---- */

static uint64_t next_deadline_ms(struct fixture *fixture)
{
    uint64_t deadline_ns = hd_rpc_next_deadline_ns(fixture->world.server);
    return deadline_ns == UINT64_MAX ? UINT64_MAX : (deadline_ns - fixture->world.now_ns) / 1000000;
}

static void pass_ms(struct fixture *fixture, uint64_t ms)
{
    fixture->world.now_ns += ms * 1000000;
    rpc_world_run(&fixture->world);
}

static void a_wait_ends_when_the_name_is_bound(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t waits = send_lookup(a, 0, "later", HANDLE(1, 1), false, 500);
    expect_nothing(a, waits);
    assert_int_equal(next_deadline_ms(fixture), 500);
    /* Later requests run; the slot is pending. */
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_ESLOT_PENDING, "slot 1");
    expect_error(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 2)), HD_ESLOT_PENDING, "slot 1");
    /* One that wants the very same handle fails, and does not take the slot from the one that waits. */
    expect_error(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HD_ESLOT_PENDING, "slot 1");
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_ESLOT_PENDING, "slot 1");
    expect_empty(b, send_bind(b, 0, "other", rpc_int(6)));
    expect_nothing(a, waits);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    /* Even if the name is taken away at once. */
    b->deaf = true;
    uint64_t bound = send_bind(b, 0, "later", rpc_handle(HANDLE(1, 1)));
    uint64_t unbound = send_unbind(b, 0, "later");
    b->deaf = false;
    assert_ptr_equal(hd_rpc_next_ready(fixture->world.server), a->connection);
    assert_null(hd_rpc_next_ready(fixture->world.server));
    expect_empty(b, bound);
    expect_empty(b, unbound);
    expect_object(a, waits, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_length(a, HANDLE(1, 1)), 0);
    assert_int_equal(next_deadline_ms(fixture), UINT64_MAX);
}

static void a_plain_result_leaves_the_slot_free(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t waits = send_lookup(a, 0, "later", HANDLE(1, 0), false, 500);
    expect_empty(b, send_bind(b, 0, "later", rpc_int(6)));
    expect_int(a, waits, 6);
    expect_error(a, send_length(a, HANDLE(1, 0)), HD_EHANDLE_UNKNOWN, "slot 1");
    expect_object(a, send_lookup(a, 0, "later", HANDLE(1, 0), true, 0), HANDLE(1, 0), HEAPD__V1__TYPE__TYPE_INT);
}

static void a_wait_without_a_slot_takes_plain_values_only(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t waits = send_lookup(a, 0, "later", 0, false, 500);
    Heapd__V1__Literal list = rpc_empty(HEAPD__V1__KIND__KIND_LIST);
    expect_empty(a, send_bind(a, 0, "later", rpc_literal(&list)));
    expect_error(a, waits, HD_ENOT_PLAIN, "the result is a list");
}

static void a_wait_ends_at_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static const uint64_t waits_ms[] = {300, 100, 500, 200, 400, 100};
    uint64_t ids[6];
    for (size_t i = 0; i < 6; i++)
        ids[i] = send_lookup(a, 0, "never", HANDLE(10 + (uint32_t)i, 1), false, waits_ms[i]);
    for (uint64_t ms = 100; ms <= 500; ms += 100) {
        assert_int_equal(next_deadline_ms(fixture), 100);
        pass_ms(fixture, 99);
        for (size_t i = 0; i < 6; i++)
            expect_nothing(a, ids[i]);
        pass_ms(fixture, 1);
        for (size_t i = 0; i < 6; i++) {
            if (waits_ms[i] != ms)
                continue;
            expect_error(a, ids[i], HD_EDEADLINE, "name \"never\" was not bound within");
            /* The slot says so, too. */
            expect_aborted(a, send_length(a, HANDLE(10 + (uint32_t)i, 1)), ids[i]);
        }
    }
    assert_int_equal(next_deadline_ms(fixture), UINT64_MAX);
    /* A wait of ages is no overflow. */
    uint64_t id = send_lookup(a, 0, "never", 0, false, UINT64_MAX);
    pass_ms(fixture, 1000000);
    expect_nothing(a, id);
    rpc_cancel(a, id);
    expect_error(a, id, HD_ECANCELLED, "");
}

static void a_wait_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    uint64_t waits = send_lookup(a, 0, "later", HANDLE(1, 1), false, 500);
    /* By nobody else, and under no other id. */
    rpc_cancel(b, waits);
    rpc_cancel(a, waits + 1000);
    expect_nothing(a, waits);
    rpc_cancel(a, waits);
    expect_error(a, waits, HD_ECANCELLED, "");
    expect_aborted(a, send_length(a, HANDLE(1, 1)), waits);
    rpc_cancel(a, waits);
    expect_nothing(a, waits);
    expect_empty(a, send_bind(a, 0, "later", rpc_int(1)));
    expect_nothing(a, waits);
}

static void an_id_in_use_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t waits = send_lookup(a, 0, "later", 0, false, 500);
    rpc_send_as(a, waits, METHOD(PING), NULL);
    expect_error(a, waits, HD_EINVALID, "is not finished yet");
    expect_empty(a, send_bind(a, 0, "later", rpc_int(9)));
    expect_int(a, waits, 9);
    rpc_send_as(a, waits, METHOD(GC_GET_COUNT), NULL);
    free_message(expect_message(a, waits, &heapd__v1__counts__descriptor));
}

static void waits_are_limited(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t first = a->last_id + 1;
    for (int i = 0; i < 64; i++)
        send_lookup(a, 0, "later", 0, false, 500);
    expect_error(a, send_lookup(a, 0, "later", 0, false, 500), HD_ELIMIT, "64 requests");
    /* Another session is not affected. */
    uint64_t other = send_lookup(&fixture->b, 0, "later", 0, false, 500);
    expect_empty(a, send_bind(a, 0, "later", rpc_int(7)));
    rpc_world_run(&fixture->world);
    for (uint64_t id = first; id < first + 64; id++)
        expect_int(a, id, 7);
    expect_int(&fixture->b, other, 7);
}

static void a_wait_in_a_scope(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_object(a, send_open_scope(a, 0, SCOPE), SCOPE, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_object(a, send_open_scope(a, SCOPE, INNER), INNER, HEAPD__V1__TYPE__TYPE_SCOPE);
    uint64_t inner = send_lookup(a, INNER, "x", 0, false, 500);
    uint64_t outer = send_lookup(a, SCOPE, "y", 0, false, 500);
    uint64_t global = send_lookup(a, INNER, "z", 0, false, 500);
    uint64_t closed = send_lookup(a, INNER, "w", 0, false, 500);
    /* The wait holds its scope: a collection and the handle's release do not take it away. */
    expect_empty(a, send_release(a, SCOPE));
    struct hd_collection ignored;
    assert_int_equal(hd_heap_collect(fixture->world.heap, 2, &ignored), 0);
    rpc_world_check(&fixture->world);
    expect_empty(a, send_bind(a, INNER, "y", rpc_int(1)));
    expect_nothing(a, outer);
    expect_empty(a, send_bind(a, INNER, "x", rpc_int(2)));
    expect_int(a, inner, 2);
    expect_empty(a, send_bind(a, 0, "z", rpc_int(3)));
    expect_int(a, global, 3);
    expect_empty(a, send_close_scope(a, INNER));
    rpc_world_run(&fixture->world);
    expect_error(a, closed, HD_EINVALID, "the scope is closed");
    expect_nothing(a, outer);
    expect_empty(a, send_bind(a, 0, "y", rpc_int(4)));
    expect_int(a, outer, 4);
}

static void who_leaves_waits_no_more(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 1; i < 20; i++)
        send_lookup(&fixture->b, 0, "later", HANDLE(i, 1), false, 500);
    rpc_client_close(&fixture->b);
    assert_int_equal(next_deadline_ms(fixture), UINT64_MAX);
    expect_empty(&fixture->a, send_bind(&fixture->a, 0, "later", rpc_int(7)));
    pass_ms(fixture, 1000);
}

/* A reply that nobody reads waits with its request, not in memory. */
static void a_wait_respects_backpressure(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[60001];
    uint64_t ids[30];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 30; i++)
        ids[i] = send_lookup(a, 0, "later", 0, false, i == 29 ? 100 : 500);
    a->deaf = true;
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "later", rpc_str(text)));
    rpc_world_run(&fixture->world);
    size_t count;
    (void)hd_rpc_output(a->connection, &count);
    assert_true(count < fixture->world.rpc_config.output_high_bytes + 70000);
    pass_ms(fixture, 100);
    a->deaf = false;
    for (int i = 0; i < 30; i++) {
        rpc_world_run(&fixture->world);
        expect_str(a, ids[i], text);
    }
}

/* Names bound past the rpc layer are noticed when it runs. */
static void a_name_bound_in_the_engine_wakes(void **state)
{
    struct fixture *fixture = *state;
    uint64_t waits = send_lookup(&fixture->a, 0, "later", 0, false, 500);
    assert_int_equal(hd_heap_bind(fixture->world.heap, HD_ABSENT, (const uint8_t *)"later", 5, hd_value_int(3)), 0);
    rpc_world_run(&fixture->world);
    expect_int(&fixture->a, waits, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_keep_values),
        TEST(bad_names_are_refused),
        TEST(scopes_have_parents),
        TEST(names_are_listed_in_pages),
        TEST(a_wait_ends_when_the_name_is_bound),
        TEST(a_plain_result_leaves_the_slot_free),
        TEST(a_wait_without_a_slot_takes_plain_values_only),
        TEST(a_wait_ends_at_its_deadline),
        TEST(a_wait_can_be_cancelled),
        TEST(an_id_in_use_is_refused),
        TEST(waits_are_limited),
        TEST(a_wait_in_a_scope),
        TEST(who_leaves_waits_no_more),
        TEST(a_wait_respects_backpressure),
        TEST(a_name_bound_in_the_engine_wakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
