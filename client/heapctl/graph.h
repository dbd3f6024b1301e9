/* The whole graph in this process: what pictures are made of. */
#ifndef HEAPD_HEAPCTL_GRAPH_H
#define HEAPD_HEAPCTL_GRAPH_H

#include <heapd/inspect.h>

#include "client/heapctl/ctl.h"

struct hd_graph_edge {
    uint32_t target; /* number of a node */
    uint8_t kind;
    uint64_t number;
    const char *text; /* "" or lent until fini */
    uint32_t text_bytes;
};

struct hd_graph_node {
    uint64_t identity;
    enum heapd_type type;
    uint64_t shallow_bytes;
    const char *name;
    uint32_t name_bytes;
    size_t first_edge;
    size_t edge_count;
};

struct hd_graph_root {
    struct heapd_root root; /* client_name is owned */
    uint32_t *nodes;        /* own */
    size_t node_count;
};

struct hd_graph_text {
    struct hd_graph_text *next;
    char bytes[];
};

struct hd_graph {
    struct hd_graph_node *nodes; /* own */
    size_t node_count;
    size_t node_capacity;
    struct hd_graph_edge *edges; /* own */
    size_t edge_count;
    size_t edge_capacity;
    struct hd_graph_root *roots; /* own */
    size_t root_count;
    struct hd_graph_text *texts; /* own */
};

/* Fetches it. On failure there is nothing to free. */
int hd_graph_load(struct hd_ctl *ctl, bool texts, struct hd_graph *out) HD_MUST_USE;
void hd_graph_fini(struct hd_graph *graph);

#endif
