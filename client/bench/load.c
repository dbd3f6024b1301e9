#include "client/bench/load.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "client/bench/client.h"
#include "client/bench/cpu.h"

/* Looks at the rings without a find before the clock is read. */
#define LOOKS 32
/* Of a rate: who sleeps is to be awake so long before the next operation is due. */
#define AWAKE_NS UINT64_C(60000)
#define SLEEP_MOST_NS UINT64_C(1000000000)

uint64_t hd_bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int hd_bench_complain(const struct hd_bench_load *load, const char *what)
{
    (void)fprintf(stderr, "heapd-bench: %s: %s: %s\n", load ? load->protocol->name : "heapd", what, strerror(errno));
    return -1;
}

static void note_failure(struct hd_bench_load *load, const struct hd_bench_reply *reply)
{
    struct hd_bench_outcome *outcome = load->outcome;
    if (outcome->failures++)
        return;
    (void)snprintf(outcome->first_failure, sizeof outcome->first_failure, "%.*s", (int)reply->failure_bytes,
                   reply->failure);
}

/* Beside a ring whoever looks tries again, and whoever sleeps says that he waits for room. */
static int watch(struct hd_bench_load *load, struct hd_bench_client *client, bool wants_write)
{
    if (client->wants_write == wants_write)
        return 0;
    client->wants_write = wants_write;
    if (load->through_rings)
        return 0;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_MOD, client->link.fd, &event) ? hd_bench_complain(load, "epoll_ctl") : 0;
}

static int send_output(struct hd_bench_load *load, struct hd_bench_client *client)
{
    struct hd_bench_batch *batch = &client->batch;
    while (batch->sent < batch->end) {
        long sent = hd_bench_link_send(&client->link, batch->bytes + batch->sent, batch->end - batch->sent);
        if (sent < 0)
            return hd_bench_complain(load, "a connection was closed");
        if (sent == 0)
            return watch(load, client, true);
        batch->sent += (size_t)sent;
    }
    batch->sent = batch->end = 0;
    return watch(load, client, false);
}

/* ---- operations ----------------------------------------------------------- */

static const struct hd_bench_operation *choose(struct hd_bench_load *load, struct hd_bench_client *client)
{
    const struct hd_bench_workload *workload = load->workload;
    if (workload->count == 1)
        return workload->operations[0];
    uint32_t at = (uint32_t)((hd_bench_keys_random(&client->stream.keys) >> 32) * load->weight_sum >> 32);
    unsigned i = 0;
    while (at >= workload->weights[i])
        at -= workload->weights[i++];
    return workload->operations[i];
}

/* Writes one operation behind the others of a batch. Returns how many replies it awaits. */
static unsigned compose(struct hd_bench_load *load, struct hd_bench_client *client, struct hd_bench_batch *batch)
{
    const struct hd_bench_operation *operation = choose(load, client);
    uint8_t *at = batch->bytes + batch->end;
    batch->end = (size_t)(load->protocol->compose(operation)(&client->stream, at) - batch->bytes);
    return operation->replies;
}

static void compose_next(struct hd_bench_load *load, struct hd_bench_client *client)
{
    client->before_next = client->stream;
    for (unsigned i = 0; i < load->options->pipeline; i++)
        client->next.pending[i].replies = compose(load, client, &client->next);
}

/* The next batch is not sent: as if it had never been composed. */
static void drop_next(struct hd_bench_client *client)
{
    uint64_t next_reply = client->stream.next_reply;
    if (client->next.end == 0)
        return;
    client->stream = client->before_next;
    client->stream.next_reply = next_reply;
    client->next.end = 0;
}

/* Sends the batch that is ready, and makes the one after it ready while the server is busy with this. */
static int begin_batch(struct hd_bench_load *load, struct hd_bench_client *client)
{
    struct hd_bench_batch empty = client->batch;
    if (client->next.end == 0)
        compose_next(load, client);
    client->batch = client->next;
    client->next = empty;
    client->first = 0;
    client->count = load->options->pipeline;
    client->begin_ns = hd_bench_now_ns();
    if (send_output(load, client))
        return -1;
    compose_next(load, client);
    return 0;
}

/* Begins what is due, as far as the pipeline allows; what it does not allow stays due. */
static int begin_due(struct hd_bench_load *load, struct hd_bench_client *client, uint64_t now)
{
    struct hd_bench_batch *batch = &client->batch;
    if (load->stopping || batch->end > 0)
        return 0;
    while (client->due_ns <= now && client->count < load->options->pipeline) {
        unsigned last = (client->first + client->count++) % load->options->pipeline;
        batch->pending[last] = (struct hd_bench_pending){client->due_ns, now, compose(load, client, batch)};
        client->due_ns += load->interval_ns;
    }
    return batch->end ? send_output(load, client) : 0;
}

/* `count` operations that began at the same moment have ended. */
static void note_ended(struct hd_bench_load *load, uint64_t begin_ns, uint64_t now, unsigned count)
{
    if (!load->measuring || count == 0)
        return;
    load->outcome->operations += count;
    hd_histogram_record(&load->outcome->latency_ns, now > begin_ns ? now - begin_ns : 0, count);
}

/* One reply has come: true if the oldest operation has ended by it. */
static bool end_reply(struct hd_bench_load *load, struct hd_bench_client *client, uint64_t now)
{
    struct hd_bench_pending *oldest = &client->batch.pending[client->first];
    if (--oldest->replies)
        return false;
    if (load->interval_ns) {
        note_ended(load, oldest->due_ns, now, 1);
        if (load->measuring)
            hd_histogram_record(&load->outcome->written_ns, now > oldest->written_ns ? now - oldest->written_ns : 0, 1);
    }
    client->first = client->first + 1 < load->options->pipeline ? client->first + 1 : 0;
    client->count--;
    return true;
}

int hd_bench_take_replies(struct hd_bench_load *load, struct hd_bench_client *client)
{
    const uint8_t *at = client->input;
    size_t left = client->input_end;
    uint64_t now = hd_bench_now_ns();
    unsigned ended = 0;
    while (left > 0) {
        struct hd_bench_reply reply = {0};
        if (client->count == 0 || load->protocol->read_reply(&client->stream, at, left, &reply)) {
            (void)fprintf(stderr, "heapd-bench: %s: a reply answers what was not asked\n", load->protocol->name);
            return -1;
        }
        if (reply.bytes == 0)
            break;
        if (reply.failure)
            note_failure(load, &reply);
        ended += end_reply(load, client, now);
        at += reply.bytes;
        left -= reply.bytes;
    }
    if (!load->interval_ns)
        note_ended(load, client->begin_ns, now, ended);
    if (left > 0 && at != client->input)
        memmove(client->input, at, left);
    client->input_end = left;
    return 0;
}

static int serve(struct hd_bench_load *load, struct hd_bench_client *client)
{
    long count = hd_bench_link_receive(&client->link, client->input + client->input_end,
                                       HD_BENCH_INPUT_BYTES - client->input_end);
    if (count < 0)
        return hd_bench_complain(load, "a connection was closed");
    if (count == 0)
        return 0;
    client->input_end += (size_t)count;
    if (hd_bench_take_replies(load, client))
        return -1;
    if (client->count > 0)
        return 0;
    if (load->stopping) {
        load->active--;
        return 0;
    }
    return load->interval_ns ? 0 : begin_batch(load, client);
}

/* ---- turns ---------------------------------------------------------------- */

/* Begins all that is due. *next_ns: when the next will be, of those that need not wait for a reply first. */
static int begin_all_due(struct hd_bench_load *load, uint64_t now, uint64_t *next_ns)
{
    *next_ns = UINT64_MAX;
    for (unsigned i = 0; i < load->client_count; i++) {
        struct hd_bench_client *client = &load->clients[i];
        if (client->due_ns <= now && begin_due(load, client, now))
            return -1;
        if (client->due_ns > now && client->due_ns < *next_ns)
            *next_ns = client->due_ns;
    }
    return 0;
}

/* How long to sleep: a sleeper wakes late, so what remains before something is due is spent looking. */
static uint64_t sleep_ns(uint64_t now, uint64_t next_ns, uint64_t until_ns)
{
    uint64_t wait_ns = until_ns - now;
    if (next_ns < UINT64_MAX && next_ns - now < wait_ns + AWAKE_NS)
        wait_ns = next_ns - now > AWAKE_NS ? next_ns - now - AWAKE_NS : 0;
    return wait_ns < SLEEP_MOST_NS ? wait_ns : SLEEP_MOST_NS;
}

/* What the sockets have to say; beside rings that is bells. */
static int turn_sockets(struct hd_bench_load *load, uint64_t wait_ns)
{
    struct epoll_event events[256];
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000u), .tv_nsec = (long)(wait_ns % 1000000000u)};
    int ready = epoll_pwait2(load->epoll, events, 256, &timeout, NULL);
    if (ready < 0 && errno != EINTR)
        return hd_bench_complain(load, "epoll_wait");
    for (int i = 0; i < ready; i++) {
        struct hd_bench_client *client = events[i].data.ptr;
        if (load->through_rings) {
            if (hd_bench_link_hear(&client->link))
                return hd_bench_complain(load, "a connection was closed");
            continue;
        }
        if ((events[i].events & EPOLLOUT) && send_output(load, client))
            return -1;
        if ((events[i].events & ~(uint32_t)EPOLLOUT) && serve(load, client))
            return -1;
    }
    return 0;
}

/* One look at all rings: how many had something to say, or -1. */
static int look_at_rings(struct hd_bench_load *load)
{
    int found = 0;
    for (unsigned i = 0; i < load->client_count; i++) {
        struct hd_bench_client *client = &load->clients[i];
        if (client->wants_write && send_output(load, client))
            return -1;
        if (!hd_ring_has_input(&client->link.ring->ring))
            continue;
        found++;
        if (serve(load, client))
            return -1;
    }
    return found;
}

/* As hd_client_ring_await, for several rings of one thread. 0 once something was found or the time is over. */
static int look_for(struct hd_bench_load *load, uint64_t begin_ns, uint64_t limit_ns, bool *out_found)
{
    uint64_t before_ns = begin_ns;
    for (unsigned looks = 1;; looks++) {
        int found = look_at_rings(load);
        *out_found = found > 0;
        if (found)
            return found < 0 ? -1 : 0;
        if (atomic_load_explicit(&load->clients[0].link.ring->control->crowd.value, memory_order_relaxed) > 1)
            (void)sched_yield();
        else
            hd_ring_relax();
        if (looks % LOOKS)
            continue;
        uint64_t now = hd_bench_now_ns();
        if (hd_ring_thrift_note(&load->thrift, before_ns, now) || now - begin_ns > limit_ns)
            return 0;
        before_ns = now;
    }
}

/* Says to each daemon's end what is awaited, looks once more, and sleeps. */
static int sleep_beside_rings(struct hd_bench_load *load, uint64_t wait_ns)
{
    bool empty = true;
    for (unsigned i = 0; i < load->client_count; i++) {
        struct hd_bench_client *client = &load->clients[i];
        if (client->wants_write)
            hd_ring_want(&client->link.ring->ring, HD_RING_WANTS_ROOM);
        empty = hd_client_ring_arm(client->link.ring) && empty;
    }
    int result = look_at_rings(load);
    if (result == 0 && empty)
        result = turn_sockets(load, wait_ns);
    for (unsigned i = 0; i < load->client_count; i++)
        hd_ring_want_nothing(&load->clients[i].link.ring->ring);
    return result < 0 ? -1 : 0;
}

static int turn_rings(struct hd_bench_load *load, uint64_t now, uint64_t wait_ns)
{
    bool found = false;
    if (wait_ns == 0)
        return look_at_rings(load) < 0 ? -1 : 0;
    uint32_t limit_ns =
        hd_ring_thrift_sleeps(&load->thrift, now) ? 0 : hd_ring_pace_limit_ns(&load->pace, HD_RING_SPIN_MOST_NS);
    if (limit_ns && look_for(load, now, limit_ns, &found))
        return -1;
    if (limit_ns)
        hd_ring_pace_found(&load->pace, found);
    int result = found ? 0 : sleep_beside_rings(load, wait_ns);
    hd_ring_pace_note(&load->pace, hd_bench_now_ns() - now);
    return result;
}

/* Turns the loop until the time, or until no client is active. */
static int turn_until(struct hd_bench_load *load, uint64_t until_ns)
{
    while (load->active > 0) {
        uint64_t now = hd_bench_now_ns();
        if (now >= until_ns)
            return 0;
        uint64_t next_ns = UINT64_MAX;
        if (load->interval_ns && !load->stopping && begin_all_due(load, now, &next_ns))
            return -1;
        uint64_t wait_ns = sleep_ns(now, next_ns, until_ns);
        if (load->through_rings ? turn_rings(load, now, wait_ns) : turn_sockets(load, wait_ns))
            return -1;
    }
    return 0;
}

static uint64_t ns_of(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

static int begin_run(struct hd_bench_load *load, const struct hd_bench_workload *workload)
{
    load->workload = workload;
    load->weight_sum = 0;
    for (unsigned i = 0; i < workload->count; i++)
        load->weight_sum += workload->weights[i];
    load->measuring = load->stopping = false;
    load->active = load->client_count;
    load->interval_ns = load->options->rate > 0 ? ns_of((double)load->client_count / load->options->rate) : 0;
    uint64_t now = hd_bench_now_ns();
    for (unsigned i = 0; i < load->client_count; i++) {
        /* Not all at the same moment. */
        load->clients[i].due_ns = now + load->interval_ns * i / load->client_count;
        if (!load->interval_ns && begin_batch(load, &load->clients[i]))
            return -1;
    }
    return 0;
}

/* Nothing more is begun; those that have nothing to wait for are done. */
static int end_run(struct hd_bench_load *load)
{
    load->stopping = true;
    load->active = 0;
    for (unsigned i = 0; i < load->client_count; i++) {
        load->active += load->clients[i].count > 0;
        drop_next(&load->clients[i]);
    }
    return turn_until(load, hd_bench_now_ns() + ns_of(60));
}

int hd_bench_load_run(struct hd_bench_load *load, const struct hd_bench_workload *workload,
                      struct hd_bench_outcome *out)
{
    *out = (struct hd_bench_outcome){0};
    hd_histogram_init(&out->latency_ns);
    hd_histogram_init(&out->written_ns);
    load->outcome = out;
    if (begin_run(load, workload) || turn_until(load, hd_bench_now_ns() + ns_of(load->options->warmup_s)))
        return -1;
    double server_before = hd_bench_cpu_of(load->server_pid);
    double client_before = hd_bench_cpu_own();
    uint64_t begin_ns = hd_bench_now_ns();
    load->measuring = true;
    if (turn_until(load, begin_ns + ns_of(load->options->duration_s)))
        return -1;
    load->measuring = false;
    double server_after = hd_bench_cpu_of(load->server_pid);
    out->seconds = (double)(hd_bench_now_ns() - begin_ns) / 1e9;
    out->client_cpu_s = hd_bench_cpu_own() - client_before;
    out->server_cpu_s = server_before < 0 || server_after < 0 ? -1 : server_after - server_before;
    return end_run(load);
}

void hd_bench_outcome_add(struct hd_bench_outcome *sum, const struct hd_bench_outcome *more)
{
    if (sum->failures == 0)
        memcpy(sum->first_failure, more->first_failure, sizeof sum->first_failure);
    sum->operations += more->operations;
    sum->failures += more->failures;
    sum->seconds += more->seconds;
    sum->client_cpu_s += more->client_cpu_s;
    sum->server_cpu_s = sum->server_cpu_s < 0 || more->server_cpu_s < 0 ? -1 : sum->server_cpu_s + more->server_cpu_s;
    hd_histogram_add(&sum->latency_ns, &more->latency_ns);
    hd_histogram_add(&sum->written_ns, &more->written_ns);
}

bool hd_bench_load_can(const struct hd_bench_load *load, const struct hd_bench_workload *workload)
{
    for (unsigned i = 0; i < workload->count; i++)
        if (!load->protocol->compose(workload->operations[i]))
            return false;
    return true;
}
