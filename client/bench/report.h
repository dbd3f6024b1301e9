/* Results as a table, or as one JSON document. */
#ifndef HEAPD_BENCH_REPORT_H
#define HEAPD_BENCH_REPORT_H

#include "client/bench/load.h"

void hd_bench_report_begin(const struct hd_bench_options *options, long server_pid);
/* One row: a server and what it was asked. Rows of peers follow heapd's own. */
void hd_bench_report(const struct hd_bench_options *options, const char *server, const char *workload,
                     const struct hd_bench_outcome *outcome);
void hd_bench_report_end(const struct hd_bench_options *options);

#endif
