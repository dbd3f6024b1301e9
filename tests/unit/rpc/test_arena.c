#include "rpc/arena.h"

#include "test.h"

struct counting {
    size_t used_bytes;
    bool failing;
};

static void *resize(void *context, void *pointer, size_t old_bytes, size_t new_bytes)
{
    struct counting *counting = context;
    if (new_bytes > old_bytes && counting->failing)
        return NULL;
    counting->used_bytes += new_bytes - old_bytes;
    return hd_allocator_libc.resize(NULL, pointer, old_bytes, new_bytes);
}

static void small_requests_allocate_nothing(void **state)
{
    (void)state;
    struct counting counting = {0};
    const struct hd_allocator allocator = {resize, &counting};
    struct hd_rpc_arena arena;
    assert_int_equal(hd_rpc_arena_init(&arena, &allocator), 0);
    size_t before = counting.used_bytes;
    for (int round = 0; round < 3; round++) {
        uint8_t *last = NULL;
        for (size_t i = 0; i < 100; i++) {
            uint8_t *got = hd_rpc_arena_get(&arena, i);
            assert_non_null(got);
            assert_int_equal((uintptr_t)got % 16, 0);
            assert_true(!last || got > last);
            memset(got, 0xaa, i);
            last = got;
        }
        assert_int_equal(counting.used_bytes, before);
        hd_rpc_arena_reset(&arena);
    }
    hd_rpc_arena_fini(&arena);
    assert_int_equal(counting.used_bytes, 0);
}

static void large_ones_give_their_memory_back(void **state)
{
    (void)state;
    struct counting counting = {0};
    const struct hd_allocator allocator = {resize, &counting};
    struct hd_rpc_arena arena;
    assert_int_equal(hd_rpc_arena_init(&arena, &allocator), 0);
    size_t before = counting.used_bytes;
    for (size_t bytes = 1; bytes < (1 << 20); bytes *= 3) {
        uint8_t *got = hd_rpc_arena_get(&arena, bytes);
        assert_non_null(got);
        memset(got, 0xaa, bytes);
    }
    assert_true(counting.used_bytes > before);
    hd_rpc_arena_reset(&arena);
    assert_int_equal(counting.used_bytes, before);
    counting.failing = true;
    assert_null(hd_rpc_arena_get(&arena, 1 << 20));
    assert_int_equal(arena.error, HD_ENOMEM);
    assert_null(hd_rpc_arena_get(&arena, SIZE_MAX));
    assert_non_null(hd_rpc_arena_get(&arena, 100));
    hd_rpc_arena_fini(&arena);
    assert_int_equal(hd_rpc_arena_init(&arena, &allocator), HD_ENOMEM);
    hd_rpc_arena_fini(NULL);
    assert_int_equal(counting.used_bytes, 0);
}

static void decoding_is_bounded_by_the_message(void **state)
{
    (void)state;
    struct hd_rpc_arena arena;
    assert_int_equal(hd_rpc_arena_init(&arena, &hd_allocator_libc), 0);
    hd_rpc_arena_limit(&arena, 1000);
    size_t allowed = 1000 * HD_DECODE_FACTOR + HD_DECODE_EXTRA_BYTES, got = 0;
    while (arena.protobuf.alloc(arena.protobuf.allocator_data, 1000))
        got += 1000;
    assert_int_equal(arena.error, HD_ETOO_LARGE);
    assert_true(got <= allowed && got > allowed - 1000);
    hd_rpc_arena_limit(&arena, 0);
    assert_non_null(arena.protobuf.alloc(arena.protobuf.allocator_data, 1000));
    hd_rpc_arena_fini(&arena);
}

/* A message whose every two bytes would become a struct is refused, and says why. */
static void a_message_that_swells_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct hd_frame frame = {.body_bytes = 600000, .method = METHOD(RESOLVE), .request_id = 77};
    uint8_t *body = malloc(frame.body_bytes);
    assert_non_null(body);
    for (size_t i = 0; i < frame.body_bytes; i += 2) {
        body[i] = 4 << 3 | 2; /* steps */
        body[i + 1] = 0;
    }
    rpc_send_frame(&fixture->a, &frame, body);
    free(body);
    expect_error(&fixture->a, 77, HD_ELIMIT, "far larger than its 600000 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_requests_allocate_nothing),
        cmocka_unit_test(large_ones_give_their_memory_back),
        cmocka_unit_test(decoding_is_bounded_by_the_message),
        TEST(a_message_that_swells_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
