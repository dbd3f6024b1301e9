/* Map: what arenas and pools look like. */
#include "alloc/map.h"
#include "rpc/inspect.h"

#define ROWS_USUAL 64u
#define ROWS_MAX 256u

static int set_classes(struct hd_call *call, Heapd__V1__MapReply *reply)
{
    size_t count = hd_alloc_class_stats(call->heap->alloc, NULL);
    struct hd_alloc_class_stats *stats = hd_rpc_arena_get(&call->server->arena, count * sizeof *stats);
    reply->class_bytes = hd_rpc_arena_get(&call->server->arena, count * sizeof *reply->class_bytes);
    if (!stats || !reply->class_bytes)
        return HD_ENOMEM;
    hd_alloc_class_stats(call->heap->alloc, stats);
    for (size_t i = 0; i < count; i++)
        reply->class_bytes[i] = stats[i].block_bytes;
    reply->n_class_bytes = count;
    return 0;
}

static int set_arenas(struct hd_call *call, uint64_t from, size_t most, Heapd__V1__MapReply *reply)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    struct hd_arena_map *maps = hd_rpc_arena_get(arena, most * sizeof *maps);
    Heapd__V1__ArenaRow *rows = hd_rpc_arena_get(arena, most * sizeof *rows);
    reply->arenas = hd_rpc_arena_get(arena, most * sizeof *reply->arenas);
    if (!maps || !rows || !reply->arenas)
        return HD_ENOMEM;
    reply->next = hd_alloc_map(call->heap->alloc, from, maps, most, &reply->n_arenas);
    for (size_t i = 0; i < reply->n_arenas; i++) {
        heapd__v1__arena_row__init(&rows[i]);
        rows[i].uses = (ProtobufCBinaryData){HD_ARENA_GRANULES, maps[i].use};
        rows[i].fills = (ProtobufCBinaryData){HD_ARENA_GRANULES, maps[i].fill};
        rows[i].pools = maps[i].pool_count;
        rows[i].free_granules = maps[i].free_count;
        rows[i].live_bytes = maps[i].live_bytes;
        rows[i].leaving = maps[i].leaving;
        reply->arenas[i] = &rows[i];
    }
    return 0;
}

int hd_run_map(struct hd_call *call, const void *message)
{
    const Heapd__V1__MapRequest *request = message;
    Heapd__V1__MapReply reply = HEAPD__V1__MAP_REPLY__INIT;
    struct hd_alloc_stats stats;
    if (request->count > ROWS_MAX)
        return hd_fail(call, HD_EINVALID, "%u arenas; at most %u", request->count, ROWS_MAX);
    int error = set_classes(call, &reply);
    if (!error)
        error = set_arenas(call, request->from, request->count ? request->count : ROWS_USUAL, &reply);
    if (error)
        return error;
    hd_alloc_stats(call->heap->alloc, &stats);
    reply.arena_count = stats.arena_count;
    reply.arena_bytes = HD_ARENA_BYTES;
    reply.granule_bytes = HD_GRANULE_BYTES;
    reply.large_count = stats.large_count;
    reply.large_bytes = stats.large_bytes;
    return hd_reply_message(call, &reply.base, 0);
}
