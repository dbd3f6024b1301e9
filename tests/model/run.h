/* One run of the model test: an engine, a model, a seed. */
#ifndef HEAPD_TESTS_MODEL_RUN_H
#define HEAPD_TESTS_MODEL_RUN_H

#include "model.h"
#include "session/session.h"

struct run_options {
    uint64_t seed;
    uint64_t operations;
    uint64_t check_every;
    uint64_t limit_bytes;   /* 0: none */
    unsigned fault_percent; /* of operations in which an allocation fails */
    bool verbose;
};

struct run {
    const struct run_options *options;
    struct hd_heap *heap;
    struct hd_objects *objects;
    struct hd_gc *gc;
    struct model model;
    struct hd_root_source source;
    uint64_t random;
    bool growing;      /* more is kept than let go of; it changes in waves */
    uint64_t fault_in; /* allocations until one fails; 0: none does */
    uint64_t faults;
    bool failed; /* the operation failed for want of memory: nothing may have changed */
    uint64_t failed_count;
    uint32_t live_peak;
    uint64_t collection_count;
    struct hd_walk *walk;
    struct hd_literal_writer writer;
    uint64_t walk_nodes;
    uint64_t walk_containers;
    uint64_t walk_done_count;
    uint64_t walk_changed_count;
    uint32_t freeze_next;
    struct hd_session sessions[MODEL_SESSIONS];
    uint32_t generations[MODEL_SESSIONS][MODEL_SLOTS]; /* of the last use of a slot */
    struct hd_relief relief;                           /* a search for memory in slices */
    bool relieving;
    uint64_t relief_count;
    uint64_t limit_bytes; /* what the limit is but for a while; UINT64_MAX: none */
    uint64_t done_by_operation[64];
};

/* A number below `limit`. */
static inline uint32_t run_below(struct run *run, uint32_t limit)
{
    uint64_t word = run->random += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((word ^ word >> 31) % limit);
}

/*
 * Looks at an operation's error: true if it is the one that the model expects.
 * Want of memory is accepted where it was made to be short; then false comes
 * back, and the model stays as it is. Anything else fails the test.
 */
bool run_expect(struct run *run, int error, int wanted);
/* Does one operation at random. */
void run_operation(struct run *run);
/* The operations on the collector and on walks (work.c). */
void run_work(struct run *run);
void run_end_walk(struct run *run);
/* One operation on a session (sessions.c). */
void run_session(struct run *run);
void run_sessions_start(struct run *run);
/* Ends that have begun are brought to their end. */
void run_sessions_settle(struct run *run);
void run_sessions_end(struct run *run);
/* A collection in one go; after one of generation 2 the numbers must be the model's. */
void run_collect(struct run *run, unsigned generation);

#endif
