/* Names and scopes, and numbers that are added to where they stand. */
#include "fixture.h"

static int bind(struct fixture *f, hd_value scope, const char *name, hd_value value)
{
    return hd_heap_bind(f->heap, scope, (const uint8_t *)name, strlen(name), value);
}

/* What a name means, borrowed; HD_ABSENT for HD_ENAME. */
static hd_value look(struct fixture *f, hd_value scope, const char *name)
{
    hd_value out = HD_ABSENT;
    int error = hd_heap_lookup(f->heap, scope, (const uint8_t *)name, strlen(name), &out);
    assert_true(error == 0 || error == HD_ENAME);
    release(f, out);
    return out;
}

static int unbind(struct fixture *f, hd_value scope, const char *name)
{
    return hd_heap_unbind(f->heap, scope, (const uint8_t *)name, strlen(name));
}

static hd_value scope_in(struct fixture *f, hd_value parent)
{
    hd_value out = HD_ABSENT;
    assert_int_equal(hd_scope_new(f->objects, parent, &out), 0);
    return keep(f, out);
}

static void a_name_is_a_root(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    uint64_t epoch = f.heap->names_epoch;
    hd_value l = list(&f);
    assert_int_equal(bind(&f, HD_ABSENT, "documents", l), 0);
    assert_true(f.heap->names_epoch > epoch);
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
    assert_int_equal(look(&f, HD_ABSENT, "documents"), l);
    assert_int_equal(bind(&f, HD_ABSENT, "documents", HD_TRUE), 0); /* in place of it */
    while (hd_gc_reap(f.gc, 100))
        ;
    assert_int_equal(look(&f, HD_ABSENT, "documents"), HD_TRUE);
    assert_int_equal(unbind(&f, HD_ABSENT, "documents"), 0);
    assert_int_equal(unbind(&f, HD_ABSENT, "documents"), HD_ENAME);
    assert_int_equal(look(&f, HD_ABSENT, "documents"), HD_ABSENT);
    end(&f);
}

static void bad_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    static char text[HD_NAME_MAX_BYTES + 1];
    memset(text, 'a', sizeof text);
    const uint8_t *name = (const uint8_t *)text;
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, name, 0, HD_NONE), HD_EINVALID);
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, name, sizeof text, HD_NONE), HD_EINVALID);
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, name, sizeof text - 1, HD_NONE), 0);
    assert_int_equal(hd_heap_unbind(f.heap, HD_ABSENT, name, sizeof text - 1), 0);
    assert_int_equal(hd_heap_bind(f.heap, HD_ABSENT, (const uint8_t *)"a\0b", 3, HD_NONE), 0); /* NUL is a character */
    assert_int_equal(hd_heap_unbind(f.heap, HD_ABSENT, (const uint8_t *)"a\0b", 3), 0);
    assert_int_equal(bind(&f, HD_ABSENT, "a\xff", HD_NONE), HD_EUTF8);
    hd_value l = keep(&f, list(&f)), out;
    assert_true(bind(&f, l, "a", HD_NONE) != 0); /* no scope */
    assert_true(hd_heap_lookup(f.heap, l, (const uint8_t *)"a", 1, &out) != 0);
    end(&f);
}

static void names_are_looked_up_along_the_parents(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value outer = scope_in(&f, HD_ABSENT), inner = scope_in(&f, outer);
    assert_int_equal(bind(&f, HD_ABSENT, "x", hd_value_int(1)), 0);
    assert_int_equal(look(&f, inner, "x"), hd_value_int(1));
    assert_int_equal(bind(&f, outer, "x", hd_value_int(2)), 0);
    assert_int_equal(look(&f, inner, "x"), hd_value_int(2));
    assert_int_equal(look(&f, HD_ABSENT, "x"), hd_value_int(1));
    assert_int_equal(bind(&f, inner, "x", hd_value_int(3)), 0);
    assert_int_equal(look(&f, inner, "x"), hd_value_int(3));
    assert_int_equal(unbind(&f, inner, "x"), 0);
    assert_int_equal(unbind(&f, inner, "x"), HD_ENAME); /* of this scope alone */
    assert_int_equal(look(&f, inner, "x"), hd_value_int(2));
    hd_scope_close(f.objects, outer);
    assert_int_equal(look(&f, inner, "x"), hd_value_int(1)); /* through the closed parent, the global one */
    assert_int_equal(bind(&f, outer, "x", HD_NONE), HD_EINVALID);
    assert_int_equal(unbind(&f, HD_ABSENT, "x"), 0);
    check(&f);
    end(&f);
}

static void closing_lets_go(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value outer = scope_in(&f, HD_ABSENT), inner = scope_in(&f, outer);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "local name %d", i);
        assert_int_equal(bind(&f, inner, name, list(&f)), 0);
    }
    assert_int_equal(bind(&f, inner, "self", hd_gc_retain(f.gc, inner)), 0); /* and a cycle */
    uint64_t length;
    assert_int_equal(hd_length(f.objects, inner, &length), 0);
    assert_int_equal(length, 101);
    hd_scope_close(f.objects, inner);
    hd_scope_close(f.objects, inner); /* again does nothing */
    while (hd_gc_reap(f.gc, 100))
        ;
    assert_int_equal(f.objects->type_count[HD_TYPE_LIST], 0);
    assert_int_equal(hd_length(f.objects, inner, &length), 0);
    assert_int_equal(length, 0);
    check(&f);
    end(&f);
}

static void names_are_listed_in_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value scope = scope_in(&f, HD_ABSENT), name, value;
    static const char *const wanted[] = {"c", "a", "b"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(bind(&f, scope, wanted[i], hd_value_int(i)), 0);
    uint32_t position = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(hd_heap_next_name(f.heap, scope, &position, &name, &value));
        assert_int_equal(name, hd_value_short(HD_TAG_STR, wanted[i], 1));
        assert_int_equal(value, hd_value_int(i));
    }
    assert_false(hd_heap_next_name(f.heap, scope, &position, &name, &value));
    end(&f);
}

static void numbers_are_added_to(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), d = keep(&f, dict(&f)), out = 77;
    append(&f, l, integer(&f, HD_INT_MAX));
    append(&f, l, str(&f, "a string that is no number"));
    put(&f, d, hd_value_int(1), hd_value_int(41));
    struct hd_key first = hd_key_of(hd_value_int(0)), second = hd_key_of(hd_value_int(1));
    assert_int_equal(hd_heap_add_to_item(f.heap, l, &first, hd_value_int(1), &out), 0);
    assert_true(same_key(&f, out, integer(&f, HD_INT_MAX + 1)));
    out = 77;
    assert_int_equal(hd_heap_add_to_item(f.heap, l, &second, hd_value_int(1), &out), HD_ETYPE);
    assert_int_equal(hd_heap_add_to_item(f.heap, d, &first, hd_value_int(1), &out), HD_EKEY);
    assert_int_equal(hd_heap_add_to_item(f.heap, d, &second, HD_NONE, &out), HD_ETYPE);
    assert_int_equal(out, 77);
    assert_int_equal(hd_heap_add_to_item(f.heap, d, &second, HD_TRUE, &out), 0);
    assert_int_equal(out, hd_value_int(42));
    assert_int_equal(bind(&f, HD_ABSENT, "n", hd_value_int(1)), 0);
    assert_int_equal(hd_heap_add_to_name(f.heap, HD_ABSENT, (const uint8_t *)"n", 1, hd_value_int(2), &out), 0);
    assert_int_equal(out, hd_value_int(3));
    assert_int_equal(look(&f, HD_ABSENT, "n"), hd_value_int(3));
    assert_int_equal(hd_heap_add_to_name(f.heap, HD_ABSENT, (const uint8_t *)"m", 1, hd_value_int(2), &out), HD_ENAME);
    hd_value scope = scope_in(&f, HD_ABSENT); /* a name is added to where it stands, not through the parents */
    assert_int_equal(hd_heap_add_to_name(f.heap, scope, (const uint8_t *)"n", 1, hd_value_int(2), &out), HD_ENAME);
    assert_int_equal(unbind(&f, HD_ABSENT, "n"), 0);
    check(&f);
    end(&f);
}

/* A sum that finds no memory changes nothing. */
static void adding_can_fail(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), out = 77;
    append(&f, l, integer(&f, INT64_MAX));
    hd_value before = hd_list_at(f.objects, l, 0);
    struct hd_key first = hd_key_of(hd_value_int(0));
    for (uint64_t n = 1;; n++) {
        arm(&f, n);
        int error = hd_heap_add_to_item(f.heap, l, &first, hd_value_int(1), &out);
        uint64_t faults = f.faults;
        arm(&f, 0);
        if (!error)
            break;
        assert_int_equal(error, HD_ENOMEM);
        assert_int_equal(faults, 1);
        assert_int_equal(hd_list_at(f.objects, l, 0), before);
        assert_int_equal(out, 77);
        check(&f);
    }
    release(&f, out);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_a_root),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(names_are_looked_up_along_the_parents),
        cmocka_unit_test(closing_lets_go),
        cmocka_unit_test(names_are_listed_in_order),
        cmocka_unit_test(numbers_are_added_to),
        cmocka_unit_test(adding_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
