/* Results as a table, or as one JSON document. */
#ifndef HEAPD_BENCH_REPORT_H
#define HEAPD_BENCH_REPORT_H

#include "client/bench/load.h"

void hd_bench_report_begin(const struct hd_bench_options *options, long server_pid);
void hd_bench_report(const struct hd_bench_options *options, const struct hd_bench_operation *operation,
                     const struct hd_bench_outcome *outcome);
void hd_bench_report_end(const struct hd_bench_options *options);

#endif
