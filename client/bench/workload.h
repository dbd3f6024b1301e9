/* What is to be run, out of --tests or --mix. */
#ifndef HEAPD_BENCH_WORKLOAD_H
#define HEAPD_BENCH_WORKLOAD_H

#include "client/bench/load.h"

#define HD_BENCH_WORKLOADS_MAX 32

struct hd_bench_workloads {
    unsigned count;
    struct hd_bench_workload list[HD_BENCH_WORKLOADS_MAX];
};

/* Borrows the options' strings. -1: a mistake, told on standard error. */
int hd_bench_workloads_parse(const struct hd_bench_options *options, struct hd_bench_workloads *out);

#endif
