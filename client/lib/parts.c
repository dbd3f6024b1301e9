#include "client/lib/parts.h"

#include <stdlib.h>

#include "client/lib/wait.h"

int hd_parts_begin(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message,
                   struct hd_parts *parts, struct heapd_error *error)
{
    *parts = (struct hd_parts){.connection = connection};
    struct hd_call call = {.method = method, .message = message, .stream = &parts->stream};
    return hd_call_begin(connection, &call, 0, &parts->request_id, error);
}

int hd_parts_next(struct hd_parts *parts, struct hd_stream_part **out, struct heapd_error *error)
{
    return hd_parts_next_within(parts, -1, out, error);
}

int hd_parts_next_within(struct hd_parts *parts, int timeout_ms, struct hd_stream_part **out, struct heapd_error *error)
{
    struct heapd_connection *connection = parts->connection;
    int code = hd_enter(connection, error);
    if (code)
        return code;
    struct hd_stream_part *part = hd_stream_pop(&parts->stream);
    if (!part && parts->request_id) {
        struct hd_request *request = hd_request_table_find(&connection->requests, parts->request_id);
        struct hd_wait wait = {.kind = HD_WAIT_PART, .request = request};
        /* What is waited for may come of a release that waits for the next request. */
        hd_call_queue_releases(connection);
        int timed_out = hd_wait_for(connection, &wait, timeout_ms);
        part = hd_stream_pop(&parts->stream);
        if (!part && timed_out) {
            code = HD_PARTS_LATE;
        } else if (!part) {
            code = hd_call_take(connection, request, NULL, error);
            parts->request_id = 0;
        }
    }
    hd_leave(connection);
    if (!part)
        return code;
    *out = part;
    return 1;
}

void hd_parts_end(struct hd_parts *parts)
{
    struct heapd_connection *connection = parts->connection;
    if (parts->request_id && hd_enter(connection, NULL) == 0) {
        struct hd_request *request = hd_request_table_find(&connection->requests, parts->request_id);
        bool unanswered = request && !request->answered;
        if (request)
            request->stream = NULL;
        hd_leave(connection);
        if (unanswered)
            (void)heapd_cancel(connection, parts->request_id, NULL);
        heapd_forget(connection, parts->request_id);
    }
    hd_stream_fini(&parts->stream);
}

int hd_parts_call(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message,
                  const ProtobufCMessageDescriptor *reply, struct hd_arena *arena, void **out,
                  struct heapd_error *error)
{
    struct hd_parts parts;
    struct hd_stream_part *part = NULL;
    int code = hd_parts_begin(connection, method, message, &parts, error);
    if (code)
        return code;
    code = hd_parts_next(&parts, &part, error);
    void *unpacked = NULL;
    /* A message with nothing in it has no bytes, and so no part. */
    if (code >= 0)
        unpacked = protobuf_c_message_unpack(reply, &arena->protobuf, part ? part->bytes : 0, part ? part->data : NULL);
    if (code >= 0 && !unpacked)
        code = hd_fail_with(error, arena->failed ? HD_ENOMEM : HD_EPROTOCOL, "the daemon's reply %s",
                            arena->failed ? "is more than this process has memory for" : "makes no sense");
    free(part);
    hd_parts_end(&parts);
    if (code < 0)
        return code;
    *out = unpacked;
    return 0;
}
