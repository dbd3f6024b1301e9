/*
 * A small rpc server in place of the real one: it implements rpc/rpc.h as an
 * echo of frames, with a few methods that behave badly in ways a test can ask
 * for. So what is tested here is net alone.
 */
#ifndef HEAPD_TESTS_FAKE_RPC_H
#define HEAPD_TESTS_FAKE_RPC_H

#include <stdint.h>

#include "rpc/rpc.h"

enum fake_method {
    FAKE_ECHO = 1,    /* replies with the body */
    FAKE_GOODBYE = 2, /* the same, and the connection is over */
    FAKE_SLICED = 3,  /* body: u32 slices; the reply comes after so many; later requests run meanwhile */
    FAKE_WAIT = 4,    /* body: u32 milliseconds; parked, the reply comes when they are over */
    FAKE_BIG = 5,     /* body: u32 bytes; replies with so many */
    FAKE_KILL = 6,    /* makes every other connection be over, with a reply left to send */
    FAKE_RING = 7,    /* asks for a ring: the reply takes its descriptor along, and has the error as one byte */
    FAKE_HELD = 9,    /* as SLICED, but later requests wait; a cancel among them ends it soon */
    FAKE_PASS = 8,    /* replies with the body, and a descriptor */
};

struct fake_config {
    uint32_t max_frame_bytes;
    uint32_t max_connections;
    size_t output_high_bytes;
    unsigned requests_per_receive; /* what a turn's work allows; 0: all */
};

struct fake_counts {
    size_t used_bytes; /* of the allocator that net is given too */
    size_t peak_bytes;
    size_t output_peak_bytes; /* of one connection */
    unsigned connection_count;
    unsigned request_count;
    unsigned receive_count;   /* calls that ran at least one request */
    unsigned run_count;       /* calls of hd_rpc_run */
    unsigned relieve_count;   /* calls of hd_rpc_relieve, and hd_rpc_wait_for_memory's */
    unsigned refused_count;   /* calls of hd_rpc_frame_refused */
    unsigned overheard_count; /* cancels that did not wait for their turn */
    unsigned wait_count;      /* calls of hd_rpc_wait_for_memory */
    uint64_t last_pid;        /* of the connection opened last */
    bool last_admin;
};

struct hd_rpc_server *fake_new(const struct fake_config *config);
void fake_free(struct hd_rpc_server *server);
struct fake_counts *fake_counts(struct hd_rpc_server *server);
/* From now on an allocation beyond so many bytes in use fails. */
void fake_limit(struct hd_rpc_server *server, size_t limit_bytes);
/* The next search for memory makes that the limit and says that it helped; others help nothing. */
void fake_relief(struct hd_rpc_server *server, size_t limit_bytes);
/* A number of the stats source; it must be there. */
uint64_t fake_stat(struct hd_rpc_server *server, const char *name);

#endif
