/* Cursors: a container in chunks. */
#include "object/cursor.h"

#include <heapd/v1/containers.pb-c.h>
#include <string.h>

#include "common/literal.h"
#include "rpc/private.h"

#define COUNT_USUAL 1024u
/* So that a chunk stays a short piece of work. */
#define COUNT_MAX 4096u
#define PART_BYTES_USUAL (64u << 10)
#define PART_BYTES_MAX (512u << 10)

int hd_run_open_cursor(struct hd_call *call, const void *message)
{
    const Heapd__V1__OpenCursorRequest *request = message;
    enum hd_view view = request->view ? (enum hd_view)request->view : HD_VIEW_KEYS;
    hd_value object, cursor;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (!error && view > HD_VIEW_ITEMS)
        error = hd_fail(call, HD_EINVALID, "no such view");
    if (error)
        return error;
    error = hd_cursor_new(call->objects, object, view, request->reversed, &cursor);
    return error ? hd_fail_on(call, error, object, NULL) : hd_reply_result(call, cursor, true);
}

/* A chunk that is being made. */
struct chunk {
    struct hd_call *call;
    const Heapd__V1__ReadCursorRequest *request;
    enum hd_view view;
    struct hd_literal_writer writer;
    struct hd_source source; /* behind what is in it */
    uint32_t count;
    uint32_t slots_used;
    bool done;
    hd_value *held; /* own references, for the slots; in the arena */
    /* describe: in the arena */
    Heapd__V1__Type *types;
    Heapd__V1__Type *key_types;
    uint64_t *identities;
    uint64_t *lengths;
    size_t described;
    size_t keys_described;
};

static uint32_t count_wanted(const Heapd__V1__ReadCursorRequest *request)
{
    uint32_t count = request->count ? request->count : COUNT_USUAL;
    return count < COUNT_MAX ? count : COUNT_MAX;
}

static size_t part_bytes_of(const struct hd_call *call, const Heapd__V1__ReadCursorRequest *request)
{
    size_t most = call->server->config.max_frame_bytes / 2;
    size_t bytes = request->part_bytes ? request->part_bytes : PART_BYTES_USUAL;
    bytes = bytes < PART_BYTES_MAX ? bytes : PART_BYTES_MAX;
    return bytes < most ? bytes : most;
}

static int make_room(struct chunk *chunk)
{
    struct hd_rpc_arena *arena = &chunk->call->server->arena;
    size_t count = count_wanted(chunk->request);
    if (chunk->request->slots) {
        chunk->held = hd_rpc_arena_get(arena, chunk->request->slots * sizeof *chunk->held);
        if (!chunk->held)
            return HD_ENOMEM;
    }
    size_t type_count = chunk->request->describe ? count : chunk->request->slots;
    if (type_count) {
        chunk->types = hd_rpc_arena_get(arena, type_count * sizeof *chunk->types);
        if (!chunk->types)
            return HD_ENOMEM;
    }
    if (!chunk->request->describe)
        return 0;
    chunk->key_types = hd_rpc_arena_get(arena, count * sizeof *chunk->key_types);
    chunk->identities = hd_rpc_arena_get(arena, count * sizeof *chunk->identities);
    chunk->lengths = hd_rpc_arena_get(arena, count * sizeof *chunk->lengths);
    return chunk->key_types && chunk->identities && chunk->lengths ? 0 : HD_ENOMEM;
}

/* Are there slots for so many of these? */
static bool fits(const struct chunk *chunk, hd_value first, hd_value second)
{
    const struct hd_objects *objects = chunk->call->objects;
    uint32_t needed = !hd_reply_is_plain(objects, first);
    if (second != HD_ABSENT)
        needed += !hd_reply_is_plain(objects, second);
    return chunk->slots_used + needed <= chunk->request->slots;
}

static int add_value(struct chunk *chunk, hd_value value)
{
    struct hd_objects *objects = chunk->call->objects;
    if (hd_reply_is_plain(objects, value))
        return hd_literal_add_scalar(objects, &chunk->writer, value);
    struct hd_node node = {.kind = HD_KIND_HANDLE, .handle = chunk->request->into + chunk->slots_used};
    int error = hd_literal_writer_add(&chunk->writer, &node);
    if (error)
        return error;
    chunk->types[chunk->slots_used] = (Heapd__V1__Type)hd_kind_of(objects, value);
    chunk->held[chunk->slots_used++] = value;
    return 0;
}

static int add_shown(struct chunk *chunk, hd_value first, hd_value second)
{
    hd_value left = chunk->view == HD_VIEW_VALUES ? second : first;
    hd_value right = chunk->view == HD_VIEW_ITEMS ? second : HD_ABSENT;
    if (!fits(chunk, left, right)) {
        if (chunk->count == 0)
            return hd_fail(chunk->call, HD_ENOT_PLAIN, "an element is an object; offer slots for such");
        return 1;
    }
    int error = add_value(chunk, left);
    if (!error && right != HD_ABSENT)
        error = add_value(chunk, right);
    return error;
}

static int add_described(struct chunk *chunk, hd_value first, hd_value second)
{
    struct hd_objects *objects = chunk->call->objects;
    hd_value value = second == HD_ABSENT ? first : second;
    struct hd_object_info info;
    /* What has no keys is shown itself, where it can be. */
    int error = hd_literal_add_scalar(objects, &chunk->writer, hd_reply_is_plain(objects, first) ? first : HD_NONE);
    if (error)
        return error;
    if (second != HD_ABSENT)
        chunk->key_types[chunk->keys_described++] = (Heapd__V1__Type)hd_kind_of(objects, first);
    hd_heap_inspect(chunk->call->heap, value, &info);
    chunk->types[chunk->described] = (Heapd__V1__Type)info.kind;
    chunk->identities[chunk->described] = info.identity;
    chunk->lengths[chunk->described++] = info.length;
    return 0;
}

static int fill(struct chunk *chunk)
{
    size_t part_bytes = part_bytes_of(chunk->call, chunk->request);
    uint32_t wanted = count_wanted(chunk->request);
    while (chunk->count < wanted && hd_literal_writer_size_bytes(&chunk->writer) < part_bytes) {
        struct hd_source next = chunk->source;
        hd_value first, second;
        if (!hd_source_next(chunk->call->objects, &next, &first, &second)) {
            chunk->done = true;
            return 0;
        }
        int result = chunk->request->describe ? add_described(chunk, first, second) : add_shown(chunk, first, second);
        if (result)
            return result < 0 ? result : 0;
        chunk->source = next;
        chunk->count++;
    }
    return 0;
}

/* The reply, and only then the slots and the cursor: nothing fails any more. */
static int send_chunk(struct chunk *chunk, hd_value cursor)
{
    struct hd_call *call = chunk->call;
    struct hd_columns columns;
    Heapd__V1__CursorChunk reply = HEAPD__V1__CURSOR_CHUNK__INIT;
    hd_literal_writer_columns(&chunk->writer, &columns);
    Heapd__V1__Literal literal = hd_reply_literal(&columns);
    reply.items = &literal;
    reply.done = chunk->done;
    reply.types = chunk->types;
    reply.identities = chunk->identities;
    reply.lengths = chunk->lengths;
    reply.n_types = chunk->request->describe ? chunk->described : chunk->slots_used;
    reply.n_identities = reply.n_lengths = chunk->described;
    reply.key_types = chunk->key_types;
    reply.n_key_types = chunk->keys_described;
    int error = hd_reply_message(call, &reply.base, 0);
    if (error)
        return error;
    for (uint32_t i = 0; i < chunk->slots_used; i++)
        hd_session_fill(call->session, chunk->request->into + i, hd_gc_retain(&call->heap->gc, chunk->held[i]));
    hd_cursor_move_to(call->objects, cursor, &chunk->source, chunk->done);
    return 0;
}

static int read_chunk(struct hd_call *call, const Heapd__V1__ReadCursorRequest *request, hd_value cursor)
{
    struct chunk chunk = {.call = call, .request = request, .view = hd_cursor_view(call->objects, cursor)};
    int result = hd_cursor_source(call->objects, cursor, &chunk.source);
    if (result == HD_EITERATION)
        return hd_fail(call, result, "a %s got or lost an element since the cursor was opened",
                       hd_kind_name(hd_kind_of(call->objects, hd_cursor_container(call->objects, cursor))));
    chunk.done = result == 0;
    hd_literal_writer_init(&chunk.writer, call->server->allocator, call->server->config.max_frame_bytes);
    int error = make_room(&chunk);
    if (!error && !chunk.done)
        error = fill(&chunk);
    if (!error)
        error = send_chunk(&chunk, cursor);
    hd_literal_writer_fini(&chunk.writer);
    return error;
}

int hd_run_read_cursor(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReadCursorRequest *request = message;
    hd_value cursor;
    hd_handle bad;
    int error = hd_call_object_of(call, request->cursor, HD_IS_CURSOR, &cursor);
    if (error)
        return error;
    if (request->slots > COUNT_MAX * 2)
        return hd_fail(call, HD_ELIMIT, "%u slots; offer at most %u", request->slots, COUNT_MAX * 2);
    if (request->slots) {
        call->captures_into = request->into;
        call->captures_count = request->slots;
        error = hd_session_prepare_range(call->session, request->into, request->slots, &bad);
        if (error)
            return hd_fail_slot(call, error, bad);
    }
    return read_chunk(call, request, cursor);
}
