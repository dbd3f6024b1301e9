/*
 * A picture of scopes, names and objects, as Graphviz reads it: scopes on the left,
 * the heap on the right, arrows between, in the manner of Python Tutor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/graph.h"
#include "client/heapctl/object.h"

#define NODES_USUAL 60
#define ROWS_MAX 16

struct drawing {
    const struct hd_graph *graph;
    bool *chosen;    /* by node */
    uint32_t *queue; /* nodes that are drawn, in order */
    size_t count;
};

static void choose(struct drawing *drawing, uint32_t node, size_t most)
{
    if (drawing->chosen[node] || drawing->count >= most)
        return;
    drawing->chosen[node] = true;
    drawing->queue[drawing->count++] = node;
}

/* Text in an HTML label: what HTML means something by, and controls, are written otherwise. */
static void print_text(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '<')
            fputs("&lt;", stdout);
        else if (c == '>')
            fputs("&gt;", stdout);
        else if (c == '&')
            fputs("&amp;", stdout);
        else if (c == '"')
            fputs("&quot;", stdout);
        else
            putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void print_edge_name(const struct hd_graph_edge *edge)
{
    switch ((enum heapd_edge_kind)edge->kind) {
    case HEAPD_EDGE_INDEX:
        printf("%" PRIu64, edge->number);
        break;
    case HEAPD_EDGE_KEY:
    case HEAPD_EDGE_ATTRIBUTE:
    case HEAPD_EDGE_NAME:
        print_text(edge->text, edge->text_bytes);
        break;
    case HEAPD_EDGE_CLASS:
        fputs("class", stdout);
        break;
    case HEAPD_EDGE_NAMES:
        fputs("names", stdout);
        break;
    case HEAPD_EDGE_PARENT:
        fputs("parent", stdout);
        break;
    case HEAPD_EDGE_IS_KEY:
        fputs("key", stdout);
        break;
    case HEAPD_EDGE_MEMBER:
        fputs("member", stdout);
        break;
    default:
        printf("part %" PRIu64, edge->number);
        break;
    }
}

/* A node with a row for each reference, from which an arrow leaves. */
static void print_node(const struct drawing *drawing, uint32_t number)
{
    const struct hd_graph *graph = drawing->graph;
    const struct hd_graph_node *node = &graph->nodes[number];
    bool is_scope = node->type == HEAPD_TYPE_SCOPE;
    printf("  n%u [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\"><tr><td bgcolor=\"%s\">%s", number,
           is_scope ? "lightyellow" : "lightgrey", heapd_type_name(node->type));
    if (node->name_bytes) {
        putchar(' ');
        print_text(node->name, node->name_bytes);
    }
    printf(" 0x%" PRIx64 "</td></tr>", node->identity);
    for (size_t e = 0; e < node->edge_count && e < ROWS_MAX; e++) {
        printf("<tr><td port=\"e%zu\">", e);
        print_edge_name(&graph->edges[node->first_edge + e]);
        fputs("</td></tr>", stdout);
    }
    if (node->edge_count > ROWS_MAX)
        printf("<tr><td>%zu more</td></tr>", node->edge_count - ROWS_MAX);
    puts("</table>>];");
}

static void print_arrows(const struct drawing *drawing, uint32_t number)
{
    const struct hd_graph_node *node = &drawing->graph->nodes[number];
    for (size_t e = 0; e < node->edge_count && e < ROWS_MAX; e++) {
        uint32_t target = drawing->graph->edges[node->first_edge + e].target;
        if (drawing->chosen[target])
            printf("  n%u:e%zu -> n%u;\n", number, e, target);
    }
}

static void print_roots(const struct drawing *drawing)
{
    const struct hd_graph *graph = drawing->graph;
    puts("  subgraph cluster_roots { label=\"roots\"; style=dashed;");
    for (size_t i = 0; i < graph->root_count; i++) {
        const struct hd_graph_root *root = &graph->roots[i];
        bool is_used = false;
        for (size_t n = 0; n < root->node_count; n++)
            is_used |= drawing->chosen[root->nodes[n]];
        if (!is_used)
            continue;
        printf("    r%zu [shape=box, label=<%s", i, hd_ctl_root_name(root->root.kind));
        if (root->root.kind == HEAPD_ROOT_SESSION) {
            printf(" %" PRIu64 " ", root->root.session);
            print_text(root->root.client_name, strlen(root->root.client_name));
        }
        puts(">];");
    }
    puts("  }");
    for (size_t i = 0; i < graph->root_count; i++)
        for (size_t n = 0; n < graph->roots[i].node_count; n++)
            if (drawing->chosen[graph->roots[i].nodes[n]])
                printf("  r%zu -> n%u;\n", i, graph->roots[i].nodes[n]);
}

static void draw(const struct drawing *drawing)
{
    puts("digraph heap {\n  rankdir=LR; node [shape=plaintext, fontname=\"monospace\", fontsize=10];");
    print_roots(drawing);
    for (size_t i = 0; i < drawing->count; i++)
        print_node(drawing, drawing->queue[i]);
    for (size_t i = 0; i < drawing->count; i++)
        print_arrows(drawing, drawing->queue[i]);
    puts("}");
}

static int node_json(struct hd_json_writer *json, const struct drawing *drawing, uint32_t number)
{
    const struct hd_graph *graph = drawing->graph;
    const struct hd_graph_node *node = &graph->nodes[number];
    int error = hd_json_writer_begin_object(json);
    if (error)
        return error;
    hd_ctl_json_uint(json, "identity", node->identity);
    hd_ctl_json_string(json, "type", heapd_type_name(node->type));
    if (node->name_bytes)
        hd_ctl_json_text(json, "name", heapd_slice(node->name, node->name_bytes));
    hd_ctl_json_uint(json, "shallow_bytes", node->shallow_bytes);
    hd_json_writer_key(json, "references", 10);
    error = hd_json_writer_begin_array(json);
    for (size_t e = 0; !error && e < node->edge_count && e < ROWS_MAX; e++) {
        const struct hd_graph_edge *edge = &graph->edges[node->first_edge + e];
        error = hd_json_writer_begin_object(json);
        if (error)
            return error;
        hd_ctl_json_uint(json, "to", graph->nodes[edge->target].identity);
        if (edge->text_bytes)
            hd_ctl_json_text(json, "text", heapd_slice(edge->text, edge->text_bytes));
        else
            hd_ctl_json_uint(json, "number", edge->number);
        hd_json_writer_end(json);
    }
    if (error)
        return error;
    hd_json_writer_end(json);
    hd_ctl_json_uint(json, "references_left_out", node->edge_count > ROWS_MAX ? node->edge_count - ROWS_MAX : 0);
    hd_json_writer_end(json);
    return 0;
}

/* The same objects, for programs that draw themselves. */
static int print_as_json(struct hd_ctl *ctl, const struct drawing *drawing)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, true);
    if (error)
        return error;
    for (size_t i = 0; !error && i < drawing->count; i++)
        error = node_json(&json, drawing, drawing->queue[i]);
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

/* From the object, or from names and handles, outwards. */
static void choose_all(struct drawing *drawing, const uint64_t *identity, size_t most)
{
    const struct hd_graph *graph = drawing->graph;
    for (size_t i = 0; identity && i < graph->node_count; i++)
        if (graph->nodes[i].identity == *identity)
            choose(drawing, (uint32_t)i, most);
    for (size_t i = 0; !identity && i < graph->root_count; i++)
        for (size_t n = 0; n < graph->roots[i].node_count; n++)
            choose(drawing, graph->roots[i].nodes[n], most);
    for (size_t i = 0; i < drawing->count; i++) {
        const struct hd_graph_node *node = &graph->nodes[drawing->queue[i]];
        for (size_t e = 0; e < node->edge_count && e < ROWS_MAX; e++)
            choose(drawing, graph->edges[node->first_edge + e].target, most);
    }
}

int hd_cmd_graph(struct hd_ctl *ctl)
{
    struct hd_graph graph;
    uint64_t identity = 0;
    int error = ctl->operand_count ? hd_ctl_identity(ctl, ctl->operands[0], &identity) : 0;
    if (!error)
        error = hd_graph_load(ctl, true, &graph);
    if (error)
        return error;
    size_t most = ctl->options.count ? ctl->options.count : NODES_USUAL;
    struct drawing drawing = {.graph = &graph,
                              .chosen = calloc(graph.node_count + 1, sizeof *drawing.chosen),
                              .queue = calloc(graph.node_count + 1, sizeof *drawing.queue)};
    if (drawing.chosen && drawing.queue) {
        choose_all(&drawing, ctl->operand_count ? &identity : NULL, most);
        if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
            error = print_as_json(ctl, &drawing);
        else
            draw(&drawing);
    } else {
        error = hd_problem_no_memory(&ctl->problem);
    }
    free(drawing.chosen);
    free(drawing.queue);
    hd_graph_fini(&graph);
    return error;
}
