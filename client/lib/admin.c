/* The Admin service, and Ping. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/admin.pb-c.h"
#include "heapd/v1/session.pb-c.h"

int heapd_ping(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__PingRequest message = HEAPD__V1__PING_REQUEST__INIT;
    return hd_sync(connection, HEAPD_METHOD_PING, &message.base, 0, NULL, error);
}

int heapd_begin_ping(struct heapd_connection *connection, struct heapd_bytes payload, heapd_ticket *ticket,
                     struct heapd_error *error)
{
    Heapd__V1__PingRequest message = HEAPD__V1__PING_REQUEST__INIT;
    message.payload = hd_wire_bytes(payload);
    return hd_begin(connection, HEAPD_METHOD_PING, &message.base, 0, ticket, error);
}

int heapd_stats(struct heapd_connection *connection, struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, HEAPD_METHOD_STATS, &message.base, 0, result, error);
}

int heapd_begin_stats(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_STATS, &message.base, 0, ticket, error);
}

int heapd_list_sessions(struct heapd_connection *connection, struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, HEAPD_METHOD_LIST_SESSIONS, &message.base, 0, result, error);
}

int heapd_begin_list_sessions(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_LIST_SESSIONS, &message.base, 0, ticket, error);
}

int heapd_kill_session(struct heapd_connection *connection, uint64_t session_id, struct heapd_error *error)
{
    Heapd__V1__KillSessionRequest message;
    heapd__v1__kill_session_request__init(&message);
    message.id = session_id;
    return hd_sync(connection, HEAPD_METHOD_KILL_SESSION, &message.base, 0, NULL, error);
}

int heapd_begin_kill_session(struct heapd_connection *connection, uint64_t session_id, heapd_ticket *ticket,
                             struct heapd_error *error)
{
    Heapd__V1__KillSessionRequest message;
    heapd__v1__kill_session_request__init(&message);
    message.id = session_id;
    return hd_begin(connection, HEAPD_METHOD_KILL_SESSION, &message.base, 0, ticket, error);
}

int heapd_shutdown(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, HEAPD_METHOD_SHUTDOWN, &message.base, 0, NULL, error);
}

int heapd_begin_shutdown(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_SHUTDOWN, &message.base, 0, ticket, error);
}
