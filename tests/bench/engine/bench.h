/*
 * What the programs of this folder share: a clock, random numbers, resident
 * memory, rows of output, and a histogram for pauses.
 *
 * Every program prints rows of label, value and unit with tabs between them, one
 * for each measurement; run.py makes medians of them. A program that cannot go
 * on says why and ends with 1: these are tools, not tests.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Ends the program unless `error` is 0. */
#define BENCH_CHECK(error) bench_check((error), #error)

void bench_check(int error, const char *what);
_Noreturn void bench_die(const char *what);

/* Seconds on the wall. */
double bench_now(void);
/* CPU time of this thread: what is measured of one thread's work, so that a busy machine disturbs less. */
uint64_t bench_cpu_ns(void);
/* Xorshift, seeded alike in every program, so that peers meet the same numbers. */
uint64_t bench_random(void);
/* Resident memory of this process. */
double bench_rss_bytes(void);
/* Memory for the measuring itself, populated beforehand so that it does not show in later differences. Never freed. */
void *bench_memory(size_t bytes);
/* A count from the command line, at least 1. */
uint64_t bench_count(const char *text);

void bench_row(const char *label, double value, const char *unit);

/* Durations in buckets at most 1/32 apart; the longest exactly. All zero at first. */
#define BENCH_BUCKETS 2048

struct bench_histogram {
    uint64_t buckets[BENCH_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns);
/* The duration that `share` (0 to 1) of them do not exceed. 0 if there are none. */
double bench_histogram_share_ns(const struct bench_histogram *histogram, double share);

#endif
