/* heapd-bench: how fast a running daemon is, and what it costs. */
#include <stdio.h>
#include <string.h>

#include "client/bench/load.h"
#include "client/bench/report.h"
#include "client/bench/setup.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static bool is_wanted(const struct hd_bench_options *options, const char *name)
{
    if (strcmp(options->operations, "all") == 0)
        return true;
    size_t length = strlen(name);
    for (const char *at = options->operations; *at;) {
        size_t word = strcspn(at, ",");
        if (word == length && memcmp(at, name, length) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return false;
}

static bool names_are_known(const struct hd_bench_options *options)
{
    if (strcmp(options->operations, "all") == 0)
        return true;
    for (const char *at = options->operations; *at;) {
        size_t word = strcspn(at, ",");
        if (!hd_bench_operation_find(at, word)) {
            (void)fprintf(stderr, "heapd-bench: there is no operation \"%.*s\"; see heapd-bench --help\n", (int)word,
                          at);
            return false;
        }
        at += word + (at[word] == ',');
    }
    return true;
}

static int run_all(const struct hd_bench_options *options, struct hd_bench_load *load)
{
    static struct hd_bench_outcome outcome;
    hd_bench_report_begin(options, hd_bench_load_server_pid(load));
    int result = EXIT_OK;
    for (size_t i = 0; i < hd_bench_operation_count && result == EXIT_OK; i++) {
        const struct hd_bench_operation *operation = &hd_bench_operations[i];
        if (!is_wanted(options, operation->name))
            continue;
        if (hd_bench_load_run(load, operation, &outcome))
            result = EXIT_FAILED;
        else
            hd_bench_report(options, operation, &outcome);
    }
    hd_bench_report_end(options);
    return result;
}

static int bench(const struct hd_bench_options *options, struct heapd_connection *connection)
{
    struct hd_client_address address;
    struct heapd_error error;
    if (hd_client_address_parse(options->address, &address, &error)) {
        (void)fprintf(stderr, "heapd-bench: %s\n", error.message);
        return EXIT_FAILED;
    }
    int result = EXIT_FAILED;
    struct hd_bench_load *load;
    if (hd_bench_setup(connection, options) == 0 && hd_bench_load_new(options, &address, &load) == 0) {
        result = run_all(options, load);
        hd_bench_load_free(load);
    }
    if (!options->keep)
        hd_bench_teardown(connection);
    return result;
}

int main(int count, char **arguments)
{
    struct hd_bench_options options;
    int answered = hd_bench_options_parse(count, arguments, &options);
    if (answered)
        return answered > 0 ? EXIT_OK : EXIT_USAGE;
    if (!names_are_known(&options))
        return EXIT_USAGE;
    struct heapd_connection *connection;
    struct heapd_error error;
    if (heapd_connect(options.address, NULL, &connection, &error)) {
        (void)fprintf(stderr, "heapd-bench: %s\n", error.message);
        return EXIT_FAILED;
    }
    int result = bench(&options, connection);
    heapd_close(connection);
    return result;
}
