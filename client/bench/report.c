#include "client/bench/report.h"

#include <stdio.h>

static bool first_row;

void hd_bench_report_begin(const struct hd_bench_options *options, long server_pid)
{
    first_row = true;
    if (options->json) {
        (void)printf(
            "{\"clients\": %u, \"pipeline\": %u, \"duration_s\": %.3f, \"keyspace\": %llu, "
            "\"value_bytes\": %zu, \"ring\": %s, \"rate\": %.0f, \"idle\": %u, \"rounds\": %u, \"seed\": %llu, "
            "\"server_pid\": %ld, \"results\": [",
            options->clients, options->pipeline, options->duration_s, (unsigned long long)options->keyspace,
            options->value_bytes, options->ring ? "true" : "false", options->rate, options->idle, options->rounds,
            (unsigned long long)options->seed, server_pid);
        return;
    }
    (void)printf("%u clients%s, pipeline %u, %.1f s each, %llu keys, values of %zu bytes, seed %llu\n",
                 options->clients, options->ring ? " with rings" : "", options->pipeline, options->duration_s,
                 (unsigned long long)options->keyspace, options->value_bytes, (unsigned long long)options->seed);
    (void)printf("%-*s %11s %9s %9s %9s %9s %12s %12s\n", options->peer_count ? 20 : 10, "operation", "ops/s", "p50 us",
                 "p99 us", "p99.9 us", "max us", "server ns/op", "client ns/op");
}

static double us(uint64_t ns)
{
    return (double)ns / 1000;
}

static double per_operation_ns(double seconds, uint64_t operations)
{
    return operations ? seconds * 1e9 / (double)operations : 0;
}

/* JSON has no way to write a string with quotes or control characters in it but to escape them. */
static void print_json_text(const char *text)
{
    (void)putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            (void)printf("\\%c", byte);
        else if (byte < 0x20)
            (void)printf("\\u%04x", byte);
        else
            (void)putchar(byte);
    }
    (void)putchar('"');
}

static void report_json(const struct hd_bench_options *options, const char *server, const char *workload,
                        const struct hd_bench_outcome *outcome)
{
    const struct hd_histogram *latency = &outcome->latency_ns;
    (void)printf("%s\n  {\"server\": \"%s\", \"operation\": \"%s\", \"operations\": %llu, \"failures\": %llu, "
                 "\"seconds\": %.6f, "
                 "\"ops_per_s\": %.1f, \"latency_us\": {\"mean\": %.3f, \"min\": %.3f, \"p50\": %.3f, \"p90\": %.3f, "
                 "\"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}, ",
                 first_row ? "" : ",", server, workload, (unsigned long long)outcome->operations,
                 (unsigned long long)outcome->failures, outcome->seconds,
                 (double)outcome->operations / outcome->seconds, hd_histogram_mean(latency) / 1000,
                 us(latency->count ? latency->min : 0), us(hd_histogram_quantile(latency, 0.5)),
                 us(hd_histogram_quantile(latency, 0.9)), us(hd_histogram_quantile(latency, 0.99)),
                 us(hd_histogram_quantile(latency, 0.999)), us(latency->max));
    if (options->rate > 0)
        (void)printf("\"from_write_us\": {\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}, ",
                     us(hd_histogram_quantile(&outcome->written_ns, 0.5)),
                     us(hd_histogram_quantile(&outcome->written_ns, 0.99)),
                     us(hd_histogram_quantile(&outcome->written_ns, 0.999)), us(outcome->written_ns.max));
    if (outcome->server_cpu_s < 0)
        (void)printf("\"server_cpu_ns_per_op\": null, ");
    else
        (void)printf("\"server_cpu_ns_per_op\": %.1f, ", per_operation_ns(outcome->server_cpu_s, outcome->operations));
    (void)printf("\"client_cpu_ns_per_op\": %.1f, \"first_failure\": ",
                 per_operation_ns(outcome->client_cpu_s, outcome->operations));
    if (outcome->failures)
        print_json_text(outcome->first_failure);
    else
        (void)printf("null");
    (void)putchar('}');
}

static void report_row(const struct hd_bench_options *options, const char *server, const char *workload,
                       const struct hd_bench_outcome *outcome)
{
    const struct hd_histogram *latency = &outcome->latency_ns;
    char cpu[32] = "?", name[64];
    if (outcome->server_cpu_s >= 0)
        (void)snprintf(cpu, sizeof cpu, "%.0f", per_operation_ns(outcome->server_cpu_s, outcome->operations));
    (void)snprintf(name, sizeof name, "%s%s%s", workload, options->peer_count ? " " : "",
                   options->peer_count ? server : "");
    (void)printf("%-*s %11.0f %9.1f %9.1f %9.1f %9.1f %12s %12.0f\n", options->peer_count ? 20 : 10, name,
                 (double)outcome->operations / outcome->seconds, us(hd_histogram_quantile(latency, 0.5)),
                 us(hd_histogram_quantile(latency, 0.99)), us(hd_histogram_quantile(latency, 0.999)), us(latency->max),
                 cpu, per_operation_ns(outcome->client_cpu_s, outcome->operations));
    if (outcome->failures)
        (void)printf("           %llu requests failed; the first: %s\n", (unsigned long long)outcome->failures,
                     outcome->first_failure);
}

void hd_bench_report(const struct hd_bench_options *options, const char *server, const char *workload,
                     const struct hd_bench_outcome *outcome)
{
    if (options->json)
        report_json(options, server, workload, outcome);
    else
        report_row(options, server, workload, outcome);
    first_row = false;
    (void)fflush(stdout);
}

void hd_bench_report_end(const struct hd_bench_options *options)
{
    if (options->json)
        (void)puts("\n]}");
}
