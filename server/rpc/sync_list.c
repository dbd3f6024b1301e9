/* Listings: who holds and who waits; the scopes that sessions hold. */
#include <heapd/v1/sync.pb-c.h>

#include "object/sync_list.h"
#include "rpc/private.h"

/* Rows of each kind in one reply, which surely fit a frame. */
#define ROWS_MAX 1024u
/* Slots that one ListScopes looks at. */
#define SLOTS_MAX 8192u

static uint64_t identity_of(const struct hd_call *call, hd_value value)
{
    return hd_value_is_ref(value) ? hd_table_identity(&call->heap->table, hd_value_index(value)) : 0;
}

/* ---- who holds, who waits ---- */

struct sync_rows {
    struct hd_call *call;
    Heapd__V1__ListSyncReply *reply;
    bool failed;
};

static void add_hold(struct sync_rows *rows, const struct hd_hold_info *hold)
{
    Heapd__V1__ListSyncReply *reply = rows->reply;
    Heapd__V1__HoldInfo *row = hd_rpc_arena_get(&rows->call->server->arena, sizeof *row);
    if (reply->n_holds == ROWS_MAX || !row) {
        rows->failed |= !row;
        reply->more = true;
        return;
    }
    heapd__v1__hold_info__init(row);
    row->session = hold->party;
    row->object = identity_of(rows->call, hold->object);
    row->type = (Heapd__V1__Type)hd_kind_of(rows->call->objects, hold->object);
    row->thread = hold->thread;
    row->count = hold->count;
    reply->holds[reply->n_holds++] = row;
}

static void add_wait(struct sync_rows *rows, uint64_t session, uint64_t request, const struct hd_sync_waiter *waiter)
{
    static const char *const acts[HD_SYNC_ACTS] = {
        [HD_SYNC_ACQUIRE] = "acquire",
        [HD_SYNC_GET] = "get",
        [HD_SYNC_PUT] = "put",
        [HD_SYNC_JOIN] = "join",
        [HD_SYNC_CONDITION_WAIT] = "condition wait",
        [HD_SYNC_EVENT_WAIT] = "event wait",
        [HD_SYNC_BARRIER_WAIT] = "barrier wait",
    };
    Heapd__V1__ListSyncReply *reply = rows->reply;
    Heapd__V1__WaitInfo *row = hd_rpc_arena_get(&rows->call->server->arena, sizeof *row);
    if (reply->n_waits == ROWS_MAX || !row) {
        rows->failed |= !row;
        reply->more = true;
        return;
    }
    heapd__v1__wait_info__init(row);
    row->session = session;
    row->request = request;
    row->object = identity_of(rows->call, waiter->object);
    row->type = (Heapd__V1__Type)hd_kind_of(rows->call->objects, waiter->object);
    row->act = (char *)(uintptr_t)acts[waiter->act]; /* read only */
    row->thread = waiter->thread;
    row->given = hd_sync_is_given(waiter);
    row->relocking = hd_sync_is_relocking(waiter);
    reply->waits[reply->n_waits++] = row;
}

/* Each list ends with the first row beyond those that fit. */
static void list_session(struct sync_rows *rows, const struct hd_rpc_connection *connection)
{
    struct hd_hold_info hold;
    const struct hd_hold *at = NULL;
    while (!rows->reply->more && hd_party_next_hold(rows->call->objects, &connection->session.party, &at, &hold))
        add_hold(rows, &hold);
    for (const struct hd_unfinished *i = connection->unfinished_first; i && !rows->reply->more; i = i->next) {
        const struct hd_sync_waiter *waiter = hd_sync_waiter_of(i);
        if (waiter)
            add_wait(rows, connection->session.id, i->request_id, waiter);
    }
}

int hd_run_list_sync(struct hd_call *call, const void *message)
{
    (void)message;
    Heapd__V1__ListSyncReply reply = HEAPD__V1__LIST_SYNC_REPLY__INIT;
    struct sync_rows rows = {.call = call, .reply = &reply};
    reply.holds = hd_rpc_arena_get(&call->server->arena, ROWS_MAX * sizeof *reply.holds);
    reply.waits = hd_rpc_arena_get(&call->server->arena, ROWS_MAX * sizeof *reply.waits);
    if (!reply.holds || !reply.waits)
        return HD_ENOMEM;
    for (const struct hd_rpc_connection *i = call->server->connections; i && !reply.more; i = i->next)
        list_session(&rows, i);
    return rows.failed ? HD_ENOMEM : hd_reply_message(call, &reply.base, 0);
}

/* ---- scopes ---- */

struct found_scope {
    struct hd_root_visitor visitor;
    const struct hd_objects *objects;
    hd_value scope;
};

static void visit(struct hd_root_visitor *visitor, hd_value value)
{
    struct found_scope *found = (struct found_scope *)visitor;
    if (hd_kind_of(found->objects, value) == HD_IS_SCOPE)
        found->scope = value;
}

static void describe(struct hd_call *call, hd_value scope, Heapd__V1__ScopeInfo *row)
{
    struct hd_objects *objects = call->objects;
    row->identity = identity_of(call, scope);
    row->closed = hd_scope_is_closed(objects, scope);
    if (row->closed)
        return;
    hd_value names = hd_scope_names(objects, scope), parent = hd_scope_parent(objects, scope);
    row->parent = identity_of(call, parent);
    row->names = hd_dict_length(objects, names);
    row->bytes = hd_shallow_bytes(objects, scope) + hd_shallow_bytes(objects, names);
}

static struct hd_rpc_connection *find_session(struct hd_call *call, uint64_t id)
{
    struct hd_rpc_connection *connection = call->server->connections;
    if (id == 0 || id == call->session->id)
        return call->connection;
    while (connection && connection->session.id != id)
        connection = connection->next;
    return connection;
}

int hd_run_list_scopes(struct hd_call *call, const void *message)
{
    const Heapd__V1__ListScopesRequest *request = message;
    Heapd__V1__ListScopesReply reply = HEAPD__V1__LIST_SCOPES_REPLY__INIT;
    struct hd_rpc_connection *connection = find_session(call, request->session);
    if (connection != call->connection && !call->connection->peer.admin)
        return hd_fail(call, HD_EPERMISSION, "the scopes of another session");
    if (!connection)
        return hd_fail(call, HD_EKEY, "session %llu", (unsigned long long)request->session);
    struct hd_root_source *slots = &connection->session.roots;
    Heapd__V1__ScopeInfo *rows = hd_rpc_arena_get(&call->server->arena, ROWS_MAX * sizeof *rows);
    reply.scopes = hd_rpc_arena_get(&call->server->arena, ROWS_MAX * sizeof *reply.scopes);
    if (!rows || !reply.scopes)
        return HD_ENOMEM;
    size_t at = (size_t)request->start, next = at;
    for (unsigned looked = 0; looked < SLOTS_MAX && reply.n_scopes < ROWS_MAX; looked++) {
        struct found_scope found = {.visitor.visit = visit, .objects = call->objects, .scope = HD_ABSENT};
        at = next;
        next = slots->scan(slots, &found.visitor, at, 1);
        if (found.scope != HD_ABSENT) {
            Heapd__V1__ScopeInfo *row = &rows[reply.n_scopes];
            heapd__v1__scope_info__init(row);
            row->slot = at;
            describe(call, found.scope, row);
            reply.scopes[reply.n_scopes++] = row;
        }
        if (!next)
            break;
    }
    reply.next = next;
    return hd_reply_message(call, &reply.base, 0);
}
