#include "client/lib/call.h"

#include "client/lib/transport.h"
#include "client/lib/wait.h"

/* Enough to fill a write; a program that begins many requests sends them on the way. */
#define HD_SEND_BYTES ((size_t)64 << 10)
/* Per frame of releases, so that the frame stays small beside what the daemon does in one turn. */
#define HD_RELEASE_BATCH 4096u
#define HD_VARINT_BYTES 10

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t count = 0;
    while (value >= 0x80) {
        to[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[count++] = (uint8_t)value;
    return count;
}

static void put_frame(struct heapd_connection *connection, uint8_t *to, uint16_t method, uint64_t id, size_t body_bytes)
{
    struct hd_frame frame = {.body_bytes = (uint32_t)body_bytes, .method = method, .request_id = id};
    hd_frame_write(to, &frame);
    hd_buffer_commit(&connection->output, HD_FRAME_HEADER_BYTES + body_bytes);
    connection->queued_bytes += HD_FRAME_HEADER_BYTES + body_bytes;
}

/*
 * A Release frame by hand, since it must not need memory of its own: field 1,
 * packed. `count` handles come from the queue, or it is the one given.
 */
static void put_releases(struct heapd_connection *connection, uint8_t *to, uint64_t id, uint32_t count, hd_handle only)
{
    uint8_t *body = to + HD_FRAME_HEADER_BYTES;
    /* The length is known only afterwards: leave room for it as a varint of a fixed four bytes. */
    uint8_t *at = body + 5;
    for (uint32_t i = 0; i < count; i++) {
        hd_handle handle = only;
        if (!only && !hd_slots_next_release(&connection->slots, &handle))
            break;
        at += put_varint(at, handle);
    }
    size_t packed_bytes = (size_t)(at - body) - 5;
    body[0] = 1 << 3 | 2;
    for (int i = 0; i < 4; i++)
        body[1 + i] = (uint8_t)(((packed_bytes >> (7 * i)) & 0x7f) | (i < 3 ? 0x80 : 0));
    put_frame(connection, to, HD_METHOD_RELEASE, id, 5 + packed_bytes);
}

static int queue_release_frame(struct heapd_connection *connection, uint32_t count, hd_handle only)
{
    uint8_t *to;
    struct hd_request *request;
    int code = hd_buffer_reserve(&connection->output, HD_FRAME_HEADER_BYTES + 5 + (size_t)count * HD_VARINT_BYTES, &to);
    if (code)
        return code;
    code = hd_request_table_add(&connection->requests, connection->next_id, &request);
    if (code)
        return code;
    connection->next_id++;
    request->method = HD_METHOD_RELEASE;
    request->early_release = only;
    put_releases(connection, to, request->id, count, only);
    return 0;
}

void hd_call_queue_releases(struct heapd_connection *connection)
{
    /* In a batch they would be undone if it fails, and their slots are used again before that is known. */
    while (connection->slots.release_count > 0 && !connection->broken && !connection->in_batch) {
        uint32_t count = connection->slots.release_count;
        if (queue_release_frame(connection, count < HD_RELEASE_BATCH ? count : HD_RELEASE_BATCH, 0))
            return;
    }
}

int heapd_release(struct heapd_connection *connection, heapd_handle handle)
{
    if (!handle)
        return 0;
    int code = hd_enter(connection, NULL);
    if (code)
        return code;
    code = hd_slots_release(&connection->slots, handle);
    if (code == HD_SLOTS_RELEASE_EARLY) {
        code = 0;
        if (connection->broken || connection->in_batch || queue_release_frame(connection, 1, handle))
            hd_slots_release_later(&connection->slots, handle);
    }
    hd_leave(connection);
    return code;
}

/* Waits while too much is unsent, unless the program said never to. */
static int make_room(struct heapd_connection *connection, struct heapd_error *error)
{
    if (hd_buffer_readable(&connection->output) < connection->output_limit_bytes)
        return 0;
    hd_transport_send(connection);
    if (hd_buffer_readable(&connection->output) >= connection->output_limit_bytes) {
        if (connection->never_wait)
            return hd_fail_with(error, HD_ELIMIT, "%zu bytes of requests are unsent; step the connection first",
                                hd_buffer_readable(&connection->output));
        int timed_out = hd_wait_for(connection, &(struct hd_wait){.kind = HD_WAIT_ROOM}, -1);
        (void)timed_out; /* without a timeout it cannot be */
    }
    return hd_check_alive(connection, error);
}

/* The handles that the request will fill. On failure none is taken. */
static int take_slots(struct heapd_connection *connection, const struct hd_call *call, struct heapd_error *error)
{
    struct hd_slots *slots = &connection->slots;
    int code = 0;
    hd_handle into = 0;
    hd_handle captures = 0;
    if (call->into)
        code = hd_slots_take(slots, 1, call->may_park, &into);
    if (!code && call->capture_count) {
        code = hd_slots_take(slots, call->capture_count, call->may_park, &captures);
        if (code && into)
            hd_slots_untake(slots, into);
    }
    if (code == HD_ELIMIT)
        return hd_fail_with(error, code, "all %u handles of the connection are in use; release some",
                            slots->max_slots - 1);
    if (code)
        return hd_fail_with(error, code, "this process has no memory for a handle");
    if (call->into)
        *call->into = into;
    if (call->capture_count)
        *call->captures_into = captures;
    return 0;
}

static void give_slots_back(struct heapd_connection *connection, const struct hd_call *call)
{
    if (call->into)
        hd_slots_untake(&connection->slots, *call->into);
    for (uint32_t i = 0; i < call->capture_count; i++)
        hd_slots_untake(&connection->slots, *call->captures_into + i);
}

static int pack(struct heapd_connection *connection, const struct hd_call *call, struct hd_request **out,
                struct heapd_error *error)
{
    size_t body_bytes = protobuf_c_message_get_packed_size(call->message);
    if (body_bytes > connection->server.max_frame_bytes)
        return hd_fail_with(error, HD_ETOO_LARGE,
                            "the request takes %zu bytes and the daemon accepts %u; send it in parts", body_bytes,
                            connection->server.max_frame_bytes);
    uint8_t *to;
    int code = hd_buffer_reserve(&connection->output, HD_FRAME_HEADER_BYTES + body_bytes, &to);
    if (!code)
        code = hd_request_table_add(&connection->requests, connection->next_id, out);
    if (code)
        return hd_fail_with(error, code, "this process has no memory for the request");
    connection->next_id++;
    protobuf_c_message_pack(call->message, to + HD_FRAME_HEADER_BYTES);
    put_frame(connection, to, call->method, (*out)->id, body_bytes);
    return 0;
}

static bool ends_batch(uint16_t method)
{
    return method == HEAPD_METHOD_COMMIT || method == HEAPD_METHOD_DISCARD;
}

int hd_call_queue(struct heapd_connection *connection, const struct hd_call *call, struct hd_request **out,
                  struct heapd_error *error)
{
    int code = hd_check_alive(connection, error);
    if (!code)
        code = make_room(connection, error);
    if (code)
        return code;
    /* First, so that what they free can be taken. */
    hd_call_queue_releases(connection);
    code = take_slots(connection, call, error);
    if (code)
        return code;
    struct hd_request *request;
    code = pack(connection, call, &request, error);
    if (code) {
        give_slots_back(connection, call);
        return code;
    }
    request->method = call->method;
    request->ticketed = true;
    request->handed_out = call->handed_out;
    request->into = call->into ? *call->into : 0;
    request->captures_into = call->capture_count ? *call->captures_into : 0;
    request->capture_count = call->capture_count;
    request->stream = call->stream;
    request->streams = call->stream != NULL;
    if (call->method == HEAPD_METHOD_BEGIN)
        connection->in_batch = true;
    else if (ends_batch(call->method))
        connection->in_batch = false;
    *out = request;
    return 0;
}

int hd_call_begin(struct heapd_connection *connection, const struct hd_call *call, int code, heapd_ticket *ticket,
                  struct heapd_error *error)
{
    int refused = hd_enter(connection, error);
    if (refused)
        return refused;
    struct hd_request *request = NULL;
    if (code)
        code = hd_fail(error, code);
    else if (!ticket && call->into && !call->handed_out)
        code = hd_fail_with(error, HD_EINVALID, "a handle may come back: give `into` or `ticket` to receive it");
    else
        code = hd_call_queue(connection, call, &request, error);
    if (!code) {
        request->ticketed = ticket != NULL;
        request->reported = ticket == NULL;
        if (ticket)
            *ticket = request->id;
        if (hd_buffer_readable(&connection->output) >= HD_SEND_BYTES)
            hd_transport_send(connection);
        hd_succeed(error);
    }
    hd_leave(connection);
    return code;
}

int hd_call_take(struct heapd_connection *connection, struct hd_request *request, struct heapd_result *result,
                 struct heapd_error *error)
{
    int code = request->code;
    if (code) {
        (void)hd_fail(error, code);
        if (error && request->detail)
            *error = *request->detail;
        if (error)
            error->request = request->id;
    } else {
        hd_succeed(error);
        if (result) {
            *result = request->result;
            result->descriptor = request->descriptor + 1;
            request->result = (struct heapd_result){0};
            request->descriptor = -1;
        } else if (request->result.value.kind == HEAPD_VALUE_REF && !request->handed_out) {
            (void)hd_slots_release(&connection->slots, request->into);
        }
    }
    hd_request_table_remove(&connection->requests, request);
    return code;
}

int hd_call_sync(struct heapd_connection *connection, const struct hd_call *call, int code, struct heapd_result *result,
                 struct heapd_error *error)
{
    int refused = hd_enter(connection, error);
    if (refused)
        return refused;
    struct hd_request *request = NULL;
    if (!code && connection->in_batch && !ends_batch(call->method))
        code = hd_fail_with(error, HD_EBATCH, "a batch is open, so the answer would never come; begin the request");
    else
        code = code ? hd_fail(error, code) : hd_call_queue(connection, call, &request, error);
    if (!code) {
        struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
        request->claimed = true;
        int timed_out = hd_wait_for(connection, &wait, -1);
        (void)timed_out; /* without a timeout it cannot be */
        code = hd_call_take(connection, request, result, error);
    }
    hd_leave(connection);
    return code;
}
