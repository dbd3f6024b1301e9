#include "common/literal.h"

#include <assert.h>
#include <string.h>

void hd_literal_reader_init(struct hd_literal_reader *reader, const struct hd_columns *columns)
{
    *reader = (struct hd_literal_reader){.left = *columns};
}

void hd_literal_reader_init_part(struct hd_literal_reader *reader, const struct hd_columns *columns)
{
    *reader = (struct hd_literal_reader){.left = *columns, .part = true};
}

static int take_bytes(struct hd_columns *left, struct hd_node *out)
{
    if (left->size_count == 0 || *left->sizes > left->data_bytes)
        return HD_EPROTOCOL;
    size_t size = (size_t)*left->sizes++;
    left->size_count--;
    out->bytes.data = left->data;
    out->bytes.size = size;
    if (size)
        left->data += size;
    left->data_bytes -= size;
    return 0;
}

static int take_count(struct hd_literal_reader *reader, enum hd_kind kind, struct hd_node *out)
{
    struct hd_columns *left = &reader->left;
    if (left->count_count == 0)
        return HD_EPROTOCOL;
    uint64_t count = *left->counts;
    if (!reader->part) {
        /* This node itself is still counted as left, and as promised unless it is a top-level one. */
        size_t promised = reader->promised ? reader->promised : 1;
        size_t free_nodes = left->kind_count - promised;
        size_t class_nodes = kind == HD_KIND_INSTANCE;
        size_t nodes_each = kind == HD_KIND_DICT || kind == HD_KIND_INSTANCE ? 2 : 1;
        if (class_nodes > free_nodes || count > (free_nodes - class_nodes) / nodes_each)
            return HD_EPROTOCOL;
        reader->promised = promised + class_nodes + (size_t)count * nodes_each;
    }
    left->counts++;
    left->count_count--;
    out->count = count;
    return 0;
}

/* Takes what the kind says from its column; either nothing changes or all of it. */
static int take_content(struct hd_literal_reader *reader, enum hd_kind kind, struct hd_node *out)
{
    struct hd_columns *left = &reader->left;
    switch (kind) {
    case HD_KIND_NONE:
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        return 0;
    case HD_KIND_INT:
        if (left->integer_count == 0)
            return HD_EPROTOCOL;
        out->integer = *left->integers++;
        left->integer_count--;
        return 0;
    case HD_KIND_FLOAT:
        if (left->real_count == 0)
            return HD_EPROTOCOL;
        out->real = *left->reals++;
        left->real_count--;
        return 0;
    case HD_KIND_BIG_INT:
    case HD_KIND_STR:
    case HD_KIND_BYTES:
        return take_bytes(left, out);
    case HD_KIND_LIST:
    case HD_KIND_TUPLE:
    case HD_KIND_DICT:
    case HD_KIND_SET:
    case HD_KIND_INSTANCE:
    case HD_KIND_FROZENSET:
        return take_count(reader, kind, out);
    case HD_KIND_HANDLE:
        if (left->handle_count == 0)
            return HD_EPROTOCOL;
        out->handle = *left->handles++;
        left->handle_count--;
        return 0;
    case HD_KIND_SHARED:
        if (left->shared_count == 0)
            return HD_EPROTOCOL;
        out->shared = *left->shared++;
        left->shared_count--;
        return 0;
    }
    return HD_EPROTOCOL;
}

int hd_literal_reader_next(struct hd_literal_reader *reader, struct hd_node *out)
{
    if (reader->left.kind_count == 0)
        return HD_EPROTOCOL;
    enum hd_kind kind = (enum hd_kind) * reader->left.kinds;
    int error = take_content(reader, kind, out);
    if (error)
        return error;
    out->kind = kind;
    reader->left.kinds++;
    reader->left.kind_count--;
    if (reader->promised)
        reader->promised--;
    return 0;
}

int hd_literal_reader_end(const struct hd_literal_reader *reader)
{
    const struct hd_columns *left = &reader->left;
    bool used_up = left->kind_count == 0 && left->integer_count == 0 && left->real_count == 0 &&
                   left->size_count == 0 && left->data_bytes == 0 && left->count_count == 0 &&
                   left->handle_count == 0 && left->shared_count == 0;
    return used_up ? 0 : HD_EPROTOCOL;
}

void hd_literal_writer_init(struct hd_literal_writer *writer, const struct hd_allocator *allocator, size_t limit_bytes)
{
    *writer = (struct hd_literal_writer){0};
    hd_buffer_init(&writer->kinds, allocator, limit_bytes);
    hd_buffer_init(&writer->integers, allocator, limit_bytes);
    hd_buffer_init(&writer->reals, allocator, limit_bytes);
    hd_buffer_init(&writer->sizes, allocator, limit_bytes);
    hd_buffer_init(&writer->data, allocator, limit_bytes);
    hd_buffer_init(&writer->counts, allocator, limit_bytes);
    hd_buffer_init(&writer->handles, allocator, limit_bytes);
    hd_buffer_init(&writer->shared, allocator, limit_bytes);
}

void hd_literal_writer_fini(struct hd_literal_writer *writer)
{
    if (!writer)
        return;
    hd_buffer_fini(&writer->kinds);
    hd_buffer_fini(&writer->integers);
    hd_buffer_fini(&writer->reals);
    hd_buffer_fini(&writer->sizes);
    hd_buffer_fini(&writer->data);
    hd_buffer_fini(&writer->counts);
    hd_buffer_fini(&writer->handles);
    hd_buffer_fini(&writer->shared);
    writer->container_count = 0;
    writer->varint_bytes = 0;
}

void hd_literal_writer_next_part(struct hd_literal_writer *writer)
{
    hd_buffer_reset(&writer->kinds, SIZE_MAX);
    hd_buffer_reset(&writer->integers, SIZE_MAX);
    hd_buffer_reset(&writer->reals, SIZE_MAX);
    hd_buffer_reset(&writer->sizes, SIZE_MAX);
    hd_buffer_reset(&writer->data, SIZE_MAX);
    hd_buffer_reset(&writer->counts, SIZE_MAX);
    hd_buffer_reset(&writer->handles, SIZE_MAX);
    hd_buffer_reset(&writer->shared, SIZE_MAX);
    writer->varint_bytes = 0;
}

void hd_literal_writer_reset(struct hd_literal_writer *writer)
{
    hd_literal_writer_next_part(writer);
    writer->container_count = 0;
}

/*
 * As hd_buffer_append, with the usual case inline: with a constant count it is
 * one comparison and one store. Nothing is ever consumed from a column, so
 * start stays 0 and the room is what lies behind end.
 */
static inline int push(struct hd_buffer *column, const void *bytes, size_t count)
{
    if (__builtin_expect(count > column->capacity_bytes - column->end, 0)) {
        uint8_t *to;
        int error = hd_buffer_reserve(column, count, &to);
        if (error)
            return error;
    }
    if (count)
        memcpy(column->data + column->end, bytes, count);
    column->end += count;
    return 0;
}

/* Seven bits a byte: 1 for 0, 10 for 2^63 and more. */
static inline size_t varint_size(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static inline int push_varint(struct hd_literal_writer *writer, struct hd_buffer *column, uint64_t value)
{
    writer->varint_bytes += varint_size(value);
    return push(column, &value, sizeof value);
}

/* sint64 travels in zigzag form: small numbers of either sign are short. */
static inline uint64_t zigzag(int64_t integer)
{
    return (uint64_t)integer << 1 ^ (integer < 0 ? UINT64_MAX : 0);
}

static int push_integer(struct hd_literal_writer *writer, int64_t integer)
{
    writer->varint_bytes += varint_size(zigzag(integer));
    return push(&writer->integers, &integer, sizeof integer);
}

static int push_bytes(struct hd_literal_writer *writer, const uint8_t *data, size_t size)
{
    int error = push_varint(writer, &writer->sizes, size);
    return error ? error : push(&writer->data, data, size);
}

static int push_container(struct hd_literal_writer *writer, uint64_t count)
{
    int error = push_varint(writer, &writer->counts, count);
    if (error)
        return error;
    writer->container_count++;
    return 0;
}

int hd_literal_writer_add(struct hd_literal_writer *writer, const struct hd_node *node)
{
    uint8_t kind = (uint8_t)node->kind;
    int error = push(&writer->kinds, &kind, 1);
    if (error)
        return error;
    switch (node->kind) {
    case HD_KIND_NONE:
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        return 0;
    case HD_KIND_INT:
        return push_integer(writer, node->integer);
    case HD_KIND_FLOAT:
        return push(&writer->reals, &node->real, sizeof node->real);
    case HD_KIND_BIG_INT:
    case HD_KIND_STR:
    case HD_KIND_BYTES:
        return push_bytes(writer, node->bytes.data, node->bytes.size);
    case HD_KIND_LIST:
    case HD_KIND_TUPLE:
    case HD_KIND_DICT:
    case HD_KIND_SET:
    case HD_KIND_INSTANCE:
    case HD_KIND_FROZENSET:
        return push_container(writer, node->count);
    case HD_KIND_HANDLE:
        return push_varint(writer, &writer->handles, node->handle);
    case HD_KIND_SHARED:
        return push_varint(writer, &writer->shared, node->shared);
    }
    return HD_EINVALID;
}

int hd_literal_writer_add_ints(struct hd_literal_writer *writer, const int64_t *integers, size_t count)
{
    uint8_t *kinds;
    int error = hd_buffer_reserve(&writer->kinds, count, &kinds);
    if (!error)
        error = push(&writer->integers, integers, count * sizeof *integers);
    if (error)
        return error;
    memset(kinds, HD_KIND_INT, count);
    writer->kinds.end += count;
    size_t varint_bytes = 0;
    for (size_t i = 0; i < count; i++)
        varint_bytes += varint_size(zigzag(integers[i]));
    writer->varint_bytes += varint_bytes;
    return 0;
}

size_t hd_literal_writer_count_position(const struct hd_literal_writer *writer)
{
    return hd_buffer_readable(&writer->counts) / sizeof(uint64_t);
}

void hd_literal_writer_set_count(struct hd_literal_writer *writer, size_t position, uint64_t count)
{
    assert(position < hd_literal_writer_count_position(writer));
    uint8_t *at = hd_buffer_head(&writer->counts) + position * sizeof count;
    uint64_t before;
    memcpy(&before, at, sizeof before);
    memcpy(at, &count, sizeof count);
    writer->varint_bytes = writer->varint_bytes - varint_size(before) + varint_size(count);
}

void hd_literal_writer_columns(const struct hd_literal_writer *writer, struct hd_columns *out)
{
    /* Allocators align to 16 bytes, and columns begin where their memory does. */
    *out = (struct hd_columns){
        .kinds = hd_buffer_head(&writer->kinds),
        .integers = (const int64_t *)(const void *)hd_buffer_head(&writer->integers),
        .reals = (const double *)(const void *)hd_buffer_head(&writer->reals),
        .sizes = (const uint64_t *)(const void *)hd_buffer_head(&writer->sizes),
        .data = hd_buffer_head(&writer->data),
        .counts = (const uint64_t *)(const void *)hd_buffer_head(&writer->counts),
        .handles = (const uint64_t *)(const void *)hd_buffer_head(&writer->handles),
        .shared = (const uint64_t *)(const void *)hd_buffer_head(&writer->shared),
        .kind_count = hd_buffer_readable(&writer->kinds),
        .integer_count = hd_buffer_readable(&writer->integers) / sizeof(int64_t),
        .real_count = hd_buffer_readable(&writer->reals) / sizeof(double),
        .size_count = hd_buffer_readable(&writer->sizes) / sizeof(uint64_t),
        .data_bytes = hd_buffer_readable(&writer->data),
        .count_count = hd_buffer_readable(&writer->counts) / sizeof(uint64_t),
        .handle_count = hd_buffer_readable(&writer->handles) / sizeof(uint64_t),
        .shared_count = hd_buffer_readable(&writer->shared) / sizeof(uint64_t),
    };
}

size_t hd_literal_writer_size_bytes(const struct hd_literal_writer *writer)
{
    /* Eight fields, each with a byte of tag and at most ten of length. */
    return 8 * (1 + 10) + hd_buffer_readable(&writer->kinds) + hd_buffer_readable(&writer->reals) +
           hd_buffer_readable(&writer->data) + writer->varint_bytes;
}
