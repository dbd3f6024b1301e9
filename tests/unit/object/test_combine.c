/* Set algebra and merging as work in slices: what is seen meanwhile, and what the collector sees. */
#include "fixture.h"

#include "object/combine.h"
#include "object/payload.h"

static hd_value numbers(struct fixture *f, int from, int count)
{
    hd_value value = keep(f, set(f));
    for (int i = from; i < from + count; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        bool was_new;
        assert_int_equal(hd_set_add(f->objects, value, &key, &was_new), 0);
    }
    return value;
}

static void begin_union(struct fixture *f, hd_value target, hd_value other, struct hd_combine *combine)
{
    hd_value others = tuple(f, 1, hd_gc_retain(f->gc, other));
    assert_int_equal(hd_combine_begin(f->objects, target, HD_SET_UNION, others, true, true, combine), 0);
    release(f, others);
}

static void nobody_sees_a_part_of_it(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_combine combine;
    begin(&f);
    hd_value target = numbers(&f, 0, 5000), other = numbers(&f, 2500, 20000);
    uint64_t identity = hd_table_identity(f.gc->table, hd_value_index(target));
    begin_union(&f, target, other, &combine);
    hd_work_keep(&combine.work);
    int result, slices = 0;
    while ((result = hd_work_step(&combine.work, 500)) == 0) {
        assert_int_equal(hd_dict_length(f.objects, target), 5000);
        slices++;
    }
    assert_int_equal(result, 1);
    assert_true(slices > 100);
    hd_work_fini(&combine.work);
    assert_int_equal(hd_dict_length(f.objects, target), 22500);
    assert_int_equal(hd_table_identity(f.gc->table, hd_value_index(target)), identity);
    end(&f);
}

static void a_target_that_changes_is_taken_as_it_is_then(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_combine combine;
    begin(&f);
    hd_value target = numbers(&f, 0, 3000), other = numbers(&f, 3000, 20000);
    begin_union(&f, target, other, &combine);
    hd_work_keep(&combine.work);
    int result = 0;
    for (int i = 0; result == 0; i++) {
        struct hd_key key = hd_key_of(hd_value_int(-1 - i));
        bool was_new;
        if (i % 3 == 0) /* again and again */
            assert_int_equal(hd_set_add(f.objects, target, &key, &was_new), 0);
        result = hd_work_step(&combine.work, 5000);
    }
    assert_int_equal(result, 1);
    hd_work_fini(&combine.work);
    assert_true(hd_dict_length(f.objects, target) > 23000);
    struct hd_key first = hd_key_of(hd_value_int(-1));
    bool there;
    assert_int_equal(hd_dict_contains(f.objects, target, &first, &there), 0);
    assert_true(there);
    end(&f);
}

static void a_source_that_changes_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    struct hd_combine combine;
    begin(&f);
    hd_value target = numbers(&f, 0, 3000), other = numbers(&f, 3000, 20000);
    begin_union(&f, target, other, &combine);
    hd_work_keep(&combine.work);
    assert_int_equal(hd_work_step(&combine.work, 500), 0);
    assert_int_equal(hd_clear(f.objects, other), 0);
    assert_int_equal(hd_work_step(&combine.work, 500), HD_ECHANGED);
    hd_work_fini(&combine.work);
    assert_int_equal(hd_dict_length(f.objects, target), 3000);
    end(&f);
}

/* The target was followed before the exchange; what it has then came from a place that was not: R4. */
static void the_collector_looks_at_the_target_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int when = 0; when < 40; when++) {
        struct hd_combine combine;
        hd_value target = set(&f), other = set(&f);
        for (int i = 0; i < 3000; i++) {
            hd_value element = tuple(&f, 1, tuple(&f, 1, hd_value_int(i)));
            struct hd_key key = hd_key_of(element);
            bool was_new;
            assert_int_equal(hd_set_add(f.objects, other, &key, &was_new), 0);
            release(&f, element);
        }
        size_t root = f.root_count;
        keep(&f, target);
        begin_union(&f, target, other, &combine);
        release(&f, other); /* held by the work alone */
        hd_work_keep(&combine.work);
        hd_gc_full_start(f.gc, false);
        for (int i = 0; i < when; i++)
            (void)hd_gc_full_step(f.gc, 400);
        assert_int_equal(hd_work_finish(&combine.work), 0);
        hd_work_fini(&combine.work);
        while (hd_gc_full_step(f.gc, 1000))
            ;
        check(&f);
        assert_int_equal(hd_dict_length(f.objects, target), 3000);
        uint32_t position = 0;
        hd_value element, none;
        while (hd_dict_next(f.objects, target, &position, &element, &none))
            assert_int_equal(hd_tuple_length(f.objects, hd_tuple_at(f.objects, element, 0)), 1);
        f.root_count = root;
        release(&f, target);
    }
    end(&f);
}

/* A literal that fails leaves no names in a class. */
static void names_of_a_literal_that_fails_leave_the_layout(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value class_value = HD_ABSENT, name = str(&f, "Point");
    assert_int_equal(hd_class_new(f.objects, name, HD_ABSENT, &class_value), 0);
    keep(&f, class_value);
    release(&f, name);
    for (int success = 0; success < 2; success++) {
        hd_value instance = HD_ABSENT;
        struct hd_key x = hd_key_of(hd_value_short(HD_TAG_STR, "x", 1));
        hd_class_builder_begins(f.objects, class_value);
        assert_int_equal(hd_instance_new(f.objects, class_value, &instance), 0);
        assert_int_equal(hd_attribute_set_in_literal(f.objects, instance, &x, hd_value_int(1)), 0);
        release(&f, instance);
        hd_class_builder_ends(f.objects, class_value, success != 0);
        const struct hd_class *class = hd_gc_payload(f.gc, class_value);
        assert_int_equal(class->layout_count, success);
        check(&f);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_a_part_of_it),
        cmocka_unit_test(a_target_that_changes_is_taken_as_it_is_then),
        cmocka_unit_test(a_source_that_changes_ends_it),
        cmocka_unit_test(the_collector_looks_at_the_target_again),
        cmocka_unit_test(names_of_a_literal_that_fails_leave_the_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
