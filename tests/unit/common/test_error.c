#include "test.h"

#include "common/error.h"

struct row {
    int error;
    const char *name;
    enum hd_status status;
    const char *text;
};

static const struct row rows[] = {
#define ROW(name, number, status, text) {HD_E##name, "HD_E" #name, HD_STATUS_##status, text},
    HD_ERRORS(ROW)
#undef ROW
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static void test_numbers_and_names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        assert_true(rows[i].error < 0);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(rows[i].error, rows[j].error);
            assert_string_not_equal(rows[i].name, rows[j].name);
        }
    }
}

/* Numbers travel on the wire: those of the first release stay, later ones ascend in blocks, and stats have 64 places.
 */
static void test_numbers_ascend(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        assert_true(i >= 34 || rows[i].error == -(int)(i + 1));
        assert_true(i == 0 || rows[i].error < rows[i - 1].error);
        assert_true(rows[i].error > -64);
    }
}

static void test_functions_agree_with_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        assert_string_equal(hd_error_name(rows[i].error), rows[i].name);
        assert_string_equal(hd_error_text(rows[i].error), rows[i].text);
        assert_int_equal(hd_error_status(rows[i].error), rows[i].status);
        assert_true(strlen(rows[i].text) > 5);
        /* It is put behind other words and before none: no capital, no full stop. */
        assert_false(rows[i].text[0] >= 'A' && rows[i].text[0] <= 'Z');
        assert_int_not_equal(rows[i].text[strlen(rows[i].text) - 1], '.');
    }
}

static void test_numbers_outside_the_table(void **state)
{
    (void)state;
    assert_string_equal(hd_error_name(0), "HD_OK");
    assert_int_equal(hd_error_status(0), HD_STATUS_OK);
    assert_string_equal(hd_error_text(0), "no error");
    static const int unknown[] = {1, 17, -64, -100000};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(hd_error_name(unknown[i]), "HD_E?");
        assert_non_null(hd_error_text(unknown[i]));
        assert_int_equal(hd_error_status(unknown[i]), HD_STATUS_UNKNOWN);
    }
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(hd_status_name(HD_STATUS_OK), "OK");
    assert_string_equal(hd_status_name(HD_STATUS_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(hd_status_name(HD_STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(hd_status_name((enum hd_status)17), "UNKNOWN");
    for (int i = 0; i <= HD_STATUS_UNAUTHENTICATED; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(hd_status_name((enum hd_status)i), hd_status_name((enum hd_status)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_names_are_unique),
        cmocka_unit_test(test_numbers_ascend),
        cmocka_unit_test(test_functions_agree_with_the_table),
        cmocka_unit_test(test_numbers_outside_the_table),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
