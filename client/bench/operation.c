#include "client/bench/operation.h"

#include <stdio.h>
#include <string.h>

#include "client/bench/protocol.h"
#include "common/frame.h"
#include "common/handle.h"
#include "heapd/v1/method.pb-c.h"
#include "heapd/v1/value.pb-c.h"

/* Field tags of the schema: number and wire type. */
#define TAG(number, type) ((uint8_t)((number) << 3 | (type)))
enum { VARINT = 0, BYTES = 2 };

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_number(uint8_t *to, unsigned field, uint64_t value)
{
    *to++ = TAG(field, VARINT);
    return put_varint(to, value);
}

static uint8_t *put_bytes(uint8_t *to, unsigned field, const void *bytes, size_t count)
{
    *to++ = TAG(field, BYTES);
    to = put_varint(to, count);
    memcpy(to, bytes, count);
    return to + count;
}

/* A Value message in a field: an int (sint64, zigzag), or a str. */
static uint8_t *put_int_value(uint8_t *to, unsigned field, uint64_t value)
{
    uint8_t inner[1 + 10];
    size_t count = (size_t)(put_number(inner, 3, value << 1) - inner);
    return put_bytes(to, field, inner, count);
}

static size_t varint_bytes(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static uint8_t *put_str_value(uint8_t *to, unsigned field, const void *bytes, size_t count)
{
    *to++ = TAG(field, BYTES);
    to = put_varint(to, 1 + varint_bytes(count) + count);
    return put_bytes(to, 6, bytes, count);
}

/* The header in front of a body that stands behind it already. */
static uint8_t *finish(struct hd_bench_stream *stream, uint8_t *frame, uint8_t *end, uint16_t method)
{
    struct hd_frame header = {
        .body_bytes = (uint32_t)(end - frame - HD_FRAME_HEADER_BYTES),
        .method = method,
        .request_id = stream->next_id++,
    };
    hd_frame_write(frame, &header);
    return end;
}

static uint64_t handle_of(uint32_t slot)
{
    return hd_handle_make(slot, 1);
}

void hd_bench_key(uint8_t out[HD_BENCH_KEY_BYTES], uint64_t number)
{
    memcpy(out, "key:", 4);
    for (int i = HD_BENCH_KEY_BYTES - 1; i >= 4; i--) {
        out[i] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

uint8_t *hd_bench_compose_hello(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = to + HD_FRAME_HEADER_BYTES;
    at = put_number(at, 1, HD_PROTOCOL_VERSION);
    at = put_number(at, 2, HD_PROTOCOL_VERSION);
    at = put_bytes(at, 4, "heapd-bench", 11);
    return finish(stream, to, at, HEAPD__V1__METHOD__HELLO);
}

uint8_t *hd_bench_compose_open_ring(struct hd_bench_stream *stream, uint8_t *to)
{
    return finish(stream, to, to + HD_FRAME_HEADER_BYTES, HEAPD__V1__METHOD__OPEN_RING);
}

static uint8_t *put_lookup(struct hd_bench_stream *stream, uint8_t *to, const char *name, uint64_t into)
{
    uint8_t *at = put_bytes(to + HD_FRAME_HEADER_BYTES, 2, name, strlen(name));
    at = put_number(at, 3, handle_of((uint32_t)into));
    return finish(stream, to, at, HEAPD__V1__METHOD__LOOKUP);
}

static uint8_t *ping(struct hd_bench_stream *stream, uint8_t *to)
{
    return finish(stream, to, to + HD_FRAME_HEADER_BYTES, HEAPD__V1__METHOD__PING);
}

/* The object in a slot, and a random key of the dict. */
static uint8_t *put_dict_key(struct hd_bench_stream *stream, uint8_t *at)
{
    uint8_t key[HD_BENCH_KEY_BYTES];
    hd_bench_key(key, hd_bench_keys_next(&stream->keys));
    at = put_number(at, 1, handle_of(HD_BENCH_SLOT_DICT));
    return put_str_value(at, 2, key, sizeof key);
}

static uint8_t *get_item(struct hd_bench_stream *stream, uint8_t *to)
{
    return finish(stream, to, put_dict_key(stream, to + HD_FRAME_HEADER_BYTES), HEAPD__V1__METHOD__GET_ITEM);
}

static uint8_t *set_item(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_dict_key(stream, to + HD_FRAME_HEADER_BYTES);
    at = put_str_value(at, 3, stream->value, stream->value_bytes);
    return finish(stream, to, at, HEAPD__V1__METHOD__SET_ITEM);
}

static uint8_t *contains(struct hd_bench_stream *stream, uint8_t *to)
{
    return finish(stream, to, put_dict_key(stream, to + HD_FRAME_HEADER_BYTES), HEAPD__V1__METHOD__CONTAINS);
}

static uint8_t *list_get(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_number(to + HD_FRAME_HEADER_BYTES, 1, handle_of(HD_BENCH_SLOT_LIST));
    at = put_int_value(at, 2, hd_bench_keys_next(&stream->keys));
    return finish(stream, to, at, HEAPD__V1__METHOD__GET_ITEM);
}

static uint8_t *list_set(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_number(to + HD_FRAME_HEADER_BYTES, 1, handle_of(HD_BENCH_SLOT_LIST));
    at = put_int_value(at, 2, hd_bench_keys_next(&stream->keys));
    at = put_str_value(at, 3, stream->value, stream->value_bytes);
    return finish(stream, to, at, HEAPD__V1__METHOD__SET_ITEM);
}

static uint8_t *append(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_number(to + HD_FRAME_HEADER_BYTES, 1, handle_of(HD_BENCH_SLOT_GROWING));
    at = put_str_value(at, 2, stream->value, stream->value_bytes);
    return finish(stream, to, at, HEAPD__V1__METHOD__APPEND);
}

static uint8_t *add(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_number(to + HD_FRAME_HEADER_BYTES, 1, handle_of(HD_BENCH_SLOT_COUNTERS));
    at = put_int_value(at, 2, hd_bench_keys_next(&stream->keys));
    at = put_int_value(at, 5, 1);
    return finish(stream, to, at, HEAPD__V1__METHOD__ADD);
}

static uint8_t *length(struct hd_bench_stream *stream, uint8_t *to)
{
    uint8_t *at = put_number(to + HD_FRAME_HEADER_BYTES, 1, handle_of(HD_BENCH_SLOT_DICT));
    return finish(stream, to, at, HEAPD__V1__METHOD__LENGTH);
}

static uint8_t *put_release(struct hd_bench_stream *stream, uint8_t *to, uint64_t handle)
{
    uint8_t packed[10];
    size_t count = (size_t)(put_varint(packed, handle) - packed);
    uint8_t *at = put_bytes(to + HD_FRAME_HEADER_BYTES, 1, packed, count);
    return finish(stream, to, at, HEAPD__V1__METHOD__RELEASE);
}

static uint64_t new_handle(struct hd_bench_stream *stream)
{
    return hd_handle_make(HD_BENCH_SLOT_FIRST_FREE, ++stream->generation);
}

static uint8_t *lookup(struct hd_bench_stream *stream, uint8_t *to)
{
    uint64_t handle = new_handle(stream);
    static const char name[] = HD_BENCH_NAME_DICT;
    uint8_t *at = put_bytes(to + HD_FRAME_HEADER_BYTES, 2, name, sizeof name - 1);
    at = put_number(at, 3, handle);
    return put_release(stream, finish(stream, to, at, HEAPD__V1__METHOD__LOOKUP), handle);
}

/* The list [1, 2, 3], and its release. */
static uint8_t *create(struct hd_bench_stream *stream, uint8_t *to)
{
    static const uint8_t literal[] = {
        TAG(1, BYTES), 4, 9, 4, 4, 4, /* kinds: a list, three ints */
        TAG(2, BYTES), 3, 2, 4, 6,    /* integers, zigzag */
        TAG(6, BYTES), 1, 3,          /* counts */
    };
    uint64_t handle = new_handle(stream);
    uint8_t *at = put_bytes(to + HD_FRAME_HEADER_BYTES, 1, literal, sizeof literal);
    at = put_number(at, 2, handle);
    return put_release(stream, finish(stream, to, at, HEAPD__V1__METHOD__CREATE), handle);
}

const struct hd_bench_operation hd_bench_operations[] = {
    {"ping", "an empty request and its answer", 1, ping},
    {"get_item", "a value of the dict by a random key", 1, get_item},
    {"set_item", "replace a value of the dict by a random key", 1, set_item},
    {"contains", "is a random key in the dict", 1, contains},
    {"list_get", "an element of the list by a random index", 1, list_get},
    {"list_set", "replace an element of the list by a random index", 1, list_set},
    {"append", "append to one list that all clients share", 1, append},
    {"add", "add 1 to a random int in a list", 1, add},
    {"length", "the number of keys of the dict", 1, length},
    {"lookup", "take a reference by a global name, and release it (two requests)", 2, lookup},
    {"create", "create the list [1, 2, 3], and release it (two requests)", 2, create},
};
const size_t hd_bench_operation_count = sizeof hd_bench_operations / sizeof hd_bench_operations[0];

const struct hd_bench_operation *hd_bench_operation_find(const char *name, size_t length_bytes)
{
    for (size_t i = 0; i < hd_bench_operation_count; i++) {
        const struct hd_bench_operation *operation = &hd_bench_operations[i];
        if (strlen(operation->name) == length_bytes && memcmp(operation->name, name, length_bytes) == 0)
            return operation;
    }
    return NULL;
}

/* ---- heapd as a protocol -------------------------------------------------- */

/* Hello and the handles, in one write. */
static uint8_t *greet(struct hd_bench_stream *stream, uint8_t *to, unsigned *replies)
{
    static const char *const names[] = {HD_BENCH_NAME_DICT, HD_BENCH_NAME_LIST, HD_BENCH_NAME_COUNTERS,
                                        HD_BENCH_NAME_GROWING};
    to = hd_bench_compose_hello(stream, to);
    for (uint64_t slot = 1; slot <= 4; slot++)
        to = put_lookup(stream, to, names[slot - 1], slot);
    *replies = 5;
    return to;
}

static uint8_t *(*compose(const struct hd_bench_operation *operation))(struct hd_bench_stream *, uint8_t *)
{
    return operation->compose;
}

static void find_failure(const uint8_t *body, size_t bytes, struct hd_bench_reply *out)
{
    static char text[256];
    Heapd__V1__Error *message = heapd__v1__error__unpack(NULL, bytes, body);
    (void)snprintf(text, sizeof text, "%s", message ? message->message : "a failure that makes no sense");
    if (message)
        heapd__v1__error__free_unpacked(message, NULL);
    out->failure = text;
    out->failure_bytes = strlen(text);
}

static int read_reply(struct hd_bench_stream *stream, const uint8_t *bytes, size_t count, struct hd_bench_reply *out)
{
    struct hd_frame frame;
    int result = hd_frame_read(bytes, count, HD_FRAME_MAX_BODY_BYTES, &frame);
    if (result)
        return result > 0 ? 0 : -1;
    if (count < HD_FRAME_HEADER_BYTES + frame.body_bytes)
        return 0;
    if (frame.request_id != stream->next_reply)
        return -1;
    stream->next_reply++;
    out->bytes = HD_FRAME_HEADER_BYTES + frame.body_bytes;
    if (frame.flags & HD_FRAME_ERROR)
        find_failure(bytes + HD_FRAME_HEADER_BYTES, frame.body_bytes, out);
    return 0;
}

const struct hd_bench_protocol hd_bench_heapd = {
    .name = "heapd", .compose = compose, .read_reply = read_reply, .greet = greet};
