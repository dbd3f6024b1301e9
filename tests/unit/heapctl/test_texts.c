/* Texts, each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/heapctl/texts.h"

static void each_once(void **state)
{
    (void)state;
    struct hd_texts texts;
    hd_texts_init(&texts);
    assert_int_equal(hd_texts_add(&texts, "", 0), 0);
    assert_int_equal(hd_texts_add(&texts, "a", 1), 1);
    assert_int_equal(hd_texts_add(&texts, "a\0b", 3), 2);
    assert_int_equal(hd_texts_add(&texts, "a\0c", 3), 3);
    assert_int_equal(hd_texts_add(&texts, "ab", 1), 1);
    assert_int_equal(hd_texts_add(&texts, "", 0), 0);
    assert_int_equal(texts.count, 4);
    hd_texts_fini(&texts);
}

static void many(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct hd_texts texts;
    char text[32];
    hd_texts_init(&texts);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            int size = snprintf(text, sizeof text, "text %u", i);
            assert_int_equal(hd_texts_add(&texts, text, (size_t)size), i);
        }
    }
    assert_int_equal(texts.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        int size = snprintf(text, sizeof text, "text %u", i);
        assert_int_equal(texts.places[i].size, size);
        assert_memory_equal(texts.bytes + texts.places[i].offset, text, (size_t)size);
    }
    assert_false(texts.failed);
    hd_texts_fini(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_once), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
