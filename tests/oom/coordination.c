/* Coordination objects, names that end. */
#include "oom.h"

#include "object/sync.h"

static bool make_sync(struct oom *oom, size_t at, int error, const hd_value *value)
{
    if (!oom_unchanged(oom, error))
        return false;
    oom_root(oom, at, *value);
    return true;
}

static void fill_queue(struct oom *oom, hd_value queue, struct hd_party *party)
{
    for (int i = 0; i < 60; i++) {
        struct hd_sync_request request = {.act = HD_SYNC_PUT, .object = queue, .item = hd_value_int(i), .party = party};
        struct hd_sync_result result;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_sync_try(oom->objects, &request, &result)) && oom->fail_from)
            return;
        if (i % 3)
            continue;
        request.act = HD_SYNC_GET;
        request.item = HD_ABSENT;
        int error = hd_sync_try(oom->objects, &request, &result);
        assert_true(error == 0 || error == HD_SYNC_BUSY);
    }
}

/* Waking needs no memory: whoever got in line is served. */
static void wait_for_units(struct oom *oom, hd_value semaphore, struct hd_party *party)
{
    struct hd_sync_waiter waiters[3] = {{.objects = NULL}};
    struct hd_sync_request request = {.act = HD_SYNC_ACQUIRE, .object = semaphore, .item = HD_ABSENT, .party = party};
    struct hd_sync_result result;
    oom_begin(oom);
    int error = hd_sync_try(oom->objects, &request, &result);
    uint64_t in_line = 0, woken = 0;
    if (oom_unchanged(oom, error))
        for (int i = 0; i < 3; i++) {
            oom_begin(oom);
            in_line += oom_unchanged(oom, hd_sync_wait(oom->objects, &request, &waiters[i]));
        }
    for (uint64_t i = 0; i < in_line; i++)
        assert_int_equal(hd_sync_release(oom->objects, semaphore, party, 0, 1), 0);
    while (hd_sync_next_woken(oom->objects))
        woken++;
    assert_int_equal(woken, in_line);
    oom_check(oom);
    for (int i = 0; i < 3; i++)
        hd_sync_waiter_fini(&waiters[i]);
}

void oom_coordination(struct oom *oom)
{
    struct hd_party party = {.id = 1};
    hd_value value = HD_ABSENT;
    oom_begin(oom);
    bool has_queue = make_sync(oom, 0, hd_queue_new(oom->objects, 0, &value), &value);
    oom_begin(oom);
    bool has_semaphore = make_sync(oom, 1, hd_semaphore_new(oom->objects, 1, false, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 2, hd_condition_new(oom->objects, HD_ABSENT, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 3, hd_event_new(oom->objects, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 4, hd_barrier_new(oom->objects, 2, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 5, hd_lock_new(oom->objects, false, &value), &value);
    if (has_queue)
        fill_queue(oom, oom->roots[0], &party);
    if (has_semaphore)
        wait_for_units(oom, oom->roots[1], &party);
    while (hd_party_end_step(oom->objects, &party, false, 1))
        ;
    oom_check(oom);
}

void oom_names_that_end(struct oom *oom)
{
    struct hd_subscription *subscription = NULL, *another = NULL;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_watch_add(oom->heap, HD_ABSENT, &subscription)))
        assert_null(subscription);
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_watch_add_name(oom->heap, HD_ABSENT, (const uint8_t *)"n", 1, &another)))
        assert_null(another);
    for (int i = 0; i < 60; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "name number %d of many", i % 40);
        oom_begin(oom);
        int error = i % 3 ? hd_heap_bind_until(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length,
                                               hd_value_int(i), (uint64_t)(i * 7 % 50))
                          : hd_heap_bind(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length, HD_NONE);
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
        oom_begin(oom);
        error = hd_heap_set_deadline(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length, 100);
        if (error != HD_ENAME && !oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
    /* That their time is over needs no memory. */
    (void)hd_heap_expire(oom->heap, 1000, UINT64_MAX);
    assert_int_equal(hd_heap_next_deadline(oom->heap), HD_NEVER);
    while (hd_watch_next(oom->heap))
        ;
    if (subscription)
        hd_watch_remove(oom->heap, subscription);
    if (another)
        hd_watch_remove(oom->heap, another);
    oom_check(oom);
}
