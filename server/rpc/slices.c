/* How long the slices of work between requests take. */
#include "rpc/private.h"

static const char *const names[HD_SLICE_KINDS] = {
    [HD_SLICE_YOUNG] = "young",     [HD_SLICE_FULL] = "full",   [HD_SLICE_FREE] = "free",
    [HD_SLICE_COMPACT] = "compact", [HD_SLICE_OTHER] = "other", [HD_SLICE_REQUEST] = "request",
    [HD_SLICE_RELIEF] = "relief",
};

const char *hd_slice_name(enum hd_slice kind)
{
    return names[kind];
}

static uint64_t young_collections(const struct hd_gc *gc)
{
    return gc->stats[0].collection_count + gc->stats[1].collection_count;
}

/* What a slice will mostly do. One that traces may free as well; the pause is that of tracing. */
static enum hd_slice kind_of(const struct hd_gc *gc)
{
    if (gc->phase != HD_PHASE_IDLE)
        return HD_SLICE_FULL;
    if (gc->dead_count)
        return HD_SLICE_FREE;
    if (gc->compaction.phase != HD_COMPACT_IDLE)
        return HD_SLICE_COMPACT;
    return HD_SLICE_OTHER;
}

/* Elapsed time and not the thread's CPU time: that clock costs a system call, which is more than a short slice. */
static uint64_t now_ns(const struct hd_rpc_server *server)
{
    return server->os->now_ns(server->os->context);
}

void hd_slice_begin(const struct hd_rpc_server *server, struct hd_slice_watch *watch)
{
    const struct hd_gc *gc = &server->heap->gc;
    watch->kind = kind_of(gc);
    watch->young_collections = young_collections(gc);
    watch->begin_ns = now_ns(server);
}

void hd_slice_end(struct hd_rpc_server *server, const struct hd_slice_watch *watch)
{
    uint64_t spent_ns = now_ns(server) - watch->begin_ns;
    bool was_young = young_collections(&server->heap->gc) != watch->young_collections;
    /* A slice of the heap's that had a young collection in it is one: nothing else in it takes as long. */
    enum hd_slice kind = was_young && watch->kind < HD_SLICE_REQUEST ? HD_SLICE_YOUNG : watch->kind;
    struct hd_slice_times *times = &server->slices[kind];
    times->count++;
    times->total_ns += spent_ns;
    times->max_ns = spent_ns > times->max_ns ? spent_ns : times->max_ns;
    times->buckets[spent_ns ? 64 - __builtin_clzll(spent_ns) : 0]++;
}

uint64_t hd_slice_quantile_ns(const struct hd_slice_times *times, unsigned permille)
{
    /* The smallest bucket with which at least so many are counted. */
    uint64_t wanted =
        times->count - (times->count / 1000 * (1000 - permille) + times->count % 1000 * (1000 - permille) / 1000);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HD_SLICE_BUCKETS; i++) {
        seen += times->buckets[i];
        if (seen < wanted)
            continue;
        uint64_t end_ns = i < 64 ? (UINT64_C(1) << i) - 1 : UINT64_MAX;
        return end_ns < times->max_ns ? end_ns : times->max_ns;
    }
    return 0;
}
