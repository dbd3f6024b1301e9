/*
 * A bounded, growing run of bytes with a read end and a write end.
 *
 *     memory [ consumed | readable: start .. end | writable: end .. capacity ]
 *
 *     0 <= start <= end <= capacity_bytes <= limit_bytes
 *
 * Used for input and output of connections and for what messages are packed
 * into. Amortised growth; the limit is a promise about memory, not about the
 * bytes that ever pass through.
 */
#ifndef HEAPD_COMMON_BUFFER_H
#define HEAPD_COMMON_BUFFER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/error.h"

struct hd_buffer {
    const struct hd_allocator *allocator; /* borrow, until fini */
    uint8_t *data;                        /* own */
    size_t start;
    size_t end;
    size_t capacity_bytes;
    size_t limit_bytes;
};

/* Cannot fail: memory is asked for when the first byte needs it. */
void hd_buffer_init(struct hd_buffer *buffer, const struct hd_allocator *allocator, size_t limit_bytes);
/* Gives the memory back; the buffer may be initialised again. */
void hd_buffer_fini(struct hd_buffer *buffer);

static inline size_t hd_buffer_readable(const struct hd_buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* The first readable byte; NULL while there is no memory, for which even adding 0 would be undefined. */
static inline uint8_t *hd_buffer_head(const struct hd_buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : NULL;
}

/*
 * Makes room for `bytes` more behind the readable ones and returns where they
 * go (lend until the next call), or fails with HD_ETOO_LARGE (the limit) or
 * HD_ENOMEM; the contents are unchanged then.
 */
static inline int hd_buffer_reserve(struct hd_buffer *buffer, size_t bytes, uint8_t **out) HD_MUST_USE;
/* The same where it takes moving or growing. */
int hd_buffer_make_room(struct hd_buffer *buffer, size_t bytes, uint8_t **out) HD_MUST_USE;
static inline int hd_buffer_reserve(struct hd_buffer *buffer, size_t bytes, uint8_t **out)
{
    if (bytes > buffer->capacity_bytes - buffer->end || !buffer->data)
        return hd_buffer_make_room(buffer, bytes, out);
    *out = buffer->data + buffer->end;
    return 0;
}
/* Declares `bytes` of a reservation to be written. */
static inline void hd_buffer_commit(struct hd_buffer *buffer, size_t bytes)
{
    assert(bytes <= buffer->capacity_bytes - buffer->end);
    buffer->end += bytes;
}
/* reserve, copy, commit. */
int hd_buffer_append(struct hd_buffer *buffer, const void *bytes, size_t count) HD_MUST_USE;
/* Drops `bytes` from the read end. */
void hd_buffer_consume(struct hd_buffer *buffer, size_t bytes);
/* Empties it; memory beyond `keep_bytes` goes back. */
void hd_buffer_reset(struct hd_buffer *buffer, size_t keep_bytes);

#endif
