/* Dicts and sets: order of insertion, deletion, growth in steps, all beside a plain model. */
#include "fixture.h"

static struct hd_key int_key(int64_t number)
{
    return hd_key_of(hd_value_int(number));
}

static void order_is_that_of_insertion(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), key, value;
    for (int i = 0; i < 20; i++)
        put(&f, d, hd_value_int(i * 7 % 20), hd_value_int(i));
    put(&f, d, hd_value_int(7), HD_NONE); /* changed, it stays where it is */
    struct hd_key gone = int_key(14);
    assert_int_equal(hd_dict_pop(f.objects, d, &gone, NULL), 0);
    put(&f, d, hd_value_int(14), HD_TRUE); /* gone and come back, it is the last */
    uint32_t position = 0, seen = 0;
    int wanted[20], count = 0;
    for (int i = 0; i < 20; i++)
        if (i * 7 % 20 != 14)
            wanted[count++] = i * 7 % 20;
    wanted[count++] = 14;
    while (hd_dict_next(f.objects, d, &position, &key, &value))
        assert_int_equal(hd_value_to_int(key), wanted[seen++]);
    assert_int_equal(seen, 20);
    assert_int_equal(hd_dict_pop_last(f.objects, d, &key, &value), 0);
    assert_int_equal(hd_value_to_int(key), 14);
    assert_int_equal(value, HD_TRUE);
    end(&f);
}

static void the_first_key_stays(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), key, value;
    put(&f, d, HD_TRUE, str(&f, "a string that is the first"));
    put(&f, d, hd_value_int(1), str(&f, "a string that is the second"));
    put(&f, d, real(&f, 1.0), str(&f, "a string that is the third"));
    uint32_t position = 0;
    assert_int_equal(hd_dict_length(f.objects, d), 1);
    assert_true(hd_dict_next(f.objects, d, &position, &key, &value));
    assert_int_equal(key, HD_TRUE);
    assert_true(same_key(&f, hd_gc_retain(f.gc, value), str(&f, "a string that is the third")));
    end(&f);
}

static void what_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), s = keep(&f, set(&f)), out = 77, key = 77;
    struct hd_key none = hd_key_of(HD_NONE);
    bool flag = true;
    assert_int_equal(hd_dict_get(f.objects, d, &none, &out), HD_EKEY);
    assert_int_equal(hd_dict_pop(f.objects, d, &none, &out), HD_EKEY);
    assert_int_equal(hd_dict_pop_last(f.objects, d, &key, &out), HD_EKEY);
    assert_int_equal(hd_dict_pop_last(f.objects, s, &key, NULL), HD_EKEY);
    assert_int_equal(hd_pop_item(f.objects, d, NULL, &out), HD_EKEY);
    assert_int_equal(hd_set_discard(f.objects, s, &none, &flag), 0);
    assert_false(flag);
    assert_int_equal(out, 77);
    assert_int_equal(key, 77);
    assert_int_equal(hd_get_item(f.objects, s, &none, &out), HD_ETYPE);
    assert_int_equal(hd_set_item(f.objects, s, &none, HD_NONE), HD_ETYPE);
    end(&f);
}

/* Insertions, deletions and look-ups at random, through many sizes, beside an array. */
static void random_tables(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    uint64_t random = hd_test_seed("object_dict");
    static int model[KEYS];
    for (int is_set = 0; is_set < 2; is_set++) {
        struct fixture f;
        begin(&f);
        hd_value t = keep(&f, is_set ? set(&f) : dict(&f));
        memset(model, 0, sizeof model);
        uint32_t count = 0;
        for (int i = 1; i < 150000; i++) {
            int range = i < 20000 ? 30 : i < 60000 ? KEYS / 10 : KEYS;
            int number = (int)(hd_test_random(&random) % (uint64_t)range);
            struct hd_key key = int_key(number);
            bool flag;
            unsigned what = hd_test_random(&random) % 8;
            bool shrinking = i / 25000 % 2;
            if (what < (shrinking ? 2u : 5u)) {
                if (is_set) {
                    assert_int_equal(hd_set_add(f.objects, t, &key, &flag), 0);
                    assert_int_equal(flag, model[number] == 0);
                } else {
                    assert_int_equal(hd_dict_set(f.objects, t, &key, hd_value_int(i)), 0);
                }
                count += model[number] == 0;
                model[number] = i;
            } else if (what < 7) {
                if (is_set) {
                    assert_int_equal(hd_set_discard(f.objects, t, &key, &flag), 0);
                    assert_int_equal(flag, model[number] != 0);
                } else {
                    hd_value out;
                    assert_int_equal(hd_dict_pop(f.objects, t, &key, &out), model[number] ? 0 : HD_EKEY);
                    assert_true(!model[number] || hd_value_to_int(out) == model[number]);
                }
                count -= model[number] != 0;
                model[number] = 0;
            }
            key = int_key(number);
            assert_int_equal(hd_dict_contains(f.objects, t, &key, &flag), 0);
            assert_int_equal(flag, model[number] != 0);
            assert_int_equal(hd_dict_length(f.objects, t), count);
            if (i % 5000 == 0) {
                check(&f);
                uint32_t position = 0, seen = 0;
                hd_value k, v;
                while (hd_dict_next(f.objects, t, &position, &k, &v)) {
                    assert_true(model[hd_value_to_int(k)] != 0);
                    assert_true(is_set || hd_value_to_int(v) == model[hd_value_to_int(k)]);
                    seen++;
                }
                assert_int_equal(seen, count);
            }
        }
        end(&f);
    }
}

/* The index grows while a marker, a look-up and deletions stand in the middle: nothing is lost, nothing is there twice.
 */
static void growth_is_spread(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), out;
    for (int64_t i = 0; i < 300000; i++) {
        put(&f, d, hd_value_int(i), hd_value_int(-i));
        if (i % 3 == 2) {
            struct hd_key key = int_key(i - 1);
            assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
            assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), HD_EKEY);
        }
        struct hd_key key = int_key(i / 2 - (i / 2 % 3 == 1)); /* one that was kept */
        assert_int_equal(hd_dict_get(f.objects, d, &key, &out), 0);
        assert_true(hd_value_to_int(out) == -(i / 2 - (i / 2 % 3 == 1)));
    }
    assert_int_equal(hd_dict_length(f.objects, d), 200000);
    end(&f);
}

/* A table that has shrunk to a few entries still has its index, which must not fill up with what was deleted. */
static void a_small_table_with_an_index(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), out;
    for (int i = 0; i < 12; i++)
        put(&f, d, hd_value_int(i), HD_NONE);
    for (int i = 11; i > 2; i--) {
        struct hd_key key = int_key(i);
        assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
    }
    for (int i = 100; i < 1000; i++) {
        struct hd_key key = int_key(i);
        put(&f, d, hd_value_int(i), HD_NONE);
        assert_int_equal(hd_dict_pop(f.objects, d, &key, NULL), 0);
        assert_int_equal(hd_dict_get(f.objects, d, &key, &out), HD_EKEY);
        check(&f);
    }
    end(&f);
}

/* What was asked for in advance needs no memory later, in the middle of the index's growth too. */
static void reserved_room_is_there(void **state)
{
    (void)state;
    for (int before = 0; before < 3200; before += 97) {
        struct fixture f;
        begin(&f);
        hd_value d = keep(&f, dict(&f));
        for (int i = 0; i < before; i++)
            put(&f, d, hd_value_int(i), HD_NONE);
        uint32_t more = (uint32_t)before * 2 / 3 + 5;
        assert_int_equal(hd_dict_reserve(f.objects, d, more), 0);
        arm(&f, 1);
        for (uint32_t i = 0; i < more; i++)
            put(&f, d, hd_value_int(1000000 + i), HD_NONE);
        assert_int_equal(f.allocations, 0);
        arm(&f, 0);
        check(&f);
        end(&f);
    }
}

static void clearing_gives_memory_back(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f)), s = keep(&f, set(&f));
    uint64_t empty = hd_shallow_bytes(f.objects, d);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++) {
            struct hd_key key = int_key(i);
            bool was_new;
            put(&f, d, hd_value_int(i), list(&f));
            assert_int_equal(hd_set_add(f.objects, s, &key, &was_new), 0);
        }
        assert_int_equal(hd_clear(f.objects, d), 0);
        assert_int_equal(hd_clear(f.objects, s), 0);
        assert_int_equal(hd_dict_length(f.objects, d), 0);
        assert_int_equal(hd_shallow_bytes(f.objects, d), empty);
        check(&f);
    }
    /* Emptied one by one it is small again as well. */
    for (int i = 0; i < 5000; i++)
        put(&f, d, hd_value_int(i), HD_NONE);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(hd_pop_item(f.objects, d, NULL, NULL), 0);
    assert_int_equal(hd_shallow_bytes(f.objects, d), empty);
    end(&f);
}

static void keys_and_values_are_held(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value d = keep(&f, dict(&f));
    hd_value key = str(&f, "a key that is an object"), value = list(&f);
    uint32_t key_index = hd_value_index(key), value_index = hd_value_index(value);
    struct hd_key k = hd_key_of(key);
    assert_int_equal(hd_dict_set(f.objects, d, &k, hd_gc_retain(f.gc, value)), 0);
    assert_int_equal(hd_table_count(&f.heap->table, key_index), 2);
    assert_int_equal(hd_table_count(&f.heap->table, value_index), 2);
    assert_int_equal(hd_dict_set(f.objects, d, &k, HD_NONE), 0);
    assert_int_equal(hd_table_count(&f.heap->table, value_index), 1);
    release(&f, value);
    hd_value out;
    assert_int_equal(hd_dict_pop(f.objects, d, &k, &out), 0);
    assert_int_equal(hd_table_count(&f.heap->table, key_index), 1);
    release(&f, key);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_insertion), cmocka_unit_test(the_first_key_stays),
        cmocka_unit_test(what_is_not_there),          cmocka_unit_test(random_tables),
        cmocka_unit_test(growth_is_spread),           cmocka_unit_test(a_small_table_with_an_index),
        cmocka_unit_test(reserved_room_is_there),     cmocka_unit_test(clearing_gives_memory_back),
        cmocka_unit_test(keys_and_values_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
