/* Requests that outlive their frame: parked, or going on in slices. */
#include "gc/tags.h"
#include "rpc/private.h"
#include "rpc/slowlog.h"

int hd_unfinished_allowed(struct hd_call *call)
{
    uint32_t max = call->server->config.max_parked;
    if (hd_batch_is_running(call->connection))
        return hd_fail(call, HD_EBATCH, "it would wait or take long");
    if (call->connection->unfinished_count >= max)
        return hd_fail(call, HD_ELIMIT, "%u requests of this session are not finished yet", max);
    return 0;
}

void hd_unfinished_add(struct hd_unfinished *unfinished, const struct hd_unfinished_kind *kind, struct hd_call *call,
                       bool parked)
{
    struct hd_rpc_connection *connection = call->connection;
    *unfinished = (struct hd_unfinished){
        .kind = kind,
        .connection = connection,
        .previous = connection->unfinished_last,
        .request_id = call->request_id,
        .into = call->into,
        .captures_into = call->captures_into,
        .captures_count = call->captures_count,
        .method = call->method,
        .parked = parked,
        .deadline_position = HD_NOT_TIMED,
    };
    if (connection->unfinished_last)
        connection->unfinished_last->next = unfinished;
    else
        connection->unfinished_first = unfinished;
    connection->unfinished_last = unfinished;
    connection->unfinished_count++;
    if (unfinished->request_id > connection->unfinished_highest_id)
        connection->unfinished_highest_id = unfinished->request_id;
    connection->server->unfinished_count++;
    if (parked) {
        connection->server->counts.parked_ever_count++;
        connection->server->parked_count++;
        return;
    }
    unfinished->begin_ns = connection->server->os->now_ns(connection->server->os->context);
    connection->working_count++;
    hd_unfinished_make_runnable(unfinished);
}

void hd_unfinished_call(const struct hd_unfinished *unfinished, struct hd_call *call)
{
    hd_call_init(call, unfinished->connection, unfinished->method, unfinished->request_id);
    call->operation = hd_operation_find(unfinished->method);
    call->into = unfinished->into;
    call->captures_into = unfinished->captures_into;
    call->captures_count = unfinished->captures_count;
}

struct hd_unfinished *hd_unfinished_find(const struct hd_rpc_connection *connection, uint64_t request_id)
{
    struct hd_unfinished *unfinished = connection->unfinished_first;
    if (request_id > connection->unfinished_highest_id)
        return NULL;
    while (unfinished && unfinished->request_id != request_id)
        unfinished = unfinished->next;
    return unfinished;
}

/* ---- turns ---- */

void hd_unfinished_make_runnable(struct hd_unfinished *unfinished)
{
    struct hd_rpc_server *server = unfinished->connection->server;
    if (unfinished->runnable || unfinished->blocked)
        return;
    unfinished->runnable = true;
    unfinished->run_next = NULL;
    unfinished->run_previous = server->runnable_last;
    if (server->runnable_last)
        server->runnable_last->run_next = unfinished;
    else
        server->runnable_first = unfinished;
    server->runnable_last = unfinished;
}

static void take_out_of_turns(struct hd_unfinished *unfinished)
{
    struct hd_rpc_server *server = unfinished->connection->server;
    if (!unfinished->runnable)
        return;
    unfinished->runnable = false;
    if (unfinished->run_previous)
        unfinished->run_previous->run_next = unfinished->run_next;
    else
        server->runnable_first = unfinished->run_next;
    if (unfinished->run_next)
        unfinished->run_next->run_previous = unfinished->run_previous;
    else
        server->runnable_last = unfinished->run_previous;
}

static void set_blocked(struct hd_unfinished *unfinished, bool blocked)
{
    if (unfinished->blocked == blocked)
        return;
    unfinished->blocked = blocked;
    if (blocked)
        unfinished->connection->blocked_count++;
    else
        unfinished->connection->blocked_count--;
}

void hd_unfinished_drop(struct hd_unfinished *unfinished)
{
    struct hd_rpc_connection *connection = unfinished->connection;
    take_out_of_turns(unfinished);
    set_blocked(unfinished, false);
    hd_deadline_remove(unfinished);
    if (unfinished->previous)
        unfinished->previous->next = unfinished->next;
    else
        connection->unfinished_first = unfinished->next;
    if (unfinished->next)
        unfinished->next->previous = unfinished->previous;
    else
        connection->unfinished_last = unfinished->previous;
    connection->unfinished_count--;
    connection->server->unfinished_count--;
    if (unfinished->parked)
        connection->server->parked_count--;
    else
        connection->working_count--;
    unfinished->kind->free(unfinished);
}

void hd_unfinished_cancel(struct hd_unfinished *unfinished)
{
    struct hd_call call;
    if (unfinished->kind->cancel) {
        unfinished->kind->cancel(unfinished);
        return;
    }
    hd_unfinished_call(unfinished, &call);
    hd_unfinished_drop(unfinished);
    hd_call_refuse(&call, HD_ECANCELLED);
}

void hd_unfinished_after(struct hd_unfinished *unfinished, enum hd_step step)
{
    switch (step) {
    case HD_STEP_AGAIN:
        hd_unfinished_make_runnable(unfinished);
        break;
    case HD_STEP_BLOCKED:
        set_blocked(unfinished, true);
        break;
    case HD_STEP_PARKED:
        break;
    case HD_STEP_DONE:
        hd_connection_make_ready(unfinished->connection);
        hd_unfinished_drop(unfinished);
        break;
    }
}

void hd_unfinished_unblock(struct hd_rpc_connection *connection)
{
    struct hd_unfinished *unfinished = connection->unfinished_first;
    for (; unfinished && connection->blocked_count; unfinished = unfinished->next) {
        if (!unfinished->blocked)
            continue;
        set_blocked(unfinished, false);
        hd_unfinished_make_runnable(unfinished);
    }
}

static void step_measured(struct hd_rpc_server *server, struct hd_unfinished *unfinished, uint64_t units)
{
    struct hd_slice_watch watch;
    bool is_heap_work = hd_operation_find(unfinished->method)->flags & HD_OP_HEAP_WORK;
    hd_slice_begin(server, &watch);
    struct hd_rpc_connection *connection = unfinished->connection;
    const uint16_t method = unfinished->method;
    const uint64_t begin_ns = unfinished->begin_ns;
    enum hd_step step = unfinished->kind->step(unfinished, units);
    hd_unfinished_after(unfinished, step);
    if (!is_heap_work)
        watch.kind = HD_SLICE_REQUEST;
    hd_slice_end(server, &watch);
    if (step == HD_STEP_DONE && begin_ns)
        hd_slowlog_ended(connection, method, begin_ns);
}

uint64_t hd_unfinished_run(struct hd_rpc_server *server, uint64_t units)
{
    while (units > 0 && server->runnable_first) {
        struct hd_unfinished *unfinished = server->runnable_first;
        uint64_t slice = units < HD_SLICE_UNITS ? units : HD_SLICE_UNITS;
        /* One that waits for a name has little to do. */
        bool is_short = unfinished->parked && slice > 64;
        take_out_of_turns(unfinished);
        hd_tags_choose(&server->heap->gc, unfinished->connection->session.tag);
        if (is_short)
            hd_unfinished_after(unfinished, unfinished->kind->step(unfinished, slice));
        else
            step_measured(server, unfinished, slice);
        units -= is_short ? 64 : slice;
    }
    return units;
}
