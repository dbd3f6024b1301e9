/* Many values in one request. */
#include <heapd/v1/bulk.pb-c.h>

#include "common/literal.h"
#include "rpc/private.h"

/* What one reply has at most; clients ask again for the rest. */
#define VALUES_MAX 4096u
#define SLOTS_MAX (2 * VALUES_MAX)
#define PART_BYTES_USUAL (256u << 10)

struct many {
    struct hd_call *call;
    const Heapd__V1__GetManyRequest *request;
    hd_value object;    /* borrow */
    hd_value otherwise; /* own; HD_ABSENT: what is missing is an error */
    struct hd_literal_reader keys;
    struct hd_literal_writer writer;
    size_t part_bytes;
    hd_value *held; /* own, each; what goes into slots */
    Heapd__V1__Type *types;
    uint32_t slots_used;
};

static int key_value(const struct hd_node *node, Heapd__V1__Value *out)
{
    const ProtobufCBinaryData bytes = {node->bytes.size, (uint8_t *)(uintptr_t)node->bytes.data}; /* read only */
    heapd__v1__value__init(out);
    switch (node->kind) {
    case HD_KIND_NONE:
        out->kind_case = HEAPD__V1__VALUE__KIND_NONE;
        return 0;
    case HD_KIND_FALSE:
    case HD_KIND_TRUE:
        out->kind_case = HEAPD__V1__VALUE__KIND_BOOLEAN;
        out->boolean = node->kind == HD_KIND_TRUE;
        return 0;
    case HD_KIND_INT:
        out->kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
        out->integer = node->integer;
        return 0;
    case HD_KIND_FLOAT:
        out->kind_case = HEAPD__V1__VALUE__KIND_REAL;
        out->real = node->real;
        return 0;
    case HD_KIND_BIG_INT:
        out->kind_case = HEAPD__V1__VALUE__KIND_BIG_INTEGER;
        out->big_integer = bytes;
        return 0;
    case HD_KIND_STR:
        out->kind_case = HEAPD__V1__VALUE__KIND_STR;
        out->str = bytes;
        return 0;
    case HD_KIND_BYTES:
        out->kind_case = HEAPD__V1__VALUE__KIND_BYTES;
        out->bytes = bytes;
        return 0;
    case HD_KIND_HANDLE:
        out->kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
        out->handle = node->handle;
        return 0;
    default:
        return HD_EINVALID;
    }
}

/* The value of one key (new). */
static int look_up(struct many *many, const struct hd_node *node, hd_value *out)
{
    struct hd_call *call = many->call;
    struct hd_objects *objects = call->objects;
    Heapd__V1__Value value;
    struct hd_call_key key;
    if (key_value(node, &value))
        return hd_fail(call, HD_EINVALID, "a container is among the keys; send handles to such");
    int error = hd_call_key(call, &value, &key);
    if (error)
        return error;
    if (hd_kind_of(objects, many->object) == HD_IS_INSTANCE)
        error = hd_attribute_get(objects, many->object, &key.key, out);
    else
        error = hd_get_item(objects, many->object, &key.key, out);
    bool missing = error == HD_EKEY || error == HD_EINDEX || error == HD_EATTRIBUTE;
    if (missing && many->otherwise != HD_ABSENT) {
        *out = hd_gc_retain(&call->heap->gc, many->otherwise);
        error = 0;
    } else if (error) {
        (void)hd_fail_on(call, error, many->object, &key.key);
    }
    hd_call_key_done(call, &key);
    return error;
}

/* Takes the value over. 1: it was added; 0: the reply ends before it; or an error. */
static int add(struct many *many, hd_value value)
{
    struct hd_call *call = many->call;
    if (hd_reply_is_plain(call->objects, value)) {
        int error = hd_literal_add_scalar(call->objects, &many->writer, value);
        hd_gc_release(&call->heap->gc, value);
        return error ? error : 1;
    }
    struct hd_node node = {.kind = HD_KIND_HANDLE, .handle = many->request->into + many->slots_used};
    int result = 0;
    if (many->slots_used < many->request->slots)
        result = hd_literal_writer_add(&many->writer, &node) ? HD_ENOMEM : 1;
    else if (hd_buffer_readable(&many->writer.kinds) == 0)
        result = hd_fail(call, HD_ENOT_PLAIN, "a value is an object; offer slots for such");
    if (result != 1) {
        hd_gc_release(&call->heap->gc, value);
        return result;
    }
    many->types[many->slots_used] = (Heapd__V1__Type)hd_kind_of(call->objects, value);
    many->held[many->slots_used++] = value;
    return 1;
}

/* Looks keys up until the reply is full. *done: no key is left. */
static int fill(struct many *many, bool *done)
{
    /* One at least, or whoever asks for the rest would do so for ever. */
    for (unsigned i = 0; i < VALUES_MAX && (i == 0 || hd_literal_writer_size_bytes(&many->writer) < many->part_bytes);
         i++) {
        struct hd_node node;
        hd_value value;
        if (hd_literal_reader_left(&many->keys) == 0)
            break;
        int result = hd_literal_reader_next(&many->keys, &node);
        if (result)
            return hd_fail(many->call, result, "the keys are no literal");
        result = look_up(many, &node, &value);
        if (result)
            return result;
        result = add(many, value);
        if (result < 0)
            return result;
        if (result == 0) {
            *done = false;
            return 0;
        }
    }
    *done = hd_literal_reader_left(&many->keys) == 0;
    return 0;
}

/* The reply, and only then the slots: nothing fails any more. */
static int answer(struct many *many, bool done)
{
    struct hd_call *call = many->call;
    struct hd_columns columns;
    Heapd__V1__CursorChunk reply = HEAPD__V1__CURSOR_CHUNK__INIT;
    hd_literal_writer_columns(&many->writer, &columns);
    Heapd__V1__Literal literal = hd_reply_literal(&columns);
    reply.items = &literal;
    reply.done = done;
    reply.types = many->types;
    reply.n_types = many->slots_used;
    int error = hd_reply_message(call, &reply.base, 0);
    if (error)
        return error;
    for (uint32_t i = 0; i < many->slots_used; i++)
        hd_session_fill(call->session, many->request->into + i, many->held[i]);
    many->slots_used = 0;
    return 0;
}

static int prepare(struct many *many)
{
    struct hd_call *call = many->call;
    const Heapd__V1__GetManyRequest *request = many->request;
    struct hd_call_build keys;
    hd_handle bad;
    int error = hd_call_build_init(call, request->keys, &keys);
    if (error)
        return error;
    hd_literal_reader_init(&many->keys, &keys.columns);
    size_t most = call->server->config.max_frame_bytes / 2;
    many->part_bytes = request->part_bytes ? request->part_bytes : PART_BYTES_USUAL;
    if (many->part_bytes > most)
        many->part_bytes = most;
    if (request->slots > SLOTS_MAX)
        return hd_fail(call, HD_ELIMIT, "%u slots; offer at most %u", request->slots, SLOTS_MAX);
    if (request->slots) {
        call->captures_into = request->into;
        call->captures_count = request->slots;
        error = hd_session_prepare_range(call->session, request->into, request->slots, &bad);
        if (error)
            return hd_fail_slot(call, error, bad);
        many->held = hd_rpc_arena_get(&call->server->arena, request->slots * sizeof *many->held);
        many->types = hd_rpc_arena_get(&call->server->arena, request->slots * sizeof *many->types);
        if (!many->held || !many->types)
            return HD_ENOMEM;
    }
    if (!request->otherwise || request->otherwise->kind_case == HEAPD__V1__VALUE__KIND__NOT_SET)
        return 0;
    return hd_call_value(call, request->otherwise, "stand-in for what is missing", &many->otherwise);
}

int hd_run_get_many(struct hd_call *call, const void *message)
{
    struct many many = {.call = call, .request = message, .otherwise = HD_ABSENT};
    bool done;
    int error = hd_call_object(call, many.request->object, &many.object);
    if (error)
        return error;
    hd_literal_writer_init(&many.writer, call->server->allocator, call->server->config.max_frame_bytes);
    error = prepare(&many);
    if (!error)
        error = fill(&many, &done);
    if (!error)
        error = answer(&many, done);
    for (uint32_t i = 0; i < many.slots_used; i++)
        hd_gc_release(&call->heap->gc, many.held[i]);
    hd_gc_release(&call->heap->gc, many.otherwise);
    hd_literal_writer_fini(&many.writer);
    return error;
}
