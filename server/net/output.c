/* From the rpc server to the socket, and the refusals that are net's own. */
#include <errno.h>
#include <heapd/v1/value.pb-c.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame.h"
#include "net/private.h"

/* How many pieces of output may leave in one turn. */
#define PIECES_PER_TURN 4
#define REFUSAL_BYTES 512
/* What one who is refused may have sent already is read and thrown away, up to so many times. */
#define DRAIN_READS 8

/* --- refusals --- */

/* Packs an Error; the size of the frame. */
static size_t pack_error(uint8_t out[REFUSAL_BYTES], struct hd_frame frame, int error, const char *message)
{
    Heapd__V1__Error body = HEAPD__V1__ERROR__INIT;
    body.status = (Heapd__V1__Status)hd_error_status(error);
    body.code = (uint32_t)-error;
    body.message = (char *)(uintptr_t)message; /* protobuf-c's fields are not const; it only reads */
    size_t body_bytes = heapd__v1__error__get_packed_size(&body);
    if (body_bytes > REFUSAL_BYTES - HD_FRAME_HEADER_BYTES) {
        body.message = (char *)(uintptr_t)hd_error_text(error);
        body_bytes = heapd__v1__error__get_packed_size(&body);
    }
    frame.body_bytes = (uint32_t)body_bytes;
    hd_frame_write(out, &frame);
    (void)heapd__v1__error__pack(&body, out + HD_FRAME_HEADER_BYTES);
    return HD_FRAME_HEADER_BYTES + body_bytes;
}

void hd_connection_refuse(int fd, int error, const char *message)
{
    uint8_t bytes[REFUSAL_BYTES];
    struct hd_frame frame = {.flags = HD_FRAME_EVENT | HD_FRAME_ERROR};
    size_t count = pack_error(bytes, frame, error, message);
    (void)!send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* Closed with a Hello unread, the socket would tell its peer of a reset, and not what was sent. */
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < DRAIN_READS && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++)
        ;
    close(fd);
}

/* The same bytes each time: what was sent of them is counted, not kept. */
static size_t pack_refusal(const struct hd_connection *connection, uint8_t out[REFUSAL_BYTES])
{
    char message[256];
    (void)snprintf(message, sizeof message, "no memory to take in a request of %u bytes: %s",
                   connection->refused.body_bytes, hd_error_text(HD_ENOMEM));
    struct hd_frame frame = {
        .method = connection->refused.method, .request_id = connection->refused.request_id, .flags = HD_FRAME_ERROR};
    return pack_error(out, frame, HD_ENOMEM, message);
}

/* --- sending --- */

bool hd_net_is_passing(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS || number == ENOMEM;
}

bool hd_connection_has_output(const struct hd_connection *connection)
{
    size_t count;
    (void)hd_rpc_output(connection->rpc, &count);
    return count > 0 || connection->refusing;
}

/* A descriptor goes with the first byte. What sendmsg says, with errno. */
static ssize_t send_with(int socket, int fd, const uint8_t *bytes, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count}; /* it only reads */
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Bytes whose first takes the descriptor along. 0: not now. A peer that cannot be given it is lost. */
static size_t send_descriptor(struct hd_connection *connection, int fd, const uint8_t *bytes, size_t count)
{
    while (!connection->deaf) {
        ssize_t sent = send_with(connection->fd, fd, bytes, count);
        if (sent > 0)
            return (size_t)sent;
        if (sent == 0 || hd_net_is_passing(errno))
            return 0;
        if (errno != EINTR && errno != EPIPE && errno != ECONNRESET)
            connection->broken = true; /* more descriptors on their way than the system allows, or not a Unix socket */
        connection->deaf = errno != EINTR;
    }
    return count;
}

bool hd_connection_ring_bell(struct hd_connection *connection, int fd)
{
    static const uint8_t bell = 0;
    return send_descriptor(connection, fd, &bell, 1) > 0;
}

/* What the kernel takes now; all of it, thrown away, when the peer is deaf. */
static size_t send_bytes(struct hd_connection *connection, const uint8_t *bytes, size_t count)
{
    if (!connection->deaf && hd_net_ring_state(connection) == HD_RING_OPEN)
        return hd_net_ring_send(connection, bytes, count);
    while (!connection->deaf) {
        ssize_t sent = send(connection->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            connection->net->stats.sent_bytes += (uint64_t)sent;
            return (size_t)sent;
        }
        if (hd_net_is_passing(errno))
            return 0;
        connection->deaf = errno != EINTR;
    }
    return count;
}

/*
 * Output up to the next frame that takes a descriptor along, or from there up to the one after that. What went, of
 * *wanted. Beside a ring the descriptor goes with a bell, and its frame into the ring.
 */
static size_t send_frames(struct hd_connection *connection, const uint8_t *bytes, size_t count, size_t *wanted)
{
    size_t before;
    int fd = hd_rpc_next_descriptor(connection->rpc, &before);
    if (fd < 0 || before > 0) {
        *wanted = fd < 0 || before > count ? count : before;
        return send_bytes(connection, bytes, *wanted);
    }
    *wanted = hd_rpc_descriptor_reach(connection->rpc, count);
    if (hd_net_ring_state(connection) == HD_RING_OPEN) {
        if (!hd_connection_ring_bell(connection, fd))
            return 0;
        hd_rpc_descriptor_sent(connection->rpc);
        return send_bytes(connection, bytes, *wanted);
    }
    size_t sent = send_descriptor(connection, fd, bytes, *wanted);
    if (sent == 0)
        return 0;
    hd_rpc_descriptor_sent(connection->rpc);
    connection->net->stats.sent_bytes += connection->deaf ? 0 : sent;
    return sent;
}

static bool send_refusal(struct hd_connection *connection)
{
    uint8_t bytes[REFUSAL_BYTES];
    size_t count = pack_refusal(connection, bytes);
    connection->refusal_sent_bytes +=
        send_bytes(connection, bytes + connection->refusal_sent_bytes, count - connection->refusal_sent_bytes);
    if (connection->refusal_sent_bytes < count)
        return false;
    connection->refusal_sent_bytes = 0;
    connection->refusing = false;
    return true;
}

void hd_connection_send(struct hd_connection *connection)
{
    for (int i = 0; i < PIECES_PER_TURN; i++) {
        size_t count;
        const uint8_t *bytes = hd_rpc_output(connection->rpc, &count);
        /* A frame is never put into the middle of another one. */
        bool refusal_is_next = connection->refusal_sent_bytes > 0 || (connection->refusing && count == 0);
        if (refusal_is_next) {
            if (!send_refusal(connection))
                return;
            continue;
        }
        if (count == 0)
            return;
        size_t wanted;
        size_t sent = send_frames(connection, bytes, count, &wanted);
        if (sent) {
            hd_rpc_sent(connection->rpc, sent);
            hd_net_ring_socket_sent(connection, sent);
        }
        if (sent < wanted)
            return;
    }
}
