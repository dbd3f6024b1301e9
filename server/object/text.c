/*
 * Slices, concatenation and repetition of str and bytes.
 *
 * Characters of a str are found by counting; a str whose bytes are all characters
 * of one byte needs no counting more than once.
 */
#include <string.h>

#include "common/utf8.h"
#include "object/payload.h"
#include "object/sequence.h"

/* Bytes that are counted or copied between looks at the units. */
#define PART_BYTES ((size_t)16 << 10)

enum phase { COUNTING, FINDING, COPYING };

static bool is_str(const struct hd_text_join *text)
{
    return hd_kind_of(text->work.objects, text->work.held[0]) == HD_IS_STR;
}

/* ---- what is made --------------------------------------------------------- */

/* Its bytes are filled in later. HD_ENOMEM, HD_ETOO_LARGE. */
static int make(struct hd_text_join *text)
{
    struct hd_work *work = &text->work;
    if (text->size > HD_BYTES_MAX)
        return HD_ETOO_LARGE;
    if (text->size <= HD_INLINE_BYTES_MAX || work->value != HD_ABSENT)
        return 0;
    enum hd_type type = is_str(text) ? HD_TYPE_STR : HD_TYPE_BYTES;
    int error = hd_object_new(work->objects, type, sizeof(struct hd_str) + text->size, &work->value);
    if (!error)
        ((struct hd_str *)hd_gc_payload(work->objects->gc, work->value))->size = (uint32_t)text->size;
    return error;
}

static uint8_t *destination(struct hd_text_join *text)
{
    if (text->size <= HD_INLINE_BYTES_MAX)
        return text->small + text->filled;
    return ((struct hd_str *)hd_gc_payload(text->work.objects->gc, text->work.value))->bytes + text->filled;
}

static int finish(struct hd_text_join *text)
{
    enum hd_tag tag = is_str(text) ? HD_TAG_STR : HD_TAG_BYTES;
    if (text->size <= HD_INLINE_BYTES_MAX)
        text->work.value = hd_value_short(tag, text->small, text->size);
    return 1;
}

/* Copies [at, source_size) of the source, as often as asked, then the second source. */
static int copy(struct hd_text_join *text, uint64_t units)
{
    struct hd_work *work = &text->work;
    int error = make(text);
    if (error)
        return error;
    for (uint64_t used = 0; text->filled < text->size; used += PART_BYTES / HD_BYTES_PER_UNIT) {
        if (used > units)
            return 0;
        size_t unused;
        if (text->at == text->source_size) {
            if (text->times) {
                text->times--;
            } else {
                hd_gc_release(work->objects->gc, work->held[0]);
                work->held[0] = work->held[1];
                work->held[1] = HD_ABSENT;
                (void)hd_bytes_view(work->objects, &work->held[0], &text->source_size);
            }
            text->at = 0;
            used -= PART_BYTES / HD_BYTES_PER_UNIT - 1;
            continue;
        }
        const uint8_t *from = hd_bytes_view(work->objects, &work->held[0], &unused) + text->at;
        size_t part = text->source_size - text->at < PART_BYTES ? text->source_size - text->at : PART_BYTES;
        memcpy(destination(text), from, part);
        hd_objects_worked(work->objects, part);
        text->filled += part;
        text->at += part;
    }
    return finish(text);
}

/* ---- slices of a str ------------------------------------------------------ */

static bool begins_character(uint8_t byte)
{
    return (byte & 0xc0) != 0x80;
}

/* 1: the length in characters is known. */
static int count(struct hd_text_join *text, const uint8_t *bytes, uint64_t *units)
{
    while (text->at < text->source_size) {
        if (*units == 0)
            return 0;
        --*units;
        size_t part = text->source_size - text->at < 1024 ? text->source_size - text->at : 1024;
        for (size_t i = 0; i < part; i++)
            text->length += begins_character(bytes[text->at + i]);
        text->at += part;
    }
    return 1;
}

/* Goes to the character of that number, from where it stands. 1: it is there. */
static int go_to(struct hd_text_join *text, const uint8_t *bytes, uint64_t number, uint64_t *units)
{
    if (text->length == text->source_size) {
        text->at = (size_t)number;
        text->number = number;
        return 1;
    }
    for (size_t walked = 0; text->number != number; walked++) {
        if (walked % 64 == 63 && *units == 0)
            return 0;
        *units -= walked % 64 == 63;
        bool back = text->number > number;
        do
            text->at = back ? text->at - 1 : text->at + 1;
        while (text->at < text->source_size && !begins_character(bytes[text->at]));
        text->number = back ? text->number - 1 : text->number + 1;
    }
    return 1;
}

static size_t character_size(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Character by character: once for the size of it all, once to copy them. */
static int gather(struct hd_text_join *text, const uint8_t *bytes, uint64_t *units)
{
    while (text->taken < text->indices.count) {
        uint64_t number = (uint64_t)(text->indices.start + (int64_t)text->taken * text->indices.step);
        if (*units == 0 || !go_to(text, bytes, number, units))
            return 0;
        *units -= text->taken % 16 == 15;
        size_t size = text->length == text->source_size ? 1 : character_size(bytes[text->at]);
        if (text->counted)
            memcpy(destination(text), bytes + text->at, size);
        else
            text->size += size;
        if (text->counted)
            text->filled += size;
        text->taken++;
    }
    return 1;
}

/* A slice without gaps is one run of bytes: where it begins and ends. */
static int find_run(struct hd_text_join *text, const uint8_t *bytes, uint64_t *units)
{
    if (!text->counted) {
        if (!go_to(text, bytes, (uint64_t)text->indices.start, units))
            return 0;
        text->size = text->at;
        text->counted = true;
    }
    if (!go_to(text, bytes, (uint64_t)text->indices.start + text->indices.count, units))
        return 0;
    size_t begin = text->size;
    text->source_size = text->at;
    text->size = text->at - begin;
    text->at = begin;
    text->number = begin;
    text->phase = COPYING;
    return 1;
}

static int resolve(struct hd_text_join *text)
{
    if (text->length > UINT32_MAX)
        return HD_ETOO_LARGE;
    int error = hd_range_resolve(text->work.objects, &text->range, (uint32_t)text->length, &text->indices);
    text->at = 0;
    text->number = 0;
    text->phase = FINDING;
    return error;
}

static int slice(struct hd_text_join *text, uint64_t *units)
{
    size_t unused;
    const uint8_t *bytes = hd_bytes_view(text->work.objects, &text->work.held[0], &unused);
    if (text->phase == COUNTING) {
        if (!count(text, bytes, units))
            return 0;
        int error = resolve(text);
        if (error)
            return error;
    }
    if (text->indices.count == 0) {
        text->size = 0;
        return finish(text);
    }
    if (text->indices.step == 1)
        return find_run(text, bytes, units) ? 2 : 0;
    if (!gather(text, bytes, units))
        return 0;
    if (!text->counted) {
        /* Now it can be made, which may move what the bytes lie in. */
        int error = make(text);
        if (error)
            return error;
        text->counted = true;
        text->taken = 0;
        return 3;
    }
    return finish(text);
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_text_join *text = (struct hd_text_join *)work;
    uint64_t left = units;
    int result = 2;
    while (text->phase != COPYING && (result = slice(text, &left)) == 3)
        ;
    work->objects->work_units += units - left;
    return result == 2 ? copy(text, left) : result;
}

static const struct hd_work_kind text_kind = {.bytes = sizeof(struct hd_text_join), .step = step};

static void begin(struct hd_objects *objects, hd_value source, struct hd_text_join *out)
{
    *out = (struct hd_text_join){.phase = COPYING};
    hd_work_init(&out->work, &text_kind, objects);
    hd_work_hold(&out->work, 0, source, false);
    (void)hd_bytes_view(objects, &source, &out->source_size);
}

int hd_text_slice(struct hd_objects *objects, hd_value object, const struct hd_range *range, struct hd_text_join *out)
{
    struct hd_indices indices;
    int error = hd_range_resolve(objects, range, 0, &indices);
    if (error)
        return error;
    begin(objects, object, out);
    out->phase = COUNTING;
    /* Ints beyond a word are only clipped, so that what they are made of need not be held. */
    out->range = *range;
    hd_value *bounds[] = {&out->range.start, &out->range.stop, &out->range.step};
    for (unsigned i = 0; i < 3; i++) {
        struct hd_int_view view;
        if (!hd_value_is_ref(*bounds[i]))
            continue;
        hd_int_view(objects, *bounds[i], &view);
        *bounds[i] = hd_value_int(view.negative ? HD_INT_MIN : HD_INT_MAX);
    }
    if (hd_kind_of(objects, object) == HD_IS_BYTES) {
        out->length = out->source_size;
        out->at = out->source_size;
    }
    return 0;
}

int hd_text_concat(struct hd_objects *objects, hd_value left, hd_value right, struct hd_text_join *out)
{
    size_t more;
    (void)hd_bytes_view(objects, &right, &more);
    begin(objects, left, out);
    hd_work_hold(&out->work, 1, right, false);
    out->size = out->source_size + more;
    return 0;
}

int hd_text_repeat(struct hd_objects *objects, hd_value object, uint64_t times, struct hd_text_join *out)
{
    size_t size;
    (void)hd_bytes_view(objects, &object, &size);
    if (size && times > HD_BYTES_MAX / size)
        return HD_ETOO_LARGE;
    begin(objects, object, out);
    out->size = size * times;
    out->times = times ? times - 1 : 0;
    return 0;
}
