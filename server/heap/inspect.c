/* Looking at the heap: one object, all numbers, every invariant. */
#include "gc/tags.h"
#include "heap/heap.h"
#include "heap/names.h"
#include "object/references.h"

void hd_heap_inspect(const struct hd_heap *heap, hd_value value, struct hd_object_info *out)
{
    struct hd_objects *objects = (struct hd_objects *)&heap->objects;
    *out = (struct hd_object_info){.kind = hd_kind_of(objects, value)};
    uint64_t length;
    if (hd_length(objects, value, &length) == 0)
        out->length = length;
    if (!hd_value_is_ref(value))
        return;
    const struct hd_table *table = &heap->table;
    uint32_t index = hd_value_index(value);
    out->identity = hd_table_identity(table, index);
    out->reference_count = hd_table_count(table, index);
    out->saturated = out->reference_count == HD_COUNT_SATURATED;
    out->shallow_bytes = hd_shallow_bytes(objects, value);
    out->tracked = table->state[index] & HD_STATE_TRACKED;
    out->generation = table->state[index] & HD_STATE_GENERATION;
}

static const char *const type_stat_names[] = {
    [HD_TYPE_INT] = "objects_int_count",
    [HD_TYPE_FLOAT] = "objects_float_count",
    [HD_TYPE_STR] = "objects_str_count",
    [HD_TYPE_BYTES] = "objects_bytes_count",
    [HD_TYPE_LIST] = "objects_list_count",
    [HD_TYPE_TUPLE] = "objects_tuple_count",
    [HD_TYPE_DICT] = "objects_dict_count",
    [HD_TYPE_SET] = "objects_set_count",
    [HD_TYPE_CLASS] = "objects_class_count",
    [HD_TYPE_INSTANCE] = "objects_instance_count",
    [HD_TYPE_SCOPE] = "objects_scope_count",
    [HD_TYPE_QUEUE] = "objects_queue_count",
    [HD_TYPE_LOCK] = "objects_lock_count",
    [HD_TYPE_RLOCK] = "objects_rlock_count",
    [HD_TYPE_SEMAPHORE] = "objects_semaphore_count",
    [HD_TYPE_CONDITION] = "objects_condition_count",
    [HD_TYPE_EVENT] = "objects_event_count",
    [HD_TYPE_BARRIER] = "objects_barrier_count",
    [HD_TYPE_FROZENSET] = "objects_frozenset_count",
    [HD_TYPE_WEAK] = "objects_weak_reference_count",
    [HD_TYPE_SOFT] = "objects_soft_reference_count",
    [HD_TYPE_CURSOR] = "objects_cursor_count",
};

void hd_heap_stats(const struct hd_heap *heap, void (*visit)(void *context, const char *name, uint64_t value),
                   void *context)
{
    const struct hd_gc *gc = &heap->gc;
    struct hd_alloc_stats alloc;
    hd_alloc_stats(heap->alloc, &alloc);
    const struct {
        const char *name;
        uint64_t value;
    } stats[] = {
        {"memory_used_bytes", heap->budget.used_bytes},
        {"memory_peak_bytes", heap->budget.peak_bytes},
        {"memory_limit_bytes", heap->budget.limit_bytes},
        {"memory_refused_count", heap->budget.refused_count},
        {"memory_collections_count", heap->collect_requests},
        {"memory_objects_mapped_bytes", alloc.mapped_bytes},
        {"memory_objects_live_bytes", alloc.live_bytes},
        {"memory_table_bytes", hd_table_bytes(&heap->table)},
        {"memory_bookkeeping_bytes", heap->account.used_bytes},
        {"memory_bookkeeping_count", heap->account.allocation_count},
        {"objects_live_count", heap->table.live_count},
        {"objects_created_count", gc->created_count},
        {"objects_freed_count", gc->freed_count},
        {"objects_waiting_to_be_freed_count", gc->dead_count},
        {"table_entries_count", heap->table.length - 1},
        {"arenas_count", alloc.arena_count},
        {"arenas_free_count", alloc.arena_free_count},
        {"arenas_mapped_count", alloc.arenas_mapped_count},
        {"arenas_released_count", alloc.arenas_released_count},
        {"pools_used_count", alloc.pool_used_count},
        {"pools_full_count", alloc.pool_full_count},
        {"pools_empty_count", alloc.pool_empty_count},
        {"compactions_count", gc->compaction.compaction_count},
        {"compaction_phase", (uint64_t)gc->compaction.phase},
        {"compaction_moved_count", gc->compaction.moved_count},
        {"compaction_moved_bytes", gc->compaction.moved_bytes},
        {"large_count", alloc.large_count},
        {"large_bytes", alloc.large_bytes},
        {"large_retired_bytes", alloc.retired_bytes},
        {"blocks_live_count", alloc.live_count},
        {"blocks_allocated_count", alloc.allocations_count},
        {"names_timed_count", heap->expiries.order_count},
        {"names_expired_count", heap->expiries.expired_count},
        {"gc_enabled", gc->enabled},
        {"gc_phase", (uint64_t)gc->phase},
        {"gc_tracked_generation0_count", gc->tracked_count[0]},
        {"gc_tracked_generation1_count", gc->tracked_count[1]},
        {"gc_tracked_generation2_count", gc->tracked_count[2]},
        {"gc_tracked_frozen_count", gc->tracked_count[3]},
        {"gc_collections_generation0_count", gc->stats[0].collection_count},
        {"gc_collections_generation1_count", gc->stats[1].collection_count},
        {"gc_collections_generation2_count", gc->stats[2].collection_count},
        {"gc_collected_generation0_count", gc->stats[0].collected_count},
        {"gc_collected_generation1_count", gc->stats[1].collected_count},
        {"gc_collected_generation2_count", gc->stats[2].collected_count},
        {"gc_long_lived_pending_count", gc->long_lived_pending},
        {"gc_long_lived_total_count", gc->long_lived_total},
        {"weak_references_cleared_count", heap->objects.weak_cleared_count},
        {"soft_references_full_count", heap->objects.soft_count},
        {"soft_references_evicted_count", heap->objects.soft_evicted_count},
    };
    for (size_t i = 0; i < sizeof stats / sizeof stats[0]; i++)
        visit(context, stats[i].name, stats[i].value);
    for (size_t i = 1; i < sizeof type_stat_names / sizeof type_stat_names[0]; i++)
        if (type_stat_names[i])
            visit(context, type_stat_names[i], heap->objects.type_count[i]);
    visit(context, "objects_buffer_count", heap->objects.type_count[HD_TYPE_BUFFER]);
    const struct hd_bulk_store *store = &heap->bulk_store;
    visit(context, "buffers_count", store->count);
    visit(context, "buffers_bytes", store->bytes);
    visit(context, "buffers_unsealed_count", store->unsealed_count);
    visit(context, "buffers_unsealed_bytes", store->unsealed_bytes);
    visit(context, "buffers_sealed_ever_count", store->sealed_ever_count);
    visit(context, "buffers_abandoned_ever_count", store->abandoned_ever_count);
}

/* ---- checks --------------------------------------------------------------- */

static const char *check_budget(const struct hd_heap *heap)
{
    struct hd_alloc_stats alloc;
    hd_alloc_stats(heap->alloc, &alloc);
    uint64_t sum = alloc.mapped_bytes + hd_table_bytes(&heap->table) + heap->account.used_bytes;
    if (sum != heap->budget.used_bytes)
        return "heap: the budget is objects, table and bookkeeping together";
    if (heap->budget.used_bytes > heap->budget.limit_bytes)
        return "heap: the limit holds";
    return NULL;
}

static const char *check_types(const struct hd_heap *heap)
{
    uint64_t count[HD_TYPE_COUNT] = {0};
    for (uint32_t i = 1; i < heap->table.length; i++)
        count[hd_table_type(&heap->table, i)]++;
    for (unsigned type = 1; type < HD_TYPE_COUNT; type++)
        if (count[type] != heap->objects.type_count[type])
            return "heap: type_count[t] counts the objects of t";
    return NULL;
}

static const char *check_objects(struct hd_heap *heap)
{
    for (uint32_t i = 1; i < heap->table.length; i++) {
        if (hd_table_type(&heap->table, i) == HD_TYPE_FREE ||
            (heap->table.state[i] & (HD_STATE_DYING | HD_STATE_CONDEMNED)))
            continue;
        /* Garbage whose turn has not come yet may refer to what is cleared already: a key whose hash is no longer its
         * own. */
        if (heap->gc.phase == HD_PHASE_CLEAR && hd_table_bit(heap->table.inner, i) &&
            !hd_table_bit(heap->table.mark, i))
            continue;
        const char *broken = hd_object_check(&heap->objects, hd_value_ref(i, !hd_table_bit(heap->table.inner, i)));
        if (broken)
            return broken;
    }
    return NULL;
}

const char *hd_heap_check(struct hd_heap *heap, const struct hd_allocator *scratch)
{
    const char *broken = hd_alloc_check(heap->alloc);
    if (!broken)
        broken = hd_table_check(&heap->table);
    if (!broken)
        broken = check_budget(heap);
    if (!broken)
        broken = check_types(heap);
    if (!broken)
        broken = hd_expiries_check(heap);
    if (!broken)
        broken = hd_tags_check(&heap->gc);
    if (broken)
        return broken;
    size_t bytes = heap->table.length * sizeof(uint32_t);
    uint32_t *counts = hd_allocator_new(scratch, bytes);
    broken = hd_gc_check(&heap->gc, counts);
    hd_allocator_free(scratch, counts, bytes);
    if (!broken)
        broken = hd_references_check(&heap->objects);
    return broken ? broken : check_objects(heap);
}
