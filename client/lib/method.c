#include "client/lib/method.h"

int hd_sync(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
            struct heapd_result *result, struct heapd_error *error)
{
    struct hd_call call = {.method = method, .message = message};
    return hd_call_sync(connection, &call, code, result, error);
}

int hd_begin(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
             heapd_ticket *ticket, struct heapd_error *error)
{
    struct hd_call call = {.method = method, .message = message};
    return hd_call_begin(connection, &call, code, ticket, error);
}

int hd_sync_value(struct heapd_connection *connection, const struct hd_call *call, int code, struct heapd_value *result,
                  struct heapd_error *error)
{
    struct heapd_result whole = {0};
    code = hd_call_sync(connection, call, code, result ? &whole : NULL, error);
    if (!code && result)
        *result = whole.value;
    return code;
}

int hd_sync_bool(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
                 bool *out, struct heapd_error *error)
{
    struct heapd_result result = {0};
    code = hd_sync(connection, method, message, code, &result, error);
    if (code)
        return code;
    if (result.value.kind != HEAPD_VALUE_BOOL)
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered yes or no with something else");
    else if (out)
        *out = result.value.as.boolean;
    heapd_result_clear(&result);
    return code;
}

int hd_sync_handle(struct heapd_connection *connection, const struct hd_call *call, int code, heapd_handle *out,
                   struct heapd_error *error)
{
    struct heapd_result result = {0};
    code = hd_call_sync(connection, call, code, &result, error);
    if (code)
        return code;
    if (result.value.kind == HEAPD_VALUE_REF)
        *out = result.value.as.ref;
    else
        code = hd_fail_with(error, HD_EINVALID, "the result is a plain value, not an object; send the value itself");
    heapd_result_clear(&result);
    return code;
}

int hd_begin_handle(struct heapd_connection *connection, struct hd_call *call, int code, heapd_handle *into,
                    heapd_ticket *ticket, struct heapd_error *error)
{
    if (into && !call->into && !code)
        code = HD_EINVALID; /* HEAPD_PLAIN brings no handle */
    call->handed_out = into != NULL;
    code = hd_call_begin(connection, call, code, ticket, error);
    if (!code && into)
        *into = *call->into;
    return code;
}
