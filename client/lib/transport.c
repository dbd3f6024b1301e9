#include "client/lib/transport.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/lib/call.h"
#include "client/lib/reply.h"
#include "client/lib/ring.h"
#include "client/lib/stream.h"
#include "client/lib/watch.h"
#include "heapd/v1/ring.pb-c.h"

#define HD_RECEIVE_BYTES ((size_t)64 << 10)
#define HD_INPUT_KEEP_BYTES ((size_t)256 << 10)
/* Synchronous calls in a row, each within so long of the one before, that make a ring worth its memory. */
#define HD_RING_WAITS 128
#define HD_RING_QUICK_NS 100000u

struct hd_waiter {
    struct hd_waiter *next;
    const struct hd_wait *wait;
    uint64_t own_end; /* of the output, as it was when the wait began: what it waits for lies before */
    pthread_cond_t woken;
};

static bool is_over(const struct heapd_connection *connection, const struct hd_wait *wait)
{
    switch (wait->kind) {
    case HD_WAIT_REQUEST:
        return wait->request->answered;
    case HD_WAIT_PART:
        return wait->request->answered || wait->request->stream->first;
    case HD_WAIT_OLDER:
        return !connection->requests.oldest || connection->requests.oldest->id > wait->id;
    case HD_WAIT_EVENT:
        return connection->broken || connection->events || connection->events_lost;
    case HD_WAIT_ROOM:
        return connection->broken || hd_buffer_readable(&connection->output) < connection->output_limit_bytes;
    }
    return true;
}

/* Wakes those who have what they wait for. */
static void wake_served(struct heapd_connection *connection)
{
    for (struct hd_waiter *waiter = connection->sleepers; waiter; waiter = waiter->next) {
        if (is_over(connection, waiter->wait))
            pthread_cond_signal(&waiter->woken);
    }
}

static uint64_t sent_bytes(const struct heapd_connection *connection)
{
    return connection->queued_bytes - hd_buffer_readable(&connection->output);
}

/*
 * Someone must read as long as anyone waits, and someone must write as long as
 * anyone waits for what is not sent: whoever gives up a part, or goes to sleep,
 * calls this.
 */
static void wake_successor(struct heapd_connection *connection)
{
    for (struct hd_waiter *waiter = connection->sleepers; waiter; waiter = waiter->next) {
        bool can_read = !connection->reading;
        bool can_write = !connection->writing && !connection->ring && waiter->own_end > sent_bytes(connection);
        if ((can_read || can_write) && !is_over(connection, waiter->wait)) {
            pthread_cond_signal(&waiter->woken);
            return;
        }
    }
}

void hd_transport_queue_callback(struct heapd_connection *connection, struct hd_request *request)
{
    if (connection->last_callback)
        connection->last_callback->next_callback = request;
    else
        connection->callbacks = request;
    connection->last_callback = request;
}

static void keep_failure(struct heapd_connection *connection, const struct hd_request *request)
{
    struct heapd_error *first = &connection->first_failure;
    if (first->code && first->request < request->id)
        return;
    if (request->detail) {
        *first = *request->detail;
    } else {
        (void)hd_fail(first, request->code);
        first->request = request->id;
    }
}

/* A cursor fills as many slots as it has objects to show; else all that were offered are. */
static size_t captures_filled(const struct hd_request *request)
{
    if (request->method == HEAPD_METHOD_READ_CURSOR || request->method == HEAPD_METHOD_GET_MANY)
        return request->result.as.chunk.ref_count;
    if (request->method == HEAPD_METHOD_DICT_POP_ITEM)
        return request->result.as.pair.value.kind == HEAPD_VALUE_REF;
    return request->capture_count;
}

/* The request is answered, code and result are set: free what it had and pass it on. */
static void complete(struct heapd_connection *connection, struct hd_request *request)
{
    struct hd_slots *slots = &connection->slots;
    hd_request_table_answered(&connection->requests, request);
    if (request->method == HD_METHOD_OPEN_RING)
        connection->ring_asked = false;
    bool filled = request->code == 0 && request->result.value.kind == HEAPD_VALUE_REF;
    if (request->code == 0 && request->method == HEAPD_METHOD_DICT_POP_ITEM)
        filled = request->result.as.pair.key.kind == HEAPD_VALUE_REF;
    if (request->into)
        hd_slots_answered(slots, request->into, filled);
    for (uint32_t i = 0; i < request->capture_count; i++)
        hd_slots_answered(slots, request->captures_into + i, request->code == 0 && i < captures_filled(request));
    if (request->early_release)
        hd_slots_early_answered(slots, request->early_release, request->code == 0);
    if (request->callback) {
        hd_transport_queue_callback(connection, request);
    } else if (!request->ticketed) {
        if (request->code && request->reported)
            keep_failure(connection, request);
        if (filled && !request->handed_out)
            (void)hd_slots_release(slots, request->into);
        hd_request_table_remove(&connection->requests, request);
    }
}

/* Copies the detail; without memory for it the code must do. */
static void fail_request(struct heapd_connection *connection, struct hd_request *request,
                         const struct heapd_error *detail)
{
    request->code = detail->code;
    request->detail = malloc(sizeof *request->detail);
    if (request->detail) {
        *request->detail = *detail;
        request->detail->request = request->id;
    }
    complete(connection, request);
}

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
    while (connection->requests.oldest)
        fail_request(connection, connection->requests.oldest, detail);
    wake_served(connection);
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
        hd_buffer_reset(output, HD_INPUT_KEEP_BYTES);
}

/* While a ring was asked for, nothing goes behind that. */
static size_t sendable_bytes(const struct heapd_connection *connection)
{
    size_t count = hd_buffer_readable(&connection->output);
    if (!connection->ring_asked)
        return count;
    uint64_t allowed = connection->ring_asked_end - sent_bytes(connection);
    return count < allowed ? count : (size_t)allowed;
}

void hd_transport_send(struct heapd_connection *connection)
{
    struct hd_buffer *output = &connection->output;
    if (connection->ring) {
        send_into_ring(connection);
        return;
    }
    while (!connection->broken && sendable_bytes(connection) > 0) {
        ssize_t sent =
            send(connection->fd, hd_buffer_head(output), sendable_bytes(connection), MSG_DONTWAIT | MSG_NOSIGNAL);
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
        hd_buffer_reset(output, HD_INPUT_KEEP_BYTES);
}

/* A reply's handle must be the slot that was offered: anything else would be a reference that nobody gives back. */
static bool is_consistent(const struct hd_request *request)
{
    return request->result.value.kind != HEAPD_VALUE_REF || request->result.value.as.ref == request->into;
}

/* The daemon has gone over to the ring behind this reply; so do we, or it is over. */
static void take_ring(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                      const uint8_t *body)
{
    Heapd__V1__OpenRingReply *reply = heapd__v1__open_ring_reply__unpack(NULL, frame->body_bytes, body);
    int code = HD_EPROTOCOL;
    if (reply && request->descriptor >= 0)
        code =
            hd_client_ring_new(request->descriptor, reply->to_daemon_bytes, reply->to_client_bytes, &connection->ring);
    if (reply)
        heapd__v1__open_ring_reply__free_unpacked(reply, NULL);
    if (code)
        hd_transport_break(connection, code, "the daemon's ring cannot be used: %s", hd_error_text(code));
    else
        complete(connection, request);
}

static void take_reply(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                       const uint8_t *body)
{
    if (frame->method != request->method) {
        hd_transport_break(connection, HD_EPROTOCOL, "a reply of method %u answers a request of method %u",
                           frame->method, request->method);
        return;
    }
    if (frame->method == HD_METHOD_OPEN_RING) {
        take_ring(connection, request, frame, body);
        return;
    }
    int code = 0;
    if (request->stream)
        code = frame->body_bytes ? hd_stream_push(request->stream, body, frame->body_bytes) : 0;
    else if (!request->streams) /* else its reader has closed it */
        code = hd_reply_decode(&connection->arena, frame->method, body, frame->body_bytes, &request->result);
    hd_arena_reset(&connection->arena);
    if (code == HD_EPROTOCOL || !is_consistent(request)) {
        hd_transport_break(connection, HD_EPROTOCOL,
                           "the reply to request %llu is no reply of method %u; check the daemon's version",
                           (unsigned long long)request->id, frame->method);
        return;
    }
    if (code) {
        struct heapd_error detail;
        (void)hd_fail_with(&detail, code, "this process has no memory for the reply");
        fail_request(connection, request, &detail);
        return;
    }
    if (frame->flags & HD_FRAME_MORE)
        return;
    complete(connection, request);
}

static void take_failure(struct heapd_connection *connection, struct hd_request *request, const struct hd_frame *frame,
                         const uint8_t *body)
{
    struct heapd_error detail;
    hd_reply_decode_error(&connection->arena, body, frame->body_bytes, &detail);
    hd_arena_reset(&connection->arena);
    if (request)
        fail_request(connection, request, &detail);
    else
        hd_transport_break(connection, detail.code, "%s", detail.message);
}

static void hear_bells(struct heapd_connection *connection);

/* The descriptors that the frame counts: one to the request that waits for it. Beside a ring they came ahead of it. */
static bool take_descriptors(struct heapd_connection *connection, struct hd_request *request, unsigned count)
{
    if (count && connection->ring && connection->descriptors.count < count)
        hear_bells(connection);
    for (unsigned i = 0; i < count; i++) {
        int fd = hd_descriptors_take(&connection->descriptors);
        if (fd == HD_DESCRIPTOR_LOST)
            continue;
        if (fd < 0) {
            hd_transport_break(connection, HD_EPROTOCOL, "a descriptor did not come with its frame");
            return false;
        }
        if (request && request->descriptor < 0)
            request->descriptor = fd;
        else
            close(fd);
    }
    return true;
}

static void take_frame(struct heapd_connection *connection, const struct hd_frame *frame, const uint8_t *body)
{
    /* An event with an error is no change that was told: it says why the connection ends. */
    if (frame->flags & HD_FRAME_EVENT && !(frame->flags & HD_FRAME_ERROR)) {
        hd_watch_take(connection, frame, body);
        return;
    }
    struct hd_request *request = hd_request_table_find(&connection->requests, frame->request_id);
    if (request && request->answered)
        request = NULL;
    if (frame->descriptors && !take_descriptors(connection, request, frame->descriptors))
        return;
    if (frame->flags & HD_FRAME_ERROR)
        take_failure(connection, request, frame, body);
    else if (request && (request->streams || !(frame->flags & HD_FRAME_MORE)))
        take_reply(connection, request, frame, body);
    else
        hd_transport_break(connection, HD_EPROTOCOL, "a reply answers request %llu, which was not asked",
                           (unsigned long long)frame->request_id);
}

/* Hands out the whole frames of the input. */
static void take_frames(struct heapd_connection *connection)
{
    struct hd_buffer *input = &connection->input;
    while (!connection->broken) {
        struct hd_frame frame;
        size_t count = hd_buffer_readable(input);
        int code = hd_frame_read(hd_buffer_head(input), count, connection->server.max_frame_bytes, &frame);
        if (code == 1)
            break;
        if (code) {
            hd_transport_break(connection, HD_EPROTOCOL, "the daemon sent what is no frame: %s", hd_error_text(code));
            break;
        }
        size_t whole = HD_FRAME_HEADER_BYTES + frame.body_bytes;
        if (count < whole)
            break;
        take_frame(connection, &frame, hd_buffer_head(input) + HD_FRAME_HEADER_BYTES);
        hd_buffer_consume(input, whole);
    }
    if (hd_buffer_readable(input) == 0)
        hd_buffer_reset(input, HD_INPUT_KEEP_BYTES);
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
        take_frames(connection);
        wake_served(connection);
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

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For poll: what is left until the deadline, at least 0; -1: no deadline. */
static int left_ms(int64_t deadline_ms)
{
    if (deadline_ms < 0)
        return -1;
    int64_t left = deadline_ms - now_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Sleeps in poll without the lock. */
static short poll_unlocked(struct heapd_connection *connection, short events, int64_t deadline_ms)
{
    struct pollfd poller = {.fd = connection->fd, .events = events};
    int timeout_ms = left_ms(deadline_ms);
    pthread_mutex_unlock(&connection->lock);
    int ready = poll(&poller, 1, timeout_ms);
    pthread_mutex_lock(&connection->lock);
    return ready > 0 ? poller.revents : 0;
}

/* As below, beside a ring, where the one who reads also sees to what could not be written. */
static void ring_turn(struct heapd_connection *connection, int64_t deadline_ms)
{
    bool unsent = hd_buffer_readable(&connection->output) > 0;
    int timeout_ms = left_ms(deadline_ms);
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
        wake_served(connection); /* those who wait for room */
    }
    (void)hd_transport_receive(connection);
}

/* One turn of the reader: sleeps until something comes, or the socket takes more, or the time is over. */
static void read_turn(struct heapd_connection *connection, int64_t deadline_ms)
{
    uint8_t *to;
    size_t bytes;
    if (connection->ring) {
        ring_turn(connection, deadline_ms);
        return;
    }
    if (reserve_input(connection, &to, &bytes))
        return;
    bool write_too = sendable_bytes(connection) > 0 && !connection->writing;
    connection->reading = true;
    if (deadline_ms < 0 && !write_too) {
        pthread_mutex_unlock(&connection->lock);
        ssize_t count = hd_descriptors_recv(&connection->descriptors, connection->fd, to, bytes, 0);
        int failure = errno;
        pthread_mutex_lock(&connection->lock);
        connection->reading = false;
        (void)received(connection, count, failure);
        return;
    }
    connection->writing |= write_too;
    short ready = poll_unlocked(connection, (short)(POLLIN | (write_too ? POLLOUT : 0)), deadline_ms);
    connection->reading = false;
    if (write_too)
        connection->writing = false;
    if (ready & ~POLLOUT)
        (void)hd_transport_receive(connection);
    if (ready & POLLOUT) {
        hd_transport_send(connection);
        wake_served(connection); /* those who wait for room */
    }
}

static void write_turn(struct heapd_connection *connection, int64_t deadline_ms)
{
    connection->writing = true;
    (void)poll_unlocked(connection, POLLOUT, deadline_ms);
    connection->writing = false;
    hd_transport_send(connection);
    wake_served(connection);
}

/* Another thread reads: sleeps until it is our turn or our reply is there. */
static void sleep_turn(struct heapd_connection *connection, struct hd_waiter *waiter, int64_t deadline_ms)
{
    wake_successor(connection);
    waiter->next = connection->sleepers;
    connection->sleepers = waiter;
    if (deadline_ms < 0) {
        pthread_cond_wait(&waiter->woken, &connection->lock);
    } else {
        struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = (deadline_ms % 1000) * 1000000};
        (void)pthread_cond_timedwait(&waiter->woken, &connection->lock, &until);
    }
    struct hd_waiter **link = &connection->sleepers;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
}

static void waiter_init(struct hd_waiter *waiter, const struct heapd_connection *connection, const struct hd_wait *wait)
{
    waiter->wait = wait;
    waiter->own_end = connection->queued_bytes;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->woken, &attributes);
    pthread_condattr_destroy(&attributes);
}

int hd_transport_wait(struct heapd_connection *connection, const struct hd_wait *wait, int timeout_ms)
{
    struct hd_waiter waiter;
    waiter_init(&waiter, connection, wait);
    int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    int result = 0;
    hd_transport_send(connection);
    if (timeout_ms == 0)
        (void)hd_transport_receive(connection);
    while (!is_over(connection, wait)) {
        if (deadline_ms >= 0 && left_ms(deadline_ms) == 0) {
            result = HEAPD_PENDING;
            break;
        }
        if (!connection->reading)
            read_turn(connection, deadline_ms);
        else if (sent_bytes(connection) < waiter.own_end && !connection->writing && !connection->ring &&
                 sendable_bytes(connection) > 0)
            write_turn(connection, deadline_ms);
        else
            sleep_turn(connection, &waiter, deadline_ms);
    }
    wake_successor(connection);
    pthread_cond_destroy(&waiter.woken);
    if (timeout_ms == 0)
        hd_transport_arm(connection);
    return result;
}

void hd_transport_open_ring(struct heapd_connection *connection)
{
    Heapd__V1__OpenRingRequest message = HEAPD__V1__OPEN_RING_REQUEST__INIT;
    struct hd_call call = {.method = HD_METHOD_OPEN_RING, .message = &message.base};
    struct hd_request *request;
    connection->ring_wanted = HEAPD_RING_NEVER; /* asked once */
    if (hd_call_queue(connection, &call, &request, NULL))
        return;
    connection->ring_asked = true;
    connection->ring_asked_end = connection->queued_bytes;
    struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
    request->claimed = true;
    int timed_out = hd_transport_wait(connection, &wait, -1);
    (void)timed_out;                                     /* without a timeout it cannot be */
    (void)hd_call_take(connection, request, NULL, NULL); /* refused: the socket does */
    hd_transport_send(connection);                       /* what others began meanwhile */
}

void hd_transport_consider_ring(struct heapd_connection *connection)
{
    if (connection->ring_wanted != HEAPD_RING_AUTO || ++connection->waits < HD_RING_WAITS)
        return;
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    uint64_t now_ns = (uint64_t)clock.tv_sec * 1000000000u + (uint64_t)clock.tv_nsec;
    bool quick = now_ns - connection->quick_since_ns < (uint64_t)HD_RING_WAITS * HD_RING_QUICK_NS;
    connection->waits = 0;
    connection->quick_since_ns = now_ns;
    bool alone = connection->requests.unanswered_count == 0 && hd_buffer_readable(&connection->output) == 0 &&
                 !connection->reading && !connection->writing && !connection->sleepers;
    /* In a batch the daemon would keep the request, and refuse it and the batch with it. */
    if (quick && alone && !connection->in_batch && !connection->broken && !connection->closing)
        hd_transport_open_ring(connection);
}
