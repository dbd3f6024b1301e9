/*
 * Subscriptions of sessions, and names that end by themselves.
 *
 * What an event will say is kept in the subscription itself, from the beginning,
 * so a change never needs memory and one that does not read costs what it cost
 * when it subscribed: its changes are counted until its output has room.
 */
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/watch.pb-c.h>
#include <string.h>

#include "rpc/private.h"

/* Subscriptions of one session. */
#define SUBSCRIPTIONS_MAX 1024u
/* That are told between two requests; more wait for hd_rpc_run. */
#define TELL_AT_ONCE 64u
/* Names that end between two requests, likewise. */
#define EXPIRE_AT_ONCE 64u
/* Longer times to live end then; it is 34 years. */
#define TTL_MAX_MS (UINT64_C(1) << 40)

/* ---- telling ---- */

static void reply_event(struct hd_rpc_connection *connection, struct hd_subscription *subscription)
{
    struct hd_rpc_server *server = connection->server;
    struct hd_call call;
    uint8_t *to;
    hd_call_init(&call, connection, HEAPD__V1__METHOD__EVENT, 0);
    Heapd__V1__Event event = HEAPD__V1__EVENT__INIT;
    bool bound;
    event.subscription = subscription->owner_id;
    event.identity = hd_watch_identity(server->heap, subscription, &bound);
    event.bound = bound;
    event.count = subscription->untold_count;
    event.gone = hd_watch_is_gone(server->heap, subscription);
    int error = hd_reply_begin(&call, HD_SMALL_REPLY_BYTES, &to);
    if (error)
        return; /* it was asked for before: there is room */
    hd_reply_end(&call, protobuf_c_message_pack(&event.base, to), HD_FRAME_EVENT);
    server->counts.events_count++;
    server->counts.events_coalesced_count += subscription->untold_count - 1;
    subscription->untold_count = 0;
    hd_connection_make_ready(connection);
}

static void set_waiting(struct hd_subscription *subscription, bool waiting)
{
    struct hd_rpc_connection *connection = subscription->owner;
    if (subscription->waiting == waiting)
        return;
    subscription->waiting = waiting;
    if (waiting)
        connection->events_waiting_count++;
    else
        connection->events_waiting_count--;
}

static bool tell(struct hd_subscription *subscription)
{
    struct hd_rpc_connection *connection = subscription->owner;
    bool can = hd_connection_has_room(connection);
    if (can)
        reply_event(connection, subscription);
    set_waiting(subscription, !can);
    return can;
}

bool hd_events_tell(struct hd_rpc_server *server, uint64_t count)
{
    struct hd_subscription *subscription;
    while (count-- > 0 && (subscription = hd_watch_next(server->heap)) != NULL)
        (void)tell(subscription);
    return hd_watch_has_changed(server->heap);
}

void hd_events_drained(struct hd_rpc_connection *connection)
{
    struct hd_subscription *next;
    for (struct hd_subscription *i = connection->subscriptions; i && connection->events_waiting_count; i = next) {
        next = i->owner_next;
        if (i->waiting && !tell(i))
            return;
    }
}

void hd_events_after(struct hd_rpc_server *server)
{
    if (hd_watch_has_changed(server->heap))
        (void)hd_events_tell(server, TELL_AT_ONCE);
}

/* ---- subscriptions ---- */

static void link_in(struct hd_call *call, struct hd_subscription *subscription)
{
    struct hd_rpc_connection *connection = call->connection;
    subscription->owner = connection;
    subscription->owner_id = call->request_id;
    subscription->owner_next = connection->subscriptions;
    if (connection->subscriptions)
        connection->subscriptions->owner_previous = subscription;
    connection->subscriptions = subscription;
    connection->subscription_count++;
    call->server->subscription_count++;
}

static void end(struct hd_subscription *subscription)
{
    struct hd_rpc_connection *connection = subscription->owner;
    set_waiting(subscription, false);
    if (subscription->owner_previous)
        subscription->owner_previous->owner_next = subscription->owner_next;
    else
        connection->subscriptions = subscription->owner_next;
    if (subscription->owner_next)
        subscription->owner_next->owner_previous = subscription->owner_previous;
    connection->subscription_count--;
    connection->server->subscription_count--;
    hd_watch_remove(connection->server->heap, subscription);
}

void hd_events_end(struct hd_rpc_connection *connection)
{
    while (connection->subscriptions)
        end(connection->subscriptions);
}

static struct hd_subscription *find(const struct hd_rpc_connection *connection, uint64_t id)
{
    struct hd_subscription *subscription = connection->subscriptions;
    while (subscription && subscription->owner_id != id)
        subscription = subscription->owner_next;
    return subscription;
}

static int subscribe(struct hd_call *call, const Heapd__V1__SubscribeRequest *request, struct hd_subscription **out)
{
    hd_value object = HD_ABSENT;
    int error;
    if (request->name.len) {
        error = hd_call_scope(call, request->scope, &object);
        if (!error)
            error = hd_watch_add_name(call->heap, object, request->name.data, request->name.len, out);
        return error ? hd_fail_name(call, error, &request->name) : 0;
    }
    error = request->object ? hd_call_object(call, request->object, &object) : 0;
    if (error)
        return error;
    error = hd_watch_add(call->heap, object, out);
    if (error == HD_ETYPE)
        return hd_fail(call, error, "a %s never changes", hd_kind_name(hd_kind_of(call->objects, object)));
    return error == HD_EINVALID ? hd_fail(call, error, "the scope is closed") : error;
}

int hd_run_subscribe(struct hd_call *call, const void *message)
{
    struct hd_subscription *subscription;
    bool bound;
    if (call->connection->subscription_count >= SUBSCRIPTIONS_MAX)
        return hd_fail(call, HD_ELIMIT, "a session has at most %u subscriptions", SUBSCRIPTIONS_MAX);
    if (find(call->connection, call->request_id))
        return hd_fail(call, HD_EEXISTS, "subscription %llu", (unsigned long long)call->request_id);
    int error = subscribe(call, message, &subscription);
    if (error)
        return error;
    link_in(call, subscription);
    hd_reply_count(call, hd_watch_identity(call->heap, subscription, &bound));
    return 0;
}

int hd_run_unsubscribe(struct hd_call *call, const void *message)
{
    const Heapd__V1__UnsubscribeRequest *request = message;
    struct hd_subscription *subscription = find(call->connection, request->subscription);
    if (!subscription)
        return hd_fail(call, HD_EKEY, "subscription %llu", (unsigned long long)request->subscription);
    end(subscription);
    hd_reply_empty(call);
    return 0;
}

/* ---- names that end ---- */

static uint64_t now_ns(const struct hd_rpc_server *server)
{
    return server->os->now_ns(server->os->context);
}

uint64_t hd_names_moment(const struct hd_rpc_server *server, uint64_t ttl_ms)
{
    uint64_t capped_ms = ttl_ms < TTL_MAX_MS ? ttl_ms : TTL_MAX_MS;
    return now_ns(server) + capped_ms * 1000000;
}

bool hd_names_expire(struct hd_rpc_server *server)
{
    if (hd_heap_next_deadline(server->heap) == HD_NEVER)
        return false;
    bool more = hd_heap_expire(server->heap, now_ns(server), EXPIRE_AT_ONCE);
    hd_events_after(server);
    return more;
}

int hd_run_expire(struct hd_call *call, const void *message)
{
    const Heapd__V1__ExpireRequest *request = message;
    hd_value scope;
    int error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    uint64_t at = request->ttl_ms ? hd_names_moment(call->server, request->ttl_ms) : HD_NEVER;
    error = hd_heap_set_deadline(call->heap, scope, request->name.data, request->name.len, at);
    if (error)
        return hd_fail_name(call, error, &request->name);
    hd_reply_empty(call);
    return 0;
}

int64_t hd_names_left_ms(const struct hd_rpc_server *server, uint64_t at)
{
    if (at == HD_NEVER)
        return -1;
    uint64_t now = now_ns(server);
    return at > now ? (int64_t)((at - now) / 1000000) : 0;
}

int hd_run_time_to_live(struct hd_call *call, const void *message)
{
    const Heapd__V1__TimeToLiveRequest *request = message;
    hd_value scope;
    uint64_t at;
    int error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    error = hd_heap_deadline(call->heap, scope, request->name.data, request->name.len, &at);
    if (error)
        return hd_fail_name(call, error, &request->name);
    hd_reply_count(call, (uint64_t)hd_names_left_ms(call->server, at));
    return 0;
}
