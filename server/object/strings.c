/* Str and bytes. */
#include <string.h>

#include "common/utf8.h"
#include "object/object.h"
#include "object/payload.h"

static int new_boxed(struct hd_objects *objects, enum hd_type type, const uint8_t *bytes, size_t size, hd_value *out)
{
    if (size > HD_BYTES_MAX)
        return HD_ETOO_LARGE;
    hd_value value;
    int error = hd_object_new(objects, type, sizeof(struct hd_str) + size, &value);
    if (error)
        return error;
    struct hd_str *str = hd_gc_payload(objects->gc, value);
    str->size = (uint32_t)size;
    memcpy(str->bytes, bytes, size);
    *out = value;
    return 0;
}

int hd_str_new(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out)
{
    if (!hd_utf8_valid(bytes, size))
        return HD_EUTF8;
    if (size <= HD_INLINE_BYTES_MAX) {
        *out = hd_value_short(HD_TAG_STR, bytes, size);
        return 0;
    }
    return new_boxed(objects, HD_TYPE_STR, bytes, size, out);
}

int hd_bytes_new(struct hd_objects *objects, const uint8_t *bytes, size_t size, hd_value *out)
{
    if (size <= HD_INLINE_BYTES_MAX) {
        *out = hd_value_short(HD_TAG_BYTES, bytes, size);
        return 0;
    }
    return new_boxed(objects, HD_TYPE_BYTES, bytes, size, out);
}

const uint8_t *hd_bytes_view(const struct hd_objects *objects, const hd_value *value, size_t *size)
{
    if (!hd_value_is_ref(*value)) {
        *size = hd_value_short_size(*value);
        return hd_value_short_bytes(value);
    }
    const struct hd_str *str = hd_gc_payload(objects->gc, *value);
    *size = str->size;
    return str->bytes;
}
