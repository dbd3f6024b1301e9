#include "client/lib/incoming.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/lib/reply.h"
#include "client/lib/ring.h"
#include "client/lib/stream.h"
#include "client/lib/transport.h"
#include "client/lib/watch.h"
#include "heapd/v1/ring.pb-c.h"

void hd_incoming_queue_callback(struct heapd_connection *connection, struct hd_request *request)
{
    if (connection->last_callback)
        connection->last_callback->next_callback = request;
    else
        connection->callbacks = request;
    connection->last_callback = request;
}

static void keep_failure(struct heapd_connection *connection, const struct hd_request *request)
{
    struct heapd_error *first = &connection->first_failure;
    if (first->code && first->request < request->id)
        return;
    if (request->detail) {
        *first = *request->detail;
    } else {
        (void)hd_fail(first, request->code);
        first->request = request->id;
    }
}

/* A cursor fills as many slots as it has objects to show; else all that were offered are. */
static size_t captures_filled(const struct hd_request *request)
{
    if (request->method == HEAPD_METHOD_READ_CURSOR || request->method == HEAPD_METHOD_GET_MANY)
        return request->result.as.chunk.ref_count;
    if (request->method == HEAPD_METHOD_DICT_POP_ITEM)
        return request->result.as.pair.value.kind == HEAPD_VALUE_REF;
    return request->capture_count;
}

/* The request is answered, code and result are set: free what it had and pass it on. */
static void complete(struct heapd_connection *connection, struct hd_request *request)
{
    struct hd_slots *slots = &connection->slots;
    hd_request_table_answered(&connection->requests, request);
    if (request->method == HD_METHOD_OPEN_RING)
        connection->ring_asked = false;
    bool filled = request->code == 0 && request->result.value.kind == HEAPD_VALUE_REF;
    if (request->code == 0 && request->method == HEAPD_METHOD_DICT_POP_ITEM)
        filled = request->result.as.pair.key.kind == HEAPD_VALUE_REF;
    if (request->into)
        hd_slots_answered(slots, request->into, filled);
    for (uint32_t i = 0; i < request->capture_count; i++)
        hd_slots_answered(slots, request->captures_into + i, request->code == 0 && i < captures_filled(request));
    if (request->early_release)
        hd_slots_early_answered(slots, request->early_release, request->code == 0);
    if (request->callback) {
        hd_incoming_queue_callback(connection, request);
    } else if (!request->ticketed) {
        if (request->code && request->reported)
            keep_failure(connection, request);
        if (filled && !request->handed_out)
            (void)hd_slots_release(slots, request->into);
        hd_request_table_remove(&connection->requests, request);
    }
}

/* Copies the detail; without memory for it the code must do. */
static void fail_request(struct heapd_connection *connection, struct hd_request *request,
                         const struct heapd_error *detail)
{
    request->code = detail->code;
    request->detail = malloc(sizeof *request->detail);
    if (request->detail) {
        *request->detail = *detail;
        request->detail->request = request->id;
    }
    complete(connection, request);
}

void hd_incoming_fail_all(struct heapd_connection *connection, const struct heapd_error *detail)
{
    while (connection->requests.oldest)
        fail_request(connection, connection->requests.oldest, detail);
}

/* A reply's handle must be the slot that was offered: anything else would be a reference that nobody gives back. */
static bool is_consistent(const struct hd_request *request)
{
    return request->result.value.kind != HEAPD_VALUE_REF || request->result.value.as.ref == request->into;
}

/* The daemon has gone over to the ring behind this reply; so do we, or it is over. */
static void take_ring(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                      const uint8_t *body)
{
    Heapd__V1__OpenRingReply *reply = heapd__v1__open_ring_reply__unpack(NULL, frame->body_bytes, body);
    int code = HD_EPROTOCOL;
    if (reply && request->descriptor >= 0)
        code =
            hd_client_ring_new(request->descriptor, reply->to_daemon_bytes, reply->to_client_bytes, &connection->ring);
    if (reply)
        heapd__v1__open_ring_reply__free_unpacked(reply, NULL);
    if (code)
        hd_transport_break(connection, code, "the daemon's ring cannot be used: %s", hd_error_text(code));
    else
        complete(connection, request);
}

static void take_reply(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                       const uint8_t *body)
{
    if (frame->method != request->method) {
        hd_transport_break(connection, HD_EPROTOCOL, "a reply of method %u answers a request of method %u",
                           frame->method, request->method);
        return;
    }
    if (frame->method == HD_METHOD_OPEN_RING) {
        take_ring(connection, request, frame, body);
        return;
    }
    int code = 0;
    if (request->stream)
        code = frame->body_bytes ? hd_stream_push(request->stream, body, frame->body_bytes) : 0;
    else if (!request->streams) /* else its reader has closed it */
        code = hd_reply_decode(&connection->arena, frame->method, body, frame->body_bytes, &request->result);
    hd_arena_reset(&connection->arena);
    if (code == HD_EPROTOCOL || !is_consistent(request)) {
        hd_transport_break(connection, HD_EPROTOCOL,
                           "the reply to request %llu is no reply of method %u; check the daemon's version",
                           (unsigned long long)request->id, frame->method);
        return;
    }
    if (code) {
        struct heapd_error detail;
        (void)hd_fail_with(&detail, code, "this process has no memory for the reply");
        fail_request(connection, request, &detail);
        return;
    }
    if (frame->flags & HD_FRAME_MORE)
        return;
    complete(connection, request);
}

static void take_failure(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                         const uint8_t *body)
{
    struct heapd_error detail;
    hd_reply_decode_error(&connection->arena, body, frame->body_bytes, &detail);
    hd_arena_reset(&connection->arena);
    if (request)
        fail_request(connection, request, &detail);
    else
        hd_transport_break(connection, detail.code, "%s", detail.message);
}

/* The descriptors that the frame counts: one to the request that waits for it. Beside a ring they came ahead of it. */
static bool take_descriptors(struct heapd_connection *connection, struct hd_request *request, unsigned count)
{
    if (count && connection->ring && connection->descriptors.count < count)
        hd_transport_hear(connection);
    for (unsigned i = 0; i < count; i++) {
        int fd = hd_descriptors_take(&connection->descriptors);
        if (fd == HD_DESCRIPTOR_LOST)
            continue;
        if (fd < 0) {
            hd_transport_break(connection, HD_EPROTOCOL, "a descriptor did not come with its frame");
            return false;
        }
        if (request && request->descriptor < 0)
            request->descriptor = fd;
        else
            close(fd);
    }
    return true;
}

static void take_frame(struct heapd_connection *connection, const struct hd_frame *frame, const uint8_t *body)
{
    /* An event with an error is no change that was told: it says why the connection ends. */
    if (frame->flags & HD_FRAME_EVENT && !(frame->flags & HD_FRAME_ERROR)) {
        hd_watch_take(connection, frame, body);
        return;
    }
    struct hd_request *request = hd_request_table_find(&connection->requests, frame->request_id);
    if (request && request->answered)
        request = NULL;
    if (frame->descriptors && !take_descriptors(connection, request, frame->descriptors))
        return;
    if (frame->flags & HD_FRAME_ERROR)
        take_failure(connection, request, frame, body);
    else if (request && (request->streams || !(frame->flags & HD_FRAME_MORE)))
        take_reply(connection, request, frame, body);
    else
        hd_transport_break(connection, HD_EPROTOCOL, "a reply answers request %llu, which was not asked",
                           (unsigned long long)frame->request_id);
}

void hd_incoming_take(struct heapd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    while (!connection->broken) {
        struct hd_frame frame;
        size_t count = hd_buffer_readable(input);
        int code = hd_frame_read(hd_buffer_head(input), count, connection->server.max_frame_bytes, &frame);
        if (code == 1)
            break;
        if (code) {
            hd_transport_break(connection, HD_EPROTOCOL, "the daemon sent what is no frame: %s", hd_error_text(code));
            break;
        }
        size_t whole = HD_FRAME_HEADER_BYTES + frame.body_bytes;
        if (count < whole)
            break;
        take_frame(connection, &frame, hd_buffer_head(input) + HD_FRAME_HEADER_BYTES);
        hd_buffer_consume(input, whole);
    }
    if (hd_buffer_readable(input) == 0)
        hd_buffer_reset(input, HD_TRANSPORT_KEEP_BYTES);
}
