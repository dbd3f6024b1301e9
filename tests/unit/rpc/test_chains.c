/* Requests that name what earlier ones will make, and what becomes of them when those fail. */
#include "test.h"

static void a_chain_goes_out_in_one_write(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    a->deaf = true;
    uint64_t created = send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1));
    uint64_t appended = send_append(a, HANDLE(1, 1), rpc_int(5));
    uint64_t bound = send_bind(a, 0, "list", rpc_handle(HANDLE(1, 1)));
    uint64_t released = send_release(a, HANDLE(1, 1));
    uint64_t again = send_lookup(a, 0, "list", HANDLE(1, 2), false, 0);
    a->deaf = false;
    expect_object(a, created, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, appended);
    expect_empty(a, bound);
    expect_empty(a, released);
    expect_object(a, again, HANDLE(1, 2), HEAPD__V1__TYPE__TYPE_LIST);
    expect_int(a, send_get(a, HANDLE(1, 2), rpc_int(0), 0, false), 5);
    expect_empty(a, send_release(a, HANDLE(1, 2)));
    expect_empty(a, send_unbind(a, 0, "list"));
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
}

static void the_first_failure_is_told_along_the_chain(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    uint64_t first = send_lookup(a, 0, "nobody", HANDLE(1, 1), true, 0);
    uint64_t second = send_get(a, HANDLE(1, 1), rpc_int(0), HANDLE(2, 1), true);
    uint64_t third = send_append(a, HANDLE(2, 1), rpc_int(1));
    uint64_t fourth = send_duplicate(a, HANDLE(2, 1), HANDLE(3, 1));
    uint64_t fifth = send_bind(a, 0, "result", rpc_handle(HANDLE(3, 1)));
    uint64_t sixth = send_release(a, HANDLE(1, 1));
    expect_error(a, first, HD_ENAME, "nobody");
    expect_aborted(a, second, first);
    expect_aborted(a, third, first);
    expect_aborted(a, fourth, first);
    expect_aborted(a, fifth, first);
    expect_aborted(a, sixth, first);
    expect_error(a, send_lookup(a, 0, "result", 0, false, 0), HD_ENAME, "result");
    /* The slots are free for a raised generation. */
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 2)), HANDLE(1, 2), HEAPD__V1__TYPE__TYPE_LIST);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(2, 2)), HANDLE(2, 2), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(3, 1)), HD_ESLOT_GENERATION, "slot 3");
}

static void a_handle_in_a_literal_tells_it_too(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t first = send_lookup(a, 0, "nobody", HANDLE(1, 1), true, 0);
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, 1);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(1, 1));
    uint64_t second = send_create(a, built(&builder), HANDLE(2, 1));
    uint64_t third = send_length(a, HANDLE(2, 1));
    expect_error(a, first, HD_ENAME, "");
    expect_aborted(a, second, first);
    expect_aborted(a, third, first);
    builder_fini(&builder);
}

static void captures_fail_with_their_request(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    uint64_t captures[] = {1, 2};
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, 2);
    add_node(&builder, HD_KIND_LIST, 0);
    add_text(&builder, HD_KIND_STR, "not \xff UTF-8");
    Heapd__V1__Literal literal = built(&builder);
    request.literal = &literal;
    request.into = HANDLE(1, 1);
    request.captures = captures;
    request.n_captures = 2;
    request.captures_into = HANDLE(10, 1);
    uint64_t failed = rpc_send(a, METHOD(CREATE), &request);
    expect_error(a, failed, HD_EUTF8, "a str in the literal");
    expect_aborted(a, send_length(a, HANDLE(1, 1)), failed);
    expect_aborted(a, send_length(a, HANDLE(10, 1)), failed);
    expect_aborted(a, send_length(a, HANDLE(11, 1)), failed);
    expect_error(a, send_length(a, HANDLE(12, 1)), HD_EHANDLE_UNKNOWN, "slot 12");
    builder_fini(&builder);
}

static void handles_are_a_sessions_own(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(b, send_length(b, HANDLE(1, 1)), HD_EHANDLE_UNKNOWN, "slot 1, generation 1");
    expect_error(b, send_length(b, 0), HD_EHANDLE_UNKNOWN, "no handle was given");
    expect_error(b, send_length(b, UINT64_MAX), HD_EHANDLE_UNKNOWN, "slot 4294967295");
    expect_empty(a, send_release(a, HANDLE(1, 1)));
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_EHANDLE_STALE, "slot 1, generation 1");
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 5)), HANDLE(1, 5), HEAPD__V1__TYPE__TYPE_LIST);
    expect_error(a, send_length(a, HANDLE(1, 1)), HD_EHANDLE_STALE, "the slot is at generation 5");
    expect_error(a, send_length(a, HANDLE(1, 6)), HD_EHANDLE_UNKNOWN, "generation 6");
}

static void many_are_released_or_none(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    Heapd__V1__ReleaseRequest request = HEAPD__V1__RELEASE_REQUEST__INIT;
    uint64_t handles[3] = {HANDLE(1, 1), HANDLE(2, 1), HANDLE(2, 1)};
    for (int i = 0; i < 2; i++)
        expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, handles[i]), handles[i], HEAPD__V1__TYPE__TYPE_LIST);
    request.handles = handles;
    request.n_handles = 3;
    expect_error(a, rpc_send(a, METHOD(RELEASE), &request), HD_EHANDLE_STALE, "slot 2");
    expect_int(a, send_length(a, handles[0]), 0);
    request.n_handles = 2;
    expect_empty(a, rpc_send(a, METHOD(RELEASE), &request));
    expect_error(a, send_length(a, handles[0]), HD_EHANDLE_STALE, "slot 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chain_goes_out_in_one_write),      TEST(the_first_failure_is_told_along_the_chain),
        TEST(a_handle_in_a_literal_tells_it_too), TEST(captures_fail_with_their_request),
        TEST(handles_are_a_sessions_own),         TEST(many_are_released_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
