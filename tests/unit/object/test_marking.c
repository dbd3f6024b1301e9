/* Operations on objects while the collector is in the middle of marking them: rule R4, type by type. */
#include "fixture.h"

enum { WIDTH = 6000 };

/* Steps until the marker stands in the middle of that container. */
static void mark_half(struct fixture *f, hd_value container)
{
    hd_gc_full_start(f->gc, false);
    while (f->gc->mark_cursor.index != hd_value_index(container) || f->gc->mark_cursor.offset < 3000)
        assert_true(hd_gc_full_step(f->gc, 1));
}

/* Ends the collection; each of the kept lists still holds what it held. */
static void finish(struct fixture *f)
{
    while (hd_gc_full_step(f->gc, 1000))
        ;
    while (hd_gc_reap(f->gc, 1000))
        ;
    check(f);
}

/* A list of lists of one list each, so that what is missed has something to lose. */
static hd_value wide_list(struct fixture *f)
{
    hd_value wide = keep(f, list(f));
    for (uint32_t i = 0; i < WIDTH; i++) {
        hd_value element = list(f);
        append(f, element, list(f));
        append(f, wide, element);
    }
    return wide;
}

static void assert_elements_whole(struct fixture *f, hd_value wide)
{
    for (uint32_t i = 0; i < hd_list_length(f->objects, wide); i++) {
        hd_value element = hd_list_at(f->objects, wide, i);
        assert_int_equal(hd_list_length(f->objects, element), 1);
        assert_int_not_equal(hd_list_at(f->objects, element, 0), HD_ABSENT); /* as if it had been garbage */
    }
}

static void pops_at_the_front(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value wide = wide_list(&f), out;
    mark_half(&f, wide);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(hd_list_pop(f.objects, wide, i % 3, &out), 0);
        release(&f, out);
    }
    finish(&f);
    assert_elements_whole(&f, wide);
    end(&f);
}

static void pops_everywhere(void **state)
{
    (void)state;
    uint64_t random = hd_test_seed("object_marking");
    struct fixture f;
    begin(&f);
    hd_value wide = wide_list(&f), out;
    mark_half(&f, wide);
    for (int i = 0; f.gc->phase == HD_PHASE_MARK; i++) {
        uint32_t length = hd_list_length(f.objects, wide);
        int64_t at = (int64_t)(hd_test_random(&random) % length);
        if (i % 4 == 3) {
            assert_int_equal(hd_list_insert(f.objects, wide, at, list(&f)), 0);
            append(&f, hd_list_at(f.objects, wide, (uint32_t)at), HD_NONE);
        } else if (i % 4 == 2) {
            assert_int_equal(hd_list_get(f.objects, wide, at, &out), 0);
            append(&f, wide, out);
        } else {
            assert_int_equal(hd_list_pop(f.objects, wide, at, &out), 0);
            if (i % 8)
                release(&f, out);
            else
                append(&f, wide, out);
        }
        if (i % 10 == 0)
            hd_gc_full_step(f.gc, 500);
    }
    finish(&f);
    assert_elements_whole(&f, wide);
    end(&f);
}

static void a_list_is_cleared(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value wide = wide_list(&f), out;
    mark_half(&f, wide);
    assert_int_equal(hd_list_get(f.objects, wide, -1, &out), 0);
    keep(&f, out);
    assert_int_equal(hd_clear(f.objects, wide), 0);
    assert_int_equal(hd_list_length(f.objects, wide), 0);
    append(&f, wide, list(&f));
    finish(&f);
    assert_int_equal(hd_list_length(f.objects, out), 1);
    assert_int_not_equal(hd_list_at(f.objects, out, 0), HD_ABSENT);
    assert_int_equal(hd_list_length(f.objects, hd_list_at(f.objects, wide, 0)), 0);
    end(&f);
}

/* Deletions make holes, and an insertion closes them, which moves the entries under the marker. */
static void holes_of_a_dict_are_closed(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value wide = keep(&f, dict(&f));
    for (int i = 0; i < WIDTH; i++) {
        hd_value element = list(&f);
        append(&f, element, list(&f));
        put(&f, wide, hd_value_int(i), element);
    }
    mark_half(&f, wide);
    for (int i = 0; i < WIDTH / 2; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        assert_int_equal(hd_dict_pop(f.objects, wide, &key, NULL), 0);
    }
    for (int i = 0; i < WIDTH; i++)
        put(&f, wide, hd_value_int(WIDTH + i), HD_NONE);
    finish(&f);
    for (int i = WIDTH / 2; i < WIDTH; i++) {
        hd_value element = look_up(&f, wide, hd_value_int(i));
        assert_int_equal(hd_list_length(f.objects, element), 1);
        assert_int_not_equal(hd_list_at(f.objects, element, 0), HD_ABSENT);
        release(&f, element);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pops_at_the_front),
        cmocka_unit_test(pops_everywhere),
        cmocka_unit_test(a_list_is_cleared),
        cmocka_unit_test(holes_of_a_dict_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
