/* Replies, packed straight into the connection's output. */
#include <assert.h>
#include <heapd/v1/value.pb-c.h>
#include <string.h>

#include "rpc/pack.h"
#include "rpc/private.h"

static struct hd_buffer *output_of(struct hd_call *call)
{
    return &call->connection->output;
}

int hd_reply_begin(struct hd_call *call, size_t bytes, uint8_t **out)
{
    uint8_t *header;
    int error = hd_buffer_reserve(output_of(call), HD_FRAME_HEADER_BYTES + bytes, &header);
    if (!error)
        *out = header + HD_FRAME_HEADER_BYTES;
    return error;
}

void hd_reply_end(struct hd_call *call, size_t bytes, uint8_t flags)
{
    struct hd_buffer *output = output_of(call);
    struct hd_frame frame = {
        .body_bytes = (uint32_t)bytes, .method = call->method, .flags = flags, .request_id = call->request_id};
    hd_frame_write(output->data + output->end, &frame);
    hd_buffer_commit(output, HD_FRAME_HEADER_BYTES + bytes);
}

/* For what fits the room that was made before the request ran. */
static uint8_t *begin_small(struct hd_call *call)
{
    const struct hd_buffer *output = output_of(call);
    assert(output->capacity_bytes - output->end >= HD_REPLY_ROOM_BYTES);
    return output->data + output->end + HD_FRAME_HEADER_BYTES;
}

void hd_reply_empty(struct hd_call *call)
{
    (void)begin_small(call);
    hd_reply_end(call, 0, 0);
}

static void reply_small(struct hd_call *call, const ProtobufCMessage *message, uint8_t flags)
{
    hd_reply_end(call, protobuf_c_message_pack(message, begin_small(call)), flags);
}

void hd_reply_error(struct hd_call *call, int error)
{
    struct hd_rpc_counts *counts = &call->server->counts;
    char text[HD_MESSAGE_BYTES + 160];
    struct hd_text to = {text, text + sizeof text};
    if (call->message[0])
        hd_text_print(&to, "%s: ", call->message);
    hd_text_print(&to, "%s", hd_error_text(error));
    Heapd__V1__Error body = HEAPD__V1__ERROR__INIT;
    body.status = (Heapd__V1__Status)hd_error_status(error);
    body.code = (uint32_t)-error;
    body.message = text;
    if (error == HD_EABORTED)
        body.failed_request = call->failed_request;
    counts->errors_count++;
    if ((unsigned)-error < sizeof counts->errors_by_code / sizeof counts->errors_by_code[0])
        counts->errors_by_code[-error]++;
    reply_small(call, &body.base, HD_FRAME_ERROR);
}

int hd_reply_message(struct hd_call *call, const ProtobufCMessage *message, uint8_t flags)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    if (bytes > call->server->config.max_frame_bytes)
        return hd_fail(call, HD_ETOO_LARGE, "the reply of %zu bytes does not fit a frame", bytes);
    uint8_t *body;
    int error = hd_reply_begin(call, bytes, &body);
    if (!error)
        hd_reply_end(call, protobuf_c_message_pack(message, body), flags);
    return error;
}

void hd_reply_bool(struct hd_call *call, bool boolean)
{
    uint8_t *body = begin_small(call);
    hd_reply_end(call, (size_t)(hd_pack_bool(body, boolean) - body), 0);
}

void hd_reply_count(struct hd_call *call, uint64_t count)
{
    uint8_t *body = begin_small(call);
    hd_reply_end(call, (size_t)(hd_pack_int(body, (int64_t)count) - body), 0);
}

/* How many bytes of the value would travel; false: it does not travel plain. */
static bool plain_size(const struct hd_objects *objects, const hd_value *value, size_t *bytes)
{
    *bytes = 0;
    switch (hd_kind_of(objects, *value)) {
    case HD_IS_NONE:
    case HD_IS_BOOL:
    case HD_IS_FLOAT:
        return true;
    case HD_IS_INT:
        if (hd_value_is_ref(*value))
            *bytes = hd_int_size(objects, *value);
        return *bytes <= HD_PLAIN_INT_MAX_BYTES;
    case HD_IS_STR:
    case HD_IS_BYTES:
        (void)hd_bytes_view(objects, value, bytes);
        return *bytes <= HD_PLAIN_MAX_BYTES;
    default:
        return false;
    }
}

bool hd_reply_is_plain(const struct hd_objects *objects, hd_value value)
{
    size_t bytes;
    return plain_size(objects, &value, &bytes);
}

/* What was made room for before the request ran does for most values. */
static bool is_small(size_t bytes)
{
    return bytes < HD_SMALL_REPLY_BYTES / 4;
}

static size_t room_for(size_t bytes)
{
    return is_small(bytes) ? HD_SMALL_REPLY_BYTES : HD_SMALL_REPLY_BYTES + bytes;
}

int hd_reply_prepare(struct hd_call *call, hd_value value, bool as_object)
{
    size_t bytes;
    bool plain = plain_size(call->objects, &value, &bytes);
    if (as_object || !plain) {
        if (call->into)
            return 0;
        const char *kind = hd_kind_name(hd_kind_of(call->objects, value));
        return plain ? hd_fail(call, HD_ENOT_PLAIN, "a %s was asked for as an object, with no slot", kind)
                     : hd_fail(call, HD_ENOT_PLAIN, "the result is %s %s", strchr("aeiou", kind[0]) ? "an" : "a", kind);
    }
    if (is_small(bytes))
        return 0;
    uint8_t *body;
    return hd_reply_begin(call, room_for(bytes), &body);
}

/* A value that travels plain, as the body of a reply; `bytes` is what plain_size told. Returns its end. */
static uint8_t *pack_plain(const struct hd_objects *objects, const hd_value *value, size_t bytes, uint8_t *to)
{
    int64_t integer;
    switch (hd_kind_of(objects, *value)) {
    case HD_IS_NONE:
        return hd_pack_none(to);
    case HD_IS_BOOL:
        return hd_pack_bool(to, *value == HD_TRUE);
    case HD_IS_FLOAT:
        return hd_pack_real(to, hd_float_get(objects, *value));
    case HD_IS_INT:
        if (hd_int_to_int64(objects, *value, &integer))
            return hd_pack_int(to, integer);
        to = hd_pack_bytes_head(to, HEAPD__V1__VALUE__KIND_BIG_INTEGER, bytes);
        hd_int_write(objects, *value, to);
        return to + bytes;
    case HD_IS_STR:
        to = hd_pack_bytes_head(to, HEAPD__V1__VALUE__KIND_STR, bytes);
        break;
    default:
        to = hd_pack_bytes_head(to, HEAPD__V1__VALUE__KIND_BYTES, bytes);
        break;
    }
    memcpy(to, hd_bytes_view(objects, value, &bytes), bytes);
    return to + bytes;
}

int hd_reply_pack(struct hd_call *call, hd_value value, hd_handle into, uint8_t *to, size_t *size, bool *is_handle)
{
    size_t bytes;
    if (plain_size(call->objects, &value, &bytes)) {
        *size = (size_t)(pack_plain(call->objects, &value, bytes, to) - to);
        *is_handle = false;
        return 0;
    }
    const char *kind = hd_kind_name(hd_kind_of(call->objects, value));
    if (!into)
        return hd_fail(call, HD_ENOT_PLAIN, "a part of the result is %s %s", strchr("aeiou", kind[0]) ? "an" : "a",
                       kind);
    *size = (size_t)(hd_pack_handle(to, into, (uint32_t)hd_kind_of(call->objects, value)) - to);
    *is_handle = true;
    return 0;
}

static void reply_handle(struct hd_call *call, hd_value value)
{
    uint8_t *body = begin_small(call);
    uint32_t type = (uint32_t)hd_kind_of(call->objects, value);
    hd_session_fill(call->session, call->into, value);
    hd_reply_end(call, (size_t)(hd_pack_handle(body, call->into, type) - body), 0);
}

void hd_reply_value(struct hd_call *call, hd_value value, bool as_object)
{
    size_t bytes;
    if (!plain_size(call->objects, &value, &bytes) || as_object) {
        reply_handle(call, value);
        return;
    }
    uint8_t *to;
    int error = hd_reply_begin(call, room_for(bytes), &to);
    assert(!error); /* prepared */
    if (!error)
        hd_reply_end(call, (size_t)(pack_plain(call->objects, &value, bytes, to) - to), 0);
    hd_gc_release(&call->heap->gc, value);
}

int hd_reply_result(struct hd_call *call, hd_value value, bool as_object)
{
    /* No object is behind most of them: nothing to look up, nothing to give back. */
    if (!as_object && hd_value_tag(value) != HD_TAG_REF) {
        uint8_t *body = begin_small(call);
        hd_reply_end(call, (size_t)(hd_pack_inline(value, body) - body), 0);
        return 0;
    }
    int error = hd_reply_prepare(call, value, as_object);
    if (error)
        hd_gc_release(&call->heap->gc, value);
    else
        hd_reply_value(call, value, as_object);
    return error;
}
