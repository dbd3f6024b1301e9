#include "client/lib/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/lib/incoming.h"
#include "client/lib/ring.h"
#include "client/lib/wait.h"

#define HD_RECEIVE_BYTES ((size_t)64 << 10)

void hd_transport_break(struct heapd_connection *connection, int code, const char *format, ...)
{
    if (connection->broken)
        return;
    connection->broken = code;
    struct heapd_error *detail = &connection->broken_detail;
    (void)hd_fail(detail, code);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail->message, sizeof detail->message, format, arguments);
    va_end(arguments);
    hd_buffer_reset(&connection->output, 0);
    /* Another thread may sleep in recv or poll. */
    (void)shutdown(connection->fd, SHUT_RDWR);
    hd_incoming_fail_all(connection, detail);
    hd_wait_wake_served(connection);
}

/* The daemon sleeps, or waits for room in what it sends us. */
static void ring_bell(struct heapd_connection *connection)
{
    static const char bell = 0;
    ssize_t sent;
    do {
        sent = send(connection->fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    /* A full socket has a bell already, and a closed one is found by whoever waits. */
}

static void send_into_ring(struct heapd_connection *connection)
{
    struct hd_client_ring *ring = connection->ring;
    struct hd_buffer *output = &connection->output;
    size_t done = 0;
    size_t taken;
    ring->full = false;
    while (!connection->broken && hd_buffer_readable(output) > 0) {
        if (hd_ring_write(&ring->ring, hd_buffer_head(output), hd_buffer_readable(output), &taken)) {
            hd_transport_break(connection, HD_EPROTOCOL, "the daemon's ring makes no sense");
            return;
        }
        hd_buffer_consume(output, taken);
        done += taken;
        if (taken == 0 && ring->full)
            break;
        /* Said before the last look, so that the daemon either has made room or sees it. */
        ring->full = hd_buffer_readable(output) > 0;
        if (ring->full)
            hd_ring_want(&ring->ring, HD_RING_WANTS_ROOM);
    }
    if (done && hd_ring_bell_due(&ring->ring))
        ring_bell(connection);
    if (hd_buffer_readable(output) == 0)
        hd_buffer_reset(output, HD_TRANSPORT_KEEP_BYTES);
}

uint64_t hd_transport_sent_bytes(const struct heapd_connection *connection)
{
    return connection->queued_bytes - hd_buffer_readable(&connection->output);
}

size_t hd_transport_sendable_bytes(const struct heapd_connection *connection)
{
    size_t count = hd_buffer_readable(&connection->output);
    if (!connection->ring_asked)
        return count;
    uint64_t allowed = connection->ring_asked_end - hd_transport_sent_bytes(connection);
    return count < allowed ? count : (size_t)allowed;
}

void hd_transport_send(struct heapd_connection *connection)
{
    struct hd_buffer *output = &connection->output;
    if (connection->ring) {
        send_into_ring(connection);
        return;
    }
    while (!connection->broken && hd_transport_sendable_bytes(connection) > 0) {
        ssize_t sent = send(connection->fd, hd_buffer_head(output), hd_transport_sendable_bytes(connection),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            /*
             * Replies, and the reason why, may have come before the end. A socket that is shut down still gives what
             * it received and then its end, which breaks the connection: here, or in the thread that reads.
             */
            hd_buffer_reset(output, 0);
            (void)shutdown(connection->fd, SHUT_RDWR);
            while (hd_transport_receive(connection))
                ;
            return;
        }
        if (sent < 0) {
            char text[96];
            hd_transport_break(connection, HD_ECLOSED, "the connection is lost: %s",
                               strerror_r(errno, text, sizeof text));
            return;
        }
        hd_buffer_consume(output, (size_t)sent);
    }
    if (hd_buffer_readable(output) == 0)
        hd_buffer_reset(output, HD_TRANSPORT_KEEP_BYTES);
}

/* How much to make room for: the rest of a large frame that has begun, or what usually comes. */
static size_t wanted_bytes(const struct heapd_connection *connection)
{
    const struct hd_buffer *input = &connection->input;
    struct hd_frame frame;
    size_t count = hd_buffer_readable(input);
    if (hd_frame_read(hd_buffer_head(input), count, connection->server.max_frame_bytes, &frame) == 0) {
        size_t whole = HD_FRAME_HEADER_BYTES + frame.body_bytes;
        if (whole > count && whole - count > HD_RECEIVE_BYTES)
            return whole - count;
    }
    return HD_RECEIVE_BYTES;
}

/* What recv returned, with errno as it left it. True if something came. */
static bool received(struct heapd_connection *connection, ssize_t count, int failure)
{
    if (connection->broken)
        return false;
    if (count > 0) {
        hd_buffer_commit(&connection->input, (size_t)count);
        hd_incoming_take(connection);
        hd_wait_wake_served(connection);
        return true;
    }
    if (count == 0) {
        hd_transport_break(connection, HD_ECLOSED,
                           connection->closing ? "the connection was closed"
                                               : "the daemon closed the connection; whether requests without a reply "
                                                 "ran is not known; connect again");
    } else if (failure != EINTR && failure != EAGAIN && failure != EWOULDBLOCK) {
        char text[96];
        hd_transport_break(connection, HD_ECLOSED, "the connection is lost: %s",
                           strerror_r(failure, text, sizeof text));
    }
    return false;
}

static int reserve_input(struct heapd_connection *connection, uint8_t **to, size_t *bytes)
{
    *bytes = wanted_bytes(connection);
    int code = hd_buffer_reserve(&connection->input, *bytes, to);
    if (code)
        hd_transport_break(connection, code, "this process has no memory for a reply");
    return code;
}

/* Beside a ring: bytes that mean nothing but "look", descriptors, or the end. */
static void hear_bells(struct heapd_connection *connection)
{
    char bells[64];
    ssize_t count;
    do {
        count = hd_descriptors_recv(&connection->descriptors, connection->fd, bells, sizeof bells, MSG_DONTWAIT);
    } while (count > 0 || (count < 0 && errno == EINTR));
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        connection->ring->hung_up = true;
}

struct hd_ring_sleep {
    struct heapd_connection *connection;
    int timeout_ms;
};

/*
 * Until a bell. One receive takes it, as one receive takes a reply from a socket: what it leaves is another bell, and
 * wakes the next sleeper for nothing. By the thread that reads, without the lock.
 */
static void sleep_until_bell(void *context)
{
    const struct hd_ring_sleep *sleep = context;
    struct heapd_connection *connection = sleep->connection;
    char bells[64];
    if (sleep->timeout_ms >= 0) {
        struct pollfd poller = {.fd = connection->fd, .events = POLLIN};
        if (poll(&poller, 1, sleep->timeout_ms) <= 0)
            return;
    }
    ssize_t count = hd_descriptors_recv(&connection->descriptors, connection->fd, bells, sizeof bells,
                                        sleep->timeout_ms >= 0 ? MSG_DONTWAIT : 0);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
        connection->ring->hung_up = true;
}

static bool receive_from_ring(struct heapd_connection *connection, uint8_t *to, size_t bytes)
{
    struct hd_client_ring *ring = connection->ring;
    size_t count;
    if (hd_ring_read(&ring->ring, to, bytes, &count)) {
        hd_transport_break(connection, HD_EPROTOCOL, "the daemon's ring makes no sense");
        return false;
    }
    if (count == 0)
        return ring->hung_up ? received(connection, 0, 0) : false;
    if (hd_ring_bell_due(&ring->ring))
        ring_bell(connection);
    return received(connection, (ssize_t)count, 0);
}

bool hd_transport_receive(struct heapd_connection *connection)
{
    uint8_t *to;
    size_t bytes;
    if (connection->reading || connection->broken || reserve_input(connection, &to, &bytes))
        return false;
    if (connection->ring)
        return receive_from_ring(connection, to, bytes);
    ssize_t count = hd_descriptors_recv(&connection->descriptors, connection->fd, to, bytes, MSG_DONTWAIT);
    return received(connection, count, errno);
}

void hd_transport_hear(struct heapd_connection *connection)
{
    if (connection->ring && !connection->reading && !connection->broken)
        hear_bells(connection);
}

void hd_transport_arm(struct heapd_connection *connection)
{
    while (connection->ring && !connection->broken && !connection->reading) {
        if (connection->ring->hung_up || hd_client_ring_arm(connection->ring))
            return;
        (void)hd_transport_receive(connection);
    }
}

/* Sleeps in poll without the lock. */
static short poll_unlocked(struct heapd_connection *connection, short events, int timeout_ms)
{
    struct pollfd poller = {.fd = connection->fd, .events = events};
    pthread_mutex_unlock(&connection->lock);
    int ready = poll(&poller, 1, timeout_ms);
    pthread_mutex_lock(&connection->lock);
    return ready > 0 ? poller.revents : 0;
}

/* As below, beside a ring, where the one who reads also sees to what could not be written. */
static void ring_turn(struct heapd_connection *connection, int timeout_ms)
{
    bool unsent = hd_buffer_readable(&connection->output) > 0;
    connection->reading = true;
    pthread_mutex_unlock(&connection->lock);
    struct hd_ring_sleep sleep = {.connection = connection, .timeout_ms = timeout_ms};
    (void)hd_client_ring_await(connection->ring, unsent, timeout_ms != 0, sleep_until_bell, &sleep);
    pthread_mutex_lock(&connection->lock);
    connection->reading = false;
    if (connection->broken)
        return;
    if (hd_buffer_readable(&connection->output) > 0) {
        hd_transport_send(connection);
        hd_wait_wake_served(connection); /* those who wait for room */
    }
    (void)hd_transport_receive(connection);
}

/* One turn of the reader: sleeps until something comes, or the socket takes more, or the time is over. */
void hd_transport_read_turn(struct heapd_connection *connection, int timeout_ms)
{
    uint8_t *to;
    size_t bytes;
    if (connection->ring) {
        ring_turn(connection, timeout_ms);
        return;
    }
    if (reserve_input(connection, &to, &bytes))
        return;
    bool write_too = hd_transport_sendable_bytes(connection) > 0 && !connection->writing;
    connection->reading = true;
    if (timeout_ms < 0 && !write_too) {
        pthread_mutex_unlock(&connection->lock);
        ssize_t count = hd_descriptors_recv(&connection->descriptors, connection->fd, to, bytes, 0);
        int failure = errno;
        pthread_mutex_lock(&connection->lock);
        connection->reading = false;
        (void)received(connection, count, failure);
        return;
    }
    connection->writing |= write_too;
    short ready = poll_unlocked(connection, (short)(POLLIN | (write_too ? POLLOUT : 0)), timeout_ms);
    connection->reading = false;
    if (write_too)
        connection->writing = false;
    if (ready & ~POLLOUT)
        (void)hd_transport_receive(connection);
    if (ready & POLLOUT) {
        hd_transport_send(connection);
        hd_wait_wake_served(connection); /* those who wait for room */
    }
}

void hd_transport_write_turn(struct heapd_connection *connection, int timeout_ms)
{
    connection->writing = true;
    (void)poll_unlocked(connection, POLLOUT, timeout_ms);
    connection->writing = false;
    hd_transport_send(connection);
    hd_wait_wake_served(connection);
}
