/*
 * The requests that took longest: a ring of the last ones above a threshold. Which
 * method, whose, how long and how large; nothing of what was in it.
 *
 * The clock is read around requests that came with many bytes or may go on in slices,
 * and not for others: these cost less than the clock. One of them that told of much
 * work all the same is taken for as long as that usually takes. A request that goes on
 * in slices counts from its beginning to its end, and one that waits for somebody else
 * does not count.
 */
#ifndef HEAPD_RPC_SLOWLOG_H
#define HEAPD_RPC_SLOWLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/private.h"

#define HD_SLOWLOG_ENTRIES 128u
#define HD_SLOWLOG_USUAL_NS UINT64_C(10000000)

/* Work and bytes below which a request is not worth a look at the clock. */
#define HD_SLOWLOG_UNITS_MIN 4096u
#define HD_SLOWLOG_BODY_MIN 4096u

struct hd_slow_request {
    uint64_t number; /* from 1 */
    uint64_t session;
    uint64_t ended_ns;
    uint64_t taken_ns;
    uint32_t body_bytes;
    uint16_t method;
    bool in_slices;
    char client_name[HD_CLIENT_NAME_BYTES];
};

struct hd_slowlog {
    uint64_t threshold_ns; /* 0: nothing is kept, and the clock is not read */
    uint64_t since_ns;     /* when the request that runs began; 0: nobody looked */
    uint64_t units;        /* of work told of until then */
    uint64_t count;        /* ever; the last HD_SLOWLOG_ENTRIES are kept */
    uint64_t first;        /* number of the first that was not forgotten */
    struct hd_slow_request entries[HD_SLOWLOG_ENTRIES];
};

/* HD_ENOMEM. */
int hd_slowlog_new(struct hd_rpc_server *server) HD_MUST_USE;
void hd_slowlog_free(struct hd_rpc_server *server);
/* A request is to be run. */
void hd_slowlog_begin(struct hd_rpc_server *server, const struct hd_operation *operation, uint32_t body_bytes);
/* The same for one of few bytes that does not go on in slices. */
static inline void hd_slowlog_begin_short(struct hd_rpc_server *server)
{
    server->slowlog->since_ns = 0;
    server->slowlog->units = server->heap->objects.work_units;
}
/* Is what was run worth a look? */
static inline bool hd_slowlog_is_due(const struct hd_rpc_server *server)
{
    const struct hd_slowlog *log = server->slowlog;
    return log->since_ns || server->heap->objects.work_units - log->units >= HD_SLOWLOG_UNITS_MIN;
}
/* It was run. */
void hd_slowlog_ran(struct hd_rpc_connection *connection, uint16_t method, uint32_t body_bytes);
/* One that went on in slices ends. */
void hd_slowlog_ended(struct hd_rpc_connection *connection, uint16_t method, uint64_t begin_ns);

#endif
