#include "client/lib/wait.h"

#include <time.h>

#include "client/lib/call.h"
#include "client/lib/ring.h"
#include "client/lib/stream.h"
#include "client/lib/transport.h"
#include "heapd/v1/ring.pb-c.h"

/* Waits in a row, each within so long of the one before, that make a ring worth its memory. */
#define HD_RING_WAITS 128
#define HD_RING_QUICK_NS 100000u

struct hd_waiter {
    struct hd_waiter *next;
    const struct hd_wait *wait;
    uint64_t own_end; /* of the output, as it was when the wait began: what it waits for lies before */
    pthread_cond_t woken;
};

/* A follow is answered in parts for as long as somebody reads it: whoever waits for all others does not wait for it. */
static bool is_done_up_to(const struct hd_request_table *requests, uint64_t id)
{
    const struct hd_request *request = requests->oldest;
    while (request && request->streams)
        request = request->newer;
    return !request || request->id > id;
}

static bool is_over(const struct heapd_connection *connection, const struct hd_wait *wait)
{
    switch (wait->kind) {
    case HD_WAIT_REQUEST:
        return wait->request->answered;
    case HD_WAIT_PART:
        return wait->request->answered || wait->request->stream->first;
    case HD_WAIT_OLDER:
        return is_done_up_to(&connection->requests, wait->id);
    case HD_WAIT_EVENT:
        return connection->broken || connection->events || connection->events_lost;
    case HD_WAIT_ROOM:
        return connection->broken || hd_buffer_readable(&connection->output) < connection->output_limit_bytes;
    }
    return true;
}

void hd_wait_wake_served(struct heapd_connection *connection)
{
    for (struct hd_waiter *waiter = connection->sleepers; waiter; waiter = waiter->next) {
        if (is_over(connection, waiter->wait))
            pthread_cond_signal(&waiter->woken);
    }
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
        bool can_write =
            !connection->writing && !connection->ring && waiter->own_end > hd_transport_sent_bytes(connection);
        if ((can_read || can_write) && !is_over(connection, waiter->wait)) {
            pthread_cond_signal(&waiter->woken);
            return;
        }
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

/* Nothing that the ring would have to overtake, nobody who sleeps in the socket, and no batch, which would keep it. */
static bool is_alone(const struct heapd_connection *connection)
{
    return connection->requests.unanswered_count == 0 && hd_buffer_readable(&connection->output) == 0 &&
           !connection->reading && !connection->writing && !connection->sleepers && !connection->broken &&
           !connection->closing && !connection->in_batch;
}

/* After a wait for a reply. */
static void consider_ring(struct heapd_connection *connection)
{
    if (connection->waits > 0 && connection->waits < HD_RING_WAITS) {
        connection->waits++;
        return;
    }
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    uint64_t now_ns = (uint64_t)clock.tv_sec * 1000000000u + (uint64_t)clock.tv_nsec;
    bool quick = connection->waits > 0 && now_ns - connection->quick_since_ns < HD_RING_WAITS * HD_RING_QUICK_NS;
    connection->waits = 1;
    connection->quick_since_ns = now_ns;
    if (quick && is_alone(connection))
        hd_wait_open_ring(connection);
}

int hd_wait_for(struct heapd_connection *connection, const struct hd_wait *wait, int timeout_ms)
{
    struct hd_waiter waiter;
    waiter_init(&waiter, connection, wait);
    int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    int result = 0;
    bool is_for_reply = timeout_ms != 0 && (wait->kind == HD_WAIT_REQUEST || wait->kind == HD_WAIT_OLDER);
    hd_transport_send(connection);
    if (timeout_ms == 0)
        (void)hd_transport_receive(connection);
    while (!is_over(connection, wait)) {
        if (deadline_ms >= 0 && left_ms(deadline_ms) == 0) {
            result = HEAPD_PENDING;
            break;
        }
        if (!connection->reading)
            hd_transport_read_turn(connection, left_ms(deadline_ms));
        else if (hd_transport_sent_bytes(connection) < waiter.own_end && !connection->writing && !connection->ring &&
                 hd_transport_sendable_bytes(connection) > 0)
            hd_transport_write_turn(connection, left_ms(deadline_ms));
        else
            sleep_turn(connection, &waiter, deadline_ms);
    }
    wake_successor(connection);
    pthread_cond_destroy(&waiter.woken);
    if (timeout_ms == 0)
        hd_transport_arm(connection);
    if (result == 0 && is_for_reply && connection->ring_wanted == HEAPD_RING_AUTO)
        consider_ring(connection);
    return result;
}

void hd_wait_open_ring(struct heapd_connection *connection)
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
    int timed_out = hd_wait_for(connection, &wait, -1);
    (void)timed_out;                                     /* without a timeout it cannot be */
    (void)hd_call_take(connection, request, NULL, NULL); /* refused: the socket does */
    hd_transport_send(connection);                       /* what others began meanwhile */
}
