/* heapd-bench: how fast a running daemon is, and what it costs; and how fast others are beside it. */
#include <stdio.h>
#include <string.h>

#include "client/bench/load.h"
#include "client/bench/report.h"
#include "client/bench/setup.h"
#include "client/bench/workload.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define SERVERS_MAX (1 + HD_BENCH_PEERS_MAX)

/* The daemon first, then its peers. */
struct servers {
    unsigned count;
    struct hd_bench_load *loads[SERVERS_MAX];
    const char *names[SERVERS_MAX];
};

static int connect_to(struct servers *servers, const struct hd_bench_options *options,
                      const struct hd_bench_protocol *protocol, const char *text)
{
    struct hd_client_address address;
    struct heapd_error error;
    if (hd_client_address_parse(text, &address, &error)) {
        (void)fprintf(stderr, "heapd-bench: %s\n", error.message);
        return -1;
    }
    if (hd_bench_load_new(options, protocol, &address, &servers->loads[servers->count]))
        return -1;
    servers->names[servers->count] = protocol->name;
    return hd_bench_load_fill(servers->loads[servers->count++]);
}

static int connect_to_all(struct servers *servers, const struct hd_bench_options *options)
{
    if (connect_to(servers, options, &hd_bench_heapd, options->address))
        return -1;
    for (unsigned i = 0; i < options->peer_count; i++) {
        const char *name = options->peers[i];
        size_t length = strcspn(name, "=");
        if (connect_to(servers, options, hd_bench_protocol_find(name, length), name + length + 1))
            return -1;
    }
    return 0;
}

/* By turns, so that a noisy spell falls on all of them. */
static int run_workload(const struct hd_bench_options *options, struct servers *servers,
                        const struct hd_bench_workload *workload)
{
    static struct hd_bench_outcome sums[SERVERS_MAX], outcome;
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned i = 0; i < servers->count; i++) {
            if (!hd_bench_load_can(servers->loads[i], workload))
                continue;
            if (hd_bench_load_run(servers->loads[i], workload, &outcome))
                return EXIT_FAILED;
            if (round == 0)
                sums[i] = outcome;
            else
                hd_bench_outcome_add(&sums[i], &outcome);
        }
    }
    for (unsigned i = 0; i < servers->count; i++)
        if (hd_bench_load_can(servers->loads[i], workload))
            hd_bench_report(options, servers->names[i], workload->name, &sums[i]);
    return EXIT_OK;
}

static int bench(const struct hd_bench_options *options, const struct hd_bench_workloads *workloads,
                 struct heapd_connection *connection)
{
    struct servers servers = {0};
    int result = EXIT_FAILED;
    if (hd_bench_setup(connection, options) == 0 && connect_to_all(&servers, options) == 0) {
        hd_bench_report_begin(options, hd_bench_load_server_pid(servers.loads[0]));
        result = EXIT_OK;
        for (unsigned i = 0; i < workloads->count && result == EXIT_OK; i++)
            result = run_workload(options, &servers, &workloads->list[i]);
        hd_bench_report_end(options);
    }
    for (unsigned i = 0; i < servers.count; i++)
        hd_bench_load_free(servers.loads[i]);
    if (!options->keep)
        hd_bench_teardown(connection);
    return result;
}

int main(int count, char **arguments)
{
    struct hd_bench_options options;
    static struct hd_bench_workloads workloads;
    int answered = hd_bench_options_parse(count, arguments, &options);
    if (answered)
        return answered > 0 ? EXIT_OK : EXIT_USAGE;
    if (hd_bench_workloads_parse(&options, &workloads))
        return EXIT_USAGE;
    struct heapd_connection *connection;
    struct heapd_error error;
    if (heapd_connect(options.address, NULL, &connection, &error)) {
        (void)fprintf(stderr, "heapd-bench: %s\n", error.message);
        return EXIT_FAILED;
    }
    int result = bench(&options, &workloads, connection);
    heapd_close(connection);
    return result;
}
