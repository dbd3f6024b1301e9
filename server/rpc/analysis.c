/* Requests that look at the whole heap: their turns, and what they leave behind. */
#include "rpc/private.h"

/* What one slice gives back to the system for a unit of work. */
#define RELEASE_BYTES_PER_UNIT 64

static void start_first(struct hd_rpc_server *server)
{
    if (server->analysis_first && !server->analysis_ended)
        hd_unfinished_make_runnable(&server->analysis_first->base);
}

static void take_out(struct hd_rpc_server *server, struct hd_analysis *analysis)
{
    struct hd_analysis *before = NULL;
    for (struct hd_analysis *i = server->analysis_first; i != analysis; i = i->next)
        before = i;
    if (before)
        before->next = analysis->next;
    else
        server->analysis_first = analysis->next;
    if (server->analysis_last == analysis)
        server->analysis_last = before;
    analysis->next = NULL;
}

static int reply(struct hd_analysis *analysis, bool *more)
{
    struct hd_call call;
    hd_unfinished_call(&analysis->base, &call);
    int error = analysis->kind->reply(analysis, &call, more);
    hd_rpc_arena_reset(&analysis->server->arena);
    /* What waits in the output makes room when it is sent. */
    if (error == HD_ENOMEM && hd_buffer_readable(&analysis->base.connection->output))
        return error;
    if (error) {
        *more = false;
        hd_call_refuse(&call, error);
    }
    return 0;
}

static enum hd_step step_analysis(struct hd_unfinished *unfinished, uint64_t units)
{
    struct hd_analysis *analysis = (struct hd_analysis *)unfinished;
    struct hd_rpc_server *server = analysis->server;
    struct hd_call call;
    bool more = false;
    /* What an earlier one had is given back first: two at a time may be more than the limit allows. */
    if (server->analysis_first != analysis || server->analysis_ended)
        return HD_STEP_PARKED;
    if (!analysis->stepped) {
        int result = analysis->kind->step(analysis, units);
        if (result == 0)
            return HD_STEP_AGAIN;
        analysis->stepped = result == 1;
        if (result < 0) {
            if (!hd_connection_has_room(unfinished->connection))
                return HD_STEP_BLOCKED;
            hd_unfinished_call(unfinished, &call);
            if (result == HD_ENOMEM)
                (void)hd_fail(&call, result, "there is no memory for an analysis of the heap");
            hd_call_refuse(&call, result);
            return HD_STEP_DONE;
        }
    }
    if (hd_connection_above_high(unfinished->connection) || !hd_connection_has_room(unfinished->connection) ||
        reply(analysis, &more))
        return HD_STEP_BLOCKED;
    hd_connection_make_ready(unfinished->connection);
    return more ? HD_STEP_AGAIN : HD_STEP_DONE;
}

static void end_analysis(struct hd_unfinished *unfinished)
{
    struct hd_analysis *analysis = (struct hd_analysis *)unfinished;
    struct hd_rpc_server *server = analysis->server;
    take_out(server, analysis);
    /* The heap is not to be watched any longer for nobody; all else can wait. */
    (void)analysis->kind->release(analysis, 0);
    analysis->next = server->analysis_ended;
    server->analysis_ended = analysis;
}

static const struct hd_unfinished_kind analysis_kind = {.step = step_analysis, .free = end_analysis};

int hd_analysis_new(struct hd_call *call, const struct hd_analysis_kind *kind, struct hd_analysis **out)
{
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct hd_analysis *analysis = hd_allocator_new_zeroed(call->server->allocator, kind->bytes);
    if (!analysis)
        return HD_ENOMEM;
    analysis->kind = kind;
    analysis->server = call->server;
    *out = analysis;
    return 0;
}

int hd_analysis_start(struct hd_analysis *analysis, struct hd_call *call)
{
    struct hd_rpc_server *server = analysis->server;
    hd_unfinished_add(&analysis->base, &analysis_kind, call, false);
    if (server->analysis_last)
        server->analysis_last->next = analysis;
    else
        server->analysis_first = analysis;
    server->analysis_last = analysis;
    return HD_CALL_CONTINUES;
}

void hd_analysis_free(struct hd_analysis *analysis)
{
    hd_allocator_free(analysis->server->allocator, analysis, analysis->kind->bytes);
}

bool hd_analyses_release(struct hd_rpc_server *server, uint64_t units)
{
    struct hd_analysis *analysis = server->analysis_ended;
    if (!analysis)
        return false;
    uint64_t bytes = units < UINT64_MAX / RELEASE_BYTES_PER_UNIT / 2 ? units * RELEASE_BYTES_PER_UNIT : UINT64_MAX / 4;
    if (analysis->kind->release(analysis, bytes))
        return true;
    server->analysis_ended = analysis->next;
    hd_analysis_free(analysis);
    start_first(server);
    return server->analysis_ended != NULL;
}
