/* What happens between requests: collections, freeing, compaction, walks; all in steps of any size. */
#include "run.h"

/* What is frozen is not collected, garbage or not. */
static void unfreeze(struct run *run)
{
    run->freeze_next = 0;
    while (hd_heap_freeze_step(run->heap, false, &run->freeze_next, 1000))
        ;
    run->freeze_next = 0;
}

void run_collect(struct run *run, unsigned generation)
{
    struct hd_collection found;
    if (generation == 2) {
        unfreeze(run);
        run_sessions_settle(run);
    }
    MODEL_ASSERT(hd_heap_collect(run->heap, generation, &found) == 0);
    run->collection_count++;
    if (generation < 2)
        return;
    model_reach(&run->model);
    model_compare_counts(&run->model, run->heap);
}

/* A literal that has come out whole is what the model says, and of this moment. */
static void walk_ended(struct run *run)
{
    uint64_t nodes, containers;
    MODEL_ASSERT(model_count_nodes(&run->model, run->model.walk_root, &nodes, &containers));
    MODEL_ASSERT(run->walk_containers == containers);
    MODEL_ASSERT(run->walk_nodes == nodes);
    run->walk_done_count++;
}

void run_end_walk(struct run *run)
{
    if (!run->walk)
        return;
    hd_walk_free(run->walk);
    run->walk = NULL;
    run->model.walk_root = (struct model_value){.word = HD_NONE};
    hd_literal_writer_fini(&run->writer);
}

static void begin_walk(struct run *run)
{
    struct model_value root = run->model.roots[run_below(run, MODEL_ROOTS)];
    if (!run_expect(run, hd_walk_new(run->objects, root.word, &run->walk), 0)) {
        run->walk = NULL;
        return;
    }
    run->model.walk_root = root;
    hd_literal_writer_init(&run->writer, &hd_allocator_libc, 1 << 20);
    run->walk_nodes = run->walk_containers = 0;
}

static void step_walk(struct run *run)
{
    struct hd_columns columns;
    int result = hd_walk_step(run->walk, &run->writer, 1 << 16, 1 + run_below(run, 200));
    hd_literal_writer_columns(&run->writer, &columns);
    if (result < 0) {
        uint64_t nodes, containers;
        if (result == HD_ECHANGED)
            run->walk_changed_count++;
        else if (result == HD_ETYPE)
            MODEL_ASSERT(!model_count_nodes(&run->model, run->model.walk_root, &nodes, &containers));
        else
            run_expect(run, result, 0);
        run_end_walk(run);
        return;
    }
    run->walk_nodes += columns.kind_count;
    run->walk_containers = run->writer.container_count;
    hd_literal_writer_next_part(&run->writer);
    if (result == 1) {
        walk_ended(run);
        run_end_walk(run);
    }
}

static void dry_run(struct run *run)
{
    struct hd_collect dry;
    uint64_t live = run->heap->table.live_count + run->gc->freed_count;
    hd_heap_dry_run_begin(run->heap, &dry);
    for (uint32_t i = run_below(run, 1000); i && hd_heap_collect_step(run->heap, &dry, 50); i--)
        ;
    MODEL_ASSERT(run->heap->table.live_count + run->gc->freed_count == live);
}

/* A search for memory goes on beside everything else, as at the limit, and now and then to its end. */
static void relieve_step(struct run *run)
{
    if (!run->relieving)
        hd_heap_relief_begin(run->heap, &run->relief);
    run->relieving = hd_heap_relief_step(run->heap, &run->relief, 1 + run_below(run, 2000)) != HD_RELIEF_ENDED;
    run->relief_count += !run->relieving;
}

/* The limit comes close for a while, and goes away again. */
static void change_limit(struct run *run)
{
    struct hd_budget *budget = &run->heap->budget;
    if (run->options->limit_bytes == 0)
        return;
    uint64_t close_bytes = budget->used_bytes + run_below(run, 1 << 16);
    budget->limit_bytes = run_below(run, 2) && close_bytes < run->limit_bytes ? close_bytes : run->limit_bytes;
}

static void give_back(struct run *run)
{
    if (run_below(run, 4) == 0)
        hd_alloc_trim(run->heap->alloc);
    else if (run_below(run, 3) == 0)
        (void)hd_table_release(&run->heap->table);
    else
        (void)hd_heap_release_step(run->heap, run_below(run, 20000));
}

/* Where constants are tiny, all that can be done is done all the time. */
static void at_every_chance(struct run *run)
{
#ifdef HEAPD_STRESS
    hd_heap_compact_begin(run->heap);
    hd_heap_collect_start(run->heap);
    hd_heap_step(run->heap, 1 + run_below(run, 40));
#endif
    (void)run;
}

void run_work(struct run *run)
{
    run->fault_in = run->fault_in && run_below(run, 3) == 0 ? run->fault_in : 0;
    uint32_t what = run_below(run, 72);
    if (what < 20)
        hd_heap_settle(run->heap);
    else if (what < 34)
        hd_heap_step(run->heap, 2 + run_below(run, what & 1 ? 30 : 600));
    else if (what < 38)
        run_collect(run, run_below(run, 2));
    else if (what == 38)
        run_collect(run, 2);
    else if (what == 39)
        hd_gc_full_start(run->gc, false);
    else if (what == 40)
        hd_heap_relieve(run->heap);
    else if (what < 43)
        hd_heap_compact_begin(run->heap);
    else if (what == 43)
        hd_heap_compact(run->heap);
    else if (what < 46)
        run->freeze_next = hd_heap_freeze_step(run->heap, what == 44, &run->freeze_next, 40) ? run->freeze_next : 0;
    else if (what == 46)
        dry_run(run);
    else if (what >= 64 && what < 69)
        relieve_step(run);
    else if (what == 69)
        change_limit(run);
    else if (what > 69)
        give_back(run);
    else if (run->walk)
        step_walk(run);
    else
        begin_walk(run);
    at_every_chance(run);
}
