/*
 * Sockets: listeners and connections on a libuv loop, in front of server/rpc.
 *
 * One hd_net serves one rpc server on one loop, in the loop's thread. Bytes that
 * arrive go to hd_rpc_receive as they lie in one read buffer that all
 * connections share; the replies of one read leave in one write. Work that the
 * rpc server does in slices is done between the sockets' turns, and an idle
 * daemon makes no system call at all. DESIGN.md tells the rest.
 *
 * Nothing here logs and nothing calls upwards, but for the callback of stop:
 * what an administrator should know is counted in struct hd_net_stats.
 */
#ifndef HEAPD_NET_NET_H
#define HEAPD_NET_NET_H

#include <stdint.h>
#include <uv.h>

#include "common/allocator.h"
#include "common/error.h"
#include "net/socket.h"
#include "os/os.h"
#include "rpc/rpc.h"

struct hd_net;

struct hd_net_config {
    uint32_t max_frame_bytes; /* of a body, as the rpc server has it */
    uint64_t slice_ns;        /* how long a slice of background work should take; 200,000 is usual */
    uint32_t max_rings;       /* connections that may use shared memory at once; 0: none */
    uint32_t ring_bytes;      /* of each direction; a power of two from 4 KiB to 1 MiB; 0: 64 KiB */
};

/* Counters run from start on; those called _count without "ed" are of now. */
struct hd_net_stats {
    uint64_t connection_count;
    uint64_t accepted_count;
    uint64_t refused_limit_count;          /* the rpc server had no room: max_connections or memory */
    uint64_t refused_descriptors_count;    /* the process had no descriptor left */
    uint64_t accept_failed_count;          /* other failures of accept */
    uint64_t closed_by_peer_count;         /* end of file or reset, without a goodbye */
    uint64_t refused_frames_count;         /* requests that there was no memory to take in */
    uint64_t unexpected_descriptors_count; /* descriptors that came with bytes, and were closed */
    uint64_t received_bytes;               /* from sockets and rings */
    uint64_t sent_bytes;
    uint64_t ring_count; /* connections that have one */
    uint64_t rings_opened_count;
    uint64_t rings_refused_count; /* beyond max_rings, for want of memory, or not on a Unix socket */
    uint64_t rings_broken_count;  /* closed since the client's indexes made no sense */
    uint64_t ring_sleeps_count;   /* times that a silent ring stopped being polled */
    uint64_t ring_bells_count;    /* sleeping clients that were woken */
    uint64_t slices_count;        /* turns of background work */
    uint64_t slice_work_units;    /* what a slice is given now */
};

/*
 * loop, rpc and os are borrowed until hd_net_free; bookkeeping is allocated from
 * hd_rpc_allocator(rpc). HD_ENOMEM or HD_ESYSTEM.
 */
int hd_net_new(uv_loop_t *loop, struct hd_rpc_server *rpc, const struct hd_os *os, const struct hd_net_config *config,
               struct hd_net **out) HD_MUST_USE;

/*
 * Accepts connections on a socket from now on. On success the socket is stolen
 * (and closed by stop). HD_ENOMEM or HD_ESYSTEM.
 */
int hd_net_listen(struct hd_net *net, const struct hd_socket *socket) HD_MUST_USE;

/*
 * Closes the listeners at once and each connection as soon as its replies are
 * sent, at the latest after flush_ns; then calls `stopped` from the loop, after
 * which the net may be freed. To be called once.
 */
typedef void (*hd_net_stopped)(struct hd_net *net, void *data);
void hd_net_stop(struct hd_net *net, uint64_t flush_ns, hd_net_stopped stopped, void *data);

/* Only after `stopped` was called. Takes NULL. */
void hd_net_free(struct hd_net *net);

void hd_net_stats(const struct hd_net *net, struct hd_net_stats *out);

#endif
