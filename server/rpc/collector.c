/* The collector's knobs and counters, and collections on request. */
#include <heapd/v1/gc.pb-c.h>

#include "rpc/private.h"

/* Larger ones say "never" more clearly by 0 or by disabling. */
#define THRESHOLD_MAX (UINT32_C(1) << 31)

struct collect {
    struct hd_unfinished base;
    struct hd_collect collect;
};

static int reply_collection(struct hd_call *call, const struct hd_collection *result)
{
    uint64_t unreachable[HD_GENERATIONS], examined[HD_GENERATIONS];
    Heapd__V1__CollectReply reply = HEAPD__V1__COLLECT_REPLY__INIT;
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        unreachable[i] = result->unreachable_count[i];
        examined[i] = result->examined_count[i];
        reply.unreachable += unreachable[i];
    }
    reply.unreachable_bytes = result->unreachable_bytes;
    reply.unreachable_by_generation = unreachable;
    reply.n_unreachable_by_generation = HD_GENERATIONS;
    reply.examined_by_generation = examined;
    reply.n_examined_by_generation = HD_GENERATIONS;
    return hd_reply_message(call, &reply.base, 0);
}

static enum hd_step step_collect(struct hd_unfinished *unfinished, uint64_t units)
{
    struct collect *collect = (struct collect *)unfinished;
    struct hd_call call;
    if (!collect->collect.done && hd_heap_collect_step(unfinished->connection->server->heap, &collect->collect, units))
        return HD_STEP_AGAIN;
    if (!hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    hd_unfinished_call(unfinished, &call);
    int error = reply_collection(&call, &collect->collect.result);
    if (error)
        hd_call_refuse(&call, error);
    return HD_STEP_DONE;
}

static void free_collect(struct hd_unfinished *unfinished)
{
    hd_allocator_free(unfinished->connection->server->allocator, unfinished, sizeof(struct collect));
}

static const struct hd_unfinished_kind collect_kind = {.step = step_collect, .free = free_collect};

static int begin(struct hd_call *call, const Heapd__V1__CollectRequest *request, struct hd_collect *out)
{
    struct hd_slice_watch watch;
    if (request->dry_run) {
        hd_heap_dry_run_begin(call->heap, out);
        return 0;
    }
    hd_slice_begin(call->server, &watch);
    int error = hd_heap_collect_begin(call->heap, request->generation, out);
    /* The old are only begun; the young are a pause. */
    if (!error && out->done)
        hd_slice_end(call->server, &watch);
    return error;
}

int hd_run_gc_collect(struct hd_call *call, const void *message)
{
    const Heapd__V1__CollectRequest *request = message;
    struct hd_collect collect;
    if (request->generation >= HD_GENERATIONS)
        return hd_fail(call, HD_EINVALID, "generation %u; generations are 0 to %d", request->generation,
                       HD_GENERATIONS - 1);
    if (request->dry_run && request->generation != HD_GENERATIONS - 1)
        return hd_fail(call, HD_EINVALID, "a dry run of generation %u; only one of generation %d can be had",
                       request->generation, HD_GENERATIONS - 1);
    /* What would keep it from going on is asked first: the old are collected in slices. */
    struct collect *kept = NULL;
    if (request->generation == HD_GENERATIONS - 1) {
        int limit = hd_unfinished_allowed(call);
        if (limit)
            return limit;
        kept = hd_allocator_new(call->server->allocator, sizeof *kept);
        if (!kept)
            return HD_ENOMEM;
    }
    int error = begin(call, request, &collect);
    if (error || !kept || collect.done) {
        hd_allocator_free(call->server->allocator, kept, sizeof *kept);
        return error ? error : reply_collection(call, &collect.result);
    }
    kept->collect = collect;
    hd_unfinished_add(&kept->base, &collect_kind, call, false);
    return HD_CALL_CONTINUES;
}

int hd_run_gc_set_threshold(struct hd_call *call, const void *message)
{
    const Heapd__V1__Thresholds *request = message;
    const uint32_t wanted[HD_GENERATIONS] = {request->threshold0, request->threshold1, request->threshold2};
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        if (wanted[i] > THRESHOLD_MAX)
            return hd_fail(call, HD_EINVALID, "threshold%u of %u; at most %u, and 0 for never", i, wanted[i],
                           THRESHOLD_MAX);
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        call->heap->gc.thresholds[i] = wanted[i];
    hd_reply_empty(call);
    return 0;
}

int hd_run_gc_get_threshold(struct hd_call *call, const void *message)
{
    (void)message;
    const uint32_t *thresholds = call->heap->gc.thresholds;
    Heapd__V1__Thresholds reply = HEAPD__V1__THRESHOLDS__INIT;
    reply.threshold0 = thresholds[0];
    reply.threshold1 = thresholds[1];
    reply.threshold2 = thresholds[2];
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_gc_get_count(struct hd_call *call, const void *message)
{
    (void)message;
    const uint64_t *counts = call->heap->gc.counts;
    Heapd__V1__Counts reply = HEAPD__V1__COUNTS__INIT;
    reply.count0 = counts[0];
    reply.count1 = counts[1];
    reply.count2 = counts[2];
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_gc_stats(struct hd_call *call, const void *message)
{
    (void)message;
    const struct hd_gc *gc = &call->heap->gc;
    Heapd__V1__GcStatsReply reply = HEAPD__V1__GC_STATS_REPLY__INIT;
    Heapd__V1__GenerationStats stats[HD_GENERATIONS];
    Heapd__V1__GenerationStats *pointers[HD_GENERATIONS];
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        heapd__v1__generation_stats__init(&stats[i]);
        stats[i].collections = gc->stats[i].collection_count;
        stats[i].collected = gc->stats[i].collected_count;
        stats[i].objects = gc->tracked_count[i];
        pointers[i] = &stats[i];
    }
    reply.generations = pointers;
    reply.n_generations = HD_GENERATIONS;
    reply.enabled = gc->enabled;
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_gc_set_enabled(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetEnabledRequest *request = message;
    call->heap->gc.enabled = request->enabled;
    hd_reply_empty(call);
    return 0;
}
