/* Deadlines of parked requests: a binary heap, the earliest first. */
#include <string.h>

#include "object/sync.h"
#include "rpc/private.h"

/* Longer waits end then; it is 34 years. */
#define WAIT_MAX_MS (UINT64_C(1) << 40)

int hd_deadline_reserve(struct hd_rpc_server *server)
{
    if (server->deadline_count < server->deadline_capacity)
        return 0;
    uint32_t capacity = server->deadline_capacity ? server->deadline_capacity * 2 : 16;
    size_t old_bytes = server->deadline_capacity * sizeof(struct hd_unfinished *);
    struct hd_unfinished **deadlines =
        hd_allocator_resize(server->allocator, server->deadlines, old_bytes, capacity * sizeof *deadlines);
    if (!deadlines)
        return HD_ENOMEM;
    server->deadlines = deadlines;
    server->deadline_capacity = capacity;
    return 0;
}

void hd_deadlines_fini(struct hd_rpc_server *server)
{
    hd_allocator_free(server->allocator, server->deadlines, server->deadline_capacity * sizeof(struct hd_unfinished *));
}

static void put(struct hd_rpc_server *server, uint32_t position, struct hd_unfinished *unfinished)
{
    server->deadlines[position] = unfinished;
    unfinished->deadline_position = position;
}

static void sift_up(struct hd_rpc_server *server, uint32_t position)
{
    struct hd_unfinished *unfinished = server->deadlines[position];
    while (position > 0 && server->deadlines[(position - 1) / 2]->deadline_ns > unfinished->deadline_ns) {
        put(server, position, server->deadlines[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    put(server, position, unfinished);
}

static void sift_down(struct hd_rpc_server *server, uint32_t position)
{
    struct hd_unfinished *unfinished = server->deadlines[position];
    for (;;) {
        uint32_t child = 2 * position + 1;
        if (child >= server->deadline_count)
            break;
        if (child + 1 < server->deadline_count &&
            server->deadlines[child + 1]->deadline_ns < server->deadlines[child]->deadline_ns)
            child++;
        if (server->deadlines[child]->deadline_ns >= unfinished->deadline_ns)
            break;
        put(server, position, server->deadlines[child]);
        position = child;
    }
    put(server, position, unfinished);
}

void hd_deadline_set(struct hd_unfinished *unfinished, uint64_t wait_ms)
{
    struct hd_rpc_server *server = unfinished->connection->server;
    uint64_t capped_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
    unfinished->deadline_ns = server->os->now_ns(server->os->context) + capped_ms * 1000000;
    put(server, server->deadline_count++, unfinished);
    sift_up(server, unfinished->deadline_position);
}

void hd_deadline_remove(struct hd_unfinished *unfinished)
{
    struct hd_rpc_server *server = unfinished->connection->server;
    uint32_t position = unfinished->deadline_position;
    if (position == HD_NOT_TIMED)
        return;
    unfinished->deadline_position = HD_NOT_TIMED;
    struct hd_unfinished *last = server->deadlines[--server->deadline_count];
    if (last == unfinished)
        return;
    put(server, position, last);
    sift_up(server, position);
    sift_down(server, last->deadline_position);
}

uint64_t hd_rpc_next_deadline_ns(const struct hd_rpc_server *server)
{
    if (server->runnable_first || server->relieving)
        return 0;
    if (hd_watch_has_changed(server->heap) || hd_sync_has_woken(&server->heap->objects))
        return 0;
    uint64_t first_ns = server->deadline_count ? server->deadlines[0]->deadline_ns : UINT64_MAX;
    uint64_t name_ns = hd_heap_next_deadline(server->heap);
    first_ns = name_ns < first_ns ? name_ns : first_ns;
    uint64_t token_ns = hd_tokens_next_ns(&server->tokens);
    first_ns = token_ns < first_ns ? token_ns : first_ns;
    return first_ns < server->collect_at_ns ? first_ns : server->collect_at_ns;
}

/* More that are over at the same time are left for the next turns. */
#define EXPIRE_AT_ONCE 1024u

void hd_deadlines_expire(struct hd_rpc_server *server)
{
    if (server->deadline_count == 0)
        return;
    uint64_t now_ns = server->os->now_ns(server->os->context);
    for (unsigned i = 0; i < EXPIRE_AT_ONCE && server->deadline_count; i++) {
        if (server->deadlines[0]->deadline_ns > now_ns)
            break;
        struct hd_unfinished *unfinished = server->deadlines[0];
        hd_deadline_remove(unfinished);
        unfinished->timed_out = true;
        server->counts.deadlines_count++;
        hd_unfinished_make_runnable(unfinished);
    }
}
