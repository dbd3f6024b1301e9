/* Long literals: built in slices, in the order of their session, while others go on. */
#include "test.h"

#define LISTS 20000

/* A list of empty lists; with `last`, the node that stands in place of the last one. */
static void many_lists(struct builder *builder, const char *last)
{
    builder_init(builder);
    add_node(builder, HD_KIND_LIST, LISTS);
    for (int i = 0; i < LISTS - 1; i++)
        add_node(builder, HD_KIND_LIST, 0);
    if (last)
        add_text(builder, HD_KIND_STR, last);
    else
        add_node(builder, HD_KIND_LIST, 0);
}

static void others_go_on_and_the_session_waits(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    many_lists(&builder, NULL);
    uint64_t create = send_create(a, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(a, HANDLE(1, 1));
    uint64_t release = send_release(a, HANDLE(1, 1));
    expect_nothing(a, create);
    expect_nothing(a, length);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_nothing(a, create);
    unsigned slices = 0;
    while (hd_rpc_run(fixture->world.server, 1000))
        slices++;
    assert_true(slices > 5);
    /* The chain behind it names what it made. */
    expect_object(a, create, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, length, LISTS);
    expect_empty(a, release);
    builder_fini(&builder);
}

static void a_failure_at_the_end_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    many_lists(&builder, "\xff\xff");
    uint64_t create = send_create(a, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(a, HANDLE(1, 1));
    expect_error(a, create, HD_EUTF8, "a str in the literal");
    expect_aborted(a, length, create);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    builder_fini(&builder);
}

static void a_list_is_extended_in_one_step(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    builder_init(&builder);
    for (int i = 0; i < LISTS; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    Heapd__V1__Literal literal = built(&builder);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), false, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = HANDLE(1, 1);
    request.literal = &literal;
    uint64_t captures[2] = {0, LISTS - 1};
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(5, 1);
    uint64_t extend = rpc_send(a, METHOD(EXTEND), &request);
    /* All of it or nothing. */
    expect_int(b, send_length(b, HANDLE(1, 1)), 0);
    hd_rpc_run(fixture->world.server, 2000);
    expect_nothing(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), 0);
    expect_empty(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), LISTS);
    expect_int(a, send_length(a, HANDLE(5, 1)), 0);
    expect_int(a, send_length(a, HANDLE(6, 1)), 0);
    builder_fini(&builder);
}

static int64_t item_of(struct rpc_client *client, hd_handle list, int64_t index)
{
    Heapd__V1__GetItemRequest get = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    Heapd__V1__Value key = rpc_int(index);
    get.object = list;
    get.key = &key;
    Heapd__V1__Value *value =
        expect_message(client, rpc_send(client, METHOD(GET_ITEM), &get), &heapd__v1__value__descriptor);
    int64_t item = value->integer;
    free_message(value);
    return item;
}

/* Somebody else appends again and again: what comes is put behind all of that at last, in one piece. */
static void a_list_that_changes_meanwhile_is_extended_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    builder_init(&builder);
    for (int i = 0; i < LISTS; i++)
        add_node(&builder, HD_KIND_INT, 7);
    Heapd__V1__Literal literal = built(&builder);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1))));
    expect_object(b, send_lookup(b, 0, "list", HANDLE(1, 1), false, 0), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    request.object = HANDLE(1, 1);
    request.literal = &literal;
    uint64_t extend = rpc_send(a, METHOD(EXTEND), &request);
    int64_t appended = 0;
    bool more = true;
    for (; more; appended++) {
        expect_empty(b, send_append(b, HANDLE(1, 1), rpc_int(-1 - appended)));
        more = hd_rpc_run(fixture->world.server, 200);
        rpc_world_check(&fixture->world);
        assert_true(appended < LISTS);
    }
    expect_empty(a, extend);
    expect_int(b, send_length(b, HANDLE(1, 1)), LISTS + appended);
    /* In one piece, whatever was appended before it and behind. */
    int64_t before = 0;
    while (before < appended && item_of(b, HANDLE(1, 1), before) == -1 - before)
        before++;
    assert_true(before > 0);
    for (int64_t i = 0; i < LISTS; i += 100)
        assert_int_equal(item_of(b, HANDLE(1, 1), before + i), 7);
    assert_int_equal(item_of(b, HANDLE(1, 1), before + LISTS - 1), 7);
    for (int64_t i = before; i < appended; i++)
        assert_int_equal(item_of(b, HANDLE(1, 1), i + LISTS), -1 - i);
    builder_fini(&builder);
}

static void a_session_that_ends_takes_it_along(void **state)
{
    struct fixture *fixture = *state;
    struct builder builder;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    many_lists(&builder, NULL);
    send_create(&fixture->b, built(&builder), HANDLE(1, 1));
    hd_rpc_run(fixture->world.server, 2000);
    rpc_world_check(&fixture->world);
    rpc_client_close(&fixture->b);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
    rpc_client_open(&fixture->b, &fixture->world, false);
    builder_fini(&builder);
}

static void collections_meanwhile_keep_what_is_being_built(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct builder builder;
    many_lists(&builder, NULL);
    uint64_t create = send_create(b, built(&builder), HANDLE(1, 1));
    uint64_t length = send_length(b, HANDLE(1, 1));
    /* One collection begins before, others in the middle. */
    for (int i = 0; i < 40; i++) {
        if (i % 3 == 0)
            send_collect(a, 2);
        hd_rpc_run(fixture->world.server, 300);
        rpc_world_check(&fixture->world);
    }
    expect_object(b, create, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(b, length, LISTS);
    rpc_world_check(&fixture->world);
    builder_fini(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_go_on_and_the_session_waits),
        TEST(a_failure_at_the_end_leaves_nothing),
        TEST(a_list_is_extended_in_one_step),
        TEST(a_list_that_changes_meanwhile_is_extended_all_the_same),
        TEST(a_session_that_ends_takes_it_along),
        TEST(collections_meanwhile_keep_what_is_being_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
