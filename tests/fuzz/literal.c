/*
 * The literal reader takes any columns without a fault; what it accepts, the
 * writer writes again to the same columns, and the size that the writer tells
 * is that of the message. Input: a packed heapd.v1.Literal.
 */
#include <string.h>

#include "common/literal.h"
#include "fuzz.h"
#include "heapd/v1/value.pb-c.h"

static void columns_of(const Heapd__V1__Literal *message, struct hd_columns *out)
{
    *out = (struct hd_columns){
        .kinds = message->kinds.data,
        .integers = message->integers,
        .reals = message->reals,
        .sizes = message->sizes,
        .data = message->data.data,
        .counts = message->counts,
        .handles = message->handles,
        .shared = message->shared,
        .kind_count = message->kinds.len,
        .integer_count = message->n_integers,
        .real_count = message->n_reals,
        .size_count = message->n_sizes,
        .data_bytes = message->data.len,
        .count_count = message->n_counts,
        .handle_count = message->n_handles,
        .shared_count = message->n_shared,
    };
}

/* The arrays are lent to the message, which is only measured. */
static void message_of(const struct hd_columns *columns, Heapd__V1__Literal *out)
{
    heapd__v1__literal__init(out);
    out->kinds = (ProtobufCBinaryData){columns->kind_count, (uint8_t *)(uintptr_t)columns->kinds};
    out->data = (ProtobufCBinaryData){columns->data_bytes, (uint8_t *)(uintptr_t)columns->data};
    out->integers = (int64_t *)(uintptr_t)columns->integers;
    out->reals = (double *)(uintptr_t)columns->reals;
    out->sizes = (uint64_t *)(uintptr_t)columns->sizes;
    out->counts = (uint64_t *)(uintptr_t)columns->counts;
    out->handles = (uint64_t *)(uintptr_t)columns->handles;
    out->shared = (uint64_t *)(uintptr_t)columns->shared;
    out->n_integers = columns->integer_count;
    out->n_reals = columns->real_count;
    out->n_sizes = columns->size_count;
    out->n_counts = columns->count_count;
    out->n_handles = columns->handle_count;
    out->n_shared = columns->shared_count;
}

static bool same_words(const void *a, size_t a_count, const void *b, size_t b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * 8) == 0);
}

static void check_same(const struct hd_columns *a, const struct hd_columns *b)
{
    FUZZ_CHECK(a->kind_count == b->kind_count);
    FUZZ_CHECK(a->kind_count == 0 || memcmp(a->kinds, b->kinds, a->kind_count) == 0);
    FUZZ_CHECK(a->data_bytes == b->data_bytes);
    FUZZ_CHECK(a->data_bytes == 0 || memcmp(a->data, b->data, a->data_bytes) == 0);
    FUZZ_CHECK(same_words(a->integers, a->integer_count, b->integers, b->integer_count));
    FUZZ_CHECK(same_words(a->reals, a->real_count, b->reals, b->real_count));
    FUZZ_CHECK(same_words(a->sizes, a->size_count, b->sizes, b->size_count));
    FUZZ_CHECK(same_words(a->counts, a->count_count, b->counts, b->count_count));
    FUZZ_CHECK(same_words(a->handles, a->handle_count, b->handles, b->handle_count));
    FUZZ_CHECK(same_words(a->shared, a->shared_count, b->shared, b->shared_count));
}

/* Reads all of it, adding up what it promises; 0 if it is well formed to its end. */
static int read_all(struct hd_literal_reader *reader, struct hd_literal_writer *writer, uint64_t *promised)
{
    *promised = 0;
    while (hd_literal_reader_left(reader)) {
        struct hd_node node;
        int error = hd_literal_reader_next(reader, &node);
        if (error)
            return error;
        if (hd_kind_is_container(node.kind))
            *promised += node.count;
        FUZZ_CHECK(hd_literal_writer_add(writer, &node) == 0);
    }
    return hd_literal_reader_end(reader);
}

static void check_written(const struct hd_literal_writer *writer, const struct hd_columns *columns)
{
    struct hd_columns written;
    hd_literal_writer_columns(writer, &written);
    check_same(&written, columns);
    Heapd__V1__Literal message;
    message_of(&written, &message);
    size_t exact = heapd__v1__literal__get_packed_size(&message);
    size_t said = hd_literal_writer_size_bytes(writer);
    FUZZ_CHECK(said >= exact && said - exact < 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Heapd__V1__Literal *message = heapd__v1__literal__unpack(NULL, size, data);
    if (!message)
        return -1;
    struct hd_columns columns;
    columns_of(message, &columns);
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, SIZE_MAX);
    struct hd_literal_reader reader;
    uint64_t promised;
    hd_literal_reader_init(&reader, &columns);
    int whole = read_all(&reader, &writer, &promised);
    FUZZ_CHECK(promised <= columns.kind_count);
    if (whole == 0)
        check_written(&writer, &columns);
    hd_literal_writer_reset(&writer);
    hd_literal_reader_init_part(&reader, &columns);
    int part = read_all(&reader, &writer, &promised);
    FUZZ_CHECK(whole != 0 || part == 0);
    if (part == 0)
        check_written(&writer, &columns);
    hd_literal_writer_fini(&writer);
    heapd__v1__literal__free_unpacked(message, NULL);
    return 0;
}
