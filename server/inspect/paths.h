/*
 * Why is it still alive? The shortest paths from roots to one object, in slices,
 * over a snapshot: one path for each of the objects and roots that refer to it
 * directly, the shortest first.
 *
 * Real roots count first. Only if none of them leads to the object, frozen ones
 * do, which are kept whether anything refers to them or not.
 */
#ifndef HEAPD_INSPECT_PATHS_H
#define HEAPD_INSPECT_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/label.h"
#include "inspect/snapshot.h"

#define HD_PATHS_MAX 64u
#define HD_PATH_STEPS_MAX 1024u

struct hd_path_step {
    uint64_t identity;
    unsigned type; /* enum hd_type */
    uint64_t shallow_bytes;
    bool gone;            /* it died since */
    struct hd_edge edge;  /* how the step before refers to it; of the first step of no meaning */
    struct hd_edge label; /* of an instance: text is its class's name; else empty */
};

struct hd_path {
    enum hd_root_kind root_kind;
    uint64_t root_id;           /* a session's */
    uint64_t root_position;     /* of a session: the slot */
    uint32_t step_count;        /* the object itself is the last */
    uint32_t elided_at;         /* with elided_count: steps left out before this one */
    uint64_t elided_count;      /* of a path longer than the limit */
    uint32_t allocated_count;   /* steps that there is memory for */
    struct hd_path_step *steps; /* own */
};

struct hd_paths {
    struct hd_snapshot snapshot;
    struct hd_heap *heap; /* borrow */
    uint64_t identity;    /* of the object */
    uint32_t max_paths;
    uint32_t max_steps;
    uint64_t ignored_session; /* its handles are no reason; 0: none is ignored */
    int phase;
    int error;

    uint32_t target;
    uint32_t *from;  /* by node: 0 not met; a node + 1; FROM_ROOT | number of a root */
    uint32_t *queue; /* nodes met, in order */
    uint32_t queue_head, queue_tail;
    uint32_t next; /* root, frozen node, or edge that is next */
    bool tried_frozen;
    uint32_t holders[HD_PATHS_MAX]; /* as in from */
    uint32_t holder_count;          /* of these */
    uint64_t holders_total;         /* that were met, the same one counted once for each time in a row */

    /* The path that is being written. */
    uint32_t path_count;
    uint32_t path_length; /* nodes of it */
    uint32_t walk;        /* node to go on from, from the object to the root */
    uint32_t step;        /* edge that is looked for */
    struct hd_edge_search search;
    struct hd_path paths[HD_PATHS_MAX];
    uint64_t reached_count; /* objects that were reached from roots */
};

/* Prepares. max_paths 1 to HD_PATHS_MAX, max_steps 2 to HD_PATH_STEPS_MAX. The heap is borrowed until fini. */
void hd_paths_init(struct hd_paths *paths, struct hd_heap *heap, uint64_t identity, uint32_t max_paths,
                   uint32_t max_steps);
/*
 * 1: paths[0 .. path_count - 1] are there (none: no root leads to the object, it waits to be collected or a request
 * under way holds it); 0: there is more to do; HD_EKEY: no such object lives; else as hd_snapshot_step.
 */
int hd_paths_step(struct hd_paths *paths, uint64_t units, uint64_t *used) HD_MUST_USE;
/* Gives memory back in parts; true while there is more. */
bool hd_paths_release(struct hd_paths *paths, uint64_t bytes);
void hd_paths_fini(struct hd_paths *paths);

#endif
