/* Which key comes next: evenly, in order, or some far more often than others. */
#ifndef HEAPD_BENCH_KEYS_H
#define HEAPD_BENCH_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum hd_bench_distribution {
    HD_BENCH_UNIFORM,
    HD_BENCH_SEQUENTIAL,
    HD_BENCH_ZIPF, /* the key of rank r comes in proportion to 1 / r^skew */
};

struct hd_bench_keys {
    enum hd_bench_distribution distribution;
    uint64_t count;
    uint64_t random;
    uint64_t next; /* of sequential */
    /* Of zipf: what rejection-inversion (Hoermann and Derflinger, 1996) needs. */
    double skew;
    double integral_first;
    double integral_last;
    double shortcut;
};

/* skew > 0, of zipf alone; other streams of the same seed begin elsewhere. */
void hd_bench_keys_init(struct hd_bench_keys *keys, enum hd_bench_distribution distribution, double skew,
                        uint64_t count, uint64_t seed, uint64_t stream);
/* From 0 to count - 1. */
uint64_t hd_bench_keys_next(struct hd_bench_keys *keys);
/* Any 64 bits. */
uint64_t hd_bench_keys_random(struct hd_bench_keys *keys);

#endif
