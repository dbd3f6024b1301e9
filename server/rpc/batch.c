/*
 * Batches: requests that are kept until Commit and then run in one go, all or
 * nothing.
 *
 * A kept request is a frame as it came. Commit runs them one after the other with
 * an undo log open for the objects (object/undo.h) and a journal for the session's
 * slots; their replies go to the output meanwhile. When one fails, both are rolled
 * back, the output is cut off where it was, and all are answered anew: that one
 * with its error, the others as ABORTED. For want of memory nothing is answered;
 * Commit runs again later, as any request does.
 *
 * What may be in a batch are methods with HD_OP_BATCH: each of their changes is
 * noted in the log or the journal. What would wait or go on in slices asks
 * hd_unfinished_allowed first, which refuses it here.
 */
#include <heapd/v1/batch.pb-c.h>
#include <heapd/v1/method.pb-c.h>
#include <string.h>

#include "heap/versions.h"
#include "heap/watch.h"
#include "object/undo.h"
#include "rpc/private.h"

#define REQUESTS_MAX 1000u
#define BYTES_MAX ((size_t)1 << 20)
/* What a batch may take in one go: some ten milliseconds, and as much again to roll it back. */
#define UNITS_MAX (UINT64_C(4) * HD_TURN_UNITS)

struct hd_batch {
    struct hd_unfinished base; /* while it is answered and the output is full */
    struct hd_buffer frames;   /* the kept requests, with their headers */
    uint32_t count;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    bool is_running;
    bool has_bound;    /* names, while it ran */
    bool is_discarded; /* on purpose: that is no failure */
    /* What made it fail. */
    int error; /* 0: it has not failed, or is discarded */
    uint64_t failed_request;
    char message[HD_MESSAGE_BYTES];
    size_t answered_bytes; /* of frames */
};

static uint64_t now_ns(const struct hd_rpc_server *server)
{
    return server->os->now_ns(server->os->context);
}

bool hd_batch_is_running(const struct hd_rpc_connection *connection)
{
    return connection->batch && connection->batch->is_running;
}

bool hd_batch_binds(struct hd_rpc_connection *connection)
{
    if (!hd_batch_is_running(connection))
        return false;
    connection->batch->has_bound = true;
    return true;
}

bool hd_batch_is_answering(const struct hd_unfinished *unfinished)
{
    return unfinished == (const struct hd_unfinished *)unfinished->connection->batch;
}

void hd_batch_free(struct hd_rpc_connection *connection)
{
    struct hd_batch *batch = connection->batch;
    if (!batch)
        return;
    connection->batch = NULL;
    hd_buffer_fini(&batch->frames);
    hd_allocator_free(connection->server->allocator, batch, sizeof *batch);
}

/* ---- keeping -------------------------------------------------------------- */

int hd_run_begin(struct hd_call *call, const void *message)
{
    const Heapd__V1__BeginRequest *request = message;
    struct hd_rpc_connection *connection = call->connection;
    if (connection->batch)
        return hd_fail(call, HD_EBATCH, "a batch is open already");
    struct hd_batch *batch = hd_allocator_new_zeroed(call->server->allocator, sizeof *batch);
    if (!batch)
        return HD_ENOMEM;
    hd_buffer_init(&batch->frames, call->server->allocator, BYTES_MAX);
    batch->deadline_ns = UINT64_MAX;
    if (request->wait_ms)
        batch->deadline_ns =
            now_ns(call->server) + (request->wait_ms < UINT32_MAX ? request->wait_ms : UINT32_MAX) * UINT64_C(1000000);
    connection->batch = batch;
    hd_reply_empty(call);
    return 0;
}

/* These are not kept: they are about the batch itself, or about the connection. */
static bool is_kept(uint16_t method)
{
    return method != HEAPD__V1__METHOD__BEGIN && method != HEAPD__V1__METHOD__COMMIT &&
           method != HEAPD__V1__METHOD__DISCARD && method != HEAPD__V1__METHOD__GOODBYE;
}

bool hd_batch_wants(const struct hd_rpc_connection *connection, uint16_t method)
{
    return connection->batch && is_kept(method);
}

static int refuse_to_keep(struct hd_call *call, const struct hd_batch *batch, size_t frame_bytes)
{
    if (!(call->operation->flags & HD_OP_BATCH))
        return hd_fail(call, HD_EBATCH, "%s is not for batches", call->operation->name);
    if (batch->count == REQUESTS_MAX)
        return hd_fail(call, HD_ELIMIT, "a batch of more than %u requests", REQUESTS_MAX);
    if (hd_buffer_readable(&batch->frames) + frame_bytes > BYTES_MAX)
        return hd_fail(call, HD_ETOO_LARGE, "a batch of more than %zu bytes", BYTES_MAX);
    if (batch->deadline_ns != UINT64_MAX && now_ns(call->server) >= batch->deadline_ns)
        return HD_EDEADLINE;
    return 0;
}

int hd_batch_keep(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    struct hd_batch *batch = call->connection->batch;
    const size_t frame_bytes = HD_FRAME_HEADER_BYTES + (size_t)frame->body_bytes;
    uint8_t *to;
    if (batch->error) {
        call->failed_request = batch->failed_request;
        return HD_EABORTED;
    }
    int error = refuse_to_keep(call, batch, frame_bytes);
    if (!error)
        error = hd_buffer_reserve(&batch->frames, frame_bytes, &to);
    if (error == HD_ENOMEM)
        return error;
    if (error) {
        batch->failed_request = call->request_id;
        batch->error = error;
        return error;
    }
    hd_frame_write(to, frame);
    memcpy(to + HD_FRAME_HEADER_BYTES, body, frame->body_bytes);
    hd_buffer_commit(&batch->frames, frame_bytes);
    batch->count++;
    return HD_CALL_CONTINUES;
}

void hd_batch_spoil(struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id, int error)
{
    struct hd_batch *batch = connection->batch;
    if (!hd_batch_wants(connection, method) || batch->error)
        return;
    batch->failed_request = request_id;
    batch->error = error;
}

/* The frame that begins at a position of what is kept; false: there is none. */
static bool frame_at(const struct hd_batch *batch, size_t at, struct hd_frame *frame, const uint8_t **body)
{
    size_t left = hd_buffer_readable(&batch->frames) - at;
    if (left == 0)
        return false;
    const uint8_t *bytes = hd_buffer_head(&batch->frames) + at;
    *body = bytes + HD_FRAME_HEADER_BYTES;
    return hd_frame_read(bytes, left, HD_FRAME_MAX_BODY_BYTES, frame) == 0;
}

/* ---- answering a batch that failed ---------------------------------------- */

/* A field of 64 bits; 0: there is none. */
static uint64_t field_of(const ProtobufCMessage *message, const char *name)
{
    uint64_t number = 0;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    if (field)
        memcpy(&number, (const uint8_t *)message + field->offset, sizeof number);
    return number;
}

/* How many a repeated field has. */
static size_t count_of(const ProtobufCMessage *message, const char *name)
{
    size_t count = 0;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    if (field)
        memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof count);
    return count;
}

/* The slots that a request was to fill, so that what builds on them fails, too. */
static void find_slots(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    hd_rpc_arena_limit(arena, frame->body_bytes);
    const ProtobufCMessage *message =
        protobuf_c_message_unpack(call->operation->request, &arena->protobuf, frame->body_bytes, body);
    if (message) {
        call->into = field_of(message, "into");
        call->captures_into = field_of(message, "captures_into");
        call->captures_count = count_of(message, "captures");
    }
    if (message && call->method == HEAPD__V1__METHOD__DICT_POP_ITEM) {
        call->into = field_of(message, "key_into");
        call->captures_into = field_of(message, "value_into");
        call->captures_count = call->captures_into != 0;
    }
    hd_rpc_arena_reset(arena);
}

static void answer_one(struct hd_rpc_connection *connection, const struct hd_frame *frame, const uint8_t *body)
{
    const struct hd_batch *batch = connection->batch;
    struct hd_call call;
    hd_call_init(&call, connection, frame->method, frame->request_id);
    call.operation = hd_operation_find(frame->method);
    find_slots(&call, frame, body);
    bool is_first = frame->request_id == batch->failed_request;
    if (is_first)
        memcpy(call.message, batch->message, sizeof call.message);
    call.failed_request = batch->failed_request;
    hd_call_refuse(&call, is_first ? batch->error : HD_EABORTED);
}

/* As many as there is room for; true: all, and there is room for Commit's own reply. */
static bool answer(struct hd_rpc_connection *connection)
{
    struct hd_batch *batch = connection->batch;
    struct hd_frame frame;
    const uint8_t *body;
    while (hd_connection_has_room(connection)) {
        if (!frame_at(batch, batch->answered_bytes, &frame, &body))
            return true;
        answer_one(connection, &frame, body);
        batch->answered_bytes += HD_FRAME_HEADER_BYTES + frame.body_bytes;
    }
    return false;
}

static int say_commit(struct hd_call *call)
{
    const struct hd_batch *batch = call->connection->batch;
    if (batch->is_discarded) {
        hd_reply_empty(call);
        return 0;
    }
    call->failed_request = batch->failed_request;
    if (batch->failed_request == call->request_id)
        return batch->error;
    return hd_fail(call, HD_EABORTED, "nothing of the batch was done, for request %llu failed",
                   (unsigned long long)batch->failed_request);
}

static enum hd_step step_answers(struct hd_unfinished *unfinished, uint64_t units)
{
    struct hd_rpc_connection *connection = unfinished->connection;
    struct hd_call call;
    (void)units;
    if (!answer(connection)) {
        hd_connection_make_ready(connection);
        return HD_STEP_BLOCKED;
    }
    hd_unfinished_call(unfinished, &call);
    int error = say_commit(&call);
    if (error)
        hd_call_refuse(&call, error);
    return HD_STEP_DONE;
}

static void free_answers(struct hd_unfinished *unfinished)
{
    unfinished->connection->held = false;
    hd_connection_make_ready(unfinished->connection);
    hd_batch_free(unfinished->connection);
}

static const struct hd_unfinished_kind answers_kind = {.step = step_answers, .free = free_answers};

/* Answers the requests, and then the call; what comes behind it waits until all is said. */
static int answer_all(struct hd_call *call)
{
    struct hd_rpc_connection *connection = call->connection;
    struct hd_batch *batch = connection->batch;
    if (answer(connection)) {
        int error = say_commit(call);
        hd_batch_free(connection);
        return error;
    }
    hd_unfinished_add(&batch->base, &answers_kind, call, false);
    connection->held = true;
    return HD_CALL_CONTINUES;
}

int hd_batch_fail(struct hd_call *call, int error)
{
    struct hd_batch *batch = call->connection->batch;
    batch->failed_request = call->request_id;
    batch->error = error;
    return answer_all(call);
}

/* ---- running -------------------------------------------------------------- */

static int run_one(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body, uint64_t units_end)
{
    uint8_t *room;
    /* As before any request; and what is said in the end needs room, too. */
    int error = hd_buffer_reserve(&call->connection->output, 2 * HD_REPLY_ROOM_BYTES, &room);
    if (error)
        return error;
    if (call->objects->work_units >= units_end)
        return hd_fail(call, HD_ELIMIT, "the batch is too much work to be done in one go");
    return hd_call_do(call, frame, body);
}

/* All of them, until one fails, which is then known; and room for what the call, Commit, says in the end. */
static int run_all(struct hd_call *commit)
{
    struct hd_rpc_connection *connection = commit->connection;
    struct hd_batch *batch = connection->batch;
    uint8_t *room;
    const uint64_t units_end = connection->server->heap->objects.work_units + UNITS_MAX;
    struct hd_frame frame;
    const uint8_t *body;
    for (size_t at = 0; frame_at(batch, at, &frame, &body); at += HD_FRAME_HEADER_BYTES + frame.body_bytes) {
        struct hd_call call;
        hd_call_init(&call, connection, frame.method, frame.request_id);
        call.operation = hd_operation_find(frame.method);
        int error = run_one(&call, &frame, body, units_end);
        if (!error)
            continue;
        batch->failed_request = call.failed_request ? call.failed_request : frame.request_id;
        if (error != HD_EABORTED)
            batch->failed_request = frame.request_id;
        batch->error = error;
        memcpy(batch->message, call.message, sizeof batch->message);
        return error;
    }
    batch->error = hd_buffer_reserve(&connection->output, HD_REPLY_ROOM_BYTES, &room);
    batch->failed_request = commit->request_id;
    return batch->error;
}

static int run_atomically(struct hd_call *call)
{
    struct hd_rpc_connection *connection = call->connection;
    struct hd_buffer *output = &connection->output;
    const size_t output_before = hd_buffer_readable(output);
    struct hd_undo undo;
    connection->batch->is_running = true;
    const struct hd_subscription *changed_before = hd_watch_last(call->heap);
    hd_versions_open(call->server->versions);
    hd_undo_open(call->objects, &undo);
    hd_session_open_journal(call->session);
    int error = run_all(call);
    if (error)
        hd_undo_roll_back(call->objects);
    else
        hd_undo_commit(call->objects);
    hd_session_close_journal(call->session, error != 0);
    hd_versions_close(call->server->versions, error != 0);
    if (error)
        hd_watch_forget_behind(call->heap, changed_before);
    if (error)
        output->end = output->start + output_before;
    connection->batch->is_running = false;
    return error;
}

static int check_open(struct hd_call *call)
{
    return call->connection->batch ? 0 : hd_fail(call, HD_EBATCH, "no batch is open");
}

int hd_run_commit(struct hd_call *call, const void *message)
{
    struct hd_rpc_connection *connection = call->connection;
    struct hd_batch *batch = connection->batch;
    (void)message;
    int error = check_open(call);
    if (error)
        return error;
    if (!batch->error && batch->deadline_ns != UINT64_MAX && now_ns(call->server) >= batch->deadline_ns)
        return hd_batch_fail(call, HD_EDEADLINE);
    if (batch->error)
        return answer_all(call);
    error = run_atomically(call);
    if (error == HD_ENOMEM) {
        batch->error = 0;
        return error;
    }
    if (error)
        return answer_all(call);
    /* Whoever waits for names that were bound looks only now. */
    if (batch->has_bound)
        call->server->waiters_stale = true;
    hd_batch_free(connection);
    hd_reply_empty(call);
    return 0;
}

int hd_run_discard(struct hd_call *call, const void *message)
{
    struct hd_rpc_connection *connection = call->connection;
    (void)message;
    int error = check_open(call);
    if (error)
        return error;
    connection->batch->failed_request = call->request_id;
    connection->batch->is_discarded = true;
    return answer_all(call);
}

/* ---- versions ------------------------------------------------------------- */

int hd_run_version(struct hd_call *call, const void *message)
{
    const Heapd__V1__VersionRequest *request = message;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (!error && !hd_value_is_ref(object))
        error = hd_fail(call, HD_ETYPE, "a %s has no version: it never changes",
                        hd_kind_name(hd_kind_of(call->objects, object)));
    if (!error && !call->server->versions)
        error = hd_versions_new(call->heap, &call->server->versions);
    if (error)
        return error;
    hd_reply_count(call, hd_versions_ask(call->server->versions, object));
    return 0;
}

static int check_name(struct hd_call *call, const Heapd__V1__CheckRequest *request)
{
    hd_value scope, value = HD_ABSENT;
    int error = hd_call_scope(call, request->scope, &scope);
    if (!error)
        error = hd_heap_lookup_own(call->heap, scope, request->name.data, request->name.len, &value);
    if (error && error != HD_ENAME)
        return hd_fail_name(call, error, &request->name);
    /* An inline value has no identity, and is none that was asked for. */
    bool holds = error ? request->identity == 0
                       : hd_value_is_ref(value) &&
                             request->identity == hd_table_identity(&call->heap->table, hd_value_index(value));
    hd_gc_release(&call->heap->gc, value);
    return holds ? 0 : hd_fail(call, HD_ECHANGED, "the name is not bound to what it is said to be");
}

int hd_run_check(struct hd_call *call, const void *message)
{
    const Heapd__V1__CheckRequest *request = message;
    const struct hd_versions *versions = call->server->versions;
    hd_value object;
    int error;
    if (!hd_batch_is_running(call->connection))
        return hd_fail(call, HD_EBATCH, "a check is for batches");
    if (request->object) {
        error = hd_call_object(call, request->object, &object);
        if (!error && !(versions && hd_versions_hold(versions, object, request->version)))
            error = hd_fail(call, HD_ECHANGED, "the object has not version %llu", (unsigned long long)request->version);
    } else {
        error = check_name(call, request);
    }
    if (!error)
        hd_reply_empty(call);
    return error;
}
