/*
 * What a server speaks: heapd, or a peer that the same load is to be held against.
 *
 * The load generator is the same for all of them: connections, batches, clocks and
 * histograms. A protocol says how an operation looks and where a reply ends.
 */
#ifndef HEAPD_BENCH_PROTOCOL_H
#define HEAPD_BENCH_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "client/bench/operation.h"

struct hd_bench_reply {
    size_t bytes;        /* of the first reply; 0: it is not all there */
    const char *failure; /* NULL, or what the server said is wrong, until its line's end; lent */
    size_t failure_bytes;
};

struct hd_bench_protocol {
    const char *name;
    /* How an operation is written; NULL where there is nothing like it. */
    uint8_t *(*(*compose)(const struct hd_bench_operation *operation))(struct hd_bench_stream *stream, uint8_t *to);
    /* Finds the first reply. -1: this is no reply to what was asked. */
    int (*read_reply)(struct hd_bench_stream *stream, const uint8_t *bytes, size_t count, struct hd_bench_reply *out);
    /* What a connection says first: *replies are awaited. NULL: nothing. */
    uint8_t *(*greet)(struct hd_bench_stream *stream, uint8_t *to, unsigned *replies);
    /* Writes the requests that make key `number`, and adds their number to *replies. NULL: made otherwise. */
    uint8_t *(*fill)(struct hd_bench_stream *stream, uint64_t number, uint8_t *to, unsigned *replies);
};

extern const struct hd_bench_protocol hd_bench_heapd;
/* NULL: heapd's own. redis, memcached, echo. */
const struct hd_bench_protocol *hd_bench_protocol_find(const char *name, size_t length);

#endif
