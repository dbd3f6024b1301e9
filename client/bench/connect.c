/* Before and after the run: connections, their greeting, keys of peers. */
#include <errno.h>
#include <heapd/v1/ring.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/bench/client.h"
#include "client/lib/descriptors.h"
#include "common/frame.h"

/* Operations in one write while keys are made. */
#define FILL_BATCH 500

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
static int exchange(struct hd_bench_load *load, struct hd_bench_client *client, const uint8_t *bytes, size_t count,
                    unsigned replies)
{
    struct hd_bench_outcome outcome = {0};
    struct hd_bench_pending whole = {.replies = replies};
    struct hd_bench_pending *ring = client->batch.pending;
    load->outcome = &outcome;
    client->batch.pending = &whole;
    client->first = 0;
    client->count = 1;
    int result = 0;
    while (!result && client->count > 0) {
        ssize_t moved = count ? send(client->link.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        if (moved > 0) {
            bytes += moved;
            count -= (size_t)moved;
        }
        moved = recv(client->link.fd, client->input + client->input_end, HD_BENCH_INPUT_BYTES - client->input_end,
                     count ? MSG_DONTWAIT : 0);
        if (moved < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        client->input_end += moved > 0 ? (size_t)moved : 0;
        result = moved <= 0 ? hd_bench_complain(load, "a connection was closed at its beginning")
                            : hd_bench_take_replies(load, client);
    }
    client->batch.pending = ring;
    client->first = client->count = 0;
    load->outcome = NULL;
    if (!result && outcome.failures) {
        (void)fprintf(stderr, "heapd-bench: %s: %s\n", load->protocol->name, outcome.first_failure);
        result = -1;
    }
    return result;
}

static int new_batch(const struct hd_bench_options *options, struct hd_bench_batch *out)
{
    out->bytes = malloc((size_t)options->pipeline * (HD_BENCH_MAX_REQUEST_BYTES + options->value_bytes));
    out->pending = calloc(options->pipeline, sizeof *out->pending);
    return out->bytes && out->pending ? 0 : -1;
}

static void free_memory(struct hd_bench_client *client)
{
    free(client->batch.bytes);
    free(client->batch.pending);
    free(client->next.bytes);
    free(client->next.pending);
    free(client->input);
}

/* The reply to OpenRing, and the descriptor that came with it. */
static int take_ring(struct hd_bench_load *load, struct hd_bench_client *client, const struct hd_frame *frame, int fd)
{
    const uint8_t *body = client->input + HD_FRAME_HEADER_BYTES;
    struct hd_bench_reply refusal = {0};
    int result = -1;
    (void)load->protocol->read_reply(&client->stream, client->input, client->input_end, &refusal);
    client->input_end = 0;
    if (refusal.failure) {
        (void)fprintf(stderr, "heapd-bench: no ring: %s\n", refusal.failure);
        return -1;
    }
    Heapd__V1__OpenRingReply *reply = heapd__v1__open_ring_reply__unpack(NULL, frame->body_bytes, body);
    errno = EPROTO;
    if (reply && fd >= 0)
        result = hd_bench_link_use_ring(&client->link, fd, reply->to_daemon_bytes, reply->to_client_bytes);
    if (reply)
        heapd__v1__open_ring_reply__free_unpacked(reply, NULL);
    return result ? hd_bench_complain(load, "the ring") : 0;
}

/* Leaves the socket for a ring. */
static int open_ring(struct hd_bench_load *load, struct hd_bench_client *client)
{
    uint8_t request[HD_BENCH_MAX_REQUEST_BYTES];
    struct hd_descriptors descriptors = {0};
    struct hd_frame frame = {0};
    size_t count = (size_t)(hd_bench_compose_open_ring(&client->stream, request) - request);
    if (send(client->link.fd, request, count, MSG_NOSIGNAL) != (ssize_t)count)
        return hd_bench_complain(load, "asking for a ring");
    while (hd_frame_read(client->input, client->input_end, HD_FRAME_MAX_BODY_BYTES, &frame) ||
           client->input_end < HD_FRAME_HEADER_BYTES + frame.body_bytes) {
        ssize_t came = hd_descriptors_recv(&descriptors, client->link.fd, client->input + client->input_end,
                                           HD_BENCH_INPUT_BYTES - client->input_end, 0);
        if (came < 0 && errno == EINTR)
            continue;
        if (came <= 0) {
            hd_descriptors_fini(&descriptors);
            return hd_bench_complain(load, "a connection was closed when it asked for a ring");
        }
        client->input_end += (size_t)came;
    }
    int fd = hd_descriptors_take(&descriptors);
    int result = take_ring(load, client, &frame, fd);
    if (fd >= 0)
        close(fd);
    hd_descriptors_fini(&descriptors);
    return result;
}

static int start_client(struct hd_bench_load *load, const struct hd_client_address *address,
                        struct hd_bench_client *client, unsigned number)
{
    struct heapd_error error;
    if (hd_client_address_connect(address, 5000, &client->link.fd, &error)) {
        (void)fprintf(stderr, "heapd-bench: client %u: %s\n", number, error.message);
        return -1;
    }
    const struct hd_bench_options *options = load->options;
    client->stream = (struct hd_bench_stream){
        .next_id = 1, .next_reply = 1, .value = load->value, .value_bytes = options->value_bytes};
    hd_bench_keys_init(&client->stream.keys, options->distribution, options->skew, options->keyspace, options->seed,
                       number);
    client->input = malloc(HD_BENCH_INPUT_BYTES);
    if (!client->input || new_batch(options, &client->batch) || new_batch(options, &client->next))
        return hd_bench_complain(load, "memory for the clients");
    uint8_t greeting[1024];
    unsigned replies = 0;
    uint8_t *end = load->protocol->greet ? load->protocol->greet(&client->stream, greeting, &replies) : greeting;
    if (replies && exchange(load, client, greeting, (size_t)(end - greeting), replies))
        return -1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->link.fd, &event) ? hd_bench_complain(load, "epoll_ctl") : 0;
}

/* Connections that are greeted like the others and then left alone. */
static int start_idle(struct hd_bench_load *load, const struct hd_client_address *address)
{
    const unsigned wanted = load->options->idle;
    load->idle_fds = calloc(wanted ? wanted : 1, sizeof *load->idle_fds);
    if (!load->idle_fds)
        return hd_bench_complain(load, "memory");
    for (unsigned i = 0; i < wanted; i++) {
        struct hd_bench_client client = {.link.fd = -1};
        int result = start_client(load, address, &client, i);
        free_memory(&client);
        if (client.link.fd >= 0) {
            (void)epoll_ctl(load->epoll, EPOLL_CTL_DEL, client.link.fd, NULL);
            load->idle_fds[load->idle_count++] = client.link.fd;
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
        return hd_bench_complain(load, "memory");
    memset(load->value, 'x', options->value_bytes);
    for (unsigned i = 0; i < options->clients; i++) {
        load->clients[i].link.fd = -1;
        load->client_count++;
        if (start_client(load, address, &load->clients[i], i) ||
            (load->through_rings && open_ring(load, &load->clients[i])))
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
        return hd_bench_complain(NULL, "memory");
    load->options = options;
    load->protocol = protocol;
    load->epoll = -1;
    load->through_rings = options->ring && protocol == &hd_bench_heapd;
    if (start_all(load, address)) {
        hd_bench_load_free(load);
        return -1;
    }
    bool is_ours = protocol == &hd_bench_heapd;
    load->server_pid = is_ours && options->server_pid ? options->server_pid : peer_pid(load->clients[0].link.fd);
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
        return hd_bench_complain(load, "memory");
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
        hd_bench_link_close(&load->clients[i].link);
        free_memory(&load->clients[i]);
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
