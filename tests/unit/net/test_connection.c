/* How a connection lives and ends: slow readers, half-open peers, goodbyes, deaths. */
#include "harness.h"

#include <fcntl.h>
#include <unistd.h>

static void knows_its_peers(void **state)
{
    struct fixture *f = *state;
    int local = dial(f);
    expect_echo(f, local, 1);
    assert_int_equal(fake_counts(f->server)->last_pid, getpid());
    assert_true(fake_counts(f->server)->last_admin);

    struct hd_address any;
    struct hd_reason reason;
    struct hd_socket listening;
    assert_int_equal(hd_address_parse("tcp:127.0.0.1:0", &any, &reason), 0);
    assert_int_equal(hd_socket_listen(&any, &listening, &reason), 0);
    assert_int_equal(hd_net_listen(f->net, &listening), 0);
    int remote = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(remote, &listening.address.socket.any, listening.address.length), 0);
    assert_int_equal(fcntl(remote, F_SETFL, O_NONBLOCK), 0);
    expect_echo(f, remote, 1);
    assert_int_equal(fake_counts(f->server)->last_pid, 0);
    assert_false(fake_counts(f->server)->last_admin);
    close(local);
    close(remote);
}

static void a_slow_reader_costs_little_and_hurts_nobody(void **state)
{
    struct fixture *f = *state;
    int slow = dial(f), other = dial(f);
    uint32_t size = 100000;
    uint8_t request[32];
    size_t request_bytes = put_frame(request, FAKE_BIG, 1, &size, sizeof size);
    /* Asks for more and more, and reads nothing, until its own output does not move any more. */
    unsigned asked = 0;
    for (int stuck = 0; stuck < 1000;) {
        if (send(slow, request, request_bytes, MSG_NOSIGNAL) == (ssize_t)request_bytes) {
            asked++;
            stuck = 0;
        } else {
            stuck++;
        }
        turn(f);
    }
    assert_true(asked > 100);
    assert_true(fake_counts(f->server)->output_peak_bytes < (256 << 10) + 2 * size);
    assert_true(fake_counts(f->server)->used_bytes < (1 << 20));
    assert_true(fake_counts(f->server)->request_count < 20);
    for (uint64_t id = 1; id <= 100; id++)
        expect_echo(f, other, id);
    assert_int_equal(uv_backend_timeout(&f->loop), -1); /* and nobody spins meanwhile */
    /* Then it reads after all, and gets everything. */
    uint8_t *body = malloc(size);
    for (unsigned i = 0; i < asked; i++)
        assert_int_equal(answer(f, slow, body, size).body_bytes, size);
    free(body);
    expect_echo(f, slow, 7);
    close(slow);
    close(other);
}

static void one_that_sends_no_more_gets_its_replies(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t slices = 5000, size = 600000;
    char done[8];
    uint8_t *body = malloc(size);
    ask(f, fd, FAKE_ECHO, 1, "a", 1);
    ask(f, fd, FAKE_SLICED, 2, &slices, sizeof slices);
    ask(f, fd, FAKE_BIG, 3, &size, sizeof size);
    ask(f, fd, FAKE_ECHO, 4, "b", 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(answer(f, fd, done, sizeof done).request_id, 1);
    assert_int_equal(answer(f, fd, body, size).request_id, 3);
    assert_int_equal(answer(f, fd, done, sizeof done).request_id, 4);
    assert_int_equal(answer(f, fd, done, sizeof done).request_id, 2); /* it took its time */
    AWAIT(f, is_closed(fd));
    assert_int_equal(stats(f).connection_count, 0);
    free(body);
    close(fd);
}

static void what_was_sent_before_a_close_is_run(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    expect_echo(f, fd, 1);
    ask(f, fd, FAKE_ECHO, 2, "x", 1);
    turn(f); /* the reply to 2 is never read */
    for (uint64_t id = 3; id <= 12; id++)
        ask(f, fd, FAKE_ECHO, id, "x", 1);
    uint8_t part[8] = {0};
    push(f, fd, part, sizeof part); /* and in the middle of a frame it dies */
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(fake_counts(f->server)->request_count, 12);
    assert_int_equal(stats(f).closed_by_peer_count, 1);
}

static void one_that_dies_during_its_request_is_noticed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t slices = UINT32_MAX;
    ask(f, fd, FAKE_SLICED, 1, &slices, sizeof slices);
    AWAIT(f, fake_counts(f->server)->request_count == 1);
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    turn(f);
    turn(f);
    assert_int_equal(uv_backend_timeout(&f->loop), -1);
}

static void push_cancel(struct fixture *f, int fd, uint64_t id)
{
    uint8_t bytes[HD_FRAME_HEADER_BYTES];
    hd_frame_write(bytes, &(struct hd_frame){.flags = HD_FRAME_CANCEL, .request_id = id});
    push(f, fd, bytes, sizeof bytes);
}

static void a_cancel_is_heard_behind_what_waits(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t slices = UINT32_MAX;
    ask(f, fd, FAKE_HELD, 1, &slices, sizeof slices);
    AWAIT(f, fake_counts(f->server)->request_count == 1);
    ask(f, fd, FAKE_ECHO, 2, "two", 3);
    for (int i = 0; i < 5; i++)
        turn(f);
    assert_int_equal(fake_counts(f->server)->request_count, 1);
    push_cancel(f, fd, 1);
    AWAIT(f, fake_counts(f->server)->overheard_count == 1);
    char body[4];
    assert_int_equal(answer(f, fd, body, sizeof body).request_id, 1);
    assert_int_equal(answer(f, fd, body, sizeof body).request_id, 2);
    close(fd);
}

/* What is kept for one that waits has a bound; what comes behind that stays in the socket, and nobody spins. */
static void a_flood_behind_what_waits_stays_outside(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint32_t slices = 2000;
    static const uint8_t body[1000];
    ask(f, fd, FAKE_HELD, 1, &slices, sizeof slices);
    AWAIT(f, fake_counts(f->server)->request_count == 1);
    for (uint64_t id = 2; id < 80; id++)
        ask(f, fd, FAKE_ECHO, id, body, sizeof body);
    for (int i = 0; i < 50; i++)
        turn(f);
    assert_int_equal(fake_counts(f->server)->request_count, 1);
    assert_true(stats(f).received_bytes < 34 << 10);
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(fake_counts(f->server)->request_count, 79);
}

static void a_broken_stream_is_told_and_closed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    struct hd_frame frame = {.method = FAKE_ECHO, .request_id = 9, .body_bytes = MAX_FRAME_BYTES + 1};
    uint8_t header[HD_FRAME_HEADER_BYTES], body[16];
    hd_frame_write(header, &frame);
    push(f, fd, header, sizeof header);
    push(f, fd, header, sizeof header);
    frame = answer(f, fd, body, sizeof body);
    assert_int_equal(frame.flags, HD_FRAME_ERROR);
    assert_int_equal(frame.request_id, 9);
    AWAIT(f, is_closed(fd));
    close(fd);
}

static void a_goodbye_is_answered_and_closed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    char body[8];
    ask(f, fd, FAKE_GOODBYE, 1, "bye", 3);
    assert_int_equal(answer(f, fd, body, sizeof body).body_bytes, 3);
    AWAIT(f, is_closed(fd));
    assert_int_equal(stats(f).closed_by_peer_count, 0);
    close(fd);
}

static void many_idle_connections_are_cheap(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 2000 };
    static int fds[COUNT];
    size_t before = fake_counts(f->server)->used_bytes;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = dial(f);
        if (i % 500 == 0)
            turn(f);
    }
    AWAIT(f, stats(f).connection_count == COUNT);
    for (int i = 0; i < COUNT; i++)
        expect_echo(f, fds[i], (uint64_t)i);
    assert_true((fake_counts(f->server)->used_bytes - before) / COUNT <= 1024);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    AWAIT(f, stats(f).connection_count == 0);
    turn(f);
    assert_int_equal(fake_counts(f->server)->used_bytes, before);
}

static void one_that_is_over_does_not_stay_for_ever(void **state)
{
    struct fixture *f = *state;
    int stubborn = dial(f), killer = dial(f);
    uint32_t size = 100000;
    for (int i = 0; i < 10; i++)
        ask(f, stubborn, FAKE_BIG, 1, &size, sizeof size);
    AWAIT(f, fake_counts(f->server)->request_count >= 3);
    ask(f, killer, FAKE_KILL, 1, NULL, 0);
    AWAIT(f, stats(f).connection_count == 1); /* though it never reads */
    close(stubborn);
    close(killer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knows_its_peers),
        TEST(a_slow_reader_costs_little_and_hurts_nobody),
        TEST(one_that_sends_no_more_gets_its_replies),
        TEST(what_was_sent_before_a_close_is_run),
        TEST(one_that_dies_during_its_request_is_noticed),
        TEST(a_cancel_is_heard_behind_what_waits),
        TEST(a_flood_behind_what_waits_stays_outside),
        TEST(a_broken_stream_is_told_and_closed),
        TEST(a_goodbye_is_answered_and_closed),
        TEST(many_idle_connections_are_cheap),
        TEST(one_that_is_over_does_not_stay_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
