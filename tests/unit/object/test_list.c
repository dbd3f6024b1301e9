/* Lists and tuples, as Python has them. */
#include "fixture.h"

static void assert_list(struct fixture *f, hd_value value, size_t count, const int *wanted)
{
    assert_int_equal(hd_list_length(f->objects, value), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(hd_value_to_int(hd_list_at(f->objects, value, (uint32_t)i)), wanted[i]);
}

static void insert_clips_its_index(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    static const struct {
        int64_t index;
        int value;
    } steps[] = {{5, 1}, {-9, 2}, {1, 3}, {-1, 4}, {100, 5}, {INT64_MIN, 6}, {INT64_MAX, 7}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        assert_int_equal(hd_list_insert(f.objects, l, steps[i].index, hd_value_int(steps[i].value)), 0);
    assert_list(&f, l, 7, (const int[]){6, 2, 3, 4, 1, 5, 7});
    end(&f);
}

static void indices_count_from_both_ends(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), out = 77;
    assert_int_equal(hd_list_pop(f.objects, l, -1, &out), HD_EINDEX);
    assert_int_equal(hd_list_get(f.objects, l, 0, &out), HD_EINDEX);
    for (int i = 0; i < 5; i++)
        append(&f, l, hd_value_int(i));
    for (int64_t i = -5; i < 5; i++) {
        assert_int_equal(hd_list_get(f.objects, l, i, &out), 0);
        assert_int_equal(hd_value_to_int(out), i < 0 ? i + 5 : i);
    }
    static const int64_t beyond[] = {5, -6, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        out = 77;
        assert_int_equal(hd_list_get(f.objects, l, beyond[i], &out), HD_EINDEX);
        assert_int_equal(hd_list_set(f.objects, l, beyond[i], HD_NONE), HD_EINDEX);
        assert_int_equal(hd_list_pop(f.objects, l, beyond[i], &out), HD_EINDEX);
        assert_int_equal(out, 77);
    }
    assert_int_equal(hd_list_set(f.objects, l, -2, hd_value_int(9)), 0);
    assert_int_equal(hd_list_pop(f.objects, l, 1, &out), 0);
    assert_list(&f, l, 4, (const int[]){0, 2, 9, 4});
    end(&f);
}

/* Whatever is done at whichever end, beside an array. */
static void random_lists(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("object_list");
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    static int model[6000];
    size_t count = 0;
    for (int i = 0; i < 60000; i++) {
        bool shrink = count > 5000 || (i / 7000 % 2 && count);
        size_t at = count ? hd_test_random(&random) % count : 0;
        unsigned what = hd_test_random(&random) % 8;
        if (what == 0)
            at = count;
        else if (what < 3)
            at = 0;
        if (!shrink || what == 7) {
            if (count == 6000)
                continue;
            assert_int_equal(hd_list_insert(f.objects, l, (int64_t)at, hd_value_int(i)), 0);
            memmove(model + at + 1, model + at, (count - at) * sizeof *model);
            model[at] = i;
            count++;
        } else {
            hd_value out;
            at = at == count ? count - 1 : at;
            assert_int_equal(hd_list_pop(f.objects, l, (int64_t)at, &out), 0);
            assert_int_equal(hd_value_to_int(out), model[at]);
            memmove(model + at, model + at + 1, (count - at - 1) * sizeof *model);
            count--;
        }
        if (i % 1000 == 0) {
            assert_list(&f, l, count, model);
            check(&f);
        }
    }
    assert_list(&f, l, count, model);
    end(&f);
}

/* A queue: in at one end, out at the other; its memory does not grow. */
static void a_queue_stays_small(void **state)
{
    (void)state;
    for (int front = 0; front < 2; front++) {
        struct fixture f;
        begin(&f);
        hd_value l = keep(&f, list(&f)), out;
        for (int i = 0; i < 100; i++)
            assert_int_equal(hd_list_insert(f.objects, l, front ? 0 : INT64_MAX, hd_value_int(i)), 0);
        for (int i = 100; i < 50000; i++) {
            assert_int_equal(hd_list_insert(f.objects, l, front ? 0 : INT64_MAX, hd_value_int(i)), 0);
            assert_int_equal(hd_list_pop(f.objects, l, front ? -1 : 0, &out), 0);
            assert_int_equal(hd_value_to_int(out), i - 100);
        }
        assert_true(hd_shallow_bytes(f.objects, l) < 16384);
        end(&f);
    }
}

static void a_list_may_hold_itself(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), out;
    for (int i = 0; i < 10; i++)
        append(&f, l, hd_gc_retain(f.gc, l));
    check(&f);
    assert_int_equal(hd_list_pop(f.objects, l, 3, &out), 0);
    assert_int_equal(out, l);
    release(&f, out);
    assert_int_equal(hd_clear(f.objects, l), 0);
    check(&f);
    append(&f, l, hd_gc_retain(f.gc, l));
    end(&f); /* where the cycle is collected */
}

static void a_reserved_list_does_not_fail(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), out;
    for (int i = 0; i < 10; i++)
        append(&f, l, hd_value_int(i));
    for (int i = 0; i < 6; i++)
        assert_int_equal(hd_list_pop(f.objects, l, 0, &out), 0);
    assert_int_equal(hd_list_reserve(f.objects, l, 500), 0);
    arm(&f, 1);
    for (int i = 0; i < 500; i++)
        append(&f, l, hd_value_int(i));
    assert_int_equal(f.allocations, 0);
    arm(&f, 0);
    assert_int_equal(hd_list_reserve(f.objects, l, UINT32_MAX), HD_ETOO_LARGE);
    end(&f);
}

static void tuples_are_read_only(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value t = keep(&f, tuple(&f, 3, hd_value_int(1), str(&f, "a string that is boxed"), HD_NONE)), out;
    struct hd_key index = hd_key_of(hd_value_int(-1)), beyond = hd_key_of(hd_value_int(3)), text = hd_key_of(HD_NONE);
    assert_int_equal(hd_get_item(f.objects, t, &index, &out), 0);
    assert_int_equal(out, HD_NONE);
    assert_int_equal(hd_get_item(f.objects, t, &beyond, &out), HD_EINDEX);
    assert_int_equal(hd_get_item(f.objects, t, &text, &out), HD_ETYPE);
    assert_int_equal(hd_set_item(f.objects, t, &index, HD_NONE), HD_ETYPE);
    assert_int_equal(hd_pop_item(f.objects, t, &index, &out), HD_ETYPE);
    assert_int_equal(hd_pop_item(f.objects, t, NULL, &out), HD_ETYPE);
    assert_int_equal(hd_clear(f.objects, t), HD_ETYPE);
    end(&f);
}

static void items_of_any_type(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), out;
    append(&f, l, hd_value_int(10));
    append(&f, l, real(&f, 2.0));
    struct hd_key yes = hd_key_of(HD_TRUE), huge = hd_key_of(keep(&f, power_of_two(&f, 100, false)));
    struct hd_key fraction = hd_key_of(hd_list_at(f.objects, l, 1)), two = hd_key_of(hd_value_int(2));
    assert_int_equal(hd_get_item(f.objects, l, &yes, &out), 0); /* True is 1 */
    assert_true(same_key(&f, out, hd_value_int(2)));
    assert_int_equal(hd_get_item(f.objects, l, &huge, &out), HD_EINDEX);
    assert_int_equal(hd_get_item(f.objects, l, &fraction, &out), HD_ETYPE);
    bool found;
    assert_int_equal(hd_contains(f.objects, l, &two, &found), 0);
    assert_true(found);
    assert_int_equal(hd_contains(f.objects, l, &yes, &found), 0);
    assert_false(found);
    assert_int_equal(hd_get_item(f.objects, hd_value_int(1), &yes, &out), HD_ETYPE);
    assert_int_equal(hd_contains(f.objects, HD_NONE, &yes, &found), HD_ETYPE);
    uint64_t length;
    assert_int_equal(hd_length(f.objects, HD_NONE, &length), HD_ETYPE);
    assert_int_equal(hd_length(f.objects, l, &length), 0);
    assert_int_equal(length, 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(insert_clips_its_index), cmocka_unit_test(indices_count_from_both_ends),
        cmocka_unit_test(random_lists),           cmocka_unit_test(a_queue_stays_small),
        cmocka_unit_test(a_list_may_hold_itself), cmocka_unit_test(a_reserved_list_does_not_fail),
        cmocka_unit_test(tuples_are_read_only),   cmocka_unit_test(items_of_any_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
