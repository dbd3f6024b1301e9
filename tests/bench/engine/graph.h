/* A heap to measure, and graphs of containers in it. */
#ifndef BENCH_GRAPH_H
#define BENCH_GRAPH_H

#include "bench.h"
#include "heap/heap.h"

/* References of each object of a graph. */
#define GRAPH_EDGES 3

/* As the daemon has it: huge pages. `collects`: with the usual thresholds, or never by itself. */
struct hd_heap *bench_heap_new(bool collects);

/*
 * A list of `count` objects, each with references to three of those before it (to
 * the list itself where there are none): the three before it if `sequential`, else
 * random ones. `shapes` names their types by turns: l list, t tuple, d dict, i
 * instance. The caller owns the list.
 */
hd_value graph_new(struct hd_heap *heap, uint64_t count, bool sequential, const char *shapes);

/* An object of a shape with these edges (steal). */
hd_value graph_object(struct hd_heap *heap, char shape, const hd_value edges[GRAPH_EDGES]);

/* A list of `count` lists of two nones, in random order of their making. */
hd_value small_lists_new(struct hd_heap *heap, uint64_t count);

/* Binds a global name. Steals the value. */
void bench_bind(struct hd_heap *heap, const char *name, hd_value value);
void bench_unbind(struct hd_heap *heap, const char *name);

#endif
