#include "common/buffer.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define HD_BUFFER_MIN_BYTES 256

void hd_buffer_init(struct hd_buffer *buffer, const struct hd_allocator *allocator, size_t limit_bytes)
{
    *buffer = (struct hd_buffer){.allocator = allocator, .limit_bytes = limit_bytes};
}

void hd_buffer_fini(struct hd_buffer *buffer)
{
    if (!buffer)
        return;
    if (buffer->data)
        hd_allocator_free(buffer->allocator, buffer->data, buffer->capacity_bytes);
    hd_buffer_init(buffer, buffer->allocator, buffer->limit_bytes);
}

static void compact(struct hd_buffer *buffer)
{
    size_t readable = hd_buffer_readable(buffer);
    if (readable)
        memmove(buffer->data, buffer->data + buffer->start, readable);
    buffer->start = 0;
    buffer->end = readable;
}

static int grow(struct hd_buffer *buffer, size_t needed_bytes)
{
    size_t capacity = buffer->capacity_bytes ? buffer->capacity_bytes : HD_BUFFER_MIN_BYTES;
    /* Halving the need instead of doubling past it: with a huge limit the double may not fit a size_t. */
    while (capacity < needed_bytes && capacity <= buffer->limit_bytes / 2)
        capacity *= 2;
    if (capacity < needed_bytes || capacity > buffer->limit_bytes)
        capacity = buffer->limit_bytes;
    uint8_t *data = hd_allocator_resize(buffer->allocator, buffer->data, buffer->capacity_bytes, capacity);
    if (!data)
        return HD_ENOMEM;
    buffer->data = data;
    buffer->capacity_bytes = capacity;
    return 0;
}

int hd_buffer_make_room(struct hd_buffer *buffer, size_t bytes, uint8_t **out)
{
    size_t readable = hd_buffer_readable(buffer);
    if (bytes > buffer->limit_bytes - readable)
        return HD_ETOO_LARGE;
    if (bytes > buffer->capacity_bytes - buffer->end) {
        /* Double unless half of the memory lies consumed, so that each byte moves O(1) times. */
        bool roomy = buffer->start >= readable && readable + bytes <= buffer->capacity_bytes;
        bool at_limit = buffer->capacity_bytes == buffer->limit_bytes;
        if (!roomy && !at_limit) {
            size_t wanted = readable + bytes;
            bool fits = wanted <= buffer->capacity_bytes;
            int error = grow(buffer, fits ? buffer->capacity_bytes + 1 : wanted);
            if (error && !fits)
                return error;
        }
        compact(buffer);
    }
    *out = buffer->data ? buffer->data + buffer->end : NULL;
    return 0;
}

int hd_buffer_append(struct hd_buffer *buffer, const void *bytes, size_t count)
{
    uint8_t *to;
    int error = hd_buffer_reserve(buffer, count, &to);
    if (error)
        return error;
    if (count)
        memcpy(to, bytes, count);
    hd_buffer_commit(buffer, count);
    return 0;
}

void hd_buffer_consume(struct hd_buffer *buffer, size_t bytes)
{
    assert(bytes <= hd_buffer_readable(buffer));
    buffer->start += bytes;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void hd_buffer_reset(struct hd_buffer *buffer, size_t keep_bytes)
{
    buffer->start = buffer->end = 0;
    if (buffer->capacity_bytes > keep_bytes)
        hd_buffer_fini(buffer);
}
