/* Scopes and the names in them. */
#include <heapd/v1/names.pb-c.h>
#include <string.h>

#include "rpc/private.h"

/* Names that one ListNames looks at, whether they have the prefix or not. */
#define LOOK_MAX 4096u

int hd_run_open_scope(struct hd_call *call, const void *message)
{
    const Heapd__V1__OpenScopeRequest *request = message;
    hd_value parent, scope;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_scope(call, request->parent, &parent);
    if (!error)
        error = hd_scope_new(call->objects, parent, &scope);
    if (error == HD_EDEPTH)
        return hd_fail(call, error, "a scope with more than %d parents", HD_CHAIN_MAX);
    return error ? error : hd_reply_result(call, scope, true);
}

int hd_run_close_scope(struct hd_call *call, const void *message)
{
    const Heapd__V1__CloseScopeRequest *request = message;
    hd_value scope;
    if (request->scope == 0)
        return hd_fail(call, HD_EINVALID, "the global scope cannot be closed");
    int error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    hd_scope_close(call->objects, scope);
    call->server->waiters_stale = true;
    hd_reply_empty(call);
    return 0;
}

/* Deadlines of names are not undone, so a batch leaves names alone that have one. */
static int check_batch(struct hd_call *call, hd_value scope, const ProtobufCBinaryData *name, uint64_t ttl_ms)
{
    if (!hd_batch_is_running(call->connection))
        return 0;
    if (ttl_ms || hd_heap_name_expires(call->heap, scope, name->data, name->len))
        return hd_fail(call, HD_EBATCH, "a name with a time to live");
    return 0;
}

int hd_run_bind(struct hd_call *call, const void *message)
{
    const Heapd__V1__BindRequest *request = message;
    hd_value scope, value;
    int error = hd_call_scope(call, request->scope, &scope);
    if (!error)
        error = check_batch(call, scope, &request->name, request->ttl_ms);
    if (!error)
        error = hd_call_value(call, request->value, "value", &value);
    if (error)
        return error;
    if (request->ttl_ms)
        error = hd_heap_bind_until(call->heap, scope, request->name.data, request->name.len, value,
                                   hd_names_moment(call->server, request->ttl_ms));
    else
        error = hd_heap_bind(call->heap, scope, request->name.data, request->name.len, value);
    if (error) {
        hd_gc_release(&call->heap->gc, value);
        return hd_fail_name(call, error, &request->name);
    }
    hd_reply_empty(call);
    /* What a batch binds is not there before it ends. */
    if (!hd_batch_binds(call->connection))
        hd_waiters_bound(call->server, request->name.data, request->name.len);
    return 0;
}

int hd_run_lookup(struct hd_call *call, const void *message)
{
    const Heapd__V1__LookupRequest *request = message;
    hd_value scope, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    error = hd_heap_lookup(call->heap, scope, request->name.data, request->name.len, &value);
    if (error == HD_ENAME && request->wait_ms)
        return hd_wait_for_name(call, scope, &request->name, request->as_object, request->wait_ms);
    return error ? hd_fail_name(call, error, &request->name) : hd_reply_result(call, value, request->as_object);
}

int hd_run_unbind(struct hd_call *call, const void *message)
{
    const Heapd__V1__UnbindRequest *request = message;
    hd_value scope;
    int error = hd_call_scope(call, request->scope, &scope);
    if (!error)
        error = check_batch(call, scope, &request->name, 0);
    if (error)
        return error;
    error = hd_heap_unbind(call->heap, scope, request->name.data, request->name.len);
    if (error)
        return hd_fail_name(call, error, &request->name);
    hd_reply_empty(call);
    return 0;
}

/* ---- list ---- */

static bool has_prefix(const uint8_t *name, size_t size, const ProtobufCBinaryData *prefix)
{
    return size >= prefix->len && (prefix->len == 0 || memcmp(name, prefix->data, prefix->len) == 0);
}

static void describe(struct hd_call *call, hd_value value, Heapd__V1__NameInfo *out)
{
    struct hd_object_info info;
    hd_heap_inspect(call->heap, value, &info);
    out->type = (Heapd__V1__Type)info.kind;
    out->identity = info.identity;
    out->length = info.length;
}

/* As NameInfo has it. */
static int64_t ttl_of(struct hd_call *call, hd_value scope, const uint8_t *name, size_t size)
{
    uint64_t at;
    /* Which needs no memory: the name is bound, and its hash known. */
    if (hd_heap_next_deadline(call->heap) == HD_NEVER || hd_heap_deadline(call->heap, scope, name, size, &at) ||
        at == HD_NEVER)
        return 0;
    int64_t left_ms = hd_names_left_ms(call->server, at);
    return left_ms ? left_ms : -1;
}

/*
 * Adds the names from *position on to the reply, within its bytes and the work
 * of one request. *position is where to go on, 0 at the end.
 */
static int gather(struct hd_call *call, hd_value scope, const Heapd__V1__ListNamesRequest *request, uint32_t limit,
                  uint32_t *position, Heapd__V1__ListNamesReply *reply)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    size_t room = call->server->config.max_frame_bytes / 2;
    hd_value name, value;
    /* To tell the length of a long str is work, too. */
    uint64_t units_end = call->objects->work_units + HD_TURN_UNITS;
    for (uint32_t looked = 0; looked < LOOK_MAX && reply->n_names < limit && call->objects->work_units < units_end;
         looked++) {
        uint32_t before = *position;
        if (!hd_heap_next_name(call->heap, scope, position, &name, &value)) {
            *position = 0;
            return 0;
        }
        size_t size;
        const uint8_t *bytes = hd_bytes_view(call->objects, &name, &size);
        if (!has_prefix(bytes, size, &request->prefix))
            continue;
        if (size + 64 > room) {
            *position = before;
            return 0;
        }
        Heapd__V1__NameInfo *info = hd_rpc_arena_get(arena, sizeof *info);
        uint8_t *copy = hd_rpc_arena_get(arena, size);
        if (!info || !copy)
            return HD_ENOMEM;
        heapd__v1__name_info__init(info);
        memcpy(copy, bytes, size);
        info->name = (ProtobufCBinaryData){size, copy};
        describe(call, value, info);
        info->ttl_ms = ttl_of(call, scope, bytes, size);
        reply->names[reply->n_names++] = info;
        room -= size + 64;
    }
    return 0;
}

int hd_run_list_names(struct hd_call *call, const void *message)
{
    const Heapd__V1__ListNamesRequest *request = message;
    Heapd__V1__ListNamesReply reply = HEAPD__V1__LIST_NAMES_REPLY__INIT;
    uint32_t limit = request->limit && request->limit < LOOK_MAX ? request->limit : LOOK_MAX;
    hd_value scope;
    int error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    if (request->start > UINT32_MAX)
        return hd_fail(call, HD_EINDEX, "start %llu is beyond any name", (unsigned long long)request->start);
    uint32_t position = (uint32_t)request->start;
    reply.names = hd_rpc_arena_get(&call->server->arena, limit * sizeof(Heapd__V1__NameInfo *));
    error = reply.names ? gather(call, scope, request, limit, &position, &reply) : HD_ENOMEM;
    if (error)
        return error;
    reply.next = position;
    return hd_reply_message(call, &reply.base, 0);
}
