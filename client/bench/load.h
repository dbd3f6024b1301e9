/*
 * The load: many connections in one thread with epoll, each of which writes a
 * batch of operations, waits until all are answered, and writes the next, as
 * redis-benchmark does.
 */
#ifndef HEAPD_BENCH_LOAD_H
#define HEAPD_BENCH_LOAD_H

#include <stdbool.h>

#include "client/bench/histogram.h"
#include "client/bench/operation.h"
#include "client/bench/options.h"
#include "client/lib/address.h"

struct hd_bench_load;

struct hd_bench_outcome {
    struct hd_histogram latency_ns; /* from the write of an operation's batch until its reply was read */
    uint64_t operations;
    uint64_t failures;       /* replies that were errors */
    char first_failure[256]; /* the daemon's words */
    double seconds;
    double server_cpu_s; /* negative: not known */
    double client_cpu_s;
};

/* Connects all clients and gives them their handles. On failure says why on standard error. */
int hd_bench_load_new(const struct hd_bench_options *options, const struct hd_client_address *address,
                      struct hd_bench_load **out);
void hd_bench_load_free(struct hd_bench_load *load);
/* The daemon's process, as the socket or the user says; 0: not known. */
long hd_bench_load_server_pid(const struct hd_bench_load *load);
/* Runs one operation. On failure (a lost connection) says why on standard error. */
int hd_bench_load_run(struct hd_bench_load *load, const struct hd_bench_operation *operation,
                      struct hd_bench_outcome *out);

#endif
