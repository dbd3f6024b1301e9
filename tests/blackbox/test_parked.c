/* Requests that wait: a lookup of a name that nobody has bound yet. */
#include "test.h"

#include "client.h"
#include "fixture.h"

static struct bb_daemon daemon_;
static struct bb_client a, b;

static int setup_group(void **state)
{
    (void)state;
    bb_daemon_start(&daemon_, NULL);
    return 0;
}

static int teardown_group(void **state)
{
    (void)state;
    bb_daemon_stop(&daemon_);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    bb_connect(&a, daemon_.path);
    bb_connect(&b, daemon_.path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bb_ping(&a);
    bb_ping(&b);
    bb_close(&a);
    bb_close(&b);
    return 0;
}

static uint64_t send_wait(struct bb_client *client, const char *name, uint64_t into, uint64_t wait_ms)
{
    Heapd__V1__LookupRequest request = HEAPD__V1__LOOKUP_REQUEST__INIT;
    request.name = bb_text(name);
    request.into = into;
    request.wait_ms = wait_ms;
    return bb_send(client, BB_METHOD(LOOKUP), &request.base);
}

static void a_waiting_lookup_is_served_by_a_bind(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint64_t id = send_wait(&a, "awaited", BB_HANDLE(1), 60000);
    bb_ping(&a); /* later requests of the session run meanwhile */
    bb_create_list(&b, BB_HANDLE(1), 5);
    assert_false(bb_has_reply(&a, 20));
    bb_bind(&b, "awaited", BB_HANDLE(1));
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, id);
    bb_expect_handle(&reply, BB_HANDLE(1));
    assert_int_equal(bb_length(&a, BB_HANDLE(1)), 5);
    bb_unbind(&b, "awaited");
}

static void a_bound_name_does_not_wait(void **state)
{
    (void)state;
    struct bb_reply reply;
    bb_create_list(&b, BB_HANDLE(1), 5);
    bb_bind(&b, "there", BB_HANDLE(1));
    send_wait(&a, "there", BB_HANDLE(1), 60000);
    bb_receive(&a, &reply);
    bb_expect_handle(&reply, BB_HANDLE(1));
    bb_unbind(&b, "there");
}

static void waiting_has_a_deadline(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint64_t begin_ms = bb_now_ms();
    uint64_t id = send_wait(&a, "nobody", BB_HANDLE(1), 80);
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, id);
    bb_expect_error(&reply, HD_EDEADLINE, "");
    uint64_t waited_ms = bb_now_ms() - begin_ms;
    assert_true(waited_ms >= 79);
    assert_true(waited_ms < 5000);
}

static void deadlines_end_in_their_own_order(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint64_t late = send_wait(&a, "nobody", BB_HANDLE(1), 160);
    uint64_t early = send_wait(&a, "nobody", BB_HANDLE(2), 40);
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, early);
    bb_expect_error(&reply, HD_EDEADLINE, "");
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, late);
    bb_expect_error(&reply, HD_EDEADLINE, "");
}

static void a_waiting_request_can_be_cancelled(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint64_t id = send_wait(&a, "nobody", BB_HANDLE(1), 60000);
    bb_ping(&a);
    bb_send_cancel(&a, BB_METHOD(LOOKUP), id);
    bb_receive(&a, &reply);
    assert_int_equal(reply.frame.request_id, id);
    bb_expect_error(&reply, HD_ECANCELLED, "");
    bb_send_cancel(&a, BB_METHOD(LOOKUP), id); /* too late: nothing happens */
    bb_send_cancel(&a, BB_METHOD(LOOKUP), 123456789);
    bb_ping(&a);
    bb_create_list(&a, hd_handle_make(1, 2), 1); /* the slot is free again */
}

static void a_pending_slot_cannot_be_used(void **state)
{
    (void)state;
    struct bb_reply reply;
    uint64_t id = send_wait(&a, "nobody", BB_HANDLE(1), 60000);
    Heapd__V1__LengthRequest length = HEAPD__V1__LENGTH_REQUEST__INIT;
    length.object = BB_HANDLE(1);
    bb_call(&a, BB_METHOD(LENGTH), &length.base, &reply);
    bb_expect_error(&reply, HD_ESLOT_PENDING, "");
    bb_create_list(&a, BB_HANDLE(2), 1);
    Heapd__V1__DuplicateRequest duplicate = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    duplicate.object = BB_HANDLE(2);
    duplicate.into = hd_handle_make(1, 2);
    bb_call(&a, BB_METHOD(DUPLICATE), &duplicate.base, &reply);
    bb_expect_error(&reply, HD_ESLOT_PENDING, "");
    bb_send_cancel(&a, BB_METHOD(LOOKUP), id);
    bb_receive(&a, &reply);
    bb_expect_error(&reply, HD_ECANCELLED, "");
    bb_call(&a, BB_METHOD(LENGTH), &length.base, &reply);
    assert_int_equal(bb_expect_error(&reply, HD_EABORTED, ""), id);
}

static void one_that_leaves_while_it_waits_is_forgotten(void **state)
{
    (void)state;
    struct bb_client leaver;
    bb_connect(&leaver, daemon_.path);
    uint64_t sessions = bb_stat(&a, BB_STAT_SESSIONS);
    for (uint32_t slot = 1; slot <= 100; slot++)
        send_wait(&leaver, "nobody", BB_HANDLE(slot), 60000);
    bb_ping(&leaver);
    bb_close(&leaver);
    BB_AWAIT(bb_stat(&a, BB_STAT_SESSIONS) == sessions - 1);
    bb_create_list(&b, BB_HANDLE(1), 1);
    bb_bind(&b, "nobody", BB_HANDLE(1)); /* what it waited for comes, and hits nobody */
    bb_unbind(&b, "nobody");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_waiting_lookup_is_served_by_a_bind),
        TEST(a_bound_name_does_not_wait),
        TEST(waiting_has_a_deadline),
        TEST(deadlines_end_in_their_own_order),
        TEST(a_waiting_request_can_be_cancelled),
        TEST(a_pending_slot_cannot_be_used),
        TEST(one_that_leaves_while_it_waits_is_forgotten),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
