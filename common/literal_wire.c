#include "common/literal_wire.h"

#include <string.h>

#include "common/varint.h"

enum { KINDS = 1, INTEGERS = 2, REALS = 3, SIZES = 4, DATA = 5, COUNTS = 6, HANDLES = 7, SHARED = 8 };

/* ---- writing -------------------------------------------------------------- */

static uint8_t *put_bytes(uint8_t *to, unsigned field, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return to;
    *to++ = HD_WIRE_TAG(field, HD_WIRE_BYTES);
    to = hd_varint_put(to, size);
    memcpy(to, bytes, size);
    return to + size;
}

/* The length stands in front of numbers that were written already, behind the longest length that there is. */
static uint8_t *close_numbers(uint8_t *to, unsigned field, const uint8_t *from, const uint8_t *end)
{
    size_t size = (size_t)(end - from);
    *to++ = HD_WIRE_TAG(field, HD_WIRE_BYTES);
    to = hd_varint_put(to, size);
    memmove(to, from, size);
    return to + size;
}

#define HEAD_BYTES (1 + HD_VARINT_MAX_BYTES)

static uint8_t *put_numbers(uint8_t *to, unsigned field, const uint64_t *numbers, size_t count)
{
    if (count == 0)
        return to;
    uint8_t *end = to + HEAD_BYTES;
    for (size_t i = 0; i < count; i++)
        end = hd_varint_put(end, numbers[i]);
    return close_numbers(to, field, to + HEAD_BYTES, end);
}

static uint8_t *put_integers(uint8_t *to, const int64_t *integers, size_t count)
{
    if (count == 0)
        return to;
    uint8_t *end = to + HEAD_BYTES;
    for (size_t i = 0; i < count; i++)
        end = hd_varint_put(end, hd_zigzag(integers[i]));
    return close_numbers(to, INTEGERS, to + HEAD_BYTES, end);
}

static uint8_t *put_reals(uint8_t *to, const double *reals, size_t count)
{
    if (count == 0)
        return to;
    *to++ = HD_WIRE_TAG(REALS, HD_WIRE_BYTES);
    to = hd_varint_put(to, count * sizeof *reals);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &reals[i], sizeof bits);
        for (int shift = 0; shift < 64; shift += 8)
            *to++ = (uint8_t)(bits >> shift);
    }
    return to;
}

size_t hd_literal_pack(const struct hd_columns *columns, uint8_t *to)
{
    const uint8_t *begin = to;
    to = put_bytes(to, KINDS, columns->kinds, columns->kind_count);
    to = put_integers(to, columns->integers, columns->integer_count);
    to = put_reals(to, columns->reals, columns->real_count);
    to = put_numbers(to, SIZES, columns->sizes, columns->size_count);
    to = put_bytes(to, DATA, columns->data, columns->data_bytes);
    to = put_numbers(to, COUNTS, columns->counts, columns->count_count);
    to = put_numbers(to, HANDLES, columns->handles, columns->handle_count);
    to = put_numbers(to, SHARED, columns->shared, columns->shared_count);
    return (size_t)(to - begin);
}

/* ---- reading -------------------------------------------------------------- */

struct reader {
    hd_literal_alloc *alloc;
    void *context;
};

/* Each number ends with a byte below 128. */
static size_t count_numbers(const uint8_t *from, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += from[i] < 0x80;
    return count;
}

static int take_numbers(const struct reader *reader, const uint8_t *from, size_t size, bool zigzag,
                        const uint64_t **out, size_t *out_count)
{
    const uint8_t *end = from + size;
    size_t count = count_numbers(from, size);
    uint64_t *numbers = count ? reader->alloc(reader->context, count * sizeof *numbers) : NULL;
    if (count && !numbers)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        /* Two bytes are the usual case of a long list of ints. */
        if (end - from >= 2 && from[0] >= 0x80 && from[1] < 0x80) {
            numbers[i] = (uint64_t)(from[0] & 0x7f) | (uint64_t)from[1] << 7;
            from += 2;
        } else if (!hd_varint_get(&from, end, &numbers[i])) {
            return 1;
        }
        if (zigzag)
            numbers[i] = (uint64_t)hd_unzigzag(numbers[i]);
    }
    if (from != end)
        return 1;
    *out = numbers;
    *out_count = count;
    return 0;
}

static int take_reals(const struct reader *reader, const uint8_t *from, size_t size, struct hd_columns *out)
{
    size_t count = size / sizeof *out->reals;
    double *reals = count ? reader->alloc(reader->context, size) : NULL;
    if (size % sizeof *reals)
        return 1;
    if (count && !reals)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++, from += sizeof *reals) {
        uint64_t bits = 0;
        for (int byte = 0; byte < 8; byte++)
            bits |= (uint64_t)from[byte] << 8 * byte;
        memcpy(&reals[i], &bits, sizeof bits);
    }
    out->reals = reals;
    out->real_count = count;
    return 0;
}

static int take_field(const struct reader *reader, unsigned field, const uint8_t *from, size_t size,
                      struct hd_columns *out)
{
    const uint64_t *integers;
    int result;
    switch (field) {
    case KINDS:
        out->kinds = from;
        out->kind_count = size;
        return 0;
    case INTEGERS:
        result = take_numbers(reader, from, size, true, &integers, &out->integer_count);
        if (!result)
            out->integers = (const int64_t *)integers;
        return result;
    case REALS:
        return take_reals(reader, from, size, out);
    case SIZES:
        return take_numbers(reader, from, size, false, &out->sizes, &out->size_count);
    case DATA:
        out->data = from;
        out->data_bytes = size;
        return 0;
    case COUNTS:
        return take_numbers(reader, from, size, false, &out->counts, &out->count_count);
    case HANDLES:
        return take_numbers(reader, from, size, false, &out->handles, &out->handle_count);
    case SHARED:
        return take_numbers(reader, from, size, false, &out->shared, &out->shared_count);
    default:
        return 1;
    }
}

int hd_literal_unpack(const uint8_t *bytes, size_t size, hd_literal_alloc *alloc, void *context, struct hd_columns *out)
{
    const struct reader reader = {.alloc = alloc, .context = context};
    const uint8_t *end = bytes + size;
    struct hd_columns columns = {0};
    unsigned seen = 0;
    while (bytes < end) {
        unsigned tag = *bytes++, field = tag >> 3;
        uint64_t length;
        bool known = (tag & 7) == HD_WIRE_BYTES && field >= KINDS && field <= SHARED && !(seen & 1u << field);
        if (!known || !hd_varint_get(&bytes, end, &length) || length > (uint64_t)(end - bytes))
            return 1;
        seen |= 1u << field;
        int result = take_field(&reader, field, bytes, (size_t)length, &columns);
        if (result)
            return result;
        bytes += length;
    }
    *out = columns;
    return 0;
}
