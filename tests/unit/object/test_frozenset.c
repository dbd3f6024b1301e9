/* Frozensets: as keys, in any order the same, nested as deep as one likes. */
#include "fixture.h"

#include "object/references.h"

/* Of `count` values (steal). */
static hd_value frozen(struct fixture *f, size_t count, ...)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_frozenset_new(f->objects, 0, &value), 0);
    va_list arguments;
    va_start(arguments, count);
    for (size_t i = 0; i < count; i++) {
        hd_value element = va_arg(arguments, hd_value);
        struct hd_key key = hd_key_of(element);
        bool was_new;
        assert_int_equal(hd_set_add(f->objects, value, &key, &was_new), 0);
        release(f, element);
    }
    va_end(arguments);
    return value;
}

static void they_are_equal_in_any_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, frozen(&f, 0), frozen(&f, 0)));
    assert_true(same_key(&f, frozen(&f, 3, hd_value_int(1), HD_NONE, str(&f, "a longer element")),
                         frozen(&f, 3, str(&f, "a longer element"), real(&f, 1.0), HD_NONE)));
    assert_false(same_key(&f, frozen(&f, 1, hd_value_int(1)), frozen(&f, 1, hd_value_int(2))));
    assert_false(same_key(&f, frozen(&f, 1, hd_value_int(1)), frozen(&f, 2, hd_value_int(1), hd_value_int(2))));
    assert_false(same_key(&f, frozen(&f, 1, hd_value_int(1)), tuple(&f, 1, hd_value_int(1))));
    assert_true(same_key(&f, frozen(&f, 2, frozen(&f, 1, HD_NONE), tuple(&f, 1, frozen(&f, 0))),
                         frozen(&f, 2, tuple(&f, 1, frozen(&f, 0)), frozen(&f, 1, HD_NONE))));
    end(&f);
}

static void many_elements_with_an_index(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value a = frozen(&f, 0), b = frozen(&f, 0);
    for (int i = 0; i < 3000; i++) {
        bool was_new;
        struct hd_key up = hd_key_of(hd_value_int(i)), down = hd_key_of(hd_value_int(2999 - i));
        assert_int_equal(hd_set_add(f.objects, a, &up, &was_new), 0);
        assert_int_equal(hd_set_add(f.objects, b, &down, &was_new), 0);
    }
    assert_true(same_key(&f, a, b));
    end(&f);
}

static hd_value nest(struct fixture *f, int depth, hd_value innermost)
{
    hd_value value = innermost;
    for (int i = 0; i < depth; i++)
        value = i % 2 ? frozen(f, 1, value) : tuple(f, 2, value, hd_value_int(i));
    return value;
}

static void deep_ones_do_not_recurse(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, nest(&f, 200000, hd_value_int(1)), nest(&f, 200000, real(&f, 1.0))));
    assert_false(same_key(&f, nest(&f, 200000, hd_value_int(1)), nest(&f, 200000, hd_value_int(2))));
    end(&f);
}

/* Each level has the one below twice: few objects and no end of elements. */
static void those_that_share_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = frozen(&f, 0);
    int error = 0;
    bool was_new;
    for (int i = 0; i < 60 && !error; i++) {
        hd_value inner = tuple(&f, 1, hd_gc_retain(f.gc, value)), around = frozen(&f, 0);
        struct hd_key first = hd_key_of(value), second = hd_key_of(inner);
        error = hd_set_add(f.objects, around, &first, &was_new);
        if (!error)
            error = hd_set_add(f.objects, around, &second, &was_new);
        release(&f, value);
        release(&f, inner);
        value = around;
    }
    assert_int_equal(error, HD_ETOO_LARGE);
    release(&f, value);
    end(&f);
}

static void a_set_is_looked_for_as_a_frozenset(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value sets = keep(&f, set(&f)), one = keep(&f, set(&f));
    struct hd_key element = hd_key_of(hd_value_int(7));
    bool flag;
    assert_int_equal(hd_set_add(f.objects, one, &element, &flag), 0);
    hd_value member = keep(&f, frozen(&f, 1, hd_value_int(7)));
    struct hd_key key = hd_key_of(member);
    assert_int_equal(hd_set_add(f.objects, sets, &key, &flag), 0);
    struct hd_key plain = hd_key_of(one), as_frozen = hd_key_of(one);
    as_frozen.as_frozen = true;
    assert_int_equal(hd_dict_contains(f.objects, sets, &plain, &flag), HD_EUNHASHABLE);
    assert_int_equal(hd_dict_contains(f.objects, sets, &as_frozen, &flag), 0);
    assert_true(flag);
    end(&f);
}

static void not_a_number_is_found_by_itself(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value nan = keep(&f, real(&f, 0.0 / 0.0)), other = keep(&f, real(&f, 0.0 / 0.0));
    assert_true(same_key(&f, frozen(&f, 1, hd_gc_retain(f.gc, nan)), frozen(&f, 1, hd_gc_retain(f.gc, nan))));
    assert_false(same_key(&f, frozen(&f, 1, hd_gc_retain(f.gc, nan)), frozen(&f, 1, hd_gc_retain(f.gc, other))));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_equal_in_any_order),        cmocka_unit_test(many_elements_with_an_index),
        cmocka_unit_test(deep_ones_do_not_recurse),           cmocka_unit_test(those_that_share_are_bounded),
        cmocka_unit_test(a_set_is_looked_for_as_a_frozenset), cmocka_unit_test(not_a_number_is_found_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
