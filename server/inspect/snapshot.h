/*
 * The heap's graph as it was at one moment, in compact form.
 *
 * Taken in slices while clients go on. Objects are read one after the other; one
 * that is about to change, or to go, before it was read is read at that moment
 * (hd_gc_observer), and what is born later is left out. So every object's
 * references are those of the beginning, and the analyses that follow need no
 * barrier: they read the snapshot alone.
 *
 * Nodes are table indices; node 0 stands for whatever holds the roots.
 *
 *     edges of node i: edges[node[i].first .. node[i].first + node[i].count - 1], in the order of traverse
 *     node[i].kind == 0  <=>  i was no live object in the beginning
 *
 * All memory is there before the first object is read: how much is known from the
 * reference counts, which count every edge. Only roots may need more on the way.
 *
 * Two things are not exact. A container that one request fills in slices (a long
 * literal) may show what was put into it later. And where more than
 * HD_SNAPSHOT_ROOTS_AT_ONCE slots of sessions are in use, handles that come or go
 * in the first milliseconds may or may not be among the roots.
 */
#ifndef HEAPD_INSPECT_SNAPSHOT_H
#define HEAPD_INSPECT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "heap/heap.h"
#include "inspect/area.h"

#define HD_SNAPSHOT_ROOTS_AT_ONCE 32768u
/* The index of an object, the number of a root and marks must fit 32 bits together. */
#define HD_SNAPSHOT_NODES_MAX (UINT32_C(1) << 31)

struct hd_snapshot_node {
    uint32_t first;
    uint32_t count;
    uint32_t units; /* shallow size in HD_SNAPSHOT_UNIT_BYTES, rounded up */
    uint32_t kind;  /* type in the low 6 bits, then the generation of its identity (20), then HD_SNAPSHOT_FROZEN */
};
#define HD_SNAPSHOT_UNIT_BYTES 16u
#define HD_SNAPSHOT_FROZEN (UINT32_C(1) << 26)

struct hd_snapshot_root {
    uint32_t index;
    uint32_t source; /* in sources */
    uint64_t position;
};

struct hd_snapshot_source {
    enum hd_root_kind kind;
    uint64_t id;
};

/* Room for the analysis that follows, made with the snapshot's own: zeroed. */
struct hd_snapshot_need {
    uint32_t node_bytes;
    uint32_t edge_bytes;
};

/*
 * A large container that is read in parts, in no order: a part of it that is about to change comes first. Each word has
 * a place among the edges until all are read; then the edges move together.
 */
struct hd_snapshot_part {
    uint32_t index;
    uint32_t first; /* of its edges */
    uint32_t words; /* as many as it had in the beginning, and places */
    uint32_t hidden;
    uint32_t next; /* word to be read, or place to be moved */
    uint32_t count;
    bool is_read;
};
/* More that change in the short time before they are read are read in one go. */
#define HD_SNAPSHOT_PARTS_MAX 8u

struct hd_snapshot {
    struct hd_gc_observer observer;
    struct hd_heap *heap; /* borrow */
    struct hd_snapshot_need need;
    int phase; /* enum phase of snapshot.c */
    bool observing;
    bool overflow; /* more edges than there is room for */
    unsigned retries;
    int error;

    uint32_t length; /* of the table in the beginning: nodes are 1 .. length - 1 */
    uint32_t next;   /* node to look at */
    uint64_t estimate;
    struct hd_gc_cursor large; /* a large container that is being counted, then copied */
    bool large_counted;
    uint32_t large_count;
    struct hd_snapshot_part parts[HD_SNAPSHOT_PARTS_MAX]; /* part_count of them */
    uint32_t part_count;

    struct hd_snapshot_node *node;      /* in nodes_area */
    uint64_t *captured;                 /* bitmap: read already, or not to be read */
    uint32_t *edges;                    /* in edges_area */
    struct hd_snapshot_root *roots;     /* in roots_area */
    struct hd_snapshot_source *sources; /* own; source_count of them */
    uint32_t source_count;
    uint32_t edge_count; /* places that are taken: unused_count of them lie between, and are no node's */
    uint32_t unused_count;
    uint32_t edge_capacity;
    uint32_t root_count;
    uint32_t root_capacity;
    uint64_t live_count; /* nodes with a kind */
    uint64_t live_bytes;
    uint16_t *tags;                     /* by node, in tags_area; NULL: nothing had a tag. Their names stay meanwhile */
    bool reads_tags;
    struct hd_area nodes_area, captured_area, edges_area, roots_area, tags_area;
    uint32_t extra_nodes; /* for so many nodes there is extra memory: those of objects and of sources, and a few */
    struct hd_area extra; /* what `need` asked for; edge_capacity and length are what it was made for */

    /* Roots that were not read in the beginning. */
    struct hd_root_source *late_source;
    size_t late_position;
    uint32_t late_number;
};

/* Prepares one; nothing is taken. The heap is borrowed until fini. */
void hd_snapshot_init(struct hd_snapshot *snapshot, struct hd_heap *heap, struct hd_snapshot_need need);
/*
 * Goes on for about `units`; *used is what was used of them. 1: it is complete; 0: there is more. HD_ENOMEM: no room
 * for it; HD_ELIMIT: too many objects; HD_ECHANGED: the heap grew too fast, several times; HD_EEXISTS: somebody
 * else observes the heap. Only at safe points.
 */
int hd_snapshot_step(struct hd_snapshot *snapshot, uint64_t units, uint64_t *used) HD_MUST_USE;
/* Stops, and gives memory back, about `bytes` of it. True while there is more. */
bool hd_snapshot_release(struct hd_snapshot *snapshot, uint64_t bytes);
/* All of it in one go. Takes one that was only initialised. */
void hd_snapshot_fini(struct hd_snapshot *snapshot);

static inline unsigned hd_snapshot_type(const struct hd_snapshot *snapshot, uint32_t index)
{
    return snapshot->node[index].kind & 63;
}

static inline uint64_t hd_snapshot_bytes(const struct hd_snapshot *snapshot, uint32_t index)
{
    return (uint64_t)snapshot->node[index].units * HD_SNAPSHOT_UNIT_BYTES;
}

static inline uint64_t hd_snapshot_identity(const struct hd_snapshot *snapshot, uint32_t index)
{
    return (uint64_t)(snapshot->node[index].kind >> 6 & 0xfffff) << 32 | index;
}

/* NULL, or the name of a broken invariant. O(nodes + edges); of a complete one. */
const char *hd_snapshot_check(const struct hd_snapshot *snapshot);

#endif
