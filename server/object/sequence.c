/* Ranges, and going through whatever can be gone through. */
#include "object/sequence.h"

#include "object/payload.h"

int hd_range_bound(const struct hd_objects *objects, hd_value value, bool *left_out, int64_t *out)
{
    *left_out = value == HD_ABSENT || value == HD_NONE;
    if (*left_out)
        return 0;
    if (value == HD_TRUE || value == HD_FALSE) {
        *out = value == HD_TRUE;
        return 0;
    }
    if (hd_kind_of(objects, value) != HD_IS_INT)
        return HD_ETYPE;
    if (!hd_int_to_int64(objects, value, out)) {
        struct hd_int_view view;
        hd_int_view(objects, value, &view);
        *out = view.negative ? INT64_MIN : INT64_MAX;
    }
    return 0;
}

static int64_t clip(int64_t index, int64_t length, int64_t lowest, int64_t highest)
{
    if (index < 0)
        index = index < -length ? lowest : index + length;
    return index < lowest ? lowest : index > highest ? highest : index;
}

int hd_range_resolve(const struct hd_objects *objects, const struct hd_range *range, uint32_t length,
                     struct hd_indices *out)
{
    bool no_start, no_stop, no_step;
    int64_t start = 0, stop = 0, step = 1;
    int error = hd_range_bound(objects, range->step, &no_step, &step);
    if (!error && step == 0)
        return HD_EVALUE;
    if (!error)
        error = hd_range_bound(objects, range->start, &no_start, &start);
    if (!error)
        error = hd_range_bound(objects, range->stop, &no_stop, &stop);
    if (error)
        return error;
    /* No sequence is that long, and its negative fits. */
    if (step > INT32_MAX || step < -INT32_MAX)
        step = step < 0 ? -INT32_MAX : INT32_MAX;
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? (int64_t)length - 1 : length;
    start = no_start ? (step < 0 ? highest : 0) : clip(start, length, lowest, highest);
    stop = no_stop ? (step < 0 ? -1 : highest) : clip(stop, length, lowest, highest);
    int64_t distance = step < 0 ? start - stop : stop - start;
    int64_t stride = step < 0 ? -step : step;
    *out = (struct hd_indices){.start = start, .stop = stop, .step = step};
    out->count = distance > 0 ? (uint32_t)((distance - 1) / stride + 1) : 0;
    return 0;
}

/* ---- iteration ------------------------------------------------------------ */

bool hd_is_iterable(const struct hd_objects *objects, hd_value value)
{
    switch (hd_kind_of(objects, value)) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
    case HD_IS_DICT:
    case HD_IS_SET:
    case HD_IS_FROZENSET:
    case HD_IS_STR:
    case HD_IS_BYTES:
        return true;
    default:
        return false;
    }
}

/* Bytes of the character that begins with this byte, in valid UTF-8. */
static size_t character_size(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool next_of_bytes(const struct hd_objects *objects, hd_value value, bool text, uint32_t *position,
                          hd_value *out)
{
    size_t size;
    const uint8_t *bytes = hd_bytes_view(objects, &value, &size);
    if (*position >= size)
        return false;
    bytes += *position;
    size_t length = text ? character_size(*bytes) : 1;
    *out = text ? hd_value_short(HD_TAG_STR, bytes, length) : hd_value_int(*bytes);
    *position += (uint32_t)length;
    return true;
}

bool hd_iterate(const struct hd_objects *objects, hd_value container, uint32_t *position, hd_value *out)
{
    hd_value unused;
    enum hd_kind_of_value kind = hd_kind_of(objects, container);
    switch (kind) {
    case HD_IS_LIST:
        if (*position >= hd_list_length(objects, container))
            return false;
        *out = hd_list_at(objects, container, (*position)++);
        return true;
    case HD_IS_TUPLE:
        if (*position >= hd_tuple_length(objects, container))
            return false;
        *out = hd_tuple_at(objects, container, (*position)++);
        return true;
    case HD_IS_STR:
    case HD_IS_BYTES:
        return next_of_bytes(objects, container, kind == HD_IS_STR, position, out);
    default:
        return hd_dict_next(objects, container, position, out, &unused);
    }
}
