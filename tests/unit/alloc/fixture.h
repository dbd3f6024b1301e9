/* What the tests of this layer share: a budget, an account and an operating system that fails when told to. */
#ifndef HEAPD_TESTS_UNIT_ALLOC_FIXTURE_H
#define HEAPD_TESTS_UNIT_ALLOC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/alloc.h"
#include "tests/support/os_fault.h"

struct fixture {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_account account;
    struct hd_alloc *alloc;
};

static inline void fixture_init(struct fixture *fixture, uint64_t limit_bytes)
{
    hd_os_fault_init(&fixture->os);
    hd_budget_init(&fixture->budget, limit_bytes);
    hd_account_init(&fixture->account, &fixture->budget);
    fixture->alloc = NULL;
}

static inline void fixture_start(struct fixture *fixture, const struct hd_alloc_config *config)
{
    int error = hd_alloc_new(&fixture->os.os, &fixture->budget, &fixture->account.allocator, config, &fixture->alloc);
    assert_int_equal(error, 0);
}

/* Ends the test: everything must have been given back. */
static inline void fixture_fini(struct fixture *fixture)
{
    hd_alloc_free(fixture->alloc);
    hd_account_fini(&fixture->account);
    assert_int_equal(fixture->budget.used_bytes, 0);
    assert_int_equal(fixture->os.mapped_bytes, 0);
}

#define assert_sound(broken) \
    do { \
        const char *broken_ = (broken); \
        if (broken_) \
            fail_msg("broken: %s", broken_); \
    } while (0)

#endif
