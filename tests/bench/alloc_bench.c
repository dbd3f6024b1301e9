/*
 * What the object allocator costs, in time and in memory, beside malloc.
 *
 *     alloc_bench [--malloc] [--huge] [--pairs N] [--objects N] [--size N] speed|rss
 *
 * speed: N objects of 16 to 512 bytes (1,000,000), of which a random one is
 * replaced, again and again. rss: 5,000,000 such objects are built and a random
 * 90% freed. --malloc measures the C library's instead, or whatever LD_PRELOAD
 * puts in its place. --size fixes the size.
 *
 * One row for each figure: allocator, case, value, unit.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc/alloc.h"

#define MIN_BYTES 16
#define MAX_BYTES 512

static const struct hd_os *os;
static struct hd_alloc *heap; /* NULL: malloc */
static uint64_t random_state = 20240229;
static size_t fixed_bytes;

static void *get(size_t bytes)
{
    return heap ? hd_alloc_get(heap, bytes) : malloc(bytes);
}

static void put(void *block)
{
    if (heap)
        hd_alloc_put(heap, block);
    else
        free(block);
}

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t size_of(uint64_t word)
{
    return fixed_bytes ? fixed_bytes : MIN_BYTES + (word >> 32) % (MAX_BYTES - MIN_BYTES + 1);
}

static double rss_bytes(void)
{
    unsigned long total;
    unsigned long resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        exit(1);
    fclose(file);
    return (double)resident * (double)os->page_bytes;
}

/* The bench's own memory, populated beforehand so that it does not count. */
static void *own_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    return memory;
}

static void row(const char *what, double value, const char *unit)
{
    printf("%s\t%s\t%.3f\t%s\n", heap ? "heapd" : "malloc", what, value, unit);
}

static uint64_t *make(size_t bytes)
{
    uint64_t *block = get(bytes);
    if (!block) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    *block = bytes;
    return block;
}

static double ns_since(uint64_t start_ns, uint64_t count)
{
    return (double)(os->now_ns(os->context) - start_ns) / (double)count;
}

static void replace_random(uint64_t **objects, uint64_t object_count, uint64_t pair_count)
{
    for (uint64_t i = 0; i < pair_count; i++) {
        uint64_t word = draw();
        uint64_t **victim = &objects[word % object_count];
        put(*victim);
        *victim = make(size_of(word));
    }
}

static void speed(uint64_t object_count, uint64_t pair_count)
{
    uint64_t **objects = own_memory(object_count * sizeof *objects);
    uint64_t start = os->now_ns(os->context);
    for (uint64_t i = 0; i < object_count; i++)
        objects[i] = make(size_of(draw()));
    row("build, per object", ns_since(start, object_count), "ns");

    replace_random(objects, object_count, 2 * object_count);
    start = os->now_ns(os->context);
    replace_random(objects, object_count, pair_count);
    row("random lifetimes, free and allocate", ns_since(start, pair_count), "ns");

    start = os->now_ns(os->context);
    volatile uint64_t sink = 0;
    for (uint64_t i = 0; i < pair_count; i++) {
        uint64_t word = draw();
        sink += *objects[word % object_count] + size_of(word);
    }
    (void)sink;
    row("the test alone: touch a random object", ns_since(start, pair_count), "ns");

    start = os->now_ns(os->context);
    for (uint64_t i = 0; i < pair_count; i++)
        put(make(fixed_bytes ? fixed_bytes : MIN_BYTES + (i & 15) * 31));
    row("allocate and free at once", ns_since(start, pair_count), "ns");

    start = os->now_ns(os->context);
    for (uint64_t i = 0; i < object_count; i++)
        put(objects[i]);
    row("free all, per object", ns_since(start, object_count), "ns");
}

static void rss(uint64_t object_count)
{
    uint8_t **objects = own_memory(object_count * sizeof *objects);
    uint16_t *sizes = own_memory(object_count * sizeof *sizes);
    double before = rss_bytes();
    double live = 0;
    uint64_t start = os->now_ns(os->context);
    for (uint64_t i = 0; i < object_count; i++) {
        sizes[i] = (uint16_t)size_of(draw());
        objects[i] = (uint8_t *)make(sizes[i]);
        memset(objects[i], 1, sizes[i]);
        live += sizes[i];
    }
    row("build and fill, per object", ns_since(start, object_count), "ns");
    row("built: RSS / live", (rss_bytes() - before) / live, "x");

    uint64_t freed = 0;
    start = os->now_ns(os->context);
    for (uint64_t i = 0; i < object_count; i++) {
        if (draw() % 10 == 0)
            continue;
        put(objects[i]);
        live -= sizes[i];
        freed++;
    }
    row("free a random 90%, per object", ns_since(start, freed), "ns");
    row("after freeing 90%: RSS / live", (rss_bytes() - before) / live, "x");
    if (heap)
        hd_alloc_trim(heap);
    else
        malloc_trim(0);
    row("after trimming: RSS / live", (rss_bytes() - before) / live, "x");
}

int main(int argc, char **argv)
{
    bool use_malloc = false;
    const char *mode = NULL;
    uint64_t pair_count = 20000000;
    uint64_t object_count = 0;
    struct hd_alloc_config config = {.reserve_arena_count = 2};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--malloc"))
            use_malloc = true;
        else if (!strcmp(argv[i], "--huge"))
            config.huge_pages = true;
        else if (!strcmp(argv[i], "--pairs") && i + 1 < argc)
            pair_count = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--objects") && i + 1 < argc)
            object_count = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--size") && i + 1 < argc)
            fixed_bytes = strtoull(argv[++i], NULL, 10);
        else
            mode = argv[i];
    }
    bool is_speed = mode && !strcmp(mode, "speed");
    if (!is_speed && (!mode || strcmp(mode, "rss") != 0)) {
        fprintf(stderr, "usage: alloc_bench [--malloc] [--huge] [--pairs N] [--objects N] [--size N] speed|rss\n");
        return 2;
    }
    os = hd_os_linux();
    struct hd_budget budget;
    struct hd_account account;
    hd_budget_init(&budget, UINT64_MAX);
    hd_account_init(&account, &budget);
    if (!use_malloc && hd_alloc_new(os, &budget, &account.allocator, &config, &heap) != 0)
        return 1;
    if (is_speed)
        speed(object_count ? object_count : 1000000, pair_count);
    else
        rss(object_count ? object_count : 5000000);
    hd_alloc_free(heap);
    hd_account_fini(&account);
    return 0;
}
