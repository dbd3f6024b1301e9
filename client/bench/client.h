/* What load.c (the run) and connect.c (before and after it) share. Nobody else includes this. */
#ifndef HEAPD_BENCH_CLIENT_H
#define HEAPD_BENCH_CLIENT_H

#include "client/bench/link.h"
#include "client/bench/load.h"

#define HD_BENCH_INPUT_BYTES ((size_t)128 << 10)

/* An operation that is not answered yet. */
struct hd_bench_pending {
    uint64_t due_ns; /* of a rate */
    uint64_t written_ns;
    unsigned replies;
};

/* Operations as they go out: their bytes, and what each awaits. */
struct hd_bench_batch {
    uint8_t *bytes; /* own; room for `pipeline` operations */
    size_t sent;
    size_t end;
    struct hd_bench_pending *pending; /* own; a ring of `pipeline` */
};

struct hd_bench_client {
    struct hd_bench_link link;
    struct hd_bench_stream stream;
    struct hd_bench_batch batch; /* under way */
    /* Without a rate: the batch after this one, composed while the server is busy; `end` 0: not yet. */
    struct hd_bench_batch next;
    struct hd_bench_stream before_next; /* in case it is never sent */
    uint8_t *input;                     /* own; begins with what is left of a reply */
    size_t input_end;
    unsigned first; /* of those that wait */
    unsigned count;
    uint64_t begin_ns; /* without a rate: of the batch under way */
    uint64_t due_ns;   /* of a rate: when the next operation is to begin */
    bool wants_write;
};

struct hd_bench_load {
    const struct hd_bench_options *options; /* borrow */
    const struct hd_bench_protocol *protocol;
    int epoll;
    bool through_rings;
    struct hd_bench_client *clients; /* own */
    unsigned client_count;
    int *idle_fds; /* own */
    unsigned idle_count;
    uint8_t *value; /* own */
    long server_pid;
    /* Of rings: how long one looks before one sleeps. */
    struct hd_ring_pace pace;
    struct hd_ring_thrift thrift;
    /* Of the run that is going on. */
    const struct hd_bench_workload *workload;
    struct hd_bench_outcome *outcome;
    uint32_t weight_sum;
    uint64_t interval_ns; /* between two operations of a client; 0: no rate */
    bool measuring;
    bool stopping; /* no further operations */
    unsigned active;
};

uint64_t hd_bench_now_ns(void);
/* Says what failed, with errno, on standard error: -1. */
int hd_bench_complain(const struct hd_bench_load *load, const char *what);
/* Takes the whole replies of the input. */
int hd_bench_take_replies(struct hd_bench_load *load, struct hd_bench_client *client);

#endif
