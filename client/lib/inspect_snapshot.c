/* The Inspect service: the whole graph as a stream. */
#include <heapd/inspect.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/report.h"
#include "client/lib/wire.h"
#include "heapd/v1/method.pb-c.h"

struct heapd_snapshot {
    struct hd_parts parts;
    struct hd_arena arena; /* of the part that is being read */
    const Heapd__V1__SnapshotPart *part;
    size_t root; /* next of the part */
    size_t node;
    size_t edge;
    struct heapd_snapshot_edge *edges; /* own */
    size_t edge_capacity;
    struct heapd_snapshot_size total;
    bool begun;
};

int heapd_snapshot_open(struct heapd_connection *connection, bool texts, struct heapd_snapshot **out,
                        struct heapd_error *error)
{
    Heapd__V1__SnapshotRequest request = HEAPD__V1__SNAPSHOT_REQUEST__INIT;
    struct heapd_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a snapshot");
    hd_arena_init(&snapshot->arena);
    request.texts = texts;
    int code = hd_parts_begin(connection, HEAPD__V1__METHOD__SNAPSHOT, &request.base, &snapshot->parts, error);
    if (code) {
        free(snapshot);
        return code;
    }
    *out = snapshot;
    return 0;
}

void heapd_snapshot_close(struct heapd_snapshot *snapshot)
{
    if (!snapshot)
        return;
    hd_parts_end(&snapshot->parts);
    hd_arena_fini(&snapshot->arena);
    free(snapshot->edges);
    free(snapshot);
}

struct heapd_snapshot_size heapd_snapshot_total(const struct heapd_snapshot *snapshot)
{
    return snapshot->total;
}

/* Every column is as long as the others say. */
static bool is_whole(const Heapd__V1__SnapshotPart *part)
{
    uint64_t edges = 0;
    if (part->types.len != part->n_identities || part->n_shallow_bytes != part->n_identities ||
        part->n_edge_counts != part->n_identities || part->n_node_names != part->n_identities)
        return false;
    for (size_t i = 0; i < part->n_edge_counts; i++)
        edges += part->edge_counts[i];
    for (size_t i = 0; i < part->n_node_names; i++)
        if (part->node_names[i] > part->n_texts)
            return false;
    return edges == part->n_targets && part->edge_kinds.len == part->n_targets && part->n_edge_names == part->n_targets;
}

/* 1: there is a part; 0: the end. */
static int next_part(struct heapd_snapshot *snapshot, struct heapd_error *error)
{
    struct hd_stream_part *part;
    int code = hd_parts_next(&snapshot->parts, &part, error);
    if (code <= 0)
        return code;
    hd_arena_reset(&snapshot->arena);
    snapshot->part = (const Heapd__V1__SnapshotPart *)protobuf_c_message_unpack(
        &heapd__v1__snapshot_part__descriptor, &snapshot->arena.protobuf, part->bytes, part->data);
    free(part);
    if (!snapshot->part)
        return hd_fail_with(error, snapshot->arena.failed ? HD_ENOMEM : HD_EPROTOCOL,
                            "a part of the snapshot cannot be read");
    if (!is_whole(snapshot->part))
        return hd_fail_with(error, HD_EPROTOCOL, "a part of the snapshot contradicts itself");
    if (!snapshot->begun)
        snapshot->total = (struct heapd_snapshot_size){snapshot->part->node_total, snapshot->part->edge_total};
    snapshot->begun = true;
    snapshot->root = snapshot->node = snapshot->edge = 0;
    return 1;
}

static bool has_text(enum heapd_edge_kind kind)
{
    return kind == HEAPD_EDGE_KEY || kind == HEAPD_EDGE_ATTRIBUTE;
}

static int read_edges(struct heapd_snapshot *snapshot, size_t count, struct heapd_error *error)
{
    const Heapd__V1__SnapshotPart *part = snapshot->part;
    if (count > snapshot->edge_capacity) {
        struct heapd_snapshot_edge *edges = realloc(snapshot->edges, count * sizeof *edges);
        if (!edges)
            return hd_fail_with(error, HD_ENOMEM, "this process has no memory for the edges of an object");
        snapshot->edges = edges;
        snapshot->edge_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = snapshot->edge++;
        struct heapd_snapshot_edge *edge = &snapshot->edges[i];
        *edge = (struct heapd_snapshot_edge){
            .target = part->targets[at],
            .kind = (enum heapd_edge_kind)part->edge_kinds.data[at],
            .number = part->edge_names[at],
        };
        if (!has_text(edge->kind))
            continue;
        if (edge->number >= part->n_texts)
            return hd_fail_with(error, HD_EPROTOCOL, "a part of the snapshot contradicts itself");
        edge->text = hd_public_bytes(part->texts[edge->number]);
        edge->number = 0;
    }
    return 0;
}

int heapd_snapshot_next(struct heapd_snapshot *snapshot, struct heapd_snapshot_item *item, struct heapd_error *error)
{
    while (!snapshot->part ||
           (snapshot->root == snapshot->part->n_roots && snapshot->node == snapshot->part->n_identities)) {
        int code = next_part(snapshot, error);
        if (code <= 0)
            return code;
    }
    const Heapd__V1__SnapshotPart *part = snapshot->part;
    *item = (struct heapd_snapshot_item){.is_root = snapshot->root < part->n_roots};
    if (item->is_root) {
        const Heapd__V1__SnapshotRoot *root = part->roots[snapshot->root++];
        hd_report_root(root->root, &item->root);
        item->nodes = root->nodes;
        item->node_count = root->n_nodes;
        return 1;
    }
    size_t at = snapshot->node++;
    int code = read_edges(snapshot, part->edge_counts[at], error);
    if (code)
        return code;
    item->identity = part->identities[at];
    item->type = (enum heapd_type)part->types.data[at];
    item->shallow_bytes = part->shallow_bytes[at];
    item->edges = snapshot->edges;
    item->edge_count = part->edge_counts[at];
    if (part->node_names[at])
        item->name = hd_public_bytes(part->texts[part->node_names[at] - 1]);
    return 1;
}
