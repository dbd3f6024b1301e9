/*
 * Varints, protobuf's numbers of variable length: seven bits a byte, the lowest
 * first, the high bit set on all but the last.
 */
#ifndef HEAPD_COMMON_VARINT_H
#define HEAPD_COMMON_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HD_VARINT_MAX_BYTES 10

/* How protobuf marks what follows a field's number; those that we write and read by hand. */
enum hd_wire_type {
    HD_WIRE_VARINT = 0,
    HD_WIRE_FIXED64 = 1,
    HD_WIRE_BYTES = 2,
};

/* The first byte of a field, of a number below 16. */
#define HD_WIRE_TAG(number, wire_type) ((uint8_t)((number) << 3 | (wire_type)))

/* sint64: small numbers of either sign become small. */
static inline uint64_t hd_zigzag(int64_t integer)
{
    return (uint64_t)integer << 1 ^ (uint64_t)(integer >> 63);
}

static inline int64_t hd_unzigzag(uint64_t coded)
{
    return (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
}

/* Writes a number and returns where it ends. */
static inline uint8_t *hd_varint_put(uint8_t *to, uint64_t number)
{
    while (number >= 0x80) {
        *to++ = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    *to++ = (uint8_t)number;
    return to;
}

/* The part of hd_varint_get that goes byte by byte. */
static inline bool hd_varint_get_slowly(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *from = *at;
    uint64_t number = 0;
    for (unsigned shift = 0; from < end && shift < 70; shift += 7) {
        uint8_t byte = *from++;
        if (shift == 63 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *at = from;
            *out = number;
            return true;
        }
    }
    return false;
}

/* Reads a number and moves *at behind it. False, and nothing read: it does not end before `end`, or not in 64 bits. */
static inline bool hd_varint_get(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *from = *at;
    if (from < end && *from < 0x80) {
        *out = *from;
        *at = from + 1;
        return true;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Handles have some six bytes. All at once: cut off behind the last one, then drop every eighth bit. */
    if (end - from >= 8) {
        uint64_t word;
        memcpy(&word, from, sizeof word);
        uint64_t ends = ~word & UINT64_C(0x8080808080808080);
        if (ends) {
            word &= (ends ^ (ends - 1)) & UINT64_C(0x7f7f7f7f7f7f7f7f);
            word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
            word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
            *out = (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
            *at = from + (__builtin_ctzll(ends) >> 3) + 1;
            return true;
        }
    }
#endif
    return hd_varint_get_slowly(at, end, out);
}

#endif
