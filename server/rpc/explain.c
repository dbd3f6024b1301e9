/* What exactly was wrong, in words. */
#include <heapd/v1/method.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "rpc/private.h"

/* Of a key or a name that is quoted in a message. */
#define QUOTE_MAX_BYTES 60

void hd_text_print(struct hd_text *text, const char *format, ...)
{
    size_t room = (size_t)(text->end - text->at);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->at, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->at += (size_t)length < room ? (size_t)length : room - 1;
}

/* Bytes of the character at `bytes`, or 0 if it is none that can be printed as it is. */
static size_t printable(const uint8_t *bytes, size_t size)
{
    if (bytes[0] < 0x80)
        return bytes[0] >= 0x20 && bytes[0] != 0x7f && bytes[0] != '"' && bytes[0] != '\\';
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    return length <= size && hd_utf8_valid(bytes, length) ? length : 0;
}

void hd_text_bytes(struct hd_text *text, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    hd_text_print(text, "\"");
    while (at < size && at < QUOTE_MAX_BYTES && text->end - text->at > 16) {
        size_t length = printable(bytes + at, size - at);
        if (length)
            hd_text_print(text, "%.*s", (int)length, (const char *)bytes + at);
        else
            hd_text_print(text, "\\x%02x", bytes[at]);
        at += length ? length : 1;
    }
    hd_text_print(text, at < size ? "\"..." : "\"");
}

static void print_value(struct hd_text *text, const struct hd_objects *objects, hd_value value)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, value);
    int64_t integer;
    const uint8_t *bytes;
    size_t size;
    switch (kind) {
    case HD_IS_NONE:
        hd_text_print(text, "none");
        return;
    case HD_IS_BOOL:
        hd_text_print(text, "%s", value == HD_TRUE ? "true" : "false");
        return;
    case HD_IS_INT:
        if (hd_int_to_int64(objects, value, &integer))
            hd_text_print(text, "%lld", (long long)integer);
        else
            hd_text_print(text, "(an int of %zu bytes)", hd_int_size(objects, value));
        return;
    case HD_IS_FLOAT:
        hd_text_print(text, "%.17g", hd_float_get(objects, value));
        return;
    case HD_IS_STR:
    case HD_IS_BYTES:
        bytes = hd_bytes_view(objects, &value, &size);
        hd_text_print(text, "%s", kind == HD_IS_BYTES ? "b" : "");
        hd_text_bytes(text, bytes, size);
        return;
    default:
        hd_text_print(text, "(a %s)", hd_kind_name(kind));
    }
}

static void print_key(struct hd_text *text, const struct hd_objects *objects, const struct hd_key *key)
{
    if (key->value != HD_ABSENT) {
        print_value(text, objects, key->value);
        return;
    }
    hd_text_print(text, "%s", key->tag == HD_TAG_BYTES ? "b" : "");
    hd_text_bytes(text, key->bytes, key->size);
}

int hd_fail(struct hd_call *call, int error, const char *format, ...)
{
    if (call->message[0])
        return error;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(call->message, sizeof call->message, format, arguments);
    va_end(arguments);
    return error;
}

static struct hd_text message_of(struct hd_call *call)
{
    return (struct hd_text){call->message, call->message + sizeof call->message};
}

static enum hd_kind_of_value key_kind(const struct hd_objects *objects, const struct hd_key *key)
{
    if (key->value != HD_ABSENT)
        return hd_kind_of(objects, key->value);
    return key->tag == HD_TAG_BYTES ? HD_IS_BYTES : HD_IS_STR;
}

static void say_index(struct hd_text *text, const struct hd_objects *objects, hd_value object, const struct hd_key *key)
{
    uint64_t length = 0;
    if (hd_kind_of(objects, object) == HD_IS_LIST)
        length = hd_list_length(objects, object);
    else if (hd_kind_of(objects, object) == HD_IS_TUPLE)
        length = hd_tuple_length(objects, object);
    hd_text_print(text, "index ");
    if (key)
        print_key(text, objects, key);
    hd_text_print(text, "%s of a %s of length %llu", key ? "" : "-1", hd_kind_name(hd_kind_of(objects, object)),
                  (unsigned long long)length);
}

static void say_type(struct hd_call *call, struct hd_text *text, hd_value object, const struct hd_key *key)
{
    enum hd_kind_of_value kind = hd_kind_of(call->objects, object);
    bool indexed = kind == HD_IS_LIST || (kind == HD_IS_TUPLE && call->method != HEAPD__V1__METHOD__SET_ITEM);
    if (key && indexed && key_kind(call->objects, key) != HD_IS_INT && key_kind(call->objects, key) != HD_IS_BOOL)
        hd_text_print(text, "an index of a %s is an int, not a %s", hd_kind_name(kind),
                      hd_kind_name(key_kind(call->objects, key)));
    else
        hd_text_print(text, "%s has no %s", hd_kind_name(kind),
                      call->operation ? call->operation->needs : "such thing");
}

static void say_attribute(struct hd_text *text, const struct hd_objects *objects, hd_value object,
                          const struct hd_key *key)
{
    hd_value class_value = object;
    if (hd_kind_of(objects, object) == HD_IS_INSTANCE)
        class_value = hd_instance_class(objects, object);
    hd_text_print(text, "%s ", hd_kind_name(hd_kind_of(objects, object)));
    print_value(text, objects, hd_class_name(objects, class_value));
    hd_text_print(text, " has no attribute ");
    print_key(text, objects, key);
}

int hd_fail_on(struct hd_call *call, int error, hd_value object, const struct hd_key *key)
{
    struct hd_text text = message_of(call);
    enum hd_kind_of_value kind = hd_kind_of(call->objects, object);
    if (call->message[0])
        return error;
    switch (error) {
    case HD_EINDEX:
        say_index(&text, call->objects, object, key);
        break;
    case HD_ETYPE:
        say_type(call, &text, object, key);
        break;
    case HD_EKEY:
        hd_text_print(&text, key ? "key " : "the %s is empty", hd_kind_name(kind));
        if (key)
            print_key(&text, call->objects, key);
        break;
    case HD_EATTRIBUTE:
        if (key && (kind == HD_IS_INSTANCE || kind == HD_IS_CLASS))
            say_attribute(&text, call->objects, object, key);
        break;
    case HD_EUNHASHABLE:
        if (key)
            hd_text_print(&text, "a %s", hd_kind_name(key_kind(call->objects, key)));
        break;
    default:
        break;
    }
    return error;
}

int hd_fail_handle(struct hd_call *call, int error, hd_handle handle)
{
    uint32_t slot = hd_handle_slot(handle), generation = hd_handle_generation(handle);
    if (handle == 0)
        return hd_fail(call, error, "no handle was given (0)");
    if (error == HD_EABORTED)
        return hd_fail(call, error, "slot %u, generation %u was to be filled by request %llu, which failed", slot,
                       generation, (unsigned long long)call->failed_request);
    if (error == HD_EHANDLE_STALE && hd_session_generation(call->session, handle) > generation)
        return hd_fail(call, error, "slot %u, generation %u; the slot is at generation %u", slot, generation,
                       hd_session_generation(call->session, handle));
    return hd_fail(call, error, "slot %u, generation %u", slot, generation);
}

int hd_fail_slot(struct hd_call *call, int error, hd_handle handle)
{
    uint32_t slot = hd_handle_slot(handle), generation = hd_handle_generation(handle);
    if (error == HD_EHANDLE_UNKNOWN)
        return hd_fail(call, error, "slot %u for a result; slots are 1 to %u", slot, call->session->max_slots - 1);
    if (error == HD_ESLOT_GENERATION)
        return hd_fail(call, error, "slot %u, generation %u for a result; generation %u was used already", slot,
                       generation, hd_session_generation(call->session, handle));
    return hd_fail(call, error, "slot %u, generation %u for a result", slot, generation);
}

int hd_fail_name(struct hd_call *call, int error, const ProtobufCBinaryData *name)
{
    struct hd_text text = message_of(call);
    if (call->message[0])
        return error;
    if (error == HD_EINVALID && (name->len == 0 || name->len > HD_NAME_MAX_BYTES)) {
        hd_text_print(&text, "a name of %zu bytes; names have 1 to %d", name->len, HD_NAME_MAX_BYTES);
    } else if (error == HD_EINVALID) {
        hd_text_print(&text, "the scope is closed");
    } else if (error == HD_ENAME || error == HD_EUTF8) {
        hd_text_print(&text, "name ");
        hd_text_bytes(&text, name->data, name->len);
    }
    return error;
}

int hd_fail_literal(struct hd_call *call, int error)
{
    switch (error) {
    case HD_EPROTOCOL:
        return hd_fail(call, error, "the literal's columns do not fit its kinds, or its top level does not fit");
    case HD_EUTF8:
        return hd_fail(call, error, "a str in the literal");
    case HD_EDEPTH:
        return hd_fail(call, error, "the literal nests deeper than %u", HD_LITERAL_MAX_DEPTH);
    case HD_EUNHASHABLE:
        return hd_fail(call, error, "a key in the literal");
    case HD_ETYPE:
        return hd_fail(call, error,
                       "the literal has an instance of what is no class, or whose attribute has no str for a name");
    case HD_EINVALID:
        return hd_fail(call, error, "the literal shares or captures a container that it does not have");
    default:
        return error;
    }
}
