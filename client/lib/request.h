/*
 * What the client knows of each request that it sent: a table by id, and the
 * unanswered ones in their order.
 *
 * Not safe for threads: the connection's lock guards it.
 */
#ifndef HEAPD_CLIENT_REQUEST_H
#define HEAPD_CLIENT_REQUEST_H

#include <heapd/heapd.h>

#include "common/error.h"
#include "common/handle.h"

struct hd_stream;

/* The methods that the public header does not name, by their numbers on the wire. */
enum hd_method {
    HD_METHOD_HELLO = 1,
    HD_METHOD_GOODBYE = 2,
    HD_METHOD_OPEN_RING = 8,
    HD_METHOD_RELEASE = 19,
    HD_METHOD_EXPORT = 39,
};

struct hd_request {
    uint64_t id;
    struct hd_request *chain; /* next of the same bucket */
    struct hd_request *older; /* among the unanswered */
    struct hd_request *newer;
    uint16_t method;
    bool answered;
    bool ticketed;   /* the program may still ask for the result */
    bool reported;   /* without a ticket: a failure is kept for heapd_finish */
    bool handed_out; /* the program was given `into` ahead, so the handle is its own whatever becomes of the result */
    bool claimed;    /* a thread waits for it */
    int code;        /* once answered */
    hd_handle into;  /* 0: no slot was offered */
    hd_handle captures_into;
    uint32_t capture_count;
    hd_handle early_release;    /* of a RELEASE that goes out while its slot is pending; else 0 */
    struct heapd_error *detail; /* own; of a failure, NULL when there was no memory for it */
    struct heapd_result result; /* own */
    int descriptor;             /* own; came with the reply; -1: none */
    struct hd_stream *stream;   /* borrow: where parts go; NULL: there are none, or their reader has closed */
    bool streams;               /* its reply comes in parts */
    heapd_callback *callback;
    void *context;
    struct hd_request *next_callback;
};

struct hd_request_table {
    struct hd_request **buckets; /* own */
    size_t bucket_count;         /* a power of two, or 0 */
    size_t count;                /* answered or not */
    size_t unanswered_count;
    struct hd_request *oldest; /* unanswered */
    struct hd_request *newest;
};

void hd_request_table_init(struct hd_request_table *table);
/* Frees all requests, too. */
void hd_request_table_fini(struct hd_request_table *table);

/* A zeroed request, unanswered, in the table (which owns it). Ids ascend. HD_ENOMEM. */
int hd_request_table_add(struct hd_request_table *table, uint64_t id, struct hd_request **out) HD_MUST_USE;
/* NULL if there is none. */
struct hd_request *hd_request_table_find(const struct hd_request_table *table, uint64_t id);
/* Takes it out of the list of the unanswered. */
void hd_request_table_answered(struct hd_request_table *table, struct hd_request *request);
/* Takes it out altogether and frees it with what it owns. */
void hd_request_table_remove(struct hd_request_table *table, struct hd_request *request);

#endif
