/*
 * Ints of any size and floats.
 *
 * An int that fits 61 bits is always inline, so each int has one form. Larger ones
 * are limbs, and GMP's mpn layer does the arithmetic in memory that we hand it.
 */
#include <gmp.h>
#include <math.h>
#include <string.h>

#include "object/object.h"
#include "object/payload.h"

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t) && GMP_NAIL_BITS == 0, "limbs are 64 bits");

int hd_float_new(struct hd_objects *objects, double real, hd_value *out)
{
    if (hd_value_from_double(real, out))
        return 0;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_FLOAT, sizeof(struct hd_float), &value);
    if (error)
        return error;
    ((struct hd_float *)hd_gc_payload(objects->gc, value))->real = real;
    *out = value;
    return 0;
}

double hd_float_get(const struct hd_objects *objects, hd_value value)
{
    if (hd_value_tag(value) == HD_TAG_FLOAT)
        return hd_value_to_double(value);
    return ((const struct hd_float *)hd_gc_payload(objects->gc, value))->real;
}

int hd_int_from_limbs(struct hd_objects *objects, const uint64_t *limbs, size_t limb_count, bool negative,
                      hd_value *out)
{
    while (limb_count && limbs[limb_count - 1] == 0)
        limb_count--;
    if (limb_count <= 1) {
        uint64_t magnitude = limb_count ? limbs[0] : 0;
        if (magnitude <= (uint64_t)HD_INT_MAX + negative) {
            *out = hd_value_int(negative ? -(int64_t)magnitude : (int64_t)magnitude);
            return 0;
        }
    }
    if (limb_count > HD_BYTES_MAX / sizeof *limbs)
        return HD_ETOO_LARGE;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_INT, sizeof(struct hd_int) + limb_count * sizeof *limbs, &value);
    if (error)
        return error;
    struct hd_int *big = hd_gc_payload(objects->gc, value);
    big->limb_count = (uint32_t)limb_count;
    big->negative = negative;
    memcpy(big->limbs, limbs, limb_count * sizeof *limbs);
    *out = value;
    return 0;
}

int hd_int_new(struct hd_objects *objects, int64_t integer, hd_value *out)
{
    if (hd_int_fits(integer)) {
        *out = hd_value_int(integer);
        return 0;
    }
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    return hd_int_from_limbs(objects, &magnitude, 1, integer < 0, out);
}

void hd_int_view(const struct hd_objects *objects, hd_value value, struct hd_int_view *out)
{
    if (hd_value_is_ref(value)) {
        const struct hd_int *big = hd_gc_payload(objects->gc, value);
        out->limbs = big->limbs;
        out->limb_count = big->limb_count;
        out->negative = big->negative;
        return;
    }
    /* A bool is an int, as in Python. */
    int64_t integer = value == HD_TRUE ? 1 : value == HD_FALSE ? 0 : hd_value_to_int(value);
    out->negative = integer < 0;
    out->own = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    out->limbs = &out->own;
    out->limb_count = integer != 0;
}

int hd_int_from_bytes(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out)
{
    if (size == 0)
        return HD_EINVALID;
    const uint8_t sign = bytes[size - 1] & 0x80 ? 0xff : 0;
    while (size > 1 && bytes[size - 1] == sign && (bytes[size - 2] & 0x80) == (sign & 0x80))
        size--;
    if (size > HD_BYTES_MAX)
        return HD_ETOO_LARGE;
    if (size <= sizeof(uint64_t)) {
        uint64_t word = sign ? UINT64_MAX : 0;
        memcpy(&word, bytes, size);
        return hd_int_new(objects, (int64_t)word, out);
    }
    /* Straight into the object: the magnitude of n bytes needs at most n bytes. */
    size_t limb_count = (size + 7) / 8;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_INT, sizeof(struct hd_int) + limb_count * sizeof(uint64_t), &value);
    if (error)
        return error;
    struct hd_int *big = hd_gc_payload(objects->gc, value);
    big->negative = sign != 0;
    memset(big->limbs, sign, limb_count * sizeof(uint64_t));
    memcpy(big->limbs, bytes, size);
    if (sign)
        mpn_neg(big->limbs, big->limbs, (mp_size_t)limb_count);
    while (big->limbs[limb_count - 1] == 0)
        limb_count--;
    big->limb_count = (uint32_t)limb_count;
    *out = value;
    return 0;
}

bool hd_int_to_int64(const struct hd_objects *objects, hd_value value, int64_t *out)
{
    if (hd_value_tag(value) == HD_TAG_INT) {
        *out = hd_value_to_int(value);
        return true;
    }
    if (!hd_is_type(objects, value, HD_TYPE_INT))
        return false;
    struct hd_int_view view;
    hd_int_view(objects, value, &view);
    if (view.limb_count > 1 || view.limbs[0] > (uint64_t)INT64_MAX + view.negative)
        return false;
    *out = view.negative ? (int64_t)(0 - view.limbs[0]) : (int64_t)view.limbs[0];
    return true;
}

bool hd_is_big_int(const struct hd_objects *objects, hd_value value)
{
    int64_t unused;
    return hd_is_type(objects, value, HD_TYPE_INT) && !hd_int_to_int64(objects, value, &unused);
}

size_t hd_int_size(const struct hd_objects *objects, hd_value value)
{
    struct hd_int_view view;
    hd_int_view(objects, value, &view);
    if (view.limb_count == 0)
        return 1;
    size_t bits = mpn_sizeinbase(view.limbs, (mp_size_t)view.limb_count, 2);
    /* -2^k needs k + 1 bits, as any other k + 1 bit number with its sign needs one more. */
    if (view.negative && mpn_scan1(view.limbs, 0) == bits - 1)
        bits--;
    return bits / 8 + 1;
}

void hd_int_write(const struct hd_objects *objects, hd_value value, uint8_t *out)
{
    struct hd_int_view view;
    hd_int_view(objects, value, &view);
    size_t size = hd_int_size(objects, value);
    uint64_t carry = view.negative;
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t limb = i < view.limb_count ? view.limbs[i] : 0;
        if (view.negative) {
            limb = ~limb + carry;
            carry = carry && limb == 0;
        }
        size_t part = size - i * 8 < 8 ? size - i * 8 : 8;
        memcpy(out + i * 8, &limb, part);
    }
}

bool hd_float_to_limbs(double real, uint64_t limbs[17], size_t *limb_count, bool *negative)
{
    if (!isfinite(real) || real != trunc(real))
        return false;
    int exponent;
    double fraction = frexp(fabs(real), &exponent);
    *negative = real < 0;
    *limb_count = 0;
    if (real == 0)
        return true;
    /* fabs(real) == mantissa * 2^shift, with a mantissa of 53 bits. */
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53);
    int shift = exponent - 53;
    memset(limbs, 0, 17 * sizeof *limbs);
    if (shift <= 0) {
        limbs[0] = mantissa >> -shift;
        *limb_count = 1;
        return true;
    }
    unsigned limb = (unsigned)shift / 64, bit = (unsigned)shift % 64;
    limbs[limb] = mantissa << bit;
    if (bit > 11)
        limbs[limb + 1] = mantissa >> (64 - bit);
    *limb_count = limb + 2;
    while (limbs[*limb_count - 1] == 0)
        (*limb_count)--;
    return true;
}

/* An int as the nearest double, halves to even; HD_EOVERFLOW if there is none. */
static int int_to_double(const struct hd_int_view *view, double *out)
{
    /* The top 64 bits, with a sticky bit for what is below them: the last rounding is then the only one. */
    size_t count = view->limb_count;
    if (count == 0) {
        *out = 0;
        return 0;
    }
    if (count > 17)
        return HD_EOVERFLOW;
    uint64_t top = view->limbs[count - 1];
    unsigned zeros = (unsigned)__builtin_clzll(top);
    bool sticky = false;
    if (count > 1) {
        if (zeros) {
            top = top << zeros | view->limbs[count - 2] >> (64 - zeros);
            sticky = view->limbs[count - 2] << zeros != 0;
        } else {
            sticky = view->limbs[count - 2] != 0;
        }
        for (size_t i = 0; i + 2 < count; i++)
            sticky |= view->limbs[i] != 0;
        top |= sticky;
    } else {
        top <<= zeros;
    }
    double real = ldexp((double)top, (int)(count * 64) - 64 - (int)zeros);
    if (isinf(real))
        return HD_EOVERFLOW;
    *out = view->negative ? -real : real;
    return 0;
}

int hd_number_to_double(const struct hd_objects *objects, hd_value value, double *out)
{
    if (hd_kind_of(objects, value) == HD_IS_FLOAT) {
        *out = hd_float_get(objects, value);
        return 0;
    }
    struct hd_int_view view;
    hd_int_view(objects, value, &view);
    return int_to_double(&view, out);
}
