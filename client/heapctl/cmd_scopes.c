/* Scopes: what each names, and what it hangs on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/graph.h"

static const struct hd_graph_edge *find_edge(const struct hd_graph *graph, const struct hd_graph_node *node,
                                             enum heapd_edge_kind kind)
{
    for (size_t e = 0; e < node->edge_count; e++)
        if (graph->edges[node->first_edge + e].kind == kind)
            return &graph->edges[node->first_edge + e];
    return NULL;
}

static bool is_global(const struct hd_graph *graph, size_t number)
{
    for (size_t i = 0; i < graph->root_count; i++)
        for (size_t n = 0; graph->roots[i].root.kind == HEAPD_ROOT_GLOBALS && n < graph->roots[i].node_count; n++)
            if (graph->roots[i].nodes[n] == number)
                return true;
    return false;
}

/* Names of values that lie in the scope's dict itself are no references, and are not among them. */
static void print_names(const struct hd_graph *graph, const struct hd_graph_node *scope)
{
    const struct hd_graph_edge *names = find_edge(graph, scope, HEAPD_EDGE_NAMES);
    const struct hd_graph_node *dict = names ? &graph->nodes[names->target] : NULL;
    for (size_t e = 0; dict && e < dict->edge_count; e++) {
        const struct hd_graph_edge *edge = &graph->edges[dict->first_edge + e];
        if (edge->kind != HEAPD_EDGE_KEY || edge->text_bytes < 2)
            continue;
        const struct hd_graph_node *value = &graph->nodes[edge->target];
        fputs("  ", stdout);
        hd_ctl_print_name((struct heapd_bytes){.data = edge->text + 1, .size = edge->text_bytes - 2});
        printf(" -> %s 0x%" PRIx64 "\n", heapd_type_name(value->type), value->identity);
    }
}

static void print_scope(const struct hd_graph *graph, size_t number)
{
    const struct hd_graph_node *scope = &graph->nodes[number];
    const struct hd_graph_edge *parent = find_edge(graph, scope, HEAPD_EDGE_PARENT);
    printf("scope 0x%" PRIx64, scope->identity);
    if (is_global(graph, number))
        fputs(", global", stdout);
    if (parent)
        printf(", parent 0x%" PRIx64, graph->nodes[parent->target].identity);
    for (size_t i = 0; i < graph->root_count; i++)
        for (size_t n = 0; graph->roots[i].root.kind == HEAPD_ROOT_SESSION && n < graph->roots[i].node_count; n++)
            if (graph->roots[i].nodes[n] == number)
                printf(", held by session %" PRIu64, graph->roots[i].root.session);
    if (!find_edge(graph, scope, HEAPD_EDGE_NAMES))
        fputs(", closed", stdout);
    putchar('\n');
    print_names(graph, scope);
}

static int json_scope(struct hd_json_writer *json, const struct hd_graph *graph, size_t number)
{
    const struct hd_graph_node *scope = &graph->nodes[number];
    const struct hd_graph_edge *parent = find_edge(graph, scope, HEAPD_EDGE_PARENT);
    const struct hd_graph_edge *names = find_edge(graph, scope, HEAPD_EDGE_NAMES);
    if (hd_json_writer_begin_object(json))
        return HD_ENOMEM;
    hd_ctl_json_uint(json, "identity", scope->identity);
    hd_ctl_json_bool(json, "global", is_global(graph, number));
    hd_ctl_json_uint(json, "parent", parent ? graph->nodes[parent->target].identity : 0);
    hd_json_writer_key(json, "names", 5);
    int error = hd_json_writer_begin_object(json);
    const struct hd_graph_node *dict = names ? &graph->nodes[names->target] : NULL;
    for (size_t e = 0; !error && dict && e < dict->edge_count; e++) {
        const struct hd_graph_edge *edge = &graph->edges[dict->first_edge + e];
        if (edge->kind != HEAPD_EDGE_KEY || edge->text_bytes < 2)
            continue;
        hd_json_writer_key(json, edge->text + 1, edge->text_bytes - 2);
        hd_json_writer_uint(json, graph->nodes[edge->target].identity);
    }
    if (error)
        return error;
    hd_json_writer_end(json);
    hd_json_writer_end(json);
    return 0;
}

int hd_cmd_scopes(struct hd_ctl *ctl)
{
    struct hd_graph graph;
    struct hd_json_writer json;
    bool as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
    int error = hd_graph_load(ctl, true, &graph);
    if (error)
        return error;
    if (as_json)
        error = hd_ctl_json_begin(ctl, &json, true);
    for (size_t i = 0; !error && i < graph.node_count; i++) {
        if (graph.nodes[i].type != HEAPD_TYPE_SCOPE)
            continue;
        if (!as_json)
            print_scope(&graph, i);
        else if (json_scope(&json, &graph, i))
            error = hd_problem_no_memory(&ctl->problem);
    }
    if (as_json && !error)
        hd_ctl_json_end(&json);
    hd_graph_fini(&graph);
    return error;
}
