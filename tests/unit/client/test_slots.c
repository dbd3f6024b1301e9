#include "client/lib/slots.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the ones above in front of it. */
#include <setjmp.h>

#include <cmocka.h>
#include <time.h>

static hd_handle take_one(struct hd_slots *slots)
{
    hd_handle handle = 0;
    assert_int_equal(hd_slots_take(slots, 1, false, &handle), 0);
    return handle;
}

static void a_slot_is_used_again_with_a_higher_generation(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 100);
    hd_handle first = take_one(&slots);
    hd_slots_answered(&slots, first, true);
    assert_int_equal(hd_slots_release(&slots, first), 0);
    assert_int_equal(hd_slots_release(&slots, first), HD_EHANDLE_STALE);
    hd_handle released;
    assert_true(hd_slots_next_release(&slots, &released));
    assert_true(released == first);
    assert_false(hd_slots_next_release(&slots, &released));
    hd_handle second = take_one(&slots);
    assert_int_equal(hd_handle_slot(second), hd_handle_slot(first));
    assert_int_equal(hd_handle_generation(second), hd_handle_generation(first) + 1);
    assert_int_equal(hd_slots_release(&slots, first), HD_EHANDLE_STALE);
    assert_int_equal(hd_slots_check(&slots), 0);
    hd_slots_fini(&slots);
}

static void a_slot_that_stays_empty_is_free_at_once(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 100);
    hd_handle handle = take_one(&slots);
    hd_slots_answered(&slots, handle, false);
    assert_int_equal(slots.taken_count, 0);
    assert_int_equal(hd_slots_release(&slots, handle), HD_EHANDLE_STALE);
    assert_int_equal(slots.release_count, 0);
    hd_slots_fini(&slots);
}

static void an_early_release_keeps_the_slot_until_both_are_answered(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 100);
    hd_handle handle = take_one(&slots);
    assert_int_equal(hd_slots_release(&slots, handle), HD_SLOTS_RELEASE_EARLY);
    assert_int_equal(hd_slots_release(&slots, handle), HD_EHANDLE_STALE);
    hd_slots_answered(&slots, handle, true);
    assert_int_equal(slots.taken_count, 1);
    hd_slots_early_answered(&slots, handle, true);
    assert_int_equal(slots.taken_count, 0);
    assert_int_equal(hd_slots_check(&slots), 0);
    hd_slots_fini(&slots);
}

static void a_failed_early_release_of_a_filled_slot_is_queued_again(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 100);
    hd_handle handle = take_one(&slots);
    assert_int_equal(hd_slots_release(&slots, handle), HD_SLOTS_RELEASE_EARLY);
    hd_slots_early_answered(&slots, handle, false);
    hd_slots_answered(&slots, handle, true);
    hd_handle released;
    assert_true(hd_slots_next_release(&slots, &released));
    assert_true(released == handle);
    assert_int_equal(slots.taken_count, 0);
    hd_slots_fini(&slots);
}

static void a_release_waits_for_a_request_that_may_park(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 100);
    hd_handle handle;
    assert_int_equal(hd_slots_take(&slots, 1, true, &handle), 0);
    assert_int_equal(hd_slots_release(&slots, handle), 0);
    hd_handle released;
    assert_false(hd_slots_next_release(&slots, &released));
    hd_slots_answered(&slots, handle, true);
    assert_true(hd_slots_next_release(&slots, &released));
    assert_true(released == handle);
    hd_slots_fini(&slots);
}

static void ranges_have_one_generation(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 9);
    hd_handle singles[8];
    for (int i = 0; i < 8; i++)
        singles[i] = take_one(&slots);
    hd_handle range;
    assert_int_equal(hd_slots_take(&slots, 1, false, &range), HD_ELIMIT);
    /* Slots 3 to 5 become free, one of them with two uses behind it. */
    for (int i = 2; i < 5; i++)
        hd_slots_answered(&slots, singles[i], false);
    hd_slots_answered(&slots, take_one(&slots), false);
    assert_int_equal(hd_slots_take(&slots, 4, false, &range), HD_ELIMIT);
    assert_int_equal(hd_slots_take(&slots, 3, false, &range), 0);
    assert_int_equal(hd_handle_slot(range), 3);
    assert_int_equal(hd_handle_generation(range), 3);
    assert_int_equal(slots.free_count, 0);
    for (hd_handle i = 0; i < 3; i++)
        hd_slots_answered(&slots, range + i, true);
    assert_int_equal(hd_slots_check(&slots), 0);
    hd_slots_fini(&slots);
}

static void a_slot_whose_generations_are_used_up_retires(void **state)
{
    (void)state;
    struct hd_slots slots;
    hd_slots_init(&slots, 3);
    hd_handle handle = take_one(&slots);
    uint32_t index = hd_handle_slot(handle);
    slots.slots[index].generation = UINT32_MAX;
    hd_slots_answered(&slots, hd_handle_make(index, UINT32_MAX), false);
    assert_int_not_equal(hd_handle_slot(take_one(&slots)), index);
    assert_int_equal(hd_slots_take(&slots, 1, false, &handle), HD_ELIMIT);
    assert_int_equal(hd_slots_check(&slots), 0);
    hd_slots_fini(&slots);
}

/* Any order of events keeps the equations, and no generation comes twice. */
static void random_steps_keep_the_equations(void **state)
{
    (void)state;
    const char *given = getenv("HEAPD_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)printf("HEAPD_TEST_SEED=%u\n", seed);
    struct hd_slots slots;
    hd_slots_init(&slots, 40);
    hd_handle handles[64] = {0};
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned which = (seed >> 8) % 64;
        hd_handle released;
        switch ((seed >> 20) % 6) {
        case 0:
            if (hd_slots_take(&slots, 1 + (seed >> 28) % 3, (seed >> 27) & 1, &handles[which]))
                assert_true(slots.taken_count > 10);
            break;
        case 1:
            hd_slots_answered(&slots, handles[which], (seed >> 28) & 1);
            break;
        case 2:
            (void)hd_slots_release(&slots, handles[which]);
            break;
        case 3:
            hd_slots_early_answered(&slots, handles[which], (seed >> 28) & 1);
            break;
        case 4:
            hd_slots_release_later(&slots, handles[which]);
            break;
        default:
            (void)hd_slots_next_release(&slots, &released);
        }
        assert_int_equal(hd_slots_check(&slots), 0);
    }
    hd_slots_fini(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_used_again_with_a_higher_generation),
        cmocka_unit_test(a_slot_that_stays_empty_is_free_at_once),
        cmocka_unit_test(an_early_release_keeps_the_slot_until_both_are_answered),
        cmocka_unit_test(a_failed_early_release_of_a_filled_slot_is_queued_again),
        cmocka_unit_test(a_release_waits_for_a_request_that_may_park),
        cmocka_unit_test(ranges_have_one_generation),
        cmocka_unit_test(a_slot_whose_generations_are_used_up_retires),
        cmocka_unit_test(random_steps_keep_the_equations),
    };
    return cmocka_run_group_tests_name("client slots", tests, NULL, NULL);
}
