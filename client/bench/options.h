/* What the user asked heapd-bench for. */
#ifndef HEAPD_BENCH_OPTIONS_H
#define HEAPD_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hd_bench_options {
    const char *address; /* NULL: as the library decides */
    unsigned clients;
    unsigned pipeline; /* operations per write */
    double duration_s;
    double warmup_s;
    uint64_t keyspace;
    size_t value_bytes;
    const char *operations; /* names with commas between them */
    uint64_t seed;
    long server_pid; /* 0: ask the socket */
    bool json;
    bool keep; /* leave the objects of the benchmark in the heap */
};

/* 0: go on; 1: --help or --version was answered; -1: a mistake, told on standard error. */
int hd_bench_options_parse(int count, char **arguments, struct hd_bench_options *out);

#endif
