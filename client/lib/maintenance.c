/* The rest of the Gc service: freezing and compaction; and Memory, of Admin. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/value.pb-c.h"

static int sync_empty(struct heapd_connection *connection, uint16_t method, struct heapd_result *result,
                      struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_sync(connection, method, &message.base, 0, result, error);
}

static int begin_empty(struct heapd_connection *connection, uint16_t method, heapd_ticket *ticket,
                       struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, method, &message.base, 0, ticket, error);
}

int heapd_gc_freeze(struct heapd_connection *connection, struct heapd_error *error)
{
    return sync_empty(connection, HEAPD_METHOD_GC_FREEZE, NULL, error);
}

int heapd_begin_gc_freeze(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_empty(connection, HEAPD_METHOD_GC_FREEZE, ticket, error);
}

int heapd_gc_unfreeze(struct heapd_connection *connection, struct heapd_error *error)
{
    return sync_empty(connection, HEAPD_METHOD_GC_UNFREEZE, NULL, error);
}

int heapd_begin_gc_unfreeze(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_empty(connection, HEAPD_METHOD_GC_UNFREEZE, ticket, error);
}

int heapd_gc_freeze_count(struct heapd_connection *connection, uint64_t *out, struct heapd_error *error)
{
    struct heapd_result result = {0};
    int code = sync_empty(connection, HEAPD_METHOD_GC_FREEZE_COUNT, &result, error);
    if (code)
        return code;
    if (result.value.kind == HEAPD_VALUE_INT)
        *out = (uint64_t)result.value.as.integer;
    else
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered a count with something else");
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_freeze_count(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_empty(connection, HEAPD_METHOD_GC_FREEZE_COUNT, ticket, error);
}

int heapd_compact(struct heapd_connection *connection, struct heapd_compaction *out, struct heapd_error *error)
{
    struct heapd_result result = {0};
    int code = sync_empty(connection, HEAPD_METHOD_COMPACT, &result, error);
    if (!code)
        *out = result.as.compaction;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_compact(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_empty(connection, HEAPD_METHOD_COMPACT, ticket, error);
}

int heapd_memory(struct heapd_connection *connection, struct heapd_result *result, struct heapd_error *error)
{
    return sync_empty(connection, HEAPD_METHOD_MEMORY, result, error);
}

int heapd_begin_memory(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_empty(connection, HEAPD_METHOD_MEMORY, ticket, error);
}
