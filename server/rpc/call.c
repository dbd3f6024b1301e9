/* One request, from its frame to its reply. */
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/value.pb-c.h>
#include <string.h>

#include "gc/tags.h"
#include "rpc/follow.h"
#include "rpc/private.h"
#include "rpc/slowlog.h"

void hd_call_init(struct hd_call *call, struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id)
{
    call->server = connection->server;
    call->connection = connection;
    call->session = &connection->session;
    call->heap = connection->server->heap;
    call->objects = &connection->server->heap->objects;
    call->operation = NULL;
    call->ahead = NULL;
    call->request_id = request_id;
    call->method = method;
    call->into = 0;
    call->captures_into = 0;
    call->captures_count = 0;
    call->failed_request = 0;
    call->message[0] = '\0';
}

void hd_call_refuse(struct hd_call *call, int error)
{
    uint64_t first = call->failed_request ? call->failed_request : call->request_id;
    if (call->into)
        hd_session_fail(call->session, call->into, call->request_id, first);
    if (call->captures_count)
        hd_session_fail_range(call->session, call->captures_into, call->captures_count, call->request_id, first);
    hd_reply_error(call, error);
}

static int check_frame(struct hd_call *call, const struct hd_frame *frame)
{
    if (frame->request_id == 0)
        return hd_fail(call, HD_EINVALID, "request id 0 is for events; number requests from 1");
    if (frame->flags)
        return hd_fail(call, HD_EPROTOCOL, "flags 0x%02x are not for requests", frame->flags);
    if (frame->descriptors)
        return hd_fail(call, HD_EPROTOCOL, "%u descriptors came with a method that takes none", frame->descriptors);
    return 0;
}

/* What a client may ask for now. */
static int check_state(struct hd_call *call)
{
    const struct hd_rpc_connection *connection = call->connection;
    if (!connection->greeted && !(call->operation && call->operation->flags & HD_OP_BEFORE_HELLO))
        return hd_fail(call, HD_EHELLO, "method %u came before Hello", call->method);
    if (connection->unfinished_count && hd_unfinished_find(connection, call->request_id))
        return hd_fail(call, HD_EINVALID, "request %llu is not finished yet; use its id for no other",
                       (unsigned long long)call->request_id);
    if (!call->operation)
        return hd_fail(call, HD_EMETHOD, "method %u", call->method);
    if (call->operation->flags & HD_OP_ADMIN && !connection->peer.admin)
        return hd_fail(call, HD_EPERMISSION, "%s", call->operation->name);
    return 0;
}

static int decode(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body, ProtobufCMessage **out)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    hd_rpc_arena_limit(arena, frame->body_bytes);
    *out = protobuf_c_message_unpack(call->operation->request, &arena->protobuf, frame->body_bytes, body);
    if (*out)
        return 0;
    if (arena->error == HD_ETOO_LARGE)
        return hd_fail(call, HD_ELIMIT, "the message of %s becomes far larger than its %u bytes; send packed columns",
                       call->operation->name, frame->body_bytes);
    if (arena->error)
        return arena->error;
    return hd_fail(call, HD_EPROTOCOL, "%u bytes are no %s", frame->body_bytes, call->operation->request->short_name);
}

static int run_once(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    if (call->ahead && call->ahead->hot.request)
        return call->operation->run(call, call->ahead->hot.request);
    ProtobufCMessage *message = NULL;
    int error = decode(call, frame, body, &message);
    return error ? error : call->operation->run(call, message);
}

int hd_call_do(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    int result = run_once(call, frame, body);
    hd_rpc_arena_reset(&call->server->arena);
    return result;
}

static void run_cancel(struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    struct hd_call call;
    hd_call_init(&call, connection, frame->method, frame->request_id);
    connection->server->counts.cancels_count++;
    if (frame->flags != HD_FRAME_CANCEL || frame->body_bytes || frame->descriptors) {
        (void)hd_fail(&call, HD_EPROTOCOL, "a cancel frame has one flag and no body");
        hd_reply_error(&call, HD_EPROTOCOL);
        return;
    }
    /* One that has ended was answered, or is about to be: the two frames met on the way. */
    struct hd_unfinished *unfinished = hd_unfinished_find(connection, frame->request_id);
    if (unfinished && !hd_batch_is_answering(unfinished))
        hd_unfinished_cancel(unfinished);
    hd_sync_answer(connection->server);
}

void hd_call_overhear(struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    struct hd_unfinished *unfinished = hd_unfinished_find(connection, frame->request_id);
    if (frame->flags != HD_FRAME_CANCEL || frame->body_bytes || frame->descriptors || !unfinished)
        return;
    if (!hd_batch_is_answering(unfinished))
        hd_unfinished_cancel(unfinished);
    hd_sync_answer(connection->server);
}

/* One request more, or (-1) one that was counted and is to run again. */
static void count(struct hd_call *call, int change)
{
    struct hd_rpc_counts *counts = &call->server->counts;
    uint64_t *kind = call->operation ? &counts->requests[call->method] : &counts->unknown_methods_count;
    counts->requests_count += (uint64_t)change;
    call->connection->request_count += (uint64_t)change;
    *kind += (uint64_t)change;
}

static int run(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    hd_slowlog_begin(call->server, call->operation, frame->body_bytes);
    if (call->connection->release.phase)
        return hd_release_step(call, frame, body);
    if (call->connection->reading)
        return hd_reading_step(call, frame, body);
    count(call, 1);
    int result = check_frame(call, frame);
    if (!result)
        result = check_state(call);
    if (result) {
        hd_batch_spoil(call->connection, frame->method, frame->request_id, result);
        return result;
    }
    if (hd_batch_wants(call->connection, frame->method))
        return hd_batch_keep(call, frame, body);
    if (hd_release_is_long(call->connection, frame))
        return hd_release_step(call, frame, body);
    if (hd_reading_is_long(call->connection, frame))
        return hd_reading_step(call, frame, body);
    return hd_call_do(call, frame, body);
}

/*
 * One that was read by hand, of a connection of which nothing is unfinished and no batch is open: what `run` would
 * check cannot be.
 */
static bool is_usual(const struct hd_rpc_connection *connection, const struct hd_call *call,
                     const struct hd_frame *frame)
{
    return call->ahead && call->ahead->hot.request && connection->greeted && !connection->batch &&
           !connection->unfinished_count && !connection->release.phase && !connection->reading &&
           frame->body_bytes < HD_SLOWLOG_BODY_MIN && !(frame->flags | frame->descriptors) && frame->request_id &&
           !(call->operation->flags & (HD_OP_ADMIN | HD_OP_CONTINUES));
}

static int run_usual(struct hd_call *call)
{
    hd_slowlog_begin_short(call->server);
    count(call, 1);
    int result = call->operation->run(call, call->ahead->hot.request);
    if (hd_rpc_arena_is_used(&call->server->arena))
        hd_rpc_arena_reset(&call->server->arena);
    return result;
}

bool hd_call_run(struct hd_rpc_connection *connection, const struct hd_frame *frame, const uint8_t *body,
                 const struct hd_ahead_frame *ahead)
{
    if (frame->flags & HD_FRAME_CANCEL && connection->greeted) {
        run_cancel(connection, frame);
        return true;
    }
    struct hd_call call;
    hd_call_init(&call, connection, frame->method, frame->request_id);
    call.operation = hd_operation_find(frame->method);
    call.ahead = ahead;
    hd_tags_choose(&call.heap->gc, call.session->tag);
    int result = is_usual(connection, &call, frame) ? run_usual(&call) : run(&call, frame, body);
    if (result == HD_CALL_LATER)
        return false;
    /* It holds nothing: a safe point. */
    if (result == HD_ENOMEM && hd_relief_wait(connection)) {
        count(&call, -1);
        return false;
    }
    hd_relief_forget(connection);
    if (result == HD_ENOMEM && connection->batch && frame->method == HEAPD__V1__METHOD__COMMIT)
        result = hd_batch_fail(&call, result);
    if (result < 0)
        hd_call_refuse(&call, result);
    /* Who cannot even say Hello does not speak this protocol. */
    if (!connection->greeted)
        hd_connection_end(connection);
    if (hd_slowlog_is_due(call.server))
        hd_slowlog_ran(connection, frame->method, frame->body_bytes);
    if (call.server->followers && call.server->followers->request_count)
        hd_follow_request(connection, frame->method, frame->body_bytes, result < 0);
    if (hd_sync_has_woken(call.objects))
        hd_sync_answer(call.server);
    hd_events_after(call.server);
    return true;
}
