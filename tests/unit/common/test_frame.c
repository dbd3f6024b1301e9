#include "test.h"

#include "common/buffer.h"
#include "common/frame.h"

static bool same(const struct hd_frame *a, const struct hd_frame *b)
{
    return a->body_bytes == b->body_bytes && a->method == b->method && a->flags == b->flags &&
           a->descriptors == b->descriptors && a->request_id == b->request_id;
}

/* The layout is the contract with every other implementation: spelled out, not computed. */
static void test_layout(void **state)
{
    (void)state;
    const struct hd_frame frame = {.body_bytes = 0x010203,
                                   .method = 0x0a0b,
                                   .flags = HD_FRAME_EVENT | HD_FRAME_ERROR,
                                   .descriptors = 7,
                                   .request_id = UINT64_C(0x1112131415161718)};
    static const uint8_t expected[HD_FRAME_HEADER_BYTES] = {0x03, 0x02, 0x01, 0x00, 0x0b, 0x0a, 0x09, 0x07,
                                                            0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
    uint8_t bytes[HD_FRAME_HEADER_BYTES];
    hd_frame_write(bytes, &frame);
    assert_memory_equal(bytes, expected, sizeof bytes);
    struct hd_frame read;
    assert_int_equal(hd_frame_read(bytes, sizeof bytes, HD_FRAME_MAX_BODY_BYTES, &read), 0);
    assert_true(same(&read, &frame));
}

static void test_short_headers_wait(void **state)
{
    (void)state;
    uint8_t bytes[HD_FRAME_HEADER_BYTES];
    memset(bytes, 0xff, sizeof bytes);
    for (size_t count = 0; count < sizeof bytes; count++) {
        struct hd_frame out = {.request_id = 42};
        assert_int_equal(hd_frame_read(bytes, count, 10, &out), 1);
        assert_int_equal(out.request_id, 42);
    }
}

static void test_lengths_are_checked_first(void **state)
{
    (void)state;
    struct hd_frame frame = {.body_bytes = 1000, .method = 3, .request_id = 9};
    uint8_t bytes[HD_FRAME_HEADER_BYTES];
    struct hd_frame read = {0};
    hd_frame_write(bytes, &frame);
    assert_int_equal(hd_frame_read(bytes, sizeof bytes, 1000, &read), 0);
    assert_int_equal(hd_frame_read(bytes, sizeof bytes, 999, &read), HD_ETOO_LARGE);
    assert_true(same(&read, &frame));
    frame.body_bytes = UINT32_MAX;
    hd_frame_write(bytes, &frame);
    assert_int_equal(hd_frame_read(bytes, sizeof bytes, HD_FRAME_MAX_BODY_BYTES, &read), HD_ETOO_LARGE);
    assert_int_equal(read.request_id, 9);
}

static void test_unknown_flags(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct hd_frame frame = {.flags = (uint8_t)flags, .request_id = flags};
        uint8_t bytes[HD_FRAME_HEADER_BYTES];
        hd_frame_write(bytes, &frame);
        struct hd_frame read = {0};
        assert_int_equal(hd_frame_read(bytes, sizeof bytes, 0, &read), flags < 16 ? 0 : HD_EPROTOCOL);
        assert_true(same(&read, &frame));
    }
}

/* How a connection uses it: what arrives goes into a buffer, whole frames are taken from its front. */
struct receiver {
    struct hd_buffer input;
    struct hd_frame frames[64];
    uint32_t sums[64];
    size_t count;
};

static void receive(struct receiver *receiver, const uint8_t *bytes, size_t count)
{
    assert_int_equal(hd_buffer_append(&receiver->input, bytes, count), 0);
    for (;;) {
        struct hd_frame frame;
        const uint8_t *head = hd_buffer_head(&receiver->input);
        size_t readable = hd_buffer_readable(&receiver->input);
        int result = hd_frame_read(head, readable, 300, &frame);
        assert_true(result >= 0);
        if (result || readable < HD_FRAME_HEADER_BYTES + frame.body_bytes)
            return;
        uint32_t sum = 0;
        for (uint32_t i = 0; i < frame.body_bytes; i++)
            sum = sum * 31 + head[HD_FRAME_HEADER_BYTES + i];
        receiver->frames[receiver->count] = frame;
        receiver->sums[receiver->count++] = sum;
        hd_buffer_consume(&receiver->input, HD_FRAME_HEADER_BYTES + frame.body_bytes);
    }
}

static void test_whole_and_cut_give_the_same(void **state)
{
    (void)state;
    uint64_t random = test_seed("frame");
    static uint8_t stream[64 * (HD_FRAME_HEADER_BYTES + 300)];
    size_t bytes = 0;
    for (int i = 0; i < 64; i++) {
        struct hd_frame frame = {.body_bytes = (uint32_t)test_random_below(&random, i % 4 ? 40 : 301),
                                 .method = (uint16_t)test_random(&random),
                                 .flags = (uint8_t)test_random_below(&random, 16),
                                 .descriptors = (uint8_t)test_random(&random),
                                 .request_id = test_random(&random)};
        hd_frame_write(stream + bytes, &frame);
        bytes += HD_FRAME_HEADER_BYTES;
        for (uint32_t j = 0; j < frame.body_bytes; j++)
            stream[bytes++] = (uint8_t)test_random(&random);
    }
    static struct receiver whole;
    hd_buffer_init(&whole.input, &hd_allocator_libc, sizeof stream);
    receive(&whole, stream, bytes);
    assert_int_equal(whole.count, 64);
    for (int way = 0; way < 10; way++) {
        struct receiver cut = {.count = 0};
        hd_buffer_init(&cut.input, &hd_allocator_libc, 400);
        for (size_t at = 0; at < bytes;) {
            size_t step = way == 0 ? 1 : 1 + test_random_below(&random, way < 5 ? 20 : 80);
            step = step < bytes - at ? step : bytes - at;
            receive(&cut, stream + at, step);
            at += step;
        }
        assert_int_equal(cut.count, whole.count);
        for (size_t i = 0; i < whole.count; i++) {
            assert_true(same(&cut.frames[i], &whole.frames[i]));
            assert_int_equal(cut.sums[i], whole.sums[i]);
        }
        assert_int_equal(hd_buffer_readable(&cut.input), 0);
        hd_buffer_fini(&cut.input);
    }
    hd_buffer_fini(&whole.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_short_headers_wait),
        cmocka_unit_test(test_lengths_are_checked_first),
        cmocka_unit_test(test_unknown_flags),
        cmocka_unit_test(test_whole_and_cut_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
