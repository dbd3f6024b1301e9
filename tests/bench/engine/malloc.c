/*
 * What bytes.c measures, of malloc: the C library's or, by LD_PRELOAD, another.
 * Also built as a module for cpython.py, which finds Python's own allocator in the
 * process that loads it.
 *
 *     bench_malloc speed OBJECTS PAIRS
 *     bench_malloc rss OBJECTS SIZE      SIZE 0: 16 to 512 at random
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define MIN_BYTES 16
#define MAX_BYTES 512
#define JEMALLOC_ALL_ARENAS "4096"

int bench_run(int argc, char **argv);

static void *(*get)(size_t bytes);
static void (*put)(void *block);
static uint64_t fixed_bytes;

/* dlsym gives a pointer to an object; C leaves no other way to make a function of it. */
static int find(const char *name, void *out)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(out, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void choose_allocator(void)
{
    if (find("PyObject_Malloc", &get) && find("PyObject_Free", &put))
        return;
    get = malloc;
    put = free;
}

/* Whatever the allocator has to give memory back to the system. */
static void give_back(void)
{
    int (*mallctl)(const char *name, void *old_value, size_t *old_size, void *new_value, size_t new_size);
    void (*mi_collect)(int force);
    if (find("mallctl", &mallctl)) {
        mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
        BENCH_CHECK(mallctl("arena." JEMALLOC_ALL_ARENAS ".purge", NULL, NULL, NULL, 0));
    } else if (find("mi_collect", &mi_collect)) {
        mi_collect(1);
    } else {
        malloc_trim(0);
    }
}

static size_t size_of(uint64_t word)
{
    return fixed_bytes ? fixed_bytes : MIN_BYTES + (word >> 32) % (MAX_BYTES - MIN_BYTES + 1);
}

static uint64_t *make(size_t bytes)
{
    uint64_t *block = get(bytes);
    if (!block)
        bench_die("out of memory");
    *block = bytes;
    return block;
}

static void replace_random(uint64_t **blocks, uint64_t count, uint64_t pair_count)
{
    for (uint64_t i = 0; i < pair_count; i++) {
        uint64_t word = bench_random();
        uint64_t **victim = &blocks[word % count];
        put(*victim);
        *victim = make(size_of(word));
    }
}

static void speed(uint64_t count, uint64_t pair_count)
{
    uint64_t **blocks = bench_memory(count * sizeof *blocks);
    for (uint64_t i = 0; i < count; i++)
        blocks[i] = make(size_of(bench_random()));
    replace_random(blocks, count, 2 * count);
    double start = bench_now();
    replace_random(blocks, count, pair_count);
    bench_row("random lifetimes, free and allocate", (bench_now() - start) * 1e9 / (double)pair_count, "ns");
}

static void rss(uint64_t count)
{
    uint64_t **blocks = bench_memory(count * sizeof *blocks);
    uint16_t *sizes = bench_memory(count * sizeof *sizes);
    double before = bench_rss_bytes(), live = 0;
    for (uint64_t i = 0; i < count; i++) {
        sizes[i] = (uint16_t)size_of(bench_random());
        blocks[i] = make(sizes[i]);
        memset(blocks[i], 1, sizes[i]);
        live += sizes[i];
    }
    bench_row("built", (bench_rss_bytes() - before) / live, "x");
    for (uint64_t i = 0; i < count; i++) {
        if (bench_random() % 10 == 0)
            continue;
        put(blocks[i]);
        live -= sizes[i];
    }
    bench_row("freed", (bench_rss_bytes() - before) / live, "x");
    give_back();
    bench_row("trimmed", (bench_rss_bytes() - before) / live, "x");
}

int bench_run(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage: bench_malloc speed OBJECTS PAIRS | rss OBJECTS SIZE");
    choose_allocator();
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

#ifndef BENCH_MODULE
int main(int argc, char **argv)
{
    return bench_run(argc, argv);
}
#endif
