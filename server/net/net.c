#include "net/private.h"

#include <fcntl.h>
#include <unistd.h>

/* Taken from hd_rpc_next_ready, or from the list of retries, in one turn; the rest in the next. */
#define READY_PER_TURN 1024
#define RETRIES_PER_TURN 1024

/* A slice begins small and finds its size: the cost of a work unit is the machine's and the work's affair. */
#define SLICE_START_UNITS 4096
#define SLICE_MIN_UNITS 64
/* Not above what is short whatever it is spent on: what is next may cost many times what the last slices did. */
#define SLICE_MAX_UNITS ((uint64_t)1 << 14)
/* The same for what one connection's requests, and the collector's work along with them, may take in a turn. */
#define TURN_START_UNITS 8192
#define TURN_MIN_UNITS 1024
/* Less input is hardly a long turn, and the clock would be a part of what it costs. */
#define TURN_MEASURED_BYTES 1024

/* A connection that is over has between one and two of these to read its last replies. */
#define LINGER_MS 1000

/* Input of a turn after which the replies that wait for its end are sent. */
#define GATHERED_BYTES ((size_t)16 << 10)

/* --- connections that hold whole frames or replies of this turn --- */

void hd_net_retry(struct hd_net *net, struct hd_connection *connection)
{
    if (connection->in_retry)
        return;
    connection->in_retry = true;
    connection->retry_next = NULL;
    connection->retry_previous = net->retry_last;
    if (net->retry_last)
        net->retry_last->retry_next = connection;
    else
        net->retry_first = connection;
    net->retry_last = connection;
}

void hd_net_retry_cancel(struct hd_net *net, struct hd_connection *connection)
{
    if (!connection->in_retry)
        return;
    connection->in_retry = false;
    if (connection->retry_previous)
        connection->retry_previous->retry_next = connection->retry_next;
    else
        net->retry_first = connection->retry_next;
    if (connection->retry_next)
        connection->retry_next->retry_previous = connection->retry_previous;
    else
        net->retry_last = connection->retry_previous;
}

/* Sends only: a connection that is being served may be among them. */
void hd_net_gather(struct hd_net *net, size_t input_bytes)
{
    net->gathered_bytes += input_bytes;
    if (net->gathered_bytes <= GATHERED_BYTES)
        return;
    net->gathered_bytes = 0;
    for (struct hd_connection *connection = net->retry_first; connection; connection = connection->retry_next)
        hd_connection_send(connection);
}

static void retry(struct hd_net *net)
{
    net->gathered_bytes = 0;
    struct hd_connection *last = net->retry_last; /* what is added meanwhile waits for the next turn */
    for (int i = 0; i < RETRIES_PER_TURN && net->retry_first; i++) {
        struct hd_connection *connection = net->retry_first;
        hd_net_retry_cancel(net, connection);
        /* What was read of it in this turn of the loop was its share: others are asked first. */
        if (connection->heard_turn == net->turn)
            hd_connection_end_turn(connection);
        else
            hd_connection_advance(connection);
        if (connection == last)
            break;
    }
}

/* --- background work --- */

static uint64_t now_ns(const struct hd_net *net)
{
    return net->os->now_ns(net->os->context);
}

/* The engine is given work units, so that it is deterministic; how many make a slice is found by the clock. */
static void run_slice(struct hd_net *net)
{
    uint64_t begin_ns = now_ns(net);
    net->rpc_touched = false;
    net->rpc_has_work = hd_rpc_run(net->rpc, net->slice_work_units);
    if (!net->rpc_has_work)
        return; /* it was less than a slice */
    uint64_t spent_ns = now_ns(net) - begin_ns;
    net->stats.slices_count++;
    if (spent_ns > net->config.slice_ns && net->slice_work_units > SLICE_MIN_UNITS)
        net->slice_work_units /= 2;
    else if (spent_ns < net->config.slice_ns / 4 && net->slice_work_units < SLICE_MAX_UNITS)
        net->slice_work_units *= 2;
}

uint64_t hd_net_turn_begin(const struct hd_net *net, size_t count)
{
    return count < TURN_MEASURED_BYTES ? 0 : now_ns(net);
}

void hd_net_turn_end(struct hd_net *net, uint64_t begin_ns, bool has_more)
{
    if (begin_ns == 0)
        return;
    uint64_t spent_ns = now_ns(net) - begin_ns;
    if (spent_ns > net->config.slice_ns && net->turn_work_units > TURN_MIN_UNITS)
        net->turn_work_units /= 2;
    else if (spent_ns < net->config.slice_ns / 4 && has_more && net->turn_work_units < SLICE_MAX_UNITS)
        net->turn_work_units *= 2;
    else
        return;
    hd_rpc_set_turn_units(net->rpc, net->turn_work_units);
}

/* False: there are more. */
static bool serve_ready(struct hd_net *net)
{
    for (int i = 0; i < READY_PER_TURN; i++) {
        struct hd_rpc_connection *ready = hd_rpc_next_ready(net->rpc);
        if (!ready)
            return true;
        hd_connection_advance(hd_rpc_connection_owner(ready));
    }
    return false;
}

static void on_deadline(uv_timer_t *timer);

static void arm_deadline(struct hd_net *net)
{
    uint64_t deadline_ns = hd_rpc_next_deadline_ns(net->rpc);
    if (deadline_ns == net->deadline_ns)
        return;
    net->deadline_ns = deadline_ns;
    if (deadline_ns == UINT64_MAX) {
        uv_timer_stop(&net->deadline);
        return;
    }
    uint64_t now = now_ns(net);
    if (deadline_ns <= now) {
        /* Not by a timer of no time: libuv runs one that is set again and again before it looks at any socket. */
        net->deadline_ns = UINT64_MAX;
        net->rpc_has_work = true;
        uv_timer_stop(&net->deadline);
        return;
    }
    uv_update_time(net->loop); /* the loop's idea of now may be a slice old */
    uv_timer_start(&net->deadline, on_deadline, (deadline_ns - now + 999999) / 1000000, 0);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all: the loop polls and does not sleep */
}

void hd_net_serve(struct hd_net *net)
{
    retry(net);
    if (net->rpc_touched || net->rpc_has_work)
        run_slice(net);
    bool all_served = serve_ready(net);
    arm_deadline(net);
    if (net->rpc_touched || net->rpc_has_work || net->retry_first || !all_served || net->ring_active_count)
        uv_idle_start(&net->idle, on_idle);
    else
        uv_idle_stop(&net->idle);
}

static void on_check(uv_check_t *check)
{
    struct hd_net *net = check->data;
    hd_net_serve(net);
    if (net->ring_active_count)
        hd_net_rings_run(net);
    net->sockets_busy = false;
    net->turn++;
}

static void on_deadline(uv_timer_t *timer)
{
    struct hd_net *net = timer->data;
    net->deadline_ns = UINT64_MAX;
    net->rpc_has_work = true;
    hd_net_serve(net);
}

/* --- the helper's thread has done something --- */

static void on_helper_async(uv_async_t *async)
{
    struct hd_net *net = async->data;
    net->rpc_touched = true; /* what follows is on_check */
}

/* In the helper's thread, where this alone of libuv may be called. */
static void on_helper_done(void *context)
{
    struct hd_net *net = context;
    (void)uv_async_send(&net->helper_async);
}

/* --- connections that are over --- */

static void on_linger(uv_timer_t *timer)
{
    struct hd_net *net = timer->data;
    bool any = false;
    struct hd_connection *next;
    for (struct hd_connection *connection = net->connections; connection; connection = next) {
        next = connection->next;
        if (!hd_rpc_connection_is_over(connection->rpc))
            continue;
        if (connection->lingering)
            hd_connection_close(connection);
        else
            any = connection->lingering = true;
    }
    if (!any)
        uv_timer_stop(timer);
}

void hd_net_linger(struct hd_net *net)
{
    if (!net->stopping && !uv_is_active((uv_handle_t *)&net->linger))
        uv_timer_start(&net->linger, on_linger, LINGER_MS, LINGER_MS);
}

/* --- life --- */

/* The counters, in the Stats reply. */
static void visit_stats(void *source_context, hd_stat_visit visit, void *visit_context)
{
    const struct hd_net *net = source_context;
    struct hd_net_stats stats;
    hd_net_stats(net, &stats);
    visit(visit_context, "net_connections_count", stats.connection_count);
    visit(visit_context, "net_accepted_count", stats.accepted_count);
    visit(visit_context, "net_refused_limit_count", stats.refused_limit_count);
    visit(visit_context, "net_refused_descriptors_count", stats.refused_descriptors_count);
    visit(visit_context, "net_accept_failed_count", stats.accept_failed_count);
    visit(visit_context, "net_closed_by_peer_count", stats.closed_by_peer_count);
    visit(visit_context, "net_refused_frames_count", stats.refused_frames_count);
    visit(visit_context, "net_unexpected_descriptors_count", stats.unexpected_descriptors_count);
    visit(visit_context, "net_received_bytes", stats.received_bytes);
    visit(visit_context, "net_sent_bytes", stats.sent_bytes);
    visit(visit_context, "net_rings_count", stats.ring_count);
    visit(visit_context, "net_rings_opened_count", stats.rings_opened_count);
    visit(visit_context, "net_rings_refused_count", stats.rings_refused_count);
    visit(visit_context, "net_rings_broken_count", stats.rings_broken_count);
    visit(visit_context, "net_ring_sleeps_count", stats.ring_sleeps_count);
    visit(visit_context, "net_ring_bells_count", stats.ring_bells_count);
    visit(visit_context, "net_slices_count", stats.slices_count);
    visit(visit_context, "net_slice_work_units_count", stats.slice_work_units);
}

static int allocate(struct hd_net *net)
{
    net->read_buffer = hd_allocator_new(net->allocator, HD_NET_READ_BYTES);
    net->spare_buffer = hd_allocator_new(net->allocator, HD_NET_READ_BYTES);
    if (!net->read_buffer || !net->spare_buffer)
        return HD_ENOMEM;
    net->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return net->reserve_fd < 0 ? HD_ESYSTEM : 0;
}

/* Only the first can fail; libuv promises that the others succeed, so there is nothing to undo. */
static int init_handles(struct hd_net *net)
{
    if (uv_async_init(net->loop, &net->helper_async, on_helper_async))
        return HD_ESYSTEM;
    net->helper_async.data = net;
    uv_unref((uv_handle_t *)&net->helper_async);
    (void)uv_check_init(net->loop, &net->check);
    (void)uv_idle_init(net->loop, &net->idle);
    (void)uv_timer_init(net->loop, &net->deadline);
    (void)uv_timer_init(net->loop, &net->accept_again);
    (void)uv_timer_init(net->loop, &net->linger);
    (void)uv_timer_init(net->loop, &net->flush);
    net->check.data = net->idle.data = net->deadline.data = net;
    net->accept_again.data = net->linger.data = net->flush.data = net;
    (void)uv_check_start(&net->check, on_check);
    uv_unref((uv_handle_t *)&net->check);
    return 0;
}

int hd_net_new(uv_loop_t *loop, struct hd_rpc_server *rpc, const struct hd_os *os, const struct hd_net_config *config,
               struct hd_net **out)
{
    const struct hd_allocator *allocator = hd_rpc_allocator(rpc);
    struct hd_net *net = hd_allocator_new(allocator, sizeof *net);
    if (!net)
        return HD_ENOMEM;
    *net = (struct hd_net){.loop = loop,
                           .rpc = rpc,
                           .os = os,
                           .allocator = allocator,
                           .config = *config,
                           .reserve_fd = -1,
                           .deadline_ns = UINT64_MAX,
                           .slice_work_units = SLICE_START_UNITS,
                           .turn_work_units = TURN_START_UNITS,
                           .turn = 1,
                           .rpc_touched = true};
    int error = allocate(net);
    if (!error)
        error = init_handles(net);
    if (error) {
        hd_net_free(net);
        return error;
    }
    hd_rpc_set_turn_units(rpc, net->turn_work_units);
    hd_rpc_server_on_helper(rpc, on_helper_done, net);
    hd_rpc_server_set_stats_source(rpc, visit_stats, net);
    hd_rpc_server_set_ring_source(rpc, hd_net_ring_make, net);
    *out = net;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    hd_net_closed(handle->data);
}

/* All connections and listeners are closed, or about to be: the rest follows, and `stopped` with the last. */
static void close_handles(struct hd_net *net)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&net->check,       (uv_handle_t *)&net->idle,
                              (uv_handle_t *)&net->deadline,    (uv_handle_t *)&net->accept_again,
                              (uv_handle_t *)&net->linger,      (uv_handle_t *)&net->flush,
                              (uv_handle_t *)&net->helper_async};
    hd_rpc_server_on_helper(net->rpc, NULL, NULL);
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        net->closing_count++;
        uv_close(handles[i], on_handle_closed);
    }
}

void hd_net_closed(struct hd_net *net)
{
    net->closing_count--;
    if (!net->stopping || net->connections || net->closing_count > 0)
        return;
    if (!uv_is_closing((uv_handle_t *)&net->check))
        close_handles(net);
    else
        net->stopped(net, net->stopped_data);
}

static void close_all(struct hd_net *net)
{
    while (net->connections)
        hd_connection_close(net->connections);
}

static void on_flush_over(uv_timer_t *timer)
{
    close_all(timer->data);
}

void hd_net_stop(struct hd_net *net, uint64_t flush_ns, hd_net_stopped stopped, void *data)
{
    net->stopping = true;
    net->stopped = stopped;
    net->stopped_data = data;
    net->closing_count++; /* holds `stopped` back until this function is through */
    while (net->listeners) {
        struct hd_listener *listener = net->listeners;
        net->listeners = listener->next;
        hd_listener_close(listener);
    }
    struct hd_connection *next;
    for (struct hd_connection *connection = net->connections; connection; connection = next) {
        next = connection->next;
        hd_connection_advance(connection);
    }
    uv_timer_start(&net->flush, on_flush_over, (flush_ns + 999999) / 1000000, 0);
    hd_net_closed(net);
}

void hd_net_free(struct hd_net *net)
{
    if (!net)
        return;
    hd_rpc_server_set_stats_source(net->rpc, NULL, NULL);
    hd_rpc_server_set_ring_source(net->rpc, NULL, NULL);
    if (net->reserve_fd >= 0)
        close(net->reserve_fd);
    hd_allocator_free(net->allocator, net->read_buffer, HD_NET_READ_BYTES);
    hd_allocator_free(net->allocator, net->spare_buffer, HD_NET_READ_BYTES);
    hd_allocator_free(net->allocator, net, sizeof *net);
}

void hd_net_stats(const struct hd_net *net, struct hd_net_stats *out)
{
    *out = net->stats;
    out->ring_count = net->ring_count;
    out->slice_work_units = net->slice_work_units;
}
