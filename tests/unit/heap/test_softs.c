/* A cache of soft references at the memory limit: it fills what there is, and what is asked for lately stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap/heap.h"
#include "object/references.h"
#include "support/os_fault.h"

enum { ENTRIES = 4000, ENTRY_BYTES = 8000, FAVOURITE = 3 };

struct cache {
    struct hd_os_fault os;
    struct hd_heap *heap;
    hd_value softs; /* a list, bound to a name */
    uint64_t searches;
};

static void begin(struct cache *cache, uint64_t limit_bytes)
{
    struct hd_heap_config config;
    *cache = (struct cache){0};
    hd_os_fault_init(&cache->os);
    hd_heap_config_default(&config);
    config.limit_bytes = limit_bytes;
    assert_int_equal(hd_heap_new(&cache->os.os, &config, &cache->heap), 0);
    assert_int_equal(hd_list_new(&cache->heap->objects, ENTRIES, &cache->softs), 0);
    assert_int_equal(hd_heap_bind(cache->heap, HD_ABSENT, (const uint8_t *)"cache", 5, cache->softs), 0);
}

static void end(struct cache *cache)
{
    assert_null(hd_heap_check(cache->heap, &hd_allocator_libc));
    hd_heap_free(cache->heap);
    assert_int_equal(cache->os.mapped_bytes, 0);
}

static int put_once(struct cache *cache)
{
    static const uint8_t zeros[ENTRY_BYTES];
    struct hd_objects *objects = &cache->heap->objects;
    hd_value value, soft;
    int error = hd_bytes_new(objects, zeros, sizeof zeros, &value);
    if (error)
        return error;
    error = hd_soft_new(objects, value, &soft);
    hd_gc_release(objects->gc, value);
    if (error)
        return error;
    error = hd_list_append(objects, cache->softs, soft);
    if (error)
        hd_gc_release(objects->gc, soft);
    return error;
}

/* As a request does: once more after a search for memory. */
static void put(struct cache *cache)
{
    int error = put_once(cache);
    if (error == HD_ENOMEM) {
        cache->searches++;
        assert_true(hd_heap_relieve(cache->heap));
        error = put_once(cache);
    }
    assert_int_equal(error, 0);
    hd_heap_settle(cache->heap);
}

static hd_value entry(const struct cache *cache, uint32_t i)
{
    return hd_list_at(&cache->heap->objects, cache->softs, i);
}

static void a_cache_fills_the_limit_and_goes_on(void **state)
{
    (void)state;
    struct cache cache;
    begin(&cache, UINT64_C(12) << 20);
    struct hd_objects *objects = &cache.heap->objects;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        put(&cache);
        if (i >= FAVOURITE) /* asked for again and again */
            hd_gc_release(objects->gc, hd_soft_get(objects, entry(&cache, FAVOURITE)));
    }
    /* Three times what fits came in; most of the limit is in use; nothing was refused; searches are few. */
    assert_true(objects->soft_evicted_count > ENTRIES / 2);
    assert_true(objects->soft_count * ENTRY_BYTES > (UINT64_C(12) << 20) / 2);
    assert_int_equal(objects->soft_count + objects->soft_evicted_count, ENTRIES);
    assert_true(cache.searches > 5 && cache.searches < 200);
    /* The favourite is there; of the others exactly the latest are. */
    assert_int_not_equal(hd_soft_peek(objects, entry(&cache, FAVOURITE)), HD_ABSENT);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        bool late = i >= ENTRIES - (objects->soft_count - 1);
        if (i != FAVOURITE)
            assert_int_equal(hd_soft_peek(objects, entry(&cache, i)) != HD_ABSENT, late);
    }
    end(&cache);
}

/* What is asked for in one piece is found in one search, however large. */
static void a_large_request_gets_its_room(void **state)
{
    (void)state;
    struct cache cache;
    begin(&cache, UINT64_C(24) << 20);
    struct hd_objects *objects = &cache.heap->objects;
    while (objects->soft_evicted_count == 0)
        put(&cache);
    uint8_t *bytes = calloc(1, 8 << 20);
    hd_value large;
    assert_non_null(bytes);
    int error = hd_bytes_new(objects, bytes, 8 << 20, &large);
    if (error == HD_ENOMEM) {
        assert_true(hd_heap_relieve(cache.heap));
        error = hd_bytes_new(objects, bytes, 8 << 20, &large);
    }
    assert_int_equal(error, 0);
    free(bytes);
    assert_true(objects->soft_count > 0); /* and no more than it needs */
    hd_gc_release(objects->gc, large);
    end(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cache_fills_the_limit_and_goes_on),
        cmocka_unit_test(a_large_request_gets_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
