/* Analyses of the whole heap: analysis.c. */
#ifndef HEAPD_RPC_ANALYSIS_H
#define HEAPD_RPC_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/unfinished.h"

struct hd_analysis;

/*
 * A request that looks at the whole heap: one at a time, since each takes much
 * memory and there is one observer. It has a place in the connection's unfinished
 * requests; when it ends, in whatever way, its memory goes back in slices.
 */
struct hd_analysis_kind {
    size_t bytes; /* of the struct that begins with struct hd_analysis */
    /* 1: done, with a reply to be made; 0: more; an error. */
    int (*step)(struct hd_analysis *analysis, uint64_t units);
    /* Replies; *more: there is a further frame to come. An error: nothing was sent. */
    int (*reply)(struct hd_analysis *analysis, struct hd_call *call, bool *more);
    /* Gives back about `bytes`; true while there is more. */
    bool (*release)(struct hd_analysis *analysis, uint64_t bytes);
};

struct hd_analysis {
    struct hd_unfinished base;
    const struct hd_analysis_kind *kind;
    struct hd_rpc_server *server;
    struct hd_analysis *next;
    bool stepped;
};

/* A zeroed one of that kind. HD_ENOMEM, HD_ELIMIT. */
int hd_analysis_new(struct hd_call *call, const struct hd_analysis_kind *kind, struct hd_analysis **out) HD_MUST_USE;
/* Its turn will come. */
int hd_analysis_start(struct hd_analysis *analysis, struct hd_call *call);
/* One that was never started. */
void hd_analysis_free(struct hd_analysis *analysis);
/* Gives memory of ended ones back. True while there is more. */
bool hd_analyses_release(struct hd_rpc_server *server, uint64_t units);

/* The identity of a request's object: by handle, or if that is 0 by identity. HD_EKEY; HD_ETYPE: an inline value. */
int hd_call_identity(struct hd_call *call, hd_handle object, uint64_t identity, uint64_t *out) HD_MUST_USE;

#endif
