/*
 * A client that pings at a steady pace, beside whatever else loads the daemon.
 *
 *     bench_ping ADDRESS [--interval-us N] [--seconds N] [--echo-core N]
 *
 * Pings every N microseconds (1000) over the socket, for so many seconds or, without them, until standard input
 * ends, so that a program can put it around what it measures. Prints rows of label, value and unit with tabs between:
 *
 *     pings                       how many
 *     ping, median  p99  p99.9  max      from sending to the reply. While one is out others become due: they count as sent
 *                                 then and answered together with it, or one long wait would be a single slow ping
 *     delay, p99.9  max           how late this process was woken: the machine's own scheduling, the daemon's share
 *                                 being no more than that it was busy
 *     echo, p99.9  max            with --echo-core: the same to a thread on that processor that does nothing but answer,
 *                                 half an interval later: what the machine itself costs, at the same time and place,
 *                                 counted alike
 *     missed                      pings left out, since this process was late by more than an interval
 *     stolen                      CPU time that the host of a virtual machine gave to others meanwhile
 */
#include <heapd/heapd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/bench.h"

static uint64_t now_ns(void)
{
    return (uint64_t)(bench_now() * 1e9);
}

static void sleep_until(uint64_t when_ns)
{
    struct timespec when = {.tv_sec = (time_t)(when_ns / 1000000000u), .tv_nsec = (long)(when_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
        ;
}

/* What is sent to sockets[0] comes back: the other end is a thread of its own, with this one's priority. */
static int sockets[2];

static void *echo(void *unused)
{
    char byte;
    (void)unused;
    while (read(sockets[1], &byte, 1) == 1 && write(sockets[1], &byte, 1) == 1)
        ;
    return NULL;
}

static void start_echo(uint64_t core)
{
    pthread_t thread;
    pthread_attr_t attributes;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    pthread_attr_init(&attributes);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0 ||
        pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores) != 0 ||
        pthread_create(&thread, &attributes, echo, NULL) != 0)
        bench_die("no thread that answers");
    pthread_attr_destroy(&attributes);
}

/* One that was out from `sent_ns` to `back_ns`, and those that became due meanwhile. */
static void add_with_due(struct bench_histogram *histogram, uint64_t sent_ns, uint64_t back_ns, uint64_t interval_ns)
{
    for (; sent_ns < back_ns; sent_ns += interval_ns)
        bench_histogram_add(histogram, back_ns - sent_ns);
}

static void ping_echo(struct bench_histogram *echoes, uint64_t interval_ns)
{
    char byte = 0;
    uint64_t sent_ns = now_ns();
    if (write(sockets[0], &byte, 1) != 1 || read(sockets[0], &byte, 1) != 1)
        bench_die("the thread that answers has gone");
    add_with_due(echoes, sent_ns, now_ns(), interval_ns);
}

static bool input_has_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

/* Milliseconds, of all processors. */
static double stolen_ms(void)
{
    unsigned long long fields[8] = {0};
    FILE *file = fopen("/proc/stat", "r");
    if (file) {
        int read = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &fields[0], &fields[1], &fields[2],
                          &fields[3], &fields[4], &fields[5], &fields[6], &fields[7]);
        fields[7] = read == 8 ? fields[7] : 0;
        fclose(file);
    }
    return (double)fields[7] * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

static void report(const char *what, const struct bench_histogram *histogram, bool with_median)
{
    static const struct {
        const char *name;
        double share;
    } shares[] = {{"median", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}};
    char label[64];
    for (size_t i = with_median ? 0 : 2; i < 3; i++) {
        snprintf(label, sizeof label, "%s, %s", what, shares[i].name);
        bench_row(label, bench_histogram_share_ns(histogram, shares[i].share) / 1e3, "us");
    }
    snprintf(label, sizeof label, "%s, max", what);
    bench_row(label, (double)histogram->max_ns / 1e3, "us");
}

int main(int argc, char **argv)
{
    uint64_t interval_ns = 1000000, seconds = 0;
    bool has_echo = false;
    if (argc < 2 || argc % 2)
        bench_die("usage: bench_ping ADDRESS [--interval-us N] [--seconds N] [--echo-core N]");
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--interval-us") == 0)
            interval_ns = bench_count(argv[i + 1]) * 1000;
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = bench_count(argv[i + 1]);
        else if (strcmp(argv[i], "--echo-core") == 0 && (has_echo = true))
            start_echo(strtoull(argv[i + 1], NULL, 10));
        else
            bench_die("unknown option");
    }
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_connection *connection;
    struct heapd_error error;
    options.client_name = "bench_ping";
    options.ring = HEAPD_RING_NEVER;
    if (heapd_connect(argv[1], &options, &connection, &error) != 0)
        bench_die(error.message);
    static struct bench_histogram pings, delays, echoes;
    uint64_t missed = 0;
    double stolen = stolen_ms();
    for (int i = 0; i < 100; i++) /* what is slow once only */
        if (heapd_ping(connection, &error) != 0)
            bench_die(error.message);
    uint64_t start_ns = now_ns(), due_ns = start_ns + interval_ns;
    while (seconds ? now_ns() - start_ns < seconds * 1000000000u : !input_has_ended()) {
        sleep_until(due_ns);
        uint64_t sent_ns = now_ns();
        if (heapd_ping(connection, &error) != 0)
            bench_die(error.message);
        uint64_t back_ns = now_ns();
        bench_histogram_add(&delays, sent_ns - due_ns);
        add_with_due(&pings, sent_ns, back_ns, interval_ns);
        if (has_echo && now_ns() < due_ns + interval_ns / 2) {
            sleep_until(due_ns + interval_ns / 2);
            ping_echo(&echoes, interval_ns);
            back_ns = now_ns();
        }
        /* What became due while one was out is counted with it; what became due while nobody looked is not the daemon's. */
        for (due_ns += interval_ns; due_ns < back_ns; due_ns += interval_ns)
            missed += due_ns < sent_ns;
    }
    bench_row("pings", (double)pings.count, "pings");
    report("ping", &pings, true);
    report("delay", &delays, false);
    if (has_echo)
        report("echo", &echoes, false);
    bench_row("missed", (double)missed, "pings");
    bench_row("stolen", stolen_ms() - stolen, "ms");
    heapd_close(connection);
    return 0;
}
