/* Queues: beyond the first size of their ring, and what goes back into them. */
#include "fixture.h"
#include "object/sync.h"

static struct hd_objects *objects;
static struct hd_heap *heap;
static uint64_t random_state;

static int below(int count)
{
    return (int)(hd_test_random(&random_state) % (uint64_t)count);
}

static void a_queue_grows_and_shrinks(void **state)
{
    (void)state;
    struct hd_os_fault os;
    struct hd_heap_config config;
    struct hd_party party = {.id = 1};
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    hd_value queue;
    assert_int_equal(hd_queue_new(objects, 0, &queue), 0);
    assert_int_equal(hd_heap_bind(heap, HD_ABSENT, (const uint8_t *)"q", 1, queue), 0);
    random_state = hd_test_seed("object_sync queue");
    int first = 0, last = 0, most = 0;
    uint64_t largest = 0;
    for (int phase = 0; phase < 12; phase++) {
        for (int i = 0; i < 20000; i++) {
            struct hd_sync_request request = {.object = queue, .item = HD_ABSENT, .party = &party};
            struct hd_sync_result result;
            if (below(100) < (phase % 2 ? 20 : 80)) {
                request.act = HD_SYNC_PUT;
                request.item = hd_value_int(last++);
                assert_int_equal(hd_sync_try(objects, &request, &result), 0);
            } else if (first < last) {
                request.act = HD_SYNC_GET;
                assert_int_equal(hd_sync_try(objects, &request, &result), 0);
                assert_int_equal(hd_value_to_int(result.item), first++);
            }
            most = last - first > most ? last - first : most;
            uint64_t bytes = hd_shallow_bytes(objects, queue);
            largest = bytes > largest ? bytes : largest;
        }
        const char *broken = hd_sync_check(objects, queue);
        if (broken)
            fail_msg("%s", broken);
    }
    assert_true(most > 5000);
    /* Nearly empty, it holds little. */
    while (last - first > 1) {
        struct hd_sync_request request = {.act = HD_SYNC_GET, .object = queue, .item = HD_ABSENT, .party = &party};
        struct hd_sync_result result;
        assert_int_equal(hd_sync_try(objects, &request, &result), 0);
        assert_int_equal(hd_value_to_int(result.item), first++);
    }
    assert_true(hd_shallow_bytes(objects, queue) < largest / 50);
    hd_heap_free(heap);
}

static struct hd_party nobody = {.id = 1};

static void put_one(hd_value queue, int number)
{
    struct hd_sync_request request = {.act = HD_SYNC_PUT, .object = queue, .party = &nobody};
    struct hd_sync_result result;
    request.item = hd_value_int(number);
    if (number % 100 == 0) {
        assert_int_equal(hd_list_new(objects, 1, &request.item), 0);
        assert_int_equal(hd_list_append(objects, request.item, hd_value_int(number)), 0);
    }
    assert_int_equal(hd_sync_try(objects, &request, &result), 0);
}

static void get_one(hd_value queue, int number)
{
    struct hd_sync_request request = {.act = HD_SYNC_GET, .object = queue, .item = HD_ABSENT, .party = &nobody};
    struct hd_sync_result result;
    assert_int_equal(hd_sync_try(objects, &request, &result), 0);
    hd_value item = number % 100 ? result.item : hd_list_at(objects, result.item, 0);
    assert_int_equal(hd_value_to_int(item), number);
    hd_gc_release(objects->gc, result.item);
}

static void check_queue(hd_value queue)
{
    const char *broken = hd_sync_check(objects, queue);
    if (broken)
        fail_msg("%s", broken);
}

/* In front, beyond the maximum, and no task more. */
static void what_was_taken_goes_back_in_front(void **state)
{
    (void)state;
    struct hd_os_fault os;
    struct hd_heap_config config;
    hd_value queue;
    struct hd_sync_result result;
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    assert_int_equal(hd_queue_new(objects, 2, &queue), 0);
    put_one(queue, 1);
    put_one(queue, 2);
    struct hd_sync_request get = {.act = HD_SYNC_GET, .object = queue, .item = HD_ABSENT, .party = &nobody};
    assert_int_equal(hd_sync_try(objects, &get, &result), 0);
    put_one(queue, 3);
    struct hd_sync_request back = {
        .act = HD_SYNC_PUT, .object = queue, .item = result.item, .party = &nobody, .is_back = true};
    assert_int_equal(hd_sync_try(objects, &back, &result), 0);
    check_queue(queue);
    struct hd_sync_info info;
    hd_sync_inspect(objects, queue, &info);
    assert_int_equal(info.value, 3);
    assert_int_equal(info.unfinished, 3);
    for (int number = 1; number <= 3; number++)
        get_one(queue, number);
    hd_gc_release(objects->gc, queue);
    hd_heap_free(heap);
}

/* Whenever it grows, its items go round the end: nothing is moved, and the order stays, through collections, too. */
static void a_large_queue_grows_without_moving_its_items(void **state)
{
    (void)state;
    enum { LEVELS = 5, FIRST = 32768 };
    struct hd_os_fault os;
    struct hd_heap_config config;
    hd_os_fault_init(&os);
    hd_heap_config_default(&config);
    assert_int_equal(hd_heap_new(&os.os, &config, &heap), 0);
    objects = &heap->objects;
    for (int round = 0; round < 2; round++) {
        hd_value queue;
        int first = 0, last = 0;
        assert_int_equal(hd_queue_new(objects, 0, &queue), 0);
        assert_int_equal(hd_heap_bind(heap, HD_ABSENT, (const uint8_t *)"q", 1, queue), 0);
        for (int level = 0; level < LEVELS; level++) {
            int capacity = FIRST << level;
            while (last - first < capacity)
                put_one(queue, last++);
            for (int i = 0; i < capacity * (level + 3) / 9; i++)
                get_one(queue, first++);
            while (last - first < capacity)
                put_one(queue, last++);
            bool collects = level == 2;
            if (collects) {
                hd_heap_collect_start(heap);
                (void)hd_heap_step(heap, 2000);
            }
            uint64_t worked = objects->work_units;
            put_one(queue, last++);
            assert_true(objects->work_units - worked < 100);
            check_queue(queue);
            (void)hd_heap_settle(heap);
        }
        while (hd_heap_has_work(heap))
            (void)hd_heap_step(heap, 10000);
        hd_heap_compact(heap);
        for (uint64_t bytes = hd_shallow_bytes(objects, queue); last - first > (round ? 300 : 0);) {
            get_one(queue, first++);
            if (hd_shallow_bytes(objects, queue) != bytes)
                check_queue(queue);
            bytes = hd_shallow_bytes(objects, queue);
        }
        assert_true(hd_shallow_bytes(objects, queue) < 100000);
        for (int i = 0; i < 1000; i++) {
            put_one(queue, last++);
            get_one(queue, first++);
        }
        check_queue(queue);
        const char *broken = hd_heap_check(heap, &hd_allocator_libc);
        if (broken)
            fail_msg("%s", broken);
        assert_int_equal(hd_heap_unbind(heap, HD_ABSENT, (const uint8_t *)"q", 1), 0);
    }
    hd_heap_free(heap);
    assert_int_equal(os.mapped_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_grows_and_shrinks),
        cmocka_unit_test(what_was_taken_goes_back_in_front),
        cmocka_unit_test(a_large_queue_grows_without_moving_its_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
