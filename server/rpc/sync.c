/* Coordination objects: making, using and looking at them. */
#include <heapd/v1/sync.pb-c.h>
#include <string.h>

#include "rpc/private.h"

/* ---- making ---- */

static int make(struct hd_call *call, const Heapd__V1__CreateSyncRequest *request, hd_value *out)
{
    hd_value lock = HD_ABSENT;
    int error;
    switch (request->type) {
    case HEAPD__V1__TYPE__TYPE_QUEUE:
        return hd_queue_new(call->objects, request->value, out);
    case HEAPD__V1__TYPE__TYPE_LOCK:
    case HEAPD__V1__TYPE__TYPE_RLOCK:
        return hd_lock_new(call->objects, request->type == HEAPD__V1__TYPE__TYPE_RLOCK, out);
    case HEAPD__V1__TYPE__TYPE_SEMAPHORE:
        error = hd_semaphore_new(call->objects, request->value, request->bounded, out);
        return error == HD_EINVALID ? hd_fail(call, error, "a semaphore's initial value must be >= 0") : error;
    case HEAPD__V1__TYPE__TYPE_CONDITION:
        error = request->lock ? hd_call_object(call, request->lock, &lock) : 0;
        if (error)
            return error;
        error = hd_condition_new(call->objects, lock, out);
        return error == HD_ETYPE ? hd_fail(call, error, "a condition needs a lock or rlock, not a %s",
                                           hd_kind_name(hd_kind_of(call->objects, lock)))
                                 : error;
    case HEAPD__V1__TYPE__TYPE_EVENT:
        return hd_event_new(call->objects, out);
    case HEAPD__V1__TYPE__TYPE_BARRIER:
        error = hd_barrier_new(call->objects, request->value, out);
        return error == HD_EINVALID ? hd_fail(call, error, "a barrier is for 1 to 2^32 - 1 parties") : error;
    default:
        return hd_fail(call, HD_EINVALID, "type %d is no coordination object", (int)request->type);
    }
}

int hd_run_create_sync(struct hd_call *call, const void *message)
{
    const Heapd__V1__CreateSyncRequest *request = message;
    hd_value made;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = make(call, request, &made);
    return error ? error : hd_reply_result(call, made, true);
}

/* ---- what may wait ---- */

static int run_wait(struct hd_call *call, enum hd_sync_act act, hd_handle handle, uint64_t thread, int64_t wait_ms)
{
    struct hd_sync_request request = {.act = act, .item = HD_ABSENT, .party = &call->session->party, .thread = thread};
    int error = hd_call_object(call, handle, &request.object);
    if (error)
        return error;
    if (act == HD_SYNC_ACQUIRE)
        request.object = hd_sync_lock_of(call->objects, request.object);
    error = hd_call_sync(call, &request, wait_ms, false);
    return error < 0 ? hd_fail_on(call, error, request.object, NULL) : error;
}

int hd_run_acquire(struct hd_call *call, const void *message)
{
    const Heapd__V1__AcquireRequest *request = message;
    return run_wait(call, HD_SYNC_ACQUIRE, request->object, request->thread, request->wait_ms);
}

static int run_wait_request(struct hd_call *call, enum hd_sync_act act, const Heapd__V1__WaitRequest *request)
{
    return run_wait(call, act, request->object, request->thread, request->wait_ms);
}

int hd_run_join(struct hd_call *call, const void *message)
{
    return run_wait_request(call, HD_SYNC_JOIN, message);
}

int hd_run_condition_wait(struct hd_call *call, const void *message)
{
    return run_wait_request(call, HD_SYNC_CONDITION_WAIT, message);
}

int hd_run_event_wait(struct hd_call *call, const void *message)
{
    return run_wait_request(call, HD_SYNC_EVENT_WAIT, message);
}

int hd_run_barrier_wait(struct hd_call *call, const void *message)
{
    return run_wait_request(call, HD_SYNC_BARRIER_WAIT, message);
}

int hd_run_put(struct hd_call *call, const void *message)
{
    const Heapd__V1__PutRequest *request = message;
    struct hd_sync_request put = {.act = HD_SYNC_PUT, .party = &call->session->party, .is_back = request->back};
    int error = hd_call_object_of(call, request->queue, HD_IS_QUEUE, &put.object);
    if (!error)
        error = hd_call_value(call, request->value, "value", &put.item);
    return error ? error : hd_call_sync(call, &put, request->wait_ms, false);
}

int hd_run_get(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetRequest *request = message;
    struct hd_sync_request get = {.act = HD_SYNC_GET, .item = HD_ABSENT, .party = &call->session->party};
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object_of(call, request->queue, HD_IS_QUEUE, &get.object);
    return error ? error : hd_call_sync(call, &get, request->wait_ms, request->as_object);
}

/* ---- what never waits ---- */

int hd_run_unlock(struct hd_call *call, const void *message)
{
    const Heapd__V1__UnlockRequest *request = message;
    uint64_t count = request->count ? request->count : 1;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_sync_release(call->objects, hd_sync_lock_of(call->objects, object), &call->session->party,
                            request->thread, count);
    if (error == HD_EINVALID)
        return hd_fail(call, error, "a lock is released once at a time");
    if (error)
        return hd_fail_on(call, error, object, NULL);
    hd_reply_empty(call);
    return 0;
}

int hd_run_notify(struct hd_call *call, const void *message)
{
    const Heapd__V1__NotifyRequest *request = message;
    hd_value condition;
    uint64_t woken;
    int error = hd_call_object_of(call, request->condition, HD_IS_CONDITION, &condition);
    if (!error)
        error = hd_condition_notify(call->objects, condition, &call->session->party, request->thread,
                                    request->all ? UINT64_MAX : request->count, &woken);
    if (error)
        return error;
    hd_reply_count(call, woken);
    return 0;
}

/* An object of one kind, and nothing that can fail. */
static int run_simple(struct hd_call *call, const void *message, enum hd_kind_of_value kind,
                      void (*act)(struct hd_objects *objects, hd_value object))
{
    const Heapd__V1__SyncRequest *request = message;
    hd_value object;
    int error = hd_call_object_of(call, request->object, kind, &object);
    if (error)
        return error;
    act(call->objects, object);
    hd_reply_empty(call);
    return 0;
}

int hd_run_event_set(struct hd_call *call, const void *message)
{
    return run_simple(call, message, HD_IS_EVENT, hd_event_set);
}

int hd_run_event_clear(struct hd_call *call, const void *message)
{
    return run_simple(call, message, HD_IS_EVENT, hd_event_clear);
}

int hd_run_barrier_reset(struct hd_call *call, const void *message)
{
    return run_simple(call, message, HD_IS_BARRIER, hd_barrier_reset);
}

int hd_run_barrier_abort(struct hd_call *call, const void *message)
{
    return run_simple(call, message, HD_IS_BARRIER, hd_barrier_abort);
}

int hd_run_task_done(struct hd_call *call, const void *message)
{
    const Heapd__V1__SyncRequest *request = message;
    hd_value queue;
    int error = hd_call_object_of(call, request->object, HD_IS_QUEUE, &queue);
    if (!error)
        error = hd_queue_task_done(call->objects, queue);
    if (error == HD_EOVER_RELEASE)
        return hd_fail(call, error, "task_done was said for every item that was put");
    if (error)
        return error;
    hd_reply_empty(call);
    return 0;
}

/* ---- looking ---- */

static uint64_t identity_of(const struct hd_call *call, hd_value value)
{
    return hd_value_is_ref(value) ? hd_table_identity(&call->heap->table, hd_value_index(value)) : 0;
}

int hd_run_sync_state(struct hd_call *call, const void *message)
{
    const Heapd__V1__SyncStateRequest *request = message;
    struct hd_sync_info info;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    if (!hd_is_sync(hd_kind_of(call->objects, object)))
        return hd_fail_on(call, HD_ETYPE, object, NULL);
    hd_sync_inspect(call->objects, object, &info);
    Heapd__V1__SyncState reply = HEAPD__V1__SYNC_STATE__INIT;
    reply.type = (Heapd__V1__Type)hd_kind_of(call->objects, object);
    reply.value = info.value;
    reply.maximum = info.maximum;
    reply.waiting = info.waiting;
    reply.putting = info.putting;
    reply.joining = info.joining;
    reply.unfinished = info.unfinished;
    reply.holder = info.holder;
    reply.thread = info.thread;
    reply.is_set = info.is_set;
    reply.abandoned = info.abandoned;
    reply.lock = identity_of(call, info.lock);
    return hd_reply_message(call, &reply.base, 0);
}
