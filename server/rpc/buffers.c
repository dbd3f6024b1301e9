/* Buffers: large bytes in shared memory (object/bulk.h). */
#include <heapd/v1/buffer.pb-c.h>
#include <string.h>
#include <unistd.h>

#include "common/varint.h"
#include "rpc/private.h"

/* Around the bytes of a part: tags, and lengths as varints. */
#define PART_EXTRA_BYTES ((size_t)48)

/* ---- what goes wrong ---- */

static int fail_buffer(struct hd_call *call, int error, hd_value buffer)
{
    unsigned long long bytes = hd_bulk_bytes(call->objects, buffer);
    switch (error) {
    case HD_EPERMISSION:
        return hd_fail(call, HD_EINVALID, "the buffer belongs to the session that made it, until that has sealed it");
    case HD_EINDEX:
        return hd_fail(call, error, "a part that is not within the buffer's %llu bytes", bytes);
    case HD_ETOO_LARGE:
        return hd_fail(call, error, "a part of more than %zu bytes", HD_BULK_PART_BYTES);
    case HD_ENOT_SEALED:
        if (hd_bulk_state(call->objects, buffer) == HD_BULK_ABANDONED)
            return hd_fail(call, error,
                           "the session that wrote the buffer ended without sealing it, and its bytes are gone");
        return error;
    default:
        return error;
    }
}

static int find_buffer(struct hd_call *call, hd_handle handle, hd_value *out)
{
    hd_value value;
    int error = hd_call_object(call, handle, &value);
    if (error)
        return error;
    if (hd_kind_of(call->objects, value) != HD_IS_BUFFER)
        return hd_fail_on(call, HD_ETYPE, value, NULL);
    *out = value;
    return 0;
}

/* ---- replies ---- */

/* fd (steal, on failure too; -1: none). */
static int reply_buffer(struct hd_call *call, hd_value buffer, hd_handle handle, int fd)
{
    Heapd__V1__BufferReply reply = HEAPD__V1__BUFFER_REPLY__INIT;
    reply.handle = handle;
    reply.size = hd_bulk_bytes(call->objects, buffer);
    reply.serial = hd_bulk_serial(call->objects, buffer);
    reply.sealed = hd_bulk_state(call->objects, buffer) == HD_BULK_SEALED;
    if (fd < 0)
        return hd_reply_message(call, &reply.base, 0);
    int error = hd_reply_passing(call, &reply.base, fd);
    if (error)
        close(fd);
    return error;
}

static int check_descriptors(struct hd_call *call)
{
    if (call->connection->peer.takes_descriptors)
        return 0;
    return hd_fail(call, HD_EINVALID, "descriptors travel over Unix sockets alone; read and write in parts");
}

/* ---- handlers ---- */

static int check_unsealed(struct hd_call *call, uint64_t bytes)
{
    uint64_t limit = call->server->config.max_unsealed_bytes;
    if (limit == 0)
        return 0;
    uint64_t held = hd_bulk_unsealed_bytes(call->objects, call->session->id);
    if (held <= limit && bytes <= limit - held)
        return 0;
    return hd_fail(call, HD_ELIMIT, "buffers of %llu bytes beside %llu that this session has not sealed; at most %llu",
                   (unsigned long long)bytes, (unsigned long long)held, (unsigned long long)limit);
}

int hd_run_create_buffer(struct hd_call *call, const void *message)
{
    const Heapd__V1__CreateBufferRequest *request = message;
    hd_value buffer;
    int fd = -1;
    int error = hd_call_into(call, request->into);
    if (error)
        return error;
    if (!call->into)
        return hd_fail(call, HD_ENOT_PLAIN, "the result is a buffer");
    if (request->size == 0)
        return hd_fail(call, HD_EINVALID, "a buffer of 0 bytes");
    if (request->want_descriptor)
        error = check_descriptors(call);
    if (!error)
        error = check_unsealed(call, request->size);
    if (!error)
        error = hd_bulk_new(call->objects, request->size, call->session->id, &buffer);
    if (error)
        return error;
    if (request->want_descriptor)
        error = hd_bulk_open_writer(call->objects, buffer, call->session->id, &fd);
    if (!error)
        error = reply_buffer(call, buffer, call->into, fd);
    if (error) {
        hd_gc_release(&call->heap->gc, buffer);
        return error;
    }
    hd_session_fill(call->session, call->into, buffer);
    return 0;
}

int hd_run_write_buffer(struct hd_call *call, const void *message)
{
    const Heapd__V1__WriteBufferRequest *request = message;
    hd_value buffer;
    int error = find_buffer(call, request->object, &buffer);
    if (error)
        return error;
    error =
        hd_bulk_write(call->objects, buffer, call->session->id, request->offset, request->data.data, request->data.len);
    if (error)
        return fail_buffer(call, error, buffer);
    hd_reply_empty(call);
    return 0;
}

int hd_run_get_buffer(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetBufferRequest *request = message;
    hd_value buffer;
    int fd = -1;
    int error = find_buffer(call, request->object, &buffer);
    if (!error && request->want_descriptor)
        error = check_descriptors(call);
    if (error)
        return error;
    if (hd_bulk_state(call->objects, buffer) != HD_BULK_SEALED)
        return fail_buffer(call, HD_ENOT_SEALED, buffer);
    if (request->want_descriptor) {
        error = hd_bulk_open_reader(call->objects, buffer, &fd);
        if (error)
            return fail_buffer(call, error, buffer);
    }
    return reply_buffer(call, buffer, 0, fd);
}

/* The bytes go from the file straight into the output, between what protobuf puts around them. */
int hd_read_buffer(struct hd_call *call, hd_value buffer, uint64_t offset, uint64_t size)
{
    uint64_t total = hd_bulk_bytes(call->objects, buffer);
    uint8_t *body;
    if (offset > total)
        return fail_buffer(call, HD_EINDEX, buffer);
    if (size > total - offset)
        size = total - offset;
    if (size > HD_BULK_PART_BYTES)
        size = HD_BULK_PART_BYTES;
    if (size > call->server->config.max_frame_bytes / 2)
        size = call->server->config.max_frame_bytes / 2;
    int error = hd_reply_begin(call, (size_t)size + PART_EXTRA_BYTES, &body);
    if (error)
        return error;
    uint8_t *at = body;
    *at++ = 1 << 3 | 2;
    at = hd_varint_put(at, size);
    error = hd_bulk_read(call->objects, buffer, offset, at, (size_t)size);
    if (error)
        return fail_buffer(call, error, buffer);
    at += size;
    *at++ = 2 << 3;
    at = hd_varint_put(at, total);
    *at++ = 3 << 3;
    at = hd_varint_put(at, HD_IS_BUFFER);
    hd_reply_end(call, (size_t)(at - body), 0);
    return 0;
}

/* ---- sealing ---- */

struct sealing {
    struct hd_unfinished base;
    hd_value buffer; /* own */
    int result;
    bool done;
};

static enum hd_step step_sealing(struct hd_unfinished *unfinished, uint64_t units)
{
    struct sealing *sealing = (struct sealing *)unfinished;
    struct hd_call call;
    (void)units;
    if (!sealing->done)
        return HD_STEP_PARKED;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    int error = sealing->result;
    if (!error)
        error = reply_buffer(&call, sealing->buffer, 0, -1);
    if (error)
        hd_call_refuse(&call, fail_buffer(&call, error, sealing->buffer));
    return HD_STEP_DONE;
}

static void free_sealing(struct hd_unfinished *unfinished)
{
    struct sealing *sealing = (struct sealing *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    struct hd_heap *heap = connection->server->heap;
    if (!sealing->done)
        hd_bulk_forget(&heap->objects, sealing);
    hd_gc_release(&heap->gc, sealing->buffer);
    connection->held = false;
    hd_connection_make_ready(connection);
    hd_allocator_free(connection->server->allocator, sealing, sizeof *sealing);
}

static const struct hd_unfinished_kind sealing_kind = {.step = step_sealing, .free = free_sealing};

int hd_run_seal_buffer(struct hd_call *call, const void *message)
{
    const Heapd__V1__SealBufferRequest *request = message;
    const struct hd_allocator *allocator = call->server->allocator;
    hd_value buffer;
    int error = find_buffer(call, request->object, &buffer);
    if (!error)
        error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct sealing *sealing = hd_allocator_new_zeroed(allocator, sizeof *sealing);
    if (!sealing)
        return HD_ENOMEM;
    error = hd_bulk_seal(call->objects, buffer, call->session->id, sealing);
    if (error) {
        hd_allocator_free(allocator, sealing, sizeof *sealing);
        return fail_buffer(call, error, buffer);
    }
    /* Held by a reference that the collector sees as one from outside. */
    hd_gc_retain(&call->heap->gc, buffer);
    sealing->buffer = buffer;
    hd_unfinished_add(&sealing->base, &sealing_kind, call, true);
    call->connection->held = true;
    return HD_CALL_CONTINUES;
}

void hd_buffers_run(struct hd_rpc_server *server)
{
    void *waiter;
    int result;
    while (hd_bulk_next_sealed(&server->heap->bulk_store, &waiter, &result)) {
        struct sealing *sealing = waiter;
        sealing->done = true;
        sealing->result = result;
        hd_unfinished_make_runnable(&sealing->base);
    }
}
