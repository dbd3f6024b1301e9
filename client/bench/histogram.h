/*
 * Latencies, counted in buckets whose width grows with the value, as HDR
 * histograms have it: the octaves from one power of two to the next are each cut
 * into 128 equal parts, so a percentile is off by less than 0.8%, whatever the
 * size. Recording is a few instructions and never fails.
 */
#ifndef HEAPD_BENCH_HISTOGRAM_H
#define HEAPD_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HD_HISTOGRAM_PART_BITS 7
#define HD_HISTOGRAM_PARTS ((size_t)1 << HD_HISTOGRAM_PART_BITS)
#define HD_HISTOGRAM_BUCKETS ((64 - HD_HISTOGRAM_PART_BITS + 1) * HD_HISTOGRAM_PARTS)

struct hd_histogram {
    uint64_t count; /* sum of all buckets */
    uint64_t sum;
    uint64_t min; /* exact; UINT64_MAX while it is empty */
    uint64_t max; /* exact */
    uint64_t buckets[HD_HISTOGRAM_BUCKETS];
};

void hd_histogram_init(struct hd_histogram *histogram);
/* The value, `times` times. */
void hd_histogram_record(struct hd_histogram *histogram, uint64_t value, uint64_t times);
/* Everything that the other has recorded. */
void hd_histogram_add(struct hd_histogram *histogram, const struct hd_histogram *other);
/*
 * The value that at least this share (0 .. 1) of what was recorded does not
 * exceed: the top of its bucket, but never beyond the maximum. 0 if it is empty.
 */
uint64_t hd_histogram_quantile(const struct hd_histogram *histogram, double share);
double hd_histogram_mean(const struct hd_histogram *histogram);
/* The bucket of a value, and the largest value of a bucket; for tests. */
size_t hd_histogram_bucket(uint64_t value);
uint64_t hd_histogram_bucket_top(size_t bucket);

#endif
