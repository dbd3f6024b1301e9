/*
 * Random operations beside a model: what should be live, and what each block
 * should hold. Mappings fail at random too.
 *
 * HEAPD_TEST_SEED repeats a run; an argument sets the number of steps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/size_class.h"
#include "fixture.h"

enum { SLOTS = 4000 };

struct model_block {
    uint8_t *block; /* NULL: none */
    size_t bytes;
    uint64_t pattern;
};

static struct model_block model[SLOTS];
static uint64_t step_count = 60000;
static uint64_t random_state;
static uint64_t live_count;
static uint64_t live_bytes;

static uint64_t draw(uint64_t below)
{
    return hd_test_random(&random_state) % below;
}

/* Mostly small, some of each other kind; one class has many blocks, so that its cache is at work. */
static size_t draw_bytes(void)
{
    uint64_t kind = draw(1000);
    if (kind < 500)
        return 33 + draw(16);
    if (kind < 800)
        return 1 + draw(HD_SMALL_MAX_BYTES);
    if (kind < 970)
        return 1 + draw(HD_MEDIUM_MAX_BYTES);
    if (kind < 995)
        return 1 + draw(HD_LARGE_MIN_BYTES - 1);
    return HD_LARGE_MIN_BYTES + draw(2 * HD_ARENA_BYTES);
}

/* Word i of a block's pattern is pattern + i; the ends of long blocks stand for the whole. */
#define EDGE_BYTES ((size_t)1024)

static uint8_t pattern_at(const struct model_block *entry, size_t at)
{
    return (uint8_t)((entry->pattern + at / 8) >> at % 8 * 8);
}

static bool is_edge(const struct model_block *entry, size_t at)
{
    return at < EDGE_BYTES || at + EDGE_BYTES >= entry->bytes;
}

static void fill(struct model_block *entry)
{
    for (size_t at = 0; at < entry->bytes; at++) {
        if (!is_edge(entry, at))
            at = entry->bytes - EDGE_BYTES;
        entry->block[at] = pattern_at(entry, at);
    }
}

static void verify(const struct model_block *entry, size_t bytes)
{
    for (size_t at = 0; at < bytes; at++) {
        if (!is_edge(entry, at)) {
            at = entry->bytes - EDGE_BYTES;
            if (at >= bytes)
                break;
        }
        if (entry->block[at] != pattern_at(entry, at))
            fail_msg("byte %zu of %zu at %p was changed", at, entry->bytes, (void *)entry->block);
    }
}

static void do_get(struct fixture *f, struct model_block *entry)
{
    size_t bytes = draw_bytes();
    uint8_t *block = hd_alloc_get(f->alloc, bytes);
    if (!block)
        return;
    assert_int_equal((uintptr_t)block % 16, 0);
    assert_int_equal(hd_alloc_usable(block), hd_alloc_round(bytes));
    *entry = (struct model_block){.block = block, .bytes = bytes, .pattern = hd_test_random(&random_state)};
    fill(entry);
    live_count++;
    live_bytes += hd_alloc_round(bytes);
}

static void do_put(struct fixture *f, struct model_block *entry)
{
    verify(entry, entry->bytes);
    hd_alloc_put(f->alloc, entry->block);
    live_count--;
    live_bytes -= hd_alloc_round(entry->bytes);
    entry->block = NULL;
}

static void do_resize(struct fixture *f, struct model_block *entry)
{
    size_t bytes = draw(3) ? 1 + draw(2 * entry->bytes) : draw_bytes();
    uint8_t *block = hd_alloc_resize(f->alloc, entry->block, bytes);
    if (!block) {
        verify(entry, entry->bytes);
        return;
    }
    entry->block = block;
    verify(entry, bytes < entry->bytes ? bytes : entry->bytes);
    live_bytes += hd_alloc_round(bytes);
    live_bytes -= hd_alloc_round(entry->bytes);
    entry->bytes = bytes;
    fill(entry);
}

static void check(const struct fixture *f)
{
    assert_sound(hd_alloc_check(f->alloc));
    struct hd_alloc_stats stats;
    hd_alloc_stats(f->alloc, &stats);
    assert_int_equal(stats.live_count, live_count);
    assert_int_equal(stats.live_bytes, live_bytes);
    assert_int_equal(stats.mapped_bytes, f->os.mapped_bytes);
    assert_int_equal(f->budget.used_bytes, f->account.used_bytes + stats.mapped_bytes);
    assert_true(f->budget.used_bytes <= f->budget.limit_bytes);
}

/* The model's slots in use grow and shrink, so that the heap fills and drains. */
static void step(struct fixture *f, uint64_t number)
{
    uint64_t phase = number / 5000 % 4;
    uint64_t share_of_gets = phase == 0 ? 80 : phase == 1 ? 50 : phase == 2 ? 20 : 50;
    struct model_block *entry = &model[draw(SLOTS)];
    if (!entry->block) {
        if (draw(100) < share_of_gets)
            do_get(f, entry);
    } else if (draw(100) >= share_of_gets) {
        do_put(f, entry);
    } else if (draw(4) == 0) {
        do_resize(f, entry);
    }
    if (draw(500) == 0)
        hd_os_fault_arm(&f->os, draw(3), draw(2));
    if (draw(3000) == 0)
        hd_alloc_trim(f->alloc);
    if (number % 64 == 0)
        check(f);
}

static void run(const struct hd_alloc_config *config, uint64_t limit_bytes)
{
    struct fixture f;
    fixture_init(&f, limit_bytes);
    fixture_start(&f, config);
    live_count = 0;
    live_bytes = 0;
    memset(model, 0, sizeof model);
    for (uint64_t number = 0; number < step_count; number++)
        step(&f, number);
    check(&f);
    for (size_t i = 0; i < SLOTS; i++) {
        if (model[i].block)
            do_put(&f, &model[i]);
    }
    check(&f);
    hd_alloc_trim(f.alloc);
    check(&f);
    assert_int_equal(f.os.mapped_bytes,
                     (config->preallocate_bytes + HD_ARENA_BYTES - 1) / HD_ARENA_BYTES * HD_ARENA_BYTES);
    fixture_fini(&f);
}

static void without_limit(void **state)
{
    (void)state;
    run(&(struct hd_alloc_config){.reserve_arena_count = 2}, UINT64_MAX);
}

static void at_a_limit(void **state)
{
    (void)state;
    run(&(struct hd_alloc_config){.reserve_arena_count = 1}, 12 * HD_ARENA_BYTES);
}

static void with_huge_pages_and_preallocation(void **state)
{
    (void)state;
    run(&(struct hd_alloc_config){.preallocate_bytes = 3 * HD_ARENA_BYTES, .huge_pages = true}, UINT64_MAX);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        step_count = strtoull(argv[1], NULL, 10);
    random_state = hd_test_seed("alloc_random");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limit),
        cmocka_unit_test(at_a_limit),
        cmocka_unit_test(with_huge_pages_and_preallocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
