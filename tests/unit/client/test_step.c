/* The library inside of a program's own event loop. */
#include <poll.h>

#include "fake.h"

struct outcome {
    int calls;
    int code;
    int64_t integer;
    heapd_ticket ticket;
    struct outcome *next; /* to be begun by the callback */
};

static void note(struct heapd_connection *connection, heapd_ticket ticket, int code, struct heapd_result *result,
                 const struct heapd_error *error, void *context)
{
    struct outcome *outcome = context;
    outcome->calls++;
    outcome->code = code;
    assert_true(ticket == outcome->ticket);
    assert_true((code == 0) == (result != NULL));
    assert_int_equal(error->code, code);
    if (result) {
        outcome->integer = result->value.as.integer;
        heapd_result_clear(result);
    }
    if (outcome->next) {
        assert_int_equal(heapd_begin_length(connection, 9, &outcome->next->ticket, NULL), 0);
        assert_int_equal(heapd_on_done(connection, outcome->next->ticket, note, outcome->next), 0);
    }
}

/* The loop of such a program, until the condition holds or the connection is lost. */
static int run_until(struct heapd_connection *connection, const int *calls, int wanted)
{
    while (*calls < wanted) {
        struct pollfd poller = {.fd = heapd_fd(connection), .events = POLLIN};
        if (heapd_wants_write(connection))
            poller.events |= POLLOUT;
        assert_true(poll(&poller, 1, heapd_wants_step(connection) ? 0 : 10000) >= 0);
        struct heapd_error error;
        int code = heapd_step(connection, &error);
        if (code)
            return code;
    }
    return 0;
}

static void counting_script(struct fake *fake)
{
    struct fake_request request;
    int64_t count = 0;
    while (fake_read(fake, &request) == 0) {
        if (request.frame.method == HEAPD_METHOD_LENGTH)
            fake_reply_int(fake, &request, ++count);
        else if (request.frame.method == HEAPD_METHOD_UNBIND)
            fake_reply_error(fake, &request, HD_ENAME, "no such name", 0);
        else
            fake_reply_empty(fake, &request);
        fake_request_fini(&request);
    }
    fake_request_fini(&request);
}

static void callbacks_come_in_step(void **state)
{
    (void)state;
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    options.never_wait = true;
    struct fake fake;
    fake_start_with(&fake, counting_script, NULL, &options);
    struct outcome last = {0};
    struct outcome first = {.next = &last};
    struct outcome failing = {0};
    assert_int_equal(heapd_begin_length(fake.client, 5, &first.ticket, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, first.ticket, note, &first), 0);
    assert_int_equal(heapd_on_done(fake.client, first.ticket, note, &first), HEAPD_ETICKET);
    assert_int_equal(heapd_wait(fake.client, first.ticket, 0, NULL, NULL), HEAPD_ETICKET);
    assert_int_equal(heapd_begin_unbind(fake.client, 0, heapd_text("x"), &failing.ticket, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, failing.ticket, note, &failing), 0);
    assert_true(heapd_wants_write(fake.client));
    assert_int_equal(run_until(fake.client, &last.calls, 1), 0);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.integer, 1);
    assert_int_equal(failing.calls, 1);
    assert_int_equal(failing.code, HEAPD_ENAME);
    assert_int_equal(last.integer, 2);
    fake_stop(&fake);
}

static void replies_taken_in_by_others_are_not_forgotten(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, counting_script, NULL);
    struct outcome outcome = {0};
    uint64_t length;
    assert_int_equal(heapd_begin_length(fake.client, 5, &outcome.ticket, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, outcome.ticket, note, &outcome), 0);
    assert_int_equal(heapd_length(fake.client, 5, &length, NULL), 0);
    assert_int_equal(outcome.calls, 0);
    assert_true(heapd_wants_step(fake.client));
    assert_int_equal(run_until(fake.client, &outcome.calls, 1), 0);
    /* Asked for only when the answer is there already. */
    struct outcome late = {0};
    assert_int_equal(heapd_begin_length(fake.client, 5, &late.ticket, NULL), 0);
    assert_int_equal(heapd_length(fake.client, 5, &length, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, late.ticket, note, &late), 0);
    assert_int_equal(run_until(fake.client, &late.calls, 1), 0);
    assert_int_equal(late.integer, 3);
    fake_stop(&fake);
}

static void ending_script(struct fake *fake)
{
    struct fake_request first, second;
    fake_expect(fake, HEAPD_METHOD_LENGTH, &first);
    fake_expect(fake, HEAPD_METHOD_LENGTH, &second);
    fake_reply_int(fake, &first, 5);
    fake_request_fini(&first);
    fake_request_fini(&second);
}

static void the_end_calls_every_callback(void **state)
{
    (void)state;
    struct fake fake;
    fake_start(&fake, ending_script, NULL);
    struct outcome first = {0}, second = {0};
    assert_int_equal(heapd_begin_length(fake.client, 5, &first.ticket, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, first.ticket, note, &first), 0);
    assert_int_equal(heapd_begin_length(fake.client, 5, &second.ticket, NULL), 0);
    assert_int_equal(heapd_on_done(fake.client, second.ticket, note, &second), 0);
    int never = 0;
    assert_int_equal(run_until(fake.client, &never, 1), HEAPD_ECLOSED);
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.code, 0);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.code, HEAPD_ECLOSED);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_come_in_step),
        cmocka_unit_test(replies_taken_in_by_others_are_not_forgotten),
        cmocka_unit_test(the_end_calls_every_callback),
    };
    return cmocka_run_group_tests_name("client step", tests, NULL, NULL);
}
