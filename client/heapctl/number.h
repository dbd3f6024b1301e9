/*
 * Numbers between JSON text and the heap's values, exactly.
 *
 * An integer of any length keeps its value: 64 bits where they suffice, else
 * two's complement, little endian, as the wire has it. A number with a
 * fraction or an exponent is a double; text that would become infinite is
 * refused, since JSON could not give it back.
 */
#ifndef HEAPD_HEAPCTL_NUMBER_H
#define HEAPD_HEAPCTL_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/literal.h"

/*
 * Reads `count` characters that follow JSON's grammar of numbers. The result
 * is HD_KIND_INT, HD_KIND_FLOAT or HD_KIND_BIG_INT; the bytes of the last lie
 * in `scratch`, whose former contents are dropped, and are lent until it is
 * used again. HD_EOVERFLOW for a float beyond the range, HD_ENOMEM.
 */
int hd_number_parse(const char *text, size_t count, struct hd_buffer *scratch, struct hd_node *out) HD_MUST_USE;

/* Longest text that hd_number_format_int or _real writes, with the final NUL. */
#define HD_NUMBER_TEXT_BYTES 40

/* Both return the number of characters, without the NUL that follows them. */
size_t hd_number_format_int(int64_t value, char out[HD_NUMBER_TEXT_BYTES]);
/*
 * The first of 15, 16 or 17 digits that reads back as the same double, always
 * with a point or an exponent, so that it stays a float. `value` is finite.
 */
size_t hd_number_format_real(double value, char out[HD_NUMBER_TEXT_BYTES]);
/* Appends the decimal digits of two's complement little-endian bytes (count >= 1). HD_ENOMEM. */
int hd_number_format_big(const uint8_t *bytes, size_t count, struct hd_buffer *out) HD_MUST_USE;

#endif
