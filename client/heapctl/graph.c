#include "client/heapctl/graph.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *memory, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return memory;
    size_t more = *capacity ? *capacity * 2 : 1024;
    while (more < needed)
        more *= 2;
    void *grown = realloc(memory, more * size);
    if (grown)
        *capacity = more;
    return grown;
}

static const char *keep_text(struct hd_graph *graph, struct heapd_bytes text)
{
    if (text.size == 0)
        return "";
    struct hd_graph_text *kept = malloc(sizeof *kept + text.size);
    if (!kept)
        return NULL;
    kept->next = graph->texts;
    memcpy(kept->bytes, text.data, text.size);
    graph->texts = kept;
    return kept->bytes;
}

static bool add_root(struct hd_graph *graph, const struct heapd_snapshot_item *item)
{
    struct hd_graph_root *roots = realloc(graph->roots, (graph->root_count + 1) * sizeof *roots);
    if (!roots)
        return false;
    graph->roots = roots;
    struct hd_graph_root *root = &roots[graph->root_count];
    *root = (struct hd_graph_root){.root = item->root, .node_count = item->node_count};
    root->nodes = malloc(item->node_count * sizeof *root->nodes + 1);
    root->root.client_name = strdup(item->root.client_name);
    graph->root_count++;
    if (!root->nodes || !root->root.client_name)
        return false;
    if (item->node_count)
        memcpy(root->nodes, item->nodes, item->node_count * sizeof *root->nodes);
    return true;
}

static bool add_node(struct hd_graph *graph, const struct heapd_snapshot_item *item)
{
    bool is_more = graph->node_count && graph->nodes[graph->node_count - 1].identity == item->identity;
    if (!is_more) {
        void *nodes = grow(graph->nodes, &graph->node_capacity, graph->node_count + 1, sizeof *graph->nodes);
        if (!nodes)
            return false;
        graph->nodes = nodes;
        struct hd_graph_node *node = &graph->nodes[graph->node_count++];
        *node = (struct hd_graph_node){.identity = item->identity,
                                       .type = item->type,
                                       .shallow_bytes = item->shallow_bytes,
                                       .name = keep_text(graph, item->name),
                                       .name_bytes = (uint32_t)item->name.size,
                                       .first_edge = graph->edge_count};
        if (!node->name)
            return false;
    }
    void *edges = grow(graph->edges, &graph->edge_capacity, graph->edge_count + item->edge_count, sizeof *graph->edges);
    if (!edges && item->edge_count)
        return false;
    graph->edges = edges ? edges : graph->edges;
    for (size_t i = 0; i < item->edge_count; i++) {
        const struct heapd_snapshot_edge *from = &item->edges[i];
        struct hd_graph_edge *to = &graph->edges[graph->edge_count++];
        *to = (struct hd_graph_edge){.target = from->target,
                                     .kind = (uint8_t)from->kind,
                                     .number = from->number,
                                     .text = keep_text(graph, from->text),
                                     .text_bytes = (uint32_t)from->text.size};
        if (!to->text)
            return false;
    }
    graph->nodes[graph->node_count - 1].edge_count += item->edge_count;
    return true;
}

/* From indices of the daemon's table to numbers of nodes; what leads nowhere is left out. */
static bool number_targets(struct hd_graph *graph)
{
    uint32_t most = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        most = (uint32_t)graph->nodes[i].identity > most ? (uint32_t)graph->nodes[i].identity : most;
    uint32_t *numbers = malloc(((size_t)most + 1) * sizeof *numbers);
    if (!numbers)
        return false;
    memset(numbers, 0xff, ((size_t)most + 1) * sizeof *numbers);
    for (size_t i = 0; i < graph->node_count; i++)
        numbers[(uint32_t)graph->nodes[i].identity] = (uint32_t)i;
    size_t to = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        struct hd_graph_node *node = &graph->nodes[i];
        size_t first = to;
        for (size_t e = 0; e < node->edge_count; e++) {
            struct hd_graph_edge edge = graph->edges[node->first_edge + e];
            if (edge.target > most || numbers[edge.target] == UINT32_MAX)
                continue;
            edge.target = numbers[edge.target];
            graph->edges[to++] = edge;
        }
        node->first_edge = first;
        node->edge_count = to - first;
    }
    graph->edge_count = to;
    for (size_t i = 0; i < graph->root_count; i++) {
        struct hd_graph_root *root = &graph->roots[i];
        size_t kept = 0;
        for (size_t n = 0; n < root->node_count; n++)
            if (root->nodes[n] <= most && numbers[root->nodes[n]] != UINT32_MAX)
                root->nodes[kept++] = numbers[root->nodes[n]];
        root->node_count = kept;
    }
    free(numbers);
    return true;
}

int hd_graph_load(struct hd_ctl *ctl, bool texts, struct hd_graph *out)
{
    struct heapd_snapshot *snapshot;
    struct heapd_snapshot_item item;
    struct heapd_error error;
    struct hd_graph graph = {0};
    if (heapd_snapshot_open(ctl->connection, texts, &snapshot, &error))
        return hd_ctl_fail(ctl, &error);
    int code;
    bool kept = true;
    while (kept && (code = heapd_snapshot_next(snapshot, &item, &error)) > 0)
        kept = item.is_root ? add_root(&graph, &item) : add_node(&graph, &item);
    int failed = 0;
    if (!kept || (code == 0 && !number_targets(&graph)))
        failed = hd_problem_no_memory(&ctl->problem);
    else if (code < 0)
        failed = hd_ctl_fail(ctl, &error);
    heapd_snapshot_close(snapshot);
    if (failed)
        hd_graph_fini(&graph);
    else
        *out = graph;
    return failed;
}

void hd_graph_fini(struct hd_graph *graph)
{
    for (size_t i = 0; i < graph->root_count; i++) {
        free(graph->roots[i].nodes);
        free((char *)(uintptr_t)graph->roots[i].root.client_name);
    }
    while (graph->texts) {
        struct hd_graph_text *text = graph->texts;
        graph->texts = text->next;
        free(text);
    }
    free(graph->roots);
    free(graph->nodes);
    free(graph->edges);
    *graph = (struct hd_graph){0};
}
