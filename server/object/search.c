/* Looking for an element of a list or tuple, or for a part of a str or bytes. */
#include <string.h>

#include "common/utf8.h"
#include "object/payload.h"
#include "object/sequence.h"

/* Bytes that are looked through at once. */
#define WINDOW_BYTES ((size_t)64 << 10)

/* ---- elements ------------------------------------------------------------- */

static hd_value element_at(const struct hd_objects *objects, hd_value object, bool list, uint32_t position)
{
    return list ? hd_list_at(objects, object, position) : hd_tuple_at(objects, object, position);
}

static int end_of_elements(struct hd_search *search)
{
    struct hd_work *work = &search->work;
    switch (search->mode) {
    case HD_SEARCH_INDEX:
    case HD_SEARCH_REMOVE:
        return HD_EVALUE;
    case HD_SEARCH_COUNT:
        work->number = search->found;
        return 1;
    case HD_SEARCH_ADD: {
        hd_value added = hd_gc_retain(work->objects->gc, work->held[1]);
        int error = hd_list_append(work->objects, work->held[0], added);
        work->truth = error == 0;
        if (error)
            hd_gc_release(work->objects->gc, added);
        return error ? error : 1;
    }
    default:
        work->number = -1;
        work->truth = false;
        return 1;
    }
}

static int found_element(struct hd_search *search, bool *over)
{
    struct hd_work *work = &search->work;
    *over = search->mode != HD_SEARCH_COUNT;
    search->found++;
    work->truth = search->mode != HD_SEARCH_ADD;
    work->number = search->position;
    if (search->mode != HD_SEARCH_REMOVE)
        return 1;
    hd_value taken;
    int error = hd_list_pop(work->objects, work->held[0], search->position, &taken);
    if (error)
        return error;
    hd_gc_release(work->objects->gc, taken);
    return 1;
}

static int step_elements(struct hd_search *search, uint64_t units)
{
    struct hd_work *work = &search->work;
    struct hd_objects *objects = work->objects;
    bool list = hd_kind_of(objects, work->held[0]) == HD_IS_LIST;
    hd_value what = work->held[1];
    uint64_t left = units;
    int result = 0;
    while (result == 0 && search->position < search->end && left) {
        hd_value element = element_at(objects, work->held[0], list, search->position);
        left--;
        result = hd_comparer_run(&search->comparer, element, what, HD_EQUAL, true, &left);
        if (result == 0)
            break;
        if (result > 0) {
            bool over = false;
            result = search->comparer.truth ? found_element(search, &over) : 0;
            if (result >= 0 && !over) {
                result = 0;
                search->position++;
            }
        }
    }
    objects->work_units += (units - left) / 4;
    if (result)
        return result;
    return search->position >= search->end ? end_of_elements(search) : 0;
}

/* ---- parts of str and bytes ----------------------------------------------- */

struct part {
    const uint8_t *bytes;
    size_t size;
};

/* What is looked for: a str in a str; bytes, or the byte that an int stands for, in bytes. */
static int part_of(const struct hd_objects *objects, enum hd_kind_of_value kind, const hd_value *what, uint8_t *byte,
                   struct part *out)
{
    int64_t integer;
    if (hd_kind_of(objects, *what) == kind) {
        out->bytes = hd_bytes_view(objects, what, &out->size);
        return 0;
    }
    if (kind == HD_IS_BYTES && (*what == HD_TRUE || *what == HD_FALSE || hd_kind_of(objects, *what) == HD_IS_INT)) {
        if (*what == HD_TRUE || *what == HD_FALSE)
            integer = *what == HD_TRUE;
        else if (!hd_int_to_int64(objects, *what, &integer))
            return HD_EVALUE;
        if (integer < 0 || integer > 255)
            return HD_EVALUE;
        *byte = (uint8_t)integer;
        *out = (struct part){byte, 1};
        return 0;
    }
    return HD_ETYPE;
}

/* From a position in bytes to one in characters. */
static int64_t position_of(const struct hd_search *search, const uint8_t *bytes, size_t at)
{
    struct hd_objects *objects = search->work.objects;
    if (hd_kind_of(objects, search->work.held[0]) == HD_IS_BYTES)
        return (int64_t)at;
    hd_objects_worked(objects, at);
    return (int64_t)hd_utf8_length(bytes, at);
}

static int found_part(struct hd_search *search, const uint8_t *bytes, size_t at)
{
    search->work.truth = true;
    search->work.number = position_of(search, bytes, at);
    return 1;
}

/* The last one: windows from the end. */
static int step_last(struct hd_search *search, const uint8_t *bytes, struct part part, uint64_t units)
{
    while (units--) {
        if (part.size > search->end || search->end - part.size < search->position) {
            search->work.number = -1;
            return 1;
        }
        size_t at = search->end - part.size;
        if (memcmp(bytes + at, part.bytes, part.size) == 0)
            return found_part(search, bytes, at);
        search->end--;
    }
    return 0;
}

static int step_first(struct hd_search *search, const uint8_t *bytes, struct part part, uint64_t units)
{
    struct hd_objects *objects = search->work.objects;
    size_t window = WINDOW_BYTES > 2 * part.size ? WINDOW_BYTES : 2 * part.size;
    for (uint64_t used = 0; used <= units; used += window / HD_BYTES_PER_UNIT) {
        size_t left = search->end > search->position ? search->end - search->position : 0;
        size_t size = left < window ? left : window;
        const uint8_t *from = bytes + search->position;
        const uint8_t *at = part.size <= size ? memmem(from, size, part.bytes, part.size) : NULL;
        objects->work_units += size / HD_BYTES_PER_UNIT;
        if (at && search->mode != HD_SEARCH_COUNT)
            return found_part(search, bytes, (size_t)(at - bytes));
        if (at) {
            search->found++;
            search->position = (uint32_t)(at - bytes + (ptrdiff_t)part.size);
        } else if (size == left) {
            return end_of_elements(search);
        } else {
            search->position += (uint32_t)(size - part.size + 1);
        }
    }
    return 0;
}

static int step_parts(struct hd_search *search, uint64_t units)
{
    struct hd_work *work = &search->work;
    uint8_t byte;
    struct part part;
    size_t size;
    const uint8_t *bytes = hd_bytes_view(work->objects, &work->held[0], &size);
    int error = part_of(work->objects, hd_kind_of(work->objects, work->held[0]), &work->held[1], &byte, &part);
    if (error)
        return error;
    if (search->mode == HD_SEARCH_STARTS_WITH || search->mode == HD_SEARCH_ENDS_WITH) {
        bool fits = search->position <= search->end && part.size <= search->end - search->position;
        size_t at = !fits ? 0 : search->mode == HD_SEARCH_STARTS_WITH ? search->position : search->end - part.size;
        work->truth = fits && memcmp(bytes + at, part.bytes, part.size) == 0;
        hd_objects_worked(work->objects, part.size);
        return 1;
    }
    /* A range that begins behind its end has no place even for nothing. */
    if (search->position > search->end)
        return end_of_elements(search);
    if (part.size == 0 && search->mode == HD_SEARCH_COUNT) {
        work->number = position_of(search, bytes + search->position, search->end - search->position) + 1;
        return 1;
    }
    if (part.size == 0)
        return found_part(search, bytes, search->mode == HD_SEARCH_LAST ? search->end : search->position);
    return search->mode == HD_SEARCH_LAST ? step_last(search, bytes, part, units)
                                          : step_first(search, bytes, part, units);
}

/* ---- beginning ------------------------------------------------------------ */

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_search *search = (struct hd_search *)work;
    enum hd_kind_of_value kind = hd_kind_of(work->objects, work->held[0]);
    return kind == HD_IS_LIST || kind == HD_IS_TUPLE ? step_elements(search, units) : step_parts(search, units);
}

/* What was read of the elements so far was not watched: from the beginning again, once. */
static void keep(struct hd_work *work)
{
    struct hd_search *search = (struct hd_search *)work;
    search->position = search->begin;
    search->end = search->stop;
    search->found = 0;
    hd_comparer_reset(&search->comparer);
    search->comparer.read = &search->read;
    search->comparer.reader = work;
}

static bool covers(const struct hd_work *work, uint32_t index)
{
    return hd_sparse_has(&((const struct hd_search *)work)->read, index);
}

static void fini(struct hd_work *work)
{
    struct hd_search *search = (struct hd_search *)work;
    hd_comparer_fini(&search->comparer);
    hd_sparse_clear(&search->read);
}

static const struct hd_work_kind search_kind = {
    .bytes = sizeof(struct hd_search), .step = step, .keep = keep, .covers = covers, .fini = fini};

/* The byte at which the character of a number begins. */
static uint32_t byte_of_character(struct hd_objects *objects, const uint8_t *bytes, size_t size, int64_t number)
{
    size_t at = 0;
    while (number > 0 && at < size) {
        at++;
        while (at < size && (bytes[at] & 0xc0) == 0x80)
            at++;
        number--;
    }
    hd_objects_worked(objects, at);
    return (uint32_t)at + (number > 0);
}

static int begin_parts(struct hd_objects *objects, hd_value object, hd_value what, const struct hd_range *range,
                       struct hd_search *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    uint8_t byte;
    struct part part;
    size_t size;
    bool whole =
        (range->start == HD_ABSENT || range->start == HD_NONE) && (range->stop == HD_ABSENT || range->stop == HD_NONE);
    int error = part_of(objects, kind, &what, &byte, &part);
    if (error)
        return error;
    const uint8_t *bytes = hd_bytes_view(objects, &object, &size);
    out->end = (uint32_t)size;
    if (whole)
        return 0;
    uint64_t length = kind == HD_IS_STR ? hd_utf8_length(bytes, size) : size;
    struct hd_indices indices;
    const struct hd_range bounds = {.start = range->start, .stop = range->stop};
    error = hd_range_resolve(objects, &bounds, (uint32_t)length, &indices);
    if (error)
        return error;
    /* "abc".find("", 4) is -1: a start behind the end is no place. */
    bool left_out;
    int64_t start = indices.start, given = 0;
    error = hd_range_bound(objects, range->start, &left_out, &given);
    if (error)
        return error;
    if (!left_out && given > (int64_t)length)
        start = (int64_t)length + 1;
    if (kind == HD_IS_BYTES) {
        out->position = (uint32_t)start;
        out->end = (uint32_t)indices.stop;
    } else {
        out->position = byte_of_character(objects, bytes, size, start);
        out->end = byte_of_character(objects, bytes, size, indices.stop);
    }
    return 0;
}

static bool has_mode(enum hd_kind_of_value kind, enum hd_search_mode mode)
{
    switch (mode) {
    case HD_SEARCH_INDEX:
    case HD_SEARCH_FIND:
    case HD_SEARCH_COUNT:
    case HD_SEARCH_CONTAINS:
        return kind == HD_IS_LIST || kind == HD_IS_TUPLE || kind == HD_IS_STR || kind == HD_IS_BYTES;
    case HD_SEARCH_LAST:
    case HD_SEARCH_STARTS_WITH:
    case HD_SEARCH_ENDS_WITH:
        return kind == HD_IS_STR || kind == HD_IS_BYTES;
    case HD_SEARCH_REMOVE:
    case HD_SEARCH_ADD:
        return kind == HD_IS_LIST;
    default:
        return false;
    }
}

int hd_search_begin(struct hd_objects *objects, hd_value object, enum hd_search_mode mode, hd_value what,
                    const struct hd_range *range, struct hd_search *out)
{
    enum hd_kind_of_value kind = hd_kind_of(objects, object);
    if (mode < HD_SEARCH_INDEX || mode > HD_SEARCH_ADD)
        return HD_EINVALID;
    if (!has_mode(kind, mode))
        return HD_ETYPE;
    *out = (struct hd_search){.mode = mode, .read = {.allocator = objects->allocator}};
    if (kind == HD_IS_LIST || kind == HD_IS_TUPLE) {
        const struct hd_range bounds = {.start = range->start, .stop = range->stop};
        struct hd_indices indices;
        uint32_t length = kind == HD_IS_LIST ? hd_list_length(objects, object) : hd_tuple_length(objects, object);
        int error = hd_range_resolve(objects, &bounds, length, &indices);
        if (error)
            return error;
        out->position = (uint32_t)indices.start;
        out->end = (uint32_t)indices.stop;
    } else {
        int error = begin_parts(objects, object, what, range, out);
        if (error)
            return error;
    }
    out->begin = out->position;
    out->stop = out->end;
    hd_work_init(&out->work, &search_kind, objects);
    hd_comparer_init(&out->comparer, objects);
    hd_work_hold(&out->work, 0, object, true);
    hd_work_hold(&out->work, 1, what, false);
    return 0;
}
