/* The object table: growth and its failures, the queue of free entries, identities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/table.h"
#include "support/os_fault.h"

enum { TYPE = 5 };

struct fixture {
    struct hd_os_fault os;
    struct hd_budget budget;
    struct hd_table table;
};

static void assert_whole(const struct fixture *fixture)
{
    const char *broken = hd_table_check(&fixture->table);
    if (broken)
        fail_msg("broken invariant: %s", broken);
    assert_int_equal(hd_table_bytes(&fixture->table), fixture->budget.used_bytes);
}

static void begin(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    hd_os_fault_init(&fixture->os);
    hd_budget_init(&fixture->budget, UINT64_MAX);
    assert_int_equal(hd_table_init(&fixture->table, &fixture->os.os, &fixture->budget, false), 0);
    assert_whole(fixture);
}

static void end(struct fixture *fixture)
{
    assert_whole(fixture);
    hd_table_fini(&fixture->table);
    assert_int_equal(fixture->os.mapped_bytes, 0);
    assert_int_equal(fixture->budget.used_bytes, 0);
    hd_table_fini(&fixture->table); /* takes what is not there */
    hd_table_fini(NULL);
}

/* Payloads are never looked at: any address that is a multiple of 16. */
static void *payload_of(uint64_t number)
{
    return (void *)(uintptr_t)(UINT64_C(0x7f0000000000) + number * 16);
}

static uint32_t add(struct fixture *fixture, uint64_t number, bool inner)
{
    uint32_t index = 0;
    assert_int_equal(hd_table_add(&fixture->table, TYPE, payload_of(number), inner, &index), 0);
    return index;
}

static void an_entry_is_as_it_was_made(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    uint32_t leaf = add(&fixture, 1, false), inner = add(&fixture, 2, true);
    struct hd_table *table = &fixture.table;
    assert_true(leaf != 0 && inner != 0 && leaf != inner); /* 0 means no object */
    assert_int_equal(hd_table_type(table, leaf), TYPE);
    assert_int_equal(hd_table_count(table, leaf), 1);
    assert_int_equal(table->state[leaf], 0);
    assert_ptr_equal(hd_table_payload(table, leaf), payload_of(1));
    assert_false(hd_table_bit(table->inner, leaf));
    assert_true(hd_table_bit(table->inner, inner));
    assert_false(hd_table_bit(table->mark, inner) || hd_table_bit(table->done, inner));
    uint64_t identity = hd_table_identity(table, inner);
    hd_table_set_payload(table, inner, payload_of(99)); /* moved, and still itself */
    assert_ptr_equal(hd_table_payload(table, inner), payload_of(99));
    assert_int_equal(hd_table_identity(table, inner), identity);
    end(&fixture);
}

static void it_grows_as_it_is_used(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    enum { COUNT = 5 * HD_TABLE_CHUNK };
    uint64_t charged = fixture.budget.used_bytes;
    for (uint32_t i = 1; i <= COUNT; i++) {
        assert_int_equal(add(&fixture, i, i % 3 == 0), i);
        if (i % (HD_TABLE_CHUNK / 2) == 0)
            assert_whole(&fixture);
    }
    assert_int_equal(fixture.table.live_count, COUNT);
    assert_true(fixture.budget.used_bytes >= charged * 5);
    for (uint32_t i = 1; i <= COUNT; i++) { /* nothing got lost when the arrays moved */
        assert_ptr_equal(hd_table_payload(&fixture.table, i), payload_of(i));
        assert_int_equal(hd_table_bit(fixture.table.inner, i), i % 3 == 0);
        assert_int_equal(fixture.table.meta[i], TYPE | HD_META_ONE);
    }
    end(&fixture);
}

static void free_entries_queue(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    uint32_t indices[100];
    for (uint32_t i = 0; i < 100; i++)
        indices[i] = add(&fixture, i, true);
    /* Given back in some order, they are used again in that order: the first waited longest. */
    for (uint32_t i = 0; i < 100; i++)
        hd_table_remove(&fixture.table, indices[i * 37 % 100]);
    assert_whole(&fixture);
    assert_int_equal(fixture.table.live_count, 0);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(add(&fixture, i, false), indices[i * 37 % 100]);
    /* One that is given back now stands behind all others. */
    hd_table_remove(&fixture.table, indices[0]);
    for (uint32_t i = 50; i < 100; i++)
        assert_int_equal(add(&fixture, i, false), indices[i * 37 % 100]);
    assert_int_equal(add(&fixture, 0, false), indices[0]);
    assert_whole(&fixture);
    assert_int_equal(add(&fixture, 0, false), 101);
    end(&fixture);
}

static void an_identity_is_of_one_object(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct hd_table *table = &fixture.table;
    uint32_t index = add(&fixture, 1, true);
    uint64_t before = hd_table_identity(table, index);
    assert_int_equal(hd_table_find(table, before), index);
    for (uint32_t i = 1; i < 300000; i++) {
        hd_table_remove(table, index);
        assert_int_equal(hd_table_find(table, before), 0);
        assert_int_equal(add(&fixture, i, i % 2), index); /* the only free one */
        uint64_t identity = hd_table_identity(table, index);
        assert_int_equal((uint32_t)identity, index);
        assert_int_equal(hd_table_generation(table, index), i);
        assert_int_equal(hd_table_find(table, before), 0);
        assert_int_equal(hd_table_find(table, identity), index);
        assert_ptr_equal(hd_table_payload(table, index), payload_of(i));
        before = identity;
    }
    assert_int_equal(hd_table_find(table, 0), 0);
    assert_int_equal(hd_table_find(table, 999999), 0);
    assert_int_equal(hd_table_find(table, UINT64_MAX), 0);
    end(&fixture);
}

static void a_removed_entry_has_no_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct hd_table *table = &fixture.table;
    uint32_t index = add(&fixture, 1, true);
    hd_table_bit_set(table->mark, index);
    hd_table_bit_set(table->done, index);
    table->state[index] = 0xff;
    table->meta[index] |= HD_COUNT_SATURATED << HD_META_TYPE_BITS;
    hd_table_remove(table, index);
    assert_whole(&fixture);
    assert_int_equal(add(&fixture, 2, false), index);
    assert_int_equal(table->state[index], 0);
    assert_int_equal(table->meta[index], TYPE | HD_META_ONE);
    assert_false(hd_table_bit(table->inner, index) || hd_table_bit(table->mark, index) ||
                 hd_table_bit(table->done, index));
    end(&fixture);
}

/* Each mapping fails in turn while the table is made. */
static void making_it_can_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct fixture fixture;
        memset(&fixture, 0, sizeof fixture);
        hd_os_fault_init(&fixture.os);
        hd_os_fault_arm(&fixture.os, n, false);
        hd_budget_init(&fixture.budget, UINT64_MAX);
        int error = hd_table_init(&fixture.table, &fixture.os.os, &fixture.budget, true);
        if (!error) {
            assert_int_equal(fixture.os.failed_count, 0);
            assert_true(n > HD_TABLE_COLUMNS);
            end(&fixture);
            return;
        }
        assert_int_equal(error, HD_ENOMEM);
        assert_int_equal(fixture.os.mapped_bytes, 0);
        assert_int_equal(fixture.budget.used_bytes, 0);
    }
}

/* And while it grows: what it was it stays, and the next attempt works. */
static void growing_can_fail(void **state)
{
    (void)state;
    uint64_t failures = 0;
    for (uint64_t n = 1; n <= HD_TABLE_COLUMNS; n++) {
        struct fixture fixture;
        begin(&fixture);
        uint32_t count = 0, capacity = fixture.table.capacity_count;
        while (count + 1 < capacity) {
            add(&fixture, count, true);
            count++;
        }
        uint64_t charged = fixture.budget.used_bytes;
        hd_os_fault_arm(&fixture.os, n, false);
        uint32_t index = 77;
        int error = hd_table_add(&fixture.table, TYPE, payload_of(5), true, &index);
        assert_int_equal(error, HD_ENOMEM);
        failures++;
        assert_int_equal(index, 77);
        assert_int_equal(fixture.table.live_count, count);
        assert_int_equal(fixture.budget.used_bytes, charged);
        assert_whole(&fixture);
        assert_ptr_equal(hd_table_payload(&fixture.table, count), payload_of(count - 1));
        hd_os_fault_arm(&fixture.os, 0, false);
        assert_int_equal(add(&fixture, 5, true), count + 1);
        end(&fixture);
    }
    assert_int_equal(failures, HD_TABLE_COLUMNS);
}

static void the_budget_bounds_it(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    fixture.budget.limit_bytes = fixture.budget.used_bytes * 2 + 10;
    uint32_t count = 0, index;
    while (hd_table_add(&fixture.table, TYPE, payload_of(count), false, &index) == 0)
        count++;
    assert_int_equal(count, 2 * HD_TABLE_CHUNK - 1);
    assert_true(fixture.budget.used_bytes <= fixture.budget.limit_bytes);
    assert_whole(&fixture);
    hd_table_remove(&fixture.table, 7); /* what is free can be used again at the limit */
    assert_int_equal(add(&fixture, 1, false), 7);
    end(&fixture);
}

static void random_entries_beside_a_model(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    uint64_t random = hd_test_seed("alloc_table");
    struct fixture fixture;
    begin(&fixture);
    struct {
        uint32_t index;
        uint64_t identity, number;
    } *model = calloc(COUNT, sizeof *model);
    assert_non_null(model);
    for (uint64_t i = 1; i < 200000; i++) {
        size_t at = hd_test_random(&random) % COUNT;
        if (model[at].index) {
            assert_int_equal(hd_table_find(&fixture.table, model[at].identity), model[at].index);
            assert_ptr_equal(hd_table_payload(&fixture.table, model[at].index), payload_of(model[at].number));
            hd_table_remove(&fixture.table, model[at].index);
            model[at].index = 0;
        } else {
            assert_int_equal(hd_table_find(&fixture.table, model[at].identity), 0);
            model[at].number = i;
            model[at].index = add(&fixture, i, i % 2);
            model[at].identity = hd_table_identity(&fixture.table, model[at].index);
        }
        if (i % 20000 == 0)
            assert_whole(&fixture);
    }
    free(model);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_as_it_was_made),
        cmocka_unit_test(it_grows_as_it_is_used),
        cmocka_unit_test(free_entries_queue),
        cmocka_unit_test(an_identity_is_of_one_object),
        cmocka_unit_test(a_removed_entry_has_no_bits),
        cmocka_unit_test(making_it_can_fail),
        cmocka_unit_test(growing_can_fail),
        cmocka_unit_test(the_budget_bounds_it),
        cmocka_unit_test(random_entries_beside_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
