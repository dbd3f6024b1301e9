/*
 * Arithmetic as Python has it: ints without bounds but that of their size, floats,
 * bools as ints. Most operands are inline; those are computed in a register.
 */
#include <math.h>

#include "object/limbs.h"
#include "object/object.h"
#include "object/payload.h"

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
        return hd_limbs_add(objects, left, right, operation == HD_SUBTRACT, out);
    case HD_NEGATE:
        return hd_limbs_add(objects, &zero, left, true, out);
    case HD_ABSOLUTE:
        return hd_limbs_add(objects, &zero, left, left->negative, out);
    case HD_MULTIPLY:
        return hd_limbs_multiply(objects, left, right, out);
    case HD_FLOOR_DIVIDE:
    case HD_MODULO:
        return hd_limbs_divide(objects, left, right, operation == HD_MODULO, out);
    case HD_AND:
    case HD_OR:
    case HD_XOR:
        return hd_limbs_combine(objects, operation, left, right, out);
    case HD_SHIFT_LEFT:
    case HD_SHIFT_RIGHT:
        if (right->negative)
            return HD_EVALUE;
        return operation == HD_SHIFT_LEFT ? hd_limbs_shift_left(objects, left, magnitude_of(right), out)
                                          : hd_limbs_shift_right(objects, left, magnitude_of(right), out);
    case HD_POWER:
        return hd_limbs_raise(objects, left, magnitude_of(right), out);
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
    if (a.limb_count > HD_LIMBS_OPERAND_MAX || b.limb_count > HD_LIMBS_OPERAND_MAX)
        return HD_ETOO_LARGE;
    if (operation == HD_TRUE_DIVIDE) {
        double real;
        int error = hd_limbs_true_divide(objects, &a, &b, &real);
        return error ? error : hd_float_new(objects, real, out);
    }
    if (operation == HD_INVERT) {
        struct hd_int_view one = {.limb_count = 1, .negative = true, .own = 1};
        one.limbs = &one.own;
        /* ~x == -1 - x */
        return hd_limbs_add(objects, &one, &a, true, out);
    }
    return compute_ints(objects, operation, &a, &b, out);
}

int hd_number_add(struct hd_objects *objects, hd_value left, hd_value right, hd_value *out)
{
    return hd_number_compute(objects, HD_ADD, left, right, out);
}
