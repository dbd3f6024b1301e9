/* One client: what it waits for, how it begins and how it ends. */
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "net/private.h"

#define TOO_MANY "the daemon has as many connections as it may; close one or raise max_connections"

/* --- the state machine --- */

static void on_poll(uv_poll_t *handle, int status, int events);

static bool is_leaving(const struct hd_connection *connection)
{
    return connection->net->stopping || hd_rpc_connection_is_over(connection->rpc);
}

/* True once nothing more is to come from here and nothing is left to send. */
static bool is_done(const struct hd_connection *connection)
{
    if (connection->broken)
        return true;
    if (hd_connection_has_output(connection))
        return false;
    if (is_leaving(connection))
        return true;
    if (!connection->ended || hd_connection_holds_frame(connection))
        return false;
    /* One that sends no more, but reads, still gets what goes on without it; what is parked is given up. */
    return connection->deaf || !hd_rpc_connection_is_working(connection->rpc);
}

/* With a ring the socket has bells and the end to tell, and is asked for room only by a descriptor that waits. */
static int events_wanted_beside_ring(const struct hd_connection *connection)
{
    size_t before;
    bool descriptor_waits = hd_rpc_next_descriptor(connection->rpc, &before) >= 0 && before == 0;
    return (connection->disconnect_seen ? 0 : UV_READABLE) | (descriptor_waits && !connection->deaf ? UV_WRITABLE : 0);
}

/* From the socket, or from a ring. */
static bool is_to_be_read(const struct hd_connection *connection)
{
    if (connection->ended)
        return false;
    if (hd_connection_takes_input(connection))
        return !hd_connection_holds_frame(connection);
    return hd_connection_overhears(connection);
}

static int events_wanted(const struct hd_connection *connection)
{
    if (hd_net_ring_state(connection) == HD_RING_OPEN)
        return events_wanted_beside_ring(connection);
    int events = hd_connection_has_output(connection) ? UV_WRITABLE : 0;
    if (is_to_be_read(connection))
        events |= UV_READABLE;
    if (events == 0 && !connection->disconnect_seen)
        events = UV_DISCONNECT;
    return events;
}

static void poll_for(struct hd_connection *connection, int events)
{
    if (events == connection->polled)
        return;
    connection->polled = events;
    if (events == 0)
        uv_poll_stop(&connection->poll);
    else if (uv_poll_start(&connection->poll, events, on_poll))
        hd_connection_close(connection);
}

/* Decides what the connection waits for, or closes it. Every turn ends here. */
static void settle(struct hd_connection *connection)
{
    hd_connection_look_for_cancels(connection);
    if (is_done(connection)) {
        if (!is_leaving(connection))
            connection->net->stats.closed_by_peer_count++;
        hd_connection_close(connection);
        return;
    }
    if (is_leaving(connection))
        hd_net_linger(connection->net);
    bool takes_input = hd_connection_takes_input(connection);
    bool holds_frame = takes_input && hd_connection_holds_frame(connection);
    if (holds_frame)
        hd_net_retry(connection->net, connection);
    if (connection->ring)
        hd_net_ring_settle(connection, is_to_be_read(connection));
    poll_for(connection, events_wanted(connection));
}

/* Has the peer closed both ways? One that only sends no more still wants its replies. */
static bool is_hung_up(int fd)
{
    struct pollfd look = {.fd = fd};
    return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/*
 * The peer closed one way or both, or an error waits on the socket. What it sent
 * before is still run.
 */
static void on_disconnect(struct hd_connection *connection, bool is_error)
{
    connection->disconnect_seen = true;
    if (is_error)
        connection->polled = 0; /* libuv has stopped it */
    if (is_error || is_hung_up(connection->fd))
        connection->deaf = true;
}

void hd_connection_take_turn(struct hd_connection *connection)
{
    if (is_to_be_read(connection))
        hd_connection_receive(connection);
    hd_connection_end_turn(connection);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct hd_connection *connection = handle->data;
    connection->net->sockets_busy = true;
    if (hd_net_ring_state(connection) == HD_RING_OPEN) {
        if (status < 0)
            on_disconnect(connection, true);
        hd_net_ring_hear(connection);
        hd_connection_take_turn(connection);
        return;
    }
    if (status < 0 || (events & UV_DISCONNECT))
        on_disconnect(connection, status < 0);
    if (events & UV_WRITABLE) {
        hd_connection_advance(connection);
        return;
    }
    bool readable = status < 0 || (events & UV_READABLE);
    connection->heard_turn = connection->net->turn;
    if (readable && is_to_be_read(connection))
        hd_connection_receive(connection);
    /* Its replies go when all that are readable had their turn: a client that serves many is woken once for them. */
    hd_net_retry(connection->net, connection);
}

void hd_connection_end_turn(struct hd_connection *connection)
{
    hd_connection_send(connection);
    settle(connection);
}

void hd_connection_advance(struct hd_connection *connection)
{
    hd_connection_send(connection);
    if (hd_connection_takes_input(connection) && hd_connection_holds_frame(connection)) {
        hd_connection_give_held(connection);
        hd_connection_send(connection);
    }
    settle(connection);
}

/* --- birth and death --- */

static void identify(int fd, bool is_unix, struct hd_rpc_peer *out)
{
    *out = (struct hd_rpc_peer){.pid = 0, .uid = UINT64_MAX, .takes_descriptors = is_unix};
    struct ucred who;
    socklen_t length = sizeof who;
    if (!is_unix || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
        return;
    out->pid = (uint64_t)who.pid;
    out->uid = who.uid;
    out->admin = who.uid == geteuid() || who.uid == 0;
}

static void link_in(struct hd_net *net, struct hd_connection *connection)
{
    connection->next = net->connections;
    if (net->connections)
        net->connections->previous = connection;
    net->connections = connection;
    net->stats.connection_count++;
}

static void unlink_from(struct hd_net *net, struct hd_connection *connection)
{
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        net->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    net->stats.connection_count--;
}

static int open_on(struct hd_net *net, int fd, bool is_unix, struct hd_connection *connection)
{
    struct hd_rpc_peer peer;
    identify(fd, is_unix, &peer);
    int on = 1;
    if (!is_unix)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* only slower without */
    *connection = (struct hd_connection){.net = net, .fd = fd, .is_unix = is_unix};
    connection->poll.data = connection;
    int error = hd_input_init(connection);
    if (error)
        return error;
    error = hd_rpc_connection_new(net->rpc, &peer, connection, &connection->rpc);
    if (!error && uv_poll_init(net->loop, &connection->poll, fd)) {
        hd_rpc_connection_close(connection->rpc);
        error = HD_ESYSTEM;
    }
    if (error)
        hd_buffer_fini(&connection->input);
    return error;
}

void hd_connection_open(struct hd_net *net, int fd, bool is_unix)
{
    struct hd_connection *connection = hd_allocator_new(net->allocator, sizeof *connection);
    int error = connection ? open_on(net, fd, is_unix, connection) : HD_ENOMEM;
    if (error == HD_ENOMEM && hd_rpc_relieve(net->rpc)) {
        if (!connection)
            connection = hd_allocator_new(net->allocator, sizeof *connection);
        error = connection ? open_on(net, fd, is_unix, connection) : HD_ENOMEM;
    }
    if (error) {
        net->stats.refused_limit_count++;
        hd_connection_refuse(fd, error, error == HD_ELIMIT ? TOO_MANY : hd_error_text(error));
        hd_allocator_free(net->allocator, connection, sizeof *connection);
        return;
    }
    net->stats.accepted_count++;
    link_in(net, connection);
    settle(connection);
}

static void on_closed(uv_handle_t *handle)
{
    struct hd_connection *connection = handle->data;
    struct hd_net *net = connection->net;
    hd_allocator_free(net->allocator, connection, sizeof *connection);
    hd_net_closed(net);
}

void hd_connection_close(struct hd_connection *connection)
{
    struct hd_net *net = connection->net;
    if (!connection->rpc)
        return;
    hd_rpc_connection_close(connection->rpc);
    connection->rpc = NULL;
    net->rpc_touched = true;
    unlink_from(net, connection);
    hd_net_retry_cancel(net, connection);
    hd_net_ring_close(connection);
    hd_buffer_fini(&connection->input);
    net->closing_count++;
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    close(connection->fd);
    connection->fd = -1;
    hd_listeners_resume(net);
}
