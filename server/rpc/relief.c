/*
 * At the memory limit: requests that wait while memory is looked for.
 *
 * A request that fails for want of memory has changed nothing. Its frame is not
 * taken: it stays where the layer above keeps it, so that waiting costs no memory,
 * and runs again, with the later ones of its connection behind it. Others go on.
 * There is one search at a time, and whoever fails meanwhile waits for it too.
 * When a part of it gave something back, those that wait run again in the order in
 * which they came; who fails after the end of the search, or after its time, is
 * refused.
 */
#include "rpc/private.h"

/* Between two searches in vain: the objects of a heap that one request is made to pay for. */
#define OBJECTS_PER_REQUEST 64
#define REQUESTS_MIN 16
#define WAIT_DEFAULT_NS (UINT64_C(10) * 1000000000)
/* What the layer above may spend on the spot. */
#define AT_ONCE_UNITS 4096

static uint64_t now_ns(const struct hd_rpc_server *server)
{
    return server->os->now_ns(server->os->context);
}

/* ---- who waits ---- */

static void link_in(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    connection->memory_waiting = true;
    connection->memory_next = NULL;
    connection->memory_previous = server->memory_last;
    if (server->memory_last)
        server->memory_last->memory_next = connection;
    else
        server->memory_first = connection;
    server->memory_last = connection;
}

static void link_out(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    connection->memory_waiting = false;
    if (connection->memory_previous)
        connection->memory_previous->memory_next = connection->memory_next;
    else
        server->memory_first = connection->memory_next;
    if (connection->memory_next)
        connection->memory_next->memory_previous = connection->memory_previous;
    else
        server->memory_last = connection->memory_previous;
}

void hd_relief_forget(struct hd_rpc_connection *connection)
{
    if (connection->memory_waiting)
        link_out(connection);
    connection->memory_waited = false;
}

static void wake(struct hd_rpc_connection *connection)
{
    link_out(connection);
    hd_connection_make_ready(connection);
}

static void wake_all(struct hd_rpc_server *server)
{
    while (server->memory_first)
        wake(server->memory_first);
}

static void wake_late(struct hd_rpc_server *server)
{
    uint64_t now = server->memory_first ? now_ns(server) : 0;
    struct hd_rpc_connection *next;
    for (struct hd_rpc_connection *connection = server->memory_first; connection; connection = next) {
        next = connection->memory_next;
        if (now >= connection->memory_deadline_ns)
            wake(connection);
    }
}

/* ---- the search ---- */

/* Begins one unless it is under way; false: the last was in vain, and not long ago. */
static bool look(struct hd_rpc_server *server)
{
    if (server->relieving)
        return true;
    if (server->counts.requests_count < server->relief_after)
        return false;
    hd_heap_relief_begin(server->heap, &server->relief);
    server->relieving = true;
    return true;
}

static void was_in_vain(struct hd_rpc_server *server)
{
    /* It may have cost a collection: as many requests go by as share its cost. */
    server->relief_after =
        server->counts.requests_count + REQUESTS_MIN + server->heap->table.live_count / OBJECTS_PER_REQUEST;
}

/* The first time of a request: begins a search, or joins it. */
static bool wait_first(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    uint64_t wait_ns = server->config.memory_wait_ns ? server->config.memory_wait_ns : WAIT_DEFAULT_NS;
    if (!look(server))
        return false;
    connection->memory_waited = true;
    connection->memory_deadline_ns = now_ns(server) + wait_ns;
    server->counts.retries_count++;
    return true;
}

/* It ran again, and failed again: while the search goes on, and there is time, it may wait on. */
static bool wait_on(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    if (!server->relieving)
        was_in_vain(server);
    else if (now_ns(server) < connection->memory_deadline_ns)
        return true;
    connection->memory_waited = false;
    return false;
}

bool hd_relief_wait(struct hd_rpc_connection *connection)
{
    if (!(connection->memory_waited ? wait_on(connection) : wait_first(connection)))
        return false;
    link_in(connection);
    return true;
}

bool hd_rpc_wait_for_memory(struct hd_rpc_connection *connection)
{
    return !connection->over && hd_relief_wait(connection);
}

bool hd_relief_is_on(const struct hd_rpc_server *server)
{
    return server->relieving;
}

bool hd_relief_want(struct hd_rpc_server *server)
{
    return look(server);
}

static void end_search(struct hd_rpc_server *server)
{
    server->relieving = false;
    if (!server->relief.helped)
        was_in_vain(server);
}

static enum hd_relief_result step(struct hd_rpc_server *server, uint64_t units)
{
    struct hd_slice_watch watch;
    hd_slice_begin(server, &watch);
    watch.kind = HD_SLICE_RELIEF;
    enum hd_relief_result result = hd_heap_relief_step(server->heap, &server->relief, units);
    hd_slice_end(server, &watch);
    return result;
}

void hd_relief_run(struct hd_rpc_server *server, uint64_t units)
{
    enum hd_relief_result result = step(server, units);
    if (result == HD_RELIEF_ENDED)
        end_search(server);
    if (result == HD_RELIEF_GOES_ON)
        wake_late(server);
    else
        wake_all(server);
}

bool hd_rpc_relieve(struct hd_rpc_server *server)
{
    uint64_t used_bytes = server->heap->budget.used_bytes;
    server->counts.input_reliefs_count++;
    if (!look(server))
        return false;
    hd_relief_run(server, AT_ONCE_UNITS);
    return server->heap->budget.used_bytes < used_bytes;
}
