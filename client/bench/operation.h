/*
 * The operations that heapd-bench measures: how each looks on the wire.
 *
 * Requests are composed by hand, in place, since the generator must cost less
 * than what it measures. They are the same bytes that the library would send.
 */
#ifndef HEAPD_BENCH_OPERATION_H
#define HEAPD_BENCH_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/bench/keys.h"

#define HD_BENCH_MAX_VALUE_BYTES ((size_t)64 << 10)
/* What one operation can take at most, beside its value. */
#define HD_BENCH_MAX_REQUEST_BYTES 256

/* Every connection holds the same objects in the same slots. */
enum hd_bench_slot {
    HD_BENCH_SLOT_DICT = 1,     /* keyspace keys with strings of value_bytes */
    HD_BENCH_SLOT_LIST = 2,     /* keyspace such strings */
    HD_BENCH_SLOT_COUNTERS = 3, /* a list of keyspace ints */
    HD_BENCH_SLOT_GROWING = 4,  /* a list for append */
    HD_BENCH_SLOT_FIRST_FREE = 5,
};

/* The state that composing needs; one for each connection. */
struct hd_bench_stream {
    struct hd_bench_keys keys;
    uint64_t next_id;
    uint64_t next_reply;  /* the request whose reply is read next */
    const uint8_t *value; /* borrow */
    size_t value_bytes;
    uint32_t generation; /* of the slot that create uses */
};

struct hd_bench_operation {
    const char *name;
    const char *text;
    unsigned replies; /* per operation */
    /* Writes one operation and returns its end. */
    uint8_t *(*compose)(struct hd_bench_stream *stream, uint8_t *to);
};

extern const struct hd_bench_operation hd_bench_operations[];
extern const size_t hd_bench_operation_count;

/* NULL if there is none of this name (which need not end in NUL). */
const struct hd_bench_operation *hd_bench_operation_find(const char *name, size_t length);

/* "key:" and twelve digits. */
#define HD_BENCH_KEY_BYTES 16
void hd_bench_key(uint8_t out[HD_BENCH_KEY_BYTES], uint64_t number);

/* Names under which setup binds what the operations use. */
#define HD_BENCH_NAME_DICT "heapd-bench:dict"
#define HD_BENCH_NAME_LIST "heapd-bench:list"
#define HD_BENCH_NAME_COUNTERS "heapd-bench:counters"
#define HD_BENCH_NAME_GROWING "heapd-bench:growing"

/* Hello, of a connection that holds nothing. */
uint8_t *hd_bench_compose_hello(struct hd_bench_stream *stream, uint8_t *to);
/* The last that goes over the socket. */
uint8_t *hd_bench_compose_open_ring(struct hd_bench_stream *stream, uint8_t *to);

#endif
