/* The length of a str in characters, in slices: that of hundreds of megabytes takes a while to count. */
#include "common/utf8.h"
#include "object/payload.h"
#include "object/sequence.h"

/* Bytes that are counted in the time of a unit, some tens of nanoseconds. */
#define BYTES_PER_UNIT 64u

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_count *count = (struct hd_count *)work;
    size_t size;
    const uint8_t *bytes = hd_bytes_view(work->objects, &work->held[0], &size);
    size_t left = size - count->position;
    size_t part = units < left / BYTES_PER_UNIT ? (size_t)units * BYTES_PER_UNIT : left;
    /* Characters are counted by their first bytes, so a cut through one does no harm. */
    work->number += (int64_t)hd_utf8_length(bytes + count->position, part);
    count->position += part;
    return count->position == size;
}

static const struct hd_work_kind count_kind = {.bytes = sizeof(struct hd_count), .step = step};

void hd_count_begin(struct hd_objects *objects, hd_value str, struct hd_count *out)
{
    out->position = 0;
    hd_work_init(&out->work, &count_kind, objects);
    hd_work_hold(&out->work, 0, str, false);
}
