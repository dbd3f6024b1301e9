/* Scalars, containers, classes. */
#include "oom.h"

#include "common/literal.h"

void oom_scalars(struct oom *oom)
{
    static const uint8_t raw[40] = {[39] = 0x40};
    hd_value value;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_int_new(oom->objects, INT64_MAX, &value)))
        oom_root(oom, 0, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_int_from_bytes(oom->objects, raw, sizeof raw, &value)))
        oom_root(oom, 1, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_float_new(oom->objects, 1e300, &value)))
        oom_root(oom, 2, value);
    oom_begin(oom);
    if (oom_unchanged(oom, oom_new_str(oom, "a string that needs memory", &value)))
        oom_root(oom, 3, value);
    if (!oom->roots[0] || !oom->roots[1] || !oom->roots[2])
        return;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_number_add(oom->objects, oom->roots[0], oom->roots[1], &value)))
        oom_root(oom, 4, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_number_add(oom->objects, oom->roots[1], oom->roots[2], &value)))
        oom_root(oom, 5, value);
}

void oom_lists(struct oom *oom)
{
    if (!oom_make_list(oom, 0))
        return;
    hd_value list = oom->roots[0], value;
    for (int i = 0; i < 300; i++) {
        oom_begin(oom);
        int error = i % 2 ? hd_list_append(oom->objects, list, hd_value_int(i))
                          : hd_list_insert(oom->objects, list, i % 4 ? 1 : i / 2, hd_value_int(i));
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
    /* Taking out needs no memory. */
    while (hd_list_length(oom->objects, list))
        assert_int_equal(hd_list_pop(oom->objects, list, 0, &value), 0);
    oom_check(oom);
}

void oom_dicts(struct oom *oom)
{
    hd_value value;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &value)))
        return;
    oom_root(oom, 0, value);
    hd_value dict = value;
    for (int i = 0; i < 1100; i++) {
        char text[64];
        snprintf(text, sizeof text, "the key of number %d", i % 950);
        struct hd_key key = oom_key_of(text);
        /* Looking at the whole heap each time takes too long. */
        if (i % 8 == 0)
            oom_begin(oom);
        int error = hd_dict_set(oom->objects, dict, &key, hd_value_int(i));
        bool ok = i % 8 == 0 ? oom_unchanged(oom, error) : oom_ok(oom, error);
        if (!ok && oom->fail_from)
            break;
        if (i % 5 == 4) {
            snprintf(text, sizeof text, "the key of number %d", i - 3);
            key = oom_key_of(text);
            error = hd_dict_pop(oom->objects, dict, &key, NULL);
            assert_true(error == 0 || error == HD_EKEY || error == HD_ENOMEM);
        }
    }
    oom_check(oom);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_clear(oom->objects, dict)))
        assert_int_equal(hd_dict_length(oom->objects, dict), 0);
}

/* What is mapped by itself. */
void oom_large_objects(struct oom *oom)
{
    enum { BYTES = 3 << 20 };
    uint8_t *bytes = calloc(1, BYTES);
    assert_non_null(bytes);
    hd_value value;
    for (size_t i = 0; i < 3; i++) {
        oom_begin(oom);
        if (oom_unchanged(oom, hd_bytes_new(oom->objects, bytes, BYTES, &value)))
            oom_root(oom, i, value);
    }
    free(bytes);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_dict_new(oom->objects, 200000, &value)))
        oom_root(oom, 3, value);
    if (!oom_make_list(oom, 4))
        return;
    for (uint32_t more = 100000; more < 1000000; more *= 2) {
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_list_reserve(oom->objects, oom->roots[4], more)) && oom->fail_from)
            return;
    }
}

void oom_sets(struct oom *oom)
{
    hd_value set;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_set_new(oom->objects, 20, &set)))
        return;
    oom_root(oom, 0, set);
    for (int i = 0; i < 200; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i % 150));
        bool was_new;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_set_add(oom->objects, set, &key, &was_new)) && oom->fail_from)
            break;
        if (i % 3 == 0) {
            key = hd_key_of(hd_value_int(i / 2));
            bool was_there;
            assert_int_equal(hd_set_discard(oom->objects, set, &key, &was_there), 0);
        }
    }
}

/* Tuples nested deeper than what is hashed without memory. */
void oom_deep_keys(struct oom *oom)
{
    hd_value tuple = hd_value_int(1), dict;
    for (int i = 0; i < 40; i++) {
        hd_value outer;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_tuple_new(oom->objects, 1, &outer)))
            return;
        hd_tuple_init_at(oom->objects, outer, 0, tuple == hd_value_int(1) ? tuple : hd_gc_retain(oom->gc, tuple));
        oom_root(oom, 0, outer);
        tuple = outer;
    }
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &dict)))
        return;
    oom_root(oom, 1, dict);
    for (int i = 0; i < 3; i++) {
        struct hd_key key = hd_key_of(tuple);
        bool found;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_dict_set(oom->objects, dict, &key, HD_NONE)) && oom->fail_from)
            return;
        key = hd_key_of(tuple);
        oom_begin(oom);
        if (oom_unchanged(oom, hd_dict_contains(oom->objects, dict, &key, &found)))
            assert_int_equal(found, hd_dict_length(oom->objects, dict) == 1);
    }
}

/* A class may be left prepared for what it was to take, so only the checks are asked for here. */
void oom_classes(struct oom *oom)
{
    hd_value name, class_value, sub, instance;
    if (!oom_ok(oom, oom_new_str(oom, "a class with a long name", &name)))
        return;
    int error = hd_class_new(oom->objects, name, HD_ABSENT, &class_value);
    hd_gc_release(oom->gc, name);
    if (!oom_ok(oom, error))
        return;
    oom_root(oom, 0, class_value);
    static const char *const attributes[] = {
        "x", "y", "an attribute with a long name", "another one, long as well", "a", "b", "c", "d", "e", "f", "g"};
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_instance_new(oom->objects, class_value, &instance)))
        return;
    oom_root(oom, 1, instance);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        struct hd_key key = oom_key_of(attributes[i]);
        uint32_t before = hd_instance_length(oom->objects, instance);
        error = hd_attribute_set(oom->objects, instance, &key, hd_value_int((int64_t)i));
        bool ok = oom_ok(oom, error);
        assert_int_equal(hd_instance_length(oom->objects, instance), before + ok);
        if (i % 2) {
            key = oom_key_of(attributes[i]);
            if (!oom_ok(oom, hd_attribute_set(oom->objects, class_value, &key, HD_TRUE)))
                continue;
            hd_value value;
            assert_int_equal(hd_attribute_get(oom->objects, class_value, &key, &value), 0);
        }
    }
    oom_begin(oom);
    if (oom_unchanged(oom, hd_class_new(oom->objects, hd_class_name(oom->objects, class_value), class_value, &sub)))
        oom_root(oom, 2, sub);
    /* Many classes: their ids take memory too. */
    for (int i = 0; i < 40; i++) {
        oom_begin(oom);
        if (oom_unchanged(oom, hd_class_new(oom->objects, hd_value_short(HD_TAG_STR, "C", 1), HD_ABSENT, &sub)))
            oom_root(oom, 3 + (size_t)i % 4, sub);
    }
}

void oom_names(struct oom *oom)
{
    hd_value scope = HD_ABSENT, value;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_scope_new(oom->objects, HD_ABSENT, &scope)))
        oom_root(oom, 0, scope);
    for (int i = 0; i < 60; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "name number %d of many", i % 40);
        hd_value where = oom->roots[0] && i % 2 ? scope : HD_ABSENT;
        oom_begin(oom);
        if (!oom_unchanged(
                oom, hd_heap_bind(oom->heap, where, (const uint8_t *)text, (size_t)length, hd_value_int(HD_INT_MAX))))
            continue;
        oom_begin(oom);
        if (oom_unchanged(oom, hd_heap_add_to_name(oom->heap, where, (const uint8_t *)text, (size_t)length,
                                                   hd_value_int(1), &value)))
            hd_gc_release(oom->gc, value);
    }
}
