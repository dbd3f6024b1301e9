/*
 * Listeners and connections against an echo (fake_rpc.h). One thread: the test
 * is the client and turns the server's loop by hand, so what happens between two
 * turns is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <heapd/v1/value.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/frame.h"
#include "fake_rpc.h"
#include "net/net.h"
#include "os/os.h"

#define PATIENCE_NS (UINT64_C(10) * 1000000000)
#define MAX_FRAME_BYTES (4u << 20)

struct fixture {
    uv_loop_t loop;
    struct hd_rpc_server *server;
    struct hd_net *net;
    struct hd_address address;
    char directory[64];
    bool stopped;
};

static uint64_t now(void)
{
    return hd_os_linux()->now_ns(hd_os_linux()->context);
}

static void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* Turns the loop until the condition holds. */
#define AWAIT(f, condition) \
    do { \
        uint64_t until_ns = now() + PATIENCE_NS; \
        while (!(condition)) { \
            turn(f); \
            if (now() > until_ns) \
                fail_msg("waited in vain for: %s", #condition); \
        } \
    } while (0)

static struct fixture *begin(const struct fake_config *config)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/heapd-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    char path[96];
    (void)snprintf(path, sizeof path, "%s/s", f->directory);
    struct hd_reason reason;
    struct hd_socket socket;
    assert_int_equal(hd_address_parse(path, &f->address, &reason), 0);
    assert_int_equal(hd_socket_listen(&f->address, &socket, &reason), 0);
    f->server = fake_new(config);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    struct hd_net_config net_config = {.max_frame_bytes = config->max_frame_bytes, .slice_ns = 200000};
    assert_int_equal(hd_net_new(&f->loop, f->server, hd_os_linux(), &net_config, &f->net), 0);
    assert_int_equal(hd_net_listen(f->net, &socket), 0);
    return f;
}

static int setup(void **state)
{
    *state = begin(&(struct fake_config){
        .max_frame_bytes = MAX_FRAME_BYTES, .max_connections = 10000, .output_high_bytes = 256 << 10});
    return 0;
}

static void on_stopped(struct hd_net *net, void *data)
{
    (void)net;
    ((struct fixture *)data)->stopped = true;
}

static void end(struct fixture *f)
{
    if (!f->stopped)
        hd_net_stop(f->net, 0, on_stopped, f);
    AWAIT(f, f->stopped);
    turn(f);
    hd_net_free(f->net);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* no handle is left */
    fake_free(f->server);                         /* no byte either */
    assert_int_equal(rmdir(f->directory), 0);     /* nor a file */
    free(f);
}

static int teardown(void **state)
{
    end(*state);
    return 0;
}

static struct hd_net_stats stats(const struct fixture *f)
{
    struct hd_net_stats s;
    hd_net_stats(f->net, &s);
    return s;
}

/* --- a client --- */

static int dial(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &f->address.socket.any, f->address.length), 0);
    return fd;
}

static size_t put_frame(uint8_t *to, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes)
{
    struct hd_frame frame = {.method = method, .request_id = id, .body_bytes = body_bytes};
    hd_frame_write(to, &frame);
    if (body)
        memcpy(to + HD_FRAME_HEADER_BYTES, body, body_bytes);
    return HD_FRAME_HEADER_BYTES + body_bytes;
}

static void push(struct fixture *f, int fd, const uint8_t *bytes, size_t count)
{
    size_t done = 0;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (done < count) {
        ssize_t sent = send(fd, bytes + done, count - done, MSG_NOSIGNAL);
        if (sent > 0)
            done += (size_t)sent;
        else
            turn(f);
        assert_true(now() < until_ns);
    }
}

static void ask(struct fixture *f, int fd, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes)
{
    uint8_t *bytes = malloc(HD_FRAME_HEADER_BYTES + body_bytes);
    push(f, fd, bytes, put_frame(bytes, method, id, body, body_bytes));
    free(bytes);
}

static void pull(struct fixture *f, int fd, uint8_t *to, size_t count)
{
    size_t done = 0;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (done < count) {
        ssize_t got = recv(fd, to + done, count - done, 0);
        assert_int_not_equal(got, 0);
        if (got > 0)
            done += (size_t)got;
        else
            turn(f);
        assert_true(now() < until_ns);
    }
}

/* The next reply; its body (up to `room`) into `body`. */
static struct hd_frame answer(struct fixture *f, int fd, void *body, size_t room)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    struct hd_frame frame;
    pull(f, fd, header, sizeof header);
    assert_int_equal(hd_frame_read(header, sizeof header, HD_FRAME_MAX_BODY_BYTES, &frame), 0);
    assert_true(frame.body_bytes <= room);
    pull(f, fd, body, frame.body_bytes);
    return frame;
}

static void expect_echo(struct fixture *f, int fd, uint64_t id)
{
    char body[8];
    ask(f, fd, FAKE_ECHO, id, "ping", 4);
    struct hd_frame frame = answer(f, fd, body, sizeof body);
    assert_int_equal(frame.request_id, id);
    assert_int_equal(frame.body_bytes, 4);
    assert_memory_equal(body, "ping", 4);
}

/* True once the other side has closed; what still comes is thrown away. */
static bool is_closed(int fd)
{
    char scrap[4096];
    ssize_t got;
    while ((got = recv(fd, scrap, sizeof scrap, 0)) > 0)
        ;
    return got == 0 || errno == ECONNRESET;
}

/* --- tests --- */

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

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t seed(void)
{
    const char *wanted = getenv("HEAPD_TEST_SEED");
    uint64_t value = wanted ? strtoull(wanted, NULL, 0) : now();
    print_message("HEAPD_TEST_SEED=%llu\n", (unsigned long long)value);
    return value;
}

/* Frames of random sizes; the size of them all. */
static size_t make_stream(uint8_t *stream, size_t room, uint64_t *random, uint64_t *frames)
{
    size_t count = 0;
    for (uint64_t id = 1;; id++) {
        uint32_t size = (uint32_t)(next_random(random) % (UINT64_C(1) << next_random(random) % 20));
        if (count + HD_FRAME_HEADER_BYTES + size > room) {
            *frames = id - 1;
            return count;
        }
        for (uint32_t i = 0; i < size; i++)
            stream[count + HD_FRAME_HEADER_BYTES + i] = (uint8_t)(i + id);
        count += put_frame(stream + count, FAKE_ECHO, id, NULL, size);
    }
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

static void expect_refusal(struct fixture *f, int fd, int code, const char *hint)
{
    uint8_t body[512];
    struct hd_frame frame = answer(f, fd, body, sizeof body);
    assert_int_equal(frame.flags, HD_FRAME_ERROR | HD_FRAME_EVENT);
    Heapd__V1__Error *error = heapd__v1__error__unpack(NULL, frame.body_bytes, body);
    assert_non_null(error);
    assert_int_equal(error->status, HEAPD__V1__STATUS__RESOURCE_EXHAUSTED);
    assert_int_equal(error->code, -code);
    assert_non_null(strstr(error->message, hint));
    heapd__v1__error__free_unpacked(error, NULL);
    AWAIT(f, is_closed(fd));
    close(fd);
}

static void too_many_connections_are_refused_clearly(void **state)
{
    (void)state;
    struct fixture *f = begin(&(struct fake_config){
        .max_frame_bytes = MAX_FRAME_BYTES, .max_connections = 2, .output_high_bytes = 256 << 10});
    int first = dial(f), second = dial(f);
    expect_echo(f, first, 1);
    expect_echo(f, second, 1);
    expect_refusal(f, dial(f), HD_ELIMIT, "max_connections");
    assert_int_equal(stats(f).refused_limit_count, 1);
    close(first);
    AWAIT(f, stats(f).connection_count == 1);
    first = dial(f);
    expect_echo(f, first, 2);
    close(first);
    close(second);
    end(f);
}

static void lack_of_descriptors_is_told_and_passes(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, tight;
    int first = dial(f);
    expect_echo(f, first, 1);
    int unlucky = dial(f), next = dial(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    int lowest = dup(0); /* the next number that the process would get */
    close(lowest);
    tight.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    AWAIT(f, stats(f).refused_descriptors_count == 2);
    expect_echo(f, first, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    expect_refusal(f, unlucky, HD_ELIMIT, "open files");
    expect_refusal(f, next, HD_ELIMIT, "open files");
    int later = dial(f);
    expect_echo(f, later, 1);
    close(first);
    close(later);
}

static void a_connection_needs_memory(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    expect_echo(f, fd, 1);
    fake_limit(f->server, fake_counts(f->server)->used_bytes + 10);
    expect_refusal(f, dial(f), HD_ENOMEM, "memory limit");
    assert_int_equal(stats(f).refused_limit_count, 1);
    expect_echo(f, fd, 2);
    fake_limit(f->server, SIZE_MAX);
    int later = dial(f);
    expect_echo(f, later, 1);
    close(fd);
    close(later);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_and_then_sleeps),
        TEST(knows_its_peers),
        TEST(frames_may_come_byte_by_byte),
        TEST(frames_of_every_size),
        TEST(any_cut_gives_the_same),
        TEST(pipelined_requests_share_reads_and_writes),
        TEST(a_long_pipeline_stays_in_order),
        TEST(a_slow_reader_costs_little_and_hurts_nobody),
        TEST(one_that_sends_no_more_gets_its_replies),
        TEST(what_was_sent_before_a_close_is_run),
        TEST(one_that_dies_during_its_request_is_noticed),
        TEST(a_broken_stream_is_told_and_closed),
        TEST(a_goodbye_is_answered_and_closed),
        TEST(sliced_work_lets_others_through),
        TEST(parked_requests_wake_by_themselves),
        cmocka_unit_test(a_turn_has_its_bounds),
        TEST(descriptors_are_closed_and_counted),
        cmocka_unit_test(too_many_connections_are_refused_clearly),
        TEST(lack_of_descriptors_is_told_and_passes),
        TEST(a_connection_needs_memory),
        TEST(a_server_needs_memory),
        TEST(without_memory_large_frames_are_refused),
        TEST(a_refusal_keeps_its_place),
        cmocka_unit_test(without_memory_small_frames_are_run),
        TEST(memory_that_comes_and_goes_loses_nothing),
        TEST(many_idle_connections_are_cheap),
        TEST(one_that_is_over_does_not_stay_for_ever),
        TEST(stopping_flushes_what_is_read),
        TEST(stopping_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
