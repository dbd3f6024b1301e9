/*
 * Requests that wait for a coordination object.
 *
 * The object decides whose turn it is (object/sync.h) and puts its waiter into
 * the outbox; here it is told. As long as it cannot be, since its output is full,
 * it stays as it is: given, not told.
 */
#include <stdio.h>
#include <string.h>

#include "rpc/private.h"

struct sync_wait {
    struct hd_unfinished base;
    struct hd_sync_waiter waiter;
    int64_t wait_ms;
    bool as_object;
};

static struct sync_wait *wait_of(struct hd_sync_waiter *waiter)
{
    return (struct sync_wait *)((char *)waiter - offsetof(struct sync_wait, waiter));
}

/* ---- replies ---- */

static void reply_acquired(struct hd_call *call, bool acquired, bool abandoned)
{
    hd_reply_count(call, (uint64_t)acquired | (uint64_t)abandoned << 1);
}

/* What an act that was done says. A get's item is prepared. */
static void reply_done(struct hd_call *call, enum hd_sync_act act, const struct hd_sync_result *result, bool as_object)
{
    switch (act) {
    case HD_SYNC_ACQUIRE:
    case HD_SYNC_CONDITION_WAIT:
        reply_acquired(call, true, result->abandoned);
        return;
    case HD_SYNC_GET:
        hd_reply_value(call, result->item, as_object);
        return;
    case HD_SYNC_PUT:
        hd_reply_empty(call);
        return;
    case HD_SYNC_JOIN:
    case HD_SYNC_EVENT_WAIT:
        hd_reply_bool(call, true);
        return;
    default:
        hd_reply_count(call, result->index);
    }
}

static int fail_wait(struct hd_call *call, int error, int64_t wait_ms)
{
    if (wait_ms > 0 && (error == HD_EQUEUE_FULL || error == HD_EQUEUE_EMPTY))
        return hd_fail(call, error, "after %lld ms", (long long)wait_ms);
    return error;
}

/* What an act that its time ran out for says: some answer no, others fail. */
static int reply_not_done(struct hd_call *call, enum hd_sync_act act, int error, int64_t wait_ms)
{
    if (error != HD_EDEADLINE)
        return fail_wait(call, error, wait_ms);
    if (act == HD_SYNC_ACQUIRE)
        reply_acquired(call, false, false);
    else
        hd_reply_bool(call, false);
    return 0;
}

/* ---- waiting ---- */

/* The slot of a get that was to have a result has none. */
static void unpend(struct hd_call *call)
{
    if (call->into)
        hd_session_unpend(call->session, call->into);
}

static void answer_get(struct sync_wait *wait, struct hd_call *call)
{
    struct hd_sync_waiter *waiter = &wait->waiter;
    hd_value item = waiter->item;
    int error = hd_reply_prepare(call, item, wait->as_object);
    if (error) {
        hd_call_refuse(call, error); /* and the item goes back, since it is not told of */
        return;
    }
    uint32_t before = call->session->pending_count;
    hd_sync_told(waiter);
    hd_reply_value(call, item, wait->as_object);
    if (call->session->pending_count == before)
        unpend(call);
}

static void answer(struct sync_wait *wait)
{
    struct hd_sync_waiter *waiter = &wait->waiter;
    struct hd_call call;
    hd_unfinished_call(&wait->base, &call);
    if (waiter->act == HD_SYNC_CONDITION_WAIT && !waiter->error) {
        hd_sync_told(waiter);
        reply_acquired(&call, waiter->notified, waiter->abandoned);
    } else if (waiter->error) {
        hd_sync_told(waiter);
        int error = reply_not_done(&call, waiter->act, waiter->error, wait->wait_ms);
        if (error)
            hd_call_refuse(&call, error);
    } else if (waiter->act == HD_SYNC_GET) {
        answer_get(wait, &call);
    } else {
        struct hd_sync_result result = {.index = waiter->count, .abandoned = waiter->abandoned};
        hd_sync_told(waiter);
        reply_done(&call, waiter->act, &result, wait->as_object);
    }
}

static enum hd_step step_wait(struct hd_unfinished *unfinished, uint64_t units)
{
    (void)units;
    struct sync_wait *wait = (struct sync_wait *)unfinished;
    if (unfinished->timed_out)
        hd_sync_time_over(&wait->waiter, HD_EDEADLINE);
    /* It comes again when it is taken from the outbox. */
    if (wait->waiter.state != HD_SYNC_TAKEN)
        return HD_STEP_PARKED;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    answer(wait);
    return HD_STEP_DONE;
}

static void free_wait(struct hd_unfinished *unfinished)
{
    struct sync_wait *wait = (struct sync_wait *)unfinished;
    hd_sync_waiter_fini(&wait->waiter);
    hd_allocator_free(unfinished->connection->server->allocator, wait, sizeof *wait);
}

/* One that has its turn is answered in any case; one of a condition gets its lock back first. */
static void cancel_wait(struct hd_unfinished *unfinished)
{
    struct sync_wait *wait = (struct sync_wait *)unfinished;
    hd_sync_time_over(&wait->waiter, HD_ECANCELLED);
}

static const struct hd_unfinished_kind wait_kind = {.step = step_wait, .free = free_wait, .cancel = cancel_wait};

const struct hd_sync_waiter *hd_sync_waiter_of(const struct hd_unfinished *unfinished)
{
    return unfinished->kind == &wait_kind ? &((const struct sync_wait *)unfinished)->waiter : NULL;
}

static int park(struct hd_call *call, const struct hd_sync_request *request, int64_t wait_ms, bool as_object)
{
    struct hd_rpc_server *server = call->server;
    int error = hd_unfinished_allowed(call);
    if (!error && wait_ms >= 0)
        error = hd_deadline_reserve(server);
    if (error)
        return error;
    struct sync_wait *wait = hd_allocator_new_zeroed(server->allocator, sizeof *wait);
    if (!wait)
        return HD_ENOMEM;
    error = hd_sync_wait(call->objects, request, &wait->waiter);
    if (error) {
        hd_allocator_free(server->allocator, wait, sizeof *wait);
        return error;
    }
    wait->wait_ms = wait_ms;
    wait->as_object = as_object;
    if (call->into)
        hd_session_pend(call->session, call->into, call->request_id);
    hd_unfinished_add(&wait->base, &wait_kind, call, true);
    if (wait_ms > 0)
        hd_deadline_set(&wait->base, (uint64_t)wait_ms);
    else if (wait_ms == 0)
        hd_sync_time_over(&wait->waiter, HD_EDEADLINE);
    return HD_CALL_CONTINUES;
}

/* Of very many that were woken together the rest waits in the outbox for the next request or turn. */
#define AT_ONCE_MAX 1024u

void hd_sync_answer(struct hd_rpc_server *server)
{
    struct hd_sync_waiter *waiter;
    unsigned answered = 0;
    while (answered < AT_ONCE_MAX && (waiter = hd_sync_next_woken(&server->heap->objects)) != NULL) {
        struct hd_unfinished *unfinished = &wait_of(waiter)->base;
        if (answered++ < HD_WAKE_AT_ONCE && !unfinished->runnable && !unfinished->blocked)
            hd_unfinished_after(unfinished, step_wait(unfinished, 0));
        else
            hd_unfinished_make_runnable(unfinished);
    }
}

/* ---- a request ---- */

/* One that may wait no time: said at once, but for those whose wait does something even so. */
static int busy(struct hd_call *call, const struct hd_sync_request *request, int64_t wait_ms, bool as_object)
{
    if (wait_ms != 0 || request->act == HD_SYNC_CONDITION_WAIT || request->act == HD_SYNC_BARRIER_WAIT)
        return park(call, request, wait_ms, as_object);
    switch (request->act) {
    case HD_SYNC_GET:
        return HD_EQUEUE_EMPTY;
    case HD_SYNC_PUT:
        return HD_EQUEUE_FULL;
    default:
        return reply_not_done(call, request->act, HD_EDEADLINE, 0);
    }
}

int hd_call_sync(struct hd_call *call, struct hd_sync_request *request, int64_t wait_ms, bool as_object)
{
    struct hd_sync_result result;
    hd_value item;
    int error = 0;
    if (wait_ms < -1)
        error =
            hd_fail(call, HD_EINVALID, "wait_ms is %lld; 0 does not wait, -1 waits without end", (long long)wait_ms);
    else if (request->act == HD_SYNC_GET)
        error = hd_queue_peek(call->objects, request->object, &item);
    if (!error && request->act == HD_SYNC_GET)
        error = hd_reply_prepare(call, item, as_object);
    if (!error)
        error = hd_sync_try(call->objects, request, &result);
    if (!error) {
        reply_done(call, request->act, &result, as_object);
        return 0;
    }
    if (error == HD_SYNC_BUSY)
        error = busy(call, request, wait_ms, as_object);
    if (error < 0)
        hd_gc_release(&call->heap->gc, request->item);
    return error;
}

/* ---- numbers ---- */

void hd_sync_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context)
{
    static const char *const names[HD_SYNC_ACTS] = {
        [HD_SYNC_ACQUIRE] = "sync_waiting_acquire_count",
        [HD_SYNC_GET] = "sync_waiting_get_count",
        [HD_SYNC_PUT] = "sync_waiting_put_count",
        [HD_SYNC_JOIN] = "sync_waiting_join_count",
        [HD_SYNC_CONDITION_WAIT] = "sync_waiting_condition_count",
        [HD_SYNC_EVENT_WAIT] = "sync_waiting_event_count",
        [HD_SYNC_BARRIER_WAIT] = "sync_waiting_barrier_count",
    };
    const struct hd_sync *sync = server->heap->objects.sync;
    for (unsigned i = 0; i < HD_SYNC_ACTS; i++)
        visit(context, names[i], sync->waiting_count[i]);
    visit(context, "sync_waited_count", sync->waited_count);
    visit(context, "sync_abandoned_count", sync->abandoned_count);
    visit(context, "sync_left_count", sync->left_count);
    visit(context, "sync_returned_count", sync->returned_count);
    visit(context, "sync_broken_barriers_count", sync->broken_barriers_count);
}
