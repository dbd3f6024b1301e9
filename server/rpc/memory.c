/* Memory: what the heap is made of, in one reply. */
#include <heapd/v1/admin.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "rpc/private.h"

static uint32_t permille(uint64_t part, uint64_t whole)
{
    return whole ? (uint32_t)((double)part * 1000.0 / (double)whole) : 0;
}

static void set_totals(const struct hd_heap *heap, const struct hd_alloc_stats *alloc, Heapd__V1__MemoryReply *reply)
{
    const struct hd_budget *budget = &heap->budget;
    reply->limit_bytes = budget->limit_bytes;
    reply->used_bytes = budget->used_bytes;
    reply->peak_bytes = budget->peak_bytes;
    reply->refused_count = budget->refused_count;
    reply->objects_mapped_bytes = alloc->mapped_bytes;
    reply->objects_live_bytes = alloc->live_bytes;
    reply->objects_live_count = heap->table.live_count;
    reply->table_bytes = hd_table_bytes(&heap->table);
    reply->table_entries_count = heap->table.length - 1;
    reply->bookkeeping_bytes = heap->account.used_bytes;
    reply->bookkeeping_count = heap->account.allocation_count;
    reply->waste_permille = permille(budget->used_bytes - alloc->live_bytes, budget->used_bytes);
}

static void set_arenas(const struct hd_alloc_stats *alloc, Heapd__V1__MemoryReply *reply)
{
    uint64_t arena_bytes = alloc->mapped_bytes - alloc->large_bytes - alloc->retired_bytes;
    reply->arena_bytes = arena_bytes;
    reply->arena_live_bytes = alloc->arena_live_bytes;
    reply->arena_count = alloc->arena_count;
    reply->arena_free_count = alloc->arena_free_count;
    reply->arenas_mapped_count = alloc->arenas_mapped_count;
    reply->arenas_released_count = alloc->arenas_released_count;
    reply->large_bytes = alloc->large_bytes;
    reply->large_count = alloc->large_count;
    reply->retired_bytes = alloc->retired_bytes;
    reply->pools_used_count = alloc->pool_used_count;
    reply->pools_full_count = alloc->pool_full_count;
    reply->pools_empty_count = alloc->pool_empty_count;
    reply->fragmentation_permille = permille(arena_bytes - alloc->arena_live_bytes, arena_bytes);
}

static int set_classes(struct hd_call *call, Heapd__V1__MemoryReply *reply)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    size_t count = hd_alloc_class_stats(call->heap->alloc, NULL);
    struct hd_alloc_class_stats *stats = hd_rpc_arena_get(arena, count * sizeof *stats);
    Heapd__V1__SizeClass *rows = hd_rpc_arena_get(arena, count * sizeof *rows);
    reply->classes = hd_rpc_arena_get(arena, count * sizeof *reply->classes);
    if (!stats || !rows || !reply->classes)
        return HD_ENOMEM;
    hd_alloc_class_stats(call->heap->alloc, stats);
    for (size_t i = 0; i < count; i++) {
        heapd__v1__size_class__init(&rows[i]);
        rows[i].block_bytes = stats[i].block_bytes;
        rows[i].blocks_per_pool = stats[i].blocks_per_pool;
        rows[i].pools_used = stats[i].pool_used_count;
        rows[i].pools_full = stats[i].pool_full_count;
        rows[i].live_blocks = stats[i].live_count;
        reply->classes[i] = &rows[i];
    }
    reply->n_classes = count;
    return 0;
}

static int set_collector(struct hd_call *call, Heapd__V1__MemoryReply *reply)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    const struct hd_gc *gc = &call->heap->gc;
    Heapd__V1__Generation *rows = hd_rpc_arena_get(arena, HD_GENERATIONS * sizeof *rows);
    reply->generations = hd_rpc_arena_get(arena, HD_GENERATIONS * sizeof *reply->generations);
    if (!rows || !reply->generations)
        return HD_ENOMEM;
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        heapd__v1__generation__init(&rows[i]);
        rows[i].tracked = gc->tracked_count[i];
        rows[i].threshold = gc->thresholds[i];
        rows[i].count = gc->counts[i];
        rows[i].collections = gc->stats[i].collection_count;
        rows[i].collected = gc->stats[i].collected_count;
        reply->generations[i] = &rows[i];
    }
    reply->n_generations = HD_GENERATIONS;
    reply->frozen_count = gc->tracked_count[HD_GENERATIONS];
    reply->gc_enabled = gc->enabled;
    reply->gc_phase = (uint32_t)gc->phase;
    reply->waiting_count = gc->dead_count;
    reply->waiting_sessions_count = call->server->closing_count;
    reply->compaction_phase = (uint32_t)gc->compaction.phase;
    reply->compactions_count = gc->compaction.compaction_count;
    reply->compaction_moved_count = gc->compaction.moved_count;
    reply->compaction_moved_bytes = gc->compaction.moved_bytes;
    return 0;
}

static void set_histogram(enum hd_slice kind, struct hd_slice_times *times, Heapd__V1__Histogram *row)
{
    heapd__v1__histogram__init(row);
    row->name = (char *)(uintptr_t)hd_slice_name(kind); /* read only */
    row->count = times->count;
    row->total_ns = times->total_ns;
    row->max_ns = times->max_ns;
    row->p50_ns = hd_slice_quantile_ns(times, 500);
    row->p99_ns = hd_slice_quantile_ns(times, 990);
    row->p999_ns = hd_slice_quantile_ns(times, 999);
    row->buckets = times->buckets;
    row->n_buckets = HD_SLICE_BUCKETS;
    while (row->n_buckets && times->buckets[row->n_buckets - 1] == 0)
        row->n_buckets--;
}

static int set_histograms(struct hd_call *call, Heapd__V1__MemoryReply *reply)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    Heapd__V1__Histogram *rows = hd_rpc_arena_get(arena, HD_SLICE_KINDS * sizeof *rows);
    reply->histograms = hd_rpc_arena_get(arena, HD_SLICE_KINDS * sizeof *reply->histograms);
    if (!rows || !reply->histograms)
        return HD_ENOMEM;
    for (unsigned i = 0; i < HD_SLICE_KINDS; i++) {
        set_histogram((enum hd_slice)i, &call->server->slices[i], &rows[i]);
        reply->histograms[i] = &rows[i];
    }
    reply->n_histograms = HD_SLICE_KINDS;
    return 0;
}

int hd_run_memory(struct hd_call *call, const void *message)
{
    (void)message;
    Heapd__V1__MemoryReply reply = HEAPD__V1__MEMORY_REPLY__INIT;
    struct hd_alloc_stats alloc;
    hd_alloc_stats(call->heap->alloc, &alloc);
    set_totals(call->heap, &alloc, &reply);
    set_arenas(&alloc, &reply);
    int error = set_classes(call, &reply);
    if (!error)
        error = set_collector(call, &reply);
    if (!error)
        error = set_histograms(call, &reply);
    return error ? error : hd_reply_message(call, &reply.base, 0);
}

void hd_slice_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context)
{
    char name[64];
    for (unsigned i = 0; i < HD_SLICE_KINDS; i++) {
        const struct hd_slice_times *times = &server->slices[i];
        const char *kind = hd_slice_name((enum hd_slice)i);
        (void)snprintf(name, sizeof name, "slices_%s_count", kind);
        visit(context, name, times->count);
        (void)snprintf(name, sizeof name, "slices_%s_max_ns", kind);
        visit(context, name, times->max_ns);
        (void)snprintf(name, sizeof name, "slices_%s_p999_ns", kind);
        visit(context, name, hd_slice_quantile_ns(times, 999));
    }
}
