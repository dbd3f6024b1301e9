/* What is shared by all connections. */
#ifndef HEAPD_RPC_SERVER_H
#define HEAPD_RPC_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/ahead.h"
#include "rpc/arena.h"
#include "rpc/limits.h"
#include "rpc/rpc.h"
#include "rpc/slices.h"
#include "session/tokens.h"

struct hd_analysis;
struct hd_followers;
struct hd_garbage;
struct hd_rpc_connection;
struct hd_slowlog;
struct hd_unfinished;
struct hd_waiter;

struct hd_waiter_list {
    struct hd_waiter *first;
    struct hd_waiter *last;
};
#define HD_WAITER_BUCKETS 256

struct hd_rpc_counts {
    uint64_t requests[HD_METHODS_MAX];
    uint64_t errors_by_code[64];
    uint64_t requests_count;
    uint64_t errors_count;
    uint64_t unknown_methods_count;
    uint64_t broken_streams_count;
    uint64_t cancels_count;
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t parked_ever_count;
    uint64_t deadlines_count;
    uint64_t parts_count;
    uint64_t retries_count;
    uint64_t stalls_count;
    uint64_t connections_ever_count;
    uint64_t connections_refused_count;
    uint64_t sessions_killed_count;
    uint64_t input_reliefs_count;
    uint64_t policy_collections_count;
    uint64_t events_count;
    uint64_t events_coalesced_count;
};

struct hd_rpc_server {
    struct hd_heap *heap;   /* borrow */
    const struct hd_os *os; /* borrow */
    struct hd_rpc_config config;
    const struct hd_allocator *allocator; /* borrow: the heap's account */
    struct hd_rpc_arena arena;            /* of the request that runs */
    struct hd_ahead ahead;
    struct hd_versions *versions; /* own; NULL: nobody has asked for one yet */
    struct hd_rpc_connection *connections;
    struct hd_rpc_connection *closing; /* sessions that end, oldest first */
    struct hd_rpc_connection *closing_last;
    struct hd_rpc_connection *ready_first;
    struct hd_rpc_connection *ready_last;
    uint32_t connection_count; /* of `connections` */
    uint32_t closing_count;
    uint64_t last_session_id;
    uint64_t turn_units; /* of one hd_rpc_receive */
    /* Unfinished requests that have something to do, in turns. */
    struct hd_unfinished *runnable_first;
    struct hd_unfinished *runnable_last;
    /* Requests that wait for a name: waiters.c. */
    struct hd_waiter_list buckets[HD_WAITER_BUCKETS];
    struct hd_waiter **waiters; /* own; waiter_count of them; their scopes are roots */
    uint32_t waiter_count;
    uint32_t waiter_capacity;
    /* Deadlines of whatever is parked: deadlines.c. */
    struct hd_unfinished **deadlines; /* own; a heap, the earliest first; deadline_count of them */
    uint32_t deadline_count;
    uint32_t deadline_capacity;
    struct hd_root_source waiter_roots;
    uint64_t names_epoch; /* the heap's, as far as waiters know of it */
    bool waiters_stale;   /* a scope was closed: all are to look again */
    struct hd_tokens tokens;
    uint64_t unfinished_count;
    uint64_t parked_count; /* of these */
    uint64_t subscription_count;
    /* After a search for memory that did not help: the number of requests at which the next may be. */
    uint64_t relief_after;
    bool relieving; /* a search goes on */
    struct hd_relief relief;
    struct hd_rpc_connection *memory_first; /* who waits for it, oldest first */
    struct hd_rpc_connection *memory_last;
    bool shutdown_wanted;
    bool heap_behind;               /* the last settle left something: the next one is worth measuring */
    bool collect_wanted;            /* a full collection is to begin as soon as it can */
    uint64_t collect_at_ns;         /* UINT64_MAX: not by the clock */
    uint64_t collected_activity;    /* when the last such collection began */
    struct hd_unfinished *freezing; /* borrow: the one freeze or unfreeze that goes on */
    /* Analyses of the whole heap (analysis.c): the first goes on, the others wait; those that ended give memory back.
     */
    struct hd_analysis *analysis_first;
    struct hd_analysis *analysis_last;
    struct hd_analysis *analysis_ended;
    struct hd_slowlog *slowlog; /* own */
    struct hd_garbage *garbage; /* own; NULL: none was ever kept */
    uint32_t debug_flags;
    struct hd_followers *followers;   /* own; NULL: nobody has followed yet */
    hd_rpc_stats_source stats_source; /* may be NULL */
    void *stats_source_context;
    hd_rpc_ring_source ring_source; /* NULL: no rings */
    void *ring_source_context;
    struct hd_slice_times slices[HD_SLICE_KINDS];
    struct hd_rpc_counts counts;
};

#endif
