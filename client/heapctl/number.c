#include "client/heapctl/number.h"

#include <gmp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many digits fit into 64 bits whatever they are. */
#define SAFE_DIGITS 18

/* The text with a NUL behind it, in `local` if it fits, else in scratch. NULL: no memory. */
static const char *terminated(const char *text, size_t count, char *local, size_t local_bytes,
                              struct hd_buffer *scratch)
{
    char *copy = local;

    if (count >= local_bytes) {
        uint8_t *room;

        hd_buffer_reset(scratch, SIZE_MAX);
        if (hd_buffer_reserve(scratch, count + 1, &room))
            return NULL;
        copy = (char *)room;
    }
    memcpy(copy, text, count);
    copy[count] = '\0';
    return copy;
}

static int parse_real(const char *text, size_t count, struct hd_buffer *scratch, struct hd_node *out)
{
    char local[64];
    const char *copy = terminated(text, count, local, sizeof local, scratch);
    double real;

    if (!copy)
        return HD_ENOMEM;
    real = strtod(copy, NULL);
    if (!isfinite(real))
        return HD_EOVERFLOW;
    out->kind = HD_KIND_FLOAT;
    out->real = real;
    return 0;
}

/*
 * A negative number is the complement of the non-negative ~x, so both signs
 * need one more bit than the magnitude of that, and the same padding byte.
 */
static int store_big(mpz_t number, struct hd_buffer *scratch, struct hd_node *out)
{
    uint8_t fill = mpz_sgn(number) < 0 ? 0xff : 0;
    size_t size, written = 0;
    uint8_t *room;

    if (fill)
        mpz_com(number, number);
    size = mpz_sizeinbase(number, 2) / 8 + 1;
    hd_buffer_reset(scratch, SIZE_MAX);
    if (hd_buffer_reserve(scratch, size, &room))
        return HD_ENOMEM;
    mpz_export(room, &written, -1, 1, 0, 0, number);
    memset(room + written, 0, size - written);
    for (size_t i = 0; fill && i < size; i++)
        room[i] = (uint8_t)~room[i];
    hd_buffer_commit(scratch, size);
    out->kind = HD_KIND_BIG_INT;
    out->bytes.data = room;
    out->bytes.size = size;
    return 0;
}

static int parse_long_int(const char *text, size_t count, struct hd_buffer *scratch, struct hd_node *out)
{
    char local[128];
    const char *copy = terminated(text, count, local, sizeof local, scratch);
    mpz_t number;
    int error = 0;

    if (!copy)
        return HD_ENOMEM;
    if (mpz_init_set_str(number, copy, 10)) {
        error = HD_EINVALID;
    } else if (mpz_fits_slong_p(number)) {
        out->kind = HD_KIND_INT;
        out->integer = mpz_get_si(number);
    } else {
        error = store_big(number, scratch, out);
    }
    mpz_clear(number);
    return error;
}

int hd_number_parse(const char *text, size_t count, struct hd_buffer *scratch, struct hd_node *out)
{
    size_t i = count && text[0] == '-';
    int64_t value = 0;

    for (; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9)
            return parse_real(text, count, scratch, out);
        if (i < SAFE_DIGITS)
            value = value * 10 + digit;
    }
    if (count > SAFE_DIGITS)
        return parse_long_int(text, count, scratch, out);
    out->kind = HD_KIND_INT;
    out->integer = text[0] == '-' ? -value : value;
    return 0;
}

size_t hd_number_format_int(int64_t value, char out[HD_NUMBER_TEXT_BYTES])
{
    char digits[24];
    size_t used = sizeof digits, count;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--used] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--used] = '-';
    count = sizeof digits - used;
    memcpy(out, digits + used, count);
    out[count] = '\0';
    return count;
}

size_t hd_number_format_real(double value, char out[HD_NUMBER_TEXT_BYTES])
{
    size_t count;

    /* Whole numbers below 2^53 are common and exact; the sign of -0.0 needs the long way. */
    if (fabs(value) < 9007199254740992.0 && value == (double)(int64_t)value && (value != 0 || !signbit(value))) {
        count = hd_number_format_int((int64_t)value, out);
        memcpy(out + count, ".0", 3);
        return count + 2;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, HD_NUMBER_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    count = strlen(out);
    if (!strpbrk(out, ".e")) {
        memcpy(out + count, ".0", 3);
        count += 2;
    }
    return count;
}

int hd_number_format_big(const uint8_t *bytes, size_t count, struct hd_buffer *out)
{
    uint8_t *magnitude = malloc(count);
    uint8_t flip = bytes[count - 1] & 0x80 ? 0xff : 0;
    uint8_t *room;
    mpz_t number;
    int error;

    if (!magnitude)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        magnitude[i] = bytes[i] ^ flip;
    mpz_init(number);
    mpz_import(number, count, -1, 1, 0, 0, magnitude);
    if (flip)
        mpz_com(number, number);
    error = hd_buffer_reserve(out, mpz_sizeinbase(number, 10) + 2, &room);
    if (!error) {
        mpz_get_str((char *)room, 10, number);
        hd_buffer_commit(out, strlen((char *)room));
    }
    mpz_clear(number);
    free(magnitude);
    return error;
}
