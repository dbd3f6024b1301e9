#include <string.h>

#include "alloc/account.h"
#include "fixture.h"

static void budget_charges_up_to_its_limit(void **state)
{
    (void)state;
    struct hd_budget budget;
    hd_budget_init(&budget, 100);
    assert_true(hd_budget_charge(&budget, 60));
    assert_false(hd_budget_charge(&budget, 41));
    assert_int_equal(budget.used_bytes, 60);
    assert_int_equal(budget.refused_count, 1);
    assert_true(hd_budget_charge(&budget, 40));
    assert_false(hd_budget_charge(&budget, 1));
    assert_false(hd_budget_charge(&budget, UINT64_MAX));
    assert_true(hd_budget_charge(&budget, 0));
    hd_budget_uncharge(&budget, 70);
    assert_int_equal(budget.used_bytes, 30);
    assert_int_equal(budget.peak_bytes, 100);
}

static void budget_forced_beyond_its_limit_refuses_until_it_is_below(void **state)
{
    (void)state;
    struct hd_budget budget;
    hd_budget_init(&budget, 100);
    hd_budget_force(&budget, 120);
    assert_int_equal(budget.used_bytes, 120);
    assert_int_equal(budget.peak_bytes, 120);
    assert_false(hd_budget_charge(&budget, 0));
    assert_false(hd_budget_charge(&budget, 1));
    hd_budget_uncharge(&budget, 50);
    assert_true(hd_budget_charge(&budget, 30));
}

static void budget_without_limit_takes_everything(void **state)
{
    (void)state;
    struct hd_budget budget;
    hd_budget_init(&budget, UINT64_MAX);
    assert_true(hd_budget_charge(&budget, UINT64_C(1) << 62));
    assert_true(hd_budget_charge(&budget, UINT64_C(1) << 62));
    assert_int_equal(budget.refused_count, 0);
}

static void account_counts_what_was_asked_for(void **state)
{
    (void)state;
    struct hd_budget budget;
    struct hd_account account;
    hd_budget_init(&budget, UINT64_MAX);
    hd_account_init(&account, &budget);
    const struct hd_allocator *allocator = &account.allocator;
    uint8_t *a = hd_allocator_new(allocator, 100);
    uint8_t *b = hd_allocator_new_zeroed(allocator, 50);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % 16, 0);
    assert_int_equal(account.used_bytes, 150);
    assert_int_equal(account.allocation_count, 2);
    assert_int_equal(budget.used_bytes, 150);

    memset(a, 7, 100);
    a = hd_allocator_resize(allocator, a, 100, 300);
    assert_non_null(a);
    assert_int_equal(a[99], 7);
    assert_int_equal(account.used_bytes, 350);
    a = hd_allocator_resize(allocator, a, 300, 10);
    assert_non_null(a);
    assert_int_equal(a[9], 7);
    assert_int_equal(account.used_bytes, 60);
    assert_int_equal(budget.used_bytes, 60);
    assert_int_equal(account.allocation_count, 2);
    assert_int_equal(account.peak_bytes, 350);

    hd_allocator_free(allocator, a, 10);
    hd_allocator_free(allocator, b, 50);
    hd_allocator_free(allocator, NULL, 0);
    assert_int_equal(account.used_bytes, 0);
    assert_int_equal(account.allocation_count, 0);
    assert_int_equal(budget.used_bytes, 0);
    hd_account_fini(&account);
    hd_account_fini(NULL);
}

static void accounts_of_one_budget_share_its_limit(void **state)
{
    (void)state;
    struct hd_budget budget;
    struct hd_account first;
    struct hd_account second;
    hd_budget_init(&budget, 1000);
    hd_account_init(&first, &budget);
    hd_account_init(&second, &budget);
    void *a = hd_allocator_new(&first.allocator, 600);
    assert_non_null(a);
    assert_null(hd_allocator_new(&second.allocator, 401));
    void *b = hd_allocator_new(&second.allocator, 400);
    assert_non_null(b);
    assert_int_equal(budget.used_bytes, first.used_bytes + second.used_bytes);
    /* A refused growth leaves block and books alone; shrinking needs no room. */
    assert_null(hd_allocator_resize(&first.allocator, a, 600, 601));
    assert_int_equal(first.used_bytes, 600);
    a = hd_allocator_resize(&first.allocator, a, 600, 500);
    assert_non_null(a);
    hd_allocator_free(&first.allocator, a, 500);
    hd_allocator_free(&second.allocator, b, 400);
    assert_int_equal(budget.used_bytes, 0);
    hd_account_fini(&first);
    hd_account_fini(&second);
}

static void the_c_library_refusing_changes_nothing(void **state)
{
    (void)state;
    struct hd_budget budget;
    struct hd_account account;
    hd_budget_init(&budget, UINT64_MAX);
    hd_account_init(&account, &budget);
    void *block = hd_allocator_new(&account.allocator, 64);
    assert_non_null(block);
    /* Near the top of the address space, but not so near that a sanitizer takes it for a mistake. */
    size_t absurd = (size_t)1 << 47;
    assert_null(hd_allocator_new(&account.allocator, absurd));
    assert_null(hd_allocator_resize(&account.allocator, block, 64, absurd));
    assert_int_equal(account.used_bytes, 64);
    assert_int_equal(account.allocation_count, 1);
    assert_int_equal(budget.used_bytes, 64);
    hd_allocator_free(&account.allocator, block, 64);
    hd_account_fini(&account);
}

static bool countdown(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

static void an_injected_fault_fails_requests_for_more(void **state)
{
    (void)state;
    struct hd_budget budget;
    struct hd_account account;
    int left = 1;
    hd_budget_init(&budget, UINT64_MAX);
    hd_account_init(&account, &budget);
    account.fault = countdown;
    account.fault_context = &left;
    void *block = hd_allocator_new(&account.allocator, 64);
    assert_non_null(block);
    assert_null(hd_allocator_resize(&account.allocator, block, 64, 128));
    assert_int_equal(account.used_bytes, 64);
    left = 0;
    block = hd_allocator_resize(&account.allocator, block, 64, 32);
    assert_non_null(block);
    hd_allocator_free(&account.allocator, block, 32);
    assert_int_equal(left, 0);
    assert_int_equal(budget.used_bytes, 0);
    hd_account_fini(&account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_charges_up_to_its_limit),
        cmocka_unit_test(budget_forced_beyond_its_limit_refuses_until_it_is_below),
        cmocka_unit_test(budget_without_limit_takes_everything),
        cmocka_unit_test(account_counts_what_was_asked_for),
        cmocka_unit_test(accounts_of_one_budget_share_its_limit),
        cmocka_unit_test(the_c_library_refusing_changes_nothing),
        cmocka_unit_test(an_injected_fault_fails_requests_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The C library's refusal is part of the test, not an error of it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
