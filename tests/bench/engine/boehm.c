/*
 * Boehm's collector on the graph of graph.c: live nodes of three references and
 * a word.
 *
 *     bench_boehm COUNT sequential|random
 */
#include <gc.h>
#include <string.h>

#include "bench.h"

#define EDGES 3
#define REPEATS 3

struct node {
    struct node *edges[EDGES];
    uint64_t number;
};

static struct node **graph_new(uint64_t count, int sequential)
{
    struct node **all = GC_MALLOC(count * sizeof *all);
    if (!all)
        bench_die("out of memory");
    for (uint64_t i = 0; i < count; i++) {
        all[i] = GC_MALLOC(sizeof *all[i]);
        if (!all[i])
            bench_die("out of memory");
        all[i]->number = i;
        for (uint64_t k = 0; k < EDGES && i > 0; k++) {
            uint64_t referent = bench_random() % i;
            if (sequential)
                referent = i > k ? i - k - 1 : 0;
            all[i]->edges[k] = all[referent];
        }
    }
    return all;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        bench_die("usage: bench_boehm COUNT sequential|random");
    uint64_t count = bench_count(argv[1]);
    GC_INIT();
    GC_disable();
    struct node **all = graph_new(count, strcmp(argv[2], "sequential") == 0);
    GC_enable();
    GC_gcollect();
    for (unsigned i = 0; i < REPEATS; i++) {
        uint64_t start_ns = bench_cpu_ns();
        GC_gcollect();
        bench_row("full", (double)(bench_cpu_ns() - start_ns) / (double)count, "ns");
    }
    if (all[count - 1]->number != count - 1)
        bench_die("a live node is gone");
    return 0;
}
