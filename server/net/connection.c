#include "net/private.h"

#include <errno.h>
#include <heapd/v1/value.pb-c.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/frame.h"

/* SCM_MAX_FD of Linux: a message cannot carry more. */
#define DESCRIPTORS_MAX 253
/* How often a connection may fill and empty its output within one turn. */
#define ROUNDS_PER_TURN 4

#define TOO_MANY "the daemon has as many connections as it may; close one or raise max_connections"

/* --- sending --- */

static bool has_output(const struct hd_connection *connection)
{
    size_t count;
    (void)hd_rpc_output(connection->rpc, &count);
    return count > 0;
}

static bool is_passing(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS || number == ENOMEM;
}

/* Sends what the kernel takes now. */
static void send_output(struct hd_connection *connection)
{
    for (int i = 0; i < ROUNDS_PER_TURN; i++) {
        size_t count;
        const uint8_t *bytes = hd_rpc_output(connection->rpc, &count);
        if (count == 0)
            return;
        ssize_t sent = (ssize_t)count;
        while (!connection->deaf && (sent = send(connection->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0) {
            if (is_passing(errno))
                return;
            if (errno != EINTR) {
                connection->deaf = true;
                sent = (ssize_t)count;
            }
        }
        if (!connection->deaf)
            connection->net->stats.sent_bytes += (uint64_t)sent;
        hd_rpc_sent(connection->rpc, (size_t)sent);
        if ((size_t)sent < count)
            return;
    }
}

/* --- frames --- */

/* Does a whole frame lie in `input`, that had no turn yet? */
static bool holds_frame(const struct hd_connection *connection)
{
    size_t count = hd_buffer_readable(&connection->input);
    if (count == 0)
        return false;
    size_t frame_bytes = hd_rpc_frame_bytes(connection->rpc, hd_buffer_head(&connection->input), count);
    return frame_bytes != 0 && frame_bytes <= count;
}

static bool takes_input(const struct hd_connection *connection)
{
    return !connection->broken && !connection->net->stopping && !hd_rpc_connection_is_over(connection->rpc) &&
           hd_rpc_connection_wants_input(connection->rpc);
}

/*
 * Gives bytes to the rpc server until they are used up, but for the part of a
 * frame, or the turn is. Output is sent in between only when its mark stops the
 * requests. Returns the bytes taken.
 */
static size_t give(struct hd_connection *connection, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;
    connection->net->rpc_touched = true;
    for (int i = 0; i < ROUNDS_PER_TURN && taken < count && takes_input(connection); i++) {
        taken += hd_rpc_receive(connection->rpc, bytes + taken, count - taken);
        if (hd_rpc_connection_wants_input(connection->rpc))
            break; /* the rest is the part of a frame, or the turn's work is done */
        send_output(connection);
    }
    return taken;
}

static void give_held(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    size_t taken = give(connection, hd_buffer_head(input), hd_buffer_readable(input));
    hd_buffer_consume(input, taken);
    if (hd_buffer_readable(input) == 0)
        hd_buffer_reset(input, 0);
}

/* --- receiving --- */

static void close_descriptors(struct hd_net *net, struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = part->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
            close(fd);
            net->stats.unexpected_descriptors_count++;
        }
    }
}

/* recvmsg, and no descriptor slips in. 0: nothing there, or the peer has ended (then it is marked). */
static size_t receive(struct hd_connection *connection, uint8_t *to, size_t room)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } control;
    struct iovec part = {.iov_base = to, .iov_len = room};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t count;
    do {
        count = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (!is_passing(errno))
            connection->broken = true;
        return 0;
    }
    if (message.msg_controllen > 0)
        close_descriptors(connection->net, &message);
    if (count == 0)
        connection->ended = true;
    connection->net->stats.received_bytes += (uint64_t)count;
    return (size_t)count;
}

/* Keeps what is left of the shared read buffer. */
static void keep(struct hd_connection *connection, const uint8_t *bytes, size_t count)
{
    hd_buffer_reset(&connection->input, count ? SIZE_MAX : 0);
    if (count == 0 || hd_buffer_append(&connection->input, bytes, count) == 0)
        return;
    connection->net->stats.closed_for_memory_count++;
    connection->broken = true;
}

/* The beginning of a small frame is put in front of what arrives, so that frames lie in one piece. */
static void receive_shared(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    uint8_t *bytes = connection->net->read_buffer;
    size_t held = hd_buffer_readable(input);
    if (held)
        memcpy(bytes, hd_buffer_head(input), held);
    size_t count = receive(connection, bytes + held, HD_NET_READ_BYTES - held);
    if (count == 0)
        return;
    count += held;
    size_t taken = give(connection, bytes, count);
    keep(connection, bytes + taken, count - taken);
}

/*
 * The rest of a large frame goes where its beginning lies. The buffer grows as
 * bytes come, not by what the header promises: a promise costs a client nothing.
 */
static void receive_own(struct hd_connection *connection, size_t frame_bytes)
{
    struct hd_buffer *input = &connection->input;
    size_t held = hd_buffer_readable(input);
    size_t room = frame_bytes - held;
    size_t limit = held > 4 * HD_NET_READ_BYTES ? held : 4 * HD_NET_READ_BYTES;
    if (room > limit)
        room = limit;
    uint8_t *to;
    if (hd_buffer_reserve(input, room, &to)) {
        connection->net->stats.closed_for_memory_count++;
        connection->broken = true;
        return;
    }
    size_t count = receive(connection, to, room);
    hd_buffer_commit(input, count);
    if (held + count == frame_bytes)
        give_held(connection);
}

static void receive_turn(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    size_t held = hd_buffer_readable(input);
    size_t frame_bytes = held ? hd_rpc_frame_bytes(connection->rpc, hd_buffer_head(input), held) : 0;
    if (frame_bytes > HD_NET_OWN_BUFFER_BYTES)
        receive_own(connection, frame_bytes);
    else
        receive_shared(connection);
}

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
    if (has_output(connection))
        return false;
    if (is_leaving(connection))
        return true;
    if (!connection->ended || holds_frame(connection))
        return false;
    /* One that sends no more, but reads, still gets what goes on without it; what is parked is given up. */
    return connection->deaf || !hd_rpc_connection_is_working(connection->rpc);
}

static int events_wanted(const struct hd_connection *connection)
{
    int events = has_output(connection) ? UV_WRITABLE : 0;
    if (!connection->ended && takes_input(connection) && !holds_frame(connection))
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
    if (is_done(connection)) {
        if (!is_leaving(connection))
            connection->net->stats.closed_by_peer_count++;
        hd_connection_close(connection);
        return;
    }
    if (is_leaving(connection))
        hd_net_linger(connection->net);
    if (takes_input(connection) && holds_frame(connection))
        hd_net_retry(connection->net, connection);
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

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct hd_connection *connection = handle->data;
    if (status < 0 || (events & UV_DISCONNECT))
        on_disconnect(connection, status < 0);
    if (events & UV_WRITABLE) {
        hd_connection_advance(connection);
        return;
    }
    bool readable = status < 0 || (events & UV_READABLE);
    if (readable && takes_input(connection) && !holds_frame(connection))
        receive_turn(connection);
    send_output(connection);
    settle(connection);
}

void hd_connection_advance(struct hd_connection *connection)
{
    send_output(connection);
    if (takes_input(connection) && holds_frame(connection)) {
        give_held(connection);
        send_output(connection);
    }
    settle(connection);
}

/* --- birth and death --- */

static void identify(int fd, bool is_unix, struct hd_rpc_peer *out)
{
    *out = (struct hd_rpc_peer){.pid = 0, .uid = UINT64_MAX};
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
    *connection = (struct hd_connection){.net = net, .fd = fd};
    connection->poll.data = connection;
    hd_buffer_init(&connection->input, net->allocator,
                   HD_FRAME_HEADER_BYTES + (size_t)net->config.max_frame_bytes + HD_NET_READ_BYTES);
    int error = hd_rpc_connection_new(net->rpc, &peer, connection, &connection->rpc);
    if (error)
        return error;
    if (uv_poll_init(net->loop, &connection->poll, fd)) {
        hd_rpc_connection_close(connection->rpc);
        return HD_ESYSTEM;
    }
    return 0;
}

void hd_connection_open(struct hd_net *net, int fd, bool is_unix)
{
    struct hd_connection *connection = hd_allocator_new(net->allocator, sizeof *connection);
    int error = connection ? open_on(net, fd, is_unix, connection) : HD_ENOMEM;
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

void hd_connection_refuse(int fd, int error, const char *message)
{
    uint8_t bytes[HD_FRAME_HEADER_BYTES + 512];
    Heapd__V1__Error body = HEAPD__V1__ERROR__INIT;
    body.status = (Heapd__V1__Status)hd_error_status(error);
    body.code = (uint32_t)-error;
    body.message = (char *)(uintptr_t)message; /* protobuf-c's fields are not const; it only reads */
    size_t body_bytes = heapd__v1__error__get_packed_size(&body);
    if (body_bytes <= sizeof bytes - HD_FRAME_HEADER_BYTES) {
        struct hd_frame frame = {.body_bytes = (uint32_t)body_bytes, .flags = HD_FRAME_EVENT | HD_FRAME_ERROR};
        hd_frame_write(bytes, &frame);
        (void)heapd__v1__error__pack(&body, bytes + HD_FRAME_HEADER_BYTES);
        (void)!send(fd, bytes, HD_FRAME_HEADER_BYTES + body_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
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
    hd_buffer_fini(&connection->input);
    net->closing_count++;
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    close(connection->fd);
    connection->fd = -1;
    hd_listeners_resume(net);
}
