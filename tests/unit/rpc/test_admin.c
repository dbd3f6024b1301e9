/* The admin service. */
#include "test.h"

static uint64_t stat_of(struct rpc_client *client, const char *name)
{
    Heapd__V1__StatsReply *reply =
        expect_message(client, rpc_send(client, METHOD(STATS), NULL), &heapd__v1__stats_reply__descriptor);
    uint64_t value = 0;
    bool found = false;
    for (size_t i = 0; i < reply->n_stats; i++) {
        if (strcmp(reply->stats[i]->name, name) != 0)
            continue;
        assert_false(found);
        value = reply->stats[i]->value;
        found = true;
    }
    if (!found)
        fail_msg("no number is called %s", name);
    free_message(reply);
    return value;
}

static void only_admins_may(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *b = &fixture->b;
    static const int methods[] = {METHOD(STATS), METHOD(LIST_SESSIONS), METHOD(KILL_SESSION), METHOD(SHUTDOWN)};
    for (size_t i = 0; i < 4; i++)
        expect_error(b, rpc_send(b, methods[i], NULL), HD_EPERMISSION, "");
    assert_false(hd_rpc_shutdown_wanted(fixture->world.server));
}

static void numbers_are_visible(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    assert_int_equal(stat_of(a, "rpc_sessions_count"), 2);
    assert_true(stat_of(a, "memory_used_bytes") > 0);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    send_lookup(b, 0, "later", 0, false, 100);
    expect_error(b, send_get(b, HANDLE(1, 1), rpc_int(0), 0, false), HD_EINDEX, "");
    assert_int_equal(stat_of(a, "rpc_handles_count"), 1);
    assert_int_equal(stat_of(a, "rpc_parked_count"), 1);
    assert_int_equal(stat_of(a, "rpc_requests_create_count"), 1);
    assert_int_equal(stat_of(a, "rpc_requests_get_item_count"), 1);
    assert_int_equal(stat_of(a, "rpc_errors_count"), 1);
    assert_int_equal(stat_of(a, "rpc_errors_index_count"), 1);
    assert_true(stat_of(a, "rpc_received_bytes") > 100);
    assert_true(stat_of(a, "rpc_sent_bytes") > 100);
}

/* People look the names up there, so none may be missing. */
static void numbers_are_documented(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[1 << 16];
    FILE *file = fopen(DESIGN_FILE, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    Heapd__V1__StatsReply *reply =
        expect_message(a, rpc_send(a, METHOD(STATS), NULL), &heapd__v1__stats_reply__descriptor);
    for (size_t i = 0; i < reply->n_stats; i++) {
        char quoted[80];
        const char *name = reply->stats[i]->name;
        (void)snprintf(quoted, sizeof quoted, "`%s`", name);
        if (strncmp(name, "rpc_requests_", 13) == 0 || strncmp(name, "rpc_errors_", 11) == 0)
            continue; /* one for each method and code */
        if (!strstr(text, quoted))
            fail_msg("%s is not in %s", quoted, DESIGN_FILE);
    }
    free_message(reply);
}

static void sessions_are_listed(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    Heapd__V1__ListSessionsReply *reply =
        expect_message(a, rpc_send(a, METHOD(LIST_SESSIONS), NULL), &heapd__v1__list_sessions_reply__descriptor);
    assert_int_equal(reply->n_sessions, 2);
    assert_int_equal(reply->sessions[0]->id, 1);
    assert_true(reply->sessions[0]->self);
    assert_string_equal(reply->sessions[0]->client_name, "test");
    assert_int_equal(reply->sessions[0]->pid, 17);
    assert_int_equal(reply->sessions[1]->id, 2);
    assert_false(reply->sessions[1]->self);
    assert_int_equal(reply->sessions[1]->handles, 1);
    assert_int_equal(reply->sessions[1]->requests, 2);
    free_message(reply);
}

static void a_session_is_killed(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    Heapd__V1__KillSessionRequest request = HEAPD__V1__KILL_SESSION_REQUEST__INIT;
    uint64_t waits = send_lookup(b, 0, "later", HANDLE(1, 1), false, 100);
    request.id = 99;
    expect_error(a, rpc_send(a, METHOD(KILL_SESSION), &request), HD_EKEY, "session 99");
    request.id = 2;
    expect_empty(a, rpc_send(a, METHOD(KILL_SESSION), &request));
    assert_ptr_equal(hd_rpc_next_ready(fixture->world.server), b->connection);
    assert_true(hd_rpc_connection_is_over(b->connection));
    expect_error(b, 0, HD_ECLOSED, "an administrator ended this session");
    expect_nothing(b, waits);
    expect_error(a, rpc_send(a, METHOD(KILL_SESSION), &request), HD_EKEY, "session 2");
    request.id = 1;
    uint64_t own = rpc_send(a, METHOD(KILL_SESSION), &request);
    expect_empty(a, own);
    assert_true(hd_rpc_connection_is_over(a->connection));
}

static void the_end_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    assert_false(hd_rpc_shutdown_wanted(fixture->world.server));
    expect_empty(&fixture->a, rpc_send(&fixture->a, METHOD(SHUTDOWN), NULL));
    assert_true(hd_rpc_shutdown_wanted(fixture->world.server));
}

static void long_names_are_cut_between_characters(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client client;
    char name[200];
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    for (size_t i = 0; i + 3 < sizeof name; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 4);
    hello.min_version = hello.max_version = 1;
    hello.client_name = name;
    rpc_client_connect(&client, &fixture->world, false);
    free_message(
        expect_message(&client, rpc_send(&client, METHOD(HELLO), &hello), &heapd__v1__hello_reply__descriptor));
    Heapd__V1__ListSessionsReply *reply = expect_message(
        &fixture->a, rpc_send(&fixture->a, METHOD(LIST_SESSIONS), NULL), &heapd__v1__list_sessions_reply__descriptor);
    assert_int_equal(strlen(reply->sessions[2]->client_name), 63);
    free_message(reply);
    rpc_client_close(&client);
    hello.client_name = (char *)(uintptr_t) "\xff";
    rpc_client_connect(&client, &fixture->world, false);
    expect_error(&client, rpc_send(&client, METHOD(HELLO), &hello), HD_EUTF8, "client_name");
    rpc_client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_admins_may),
        TEST(numbers_are_visible),
        TEST(numbers_are_documented),
        TEST(sessions_are_listed),
        TEST(a_session_is_killed),
        TEST(the_end_is_asked_for),
        TEST(long_names_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
