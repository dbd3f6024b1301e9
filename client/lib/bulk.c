/* Columns: arrays of C into lists and dicts, and back; several items in one request. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/call.h"
#include "client/lib/wire.h"
#include "common/literal.h"
#include "heapd/v1/bulk.pb-c.h"
#include "heapd/v1/object.pb-c.h"

/* A part of a column has so many rows at most, and about so many bytes of strs. */
#define ROWS_MAX ((size_t)8192)
#define DATA_MAX ((size_t)128 << 10)
/* A number and its kind take no more on the wire. */
#define NODE_BYTES ((size_t)16)
/* Parts that are on their way at once. */
#define WINDOW 8

/* ---- parts ---- */

/* Values, or keys and values in turn. */
struct source {
    struct heapd_column columns[2];
    unsigned column_count;
    size_t at; /* rows that were taken */
};

struct part {
    size_t rows_max;
    size_t data_max;
    uint8_t *kinds; /* own, as the others: room for rows_max rows and a container */
    int64_t *integers;
    double *reals;
    uint64_t *sizes;
    uint8_t *data;
    size_t data_capacity;
    uint64_t count;
    Heapd__V1__Literal literal; /* borrows from these, or from the column itself */
};

static void part_fini(struct part *part)
{
    free(part->kinds);
    free(part->integers);
    free(part->reals);
    free(part->sizes);
    free(part->data);
}

static int part_init(struct part *part, struct heapd_connection *connection, struct heapd_error *error)
{
    struct heapd_server_info server;
    heapd_get_server_info(connection, &server);
    *part = (struct part){.rows_max = ROWS_MAX, .data_max = DATA_MAX};
    if (part->rows_max > server.max_frame_bytes / (4 * NODE_BYTES))
        part->rows_max = server.max_frame_bytes / (4 * NODE_BYTES);
    if (part->data_max > server.max_frame_bytes / 4)
        part->data_max = server.max_frame_bytes / 4;
    size_t nodes = 2 * part->rows_max;
    part->kinds = malloc(nodes + 1);
    part->integers = malloc(nodes * sizeof *part->integers);
    part->reals = malloc(nodes * sizeof *part->reals);
    part->sizes = malloc(nodes * sizeof *part->sizes);
    if (part->kinds && part->integers && part->reals && part->sizes)
        return 0;
    part_fini(part);
    return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a part of the column");
}

static bool is_text(enum heapd_column_kind kind)
{
    return kind == HEAPD_COLUMN_STRS || kind == HEAPD_COLUMN_BYTES;
}

static enum hd_kind node_kind(enum heapd_column_kind kind)
{
    static const enum hd_kind kinds[] = {[HEAPD_COLUMN_INTS] = HD_KIND_INT,
                                         [HEAPD_COLUMN_FLOATS] = HD_KIND_FLOAT,
                                         [HEAPD_COLUMN_STRS] = HD_KIND_STR,
                                         [HEAPD_COLUMN_BYTES] = HD_KIND_BYTES};
    return kinds[kind];
}

/* How many rows the next part has, and how many bytes of strs: at least one row. */
static size_t rows_of(const struct source *source, const struct part *part, size_t *data_bytes)
{
    size_t most = source->columns[0].count - source->at;
    size_t bytes = 0;
    if (most > part->rows_max)
        most = part->rows_max;
    for (size_t row = 0; row < most; row++) {
        size_t more = 0;
        for (unsigned i = 0; i < source->column_count; i++)
            if (is_text(source->columns[i].kind))
                more += source->columns[i].as.bytes[source->at + row].size;
        if (row > 0 && bytes + more > part->data_max) {
            most = row;
            break;
        }
        bytes += more;
    }
    *data_bytes = bytes;
    return most;
}

static bool is_alone(const struct source *source, enum heapd_column_kind kind)
{
    return source->column_count == 1 || source->columns[0].kind != kind || source->columns[1].kind != kind;
}

static void put_texts(const struct source *source, struct part *part, size_t rows)
{
    Heapd__V1__Literal *literal = &part->literal;
    size_t end = 0;
    for (size_t row = source->at; row < source->at + rows; row++) {
        for (unsigned i = 0; i < source->column_count; i++) {
            if (!is_text(source->columns[i].kind))
                continue;
            const struct heapd_bytes *text = &source->columns[i].as.bytes[row];
            part->sizes[literal->n_sizes++] = text->size;
            if (text->size)
                memcpy(part->data + end, text->data, text->size);
            end += text->size;
        }
    }
    literal->sizes = part->sizes;
    literal->data = (ProtobufCBinaryData){end, part->data};
}

/* The numbers of one column are sent as they lie; those of two take turns. */
static void put_numbers(const struct source *source, struct part *part, size_t rows)
{
    Heapd__V1__Literal *literal = &part->literal;
    for (unsigned i = 0; i < source->column_count; i++) {
        const struct heapd_column *column = &source->columns[i];
        bool alone = is_alone(source, column->kind);
        size_t step = alone ? 1 : 2;
        if (column->kind == HEAPD_COLUMN_INTS) {
            literal->integers = alone ? (int64_t *)(uintptr_t)(column->as.ints + source->at) : part->integers;
            literal->n_integers = rows * step;
            for (size_t row = 0; !alone && row < rows; row++)
                part->integers[2 * row + i] = column->as.ints[source->at + row];
        } else if (column->kind == HEAPD_COLUMN_FLOATS) {
            literal->reals = alone ? (double *)(uintptr_t)(column->as.floats + source->at) : part->reals;
            literal->n_reals = rows * step;
            for (size_t row = 0; !alone && row < rows; row++)
                part->reals[2 * row + i] = column->as.floats[source->at + row];
        }
    }
}

/* The next rows as a literal; in a container of that kind, unless it is HD_KIND_NONE. */
static int take_part(struct source *source, struct part *part, enum hd_kind container, struct heapd_error *error)
{
    size_t data_bytes, rows = rows_of(source, part, &data_bytes);
    uint8_t *kind = part->kinds;
    heapd__v1__literal__init(&part->literal);
    if (data_bytes > part->data_capacity) {
        uint8_t *data = realloc(part->data, data_bytes);
        if (!data)
            return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a part of the column");
        part->data = data;
        part->data_capacity = data_bytes;
    }
    if (container != HD_KIND_NONE) {
        *kind++ = (uint8_t)container;
        part->count = rows;
        part->literal.counts = &part->count;
        part->literal.n_counts = 1;
    }
    if (source->column_count == 1) {
        memset(kind, (int)node_kind(source->columns[0].kind), rows);
        kind += rows;
    } else {
        for (size_t row = 0; row < rows; row++) {
            *kind++ = (uint8_t)node_kind(source->columns[0].kind);
            *kind++ = (uint8_t)node_kind(source->columns[1].kind);
        }
    }
    part->literal.kinds = (ProtobufCBinaryData){(size_t)(kind - part->kinds), part->kinds};
    put_numbers(source, part, rows);
    put_texts(source, part, rows);
    source->at += rows;
    return 0;
}

static bool is_taken(const struct source *source)
{
    return source->at == source->columns[0].count;
}

static int check(const struct source *source, struct heapd_error *error)
{
    for (unsigned i = 0; i < source->column_count; i++) {
        const struct heapd_column *column = &source->columns[i];
        if (column->kind < HEAPD_COLUMN_INTS || column->kind > HEAPD_COLUMN_BYTES)
            return hd_fail_with(error, HD_EINVALID, "a column of an unknown kind");
        if (column->count != source->columns[0].count)
            return hd_fail_with(error, HD_EINVALID, "%zu keys for %zu values", source->columns[0].count, column->count);
    }
    return 0;
}

/* ---- sending ---- */

static int wait_oldest(struct heapd_connection *connection, heapd_ticket *tickets, size_t *count,
                       struct heapd_error *error)
{
    int code = heapd_wait(connection, tickets[0], -1, NULL, error);
    memmove(tickets, tickets + 1, --*count * sizeof *tickets);
    return code;
}

/* Extends with the rest of the source, some parts at once. */
static int send_rest(struct heapd_connection *connection, heapd_handle object, struct source *source, struct part *part,
                     heapd_ticket create, struct heapd_error *error)
{
    heapd_ticket tickets[WINDOW] = {create};
    size_t waiting = 1;
    int code = 0;
    while (!code && !is_taken(source)) {
        Heapd__V1__ExtendRequest message = HEAPD__V1__EXTEND_REQUEST__INIT;
        if (waiting == WINDOW)
            code = wait_oldest(connection, tickets, &waiting, error);
        if (!code)
            code = take_part(source, part, HD_KIND_NONE, error);
        if (code)
            break;
        message.object = object;
        message.literal = &part->literal;
        const struct hd_call call = {.method = HEAPD_METHOD_EXTEND, .message = &message.base};
        code = hd_call_begin(connection, &call, 0, &tickets[waiting], error);
        waiting += !code;
    }
    while (waiting > 0) {
        /* The first failure is told. */
        int late = wait_oldest(connection, tickets, &waiting, code ? NULL : error);
        code = code ? code : late;
    }
    return code;
}

static int make(struct heapd_connection *connection, struct source *source, enum hd_kind container, heapd_handle *out,
                struct heapd_error *error)
{
    Heapd__V1__CreateRequest message = HEAPD__V1__CREATE_REQUEST__INIT;
    struct part part;
    heapd_ticket ticket;
    int code = check(source, error);
    if (!code)
        code = part_init(&part, connection, error);
    if (code)
        return code;
    code = take_part(source, &part, container, error);
    if (!code) {
        message.literal = &part.literal;
        const struct hd_call call = {
            .method = HEAPD_METHOD_CREATE, .message = &message.base, .into = &message.into, .handed_out = true};
        code = hd_call_begin(connection, &call, 0, &ticket, error);
    }
    if (!code) {
        code = send_rest(connection, message.into, source, &part, ticket, error);
        if (code)
            (void)heapd_release(connection, message.into);
        else
            *out = message.into;
    }
    part_fini(&part);
    return code;
}

/* At once if it is one part. 1: it was done; 0: it has more. */
static int extend_at_once(struct heapd_connection *connection, heapd_handle object, struct source *source,
                          struct heapd_error *error)
{
    struct part part;
    int code = check(source, error);
    if (!code)
        code = part_init(&part, connection, error);
    if (code)
        return code;
    code = take_part(source, &part, HD_KIND_NONE, error);
    bool is_all = is_taken(source);
    source->at = 0;
    if (!code && is_all) {
        Heapd__V1__ExtendRequest message = HEAPD__V1__EXTEND_REQUEST__INIT;
        message.object = object;
        message.literal = &part.literal;
        const struct hd_call call = {.method = HEAPD_METHOD_EXTEND, .message = &message.base};
        code = hd_call_sync(connection, &call, 0, NULL, error);
    }
    part_fini(&part);
    return code ? code : is_all;
}

int heapd_new_list_of(struct heapd_connection *connection, struct heapd_column values, heapd_handle *out,
                      struct heapd_error *error)
{
    struct source source = {.columns = {values}, .column_count = 1};
    return make(connection, &source, HD_KIND_LIST, out, error);
}

int heapd_new_dict_of(struct heapd_connection *connection, struct heapd_column keys, struct heapd_column values,
                      heapd_handle *out, struct heapd_error *error)
{
    struct source source = {.columns = {keys, values}, .column_count = 2};
    return make(connection, &source, HD_KIND_DICT, out, error);
}

int heapd_extend_column(struct heapd_connection *connection, heapd_handle list, struct heapd_column values,
                        struct heapd_error *error)
{
    struct source source = {.columns = {values}, .column_count = 1};
    heapd_handle whole;
    int code = extend_at_once(connection, list, &source, error);
    if (code)
        return code < 0 ? code : 0;
    /* All of it in one step: it is gathered on the other side first. */
    code = make(connection, &source, HD_KIND_LIST, &whole, error);
    if (code)
        return code;
    code = heapd_extend_from(connection, list, heapd_ref(whole), error);
    (void)heapd_release(connection, whole);
    return code;
}

int heapd_update_columns(struct heapd_connection *connection, heapd_handle dict, struct heapd_column keys,
                         struct heapd_column values, struct heapd_error *error)
{
    struct source source = {.columns = {keys, values}, .column_count = 2};
    heapd_handle whole;
    int code = extend_at_once(connection, dict, &source, error);
    if (code)
        return code < 0 ? code : 0;
    code = make(connection, &source, HD_KIND_DICT, &whole, error);
    if (code)
        return code;
    const struct heapd_value other = heapd_ref(whole);
    code = heapd_dict_update(connection, dict, &other, 1, true, error);
    (void)heapd_release(connection, whole);
    return code;
}

/* ---- reading columns ---- */

/* Where they go: one of the two. */
struct target {
    int64_t *ints;
    double *floats;
    size_t count;
    size_t read;
};

static int read_run(struct heapd_export *export, struct target *target, size_t *count, struct heapd_error *error)
{
    const int64_t *ints;
    const double *floats;
    size_t left = target->count - target->read;
    int code = target->ints ? heapd_export_ints(export, &ints, count, error)
                            : heapd_export_floats(export, &floats, count, error);
    if (code || *count == 0)
        return code;
    if (*count > left)
        return hd_fail_with(error, HD_EPROTOCOL, "the export has more elements than it said");
    if (target->ints)
        memcpy(target->ints + target->read, ints, *count * sizeof *ints);
    else
        memcpy(target->floats + target->read, floats, *count * sizeof *floats);
    target->read += *count;
    return 0;
}

/* 1: an element; 0: the end of all. */
static int read_node(struct heapd_export *export, struct target *target, struct heapd_error *error)
{
    struct heapd_node node;
    int code = heapd_export_next(export, &node, error);
    if (code <= 0)
        return code;
    if (node.kind == HEAPD_NODE_END ||
        (node.depth == 0 && (node.kind == HEAPD_NODE_LIST || node.kind == HEAPD_NODE_TUPLE)))
        return 1;
    bool is_int = node.kind == HEAPD_NODE_VALUE && node.value.kind == HEAPD_VALUE_INT;
    if (node.depth == 0 || target->ints || !is_int || target->read == target->count)
        return hd_fail_with(error, HD_ETYPE, node.depth ? "element %zu is no %s" : "what was given is no list or tuple",
                            target->read, target->ints ? "int of 64 bits" : "number of 64 bits");
    target->floats[target->read++] = (double)node.value.as.integer;
    return 1;
}

static int read_all(struct heapd_connection *connection, heapd_handle sequence, struct target *target,
                    struct heapd_error *error)
{
    struct heapd_export *export;
    int code = heapd_export_open(connection, sequence, 0, &export, error);
    if (code)
        return code;
    do {
        size_t count;
        code = read_run(export, target, &count, error);
        if (!code)
            code = count ? 1 : read_node(export, target, error);
    } while (code > 0);
    heapd_export_close(export);
    return code;
}

static int read_column(struct heapd_connection *connection, heapd_handle sequence, uint64_t start,
                       struct target *target, size_t *read, struct heapd_error *error)
{
    struct heapd_value part;
    uint64_t length;
    int code = heapd_length(connection, sequence, &length, error);
    if (code)
        return code;
    if (start >= length || target->count == 0) {
        *read = 0;
        return 0;
    }
    if (target->count > length - start)
        target->count = (size_t)(length - start);
    if (target->count == length) {
        code = read_all(connection, sequence, target, error);
    } else {
        struct heapd_range range = heapd_range_of((int64_t)start, (int64_t)(start + target->count));
        code = heapd_get_slice(connection, sequence, range, HEAPD_OBJECT, &part, error);
        if (code)
            return code;
        code = read_all(connection, part.as.ref, target, error);
        (void)heapd_release(connection, part.as.ref);
    }
    if (!code)
        *read = target->read;
    return code;
}

int heapd_read_ints(struct heapd_connection *connection, heapd_handle sequence, uint64_t start, int64_t *out,
                    size_t count, size_t *read, struct heapd_error *error)
{
    struct target target = {.ints = out, .count = count};
    return read_column(connection, sequence, start, &target, read, error);
}

int heapd_read_floats(struct heapd_connection *connection, heapd_handle sequence, uint64_t start, double *out,
                      size_t count, size_t *read, struct heapd_error *error)
{
    struct target target = {.floats = out, .count = count};
    return read_column(connection, sequence, start, &target, read, error);
}

/* ---- several items ---- */

struct many {
    Heapd__V1__GetManyRequest message;
    struct hd_wire_value otherwise;
    Heapd__V1__Literal keys;
    struct heapd_literal *literal; /* own */
    struct hd_call call;
};

/* What went wrong is for the call to say. To be ended by heapd_literal_free(many->literal). */
static int fill_many(struct many *many, heapd_handle object, const struct heapd_value *keys, size_t count,
                     const struct heapd_value *otherwise, uint32_t slots)
{
    heapd__v1__get_many_request__init(&many->message);
    many->message.object = object;
    many->message.slots = slots;
    many->call = (struct hd_call){.method = HEAPD_METHOD_GET_MANY,
                                  .message = &many->message.base,
                                  .captures_into = slots ? &many->message.into : NULL,
                                  .capture_count = slots};
    many->literal = heapd_literal_new();
    if (!many->literal)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++)
        (void)heapd_literal_add(many->literal, keys[i]);
    int code = hd_wire_literal(many->literal, &many->keys);
    many->message.keys = &many->keys;
    if (!code && otherwise->kind != HEAPD_VALUE_ABSENT) {
        code = hd_wire_value(otherwise, &many->otherwise);
        many->message.otherwise = &many->otherwise.value;
    }
    return code;
}

int heapd_get_many(struct heapd_connection *connection, heapd_handle object, const struct heapd_value *keys,
                   size_t count, struct heapd_value otherwise, uint32_t slots, struct heapd_result *result,
                   struct heapd_error *error)
{
    struct many many;
    int code = fill_many(&many, object, keys, count, &otherwise, slots);
    code = hd_call_sync(connection, &many.call, code, result, error);
    heapd_literal_free(many.literal);
    return code;
}

int heapd_begin_get_many(struct heapd_connection *connection, heapd_handle object, const struct heapd_value *keys,
                         size_t count, struct heapd_value otherwise, uint32_t slots, heapd_ticket *ticket,
                         struct heapd_error *error)
{
    struct many many;
    int code = fill_many(&many, object, keys, count, &otherwise, slots);
    code = hd_call_begin(connection, &many.call, code, ticket, error);
    heapd_literal_free(many.literal);
    return code;
}
