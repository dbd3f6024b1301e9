/* Exports: in parts, under backpressure, cancelled, changed meanwhile. */
#include "test.h"

/* The parts of an export as far as they have come. */
struct parts {
    size_t parts;
    size_t kinds;
    size_t integers;
    bool complete;
    int error;
};

static void take_parts(struct rpc_client *client, uint64_t id, struct parts *parts)
{
    struct rpc_reply reply;
    while (!parts->complete && rpc_take(client, id, &reply)) {
        parts->complete = !(reply.frame.flags & HD_FRAME_MORE);
        if (reply.frame.flags & HD_FRAME_ERROR) {
            Heapd__V1__Error *error = rpc_unpack(&reply, &heapd__v1__error__descriptor);
            parts->error = -(int)error->code;
            free_message(error);
            continue;
        }
        Heapd__V1__Literal *literal = rpc_unpack(&reply, &heapd__v1__literal__descriptor);
        parts->parts++;
        parts->kinds += literal->kinds.len;
        parts->integers += literal->n_integers;
        free_message(literal);
    }
}

/* A list of numbers, made in several requests. */
static void make_numbers(struct rpc_client *client, hd_handle into, unsigned thousands)
{
    struct builder builder;
    Heapd__V1__ExtendRequest request = HEAPD__V1__EXTEND_REQUEST__INIT;
    builder_init(&builder);
    for (uint64_t i = 0; i < 1000; i++)
        add_node(&builder, HD_KIND_INT, i);
    Heapd__V1__Literal literal = built(&builder);
    request.object = into;
    request.literal = &literal;
    expect_object(client, send_new(client, HEAPD__V1__KIND__KIND_LIST, into), into, HEAPD__V1__TYPE__TYPE_LIST);
    for (unsigned i = 0; i < thousands; i++)
        expect_empty(client, rpc_send(client, METHOD(EXTEND), &request));
    builder_fini(&builder);
}

static void a_small_export_ends_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 1);
    struct parts parts = {0};
    take_parts(a, send_export(a, HANDLE(1, 1), 0), &parts);
    assert_true(parts.complete);
    assert_int_equal(parts.parts, 1);
    assert_int_equal(parts.integers, 1000);
    assert_int_equal(parts.kinds, 1001);
    assert_false(hd_rpc_connection_is_working(a->connection));
}

static void a_large_one_comes_in_parts(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 100);
    struct parts parts = {0};
    uint64_t id = send_export(a, HANDLE(1, 1), 20000);
    assert_true(hd_rpc_connection_is_working(a->connection));
    /* Others are answered in between. */
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "x", rpc_int(1)));
    while (!parts.complete) {
        assert_int_equal(hd_rpc_next_deadline_ns(fixture->world.server), 0);
        (void)hd_rpc_run(fixture->world.server, 1000);
        take_parts(a, id, &parts);
    }
    assert_int_equal(parts.error, 0);
    assert_int_equal(parts.integers, 100000);
    assert_true(parts.parts > 5);
    assert_false(hd_rpc_connection_is_working(a->connection));
}

static void a_reader_that_does_not_read_stops_it(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 400);
    a->deaf = true;
    uint64_t id = send_export(a, HANDLE(1, 1), 50000);
    rpc_world_run(&fixture->world);
    size_t count;
    (void)hd_rpc_output(a->connection, &count);
    assert_true(count > fixture->world.rpc_config.output_high_bytes);
    assert_true(count < fixture->world.rpc_config.output_high_bytes + 100000);
    assert_int_equal(hd_rpc_next_deadline_ns(fixture->world.server), UINT64_MAX);
    /* A little at a time. */
    struct parts parts = {0};
    while (!parts.complete) {
        rpc_take_output(a, 10000);
        rpc_world_run(&fixture->world);
        take_parts(a, id, &parts);
        (void)hd_rpc_output(a->connection, &count);
        assert_true(count < fixture->world.rpc_config.output_high_bytes + 100000);
    }
    assert_int_equal(parts.integers, 400000);
}

static void a_change_ends_it(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 100);
    struct parts parts = {0};
    uint64_t id = send_export(a, HANDLE(1, 1), 20000);
    expect_empty(a, send_append(a, HANDLE(1, 1), rpc_int(1)));
    rpc_world_run(&fixture->world);
    take_parts(a, id, &parts);
    assert_true(parts.complete);
    assert_int_equal(parts.error, HD_ECHANGED);
}

static void it_can_be_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 100);
    struct parts parts = {0};
    uint64_t id = send_export(a, HANDLE(1, 1), 20000);
    rpc_cancel(a, id);
    take_parts(a, id, &parts);
    assert_int_equal(parts.error, HD_ECANCELLED);
    rpc_world_run(&fixture->world);
    expect_nothing(a, id);
}

static void several_take_turns(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    make_numbers(a, HANDLE(1, 1), 100);
    make_numbers(b, HANDLE(1, 1), 100);
    struct parts one = {0}, two = {0}, three = {0};
    uint64_t first = send_export(a, HANDLE(1, 1), 4000), second = send_export(a, HANDLE(1, 1), 4000);
    uint64_t third = send_export(b, HANDLE(1, 1), 4000);
    while (!one.complete || !two.complete || !three.complete) {
        /* One slice each at most. */
        (void)hd_rpc_run(fixture->world.server, 3 * 2 * 16384);
        take_parts(a, first, &one);
        take_parts(a, second, &two);
        take_parts(b, third, &three);
        size_t most = one.parts > three.parts ? one.parts : three.parts;
        size_t least = one.parts < three.parts ? one.parts : three.parts;
        assert_true(most - least <= 2);
    }
    assert_int_equal(one.integers + two.integers + three.integers, 300000);
}

static void who_leaves_exports_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *b = &fixture->b;
    make_numbers(b, HANDLE(1, 1), 100);
    b->deaf = true;
    send_export(b, HANDLE(1, 1), 20000);
    send_export(b, HANDLE(1, 1), 20000);
    rpc_client_close(b);
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_list_count"), 0);
}

/* The walk is a root: what is exported lives until it is out, even when everybody else lets go of it. */
static void it_holds_what_it_shows(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 100);
    struct parts parts = {0};
    uint64_t id = send_export(a, HANDLE(1, 1), 20000);
    expect_empty(a, send_release(a, HANDLE(1, 1)));
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(fixture->world.heap, 2, &found), 0);
    rpc_world_check(&fixture->world);
    while (!parts.complete) {
        rpc_world_run(&fixture->world);
        take_parts(a, id, &parts);
    }
    assert_int_equal(parts.error, 0);
    assert_int_equal(parts.integers, 100000);
}

static void what_has_no_literal_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_object(a, send_open_scope(a, 0, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_error(a, send_export(a, HANDLE(1, 1), 0), HD_ETYPE, "a class or a scope");
    expect_error(a, send_export(a, HANDLE(2, 1), 0), HD_EHANDLE_UNKNOWN, "slot 2");
}

static void cycles_and_sharing_come_out(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 0);
    expect_empty(a, send_append(a, HANDLE(1, 1), rpc_handle(HANDLE(1, 1))));
    uint64_t id = send_export(a, HANDLE(1, 1), 0);
    Heapd__V1__Literal *literal = expect_message(a, id, &heapd__v1__literal__descriptor);
    assert_int_equal(literal->kinds.len, 2);
    assert_int_equal(literal->kinds.data[1], HEAPD__V1__KIND__KIND_SHARED);
    free_message(literal);
}

static void exports_are_limited(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    make_numbers(a, HANDLE(1, 1), 3);
    uint64_t first = a->last_id + 1;
    a->deaf = true;
    for (int i = 0; i < 70; i++)
        send_export(a, HANDLE(1, 1), 1024);
    a->deaf = false;
    for (uint64_t id = first; id <= a->last_id; id++) {
        struct parts parts = {0};
        rpc_world_run(&fixture->world);
        take_parts(a, id, &parts);
        for (int i = 0; i < 10000 && !parts.complete; i++) {
            rpc_world_run(&fixture->world);
            take_parts(a, id, &parts);
        }
        assert_true(parts.complete);
        assert_true(parts.error == 0 || parts.error == HD_ELIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_export_ends_at_once),
        TEST(a_large_one_comes_in_parts),
        TEST(a_reader_that_does_not_read_stops_it),
        TEST(a_change_ends_it),
        TEST(it_can_be_cancelled),
        TEST(several_take_turns),
        TEST(who_leaves_exports_no_more),
        TEST(it_holds_what_it_shows),
        TEST(what_has_no_literal_is_refused),
        TEST(cycles_and_sharing_come_out),
        TEST(exports_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
