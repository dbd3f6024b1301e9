/*
 * Computing with ints of any size, as Python does. For arithmetic.c. Operands have HD_ARITHMETIC_MAX_BYTES at most;
 * results are new references. HD_ETOO_LARGE: the result would have more than twice that; HD_ENOMEM.
 */
#ifndef HEAPD_OBJECT_LIMBS_H
#define HEAPD_OBJECT_LIMBS_H

#include "object/object.h"
#include "object/payload.h"

#define HD_LIMBS_OPERAND_MAX (HD_ARITHMETIC_MAX_BYTES / sizeof(uint64_t))

/* left + right, or left - right. */
int hd_limbs_add(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                 bool subtract, hd_value *out) HD_MUST_USE;
int hd_limbs_multiply(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                      hd_value *out) HD_MUST_USE;
/* Rounded down, as is the rest's sign the divisor's. */
int hd_limbs_divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                    bool modulo, hd_value *out) HD_MUST_USE;
/* And, or, xor, as of two's complement without end. */
int hd_limbs_combine(struct hd_objects *objects, enum hd_arithmetic operation, const struct hd_int_view *left,
                     const struct hd_int_view *right, hd_value *out) HD_MUST_USE;
int hd_limbs_shift_left(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits,
                        hd_value *out) HD_MUST_USE;
/* Rounded down: of a negative number, up in magnitude if anything is lost. */
int hd_limbs_shift_right(struct hd_objects *objects, const struct hd_int_view *left, uint64_t bits,
                         hd_value *out) HD_MUST_USE;
/* By squaring, from the exponent's highest bit down. */
int hd_limbs_raise(struct hd_objects *objects, const struct hd_int_view *base, uint64_t exponent,
                   hd_value *out) HD_MUST_USE;
/* The nearest float. HD_EOVERFLOW, HD_EZERO_DIVISION, HD_ENOMEM. */
int hd_limbs_true_divide(struct hd_objects *objects, const struct hd_int_view *left, const struct hd_int_view *right,
                         double *out) HD_MUST_USE;

#endif
