#include "test.h"

#include "common/buffer.h"

static void check(const struct hd_buffer *buffer)
{
    assert_true(buffer->start <= buffer->end);
    assert_true(buffer->end <= buffer->capacity_bytes);
    assert_true(buffer->capacity_bytes <= buffer->limit_bytes);
    assert_int_equal(buffer->data == NULL, buffer->capacity_bytes == 0);
}

static void test_begins_without_memory(void **state)
{
    (void)state;
    struct test_allocator memory;
    test_allocator_init(&memory);
    struct hd_buffer buffer;
    hd_buffer_init(&buffer, &memory.allocator, 100);
    assert_int_equal(hd_buffer_readable(&buffer), 0);
    assert_null(hd_buffer_head(&buffer));
    assert_int_equal(hd_buffer_append(&buffer, NULL, 0), 0);
    hd_buffer_consume(&buffer, 0);
    hd_buffer_commit(&buffer, 0);
    hd_buffer_reset(&buffer, 0);
    assert_int_equal(memory.grow_count, 0);
    hd_buffer_fini(&buffer);
    hd_buffer_fini(&buffer);
    hd_buffer_fini(NULL);
}

static void test_limit_is_exact(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 1030; limit += 103) {
        struct test_allocator memory;
        test_allocator_init(&memory);
        struct hd_buffer buffer;
        hd_buffer_init(&buffer, &memory.allocator, limit);
        for (size_t i = 0; i < limit; i++)
            assert_int_equal(hd_buffer_append(&buffer, "x", 1), 0);
        check(&buffer);
        uint8_t *room = NULL;
        assert_int_equal(hd_buffer_append(&buffer, "x", 1), HD_ETOO_LARGE);
        assert_int_equal(hd_buffer_reserve(&buffer, SIZE_MAX, &room), HD_ETOO_LARGE);
        assert_null(room);
        assert_int_equal(hd_buffer_readable(&buffer), limit);
        assert_true(memory.peak_bytes <= limit);
        if (limit) {
            hd_buffer_consume(&buffer, 1);
            assert_int_equal(hd_buffer_append(&buffer, "y", 1), 0);
            assert_int_equal(hd_buffer_head(&buffer)[limit - 1], 'y');
        }
        hd_buffer_fini(&buffer);
        assert_int_equal(memory.used_bytes, 0);
    }
}

/* A reservation that no size_t can double up to must end, with an error. */
static void test_absurd_sizes_end(void **state)
{
    (void)state;
    struct test_allocator memory;
    test_allocator_init(&memory);
    memory.left = 1;
    struct hd_buffer buffer;
    hd_buffer_init(&buffer, &memory.allocator, SIZE_MAX);
    assert_int_equal(hd_buffer_append(&buffer, "a", 1), 0);
    uint8_t *room;
    assert_int_equal(hd_buffer_reserve(&buffer, SIZE_MAX - 1, &room), HD_ENOMEM);
    assert_int_equal(hd_buffer_reserve(&buffer, SIZE_MAX / 2 + 2, &room), HD_ENOMEM);
    assert_int_equal(hd_buffer_reserve(&buffer, SIZE_MAX, &room), HD_ETOO_LARGE);
    assert_int_equal(hd_buffer_readable(&buffer), 1);
    hd_buffer_fini(&buffer);
}

static void test_no_memory_changes_nothing(void **state)
{
    (void)state;
    struct test_allocator memory;
    test_allocator_init(&memory);
    struct hd_buffer buffer;
    hd_buffer_init(&buffer, &memory.allocator, 1 << 20);
    memory.left = 0;
    assert_int_equal(hd_buffer_append(&buffer, "abc", 3), HD_ENOMEM);
    check(&buffer);
    memory.left = 1;
    assert_int_equal(hd_buffer_append(&buffer, "abc", 3), 0);
    size_t room = buffer.capacity_bytes - 3;
    uint8_t *to;
    assert_int_equal(hd_buffer_reserve(&buffer, room + 1, &to), HD_ENOMEM);
    assert_memory_equal(hd_buffer_head(&buffer), "abc", 3);
    /* Where moving the bytes up is enough, a refusal does not matter. */
    assert_int_equal(hd_buffer_reserve(&buffer, room, &to), 0);
    memset(to, 'd', room);
    hd_buffer_commit(&buffer, room);
    hd_buffer_consume(&buffer, 2);
    assert_int_equal(hd_buffer_append(&buffer, "ef", 2), 0);
    assert_int_equal(hd_buffer_head(&buffer)[0], 'c');
    assert_memory_equal(hd_buffer_head(&buffer) + room, "def", 3);
    check(&buffer);
    hd_buffer_fini(&buffer);
    assert_int_equal(memory.used_bytes, 0);
}

static void test_reset_keeps_and_gives_back(void **state)
{
    (void)state;
    struct test_allocator memory;
    test_allocator_init(&memory);
    struct hd_buffer buffer;
    hd_buffer_init(&buffer, &memory.allocator, 1 << 20);
    static const uint8_t zeros[5000];
    assert_int_equal(hd_buffer_append(&buffer, zeros, sizeof zeros), 0);
    size_t grows = memory.grow_count;
    hd_buffer_reset(&buffer, 1 << 16);
    assert_int_equal(hd_buffer_readable(&buffer), 0);
    assert_int_equal(hd_buffer_append(&buffer, zeros, sizeof zeros), 0);
    assert_int_equal(memory.grow_count, grows);
    hd_buffer_reset(&buffer, 4096);
    assert_int_equal(memory.used_bytes, 0);
    assert_int_equal(hd_buffer_append(&buffer, "again", 5), 0);
    hd_buffer_fini(&buffer);
}

/* As many bytes go through as are asked for, in the same order, beside a plain queue. */
static void test_random_against_a_queue(void **state)
{
    (void)state;
    uint64_t random = test_seed("buffer");
    struct test_allocator memory;
    test_allocator_init(&memory);
    struct hd_buffer buffer;
    const size_t limit = 3000;
    hd_buffer_init(&buffer, &memory.allocator, limit);
    uint8_t written = 0;
    uint8_t read = 0;
    size_t inside = 0;
    for (int step = 0; step < 20000; step++) {
        uint8_t bytes[400];
        size_t count = test_random_below(&random, sizeof bytes);
        if (test_random(&random) % 2) {
            for (size_t i = 0; i < count; i++)
                bytes[i] = (uint8_t)(written + i);
            memory.left = test_random(&random) % 8 ? SIZE_MAX : 0;
            int error = hd_buffer_append(&buffer, bytes, count);
            if (inside + count > limit)
                assert_int_equal(error, HD_ETOO_LARGE);
            else
                assert_true(error == 0 || (error == HD_ENOMEM && memory.left == 0));
            if (error == 0) {
                written = (uint8_t)(written + count);
                inside += count;
            }
        } else {
            count = count < inside ? count : inside;
            for (size_t i = 0; i < count; i++)
                assert_int_equal(hd_buffer_head(&buffer)[i], (uint8_t)(read + i));
            hd_buffer_consume(&buffer, count);
            read = (uint8_t)(read + count);
            inside -= count;
        }
        assert_int_equal(hd_buffer_readable(&buffer), inside);
        check(&buffer);
    }
    hd_buffer_fini(&buffer);
    assert_int_equal(memory.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_without_memory),      cmocka_unit_test(test_limit_is_exact),
        cmocka_unit_test(test_absurd_sizes_end),           cmocka_unit_test(test_no_memory_changes_nothing),
        cmocka_unit_test(test_reset_keeps_and_gives_back), cmocka_unit_test(test_random_against_a_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
