/* One connection: frames in, frames out. */
#include "rpc/follow.h"
#include "rpc/private.h"

#include <assert.h>
#include <string.h>

/* ---- lists ---- */

void hd_connection_make_ready(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    if (connection->ready)
        return;
    connection->ready = true;
    connection->ready_next = NULL;
    if (server->ready_last)
        server->ready_last->ready_next = connection;
    else
        server->ready_first = connection;
    server->ready_last = connection;
}

struct hd_rpc_connection *hd_rpc_next_ready(struct hd_rpc_server *server)
{
    struct hd_rpc_connection *connection = server->ready_first;
    if (!connection)
        return NULL;
    server->ready_first = connection->ready_next;
    if (!server->ready_first)
        server->ready_last = NULL;
    connection->ready = false;
    return connection;
}

static void take_from_ready(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    struct hd_rpc_connection *before = NULL;
    if (!connection->ready)
        return;
    for (struct hd_rpc_connection *i = server->ready_first; i != connection; i = i->ready_next)
        before = i;
    if (before)
        before->ready_next = connection->ready_next;
    else
        server->ready_first = connection->ready_next;
    if (server->ready_last == connection)
        server->ready_last = before;
    connection->ready = false;
}

static void link_in(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    connection->next = server->connections;
    if (server->connections)
        server->connections->previous = connection;
    server->connections = connection;
    server->connection_count++;
}

static void link_out(struct hd_rpc_connection *connection)
{
    struct hd_rpc_server *server = connection->server;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->next = connection->previous = NULL;
    server->connection_count--;
}

/* ---- beginning and end ---- */

static int new_connection(struct hd_rpc_server *server, struct hd_rpc_connection **out)
{
    uint8_t *room;
    if (server->connection_count >= server->config.max_connections)
        return HD_ELIMIT;
    struct hd_rpc_connection *connection = hd_allocator_new_zeroed(server->allocator, sizeof *connection);
    if (!connection)
        return HD_ENOMEM;
    const struct hd_rpc_config *config = &server->config;
    size_t limit_bytes = config->output_high_bytes + config->max_frame_bytes + 4 * HD_PLAIN_MAX_BYTES;
    hd_buffer_init(&connection->output, server->allocator, limit_bytes);
    int error = hd_buffer_reserve(&connection->output, HD_REPLY_ROOM_BYTES, &room);
    if (error) {
        hd_allocator_free(server->allocator, connection, sizeof *connection);
        return error;
    }
    *out = connection;
    return 0;
}

int hd_rpc_connection_new(struct hd_rpc_server *server, const struct hd_rpc_peer *peer, void *owner,
                          struct hd_rpc_connection **out)
{
    struct hd_rpc_connection *connection;
    int error = new_connection(server, &connection);
    if (error) {
        server->counts.connections_refused_count++;
        return error;
    }
    connection->server = server;
    connection->owner = owner;
    connection->peer = *peer;
    hd_session_init(&connection->session, server->heap, ++server->last_session_id, server->config.max_slots);
    link_in(connection);
    server->counts.connections_ever_count++;
    *out = connection;
    return 0;
}

void hd_connection_end(struct hd_rpc_connection *connection)
{
    connection->over = true;
    hd_relief_forget(connection);
    while (connection->unfinished_first)
        hd_unfinished_drop(connection->unfinished_first);
    hd_events_end(connection);
    (void)hd_session_end_holds(&connection->session, HD_HOLDS_AT_ONCE); /* the rest when it is closed */
}

/* The session lives on, among those that end, until all that it held was released. */
void hd_rpc_connection_close(struct hd_rpc_connection *connection)
{
    if (!connection)
        return;
    struct hd_rpc_server *server = connection->server;
    hd_connection_end(connection);
    take_from_ready(connection);
    link_out(connection);
    hd_passing_fini(connection);
    hd_bulk_abandon(&server->heap->objects, connection->session.id);
    hd_buffer_fini(&connection->output);
    hd_batch_free(connection);
    hd_reading_free(connection);
    hd_session_close(&connection->session);
    if (server->closing_last)
        server->closing_last->next = connection;
    else
        server->closing = connection;
    server->closing_last = connection;
    server->closing_count++;
    hd_sync_answer(server);
}

void *hd_rpc_connection_owner(const struct hd_rpc_connection *connection)
{
    return connection->owner;
}

/* ---- input ---- */

bool hd_connection_above_high(const struct hd_rpc_connection *connection)
{
    return hd_buffer_readable(&connection->output) > connection->server->config.output_high_bytes ||
           connection->passing.count > HD_PASSING_MAX;
}

bool hd_connection_has_room(struct hd_rpc_connection *connection)
{
    uint8_t *room;
    if (hd_connection_above_high(connection))
        return false;
    if (hd_buffer_reserve(&connection->output, HD_REPLY_ROOM_BYTES, &room) == 0)
        return true;
    /* Never with an empty output, whose memory is kept: what has been sent makes room. */
    assert(hd_buffer_readable(&connection->output) > 0);
    connection->starved = true;
    connection->server->counts.stalls_count++;
    return false;
}

/* What is true of nearly all requests, and a part of hd_connection_has_room. */
static inline bool has_room_already(const struct hd_rpc_connection *connection)
{
    const struct hd_buffer *output = &connection->output;
    return output->capacity_bytes - output->end >= HD_REPLY_ROOM_BYTES &&
           hd_buffer_readable(output) <= connection->server->config.output_high_bytes &&
           connection->passing.count <= HD_PASSING_MAX;
}

size_t hd_rpc_frame_bytes(const struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_frame frame;
    int result = hd_frame_read(bytes, count, connection->server->config.max_frame_bytes, &frame);
    if (result > 0)
        return 0;
    /* Of a broken stream the header is all that is needed: it is refused. */
    return HD_FRAME_HEADER_BYTES + (result < 0 ? 0 : frame.body_bytes);
}

void hd_rpc_frame_refused(struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    hd_batch_spoil(connection, frame->method, frame->request_id, HD_ENOMEM);
}

/* The stream cannot be followed: says why, and that is the end. */
static void break_stream(struct hd_rpc_connection *connection, const struct hd_frame *frame, int error)
{
    struct hd_call call;
    hd_call_init(&call, connection, frame->method, frame->request_id);
    connection->server->counts.broken_streams_count++;
    if (error == HD_ETOO_LARGE)
        (void)hd_fail(&call, error, "a frame with a body of %u bytes; at most %u", frame->body_bytes,
                      connection->server->config.max_frame_bytes);
    else
        (void)hd_fail(&call, error, "a frame with unknown flags 0x%02x", frame->flags);
    hd_connection_end(connection);
    hd_reply_error(&call, error);
    hd_sync_answer(connection->server);
}

/* Are its requests to wait for something that goes on? */
static bool is_held(const struct hd_rpc_connection *connection)
{
    return connection->held || connection->memory_waiting;
}

/* The first whole frame, if there is one, room for its reply, and nothing amiss. */
static bool next_frame(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count, struct hd_frame *frame)
{
    int result = hd_frame_read(bytes, count, connection->server->config.max_frame_bytes, frame);
    if (result > 0 || is_held(connection) || !hd_connection_has_room(connection))
        return false;
    if (result < 0) {
        break_stream(connection, frame, result);
        return false;
    }
    return count - HD_FRAME_HEADER_BYTES >= frame->body_bytes;
}

/*
 * The collector's turn. It is measured when it goes on with what an earlier turn
 * left, or begins a collection: what is done at once costs less than the clock.
 */
static void settle(struct hd_rpc_server *server)
{
    struct hd_heap *heap = server->heap;
    struct hd_slice_watch watch;
    if (hd_heap_is_calm(heap)) {
        hd_heap_settled(heap);
        server->heap_behind = false;
        return;
    }
    bool is_long = (server->heap_behind && hd_heap_has_work(heap)) || hd_heap_is_due(heap);
    if (is_long)
        hd_slice_begin(server, &watch);
    server->heap_behind = hd_heap_settle(heap);
    if (is_long)
        hd_slice_end(server, &watch);
}

/* The next of those that were read ahead, of which there may be none. */
static const struct hd_ahead_frame *next_ahead(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_ahead *ahead = &connection->server->ahead;
    if (ahead->next == ahead->count)
        hd_ahead_look(connection, bytes, count);
    return ahead->next < ahead->count ? &ahead->frames[ahead->next++] : NULL;
}

size_t hd_rpc_receive(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_rpc_server *server = connection->server;
    size_t taken = 0;
    uint64_t units = 0;
    /* What requests and their share of the collector's work cost beyond that is counted where it is done. */
    const uint64_t work_before = server->heap->objects.work_units + server->heap->settled_units;
    (void)hd_names_expire(server); /* the rest of many in hd_rpc_run */
    for (unsigned i = 0; i < HD_TURN_REQUESTS && taken < count && !connection->over; i++) {
        struct hd_frame frame;
        /* Short requests may be about long lists and keys. */
        if (units + (server->heap->objects.work_units + server->heap->settled_units - work_before) >=
            server->turn_units)
            break;
        const struct hd_ahead_frame *ahead = NULL;
        if (!is_held(connection))
            ahead = next_ahead(connection, bytes + taken, count - taken);
        if (ahead && !has_room_already(connection) && !hd_connection_has_room(connection))
            break;
        if (ahead)
            frame = ahead->frame;
        else if (!next_frame(connection, bytes + taken, count - taken, &frame))
            break;
        if (!hd_call_run(connection, &frame, bytes + taken + HD_FRAME_HEADER_BYTES, ahead))
            break;
        taken += HD_FRAME_HEADER_BYTES + frame.body_bytes;
        units += HD_REQUEST_UNITS + frame.body_bytes / 8;
        settle(server);
        if (server->followers && server->followers->collection_count)
            hd_follow_collections(server);
    }
    server->ahead.count = server->ahead.next = 0;
    /* Nothing that follows the end is looked at. */
    if (connection->over)
        taken = count;
    server->counts.received_bytes += taken;
    return taken;
}

bool hd_rpc_connection_overhears(const struct hd_rpc_connection *connection)
{
    return connection->held && !connection->over && !connection->memory_waiting;
}

size_t hd_rpc_overhear(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count, size_t from)
{
    struct hd_frame frame;
    while (from < count && hd_rpc_connection_overhears(connection)) {
        int result = hd_frame_read(bytes + from, count - from, connection->server->config.max_frame_bytes, &frame);
        if (result < 0)
            return count; /* it is told when its turn comes */
        size_t frame_bytes = HD_FRAME_HEADER_BYTES + (size_t)frame.body_bytes;
        if (result > 0 || count - from < frame_bytes || !hd_connection_has_room(connection))
            break;
        hd_call_overhear(connection, &frame);
        from += frame_bytes;
    }
    return from;
}

bool hd_rpc_connection_wants_input(const struct hd_rpc_connection *connection)
{
    return !connection->over && !connection->starved && !is_held(connection) && !hd_connection_above_high(connection);
}

bool hd_rpc_connection_is_over(const struct hd_rpc_connection *connection)
{
    return connection->over;
}

bool hd_rpc_connection_is_working(const struct hd_rpc_connection *connection)
{
    return connection->working_count > 0 || connection->memory_waiting;
}

/* ---- output ---- */

const uint8_t *hd_rpc_output(const struct hd_rpc_connection *connection, size_t *count)
{
    *count = hd_buffer_readable(&connection->output);
    return hd_buffer_head(&connection->output);
}

/* Gives the memory of a burst back, but never the room for a refusal. */
static void shrink(struct hd_rpc_connection *connection)
{
    struct hd_buffer *output = &connection->output;
    struct hd_buffer small;
    uint8_t *room;
    if (output->capacity_bytes <= HD_OUTPUT_KEEP_BYTES)
        return;
    hd_buffer_init(&small, output->allocator, output->limit_bytes);
    if (hd_buffer_reserve(&small, HD_REPLY_ROOM_BYTES, &room))
        return;
    hd_buffer_fini(output);
    *output = small;
}

void hd_rpc_sent(struct hd_rpc_connection *connection, size_t count)
{
    hd_buffer_consume(&connection->output, count);
    connection->server->counts.sent_bytes += count;
    connection->passing.sent_bytes += count;
    connection->starved = false;
    if (hd_buffer_readable(&connection->output) == 0)
        shrink(connection);
    if (connection->blocked_count && !hd_connection_above_high(connection))
        hd_unfinished_unblock(connection);
    if (connection->events_waiting_count && !hd_connection_above_high(connection))
        hd_events_drained(connection);
}
