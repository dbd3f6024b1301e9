#include "rpc/slowlog.h"

#include <string.h>

#include "rpc/inspect.h"

/* What a unit that objects tell of usually takes. */
#define NS_PER_UNIT 20u

int hd_slowlog_new(struct hd_rpc_server *server)
{
    server->slowlog = hd_allocator_new_zeroed(server->allocator, sizeof *server->slowlog);
    if (!server->slowlog)
        return HD_ENOMEM;
    server->slowlog->threshold_ns = HD_SLOWLOG_USUAL_NS;
    server->slowlog->first = 1;
    return 0;
}

void hd_slowlog_free(struct hd_rpc_server *server)
{
    hd_allocator_free(server->allocator, server->slowlog, sizeof *server->slowlog);
    server->slowlog = NULL;
}

static uint64_t now_ns(const struct hd_rpc_server *server)
{
    return server->os->now_ns(server->os->context);
}

void hd_slowlog_begin(struct hd_rpc_server *server, const struct hd_operation *operation, uint32_t body_bytes)
{
    struct hd_slowlog *log = server->slowlog;
    bool may_be_long = body_bytes >= HD_SLOWLOG_BODY_MIN || (operation && operation->flags & HD_OP_CONTINUES);
    log->since_ns = may_be_long && log->threshold_ns ? now_ns(server) : 0;
    log->units = server->heap->objects.work_units;
}

static void add(struct hd_rpc_connection *connection, uint16_t method, uint32_t body_bytes, uint64_t now,
                uint64_t taken_ns, bool in_slices)
{
    struct hd_slowlog *log = connection->server->slowlog;
    struct hd_slow_request *entry = &log->entries[log->count++ % HD_SLOWLOG_ENTRIES];
    *entry = (struct hd_slow_request){
        .number = log->count,
        .session = connection->session.id,
        .ended_ns = now,
        .taken_ns = taken_ns,
        .body_bytes = body_bytes,
        .method = method,
        .in_slices = in_slices,
    };
    memcpy(entry->client_name, connection->client_name, sizeof entry->client_name);
}

void hd_slowlog_ran(struct hd_rpc_connection *connection, uint16_t method, uint32_t body_bytes)
{
    struct hd_rpc_server *server = connection->server;
    struct hd_slowlog *log = server->slowlog;
    uint64_t units = server->heap->objects.work_units - log->units;
    if (log->since_ns) {
        uint64_t now = now_ns(server);
        if (now - log->since_ns >= log->threshold_ns)
            add(connection, method, body_bytes, now, now - log->since_ns, false);
    } else if (units >= HD_SLOWLOG_UNITS_MIN && log->threshold_ns && units * NS_PER_UNIT >= log->threshold_ns) {
        add(connection, method, body_bytes, now_ns(server), units * NS_PER_UNIT, false);
    }
}

void hd_slowlog_ended(struct hd_rpc_connection *connection, uint16_t method, uint64_t begin_ns)
{
    struct hd_rpc_server *server = connection->server;
    struct hd_slowlog *log = server->slowlog;
    if (log->threshold_ns == 0)
        return;
    uint64_t now = now_ns(server);
    if (now - begin_ns >= log->threshold_ns)
        add(connection, method, 0, now, now - begin_ns, true);
}

int hd_run_slowlog(struct hd_call *call, const void *message)
{
    const Heapd__V1__SlowlogRequest *request = message;
    struct hd_rpc_server *server = call->server;
    struct hd_slowlog *log = server->slowlog;
    Heapd__V1__SlowlogReply reply = HEAPD__V1__SLOWLOG_REPLY__INIT;
    Heapd__V1__SlowRequest *rows = hd_rpc_arena_get(&server->arena, HD_SLOWLOG_ENTRIES * sizeof *rows);
    reply.requests = hd_rpc_arena_get(&server->arena, HD_SLOWLOG_ENTRIES * sizeof *reply.requests);
    if (!rows || !reply.requests)
        return HD_ENOMEM;
    uint64_t now = now_ns(server);
    for (uint64_t number = log->count; number >= log->first && number + HD_SLOWLOG_ENTRIES > log->count && number > 0;
         number--) {
        const struct hd_slow_request *entry = &log->entries[(number - 1) % HD_SLOWLOG_ENTRIES];
        const struct hd_operation *operation = hd_operation_find(entry->method);
        Heapd__V1__SlowRequest *row = &rows[reply.n_requests];
        heapd__v1__slow_request__init(row);
        row->number = entry->number;
        row->method = entry->method;
        row->method_name = (char *)(uintptr_t)(operation ? operation->name : ""); /* read only */
        row->session = entry->session;
        row->client_name = (char *)(uintptr_t)entry->client_name;
        row->taken_ns = entry->taken_ns;
        row->ago_ns = now - entry->ended_ns;
        row->body_bytes = entry->body_bytes;
        row->in_slices = entry->in_slices;
        reply.requests[reply.n_requests++] = row;
    }
    reply.count = log->count;
    reply.threshold_ns = log->threshold_ns;
    int error = hd_reply_message(call, &reply.base, 0);
    if (error)
        return error;
    if (request->set_threshold)
        log->threshold_ns = request->threshold_ns;
    if (request->reset)
        log->first = log->count + 1;
    return 0;
}
