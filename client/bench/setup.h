/* The objects that the operations work on. */
#ifndef HEAPD_BENCH_SETUP_H
#define HEAPD_BENCH_SETUP_H

#include <heapd/heapd.h>

#include "client/bench/options.h"

/* Makes and binds them. 0, or a failure, told on standard error. */
int hd_bench_setup(struct heapd_connection *connection, const struct hd_bench_options *options);
/* Unbinds them. */
void hd_bench_teardown(struct heapd_connection *connection);

#endif
