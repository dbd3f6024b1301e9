#include "client/bench/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/bench/cpu.h"

#define HD_BENCH_INPUT_BYTES ((size_t)128 << 10)
/* Operations in one write while keys are made. */
#define FILL_BATCH 500

/* An operation that is not answered yet. */
struct pending {
    uint64_t begin_ns;
    unsigned replies;
};

struct client {
    int fd; /* own */
    struct hd_bench_stream stream;
    uint8_t *output; /* own; room for a batch */
    size_t output_sent;
    size_t output_end;
    uint8_t *input; /* own; begins with what is left of a reply */
    size_t input_end;
    struct pending *pending; /* own; a ring of `pipeline` */
    unsigned first;          /* of those that wait */
    unsigned count;
    uint64_t due_ns; /* of a rate: when the next operation is to begin */
    bool wants_write;
};

struct hd_bench_load {
    const struct hd_bench_options *options; /* borrow */
    const struct hd_bench_protocol *protocol;
    int epoll;
    struct client *clients; /* own */
    unsigned client_count;
    int *idle_fds; /* own */
    unsigned idle_count;
    uint8_t *value; /* own */
    long server_pid;
    /* Of the run that is going on. */
    const struct hd_bench_workload *workload;
    struct hd_bench_outcome *outcome;
    uint32_t weight_sum;
    uint64_t interval_ns; /* between two operations of a client; 0: no rate */
    bool measuring;
    bool stopping; /* no further operations */
    unsigned active;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int complain(const struct hd_bench_load *load, const char *what)
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

static int watch(struct hd_bench_load *load, struct client *client, bool wants_write)
{
    if (client->wants_write == wants_write)
        return 0;
    client->wants_write = wants_write;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_MOD, client->fd, &event) ? complain(load, "epoll_ctl") : 0;
}

static int send_output(struct hd_bench_load *load, struct client *client)
{
    while (client->output_sent < client->output_end) {
        ssize_t sent = send(client->fd, client->output + client->output_sent, client->output_end - client->output_sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return watch(load, client, true);
        if (sent < 0)
            return complain(load, "a connection was closed");
        client->output_sent += (size_t)sent;
    }
    client->output_sent = client->output_end = 0;
    return watch(load, client, false);
}

/* ---- operations ----------------------------------------------------------- */

static const struct hd_bench_operation *choose(struct hd_bench_load *load, struct client *client)
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

/* Writes one operation behind what is to be sent. */
static void begin_operation(struct hd_bench_load *load, struct client *client, uint64_t begin_ns)
{
    const struct hd_bench_operation *operation = choose(load, client);
    uint8_t *at = client->output + client->output_end;
    client->output_end = (size_t)(load->protocol->compose(operation)(&client->stream, at) - client->output);
    unsigned last = client->first + client->count++;
    client->pending[last % load->options->pipeline] = (struct pending){begin_ns, operation->replies};
}

static int begin_batch(struct hd_bench_load *load, struct client *client)
{
    uint64_t now = now_ns();
    while (client->count < load->options->pipeline)
        begin_operation(load, client, now);
    return send_output(load, client);
}

/* Begins what is due, as far as the pipeline allows; what it does not allow stays due. */
static int begin_due(struct hd_bench_load *load, struct client *client, uint64_t now)
{
    if (load->stopping || client->output_end > 0)
        return 0;
    while (client->due_ns <= now && client->count < load->options->pipeline) {
        begin_operation(load, client, client->due_ns);
        client->due_ns += load->interval_ns;
    }
    return client->output_end ? send_output(load, client) : 0;
}

/* One reply has come: the oldest operation may have ended by it. */
static void end_reply(struct hd_bench_load *load, struct client *client, uint64_t now)
{
    struct pending *oldest = &client->pending[client->first];
    if (--oldest->replies)
        return;
    if (load->measuring) {
        load->outcome->operations++;
        hd_histogram_record(&load->outcome->latency_ns, now > oldest->begin_ns ? now - oldest->begin_ns : 0, 1);
    }
    client->first = (client->first + 1) % load->options->pipeline;
    client->count--;
}

/* Takes the whole replies of the input. */
static int take_replies(struct hd_bench_load *load, struct client *client)
{
    const uint8_t *at = client->input;
    size_t left = client->input_end;
    uint64_t now = now_ns();
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
        end_reply(load, client, now);
        at += reply.bytes;
        left -= reply.bytes;
    }
    if (left > 0 && at != client->input)
        memmove(client->input, at, left);
    client->input_end = left;
    return 0;
}

static int serve(struct hd_bench_load *load, struct client *client)
{
    ssize_t count =
        recv(client->fd, client->input + client->input_end, HD_BENCH_INPUT_BYTES - client->input_end, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0) {
        errno = count < 0 ? errno : ECONNRESET;
        return complain(load, "a connection was closed");
    }
    client->input_end += (size_t)count;
    if (take_replies(load, client))
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

/* Of a rate the next moment may be nearer than epoll's milliseconds: then it only looks. */
static int wait_ms(const struct hd_bench_load *load, uint64_t now, uint64_t until_ns)
{
    if (load->interval_ns && !load->stopping)
        return 0;
    uint64_t left_ms = (until_ns - now) / 1000000 + 1;
    return left_ms > 1000 ? 1000 : (int)left_ms;
}

static int begin_all_due(struct hd_bench_load *load, uint64_t now)
{
    for (unsigned i = 0; i < load->client_count; i++)
        if (load->clients[i].due_ns <= now && begin_due(load, &load->clients[i], now))
            return -1;
    return 0;
}

/* Turns the loop until the time, or until no client is active. */
static int turn_until(struct hd_bench_load *load, uint64_t until_ns)
{
    struct epoll_event events[256];
    while (load->active > 0) {
        uint64_t now = now_ns();
        if (now >= until_ns)
            return 0;
        if (load->interval_ns && begin_all_due(load, now))
            return -1;
        int ready = epoll_wait(load->epoll, events, 256, wait_ms(load, now, until_ns));
        if (ready < 0 && errno != EINTR)
            return complain(load, "epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) && send_output(load, client))
                return -1;
            if ((events[i].events & ~(uint32_t)EPOLLOUT) && serve(load, client))
                return -1;
        }
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
    uint64_t now = now_ns();
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
    for (unsigned i = 0; i < load->client_count; i++)
        load->active += load->clients[i].count > 0;
    return turn_until(load, now_ns() + ns_of(60));
}

int hd_bench_load_run(struct hd_bench_load *load, const struct hd_bench_workload *workload,
                      struct hd_bench_outcome *out)
{
    *out = (struct hd_bench_outcome){0};
    hd_histogram_init(&out->latency_ns);
    load->outcome = out;
    if (begin_run(load, workload) || turn_until(load, now_ns() + ns_of(load->options->warmup_s)))
        return -1;
    double server_before = hd_bench_cpu_of(load->server_pid);
    double client_before = hd_bench_cpu_own();
    uint64_t begin_ns = now_ns();
    load->measuring = true;
    if (turn_until(load, begin_ns + ns_of(load->options->duration_s)))
        return -1;
    load->measuring = false;
    double server_after = hd_bench_cpu_of(load->server_pid);
    out->seconds = (double)(now_ns() - begin_ns) / 1e9;
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
}

bool hd_bench_load_can(const struct hd_bench_load *load, const struct hd_bench_workload *workload)
{
    for (unsigned i = 0; i < workload->count; i++)
        if (!load->protocol->compose(workload->operations[i]))
            return false;
    return true;
}

/* ---- connecting ----------------------------------------------------------- */

/* Descriptors for all clients, as far as the system allows. */
static int raise_descriptor_limit(unsigned connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= connections + 64u)
        return 0;
    if (limit.rlim_max < connections + 64u) {
        (void)fprintf(stderr, "heapd-bench: %u connections need a limit of %u open files (ulimit -n), and it is %llu\n",
                      connections, connections + 64u, (unsigned long long)limit.rlim_max);
        return -1;
    }
    limit.rlim_cur = connections + 64u;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Sends bytes that are answered by so many replies, and awaits these. */
static int exchange(struct hd_bench_load *load, struct client *client, const uint8_t *bytes, size_t count,
                    unsigned replies)
{
    struct hd_bench_outcome outcome = {0};
    struct pending whole = {.replies = replies};
    struct pending *ring = client->pending;
    load->outcome = &outcome;
    client->pending = &whole;
    client->first = 0;
    client->count = 1;
    int result = 0;
    while (!result && client->count > 0) {
        ssize_t moved = count ? send(client->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        if (moved > 0) {
            bytes += moved;
            count -= (size_t)moved;
        }
        moved = recv(client->fd, client->input + client->input_end, HD_BENCH_INPUT_BYTES - client->input_end,
                     count ? MSG_DONTWAIT : 0);
        if (moved < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        client->input_end += moved > 0 ? (size_t)moved : 0;
        result = moved <= 0 ? complain(load, "a connection was closed at its beginning") : take_replies(load, client);
    }
    client->pending = ring;
    client->first = client->count = 0;
    load->outcome = NULL;
    if (!result && outcome.failures) {
        (void)fprintf(stderr, "heapd-bench: %s: %s\n", load->protocol->name, outcome.first_failure);
        result = -1;
    }
    return result;
}

static int start_client(struct hd_bench_load *load, const struct hd_client_address *address, struct client *client,
                        unsigned number)
{
    struct heapd_error error;
    if (hd_client_address_connect(address, 5000, &client->fd, &error)) {
        (void)fprintf(stderr, "heapd-bench: client %u: %s\n", number, error.message);
        return -1;
    }
    const struct hd_bench_options *options = load->options;
    client->stream = (struct hd_bench_stream){
        .next_id = 1, .next_reply = 1, .value = load->value, .value_bytes = options->value_bytes};
    hd_bench_keys_init(&client->stream.keys, options->distribution, options->skew, options->keyspace, options->seed,
                       number);
    client->output = malloc((size_t)options->pipeline * (HD_BENCH_MAX_REQUEST_BYTES + options->value_bytes));
    client->input = malloc(HD_BENCH_INPUT_BYTES);
    client->pending = calloc(options->pipeline, sizeof *client->pending);
    if (!client->output || !client->input || !client->pending)
        return complain(load, "memory for the clients");
    uint8_t greeting[1024];
    unsigned replies = 0;
    uint8_t *end = load->protocol->greet ? load->protocol->greet(&client->stream, greeting, &replies) : greeting;
    if (replies && exchange(load, client, greeting, (size_t)(end - greeting), replies))
        return -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) ? complain(load, "epoll_ctl") : 0;
}

/* Connections that are greeted like the others and then left alone. */
static int start_idle(struct hd_bench_load *load, const struct hd_client_address *address)
{
    const unsigned wanted = load->options->idle;
    load->idle_fds = calloc(wanted ? wanted : 1, sizeof *load->idle_fds);
    if (!load->idle_fds)
        return complain(load, "memory");
    for (unsigned i = 0; i < wanted; i++) {
        struct client client = {.fd = -1};
        int result = start_client(load, address, &client, i);
        free(client.output);
        free(client.input);
        free(client.pending);
        if (client.fd >= 0) {
            (void)epoll_ctl(load->epoll, EPOLL_CTL_DEL, client.fd, NULL);
            load->idle_fds[load->idle_count++] = client.fd;
        }
        if (result)
            return -1;
    }
    return 0;
}

static long peer_pid(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? (long)peer.pid : 0;
}

static int start_all(struct hd_bench_load *load, const struct hd_client_address *address)
{
    const struct hd_bench_options *options = load->options;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(options->clients, sizeof *load->clients);
    load->value = malloc(options->value_bytes + 1);
    if (load->epoll < 0 || !load->clients || !load->value)
        return complain(load, "memory");
    memset(load->value, 'x', options->value_bytes);
    for (unsigned i = 0; i < options->clients; i++) {
        load->clients[i].fd = -1;
        load->client_count++;
        if (start_client(load, address, &load->clients[i], i))
            return -1;
    }
    return start_idle(load, address);
}

int hd_bench_load_new(const struct hd_bench_options *options, const struct hd_bench_protocol *protocol,
                      const struct hd_client_address *address, struct hd_bench_load **out)
{
    if (raise_descriptor_limit(options->clients + options->idle))
        return -1;
    struct hd_bench_load *load = calloc(1, sizeof *load);
    if (!load)
        return complain(NULL, "memory");
    load->options = options;
    load->protocol = protocol;
    load->epoll = -1;
    if (start_all(load, address)) {
        hd_bench_load_free(load);
        return -1;
    }
    bool is_ours = protocol == &hd_bench_heapd;
    load->server_pid = is_ours && options->server_pid ? options->server_pid : peer_pid(load->clients[0].fd);
    *out = load;
    return 0;
}

int hd_bench_load_fill(struct hd_bench_load *load)
{
    const struct hd_bench_options *options = load->options;
    if (!load->protocol->fill)
        return 0;
    uint8_t *bytes = malloc(FILL_BATCH * 3 * (HD_BENCH_MAX_REQUEST_BYTES + options->value_bytes));
    if (!bytes)
        return complain(load, "memory");
    int result = 0;
    for (uint64_t number = 0; number < options->keyspace && !result;) {
        uint8_t *at = bytes;
        unsigned replies = 0;
        for (unsigned i = 0; i < FILL_BATCH && number < options->keyspace; i++)
            at = load->protocol->fill(&load->clients[0].stream, number++, at, &replies);
        result = exchange(load, &load->clients[0], bytes, (size_t)(at - bytes), replies);
    }
    free(bytes);
    return result;
}

void hd_bench_load_free(struct hd_bench_load *load)
{
    if (!load)
        return;
    for (unsigned i = 0; i < load->client_count; i++) {
        if (load->clients[i].fd >= 0)
            close(load->clients[i].fd);
        free(load->clients[i].output);
        free(load->clients[i].input);
        free(load->clients[i].pending);
    }
    for (unsigned i = 0; i < load->idle_count; i++)
        close(load->idle_fds[i]);
    if (load->epoll >= 0)
        close(load->epoll);
    free(load->clients);
    free(load->idle_fds);
    free(load->value);
    free(load);
}

long hd_bench_load_server_pid(const struct hd_bench_load *load)
{
    return load->server_pid;
}
