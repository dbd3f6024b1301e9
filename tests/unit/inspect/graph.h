/* A heap that changes at random, and its graph written down in one go, to compare with. */
#ifndef HEAPD_TESTS_UNIT_INSPECT_GRAPH_H
#define HEAPD_TESTS_UNIT_INSPECT_GRAPH_H

#include "fixture.h"
#include "inspect/snapshot.h"

struct graph_node {
    uint64_t identity; /* 0: no object */
    unsigned type;
    uint64_t bytes;
    uint32_t *edges; /* own; sorted */
    uint32_t edge_count;
};

struct graph {
    struct graph_node *nodes; /* own; by table index */
    uint32_t length;
    uint32_t *roots; /* own; sorted */
    uint32_t root_count;
};

/* The heap as it is now. */
void graph_take(struct fixture *f, struct graph *out);
void graph_free(struct graph *graph);
/* Fails the test where the snapshot says something else. */
void graph_compare(const struct graph *graph, const struct hd_snapshot *snapshot);
/* Distance in edges from the roots to each node (UINT32_MAX: none leads there), by the book. To be freed. */
uint32_t *graph_distances(const struct graph *graph);

struct random {
    uint64_t state;
};
/* HEAPD_TEST_SEED, or one of the time; says which. */
void random_init(struct random *random);
uint32_t random_below(struct random *random, uint32_t limit);

/* Changes the heap somehow: objects, references, roots, collections, compaction. */
void graph_mutate(struct fixture *f, struct random *random);

#endif
