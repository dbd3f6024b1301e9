/*
 * The hot path's own reader against protobuf-c: what it takes, protobuf-c takes, as
 * the same message; what an encoder writes for a message that it took, it takes
 * again. And its own writer: the same bytes as protobuf-c's, for values taken from
 * the input.
 *
 * The first byte is the method; the rest is the body.
 */
#include <heapd/v1/method.pb-c.h>
#include <string.h>

#include "fuzz.h"
#include "rpc/hot.h"
#include "rpc/pack.h"

#define PACKED_MAX 4096

static const struct {
    uint8_t method;
    const ProtobufCMessageDescriptor *request;
} methods[] = {
    {HEAPD__V1__METHOD__PING, &heapd__v1__ping_request__descriptor},
    {HEAPD__V1__METHOD__RELEASE, &heapd__v1__release_request__descriptor},
    {HEAPD__V1__METHOD__DUPLICATE, &heapd__v1__duplicate_request__descriptor},
    {HEAPD__V1__METHOD__LENGTH, &heapd__v1__length_request__descriptor},
    {HEAPD__V1__METHOD__GET_ITEM, &heapd__v1__get_item_request__descriptor},
    {HEAPD__V1__METHOD__SET_ITEM, &heapd__v1__set_item_request__descriptor},
    {HEAPD__V1__METHOD__DEL_ITEM, &heapd__v1__del_item_request__descriptor},
    {HEAPD__V1__METHOD__CONTAINS, &heapd__v1__contains_request__descriptor},
    {HEAPD__V1__METHOD__APPEND, &heapd__v1__append_request__descriptor},
    {HEAPD__V1__METHOD__INSERT, &heapd__v1__insert_request__descriptor},
    {HEAPD__V1__METHOD__POP, &heapd__v1__pop_request__descriptor},
    {HEAPD__V1__METHOD__SET_ADD, &heapd__v1__set_add_request__descriptor},
    {HEAPD__V1__METHOD__SET_DISCARD, &heapd__v1__set_discard_request__descriptor},
    {HEAPD__V1__METHOD__GET_ATTR, &heapd__v1__get_attr_request__descriptor},
    {HEAPD__V1__METHOD__SET_ATTR, &heapd__v1__set_attr_request__descriptor},
    {HEAPD__V1__METHOD__ADD, &heapd__v1__add_request__descriptor},
    {HEAPD__V1__METHOD__LOOKUP, &heapd__v1__lookup_request__descriptor},
};

/* What an encoder would write; -1: too long to be looked at. */
static long pack(const ProtobufCMessage *message, uint8_t out[PACKED_MAX])
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    if (bytes > PACKED_MAX)
        return -1;
    FUZZ_CHECK(protobuf_c_message_pack(message, out) == bytes);
    return (long)bytes;
}

static void check_read(size_t which, const uint8_t *body, size_t size)
{
    static struct hd_hot hot;
    uint8_t ours[PACKED_MAX], theirs[PACKED_MAX];
    if (!hd_hot_read(methods[which].method, body, size, &hot))
        return;
    ProtobufCMessage *message = protobuf_c_message_unpack(methods[which].request, NULL, size, body);
    FUZZ_CHECK(message && message->n_unknown_fields == 0);
    FUZZ_CHECK(hot.request == &hot.message && hot.message.base.descriptor == message->descriptor);
    long bytes = pack(message, theirs);
    FUZZ_CHECK(pack(&hot.message.base, ours) == bytes);
    FUZZ_CHECK(bytes < 0 || memcmp(ours, theirs, (size_t)bytes) == 0);
    /* An encoder leaves out what is 0, so what it writes is no more unusual. */
    if (bytes >= 0)
        FUZZ_CHECK(hd_hot_read(methods[which].method, theirs, (size_t)bytes, &hot));
    protobuf_c_message_free_unpacked(message, NULL);
}

static void check_written(const Heapd__V1__Value *value, const uint8_t *ours, const uint8_t *end)
{
    uint8_t theirs[PACKED_MAX];
    long bytes = pack(&value->base, theirs);
    FUZZ_CHECK(bytes == end - ours && memcmp(ours, theirs, (size_t)bytes) == 0);
}

static void check_write(const uint8_t *data, size_t size)
{
    uint64_t number = 0;
    double real;
    uint8_t out[PACKED_MAX];
    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    memcpy(&real, &number, sizeof real);
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = HEAPD__V1__VALUE__KIND_NONE;
    value.none = true;
    check_written(&value, out, hd_pack_none(out));
    value.kind_case = HEAPD__V1__VALUE__KIND_BOOLEAN;
    value.boolean = number & 1;
    check_written(&value, out, hd_pack_bool(out, number & 1));
    value.kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
    value.integer = (int64_t)number;
    check_written(&value, out, hd_pack_int(out, (int64_t)number));
    value.kind_case = HEAPD__V1__VALUE__KIND_REAL;
    value.real = real;
    check_written(&value, out, hd_pack_real(out, real));
    if (size <= PACKED_MAX - HD_PACKED_MAX_BYTES) {
        value.kind_case = HEAPD__V1__VALUE__KIND_STR;
        value.str = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
        uint8_t *end = hd_pack_bytes_head(out, HEAPD__V1__VALUE__KIND_STR, size);
        memcpy(end, data, size);
        check_written(&value, out, end + size);
    }
    value.kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
    value.handle = number;
    value.type = HEAPD__V1__TYPE__TYPE_DICT;
    check_written(&value, out, hd_pack_handle(out, number, HEAPD__V1__TYPE__TYPE_DICT));
}

/* Values without an object: as a reply has them, straight from the word. */
static void check_inline(const uint8_t *data, size_t size)
{
    const hd_value singles[] = {HD_NONE, HD_FALSE, HD_TRUE};
    uint64_t number = 0;
    double real;
    hd_value word;
    uint8_t out[HD_PACKED_MAX_BYTES];
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    memcpy(&real, &number, sizeof real);
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        value.kind_case = i ? HEAPD__V1__VALUE__KIND_BOOLEAN : HEAPD__V1__VALUE__KIND_NONE;
        value.boolean = i != 1;
        check_written(&value, out, hd_pack_inline(singles[i], out));
    }
    value.kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
    value.integer = (int64_t)number >> 3; /* what an inline int holds */
    check_written(&value, out, hd_pack_inline(hd_value_int(value.integer), out));
    value.kind_case = HEAPD__V1__VALUE__KIND_REAL;
    value.real = real;
    if (hd_value_from_double(real, &word))
        check_written(&value, out, hd_pack_inline(word, out));
    value.kind_case = HEAPD__V1__VALUE__KIND_STR;
    value.str =
        (ProtobufCBinaryData){size < HD_INLINE_BYTES_MAX ? size : HD_INLINE_BYTES_MAX, (uint8_t *)(uintptr_t)data};
    check_written(&value, out, hd_pack_inline(hd_value_short(HD_TAG_STR, data, value.str.len), out));
    value.kind_case = HEAPD__V1__VALUE__KIND_BYTES;
    value.bytes = value.str;
    check_written(&value, out, hd_pack_inline(hd_value_short(HD_TAG_BYTES, data, value.bytes.len), out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    size_t which = data[0] % (sizeof methods / sizeof methods[0]);
    /* Behind a copy of its own size, so that a sanitizer sees a read beyond it. */
    uint8_t *body = malloc(size);
    FUZZ_CHECK(body);
    memcpy(body, data + 1, size - 1);
    body = realloc(body, size > 1 ? size - 1 : 1);
    FUZZ_CHECK(body);
    check_read(which, body, size - 1);
    check_write(body, size - 1);
    check_inline(body, size - 1);
    free(body);
    return 0;
}
