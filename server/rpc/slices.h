/* How long slices take: slices.c. */
#ifndef HEAPD_RPC_SLICES_H
#define HEAPD_RPC_SLICES_H

#include <stdint.h>

#include "rpc/rpc.h"

struct hd_rpc_server;

enum hd_slice {
    HD_SLICE_YOUNG,   /* a young collection, with whatever else was done beside it */
    HD_SLICE_FULL,    /* tracing and clearing */
    HD_SLICE_FREE,    /* taking the dead apart; what ended sessions held */
    HD_SLICE_COMPACT, /* moving */
    HD_SLICE_OTHER,   /* unmapping; looking whether something is due */
    HD_SLICE_REQUEST, /* an export, a long literal: not the heap's own */
    HD_SLICE_RELIEF,  /* looking for memory at the limit, whatever that is about */
    HD_SLICE_KINDS,
};
#define HD_SLICE_BUCKETS 65

/* count == the sum of buckets; a time of n ns is in bucket 64 - clz(n), one of 0 in bucket 0. */
struct hd_slice_times {
    uint64_t count;
    uint64_t total_ns;
    uint64_t max_ns;
    uint64_t buckets[HD_SLICE_BUCKETS];
};

struct hd_slice_watch {
    enum hd_slice kind; /* found by begin; may be changed before end */
    uint64_t young_collections;
    uint64_t begin_ns;
};

const char *hd_slice_name(enum hd_slice kind);
/* Two looks at the clock: around work that is there, not around the question whether there is some. */
void hd_slice_begin(const struct hd_rpc_server *server, struct hd_slice_watch *watch);
void hd_slice_end(struct hd_rpc_server *server, const struct hd_slice_watch *watch);
/* The upper end of the bucket that the quantile is in, and not above the longest; 0: there were none. */
uint64_t hd_slice_quantile_ns(const struct hd_slice_times *times, unsigned permille);
/* For Stats (memory.c). */
void hd_slice_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context);

#endif
