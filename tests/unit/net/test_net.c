/* The loop's turn: sleeping, slices, deadlines; start and stop. */
#include "harness.h"

#include <unistd.h>

static void answers_and_then_sleeps(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    expect_echo(f, fd, 1);
    expect_echo(f, fd, 2);
    turn(f);
    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1); /* nothing but a socket can wake it */
    unsigned runs = fake_counts(f->server)->run_count;
    turn(f);
    assert_int_equal(fake_counts(f->server)->run_count, runs);
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(stats(f).closed_by_peer_count, 1);
}

static void sliced_work_lets_others_through(void **state)
{
    struct fixture *f = *state;
    int busy = dial(f), other = dial(f);
    uint32_t slices = 2000;
    char body[8];
    ask(f, busy, FAKE_SLICED, 1, &slices, sizeof slices);
    AWAIT(f, fake_counts(f->server)->request_count == 1);
    for (uint64_t id = 1; id <= 20; id++) {
        expect_echo(f, other, id);
        expect_echo(f, busy, 100 + id);
    }
    assert_true(fake_counts(f->server)->run_count < slices);
    assert_int_equal(answer(f, busy, body, sizeof body).request_id, 1);
    assert_memory_equal(body, "done", 4);
    assert_true(stats(f).slices_count >= slices - 1);
    close(busy);
    close(other);
}

static void parked_requests_wake_by_themselves(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t wait_ms = 60;
    char body[8];
    uint64_t begin_ns = now();
    ask(f, fd, FAKE_WAIT, 1, &wait_ms, sizeof wait_ms);
    expect_echo(f, fd, 2); /* a later one runs meanwhile */
    turn(f);
    turn(f);
    int timeout_ms = uv_backend_timeout(&f->loop);
    assert_true(timeout_ms > 0 && timeout_ms <= 61); /* it sleeps, and not for too long */
    assert_int_equal(answer(f, fd, body, sizeof body).request_id, 1);
    assert_true(now() - begin_ns >= UINT64_C(60) * 1000000);
    turn(f);
    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1);
    close(fd);
}

static void a_server_needs_memory(void **state)
{
    struct fixture *f = *state;
    struct hd_net *net = NULL;
    struct hd_net_config config = {.max_frame_bytes = MAX_FRAME_BYTES, .slice_ns = 1};
    size_t used = fake_counts(f->server)->used_bytes;
    for (size_t more = 0; more < 130000; more += 6500) {
        fake_limit(f->server, used + more);
        assert_int_equal(hd_net_new(&f->loop, f->server, hd_os_linux(), &config, &net), HD_ENOMEM);
        assert_null(net);
        assert_int_equal(fake_counts(f->server)->used_bytes, used);
    }
    fake_limit(f->server, SIZE_MAX);
}

static void stopping_flushes_what_is_read(void **state)
{
    struct fixture *f = *state;
    int reader = dial(f), idle = dial(f);
    uint32_t size = 1000000;
    expect_echo(f, idle, 1);
    ask(f, reader, FAKE_BIG, 1, &size, sizeof size);
    AWAIT(f, fake_counts(f->server)->request_count == 2);
    hd_net_stop(f->net, PATIENCE_NS, on_stopped, f);
    AWAIT(f, is_closed(idle));
    assert_false(f->stopped);
    uint8_t *body = malloc(size);
    assert_int_equal(answer(f, reader, body, size).body_bytes, size);
    free(body);
    AWAIT(f, is_closed(reader));
    AWAIT(f, f->stopped);
    assert_int_equal(access(f->address.socket.local.sun_path, F_OK), -1);
    close(reader);
    close(idle);
}

static void stopping_has_an_end(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t size = 1000000;
    ask(f, fd, FAKE_BIG, 1, &size, sizeof size);
    AWAIT(f, fake_counts(f->server)->request_count == 1);
    hd_net_stop(f->net, UINT64_C(20) * 1000000, on_stopped, f);
    AWAIT(f, f->stopped); /* though nobody reads */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_and_then_sleeps), TEST(sliced_work_lets_others_through), TEST(parked_requests_wake_by_themselves),
        TEST(a_server_needs_memory),   TEST(stopping_flushes_what_is_read),   TEST(stopping_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
