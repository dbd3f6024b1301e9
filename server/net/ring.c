/*
 * Connections whose frames go through shared memory.
 *
 * An active ring is polled: the loop's thread looks at all of them in turn and gives those that have input their turn,
 * for as long as RUN_NS before the sockets are looked at again. One that is silent for longer than its pace says is put
 * to sleep: it is taken out of the list, and the client rings the bell, a byte on the socket, which libuv tells us of.
 * So a daemon whose clients are silent sleeps in the kernel, however many rings there are.
 *
 *     in the list  <=> the connection wants input, and the daemon's flag is not set for input
 *     asleep       <=> it wants input, and the flag is set (or was taken, and a bell is on its way)
 *     neither      <=> the connection wants no input now: its output is full, or it holds frames already
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "common/ring.h"
#include "net/private.h"

#define RING_BYTES (64u << 10)
/* How long the sockets are not looked at while rings are busy and no socket was. */
#define RUN_NS 30000u
/* Looks without a find before the clock is read and the processor perhaps given away. */
#define LOOKS 16

/* Whoever fills the socket with bells is heard in the next turn, too. */
#define HEAR_ROUNDS 16

struct hd_net_ring {
    struct hd_ring ring;
    struct hd_connection *connection; /* borrow */
    struct hd_ring_control *control;  /* own: the mapping, all of it */
    struct hd_net_ring *next;         /* of the active ones */
    struct hd_net_ring *previous;
    size_t memory_bytes;
    size_t socket_bytes; /* while pending: output that goes over the socket first */
    uint64_t last_ns;    /* when it last had input */
    struct hd_ring_pace pace;
    uint64_t worked_ns; /* what its last turn took */
    enum hd_ring_state state;
    bool active;
    bool hung_up; /* the socket has ended; what lies in the ring is still run */
};

static uint64_t now_ns(const struct hd_net *net)
{
    return net->os->now_ns(net->os->context);
}

enum hd_ring_state hd_net_ring_state(const struct hd_connection *connection)
{
    return connection->ring ? connection->ring->state : HD_RING_ABSENT;
}

/* ---- beginning and end ---- */

/* The size of the crowd stands in each active ring: clients that are not alone yield instead of pausing. */
static void tell_crowd(struct hd_net *net)
{
    for (struct hd_net_ring *ring = net->ring_first; ring; ring = ring->next)
        atomic_store_explicit(&ring->control->crowd.value, net->ring_active_count, memory_order_relaxed);
}

static void activate(struct hd_net *net, struct hd_net_ring *ring)
{
    if (ring->active)
        return;
    ring->active = true;
    ring->next = NULL;
    ring->previous = net->ring_last;
    if (net->ring_last)
        net->ring_last->next = ring;
    else
        net->ring_first = ring;
    net->ring_last = ring;
    net->ring_active_count++;
    ring->last_ns = now_ns(net);
    tell_crowd(net);
}

static void deactivate(struct hd_net *net, struct hd_net_ring *ring)
{
    if (!ring->active)
        return;
    ring->active = false;
    if (ring->previous)
        ring->previous->next = ring->next;
    else
        net->ring_first = ring->next;
    if (ring->next)
        ring->next->previous = ring->previous;
    else
        net->ring_last = ring->previous;
    net->ring_active_count--;
    tell_crowd(net);
}

static int make_memory(struct hd_net *net, struct hd_net_ring *ring, uint32_t bytes, int *out)
{
    const struct hd_os *os = net->os;
    int fd;
    ring->memory_bytes = hd_ring_memory_bytes(bytes, bytes);
    if (!hd_rpc_charge(net->rpc, ring->memory_bytes))
        return HD_ENOMEM;
    int error = os->shared_new(os->context, ring->memory_bytes, true, &fd);
    if (!error) {
        ring->control = os->shared_map(os->context, fd, ring->memory_bytes);
        error = ring->control ? hd_ring_init(&ring->ring, ring->control, bytes, bytes, true) : HD_ESYSTEM;
        if (error) {
            if (ring->control)
                os->unmap(os->context, ring->control, ring->memory_bytes);
            close(fd);
        }
    }
    if (error)
        hd_rpc_uncharge(net->rpc, ring->memory_bytes);
    else
        *out = fd;
    return error;
}

void hd_net_ring_close(struct hd_connection *connection)
{
    struct hd_net_ring *ring = connection->ring;
    struct hd_net *net = connection->net;
    if (!ring)
        return;
    deactivate(net, ring);
    net->os->unmap(net->os->context, ring->control, ring->memory_bytes);
    hd_rpc_uncharge(net->rpc, ring->memory_bytes);
    hd_allocator_free(net->allocator, ring, sizeof *ring);
    connection->ring = NULL;
    net->ring_count--;
}

static int make(struct hd_net *net, struct hd_connection *connection, struct hd_rpc_ring *out)
{
    uint32_t bytes = net->config.ring_bytes ? net->config.ring_bytes : RING_BYTES;
    if (!connection->is_unix)
        return HD_EINVALID;
    if (net->ring_count >= net->config.max_rings)
        return HD_ELIMIT;
    struct hd_net_ring *ring = hd_allocator_new(net->allocator, sizeof *ring);
    if (!ring)
        return HD_ENOMEM;
    *ring = (struct hd_net_ring){.connection = connection, .state = HD_RING_PENDING};
    int fd;
    int error = make_memory(net, ring, bytes, &fd);
    if (error) {
        hd_allocator_free(net->allocator, ring, sizeof *ring);
        return error;
    }
    connection->ring = ring;
    net->ring_count++;
    *out = (struct hd_rpc_ring){.fd = fd, .to_daemon_bytes = bytes, .to_client_bytes = bytes};
    return 0;
}

int hd_net_ring_make(void *context, void *owner, struct hd_rpc_ring *out)
{
    struct hd_net *net = context;
    struct hd_connection *connection = owner;
    if (!out) {
        hd_net_ring_close(connection);
        return 0;
    }
    if (connection->ring)
        return HD_EEXISTS;
    int error = make(net, connection, out);
    if (error)
        net->stats.rings_refused_count++;
    return error;
}

void hd_net_ring_made(struct hd_connection *connection)
{
    if (connection->ring->socket_bytes == 0)
        (void)hd_rpc_output(connection->rpc, &connection->ring->socket_bytes);
}

void hd_net_ring_socket_sent(struct hd_connection *connection, size_t count)
{
    struct hd_net_ring *ring = connection->ring;
    if (!ring || ring->state != HD_RING_PENDING)
        return;
    ring->socket_bytes -= count < ring->socket_bytes ? count : ring->socket_bytes;
    if (ring->socket_bytes > 0)
        return;
    ring->state = HD_RING_OPEN;
    connection->net->stats.rings_opened_count++;
    /* Only the socket tells of the end now, even if half of it was told before. */
    connection->disconnect_seen = false;
    /* Whoever sends on behind the request for a ring was told not to: where its bytes belong cannot be known. */
    if (hd_buffer_readable(&connection->input) > 0 || connection->skip_bytes > 0)
        connection->broken = true;
}

/* ---- bytes ---- */

static void break_off(struct hd_connection *connection)
{
    if (!connection->broken)
        connection->net->stats.rings_broken_count++;
    connection->broken = true;
}

static void ring_bell_if_due(struct hd_connection *connection)
{
    struct hd_net *net = connection->net;
    if (!hd_ring_bell_due(&connection->ring->ring))
        return;
    net->stats.ring_bells_count++;
    /* A socket that is full has a byte for the sleeper already. */
    (void)hd_connection_ring_bell(connection, -1);
}

size_t hd_net_ring_receive(struct hd_connection *connection, uint8_t *to, size_t room)
{
    struct hd_net_ring *ring = connection->ring;
    size_t count;
    if (hd_ring_read(&ring->ring, to, room, &count)) {
        break_off(connection);
        return 0;
    }
    if (count == 0) {
        connection->ended |= ring->hung_up;
        return 0;
    }
    connection->net->stats.received_bytes += count;
    ring_bell_if_due(connection);
    return count;
}

size_t hd_net_ring_send(struct hd_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_net_ring *ring = connection->ring;
    size_t done = 0;
    /* What does not fit waits for the client, which reads and rings; unless it has just read. */
    for (int i = 0; i < 2 && done < count; i++) {
        size_t taken;
        if (i == 1)
            hd_ring_want(&ring->ring, HD_RING_WANTS_ROOM);
        if (hd_ring_write(&ring->ring, bytes + done, count - done, &taken)) {
            break_off(connection);
            return done;
        }
        done += taken;
    }
    connection->net->stats.sent_bytes += done;
    if (done)
        ring_bell_if_due(connection);
    return done;
}

/* ---- bells and sleep ---- */

void hd_net_ring_hear(struct hd_connection *connection)
{
    struct hd_net_ring *ring = connection->ring;
    uint8_t bells[256];
    bool was_ended = connection->ended;
    if (connection->disconnect_seen) {
        /* An error was there first: a client that died with bells unread. */
        ring->hung_up |= connection->deaf;
        return;
    }
    for (int i = 0; i < HEAR_ROUNDS && hd_connection_recv(connection, bells, sizeof bells) == sizeof bells; i++)
        ;
    if ((connection->ended && !was_ended) || connection->broken) {
        /* The end of the socket; what the ring holds comes before it. */
        connection->ended = false;
        connection->broken = false;
        connection->disconnect_seen = true;
        connection->deaf = true;
        ring->hung_up = true;
    }
    hd_ring_want_nothing(&ring->ring);
}

void hd_net_ring_settle(struct hd_connection *connection, bool wants_input)
{
    struct hd_net_ring *ring = connection->ring;
    if (ring->state != HD_RING_OPEN)
        return;
    if (wants_input)
        activate(connection->net, ring);
    else
        deactivate(connection->net, ring);
}

/* False: it has input after all. */
static bool fall_asleep(struct hd_net *net, struct hd_net_ring *ring)
{
    hd_ring_want(&ring->ring, HD_RING_WANTS_INPUT);
    if (hd_ring_has_input(&ring->ring)) {
        hd_ring_want_nothing(&ring->ring);
        return false;
    }
    net->stats.ring_sleeps_count++;
    deactivate(net, ring);
    return true;
}

/* Gives a turn to each that has input. False: none had. */
static bool look_at_all(struct hd_net *net, uint64_t now)
{
    bool any = false;
    struct hd_net_ring *next;
    struct hd_net_ring *last = net->ring_last;
    for (struct hd_net_ring *ring = net->ring_first; ring; ring = next) {
        bool is_last = ring == last;
        next = ring->next;
        if (hd_ring_has_input(&ring->ring) || ring->hung_up) {
            hd_ring_pace_note(&ring->pace, now > ring->last_ns ? now - ring->last_ns : 0);
            hd_ring_pace_found(&ring->pace, true);
            ring->last_ns = now;
            hd_connection_take_turn(ring->connection);
            any = true;
        }
        if (is_last)
            break;
    }
    return any;
}

/* Those that had a turn at `from` are silent since `to` only, when all the work that it brought was done. */
static void end_turns(struct hd_net *net, uint64_t from, uint64_t to)
{
    for (struct hd_net_ring *ring = net->ring_first; ring; ring = ring->next) {
        if (ring->last_ns != from)
            continue;
        ring->worked_ns = to - from;
        ring->last_ns = to;
    }
}

static void put_silent_to_sleep(struct hd_net *net, uint64_t now)
{
    struct hd_net_ring *next;
    bool all = hd_ring_thrift_sleeps(&net->ring_thrift, now);
    for (struct hd_net_ring *ring = net->ring_first; ring; ring = next) {
        uint32_t limit_ns = all ? 0 : hd_ring_pace_limit_ns(&ring->pace, hd_ring_pace_most_ns(ring->worked_ns));
        uint64_t silent_ns = now > ring->last_ns ? now - ring->last_ns : 0;
        next = ring->next;
        if (silent_ns < limit_ns || !fall_asleep(net, ring) || all)
            continue;
        hd_ring_pace_found(&ring->pace, false);
        if (limit_ns)
            hd_ring_pace_note(&ring->pace, silent_ns);
    }
}

/* Nothing was found, several times. The time. */
static uint64_t pause_looking(struct hd_net *net, uint64_t before_ns)
{
    uint64_t now = now_ns(net);
    (void)hd_ring_thrift_note(&net->ring_thrift, before_ns, now);
    put_silent_to_sleep(net, now);
    if (net->ring_active_count > 1)
        (void)sched_yield();
    return now;
}

void hd_net_rings_run(struct hd_net *net)
{
    uint64_t begin_ns = now_ns(net);
    uint64_t now = begin_ns;
    unsigned looks = 0;
    do {
        if (look_at_all(net, now)) {
            uint64_t from = now;
            hd_net_serve(net);
            now = now_ns(net);
            end_turns(net, from, now);
            looks = 0;
            continue;
        }
        looks++;
        if (looks == 1)
            put_silent_to_sleep(net, now); /* those for whom looking does not help */
        else if (looks % LOOKS)
            hd_ring_relax();
        else
            now = pause_looking(net, now);
    } while (net->ring_active_count && !net->sockets_busy && now - begin_ns < RUN_NS);
    /* The last may have fallen asleep: then so may the loop. */
    if (!net->ring_active_count)
        hd_net_serve(net);
}
