/*
 * Dropping a list of small lists that lie in random order, in slices.
 *
 *     bench_drop COUNT
 */
#include "graph.h"

#define REPEATS 3
/* hd_heap_step gives freeing half of it. */
#define SLICE_UNITS 8192

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_die("usage: bench_drop COUNT");
    uint64_t count = bench_count(argv[1]);
    struct hd_heap *heap = bench_heap_new(false);
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        bench_bind(heap, "all", small_lists_new(heap, count));
        struct hd_collection ignored;
        BENCH_CHECK(hd_heap_collect(heap, 2, &ignored)); /* so that they are old, as what is dropped mostly is */

        struct bench_histogram slices = {0};
        uint64_t start_ns = bench_cpu_ns();
        bench_unbind(heap, "all");
        for (bool more = true; more;) {
            uint64_t before_ns = bench_cpu_ns();
            more = hd_heap_step(heap, SLICE_UNITS);
            bench_histogram_add(&slices, bench_cpu_ns() - before_ns);
        }
        bench_row("drop", (double)(bench_cpu_ns() - start_ns) / (double)count, "ns");
        bench_row("drop, longest slice", (double)slices.max_ns / 1e3, "us");
    }
    hd_heap_free(heap);
    return 0;
}
