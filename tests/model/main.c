/*
 * The model test: random operations drive the engine and a naive model of it.
 *
 *     heapd-model [--seed N] [--seeds N] [--operations N] [--check-every N] [--verbose]
 *
 * Without --seed, HEAPD_TEST_SEED or the clock chooses. Each seed also chooses
 * whether memory is limited and whether allocations fail. The seed is printed
 * first, so a failure can be run again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run.h"

static bool fault(void *context)
{
    struct run *run = context;
    if (run->fault_in == 0 || --run->fault_in != 0)
        return false;
    run->faults++;
    return true;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct run *run = (const void *)((const char *)source - offsetof(struct run, source));
    size_t i = from;
    (void)max;
    for (; i < MODEL_ROOTS && i - from < 7; i++)
        visitor->visit(visitor, run->model.roots[i].word);
    return i < MODEL_ROOTS ? i : 0;
}

static void check(struct run *run)
{
    const char *broken = hd_heap_check(run->heap, &hd_allocator_libc);
    if (broken)
        model_fail("broken invariant: %s", broken);
    model_compare(&run->model, run->heap);
}

static void make_room(struct run *run)
{
    /* At the limit: some handles go, and what they held. */
    for (int i = 0; i < MODEL_ROOTS / 4; i++) {
        struct model_value *root = &run->model.roots[run_below(run, MODEL_ROOTS)];
        hd_value old = root->word;
        *root = (struct model_value){.word = HD_NONE};
        hd_gc_release(run->gc, old);
    }
    hd_heap_relieve(run->heap);
}

static void start(struct run *run, const struct run_options *options)
{
    memset(run, 0, sizeof *run);
    run->options = options;
    run->random = options->seed;
    model_init(&run->model);
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    config.hash_key[0] = options->seed;
#ifdef HEAPD_STRESS
    config.thresholds[0] = 1 + run_below(run, 5);
#else
    config.thresholds[0] = 20 + run_below(run, 700);
#endif
    config.thresholds[1] = 2 + run_below(run, 10);
    config.thresholds[2] = 1 + run_below(run, 5);
    config.settle_units = 4 + run_below(run, 300);
    config.fault = fault;
    config.fault_context = run;
    MODEL_ASSERT(hd_heap_new(hd_os_linux(), &config, &run->heap) == 0);
    run->objects = &run->heap->objects;
    run->gc = &run->heap->gc;
    run->limit_bytes = UINT64_MAX;
    if (options->limit_bytes)
        run->limit_bytes = run->heap->budget.used_bytes + options->limit_bytes;
    run->heap->budget.limit_bytes = run->limit_bytes;
    run_sessions_start(run);
    run->source.scan = scan;
    hd_gc_add_roots(run->gc, &run->source);
}

static void finish(struct run *run)
{
    struct hd_collection found;
    check(run);
    run_end_walk(run);
    run_collect(run, 2);
    check(run);
    /* All handles and names go: nothing is left. */
    run->heap->budget.limit_bytes = UINT64_MAX;
    run_sessions_end(run);
    for (size_t i = 0; i < MODEL_ROOTS; i++) {
        hd_value old = run->model.roots[i].word;
        run->model.roots[i] = (struct model_value){.word = HD_NONE};
        hd_gc_release(run->gc, old);
    }
    while (run->model.global_count) {
        struct model_value name = run->model.globals[0];
        size_t size = hd_value_short_size(name.word);
        MODEL_ASSERT(hd_heap_unbind(run->heap, HD_ABSENT, hd_value_short_bytes(&name.word), size) == 0);
        model_remove(run->model.globals, &run->model.global_count, 0);
        model_remove(run->model.globals, &run->model.global_count, 0);
    }
    MODEL_ASSERT(hd_heap_collect(run->heap, 2, &found) == 0);
    check(run);
    MODEL_ASSERT(run->heap->table.live_count == 2); /* the global scope and its names */
    hd_gc_remove_roots(run->gc, &run->source);
    hd_heap_free(run->heap);
    model_fini(&run->model);
}

static void run_seed(const struct run_options *options)
{
    static struct run run;
    printf("model: --seed %" PRIu64 " --operations %" PRIu64 " --check-every %" PRIu64 " (limit %" PRIu64
           " KiB, faults %u%%)\n",
           options->seed, options->operations, options->check_every, options->limit_bytes >> 10,
           options->fault_percent);
    fflush(stdout);
    start(&run, options);
    for (uint64_t i = 0; i < options->operations; i++) {
        if (i % 1500 == 0)
            run.growing = !run.growing;
        run_operation(&run);
        run.failed_count += run.failed;
        if (run.heap->table.live_count > run.live_peak)
            run.live_peak = run.heap->table.live_count;
        if (i % options->check_every == 0 || (run.failed && run_below(&run, 8) == 0))
            check(&run);
        if (run.failed && !run.faults)
            make_room(&run);
    }
    if (options->verbose)
        printf("  objects created %" PRIu64 ", at once %u, collections %" PRIu64 "/%" PRIu64 "/%" PRIu64
               ", found %" PRIu64 "/%" PRIu64 "/%" PRIu64 ", operations refused %" PRIu64 ", walks whole %" PRIu64
               ", changed %" PRIu64 ", compactions %" PRIu64 ", searches %" PRIu64 "\n",
               run.gc->created_count, run.live_peak, run.gc->stats[0].collection_count,
               run.gc->stats[1].collection_count, run.gc->stats[2].collection_count, run.gc->stats[0].collected_count,
               run.gc->stats[1].collected_count, run.gc->stats[2].collected_count, run.failed_count,
               run.walk_done_count, run.walk_changed_count, run.gc->compaction.compaction_count, run.relief_count);
    finish(&run);
}

/* A quarter of the seeds each: as it comes, with allocations that fail, with a limit, with both. */
static void choose(struct run_options *options)
{
    options->fault_percent = options->seed % 2 == 1 ? 15 : 0;
    options->limit_bytes = options->seed % 4 >= 2 ? UINT64_C(200) << 10 : 0; /* beside what an empty heap takes */
}

int main(int argc, char **argv)
{
    struct run_options options = {.operations = 20000, .check_every = 100};
    uint64_t seeds = 1;
    const char *wanted = getenv("HEAPD_TEST_SEED");
    options.seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        uint64_t number = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            options.seed = number;
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = number;
        else if (strcmp(argv[i], "--operations") == 0 && i + 1 < argc)
            options.operations = number;
        else if (strcmp(argv[i], "--check-every") == 0 && i + 1 < argc && number > 0)
            options.check_every = number;
        else {
            fprintf(stderr, "usage: %s [--seed N] [--seeds N] [--operations N] [--check-every N] [--verbose]\n",
                    argv[0]);
            return 2;
        }
        i++;
    }
    for (uint64_t i = 0; i < seeds; i++, options.seed++) {
        choose(&options);
        run_seed(&options);
    }
    printf("model: no difference in %" PRIu64 " operations\n", seeds * options.operations);
    return 0;
}
