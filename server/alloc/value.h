/*
 * A value: one 64-bit word, as it lies in lists, dicts, instances and handles.
 *
 *     bits 0..2  tag
 *     0  reference   bits 32..63 index in the object table, bit 3 leaf
 *     1  int         bits 3..63, signed: -2^60 .. 2^60 - 1
 *     2  str         bits 3..5 length 0..7, bytes from bit 8 on
 *     3  bytes       likewise
 *     4  float       a double whose exponent fits eight bits, rotated (below)
 *     5  single      none, false, true
 *
 * The word 0 (reference to index 0) is "absent": no value at all, never an
 * element. A value that fits inline is always inline, so two inline values are
 * equal as objects exactly when their words are equal, and a value of a boxed
 * kind never equals an inline one of its own kind.
 *
 * A leaf is an object without references of its own (a long str, a big int):
 * the bit in the reference spares the collector a look at it.
 */
#ifndef HEAPD_ALLOC_VALUE_H
#define HEAPD_ALLOC_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/load.h"

typedef uint64_t hd_value;

enum hd_tag {
    HD_TAG_REF = 0,
    HD_TAG_INT = 1,
    HD_TAG_STR = 2,
    HD_TAG_BYTES = 3,
    HD_TAG_FLOAT = 4,
    HD_TAG_SINGLE = 5,
};

#define HD_ABSENT ((hd_value)0)
#define HD_NONE ((hd_value)(0 << 3 | HD_TAG_SINGLE))
#define HD_FALSE ((hd_value)(1 << 3 | HD_TAG_SINGLE))
#define HD_TRUE ((hd_value)(2 << 3 | HD_TAG_SINGLE))

#define HD_INT_MIN (-((int64_t)1 << 60))
#define HD_INT_MAX (((int64_t)1 << 60) - 1)
#define HD_INLINE_BYTES_MAX 7

static inline enum hd_tag hd_value_tag(hd_value value)
{
    return (enum hd_tag)(value & 7);
}

/* True for a reference to an object (not for HD_ABSENT). */
static inline bool hd_value_is_ref(hd_value value)
{
    return (value & 7) == 0 && value != 0;
}

/* True for a reference to an object that can itself hold references. */
static inline bool hd_value_is_inner_ref(hd_value value)
{
    return (value & 15) == 0 && value != 0;
}

static inline bool hd_value_is_leaf_ref(hd_value value)
{
    return (value & 15) == 8;
}

static inline hd_value hd_value_ref(uint32_t index, bool leaf)
{
    return (uint64_t)index << 32 | (uint64_t)leaf << 3;
}

static inline uint32_t hd_value_index(hd_value value)
{
    return (uint32_t)(value >> 32);
}

static inline hd_value hd_value_bool(bool b)
{
    return b ? HD_TRUE : HD_FALSE;
}

static inline bool hd_int_fits(int64_t integer)
{
    return integer >= HD_INT_MIN && integer <= HD_INT_MAX;
}

static inline hd_value hd_value_int(int64_t integer)
{
    return (uint64_t)integer << 3 | HD_TAG_INT;
}

static inline int64_t hd_value_to_int(hd_value value)
{
    return (int64_t)value >> 3;
}

/*
 * Floats: the double's bits rotated left by one, so that the sign is lowest and
 * the exponent on top, then rebased so that the 256 exponents around 1.0 have
 * three zero bits on top, which make room for the tag. Zero has a word of its
 * own. (Ruby's "flonum" is the model for the idea.)
 */
#define HD_FLOAT_EXPONENT_BIAS (UINT64_C(0x380) << 53) /* exponents 0x380 .. 0x47f */

static inline bool hd_value_from_double(double real, hd_value *out)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    uint64_t rotated = (bits << 1 | bits >> 63);
    if (rotated <= 1) { /* +0.0, -0.0: the two words that exponent 0x380 with an empty mantissa would take */
        *out = rotated << 3 | HD_TAG_FLOAT;
        return true;
    }
    uint64_t rebased = rotated - HD_FLOAT_EXPONENT_BIAS;
    if (rebased >> 61 || rebased <= 1)
        return false;
    *out = rebased << 3 | HD_TAG_FLOAT;
    return true;
}

static inline double hd_value_to_double(hd_value value)
{
    uint64_t rebased = value >> 3;
    uint64_t rotated = rebased <= 1 ? rebased : rebased + HD_FLOAT_EXPONENT_BIAS;
    uint64_t bits = rotated >> 1 | rotated << 63;
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* Up to 7 bytes, as str or bytes. */
static inline hd_value hd_value_short(enum hd_tag tag, const void *bytes, size_t count)
{
    uint64_t word = hd_load_short(bytes, count);
    return word << 8 | (uint64_t)count << 3 | (uint64_t)tag;
}

static inline size_t hd_value_short_size(hd_value value)
{
    return value >> 3 & 7;
}

/* The bytes of a short str or bytes, where they lie in the word itself. */
static inline const uint8_t *hd_value_short_bytes(const hd_value *value)
{
    return (const uint8_t *)value + 1;
}

#endif
