/* Many requests at once, against a daemon that answers as its script says. */
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

static void sync_script(struct fake *fake)
{
    struct fake_request request;
    fake_expect(fake, HEAPD_METHOD_ADD, &request);
    Heapd__V1__AddRequest *add = heapd__v1__add_request__unpack(NULL, request.frame.body_bytes, request.body);
    FAKE_CHECK(fake, add && add->name.len == 4 && !memcmp(add->name.data, "hits", 4));
    FAKE_CHECK(fake, add && add->delta && add->delta->integer == -3);
    heapd__v1__add_request__free_unpacked(add, NULL);
    fake_reply_int(fake, &request, 39);
    fake_request_fini(&request);
    fake_expect(fake, HEAPD_METHOD_UNBIND, &request);
    fake_reply_error(fake, &request, HD_ENAME, "no name \"gone\" in this scope; bind it first", 0);
    fake_request_fini(&request);
    fake_serve_end(fake);
}

static void a_synchronous_call_gives_value_or_failure(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, sync_script, NULL);
    struct heapd_server_info info;
    heapd_get_server_info(fake.client, &info);
    assert_int_equal(info.session_id, 7);
    assert_string_equal(info.version, "fake");
    struct heapd_value value;
    struct heapd_error error;
    assert_int_equal(heapd_add_name(fake.client, HEAPD_GLOBAL, heapd_text("hits"), heapd_int(-3), &value, &error), 0);
    assert_int_equal(value.kind, HEAPD_VALUE_INT);
    assert_int_equal(value.as.integer, 39);
    assert_int_equal(error.code, 0);
    assert_int_equal(heapd_unbind(fake.client, HEAPD_GLOBAL, heapd_text("gone"), &error), HEAPD_ENAME);
    assert_int_equal(error.code, HEAPD_ENAME);
    assert_string_equal(heapd_status_name(error.status), "NOT_FOUND");
    assert_string_equal(error.message, "no name \"gone\" in this scope; bind it first");
    assert_true(error.request != 0);
    fake_stop(&fake);
}

static void reverse_script(struct fake *fake)
{
    struct fake_request requests[3];
    for (int i = 0; i < 3; i++)
        fake_expect(fake, HEAPD_METHOD_LENGTH, &requests[i]);
    fake_reply_int(fake, &requests[2], 102);
    fake_reply_error(fake, &requests[1], HD_ETYPE, "an int has no length", 0);
    fake_reply_int(fake, &requests[0], 100);
    for (int i = 0; i < 3; i++)
        fake_request_fini(&requests[i]);
    fake_serve_end(fake);
}

static void replies_in_any_order_find_their_tickets(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, reverse_script, NULL);
    heapd_ticket tickets[3];
    struct heapd_error error;
    for (int i = 0; i < 3; i++)
        assert_int_equal(heapd_begin_length(fake.client, 5, &tickets[i], &error), 0);
    assert_int_equal(heapd_pending_count(fake.client), 3);
    struct heapd_result result;
    assert_int_equal(heapd_wait(fake.client, tickets[0], -1, &result, &error), 0);
    assert_int_equal(result.value.as.integer, 100);
    assert_int_equal(heapd_wait(fake.client, tickets[1], -1, &result, &error), HEAPD_ETYPE);
    assert_true(error.request == tickets[1]);
    assert_int_equal(heapd_wait(fake.client, tickets[2], 0, &result, &error), 0);
    assert_int_equal(result.value.as.integer, 102);
    assert_int_equal(heapd_wait(fake.client, tickets[2], -1, &result, &error), HEAPD_ETICKET);
    assert_int_equal(heapd_wait(fake.client, 4711, -1, &result, &error), HEAPD_ETICKET);
    assert_int_equal(heapd_pending_count(fake.client), 0);
    fake_stop(&fake);
}

/* A chain whose first link fails: create, append, bind, and the release behind it. */
static void chain_script(struct fake *fake)
{
    struct fake_request create, append, bind, release;
    fake_expect(fake, HEAPD_METHOD_CREATE, &create);
    Heapd__V1__CreateRequest *message = heapd__v1__create_request__unpack(NULL, create.frame.body_bytes, create.body);
    uint64_t into = message->into;
    heapd__v1__create_request__free_unpacked(message, NULL);
    fake_expect(fake, HEAPD_METHOD_APPEND, &append);
    Heapd__V1__AppendRequest *second = heapd__v1__append_request__unpack(NULL, append.frame.body_bytes, append.body);
    FAKE_CHECK(fake, second->object == into);
    heapd__v1__append_request__free_unpacked(second, NULL);
    fake_expect(fake, HEAPD_METHOD_BIND, &bind);
    fake_expect(fake, HD_METHOD_RELEASE, &release);
    Heapd__V1__ReleaseRequest *fourth =
        heapd__v1__release_request__unpack(NULL, release.frame.body_bytes, release.body);
    FAKE_CHECK(fake, fourth && fourth->n_handles == 1 && fourth->handles[0] == into);
    heapd__v1__release_request__free_unpacked(fourth, NULL);
    uint64_t first = create.frame.request_id;
    fake_reply_error(fake, &create, HD_ENOMEM, "the heap is full", 0);
    fake_reply_error(fake, &append, HD_EABORTED, "an earlier request failed", first);
    fake_reply_error(fake, &bind, HD_EABORTED, "an earlier request failed", first);
    fake_reply_error(fake, &release, HD_EABORTED, "an earlier request failed", first);
    fake_request_fini(&create);
    fake_request_fini(&append);
    fake_request_fini(&bind);
    fake_request_fini(&release);
    fake_serve_end(fake);
}

static void a_chain_reports_the_link_that_failed_first(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, chain_script, NULL);
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    heapd_handle list;
    heapd_ticket created, appended;
    struct heapd_error error;
    assert_int_equal(heapd_begin_create(fake.client, literal, NULL, 0, NULL, &list, &created, &error), 0);
    assert_int_equal(heapd_begin_append(fake.client, list, heapd_int(1), &appended, &error), 0);
    assert_int_equal(heapd_begin_bind(fake.client, HEAPD_GLOBAL, heapd_text("x"), heapd_ref(list), NULL, &error), 0);
    assert_int_equal(heapd_release(fake.client, list), 0);
    assert_int_equal(heapd_held_count(fake.client), 1);
    /* Only the bind was begun without a ticket, so it is what finish reports. */
    assert_int_equal(heapd_finish(fake.client, &error), HEAPD_EABORTED);
    assert_true(error.failed_request == created);
    assert_true(error.request != created && error.request != appended);
    assert_int_equal(heapd_finish(fake.client, &error), 0);
    assert_int_equal(heapd_wait(fake.client, created, -1, NULL, &error), HEAPD_ENOMEM);
    assert_int_equal(heapd_wait(fake.client, appended, -1, NULL, &error), HEAPD_EABORTED);
    assert_true(error.failed_request == created);
    assert_int_equal(heapd_held_count(fake.client), 0);
    heapd_literal_free(literal);
    fake_stop(&fake);
}

static void lost_script(struct fake *fake)
{
    struct fake_request requests[3];
    for (int i = 0; i < 3; i++)
        fake_expect(fake, HEAPD_METHOD_LENGTH, &requests[i]);
    fake_reply_int(fake, &requests[0], 1);
    /* Half of a reply, and the end. */
    fake_write(fake, "\x40\x00\x00\x00", 4);
    for (int i = 0; i < 3; i++)
        fake_request_fini(&requests[i]);
}

static void a_lost_connection_keeps_the_results_that_came(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, lost_script, NULL);
    heapd_ticket tickets[3];
    struct heapd_error error;
    for (int i = 0; i < 3; i++)
        assert_int_equal(heapd_begin_length(fake.client, 5, &tickets[i], &error), 0);
    struct heapd_result result;
    assert_int_equal(heapd_wait(fake.client, tickets[2], -1, &result, &error), HEAPD_ECLOSED);
    assert_true(error.request == tickets[2]);
    assert_int_equal(heapd_wait(fake.client, tickets[0], -1, &result, &error), 0);
    assert_int_equal(result.value.as.integer, 1);
    assert_int_equal(heapd_wait(fake.client, tickets[1], -1, &result, &error), HEAPD_ECLOSED);
    assert_int_equal(heapd_ping(fake.client, &error), HEAPD_ECLOSED);
    assert_int_equal(heapd_connection_state(fake.client, &error), HEAPD_ECLOSED);
    fake_stop(&fake);
}

static void nonsense_script(struct fake *fake)
{
    struct fake_request request;
    fake_expect(fake, HEAPD_METHOD_LENGTH, &request);
    request.frame.request_id += 99;
    fake_reply_int(fake, &request, 1);
    fake_request_fini(&request);
}

static void a_reply_to_nothing_ends_the_connection(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, nonsense_script, NULL);
    uint64_t length;
    struct heapd_error error;
    assert_int_equal(heapd_length(fake.client, 5, &length, &error), HEAPD_EPROTOCOL);
    assert_int_equal(heapd_ping(fake.client, &error), HEAPD_EPROTOCOL);
    fake_stop(&fake);
}

static void refusing_script(struct fake *fake)
{
    struct fake_request request;
    fake_expect(fake, HEAPD_METHOD_LENGTH, &request);
    request.frame.request_id = 0;
    fake_reply_error(fake, &request, HD_ELIMIT, "too many connections; close some", 0);
    fake_request_fini(&request);
}

static void an_error_for_the_connection_as_a_whole_is_passed_on(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, refusing_script, NULL);
    uint64_t length;
    struct heapd_error error;
    assert_int_equal(heapd_length(fake.client, 5, &length, &error), HEAPD_ELIMIT);
    assert_string_equal(error.message, "too many connections; close some");
    fake_stop(&fake);
}

static void park_script(struct fake *fake)
{
    struct fake_request lookup, ping, cancel;
    fake_expect(fake, HEAPD_METHOD_LOOKUP, &lookup);
    fake_expect(fake, HEAPD_METHOD_PING, &ping);
    Heapd__V1__PingReply pong = HEAPD__V1__PING_REPLY__INIT;
    fake_send(fake, &ping, 0, &pong.base);
    fake_expect(fake, HEAPD_METHOD_LOOKUP, &cancel);
    FAKE_CHECK(fake, cancel.frame.flags == HD_FRAME_CANCEL);
    FAKE_CHECK(fake, cancel.frame.request_id == lookup.frame.request_id && cancel.frame.body_bytes == 0);
    fake_reply_error(fake, &lookup, HD_ECANCELLED, "the request was cancelled", 0);
    fake_request_fini(&lookup);
    fake_request_fini(&ping);
    fake_request_fini(&cancel);
    fake_serve_end(fake);
}

static void a_parked_request_is_overtaken_and_cancelled(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, park_script, NULL);
    heapd_ticket ticket;
    heapd_handle into;
    struct heapd_error error;
    assert_int_equal(
        heapd_begin_lookup(fake.client, HEAPD_GLOBAL, heapd_text("later"), HEAPD_OBJECT, 60000, &into, &ticket, &error),
        0);
    assert_int_equal(heapd_ping(fake.client, &error), 0);
    assert_int_equal(heapd_wait(fake.client, ticket, 5, NULL, &error), HEAPD_PENDING);
    assert_int_equal(heapd_cancel(fake.client, ticket, &error), 0);
    assert_int_equal(heapd_wait(fake.client, ticket, -1, NULL, &error), HEAPD_ECANCELLED);
    assert_int_equal(heapd_held_count(fake.client), 0);
    fake_stop(&fake);
}

/* 100 handles are released one by one and travel as one request. */
static void release_script(struct fake *fake)
{
    struct fake_request request;
    for (int i = 0; i < 100; i++) {
        fake_expect(fake, HEAPD_METHOD_DUPLICATE, &request);
        Heapd__V1__DuplicateRequest *message =
            heapd__v1__duplicate_request__unpack(NULL, request.frame.body_bytes, request.body);
        fake_reply_handle(fake, &request, message->into, HEAPD_TYPE_LIST);
        heapd__v1__duplicate_request__free_unpacked(message, NULL);
        fake_request_fini(&request);
    }
    fake_expect(fake, HD_METHOD_RELEASE, &request);
    Heapd__V1__ReleaseRequest *message =
        heapd__v1__release_request__unpack(NULL, request.frame.body_bytes, request.body);
    FAKE_CHECK(fake, message && message->n_handles == 100);
    heapd__v1__release_request__free_unpacked(message, NULL);
    fake_reply_empty(fake, &request);
    fake_request_fini(&request);
    fake_expect(fake, HEAPD_METHOD_DUPLICATE, &request);
    fake_reply_error(fake, &request, HD_EHANDLE_STALE, "released", 0);
    fake_request_fini(&request);
    fake_serve_end(fake);
}

static void releases_are_gathered(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, release_script, NULL);
    heapd_handle handles[100];
    struct heapd_error error;
    for (int i = 0; i < 100; i++)
        assert_int_equal(heapd_duplicate(fake.client, 5, &handles[i], &error), 0);
    assert_int_equal(heapd_held_count(fake.client), 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(heapd_release(fake.client, handles[i]), 0);
    assert_int_equal(heapd_release(fake.client, handles[0]), HEAPD_EHANDLE_STALE);
    heapd_handle again = 0;
    assert_int_equal(heapd_duplicate(fake.client, handles[3], &again, &error), HEAPD_EHANDLE_STALE);
    assert_true(again == 0);
    assert_int_equal(heapd_held_count(fake.client), 0);
    fake_stop(&fake);
}

static void plain_script(struct fake *fake)
{
    struct fake_request request;
    fake_expect(fake, HEAPD_METHOD_GET_ITEM, &request);
    Heapd__V1__Value message = HEAPD__V1__VALUE__INIT;
    message.kind_case = HEAPD__V1__VALUE__KIND_STR;
    message.str = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a\0b"};
    fake_send(fake, &request, 0, &message.base);
    fake_request_fini(&request);
    fake_serve_end(fake);
}

static void a_plain_result_leaves_its_handle_free(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, plain_script, NULL);
    heapd_handle into;
    heapd_ticket ticket;
    struct heapd_error error;
    assert_int_equal(heapd_begin_get_item(fake.client, 5, heapd_str("k"), HEAPD_ANY, &into, &ticket, &error), 0);
    assert_int_equal(heapd_held_count(fake.client), 1);
    struct heapd_result result;
    assert_int_equal(heapd_wait(fake.client, ticket, -1, &result, &error), 0);
    assert_int_equal(result.value.kind, HEAPD_VALUE_STR);
    assert_int_equal(result.value.as.bytes.size, 3);
    assert_memory_equal(result.value.as.bytes.data, "a\0b\0", 4);
    heapd_result_clear(&result);
    assert_int_equal(heapd_held_count(fake.client), 0);
    fake_stop(&fake);
}

static void wrong_arguments_send_nothing(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, fake_serve_end, NULL);
    struct heapd_error error;
    heapd_handle into;
    heapd_ticket ticket;
    struct heapd_value absent = heapd_value_make(HEAPD_VALUE_ABSENT);
    assert_int_equal(heapd_append(fake.client, 5, absent, &error), HEAPD_EINVALID);
    assert_int_equal(heapd_begin_get_item(fake.client, 5, heapd_int(1), HEAPD_ANY, NULL, NULL, &error), HEAPD_EINVALID);
    assert_int_equal(heapd_begin_get_item(fake.client, 5, heapd_int(1), HEAPD_PLAIN, &into, &ticket, &error),
                     HEAPD_EINVALID);
    assert_int_equal(heapd_ping(NULL, &error), HEAPD_EINVALID);
    static char large[(1 << 20) + 1];
    assert_int_equal(heapd_append(fake.client, 5, heapd_bytes_of(large, sizeof large), &error), HEAPD_ETOO_LARGE);
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    assert_int_equal(heapd_create(fake.client, literal, &into, &error), HEAPD_EINVALID);
    assert_int_equal(heapd_held_count(fake.client), 0);
    assert_int_equal(heapd_pending_count(fake.client), 0);
    assert_int_equal(error.request, 0);
    heapd_literal_free(literal);
    fake_stop(&fake);
}

static void a_forked_child_is_refused(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, fake_serve_end, NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct heapd_error error;
        heapd_ticket ticket;
        bool refused = heapd_unbind(fake.client, 0, heapd_text("x"), &error) == HEAPD_EFORKED &&
                       heapd_begin_length(fake.client, 5, &ticket, &error) == HEAPD_EFORKED &&
                       heapd_release(fake.client, 5) == HEAPD_EFORKED && heapd_pending_count(fake.client) == 0;
        heapd_close(fake.client);
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The child's close did not say goodbye. */
    struct heapd_error error;
    assert_int_equal(heapd_unbind(fake.client, 0, heapd_text("x"), &error), 0);
    fake_stop(&fake);
}

static void slow_script(struct fake *fake)
{
    /* Reads nothing until told to: the client's output fills the socket. */
    char byte;
    FAKE_CHECK(fake, read(*(int *)fake->context, &byte, 1) == 1);
    fake_serve_end(fake);
}

static void more_than_the_socket_holds_waits_its_turn(void **state)
{
    (void)state;
    int trigger[2];
    assert_int_equal(pipe(trigger), 0);
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    options.never_wait = true;
    options.output_limit_bytes = 1 << 20;
    struct fake fake;
    fake_start_with(&fake, slow_script, &trigger[0], &options);
    static char block[10000];
    struct heapd_error error;
    int begun = 0;
    int code;
    while ((code = heapd_begin_append(fake.client, 5, heapd_bytes_of(block, sizeof block), NULL, &error)) == 0)
        begun++;
    assert_int_equal(code, HEAPD_ELIMIT);
    assert_true(begun > 100);
    assert_true(heapd_wants_write(fake.client));
    assert_int_equal(write(trigger[1], "g", 1), 1);
    assert_int_equal(heapd_finish(fake.client, &error), 0);
    assert_int_equal(heapd_pending_count(fake.client), 0);
    fake_stop(&fake);
    close(trigger[0]);
    close(trigger[1]);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct heapd_connection *connection = NULL;
    struct heapd_error error;
    assert_int_equal(heapd_connect("/nonexistent/heapd.sock", NULL, &connection, &error), HEAPD_EUNAVAILABLE);
    assert_non_null(strstr(error.message, "unix:/nonexistent/heapd.sock"));
    assert_int_equal(heapd_connect("tcp:127.0.0.1", NULL, &connection, &error), HEAPD_ESYNTAX);
    assert_int_equal(heapd_connect("heapd", NULL, &connection, &error), HEAPD_ESYNTAX);
    assert_int_equal(heapd_connect("tcp:127.0.0.1:1", NULL, &connection, &error), HEAPD_EUNAVAILABLE);
    assert_null(connection);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    options.connect_timeout_ms = 20;
    assert_int_equal(heapd_connect_fd(pair[1], &options, &connection, &error), HEAPD_EUNAVAILABLE);
    close(pair[0]);
    assert_int_equal(heapd_connect_fd(pair[1], &options, &connection, &error), HEAPD_ECLOSED);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_synchronous_call_gives_value_or_failure),
        cmocka_unit_test(replies_in_any_order_find_their_tickets),
        cmocka_unit_test(a_chain_reports_the_link_that_failed_first),
        cmocka_unit_test(a_lost_connection_keeps_the_results_that_came),
        cmocka_unit_test(a_reply_to_nothing_ends_the_connection),
        cmocka_unit_test(an_error_for_the_connection_as_a_whole_is_passed_on),
        cmocka_unit_test(a_parked_request_is_overtaken_and_cancelled),
        cmocka_unit_test(releases_are_gathered),
        cmocka_unit_test(a_plain_result_leaves_its_handle_free),
        cmocka_unit_test(wrong_arguments_send_nothing),
        cmocka_unit_test(a_forked_child_is_refused),
        cmocka_unit_test(more_than_the_socket_holds_waits_its_turn),
        cmocka_unit_test(nobody_listens),
    };
    return cmocka_run_group_tests_name("client pipeline", tests, NULL, NULL);
}
