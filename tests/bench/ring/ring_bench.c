/*
 * Round trips through libheapd, one at a time or in batches, over the ring or over the socket.
 *
 *     ring_bench [-a ADDRESS] [-c CLIENTS] [-P DEPTH] [-d SECONDS] [-p PAUSE_US] [-o get|set|ping] [-s] [-b
 * CPU,CPU,...]
 *
 * Each client is a thread with a connection of its own; -s: over the socket; -b: where client i runs, in turn. A line
 * for each client: operations a second, and the quantiles of the time of one batch; then all of them together.
 */
#include <getopt.h>
#include <heapd/heapd.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEYS 1000u
/* Linear below 64 us in steps of 10 ns; from there 128 steps for each doubling, up to 268 s. */
#define FINE 6400
#define FINE_NS 64000u
#define STEPS 128
#define BUCKETS (FINE + 22 * STEPS)
#define CPUS_MAX 64

struct options {
    const char *address;
    const char *operation;
    unsigned clients;
    unsigned depth;
    double seconds;
    unsigned pause_us;
    bool socket_only;
    int cpus[CPUS_MAX];
    unsigned cpu_count;
};

struct client {
    const struct options *options;
    pthread_t thread;
    unsigned number;
    uint64_t operations;
    uint64_t elapsed_ns;
    uint32_t buckets[BUCKETS];
    uint64_t worst_ns;
    bool uses_ring;
};

static atomic_uint ready_count;
static atomic_bool started;
static atomic_bool stopped;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what, const struct heapd_error *error)
{
    (void)fprintf(stderr, "ring_bench: %s: %s\n", what, error->message);
    exit(1);
}

static void one(struct heapd_connection *connection, const struct options *options, heapd_handle dict, uint64_t i,
                heapd_ticket *ticket)
{
    struct heapd_error error;
    char text[16];
    int size = snprintf(text, sizeof text, "key%07" PRIu64, i % KEYS);
    struct heapd_value key = heapd_str_of(text, (size_t)size);
    int code;
    if (options->operation[0] == 'g') {
        struct heapd_value value = heapd_none();
        code = ticket ? heapd_begin_get_item(connection, dict, key, HEAPD_PLAIN, NULL, ticket, &error)
                      : heapd_get_item(connection, dict, key, HEAPD_PLAIN, &value, &error);
        if (!code && !ticket)
            heapd_value_clear(&value);
    } else if (options->operation[0] == 's') {
        code = ticket ? heapd_begin_set_item(connection, dict, key, heapd_int((int64_t)i), ticket, &error)
                      : heapd_set_item(connection, dict, key, heapd_int((int64_t)i), &error);
    } else {
        code = ticket ? heapd_begin_ping(connection, heapd_text("x"), ticket, &error) : heapd_ping(connection, &error);
    }
    if (code)
        fail(options->operation, &error);
}

static void batch(struct heapd_connection *connection, const struct options *options, heapd_handle dict, uint64_t first,
                  heapd_ticket *tickets)
{
    struct heapd_error error;
    if (options->depth == 1) {
        one(connection, options, dict, first, NULL);
        return;
    }
    for (unsigned i = 0; i < options->depth; i++)
        one(connection, options, dict, first + i, &tickets[i]);
    for (unsigned i = 0; i < options->depth; i++) {
        struct heapd_result result = {0};
        if (heapd_wait(connection, tickets[i], -1, &result, &error))
            fail("wait", &error);
        heapd_result_clear(&result);
    }
}

static size_t bucket_of(uint64_t ns)
{
    if (ns < FINE_NS)
        return (size_t)(ns / 10);
    size_t first = FINE;
    uint64_t step = ns * STEPS / FINE_NS;
    for (; step >= 2 * STEPS; step /= 2)
        first += STEPS;
    size_t bucket = first + (size_t)step - STEPS;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The end of what falls into it. */
static double bucket_us(size_t bucket)
{
    if (bucket < FINE)
        return (double)(bucket + 1) / 100;
    size_t doublings = (bucket - FINE) / STEPS;
    size_t step = (bucket - FINE) % STEPS;
    return (double)FINE_NS / 1000 * (double)((uint64_t)1 << doublings) * (double)(STEPS + step + 1) / STEPS;
}

static void note(struct client *client, uint64_t ns)
{
    client->buckets[bucket_of(ns)]++;
    if (ns > client->worst_ns)
        client->worst_ns = ns;
}

static heapd_handle make_dict(struct heapd_connection *connection)
{
    struct heapd_error error;
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle dict;
    (void)heapd_literal_open_dict(literal);
    for (unsigned i = 0; i < KEYS; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "key%07u", i);
        (void)heapd_literal_add(literal, heapd_str_of(text, (size_t)size));
        (void)heapd_literal_add(literal, heapd_int(i));
    }
    (void)heapd_literal_close(literal);
    if (heapd_create(connection, literal, &dict, &error))
        fail("create", &error);
    heapd_literal_free(literal);
    return dict;
}

static void *run(void *context)
{
    struct client *client = context;
    const struct options *options = client->options;
    struct heapd_error error;
    struct heapd_options wanted = HEAPD_OPTIONS_INIT;
    struct heapd_connection *connection;
    if (options->cpu_count) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)options->cpus[client->number % options->cpu_count], &set);
        (void)sched_setaffinity(0, sizeof set, &set);
    }
    wanted.ring = options->socket_only ? HEAPD_RING_NEVER : HEAPD_RING_ALWAYS;
    if (heapd_connect(options->address, &wanted, &connection, &error))
        fail("connect", &error);
    client->uses_ring = heapd_uses_ring(connection);
    heapd_ticket *tickets = calloc(options->depth, sizeof *tickets);
    heapd_handle dict = make_dict(connection);
    uint64_t i = 0;
    for (; i < 1000; i += options->depth)
        batch(connection, options, dict, i, tickets);
    atomic_fetch_add(&ready_count, 1);
    while (!atomic_load(&started))
        usleep(1000);
    uint64_t begin = now_ns();
    uint64_t end = begin;
    while (!atomic_load_explicit(&stopped, memory_order_relaxed)) {
        if (options->pause_us) {
            usleep(options->pause_us);
            end = now_ns();
        }
        batch(connection, options, dict, i, tickets);
        uint64_t now = now_ns();
        note(client, now - end);
        end = now;
        i += options->depth;
        client->operations += options->depth;
    }
    client->elapsed_ns = end - begin;
    free(tickets);
    heapd_close(connection);
    return NULL;
}

static double quantile_us(const uint32_t *buckets, double share, uint64_t worst_ns)
{
    uint64_t total = 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += buckets[i];
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if ((double)seen >= share * (double)total)
            return bucket_us(i);
    }
    return (double)worst_ns / 1000;
}

static void print_line(const char *name, uint64_t operations, double seconds, const uint32_t *buckets,
                       uint64_t worst_ns)
{
    (void)printf("%-8s %10.0f op/s  p50 %7.2f us  p90 %7.2f us  p99 %7.2f us  p99.9 %7.2f us  max %8.1f us\n", name,
                 (double)operations / seconds, quantile_us(buckets, 0.5, worst_ns), quantile_us(buckets, 0.9, worst_ns),
                 quantile_us(buckets, 0.99, worst_ns), quantile_us(buckets, 0.999, worst_ns), (double)worst_ns / 1000);
}

static void report(struct client *clients, unsigned count)
{
    static uint32_t all[BUCKETS];
    uint64_t operations = 0;
    uint64_t worst_ns = 0;
    double seconds = 0;
    for (unsigned i = 0; i < count; i++) {
        struct client *client = &clients[i];
        char name[16];
        (void)snprintf(name, sizeof name, "%u%s", i, client->uses_ring ? " ring" : " sock");
        seconds = (double)client->elapsed_ns / 1e9;
        print_line(name, client->operations, seconds, client->buckets, client->worst_ns);
        operations += client->operations;
        worst_ns = client->worst_ns > worst_ns ? client->worst_ns : worst_ns;
        for (size_t b = 0; b < BUCKETS; b++)
            all[b] += client->buckets[b];
    }
    print_line("all", operations, seconds, all, worst_ns);
}

static void parse_cpus(struct options *options, char *text)
{
    for (char *part = strtok(text, ","); part && options->cpu_count < CPUS_MAX; part = strtok(NULL, ","))
        options->cpus[options->cpu_count++] = atoi(part);
}

int main(int count, char **arguments)
{
    static struct options options = {.clients = 1, .depth = 1, .seconds = 2, .operation = "get"};
    int option;
    while ((option = getopt(count, arguments, "a:c:P:d:p:o:sb:")) != -1) {
        switch (option) {
        case 'a':
            options.address = optarg;
            break;
        case 'c':
            options.clients = (unsigned)atoi(optarg);
            break;
        case 'P':
            options.depth = (unsigned)atoi(optarg);
            break;
        case 'd':
            options.seconds = atof(optarg);
            break;
        case 'p':
            options.pause_us = (unsigned)atoi(optarg);
            break;
        case 'o':
            options.operation = optarg;
            break;
        case 's':
            options.socket_only = true;
            break;
        case 'b':
            parse_cpus(&options, optarg);
            break;
        default:
            return 2;
        }
    }
    if (options.clients == 0 || options.depth == 0)
        return 2;
    struct client *clients = calloc(options.clients, sizeof *clients);
    for (unsigned i = 0; i < options.clients; i++) {
        clients[i].options = &options;
        clients[i].number = i;
        (void)pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    }
    while (atomic_load(&ready_count) < options.clients)
        usleep(1000);
    atomic_store(&started, true);
    usleep((useconds_t)(options.seconds * 1e6));
    atomic_store(&stopped, true);
    for (unsigned i = 0; i < options.clients; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(clients, options.clients);
    free(clients);
    return 0;
}
