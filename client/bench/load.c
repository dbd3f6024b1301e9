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
#include "common/frame.h"
#include "heapd/v1/value.pb-c.h"

#define HD_BENCH_INPUT_BYTES ((size_t)128 << 10)

struct client {
    int fd; /* own */
    struct hd_bench_stream stream;
    uint8_t *output; /* own; room for a batch */
    size_t output_sent;
    size_t output_end;
    uint8_t *input; /* own; begins with what is left of a frame */
    size_t input_end;
    uint64_t batch_first_id;
    uint64_t replies_left; /* of the batch */
    uint64_t written_ns;   /* when the batch was */
    bool wants_write;
};

struct hd_bench_load {
    const struct hd_bench_options *options; /* borrow */
    int epoll;
    struct client *clients; /* own */
    unsigned client_count;
    uint8_t *value; /* own */
    long server_pid;
    /* Of the run that is going on. */
    const struct hd_bench_operation *operation;
    struct hd_bench_outcome *outcome;
    bool measuring;
    bool stopping; /* no further batches */
    unsigned active;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int complain(const char *what)
{
    (void)fprintf(stderr, "heapd-bench: %s: %s\n", what, strerror(errno));
    return -1;
}

static void note_failure(struct hd_bench_load *load, const uint8_t *body, size_t bytes)
{
    struct hd_bench_outcome *outcome = load->outcome;
    if (outcome->failures++)
        return;
    Heapd__V1__Error *message = heapd__v1__error__unpack(NULL, bytes, body);
    (void)snprintf(outcome->first_failure, sizeof outcome->first_failure, "%s",
                   message ? message->message : "a failure that makes no sense");
    if (message)
        heapd__v1__error__free_unpacked(message, NULL);
}

static int watch(struct hd_bench_load *load, struct client *client, bool wants_write)
{
    if (client->wants_write == wants_write)
        return 0;
    client->wants_write = wants_write;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_MOD, client->fd, &event) ? complain("epoll_ctl") : 0;
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
            return complain("the daemon closed a connection");
        client->output_sent += (size_t)sent;
    }
    return watch(load, client, false);
}

static int begin_batch(struct hd_bench_load *load, struct client *client)
{
    const struct hd_bench_operation *operation = load->operation;
    uint8_t *at = client->output;
    client->batch_first_id = client->stream.next_id;
    for (unsigned i = 0; i < load->options->pipeline; i++)
        at = operation->compose(&client->stream, at);
    client->output_sent = 0;
    client->output_end = (size_t)(at - client->output);
    client->replies_left = (uint64_t)load->options->pipeline * operation->replies;
    client->written_ns = now_ns();
    return send_output(load, client);
}

/* Takes the whole replies of the input. Returns how many operations they end, or -1. */
static int64_t take_replies(struct hd_bench_load *load, struct client *client)
{
    const uint8_t *at = client->input;
    size_t left = client->input_end;
    uint64_t before = client->replies_left;
    unsigned per_operation = load->operation->replies;
    while (left >= HD_FRAME_HEADER_BYTES) {
        struct hd_frame frame;
        if (hd_frame_read(at, left, HD_FRAME_MAX_BODY_BYTES, &frame)) {
            (void)fputs("heapd-bench: the daemon sent what is no frame\n", stderr);
            return -1;
        }
        size_t whole = HD_FRAME_HEADER_BYTES + frame.body_bytes;
        if (left < whole)
            break;
        if (frame.request_id < client->batch_first_id || frame.request_id >= client->stream.next_id ||
            client->replies_left == 0) {
            (void)fputs("heapd-bench: a reply answers what was not asked\n", stderr);
            return -1;
        }
        if (frame.flags & HD_FRAME_ERROR)
            note_failure(load, at + HD_FRAME_HEADER_BYTES, frame.body_bytes);
        client->replies_left--;
        at += whole;
        left -= whole;
    }
    if (left > 0 && at != client->input)
        memmove(client->input, at, left);
    client->input_end = left;
    /* Replies come in order, so an operation ends with the last of its replies. */
    uint64_t total = (uint64_t)load->options->pipeline * per_operation;
    return (int64_t)((total - client->replies_left) / per_operation - (total - before) / per_operation);
}

static int serve(struct hd_bench_load *load, struct client *client)
{
    ssize_t count =
        recv(client->fd, client->input + client->input_end, HD_BENCH_INPUT_BYTES - client->input_end, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0) {
        errno = count < 0 ? errno : ECONNRESET;
        return complain("the daemon closed a connection");
    }
    client->input_end += (size_t)count;
    int64_t ended = take_replies(load, client);
    if (ended < 0)
        return -1;
    if (ended > 0 && load->measuring) {
        load->outcome->operations += (uint64_t)ended;
        hd_histogram_record(&load->outcome->latency_ns, now_ns() - client->written_ns, (uint64_t)ended);
    }
    if (client->replies_left > 0)
        return 0;
    if (load->stopping) {
        load->active--;
        return 0;
    }
    return begin_batch(load, client);
}

/* Turns the loop until the time, or until no client is active. */
static int turn_until(struct hd_bench_load *load, uint64_t until_ns)
{
    struct epoll_event events[256];
    while (load->active > 0) {
        uint64_t now = now_ns();
        if (now >= until_ns)
            return 0;
        uint64_t left_ms = (until_ns - now) / 1000000 + 1;
        int ready = epoll_wait(load->epoll, events, 256, left_ms > 1000 ? 1000 : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return complain("epoll_wait");
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

int hd_bench_load_run(struct hd_bench_load *load, const struct hd_bench_operation *operation,
                      struct hd_bench_outcome *out)
{
    *out = (struct hd_bench_outcome){0};
    hd_histogram_init(&out->latency_ns);
    load->operation = operation;
    load->outcome = out;
    load->measuring = false;
    load->stopping = false;
    load->active = load->client_count;
    for (unsigned i = 0; i < load->client_count; i++) {
        if (begin_batch(load, &load->clients[i]))
            return -1;
    }
    if (turn_until(load, now_ns() + ns_of(load->options->warmup_s)))
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
    load->stopping = true;
    return turn_until(load, now_ns() + ns_of(60));
}

/* Descriptors for all clients, as far as the system allows. */
static void raise_descriptor_limit(unsigned clients)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= clients + 64u)
        return;
    limit.rlim_cur = limit.rlim_max < clients + 64u ? limit.rlim_max : clients + 64u;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int await_replies(struct hd_bench_load *load, struct client *client)
{
    while (client->replies_left > 0) {
        ssize_t count =
            recv(client->fd, client->input + client->input_end, HD_BENCH_INPUT_BYTES - client->input_end, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return complain("the daemon closed a connection at its beginning");
        client->input_end += (size_t)count;
        if (take_replies(load, client) < 0)
            return -1;
    }
    return 0;
}

/* Hello and the handles, in one write. */
static int greet(struct hd_bench_load *load, struct client *client)
{
    static const struct hd_bench_operation setup = {.name = "setup", .replies = 1};
    static const char *const names[] = {HD_BENCH_NAME_DICT, HD_BENCH_NAME_LIST, HD_BENCH_NAME_COUNTERS,
                                        HD_BENCH_NAME_GROWING};
    struct hd_bench_outcome outcome = {0};
    load->operation = &setup;
    load->outcome = &outcome;
    uint8_t frames[1024];
    client->batch_first_id = client->stream.next_id;
    uint8_t *at = hd_bench_compose_hello(&client->stream, frames);
    for (uint64_t slot = 1; slot <= 4; slot++)
        at = hd_bench_compose_lookup(&client->stream, at, names[slot - 1], slot);
    client->replies_left = 5;
    if (send(client->fd, frames, (size_t)(at - frames), MSG_NOSIGNAL) != at - frames)
        return complain("send");
    if (await_replies(load, client))
        return -1;
    if (outcome.failures) {
        (void)fprintf(stderr, "heapd-bench: %s\n", outcome.first_failure);
        return -1;
    }
    return 0;
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
        .random = (options->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + number * UINT64_C(0xbf58476d1ce4e5b9) + 1,
        .next_id = 1,
        .keyspace = options->keyspace,
        .value = load->value,
        .value_bytes = options->value_bytes,
    };
    client->output = malloc((size_t)options->pipeline * (HD_BENCH_MAX_REQUEST_BYTES + options->value_bytes));
    client->input = malloc(HD_BENCH_INPUT_BYTES);
    if (!client->output || !client->input)
        return complain("memory for the clients");
    if (greet(load, client))
        return -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) ? complain("epoll_ctl") : 0;
}

static long peer_pid(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? (long)peer.pid : 0;
}

int hd_bench_load_new(const struct hd_bench_options *options, const struct hd_client_address *address,
                      struct hd_bench_load **out)
{
    raise_descriptor_limit(options->clients);
    struct hd_bench_load *load = calloc(1, sizeof *load);
    if (!load)
        return complain("memory");
    load->options = options;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(options->clients, sizeof *load->clients);
    load->value = malloc(options->value_bytes + 1);
    if (load->epoll < 0 || !load->clients || !load->value) {
        hd_bench_load_free(load);
        return complain("memory");
    }
    memset(load->value, 'x', options->value_bytes);
    for (unsigned i = 0; i < options->clients; i++) {
        load->clients[i].fd = -1;
        load->client_count++;
        if (start_client(load, address, &load->clients[i], i)) {
            hd_bench_load_free(load);
            return -1;
        }
    }
    load->server_pid = options->server_pid ? options->server_pid : peer_pid(load->clients[0].fd);
    *out = load;
    return 0;
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
    }
    if (load->epoll >= 0)
        close(load->epoll);
    free(load->clients);
    free(load->value);
    free(load);
}

long hd_bench_load_server_pid(const struct hd_bench_load *load)
{
    return load->server_pid;
}
