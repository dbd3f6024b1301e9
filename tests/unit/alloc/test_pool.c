#include <stdlib.h>
#include <string.h>

#include "alloc/pool.h"
#include "fixture.h"

struct pool_fixture {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_pages pages;
    struct hd_arenas arenas;
    struct hd_pools pools;
};

static void start(struct pool_fixture *f)
{
    hd_os_fault_init(&f->os);
    hd_budget_init(&f->budget, UINT64_MAX);
    f->pages = (struct hd_pages){.os = &f->os.os, .budget = &f->budget};
    hd_arenas_init(&f->arenas, &f->pages, 0, false);
    hd_pools_init(&f->pools, &f->arenas);
}

static void check(const struct pool_fixture *f)
{
    assert_sound(hd_arenas_check(&f->arenas));
    assert_sound(hd_pools_check(&f->pools));
}

static void stop(struct pool_fixture *f)
{
    check(f);
    hd_arenas_fini(&f->arenas);
    assert_int_equal(f->os.mapped_bytes, 0);
}

static void every_class_fills_its_pools_upwards(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    for (unsigned i = 0; i < HD_CLASS_RUN; i++) {
        size_t block_bytes = hd_class_block_bytes(i);
        uint8_t *first = hd_pools_get(&f.pools, i);
        assert_non_null(first);
        unsigned capacity = f.pools.classes[i].capacity;
        for (unsigned n = 1; n < capacity; n++)
            assert_ptr_equal(hd_pools_get(&f.pools, i), first + n * block_bytes);
        assert_int_equal(hd_pool_index(hd_pool_of(first), first + (capacity - 1) * block_bytes), capacity - 1);
        assert_int_equal(f.pools.classes[i].pool_count, 1);
        assert_non_null(hd_pools_get(&f.pools, i));
        assert_int_equal(f.pools.classes[i].pool_count, 2);
        check(&f);
    }
    stop(&f);
}

static void a_freed_block_is_the_next_of_its_class(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    unsigned class_index = hd_class_of(48);
    unsigned capacity = f.pools.classes[class_index].capacity;
    void **blocks = calloc(capacity, sizeof *blocks);
    for (unsigned n = 0; n < capacity; n++)
        blocks[n] = hd_pools_get(&f.pools, class_index);
    hd_pools_put(&f.pools, blocks[7]);
    assert_false(hd_pools_is_live(&f.pools, blocks[7]));
    check(&f);
    /* It waits in the queue, and yet is preferred to a new pool. */
    assert_ptr_equal(hd_pools_get(&f.pools, class_index), blocks[7]);
    assert_true(hd_pools_is_live(&f.pools, blocks[7]));
    assert_int_equal(f.pools.classes[class_index].pool_count, 1);
    check(&f);
    free(blocks);
    stop(&f);
}

/* Fills three pools and frees some blocks of each; which is taken from next? */
static void the_fullest_pool_is_used_first(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    unsigned class_index = hd_class_of(512);
    unsigned capacity = f.pools.classes[class_index].capacity;
    uint8_t *starts[4];
    for (int pool = 0; pool < 4; pool++) {
        starts[pool] = hd_pools_get(&f.pools, class_index);
        for (unsigned n = 1; n < capacity; n++)
            hd_pools_get(&f.pools, class_index);
    }
    for (unsigned n = 0; n < capacity - 1; n++)
        hd_pools_put(&f.pools, starts[0] + n * 512);
    for (unsigned n = 0; n < capacity / 2; n++)
        hd_pools_put(&f.pools, starts[1] + n * 512);
    hd_pools_put(&f.pools, starts[2] + 512);
    /* Cached blocks would come first; the order of pools is what this is about. */
    hd_pools_trim(&f.pools);
    check(&f);
    assert_ptr_equal(hd_pools_get(&f.pools, class_index), starts[2] + 512);
    assert_ptr_equal(hd_pools_get(&f.pools, class_index), starts[1]);
    for (unsigned n = 1; n < capacity / 2; n++)
        hd_pools_get(&f.pools, class_index);
    assert_ptr_equal(hd_pools_get(&f.pools, class_index), starts[0]);
    check(&f);
    stop(&f);
}

static void a_pool_that_empties_goes_back(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    unsigned class_index = hd_class_of(64);
    unsigned capacity = f.pools.classes[class_index].capacity;
    uint8_t *first = hd_pools_get(&f.pools, class_index);
    for (unsigned n = 1; n < capacity; n++)
        hd_pools_get(&f.pools, class_index);
    uint8_t *second = hd_pools_get(&f.pools, class_index);
    for (unsigned n = 0; n < capacity; n++)
        hd_pools_put(&f.pools, first + n * 64);
    hd_pools_settle(&f.pools);
    assert_int_equal(f.pools.classes[class_index].pool_count, 1);
    /* The current one stays, for the next request, until a trim. */
    hd_pools_put(&f.pools, second);
    hd_pools_settle(&f.pools);
    assert_int_equal(f.pools.classes[class_index].pool_count, 1);
    check(&f);
    assert_int_equal(hd_pools_trim(&f.pools), 1);
    assert_int_equal(f.pools.classes[class_index].pool_count, 0);
    assert_int_equal(f.arenas.arena_count, f.arenas.empty_count);
    assert_int_equal(hd_pools_trim(&f.pools), 0);
    stop(&f);
}

static void runs_are_pools_of_one_block(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    void *runs[40];
    for (unsigned i = 0; i < 40; i++) {
        size_t bytes = 1 + (i * 5000) % (HD_ARENA_BYTES / 4);
        runs[i] = hd_pools_get_run(&f.pools, bytes);
        assert_non_null(runs[i]);
        memset(runs[i], (int)i, bytes);
        assert_int_equal(hd_pool_block_bytes(hd_pool_of(runs[i])), hd_round_to_granules(bytes));
        check(&f);
    }
    for (unsigned i = 0; i < 40; i++) {
        hd_pools_put(&f.pools, runs[(i * 7) % 40]);
        check(&f);
    }
    hd_pools_settle(&f.pools);
    assert_int_equal(f.pools.run_bytes, 0);
    assert_int_equal(f.arenas.arena_count, f.arenas.empty_count);
    stop(&f);
}

static void the_cache_keeps_its_share_and_shrinks_with_the_class(void **state)
{
    (void)state;
    struct pool_fixture f;
    start(&f);
    enum { COUNT = 20000 };
    unsigned class_index = hd_class_of(32);
    struct hd_class *class = &f.pools.classes[class_index];
    void **blocks = calloc(COUNT, sizeof *blocks);
    for (unsigned i = 0; i < COUNT; i++)
        blocks[i] = hd_pools_get(&f.pools, class_index);
    assert_int_equal(class->cache_limit, HD_CACHE_COUNT);
    uint32_t most_cached = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        /* 7919 is prime to COUNT: every block once, in an order that leaves each pool for another. */
        hd_pools_put(&f.pools, blocks[(size_t)i * 7919 % COUNT]);
        most_cached = class->cached_count > most_cached ? class->cached_count : most_cached;
        if (i % 1000 == 0)
            check(&f);
    }
    assert_int_equal(most_cached, HD_CACHE_COUNT);
    hd_pools_settle(&f.pools);
    assert_int_equal(class->cached_count, 0);
    assert_true(class->pool_count <= 1);
    check(&f);
    free(blocks);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_fills_its_pools_upwards),
        cmocka_unit_test(a_freed_block_is_the_next_of_its_class),
        cmocka_unit_test(the_fullest_pool_is_used_first),
        cmocka_unit_test(a_pool_that_empties_goes_back),
        cmocka_unit_test(runs_are_pools_of_one_block),
        cmocka_unit_test(the_cache_keeps_its_share_and_shrinks_with_the_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
