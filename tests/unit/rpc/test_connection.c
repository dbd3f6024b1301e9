/* Frames and the states of a connection. */
#include "test.h"

static bool is_over(const struct rpc_client *client)
{
    return hd_rpc_connection_is_over(client->connection);
}

static uint64_t send_hello(struct rpc_client *client, uint32_t min, uint32_t max)
{
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    hello.min_version = min;
    hello.max_version = max;
    return rpc_send(client, METHOD(HELLO), &hello);
}

static void hello_negotiates(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client client;
    rpc_client_connect(&client, &fixture->world, false);
    uint64_t id = send_hello(&client, 0, 5);
    Heapd__V1__HelloReply *reply = expect_message(&client, id, &heapd__v1__hello_reply__descriptor);
    assert_int_equal(reply->version, 1);
    assert_int_equal(reply->features, 0);
    assert_int_equal(reply->session_id, 3);
    assert_int_equal(reply->max_frame_bytes, fixture->world.rpc_config.max_frame_bytes);
    assert_int_equal(reply->max_slots, fixture->world.rpc_config.max_slots);
    assert_int_equal(reply->max_depth, HD_LITERAL_MAX_DEPTH);
    assert_true(strlen(reply->server_version) > 0);
    free_message(reply);
    expect_error(&client, send_hello(&client, 1, 1), HD_EHELLO, "said Hello already");
    assert_false(is_over(&client));
    rpc_client_close(&client);
}

static void hello_comes_first_and_in_a_known_version(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client client;
    rpc_client_connect(&client, &fixture->world, false);
    expect_error(&client, send_hello(&client, 2, 9), HD_EHELLO, "2 to 9");
    assert_true(is_over(&client));
    rpc_client_close(&client);
    rpc_client_connect(&client, &fixture->world, false);
    expect_error(&client, rpc_send(&client, METHOD(PING), NULL), HD_EHELLO, "method 3 came before Hello");
    assert_true(is_over(&client));
    rpc_client_close(&client);
    rpc_client_connect(&client, &fixture->world, false);
    rpc_send_bytes(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    struct rpc_reply reply;
    assert_true(rpc_take_any(&client, &reply));
    assert_true(reply.frame.flags & HD_FRAME_ERROR);
    assert_true(is_over(&client));
    rpc_client_close(&client);
}

static void ping_gives_back(void **state)
{
    struct fixture *fixture = *state;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    ping.payload = rpc_bytes("hello");
    for (int i = 0; i < 2; i++) {
        fixture->a.byte_by_byte = i == 1;
        uint64_t id = rpc_send(&fixture->a, METHOD(PING), &ping);
        Heapd__V1__PingReply *reply = expect_message(&fixture->a, id, &heapd__v1__ping_reply__descriptor);
        assert_int_equal(reply->payload.len, 5);
        free_message(reply);
    }
}

static void goodbye_is_the_last(void **state)
{
    struct fixture *fixture = *state;
    uint64_t waits = send_lookup(&fixture->a, 0, "never", 0, false, 100000);
    expect_empty(&fixture->a, rpc_send(&fixture->a, METHOD(GOODBYE), NULL));
    assert_true(is_over(&fixture->a));
    expect_nothing(&fixture->a, waits);
    uint64_t late = rpc_send(&fixture->a, METHOD(PING), NULL);
    expect_nothing(&fixture->a, late);
}

static void bad_frames_are_answered_and_the_connection_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    expect_error(a, rpc_send(a, 4711, NULL), HD_EMETHOD, "method 4711");
    expect_error(a, rpc_send(a, 255, NULL), HD_EMETHOD, "method 255");
    expect_error(a, rpc_send(a, 0, NULL), HD_EMETHOD, "method 0");
    struct hd_frame frame = {.body_bytes = 3, .method = METHOD(GET_ITEM), .request_id = 900};
    rpc_send_frame(a, &frame, "\x08\xff\xff");
    expect_error(a, 900, HD_EPROTOCOL, "3 bytes are no GetItemRequest");
    frame = (struct hd_frame){.method = METHOD(PING), .flags = HD_FRAME_MORE, .request_id = 901};
    rpc_send_frame(a, &frame, NULL);
    expect_error(a, 901, HD_EPROTOCOL, "flags 0x02");
    frame = (struct hd_frame){.method = METHOD(PING), .descriptors = 3, .request_id = 902};
    rpc_send_frame(a, &frame, NULL);
    expect_error(a, 902, HD_EPROTOCOL, "3 descriptors");
    rpc_send_as(a, 0, METHOD(PING), NULL);
    expect_error(a, 0, HD_EINVALID, "request id 0");
    frame = (struct hd_frame){.body_bytes = 1, .method = 1, .flags = HD_FRAME_CANCEL, .request_id = 903};
    rpc_send_frame(a, &frame, "x");
    expect_error(a, 903, HD_EPROTOCOL, "cancel frame");
    assert_false(is_over(a));
    free_message(expect_message(a, rpc_send(a, METHOD(PING), NULL), &heapd__v1__ping_reply__descriptor));
}

static void a_broken_stream_ends(void **state)
{
    struct fixture *fixture = *state;
    const struct hd_frame large = {
        .body_bytes = fixture->world.rpc_config.max_frame_bytes + 1, .method = METHOD(CREATE), .request_id = 5};
    rpc_send_frame(&fixture->a, &large, NULL);
    expect_error(&fixture->a, 5, HD_ETOO_LARGE, "1048577 bytes; at most 1048576");
    assert_true(is_over(&fixture->a));
    const struct hd_frame flags = {.method = METHOD(PING), .flags = 0x80, .request_id = 6};
    rpc_send_frame(&fixture->b, &flags, NULL);
    expect_error(&fixture->b, 6, HD_EPROTOCOL, "unknown flags 0x80");
    assert_true(is_over(&fixture->b));
}

static void frames_may_come_in_any_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *b = &fixture->b;
    b->byte_by_byte = true;
    uint64_t created = send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1));
    uint64_t appended = send_append(b, HANDLE(1, 1), rpc_str("a string of some length"));
    uint64_t got = send_get(b, HANDLE(1, 1), rpc_int(0), 0, false);
    expect_object(b, created, HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(b, appended);
    expect_str(b, got, "a string of some length");
}

static void frame_sizes_are_told_ahead(void **state)
{
    struct fixture *fixture = *state;
    uint8_t header[HD_FRAME_HEADER_BYTES];
    const struct hd_frame frame = {.body_bytes = 1000, .method = METHOD(PING), .request_id = 5};
    hd_frame_write(header, &frame);
    assert_int_equal(hd_rpc_frame_bytes(fixture->a.connection, header, 15), 0);
    assert_int_equal(hd_rpc_frame_bytes(fixture->a.connection, header, 16), 1016);
    header[6] = 0xff;
    assert_int_equal(hd_rpc_frame_bytes(fixture->a.connection, header, 16), 16);
}

static void output_above_its_mark_stops_requests(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    static char text[60001];
    memset(text, 'x', sizeof text - 1);
    expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    expect_empty(a, send_append(a, HANDLE(1, 1), rpc_str(text)));
    a->deaf = true;
    for (int i = 0; i < 20; i++)
        send_get(a, HANDLE(1, 1), rpc_int(0), 0, false);
    size_t count;
    (void)hd_rpc_output(a->connection, &count);
    assert_false(hd_rpc_connection_wants_input(a->connection));
    assert_true(count > fixture->world.rpc_config.output_high_bytes);
    assert_true(count < fixture->world.rpc_config.output_high_bytes + 70000);
    assert_true(hd_buffer_readable(&a->input) > 0);
    /* The other connection does not notice. */
    expect_empty(&fixture->b, send_bind(&fixture->b, 0, "name", rpc_int(1)));
    a->deaf = false;
    for (uint64_t id = a->last_id - 19; id <= a->last_id; id++)
        expect_str(a, id, text);
    assert_int_equal(hd_buffer_readable(&a->input), 0);
}

static void a_turn_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct hd_buffer *input = &fixture->a.input;
    const struct hd_frame frame = {.method = METHOD(GC_GET_COUNT), .request_id = 1};
    uint8_t header[HD_FRAME_HEADER_BYTES];
    hd_frame_write(header, &frame);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(hd_buffer_append(input, header, sizeof header), 0);
    size_t taken = hd_rpc_receive(fixture->a.connection, hd_buffer_head(input), hd_buffer_readable(input));
    assert_true(taken > 0 && taken < hd_buffer_readable(input));
    assert_true(hd_rpc_connection_wants_input(fixture->a.connection));
    hd_buffer_reset(input, 0);
}

static void connections_are_limited(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client clients[14];
    const struct hd_rpc_peer peer = {.uid = UINT64_MAX};
    struct hd_rpc_connection *more = NULL;
    for (int i = 0; i < 14; i++)
        rpc_client_open(&clients[i], &fixture->world, false);
    assert_int_equal(hd_rpc_connection_new(fixture->world.server, &peer, NULL, &more), HD_ELIMIT);
    for (int i = 0; i < 14; i++)
        rpc_client_close(&clients[i]);
    rpc_client_open(&clients[0], &fixture->world, false);
    rpc_client_close(&clients[0]);
}

static void what_a_session_held_is_released(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    for (uint32_t i = 1; i <= 500; i++)
        expect_object(&fixture->b, send_new(&fixture->b, HEAPD__V1__KIND__KIND_DICT, HANDLE(i, 1)), HANDLE(i, 1),
                      HEAPD__V1__TYPE__TYPE_DICT);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before + 500);
    rpc_client_close(&fixture->b);
    /* In slices. */
    while (hd_rpc_run(fixture->world.server, 100))
        rpc_world_check(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
}

static void configurations_out_of_bounds_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct hd_rpc_config config = fixture->world.rpc_config;
    struct hd_rpc_server *server = NULL;
    config.max_frame_bytes = 1000;
    assert_int_equal(hd_rpc_server_new(fixture->world.heap, &fixture->world.os, &config, &server), HD_EINVALID);
    config.max_frame_bytes = HD_FRAME_MAX_BODY_BYTES + 1;
    assert_int_equal(hd_rpc_server_new(fixture->world.heap, &fixture->world.os, &config, &server), HD_EINVALID);
    assert_null(server);
    hd_rpc_server_free(NULL);
    hd_rpc_connection_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello_negotiates),
        TEST(hello_comes_first_and_in_a_known_version),
        TEST(ping_gives_back),
        TEST(goodbye_is_the_last),
        TEST(bad_frames_are_answered_and_the_connection_goes_on),
        TEST(a_broken_stream_ends),
        TEST(frames_may_come_in_any_pieces),
        TEST(frame_sizes_are_told_ahead),
        TEST(output_above_its_mark_stops_requests),
        TEST(a_turn_is_bounded),
        TEST(connections_are_limited),
        TEST(what_a_session_held_is_released),
        TEST(configurations_out_of_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
