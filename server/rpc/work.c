/*
 * A request that is work of the object layer: its first slice at once, and most
 * need no other. One that goes on holds back the session's later requests.
 */
#include "rpc/work.h"

#include <string.h>

struct request {
    struct hd_unfinished base;
    struct hd_work *work; /* own */
    enum hd_answer answer;
    bool relieved; /* memory was looked for once already */
};

/* A value that the work has before it is done must fit before the work changes anything. */
static int prepare(struct hd_call *call, const struct hd_work *work, enum hd_answer answer)
{
    if (work->value == HD_ABSENT || (answer != HD_ANSWER_VALUE && answer != HD_ANSWER_OBJECT))
        return 0;
    return hd_reply_prepare(call, work->value, answer == HD_ANSWER_OBJECT);
}

static int reply(struct hd_call *call, struct hd_work *work, enum hd_answer answer)
{
    switch (answer) {
    case HD_ANSWER_TRUTH:
        hd_reply_bool(call, work->truth);
        return 0;
    case HD_ANSWER_NUMBER:
        hd_reply_count(call, (uint64_t)work->number);
        return 0;
    case HD_ANSWER_VALUE:
    case HD_ANSWER_OBJECT:
        return hd_reply_result(call, hd_work_take_value(work), answer == HD_ANSWER_OBJECT);
    default:
        hd_reply_empty(call);
        return 0;
    }
}

/* ---- in slices ---- */

/* As reply, for a request whose slot is pending. */
static int reply_late(struct hd_call *call, struct hd_work *work, enum hd_answer answer)
{
    uint32_t pending_before = call->session->pending_count;
    int error = reply(call, work, answer);
    /* A plain value came: the slot stays free. */
    if (!error && call->into && call->session->pending_count == pending_before)
        hd_session_unpend(call->session, call->into);
    return error;
}

static enum hd_step step_request(struct hd_unfinished *unfinished, uint64_t units)
{
    struct request *request = (struct request *)unfinished;
    struct hd_call call;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    if (request->relieved && hd_relief_is_on(call.server))
        return HD_STEP_AGAIN;
    int result = prepare(&call, request->work, request->answer);
    if (result == 0)
        result = hd_work_step(request->work, units);
    if (result == HD_ENOMEM && !request->relieved && hd_relief_want(call.server)) {
        request->relieved = true;
        result = 0;
    }
    if (result == 0)
        return HD_STEP_AGAIN;
    if (result == 1)
        result = reply_late(&call, request->work, request->answer);
    if (result)
        hd_call_refuse(&call, result);
    return HD_STEP_DONE;
}

static void free_work(struct hd_rpc_server *server, struct hd_work *work)
{
    size_t bytes = work->kind->bytes;
    hd_work_fini(work);
    hd_allocator_free(server->allocator, work, bytes);
}

static void free_request(struct hd_unfinished *unfinished)
{
    struct request *request = (struct request *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    free_work(connection->server, request->work);
    connection->held = false;
    hd_connection_make_ready(connection);
    hd_allocator_free(connection->server->allocator, request, sizeof *request);
}

static const struct hd_unfinished_kind request_kind = {.step = step_request, .free = free_request};

/* Takes the work over on success only. */
static int go_on(struct hd_call *call, const struct hd_work *work, enum hd_answer answer)
{
    const struct hd_allocator *allocator = call->server->allocator;
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct request *request = hd_allocator_new_zeroed(allocator, sizeof *request);
    struct hd_work *own = hd_allocator_new(allocator, work->kind->bytes);
    if (!request || !own) {
        hd_allocator_free(allocator, request, sizeof *request);
        hd_allocator_free(allocator, own, work->kind->bytes);
        return HD_ENOMEM;
    }
    memcpy(own, work, work->kind->bytes);
    request->work = own;
    request->answer = answer;
    hd_work_keep(own);
    if (call->into)
        hd_session_pend(call->session, call->into, call->request_id);
    hd_unfinished_add(&request->base, &request_kind, call, false);
    call->connection->held = true;
    return HD_CALL_CONTINUES;
}

int hd_call_work(struct hd_call *call, struct hd_work *work, enum hd_answer answer, hd_value object)
{
    int result = prepare(call, work, answer);
    if (result == 0)
        result = hd_work_step(work, HD_SLICE_UNITS);
    if (result == 0) {
        result = go_on(call, work, answer);
        if (result == HD_CALL_CONTINUES)
            return result;
    } else if (result == 1) {
        result = reply(call, work, answer);
    } else if (object != HD_ABSENT) {
        (void)hd_fail_on(call, result, object, NULL);
    }
    hd_work_fini(work);
    return result;
}
