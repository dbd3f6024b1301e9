/* The server: what all connections share, and what goes on between their turns. */
#include "heap/versions.h"
#include "object/sync.h"
#include "rpc/follow.h"
#include "rpc/inspect.h"
#include "rpc/private.h"
#include "rpc/slowlog.h"

/* Subscriptions that one turn tells at most. */
#define TELL_IN_A_TURN 1024u

int hd_rpc_server_new(struct hd_heap *heap, const struct hd_os *os, const struct hd_rpc_config *config,
                      struct hd_rpc_server **out)
{
    const struct hd_allocator *allocator = &heap->account.allocator;
    if (config->max_frame_bytes < HD_FRAME_MIN_BODY_BYTES || config->max_frame_bytes > HD_FRAME_MAX_BODY_BYTES ||
        config->max_slots < 2 || config->output_high_bytes > SIZE_MAX / 4)
        return HD_EINVALID;
    struct hd_rpc_server *server = hd_allocator_new_zeroed(allocator, sizeof *server);
    if (!server)
        return HD_ENOMEM;
    server->heap = heap;
    server->os = os;
    server->config = *config;
    if (server->config.at_once_nodes == 0)
        server->config.at_once_nodes = HD_AT_ONCE_NODES;
    server->turn_units = HD_TURN_UNITS;
    server->allocator = allocator;
    int error = hd_slowlog_new(server);
    if (!error)
        error = hd_rpc_arena_init(&server->arena, allocator);
    if (error) {
        hd_slowlog_free(server);
        hd_allocator_free(allocator, server, sizeof *server);
        return error;
    }
    hd_waiters_init(server);
    hd_tokens_init(&server->tokens, heap);
    hd_policy_init(server);
    *out = server;
    return 0;
}

static void free_closed(struct hd_rpc_server *server)
{
    struct hd_rpc_connection *connection = server->closing;
    server->closing = connection->next;
    if (!server->closing)
        server->closing_last = NULL;
    server->closing_count--;
    hd_policy_session_ended(server, &connection->session);
    hd_session_fini(&connection->session);
    hd_allocator_free(server->allocator, connection, sizeof *connection);
}

void hd_rpc_server_free(struct hd_rpc_server *server)
{
    if (!server)
        return;
    while (server->closing)
        if (!hd_session_close_step(&server->closing->session, UINT64_MAX))
            free_closed(server);
    while (hd_analyses_release(server, UINT64_MAX))
        ;
    hd_followers_free(server);
    hd_garbage_free(server);
    hd_slowlog_free(server);
    hd_tokens_fini(&server->tokens);
    hd_waiters_fini(server);
    hd_deadlines_fini(server);
    hd_versions_free(server->heap, server->versions);
    hd_rpc_arena_fini(&server->arena);
    hd_allocator_free(server->allocator, server, sizeof *server);
}

const struct hd_allocator *hd_rpc_allocator(struct hd_rpc_server *server)
{
    return server->allocator;
}

void hd_rpc_server_set_stats_source(struct hd_rpc_server *server, hd_rpc_stats_source source, void *source_context)
{
    server->stats_source = source;
    server->stats_source_context = source_context;
}

void hd_rpc_server_set_ring_source(struct hd_rpc_server *server, hd_rpc_ring_source source, void *source_context)
{
    server->ring_source = source;
    server->ring_source_context = source_context;
}

bool hd_rpc_charge(struct hd_rpc_server *server, uint64_t bytes)
{
    return hd_account_charge(&server->heap->account, bytes);
}

void hd_rpc_uncharge(struct hd_rpc_server *server, uint64_t bytes)
{
    hd_account_uncharge(&server->heap->account, bytes);
}

void hd_rpc_server_on_helper(struct hd_rpc_server *server, void (*on_done)(void *context), void *context)
{
    hd_helper_on_done(server->heap->bulk_store.helper, on_done, context);
}

static void close_sessions(struct hd_rpc_server *server, uint64_t units)
{
    while (server->closing && units > 0) {
        uint32_t before = server->closing->session.closing_position;
        bool more = hd_session_close_step(&server->closing->session, units);
        uint64_t spent = before - server->closing->session.closing_position + 16;
        units -= spent < units ? spent : units;
        if (!more)
            free_closed(server);
    }
}

static void close_measured(struct hd_rpc_server *server, uint64_t units)
{
    struct hd_slice_watch watch;
    hd_slice_begin(server, &watch);
    watch.kind = HD_SLICE_FREE;
    close_sessions(server, units);
    hd_slice_end(server, &watch);
}

static bool step_heap(struct hd_rpc_server *server, uint64_t units)
{
    struct hd_slice_watch watch;
    if (!hd_heap_has_work(server->heap))
        return false;
    hd_slice_begin(server, &watch);
    bool more = hd_heap_step(server->heap, units);
    hd_slice_end(server, &watch);
    return more;
}

/* Tokens that one turn takes away. */
#define TOKENS_AT_ONCE 256u

static bool expire_tokens(struct hd_rpc_server *server)
{
    if (server->tokens.count == 0)
        return false;
    return hd_tokens_expire(&server->tokens, server->os->now_ns(server->os->context), TOKENS_AT_ONCE);
}

void hd_rpc_set_turn_units(struct hd_rpc_server *server, uint64_t units)
{
    server->turn_units = units;
}

/* Requests first, since somebody waits for them; then what dead sessions leave, and the heap's own work. */
bool hd_rpc_run(struct hd_rpc_server *server, uint64_t work_units)
{
    uint64_t half = work_units / 2 + 1;
    hd_deadlines_expire(server);
    bool telling = hd_names_expire(server);
    hd_sync_answer(server);
    hd_buffers_run(server);
    if (server->waiters_stale || server->names_epoch != server->heap->names_epoch)
        hd_waiters_wake_all(server);
    uint64_t left = half;
    if (server->runnable_first)
        left = hd_unfinished_run(server, half);
    if (server->closing)
        close_measured(server, left / 2 + 1);
    bool releasing = server->analysis_ended && hd_analyses_release(server, left / 2 + 1);
    hd_sync_answer(server);
    hd_policy_run(server);
    telling |= hd_events_tell(server, TELL_IN_A_TURN);
    if (server->relieving) {
        hd_relief_run(server, half);
        return true;
    }
    server->heap_behind = step_heap(server, half);
    if (server->followers && server->followers->collection_count)
        hd_follow_collections(server);
    bool tokens_left = expire_tokens(server);
    return server->heap_behind || server->closing || server->runnable_first || releasing || tokens_left || telling ||
           hd_sync_has_woken(&server->heap->objects);
}

bool hd_rpc_shutdown_wanted(const struct hd_rpc_server *server)
{
    return server->shutdown_wanted;
}
