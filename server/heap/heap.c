/* The heap's life, and the work between requests. */
#include "heap/heap.h"
#include "heap/names.h"

#include <string.h>

#define RELIEVE_UNITS 4096
/* Work for each object made: marking takes about seven units an object, so 56 end it within an eighth of growth. */
#define UNITS_PER_BIRTH 56
/* What one settle does at most: well below a quarter of a millisecond. */
#define SETTLE_MAX_UNITS 4096
/* To give up a reference to what lies anywhere, and to free that, takes as long as two that are followed. */
#define UNITS_PER_REAPED 2
/* A collection of so many young ones is as long as a slice may be. */
#define YOUNG_SLICE 1024
/* A unit's worth of unmapping. */
#define RELEASE_BYTES_PER_UNIT 128
/* Compaction begins by itself above this, when less than half of the arenas is live. */
#define COMPACT_MIN_BYTES ((uint64_t)32 << 20)

void hd_heap_config_default(struct hd_heap_config *config)
{
    *config = (struct hd_heap_config){
        .limit_bytes = UINT64_MAX,
        .thresholds = {700, 10, 10},
        .settle_units = 256,
    };
}

static size_t scan_globals(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)from;
    (void)max;
    const struct hd_heap *heap = (const void *)((const char *)source - offsetof(struct hd_heap, globals_root));
    visitor->visit(visitor, heap->globals);
    return 0;
}

/* Everything above the accounts, which the caller has set up. */
static int init_engine(struct hd_heap *heap, const struct hd_os *os, const struct hd_heap_config *config)
{
    const struct hd_allocator *allocator = &heap->account.allocator;
    struct hd_alloc_config alloc_config = {
        .reserve_arena_count = 2,
        .preallocate_bytes = config->preallocate_bytes,
        .huge_pages = config->huge_pages,
        .fault = config->fault,
        .fault_context = config->fault_context,
    };
    int error = hd_alloc_new(os, &heap->budget, allocator, &alloc_config, &heap->alloc);
    if (error)
        return error;
    error = hd_table_init(&heap->table, os, &heap->budget, config->huge_pages);
    if (error)
        return error;
    hd_gc_init(&heap->gc, &heap->table, heap->alloc, allocator);
    memcpy(heap->gc.thresholds, config->thresholds, sizeof config->thresholds);
    error = hd_objects_init(&heap->objects, &heap->gc, allocator, config->hash_key);
    if (error)
        return error;
    error = hd_bulk_store_init(&heap->bulk_store, os, &heap->account, config->max_buffers);
    if (error)
        return error;
    heap->objects.bulk_store = &heap->bulk_store;
    error = hd_scope_new(&heap->objects, HD_ABSENT, &heap->globals);
    if (error)
        return error;
    heap->globals_root.scan = scan_globals;
    heap->globals_root.kind = HD_ROOT_GLOBALS;
    hd_gc_add_roots(&heap->gc, &heap->globals_root);
    return hd_watch_init(heap);
}

int hd_heap_new(const struct hd_os *os, const struct hd_heap_config *config, struct hd_heap **out)
{
    /* With no work between requests, nothing that is long would ever end. */
    if (config->settle_units == 0)
        return HD_EINVALID;
    /* The heap's own struct is charged too, so it is made by hand before its account exists. */
    struct hd_budget budget;
    struct hd_account account;
    hd_budget_init(&budget, config->limit_bytes);
    hd_account_init(&account, &budget);
    account.fault = config->fault;
    account.fault_context = config->fault_context;
    struct hd_heap *heap = hd_allocator_new_zeroed(&account.allocator, sizeof *heap);
    if (!heap)
        return HD_ENOMEM;
    heap->budget = budget;
    hd_account_init(&heap->account, &heap->budget);
    heap->account.fault = config->fault;
    heap->account.fault_context = config->fault_context;
    heap->account.used_bytes = account.used_bytes;
    heap->account.peak_bytes = account.peak_bytes;
    heap->account.allocation_count = account.allocation_count;
    heap->settle_units = config->settle_units;
    int error = init_engine(heap, os, config);
    if (error) {
        hd_heap_free(heap);
        return error;
    }
    *out = heap;
    return 0;
}

void hd_heap_free(struct hd_heap *heap)
{
    if (!heap)
        return;
    hd_watch_fini(heap);
    hd_expiries_fini(heap);
    hd_objects_fini(&heap->objects);
    hd_bulk_store_fini(&heap->bulk_store);
    hd_gc_fini(&heap->gc);
    hd_table_fini(&heap->table);
    hd_alloc_free(heap->alloc);
    /* The last block is the heap itself, with the account that is asked to free it. */
    struct hd_budget budget = heap->budget;
    struct hd_account account = heap->account;
    account.budget = &budget;
    account.allocator.context = &account;
    hd_allocator_free(&account.allocator, heap, sizeof *heap);
    hd_account_fini(&account);
}

/* ---- work between requests ------------------------------------------------ */

static bool has_spare_memory(const struct hd_heap *heap)
{
    return hd_alloc_has_retired(heap->alloc) || hd_table_has_spare(&heap->table);
}

bool hd_heap_release_step(struct hd_heap *heap, uint64_t units)
{
    uint64_t bytes = units < SIZE_MAX / 2 / RELEASE_BYTES_PER_UNIT ? units * RELEASE_BYTES_PER_UNIT : SIZE_MAX / 2;
    if (hd_alloc_has_retired(heap->alloc)) {
        (void)hd_alloc_release(heap->alloc, (size_t)bytes);
        return has_spare_memory(heap);
    }
    /* Small slices add up to a chunk of the table. */
    heap->release_credit_bytes += bytes;
    while (heap->release_credit_bytes >= hd_table_chunk_bytes() && hd_table_release(&heap->table))
        heap->release_credit_bytes -= hd_table_chunk_bytes();
    if (hd_table_has_spare(&heap->table))
        return true;
    heap->release_credit_bytes = 0;
    return false;
}

/* All of it at once. */
static void release_all(struct hd_heap *heap)
{
    hd_alloc_trim(heap->alloc);
    while (hd_table_release(&heap->table))
        ;
}
bool hd_heap_has_work(const struct hd_heap *heap)
{
    return heap->gc.phase != HD_PHASE_IDLE || heap->gc.dead_count || heap->gc.compaction.phase != HD_COMPACT_IDLE ||
           has_spare_memory(heap);
}

bool hd_heap_step(struct hd_heap *heap, uint64_t units)
{
    uint64_t left = units;
    if (has_spare_memory(heap)) {
        /* As long as there is other work, half of the slice: unmapping is as dear as any. */
        left = units / 2;
        (void)hd_heap_release_step(heap, units - left);
    }
    if (heap->gc.dead_count) {
        /* Freeing first: it gives memory back, and what it frees need not be traced. */
        uint64_t part = left / 2;
        left -= part;
        hd_gc_reap(&heap->gc, part / UNITS_PER_REAPED + 1);
    }
    if (heap->gc.phase != HD_PHASE_IDLE)
        hd_gc_full_step(&heap->gc, left);
    else
        hd_gc_compact_step(&heap->gc, left);
    return hd_heap_has_work(heap);
}

static bool is_fragmented(const struct hd_heap *heap)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(heap->alloc, &stats);
    uint64_t arena_bytes = (stats.arena_count - stats.arena_free_count) * HD_ARENA_BYTES;
    return arena_bytes > COMPACT_MIN_BYTES && stats.arena_live_bytes < arena_bytes / 2;
}

static bool is_compaction_due(const struct hd_heap *heap)
{
    return heap->gc.freed_count - heap->compact_checked_at >= HD_COMPACT_CHECK_COUNT && heap->gc.dead_count == 0;
}

/* Freeing leaves holes. When the dead are gone and more than half is holes, move together what is left. */
static void poll_compaction(struct hd_heap *heap)
{
    if (!is_compaction_due(heap))
        return;
    heap->compact_checked_at = heap->gc.freed_count;
    if (is_fragmented(heap))
        hd_gc_compact_start(&heap->gc);
}

/*
 * The slice after a request grows with what the request made, so that a collection
 * ends before the heap has grown by an eighth, and with the share of the limit that
 * is used, so that frees that are waiting are done before the limit is met.
 */
static uint64_t settle_slice(struct hd_heap *heap)
{
    uint64_t born = heap->gc.created_count - heap->settled_created_count;
    heap->settled_created_count = heap->gc.created_count;
    heap->settle_debt += born * UNITS_PER_BIRTH;
    /* A request that made a million is followed by one slice as any other; the rest is spread over the next. */
    uint64_t part = heap->settle_debt < SETTLE_MAX_UNITS ? heap->settle_debt : SETTLE_MAX_UNITS;
    heap->settle_debt -= part;
    uint64_t units = heap->settle_units + part;
    if (heap->budget.limit_bytes - heap->budget.used_bytes < heap->budget.limit_bytes / 4)
        units += SETTLE_MAX_UNITS / 2;
    return units;
}

bool hd_heap_is_due(const struct hd_heap *heap)
{
    const struct hd_gc *gc = &heap->gc;
    return (gc->counts[0] > gc->thresholds[0] && gc->thresholds[0] && gc->enabled) || is_compaction_due(heap);
}

bool hd_heap_settle(struct hd_heap *heap)
{
    uint64_t young = heap->gc.young[0].length + (uint64_t)heap->gc.young[1].length;
    uint64_t births = heap->gc.counts[0];
    hd_gc_poll(&heap->gc);
    bool has_collected = heap->gc.counts[0] < births;
    heap->settled_units += has_collected ? young : 0;
    poll_compaction(heap);
    uint64_t units = settle_slice(heap);
    if (!hd_heap_has_work(heap)) {
        heap->settle_debt = 0; /* it was about what is under way */
        return false;
    }
    heap->settled_units += units;
    if (has_collected && young > YOUNG_SLICE) {
        heap->settle_debt += units;
        return true;
    }
    return hd_heap_step(heap, units);
}

int hd_heap_collect_begin(struct hd_heap *heap, unsigned generation, struct hd_collect *collect)
{
    if (generation >= HD_GENERATIONS)
        return HD_EINVALID;
    *collect = (struct hd_collect){.generation = generation};
    if (generation < 2) {
        hd_gc_collect_young(&heap->gc, generation, &collect->result);
        collect->done = true;
        return 0;
    }
    return 0;
}

/* What counting frees is not for the collector to find; then the young; then the old. */
static bool begin_full(struct hd_heap *heap, struct hd_collect *collect, uint64_t units)
{
    struct hd_gc *gc = &heap->gc;
    if (hd_gc_reap(gc, units))
        return false;
    /* Old garbage that only young garbage refers to would be kept for the next time. */
    if (!collect->dry_run)
        hd_gc_collect_young(gc, 1, &collect->young);
    /* What became garbage after a collection began is only found by the next one. */
    bool under_way = hd_gc_is_collecting(gc) && gc->dry_run == collect->dry_run;
    collect->wait_for = (collect->dry_run ? gc->dry_run_ended_count : gc->full_ended_count) + (under_way ? 2 : 1);
    hd_gc_full_start(gc, collect->dry_run);
    collect->begun = true;
    return true;
}

void hd_heap_collect_start(struct hd_heap *heap)
{
    struct hd_collection ignored;
    if (heap->gc.phase != HD_PHASE_IDLE)
        return;
    hd_gc_collect_young(&heap->gc, 1, &ignored);
    hd_gc_full_start(&heap->gc, false);
}

void hd_heap_dry_run_begin(struct hd_heap *heap, struct hd_collect *collect)
{
    (void)heap;
    *collect = (struct hd_collect){.generation = 2, .dry_run = true};
}

static bool has_ended(const struct hd_gc *gc, const struct hd_collect *collect)
{
    return (collect->dry_run ? gc->dry_run_ended_count : gc->full_ended_count) >= collect->wait_for;
}

/* What was found among the young, and then among all; those that were looked at twice count once. */
static void add_up(struct hd_collect *collect, const struct hd_collection *full)
{
    uint64_t twice = 0;
    collect->result = *full;
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        collect->result.unreachable_count[i] += collect->young.unreachable_count[i];
        collect->result.examined_count[i] += collect->young.examined_count[i];
        twice += collect->young.examined_count[i] - collect->young.unreachable_count[i];
    }
    uint64_t *old = &collect->result.examined_count[HD_GENERATIONS - 1];
    *old -= twice < *old ? twice : *old;
}

bool hd_heap_collect_step(struct hd_heap *heap, struct hd_collect *collect, uint64_t units)
{
    struct hd_gc *gc = &heap->gc;
    if (collect->done)
        return false;
    if (!collect->begun && !begin_full(heap, collect, units))
        return true;
    if (!has_ended(gc, collect)) {
        hd_gc_full_start(gc, collect->dry_run);
        hd_gc_full_step(gc, units);
        if (!has_ended(gc, collect))
            return true;
    }
    /* It may have been driven to its end by hd_heap_step. */
    if (!collect->ended)
        add_up(collect, collect->dry_run ? &gc->last_dry_run : &gc->last);
    collect->ended = true;
    /* Found is not freed yet. */
    if (hd_gc_reap(gc, units))
        return true;
    collect->done = true;
    return false;
}

bool hd_heap_freeze_step(struct hd_heap *heap, bool freeze, uint32_t *next, uint64_t units)
{
    /* A collection that is under way looked at the frozen ones already. */
    if (hd_gc_full_step(&heap->gc, units))
        return true;
    return freeze ? hd_gc_freeze_step(&heap->gc, next, units) : hd_gc_unfreeze_step(&heap->gc, next, units);
}

int hd_heap_collect(struct hd_heap *heap, unsigned generation, struct hd_collection *out)
{
    struct hd_collect collect;
    int error = hd_heap_collect_begin(heap, generation, &collect);
    if (error)
        return error;
    while (hd_heap_collect_step(heap, &collect, RELIEVE_UNITS))
        ;
    while (hd_gc_reap(&heap->gc, RELIEVE_UNITS))
        ;
    *out = collect.result;
    return 0;
}

void hd_heap_compact_begin(struct hd_heap *heap)
{
    hd_gc_compact_start(&heap->gc);
}

void hd_heap_compact(struct hd_heap *heap)
{
    /* One that is under way chose its arenas before what has been freed since. */
    while (hd_gc_compact_step(&heap->gc, RELIEVE_UNITS))
        ;
    hd_gc_compact_start(&heap->gc);
    while (hd_gc_compact_step(&heap->gc, RELIEVE_UNITS))
        ;
    release_all(heap);
}
