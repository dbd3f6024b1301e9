/* The Names service: scopes, and names that keep objects alive. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/names.pb-c.h"

int heapd_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *out,
                     struct heapd_error *error)
{
    Heapd__V1__OpenScopeRequest message = HEAPD__V1__OPEN_SCOPE_REQUEST__INIT;
    message.parent = parent;
    struct hd_call call = {.method = HEAPD_METHOD_OPEN_SCOPE, .message = &message.base, .into = &message.into};
    return hd_sync_handle(connection, &call, 0, out, error);
}

int heapd_begin_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *into,
                           heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__OpenScopeRequest message = HEAPD__V1__OPEN_SCOPE_REQUEST__INIT;
    message.parent = parent;
    struct hd_call call = {.method = HEAPD_METHOD_OPEN_SCOPE, .message = &message.base, .into = &message.into};
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

struct close_scope {
    Heapd__V1__CloseScopeRequest message;
};

static int fill_close_scope(struct close_scope *fill, heapd_handle scope)
{
    heapd__v1__close_scope_request__init(&fill->message);
    fill->message.scope = scope;
    return 0;
}

int heapd_close_scope(struct heapd_connection *connection, heapd_handle scope, struct heapd_error *error)
{
    struct close_scope message;
    int code = fill_close_scope(&message, scope);
    return hd_sync(connection, HEAPD_METHOD_CLOSE_SCOPE, &message.message.base, code, NULL, error);
}

int heapd_begin_close_scope(struct heapd_connection *connection, heapd_handle scope, heapd_ticket *ticket,
                            struct heapd_error *error)
{
    struct close_scope message;
    int code = fill_close_scope(&message, scope);
    return hd_begin(connection, HEAPD_METHOD_CLOSE_SCOPE, &message.message.base, code, ticket, error);
}

struct bind {
    Heapd__V1__BindRequest message;
    struct hd_wire_value value;
};

static int fill_bind(struct bind *fill, heapd_handle scope, struct heapd_bytes name, const struct heapd_value *value)
{
    heapd__v1__bind_request__init(&fill->message);
    fill->message.scope = scope;
    fill->message.name = hd_wire_bytes(name);
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
               struct heapd_value value, struct heapd_error *error)
{
    struct bind message;
    int code = fill_bind(&message, scope, name, &value);
    return hd_sync(connection, HEAPD_METHOD_BIND, &message.message.base, code, NULL, error);
}

int heapd_begin_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                     struct heapd_value value, heapd_ticket *ticket, struct heapd_error *error)
{
    struct bind message;
    int code = fill_bind(&message, scope, name, &value);
    return hd_begin(connection, HEAPD_METHOD_BIND, &message.message.base, code, ticket, error);
}

static void fill_lookup(Heapd__V1__LookupRequest *message, struct hd_call *call, heapd_handle scope,
                        struct heapd_bytes name, enum heapd_want want, uint64_t wait_ms)
{
    heapd__v1__lookup_request__init(message);
    message->scope = scope;
    message->name = hd_wire_bytes(name);
    message->as_object = want == HEAPD_OBJECT;
    message->wait_ms = wait_ms;
    *call = (struct hd_call){
        .method = HEAPD_METHOD_LOOKUP,
        .message = &message->base,
        .into = want == HEAPD_PLAIN ? NULL : &message->into,
        .may_park = wait_ms > 0,
    };
}

int heapd_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name, enum heapd_want want,
                 uint64_t wait_ms, struct heapd_value *result, struct heapd_error *error)
{
    Heapd__V1__LookupRequest message;
    struct hd_call call;
    fill_lookup(&message, &call, scope, name, want, wait_ms);
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                       enum heapd_want want, uint64_t wait_ms, heapd_handle *into, heapd_ticket *ticket,
                       struct heapd_error *error)
{
    Heapd__V1__LookupRequest message;
    struct hd_call call;
    fill_lookup(&message, &call, scope, name, want, wait_ms);
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

struct unbind {
    Heapd__V1__UnbindRequest message;
};

static int fill_unbind(struct unbind *fill, heapd_handle scope, struct heapd_bytes name)
{
    heapd__v1__unbind_request__init(&fill->message);
    fill->message.scope = scope;
    fill->message.name = hd_wire_bytes(name);
    return 0;
}

int heapd_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                 struct heapd_error *error)
{
    struct unbind message;
    int code = fill_unbind(&message, scope, name);
    return hd_sync(connection, HEAPD_METHOD_UNBIND, &message.message.base, code, NULL, error);
}

int heapd_begin_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    struct unbind message;
    int code = fill_unbind(&message, scope, name);
    return hd_begin(connection, HEAPD_METHOD_UNBIND, &message.message.base, code, ticket, error);
}

static void fill_list_names(Heapd__V1__ListNamesRequest *message, heapd_handle scope, struct heapd_bytes prefix,
                            uint64_t start, uint32_t limit)
{
    heapd__v1__list_names_request__init(message);
    message->scope = scope;
    message->prefix = hd_wire_bytes(prefix);
    message->start = start;
    message->limit = limit;
}

int heapd_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix, uint64_t start,
                     uint32_t limit, struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__ListNamesRequest message;
    fill_list_names(&message, scope, prefix, start, limit);
    return hd_sync(connection, HEAPD_METHOD_LIST_NAMES, &message.base, 0, result, error);
}

int heapd_begin_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix,
                           uint64_t start, uint32_t limit, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__ListNamesRequest message;
    fill_list_names(&message, scope, prefix, start, limit);
    return hd_begin(connection, HEAPD_METHOD_LIST_NAMES, &message.base, 0, ticket, error);
}
