/* Coordination, events and names with a time to live, through the library and the real daemon. */
#include "test.h"

#include <heapd/heapd.h>
#include <pthread.h>

#include "fixture.h"

static struct bb_daemon daemon;
static struct heapd_connection *heap;
static struct heapd_connection *other;
static struct heapd_error error;

static int begin(void **state)
{
    (void)state;
    bb_daemon_start(&daemon, NULL);
    assert_int_equal(heapd_connect(daemon.path, NULL, &heap, &error), 0);
    assert_int_equal(heapd_connect(daemon.path, NULL, &other, &error), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    heapd_close(heap);
    heapd_close(other);
    bb_daemon_stop(&daemon);
    return 0;
}

#define OK(call) \
    do { \
        if ((call) != 0) \
            fail_msg("%s: %s", #call, error.message); \
    } while (0)
#define FAILS(code, call) assert_int_equal(call, code)

/* The other connection's handle of an object. */
static heapd_handle shared(heapd_handle object)
{
    struct heapd_value value;
    OK(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("shared"), heapd_ref(object), &error));
    OK(heapd_lookup(other, HEAPD_GLOBAL, heapd_text("shared"), HEAPD_OBJECT, 0, &value, &error));
    return value.as.ref;
}

static void locks(void **state)
{
    heapd_handle lock, rlock, theirs;
    heapd_ticket ticket;
    struct heapd_result result;
    struct heapd_sync_info info;
    int how;
    (void)state;
    OK(heapd_create_lock(heap, &lock, &error));
    theirs = shared(lock);
    OK(heapd_acquire(heap, lock, 0, 0, &how, &error));
    assert_int_equal(how, HEAPD_ACQUIRED);
    OK(heapd_acquire(other, theirs, 0, 5, &how, &error));
    assert_int_equal(how, 0);
    OK(heapd_sync_state(other, theirs, &info, &error));
    assert_int_equal(info.type, HEAPD_TYPE_LOCK);
    assert_true(info.is_set);
    struct heapd_server_info server;
    heapd_get_server_info(heap, &server);
    assert_int_equal(info.holder, server.session_id);
    OK(heapd_begin_acquire(other, theirs, 0, HEAPD_FOREVER, &ticket, &error));
    assert_int_equal(heapd_wait(other, ticket, 0, NULL, &error), HEAPD_PENDING);
    OK(heapd_unlock(heap, lock, 0, 1, &error));
    OK(heapd_wait(other, ticket, -1, &result, &error));
    assert_int_equal(result.value.as.integer, HEAPD_ACQUIRED);
    OK(heapd_begin_acquire(heap, lock, 0, HEAPD_FOREVER, &ticket, &error));
    OK(heapd_cancel(heap, ticket, &error));
    FAILS(HEAPD_ECANCELLED, heapd_wait(heap, ticket, -1, NULL, &error));
    OK(heapd_unlock(other, theirs, 0, 1, &error));
    FAILS(HEAPD_ENOT_LOCKED, heapd_unlock(other, theirs, 0, 1, &error));
    FAILS(HEAPD_EINVALID, heapd_unlock(other, theirs, 0, 0, &error));
    OK(heapd_create_rlock(heap, &rlock, &error));
    OK(heapd_acquire(heap, rlock, 1, 0, &how, &error));
    OK(heapd_acquire(heap, rlock, 1, 0, &how, &error));
    FAILS(HEAPD_ENOT_OWNED, heapd_unlock(heap, rlock, 2, 1, &error));
    OK(heapd_begin_unlock(heap, rlock, 1, 1, NULL, &error));
    OK(heapd_begin_unlock(heap, rlock, 1, 1, NULL, &error));
    OK(heapd_finish(heap, &error));
    FAILS(HEAPD_EINVALID, heapd_acquire(heap, rlock, 1, -7, &how, &error));
}

static void semaphores(void **state)
{
    heapd_handle semaphore;
    int how;
    (void)state;
    OK(heapd_create_semaphore(heap, 1, true, &semaphore, &error));
    OK(heapd_acquire(heap, semaphore, 0, 0, &how, &error));
    assert_int_equal(how, HEAPD_ACQUIRED);
    OK(heapd_acquire(heap, semaphore, 0, 0, &how, &error));
    assert_int_equal(how, 0);
    OK(heapd_unlock(heap, semaphore, 0, 1, &error));
    FAILS(HEAPD_EOVER_RELEASE, heapd_unlock(heap, semaphore, 0, 1, &error));
    FAILS(HEAPD_EINVALID, heapd_create_semaphore(heap, -1, true, &semaphore, &error));
}

static void queues(void **state)
{
    heapd_handle queue, theirs, into;
    heapd_ticket ticket;
    struct heapd_value value;
    uint64_t length;
    bool done;
    (void)state;
    OK(heapd_create_queue(heap, 2, &queue, &error));
    theirs = shared(queue);
    OK(heapd_put(heap, queue, heapd_str("one"), 0, &error));
    OK(heapd_begin_put(heap, queue, heapd_ref(queue), 0, NULL, &error));
    OK(heapd_finish(heap, &error));
    FAILS(HEAPD_EQUEUE_FULL, heapd_put(heap, queue, heapd_int(3), 5, &error));
    OK(heapd_length(other, theirs, &length, &error));
    assert_int_equal(length, 2);
    OK(heapd_get(other, theirs, HEAPD_PLAIN, 0, &value, &error));
    assert_int_equal(value.as.bytes.size, 3);
    heapd_value_clear(&value);
    /* An object, and no room for one was offered: it stays where it is. */
    FAILS(HEAPD_ENOT_PLAIN, heapd_get(other, theirs, HEAPD_PLAIN, 0, &value, &error));
    OK(heapd_get(other, theirs, HEAPD_ANY, 0, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_REF);
    OK(heapd_release(other, value.as.ref));
    FAILS(HEAPD_EQUEUE_EMPTY, heapd_get(other, theirs, HEAPD_PLAIN, 0, &value, &error));
    OK(heapd_join(heap, queue, 5, &done, &error));
    assert_false(done);
    OK(heapd_task_done(other, theirs, &error));
    OK(heapd_begin_task_done(other, theirs, NULL, &error));
    OK(heapd_finish(other, &error));
    OK(heapd_join(heap, queue, HEAPD_FOREVER, &done, &error));
    assert_true(done);
    FAILS(HEAPD_EOVER_RELEASE, heapd_task_done(other, theirs, &error));
    /* The handle of what is to come can be named in a chain. */
    OK(heapd_begin_get(other, theirs, HEAPD_OBJECT, HEAPD_FOREVER, &into, &ticket, &error));
    OK(heapd_flush(other, &error));
    OK(heapd_put(heap, queue, heapd_int(7), HEAPD_FOREVER, &error));
    OK(heapd_wait(other, ticket, -1, NULL, &error));
    OK(heapd_bind(other, HEAPD_GLOBAL, heapd_text("seven"), heapd_ref(into), &error));
    OK(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text("seven"), HEAPD_PLAIN, 0, &value, &error));
    assert_int_equal(value.as.integer, 7);
}

static heapd_handle condition;
static int turns;

/* One thread of three that share a connection: it waits for its turn. */
static void *take_a_turn(void *argument)
{
    uint64_t thread = (uint64_t)(uintptr_t)argument;
    int how;
    for (int round = 0; round < 20; round++) {
        if (heapd_acquire(heap, condition, thread, HEAPD_FOREVER, &how, NULL))
            return argument;
        while (turns % 3 != (int)thread - 1)
            if (heapd_condition_wait(heap, condition, thread, HEAPD_FOREVER, &how, NULL))
                return argument;
        turns++;
        if (heapd_notify(heap, condition, thread, UINT64_MAX, NULL, NULL) ||
            heapd_unlock(heap, condition, thread, 1, NULL))
            return argument;
    }
    return NULL;
}

static void conditions(void **state)
{
    pthread_t threads[3];
    uint64_t woken;
    int how;
    (void)state;
    OK(heapd_create_condition(heap, 0, &condition, &error));
    FAILS(HEAPD_ENOT_OWNED, heapd_notify(heap, condition, 9, 1, &woken, &error));
    FAILS(HEAPD_ENOT_OWNED, heapd_condition_wait(heap, condition, 9, 0, &how, &error));
    for (uintptr_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_a_turn, (void *)(i + 1)), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(turns, 60);
    OK(heapd_acquire(heap, condition, 9, 0, &how, &error));
    OK(heapd_condition_wait(heap, condition, 9, 1, &how, &error));
    assert_int_equal(how, 0);
    OK(heapd_notify(heap, condition, 9, 5, &woken, &error));
    assert_int_equal(woken, 0);
}

static void events_and_barriers(void **state)
{
    heapd_handle event, barrier, theirs;
    heapd_ticket ticket;
    struct heapd_result result;
    uint64_t index;
    bool is_set;
    (void)state;
    OK(heapd_create_event(heap, &event, &error));
    theirs = shared(event);
    OK(heapd_event_wait(heap, event, 0, &is_set, &error));
    assert_false(is_set);
    OK(heapd_begin_event_wait(other, theirs, HEAPD_FOREVER, &ticket, &error));
    OK(heapd_flush(other, &error));
    OK(heapd_event_set(heap, event, &error));
    OK(heapd_wait(other, ticket, -1, &result, &error));
    assert_true(result.value.as.boolean);
    OK(heapd_event_clear(heap, event, &error));
    OK(heapd_create_barrier(heap, 2, &barrier, &error));
    theirs = shared(barrier);
    OK(heapd_begin_barrier_wait(other, theirs, HEAPD_FOREVER, &ticket, &error));
    assert_int_equal(heapd_wait(other, ticket, 0, NULL, &error), HEAPD_PENDING);
    struct heapd_sync_info info;
    do
        OK(heapd_sync_state(heap, barrier, &info, &error));
    while (!info.waiting);
    OK(heapd_barrier_wait(heap, barrier, HEAPD_FOREVER, &index, &error));
    assert_int_equal(index, 1);
    OK(heapd_wait(other, ticket, -1, &result, &error));
    assert_int_equal(result.value.as.integer, 0);
    FAILS(HEAPD_EBROKEN_BARRIER, heapd_barrier_wait(heap, barrier, 1, &index, &error));
    OK(heapd_barrier_reset(heap, barrier, &error));
    OK(heapd_barrier_abort(heap, barrier, &error));
    FAILS(HEAPD_EBROKEN_BARRIER, heapd_barrier_wait(heap, barrier, HEAPD_FOREVER, &index, &error));
}

static void subscriptions(void **state)
{
    heapd_handle list;
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_event event;
    uint64_t of_list, of_name;
    int64_t left_ms;
    (void)state;
    OK(heapd_literal_open_list(literal));
    OK(heapd_literal_close(literal));
    OK(heapd_create(heap, literal, &list, &error));
    heapd_literal_free(literal);
    OK(heapd_subscribe(heap, list, &of_list, &error));
    OK(heapd_subscribe_name(heap, HEAPD_GLOBAL, heapd_text("n"), &of_name, &error));
    FAILS(HEAPD_EINVALID, heapd_subscribe_name(heap, HEAPD_GLOBAL, heapd_text(""), &of_name, &error));
    assert_int_equal(heapd_next_event(heap, 0, &event, &error), HEAPD_PENDING);
    OK(heapd_bind_for(other, HEAPD_GLOBAL, heapd_text("n"), heapd_int(1), 20, &error));
    OK(heapd_next_event(heap, -1, &event, &error));
    assert_int_equal(event.subscription, of_name);
    assert_true(event.bound && !event.gone && event.count == 1);
    /* The daemon's own clock ends it. */
    OK(heapd_next_event(heap, -1, &event, &error));
    assert_int_equal(event.subscription, of_name);
    assert_false(event.bound);
    OK(heapd_append(heap, list, heapd_int(1), &error));
    OK(heapd_append(heap, list, heapd_int(2), &error));
    uint64_t changes = 0;
    while (changes < 2) {
        OK(heapd_next_event(heap, -1, &event, &error));
        assert_int_equal(event.subscription, of_list);
        changes += event.count;
    }
    OK(heapd_append(heap, list, heapd_int(3), &error));
    OK(heapd_unsubscribe(heap, of_list, &error));
    FAILS(HEAPD_EKEY, heapd_unsubscribe(heap, of_list, &error));
    assert_int_equal(heapd_next_event(heap, 0, &event, &error), HEAPD_PENDING);
    OK(heapd_bind_for(heap, HEAPD_GLOBAL, heapd_text("m"), heapd_int(1), 100000, &error));
    OK(heapd_time_to_live(heap, HEAPD_GLOBAL, heapd_text("m"), &left_ms, &error));
    assert_true(left_ms > 0 && left_ms <= 100000);
    OK(heapd_expire(heap, HEAPD_GLOBAL, heapd_text("m"), 0, &error));
    OK(heapd_time_to_live(heap, HEAPD_GLOBAL, heapd_text("m"), &left_ms, &error));
    assert_int_equal(left_ms, -1);
    FAILS(HEAPD_ENAME, heapd_expire(heap, HEAPD_GLOBAL, heapd_text("none"), 5, &error));
    FAILS(HEAPD_EINVALID, heapd_bind_for(heap, HEAPD_GLOBAL, heapd_text("m"), heapd_int(1), 0, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks),      cmocka_unit_test(semaphores),          cmocka_unit_test(queues),
        cmocka_unit_test(conditions), cmocka_unit_test(events_and_barriers), cmocka_unit_test(subscriptions),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
