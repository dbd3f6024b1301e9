/* What one operation may cost, and that the cost is told (work_units). */
#include "fixture.h"
#include "object/sequence.h"

#include <math.h>

static hd_value long_bytes(struct fixture *f, size_t size, uint8_t last)
{
    uint8_t *raw = malloc(size);
    hd_value out = HD_ABSENT;
    memset(raw, 'x', size);
    raw[size - 1] = last;
    assert_int_equal(hd_bytes_new(f->objects, raw, size, &out), 0);
    free(raw);
    return out;
}

/* `count` times the same value (steal). */
static hd_value repeated(struct fixture *f, uint32_t count, hd_value value)
{
    hd_value out = HD_ABSENT;
    assert_int_equal(hd_tuple_new(f->objects, count, &out), 0);
    for (uint32_t i = 0; i < count; i++)
        hd_tuple_init_at(f->objects, out, i, hd_gc_retain(f->gc, value));
    release(f, value);
    return out;
}

/* Equal bits, and each unlike all others: with one hash, n of them in a set would cost n * n. */
static void nans_do_not_collide(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value one = keep(&f, real(&f, NAN)), other = keep(&f, real(&f, NAN));
    struct hd_key a = hd_key_of(one), again = hd_key_of(one), b = hd_key_of(other);
    assert_int_equal(hd_key_hash(f.objects, &a), 0);
    assert_int_equal(hd_key_hash(f.objects, &again), 0);
    assert_int_equal(hd_key_hash(f.objects, &b), 0);
    assert_int_equal(a.hash, again.hash);
    assert_int_not_equal(a.hash, b.hash);
    hd_value nans = keep(&f, set(&f));
    for (int i = 0; i < 100; i++) {
        hd_value nan = real(&f, NAN);
        struct hd_key key = hd_key_of(nan);
        bool was_new;
        assert_int_equal(hd_set_add(f.objects, nans, &key, &was_new), 0);
        assert_true(was_new);
        assert_int_equal(hd_set_add(f.objects, nans, &key, &was_new), 0);
        assert_false(was_new);
        release(&f, nan);
    }
    assert_int_equal(hd_dict_length(f.objects, nans), 100);
    end(&f);
}

/* A small tuple of a long bytes many times over: as a key it would cost as much as all of them. */
static void tuples_of_long_bytes_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value fits = keep(&f, repeated(&f, 60, long_bytes(&f, 1 << 20, 'x')));
    hd_value same = keep(&f, repeated(&f, 60, long_bytes(&f, 1 << 20, 'x')));
    hd_value beyond = keep(&f, repeated(&f, 1000, long_bytes(&f, 1 << 20, 'x')));
    hd_value alike = keep(&f, repeated(&f, 1000, long_bytes(&f, 1 << 20, 'x')));
    struct hd_key key = hd_key_of(fits);
    bool equal = false;
    assert_int_equal(hd_key_hash(f.objects, &key), 0);
    assert_int_equal(hd_key_equal(f.objects, &key, same, &equal), 0);
    assert_true(equal);
    key = hd_key_of(beyond);
    assert_int_equal(hd_key_hash(f.objects, &key), HD_ETOO_LARGE);
    assert_int_equal(hd_key_equal(f.objects, &key, alike, &equal), HD_ETOO_LARGE);
    end(&f);
}

static void long_work_is_told(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const uint64_t *work = &f.objects->work_units;
    hd_value long_one = keep(&f, long_bytes(&f, 1 << 20, 'x')), other = keep(&f, long_bytes(&f, 1 << 20, 'y'));
    struct hd_key key = hd_key_of(long_one), small = hd_key_of(integer(&f, 5));
    bool result;
    uint64_t before = *work;
    assert_int_equal(hd_key_hash(f.objects, &small), 0);
    assert_true(*work == before);
    assert_int_equal(hd_key_hash(f.objects, &key), 0);
    assert_true(*work - before >= (1 << 20) / 64);
    before = *work;
    assert_int_equal(hd_key_equal(f.objects, &key, other, &result), 0);
    assert_true(*work - before >= (1 << 20) / 64);

    hd_value numbers = keep(&f, list(&f));
    for (int i = 0; i < 100000; i++)
        append(&f, numbers, hd_value_int(i));
    before = *work;
    assert_int_equal(hd_list_insert(f.objects, numbers, 50000, HD_NONE), 0);
    assert_true(*work - before >= 50000 * 8 / 64 - 1);
    before = *work;
    hd_value out;
    assert_int_equal(hd_list_pop(f.objects, numbers, 50000, &out), 0);
    assert_true(*work - before >= 49999 * 8 / 64 - 1);
    before = *work;
    small = hd_key_of(hd_value_int(-1));
    assert_int_equal(hd_contains(f.objects, numbers, &small, &result), 0);
    assert_false(result);
    assert_true(*work - before >= 100000 / 4);
    end(&f);
}

static void a_search_goes_on_where_it_stood(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value numbers = keep(&f, list(&f));
    for (int i = 0; i < 1000; i++)
        append(&f, numbers, hd_value_int(i));
    const struct hd_range whole = {0};
    struct hd_search search;
    int steps = 0, result;
    assert_int_equal(hd_search_begin(f.objects, numbers, HD_SEARCH_CONTAINS, hd_value_int(999), &whole, &search), 0);
    while ((result = hd_work_step(&search.work, 40)) == 0)
        steps++;
    assert_int_equal(result, 1);
    assert_true(search.work.truth);
    assert_in_range(steps, 20, 30);
    hd_work_fini(&search.work);
    assert_int_equal(hd_search_begin(f.objects, numbers, HD_SEARCH_INDEX, hd_value_int(3), &whole, &search), 0);
    assert_int_equal(hd_work_step(&search.work, 40), 1);
    assert_int_equal(search.work.number, 3);
    hd_work_fini(&search.work);
    assert_int_equal(hd_search_begin(f.objects, HD_NONE, HD_SEARCH_COUNT, HD_NONE, &whole, &search), HD_ETYPE);
    end(&f);
}

/* Whoever goes on is told that what it has looked at is not the same any more. */
static void a_search_notices_a_change(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value numbers = keep(&f, list(&f));
    for (int i = 0; i < 1000; i++)
        append(&f, numbers, hd_value_int(i));
    const struct hd_range whole = {0};
    struct hd_search search;
    assert_int_equal(hd_search_begin(f.objects, numbers, HD_SEARCH_COUNT, hd_value_int(999), &whole, &search), 0);
    assert_int_equal(hd_work_step(&search.work, 10), 0);
    hd_work_keep(&search.work);
    check(&f);
    assert_int_equal(hd_work_step(&search.work, 10), 0);
    append(&f, numbers, hd_value_int(999));
    assert_int_equal(hd_work_step(&search.work, 10), HD_ECHANGED);
    hd_work_fini(&search.work);
    end(&f);
}

/* A name that none of them has is looked for in all of them. */
static void chains_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value scope = HD_ABSENT, class_value = HD_ABSENT, next, name = keep(&f, str(&f, "a class of a long line"));
    for (int i = 0; i <= HD_CHAIN_MAX; i++) {
        assert_int_equal(hd_scope_new(f.objects, scope, &next), 0);
        release(&f, scope);
        scope = next;
        assert_int_equal(hd_class_new(f.objects, name, class_value, &next), 0);
        release(&f, class_value);
        class_value = next;
    }
    keep(&f, scope);
    keep(&f, class_value);
    assert_int_equal(hd_scope_new(f.objects, scope, &next), HD_EDEPTH);
    assert_int_equal(hd_class_new(f.objects, name, class_value, &next), HD_EDEPTH);
    end(&f);
}

/* Literals bring whatever value they like in the place of a name. */
static void attributes_have_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value name = keep(&f, str(&f, "Thing")), class_value = HD_ABSENT, instance = HD_ABSENT;
    assert_int_equal(hd_class_new(f.objects, name, HD_ABSENT, &class_value), 0);
    assert_int_equal(hd_instance_new(f.objects, keep(&f, class_value), &instance), 0);
    keep(&f, instance);
    static uint8_t longer[HD_NAME_MAX_BYTES + 1];
    memset(longer, 'n', sizeof longer);
    struct hd_key names[] = {
        hd_key_of(hd_value_int(5)),
        hd_key_of(class_value),
        hd_key_of(HD_NONE),
        hd_key_of(keep(&f, bytes(&f, "bytes, not a str"))),
        hd_key_of_bytes(HD_TAG_STR, longer, 0),
        hd_key_of_bytes(HD_TAG_STR, longer, sizeof longer),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(hd_attribute_set(f.objects, instance, &names[i], HD_TRUE), HD_ETYPE);
        assert_int_equal(hd_attribute_set(f.objects, class_value, &names[i], HD_TRUE), HD_ETYPE);
    }
    struct hd_key good = hd_key_of_bytes(HD_TAG_STR, longer, HD_NAME_MAX_BYTES);
    assert_int_equal(hd_attribute_set(f.objects, instance, &good, HD_TRUE), 0);
    good = hd_key_of(name);
    assert_int_equal(hd_attribute_set(f.objects, instance, &good, HD_TRUE), 0);
    assert_int_equal(hd_instance_length(f.objects, instance), 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nans_do_not_collide),       cmocka_unit_test(tuples_of_long_bytes_are_bounded),
        cmocka_unit_test(long_work_is_told),         cmocka_unit_test(a_search_goes_on_where_it_stood),
        cmocka_unit_test(a_search_notices_a_change), cmocka_unit_test(chains_are_bounded),
        cmocka_unit_test(attributes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
