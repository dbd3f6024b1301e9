/* From the socket to the rpc server: bytes, frames, and the memory for parts of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/frame.h"
#include "net/private.h"

/* SCM_MAX_FD of Linux: a message cannot carry more. */
#define DESCRIPTORS_MAX 253
/* How often a connection may fill and empty its output within one turn. */
#define ROUNDS_PER_TURN 4
/* What is read at once of a connection that waits for a request of its own. */
#define HEARD_AT_ONCE_BYTES ((size_t)4 << 10)

/* --- memory and frames --- */

int hd_input_init(struct hd_connection *connection)
{
    struct hd_net *net = connection->net;
    uint8_t *room;
    hd_buffer_init(&connection->input, net->allocator,
                   HD_FRAME_HEADER_BYTES + (size_t)net->config.max_frame_bytes + HD_NET_READ_BYTES);
    return hd_buffer_reserve(&connection->input, HD_NET_RESERVE_BYTES, &room);
}

/* Nothing is held any more; memory beyond the reserve goes back. */
static void empty(struct hd_buffer *input)
{
    uint8_t *room;
    hd_buffer_reset(input, HD_NET_RESERVE_BYTES);
    if (!input->data && hd_buffer_reserve(input, HD_NET_RESERVE_BYTES, &room))
        return; /* hardly: it has just given back more */
}

/*
 * There is no memory for the rest of a frame whose beginning is here: it is
 * refused by its request id, and what is still to come of it is thrown away.
 */
static void refuse_frame(struct hd_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_net *net = connection->net;
    size_t frame_bytes = hd_rpc_frame_bytes(connection->rpc, bytes, count);
    if (hd_frame_read(bytes, count, net->config.max_frame_bytes, &connection->refused) || frame_bytes <= count) {
        connection->broken = true; /* not even a header could be kept */
        return;
    }
    hd_rpc_frame_refused(connection->rpc, &connection->refused);
    net->stats.refused_frames_count++;
    connection->refusing = true;
    connection->skip_bytes = frame_bytes - count;
    empty(&connection->input);
}

/* Does a whole frame lie in `input`, that had no turn yet? */
bool hd_connection_holds_frame(const struct hd_connection *connection)
{
    size_t count = hd_buffer_readable(&connection->input);
    if (count == 0)
        return false;
    size_t frame_bytes = hd_rpc_frame_bytes(connection->rpc, hd_buffer_head(&connection->input), count);
    return frame_bytes != 0 && frame_bytes <= count;
}

bool hd_connection_takes_input(const struct hd_connection *connection)
{
    return !connection->broken && !connection->refusing && !connection->net->stopping &&
           hd_net_ring_state(connection) != HD_RING_PENDING && !hd_rpc_connection_is_over(connection->rpc) &&
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
    hd_net_gather(connection->net, count);
    connection->net->rpc_touched = true;
    connection->heard_bytes = 0;
    connection->hears_no_more = false;
    uint64_t begin_ns = hd_net_turn_begin(connection->net, count);
    for (int i = 0; i < ROUNDS_PER_TURN && taken < count && hd_connection_takes_input(connection); i++) {
        taken += hd_rpc_receive(connection->rpc, bytes + taken, count - taken);
        if (hd_net_ring_state(connection) == HD_RING_PENDING)
            hd_net_ring_made(connection);
        if (hd_rpc_connection_wants_input(connection->rpc))
            break; /* the rest is the part of a frame, or the turn's work is done */
        hd_connection_send(connection);
    }
    hd_net_turn_end(connection->net, begin_ns, taken < count);
    return taken;
}

void hd_connection_give_held(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    size_t taken = give(connection, hd_buffer_head(input), hd_buffer_readable(input));
    hd_buffer_consume(input, taken);
    if (hd_buffer_readable(input) == 0)
        empty(input);
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

/* From wherever this connection's frames come. */
static size_t receive(struct hd_connection *connection, uint8_t *to, size_t room)
{
    if (hd_net_ring_state(connection) == HD_RING_OPEN)
        return hd_net_ring_receive(connection, to, room);
    return hd_connection_recv(connection, to, room);
}

size_t hd_connection_recv(struct hd_connection *connection, uint8_t *to, size_t room)
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
        if (!hd_net_is_passing(errno))
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

/* The read buffer becomes the connection's own, as it is, and the spare one takes its place. */
static void take_read_buffer(struct hd_connection *connection, size_t begin, size_t end)
{
    struct hd_net *net = connection->net;
    struct hd_buffer *input = &connection->input;
    hd_buffer_fini(input);
    input->data = net->read_buffer;
    input->capacity_bytes = HD_NET_READ_BYTES;
    input->start = begin;
    input->end = end;
    net->read_buffer = net->spare_buffer;
    net->spare_buffer = NULL;
}

/* Keeps what is left of the read buffer, from `begin` on. */
static void keep(struct hd_connection *connection, size_t begin, size_t end)
{
    struct hd_net *net = connection->net;
    const uint8_t *bytes = net->read_buffer + begin;
    size_t count = end - begin;
    if (count == 0 || connection->broken) {
        empty(&connection->input);
        return;
    }
    hd_buffer_reset(&connection->input, SIZE_MAX);
    if (hd_buffer_append(&connection->input, bytes, count) == 0)
        return;
    /* Nothing points into the heap here: input lies in buffers of net's own. */
    if (hd_rpc_relieve(net->rpc) && hd_buffer_append(&connection->input, bytes, count) == 0)
        return;
    size_t frame_bytes = hd_rpc_frame_bytes(connection->rpc, bytes, count);
    if (frame_bytes > count || !net->spare_buffer)
        refuse_frame(connection, bytes, count);
    else
        take_read_buffer(connection, begin, end); /* whole frames are not thrown away */
}

/*
 * How much may lie in the read buffer so that it can be kept whatever happens:
 * with a spare one all of it, else what the connection has memory for.
 */
static size_t read_limit(struct hd_connection *connection)
{
    struct hd_net *net = connection->net;
    if (!net->spare_buffer)
        net->spare_buffer = hd_allocator_new(net->allocator, HD_NET_READ_BYTES);
    size_t own_bytes = connection->input.capacity_bytes;
    return net->spare_buffer || own_bytes > HD_NET_READ_BYTES ? HD_NET_READ_BYTES : own_bytes;
}

/* The beginning of a small frame is put in front of what arrives, so that frames lie in one piece. */
static void receive_shared(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    uint8_t *bytes = connection->net->read_buffer;
    size_t held = hd_buffer_readable(input);
    size_t limit = read_limit(connection);
    /* What arrives stays in the socket while memory is looked for. */
    if (held >= limit && hd_rpc_wait_for_memory(connection->rpc))
        return;
    if (held >= limit) {
        refuse_frame(connection, hd_buffer_head(input), held);
        return;
    }
    if (held)
        memcpy(bytes, hd_buffer_head(input), held);
    size_t count = receive(connection, bytes + held, limit - held);
    if (count == 0)
        return;
    count += held;
    size_t taken = give(connection, bytes, count);
    keep(connection, taken, count);
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
        if (hd_rpc_wait_for_memory(connection->rpc))
            return;
        refuse_frame(connection, hd_buffer_head(input), held);
        return;
    }
    size_t count = receive(connection, to, room);
    hd_buffer_commit(input, count);
    if (held + count == frame_bytes)
        hd_connection_give_held(connection);
}

/* The rest of a frame that was refused. */
static void receive_nothing(struct hd_connection *connection)
{
    size_t room = connection->skip_bytes < HD_NET_READ_BYTES ? connection->skip_bytes : HD_NET_READ_BYTES;
    connection->skip_bytes -= receive(connection, connection->net->read_buffer, room);
}

bool hd_connection_overhears(const struct hd_connection *connection)
{
    return !connection->broken && !connection->refusing && !connection->net->stopping && !connection->hears_no_more &&
           !connection->ended && connection->skip_bytes == 0 && hd_net_ring_state(connection) != HD_RING_PENDING &&
           hd_rpc_connection_overhears(connection->rpc);
}

void hd_connection_look_for_cancels(struct hd_connection *connection)
{
    const struct hd_buffer *input = &connection->input;
    size_t count = hd_buffer_readable(input);
    if (count <= connection->heard_bytes || !hd_rpc_connection_overhears(connection->rpc))
        return;
    connection->heard_bytes = hd_rpc_overhear(connection->rpc, hd_buffer_head(input), count, connection->heard_bytes);
    connection->net->rpc_touched = true;
}

/* Behind what waits already. */
static void receive_to_overhear(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    size_t held = hd_buffer_readable(input);
    uint8_t *to;
    size_t room = held < HD_NET_HEARD_BYTES ? HD_NET_HEARD_BYTES - held : 0;
    if (room > HEARD_AT_ONCE_BYTES)
        room = HEARD_AT_ONCE_BYTES;
    /* Without memory it stays in the socket, where it would have been anyway. */
    if (room == 0 || hd_buffer_reserve(input, room, &to)) {
        connection->hears_no_more = true;
        return;
    }
    hd_buffer_commit(input, receive(connection, to, room));
    connection->hears_no_more = hd_buffer_readable(input) >= HD_NET_HEARD_BYTES;
}

void hd_connection_receive(struct hd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    if (hd_connection_overhears(connection)) {
        receive_to_overhear(connection);
        return;
    }
    if (connection->skip_bytes) {
        receive_nothing(connection);
        return;
    }
    size_t held = hd_buffer_readable(input);
    size_t frame_bytes = held ? hd_rpc_frame_bytes(connection->rpc, hd_buffer_head(input), held) : 0;
    if (frame_bytes > HD_NET_OWN_BUFFER_BYTES)
        receive_own(connection, frame_bytes);
    else
        receive_shared(connection);
}
