/*
 * Create and Extend: objects out of literals. A short literal is built at once. A
 * long one goes on in slices; the session's later requests wait for it, since
 * they may well be about what it makes, and other sessions go on.
 */
#include <heapd/v1/object.pb-c.h>

#include "rpc/private.h"

#define AT_ONCE_HANDLES 16u

static int check_captures(struct hd_call *call, const uint64_t *captures, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (captures[i] <= captures[i - 1])
            return hd_fail(call, HD_EINVALID, "captures are not ascending: %llu before %llu",
                           (unsigned long long)captures[i - 1], (unsigned long long)captures[i]);
    return 0;
}

/* The slots that captured containers go to, and the memory for what is captured. */
static int prepare_captures(struct hd_call *call, struct hd_call_build *build, const uint64_t *captures, size_t count,
                            hd_handle into)
{
    hd_handle bad;
    if (count == 0)
        return 0;
    call->captures_into = into;
    call->captures_count = count;
    int error = check_captures(call, captures, count);
    if (error)
        return error;
    error = hd_session_prepare_range(call->session, into, count, &bad);
    if (error)
        return hd_fail_slot(call, error, bad);
    uint64_t slot = hd_handle_slot(into), result = hd_handle_slot(call->into);
    if (result >= slot && result < slot + count)
        return hd_fail(call, HD_EINVALID, "slot %llu is for the result and for a capture, too",
                       (unsigned long long)result);
    build->build.captures = captures;
    build->build.capture_count = count;
    build->build.captured = hd_rpc_arena_get(&call->server->arena, count * sizeof(hd_value));
    return build->build.captured ? 0 : HD_ENOMEM;
}

static void fill_captures(struct hd_call *call, const struct hd_call_build *build)
{
    for (size_t i = 0; i < build->build.capture_count; i++)
        hd_session_fill(call->session, call->captures_into + i, build->build.captured[i]);
}

static void drop_captures(struct hd_call *call, const struct hd_call_build *build)
{
    for (size_t i = 0; i < build->build.capture_count; i++)
        hd_gc_release(&call->heap->gc, build->build.captured[i]);
}

/* What a request asks for, whichever it is. */
struct order {
    const Heapd__V1__Literal *literal;
    const uint64_t *captures;
    size_t capture_count;
    hd_handle captures_into;
    hd_value container; /* borrow; HD_ABSENT: to create */
};

/* ---- in slices ---- */

struct build {
    struct hd_unfinished base;
    struct hd_rpc_arena arena; /* own: the request's message, and what was captured */
    struct hd_call_build plan;
    struct hd_builder *builder; /* own; NULL: to be begun again */
    hd_value container;         /* borrow: the builder or a slot holds it; HD_ABSENT: to create */
    bool relieved;              /* memory was looked for once already */
};

static void mark_pending(struct hd_call *call)
{
    if (call->into)
        hd_session_pend(call->session, call->into, call->request_id);
    for (uint64_t i = 0; i < call->captures_count; i++)
        hd_session_pend(call->session, call->captures_into + i, call->request_id);
}

static int begin(struct hd_call *call, struct build *build)
{
    /* Handles are resolved now, while the call is there to say what is wrong with one. */
    build->plan.build.resolver.context = call;
    return hd_builder_new(call->objects, &build->plan.build, build->container, &build->builder);
}

static int finish(struct build *build, struct hd_call *call)
{
    hd_value value;
    int error = hd_builder_finish(build->builder, &value);
    if (error)
        return error;
    fill_captures(call, &build->plan);
    if (value == HD_ABSENT)
        hd_reply_empty(call);
    else
        hd_reply_value(call, value, true);
    return 0;
}

static enum hd_step step_build(struct hd_unfinished *unfinished, uint64_t units)
{
    struct build *build = (struct build *)unfinished;
    struct hd_call call;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    if (!build->builder) {
        if (hd_relief_is_on(call.server))
            return HD_STEP_AGAIN;
        int error = begin(&call, build);
        if (error == 0)
            return HD_STEP_AGAIN;
        hd_call_refuse(&call, hd_fail_literal(&call, error));
        return HD_STEP_DONE;
    }
    /* A node costs some tens of nanoseconds. */
    int result = hd_builder_step(build->builder, units / 4 + 1);
    if (result == 0)
        return HD_STEP_AGAIN;
    if (result == 1)
        result = finish(build, &call);
    if (result == HD_ENOMEM && !build->relieved && hd_relief_want(call.server)) {
        /* What was built until now is in the way of others, too. */
        build->relieved = true;
        hd_builder_free(build->builder);
        build->builder = NULL;
        return HD_STEP_AGAIN;
    }
    if (result)
        hd_call_refuse(&call, hd_fail_literal(&call, result));
    return HD_STEP_DONE;
}

static void free_build(struct hd_unfinished *unfinished)
{
    struct build *build = (struct build *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    hd_builder_free(build->builder);
    hd_rpc_arena_fini(&build->arena);
    connection->held = false;
    hd_connection_make_ready(connection);
    hd_allocator_free(connection->server->allocator, build, sizeof *build);
}

static const struct hd_unfinished_kind build_kind = {.step = step_build, .free = free_build};

static int go_on(struct hd_call *call, const struct order *order, const struct hd_call_build *plan)
{
    struct hd_rpc_server *server = call->server;
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct build *build = hd_allocator_new_zeroed(server->allocator, sizeof *build);
    if (!build)
        return HD_ENOMEM;
    build->plan = *plan;
    build->plan.build.columns = &build->plan.columns;
    build->container = order->container;
    error = begin(call, build);
    if (!error)
        error = hd_rpc_arena_take_over(&build->arena, &server->arena);
    if (error) {
        hd_builder_free(build->builder);
        hd_allocator_free(server->allocator, build, sizeof *build);
        return error;
    }
    mark_pending(call);
    hd_unfinished_add(&build->base, &build_kind, call, false);
    call->connection->held = true;
    return HD_CALL_CONTINUES;
}

/* ---- the requests ---- */

static int prepare(struct hd_call *call, const struct order *order, struct hd_call_build *plan)
{
    int error = hd_call_build_init(call, order->literal, plan);
    if (!error)
        error = prepare_captures(call, plan, order->captures, order->capture_count, order->captures_into);
    return error;
}

static bool is_long(const struct hd_call *call, const struct hd_call_build *plan)
{
    /* A handle may name a str of megabytes, to be hashed as a key. */
    return plan->columns.kind_count > call->server->config.at_once_nodes ||
           plan->columns.handle_count > AT_ONCE_HANDLES;
}

int hd_run_create(struct hd_call *call, const void *message)
{
    const Heapd__V1__CreateRequest *request = message;
    const struct order order = {request->literal, request->captures, request->n_captures, request->captures_into,
                                HD_ABSENT};
    struct hd_call_build plan;
    hd_value value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = prepare(call, &order, &plan);
    if (error)
        return error;
    if (is_long(call, &plan)) {
        if (!call->into)
            return hd_fail(call, HD_ENOT_PLAIN, "a literal of %zu nodes makes a container", plan.columns.kind_count);
        return go_on(call, &order, &plan);
    }
    error = hd_build_value(call->objects, &plan.build, &value);
    if (error)
        return hd_fail_literal(call, error);
    /* With a slot, what was made is held, be it as small as an int: a chain names it. */
    error = hd_reply_result(call, value, request->into != 0);
    if (error)
        drop_captures(call, &plan);
    else
        fill_captures(call, &plan);
    return error;
}

int hd_run_extend(struct hd_call *call, const void *message)
{
    const Heapd__V1__ExtendRequest *request = message;
    struct order order = {request->literal, request->captures, request->n_captures, request->captures_into, HD_ABSENT};
    struct hd_call_build plan;
    int error = hd_call_object(call, request->object, &order.container);
    if (!error)
        error = prepare(call, &order, &plan);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, order.container);
    if (kind != HD_IS_LIST && kind != HD_IS_SET && kind != HD_IS_DICT)
        return hd_fail_on(call, HD_ETYPE, order.container, NULL);
    if (is_long(call, &plan))
        return go_on(call, &order, &plan);
    error = hd_build_extend(call->objects, &plan.build, order.container);
    if (error)
        return hd_fail_literal(call, error);
    fill_captures(call, &plan);
    hd_reply_empty(call);
    return 0;
}
