#include "client/lib/memory.h"

#include <stdlib.h>
#include <string.h>

#include "heapd/v1/admin.pb-c.h"

/* One block: the struct, then its arrays, those with the larger alignment first, then the names. */
struct layout {
    struct heapd_memory_info *memory;
    struct heapd_histogram *histograms;
    uint64_t *buckets;
    struct heapd_size_class *classes;
    char *names;
};

static int lay_out(const Heapd__V1__MemoryReply *from, struct layout *out)
{
    size_t bucket_count = 0, name_bytes = 0;
    for (size_t i = 0; i < from->n_histograms; i++) {
        bucket_count += from->histograms[i]->n_buckets;
        name_bytes += strlen(from->histograms[i]->name) + 1;
    }
    size_t histogram_bytes = from->n_histograms * sizeof *out->histograms;
    size_t bucket_bytes = bucket_count * sizeof *out->buckets;
    size_t class_bytes = from->n_classes * sizeof *out->classes;
    out->memory = malloc(sizeof *out->memory + histogram_bytes + bucket_bytes + class_bytes + name_bytes);
    if (!out->memory)
        return HD_ENOMEM;
    out->histograms = (struct heapd_histogram *)(void *)(out->memory + 1);
    out->buckets = (uint64_t *)(void *)(out->histograms + from->n_histograms);
    out->classes = (struct heapd_size_class *)(void *)(out->buckets + bucket_count);
    out->names = (char *)(out->classes + from->n_classes);
    return 0;
}

static void copy_totals(const Heapd__V1__MemoryReply *from, struct heapd_memory_info *to)
{
    to->limit_bytes = from->limit_bytes;
    to->used_bytes = from->used_bytes;
    to->peak_bytes = from->peak_bytes;
    to->refused_count = from->refused_count;
    to->objects_mapped_bytes = from->objects_mapped_bytes;
    to->objects_live_bytes = from->objects_live_bytes;
    to->objects_live_count = from->objects_live_count;
    to->table_bytes = from->table_bytes;
    to->table_entries_count = from->table_entries_count;
    to->bookkeeping_bytes = from->bookkeeping_bytes;
    to->bookkeeping_count = from->bookkeeping_count;
    to->fragmentation_permille = from->fragmentation_permille;
    to->waste_permille = from->waste_permille;
}

static void copy_arenas(const Heapd__V1__MemoryReply *from, struct heapd_memory_info *to)
{
    to->arena_bytes = from->arena_bytes;
    to->arena_live_bytes = from->arena_live_bytes;
    to->arena_count = from->arena_count;
    to->arena_free_count = from->arena_free_count;
    to->arenas_mapped_count = from->arenas_mapped_count;
    to->arenas_released_count = from->arenas_released_count;
    to->large_bytes = from->large_bytes;
    to->large_count = from->large_count;
    to->retired_bytes = from->retired_bytes;
    to->pools_used_count = from->pools_used_count;
    to->pools_full_count = from->pools_full_count;
    to->pools_empty_count = from->pools_empty_count;
}

static void copy_collector(const Heapd__V1__MemoryReply *from, struct heapd_memory_info *to)
{
    for (size_t i = 0; i < HEAPD_GENERATIONS && i < from->n_generations; i++) {
        const Heapd__V1__Generation *generation = from->generations[i];
        to->generation[i] = (struct heapd_memory_generation){
            .tracked = generation->tracked,
            .threshold = generation->threshold,
            .count = generation->count,
            .collections = generation->collections,
            .collected = generation->collected,
        };
    }
    to->frozen_count = from->frozen_count;
    to->gc_enabled = from->gc_enabled;
    to->gc_phase = from->gc_phase;
    to->waiting_count = from->waiting_count;
    to->waiting_sessions_count = from->waiting_sessions_count;
    to->compaction_phase = from->compaction_phase;
    to->compactions_count = from->compactions_count;
    to->compaction_moved_count = from->compaction_moved_count;
    to->compaction_moved_bytes = from->compaction_moved_bytes;
}

static void copy_classes(const Heapd__V1__MemoryReply *from, const struct layout *layout)
{
    for (size_t i = 0; i < from->n_classes; i++) {
        const Heapd__V1__SizeClass *row = from->classes[i];
        layout->classes[i] = (struct heapd_size_class){
            .block_bytes = row->block_bytes,
            .blocks_per_pool = row->blocks_per_pool,
            .pools_used = row->pools_used,
            .pools_full = row->pools_full,
            .live_blocks = row->live_blocks,
        };
    }
    layout->memory->classes = layout->classes;
    layout->memory->class_count = from->n_classes;
}

static void copy_histograms(const Heapd__V1__MemoryReply *from, const struct layout *layout)
{
    uint64_t *buckets = layout->buckets;
    char *names = layout->names;
    for (size_t i = 0; i < from->n_histograms; i++) {
        const Heapd__V1__Histogram *row = from->histograms[i];
        size_t name_bytes = strlen(row->name) + 1;
        layout->histograms[i] = (struct heapd_histogram){
            .name = memcpy(names, row->name, name_bytes),
            .count = row->count,
            .total_ns = row->total_ns,
            .max_ns = row->max_ns,
            .p50_ns = row->p50_ns,
            .p99_ns = row->p99_ns,
            .p999_ns = row->p999_ns,
            .buckets = buckets,
            .bucket_count = row->n_buckets,
        };
        if (row->n_buckets)
            memcpy(buckets, row->buckets, row->n_buckets * sizeof *buckets);
        buckets += row->n_buckets;
        names += name_bytes;
    }
    layout->memory->histograms = layout->histograms;
    layout->memory->histogram_count = from->n_histograms;
}

int hd_memory_decode(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__MemoryReply *from = (const Heapd__V1__MemoryReply *)message;
    struct layout layout;
    int code = lay_out(from, &layout);
    if (code)
        return code;
    *layout.memory = (struct heapd_memory_info){0};
    copy_totals(from, layout.memory);
    copy_arenas(from, layout.memory);
    copy_collector(from, layout.memory);
    copy_classes(from, &layout);
    copy_histograms(from, &layout);
    result->memory = layout.memory;
    result->as.memory = layout.memory;
    return 0;
}
