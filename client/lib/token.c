/* Tokens: references that travel as bytes. */
#include <heapd/heapd.h>

#include "client/lib/method.h"
#include "heapd/v1/token.pb-c.h"

static ProtobufCBinaryData lent(struct heapd_bytes bytes)
{
    return (ProtobufCBinaryData){bytes.size, (uint8_t *)(uintptr_t)bytes.data};
}

int heapd_make_token(struct heapd_connection *connection, heapd_handle object, uint64_t ttl_ms, uint32_t uses,
                     struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__MakeTokenRequest message = HEAPD__V1__MAKE_TOKEN_REQUEST__INIT;
    message.object = object;
    message.ttl_ms = ttl_ms;
    message.uses = uses;
    return hd_sync(connection, HEAPD_METHOD_MAKE_TOKEN, &message.base, 0, result, error);
}

int heapd_begin_make_token(struct heapd_connection *connection, heapd_handle object, uint64_t ttl_ms, uint32_t uses,
                           heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__MakeTokenRequest message = HEAPD__V1__MAKE_TOKEN_REQUEST__INIT;
    message.object = object;
    message.ttl_ms = ttl_ms;
    message.uses = uses;
    return hd_begin(connection, HEAPD_METHOD_MAKE_TOKEN, &message.base, 0, ticket, error);
}

int heapd_redeem_token(struct heapd_connection *connection, struct heapd_bytes secret, struct heapd_value *result,
                       struct heapd_error *error)
{
    Heapd__V1__RedeemTokenRequest message = HEAPD__V1__REDEEM_TOKEN_REQUEST__INIT;
    message.secret = lent(secret);
    struct hd_call call = {.method = HEAPD_METHOD_REDEEM_TOKEN, .message = &message.base, .into = &message.into};
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_redeem_token(struct heapd_connection *connection, struct heapd_bytes secret, heapd_handle *into,
                             heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__RedeemTokenRequest message = HEAPD__V1__REDEEM_TOKEN_REQUEST__INIT;
    message.secret = lent(secret);
    struct hd_call call = {.method = HEAPD_METHOD_REDEEM_TOKEN, .message = &message.base, .into = &message.into};
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}
