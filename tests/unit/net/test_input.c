/* Bytes in: frames in any pieces and of any size, turns, and what happens when memory runs out. */
#include "harness.h"

#include <heapd/v1/value.pb-c.h>
#include <unistd.h>

static void frames_may_come_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint8_t bytes[256], body[64];
    size_t count = 0;
    for (uint64_t id = 1; id <= 4; id++)
        count += put_frame(bytes + count, FAKE_ECHO, id, "0123456789abcdef0123456789", (uint32_t)(id * 5));
    for (size_t i = 0; i < count; i++) {
        push(f, fd, bytes + i, 1);
        turn(f);
    }
    for (uint64_t id = 1; id <= 4; id++) {
        struct hd_frame frame = answer(f, fd, body, sizeof body);
        assert_int_equal(frame.request_id, id);
        assert_int_equal(frame.body_bytes, id * 5);
        assert_memory_equal(body, "0123456789abcdef0123456789", id * 5);
    }
    close(fd);
}

/* Sizes around every border in the code, each sent in three odd pieces. */
static void frames_of_every_size(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {0,     1,     15,    16,    17,     16367,  16368,   16369,   65503,
                            65519, 65520, 65521, 65536, 131072, 262160, 1 << 20, 3000001, MAX_FRAME_BYTES};
    int fd = dial(f);
    uint8_t *bytes = malloc(HD_FRAME_HEADER_BYTES + MAX_FRAME_BYTES), *back = malloc(MAX_FRAME_BYTES);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            back[at] = (uint8_t)(at * 7 + at / 251);
        size_t count = put_frame(bytes, FAKE_ECHO, i + 1, back, (uint32_t)sizes[i]);
        size_t first = count / 3, second = count / 2;
        push(f, fd, bytes, first);
        turn(f);
        push(f, fd, bytes + first, second - first);
        turn(f);
        push(f, fd, bytes + second, count - second);
        struct hd_frame frame = answer(f, fd, back, MAX_FRAME_BYTES);
        assert_int_equal(frame.request_id, i + 1);
        assert_int_equal(frame.body_bytes, sizes[i]);
        assert_memory_equal(back, bytes + HD_FRAME_HEADER_BYTES, sizes[i]);
    }
    free(bytes);
    free(back);
    close(fd);
}

/* A stream in pieces of random sizes comes back as it was. */
static void any_cut_gives_the_same(void **state)
{
    enum { STREAM_BYTES = 6 << 20 };
    struct fixture *f = *state;
    uint64_t random = seed(), frames;
    uint8_t *stream = malloc(STREAM_BYTES), *back = malloc(STREAM_BYTES);
    size_t count = make_stream(stream, STREAM_BYTES, &random, &frames), sent = 0, got = 0;
    int fd = dial(f);
    uint64_t until_ns = now() + PATIENCE_NS;
    while (got < count) {
        size_t piece = next_random(&random) % (UINT64_C(1) << next_random(&random) % 19);
        ssize_t done = send(fd, stream + sent, piece < count - sent ? piece : count - sent, MSG_NOSIGNAL);
        sent += done > 0 ? (size_t)done : 0;
        if (next_random(&random) % 2)
            turn(f);
        done = recv(fd, back + got, 1 + next_random(&random) % 100000, 0);
        got += done > 0 ? (size_t)done : 0;
        assert_true(now() < until_ns);
    }
    assert_memory_equal(stream, back, count);
    free(stream);
    free(back);
    close(fd);
}

static void pipelined_requests_share_reads_and_writes(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint8_t bytes[100 * 20];
    size_t count = 0;
    for (uint64_t id = 1; id <= 100; id++)
        count += put_frame(bytes + count, FAKE_ECHO, id, "abcd", 4);
    AWAIT(f, stats(f).connection_count == 1);
    assert_int_equal(send(fd, bytes, count, 0), count);
    turn(f);
    uint8_t back[sizeof bytes + 1];
    assert_int_equal(recv(fd, back, sizeof back, 0), count); /* one turn, one piece */
    assert_memory_equal(back, bytes, count);
    assert_int_equal(fake_counts(f->server)->receive_count, 1);
    close(fd);
}

static void a_long_pipeline_stays_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint8_t *bytes = malloc(20000 * 24);
    size_t count = 0, sent = 0;
    for (uint64_t id = 1; id <= 20000; id++)
        count += put_frame(bytes + count, FAKE_ECHO, id, &id, 8);
    uint64_t expected = 1;
    while (expected <= 20000) {
        ssize_t done = sent < count ? send(fd, bytes + sent, count - sent, MSG_NOSIGNAL) : 0;
        sent += done > 0 ? (size_t)done : 0;
        for (int i = 0; i < 500 && expected <= 20000; i++, expected++) {
            uint64_t body = 0;
            struct hd_frame frame = answer(f, fd, &body, sizeof body);
            assert_int_equal(frame.request_id, expected);
            assert_int_equal(body, expected);
        }
    }
    free(bytes);
    close(fd);
}

static void a_turn_has_its_bounds(void **state)
{
    (void)state;
    struct fixture *f = begin(&(struct fake_config){.max_frame_bytes = MAX_FRAME_BYTES,
                                                    .max_connections = 10,
                                                    .output_high_bytes = 256 << 10,
                                                    .requests_per_receive = 2});
    int greedy = dial(f), other = dial(f);
    uint8_t bytes[1000 * 17];
    size_t count = 0;
    for (uint64_t id = 1; id <= 1000; id++)
        count += put_frame(bytes + count, FAKE_ECHO, id, "x", 1);
    AWAIT(f, stats(f).connection_count == 2);
    assert_int_equal(send(greedy, bytes, count, 0), count);
    turn(f);
    assert_int_equal(fake_counts(f->server)->request_count,
                     2); /* what it still holds is for the next turn of the loop */
    expect_echo(f, other, 1);
    assert_true(fake_counts(f->server)->request_count < 100); /* the other did not wait for all of them */
    for (uint64_t id = 1; id <= 1000; id++) {
        char body;
        assert_int_equal(answer(f, greedy, &body, 1).request_id, id);
    }
    close(greedy);
    close(other);
    end(f);
}

static void descriptors_are_closed_and_counted(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), ends[2];
    expect_echo(f, fd, 1);
    assert_int_equal(pipe(ends), 0);
    uint8_t bytes[64], body[8];
    struct iovec part = {bytes, put_frame(bytes, FAKE_ECHO, 2, "fds", 3)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(3 * sizeof(int))};
    memcpy(CMSG_DATA(rights), (int[]){ends[1], ends[1], ends[1]}, 3 * sizeof(int));
    assert_int_equal(sendmsg(fd, &message, 0), part.iov_len);
    assert_int_equal(answer(f, fd, body, sizeof body).request_id, 2);
    assert_int_equal(stats(f).unexpected_descriptors_count, 3);
    close(ends[1]);
    assert_int_equal(read(ends[0], body, 1), 0); /* nobody else holds the writing end */
    close(ends[0]);
    close(fd);
}

/* The next reply is the refusal of this request. */
static void expect_frame_refusal(struct fixture *f, int fd, uint64_t id)
{
    uint8_t body[512];
    struct hd_frame frame = answer(f, fd, body, sizeof body);
    assert_int_equal(frame.flags, HD_FRAME_ERROR);
    assert_int_equal(frame.method, FAKE_ECHO);
    assert_int_equal(frame.request_id, id);
    Heapd__V1__Error *error = heapd__v1__error__unpack(NULL, frame.body_bytes, body);
    assert_non_null(error);
    assert_int_equal(error->code, -HD_ENOMEM);
    assert_int_equal(error->status, HEAPD__V1__STATUS__RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error->message, "release"));
    heapd__v1__error__free_unpacked(error, NULL);
}

static void without_memory_large_frames_are_refused(void **state)
{
    struct fixture *f = *state;
    int large = dial(f), small = dial(f);
    enum { SIZE = 1 << 20 };
    uint8_t *body = calloc(1, SIZE);
    expect_echo(f, large, 1);
    expect_echo(f, small, 1);
    for (size_t more = 0; more <= 200000; more += 50000) {
        fake_limit(f->server, fake_counts(f->server)->used_bytes + more);
        ask(f, large, FAKE_ECHO, 2, body, SIZE);
        ask(f, large, FAKE_ECHO, 3, "after", 5); /* the stream goes on behind it */
        expect_frame_refusal(f, large, 2);
        assert_int_equal(answer(f, large, body, SIZE).request_id, 3);
        expect_echo(f, small, 2);
        fake_limit(f->server, SIZE_MAX);
        ask(f, large, FAKE_ECHO, 4, body, SIZE);
        assert_int_equal(answer(f, large, body, SIZE).body_bytes, SIZE);
    }
    assert_int_equal(stats(f).refused_frames_count, 5);
    assert_int_equal(fake_counts(f->server)->refused_count, 5);
    free(body);
    close(large);
    close(small);
}

/* A refusal waits for what was to be sent before it, and one that dies in between is no trouble. */
static void a_refusal_keeps_its_place(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t size = 1000000;
    uint8_t *body = calloc(1, size);
    expect_echo(f, fd, 1);
    ask(f, fd, FAKE_BIG, 2, &size, sizeof size);
    AWAIT(f, fake_counts(f->server)->request_count == 2);
    fake_limit(f->server, fake_counts(f->server)->used_bytes);
    size_t sent = 0;
    uint8_t header[HD_FRAME_HEADER_BYTES];
    push(f, fd, header, put_frame(header, FAKE_ECHO, 3, NULL, 0));
    assert_int_equal(answer(f, fd, body, size).request_id, 2);
    assert_int_equal(answer(f, fd, body, size).request_id, 3);
    struct hd_frame frame = {.method = FAKE_ECHO, .request_id = 4, .body_bytes = size};
    hd_frame_write(header, &frame);
    push(f, fd, header, sizeof header);
    for (int i = 0; i < 200; i++) { /* a part of it; the rest never comes */
        ssize_t done = send(fd, body, 1000, MSG_NOSIGNAL);
        sent += done > 0 ? (size_t)done : 0;
        turn(f);
    }
    assert_true(sent > 0 && sent < size);
    expect_frame_refusal(f, fd, 4);
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    fake_limit(f->server, SIZE_MAX);
    free(body);
}

static void memory_is_looked_for_before_a_frame_is_refused(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    enum { SIZE = 1 << 20 };
    uint8_t *body = calloc(1, SIZE);
    expect_echo(f, fd, 1);
    for (size_t more = 0; more <= 200000; more += 50000) {
        unsigned before = fake_counts(f->server)->relieve_count;
        fake_limit(f->server, fake_counts(f->server)->used_bytes + more);
        fake_relief(f->server, SIZE_MAX);
        ask(f, fd, FAKE_ECHO, 2, body, SIZE);
        assert_int_equal(answer(f, fd, body, SIZE).body_bytes, SIZE);
        assert_int_equal(fake_counts(f->server)->relieve_count, before + 1);
    }
    assert_int_equal(stats(f).refused_frames_count, 0);
    assert_true(fake_counts(f->server)->wait_count > 0); /* what is in the socket can wait there */
    fake_limit(f->server, fake_counts(f->server)->used_bytes);
    ask(f, fd, FAKE_ECHO, 3, body, SIZE);
    expect_frame_refusal(f, fd, 3);
    assert_int_equal(fake_stat(f->server, "net_refused_frames_count"), 1);
    assert_int_equal(fake_stat(f->server, "net_connections_count"), 1);
    fake_limit(f->server, SIZE_MAX);
    free(body);
}

/* Whole requests that are here already are not lost, however little memory there is. */
static void without_memory_small_frames_are_run(void **state)
{
    (void)state;
    enum { COUNT = 4, FRAMES = 2500 };
    struct fixture *f = begin(&(struct fake_config){.max_frame_bytes = MAX_FRAME_BYTES,
                                                    .max_connections = 10,
                                                    .output_high_bytes = 256 << 10,
                                                    .requests_per_receive = 3});
    static uint8_t bytes[FRAMES * 24];
    size_t count = 0;
    int fds[COUNT];
    for (uint64_t id = 1; id <= FRAMES; id++)
        count += put_frame(bytes + count, FAKE_ECHO, id, &id, 8);
    for (int i = 0; i < COUNT; i++)
        fds[i] = dial(f);
    AWAIT(f, stats(f).connection_count == COUNT);
    fake_limit(f->server, fake_counts(f->server)->used_bytes);
    for (int i = 0; i < COUNT; i++)
        push(f, fds[i], bytes, count);
    for (int i = 0; i < COUNT; i++) {
        for (uint64_t id = 1; id <= FRAMES; id++) {
            uint64_t body;
            assert_int_equal(answer(f, fds[i], &body, sizeof body).request_id, id);
            assert_int_equal(body, id);
        }
    }
    assert_int_equal(stats(f).refused_frames_count, 0);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    end(f);
}

/* Takes the replies that lie whole in `back`; each is the echo of its request, or its refusal. */
static size_t check_replies(const uint8_t *back, size_t count, uint64_t *next_id, unsigned *refused)
{
    struct hd_frame frame;
    size_t at = 0;
    while (hd_frame_read(back + at, count - at, HD_FRAME_MAX_BODY_BYTES, &frame) == 0 &&
           count - at >= HD_FRAME_HEADER_BYTES + frame.body_bytes) {
        const uint8_t *body = back + at + HD_FRAME_HEADER_BYTES;
        assert_int_equal(frame.request_id, (*next_id)++);
        if (frame.flags)
            ++*refused;
        for (uint32_t i = 0; !frame.flags && i < frame.body_bytes; i++)
            assert_int_equal(body[i], (uint8_t)(i + frame.request_id));
        at += HD_FRAME_HEADER_BYTES + frame.body_bytes;
    }
    return at;
}

static void memory_that_comes_and_goes_loses_nothing(void **state)
{
    enum { STREAM_BYTES = 4 << 20 };
    struct fixture *f = *state;
    uint64_t random = seed();
    uint8_t *stream = malloc(STREAM_BYTES), *back = malloc(STREAM_BYTES);
    uint64_t frames, next_id = 1;
    size_t count = make_stream(stream, STREAM_BYTES, &random, &frames), sent = 0, got = 0, checked = 0;
    unsigned refused = 0;
    int fd = dial(f);
    AWAIT(f, stats(f).connection_count == 1);
    uint64_t until_ns = now() + PATIENCE_NS;
    while (next_id <= frames) {
        size_t piece = next_random(&random) % (UINT64_C(1) << next_random(&random) % 19);
        ssize_t done = send(fd, stream + sent, piece < count - sent ? piece : count - sent, MSG_NOSIGNAL);
        sent += done > 0 ? (size_t)done : 0;
        if (next_random(&random) % 4 == 0)
            fake_limit(f->server, next_random(&random) % 3
                                      ? fake_counts(f->server)->used_bytes + next_random(&random) % 100000
                                      : SIZE_MAX);
        turn(f);
        done = recv(fd, back + got, 1 + next_random(&random) % 100000, 0);
        got += done > 0 ? (size_t)done : 0;
        checked += check_replies(back + checked, got - checked, &next_id, &refused);
        assert_true(now() < until_ns);
    }
    print_message("%u of %llu frames refused\n", refused, (unsigned long long)frames);
    assert_int_equal(stats(f).refused_frames_count, refused);
    fake_limit(f->server, SIZE_MAX);
    free(stream);
    free(back);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_may_come_byte_by_byte),
        TEST(frames_of_every_size),
        TEST(any_cut_gives_the_same),
        TEST(pipelined_requests_share_reads_and_writes),
        TEST(a_long_pipeline_stays_in_order),
        cmocka_unit_test(a_turn_has_its_bounds),
        TEST(descriptors_are_closed_and_counted),
        TEST(without_memory_large_frames_are_refused),
        TEST(memory_is_looked_for_before_a_frame_is_refused),
        TEST(a_refusal_keeps_its_place),
        cmocka_unit_test(without_memory_small_frames_are_run),
        TEST(memory_that_comes_and_goes_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
