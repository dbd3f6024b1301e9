/* How a session begins and ends, and whether anybody is there. */
#include <heapd/v1/session.pb-c.h>
#include <string.h>

#include "common/utf8.h"
#include "rpc/private.h"

/* What people see in the list of sessions, cut between characters. */
static void keep_name(struct hd_rpc_connection *connection, const char *name)
{
    size_t size = strlen(name);
    if (size >= HD_CLIENT_NAME_BYTES) {
        size = HD_CLIENT_NAME_BYTES - 1;
        while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(connection->client_name, name, size);
    connection->client_name[size] = '\0';
}

int hd_run_hello(struct hd_call *call, const void *message)
{
    const Heapd__V1__HelloRequest *request = message;
    struct hd_rpc_connection *connection = call->connection;
    const struct hd_rpc_config *config = &call->server->config;
    if (connection->greeted)
        return hd_fail(call, HD_EHELLO, "this connection has said Hello already");
    if (request->min_version > HD_PROTOCOL_VERSION || request->max_version < HD_PROTOCOL_VERSION)
        return hd_fail(call, HD_EHELLO, "the client speaks versions %u to %u, the daemon %u", request->min_version,
                       request->max_version, HD_PROTOCOL_VERSION);
    if (!hd_utf8_valid((const uint8_t *)request->client_name, strlen(request->client_name)))
        return hd_fail(call, HD_EUTF8, "client_name");
    Heapd__V1__HelloReply reply = HEAPD__V1__HELLO_REPLY__INIT;
    reply.version = HD_PROTOCOL_VERSION;
    reply.features = 0;
    reply.session_id = connection->session.id;
    reply.server_version = (char *)(uintptr_t)HEAPD_VERSION; /* read only */
    reply.max_frame_bytes = config->max_frame_bytes;
    reply.max_slots = config->max_slots;
    reply.max_depth = HD_LITERAL_MAX_DEPTH;
    int error = hd_reply_message(call, &reply.base, 0);
    if (error)
        return error;
    keep_name(connection, request->client_name);
    connection->greeted = true;
    return 0;
}

int hd_run_goodbye(struct hd_call *call, const void *message)
{
    (void)message;
    call->session->orderly = true;
    hd_connection_end(call->connection);
    hd_reply_empty(call);
    return 0;
}

int hd_run_ping(struct hd_call *call, const void *message)
{
    const Heapd__V1__PingRequest *request = message;
    Heapd__V1__PingReply reply = HEAPD__V1__PING_REPLY__INIT;
    reply.payload = request->payload;
    return hd_reply_message(call, &reply.base, 0);
}
