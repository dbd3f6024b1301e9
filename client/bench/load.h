/*
 * The load: many connections in one thread with epoll.
 *
 * Closed (no rate): each connection writes a batch of operations, waits until all
 * are answered, and writes the next, as redis-benchmark does. Open (a rate): each
 * operation has a moment at which it is due, whatever became of those before it,
 * and its latency counts from that moment; so a server that stands still pays for
 * the requests that would have come meanwhile.
 */
#ifndef HEAPD_BENCH_LOAD_H
#define HEAPD_BENCH_LOAD_H

#include <stdbool.h>

#include "client/bench/histogram.h"
#include "client/bench/operation.h"
#include "client/bench/options.h"
#include "client/bench/protocol.h"
#include "client/lib/address.h"

struct hd_bench_load;

/* What a run does: one operation, or several by their weights. */
#define HD_BENCH_MIX_MAX 16
struct hd_bench_workload {
    const char *name;
    unsigned count;
    const struct hd_bench_operation *operations[HD_BENCH_MIX_MAX];
    uint32_t weights[HD_BENCH_MIX_MAX];
};

struct hd_bench_outcome {
    struct hd_histogram
        latency_ns; /* from the write of an operation, or from when it was due, until its reply was read */
    struct hd_histogram written_ns; /* of a rate: from the write alone, without what the generator itself was late */
    uint64_t operations;
    uint64_t failures;       /* replies that were errors */
    char first_failure[256]; /* the daemon's words */
    double seconds;
    double server_cpu_s; /* negative: not known */
    double client_cpu_s;
};

/* Connects all clients and gives them their handles. On failure says why on standard error. */
int hd_bench_load_new(const struct hd_bench_options *options, const struct hd_bench_protocol *protocol,
                      const struct hd_client_address *address, struct hd_bench_load **out);
/* Makes the keys, for protocols that have no library of ours to do so. */
int hd_bench_load_fill(struct hd_bench_load *load);
/* Has the server something like every operation of the workload? */
bool hd_bench_load_can(const struct hd_bench_load *load, const struct hd_bench_workload *workload);
void hd_bench_load_free(struct hd_bench_load *load);
/* The daemon's process, as the socket or the user says; 0: not known. */
long hd_bench_load_server_pid(const struct hd_bench_load *load);
/* Runs a workload. On failure (a lost connection) says why on standard error. */
int hd_bench_load_run(struct hd_bench_load *load, const struct hd_bench_workload *workload,
                      struct hd_bench_outcome *out);
/* One more round of the same: what was counted is added up. */
void hd_bench_outcome_add(struct hd_bench_outcome *sum, const struct hd_bench_outcome *more);

#endif
