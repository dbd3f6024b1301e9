/* For the daemon's own user: numbers, sessions, the end. */
#include <heapd/v1/admin.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "rpc/private.h"

/* ---- stats ---- */

struct stat_list {
    struct hd_rpc_arena *arena;
    Heapd__V1__Stat **stats;
    size_t count;
    size_t capacity;
    bool failed;
};

static bool grow(struct stat_list *list)
{
    size_t capacity = list->capacity ? list->capacity * 2 : 128;
    Heapd__V1__Stat **stats = hd_rpc_arena_get(list->arena, capacity * sizeof *stats);
    if (!stats)
        return false;
    if (list->count)
        memcpy(stats, list->stats, list->count * sizeof(Heapd__V1__Stat *));
    list->stats = stats;
    list->capacity = capacity;
    return true;
}

static void add_stat(void *context, const char *name, uint64_t value)
{
    struct stat_list *list = context;
    if (list->failed)
        return;
    size_t bytes = strlen(name) + 1;
    Heapd__V1__Stat *stat = hd_rpc_arena_get(list->arena, sizeof *stat);
    char *copy = hd_rpc_arena_get(list->arena, bytes);
    if (!stat || !copy || (list->count == list->capacity && !grow(list))) {
        list->failed = true;
        return;
    }
    memcpy(copy, name, bytes);
    heapd__v1__stat__init(stat);
    stat->name = copy;
    stat->value = value;
    list->stats[list->count++] = stat;
}

static uint64_t handle_count(const struct hd_rpc_server *server)
{
    uint64_t count = 0;
    for (const struct hd_rpc_connection *i = server->connections; i; i = i->next)
        count += i->session.handle_count;
    for (const struct hd_rpc_connection *i = server->closing; i; i = i->next)
        count += i->session.handle_count;
    return count;
}

static uint64_t output_bytes(const struct hd_rpc_server *server)
{
    uint64_t bytes = 0;
    for (const struct hd_rpc_connection *i = server->connections; i; i = i->next)
        bytes += hd_buffer_readable(&i->output);
    return bytes;
}

static void add_now(struct hd_rpc_server *server, struct stat_list *list)
{
    add_stat(list, "rpc_sessions_count", server->connection_count);
    add_stat(list, "rpc_sessions_closing_count", server->closing_count);
    add_stat(list, "rpc_handles_count", handle_count(server));
    add_stat(list, "rpc_parked_count", server->parked_count);
    add_stat(list, "rpc_unfinished_count", server->unfinished_count);
    add_stat(list, "rpc_tokens_count", server->tokens.count);
    add_stat(list, "rpc_output_waiting_bytes", output_bytes(server));
}

static void add_ever(struct hd_rpc_server *server, struct stat_list *list)
{
    const struct hd_rpc_counts *counts = &server->counts;
    add_stat(list, "rpc_sessions_opened_count", counts->connections_ever_count);
    add_stat(list, "rpc_sessions_refused_count", counts->connections_refused_count);
    add_stat(list, "rpc_sessions_killed_count", counts->sessions_killed_count);
    add_stat(list, "rpc_requests_count", counts->requests_count);
    add_stat(list, "rpc_requests_unknown_count", counts->unknown_methods_count);
    add_stat(list, "rpc_errors_count", counts->errors_count);
    add_stat(list, "rpc_broken_streams_count", counts->broken_streams_count);
    add_stat(list, "rpc_cancels_count", counts->cancels_count);
    add_stat(list, "rpc_parked_ever_count", counts->parked_ever_count);
    add_stat(list, "rpc_deadlines_passed_count", counts->deadlines_count);
    add_stat(list, "rpc_export_parts_count", counts->parts_count);
    add_stat(list, "rpc_memory_retries_count", counts->retries_count);
    add_stat(list, "rpc_input_reliefs_count", counts->input_reliefs_count);
    add_stat(list, "rpc_policy_collections_count", counts->policy_collections_count);
    add_stat(list, "rpc_output_stalls_count", counts->stalls_count);
    add_stat(list, "rpc_received_bytes", counts->received_bytes);
    add_stat(list, "rpc_sent_bytes", counts->sent_bytes);
}

static void add_by_kind(struct hd_rpc_server *server, struct stat_list *list)
{
    char name[64];
    for (uint16_t i = 0; i < HD_METHODS_MAX; i++) {
        const struct hd_operation *operation = hd_operation_find(i);
        if (!operation)
            continue;
        (void)snprintf(name, sizeof name, "rpc_requests_%s_count", operation->name);
        add_stat(list, name, server->counts.requests[i]);
    }
    for (int i = 1; i < (int)(sizeof server->counts.errors_by_code / sizeof server->counts.errors_by_code[0]); i++) {
        if (server->counts.errors_by_code[i] == 0)
            continue;
        const char *error = hd_error_name(-i); /* "HD_E..." */
        (void)snprintf(name, sizeof name, "rpc_errors_%s_count", error + 4);
        for (char *at = name; *at; at++)
            if (*at >= 'A' && *at <= 'Z')
                *at = (char)(*at - 'A' + 'a');
        add_stat(list, name, server->counts.errors_by_code[i]);
    }
}

int hd_run_stats(struct hd_call *call, const void *message)
{
    (void)message;
    struct stat_list list = {.arena = &call->server->arena};
    hd_heap_stats(call->heap, add_stat, &list);
    add_now(call->server, &list);
    add_ever(call->server, &list);
    add_by_kind(call->server, &list);
    hd_slice_stats(call->server, add_stat, &list);
    hd_sync_stats(call->server, add_stat, &list);
    add_stat(&list, "events_subscriptions_count", call->server->subscription_count);
    add_stat(&list, "events_sent_count", call->server->counts.events_count);
    add_stat(&list, "events_coalesced_count", call->server->counts.events_coalesced_count);
    if (call->server->stats_source)
        call->server->stats_source(call->server->stats_source_context, add_stat, &list);
    if (list.failed)
        return HD_ENOMEM;
    Heapd__V1__StatsReply reply = HEAPD__V1__STATS_REPLY__INIT;
    reply.stats = list.stats;
    reply.n_stats = list.count;
    return hd_reply_message(call, &reply.base, 0);
}

/* ---- sessions ---- */

static void describe(const struct hd_rpc_connection *connection, Heapd__V1__SessionInfo *out)
{
    heapd__v1__session_info__init(out);
    out->id = connection->session.id;
    out->client_name = (char *)(uintptr_t)connection->client_name; /* read only */
    out->pid = connection->peer.pid;
    out->uid = connection->peer.uid;
    out->handles = connection->session.handle_count;
    out->requests = connection->request_count;
    out->parked = connection->unfinished_count - connection->working_count;
    out->output_bytes = hd_buffer_readable(&connection->output);
}

int hd_run_list_sessions(struct hd_call *call, const void *message)
{
    (void)message;
    struct hd_rpc_server *server = call->server;
    /* As many as surely fit: a row has at most nine numbers and a name. */
    size_t room = server->config.max_frame_bytes / (HD_CLIENT_NAME_BYTES + 9 * 11);
    size_t count = server->connection_count < room ? server->connection_count : room;
    Heapd__V1__SessionInfo *rows = hd_rpc_arena_get(&server->arena, count * sizeof *rows);
    Heapd__V1__SessionInfo **sessions = hd_rpc_arena_get(&server->arena, count * sizeof *sessions);
    if (!rows || !sessions)
        return HD_ENOMEM;
    const struct hd_rpc_connection *connection = server->connections;
    for (size_t i = 0; i < count; i++, connection = connection->next) {
        describe(connection, &rows[i]);
        rows[i].self = connection == call->connection;
        /* The newest is first in the list and last in the reply. */
        sessions[count - 1 - i] = &rows[i];
    }
    Heapd__V1__ListSessionsReply reply = HEAPD__V1__LIST_SESSIONS_REPLY__INIT;
    reply.sessions = sessions;
    reply.n_sessions = count;
    return hd_reply_message(call, &reply.base, 0);
}

static struct hd_rpc_connection *find_session(struct hd_rpc_server *server, uint64_t id)
{
    struct hd_rpc_connection *connection = server->connections;
    while (connection && connection->session.id != id)
        connection = connection->next;
    return connection;
}

/* Tells the client, if there is room; the connection goes once that is sent. */
static void kill_session(struct hd_rpc_connection *connection)
{
    struct hd_call call;
    bool has_room = hd_connection_has_room(connection);
    connection->server->counts.sessions_killed_count++;
    hd_connection_end(connection);
    hd_call_init(&call, connection, 0, 0);
    (void)hd_fail(&call, HD_ECLOSED, "an administrator ended this session");
    if (has_room)
        hd_reply_error(&call, HD_ECLOSED);
    hd_connection_make_ready(connection);
}

int hd_run_kill_session(struct hd_call *call, const void *message)
{
    const Heapd__V1__KillSessionRequest *request = message;
    struct hd_rpc_connection *connection = find_session(call->server, request->id);
    if (!connection || connection->over)
        return hd_fail(call, HD_EKEY, "session %llu", (unsigned long long)request->id);
    hd_reply_empty(call);
    kill_session(connection);
    return 0;
}

int hd_run_shutdown(struct hd_call *call, const void *message)
{
    (void)message;
    call->server->shutdown_wanted = true;
    hd_reply_empty(call);
    return 0;
}
