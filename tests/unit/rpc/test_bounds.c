/* What one request, and one turn of a connection, may cost the others. */
#include "test.h"

#define LONG_BYTES (500u << 10)

/* A list of `count` times none in a slot: it fits a frame. */
static void make_list(struct rpc_client *client, uint64_t count, hd_handle into)
{
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, count);
    for (uint64_t i = 0; i < count; i++)
        add_node(&builder, HD_KIND_NONE, 0);
    uint64_t id = send_create(client, built(&builder), into);
    rpc_world_run(client->world);
    rpc_pump(client);
    expect_object(client, id, into, HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
}

/* A str of LONG_BYTES. */
static void make_text(struct rpc_client *client, hd_handle into)
{
    struct builder builder;
    builder_init(&builder);
    char *text = malloc(LONG_BYTES + 1);
    memset(text, 'x', LONG_BYTES);
    text[LONG_BYTES] = '\0';
    add_text(&builder, HD_KIND_STR, text);
    expect_object(client, send_create(client, built(&builder), into), into, HEAPD__V1__TYPE__TYPE_STR);
    free(text);
    builder_fini(&builder);
}

/* Requests of twenty bytes about a list of a million: a turn ends by what they cost, not by their number. */
static void a_turn_ends_by_its_work(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_list(a, 1000000, HANDLE(1, 1));
    Heapd__V1__InsertRequest request = HEAPD__V1__INSERT_REQUEST__INIT;
    Heapd__V1__Value value = rpc_int(7);
    request.object = HANDLE(1, 1);
    request.index = 800000;
    request.value = &value;
    uint8_t stream[64 * 100];
    size_t count = 0, taken = 0;
    for (uint64_t id = 1000; id < 1040; id++) {
        size_t bytes = heapd__v1__insert_request__pack(&request, stream + count + HD_FRAME_HEADER_BYTES);
        const struct hd_frame frame = {.body_bytes = (uint32_t)bytes, .method = METHOD(INSERT), .request_id = id};
        hd_frame_write(stream + count, &frame);
        count += HD_FRAME_HEADER_BYTES + bytes;
    }
    unsigned turns = 0;
    for (; taken < count; turns++) {
        size_t more = hd_rpc_receive(a->connection, stream + taken, count - taken);
        assert_true(more > 0);
        taken += more;
    }
    assert_true(turns >= 10);
    for (uint64_t id = 1000; id < 1040; id++)
        expect_empty(a, id);
    expect_int(a, send_length(a, HANDLE(1, 1)), 1000040);
}

static void a_long_list_is_looked_through_in_slices(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_list(a, 300000, HANDLE(1, 1));
    uint64_t absent = send_contains(a, HANDLE(1, 1), rpc_str("a str of more than seven bytes"));
    uint64_t append = send_append(a, HANDLE(1, 1), rpc_int(-5));
    uint64_t present = send_contains(a, HANDLE(1, 1), rpc_int(-5));
    expect_nothing(a, absent);
    expect_nothing(a, append);
    /* Others go on meanwhile. */
    expect_empty(b, send_bind(b, 0, "name", rpc_int(1)));
    expect_nothing(a, absent);
    unsigned slices = 0;
    while (hd_rpc_run(fixture->world.server, 2000))
        slices++;
    assert_true(slices > 5);
    expect_bool(a, absent, false);
    expect_empty(a, append);
    rpc_world_run(&fixture->world);
    expect_bool(a, present, true);
    /* What is near the front is found at once. */
    expect_bool(a, send_contains(a, HANDLE(1, 1), rpc_none()), true);
}

static void a_search_ends_when_the_list_changes(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_list(a, 300000, HANDLE(1, 1));
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), true, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    uint64_t search = send_contains(a, HANDLE(1, 1), rpc_int(-1));
    (void)hd_rpc_run(fixture->world.server, 2000);
    expect_nothing(a, search);
    expect_empty(b, send_append(b, HANDLE(1, 1), rpc_int(-1)));
    rpc_world_run(&fixture->world);
    expect_error(a, search, HD_ECHANGED, "try again");
    /* The session goes on. */
    expect_int(a, send_length(a, HANDLE(1, 1)), 300001);
}

static void a_search_goes_with_its_session(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    struct rpc_client c;
    rpc_client_open(&c, &fixture->world, false);
    make_list(&c, 300000, HANDLE(1, 1));
    uint64_t search = send_contains(&c, HANDLE(1, 1), rpc_str("a str of more than seven bytes"));
    (void)hd_rpc_run(fixture->world.server, 2000);
    expect_nothing(&c, search);
    rpc_client_close(&c);
    rpc_world_run(&fixture->world);
    uint64_t collect = send_collect(a, 2);
    rpc_world_run(&fixture->world);
    free_message(expect_message(a, collect, &heapd__v1__collect_reply__descriptor));
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
}

/* The length of a str is counted: a page of names ends when that has become long. */
static void names_of_long_text_come_in_pages(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_text(a, HANDLE(1, 1));
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "name-%d", i);
        expect_empty(a, send_bind(a, 0, name, rpc_handle(HANDLE(1, 1))));
    }
    size_t names = 0;
    unsigned pages = 0;
    Heapd__V1__ListNamesRequest request = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    do {
        Heapd__V1__ListNamesReply *reply =
            expect_message(a, rpc_send(a, METHOD(LIST_NAMES), &request), &heapd__v1__list_names_reply__descriptor);
        for (size_t i = 0; i < reply->n_names; i++)
            assert_int_equal(reply->names[i]->length, LONG_BYTES);
        names += reply->n_names;
        request.start = reply->next;
        pages++;
        free_message(reply);
    } while (request.start);
    assert_int_equal(names, 40);
    assert_in_range(pages, 4, 20);
}

static uint64_t send_path(struct rpc_client *client, hd_handle object, Heapd__V1__Value *item, size_t count,
                          hd_handle into)
{
    Heapd__V1__Step step = HEAPD__V1__STEP__INIT;
    Heapd__V1__ResolveRequest request = HEAPD__V1__RESOLVE_REQUEST__INIT;
    Heapd__V1__Step **steps = malloc(count * sizeof *steps);
    step.kind_case = HEAPD__V1__STEP__KIND_ITEM;
    step.item = item;
    for (size_t i = 0; i < count; i++)
        steps[i] = &step;
    request.object = object;
    request.steps = steps;
    request.n_steps = count;
    request.into = into;
    uint64_t id = rpc_send(client, METHOD(RESOLVE), &request);
    free(steps);
    return id;
}

static void a_path_has_an_end(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    hd_handle list = HANDLE(1, 1), dict = HANDLE(2, 1), key = HANDLE(3, 1);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, list), list, HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_append(a, list, rpc_handle(list)));
    /* Written at length, so that the message's size pays for its steps. */
    Heapd__V1__Value index = rpc_bool(false), text = rpc_handle(key);
    expect_object(a, send_path(a, list, &index, 400, HANDLE(4, 1)), HANDLE(4, 1), HEAPD__V1__TYPE__TYPE_LIST);
    /* Keys that are long to hash count by that. */
    make_text(a, key);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_DICT, dict), dict, HEAPD__V1__TYPE__TYPE_DICT);
    expect_empty(a, send_set(a, dict, text, rpc_handle(dict)));
    expect_object(a, send_path(a, dict, &text, 4, HANDLE(5, 1)), HANDLE(5, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_error(a, send_path(a, dict, &text, 300, HANDLE(6, 1)), HD_ELIMIT, "too long for one request");
}

static void too_many_steps(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    size_t count = 20000;
    Heapd__V1__Step step = HEAPD__V1__STEP__INIT;
    Heapd__V1__ResolveRequest request = HEAPD__V1__RESOLVE_REQUEST__INIT;
    Heapd__V1__Step **steps = malloc(count * sizeof *steps);
    step.kind_case = HEAPD__V1__STEP__KIND_MEMBER;
    step.member = rpc_bytes("a member with a long name");
    for (size_t i = 0; i < count; i++)
        steps[i] = &step;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_DICT, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_DICT);
    expect_empty(a, send_set(a, HANDLE(1, 1), rpc_str("a member with a long name"), rpc_handle(HANDLE(1, 1))));
    request.object = HANDLE(1, 1);
    request.steps = steps;
    request.n_steps = count;
    request.into = HANDLE(2, 1);
    uint64_t id = rpc_send(a, METHOD(RESOLVE), &request);
    expect_error(a, id, HD_ELIMIT, "a path of 20000 steps");
    free(steps);
}

static void chains_of_scopes_end(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    hd_handle parent = 0;
    for (uint32_t i = 0; i <= HD_CHAIN_MAX; i++) {
        hd_handle into = HANDLE(1 + i % 2, 1 + i);
        expect_object(a, send_open_scope(a, parent, into), into, HEAPD__V1__TYPE__TYPE_SCOPE);
        if (parent)
            expect_empty(a, send_release(a, parent));
        parent = into;
    }
    expect_error(a, send_open_scope(a, parent, HANDLE(5, 1)), HD_EDEPTH, "more than 1000 parents");
    expect_error(a, send_lookup(a, parent, "nothing", 0, false, 0), HD_ENAME, "nothing");
}

/* However many scopes are closed in a turn, those that wait look again once, and in slices. */
static void closing_scopes_wakes_once(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_object(b, send_open_scope(b, 0, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_SCOPE);
    uint64_t waits = send_lookup(b, HANDLE(1, 1), "later", 0, false, 1000);
    expect_object(a, send_open_scope(a, 0, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_empty(a, send_close_scope(a, HANDLE(1, 1)));
    assert_true(hd_rpc_next_deadline_ns(fixture->world.server) != 0);
    rpc_world_run(&fixture->world);
    expect_nothing(b, waits);
    expect_empty(b, send_close_scope(b, HANDLE(1, 1)));
    rpc_world_run(&fixture->world);
    expect_error(b, waits, HD_EINVALID, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_ends_by_its_work),
        TEST(a_long_list_is_looked_through_in_slices),
        TEST(a_search_ends_when_the_list_changes),
        TEST(a_search_goes_with_its_session),
        TEST(names_of_long_text_come_in_pages),
        TEST(a_path_has_an_end),
        TEST(too_many_steps),
        TEST(chains_of_scopes_end),
        TEST(closing_scopes_wakes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
