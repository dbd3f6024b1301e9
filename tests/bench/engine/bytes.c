/*
 * Bytes objects of 16 to 512 bytes in the heap: what random lifetimes cost, and
 * what is resident. malloc.c does the same with allocators.
 *
 *     bench_bytes speed OBJECTS PAIRS
 *     bench_bytes rss OBJECTS SIZE      SIZE 0: 16 to 512 at random
 *
 * Live bytes are those of the objects' contents; resident is all that the process
 * has beyond the beginning, the object table included.
 */
#include <string.h>

#include "graph.h"

#define MIN_BYTES 16
#define MAX_BYTES 512
#define SLICE_UNITS 4096

static const uint8_t contents[MAX_BYTES];
static uint64_t fixed_bytes;

static size_t size_of(uint64_t word)
{
    return fixed_bytes ? fixed_bytes : MIN_BYTES + (word >> 32) % (MAX_BYTES - MIN_BYTES + 1);
}

static hd_value make(struct hd_heap *heap, size_t bytes)
{
    hd_value value;
    BENCH_CHECK(hd_bytes_new(&heap->objects, contents, bytes, &value));
    return value;
}

static void replace_random(struct hd_heap *heap, hd_value *values, uint64_t count, uint64_t pair_count)
{
    for (uint64_t i = 0; i < pair_count; i++) {
        uint64_t word = bench_random();
        hd_value *victim = &values[word % count];
        hd_gc_release(&heap->gc, *victim);
        *victim = make(heap, size_of(word));
    }
}

static void speed(uint64_t count, uint64_t pair_count)
{
    hd_value *values = bench_memory(count * sizeof *values);
    struct hd_heap *heap = bench_heap_new(true);
    for (uint64_t i = 0; i < count; i++)
        values[i] = make(heap, size_of(bench_random()));
    replace_random(heap, values, count, 2 * count);
    double start = bench_now();
    replace_random(heap, values, count, pair_count);
    bench_row("random lifetimes, free and allocate", (bench_now() - start) * 1e9 / (double)pair_count, "ns");
    hd_heap_free(heap);
}

static void compact(struct hd_heap *heap, uint64_t live_count)
{
    struct bench_histogram slices = {0};
    double start = bench_now();
    hd_heap_compact_begin(heap);
    for (bool more = true; more;) {
        uint64_t before_ns = bench_cpu_ns();
        more = hd_heap_step(heap, SLICE_UNITS);
        bench_histogram_add(&slices, bench_cpu_ns() - before_ns);
    }
    bench_row("compacting, per live object", (bench_now() - start) * 1e9 / (double)live_count, "ns");
    bench_row("compacting, longest slice", (double)slices.max_ns / 1e3, "us");
}

static void rss(uint64_t count)
{
    hd_value *values = bench_memory(count * sizeof *values);
    uint16_t *sizes = bench_memory(count * sizeof *sizes);
    double before = bench_rss_bytes(), live = 0;
    struct hd_heap *heap = bench_heap_new(true);
    for (uint64_t i = 0; i < count; i++) {
        size_t bytes = size_of(bench_random());
        sizes[i] = (uint16_t)bytes;
        values[i] = make(heap, bytes);
        live += (double)bytes;
    }
    bench_row("built", (bench_rss_bytes() - before) / live, "x");

    uint64_t live_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (bench_random() % 10 == 0) {
            live_count++;
            continue;
        }
        hd_gc_release(&heap->gc, values[i]);
        live -= sizes[i];
    }
    bench_row("freed", (bench_rss_bytes() - before) / live, "x");
    compact(heap, live_count);
    hd_alloc_trim(heap->alloc);
    bench_row("compacted", (bench_rss_bytes() - before) / live, "x");
    hd_heap_free(heap);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage: bench_bytes speed OBJECTS PAIRS | rss OBJECTS SIZE");
    uint64_t count = bench_count(argv[2]);
    if (strcmp(argv[1], "speed") == 0) {
        speed(count, bench_count(argv[3]));
        return 0;
    }
    if (strcmp(argv[3], "0") != 0)
        fixed_bytes = bench_count(argv[3]);
    if (fixed_bytes > MAX_BYTES)
        bench_die("at most 512 bytes");
    rss(count);
    return 0;
}
