/* Public values as protobuf messages, for the time in which a request is packed. */
#ifndef HEAPD_CLIENT_WIRE_H
#define HEAPD_CLIENT_WIRE_H

#include <heapd/heapd.h>

#include "common/error.h"
#include "heapd/v1/value.pb-c.h"

/* A value and the literal that it may hold. Borrows all bytes from the public value. */
struct hd_wire_value {
    Heapd__V1__Value value;
    Heapd__V1__Literal literal;
};

/* HD_EINVALID for an absent or unknown kind; a literal's own error. Must not be moved afterwards. */
int hd_wire_value(const struct heapd_value *value, struct hd_wire_value *out) HD_MUST_USE;
/* HD_EINVALID while a container is open, or the error that sticks to the literal. */
int hd_wire_literal(const struct heapd_literal *literal, Heapd__V1__Literal *out) HD_MUST_USE;
/* The columns as they stand, open containers or not. */
void hd_wire_columns(const struct heapd_literal *literal, Heapd__V1__Literal *out);

/* Generated messages are not const-correct; nothing is written through these. */
static inline ProtobufCBinaryData hd_wire_bytes(struct heapd_bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)(uintptr_t)bytes.data};
}

static inline struct heapd_bytes hd_public_bytes(ProtobufCBinaryData bytes)
{
    return (struct heapd_bytes){.data = (const char *)bytes.data, .size = bytes.len};
}

#endif
