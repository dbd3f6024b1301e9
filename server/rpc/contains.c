/*
 * Contains: at once in a dict or set, and in a short list or tuple. A long one is
 * looked through in slices; the session's later requests wait for it, since they
 * may change the list, and other sessions go on. If one of them changes it, what
 * was seen of it is no answer, and the request ends with HD_ECHANGED.
 */
#include <heapd/v1/object.pb-c.h>

#include "rpc/private.h"

struct search {
    struct hd_unfinished base;
    struct hd_root_source roots;
    struct hd_watcher watcher;
    hd_value object; /* own */
    hd_value key;    /* own */
    uint32_t position;
};

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)from;
    (void)max;
    const struct search *search = (const void *)((const char *)source - offsetof(struct search, roots));
    visitor->visit(visitor, search->object);
    visitor->visit(visitor, search->key);
    return 0;
}

static bool covers(const struct hd_watcher *watcher, uint32_t index)
{
    const struct search *search = (const void *)((const char *)watcher - offsetof(struct search, watcher));
    return hd_value_index(search->object) == index;
}

static enum hd_step step_search(struct hd_unfinished *unfinished, uint64_t units)
{
    struct search *search = (struct search *)unfinished;
    struct hd_call call;
    bool contained;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    struct hd_key key = hd_key_of(search->key);
    int result = search->watcher.changed
                     ? HD_ECHANGED
                     : hd_contains_step(call.objects, search->object, &key, &search->position, units, &contained);
    if (result == 0)
        return HD_STEP_AGAIN;
    if (result > 0)
        hd_reply_bool(&call, contained);
    else
        hd_call_refuse(&call, result);
    return HD_STEP_DONE;
}

static void free_search(struct hd_unfinished *unfinished)
{
    struct search *search = (struct search *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    struct hd_gc *gc = &connection->server->heap->gc;
    hd_gc_watch_end(gc, &search->watcher);
    hd_gc_release(gc, search->object);
    hd_gc_release(gc, search->key);
    hd_gc_remove_roots(gc, &search->roots);
    connection->held = false;
    hd_connection_make_ready(connection);
    hd_allocator_free(connection->server->allocator, search, sizeof *search);
}

static const struct hd_unfinished_kind search_kind = {.step = step_search, .free = free_search};

static int go_on(struct hd_call *call, hd_value object, struct hd_key *key, uint32_t position)
{
    struct hd_gc *gc = &call->heap->gc;
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct search *search = hd_allocator_new_zeroed(call->server->allocator, sizeof *search);
    if (!search)
        return HD_ENOMEM;
    /* The key's bytes lie in the message, which goes. */
    error = hd_key_to_value(call->objects, key, &search->key);
    if (error) {
        hd_allocator_free(call->server->allocator, search, sizeof *search);
        return error;
    }
    search->object = hd_gc_retain(gc, object);
    search->position = position;
    search->roots.scan = scan;
    search->watcher.covers = covers;
    hd_gc_add_roots(gc, &search->roots);
    hd_gc_watch_begin(gc, &search->watcher);
    hd_gc_watch(gc, hd_value_index(object));
    hd_unfinished_add(&search->base, &search_kind, call, false);
    call->connection->held = true;
    return HD_CALL_CONTINUES;
}

int hd_run_contains(struct hd_call *call, const void *message)
{
    const Heapd__V1__ContainsRequest *request = message;
    struct hd_call_key key;
    hd_value object;
    uint32_t position = 0;
    bool contained;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_key(call, request->key, &key);
    if (error)
        return error;
    int result = hd_contains_step(call->objects, object, &key.key, &position, HD_SLICE_UNITS, &contained);
    if (result == 0)
        error = go_on(call, object, &key.key, position);
    else if (result > 0)
        hd_reply_bool(call, contained);
    else
        /* The key may be of any kind, so the object's type is what does not fit. */
        error = hd_fail_on(call, result, object, result == HD_ETYPE ? NULL : &key.key);
    hd_call_key_done(call, &key);
    return error;
}
