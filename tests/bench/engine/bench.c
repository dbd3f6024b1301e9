#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

void bench_check(int error, const char *what)
{
    if (error) {
        fprintf(stderr, "%s: %d\n", what, error);
        exit(1);
    }
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

double bench_now(void)
{
    return (double)clock_ns(CLOCK_MONOTONIC) * 1e-9;
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_random(void)
{
    static uint64_t state = 20240229;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

double bench_rss_bytes(void)
{
    unsigned long total, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        bench_die("/proc/self/statm cannot be read");
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

void *bench_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        bench_die("not enough memory to measure");
    return memory;
}

uint64_t bench_count(const char *text)
{
    char *end;
    uint64_t count = strtoull(text, &end, 10);
    if (*end || count < 1 || count > UINT32_MAX / 4)
        bench_die("a count is missing, or too large");
    return count;
}

void bench_row(const char *label, double value, const char *unit)
{
    printf("%s\t%.4f\t%s\n", label, value, unit);
    fflush(stdout);
}

/* Exact below 32; above, five bits behind the leading one. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 32)
        return (unsigned)ns;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(ns);
    return (exponent - 4) * 32 + (unsigned)(ns >> (exponent - 5) & 31);
}

/* The highest that falls into it. */
static double bucket_end_ns(unsigned bucket)
{
    if (bucket < 32)
        return bucket;
    return (double)((UINT64_C(33) + (bucket & 31)) << (bucket / 32 - 1)) - 1;
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t ns)
{
    histogram->buckets[bucket_of(ns)]++;
    histogram->count++;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

double bench_histogram_share_ns(const struct bench_histogram *histogram, double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < BENCH_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen && (double)seen >= share * (double)histogram->count) {
            double end_ns = bucket_end_ns(i);
            return end_ns < (double)histogram->max_ns ? end_ns : (double)histogram->max_ns;
        }
    }
    return 0;
}
