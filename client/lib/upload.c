/* Attached literals: documents of any size, sent in parts while they are built. */
#include <stdlib.h>

#include "client/lib/call.h"
#include "client/lib/literal.h"
#include "client/lib/wire.h"
#include "heapd/v1/object.pb-c.h"

#define HD_UPLOAD_PART_BYTES ((size_t)256 << 10)
#define HD_UPLOAD_MIN_BYTES ((size_t)256)

int heapd_literal_attach(struct heapd_literal *literal, struct heapd_connection *connection, size_t part_bytes)
{
    if (literal->upload.connection || literal->open_count || literal->top_count || literal->error)
        return HEAPD_EINVALID;
    int code = heapd_connection_state(connection, NULL);
    if (code)
        return code;
    struct heapd_server_info server;
    heapd_get_server_info(connection, &server);
    size_t most = server.max_frame_bytes / 2;
    if (part_bytes == 0)
        part_bytes = HD_UPLOAD_PART_BYTES;
    if (part_bytes < HD_UPLOAD_MIN_BYTES)
        part_bytes = HD_UPLOAD_MIN_BYTES;
    literal->upload = (struct hd_upload){
        .connection = connection,
        .part_bytes = part_bytes < most ? part_bytes : most,
        .max_depth = server.max_depth,
    };
    return 0;
}

/* Waits for the oldest part. */
static int await_part(struct hd_upload *upload)
{
    struct heapd_error error;
    int code = heapd_wait(upload->connection, upload->tickets[0], -1, NULL, &error);
    upload->ticket_count--;
    for (size_t i = 0; i < upload->ticket_count; i++)
        upload->tickets[i] = upload->tickets[i + 1];
    if (code && !upload->failure.code)
        upload->failure = error;
    return code;
}

static int keep(struct hd_upload *upload, int code, const struct heapd_error *error)
{
    if (code && !upload->failure.code)
        upload->failure = *error;
    return code;
}

/* The containers of this part that are still open: where they begin on the stack of the open ones. */
static size_t first_in_part(const struct heapd_literal *literal)
{
    size_t first = literal->open_count;
    while (first > 0 && !literal->open[first - 1].captured)
        first--;
    return first;
}

static bool has_pairs(enum hd_kind kind)
{
    return kind == HD_KIND_DICT || kind == HD_KIND_INSTANCE;
}

/*
 * Can the part end here? Tuples and instances cannot be extended, and a key must
 * not be parted from its value, though a value that is open may be.
 */
static bool may_split(const struct heapd_literal *literal)
{
    for (size_t i = first_in_part(literal); i < literal->open_count; i++) {
        enum hd_kind kind = literal->open[i].kind;
        if (kind == HD_KIND_TUPLE || kind == HD_KIND_INSTANCE || kind == HD_KIND_FROZENSET)
            return false;
    }
    const struct hd_open *last = literal->open_count ? &literal->open[literal->open_count - 1] : NULL;
    return last && !(has_pairs(last->kind) && last->count % 2);
}

/* Creates the root, or extends the base, with the part as it stands. `captures` are the numbers of what stays open. */
static int send_part(struct heapd_literal *literal, hd_handle base, uint64_t *captures, size_t capture_count,
                     hd_handle *first_capture)
{
    struct hd_upload *upload = &literal->upload;
    if (upload->ticket_count == HD_UPLOAD_WINDOW) {
        int code = await_part(upload);
        if (code)
            return code;
    }
    Heapd__V1__Literal columns;
    hd_wire_columns(literal, &columns);
    Heapd__V1__CreateRequest create = HEAPD__V1__CREATE_REQUEST__INIT;
    Heapd__V1__ExtendRequest extend = HEAPD__V1__EXTEND_REQUEST__INIT;
    struct hd_call call = {.handed_out = true, .capture_count = (uint32_t)capture_count};
    if (base) {
        extend.object = base;
        extend.literal = &columns;
        extend.captures = captures;
        extend.n_captures = capture_count;
        call.method = HEAPD_METHOD_EXTEND;
        call.message = &extend.base;
        call.captures_into = &extend.captures_into;
    } else {
        create.literal = &columns;
        create.captures = captures;
        create.n_captures = capture_count;
        call.method = HEAPD_METHOD_CREATE;
        call.message = &create.base;
        call.into = &create.into;
        call.captures_into = &create.captures_into;
    }
    struct heapd_error error;
    int code = hd_call_begin(upload->connection, &call, 0, &upload->tickets[upload->ticket_count], &error);
    if (code)
        return keep(upload, code, &error);
    upload->ticket_count++;
    upload->sent_bytes += heapd_literal_size_bytes(literal);
    *first_capture = base ? extend.captures_into : create.captures_into;
    if (!base)
        upload->root = create.into;
    hd_literal_writer_reset(&literal->writer);
    literal->top_count = 0;
    return keep(upload, heapd_flush(upload->connection, &error), &error);
}

/* Ends the part here: what is open gets handles, and further nodes go to them. */
static int split(struct heapd_literal *literal)
{
    size_t first = first_in_part(literal);
    /* The root of the document is what Create itself answers. */
    size_t skip = literal->upload.root ? 0 : 1;
    size_t capture_count = literal->open_count - first - skip;
    uint64_t *captures = malloc((capture_count ? capture_count : 1) * sizeof *captures);
    if (!captures)
        return HD_ENOMEM;
    for (size_t i = first; i < literal->open_count; i++) {
        struct hd_open *open = &literal->open[i];
        uint64_t count = has_pairs(open->kind) ? open->count / 2 : open->count;
        hd_literal_writer_set_count(&literal->writer, open->count_position, count);
        if (i >= first + skip)
            captures[i - first - skip] = open->number;
    }
    hd_handle base = first ? literal->open[first - 1].handle : 0;
    hd_handle captured = 0;
    int code = send_part(literal, base, captures, capture_count, &captured);
    free(captures);
    if (code)
        return code;
    for (size_t i = first; i < literal->open_count; i++) {
        struct hd_open *open = &literal->open[i];
        open->handle = i < first + skip ? literal->upload.root : captured + (i - first - skip);
        open->captured = true;
        /* Only whether a key waits for its value matters from now on, and a value that is open has its key. */
        open->count = 0;
    }
    return 0;
}

int hd_upload_after_node(struct heapd_literal *literal)
{
    const struct hd_upload *upload = &literal->upload;
    size_t depth = literal->open_count - first_in_part(literal);
    bool full = heapd_literal_size_bytes(literal) >= upload->part_bytes || depth + 1 >= upload->max_depth;
    return full && may_split(literal) && literal->writer.kinds.end > 0 ? split(literal) : 0;
}

int hd_upload_close(struct heapd_literal *literal, const struct hd_open *closed)
{
    hd_handle none;
    int code = literal->top_count ? send_part(literal, closed->handle, NULL, 0, &none) : 0;
    if (!code && closed->handle != literal->upload.root)
        (void)heapd_release(literal->upload.connection, closed->handle);
    return code;
}

void hd_upload_abandon(struct heapd_literal *literal)
{
    struct hd_upload *upload = &literal->upload;
    if (!upload->connection)
        return;
    for (size_t i = 0; i < upload->ticket_count; i++)
        heapd_forget(upload->connection, upload->tickets[i]);
    for (size_t i = 0; i < literal->open_count; i++) {
        if (literal->open[i].captured && literal->open[i].handle != upload->root)
            (void)heapd_release(upload->connection, literal->open[i].handle);
    }
    (void)heapd_release(upload->connection, upload->root);
    *upload = (struct hd_upload){0};
}

/* What is not sent, and the wait for all that was. */
static int finish(struct heapd_literal *literal)
{
    struct hd_upload *upload = &literal->upload;
    int code = heapd_literal_state(literal);
    if (!code && !upload->root) {
        hd_handle none;
        code = literal->top_count == 1 ? send_part(literal, 0, NULL, 0, &none) : HD_EINVALID;
    } else if (!code && literal->top_count) {
        code = HD_EINVALID; /* something behind the end of the document */
    }
    while (upload->ticket_count > 0) {
        int failed = await_part(upload);
        code = code ? code : failed;
    }
    return code;
}

int heapd_literal_finish(struct heapd_literal *literal, heapd_handle *out, struct heapd_error *error)
{
    struct hd_upload *upload = &literal->upload;
    if (!upload->connection)
        return hd_fail_with(error, HD_EINVALID, "the literal is not attached to a connection");
    int code = finish(literal);
    if (code) {
        (void)hd_fail(error, code);
        if (error && upload->failure.code) {
            *error = upload->failure;
            code = upload->failure.code;
        }
    } else {
        *out = upload->root;
        upload->root = 0; /* it is the caller's now */
        hd_succeed(error);
    }
    heapd_literal_reset(literal);
    return code;
}

uint64_t heapd_literal_sent_bytes(const struct heapd_literal *literal)
{
    return literal->upload.sent_bytes;
}
