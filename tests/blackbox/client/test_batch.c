/* Batches through libheapd: two clients move amounts between accounts, and none is lost. */
#include <heapd/heapd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

#define MOVES 200

static heapd_handle make_accounts(struct heapd_connection *heap)
{
    struct heapd_error error;
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle accounts;
    (void)heapd_literal_open_dict(literal);
    (void)heapd_literal_add(literal, heapd_str("left"));
    (void)heapd_literal_add(literal, heapd_int(1000));
    (void)heapd_literal_add(literal, heapd_str("right"));
    (void)heapd_literal_add(literal, heapd_int(1000));
    (void)heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &accounts, &error));
    heapd_literal_free(literal);
    DO(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("accounts"), heapd_ref(accounts), &error));
    return accounts;
}

static int64_t amount(struct heapd_connection *heap, heapd_handle accounts, const char *name)
{
    struct heapd_error error;
    struct heapd_value value;
    DO(heapd_get_item(heap, accounts, heapd_str(name), HEAPD_PLAIN, &value, &error));
    if (value.kind != HEAPD_VALUE_INT)
        abort();
    return value.as.integer;
}

/* One try: what was read must still be so. */
static int try_move(struct heapd_connection *heap, heapd_handle accounts, const char *from, const char *to)
{
    struct heapd_error error;
    heapd_ticket tickets[3];
    uint64_t version;
    DO(heapd_version(heap, accounts, &version, &error));
    int64_t source = amount(heap, accounts, from), target = amount(heap, accounts, to);
    DO(heapd_open_batch(heap, 0, &error));
    DO(heapd_begin_check_version(heap, accounts, version, &tickets[0], &error));
    DO(heapd_begin_set_item(heap, accounts, heapd_str(from), heapd_int(source - 1), &tickets[1], &error));
    DO(heapd_begin_set_item(heap, accounts, heapd_str(to), heapd_int(target + 1), &tickets[2], &error));
    int code = heapd_commit_batch(heap, &error);
    for (int i = 0; i < 3; i++) {
        struct heapd_result result = {0};
        int answer = heapd_wait(heap, tickets[i], -1, &result, &error);
        if (answer != (!code ? 0 : i == 0 ? HEAPD_ECHANGED : HEAPD_EABORTED)) {
            (void)fprintf(stderr, "commit: %d, request %d of it: %d, %s\n", code, i, answer, error.message);
            abort();
        }
        heapd_result_clear(&result);
    }
    return code;
}

static void *move(void *context)
{
    const char *const *names = context;
    struct heapd_error error;
    struct heapd_value accounts;
    struct heapd_connection *heap = join();
    DO(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text("accounts"), HEAPD_OBJECT, 0, &accounts, &error));
    for (int moved = 0; moved < MOVES;) {
        int code = try_move(heap, accounts.as.ref, names[0], names[1]);
        if (code && code != HEAPD_EABORTED) {
            (void)fprintf(stderr, "commit: %d\n", code);
            abort();
        }
        moved += !code;
    }
    heapd_close(heap);
    return NULL;
}

static void nothing_is_lost(void **state)
{
    (void)state;
    static const char *const there[] = {"left", "right"}, *const back[] = {"right", "left"};
    struct heapd_connection *heap = join();
    heapd_handle accounts = make_accounts(heap);
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, move, (void *)(uintptr_t)there), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, move, (void *)(uintptr_t)there), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, move, (void *)(uintptr_t)back), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(amount(heap, accounts, "left"), 1000 - MOVES);
    assert_int_equal(amount(heap, accounts, "right"), 1000 + MOVES);
    heapd_close(heap);
}

/* What is let go of within a batch is gone after it, however that ends; and nobody waits for ever. */
static void handles_survive_a_batch_that_fails(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle accounts = make_accounts(heap), copy;
    heapd_ticket tickets[2];
    uint64_t version;
    DO(heapd_duplicate(heap, accounts, &copy, &error));
    DO(heapd_open_batch(heap, 0, &error));
    assert_int_equal(heapd_version(heap, accounts, &version, &error), HEAPD_EBATCH);
    DO(heapd_release(heap, copy));
    DO(heapd_begin_check_name(heap, HEAPD_GLOBAL, heapd_text("accounts"), 0, &tickets[0], &error));
    DO(heapd_begin_clear(heap, accounts, &tickets[1], &error));
    assert_int_equal(heapd_commit_batch(heap, &error), HEAPD_EABORTED);
    assert_int_equal(heapd_wait(heap, tickets[0], -1, NULL, &error), HEAPD_ECHANGED);
    assert_int_equal(heapd_wait(heap, tickets[1], -1, NULL, &error), HEAPD_EABORTED);
    assert_int_equal(amount(heap, accounts, "left"), 1000);
    for (int i = 0; i < 10; i++) {
        DO(heapd_duplicate(heap, accounts, &copy, &error));
        DO(heapd_release(heap, copy));
    }
    DO(heapd_open_batch(heap, 0, &error));
    DO(heapd_begin_clear(heap, accounts, &tickets[0], &error));
    DO(heapd_discard_batch(heap, &error));
    assert_int_equal(heapd_wait(heap, tickets[0], -1, NULL, &error), HEAPD_EABORTED);
    assert_int_equal(amount(heap, accounts, "right"), 1000);
    heapd_close(heap);
}

/* The library asks for a ring by itself after so and so many waits: not while a batch is open, which that would spoil. */
static void a_ring_is_asked_for_between_batches(void **state)
{
    (void)state;
    struct heapd_error error;
    for (int waits = 0; waits < 2; waits++) {
        struct heapd_connection *heap = join();
        for (int i = 0; i < waits; i++)
            DO(heapd_ping(heap, &error));
        for (int i = 0; i < 1000 && !heapd_uses_ring(heap); i++) {
            heapd_ticket ticket;
            DO(heapd_open_batch(heap, 0, &error));
            DO(heapd_begin_check_name(heap, HEAPD_GLOBAL, heapd_text("nothing"), 0, &ticket, &error));
            DO(heapd_commit_batch(heap, &error));
            DO(heapd_wait(heap, ticket, -1, NULL, &error));
        }
        heapd_close(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost, start_plain, stop),
        cmocka_unit_test_setup_teardown(handles_survive_a_batch_that_fails, start_plain, stop),
        cmocka_unit_test_setup_teardown(a_ring_is_asked_for_between_batches, start_plain, stop),
    };
    return cmocka_run_group_tests_name("client batch", tests, NULL, NULL);
}
