/* Snapshot: the whole graph, in parts of columns. */
#include <string.h>

#include "inspect/export.h"
#include "rpc/inspect.h"

/* What one part has at most. Texts are short: all of it fits the smallest frame. */
#define PART_NODES 384u
#define PART_EDGES 1024u
#define PART_ROOTS 4096u

struct picture {
    struct hd_analysis base;
    struct hd_snapshot snapshot;
    bool texts;
    bool begun;
    uint32_t root; /* next */
    uint32_t node; /* next */
    uint32_t edge; /* of that node */
    struct hd_named_edge edges[PART_EDGES];
};

struct part {
    Heapd__V1__SnapshotPart message;
    struct hd_rpc_arena *arena;
    uint32_t edge_count;
};

static int step_picture(struct hd_analysis *analysis, uint64_t units)
{
    uint64_t used;
    return hd_snapshot_step(&((struct picture *)analysis)->snapshot, units, &used);
}

static int new_part(struct hd_rpc_arena *arena, struct part *part)
{
    Heapd__V1__SnapshotPart *m = &part->message;
    heapd__v1__snapshot_part__init(m);
    part->arena = arena;
    part->edge_count = 0;
    m->identities = hd_rpc_arena_get(arena, PART_NODES * sizeof *m->identities);
    m->types.data = hd_rpc_arena_get(arena, PART_NODES);
    m->shallow_bytes = hd_rpc_arena_get(arena, PART_NODES * sizeof *m->shallow_bytes);
    m->edge_counts = hd_rpc_arena_get(arena, PART_NODES * sizeof *m->edge_counts);
    m->node_names = hd_rpc_arena_get(arena, PART_NODES * sizeof *m->node_names);
    m->targets = hd_rpc_arena_get(arena, PART_EDGES * sizeof *m->targets);
    m->edge_kinds.data = hd_rpc_arena_get(arena, PART_EDGES);
    m->edge_names = hd_rpc_arena_get(arena, PART_EDGES * sizeof *m->edge_names);
    m->texts = hd_rpc_arena_get(arena, (PART_NODES + PART_EDGES) * sizeof *m->texts);
    bool got = m->identities && m->types.data && m->shallow_bytes && m->edge_counts && m->node_names && m->targets &&
               m->edge_kinds.data && m->edge_names && m->texts;
    return got ? 0 : HD_ENOMEM;
}

/* The place of a copy among the texts; there is room. */
static int add_text(struct part *part, const uint8_t *text, uint32_t bytes, uint32_t *out)
{
    uint8_t *copy = hd_rpc_arena_get(part->arena, bytes);
    if (!copy)
        return HD_ENOMEM;
    if (bytes)
        memcpy(copy, text, bytes);
    *out = (uint32_t)part->message.n_texts;
    part->message.texts[part->message.n_texts++] = (ProtobufCBinaryData){bytes, copy};
    return 0;
}

static int add_edges(struct picture *picture, struct part *part, uint32_t count)
{
    Heapd__V1__SnapshotPart *m = &part->message;
    if (picture->texts)
        hd_export_edges(&picture->snapshot, picture->node, picture->edge, count, picture->edges);
    for (uint32_t i = 0; i < count; i++) {
        const struct hd_snapshot *s = &picture->snapshot;
        uint32_t number = picture->edge + i, text;
        struct hd_edge plain = {.kind = HD_EDGE_PART, .number = number};
        const struct hd_edge *edge = picture->texts ? &picture->edges[i].edge : &plain;
        m->targets[part->edge_count] = s->edges[s->node[picture->node].first + number];
        m->edge_kinds.data[part->edge_count] = (uint8_t)edge->kind;
        m->edge_names[part->edge_count] = edge->number;
        if (edge->text_bytes || edge->kind == HD_EDGE_KEY || edge->kind == HD_EDGE_ATTRIBUTE) {
            int error = add_text(part, edge->text, edge->text_bytes, &text);
            if (error)
                return error;
            m->edge_names[part->edge_count] = text;
        }
        part->edge_count++;
    }
    return 0;
}

/* Adds a node, or so many of its edges as there is room for. */
static int add_node(struct picture *picture, struct part *part)
{
    const struct hd_snapshot *s = &picture->snapshot;
    Heapd__V1__SnapshotPart *m = &part->message;
    uint32_t node = picture->node, left = s->node[node].count - picture->edge, text = 0;
    uint32_t count = left < PART_EDGES - part->edge_count ? left : PART_EDGES - part->edge_count;
    uint8_t name[HD_LABEL_BYTES];
    size_t at = m->n_identities++;
    m->identities[at] = hd_snapshot_identity(s, node);
    m->types.data[at] = (uint8_t)hd_wire_type(hd_snapshot_type(s, node));
    m->shallow_bytes[at] = hd_snapshot_bytes(s, node);
    m->edge_counts[at] = count;
    m->node_names[at] = 0;
    uint32_t bytes = picture->texts ? hd_export_name(s, node, name) : 0;
    int error = bytes ? add_text(part, name, bytes, &text) : 0;
    if (!error && bytes)
        m->node_names[at] = text + 1;
    if (!error)
        error = add_edges(picture, part, count);
    picture->edge += count;
    if (picture->edge == s->node[node].count) {
        picture->edge = 0;
        picture->node++;
    }
    return error;
}

/* Roots of one source, some of them. */
static int add_roots(struct picture *picture, struct part *part, struct hd_rpc_server *server)
{
    const struct hd_snapshot *s = &picture->snapshot;
    struct hd_rpc_arena *arena = part->arena;
    Heapd__V1__SnapshotRoot *row = hd_rpc_arena_get(arena, sizeof *row);
    Heapd__V1__Root *root = hd_rpc_arena_get(arena, sizeof *root);
    uint32_t *nodes = hd_rpc_arena_get(arena, PART_ROOTS * sizeof *nodes);
    part->message.roots = hd_rpc_arena_get(arena, sizeof *part->message.roots);
    if (!row || !root || !nodes || !part->message.roots)
        return HD_ENOMEM;
    uint32_t source = s->roots[picture->root].source;
    heapd__v1__snapshot_root__init(row);
    hd_describe_root(server, s->sources[source].kind, s->sources[source].id, 0, root);
    row->root = root;
    row->nodes = nodes;
    while (picture->root < s->root_count && s->roots[picture->root].source == source && row->n_nodes < PART_ROOTS)
        nodes[row->n_nodes++] = s->roots[picture->root++].index;
    part->message.roots[0] = row;
    part->message.n_roots = 1;
    return 0;
}

static int fill(struct picture *picture, struct part *part)
{
    const struct hd_snapshot *s = &picture->snapshot;
    /* Entries that were free are passed by; so many at most that a slice stays short. */
    for (uint32_t i = 0; i < 16384 && picture->node < s->length; i++) {
        if (s->node[picture->node].kind == 0) {
            picture->node++;
            continue;
        }
        if (part->message.n_identities == PART_NODES || part->edge_count == PART_EDGES)
            break;
        int error = add_node(picture, part);
        if (error)
            return error;
    }
    return 0;
}

static int reply_picture(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    struct picture *picture = (struct picture *)analysis;
    const struct hd_snapshot *s = &picture->snapshot;
    const uint32_t root = picture->root, node = picture->node, edge = picture->edge;
    struct part part;
    int error = new_part(&call->server->arena, &part);
    if (error)
        return error;
    if (!picture->begun) {
        part.message.node_total = s->live_count;
        part.message.edge_total = s->edge_count - s->unused_count;
    }
    if (picture->root < s->root_count)
        error = add_roots(picture, &part, call->server);
    else
        error = fill(picture, &part);
    Heapd__V1__SnapshotPart *m = &part.message;
    m->types.len = m->n_shallow_bytes = m->n_edge_counts = m->n_node_names = m->n_identities;
    m->n_targets = m->edge_kinds.len = m->n_edge_names = part.edge_count;
    *more = picture->root < s->root_count || picture->node < s->length;
    if (!error)
        error = hd_reply_message(call, &m->base, *more ? HD_FRAME_MORE : 0);
    if (error) {
        /* It is made again when there is room. */
        picture->root = root;
        picture->node = node;
        picture->edge = edge;
    } else {
        picture->begun = true;
    }
    return error;
}

static bool release_picture(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_snapshot_release(&((struct picture *)analysis)->snapshot, bytes);
}

static const struct hd_analysis_kind picture_kind = {sizeof(struct picture), step_picture, reply_picture,
                                                     release_picture};

int hd_run_snapshot(struct hd_call *call, const void *message)
{
    const Heapd__V1__SnapshotRequest *request = message;
    struct hd_analysis *analysis;
    int error = hd_analysis_new(call, &picture_kind, &analysis);
    if (error)
        return error;
    struct picture *picture = (struct picture *)analysis;
    picture->texts = request->texts;
    picture->node = 1;
    hd_snapshot_init(&picture->snapshot, call->heap, (struct hd_snapshot_need){0, 0});
    return hd_analysis_start(analysis, call);
}
