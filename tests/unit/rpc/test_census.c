/* Of what a census tells where there are more sessions than it has rows. */
#include <heapd/v1/inspect.pb-c.h>

#include "inspect/census.h"
#include "test.h"

enum { SESSIONS = HD_CENSUS_ROWS_MAX + 60 };

static int set_up_many(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    fixture->world.rpc_config.max_connections = SESSIONS + 2;
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}

/* How many lists the session of this number keeps in one: an order that is not that of the sessions. */
static size_t length_of(size_t session)
{
    return session * 97 % SESSIONS;
}

static uint64_t session_of(struct rpc_world *world, struct rpc_client *client, size_t number)
{
    rpc_client_open(client, world, false);
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, length_of(number));
    for (size_t i = 0; i < length_of(number); i++)
        add_node(&builder, HD_KIND_LIST, 0);
    expect_object(client, send_create(client, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
    return number + 3; /* after those of the fixture */
}

static void those_that_keep_most_are_told_of(void **state)
{
    struct fixture *fixture = *state;
    static struct rpc_client clients[SESSIONS];
    static size_t length_by_id[SESSIONS + 8];
    for (size_t i = 0; i < SESSIONS; i++)
        length_by_id[session_of(&fixture->world, &clients[i], i)] = length_of(i);
    uint64_t id = rpc_send(&fixture->a, METHOD(CENSUS), NULL);
    rpc_world_run(&fixture->world);
    while (rpc_pump(&fixture->a))
        ;
    Heapd__V1__CensusReply *reply = expect_message(&fixture->a, id, &heapd__v1__census_reply__descriptor);
    assert_int_equal(reply->n_sources, HD_CENSUS_ROWS_MAX);
    for (size_t i = 0; i < reply->n_sources; i++) {
        const Heapd__V1__CensusRow *row = reply->sources[i];
        assert_int_equal(row->root->kind, HEAPD__V1__ROOT_KIND__ROOT_SESSION);
        assert_in_range(row->root->session, 3, SESSIONS + 2);
        assert_int_equal(length_by_id[row->root->session], SESSIONS - 1 - i);
        assert_int_equal(row->count, SESSIONS - i);
        assert_string_equal(row->root->client_name, "test");
        assert_int_equal(row->root->pid, 17);
        if (i > 0)
            assert_true(reply->sources[i - 1]->retained_bytes >= row->retained_bytes);
    }
    free_message(reply);
    for (size_t i = 0; i < SESSIONS; i++)
        rpc_client_close(&clients[i]);
}

static void all_are_told_of_where_they_are_few(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *b = &fixture->b;
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    uint64_t id = rpc_send(&fixture->a, METHOD(CENSUS), NULL);
    rpc_world_run(&fixture->world);
    while (rpc_pump(&fixture->a))
        ;
    Heapd__V1__CensusReply *reply = expect_message(&fixture->a, id, &heapd__v1__census_reply__descriptor);
    uint64_t kept = 0;
    for (size_t i = 0; i < reply->n_sources; i++) {
        const Heapd__V1__CensusRow *row = reply->sources[i];
        assert_true(i == 0 || reply->sources[i - 1]->retained_bytes >= row->retained_bytes);
        if (row->root->session == 2)
            kept += row->count;
    }
    assert_int_equal(kept, 1);
    free_message(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_keep_most_are_told_of, set_up_many, tear_down),
        TEST(all_are_told_of_where_they_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
