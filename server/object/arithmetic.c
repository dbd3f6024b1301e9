/*
 * Arithmetic as Python has it: ints without bounds but that of their size, floats,
 * bools as ints.
 *
 * Most operands are inline; those are computed in a register. Others are limbs for
 * GMP's mpn layer, with memory that was asked for before: what it takes for itself
 * while it multiplies or divides comes out of the same block.
 */
#include <float.h>
#include <gmp.h>
#include <math.h>
#include <string.h>

#include "object/object.h"
#include "object/payload.h"

#define OPERAND_MAX_LIMBS (HD_ARITHMETIC_MAX_BYTES / sizeof(uint64_t))
#define RESULT_MAX_LIMBS (2 * OPERAND_MAX_LIMBS + 8)
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

/* ---- ints of limbs -------------------------------------------------------- */

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

/* left + right, or left - right. */
static int add(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
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

static int multiply(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
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

/* Rounded down, as is the rest's sign the divisor's. */
static int divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
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

static int combine(struct hd_objects *objects, enum hd_arithmetic operation, const struct hd_int_view *left,
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

static int shift_left(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits, hd_value *out)
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

/* Rounded down: of a negative number, up in magnitude if anything is lost. */
static int shift_right(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits, hd_value *out)
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

/* By squaring, from the exponent's highest bit down. */
static int raise(struct hd_objects *objects, const struct hd_int_view *base, uint64_t exponent, hd_value *out)
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

/* ---- floats --------------------------------------------------------------- */

static double floor_divide(double x, double y)
{
    double rest = fmod(x, y);
    double quotient = (x - rest) / y;
    if (rest != 0 && (y < 0) != (rest < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysign(0, x / y);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static double modulo(double x, double y)
{
    double rest = fmod(x, y);
    if (rest == 0)
        return copysign(0, y);
    return (y < 0) != (rest < 0) ? rest + y : rest;
}

/* The cases in which C's pow and Python's differ come first. */
static int raise_float(double x, double y, double *out)
{
    bool odd = fmod(fabs(y), 2) == 1;
    if (x == 0 && y < 0 && isfinite(y))
        return HD_EZERO_DIVISION;
    if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
        return HD_EVALUE;
    if (isinf(y) && fabs(x) == 1)
        *out = 1;
    else
        *out = x < 0 && isfinite(x) && isfinite(y) ? (odd ? -pow(-x, y) : pow(-x, y)) : pow(x, y);
    return isinf(*out) && isfinite(x) && isfinite(y) ? HD_EOVERFLOW : 0;
}

static int compute_floats(enum hd_arithmetic operation, double x, double y, double *out)
{
    switch (operation) {
    case HD_ADD:
        *out = x + y;
        return 0;
    case HD_SUBTRACT:
        *out = x - y;
        return 0;
    case HD_MULTIPLY:
        *out = x * y;
        return 0;
    case HD_POWER:
        return raise_float(x, y, out);
    case HD_TRUE_DIVIDE:
    case HD_FLOOR_DIVIDE:
    case HD_MODULO:
        if (y == 0)
            return HD_EZERO_DIVISION;
        *out = operation == HD_TRUE_DIVIDE ? x / y : operation == HD_MODULO ? modulo(x, y) : floor_divide(x, y);
        return 0;
    case HD_NEGATE:
        *out = -x;
        return 0;
    case HD_ABSOLUTE:
        *out = fabs(x);
        return 0;
    default:
        return HD_ETYPE;
    }
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

static int true_divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
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

/* ---- all of them ---------------------------------------------------------- */

static bool is_number(enum hd_kind_of_value kind)
{
    return kind == HD_IS_INT || kind == HD_IS_FLOAT || kind == HD_IS_BOOL;
}

/* A shift or an exponent: clipped, since beyond a bound all are alike. */
static uint64_t magnitude_of(const struct hd_int_view *view)
{
    return view->limb_count == 0 ? 0 : view->limb_count > 1 ? UINT64_MAX : view->limbs[0];
}

static int compute_ints(struct hd_objects *objects, enum hd_arithmetic operation, const struct hd_int_view *left,
                        const struct hd_int_view *right, hd_value *out)
{
    const struct hd_int_view zero = {.limbs = NULL};
    switch (operation) {
    case HD_ADD:
    case HD_SUBTRACT:
        return add(objects, left, right, operation == HD_SUBTRACT, out);
    case HD_NEGATE:
        return add(objects, &zero, left, true, out);
    case HD_ABSOLUTE:
        return add(objects, &zero, left, left->negative, out);
    case HD_MULTIPLY:
        return multiply(objects, left, right, out);
    case HD_FLOOR_DIVIDE:
    case HD_MODULO:
        return divide(objects, left, right, operation == HD_MODULO, out);
    case HD_AND:
    case HD_OR:
    case HD_XOR:
        return combine(objects, operation, left, right, out);
    case HD_SHIFT_LEFT:
    case HD_SHIFT_RIGHT:
        if (right->negative)
            return HD_EVALUE;
        return operation == HD_SHIFT_LEFT ? shift_left(objects, left, magnitude_of(right), out)
                                          : shift_right(objects, left, magnitude_of(right), out);
    case HD_POWER:
        return raise(objects, left, magnitude_of(right), out);
    default:
        return HD_EINVALID;
    }
}

/* What fits a register; false: it does not, or is an error. */
static bool compute_inline(enum hd_arithmetic operation, int64_t x, int64_t y, int64_t *out)
{
    switch (operation) {
    case HD_ADD:
        *out = x + y;
        return true;
    case HD_SUBTRACT:
        *out = x - y;
        return true;
    case HD_MULTIPLY:
        return !__builtin_mul_overflow(x, y, out);
    case HD_FLOOR_DIVIDE:
        if (y == 0)
            return false;
        *out = x / y - (x % y != 0 && (x < 0) != (y < 0));
        return true;
    case HD_MODULO:
        if (y == 0)
            return false;
        *out = x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0);
        return true;
    case HD_AND:
        *out = x & y;
        return true;
    case HD_OR:
        *out = x | y;
        return true;
    case HD_XOR:
        *out = x ^ y;
        return true;
    case HD_NEGATE:
        *out = -x;
        return true;
    case HD_ABSOLUTE:
        *out = x < 0 ? -x : x;
        return true;
    case HD_INVERT:
        *out = ~x;
        return true;
    default:
        return false;
    }
}

static int64_t inline_int(hd_value value)
{
    return value == HD_TRUE ? 1 : value == HD_FALSE ? 0 : hd_value_to_int(value);
}

static bool has_floats(const struct hd_objects *objects, enum hd_arithmetic operation, hd_value left, hd_value right)
{
    if (hd_kind_of(objects, left) == HD_IS_FLOAT || hd_kind_of(objects, right) == HD_IS_FLOAT)
        return true;
    /* An int to a negative power is a float. */
    struct hd_int_view view;
    if (operation != HD_POWER)
        return false;
    hd_int_view(objects, right, &view);
    return view.negative && view.limb_count;
}

static int compute_as_floats(struct hd_objects *objects, enum hd_arithmetic operation, hd_value left, hd_value right,
                             hd_value *out)
{
    double x, y, real;
    int error = operation >= HD_SHIFT_LEFT && operation <= HD_XOR ? HD_ETYPE : 0;
    if (!error)
        error = hd_number_to_double(objects, left, &x);
    if (!error)
        error = hd_number_to_double(objects, right, &y);
    if (!error)
        error = compute_floats(operation, x, y, &real);
    return error ? error : hd_float_new(objects, real, out);
}

int hd_number_compute(struct hd_objects *objects, enum hd_arithmetic operation, hd_value left, hd_value right,
                      hd_value *out)
{
    if (operation < HD_ADD || operation > HD_INVERT)
        return HD_EINVALID;
    if (hd_arithmetic_is_unary(operation))
        right = hd_value_int(0);
    enum hd_kind_of_value kind = hd_kind_of(objects, left), other = hd_kind_of(objects, right);
    if (!is_number(kind) || !is_number(other))
        return HD_ETYPE;
    /* Of two bools these are a bool. */
    if (kind == HD_IS_BOOL && other == HD_IS_BOOL && operation >= HD_AND && operation <= HD_XOR) {
        bool a = left == HD_TRUE, b = right == HD_TRUE;
        *out = hd_value_bool(operation == HD_AND ? a && b : operation == HD_OR ? a || b : a != b);
        return 0;
    }
    if (has_floats(objects, operation, left, right))
        return compute_as_floats(objects, operation, left, right, out);
    int64_t result;
    if (!hd_value_is_ref(left) && !hd_value_is_ref(right) &&
        compute_inline(operation, inline_int(left), inline_int(right), &result))
        return hd_int_new(objects, result, out);
    struct hd_int_view a, b;
    hd_int_view(objects, left, &a);
    hd_int_view(objects, right, &b);
    if (a.limb_count > OPERAND_MAX_LIMBS || b.limb_count > OPERAND_MAX_LIMBS)
        return HD_ETOO_LARGE;
    if (operation == HD_TRUE_DIVIDE) {
        double real;
        int error = true_divide(objects, &a, &b, &real);
        return error ? error : hd_float_new(objects, real, out);
    }
    if (operation == HD_INVERT) {
        struct hd_int_view one = {.limb_count = 1, .negative = true, .own = 1};
        one.limbs = &one.own;
        /* ~x == -1 - x */
        return add(objects, &one, &a, true, out);
    }
    return compute_ints(objects, operation, &a, &b, out);
}

int hd_number_add(struct hd_objects *objects, hd_value left, hd_value right, hd_value *out)
{
    return hd_number_compute(objects, HD_ADD, left, right, out);
}
