#include "client/bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/bench/operation.h"

static const char *const help_text =
    "usage: heapd-bench [options]\n"
    "Measures a running heapd: throughput, latency, and what an operation costs the daemon.\n"
    "\n"
    "  -c, --clients N        connections at once (50)\n"
    "  -P, --pipeline N       operations per write; the next write follows when all are answered (1)\n"
    "  -t, --tests A,B,...    operations, or \"all\" (ping,get_item,set_item,list_get,append,add,lookup)\n"
    "  -d, --duration S       seconds to measure each operation (3)\n"
    "      --warmup S         seconds to run before measuring (a tenth of the duration)\n"
    "  -r, --keyspace N       keys in the dict and elements in the list, chosen at random (100000)\n"
    "  -s, --value-bytes N    size of the strings that are stored and read; up to 7 are held inline (3)\n"
    "  -a, --address ADDRESS  unix:/path or tcp:127.0.0.1:PORT ($HEAPD_ADDRESS, else the default)\n"
    "      --seed N           of the random choice of keys (from the clock, and printed)\n"
    "      --server-pid N     whose CPU time to count; over a Unix socket it is known\n"
    "      --keep             leave the names heapd-bench:* bound afterwards\n"
    "      --json             one JSON document on standard output\n"
    "  -h, --help             this text, with the operations below\n";

static void print_help(void)
{
    (void)fputs(help_text, stdout);
    (void)puts("\nOperations:");
    for (size_t i = 0; i < hd_bench_operation_count; i++)
        (void)printf("  %-12s %s\n", hd_bench_operations[i].name, hd_bench_operations[i].text);
}

static int bad(const char *option, const char *value, const char *wanted)
{
    (void)fprintf(stderr, "heapd-bench: %s %s: %s; see heapd-bench --help\n", option, value, wanted);
    return -1;
}

static int parse_count(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least || value > most) {
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "a number from %llu to %llu is wanted", (unsigned long long)least,
                       (unsigned long long)most);
        return bad(option, text, wanted);
    }
    *out = value;
    return 0;
}

static int parse_seconds(const char *option, const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0) || value > 86400)
        return bad(option, text, "seconds from 0 to 86400 are wanted");
    *out = value;
    return 0;
}

enum { OPTION_WARMUP = 256, OPTION_SEED, OPTION_SERVER_PID, OPTION_KEEP, OPTION_JSON, OPTION_VERSION };

static const struct option long_options[] = {
    {"clients", required_argument, NULL, 'c'},
    {"pipeline", required_argument, NULL, 'P'},
    {"tests", required_argument, NULL, 't'},
    {"duration", required_argument, NULL, 'd'},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"keyspace", required_argument, NULL, 'r'},
    {"value-bytes", required_argument, NULL, 's'},
    {"address", required_argument, NULL, 'a'},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"server-pid", required_argument, NULL, OPTION_SERVER_PID},
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int take(int option, const char *value, struct hd_bench_options *out)
{
    uint64_t number = 0;
    int error = 0;
    switch (option) {
    case 'c':
        error = parse_count("--clients", value, 1, 60000, &number);
        out->clients = (unsigned)number;
        return error;
    case 'P':
        error = parse_count("--pipeline", value, 1, 10000, &number);
        out->pipeline = (unsigned)number;
        return error;
    case 't':
        out->operations = value;
        return 0;
    case 'd':
        return parse_seconds("--duration", value, &out->duration_s);
    case OPTION_WARMUP:
        return parse_seconds("--warmup", value, &out->warmup_s);
    case 'r':
        return parse_count("--keyspace", value, 1, 1000000000, &out->keyspace);
    case 's':
        error = parse_count("--value-bytes", value, 0, HD_BENCH_MAX_VALUE_BYTES, &number);
        out->value_bytes = (size_t)number;
        return error;
    case 'a':
        out->address = value;
        return 0;
    case OPTION_SEED:
        return parse_count("--seed", value, 0, UINT64_MAX, &out->seed);
    case OPTION_SERVER_PID:
        error = parse_count("--server-pid", value, 1, INT32_MAX, &number);
        out->server_pid = (long)number;
        return error;
    case OPTION_KEEP:
        out->keep = true;
        return 0;
    case OPTION_JSON:
        out->json = true;
        return 0;
    case OPTION_VERSION:
        (void)puts("heapd-bench " HEAPD_VERSION);
        return 1;
    case 'h':
        print_help();
        return 1;
    default:
        (void)fputs("see heapd-bench --help\n", stderr);
        return -1;
    }
}

int hd_bench_options_parse(int count, char **arguments, struct hd_bench_options *out)
{
    *out = (struct hd_bench_options){
        .clients = 50,
        .pipeline = 1,
        .duration_s = 3,
        .warmup_s = -1,
        .keyspace = 100000,
        .value_bytes = 3,
        .operations = "ping,get_item,set_item,list_get,append,add,lookup",
        .seed = (uint64_t)time(NULL),
    };
    int option;
    while ((option = getopt_long(count, arguments, "c:P:t:d:r:s:a:h", long_options, NULL)) != -1) {
        int result = take(option, optarg, out);
        if (result)
            return result;
    }
    if (optind < count)
        return bad("argument", arguments[optind], "only options are taken");
    if (out->duration_s <= 0)
        return bad("--duration", "0", "more than 0 seconds are wanted");
    if (out->warmup_s < 0)
        out->warmup_s = out->duration_s / 10;
    return 0;
}
