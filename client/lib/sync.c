/* The Sync service: queues, locks and what else processes wait for. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "client/lib/reply.h"
#include "heapd/v1/sync.pb-c.h"

_Static_assert((int)HEAPD_TYPE_QUEUE == (int)HEAPD__V1__TYPE__TYPE_QUEUE, "");
_Static_assert((int)HEAPD_TYPE_BARRIER == (int)HEAPD__V1__TYPE__TYPE_BARRIER, "");
_Static_assert((int)HEAPD_ACQUIRED == (int)HEAPD__V1__ACQUIRED__ACQUIRED, "");
_Static_assert((int)HEAPD_ABANDONED == (int)HEAPD__V1__ACQUIRED__ABANDONED, "");

/* ---- making ---- */

static int fill_create(Heapd__V1__CreateSyncRequest *message, struct hd_call *call,
                       const struct heapd_sync_options *options)
{
    heapd__v1__create_sync_request__init(message);
    *call = (struct hd_call){.method = HEAPD_METHOD_CREATE_SYNC, .message = &message->base, .into = &message->into};
    if (!options)
        return HD_EINVALID;
    message->type = (Heapd__V1__Type)options->type;
    message->value = options->value;
    message->bounded = options->bounded;
    message->lock = options->lock;
    return 0;
}

int heapd_create_sync(struct heapd_connection *connection, const struct heapd_sync_options *options, heapd_handle *out,
                      struct heapd_error *error)
{
    Heapd__V1__CreateSyncRequest message;
    struct hd_call call;
    int code = fill_create(&message, &call, options);
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_create_sync(struct heapd_connection *connection, const struct heapd_sync_options *options,
                            heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CreateSyncRequest message;
    struct hd_call call;
    int code = fill_create(&message, &call, options);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* ---- answers that are a number or yes and no ---- */

static int take_int(struct heapd_result *result, int code, uint64_t *out, struct heapd_error *error)
{
    if (code)
        return code;
    if (result->value.kind != HEAPD_VALUE_INT)
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon answered a number with something else");
    else if (out)
        *out = (uint64_t)result->value.as.integer;
    heapd_result_clear(result);
    return code;
}

static int sync_int(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message,
                    uint64_t *out, struct heapd_error *error)
{
    struct heapd_result result = {0};
    int code = hd_sync(connection, method, message, 0, &result, error);
    return take_int(&result, code, out, error);
}

static int sync_how(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int *how,
                    struct heapd_error *error)
{
    uint64_t bits;
    int code = sync_int(connection, method, message, &bits, error);
    if (!code && how)
        *how = (int)bits;
    return code;
}

/* ---- locks and semaphores ---- */

static void fill_acquire(Heapd__V1__AcquireRequest *message, heapd_handle object, uint64_t thread, int64_t wait_ms)
{
    heapd__v1__acquire_request__init(message);
    message->object = object;
    message->thread = thread;
    message->wait_ms = wait_ms;
}

int heapd_acquire(struct heapd_connection *connection, heapd_handle object, uint64_t thread, int64_t wait_ms, int *how,
                  struct heapd_error *error)
{
    Heapd__V1__AcquireRequest message;
    fill_acquire(&message, object, thread, wait_ms);
    return sync_how(connection, HEAPD_METHOD_ACQUIRE, &message.base, how, error);
}

int heapd_begin_acquire(struct heapd_connection *connection, heapd_handle object, uint64_t thread, int64_t wait_ms,
                        heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__AcquireRequest message;
    fill_acquire(&message, object, thread, wait_ms);
    return hd_begin(connection, HEAPD_METHOD_ACQUIRE, &message.base, 0, ticket, error);
}

static void fill_unlock(Heapd__V1__UnlockRequest *message, heapd_handle object, uint64_t thread, uint64_t count)
{
    heapd__v1__unlock_request__init(message);
    message->object = object;
    message->thread = thread;
    message->count = count;
}

/* 0 is the wire's one. */
static int check_count(uint64_t count)
{
    return count ? 0 : HD_EINVALID;
}

int heapd_unlock(struct heapd_connection *connection, heapd_handle object, uint64_t thread, uint64_t count,
                 struct heapd_error *error)
{
    Heapd__V1__UnlockRequest message;
    fill_unlock(&message, object, thread, count);
    return hd_sync(connection, HEAPD_METHOD_UNLOCK, &message.base, check_count(count), NULL, error);
}

int heapd_begin_unlock(struct heapd_connection *connection, heapd_handle object, uint64_t thread, uint64_t count,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__UnlockRequest message;
    fill_unlock(&message, object, thread, count);
    return hd_begin(connection, HEAPD_METHOD_UNLOCK, &message.base, check_count(count), ticket, error);
}

/* ---- queues ---- */

struct put {
    Heapd__V1__PutRequest message;
    struct hd_wire_value value;
};

static int fill_put(struct put *fill, heapd_handle queue, const struct heapd_value *value, int64_t wait_ms)
{
    heapd__v1__put_request__init(&fill->message);
    fill->message.queue = queue;
    fill->message.value = &fill->value.value;
    fill->message.wait_ms = wait_ms;
    return hd_wire_value(value, &fill->value);
}

int heapd_put(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value, int64_t wait_ms,
              struct heapd_error *error)
{
    struct put message;
    int code = fill_put(&message, queue, &value, wait_ms);
    return hd_sync(connection, HEAPD_METHOD_PUT, &message.message.base, code, NULL, error);
}

int heapd_begin_put(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value, int64_t wait_ms,
                    heapd_ticket *ticket, struct heapd_error *error)
{
    struct put message;
    int code = fill_put(&message, queue, &value, wait_ms);
    return hd_begin(connection, HEAPD_METHOD_PUT, &message.message.base, code, ticket, error);
}

int heapd_begin_put_back(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value,
                         heapd_ticket *ticket, struct heapd_error *error)
{
    struct put message;
    int code = fill_put(&message, queue, &value, 0);
    message.message.back = true;
    return hd_begin(connection, HEAPD_METHOD_PUT, &message.message.base, code, ticket, error);
}

static void fill_get(Heapd__V1__GetRequest *message, struct hd_call *call, heapd_handle queue, enum heapd_want want,
                     int64_t wait_ms)
{
    heapd__v1__get_request__init(message);
    message->queue = queue;
    message->as_object = want == HEAPD_OBJECT;
    message->wait_ms = wait_ms;
    *call = (struct hd_call){
        .method = HEAPD_METHOD_GET,
        .message = &message->base,
        .into = want == HEAPD_PLAIN ? NULL : &message->into,
        .may_park = wait_ms != 0,
    };
}

int heapd_get(struct heapd_connection *connection, heapd_handle queue, enum heapd_want want, int64_t wait_ms,
              struct heapd_value *result, struct heapd_error *error)
{
    Heapd__V1__GetRequest message;
    struct hd_call call;
    fill_get(&message, &call, queue, want, wait_ms);
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_get(struct heapd_connection *connection, heapd_handle queue, enum heapd_want want, int64_t wait_ms,
                    heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__GetRequest message;
    struct hd_call call;
    fill_get(&message, &call, queue, want, wait_ms);
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

/* ---- what asks for an object alone ---- */

static int sync_simple(struct heapd_connection *connection, uint16_t method, heapd_handle object,
                       struct heapd_error *error)
{
    Heapd__V1__SyncRequest message = HEAPD__V1__SYNC_REQUEST__INIT;
    message.object = object;
    return hd_sync(connection, method, &message.base, 0, NULL, error);
}

static int begin_simple(struct heapd_connection *connection, uint16_t method, heapd_handle object, heapd_ticket *ticket,
                        struct heapd_error *error)
{
    Heapd__V1__SyncRequest message = HEAPD__V1__SYNC_REQUEST__INIT;
    message.object = object;
    return hd_begin(connection, method, &message.base, 0, ticket, error);
}

#define SIMPLE(name, number) \
    int heapd_##name(struct heapd_connection *connection, heapd_handle object, struct heapd_error *error) \
    { \
        return sync_simple(connection, HEAPD_METHOD_##number, object, error); \
    } \
    int heapd_begin_##name(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket, \
                           struct heapd_error *error) \
    { \
        return begin_simple(connection, HEAPD_METHOD_##number, object, ticket, error); \
    }

SIMPLE(task_done, TASK_DONE)
SIMPLE(event_set, EVENT_SET)
SIMPLE(event_clear, EVENT_CLEAR)
SIMPLE(barrier_reset, BARRIER_RESET)
SIMPLE(barrier_abort, BARRIER_ABORT)

/* ---- waiting ---- */

static void fill_wait(Heapd__V1__WaitRequest *message, heapd_handle object, uint64_t thread, int64_t wait_ms)
{
    heapd__v1__wait_request__init(message);
    message->object = object;
    message->thread = thread;
    message->wait_ms = wait_ms;
}

static int begin_wait(struct heapd_connection *connection, uint16_t method, heapd_handle object, uint64_t thread,
                      int64_t wait_ms, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__WaitRequest message;
    fill_wait(&message, object, thread, wait_ms);
    return hd_begin(connection, method, &message.base, 0, ticket, error);
}

int heapd_join(struct heapd_connection *connection, heapd_handle queue, int64_t wait_ms, bool *done,
               struct heapd_error *error)
{
    Heapd__V1__WaitRequest message;
    fill_wait(&message, queue, 0, wait_ms);
    return hd_sync_bool(connection, HEAPD_METHOD_JOIN, &message.base, 0, done, error);
}

int heapd_begin_join(struct heapd_connection *connection, heapd_handle queue, int64_t wait_ms, heapd_ticket *ticket,
                     struct heapd_error *error)
{
    return begin_wait(connection, HEAPD_METHOD_JOIN, queue, 0, wait_ms, ticket, error);
}

int heapd_condition_wait(struct heapd_connection *connection, heapd_handle condition, uint64_t thread, int64_t wait_ms,
                         int *how, struct heapd_error *error)
{
    Heapd__V1__WaitRequest message;
    fill_wait(&message, condition, thread, wait_ms);
    return sync_how(connection, HEAPD_METHOD_CONDITION_WAIT, &message.base, how, error);
}

int heapd_begin_condition_wait(struct heapd_connection *connection, heapd_handle condition, uint64_t thread,
                               int64_t wait_ms, heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_wait(connection, HEAPD_METHOD_CONDITION_WAIT, condition, thread, wait_ms, ticket, error);
}

static void fill_notify(Heapd__V1__NotifyRequest *message, heapd_handle condition, uint64_t thread, uint64_t count)
{
    heapd__v1__notify_request__init(message);
    message->condition = condition;
    message->thread = thread;
    message->count = count;
    message->all = count == UINT64_MAX;
}

int heapd_notify(struct heapd_connection *connection, heapd_handle condition, uint64_t thread, uint64_t count,
                 uint64_t *woken, struct heapd_error *error)
{
    Heapd__V1__NotifyRequest message;
    fill_notify(&message, condition, thread, count);
    return sync_int(connection, HEAPD_METHOD_NOTIFY, &message.base, woken, error);
}

int heapd_begin_notify(struct heapd_connection *connection, heapd_handle condition, uint64_t thread, uint64_t count,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__NotifyRequest message;
    fill_notify(&message, condition, thread, count);
    return hd_begin(connection, HEAPD_METHOD_NOTIFY, &message.base, 0, ticket, error);
}

int heapd_event_wait(struct heapd_connection *connection, heapd_handle event, int64_t wait_ms, bool *is_set,
                     struct heapd_error *error)
{
    Heapd__V1__WaitRequest message;
    fill_wait(&message, event, 0, wait_ms);
    return hd_sync_bool(connection, HEAPD_METHOD_EVENT_WAIT, &message.base, 0, is_set, error);
}

int heapd_begin_event_wait(struct heapd_connection *connection, heapd_handle event, int64_t wait_ms,
                           heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_wait(connection, HEAPD_METHOD_EVENT_WAIT, event, 0, wait_ms, ticket, error);
}

int heapd_barrier_wait(struct heapd_connection *connection, heapd_handle barrier, int64_t wait_ms, uint64_t *index,
                       struct heapd_error *error)
{
    Heapd__V1__WaitRequest message;
    fill_wait(&message, barrier, 0, wait_ms);
    return sync_int(connection, HEAPD_METHOD_BARRIER_WAIT, &message.base, index, error);
}

int heapd_begin_barrier_wait(struct heapd_connection *connection, heapd_handle barrier, int64_t wait_ms,
                             heapd_ticket *ticket, struct heapd_error *error)
{
    return begin_wait(connection, HEAPD_METHOD_BARRIER_WAIT, barrier, 0, wait_ms, ticket, error);
}

/* ---- looking ---- */

int hd_sync_decode_state(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__SyncState *from = (const Heapd__V1__SyncState *)message;
    struct heapd_sync_info *to = malloc(sizeof *to);
    if (!to)
        return HD_ENOMEM;
    *to = (struct heapd_sync_info){
        .type = (enum heapd_type)from->type,
        .value = from->value,
        .maximum = from->maximum,
        .waiting = from->waiting,
        .putting = from->putting,
        .joining = from->joining,
        .unfinished = from->unfinished,
        .holder = from->holder,
        .thread = from->thread,
        .is_set = from->is_set,
        .abandoned = from->abandoned,
        .lock = from->lock,
    };
    result->memory = to;
    result->as.sync_state = to;
    return 0;
}

int heapd_sync_state(struct heapd_connection *connection, heapd_handle object, struct heapd_sync_info *out,
                     struct heapd_error *error)
{
    Heapd__V1__SyncStateRequest message = HEAPD__V1__SYNC_STATE_REQUEST__INIT;
    message.object = object;
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_SYNC_STATE, &message.base, 0, &result, error);
    if (code)
        return code;
    *out = *result.as.sync_state;
    heapd_result_clear(&result);
    return 0;
}

int heapd_begin_sync_state(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                           struct heapd_error *error)
{
    Heapd__V1__SyncStateRequest message = HEAPD__V1__SYNC_STATE_REQUEST__INIT;
    message.object = object;
    return hd_begin(connection, HEAPD_METHOD_SYNC_STATE, &message.base, 0, ticket, error);
}

int hd_sync_decode_list(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ListSyncReply *from = (const Heapd__V1__ListSyncReply *)message;
    size_t text_bytes = 0;
    for (size_t i = 0; i < from->n_waits; i++)
        text_bytes += strlen(from->waits[i]->act) + 1;
    struct heapd_sync_list *to =
        malloc(sizeof *to + from->n_holds * sizeof *to->holds + from->n_waits * sizeof *to->waits + text_bytes);
    if (!to)
        return HD_ENOMEM;
    struct heapd_hold *holds = (struct heapd_hold *)(to + 1);
    struct heapd_wait_info *waits = (struct heapd_wait_info *)(holds + from->n_holds);
    char *text = (char *)(waits + from->n_waits);
    for (size_t i = 0; i < from->n_holds; i++) {
        const Heapd__V1__HoldInfo *hold = from->holds[i];
        holds[i] =
            (struct heapd_hold){hold->session, hold->object, (enum heapd_type)hold->type, hold->thread, hold->count};
    }
    for (size_t i = 0; i < from->n_waits; i++) {
        const Heapd__V1__WaitInfo *wait = from->waits[i];
        size_t bytes = strlen(wait->act) + 1;
        memcpy(text, wait->act, bytes);
        waits[i] = (struct heapd_wait_info){
            .session = wait->session,
            .request = wait->request,
            .object = wait->object,
            .type = (enum heapd_type)wait->type,
            .act = text,
            .thread = wait->thread,
            .given = wait->given,
            .relocking = wait->relocking,
        };
        text += bytes;
    }
    *to = (struct heapd_sync_list){holds, from->n_holds, waits, from->n_waits, from->more};
    result->memory = to;
    result->as.sync_list = to;
    return 0;
}

int heapd_list_sync(struct heapd_connection *connection, struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__Empty message = HEAPD__V1__EMPTY__INIT;
    return hd_sync(connection, HEAPD_METHOD_LIST_SYNC, &message.base, 0, result, error);
}

int heapd_begin_list_sync(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message = HEAPD__V1__EMPTY__INIT;
    return hd_begin(connection, HEAPD_METHOD_LIST_SYNC, &message.base, 0, ticket, error);
}

int hd_sync_decode_scopes(const ProtobufCMessage *message, struct heapd_result *result)
{
    const Heapd__V1__ListScopesReply *from = (const Heapd__V1__ListScopesReply *)message;
    struct heapd_scope_list *to = malloc(sizeof *to + from->n_scopes * sizeof *to->items);
    if (!to)
        return HD_ENOMEM;
    struct heapd_scope_info *items = (struct heapd_scope_info *)(to + 1);
    for (size_t i = 0; i < from->n_scopes; i++) {
        const Heapd__V1__ScopeInfo *scope = from->scopes[i];
        items[i] = (struct heapd_scope_info){scope->slot,  scope->identity, scope->parent,
                                             scope->names, scope->bytes,    scope->closed};
    }
    *to = (struct heapd_scope_list){items, from->n_scopes, from->next};
    result->memory = to;
    result->as.scopes = to;
    return 0;
}

static void fill_list_scopes(Heapd__V1__ListScopesRequest *message, uint64_t session, uint64_t start)
{
    heapd__v1__list_scopes_request__init(message);
    message->session = session;
    message->start = start;
}

int heapd_list_scopes(struct heapd_connection *connection, uint64_t session, uint64_t start,
                      struct heapd_result *result, struct heapd_error *error)
{
    Heapd__V1__ListScopesRequest message;
    fill_list_scopes(&message, session, start);
    return hd_sync(connection, HEAPD_METHOD_LIST_SCOPES, &message.base, 0, result, error);
}

int heapd_begin_list_scopes(struct heapd_connection *connection, uint64_t session, uint64_t start, heapd_ticket *ticket,
                            struct heapd_error *error)
{
    Heapd__V1__ListScopesRequest message;
    fill_list_scopes(&message, session, start);
    return hd_begin(connection, HEAPD_METHOD_LIST_SCOPES, &message.base, 0, ticket, error);
}
