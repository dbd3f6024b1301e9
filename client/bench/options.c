#include "client/bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/bench/protocol.h"

static const char *const help_text =
    "usage: heapd-bench [options]\n"
    "Measures a running heapd: throughput, latency, and what an operation costs the daemon.\n"
    "\n"
    "  -c, --clients N        connections at once (50)\n"
    "  -P, --pipeline N       operations per write; the next write follows when all are answered (1)\n"
    "  -t, --tests A,B,...    operations, or \"all\" (ping,get_item,set_item,list_get,append,add,lookup)\n"
    "  -d, --duration S       seconds to measure each operation (3)\n"
    "  -m, --mix A=N,B=M,...  one workload of several operations, by weights; instead of --tests\n"
    "      --rate N           operations a second in all, each due at its moment: latency counts from then, so\n"
    "                         what waits behind a pause is not left out; --pipeline bounds what waits\n"
    "      --keys KIND        uniform, sequential, zipf or zipf:SKEW: which keys are chosen (uniform; zipf: 0.99)\n"
    "      --idle N           connections beside the clients that do nothing\n"
    "      --ring             to heapd through rings in shared memory; peers stay with their sockets\n"
    "      --peer NAME=PATH   a redis, memcached or echo at a Unix socket: the same load, by turns; may be repeated\n"
    "      --rounds N         times that each operation is run on each server (1; with peers 3)\n"
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

enum {
    OPTION_WARMUP = 256,
    OPTION_RATE,
    OPTION_KEYS,
    OPTION_IDLE,
    OPTION_PEER,
    OPTION_ROUNDS,
    OPTION_SEED,
    OPTION_SERVER_PID,
    OPTION_KEEP,
    OPTION_RING,
    OPTION_JSON,
    OPTION_VERSION
};

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
    {"mix", required_argument, NULL, 'm'},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"peer", required_argument, NULL, OPTION_PEER},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"ring", no_argument, NULL, OPTION_RING},
    {"json", no_argument, NULL, OPTION_JSON},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_keys(const char *text, struct hd_bench_options *out)
{
    char *end = NULL;
    if (strcmp(text, "uniform") == 0) {
        out->distribution = HD_BENCH_UNIFORM;
        return 0;
    }
    if (strcmp(text, "sequential") == 0) {
        out->distribution = HD_BENCH_SEQUENTIAL;
        return 0;
    }
    if (strncmp(text, "zipf", 4) != 0 || (text[4] != ':' && text[4]))
        return bad("--keys", text, "uniform, sequential, zipf or zipf:SKEW is wanted");
    out->distribution = HD_BENCH_ZIPF;
    if (!text[4])
        return 0;
    out->skew = strtod(text + 5, &end);
    if (end == text + 5 || *end || !(out->skew > 0) || out->skew > 10)
        return bad("--keys", text, "a skew above 0 and up to 10 is wanted");
    return 0;
}

static int add_peer(const char *text, struct hd_bench_options *out)
{
    const char *equals = strchr(text, '=');
    if (!equals || !hd_bench_protocol_find(text, (size_t)(equals - text)))
        return bad("--peer", text, "redis=PATH, memcached=PATH or echo=PATH is wanted");
    if (out->peer_count == HD_BENCH_PEERS_MAX)
        return bad("--peer", text, "that is one too many");
    out->peers[out->peer_count++] = text;
    return 0;
}

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
    case 'm':
        out->mix = value;
        return 0;
    case OPTION_RATE:
        error = parse_count("--rate", value, 1, 100000000, &number);
        out->rate = (double)number;
        return error;
    case OPTION_KEYS:
        return parse_keys(value, out);
    case OPTION_IDLE:
        error = parse_count("--idle", value, 0, 1000000, &number);
        out->idle = (unsigned)number;
        return error;
    case OPTION_PEER:
        return add_peer(value, out);
    case OPTION_ROUNDS:
        error = parse_count("--rounds", value, 1, 1000, &number);
        out->rounds = (unsigned)number;
        return error;
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
    case OPTION_RING:
        out->ring = true;
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
        .skew = 0.99,
        .operations = "ping,get_item,set_item,list_get,append,add,lookup",
        .seed = (uint64_t)time(NULL),
    };
    int option;
    while ((option = getopt_long(count, arguments, "c:P:t:m:d:r:s:a:h", long_options, NULL)) != -1) {
        int result = take(option, optarg, out);
        if (result)
            return result;
    }
    if (optind < count)
        return bad("argument", arguments[optind], "only options are taken");
    if (out->duration_s <= 0)
        return bad("--duration", "0", "more than 0 seconds are wanted");
    if (out->rounds == 0)
        out->rounds = out->peer_count ? 3 : 1;
    if (out->warmup_s < 0)
        out->warmup_s = out->duration_s / 10;
    return 0;
}
