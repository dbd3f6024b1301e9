/*
 * Writing a heapd.v1.Value: the bytes that protobuf-c would write, in one go.
 *
 * Each function writes the whole message and returns its end. They need
 * HD_PACKED_MAX_BYTES, and what follows a head its own size besides.
 */
#ifndef HEAPD_RPC_PACK_H
#define HEAPD_RPC_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "alloc/value.h"
#include "common/varint.h"

#define HD_PACKED_MAX_BYTES 32

static inline uint8_t *hd_pack_none(uint8_t *to)
{
    *to++ = HD_WIRE_TAG(1, HD_WIRE_VARINT);
    *to++ = 1;
    return to;
}

static inline uint8_t *hd_pack_bool(uint8_t *to, bool boolean)
{
    *to++ = HD_WIRE_TAG(2, HD_WIRE_VARINT);
    *to++ = boolean;
    return to;
}

static inline uint8_t *hd_pack_int(uint8_t *to, int64_t integer)
{
    *to++ = HD_WIRE_TAG(3, HD_WIRE_VARINT);
    return hd_varint_put(to, hd_zigzag(integer));
}

static inline uint8_t *hd_pack_real(uint8_t *to, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    *to++ = HD_WIRE_TAG(5, HD_WIRE_FIXED64);
    for (int i = 0; i < 8; i++)
        *to++ = (uint8_t)(bits >> 8 * i);
    return to;
}

/* big_integer, str or bytes: `field` is its number; `size` bytes are to follow. */
static inline uint8_t *hd_pack_bytes_head(uint8_t *to, unsigned field, size_t size)
{
    *to++ = HD_WIRE_TAG(field, HD_WIRE_BYTES);
    return hd_varint_put(to, size);
}

/* A handle, and the type of what it holds (not 0). */
static inline uint8_t *hd_pack_handle(uint8_t *to, uint64_t handle, uint32_t type)
{
    *to++ = HD_WIRE_TAG(8, HD_WIRE_VARINT);
    to = hd_varint_put(to, handle);
    *to++ = HD_WIRE_TAG(10, HD_WIRE_VARINT);
    return hd_varint_put(to, type);
}

/* Any value that is no reference; HD_ABSENT is none. */
static inline uint8_t *hd_pack_inline(hd_value value, uint8_t *to)
{
    switch (hd_value_tag(value)) {
    case HD_TAG_INT:
        return hd_pack_int(to, hd_value_to_int(value));
    case HD_TAG_FLOAT:
        return hd_pack_real(to, hd_value_to_double(value));
    case HD_TAG_STR:
        to = hd_pack_bytes_head(to, 6, hd_value_short_size(value));
        break;
    case HD_TAG_BYTES:
        to = hd_pack_bytes_head(to, 7, hd_value_short_size(value));
        break;
    default:
        return value == HD_NONE ? hd_pack_none(to) : hd_pack_bool(to, value == HD_TRUE);
    }
    /* All that there is room for, whatever the size: one copy of a fixed length. */
    memcpy(to, hd_value_short_bytes(&value), HD_INLINE_BYTES_MAX);
    return to + hd_value_short_size(value);
}

#endif
