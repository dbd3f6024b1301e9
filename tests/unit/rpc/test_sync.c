/* Coordination objects over requests: waiting, timeouts, cancels, deaths. */
#include "object/sync.h"
#include "rpc/private.h"
#include "test.h"

#define A HANDLE(1, 1)
#define B HANDLE(2, 1)

static uint64_t send_sync(struct rpc_client *client, Heapd__V1__Type type, int64_t value, bool bounded, hd_handle lock,
                          hd_handle into)
{
    Heapd__V1__CreateSyncRequest request = HEAPD__V1__CREATE_SYNC_REQUEST__INIT;
    request.type = type;
    request.value = value;
    request.bounded = bounded;
    request.lock = lock;
    request.into = into;
    return rpc_send(client, METHOD(CREATE_SYNC), &request);
}

static uint64_t send_acquire(struct rpc_client *client, hd_handle object, uint64_t thread, int64_t wait_ms)
{
    Heapd__V1__AcquireRequest request = HEAPD__V1__ACQUIRE_REQUEST__INIT;
    request.object = object;
    request.thread = thread;
    request.wait_ms = wait_ms;
    return rpc_send(client, METHOD(ACQUIRE), &request);
}

static uint64_t send_unlock(struct rpc_client *client, hd_handle object, uint64_t thread, uint64_t count)
{
    Heapd__V1__UnlockRequest request = HEAPD__V1__UNLOCK_REQUEST__INIT;
    request.object = object;
    request.thread = thread;
    request.count = count;
    return rpc_send(client, METHOD(UNLOCK), &request);
}

static uint64_t send_put(struct rpc_client *client, hd_handle queue, Heapd__V1__Value value, int64_t wait_ms)
{
    Heapd__V1__PutRequest request = HEAPD__V1__PUT_REQUEST__INIT;
    request.queue = queue;
    request.value = &value;
    request.wait_ms = wait_ms;
    return rpc_send(client, METHOD(PUT), &request);
}

static uint64_t send_take(struct rpc_client *client, hd_handle queue, hd_handle into, int64_t wait_ms)
{
    Heapd__V1__GetRequest request = HEAPD__V1__GET_REQUEST__INIT;
    request.queue = queue;
    request.into = into;
    request.wait_ms = wait_ms;
    return rpc_send(client, METHOD(GET), &request);
}

static uint64_t send_wait(struct rpc_client *client, int method, hd_handle object, uint64_t thread, int64_t wait_ms)
{
    Heapd__V1__WaitRequest request = HEAPD__V1__WAIT_REQUEST__INIT;
    request.object = object;
    request.thread = thread;
    request.wait_ms = wait_ms;
    return rpc_send(client, method, &request);
}

static uint64_t send_simple(struct rpc_client *client, int method, hd_handle object)
{
    Heapd__V1__SyncRequest request = HEAPD__V1__SYNC_REQUEST__INIT;
    request.object = object;
    return rpc_send(client, method, &request);
}

static uint64_t send_notify(struct rpc_client *client, hd_handle condition, uint64_t thread, uint64_t count)
{
    Heapd__V1__NotifyRequest request = HEAPD__V1__NOTIFY_REQUEST__INIT;
    request.condition = condition;
    request.thread = thread;
    request.count = count;
    return rpc_send(client, METHOD(NOTIFY), &request);
}

/* Makes an object, bound to "x", held by both clients under the handle A. */
static void share(struct fixture *fixture, Heapd__V1__Type type, int64_t value, bool bounded)
{
    expect_object(&fixture->a, send_sync(&fixture->a, type, value, bounded, 0, A), A, type);
    expect_empty(&fixture->a, send_bind(&fixture->a, 0, "x", rpc_handle(A)));
    expect_object(&fixture->b, send_lookup(&fixture->b, 0, "x", A, true, 0), A, type);
}

static void pass_ms(struct fixture *fixture, uint64_t ms)
{
    fixture->world.now_ns += ms * 1000000;
    rpc_world_run(&fixture->world);
}

/* The client's process dies. */
static void die(struct rpc_client *client)
{
    rpc_client_close(client);
}

static uint64_t abandoned_count(struct fixture *fixture)
{
    return fixture->world.heap->objects.sync->abandoned_count;
}

static void a_lock_goes_from_hand_to_hand(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_LOCK, 0, false);
    expect_int(a, send_acquire(a, A, 0, 0), 1);
    expect_int(b, send_acquire(b, A, 0, 0), 0);
    uint64_t first = send_acquire(b, A, 1, -1), second = send_acquire(a, A, 0, 1000), third = send_acquire(b, A, 2, 50);
    expect_nothing(b, first);
    /* Later requests go on. */
    expect_empty(b, send_bind(b, 0, "y", rpc_int(1)));
    pass_ms(fixture, 50);
    expect_int(b, third, 0);
    expect_nothing(a, second);
    expect_empty(a, send_unlock(a, A, 0, 1));
    expect_int(b, first, 1);
    expect_nothing(a, second);
    /* Anyone may release a plain lock, as in Python. */
    expect_empty(a, send_unlock(a, A, 0, 1));
    expect_int(a, second, 1);
    expect_empty(b, send_unlock(b, A, 0, 1));
    expect_error(b, send_unlock(b, A, 0, 1), HD_ENOT_LOCKED, "acquire it first");
    expect_error(b, send_unlock(b, A, 0, 2), HD_EINVALID, "once at a time");
    expect_error(b, send_acquire(b, A, 0, -2), HD_EINVALID, "wait_ms is -2");
    expect_error(b, send_put(b, A, rpc_int(1), 0), HD_ETYPE, "lock has no put (a queue has)");
    expect_error(b, send_wait(b, METHOD(EVENT_WAIT), A, 0, 0), HD_ETYPE, "lock has no event");
}

static void a_dead_holder_is_told_of_once(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_LOCK, 0, false);
    expect_int(b, send_acquire(b, A, 0, 0), 1);
    uint64_t waits = send_acquire(a, A, 0, -1);
    expect_nothing(a, waits);
    die(b);
    expect_int(a, waits, 3);
    assert_int_equal(abandoned_count(fixture), 1);
    expect_empty(a, send_unlock(a, A, 0, 1));
    expect_int(a, send_acquire(a, A, 0, 0), 1);
    expect_empty(a, send_unlock(a, A, 0, 1));
    /* Nobody waits when it dies: who comes next is told. */
    rpc_client_open(b, &fixture->world, false);
    expect_object(b, send_lookup(b, 0, "x", A, true, 0), A, HEAPD__V1__TYPE__TYPE_LOCK);
    expect_int(b, send_acquire(b, A, 0, 0), 1);
    die(b);
    expect_int(a, send_acquire(a, A, 0, 0), 3);
    expect_int(a, send_acquire(a, A, 0, 0), 0);
    expect_empty(a, send_unlock(a, A, 0, 1));
    /* One who says goodbye takes a plain lock along, but no re-entrant one. */
    rpc_client_open(b, &fixture->world, false);
    expect_object(b, send_lookup(b, 0, "x", A, true, 0), A, HEAPD__V1__TYPE__TYPE_LOCK);
    expect_int(b, send_acquire(b, A, 0, 0), 1);
    expect_object(b, send_sync(b, HEAPD__V1__TYPE__TYPE_RLOCK, 0, false, 0, B), B, HEAPD__V1__TYPE__TYPE_RLOCK);
    expect_empty(b, send_bind(b, 0, "r", rpc_handle(B)));
    expect_int(b, send_acquire(b, B, 7, 0), 1);
    expect_object(a, send_lookup(a, 0, "r", B, true, 0), B, HEAPD__V1__TYPE__TYPE_RLOCK);
    expect_int(a, send_acquire(a, B, 7, 0), 0);
    expect_empty(b, rpc_send(b, METHOD(GOODBYE), NULL));
    die(b);
    expect_int(a, send_acquire(a, A, 0, 0), 0);
    expect_empty(a, send_unlock(a, A, 0, 1));
    expect_int(a, send_acquire(a, A, 0, 0), 1);
    expect_int(a, send_acquire(a, B, 7, 0), 3);
    assert_int_equal(fixture->world.heap->objects.sync->left_count, 1);
}

static void a_reentrant_lock_knows_its_thread(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_RLOCK, 0, false);
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    expect_int(a, send_acquire(a, A, 2, 0), 0);
    expect_error(a, send_unlock(a, A, 2, 1), HD_ENOT_OWNED, "do not hold");
    expect_error(b, send_unlock(b, A, 1, 1), HD_ENOT_OWNED, "do not hold");
    uint64_t waits = send_acquire(b, A, 1, -1);
    /* Who has it goes on having it, whoever waits. */
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    for (int i = 0; i < 3; i++) {
        expect_nothing(b, waits);
        expect_empty(a, send_unlock(a, A, 1, 1));
    }
    expect_int(b, waits, 1);
    expect_error(a, send_unlock(a, A, 1, 1), HD_ENOT_OWNED, "");
}

static void semaphores_count(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_SEMAPHORE, 2, true);
    expect_error(a, send_unlock(a, A, 0, 1), HD_EOVER_RELEASE, "");
    expect_int(a, send_acquire(a, A, 0, 0), 1);
    expect_int(b, send_acquire(b, A, 0, 0), 1);
    uint64_t first = send_acquire(a, A, 0, -1), second = send_acquire(b, A, 0, -1);
    expect_empty(b, send_unlock(b, A, 0, 1));
    expect_int(a, first, 1);
    expect_nothing(b, second);
    expect_error(a, send_unlock(a, A, 0, 3), HD_EOVER_RELEASE, "");
    expect_empty(a, send_unlock(a, A, 0, 2));
    expect_int(b, second, 1);
    expect_int(a, send_acquire(a, A, 0, 0), 1);
    expect_int(a, send_acquire(a, A, 0, 0), 0);
    uint64_t third = send_acquire(a, A, 0, -1);
    die(b);
    expect_int(a, third, 3);
    assert_int_equal(abandoned_count(fixture), 1);
    expect_empty(a, send_unlock(a, A, 0, 2));
    expect_error(a, send_unlock(a, A, 0, 1), HD_EOVER_RELEASE, "");
    expect_error(a, send_sync(a, HEAPD__V1__TYPE__TYPE_SEMAPHORE, -1, false, 0, B), HD_EINVALID, "must be >= 0");
}

static void queues_hand_over(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_QUEUE, 2, false);
    expect_error(a, send_take(a, A, 0, 0), HD_EQUEUE_EMPTY, "");
    expect_empty(a, send_put(a, A, rpc_int(1), 0));
    expect_empty(a, send_put(a, A, rpc_str("a string that is no inline value"), 0));
    expect_error(a, send_put(a, A, rpc_int(3), 0), HD_EQUEUE_FULL, "the queue is full");
    uint64_t put = send_put(b, A, rpc_int(3), -1), late = send_put(b, A, rpc_int(4), 100);
    expect_int(a, send_length(a, A), 2);
    expect_int(a, send_take(a, A, 0, 0), 1);
    expect_empty(b, put);
    pass_ms(fixture, 100);
    expect_error(b, late, HD_EQUEUE_FULL, "after 100 ms");
    expect_str(a, send_take(a, A, 0, 0), "a string that is no inline value");
    expect_int(a, send_take(a, A, 0, 0), 3);
    /* Joining: three were put, none was done. */
    uint64_t join = send_wait(a, METHOD(JOIN), A, 0, -1), in_vain = send_wait(b, METHOD(JOIN), A, 0, 0);
    expect_bool(b, in_vain, false);
    for (int i = 0; i < 3; i++) {
        expect_nothing(a, join);
        expect_empty(b, send_simple(b, METHOD(TASK_DONE), A));
    }
    expect_bool(a, join, true);
    expect_error(b, send_simple(b, METHOD(TASK_DONE), A), HD_EOVER_RELEASE, "task_done");
    /* Gets that wait: in order, and with slots. */
    uint64_t get1 = send_take(a, A, HANDLE(5, 1), -1), get2 = send_take(b, A, HANDLE(5, 1), -1),
             get3 = send_take(b, A, HANDLE(6, 1), 30);
    expect_error(a, send_length(a, HANDLE(5, 1)), HD_ESLOT_PENDING, "");
    expect_empty(a, send_put(a, A, rpc_int(10), 0));
    expect_int(a, get1, 10);
    Heapd__V1__Literal list = rpc_empty(HEAPD__V1__KIND__KIND_LIST);
    expect_empty(a, send_put(a, A, rpc_literal(&list), 0));
    expect_object(b, get2, HANDLE(5, 1), HEAPD__V1__TYPE__TYPE_LIST);
    pass_ms(fixture, 30);
    expect_error(b, get3, HD_EQUEUE_EMPTY, "after 30 ms");
    expect_aborted(b, send_length(b, HANDLE(6, 1)), get3);
    /* The slot is free again for a get that brings a plain value. */
    expect_empty(a, send_put(a, A, rpc_int(11), 0));
    expect_int(b, send_take(b, A, HANDLE(6, 2), 0), 11);
    expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(6, 2)), HANDLE(6, 2), HEAPD__V1__TYPE__TYPE_LIST);
}

static void an_item_is_lost_to_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_QUEUE, 0, false);
    /* An object, and no slot for it: the item goes to the next. */
    uint64_t no_slot = send_take(b, A, 0, -1), next = send_take(a, A, HANDLE(5, 1), -1);
    Heapd__V1__Literal list = rpc_empty(HEAPD__V1__KIND__KIND_LIST);
    expect_empty(a, send_put(a, A, rpc_literal(&list), 0));
    expect_error(b, no_slot, HD_ENOT_PLAIN, "");
    expect_object(a, next, HANDLE(5, 1), HEAPD__V1__TYPE__TYPE_LIST);
    /* One that does not read is given an item that it cannot be told of; when it dies, the item is there again. */
    b->deaf = true;
    char *large = malloc(60001);
    assert_non_null(large);
    memset(large, 'x', 60000);
    large[60000] = '\0';
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    ping.payload = rpc_bytes(large);
    uint64_t deaf = send_take(b, A, HANDLE(5, 1), -1);
    for (size_t sent = 0; hd_rpc_connection_wants_input(b->connection); sent++) {
        assert_true(sent < 10000);
        (void)rpc_send(b, METHOD(PING), &ping);
    }
    free(large);
    expect_empty(a, send_put(a, A, rpc_int(1), 0));
    expect_empty(a, send_put(a, A, rpc_int(2), 0));
    expect_int(a, send_length(a, A), 1);
    assert_int_equal(fixture->world.heap->objects.sync->returned_count, 1);
    (void)deaf;
    die(b);
    assert_int_equal(fixture->world.heap->objects.sync->returned_count, 2);
    expect_int(a, send_take(a, A, 0, 0), 1);
    expect_int(a, send_take(a, A, 0, 0), 2);
}

static void conditions_notify(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_CONDITION, 0, false);
    expect_error(a, send_wait(a, METHOD(CONDITION_WAIT), A, 1, 0), HD_ENOT_OWNED, "");
    expect_error(a, send_notify(a, A, 1, 1), HD_ENOT_OWNED, "");
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    uint64_t one = send_wait(a, METHOD(CONDITION_WAIT), A, 1, -1);
    /* It let the lock go, both times. */
    expect_int(b, send_acquire(b, A, 1, 0), 1);
    uint64_t two = send_wait(b, METHOD(CONDITION_WAIT), A, 1, 200);
    expect_int(b, send_acquire(b, A, 2, 0), 1);
    expect_int(b, send_notify(b, A, 2, 1), 1);
    expect_nothing(a, one);
    expect_empty(b, send_unlock(b, A, 2, 1));
    expect_int(a, one, 1);
    /* One's time is over while another has the lock: it gets it back first. */
    pass_ms(fixture, 200);
    expect_nothing(b, two);
    expect_int(b, send_acquire(b, A, 3, 0), 0);
    expect_empty(a, send_unlock(a, A, 1, 1));
    expect_nothing(b, two);
    expect_empty(a, send_unlock(a, A, 1, 1));
    expect_int(b, two, 0);
    expect_int(a, send_acquire(a, A, 1, 0), 0);
    /* Without time: the lock is let go and taken again. */
    expect_int(b, send_wait(b, METHOD(CONDITION_WAIT), A, 1, 0), 0);
    expect_empty(b, send_unlock(b, A, 1, 1));
    /* A notification that a dying one was to have goes on. */
    expect_int(b, send_acquire(b, A, 1, 0), 1);
    (void)send_wait(b, METHOD(CONDITION_WAIT), A, 1, -1);
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    uint64_t lucky = send_wait(a, METHOD(CONDITION_WAIT), A, 1, -1);
    expect_int(a, send_acquire(a, A, 2, 0), 1);
    expect_int(a, send_notify(a, A, 2, 1), 1);
    die(b);
    expect_empty(a, send_unlock(a, A, 2, 1));
    expect_int(a, lucky, 1);
    expect_empty(a, send_unlock(a, A, 1, 1));
}

static void a_cancelled_condition_has_its_lock(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_CONDITION, 0, false);
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    uint64_t waits = send_wait(a, METHOD(CONDITION_WAIT), A, 1, -1);
    expect_int(b, send_acquire(b, A, 1, 0), 1);
    rpc_cancel(a, waits);
    expect_nothing(a, waits);
    expect_empty(b, send_unlock(b, A, 1, 1));
    expect_error(a, waits, HD_ECANCELLED, "");
    expect_empty(a, send_unlock(a, A, 1, 1));
    /* Cancelled twice, it does not wait for the lock. */
    expect_int(a, send_acquire(a, A, 1, 0), 1);
    waits = send_wait(a, METHOD(CONDITION_WAIT), A, 1, -1);
    expect_int(b, send_acquire(b, A, 1, 0), 1);
    rpc_cancel(a, waits);
    rpc_cancel(a, waits);
    expect_error(a, waits, HD_ECANCELLED, "");
    expect_empty(b, send_unlock(b, A, 1, 1));
    expect_error(a, send_unlock(a, A, 1, 1), HD_ENOT_LOCKED, "");
}

static void events_open_for_all(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_EVENT, 0, false);
    expect_bool(a, send_wait(a, METHOD(EVENT_WAIT), A, 0, 0), false);
    uint64_t waits[200];
    for (int i = 0; i < 200; i++)
        waits[i] = send_wait(i % 2 ? a : b, METHOD(EVENT_WAIT), A, 0, i % 3 ? -1 : 1000);
    uint64_t timed = send_wait(a, METHOD(EVENT_WAIT), A, 0, 10);
    pass_ms(fixture, 10);
    expect_bool(a, timed, false);
    expect_empty(b, send_simple(b, METHOD(EVENT_SET), A));
    /* Even if it is cleared at once. */
    expect_empty(b, send_simple(b, METHOD(EVENT_CLEAR), A));
    rpc_world_run(&fixture->world);
    for (int i = 0; i < 200; i++)
        expect_bool(i % 2 ? a : b, waits[i], true);
    expect_bool(a, send_wait(a, METHOD(EVENT_WAIT), A, 0, 0), false);
    expect_empty(b, send_simple(b, METHOD(EVENT_SET), A));
    expect_bool(a, send_wait(a, METHOD(EVENT_WAIT), A, 0, 0), true);
}

static void barriers_break(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_BARRIER, 3, false);
    for (int round = 0; round < 3; round++) {
        uint64_t first = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1),
                 second = send_wait(b, METHOD(BARRIER_WAIT), A, 0, -1);
        expect_nothing(a, first);
        expect_int(b, send_wait(b, METHOD(BARRIER_WAIT), A, 0, 0), 2);
        expect_int(a, first, 0);
        expect_int(b, second, 1);
    }
    uint64_t waits = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1), timed = send_wait(b, METHOD(BARRIER_WAIT), A, 0, 20);
    pass_ms(fixture, 20);
    expect_error(b, timed, HD_EBROKEN_BARRIER, "");
    expect_error(a, waits, HD_EBROKEN_BARRIER, "");
    expect_error(a, send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1), HD_EBROKEN_BARRIER, "reset it");
    expect_empty(a, send_simple(a, METHOD(BARRIER_RESET), A));
    waits = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1);
    expect_empty(b, send_simple(b, METHOD(BARRIER_RESET), A));
    expect_error(a, waits, HD_EBROKEN_BARRIER, "");
    waits = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1);
    expect_empty(b, send_simple(b, METHOD(BARRIER_ABORT), A));
    expect_error(a, waits, HD_EBROKEN_BARRIER, "");
    expect_error(a, send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1), HD_EBROKEN_BARRIER, "");
    expect_empty(a, send_simple(a, METHOD(BARRIER_RESET), A));
    waits = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1);
    uint64_t cancelled = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1);
    rpc_cancel(a, cancelled);
    expect_error(a, cancelled, HD_ECANCELLED, "");
    expect_error(a, waits, HD_EBROKEN_BARRIER, "");
    expect_empty(a, send_simple(a, METHOD(BARRIER_RESET), A));
    waits = send_wait(a, METHOD(BARRIER_WAIT), A, 0, -1);
    (void)send_wait(b, METHOD(BARRIER_WAIT), A, 0, -1);
    die(b);
    expect_error(a, waits, HD_EBROKEN_BARRIER, "");
    expect_error(a, send_sync(a, HEAPD__V1__TYPE__TYPE_BARRIER, 0, false, 0, B), HD_EINVALID, "parties");
}

static void parked_requests_hinder_nobody(void **state)
{
    enum { COUNT = 1000 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct hd_rpc_connection *connection = a->connection;
    share(fixture, HEAPD__V1__TYPE__TYPE_QUEUE, 0, false);
    uint64_t used = fixture->world.heap->account.used_bytes;
    uint64_t ids[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        ids[i] = send_take(a, A, HANDLE(i + 10, 1), i % 2 ? -1 : 500);
    assert_int_equal(fixture->world.heap->objects.sync->waiting_count[HD_SYNC_GET], COUNT);
    for (uint32_t i = 0; i < 100; i++) {
        expect_int(a, send_length(a, A), 0);
        expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(5, i + 1)), HANDLE(5, i + 1),
                      HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(a, send_release(a, HANDLE(5, i + 1)));
    }
    pass_ms(fixture, 500);
    for (uint32_t i = 0; i < COUNT; i += 2)
        expect_error(a, ids[i], HD_EQUEUE_EMPTY, "after 500 ms");
    for (uint32_t i = 1; i < COUNT; i += 2) {
        rpc_cancel(a, ids[i]);
        expect_error(a, ids[i], HD_ECANCELLED, "");
    }
    assert_int_equal(fixture->world.heap->objects.sync->waiting_count[HD_SYNC_GET], 0);
    assert_ptr_equal(connection, a->connection);
    /* Slots and deadlines keep their room; of each request nothing is left. */
    assert_true(fixture->world.heap->account.used_bytes < used + 64 * 1024);
    for (uint32_t i = 0; i < COUNT; i++)
        expect_aborted(a, send_length(a, HANDLE(i + 10, 1)), ids[i]);
}

/* Thousands are woken by one request, and told in turns; who is called off meanwhile was woken all the same. */
static void very_many_are_woken_together(void **state)
{
    enum { COUNT = 5000 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct hd_objects *objects = &fixture->world.heap->objects;
    fixture->world.server->config.max_parked = 2 * COUNT;
    share(fixture, HEAPD__V1__TYPE__TYPE_EVENT, 0, false);
    uint64_t *ids = calloc(COUNT, sizeof *ids);
    assert_non_null(ids);
    for (uint32_t i = 0; i < COUNT; i++)
        ids[i] = send_wait(a, METHOD(EVENT_WAIT), A, 0, i % 2 ? -1 : 100);
    assert_int_equal(objects->sync->waiting_count[HD_SYNC_EVENT_WAIT], COUNT);
    expect_empty(b, send_simple(b, METHOD(EVENT_SET), A));
    expect_empty(b, send_simple(b, METHOD(EVENT_CLEAR), A));
    assert_int_equal(objects->sync->waiting_count[HD_SYNC_EVENT_WAIT], 0);
    assert_true(hd_sync_has_woken(objects));
    rpc_cancel(a, ids[COUNT - 1]);
    rpc_cancel(a, ids[COUNT - 2]);
    uint64_t late = send_wait(b, METHOD(EVENT_WAIT), A, 0, 50);
    pass_ms(fixture, 200);
    assert_false(hd_sync_has_woken(objects));
    for (uint32_t i = 0; i < COUNT; i++)
        expect_bool(a, ids[i], true);
    expect_bool(b, late, false);
    free(ids);
}

/* As above: some of those who were notified die, or give up, before it is their turn. */
static void very_many_are_notified_together(void **state)
{
    enum { COUNT = 3000 };
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    struct hd_objects *objects = &fixture->world.heap->objects;
    fixture->world.server->config.max_parked = 2 * COUNT;
    share(fixture, HEAPD__V1__TYPE__TYPE_CONDITION, 0, false);
    uint64_t *ids = calloc(COUNT, sizeof *ids);
    assert_non_null(ids);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct rpc_client *client = i % 3 ? a : b;
        expect_int(client, send_acquire(client, A, i, 0), 1);
        ids[i] = send_wait(client, METHOD(CONDITION_WAIT), A, i, i % 2 ? -1 : 100);
    }
    expect_int(a, send_acquire(a, A, COUNT, 0), 1);
    expect_int(a, send_notify(a, A, COUNT, UINT64_MAX), COUNT);
    expect_int(a, send_notify(a, A, COUNT, UINT64_MAX), 0);
    rpc_cancel(a, ids[5]);
    rpc_cancel(a, ids[5]);
    expect_error(a, ids[5], HD_ECANCELLED, "");
    die(b);
    pass_ms(fixture, 200);
    assert_int_equal(objects->sync->waiting_count[HD_SYNC_CONDITION_WAIT], COUNT - COUNT / 3 - 1);
    expect_empty(a, send_unlock(a, A, COUNT, 1));
    for (uint32_t i = 1; i < COUNT; i++) {
        if (i % 3 == 0 || i == 5)
            continue;
        expect_int(a, ids[i], 1);
        expect_empty(a, send_unlock(a, A, i, 1));
    }
    assert_int_equal(objects->sync->waiting_count[HD_SYNC_CONDITION_WAIT], 0);
    free(ids);
}

static void holders_and_waiters_are_listed(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    share(fixture, HEAPD__V1__TYPE__TYPE_LOCK, 0, false);
    expect_int(b, send_acquire(b, A, 5, 0), 1);
    uint64_t waits = send_acquire(a, A, 6, -1);
    expect_error(b, rpc_send(b, METHOD(LIST_SYNC), NULL), HD_EPERMISSION, "");
    Heapd__V1__ListSyncReply *reply =
        expect_message(a, rpc_send(a, METHOD(LIST_SYNC), NULL), &heapd__v1__list_sync_reply__descriptor);
    assert_int_equal(reply->n_holds, 1);
    assert_int_equal(reply->holds[0]->thread, 5);
    assert_int_equal(reply->holds[0]->type, HEAPD__V1__TYPE__TYPE_LOCK);
    assert_int_equal(reply->n_waits, 1);
    assert_int_equal(reply->waits[0]->request, waits);
    assert_int_equal(reply->waits[0]->object, reply->holds[0]->object);
    assert_string_equal(reply->waits[0]->act, "acquire");
    assert_false(reply->more || reply->waits[0]->given);
    assert_int_not_equal(reply->waits[0]->session, reply->holds[0]->session);
    free_message(reply);
}

static Heapd__V1__ListScopesReply *list_scopes(struct rpc_client *client, uint64_t session)
{
    Heapd__V1__ListScopesRequest request = HEAPD__V1__LIST_SCOPES_REQUEST__INIT;
    request.session = session;
    return expect_message(client, rpc_send(client, METHOD(LIST_SCOPES), &request),
                          &heapd__v1__list_scopes_reply__descriptor);
}

/* What a request made is bound in a scope of its own, and gone with it in one call. */
static void a_scope_frees_a_working_set(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a, *b = &fixture->b;
    char name[32];
    rpc_world_run(&fixture->world);
    uint64_t before = rpc_world_stat(&fixture->world, "objects_live_count");
    expect_object(b, send_open_scope(b, 0, A), A, HEAPD__V1__TYPE__TYPE_SCOPE);
    expect_object(b, send_open_scope(b, A, B), B, HEAPD__V1__TYPE__TYPE_SCOPE);
    for (uint32_t i = 0; i < 500; i++) {
        (void)snprintf(name, sizeof name, "part %u", i);
        expect_object(b, send_new(b, HEAPD__V1__KIND__KIND_LIST, HANDLE(3, i + 1)), HANDLE(3, i + 1),
                      HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(b, send_bind(b, B, name, rpc_handle(HANDLE(3, i + 1))));
        expect_empty(b, send_release(b, HANDLE(3, i + 1)));
    }
    expect_empty(b, send_bind(b, A, "outer", rpc_int(1)));
    Heapd__V1__ListScopesReply *reply = list_scopes(b, 0);
    assert_int_equal(reply->n_scopes, 2);
    assert_int_equal(reply->next, 0);
    assert_int_equal(reply->scopes[0]->slot, 1);
    assert_int_equal(reply->scopes[0]->names, 1);
    assert_int_equal(reply->scopes[0]->parent, 0);
    assert_int_equal(reply->scopes[1]->names, 500);
    assert_int_equal(reply->scopes[1]->parent, reply->scopes[0]->identity);
    assert_true(reply->scopes[1]->bytes > 500 * 16);
    free_message(reply);
    Heapd__V1__ListScopesRequest foreign = HEAPD__V1__LIST_SCOPES_REQUEST__INIT;
    foreign.session = 1;
    expect_error(b, rpc_send(b, METHOD(LIST_SCOPES), &foreign), HD_EPERMISSION, "another session");
    reply = list_scopes(a, 2);
    assert_int_equal(reply->n_scopes, 2);
    free_message(reply);
    foreign.session = 77;
    expect_error(a, rpc_send(a, METHOD(LIST_SCOPES), &foreign), HD_EKEY, "session 77");
    Heapd__V1__CloseScopeRequest close = HEAPD__V1__CLOSE_SCOPE_REQUEST__INIT;
    close.scope = B;
    expect_empty(b, rpc_send(b, METHOD(CLOSE_SCOPE), &close));
    expect_int(b, send_lookup(b, A, "outer", 0, false, 0), 1);
    reply = list_scopes(b, 0);
    assert_true(reply->scopes[1]->closed);
    free_message(reply);
    expect_empty(b, send_release(b, B));
    expect_empty(b, send_release(b, A));
    rpc_world_run(&fixture->world);
    assert_int_equal(rpc_world_stat(&fixture->world, "objects_live_count"), before);
}

/* As set_up, with room for many that wait. */
static int set_up_many(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    rpc_world_init(&fixture->world);
    fixture->world.rpc_config.max_parked = 2000;
    rpc_world_start(&fixture->world);
    rpc_client_open(&fixture->a, &fixture->world, true);
    rpc_client_open(&fixture->b, &fixture->world, false);
    *state = fixture;
    return 0;
}
#define TEST_MANY(name) cmocka_unit_test_setup_teardown(name, set_up_many, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_goes_from_hand_to_hand),
        TEST(a_dead_holder_is_told_of_once),
        TEST(a_reentrant_lock_knows_its_thread),
        TEST(semaphores_count),
        TEST(queues_hand_over),
        TEST(an_item_is_lost_to_nobody),
        TEST(conditions_notify),
        TEST(a_cancelled_condition_has_its_lock),
        TEST_MANY(events_open_for_all),
        TEST(barriers_break),
        TEST(holders_and_waiters_are_listed),
        TEST(a_scope_frees_a_working_set),
        TEST_MANY(parked_requests_hinder_nobody),
        TEST_MANY(very_many_are_woken_together),
        TEST_MANY(very_many_are_notified_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
