#include "client/bench/histogram.h"

void hd_histogram_init(struct hd_histogram *histogram)
{
    *histogram = (struct hd_histogram){.min = UINT64_MAX};
}

size_t hd_histogram_bucket(uint64_t value)
{
    if (value < HD_HISTOGRAM_PARTS)
        return (size_t)value;
    /* The octave's number, from 1; its part is what follows the leading one. */
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HD_HISTOGRAM_PART_BITS;
    return ((size_t)shift + 1) * HD_HISTOGRAM_PARTS + (size_t)((value >> shift) - HD_HISTOGRAM_PARTS);
}

uint64_t hd_histogram_bucket_top(size_t bucket)
{
    if (bucket < HD_HISTOGRAM_PARTS)
        return bucket;
    unsigned shift = (unsigned)(bucket / HD_HISTOGRAM_PARTS) - 1;
    uint64_t part = bucket % HD_HISTOGRAM_PARTS + HD_HISTOGRAM_PARTS;
    return (part << shift) + (((uint64_t)1 << shift) - 1);
}

void hd_histogram_record(struct hd_histogram *histogram, uint64_t value, uint64_t times)
{
    if (times == 0)
        return;
    histogram->buckets[hd_histogram_bucket(value)] += times;
    histogram->count += times;
    histogram->sum += value * times;
    if (value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
}

void hd_histogram_add(struct hd_histogram *histogram, const struct hd_histogram *other)
{
    histogram->count += other->count;
    histogram->sum += other->sum;
    if (other->min < histogram->min)
        histogram->min = other->min;
    if (other->max > histogram->max)
        histogram->max = other->max;
    for (size_t bucket = 0; bucket < HD_HISTOGRAM_BUCKETS; bucket++)
        histogram->buckets[bucket] += other->buckets[bucket];
}

uint64_t hd_histogram_quantile(const struct hd_histogram *histogram, double share)
{
    if (histogram->count == 0)
        return 0;
    double exact = share * (double)histogram->count;
    uint64_t wanted = (uint64_t)exact;
    if ((double)wanted < exact)
        wanted++;
    if (wanted == 0)
        wanted = 1;
    if (wanted > histogram->count)
        wanted = histogram->count;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < HD_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted) {
            uint64_t top = hd_histogram_bucket_top(bucket);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}

double hd_histogram_mean(const struct hd_histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}
