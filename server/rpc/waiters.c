/*
 * Requests that wait for a name to be bound.
 *
 * A waiter lies in the bucket of its name's hash, so that a Bind finds those
 * that it may wake, and has a deadline (deadlines.c). It holds a reference to its scope: the waiters are roots of the
 * collector. Memory for all of this is there before a request is parked, so waking and ending need none.
 */
#include <string.h>

#include "rpc/private.h"

struct hd_waiter {
    struct hd_unfinished base;
    struct hd_waiter *next; /* of the bucket, oldest first */
    struct hd_waiter *previous;
    hd_value scope; /* own */
    uint64_t wait_ms;
    uint32_t number; /* in server->waiters */
    uint32_t hash;
    bool as_object;
    size_t name_bytes;
    uint8_t name[];
};

/* ---- the roots ---- */

static size_t scan_scopes(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_rpc_server *server =
        (const struct hd_rpc_server *)((const char *)source - offsetof(struct hd_rpc_server, waiter_roots));
    size_t left = server->waiter_count > from ? server->waiter_count - from : 0;
    size_t end = from + (left < max ? left : max);
    for (size_t i = from; i < end; i++)
        if (server->waiters[i]->scope != HD_ABSENT)
            visitor->visit(visitor, server->waiters[i]->scope);
    return end < server->waiter_count ? end : 0;
}

void hd_waiters_init(struct hd_rpc_server *server)
{
    server->waiter_roots.scan = scan_scopes;
    server->waiter_roots.kind = HD_ROOT_WAITER;
    hd_gc_add_roots(&server->heap->gc, &server->waiter_roots);
    server->names_epoch = server->heap->names_epoch;
}

void hd_waiters_fini(struct hd_rpc_server *server)
{
    size_t bytes = server->waiter_capacity * sizeof(struct hd_waiter *);
    hd_gc_remove_roots(&server->heap->gc, &server->waiter_roots);
    hd_allocator_free(server->allocator, server->waiters, bytes);
}

static int reserve(struct hd_rpc_server *server)
{
    if (server->waiter_count < server->waiter_capacity)
        return 0;
    uint32_t capacity = server->waiter_capacity ? server->waiter_capacity * 2 : 16;
    size_t bytes = capacity * sizeof(struct hd_waiter *);
    size_t old_bytes = server->waiter_capacity * sizeof(struct hd_waiter *);
    struct hd_waiter **waiters = hd_allocator_resize(server->allocator, server->waiters, old_bytes, bytes);
    if (!waiters)
        return HD_ENOMEM;
    server->waiters = waiters;
    server->waiter_capacity = capacity;
    return 0;
}

/* ---- names ---- */

/* Keyed, so that no client can make all waiters fall into one bucket. */
static uint32_t hash_name(const struct hd_rpc_server *server, const uint8_t *name, size_t size)
{
    uint64_t hash = server->heap->objects.hash_key[0] ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ name[i]) * UINT64_C(0x100000001b3);
    hash ^= server->heap->objects.hash_key[1];
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32);
}

static struct hd_waiter_list *bucket_of(struct hd_rpc_server *server, uint32_t hash)
{
    return &server->buckets[hash % HD_WAITER_BUCKETS];
}

static void free_waiter(struct hd_unfinished *unfinished)
{
    struct hd_waiter *waiter = (struct hd_waiter *)unfinished;
    struct hd_rpc_server *server = unfinished->connection->server;
    struct hd_waiter_list *bucket = bucket_of(server, waiter->hash);
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        bucket->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        bucket->last = waiter->previous;
    /* The one that takes the place may have been in front of a scan of the roots and is behind it now. */
    struct hd_waiter *last = server->waiters[--server->waiter_count];
    hd_gc_shade(&server->heap->gc, last->scope);
    server->waiters[waiter->number] = last;
    last->number = waiter->number;
    hd_gc_release(&server->heap->gc, waiter->scope);
    hd_allocator_free(server->allocator, waiter, sizeof *waiter + waiter->name_bytes);
}

/* What was looked for is there: the reply. Needs room for a small one. */
static void finish(struct hd_waiter *waiter, hd_value value)
{
    struct hd_call call;
    hd_unfinished_call(&waiter->base, &call);
    int error = hd_reply_prepare(&call, value, waiter->as_object);
    if (error) {
        hd_gc_release(&call.heap->gc, value);
        hd_call_refuse(&call, error);
        return;
    }
    uint32_t before = call.session->pending_count;
    hd_reply_value(&call, value, waiter->as_object);
    if (waiter->base.into && call.session->pending_count == before)
        hd_session_unpend(call.session, waiter->base.into);
}

static void refuse(struct hd_waiter *waiter, int error)
{
    struct hd_call call;
    const ProtobufCBinaryData name = {waiter->name_bytes, waiter->name};
    hd_unfinished_call(&waiter->base, &call);
    if (error == HD_EDEADLINE) {
        struct hd_text text = {call.message, call.message + sizeof call.message};
        hd_text_print(&text, "name ");
        hd_text_bytes(&text, name.data, name.len);
        hd_text_print(&text, " was not bound within %llu ms", (unsigned long long)waiter->wait_ms);
    } else {
        (void)hd_fail_name(&call, error, &name);
    }
    hd_call_refuse(&call, error);
}

static enum hd_step step_waiter(struct hd_unfinished *unfinished, uint64_t units)
{
    (void)units;
    struct hd_waiter *waiter = (struct hd_waiter *)unfinished;
    hd_value value;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    int error =
        hd_heap_lookup(unfinished->connection->server->heap, waiter->scope, waiter->name, waiter->name_bytes, &value);
    if (error == HD_ENAME && !unfinished->timed_out)
        return HD_STEP_PARKED;
    if (!error)
        finish(waiter, value);
    else
        refuse(waiter, error == HD_ENAME ? HD_EDEADLINE : error);
    return HD_STEP_DONE;
}

static const struct hd_unfinished_kind waiter_kind = {.step = step_waiter, .free = free_waiter};

int hd_wait_for_name(struct hd_call *call, hd_value scope, const ProtobufCBinaryData *name, bool as_object,
                     uint64_t wait_ms)
{
    struct hd_rpc_server *server = call->server;
    int error = hd_unfinished_allowed(call);
    if (!error)
        error = reserve(server);
    if (!error)
        error = hd_deadline_reserve(server);
    if (error)
        return error;
    struct hd_waiter *waiter = hd_allocator_new(server->allocator, sizeof *waiter + name->len);
    if (!waiter)
        return HD_ENOMEM;
    *waiter = (struct hd_waiter){.as_object = as_object, .wait_ms = wait_ms, .name_bytes = name->len};
    memcpy(waiter->name, name->data, name->len);
    waiter->scope = hd_gc_retain(&server->heap->gc, scope);
    waiter->hash = hash_name(server, name->data, name->len);
    waiter->number = server->waiter_count;
    server->waiters[server->waiter_count++] = waiter;
    struct hd_waiter_list *bucket = bucket_of(server, waiter->hash);
    waiter->previous = bucket->last;
    if (bucket->last)
        bucket->last->next = waiter;
    else
        bucket->first = waiter;
    bucket->last = waiter;
    if (call->into)
        hd_session_pend(call->session, call->into, call->request_id);
    hd_unfinished_add(&waiter->base, &waiter_kind, call, true);
    hd_deadline_set(&waiter->base, wait_ms);
    return HD_CALL_CONTINUES;
}

/* ---- waking ---- */

void hd_waiters_bound(struct hd_rpc_server *server, const uint8_t *name, size_t size)
{
    server->names_epoch = server->heap->names_epoch;
    if (server->waiter_count == 0)
        return;
    uint32_t hash = hash_name(server, name, size);
    struct hd_waiter *next;
    unsigned woken = 0;
    for (struct hd_waiter *waiter = bucket_of(server, hash)->first; waiter; waiter = next) {
        next = waiter->next;
        if (waiter->hash != hash || waiter->name_bytes != size || memcmp(waiter->name, name, size) != 0)
            continue;
        /* At once while they are few, so that they see the name even if it is unbound next. */
        if (woken++ < HD_WAKE_AT_ONCE && !waiter->base.runnable && !waiter->base.blocked)
            hd_unfinished_after(&waiter->base, step_waiter(&waiter->base, 0));
        else
            hd_unfinished_make_runnable(&waiter->base);
    }
}

void hd_waiters_wake_all(struct hd_rpc_server *server)
{
    server->names_epoch = server->heap->names_epoch;
    server->waiters_stale = false;
    for (uint32_t i = 0; i < server->waiter_count; i++)
        hd_unfinished_make_runnable(&server->waiters[i]->base);
}
