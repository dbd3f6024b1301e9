/* A client wants to leave the socket for shared memory. */
#include <heapd/v1/ring.pb-c.h>
#include <unistd.h>

#include "rpc/private.h"

static int fail_ring(struct hd_call *call, int error)
{
    switch (error) {
    case HD_ELIMIT:
        return hd_fail(call, error, "the daemon has as many rings as it may; go on over the socket");
    case HD_EINVALID:
        return hd_fail(call, error, "rings are for Unix sockets, and here they are not; go on over the socket");
    case HD_EEXISTS:
        return hd_fail(call, error, "this connection has its ring");
    default:
        return error;
    }
}

int hd_run_open_ring(struct hd_call *call, const void *message)
{
    (void)message;
    struct hd_rpc_server *server = call->server;
    struct hd_rpc_ring ring;
    int error = server->ring_source ? server->ring_source(server->ring_source_context, call->connection->owner, &ring)
                                    : HD_EINVALID;
    if (error)
        return fail_ring(call, error);
    Heapd__V1__OpenRingReply reply = HEAPD__V1__OPEN_RING_REPLY__INIT;
    reply.to_daemon_bytes = ring.to_daemon_bytes;
    reply.to_client_bytes = ring.to_client_bytes;
    error = hd_reply_passing(call, &reply.base, ring.fd);
    if (error) {
        close(ring.fd);
        (void)server->ring_source(server->ring_source_context, call->connection->owner, NULL);
    }
    return error;
}
