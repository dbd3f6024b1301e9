/* Requests about the whole heap that go on in slices: freezing, unfreezing, compaction. */
#include <heapd/v1/gc.pb-c.h>

#include "rpc/private.h"

/* ---- freezing ---- */

struct freeze {
    struct hd_unfinished base;
    bool freeze;
    bool done;
    uint32_t next; /* entry of the table to go on at */
};

/* True while there is more. */
static bool go_on_freezing(struct hd_rpc_server *server, struct freeze *freeze, uint64_t units)
{
    if (freeze->done)
        return false;
    /* Two at a time would leave some objects as the one wants them and some as the other. */
    if (!server->freezing)
        server->freezing = &freeze->base;
    if (server->freezing != &freeze->base || hd_heap_freeze_step(server->heap, freeze->freeze, &freeze->next, units))
        return true;
    server->freezing = NULL;
    freeze->done = true;
    return false;
}

static enum hd_step step_freeze(struct hd_unfinished *unfinished, uint64_t units)
{
    struct hd_call call;
    if (go_on_freezing(unfinished->connection->server, (struct freeze *)unfinished, units))
        return HD_STEP_AGAIN;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    hd_reply_empty(&call);
    return HD_STEP_DONE;
}

static void free_freeze(struct hd_unfinished *unfinished)
{
    struct hd_rpc_server *server = unfinished->connection->server;
    if (server->freezing == unfinished)
        server->freezing = NULL;
    hd_allocator_free(server->allocator, unfinished, sizeof(struct freeze));
}

static const struct hd_unfinished_kind freeze_kind = {.step = step_freeze, .free = free_freeze};

static int run_freeze(struct hd_call *call, bool freeze)
{
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct freeze *kept = hd_allocator_new_zeroed(call->server->allocator, sizeof *kept);
    if (!kept)
        return HD_ENOMEM;
    kept->freeze = freeze;
    hd_unfinished_add(&kept->base, &freeze_kind, call, false);
    return HD_CALL_CONTINUES;
}

int hd_run_gc_freeze(struct hd_call *call, const void *message)
{
    (void)message;
    return run_freeze(call, true);
}

int hd_run_gc_unfreeze(struct hd_call *call, const void *message)
{
    (void)message;
    return run_freeze(call, false);
}

int hd_run_gc_freeze_count(struct hd_call *call, const void *message)
{
    (void)message;
    hd_reply_count(call, call->heap->gc.tracked_count[HD_GENERATIONS]);
    return 0;
}

/* ---- compaction ---- */

struct compact {
    struct hd_unfinished base;
    bool begun;
    uint64_t wait_for; /* gc.compaction.compaction_count at which it is over */
    struct hd_alloc_moved before;
};

static void begin_compact(struct hd_heap *heap, struct compact *compact)
{
    const struct hd_compaction *compaction = &heap->gc.compaction;
    /* One that is under way chose its arenas before what was freed since. */
    uint64_t rounds = compaction->phase == HD_COMPACT_IDLE ? 1 : 2;
    compact->wait_for = compaction->compaction_count + rounds;
    compact->begun = true;
    hd_alloc_moved(heap->alloc, &compact->before);
}

/* True while there is more. */
static bool go_on_compacting(struct hd_heap *heap, struct compact *compact, uint64_t units)
{
    if (!compact->begun) {
        /* Holes first: what is dead and not taken apart is not worth moving. */
        if (hd_gc_reap(&heap->gc, units))
            return true;
        begin_compact(heap, compact);
    }
    if (heap->gc.compaction.compaction_count < compact->wait_for) {
        hd_heap_compact_begin(heap);
        (void)hd_heap_step(heap, units);
    }
    if (heap->gc.compaction.compaction_count < compact->wait_for)
        return true;
    /* What became empty is told as released. */
    return hd_heap_release_step(heap, units);
}

static int reply_compaction(struct hd_call *call, const struct compact *compact)
{
    struct hd_alloc_moved now;
    Heapd__V1__CompactReply reply = HEAPD__V1__COMPACT_REPLY__INIT;
    hd_alloc_moved(call->heap->alloc, &now);
    reply.moved_count = now.block_count - compact->before.block_count;
    reply.moved_bytes = now.bytes - compact->before.bytes;
    reply.released_bytes = (now.arena_count - compact->before.arena_count) * HD_ARENA_BYTES;
    return hd_reply_message(call, &reply.base, 0);
}

static enum hd_step step_compact(struct hd_unfinished *unfinished, uint64_t units)
{
    struct compact *compact = (struct compact *)unfinished;
    struct hd_heap *heap = unfinished->connection->server->heap;
    struct hd_call call;
    if (go_on_compacting(heap, compact, units))
        return HD_STEP_AGAIN;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_alloc_trim(heap->alloc);
    hd_unfinished_call(unfinished, &call);
    int error = reply_compaction(&call, compact);
    if (error)
        hd_call_refuse(&call, error);
    return HD_STEP_DONE;
}

static void free_compact(struct hd_unfinished *unfinished)
{
    hd_allocator_free(unfinished->connection->server->allocator, unfinished, sizeof(struct compact));
}

static const struct hd_unfinished_kind compact_kind = {.step = step_compact, .free = free_compact};

int hd_run_compact(struct hd_call *call, const void *message)
{
    (void)message;
    int error = hd_unfinished_allowed(call);
    if (error)
        return error;
    struct compact *kept = hd_allocator_new_zeroed(call->server->allocator, sizeof *kept);
    if (!kept)
        return HD_ENOMEM;
    hd_unfinished_add(&kept->base, &compact_kind, call, false);
    return HD_CALL_CONTINUES;
}
