#include "client/lib/literal.h"

#include <stdlib.h>

#include "client/lib/wire.h"
#include "common/frame.h"

/* A column can be longer than a frame only in a literal that could not be sent anyway. */
#define HD_LITERAL_LIMIT_BYTES ((size_t)HD_FRAME_MAX_BODY_BYTES * 8)

struct heapd_literal *heapd_literal_new(void)
{
    struct heapd_literal *literal = calloc(1, sizeof *literal);
    if (literal)
        hd_literal_writer_init(&literal->writer, &hd_allocator_libc, HD_LITERAL_LIMIT_BYTES);
    return literal;
}

void heapd_literal_free(struct heapd_literal *literal)
{
    if (!literal)
        return;
    hd_upload_abandon(literal);
    hd_literal_writer_fini(&literal->writer);
    free(literal->open);
    free(literal);
}

void heapd_literal_reset(struct heapd_literal *literal)
{
    hd_upload_abandon(literal);
    hd_literal_writer_reset(&literal->writer);
    literal->open_count = 0;
    literal->top_count = 0;
    literal->error = 0;
}

static struct hd_open *innermost(const struct heapd_literal *literal)
{
    return literal->open_count ? &literal->open[literal->open_count - 1] : NULL;
}

static int stick(struct heapd_literal *literal, int error)
{
    if (error && !literal->error)
        literal->error = error;
    return error;
}

/* A node more in whatever it stands in. */
static void count_node(struct heapd_literal *literal)
{
    struct hd_open *around = innermost(literal);
    if (around)
        around->count++;
    if (!around || around->captured)
        literal->top_count++;
}

static int after_node(struct heapd_literal *literal)
{
    return literal->upload.connection ? hd_upload_after_node(literal) : 0;
}

static int add_node(struct heapd_literal *literal, const struct hd_node *node)
{
    if (literal->error)
        return literal->error;
    int error = hd_literal_writer_add(&literal->writer, node);
    if (error)
        return stick(literal, error);
    count_node(literal);
    return stick(literal, after_node(literal));
}

static int node_of(const struct heapd_value *value, struct hd_node *out)
{
    struct heapd_bytes bytes = value->as.bytes;
    switch (value->kind) {
    case HEAPD_VALUE_NONE:
        *out = (struct hd_node){.kind = HD_KIND_NONE};
        return 0;
    case HEAPD_VALUE_BOOL:
        *out = (struct hd_node){.kind = value->as.boolean ? HD_KIND_TRUE : HD_KIND_FALSE};
        return 0;
    case HEAPD_VALUE_INT:
        *out = (struct hd_node){.kind = HD_KIND_INT, .integer = value->as.integer};
        return 0;
    case HEAPD_VALUE_FLOAT:
        *out = (struct hd_node){.kind = HD_KIND_FLOAT, .real = value->as.real};
        return 0;
    case HEAPD_VALUE_BIG_INT:
        *out = (struct hd_node){.kind = HD_KIND_BIG_INT, .bytes = {(const uint8_t *)bytes.data, bytes.size}};
        return 0;
    case HEAPD_VALUE_STR:
        *out = (struct hd_node){.kind = HD_KIND_STR, .bytes = {(const uint8_t *)bytes.data, bytes.size}};
        return 0;
    case HEAPD_VALUE_BYTES:
        *out = (struct hd_node){.kind = HD_KIND_BYTES, .bytes = {(const uint8_t *)bytes.data, bytes.size}};
        return 0;
    case HEAPD_VALUE_REF:
        *out = (struct hd_node){.kind = HD_KIND_HANDLE, .handle = value->as.ref};
        return 0;
    case HEAPD_VALUE_ABSENT:
    case HEAPD_VALUE_LITERAL:
        break;
    }
    return HD_EINVALID;
}

int heapd_literal_add(struct heapd_literal *literal, struct heapd_value value)
{
    struct hd_node node;
    int error = node_of(&value, &node);
    return error ? stick(literal, error) : add_node(literal, &node);
}

int heapd_literal_add_ints(struct heapd_literal *literal, const int64_t *values, size_t count)
{
    if (literal->error)
        return literal->error;
    /* What is sent while it grows is looked at after every node. */
    if (literal->upload.connection) {
        int error = 0;
        for (size_t i = 0; !error && i < count; i++)
            error = heapd_literal_add(literal, heapd_int(values[i]));
        return error;
    }
    int error = hd_literal_writer_add_ints(&literal->writer, values, count);
    if (error)
        return stick(literal, error);
    struct hd_open *around = innermost(literal);
    if (around)
        around->count += count;
    if (!around || around->captured)
        literal->top_count += count;
    return 0;
}

static int push_open(struct heapd_literal *literal, enum hd_kind kind)
{
    if (literal->open_count == literal->open_capacity) {
        size_t capacity = literal->open_capacity ? literal->open_capacity * 2 : 16;
        struct hd_open *grown = realloc(literal->open, capacity * sizeof *grown);
        if (!grown)
            return HD_ENOMEM;
        literal->open = grown;
        literal->open_capacity = capacity;
    }
    literal->open[literal->open_count++] = (struct hd_open){
        .kind = kind,
        .count_position = hd_literal_writer_count_position(&literal->writer),
        .number = literal->writer.container_count,
    };
    return 0;
}

static int open_container(struct heapd_literal *literal, enum hd_kind kind)
{
    if (literal->error)
        return literal->error;
    count_node(literal);
    int error = push_open(literal, kind);
    if (!error)
        error = hd_literal_writer_add(&literal->writer, &(struct hd_node){.kind = kind});
    return stick(literal, error);
}

int heapd_literal_open_list(struct heapd_literal *literal)
{
    int error = open_container(literal, HD_KIND_LIST);
    return error ? error : stick(literal, after_node(literal));
}

int heapd_literal_open_tuple(struct heapd_literal *literal)
{
    return open_container(literal, HD_KIND_TUPLE);
}

int heapd_literal_open_dict(struct heapd_literal *literal)
{
    int error = open_container(literal, HD_KIND_DICT);
    return error ? error : stick(literal, after_node(literal));
}

int heapd_literal_open_set(struct heapd_literal *literal)
{
    return open_container(literal, HD_KIND_SET);
}

int heapd_literal_open_frozenset(struct heapd_literal *literal)
{
    return open_container(literal, HD_KIND_FROZENSET);
}

int heapd_literal_open_instance(struct heapd_literal *literal, heapd_handle class_handle)
{
    int error = open_container(literal, HD_KIND_INSTANCE);
    if (error)
        return error;
    /* The class stands in front of the pairs and is not counted with them. */
    struct hd_node node = {.kind = HD_KIND_HANDLE, .handle = class_handle};
    return stick(literal, hd_literal_writer_add(&literal->writer, &node));
}

static bool has_pairs(enum hd_kind kind)
{
    return kind == HD_KIND_DICT || kind == HD_KIND_INSTANCE;
}

int heapd_literal_close(struct heapd_literal *literal)
{
    if (literal->error)
        return literal->error;
    struct hd_open *closed = innermost(literal);
    if (!closed || (has_pairs(closed->kind) && closed->count % 2))
        return stick(literal, HD_EINVALID);
    if (closed->captured) {
        int error = hd_upload_close(literal, closed);
        literal->open_count -= !error;
        return stick(literal, error);
    }
    uint64_t count = has_pairs(closed->kind) ? closed->count / 2 : closed->count;
    hd_literal_writer_set_count(&literal->writer, closed->count_position, count);
    literal->open_count--;
    return stick(literal, after_node(literal));
}

static bool is_open(const struct heapd_literal *literal, uint64_t number)
{
    for (size_t i = 0; i < literal->open_count; i++) {
        if (literal->open[i].number == number)
            return true;
    }
    return false;
}

int heapd_literal_add_shared(struct heapd_literal *literal, uint64_t container_number)
{
    if (literal->error)
        return literal->error;
    if (literal->upload.connection || container_number >= literal->writer.container_count)
        return stick(literal, HD_EINVALID);
    if (is_open(literal, container_number))
        return stick(literal, HD_ECYCLE);
    return add_node(literal, &(struct hd_node){.kind = HD_KIND_SHARED, .shared = container_number});
}

uint64_t heapd_literal_last_container(const struct heapd_literal *literal)
{
    return literal->writer.container_count ? literal->writer.container_count - 1 : 0;
}

size_t heapd_literal_depth(const struct heapd_literal *literal)
{
    return literal->open_count;
}

size_t heapd_literal_size_bytes(const struct heapd_literal *literal)
{
    return hd_literal_writer_size_bytes(&literal->writer);
}

size_t heapd_literal_top_count(const struct heapd_literal *literal)
{
    return (size_t)literal->top_count;
}

int heapd_literal_state(const struct heapd_literal *literal)
{
    if (literal->error)
        return literal->error;
    return literal->open_count ? HD_EINVALID : 0;
}

void hd_wire_columns(const struct heapd_literal *literal, Heapd__V1__Literal *out)
{
    struct hd_columns columns;
    hd_literal_writer_columns(&literal->writer, &columns);
    heapd__v1__literal__init(out);
    /* Generated messages are not const-correct; nothing is written through these. */
    out->kinds = (ProtobufCBinaryData){columns.kind_count, (uint8_t *)(uintptr_t)columns.kinds};
    out->n_integers = columns.integer_count;
    out->integers = (int64_t *)(uintptr_t)columns.integers;
    out->n_reals = columns.real_count;
    out->reals = (double *)(uintptr_t)columns.reals;
    out->n_sizes = columns.size_count;
    out->sizes = (uint64_t *)(uintptr_t)columns.sizes;
    out->data = (ProtobufCBinaryData){columns.data_bytes, (uint8_t *)(uintptr_t)columns.data};
    out->n_counts = columns.count_count;
    out->counts = (uint64_t *)(uintptr_t)columns.counts;
    out->n_handles = columns.handle_count;
    out->handles = (uint64_t *)(uintptr_t)columns.handles;
    out->n_shared = columns.shared_count;
    out->shared = (uint64_t *)(uintptr_t)columns.shared;
}

int hd_wire_literal(const struct heapd_literal *literal, Heapd__V1__Literal *out)
{
    /* An attached literal sends itself. */
    if (literal->upload.connection)
        return HD_EINVALID;
    int error = heapd_literal_state(literal);
    if (!error)
        hd_wire_columns(literal, out);
    return error;
}
