/*
 * A snapshot that Chrome's DevTools open: the form that V8 writes, with one node
 * above all, one for each source of roots, and one for each object.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/heapctl/graph.h"
#include "client/heapctl/texts.h"

#define NODE_FIELDS 7
/* V8's, by number; ours are mapped to those that DevTools show best. */
enum { TYPE_HIDDEN = 0, TYPE_ARRAY, TYPE_STRING, TYPE_OBJECT, TYPE_NUMBER = 7, TYPE_NATIVE, TYPE_SYNTHETIC };
enum { EDGE_ELEMENT = 1, EDGE_PROPERTY = 2, EDGE_INTERNAL = 3 };

struct picture {
    const struct hd_graph *graph;
    FILE *out;
    struct hd_texts strings; /* DevTools group objects by the number of their name: each text is there once */
};

static uint64_t add_string(struct picture *picture, const char *text, size_t bytes)
{
    return hd_texts_add(&picture->strings, text, bytes);
}

static uint64_t add_text(struct picture *picture, const char *text)
{
    return add_string(picture, text, strlen(text));
}

static unsigned type_of(enum heapd_type type)
{
    switch (type) {
    case HEAPD_TYPE_STR:
        return TYPE_STRING;
    case HEAPD_TYPE_LIST:
    case HEAPD_TYPE_TUPLE:
    case HEAPD_TYPE_SET:
        return TYPE_ARRAY;
    case HEAPD_TYPE_INT:
    case HEAPD_TYPE_FLOAT:
        return TYPE_NUMBER;
    case HEAPD_TYPE_BYTES:
        return TYPE_NATIVE;
    default:
        return TYPE_OBJECT;
    }
}

static void root_name(const struct heapd_root *root, char *out, size_t bytes)
{
    static const char *const names[] = {"(requests)", "(global names)", "",          "(parked requests)", "(frozen)",
                                        "(tokens)",   "(garbage kept)", "(interned)"};
    if (root->kind == HEAPD_ROOT_SESSION)
        (void)snprintf(out, bytes, "(session %" PRIu64 " %.60s)", root->session, root->client_name);
    else
        (void)snprintf(out, bytes, "%s",
                       (unsigned)root->kind < sizeof names / sizeof names[0] ? names[root->kind] : "(roots)");
}

static void put_node(struct picture *picture, bool first, unsigned type, uint64_t name, uint64_t id, uint64_t bytes,
                     size_t edges)
{
    fprintf(picture->out, "%s%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%zu,0,0\n", first ? "" : ",", type, name, id, bytes,
            edges);
}

static uint64_t add_name(struct picture *picture, const struct hd_graph_node *node)
{
    char text[160];
    if (!node->name_bytes)
        return add_text(picture, heapd_type_name(node->type));
    if (node->type != HEAPD_TYPE_CLASS)
        return add_string(picture, node->name, node->name_bytes);
    /* Not among its instances. */
    (void)snprintf(text, sizeof text, "class %.*s", (int)node->name_bytes, node->name);
    return add_text(picture, text);
}

static void put_nodes(struct picture *picture)
{
    const struct hd_graph *graph = picture->graph;
    char name[96];
    /* Identities are odd in V8 for objects; a session's node has an even one of its own. */
    put_node(picture, true, TYPE_SYNTHETIC, add_text(picture, ""), 1, 0, graph->root_count);
    for (size_t i = 0; i < graph->root_count; i++) {
        root_name(&graph->roots[i].root, name, sizeof name);
        put_node(picture, false, TYPE_SYNTHETIC, add_text(picture, name), 2 + 2 * i, 0, graph->roots[i].node_count);
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct hd_graph_node *node = &graph->nodes[i];
        uint64_t text = add_name(picture, node);
        put_node(picture, false, type_of(node->type), text, node->identity * 2 + 1, node->shallow_bytes,
                 node->edge_count);
    }
}

static void put_edge(struct picture *picture, bool first, unsigned type, uint64_t name, uint64_t node)
{
    fprintf(picture->out, "%s%u,%" PRIu64 ",%" PRIu64 "\n", first ? "" : ",", type, name, node * NODE_FIELDS);
}

/* A key's text has the quotes of a str, which DevTools do not want. */
static uint64_t add_key(struct picture *picture, const struct hd_graph_edge *edge)
{
    size_t bytes = edge->text_bytes;
    bool quoted = bytes >= 2 && edge->text[0] == '"' && edge->kind == HEAPD_EDGE_KEY;
    return add_string(picture, edge->text + quoted, bytes - 2 * quoted);
}

static void put_edges(struct picture *picture)
{
    const struct hd_graph *graph = picture->graph;
    static const char *const internal[] = {"?", "", "", "key", "member", "", "class", "", "names", "parent", "part"};
    uint64_t names[sizeof internal / sizeof internal[0]];
    bool first = true;
    for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++)
        names[i] = add_text(picture, internal[i]);
    uint64_t root_name_number = add_text(picture, "roots");
    for (size_t i = 0; i < graph->root_count; i++, first = false)
        put_edge(picture, first, EDGE_INTERNAL, root_name_number, 1 + i);
    for (size_t i = 0; i < graph->root_count; i++)
        for (size_t n = 0; n < graph->roots[i].node_count; n++)
            put_edge(picture, false, EDGE_ELEMENT, n, 1 + graph->root_count + graph->roots[i].nodes[n]);
    for (size_t e = 0; e < graph->edge_count; e++) {
        const struct hd_graph_edge *edge = &graph->edges[e];
        uint64_t to = 1 + graph->root_count + edge->target;
        if (edge->kind == HEAPD_EDGE_INDEX || edge->kind == HEAPD_EDGE_PART)
            put_edge(picture, first, EDGE_ELEMENT, edge->number, to);
        else if (edge->kind == HEAPD_EDGE_KEY || edge->kind == HEAPD_EDGE_ATTRIBUTE)
            put_edge(picture, first, EDGE_PROPERTY, add_key(picture, edge), to);
        else
            put_edge(picture, first, EDGE_INTERNAL, names[edge->kind < 11 ? edge->kind : 0], to);
        first = false;
    }
}

static void put_meta(struct picture *picture)
{
    const struct hd_graph *graph = picture->graph;
    size_t root_edges = graph->root_count;
    for (size_t i = 0; i < graph->root_count; i++)
        root_edges += graph->roots[i].node_count;
    fprintf(
        picture->out,
        "{\"snapshot\":{\"meta\":{"
        "\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\",\"edge_count\",\"trace_node_id\",\"detachedness\"],"
        "\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"code\",\"closure\",\"regexp\",\"number\","
        "\"native\",\"synthetic\",\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\",\"object shape\"],"
        "\"string\",\"number\",\"number\",\"number\",\"number\",\"number\"],"
        "\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],"
        "\"edge_types\":[[\"context\",\"element\",\"property\",\"internal\",\"hidden\",\"shortcut\",\"weak\"],"
        "\"string_or_number\",\"node\"],"
        "\"trace_function_info_fields\":[\"function_id\",\"name\",\"script_name\",\"script_id\",\"line\",\"column\"],"
        "\"trace_node_fields\":[\"id\",\"function_info_index\",\"count\",\"size\",\"children\"],"
        "\"sample_fields\":[\"timestamp_us\",\"last_assigned_id\"],"
        "\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]},"
        "\"node_count\":%zu,\"edge_count\":%zu,\"trace_function_count\":0},\n\"nodes\":[",
        graph->node_count + graph->root_count + 1, graph->edge_count + root_edges);
}

static int put_strings(struct picture *picture)
{
    const struct hd_texts *strings = &picture->strings;
    struct hd_json_writer writer;
    hd_json_writer_init(&writer, picture->out, &(struct hd_json_layout){.compact = true});
    int error = hd_json_writer_begin_array(&writer);
    for (size_t i = 0; !error && i < strings->count; i++)
        hd_json_writer_string(&writer, strings->bytes + strings->places[i].offset, strings->places[i].size);
    if (!error)
        hd_json_writer_end(&writer);
    hd_json_writer_fini(&writer);
    return error;
}

static int write_picture(struct hd_ctl *ctl, const struct hd_graph *graph, FILE *out)
{
    struct picture picture = {.graph = graph, .out = out};
    hd_texts_init(&picture.strings);
    put_meta(&picture);
    put_nodes(&picture);
    fputs("],\n\"edges\":[", out);
    put_edges(&picture);
    fputs("],\n\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[],\n\"strings\":", out);
    int error = put_strings(&picture);
    fputs("}\n", out);
    if (error || picture.strings.failed)
        error = hd_problem_no_memory(&ctl->problem);
    hd_texts_fini(&picture.strings);
    return error;
}

static int print_done(struct hd_ctl *ctl, const char *name, const struct hd_graph *graph)
{
    struct hd_json_writer json;
    if (!hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        printf("%s: %zu objects, %zu references\n", name, graph->node_count, graph->edge_count);
        return 0;
    }
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_string(&json, "file", name);
    hd_ctl_json_uint(&json, "objects", graph->node_count);
    hd_ctl_json_uint(&json, "references", graph->edge_count);
    hd_ctl_json_end(&json);
    return 0;
}

int hd_cmd_snapshot(struct hd_ctl *ctl)
{
    struct hd_graph graph;
    const char *name = ctl->operand_count ? ctl->operands[0] : "-";
    bool is_file = strcmp(name, "-") != 0;
    int error = hd_graph_load(ctl, true, &graph);
    if (error)
        return error;
    FILE *out = is_file ? fopen(name, "w") : stdout;
    if (!out) {
        hd_graph_fini(&graph);
        return hd_problem_set(&ctl->problem, HD_ESYSTEM, "%s: %s", name, strerror(errno));
    }
    error = write_picture(ctl, &graph, out);
    bool failed = ferror(out) != 0;
    if (is_file && fclose(out))
        failed = true;
    if (!error && failed)
        error = hd_problem_set(&ctl->problem, HD_ESYSTEM, "%s: %s", name, strerror(errno));
    if (!error && is_file && !hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET))
        error = print_done(ctl, name, &graph);
    hd_graph_fini(&graph);
    return error;
}
