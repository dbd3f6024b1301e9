/* Export: everything that an object reaches, in parts, as fast as the client reads. */
#include <heapd/v1/object.pb-c.h>

#include "common/literal.h"
#include "common/literal_wire.h"
#include "rpc/private.h"

#define PART_BYTES_USUAL (256u << 10)
#define PART_BYTES_MIN 1024u
/* The first part goes as soon as it has that: the client works on it while the rest is walked. */
#define FIRST_PART_BYTES (4u << 10)
/* Beside the columns a message has a few bytes, and a part may end with one node more than it should. */
#define PART_MARGIN_BYTES 4096u

struct export
{
    struct hd_unfinished base;
    struct hd_walk *walk; /* own */
    struct hd_literal_writer writer;
    uint32_t part_bytes;
    bool begun;      /* a part was sent */
    bool complete;   /* the walk is; what the writer has is the last part */
    bool part_ready; /* the writer has a part that could not be sent yet */
};

Heapd__V1__Literal hd_reply_literal(const struct hd_columns *columns)
{
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    /* protobuf-c's fields are not const; it only reads. */
    literal.kinds = (ProtobufCBinaryData){columns->kind_count, (uint8_t *)(uintptr_t)columns->kinds};
    literal.data = (ProtobufCBinaryData){columns->data_bytes, (uint8_t *)(uintptr_t)columns->data};
    literal.integers = (int64_t *)(uintptr_t)columns->integers;
    literal.n_integers = columns->integer_count;
    literal.reals = (double *)(uintptr_t)columns->reals;
    literal.n_reals = columns->real_count;
    literal.sizes = (uint64_t *)(uintptr_t)columns->sizes;
    literal.n_sizes = columns->size_count;
    literal.counts = (uint64_t *)(uintptr_t)columns->counts;
    literal.n_counts = columns->count_count;
    literal.handles = (uint64_t *)(uintptr_t)columns->handles;
    literal.n_handles = columns->handle_count;
    literal.shared = (uint64_t *)(uintptr_t)columns->shared;
    literal.n_shared = columns->shared_count;
    return literal;
}

/* Sends what the writer has. HD_ENOMEM: not now. */
static int send_part(struct export *export, struct hd_call *call)
{
    struct hd_columns columns;
    uint8_t *body;
    size_t bytes = hd_literal_writer_size_bytes(&export->writer);
    if (bytes > call->server->config.max_frame_bytes)
        return HD_ETOO_LARGE;
    int error = hd_reply_begin(call, bytes, &body);
    if (error)
        return error;
    hd_literal_writer_columns(&export->writer, &columns);
    hd_reply_end(call, hd_literal_pack(&columns, body), export->complete ? 0 : HD_FRAME_MORE);
    hd_literal_writer_next_part(&export->writer);
    call->server->counts.parts_count++;
    export->part_ready = false;
    export->begun = true;
    return 0;
}

/* Goes on with the walk, until there is a part worth sending or the units are used up. */
static int walk(struct export *export, uint64_t units)
{
    size_t before = hd_literal_writer_size_bytes(&export->writer);
    int result = hd_walk_step(export->walk, &export->writer, export->part_bytes, units);
    if (result < 0)
        return result;
    size_t bytes = hd_literal_writer_size_bytes(&export->writer);
    export->complete = result == 1;
    /* A step that added nothing found the part full. */
    uint32_t enough = export->begun ? export->part_bytes / 2 : FIRST_PART_BYTES;
    export->part_ready = export->complete || bytes >= enough || bytes == before;
    return 0;
}

static void say_why(struct hd_call *call, int error)
{
    if (error == HD_ETYPE)
        (void)hd_fail(call, error, "a class or a scope is among what the object reaches; they have no literal");
    else if (error == HD_ETOO_LARGE)
        (void)hd_fail(call, error, "a str, bytes or int among what the object reaches does not fit a frame");
    else if (error == HD_ECHANGED)
        (void)hd_fail(call, error, "the export ended half way");
}

/* One slice: some walking, or sending what was walked before. */
static int advance(struct export *export, struct hd_call *call, uint64_t units)
{
    int error = 0;
    if (!export->part_ready)
        error = walk(export, units);
    if (!error && export->part_ready)
        error = send_part(export, call);
    return error;
}

static enum hd_step step_export(struct hd_unfinished *unfinished, uint64_t units)
{
    struct export *export = (struct export *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    struct hd_call call;
    if (hd_connection_above_high(connection) || !hd_connection_has_room(connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    int error = advance(export, &call, units);
    /* Memory for a part may be there when what waits before it was sent. */
    if (error == HD_ENOMEM && export->part_ready && hd_buffer_readable(&connection->output))
        return HD_STEP_BLOCKED;
    if (error) {
        say_why(&call, error);
        hd_call_refuse(&call, error);
        return HD_STEP_DONE;
    }
    hd_connection_make_ready(connection);
    return export->complete && !export->part_ready ? HD_STEP_DONE : HD_STEP_AGAIN;
}

static void free_export(struct hd_unfinished *unfinished)
{
    struct export *export = (struct export *)unfinished;
    hd_walk_free(export->walk);
    hd_literal_writer_fini(&export->writer);
    hd_allocator_free(unfinished->connection->server->allocator, export, sizeof *export);
}

static const struct hd_unfinished_kind export_kind = {.step = step_export, .free = free_export};

static uint32_t part_bytes_of(const struct hd_call *call, uint32_t wanted)
{
    uint32_t most = call->server->config.max_frame_bytes - PART_MARGIN_BYTES;
    uint32_t bytes = wanted ? wanted : PART_BYTES_USUAL;
    if (bytes < PART_BYTES_MIN)
        bytes = PART_BYTES_MIN;
    return bytes < most ? bytes : most;
}

/* The first slice is done at once: most exports are small, and end in the order of their requests. */
int hd_run_export(struct hd_call *call, const void *message)
{
    const Heapd__V1__ExportRequest *request = message;
    const struct hd_allocator *allocator = call->server->allocator;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct export *export = hd_allocator_new(allocator, sizeof *export);
    if (!export)
        return HD_ENOMEM;
    *export = (struct export){.part_bytes = part_bytes_of(call, request->part_bytes)};
    hd_literal_writer_init(&export->writer, allocator, call->server->config.max_frame_bytes);
    error = hd_walk_new(call->objects, object, &export->walk);
    if (!error) {
        error = advance(export, call, HD_SLICE_UNITS);
        /* A part that has no room is tried again later; the walk cannot be. */
        if (error == HD_ENOMEM && export->part_ready)
            error = 0;
    }
    if (error || (export->complete && !export->part_ready)) {
        say_why(call, error);
        hd_walk_free(export->walk);
        hd_literal_writer_fini(&export->writer);
        hd_allocator_free(allocator, export, sizeof *export);
        return error;
    }
    hd_unfinished_add(&export->base, &export_kind, call, false);
    return HD_CALL_CONTINUES;
}
