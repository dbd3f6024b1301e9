/* What the user asked heapd-bench for. */
#ifndef HEAPD_BENCH_OPTIONS_H
#define HEAPD_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/bench/keys.h"

#define HD_BENCH_PEERS_MAX 4

struct hd_bench_options {
    const char *address; /* NULL: as the library decides */
    unsigned clients;
    unsigned pipeline; /* operations per write */
    double duration_s;
    double warmup_s;
    uint64_t keyspace;
    size_t value_bytes;
    const char *operations; /* names with commas between them */
    const char *mix;        /* NULL, or names with weights: one workload of all of them, instead of `operations` */
    enum hd_bench_distribution distribution;
    double skew;                           /* of zipf */
    double rate;                           /* operations a second of all clients; 0: as fast as they are answered */
    unsigned idle;                         /* connections beside the clients that do nothing */
    const char *peers[HD_BENCH_PEERS_MAX]; /* NAME=ADDRESS */
    unsigned peer_count;
    unsigned rounds; /* of each operation and server, by turns */
    uint64_t seed;
    long server_pid; /* 0: ask the socket */
    bool ring;       /* to heapd through shared memory; peers over their sockets */
    bool json;
    bool keep; /* leave the objects of the benchmark in the heap */
};

/* 0: go on; 1: --help or --version was answered; -1: a mistake, told on standard error. */
int hd_bench_options_parse(int count, char **arguments, struct hd_bench_options *out);

#endif
