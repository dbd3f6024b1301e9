/* Classes, instances and their layouts. */
#include "fixture.h"

static struct hd_key name_key(const char *name)
{
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)name, strlen(name));
}

static hd_value new_class(struct fixture *f, const char *name, hd_value super)
{
    hd_value text = str(f, name), out = HD_ABSENT;
    assert_int_equal(hd_class_new(f->objects, text, super, &out), 0);
    release(f, text);
    return keep(f, out);
}

static hd_value new_instance(struct fixture *f, hd_value class_value)
{
    hd_value out = HD_ABSENT;
    assert_int_equal(hd_instance_new(f->objects, class_value, &out), 0);
    return keep(f, out);
}

static void set_attribute(struct fixture *f, hd_value object, const char *name, hd_value value)
{
    struct hd_key key = name_key(name);
    assert_int_equal(hd_attribute_set(f->objects, object, &key, value), 0);
}

static hd_value attribute(struct fixture *f, hd_value object, const char *name)
{
    struct hd_key key = name_key(name);
    hd_value out = HD_ABSENT;
    int error = hd_attribute_get(f->objects, object, &key, &out);
    assert_true(error == 0 || error == HD_EATTRIBUTE);
    release(f, out); /* held by the object */
    return out;
}

static void attributes_come_and_go(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value point = new_class(&f, "Point", HD_ABSENT);
    hd_value a = new_instance(&f, point), b = new_instance(&f, point);
    set_attribute(&f, a, "x", hd_value_int(1));
    set_attribute(&f, a, "an attribute with a long name", str(&f, "and a value that is boxed"));
    set_attribute(&f, b, "x", hd_value_int(2));
    assert_int_equal(attribute(&f, a, "x"), hd_value_int(1));
    assert_int_equal(attribute(&f, b, "x"), hd_value_int(2));
    assert_int_equal(attribute(&f, b, "an attribute with a long name"), HD_ABSENT);
    assert_int_equal(hd_instance_length(f.objects, a), 2);
    assert_int_equal(hd_instance_length(f.objects, b), 1);
    struct hd_key x = name_key("x"), none = name_key("none");
    assert_int_equal(hd_attribute_delete(f.objects, a, &x), 0);
    assert_int_equal(hd_attribute_delete(f.objects, a, &x), HD_EATTRIBUTE);
    assert_int_equal(hd_attribute_delete(f.objects, a, &none), HD_EATTRIBUTE);
    assert_int_equal(attribute(&f, a, "x"), HD_ABSENT);
    assert_int_equal(hd_instance_length(f.objects, a), 1);
    check(&f);
    end(&f);
}

static void order_is_that_of_the_layout(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value record = new_class(&f, "Record", HD_ABSENT);
    struct hd_key declared = name_key("first");
    assert_int_equal(hd_class_add_attribute(f.objects, record, &declared), 0);
    assert_int_equal(hd_class_add_attribute(f.objects, record, &declared), 0); /* it is there already */
    hd_value a = new_instance(&f, record);
    set_attribute(&f, a, "second", hd_value_int(2));
    set_attribute(&f, a, "third", hd_value_int(3));
    set_attribute(&f, a, "first", hd_value_int(1));
    uint32_t position = 0;
    hd_value name, value;
    for (int i = 1; hd_instance_next(f.objects, a, &position, &name, &value); i++)
        assert_int_equal(value, hd_value_int(i));
    end(&f);
}

/* An older instance has fewer slots until it needs more. */
static void a_layout_grows_under_its_instances(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value wide = new_class(&f, "Wide", HD_ABSENT), instances[40];
    for (int i = 0; i < 40; i++) {
        char name[32];
        instances[i] = new_instance(&f, wide);
        snprintf(name, sizeof name, "attribute %d", i);
        for (int k = 0; k <= i; k += 7)
            set_attribute(&f, instances[k], name, hd_value_int(i));
    }
    check(&f);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "attribute %d", i);
        for (int k = 0; k < 40; k++)
            assert_int_equal(attribute(&f, instances[k], name), k % 7 == 0 && k <= i ? hd_value_int(i) : HD_ABSENT);
    }
    end(&f);
}

static void a_layout_has_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value wide = new_class(&f, "Wide", HD_ABSENT), a = new_instance(&f, wide);
    for (int i = 0; i < HD_ATTRIBUTES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "a%d", i);
        set_attribute(&f, a, name, hd_value_int(i));
    }
    struct hd_key more = name_key("more"), last = name_key("a249");
    assert_int_equal(hd_attribute_set(f.objects, a, &more, HD_NONE), HD_ELIMIT);
    assert_int_equal(hd_attribute_set(f.objects, a, &last, HD_NONE), 0);
    assert_int_equal(hd_instance_length(f.objects, a), HD_ATTRIBUTES_MAX);
    hd_value b = new_instance(&f, wide);
    set_attribute(&f, b, "a249", HD_TRUE);
    assert_int_equal(hd_instance_length(f.objects, b), 1);
    end(&f);
}

static void classes_inherit(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value base = new_class(&f, "Base", HD_ABSENT);
    set_attribute(&f, base, "kind", hd_value_int(1));
    struct hd_key x = name_key("x");
    assert_int_equal(hd_class_add_attribute(f.objects, base, &x), 0);
    hd_value sub = new_class(&f, "Sub", base), a = new_instance(&f, sub);
    assert_int_equal(attribute(&f, a, "kind"), hd_value_int(1)); /* of the class's class */
    assert_int_equal(attribute(&f, sub, "kind"), hd_value_int(1));
    set_attribute(&f, sub, "kind", hd_value_int(2));
    assert_int_equal(attribute(&f, a, "kind"), hd_value_int(2));
    assert_int_equal(attribute(&f, base, "kind"), hd_value_int(1));
    set_attribute(&f, a, "kind", hd_value_int(3));
    assert_int_equal(attribute(&f, a, "kind"), hd_value_int(3));
    struct hd_key kind = name_key("kind");
    assert_int_equal(hd_attribute_delete(f.objects, a, &kind), 0);
    assert_int_equal(attribute(&f, a, "kind"), hd_value_int(2));
    assert_int_equal(hd_attribute_delete(f.objects, a, &kind), HD_EATTRIBUTE); /* the class's is not the instance's */
    assert_int_equal(hd_attribute_delete(f.objects, sub, &kind), 0);
    assert_int_equal(hd_attribute_delete(f.objects, sub, &kind), HD_EATTRIBUTE);
    assert_int_equal(attribute(&f, a, "kind"), hd_value_int(1));
    end(&f);
}

static void what_is_no_class(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value out = 77, l = keep(&f, list(&f)), text = keep(&f, str(&f, "a long name for a class"));
    struct hd_key x = name_key("x");
    assert_int_equal(hd_class_new(f.objects, hd_value_int(1), HD_ABSENT, &out), HD_ETYPE);
    assert_int_equal(hd_class_new(f.objects, text, l, &out), HD_ETYPE);
    assert_int_equal(hd_instance_new(f.objects, l, &out), HD_ETYPE);
    assert_int_equal(hd_instance_new(f.objects, HD_NONE, &out), HD_ETYPE);
    assert_int_equal(hd_attribute_get(f.objects, l, &x, &out), HD_ETYPE);
    assert_int_equal(hd_attribute_set(f.objects, l, &x, HD_NONE), HD_ETYPE);
    assert_int_equal(hd_attribute_delete(f.objects, HD_NONE, &x), HD_ETYPE);
    assert_int_equal(out, 77);
    end(&f);
}

/* A class lives as long as its instances, and is garbage with them, whichever is found first. */
static void a_class_and_its_instances_are_garbage_together(void **state)
{
    (void)state;
    for (unsigned generation = 0; generation < 3; generation++) {
        struct fixture f;
        begin(&f);
        for (int i = 0; i < 50; i++) {
            hd_value text = str(&f, "Node, a class of the kind that goes round"), class_value, instance;
            assert_int_equal(hd_class_new(f.objects, text, HD_ABSENT, &class_value), 0);
            release(&f, text);
            for (int k = 0; k < 5; k++) {
                assert_int_equal(hd_instance_new(f.objects, class_value, &instance), 0);
                set_attribute(&f, instance, "self", hd_gc_retain(f.gc, instance));
                set_attribute(&f, instance, "class", hd_gc_retain(f.gc, class_value));
                if (k % 2)
                    set_attribute(&f, class_value, k > 2 ? "last" : "first", hd_gc_retain(f.gc, instance));
                release(&f, instance);
            }
            release(&f, class_value);
        }
        struct hd_collection found;
        assert_int_equal(hd_heap_collect(f.heap, generation, &found), 0);
        check(&f);
        assert_int_equal(f.heap->table.live_count, f.live_before);
        end(&f);
    }
}

static void class_ids_are_used_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 3000; i++) {
        hd_value class_value, instance;
        assert_int_equal(hd_class_new(f.objects, hd_value_short(HD_TAG_STR, "C", 1), HD_ABSENT, &class_value), 0);
        assert_int_equal(hd_instance_new(f.objects, class_value, &instance), 0);
        release(&f, class_value);
        assert_int_equal(hd_instance_class(f.objects, instance), class_value);
        set_attribute(&f, instance, "x", hd_value_int(i));
        release(&f, instance);
        hd_gc_reap(f.gc, 1000);
    }
    assert_true(f.objects->class_capacity <= 64);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_come_and_go),
        cmocka_unit_test(order_is_that_of_the_layout),
        cmocka_unit_test(a_layout_grows_under_its_instances),
        cmocka_unit_test(a_layout_has_a_limit),
        cmocka_unit_test(classes_inherit),
        cmocka_unit_test(what_is_no_class),
        cmocka_unit_test(a_class_and_its_instances_are_garbage_together),
        cmocka_unit_test(class_ids_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
