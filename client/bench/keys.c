#include "client/bench/keys.h"

#include <math.h>

/* xorshift64*: what it lacks in quality it does not need for choosing keys. */
uint64_t hd_bench_keys_random(struct hd_bench_keys *keys)
{
    uint64_t x = keys->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    keys->random = x;
    return x * UINT64_C(2685821657736338717);
}

/* From 0 up to, but not, 1. */
static double next_share(struct hd_bench_keys *keys)
{
    return (double)(hd_bench_keys_random(keys) >> 11) * 0x1p-53;
}

/* The integral of 1 / x^skew, and its inverse; near a skew of 1 by a form that does not lose digits. */
static double integral(const struct hd_bench_keys *keys, double x)
{
    double log_x = log(x), part = (1 - keys->skew) * log_x;
    return log_x * (fabs(part) > 1e-8 ? expm1(part) / part : 1 + part / 2);
}

static double inverse(const struct hd_bench_keys *keys, double y)
{
    double part = y * (1 - keys->skew);
    if (part < -1)
        part = -1;
    return exp(y * (fabs(part) > 1e-8 ? log1p(part) / part : 1 - part / 2));
}

static double weight(const struct hd_bench_keys *keys, double rank)
{
    return exp(-keys->skew * log(rank));
}

static uint64_t next_rank(struct hd_bench_keys *keys)
{
    for (;;) {
        double y = keys->integral_last + next_share(keys) * (keys->integral_first - keys->integral_last);
        double x = inverse(keys, y);
        double rank = floor(x + 0.5);
        if (rank < 1)
            rank = 1;
        else if (rank > (double)keys->count)
            rank = (double)keys->count;
        if (rank - x <= keys->shortcut || y >= integral(keys, rank + 0.5) - weight(keys, rank))
            return (uint64_t)rank - 1;
    }
}

void hd_bench_keys_init(struct hd_bench_keys *keys, enum hd_bench_distribution distribution, double skew,
                        uint64_t count, uint64_t seed, uint64_t stream)
{
    *keys = (struct hd_bench_keys){
        .distribution = distribution,
        .count = count,
        .random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + stream * UINT64_C(0xbf58476d1ce4e5b9) + 1,
        .next = stream * 7919 % count,
        .skew = skew,
    };
    if (keys->random == 0)
        keys->random = 1;
    keys->integral_first = integral(keys, 1.5) - 1;
    keys->integral_last = integral(keys, (double)count + 0.5);
    keys->shortcut = 2 - inverse(keys, integral(keys, 2.5) - weight(keys, 2));
}

uint64_t hd_bench_keys_next(struct hd_bench_keys *keys)
{
    switch (keys->distribution) {
    case HD_BENCH_SEQUENTIAL:
        keys->next = keys->next + 1 < keys->count ? keys->next + 1 : 0;
        return keys->next;
    case HD_BENCH_ZIPF:
        /* The frequent ones are not to be neighbours, in the order in which they were made. */
        return (uint64_t)((unsigned __int128)next_rank(keys) * UINT64_C(11400714819323198485) % keys->count);
    case HD_BENCH_UNIFORM:
        break;
    }
    /* Without a division. */
    return (uint64_t)(((unsigned __int128)hd_bench_keys_random(keys) * keys->count) >> 64);
}
