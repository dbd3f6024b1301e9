/* Interned str: one for all that are equal, for as long as somebody has it. */
#include "fixture.h"
#include "object/intern.h"
#include "object/references.h"

static hd_value intern_text(struct fixture *f, const char *text, bool hold)
{
    hd_value out;
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, strlen(text));
    assert_int_equal(hd_intern(f->objects, &key, hold, &out), 0);
    return out;
}

static bool let_go(struct fixture *f, const char *text)
{
    bool out;
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, strlen(text));
    assert_int_equal(hd_intern_let_go(f->objects, &key, &out), 0);
    return out;
}

static void one_for_all(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value own = str(&f, "a text that is boxed");
    assert_false(hd_is_interned(f.objects, own));
    struct hd_key key = hd_key_of(own);
    hd_value first;
    assert_int_equal(hd_intern(f.objects, &key, false, &first), 0);
    /* The object itself becomes the one. */
    assert_true(first == own);
    assert_true(hd_is_interned(f.objects, own));
    hd_value other = keep(&f, str(&f, "a text that is boxed"));
    assert_true(other != own);
    key = hd_key_of(other);
    hd_value second;
    assert_int_equal(hd_intern(f.objects, &key, false, &second), 0);
    assert_true(second == own);
    assert_false(hd_is_interned(f.objects, other));
    assert_int_equal(f.objects->interned.count, 1);
    hd_gc_release(f.gc, first);
    hd_gc_release(f.gc, second);
    assert_null(hd_intern_check(f.objects));
    /* Mortal: it goes with the last reference, and the next one takes its place. */
    release(&f, own);
    assert_int_equal(f.objects->interned.count, 0);
    key = hd_key_of(other);
    assert_int_equal(hd_intern(f.objects, &key, false, &second), 0);
    assert_true(second == other);
    hd_gc_release(f.gc, second);
    check(&f);
    end(&f);
}

static void in_the_word(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = intern_text(&f, "short", true);
    assert_false(hd_value_is_ref(value));
    assert_true(hd_is_interned(f.objects, value));
    assert_false(let_go(&f, "short"));
    assert_int_equal(f.objects->interned.count, 0);
    end(&f);
}

static void held(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = intern_text(&f, "a text that is held", true);
    uint32_t index = hd_value_index(value);
    uint64_t identity = hd_table_identity(&f.heap->table, index);
    hd_gc_release(f.gc, value);
    check(&f);
    assert_int_equal(hd_table_find(&f.heap->table, identity), index);
    /* Held once, however often one asks for it. */
    hd_gc_release(f.gc, intern_text(&f, "a text that is held", true));
    hd_gc_release(f.gc, intern_text(&f, "a text that is held", false));
    assert_int_equal(hd_table_count(&f.heap->table, index), 1);
    check(&f);
    assert_true(let_go(&f, "a text that is held"));
    assert_int_equal(hd_table_find(&f.heap->table, identity), 0);
    assert_false(let_go(&f, "a text that is held"));
    check(&f);
    end(&f);
}

static void refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value out = HD_NONE;
    hd_value number = hd_value_int(5), text = keep(&f, bytes(&f, "bytes that are boxed"));
    struct hd_key key = hd_key_of(number);
    assert_int_equal(hd_intern(f.objects, &key, false, &out), HD_ETYPE);
    key = hd_key_of(text);
    assert_int_equal(hd_intern(f.objects, &key, false, &out), HD_ETYPE);
    char *large = malloc(HD_INTERN_MAX_BYTES + 2);
    assert_non_null(large);
    memset(large, 'x', HD_INTERN_MAX_BYTES + 1);
    key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)large, HD_INTERN_MAX_BYTES + 1);
    assert_int_equal(hd_intern(f.objects, &key, false, &out), HD_ETOO_LARGE);
    assert_true(out == HD_NONE);
    large[HD_INTERN_MAX_BYTES] = '\0';
    hd_gc_release(f.gc, intern_text(&f, large, false));
    free(large);
    end(&f);
}

/* A weak reference to it dies first: the table still hears of its end. */
static void with_weak(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = intern_text(&f, "a text with a weak reference", false), weak;
    assert_int_equal(hd_weak_new(f.objects, value, &weak), 0);
    hd_gc_release(f.gc, weak);
    assert_null(hd_intern_check(f.objects));
    assert_int_equal(hd_weak_new(f.objects, value, &weak), 0);
    release(&f, value);
    assert_true(hd_weak_peek(f.objects, weak) == HD_ABSENT);
    assert_int_equal(f.objects->interned.count, 0);
    hd_gc_release(f.gc, weak);
    check(&f);
    end(&f);
}

static void no_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    unsigned failed = 0;
    for (unsigned n = 1; n < 10; n++) {
        hd_value out = HD_NONE;
        struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)"a text that is boxed", 20);
        arm(&f, n);
        int error = hd_intern(f.objects, &key, true, &out);
        arm(&f, 0);
        if (!error) {
            hd_gc_release(f.gc, out);
            break;
        }
        failed++;
        assert_int_equal(error, HD_ENOMEM);
        assert_true(out == HD_NONE);
        assert_int_equal(f.objects->interned.count, 0);
        check(&f);
    }
    assert_true(failed >= 2);
    check(&f);
    assert_true(let_go(&f, "a text that is boxed"));
    end(&f);
}

/* Thousands come and go: the table grows and shrinks beside itself, and every one of them is found. */
static void at_random(void **state)
{
    (void)state;
    enum { TEXTS = 6000, STEPS = 60000 };
    static hd_value values[TEXTS];
    static bool is_held[TEXTS];
    const char *given = getenv("HEAPD_TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 4711;
    print_message("HEAPD_TEST_SEED=%u\n", seed);
    struct fixture f;
    begin(&f);
    for (unsigned step = 0; step < STEPS; step++) {
        char text[40];
        seed = seed * 1103515245u + 12345;
        unsigned chance = seed >> 8 & 0xff;
        unsigned grows = step / 10000 % 2 == 0 ? 200 : 60;
        seed = seed * 1103515245u + 12345;
        unsigned i = (seed >> 8) % TEXTS;
        (void)snprintf(text, sizeof text, "the text of number %u", i);
        if (chance < grows) {
            bool hold = chance % 16 == 0;
            hd_value value = intern_text(&f, text, hold);
            assert_true(values[i] == 0 || values[i] == value);
            if (values[i])
                hd_gc_release(f.gc, value);
            values[i] = value;
            is_held[i] |= hold;
        } else if (values[i]) {
            assert_int_equal(let_go(&f, text), is_held[i]);
            is_held[i] = false;
            hd_gc_release(f.gc, values[i]);
            values[i] = 0;
        }
        if (step % 5000 == 0)
            assert_null(hd_intern_check(f.objects));
    }
    for (unsigned i = 0; i < TEXTS; i++) {
        char text[40];
        (void)snprintf(text, sizeof text, "the text of number %u", i);
        if (!values[i])
            continue;
        assert_true(hd_is_interned(f.objects, values[i]));
        assert_int_equal(let_go(&f, text), is_held[i]);
        hd_gc_release(f.gc, values[i]);
    }
    assert_int_equal(f.objects->interned.count, 0);
    assert_null(f.objects->interned.now.slots);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_all), cmocka_unit_test(in_the_word), cmocka_unit_test(held),
        cmocka_unit_test(refused),     cmocka_unit_test(with_weak),   cmocka_unit_test(no_memory),
        cmocka_unit_test(at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
