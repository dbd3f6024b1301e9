/* Frames on the wire, as good, bad and dying clients send them. */
#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static struct bb_daemon daemon_;

static int setup(void **state)
{
    (void)state;
    bb_daemon_start(&daemon_, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bb_daemon_stop(&daemon_);
    return 0;
}

/* What is alive, once nothing is left to be released. */
static uint64_t object_count(void)
{
    struct bb_client admin;
    bb_connect(&admin, daemon_.path);
    uint64_t count = bb_settled_objects(&admin);
    bb_close(&admin);
    return count;
}

static void hello_comes_first_and_once(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    bb_dial(&client, daemon_.path);
    bb_call(&client, BB_METHOD(PING), &ping.base, &reply);
    bb_expect_error(&reply, HD_EHELLO, "Hello");
    bb_close(&client);

    bb_connect(&client, daemon_.path);
    assert_int_not_equal(client.session_id, 0);
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    hello.min_version = hello.max_version = 1;
    bb_call(&client, BB_METHOD(HELLO), &hello.base, &reply);
    bb_expect_error(&reply, HD_EHELLO, "");
    bb_close(&client);
}

static void versions_are_negotiated(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    hello.min_version = 1;
    hello.max_version = 7;
    bb_dial(&client, daemon_.path);
    bb_call(&client, BB_METHOD(HELLO), &hello.base, &reply);
    assert_int_equal(reply.frame.flags, 0);
    Heapd__V1__HelloReply *got = heapd__v1__hello_reply__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_int_equal(got->version, 1);
    assert_int_equal(got->features, 0);
    assert_true(got->max_frame_bytes >= 131072 && got->max_frame_bytes <= HD_FRAME_MAX_BODY_BYTES);
    assert_true(got->max_slots > 1 && got->max_depth > 1 && got->server_version[0]);
    heapd__v1__hello_reply__free_unpacked(got, NULL);
    bb_reply_free(&reply);
    bb_close(&client);

    hello.min_version = 2;
    bb_dial(&client, daemon_.path);
    bb_call(&client, BB_METHOD(HELLO), &hello.base, &reply);
    bb_expect_error(&reply, HD_EHELLO, "version");
    bb_close(&client);
}

static void frames_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    uint8_t bytes[512];
    bb_connect(&client, daemon_.path);
    size_t count = bb_pack_create_list(bytes, sizeof bytes, 77, BB_HANDLE(1), 20);
    for (size_t i = 0; i < count; i++)
        bb_write(&client, bytes + i, 1);
    bb_receive(&client, &reply);
    assert_int_equal(reply.frame.request_id, 77);
    bb_expect_handle(&reply, BB_HANDLE(1));
    assert_int_equal(bb_length(&client, BB_HANDLE(1)), 20);
    bb_close(&client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct bb_client client;
    struct bb_reply reply;
    bb_connect(&client, daemon_.path);
    bb_create_list(&client, BB_HANDLE(1), 0);
    uint8_t *bytes = malloc(COUNT * 64);
    size_t count = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        Heapd__V1__Value value = bb_integer(i);
        Heapd__V1__AppendRequest request = HEAPD__V1__APPEND_REQUEST__INIT;
        request.object = BB_HANDLE(1);
        request.value = &value;
        count += bb_pack(bytes + count, 64, BB_METHOD(APPEND), 1000 + (uint64_t)i, 0, &request.base);
    }
    bb_write(&client, bytes, count);
    free(bytes);
    for (uint64_t i = 0; i < COUNT; i++) {
        bb_receive(&client, &reply);
        assert_int_equal(reply.frame.request_id, 1000 + i);
        bb_expect_ok(&reply);
    }
    assert_int_equal(bb_length(&client, BB_HANDLE(1)), COUNT);
    bb_close(&client);
}

static void an_oversize_frame_ends_its_connection_alone(void **state)
{
    (void)state;
    struct bb_client client, other;
    struct bb_reply reply;
    bb_connect(&other, daemon_.path);
    bb_connect(&client, daemon_.path);
    struct hd_frame frame = {.method = BB_METHOD(CREATE), .request_id = 5, .body_bytes = HD_FRAME_MAX_BODY_BYTES + 1};
    uint8_t header[HD_FRAME_HEADER_BYTES];
    hd_frame_write(header, &frame);
    bb_write(&client, header, sizeof header);
    bb_receive(&client, &reply);
    assert_int_equal(reply.frame.request_id, 5);
    bb_expect_error(&reply, HD_ETOO_LARGE, "");
    assert_true(bb_is_closed(&client));
    bb_close(&client);
    bb_ping(&other);
    bb_close(&other);
}

static void unknown_flags_end_the_connection(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    bb_connect(&client, daemon_.path);
    uint8_t header[HD_FRAME_HEADER_BYTES];
    hd_frame_write(header, &(struct hd_frame){.method = BB_METHOD(PING), .request_id = 6, .flags = 0x80});
    bb_write(&client, header, sizeof header);
    bb_receive(&client, &reply);
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    assert_true(bb_is_closed(&client));
    bb_close(&client);
}

static void an_unknown_method_is_told(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    bb_connect(&client, daemon_.path);
    bb_call(&client, 9999, NULL, &reply);
    bb_expect_error(&reply, HD_EMETHOD, "");
    bb_call(&client, 0, NULL, &reply);
    bb_expect_error(&reply, HD_EMETHOD, "");
    bb_ping(&client);
    bb_close(&client);
}

static void a_body_that_is_no_message_is_told(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    bb_connect(&client, daemon_.path);
    uint8_t bytes[512];
    size_t whole = bb_pack_create_list(bytes, sizeof bytes, 8, BB_HANDLE(1), 10);
    struct hd_frame frame = {.method = BB_METHOD(CREATE), .request_id = 8};
    frame.body_bytes = (uint32_t)(whole - HD_FRAME_HEADER_BYTES - 5); /* truncated within the message */
    hd_frame_write(bytes, &frame);
    bb_write(&client, bytes, whole - 5);
    bb_receive(&client, &reply);
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    memset(bytes, 0xff, sizeof bytes);
    frame.body_bytes = 64;
    hd_frame_write(bytes, &frame);
    bb_write(&client, bytes, HD_FRAME_HEADER_BYTES + 64);
    bb_receive(&client, &reply);
    bb_expect_error(&reply, HD_EPROTOCOL, "");
    bb_ping(&client);
    bb_close(&client);
}

static void large_frames_pass(void **state)
{
    (void)state;
    struct bb_client client;
    bb_connect(&client, daemon_.path);
    bb_create_list(&client, BB_HANDLE(1), 500000); /* some two megabytes */
    assert_int_equal(bb_length(&client, BB_HANDLE(1)), 500000);
    bb_close(&client);
}

static void one_that_sends_no_more_gets_its_replies(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    bb_connect(&client, daemon_.path);
    for (int i = 0; i < 100; i++)
        bb_send(&client, BB_METHOD(PING), &ping.base);
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    for (int i = 0; i < 100; i++) {
        bb_receive(&client, &reply);
        bb_expect_ok(&reply);
    }
    assert_true(bb_is_closed(&client));
    bb_close(&client);
}

static void a_goodbye_is_the_last_frame(void **state)
{
    (void)state;
    struct bb_client client;
    struct bb_reply reply;
    bb_connect(&client, daemon_.path);
    bb_call(&client, BB_METHOD(GOODBYE), NULL, &reply);
    bb_expect_ok(&reply);
    assert_true(bb_is_closed(&client));
    bb_close(&client);
}

static void what_half_open_clients_held_is_released(void **state)
{
    (void)state;
    uint64_t before = object_count();
    struct bb_client silent, half;
    bb_dial(&silent, daemon_.path); /* never says a word */
    bb_connect(&half, daemon_.path);
    bb_create_list(&half, BB_HANDLE(1), 10);
    bb_write(&half, "\x10\0\0\0\x01", 5); /* a third of a header, and then nothing */
    struct bb_client other;
    bb_connect(&other, daemon_.path);
    bb_ping(&other);
    assert_int_equal(object_count(), before + 1);
    bb_close(&silent);
    bb_close(&half);
    BB_AWAIT(object_count() == before);
    bb_close(&other);
}

/* A process that holds objects, and is killed while its next request is half sent. */
static void a_client_killed_in_mid_request_leaves_nothing(void **state)
{
    (void)state;
    uint64_t before = object_count();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct bb_client client;
        bb_connect(&client, daemon_.path);
        for (uint32_t slot = 1; slot <= 1000; slot++)
            bb_create_list(&client, BB_HANDLE(slot), 3);
        uint8_t bytes[1024];
        size_t count = bb_pack_create_list(bytes, sizeof bytes, 5000, BB_HANDLE(2000), 100);
        bb_write(&client, bytes, count / 2);
        (void)!write(ends[1], "x", 1);
        for (;;)
            pause();
    }
    char ready;
    assert_int_equal(read(ends[0], &ready, 1), 1);
    assert_true(object_count() >= before + 1000);
    struct bb_client other;
    bb_connect(&other, daemon_.path);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    uint64_t begin_ms = bb_now_ms();
    BB_AWAIT(object_count() == before);
    assert_true(bb_now_ms() - begin_ms < 5000);
    bb_ping(&other);
    bb_close(&other);
    close(ends[0]);
    close(ends[1]);
}

static void a_slow_reader_is_held_back(void **state)
{
    (void)state;
    enum { STR_BYTES = 1 << 20, ASKED = 64 };
    struct bb_client slow, other;
    struct bb_reply reply;
    bb_connect(&slow, daemon_.path);
    bb_connect(&other, daemon_.path);
    uint8_t *text = malloc(STR_BYTES);
    memset(text, 'x', STR_BYTES);
    uint8_t kind = HEAPD__V1__KIND__KIND_STR;
    uint64_t size = STR_BYTES;
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    literal.kinds = (ProtobufCBinaryData){.len = 1, .data = &kind};
    literal.n_sizes = 1;
    literal.sizes = &size;
    literal.data = (ProtobufCBinaryData){.len = STR_BYTES, .data = text};
    Heapd__V1__CreateRequest create = HEAPD__V1__CREATE_REQUEST__INIT;
    create.literal = &literal;
    create.into = BB_HANDLE(1);
    bb_call(&slow, BB_METHOD(CREATE), &create.base, &reply);
    bb_expect_handle(&reply, BB_HANDLE(1));
    free(text);

    size_t before = bb_daemon_memory(&daemon_, "VmRSS");
    Heapd__V1__ReadRequest read_all = HEAPD__V1__READ_REQUEST__INIT;
    read_all.object = BB_HANDLE(1);
    read_all.size = STR_BYTES;
    for (int i = 0; i < ASKED; i++) /* 64 MiB of replies, of which none is read */
        bb_send(&slow, BB_METHOD(READ), &read_all.base);
    for (int i = 0; i < 200; i++)
        bb_ping(&other);
    size_t grown = bb_daemon_memory(&daemon_, "VmRSS") - before;
    assert_true(grown < ((size_t)16 << 20));
    for (int i = 0; i < ASKED; i++) {
        bb_receive(&slow, &reply);
        assert_true(reply.frame.body_bytes > STR_BYTES);
        bb_expect_ok(&reply);
    }
    bb_close(&slow);
    bb_close(&other);
}

/* A client that neither reads nor leaves can be thrown out all the same. */
static void a_killed_session_is_gone(void **state)
{
    (void)state;
    struct bb_client victim, admin;
    struct bb_reply reply;
    bb_connect(&victim, daemon_.path);
    bb_connect(&admin, daemon_.path);
    uint64_t before = object_count();
    bb_create_list(&victim, BB_HANDLE(1), 4);
    Heapd__V1__KillSessionRequest request = HEAPD__V1__KILL_SESSION_REQUEST__INIT;
    request.id = victim.session_id;
    bb_call(&admin, BB_METHOD(KILL_SESSION), &request.base, &reply);
    bb_expect_ok(&reply);
    assert_true(bb_is_closed(&victim));
    BB_AWAIT(object_count() == before);
    bb_close(&victim);
    bb_close(&admin);
}

/* Every test above leaves the daemon as it found it. */
static void nothing_is_left(void **state)
{
    (void)state;
    struct bb_client admin;
    bb_connect(&admin, daemon_.path);
    unsigned descriptors = bb_daemon_descriptors(&daemon_);
    for (int i = 0; i < 50; i++) {
        struct bb_client client;
        bb_connect(&client, daemon_.path);
        bb_create_list(&client, BB_HANDLE(1), 1);
        bb_close(&client);
    }
    BB_AWAIT(bb_daemon_descriptors(&daemon_) == descriptors);
    bb_close(&admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_comes_first_and_once),
        cmocka_unit_test(versions_are_negotiated),
        cmocka_unit_test(frames_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(an_oversize_frame_ends_its_connection_alone),
        cmocka_unit_test(unknown_flags_end_the_connection),
        cmocka_unit_test(an_unknown_method_is_told),
        cmocka_unit_test(a_body_that_is_no_message_is_told),
        cmocka_unit_test(large_frames_pass),
        cmocka_unit_test(one_that_sends_no_more_gets_its_replies),
        cmocka_unit_test(a_goodbye_is_the_last_frame),
        cmocka_unit_test(what_half_open_clients_held_is_released),
        cmocka_unit_test(a_client_killed_in_mid_request_leaves_nothing),
        cmocka_unit_test(a_slow_reader_is_held_back),
        cmocka_unit_test(a_killed_session_is_gone),
        cmocka_unit_test(nothing_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
