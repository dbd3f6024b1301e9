/*
 * Every allocation of the library fails in turn: each call then succeeds or says
 * HEAPD_ENOMEM, nothing leaks, and the connection can be closed.
 *
 * The linker puts the functions below in the place of the C library's, for the
 * client's objects and for those that they are linked with.
 */
#include "fake.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *pointer, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *pointer, size_t bytes);

/* Counted in the test's own thread alone: the script must not fail. */
static _Thread_local bool counting;
static _Thread_local long allocations_left;

static bool refuses(void)
{
    return counting && allocations_left-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return refuses() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuses() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *pointer, size_t bytes)
{
    return refuses() ? NULL : __real_realloc(pointer, bytes);
}

static void serving_script(struct fake *fake)
{
    struct fake_request request;
    while (fake_read(fake, &request) == 0) {
        if (request.frame.method == HEAPD_METHOD_CREATE) {
            Heapd__V1__CreateRequest *message =
                heapd__v1__create_request__unpack(NULL, request.frame.body_bytes, request.body);
            fake_reply_handle(fake, &request, message->into, HEAPD_TYPE_LIST);
            heapd__v1__create_request__free_unpacked(message, NULL);
        } else if (request.frame.method == HEAPD_METHOD_LOOKUP) {
            Heapd__V1__Value message = HEAPD__V1__VALUE__INIT;
            message.kind_case = HEAPD__V1__VALUE__KIND_STR;
            message.str = (ProtobufCBinaryData){4, (uint8_t *)(uintptr_t) "text"};
            fake_send(fake, &request, 0, &message.base);
        } else if (request.frame.method == HEAPD_METHOD_UNBIND) {
            fake_reply_error(fake, &request, HD_ENAME, "no such name", 0);
        } else if (request.frame.method == HEAPD_METHOD_STATS) {
            Heapd__V1__Stat stat = HEAPD__V1__STAT__INIT;
            Heapd__V1__Stat *stats[] = {&stat, &stat};
            Heapd__V1__StatsReply message = HEAPD__V1__STATS_REPLY__INIT;
            message.n_stats = 2;
            message.stats = stats;
            fake_send(fake, &request, 0, &message.base);
        } else {
            fake_reply_empty(fake, &request);
        }
        fake_request_fini(&request);
    }
    fake_request_fini(&request);
}

/* A lost connection counts, too: without memory for a reply it cannot go on. */
static bool is_expected(int code)
{
    return code == 0 || code == HEAPD_ENOMEM;
}

static void use(struct heapd_connection *heap)
{
    struct heapd_error error;
    struct heapd_value value = {0};
    struct heapd_result result = {0};
    heapd_handle list = 0;
    struct heapd_literal *literal = heapd_literal_new();
    if (!literal)
        return;
    heapd_literal_open_list(literal);
    for (int i = 0; i < 200; i++)
        heapd_literal_add(literal, heapd_str("an element of some length"));
    heapd_literal_close(literal);
    assert_true(is_expected(heapd_literal_state(literal)));
    assert_true(is_expected(heapd_create(heap, literal, &list, &error)));
    assert_true(is_expected(heapd_begin_append(heap, list, heapd_int(1), NULL, &error)));
    int code = heapd_lookup(heap, HEAPD_GLOBAL, heapd_text("x"), HEAPD_ANY, 0, &value, &error);
    assert_true(is_expected(code));
    heapd_value_clear(&value);
    code = heapd_unbind(heap, HEAPD_GLOBAL, heapd_text("x"), &error);
    assert_true(code == HEAPD_ENAME || code == HEAPD_ENOMEM);
    assert_true(is_expected(heapd_stats(heap, &result, &error)));
    heapd_result_clear(&result);
    heapd_literal_reset(literal);
    if (heapd_literal_attach(literal, heap, 256) == 0) {
        heapd_handle document = 0;
        heapd_literal_open_list(literal);
        for (int i = 0; i < 300; i++)
            heapd_literal_add(literal, heapd_int(i));
        heapd_literal_close(literal);
        assert_true(is_expected(heapd_literal_finish(literal, &document, &error)));
        (void)heapd_release(heap, document);
    }
    (void)heapd_release(heap, list);
    assert_true(is_expected(heapd_finish(heap, &error)));
    heapd_literal_free(literal);
}

static void every_allocation_fails_in_turn(void **state)
{
    (void)state;
    bool failed = true;
    long position = 0;
    for (; failed; position++) {
        struct fake fake;
        fake_start(&fake, serving_script, NULL);
        counting = true;
        allocations_left = position;
        use(fake.client);
        counting = false;
        failed = allocations_left < 0;
        /* Where memory lacked for a request only, the connection goes on and holds nothing. */
        if (heapd_connection_state(fake.client, NULL) == 0) {
            assert_int_equal(heapd_finish(fake.client, NULL), 0);
            assert_int_equal(heapd_held_count(fake.client), 0);
        }
        fake_stop(&fake);
        assert_true(position < 10000);
    }
    assert_true(position > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails_in_turn)};
    return cmocka_run_group_tests_name("client memory", tests, NULL, NULL);
}
