/*
 * A snapshot, written out part by part: nodes, their edges, and what these are
 * called, as far as the objects are still as they were.
 */
#ifndef HEAPD_INSPECT_EXPORT_H
#define HEAPD_INSPECT_EXPORT_H

#include "inspect/label.h"
#include "inspect/snapshot.h"

/* How one edge is called. */
struct hd_named_edge {
    uint32_t target; /* node */
    struct hd_edge edge;
};

/*
 * Names `count` edges of a node from number `from` on, which are few: containers
 * are looked at from their beginning, so a large one's edges are mere numbers
 * beyond HD_EXPORT_NAMED. *out has room for them.
 */
#define HD_EXPORT_NAMED 4096u
void hd_export_edges(const struct hd_snapshot *snapshot, uint32_t node, uint32_t from, uint32_t count,
                     struct hd_named_edge *out);
/* What a node is called: the text of a str, the name of a class or of an instance's class; else empty. */
uint32_t hd_export_name(const struct hd_snapshot *snapshot, uint32_t node, uint8_t out[HD_LABEL_BYTES]);

#endif
