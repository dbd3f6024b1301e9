/* The Watch service: subscriptions and events; names with a time to live. */
#include "client/lib/watch.h"

#include <stdlib.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "client/lib/wait.h"
#include "heapd/v1/method.pb-c.h"
#include "heapd/v1/names.pb-c.h"
#include "heapd/v1/watch.pb-c.h"

/* ---- events ---- */

struct hd_event {
    struct heapd_event event;
    struct hd_event *next;
};

/* One for each subscription at most: what comes while it waits is added to it. */
static struct hd_event *find(const struct heapd_connection *connection, uint64_t subscription)
{
    struct hd_event *event = connection->events;
    while (event && event->event.subscription != subscription)
        event = event->next;
    return event;
}

static struct hd_event *append(struct heapd_connection *connection)
{
    struct hd_event *event = calloc(1, sizeof *event);
    if (!event)
        return NULL;
    struct hd_event **link = &connection->events;
    while (*link)
        link = &(*link)->next;
    *link = event;
    return event;
}

void hd_watch_take(struct heapd_connection *connection, const struct hd_frame *frame, const uint8_t *body)
{
    if (frame->method != HEAPD__V1__METHOD__EVENT)
        return; /* of a later version: nobody asked for it */
    const Heapd__V1__Event *from = heapd__v1__event__unpack(&connection->arena.protobuf, frame->body_bytes, body);
    struct hd_event *event = from ? find(connection, from->subscription) : NULL;
    if (from && !event)
        event = append(connection);
    if (!event) {
        connection->events_lost = true;
    } else {
        event->event.subscription = from->subscription;
        event->event.identity = from->identity;
        event->event.count += from->count;
        event->event.bound = from->bound;
        event->event.gone |= from->gone;
    }
    hd_arena_reset(&connection->arena);
}

static void drop(struct heapd_connection *connection, uint64_t subscription)
{
    struct hd_event **link = &connection->events;
    while (*link && (*link)->event.subscription != subscription)
        link = &(*link)->next;
    struct hd_event *event = *link;
    if (event)
        *link = event->next;
    free(event);
}

void hd_watch_fini(struct heapd_connection *connection)
{
    while (connection->events)
        drop(connection, connection->events->event.subscription);
}

int heapd_next_event(struct heapd_connection *connection, int timeout_ms, struct heapd_event *out,
                     struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    struct hd_wait wait = {.kind = HD_WAIT_EVENT};
    int result = hd_wait_for(connection, &wait, timeout_ms);
    if (connection->events_lost) {
        connection->events_lost = false;
        result = hd_fail_with(error, HD_ENOMEM, "this process had no memory for an event; look at everything again");
    } else if (connection->events) {
        *out = connection->events->event;
        drop(connection, out->subscription);
        result = 0;
        hd_succeed(error);
    } else {
        code = hd_check_alive(connection, error);
        if (!code)
            hd_succeed(error);
        result = code ? code : result;
    }
    hd_leave(connection);
    return result;
}

/* ---- subscriptions ---- */

static int begin_subscribe(struct heapd_connection *connection, heapd_handle object, heapd_handle scope,
                           struct heapd_bytes name, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__SubscribeRequest message = HEAPD__V1__SUBSCRIBE_REQUEST__INIT;
    message.object = object;
    message.scope = scope;
    message.name = hd_wire_bytes(name);
    return hd_begin(connection, HEAPD_METHOD_SUBSCRIBE, &message.base, 0, ticket, error);
}

/* The request's own number is what events will say. */
static int subscribe(struct heapd_connection *connection, heapd_handle object, heapd_handle scope,
                     struct heapd_bytes name, uint64_t *subscription, struct heapd_error *error)
{
    heapd_ticket ticket;
    int code = begin_subscribe(connection, object, scope, name, &ticket, error);
    if (!code)
        code = heapd_wait(connection, ticket, -1, NULL, error);
    if (!code)
        *subscription = ticket;
    return code;
}

int heapd_begin_subscribe(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                          struct heapd_error *error)
{
    return begin_subscribe(connection, object, 0, heapd_slice("", 0), ticket, error);
}

int heapd_subscribe(struct heapd_connection *connection, heapd_handle object, uint64_t *subscription,
                    struct heapd_error *error)
{
    return subscribe(connection, object, 0, heapd_slice("", 0), subscription, error);
}

static int check_name(struct heapd_bytes name, struct heapd_error *error)
{
    /* On the wire that would be the scope itself. */
    return name.size ? 0 : hd_fail_with(error, HD_EINVALID, "the name is empty");
}

int heapd_begin_subscribe_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                               heapd_ticket *ticket, struct heapd_error *error)
{
    int code = check_name(name, error);
    return code ? code : begin_subscribe(connection, 0, scope, name, ticket, error);
}

int heapd_subscribe_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                         uint64_t *subscription, struct heapd_error *error)
{
    int code = check_name(name, error);
    return code ? code : subscribe(connection, 0, scope, name, subscription, error);
}

int heapd_begin_unsubscribe(struct heapd_connection *connection, uint64_t subscription, heapd_ticket *ticket,
                            struct heapd_error *error)
{
    Heapd__V1__UnsubscribeRequest message = HEAPD__V1__UNSUBSCRIBE_REQUEST__INIT;
    message.subscription = subscription;
    return hd_begin(connection, HEAPD_METHOD_UNSUBSCRIBE, &message.base, 0, ticket, error);
}

int heapd_unsubscribe(struct heapd_connection *connection, uint64_t subscription, struct heapd_error *error)
{
    Heapd__V1__UnsubscribeRequest message = HEAPD__V1__UNSUBSCRIBE_REQUEST__INIT;
    message.subscription = subscription;
    int code = hd_sync(connection, HEAPD_METHOD_UNSUBSCRIBE, &message.base, 0, NULL, error);
    if (code)
        return code;
    code = hd_enter(connection, error);
    if (code)
        return code;
    drop(connection, subscription);
    hd_leave(connection);
    return 0;
}

/* ---- names with a time to live ---- */

struct bind_for {
    Heapd__V1__BindRequest message;
    struct hd_wire_value value;
};

static int fill_bind(struct bind_for *fill, heapd_handle scope, struct heapd_bytes name,
                     const struct heapd_value *value, uint64_t ttl_ms)
{
    heapd__v1__bind_request__init(&fill->message);
    fill->message.scope = scope;
    fill->message.name = hd_wire_bytes(name);
    fill->message.value = &fill->value.value;
    fill->message.ttl_ms = ttl_ms;
    int code = hd_wire_value(value, &fill->value);
    return code ? code : ttl_ms ? 0 : HD_EINVALID;
}

int heapd_bind_for(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                   struct heapd_value value, uint64_t ttl_ms, struct heapd_error *error)
{
    struct bind_for message;
    int code = fill_bind(&message, scope, name, &value, ttl_ms);
    return hd_sync(connection, HEAPD_METHOD_BIND, &message.message.base, code, NULL, error);
}

int heapd_begin_bind_for(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                         struct heapd_value value, uint64_t ttl_ms, heapd_ticket *ticket, struct heapd_error *error)
{
    struct bind_for message;
    int code = fill_bind(&message, scope, name, &value, ttl_ms);
    return hd_begin(connection, HEAPD_METHOD_BIND, &message.message.base, code, ticket, error);
}

static void fill_expire(Heapd__V1__ExpireRequest *message, heapd_handle scope, struct heapd_bytes name, uint64_t ttl_ms)
{
    heapd__v1__expire_request__init(message);
    message->scope = scope;
    message->name = hd_wire_bytes(name);
    message->ttl_ms = ttl_ms;
}

int heapd_expire(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name, uint64_t ttl_ms,
                 struct heapd_error *error)
{
    Heapd__V1__ExpireRequest message;
    fill_expire(&message, scope, name, ttl_ms);
    return hd_sync(connection, HEAPD_METHOD_EXPIRE, &message.base, 0, NULL, error);
}

int heapd_begin_expire(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                       uint64_t ttl_ms, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__ExpireRequest message;
    fill_expire(&message, scope, name, ttl_ms);
    return hd_begin(connection, HEAPD_METHOD_EXPIRE, &message.base, 0, ticket, error);
}

static void fill_time_to_live(Heapd__V1__TimeToLiveRequest *message, heapd_handle scope, struct heapd_bytes name)
{
    heapd__v1__time_to_live_request__init(message);
    message->scope = scope;
    message->name = hd_wire_bytes(name);
}

int heapd_time_to_live(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                       int64_t *left_ms, struct heapd_error *error)
{
    Heapd__V1__TimeToLiveRequest message;
    struct heapd_result result = {0};
    fill_time_to_live(&message, scope, name);
    int code = hd_sync(connection, HEAPD_METHOD_TIME_TO_LIVE, &message.base, 0, &result, error);
    if (code)
        return code;
    if (result.value.kind != HEAPD_VALUE_INT)
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered a number with something else");
    else
        *left_ms = result.value.as.integer;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_time_to_live(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                             heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__TimeToLiveRequest message;
    fill_time_to_live(&message, scope, name);
    return hd_begin(connection, HEAPD_METHOD_TIME_TO_LIVE, &message.base, 0, ticket, error);
}
