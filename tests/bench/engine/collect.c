/*
 * Full collections of live objects, in one go and in slices, and young ones.
 *
 *     bench_collect COUNT sequential|random SHAPES full|young
 */
#include <string.h>

#include "graph.h"

#define REPEATS 3
#define YOUNG_REPEATS 200
#define YOUNG_SURVIVORS 700
/* What the daemon's loop begins with. */
#define SLICE_UNITS 4096

static double ns_per(uint64_t start_ns, uint64_t count)
{
    return (double)(bench_cpu_ns() - start_ns) / (double)count;
}

/* Everything lives. A collection that thinks otherwise measures something else. */
static void check_all_live(const struct hd_heap *heap)
{
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        if (heap->gc.last.unreachable_count[i])
            bench_die("the collection found garbage where there is none");
}

static double collect(struct hd_heap *heap, uint64_t count, uint64_t units)
{
    uint64_t start_ns = bench_cpu_ns();
    hd_gc_full_start(&heap->gc, false);
    while (hd_gc_full_step(&heap->gc, units))
        ;
    double ns = ns_per(start_ns, count);
    check_all_live(heap);
    return ns;
}

static void measure_full(struct hd_heap *heap, uint64_t count)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        double at_once = collect(heap, count, UINT64_MAX);
        double in_slices = collect(heap, count, SLICE_UNITS);
        bench_row("full, one go", at_once, "ns");
        bench_row("full, in slices", in_slices, "ns");
        bench_row("full, slices over one go", in_slices / at_once, "x");
    }
}

/* The young hang on a list that is young itself, as in the Python program. */
static void measure_young(struct hd_heap *heap)
{
    struct hd_objects *objects = &heap->objects;
    /* More were made in one go than may be young, so those born next are old at once, for a while. */
    while (heap->gc.young_pause) {
        hd_value list;
        BENCH_CHECK(hd_list_new(objects, 0, &list));
        hd_gc_release(&heap->gc, list);
    }
    while (hd_heap_step(heap, UINT64_MAX))
        ;
    for (unsigned repeat = 0; repeat < YOUNG_REPEATS; repeat++) {
        hd_value keep;
        BENCH_CHECK(hd_list_new(objects, 0, &keep));
        for (unsigned i = 0; i < YOUNG_SURVIVORS; i++) {
            hd_value list;
            BENCH_CHECK(hd_list_new(objects, 0, &list));
            BENCH_CHECK(hd_list_append(objects, keep, list));
        }
        struct hd_collection found;
        uint64_t start_ns = bench_cpu_ns();
        hd_gc_collect_young(&heap->gc, 0, &found);
        double us = (double)(bench_cpu_ns() - start_ns) / 1e3;
        if (found.examined_count[0] != YOUNG_SURVIVORS + 1 || found.unreachable_count[0])
            bench_die("the young collection did not see what it should");
        bench_row("young", us, "us");
        hd_gc_release(&heap->gc, keep);
        while (hd_gc_reap(&heap->gc, UINT64_MAX))
            ;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_die("usage: bench_collect COUNT sequential|random SHAPES full|young");
    uint64_t count = bench_count(argv[1]);
    struct hd_heap *heap = bench_heap_new(false);
    uint64_t start_ns = bench_cpu_ns();
    bench_bind(heap, "all", graph_new(heap, count, strcmp(argv[2], "sequential") == 0, argv[3]));
    bench_row("build", ns_per(start_ns, count), "ns");
    bench_row("mapped", (double)heap->budget.used_bytes / (double)count, "bytes");
    /* The first makes everything old. */
    bench_row("full, first", collect(heap, count, UINT64_MAX), "ns");
    if (strcmp(argv[4], "young") == 0)
        measure_young(heap);
    else
        measure_full(heap, count);
    hd_heap_free(heap);
    return 0;
}
