#include "client/bench/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unknown(const char *name, size_t length)
{
    (void)fprintf(stderr, "heapd-bench: there is no operation \"%.*s\"; see heapd-bench --help\n", (int)length, name);
    return -1;
}

static int add_single(struct hd_bench_workloads *out, const struct hd_bench_operation *operation)
{
    struct hd_bench_workload *workload = &out->list[out->count++];
    *workload =
        (struct hd_bench_workload){.name = operation->name, .count = 1, .operations = {operation}, .weights = {1}};
    return 0;
}

static int parse_tests(const char *text, struct hd_bench_workloads *out)
{
    bool all = strcmp(text, "all") == 0;
    /* In the order of the table: those that change much come last. */
    for (size_t i = 0; i < hd_bench_operation_count && all; i++)
        (void)add_single(out, &hd_bench_operations[i]);
    for (const char *at = text; *at && !all;) {
        size_t word = strcspn(at, ",");
        const struct hd_bench_operation *operation = hd_bench_operation_find(at, word);
        if (!operation || out->count == HD_BENCH_WORKLOADS_MAX)
            return unknown(at, word);
        (void)add_single(out, operation);
        at += word + (at[word] == ',');
    }
    return 0;
}

static int parse_mix(const char *text, struct hd_bench_workloads *out)
{
    struct hd_bench_workload *mix = &out->list[0];
    *mix = (struct hd_bench_workload){.name = text};
    out->count = 1;
    for (const char *at = text; *at;) {
        size_t word = strcspn(at, ","), name = strcspn(at, "=,");
        const struct hd_bench_operation *operation = hd_bench_operation_find(at, name);
        long weight = name < word ? strtol(at + name + 1, NULL, 10) : 1;
        if (!operation || mix->count == HD_BENCH_MIX_MAX)
            return unknown(at, name);
        if (weight < 1 || weight > 1000000) {
            (void)fprintf(stderr, "heapd-bench: --mix %.*s: a weight from 1 to 1000000 is wanted\n", (int)word, at);
            return -1;
        }
        mix->operations[mix->count] = operation;
        mix->weights[mix->count++] = (uint32_t)weight;
        at += word + (at[word] == ',');
    }
    return mix->count ? 0 : unknown("", 0);
}

int hd_bench_workloads_parse(const struct hd_bench_options *options, struct hd_bench_workloads *out)
{
    out->count = 0;
    return options->mix ? parse_mix(options->mix, out) : parse_tests(options->operations, out);
}
