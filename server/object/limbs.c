/*
 * Ints as limbs, for GMP's mpn layer, with memory that was asked for before: what it takes for itself while it
 * multiplies or divides comes out of the same block.
 */
#include "object/limbs.h"

#include <float.h>
#include <gmp.h>
#include <math.h>
#include <string.h>

#define RESULT_MAX_LIMBS (2 * HD_LIMBS_OPERAND_MAX + 8)
/* Below so many limbs GMP works on the stack. */
#define OWN_MEMORY_LIMBS 128u
/* Limbs that GMP takes for each limb of the operands, at most; what is more is the C library's. */
#define OWN_MEMORY_FACTOR 16u

/* ---- memory --------------------------------------------------------------- */

/* What GMP allocates, it frees in the opposite order before its function returns. */
struct workspace {
    const struct hd_allocator *allocator;
    uint8_t *bytes; /* own */
    size_t size;
    size_t used;
};

static _Thread_local struct workspace *current;

static bool is_own(const void *pointer)
{
    const uint8_t *at = pointer;
    return current && at >= current->bytes && at < current->bytes + current->size;
}

static void *gmp_new(size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (!current || rounded > current->size - current->used)
        return hd_allocator_new(&hd_allocator_libc, bytes);
    current->used += rounded;
    return current->bytes + current->used - rounded;
}

static void gmp_free(void *pointer, size_t bytes)
{
    if (!is_own(pointer)) {
        hd_allocator_free(&hd_allocator_libc, pointer, bytes);
        return;
    }
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if ((uint8_t *)pointer + rounded == current->bytes + current->used)
        current->used -= rounded;
}

static void *gmp_resize(void *pointer, size_t old_bytes, size_t new_bytes)
{
    if (!is_own(pointer))
        return hd_allocator_resize(&hd_allocator_libc, pointer, old_bytes, new_bytes);
    void *other = gmp_new(new_bytes);
    memcpy(other, pointer, old_bytes < new_bytes ? old_bytes : new_bytes);
    gmp_free(pointer, old_bytes);
    return other;
}

/* `limbs` for the caller, and what GMP needs for operands of `operand_limbs`. */
static int workspace_init(struct workspace *workspace, struct hd_objects *objects, size_t limbs, size_t operand_limbs)
{
    size_t more = operand_limbs > OWN_MEMORY_LIMBS ? operand_limbs * OWN_MEMORY_FACTOR : 0;
    *workspace = (struct workspace){.allocator = objects->allocator};
    workspace->size = (limbs + more) * sizeof(uint64_t);
    workspace->bytes = hd_allocator_new(objects->allocator, workspace->size);
    if (!workspace->bytes)
        return HD_ENOMEM;
    mp_set_memory_functions(gmp_new, gmp_resize, gmp_free);
    current = workspace;
    hd_objects_worked(objects, operand_limbs * sizeof(uint64_t) * (operand_limbs > OWN_MEMORY_LIMBS ? 16 : 2));
    return 0;
}

static void workspace_fini(struct workspace *workspace)
{
    current = NULL;
    hd_allocator_free(workspace->allocator, workspace->bytes, workspace->size);
}

static uint64_t *take(struct workspace *workspace, size_t limbs)
{
    uint64_t *taken = (uint64_t *)(workspace->bytes + workspace->used);
    workspace->used += (limbs * sizeof *taken + 15) & ~(size_t)15;
    return taken;
}

/* ---- computing ------------------------------------------------------------ */

static size_t trimmed(const uint64_t *limbs, size_t count)
{
    while (count && limbs[count - 1] == 0)
        count--;
    return count;
}

static int compare_limbs(const struct hd_int_view *left, const struct hd_int_view *right)
{
    if (left->limb_count != right->limb_count)
        return left->limb_count < right->limb_count ? -1 : 1;
    return left->limb_count ? mpn_cmp(left->limbs, right->limbs, (mp_size_t)left->limb_count) : 0;
}

int hd_limbs_add(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                 bool subtract, hd_value *out)
{
    bool right_negative = right->negative != subtract;
    bool left_is_larger = compare_limbs(left, right) >= 0;
    const struct hd_int_view *large = left_is_larger ? left : right, *small = left_is_larger ? right : left;
    bool negative = left_is_larger ? left->negative : right_negative;
    struct workspace workspace;
    size_t count = large->limb_count + 1;
    int error = workspace_init(&workspace, objects, count + 2, 0);
    if (error)
        return error;
    uint64_t *limbs = take(&workspace, count);
    limbs[count - 1] = 0;
    memcpy(limbs, large->limbs, large->limb_count * sizeof *limbs);
    mp_size_t n = (mp_size_t)large->limb_count, m = (mp_size_t)small->limb_count;
    if (m && left->negative == right_negative)
        limbs[count - 1] = mpn_add(limbs, large->limbs, n, small->limbs, m);
    else if (m)
        mpn_sub(limbs, large->limbs, n, small->limbs, m);
    error = hd_int_from_limbs(objects, limbs, count, negative, out);
    workspace_fini(&workspace);
    return error;
}

int hd_limbs_multiply(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                      hd_value *out)
{
    const struct hd_int_view *large = left->limb_count >= right->limb_count ? left : right;
    const struct hd_int_view *small = large == left ? right : left;
    struct workspace workspace;
    size_t count = left->limb_count + right->limb_count;
    if (small->limb_count == 0) {
        *out = hd_value_int(0);
        return 0;
    }
    int error = workspace_init(&workspace, objects, count + 2, count);
    if (error)
        return error;
    uint64_t *limbs = take(&workspace, count);
    mpn_mul(limbs, large->limbs, (mp_size_t)large->limb_count, small->limbs, (mp_size_t)small->limb_count);
    error = hd_int_from_limbs(objects, limbs, count, left->negative != right->negative, out);
    workspace_fini(&workspace);
    return error;
}

int hd_limbs_divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                    bool modulo, hd_value *out)
{
    size_t n = left->limb_count, d = right->limb_count;
    struct workspace workspace;
    if (d == 0)
        return HD_EZERO_DIVISION;
    size_t quotient_count = n >= d ? n - d + 2 : 2;
    int error = workspace_init(&workspace, objects, quotient_count + d + 1 + 4, n + d);
    if (error)
        return error;
    uint64_t *quotient = take(&workspace, quotient_count);
    uint64_t *rest = take(&workspace, d + 1);
    memset(quotient, 0, quotient_count * sizeof *quotient);
    memset(rest, 0, (d + 1) * sizeof *rest);
    if (n >= d)
        mpn_tdiv_qr(quotient, rest, 0, left->limbs, (mp_size_t)n, right->limbs, (mp_size_t)d);
    else
        memcpy(rest, left->limbs, n * sizeof *rest);
    bool negative = left->negative != right->negative;
    if (negative && trimmed(rest, d)) {
        mpn_add_1(quotient, quotient, (mp_size_t)quotient_count, 1);
        mpn_sub_n(rest, right->limbs, rest, (mp_size_t)d);
    }
    error = modulo ? hd_int_from_limbs(objects, rest, d, right->negative, out)
                   : hd_int_from_limbs(objects, quotient, quotient_count, negative, out);
    workspace_fini(&workspace);
    return error;
}

/* Two's complement of `count` limbs, with at least a bit for the sign. */
static void to_complement(const struct hd_int_view *view, uint64_t *limbs, size_t count)
{
    memset(limbs, 0, count * sizeof *limbs);
    memcpy(limbs, view->limbs, view->limb_count * sizeof *limbs);
    if (view->negative)
        mpn_neg(limbs, limbs, (mp_size_t)count);
}

int hd_limbs_combine(struct hd_objects *objects, enum hd_arithmetic operation, const struct hd_int_view *left,
                     const struct hd_int_view *right, hd_value *out)
{
    size_t count = (left->limb_count > right->limb_count ? left->limb_count : right->limb_count) + 1;
    struct workspace workspace;
    int error = workspace_init(&workspace, objects, 2 * count + 4, 0);
    if (error)
        return error;
    uint64_t *a = take(&workspace, count), *b = take(&workspace, count);
    to_complement(left, a, count);
    to_complement(right, b, count);
    for (size_t i = 0; i < count; i++)
        a[i] = operation == HD_AND ? a[i] & b[i] : operation == HD_OR ? a[i] | b[i] : a[i] ^ b[i];
    bool negative = a[count - 1] >> 63;
    if (negative)
        mpn_neg(a, a, (mp_size_t)count);
    error = hd_int_from_limbs(objects, a, count, negative, out);
    workspace_fini(&workspace);
    return error;
}

int hd_limbs_shift_left(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits, hd_value *out)
{
    struct workspace workspace;
    if (left->limb_count == 0) {
        *out = hd_value_int(0);
        return 0;
    }
    if (bits / 64 > RESULT_MAX_LIMBS || left->limb_count + bits / 64 + 1 > RESULT_MAX_LIMBS)
        return HD_ETOO_LARGE;
    size_t limbs_more = bits / 64, count = left->limb_count + limbs_more + 1;
    int error = workspace_init(&workspace, objects, count + 2, 0);
    if (error)
        return error;
    uint64_t *limbs = take(&workspace, count);
    memset(limbs, 0, count * sizeof *limbs);
    memcpy(limbs + limbs_more, left->limbs, left->limb_count * sizeof *limbs);
    if (bits % 64)
        mpn_lshift(limbs + limbs_more, limbs + limbs_more, (mp_size_t)left->limb_count + 1, bits % 64);
    error = hd_int_from_limbs(objects, limbs, count, left->negative, out);
    workspace_fini(&workspace);
    return error;
}

int hd_limbs_shift_right(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits, hd_value *out)
{
    struct workspace workspace;
    if (bits / 64 >= left->limb_count) {
        *out = hd_value_int(left->negative && left->limb_count ? -1 : 0);
        return 0;
    }
    size_t limbs_less = bits / 64, count = left->limb_count - limbs_less;
    int error = workspace_init(&workspace, objects, count + 4, 0);
    if (error)
        return error;
    uint64_t *limbs = take(&workspace, count + 1);
    limbs[count] = 0;
    memcpy(limbs, left->limbs + limbs_less, count * sizeof *limbs);
    bool lost = trimmed(left->limbs, limbs_less) != 0;
    if (bits % 64)
        lost |= mpn_rshift(limbs, limbs, (mp_size_t)count, bits % 64) != 0;
    if (lost && left->negative)
        mpn_add_1(limbs, limbs, (mp_size_t)count + 1, 1);
    error = hd_int_from_limbs(objects, limbs, count + 1, left->negative, out);
    workspace_fini(&workspace);
    return error;
}

int hd_limbs_raise(struct hd_objects *objects, const struct hd_int_view *base, uint64_t exponent, hd_value *out)
{
    if (base->limb_count == 1 && base->limbs[0] == 1) {
        *out = hd_value_int(base->negative && exponent % 2 ? -1 : 1);
        return 0;
    }
    if (exponent == 0 || base->limb_count == 0) {
        *out = hd_value_int(exponent == 0);
        return 0;
    }
    size_t bits = mpn_sizeinbase(base->limbs, (mp_size_t)base->limb_count, 2);
    if (exponent > RESULT_MAX_LIMBS * 64 / bits)
        return HD_ETOO_LARGE;
    size_t room = bits * exponent / 64 + base->limb_count + 4;
    struct workspace workspace;
    int error = workspace_init(&workspace, objects, 2 * (room + base->limb_count) + 8, room);
    if (error)
        return error;
    uint64_t *power = take(&workspace, room + base->limb_count), *other = take(&workspace, room + base->limb_count);
    size_t count = base->limb_count;
    memcpy(power, base->limbs, count * sizeof *power);
    for (int bit = 62 - __builtin_clzll(exponent); bit >= 0; bit--) {
        mpn_sqr(other, power, (mp_size_t)count);
        count = trimmed(other, count * 2);
        uint64_t *swap = power;
        power = other;
        other = swap;
        if (exponent >> bit & 1) {
            mpn_mul(other, power, (mp_size_t)count, base->limbs, (mp_size_t)base->limb_count);
            count = trimmed(other, count + base->limb_count);
            swap = power;
            power = other;
            other = swap;
        }
    }
    error = hd_int_from_limbs(objects, power, count, base->negative && exponent % 2, out);
    workspace_fini(&workspace);
    return error;
}

/* The quotient of two ints as a float, rounded once. */
static int true_divide_limbs(struct hd_objects *objects, const struct hd_int_view *left, int64_t shift,
                             const struct hd_int_view *right, bool negative, double *out)
{
    /* left >> shift, divided by right, has two or three bits more than a float holds; what is lost makes the lowest 1.
     */
    size_t n = left->limb_count, d = right->limb_count;
    size_t more = shift < 0 ? (size_t)-shift / 64 + 1 : 0, less = shift > 0 ? (size_t)shift / 64 : 0;
    size_t count = n + more - less;
    struct workspace workspace;
    int error = workspace_init(&workspace, objects, 2 * count + d + 16, count + d);
    if (error)
        return error;
    uint64_t *dividend = take(&workspace, count + 1), *quotient = take(&workspace, count + 1);
    uint64_t *rest = take(&workspace, d);
    memset(dividend, 0, (count + 1) * sizeof *dividend);
    bool inexact = false;
    if (shift < 0) {
        size_t limbs = (size_t)-shift / 64;
        memcpy(dividend + limbs, left->limbs, n * sizeof *dividend);
        if (-shift % 64)
            mpn_lshift(dividend + limbs, dividend + limbs, (mp_size_t)n + 1, (unsigned)(-shift % 64));
    } else {
        memcpy(dividend, left->limbs + less, (n - less) * sizeof *dividend);
        inexact = trimmed(left->limbs, less) != 0;
        if (shift % 64)
            inexact |= mpn_rshift(dividend, dividend, (mp_size_t)(n - less), (unsigned)(shift % 64)) != 0;
    }
    count = trimmed(dividend, count + 1);
    uint64_t low = 0;
    if (count >= d) {
        mpn_tdiv_qr(quotient, rest, 0, dividend, (mp_size_t)count, right->limbs, (mp_size_t)d);
        low = quotient[0];
        inexact |= trimmed(rest, d) != 0;
    } else {
        inexact |= count != 0;
    }
    workspace_fini(&workspace);
    int64_t bits = low ? 64 - __builtin_clzll(low) : 0;
    int64_t extra = (bits > DBL_MIN_EXP - shift ? bits : DBL_MIN_EXP - shift) - DBL_MANT_DIG;
    uint64_t mask = UINT64_C(1) << (extra - 1);
    low |= inexact;
    if (low & mask && low & (3 * mask - 1))
        low += mask;
    low &= ~(2 * mask - 1);
    double real = ldexp((double)low, (int)shift);
    if (isinf(real))
        return HD_EOVERFLOW;
    *out = negative ? -real : real;
    return 0;
}

int hd_limbs_true_divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                         double *out)
{
    bool negative = left->negative != right->negative;
    if (right->limb_count == 0)
        return HD_EZERO_DIVISION;
    if (left->limb_count == 0) {
        *out = negative ? -0.0 : 0.0;
        return 0;
    }
    const uint64_t exact = UINT64_C(1) << DBL_MANT_DIG;
    if (left->limb_count == 1 && right->limb_count == 1 && left->limbs[0] <= exact && right->limbs[0] <= exact) {
        double real = (double)left->limbs[0] / (double)right->limbs[0];
        *out = negative ? -real : real;
        return 0;
    }
    int64_t distance = (int64_t)mpn_sizeinbase(left->limbs, (mp_size_t)left->limb_count, 2) -
                       (int64_t)mpn_sizeinbase(right->limbs, (mp_size_t)right->limb_count, 2);
    if (distance > DBL_MAX_EXP)
        return HD_EOVERFLOW;
    if (distance < DBL_MIN_EXP - DBL_MANT_DIG - 1) {
        *out = negative ? -0.0 : 0.0;
        return 0;
    }
    int64_t shift = (distance > DBL_MIN_EXP ? distance : DBL_MIN_EXP) - DBL_MANT_DIG - 2;
    return true_divide_limbs(objects, left, shift, right, negative, out);
}
