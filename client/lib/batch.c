/* Batches and versions. */
#include "client/lib/method.h"
#include "heapd/v1/batch.pb-c.h"
#include "heapd/v1/value.pb-c.h"

int heapd_open_batch(struct heapd_connection *connection, uint64_t wait_ms, struct heapd_error *error)
{
    Heapd__V1__BeginRequest message;
    heapd__v1__begin_request__init(&message);
    message.wait_ms = wait_ms;
    int code = hd_sync(connection, HEAPD_METHOD_BEGIN, &message.base, 0, NULL, error);
    /* HD_EBATCH: one is open, and stays so. */
    if (code && code != HD_EBATCH && hd_enter(connection, NULL) == 0) {
        connection->in_batch = false;
        hd_leave(connection);
    }
    return code;
}

int heapd_commit_batch(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, HEAPD_METHOD_COMMIT, &message.base, 0, NULL, error);
}

int heapd_begin_commit_batch(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_COMMIT, &message.base, 0, ticket, error);
}

int heapd_discard_batch(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, HEAPD_METHOD_DISCARD, &message.base, 0, NULL, error);
}

int heapd_version(struct heapd_connection *connection, heapd_handle object, uint64_t *out, struct heapd_error *error)
{
    Heapd__V1__VersionRequest message;
    struct heapd_result result = {0};
    heapd__v1__version_request__init(&message);
    message.object = object;
    int code = hd_sync(connection, HEAPD_METHOD_VERSION, &message.base, 0, &result, error);
    if (code)
        return code;
    if (result.value.kind == HEAPD_VALUE_INT)
        *out = (uint64_t)result.value.as.integer;
    else
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered a version with something else");
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_check_version(struct heapd_connection *connection, heapd_handle object, uint64_t version,
                              heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CheckRequest message;
    heapd__v1__check_request__init(&message);
    message.object = object;
    message.version = version;
    return hd_begin(connection, HEAPD_METHOD_CHECK, &message.base, 0, ticket, error);
}

int heapd_begin_check_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           uint64_t identity, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CheckRequest message;
    heapd__v1__check_request__init(&message);
    message.scope = scope;
    message.name = hd_wire_bytes(name);
    message.identity = identity;
    return hd_begin(connection, HEAPD_METHOD_CHECK, &message.base, 0, ticket, error);
}
