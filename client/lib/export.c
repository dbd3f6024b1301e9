/* Reading everything that an object reaches: a stream of literals, seen as one walk over nodes. */
#include <stdlib.h>

#include "client/lib/call.h"
#include "client/lib/stream.h"
#include "client/lib/wait.h"
#include "common/literal.h"
#include "common/literal_wire.h"
#include "heapd/v1/object.pb-c.h"

struct open {
    enum hd_kind kind;
    uint64_t left; /* nodes still to come in it */
    uint64_t number;
};

struct heapd_export {
    struct heapd_connection *connection; /* borrow */
    uint64_t request_id;
    struct hd_stream stream;     /* guarded by the connection's lock until the request is answered */
    struct hd_stream_part *part; /* own: the one that is being read; its columns borrow from it */
    struct hd_arena arena;       /* what its columns need besides */
    struct hd_literal_reader reader;
    struct open *open; /* own */
    size_t open_count;
    size_t open_capacity;
    uint64_t container_count;
    bool root_seen;
    int error; /* sticks: a failure, or 1 for the regular end */
    struct heapd_error detail;
};

int heapd_export_open(struct heapd_connection *connection, heapd_handle object, uint32_t part_bytes,
                      struct heapd_export **out, struct heapd_error *error)
{
    struct heapd_export *reader = calloc(1, sizeof *reader);
    if (!reader)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for an export");
    hd_arena_init(&reader->arena);
    reader->connection = connection;
    Heapd__V1__ExportRequest message = HEAPD__V1__EXPORT_REQUEST__INIT;
    message.object = object;
    message.part_bytes = part_bytes;
    struct hd_call call = {.method = HD_METHOD_EXPORT, .message = &message.base, .stream = &reader->stream};
    int code = hd_call_begin(connection, &call, 0, &reader->request_id, error);
    if (code) {
        free(reader);
        return code;
    }
    *out = reader;
    return 0;
}

void heapd_export_close(struct heapd_export *reader)
{
    if (!reader)
        return;
    struct heapd_connection *connection = reader->connection;
    if (reader->request_id && hd_enter(connection, NULL) == 0) {
        struct hd_request *request = hd_request_table_find(&connection->requests, reader->request_id);
        bool unanswered = request && !request->answered;
        if (request)
            request->stream = NULL;
        hd_leave(connection);
        if (unanswered)
            (void)heapd_cancel(connection, reader->request_id, NULL);
        heapd_forget(connection, reader->request_id);
    }
    hd_stream_fini(&reader->stream);
    hd_arena_fini(&reader->arena);
    free(reader->part);
    free(reader->open);
    free(reader);
}

static int fail(struct heapd_export *reader, int code, const char *text)
{
    reader->error = hd_fail_with(&reader->detail, code, "%s", text);
    reader->detail.request = reader->request_id;
    return code;
}

/* Waits for the next part or the end. 1: *out is the caller's; 0: the end; negative: the request failed. */
static int next_part(struct heapd_export *reader, struct hd_stream_part **out)
{
    struct heapd_connection *connection = reader->connection;
    int code = hd_enter(connection, &reader->detail);
    if (code)
        return code;
    struct hd_request *request = hd_request_table_find(&connection->requests, reader->request_id);
    struct hd_wait wait = {.kind = HD_WAIT_PART, .request = request};
    int timed_out = hd_wait_for(connection, &wait, -1);
    (void)timed_out; /* without a timeout it cannot be */
    *out = hd_stream_pop(&reader->stream);
    if (*out) {
        code = 1;
    } else {
        code = hd_call_take(connection, request, NULL, &reader->detail);
        reader->request_id = 0;
    }
    hd_leave(connection);
    return code;
}

static void *alloc_column(void *arena, size_t bytes)
{
    return hd_arena_alloc(arena, bytes);
}

/* What the usual reader does not know: fields that newer daemons have, say. */
static int unpack_slowly(struct heapd_export *reader, const struct hd_stream_part *part, struct hd_columns *out)
{
    const Heapd__V1__Literal *literal = heapd__v1__literal__unpack(&reader->arena.protobuf, part->bytes, part->data);
    if (!literal)
        return reader->arena.failed ? HD_ENOMEM : HD_EPROTOCOL;
    *out = (struct hd_columns){
        .kinds = literal->kinds.data,
        .integers = literal->integers,
        .reals = literal->reals,
        .sizes = literal->sizes,
        .data = literal->data.data,
        .counts = literal->counts,
        .handles = literal->handles,
        .shared = literal->shared,
        .kind_count = literal->kinds.len,
        .integer_count = literal->n_integers,
        .real_count = literal->n_reals,
        .size_count = literal->n_sizes,
        .data_bytes = literal->data.len,
        .count_count = literal->n_counts,
        .handle_count = literal->n_handles,
        .shared_count = literal->n_shared,
    };
    return 0;
}

static int begin_part(struct heapd_export *reader, struct hd_stream_part *part)
{
    struct hd_columns columns;
    free(reader->part);
    reader->part = part;
    hd_arena_reset(&reader->arena);
    int code = hd_literal_unpack(part->data, part->bytes, alloc_column, &reader->arena, &columns);
    if (code == 1)
        code = unpack_slowly(reader, part, &columns);
    if (code == HD_ENOMEM)
        return fail(reader, code, "this process has no memory for a part of the export");
    if (code)
        return fail(reader, code, "a part of the export is no literal");
    hd_literal_reader_init_part(&reader->reader, &columns);
    return 0;
}

/* 1: there is a node to read; 0: the export is complete; negative: it failed. */
static int await_node(struct heapd_export *reader)
{
    while (hd_literal_reader_left(&reader->reader) == 0) {
        struct hd_stream_part *part = NULL;
        int code = next_part(reader, &part);
        if (code <= 0) {
            reader->error = code ? code : 1;
            return code;
        }
        code = begin_part(reader, part);
        if (code)
            return code;
    }
    return 1;
}

/* Reads a node that must be there. */
static int read_node(struct heapd_export *reader, struct hd_node *out)
{
    int code = await_node(reader);
    if (code == 0)
        return fail(reader, HD_EPROTOCOL, "the export ended in the middle");
    if (code < 0)
        return code;
    if (hd_literal_reader_next(&reader->reader, out))
        return fail(reader, HD_EPROTOCOL, "a part of the export is no literal");
    return 0;
}

static int push(struct heapd_export *reader, const struct hd_node *node)
{
    bool pairs = node->kind == HD_KIND_DICT || node->kind == HD_KIND_INSTANCE;
    if (pairs && node->count > UINT64_MAX / 2)
        return fail(reader, HD_EPROTOCOL, "a part of the export is no literal");
    if (reader->open_count == reader->open_capacity) {
        size_t capacity = reader->open_capacity ? reader->open_capacity * 2 : 16;
        struct open *grown = realloc(reader->open, capacity * sizeof *grown);
        if (!grown)
            return fail(reader, HD_ENOMEM, "this process has no memory for the export's depth");
        reader->open = grown;
        reader->open_capacity = capacity;
    }
    reader->open[reader->open_count++] = (struct open){
        .kind = node->kind,
        .left = pairs ? node->count * 2 : node->count,
        .number = reader->container_count++,
    };
    return 0;
}

static int open_container(struct heapd_export *reader, const struct hd_node *node, struct heapd_node *out)
{
    static const enum heapd_node_kind kinds[] = {
        [HD_KIND_LIST] = HEAPD_NODE_LIST,         [HD_KIND_TUPLE] = HEAPD_NODE_TUPLE,
        [HD_KIND_DICT] = HEAPD_NODE_DICT,         [HD_KIND_SET] = HEAPD_NODE_SET,
        [HD_KIND_INSTANCE] = HEAPD_NODE_INSTANCE, [HD_KIND_FROZENSET] = HEAPD_NODE_FROZENSET,
    };
    out->kind = kinds[node->kind];
    out->count = node->count;
    out->container = reader->container_count;
    int code = push(reader, node);
    if (code || node->kind != HD_KIND_INSTANCE)
        return code;
    struct hd_node name;
    code = read_node(reader, &name);
    if (code)
        return code;
    if (name.kind != HD_KIND_STR)
        return fail(reader, HD_EPROTOCOL, "an instance in the export has no class name");
    out->value = heapd_str_of((const char *)name.bytes.data, name.bytes.size);
    return 0;
}

static int scalar(struct heapd_export *reader, const struct hd_node *node, struct heapd_node *out)
{
    out->kind = HEAPD_NODE_VALUE;
    const void *data = node->bytes.data;
    switch (node->kind) {
    case HD_KIND_NONE:
        out->value = heapd_none();
        return 0;
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        out->value = heapd_bool(node->kind == HD_KIND_TRUE);
        return 0;
    case HD_KIND_INT:
        out->value = heapd_int(node->integer);
        return 0;
    case HD_KIND_FLOAT:
        out->value = heapd_float(node->real);
        return 0;
    case HD_KIND_BIG_INT:
        out->value = heapd_big_int(data, node->bytes.size);
        return 0;
    case HD_KIND_STR:
        out->value = heapd_str_of(data, node->bytes.size);
        return 0;
    case HD_KIND_BYTES:
        out->value = heapd_bytes_of(data, node->bytes.size);
        return 0;
    case HD_KIND_SHARED:
        if (node->shared >= reader->container_count)
            return fail(reader, HD_EPROTOCOL, "the export refers to a container that did not come");
        out->kind = HEAPD_NODE_SHARED;
        out->container = node->shared;
        return 0;
    default:
        return fail(reader, HD_EPROTOCOL, "the export has a node that no export has");
    }
}

/* The place of the next node: is it a key, and how deep. */
static void place(struct heapd_export *reader, struct heapd_node *out)
{
    out->depth = (uint32_t)reader->open_count;
    if (reader->open_count == 0)
        return;
    struct open *around = &reader->open[reader->open_count - 1];
    bool pairs = around->kind == HD_KIND_DICT || around->kind == HD_KIND_INSTANCE;
    out->is_key = pairs && around->left % 2 == 0;
    around->left--;
}

static bool take_end(struct heapd_export *reader, struct heapd_node *out)
{
    if (reader->open_count == 0 || reader->open[reader->open_count - 1].left > 0)
        return false;
    reader->open_count--;
    *out = (struct heapd_node){
        .kind = HEAPD_NODE_END,
        .depth = (uint32_t)reader->open_count,
        .container = reader->open[reader->open_count].number,
    };
    return true;
}

/*
 * What nearly all nodes are, an int or a str inside a container, written to where it belongs: a node that is put
 * together elsewhere and copied costs more than all the rest of reading it. False: nothing was read.
 */
static bool take_plain(struct heapd_export *reader, struct heapd_node *out)
{
    struct hd_columns *left = &reader->reader.left;
    if (reader->error || reader->open_count == 0 || left->kind_count == 0)
        return false;
    struct open *around = &reader->open[reader->open_count - 1];
    if (around->left == 0)
        return false;
    if (*left->kinds == HD_KIND_INT && left->integer_count > 0) {
        out->value.kind = HEAPD_VALUE_INT;
        out->value.as.integer = *left->integers++;
        left->integer_count--;
    } else if (*left->kinds == HD_KIND_STR && left->size_count > 0 && *left->sizes > 0 &&
               *left->sizes <= left->data_bytes) {
        size_t size = (size_t)*left->sizes++;
        left->size_count--;
        out->value.kind = HEAPD_VALUE_STR;
        out->value.as.bytes.data = (const char *)left->data;
        out->value.as.bytes.size = size;
        left->data += size;
        left->data_bytes -= size;
    } else {
        return false;
    }
    bool pairs = around->kind == HD_KIND_DICT || around->kind == HD_KIND_INSTANCE;
    left->kinds++;
    left->kind_count--;
    out->kind = HEAPD_NODE_VALUE;
    out->is_key = pairs && around->left % 2 == 0;
    out->depth = (uint32_t)reader->open_count;
    out->count = out->container = 0;
    out->value.type = (enum heapd_type)0;
    out->value.memory = NULL;
    around->left--;
    return true;
}

static int next(struct heapd_export *reader, struct heapd_node *out)
{
    if (reader->error)
        return reader->error < 0 ? reader->error : 0;
    if (take_end(reader, out))
        return 1;
    if (reader->root_seen && reader->open_count == 0) {
        int code = await_node(reader);
        return code > 0 ? fail(reader, HD_EPROTOCOL, "the export goes on behind its end") : code;
    }
    struct hd_node node;
    int code = read_node(reader, &node);
    if (code)
        return code;
    struct heapd_node result = {0};
    reader->root_seen = true;
    place(reader, &result);
    code = hd_kind_is_container(node.kind) ? open_container(reader, &node, &result) : scalar(reader, &node, &result);
    if (code)
        return code;
    *out = result;
    return 1;
}

int heapd_export_next(struct heapd_export *reader, struct heapd_node *out, struct heapd_error *error)
{
    int code = take_plain(reader, out) ? 1 : next(reader, out);
    if (error && code < 0)
        *error = reader->detail;
    else
        hd_succeed(error);
    return code;
}

int heapd_export_wait(struct heapd_export *reader, int timeout_ms)
{
    struct heapd_connection *connection = reader->connection;
    bool at_end = reader->open_count > 0 && reader->open[reader->open_count - 1].left == 0;
    if (reader->error || at_end || hd_literal_reader_left(&reader->reader) > 0 || hd_enter(connection, NULL))
        return 0;
    struct hd_request *request = hd_request_table_find(&connection->requests, reader->request_id);
    struct hd_wait wait = {.kind = HD_WAIT_PART, .request = request};
    bool is_here = !request || request->answered || reader->stream.first;
    int code = is_here ? 0 : timeout_ms == 0 ? HEAPD_PENDING : hd_wait_for(connection, &wait, timeout_ms);
    hd_leave(connection);
    return code;
}

/* How many of the next nodes are of the kind, of those that the part has and that belong to the container around. */
static size_t count_run(const struct heapd_export *reader, enum hd_kind kind, size_t column_count)
{
    const struct hd_columns *left = &reader->reader.left;
    const struct open *around = &reader->open[reader->open_count - 1];
    size_t most = left->kind_count < column_count ? left->kind_count : column_count;
    size_t count = 0;
    if (most > around->left)
        most = (size_t)around->left;
    while (count < most && left->kinds[count] == kind)
        count++;
    return count;
}

/* Waits for nodes and takes those of a run; which column they take from is the caller's affair. */
static int take_run(struct heapd_export *reader, enum hd_kind kind, size_t *count)
{
    *count = 0;
    if (reader->error || reader->open_count == 0 || reader->open[reader->open_count - 1].left == 0)
        return reader->error < 0 ? reader->error : 0;
    struct open *around = &reader->open[reader->open_count - 1];
    struct hd_columns *left = &reader->reader.left;
    int code = await_node(reader);
    bool pairs = around->kind == HD_KIND_DICT || around->kind == HD_KIND_INSTANCE;
    if (code <= 0 || pairs)
        return code < 0 ? code : 0;
    *count = count_run(reader, kind, kind == HD_KIND_INT ? left->integer_count : left->real_count);
    left->kinds += *count;
    left->kind_count -= *count;
    around->left -= *count;
    return 0;
}

static int tell(const struct heapd_export *reader, int code, struct heapd_error *error)
{
    if (error && code < 0)
        *error = reader->detail;
    else
        hd_succeed(error);
    return code;
}

int heapd_export_ints(struct heapd_export *reader, const int64_t **values, size_t *count, struct heapd_error *error)
{
    struct hd_columns *left = &reader->reader.left;
    int code = take_run(reader, HD_KIND_INT, count);
    if (*count) {
        *values = left->integers;
        left->integers += *count;
        left->integer_count -= *count;
    }
    return tell(reader, code, error);
}

int heapd_export_floats(struct heapd_export *reader, const double **values, size_t *count, struct heapd_error *error)
{
    struct hd_columns *left = &reader->reader.left;
    int code = take_run(reader, HD_KIND_FLOAT, count);
    if (*count) {
        *values = left->reals;
        left->reals += *count;
        left->real_count -= *count;
    }
    return tell(reader, code, error);
}
