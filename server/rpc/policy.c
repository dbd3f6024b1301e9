/* What the server does by itself: collections by the clock and after sessions. */
#include "rpc/private.h"

/* ---- collections that nobody asked for ---- */

/* Changes whenever something may have become garbage. */
static uint64_t activity(const struct hd_rpc_server *server)
{
    uint64_t closed_count = server->counts.connections_ever_count - server->connection_count;
    return server->counts.requests_count + closed_count;
}

void hd_policy_init(struct hd_rpc_server *server)
{
    uint64_t interval_ns = server->config.collect_interval_ns;
    server->collect_at_ns = UINT64_MAX;
    if (interval_ns)
        server->collect_at_ns = server->os->now_ns(server->os->context) + interval_ns;
}

void hd_policy_session_ended(struct hd_rpc_server *server, const struct hd_session *session)
{
    /* One that never had a handle left nothing. */
    if (server->config.collect_on_session_end && (session->first_count || session->chunk_count))
        server->collect_wanted = true;
}

static void look_at_clock(struct hd_rpc_server *server)
{
    if (!server->config.collect_interval_ns)
        return;
    uint64_t now_ns = server->os->now_ns(server->os->context);
    if (now_ns < server->collect_at_ns)
        return;
    server->collect_at_ns = now_ns + server->config.collect_interval_ns;
    if (activity(server) != server->collected_activity)
        server->collect_wanted = true;
}

void hd_policy_run(struct hd_rpc_server *server)
{
    struct hd_gc *gc = &server->heap->gc;
    look_at_clock(server);
    if (!server->collect_wanted)
        return;
    if (!gc->enabled) {
        server->collect_wanted = false;
        return;
    }
    /* One that is under way, or begins before the dead are taken apart, would not find what became garbage just now. */
    if (gc->phase != HD_PHASE_IDLE || gc->dead_count)
        return;
    struct hd_slice_watch watch;
    server->collect_wanted = false;
    server->collected_activity = activity(server);
    server->counts.policy_collections_count++;
    hd_slice_begin(server, &watch);
    hd_heap_collect_start(server->heap);
    hd_slice_end(server, &watch);
}
