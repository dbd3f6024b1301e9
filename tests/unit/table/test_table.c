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

static void holes_are_used_again_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    enum { COUNT = 2 * HD_TABLE_HOLES_MIN };
    for (uint32_t i = 1; i <= COUNT; i++)
        assert_int_equal(add(&fixture, i, true), i);
    /* A few holes are left alone, so that an index rests before it is used again. */
    for (uint32_t i = 1; i < HD_TABLE_HOLES_MIN; i++)
        hd_table_remove(&fixture.table, i);
    assert_int_equal(add(&fixture, 1, true), COUNT + 1);
    assert_whole(&fixture);
    hd_table_remove(&fixture.table, COUNT);
    /* Then they are used from the lowest on; what is given back meanwhile is passed by. */
    for (uint32_t i = 1; i < HD_TABLE_HOLES_MIN - HD_TABLE_HOLES_LEFT; i++) {
        assert_int_equal(add(&fixture, i, true), i);
        hd_table_remove(&fixture.table, i);
        if (i % 16 == 0)
            assert_whole(&fixture);
    }
    /* Round and round. */
    for (uint32_t i = HD_TABLE_HOLES_MIN - HD_TABLE_HOLES_LEFT; i < HD_TABLE_HOLES_MIN; i++)
        assert_int_equal(add(&fixture, i, true), i);
    assert_int_equal(add(&fixture, 1, true), COUNT);
    assert_int_equal(add(&fixture, 1, true), 1);
    assert_whole(&fixture);
    end(&fixture);
}

static void an_identity_is_of_one_object(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct hd_table *table = &fixture.table;
    uint32_t index = add(&fixture, 1, true), used[HD_TABLE_HOLES_MIN + 2] = {0}, most = 0;
    uint64_t before = hd_table_identity(table, index);
    assert_int_equal(hd_table_find(table, before), index);
    for (uint32_t i = 1; i < 300000; i++) {
        hd_table_remove(table, index);
        assert_int_equal(hd_table_find(table, before), 0);
        index = add(&fixture, i, i % 2);
        assert_true(index < HD_TABLE_HOLES_MIN + 2); /* few are needed */
        /* With as many uses between two of an index, a generation lasts long. */
        assert_true(used[index] == 0 || i - used[index] > HD_TABLE_HOLES_LEFT);
        used[index] = i;
        uint64_t identity = hd_table_identity(table, index);
        assert_int_equal((uint32_t)identity, index);
        assert_true(identity != before);
        most = hd_table_generation(table, index) > most ? hd_table_generation(table, index) : most;
        assert_int_equal(hd_table_find(table, before), 0);
        assert_int_equal(hd_table_find(table, identity), index);
        assert_ptr_equal(hd_table_payload(table, index), payload_of(i));
        before = identity;
    }
    assert_true(most <= 300000 / HD_TABLE_HOLES_LEFT);
    assert_int_equal(hd_table_find(table, 0), 0);
    assert_int_equal(hd_table_find(table, 999999), 0);
    assert_int_equal(hd_table_find(table, UINT64_MAX), 0);
    end(&fixture);
}

/* Chunks whose entries have all died go back, and their identities do not come again. */
static void empty_chunks_go_back(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct hd_table *table = &fixture.table;
    enum { CHUNKS = 6, COUNT = CHUNKS * HD_TABLE_CHUNK - 1, MOST = (CHUNKS + 1) * HD_TABLE_CHUNK };
    const uint64_t charged = fixture.budget.used_bytes;
    uint64_t *identities = calloc(MOST, sizeof *identities); /* the last of each index */
    uint32_t *live = calloc(COUNT, sizeof *live);
    assert_non_null(identities);
    assert_non_null(live);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t index = live[i] = add(&fixture, i, true);
            assert_true(index < MOST);
            assert_true(hd_table_generation(table, index) <= round);
            assert_true(hd_table_identity(table, index) > identities[index]);
            assert_true(identities[index] == 0 || hd_table_find(table, identities[index]) == 0);
            identities[index] = hd_table_identity(table, index);
        }
        assert_whole(&fixture);
        assert_false(hd_table_has_spare(table));
        uint64_t full_bytes = fixture.budget.used_bytes;
        uint32_t stays = live[2 * HD_TABLE_CHUNK + 77]; /* one of a chunk keeps it */
        for (uint32_t i = 0; i < COUNT; i++)
            if (live[i] != stays)
                hd_table_remove(table, live[i]);
        assert_whole(&fixture);
        assert_true(hd_table_has_spare(table));
        unsigned released = 0;
        while (hd_table_release(table)) {
            released++;
            assert_whole(&fixture);
        }
        assert_false(hd_table_has_spare(table));
        assert_in_range(released, CHUNKS - 4, CHUNKS - 1);
        assert_int_equal(fixture.budget.used_bytes, full_bytes - released * charged);
        assert_true(fixture.os.discarded_bytes > 0);
        /* Who goes along the table passes by what is not there. */
        uint32_t seen = 0;
        for (uint32_t i = 1; (i = hd_table_skip(table, i)) < table->length; i++) {
            assert_true(table->chunks[i / HD_TABLE_CHUNK].committed);
            seen += hd_table_type(table, i) != HD_TYPE_FREE;
        }
        assert_int_equal(seen, 1);
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(hd_table_find(table, identities[live[i]]), live[i] == stays ? stays : 0);
        hd_table_remove(table, stays);
    }
    free(live);
    free(identities);
    end(&fixture);
}

static void marks_are_cleared(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct hd_table *table = &fixture.table;
    enum { COUNT = 2 * HD_TABLE_CHUNK + 100 };
    for (uint32_t i = 1; i <= COUNT; i++) {
        uint32_t index = add(&fixture, i, true);
        hd_table_bit_set(table->mark, index);
        if (index % 3 == 0)
            hd_table_bit_set(table->done, index);
    }
    uint32_t steps = 0;
    for (uint32_t at = 0; at < table->length; steps++) {
        for (uint32_t i = 1; i < at && i <= COUNT; i++)
            assert_false(hd_table_bit(table->mark, i));
        if (at + 20000 < COUNT)
            assert_true(hd_table_bit(table->mark, at + 20000));
        at = hd_table_clear_marks(table, at, 10000);
    }
    assert_true(steps > COUNT / 20000);
    for (uint32_t i = 1; i <= COUNT; i++)
        assert_false(hd_table_bit(table->mark, i) || hd_table_bit(table->done, i));
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
    uint32_t next;
    while ((next = add(&fixture, 2, false)) != index)
        hd_table_remove(table, next);
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
        if (error == 0) { /* where chunks are tiny, a page of bits is enough for some columns */
            assert_true(n > 3);
            end(&fixture);
            continue;
        }
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
    assert_true(failures == HD_TABLE_COLUMNS || HD_TABLE_CHUNK < 32768);
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
            if (i % 7 == 0)
                (void)hd_table_release(&fixture.table);
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
        cmocka_unit_test(holes_are_used_again_in_order),
        cmocka_unit_test(empty_chunks_go_back),
        cmocka_unit_test(marks_are_cleared),
        cmocka_unit_test(an_identity_is_of_one_object),
        cmocka_unit_test(a_removed_entry_has_no_bits),
        cmocka_unit_test(making_it_can_fail),
        cmocka_unit_test(growing_can_fail),
        cmocka_unit_test(the_budget_bounds_it),
        cmocka_unit_test(random_entries_beside_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
