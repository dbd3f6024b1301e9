/* Keys: which are equal and hash equal, which are none, and the memo that shares strings. */
#include "fixture.h"

#include <math.h>

static void numbers_are_equal_across_types(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, integer(&f, 1), real(&f, 1.0)));
    assert_true(same_key(&f, integer(&f, 1), HD_TRUE));
    assert_true(same_key(&f, real(&f, 1.0), HD_TRUE));
    assert_true(same_key(&f, integer(&f, 0), HD_FALSE));
    assert_true(same_key(&f, real(&f, -0.0), real(&f, 0.0)));
    assert_true(same_key(&f, real(&f, -0.0), integer(&f, 0)));
    assert_true(same_key(&f, integer(&f, -1), real(&f, -1.0)));
    assert_true(same_key(&f, real(&f, 1e300), real(&f, 1e300)));
    assert_true(same_key(&f, power_of_two(&f, 60, false), real(&f, ldexp(1, 60))));
    assert_true(same_key(&f, power_of_two(&f, 63, true), real(&f, -ldexp(1, 63))));
    assert_true(same_key(&f, power_of_two(&f, 1023, false), real(&f, ldexp(1, 1023))));
    assert_true(same_key(&f, integer(&f, INT64_MIN), power_of_two(&f, 63, true)));
    assert_false(same_key(&f, integer(&f, 9007199254740993), real(&f, 9007199254740992.0)));
    assert_false(same_key(&f, integer(&f, 1), integer(&f, -1)));
    assert_false(same_key(&f, integer(&f, 1), real(&f, 1.5)));
    assert_false(same_key(&f, power_of_two(&f, 100, false), power_of_two(&f, 100, true)));
    assert_false(same_key(&f, power_of_two(&f, 1023, false), real(&f, INFINITY)));
    assert_false(same_key(&f, HD_NONE, HD_FALSE));
    assert_false(same_key(&f, HD_NONE, integer(&f, 0)));
    end(&f);
}

static void not_a_number_is_itself_alone(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value nan = keep(&f, real(&f, NAN)), d = keep(&f, dict(&f));
    assert_true(same_key(&f, hd_gc_retain(f.gc, nan), hd_gc_retain(f.gc, nan)));
    assert_false(same_key(&f, hd_gc_retain(f.gc, nan), real(&f, NAN)));
    put(&f, d, hd_gc_retain(f.gc, nan), hd_value_int(1));
    put(&f, d, real(&f, NAN), hd_value_int(2));
    put(&f, d, hd_gc_retain(f.gc, nan), hd_value_int(3));
    assert_int_equal(hd_dict_length(f.objects, d), 2);
    assert_int_equal(look_up(&f, d, hd_gc_retain(f.gc, nan)), hd_value_int(3));
    end(&f);
}

static void text_and_bytes_differ(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, str(&f, "a long key of text"), str(&f, "a long key of text")));
    assert_false(same_key(&f, str(&f, "a long key of text"), bytes(&f, "a long key of text")));
    assert_false(same_key(&f, str(&f, "short"), bytes(&f, "short")));
    assert_false(same_key(&f, str(&f, "a long key of text"), str(&f, "a long key of tex_")));
    assert_false(same_key(&f, str(&f, "1"), integer(&f, 1)));
    /* By their bytes, without an object. */
    hd_value text = keep(&f, str(&f, "a long key of text"));
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)"a long key of text", 18);
    struct hd_key other = hd_key_of_bytes(HD_TAG_BYTES, (const uint8_t *)"a long key of text", 18);
    bool equal;
    assert_int_equal(hd_key_equal(f.objects, &key, text, &equal), 0);
    assert_true(equal);
    assert_int_equal(hd_key_equal(f.objects, &other, text, &equal), 0);
    assert_false(equal);
    struct hd_key value_key = hd_key_of(text);
    assert_int_equal(hd_key_hash(f.objects, &key), 0);
    assert_int_equal(hd_key_hash(f.objects, &value_key), 0);
    assert_int_equal(key.hash, value_key.hash);
    end(&f);
}

static void tuples_are_equal_by_element(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, tuple(&f, 0), tuple(&f, 0)));
    assert_true(same_key(&f, tuple(&f, 2, hd_value_int(1), str(&f, "a long string here")),
                         tuple(&f, 2, HD_TRUE, str(&f, "a long string here"))));
    assert_true(same_key(&f, tuple(&f, 1, tuple(&f, 1, real(&f, 2.0))), tuple(&f, 1, tuple(&f, 1, hd_value_int(2)))));
    assert_false(same_key(&f, tuple(&f, 1, hd_value_int(1)), hd_value_int(1)));
    assert_false(
        same_key(&f, tuple(&f, 2, hd_value_int(1), hd_value_int(2)), tuple(&f, 2, hd_value_int(2), hd_value_int(1))));
    assert_false(same_key(&f, tuple(&f, 2, tuple(&f, 1, HD_NONE), tuple(&f, 0)),
                          tuple(&f, 2, tuple(&f, 0), tuple(&f, 1, HD_NONE))));
    assert_false(same_key(&f, tuple(&f, 1, tuple(&f, 0)), tuple(&f, 1, HD_NONE)));
    end(&f);
}

static hd_value nest(struct fixture *f, unsigned depth, hd_value innermost)
{
    hd_value value = innermost;
    for (unsigned i = 0; i < depth; i++)
        value = tuple(f, 1, value);
    return value;
}

static void deep_tuples_do_not_recurse(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_true(same_key(&f, nest(&f, 300000, hd_value_int(1)), nest(&f, 300000, real(&f, 1.0))));
    assert_false(same_key(&f, nest(&f, 300000, hd_value_int(1)), nest(&f, 300000, hd_value_int(2))));
    assert_false(same_key(&f, nest(&f, 1000, hd_value_int(1)), nest(&f, 1001, hd_value_int(1))));
    end(&f);
}

static void what_changes_is_no_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value values[] = {keep(&f, list(&f)), keep(&f, dict(&f)), keep(&f, set(&f)),
                         keep(&f, tuple(&f, 2, HD_NONE, list(&f))), keep(&f, nest(&f, 50, dict(&f)))};
    hd_value d = keep(&f, dict(&f)), s = keep(&f, set(&f)), out;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct hd_key key = hd_key_of(values[i]);
        bool flag;
        assert_int_equal(hd_key_hash(f.objects, &key), HD_EUNHASHABLE);
        assert_int_equal(hd_dict_set(f.objects, d, &key, HD_NONE), HD_EUNHASHABLE);
        assert_int_equal(hd_dict_get(f.objects, d, &key, &out), HD_EUNHASHABLE);
        assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), HD_EUNHASHABLE);
        assert_int_equal(hd_dict_contains(f.objects, d, &key, &flag), HD_EUNHASHABLE);
        assert_int_equal(hd_set_add(f.objects, s, &key, &flag), HD_EUNHASHABLE);
        assert_int_equal(hd_set_discard(f.objects, s, &key, &flag), HD_EUNHASHABLE);
    }
    assert_int_equal(hd_dict_length(f.objects, d), 0);
    end(&f);
}

/* (t, t) again and again: few objects, and more paths than can ever be followed. A request must not take for ever. */
static void tuples_that_share_are_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = tuple(&f, 0), other = tuple(&f, 0);
    for (int i = 0; i < 60; i++) {
        value = tuple(&f, 2, hd_gc_retain(f.gc, value), value);
        other = tuple(&f, 2, hd_gc_retain(f.gc, other), other);
    }
    keep(&f, value);
    keep(&f, other);
    struct hd_key key = hd_key_of(value);
    int error = hd_key_hash(f.objects, &key);
    assert_true(error == 0 || error == HD_ETOO_LARGE);
    bool equal;
    error = hd_key_equal(f.objects, &key, other, &equal);
    assert_true(error == 0 || error == HD_ETOO_LARGE);
    end(&f);
}

static void equal_keys_share_one_string(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static const char text[] = "a member that many records have";
    hd_value dicts[3], seen = HD_ABSENT;
    for (int i = 0; i < 3; i++) {
        dicts[i] = keep(&f, dict(&f));
        struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, sizeof text - 1);
        assert_int_equal(hd_dict_set(f.objects, dicts[i], &key, hd_value_int(i)), 0);
        uint32_t position = 0;
        hd_value name, value;
        assert_true(hd_dict_next(f.objects, dicts[i], &position, &name, &value));
        assert_true(i == 0 || name == seen);
        seen = name;
    }
    assert_int_equal(hd_table_count(&f.heap->table, hd_value_index(seen)), 3);
    /* The memo holds nothing: with the last dict the string goes, and a new one takes its place. */
    uint64_t identity = hd_table_identity(&f.heap->table, hd_value_index(seen));
    for (int i = 0; i < 3; i++)
        assert_int_equal(hd_clear(f.objects, dicts[i]), 0);
    while (hd_gc_reap(f.gc, 100))
        ;
    assert_int_equal(hd_table_find(&f.heap->table, identity), 0);
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, sizeof text - 1);
    assert_int_equal(hd_dict_set(f.objects, dicts[0], &key, HD_NONE), 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_equal_across_types), cmocka_unit_test(not_a_number_is_itself_alone),
        cmocka_unit_test(text_and_bytes_differ),          cmocka_unit_test(tuples_are_equal_by_element),
        cmocka_unit_test(deep_tuples_do_not_recurse),     cmocka_unit_test(what_changes_is_no_key),
        cmocka_unit_test(tuples_that_share_are_bounded),  cmocka_unit_test(equal_keys_share_one_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
