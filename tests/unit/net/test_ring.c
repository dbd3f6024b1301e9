/* Connections whose frames go through shared memory: what they carry, when the daemon sleeps, and clients that lie. */
#include "harness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/ring.h"

#define RING_BYTES 4096u

/* A client's end, by hand. */
struct end {
    int fd;
    int passed; /* the last descriptor that came; -1: none */
    struct hd_ring ring;
    struct hd_ring_control *control;
};

/* What the socket has for us, with a descriptor if one comes. -1: nothing. */
static ssize_t hear(struct end *end, uint8_t *to, size_t room)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = to, .iov_len = room};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t count = recvmsg(end->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (rights) {
        if (end->passed >= 0)
            close(end->passed);
        memcpy(&end->passed, CMSG_DATA(rights), sizeof end->passed);
    }
    return count;
}

static ssize_t hear_reply(struct fixture *f, struct end *end, uint8_t *to, size_t room)
{
    size_t count = 0;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (count < HD_FRAME_HEADER_BYTES + 1) {
        ssize_t got = hear(end, to + count, room - count);
        assert_int_not_equal(got, 0);
        count += got > 0 ? (size_t)got : 0;
        turn(f);
        assert_true(now() < until_ns);
    }
    return (ssize_t)count;
}

/* Asks for a ring; 0 or what the daemon said. */
static int try_open(struct fixture *f, struct end *end)
{
    uint8_t bytes[64];
    struct hd_frame frame;
    end->passed = -1;
    ask(f, end->fd, FAKE_RING, 1, NULL, 0);
    assert_int_equal(hear_reply(f, end, bytes, sizeof bytes), HD_FRAME_HEADER_BYTES + 1);
    assert_int_equal(hd_frame_read(bytes, sizeof bytes, 1024, &frame), 0);
    int8_t error = (int8_t)bytes[HD_FRAME_HEADER_BYTES];
    assert_true((end->passed >= 0) == (error == 0));
    if (error)
        return error;
    size_t memory_bytes = hd_ring_memory_bytes(RING_BYTES, RING_BYTES);
    end->control = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, end->passed, 0);
    assert_true(end->control != MAP_FAILED);
    assert_true(ftruncate(end->passed, 100) < 0); /* nobody can take the pages away */
    assert_true(fcntl(end->passed, F_ADD_SEALS, F_SEAL_WRITE) < 0);
    close(end->passed);
    end->passed = -1;
    assert_int_equal(hd_ring_init(&end->ring, end->control, RING_BYTES, RING_BYTES, false), 0);
    return 0;
}

static struct end open_ring(struct fixture *f)
{
    struct end end = {.fd = dial(f)};
    assert_int_equal(try_open(f, &end), 0);
    return end;
}

static void close_ring(struct end *end)
{
    if (end->passed >= 0)
        close(end->passed);
    munmap(end->control, hd_ring_memory_bytes(RING_BYTES, RING_BYTES));
    close(end->fd);
}

static void bell(struct end *end)
{
    if (hd_ring_bell_due(&end->ring))
        assert_int_equal(send(end->fd, "", 1, MSG_NOSIGNAL), 1);
}

static void ring_push(struct fixture *f, struct end *end, const uint8_t *bytes, size_t count)
{
    uint64_t until_ns = now() + PATIENCE_NS;
    for (size_t done = 0; done < count;) {
        size_t taken;
        assert_int_equal(hd_ring_write(&end->ring, bytes + done, count - done, &taken), 0);
        done += taken;
        if (taken)
            bell(end);
        else
            turn(f);
        assert_true(now() < until_ns);
    }
}

static void ring_pull(struct fixture *f, struct end *end, uint8_t *to, size_t count)
{
    uint64_t until_ns = now() + PATIENCE_NS;
    for (size_t done = 0; done < count;) {
        size_t got;
        assert_int_equal(hd_ring_read(&end->ring, to + done, count - done, &got), 0);
        done += got;
        if (got)
            bell(end);
        else
            turn(f);
        assert_true(now() < until_ns);
    }
}

static void ring_echo(struct fixture *f, struct end *end, uint64_t id, uint32_t size)
{
    uint8_t *bytes = malloc(HD_FRAME_HEADER_BYTES + size), *back = malloc(HD_FRAME_HEADER_BYTES + size);
    for (uint32_t i = 0; i < size; i++)
        bytes[HD_FRAME_HEADER_BYTES + i] = (uint8_t)(i * 3 + id);
    size_t count = put_frame(bytes, FAKE_ECHO, id, NULL, size);
    size_t sent = 0, come = 0;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (come < count) { /* both ways at once: it may be larger than both rings */
        size_t taken, got;
        assert_int_equal(hd_ring_write(&end->ring, bytes + sent, count - sent, &taken), 0);
        assert_int_equal(hd_ring_read(&end->ring, back + come, count - come, &got), 0);
        sent += taken;
        come += got;
        if (taken || got)
            bell(end);
        turn(f);
        assert_true(now() < until_ns);
    }
    assert_memory_equal(bytes, back, count);
    free(bytes);
    free(back);
}

static void frames_of_any_size_go_through(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    assert_int_equal(stats(f).ring_count, 1);
    const uint32_t sizes[] = {0, 1, 100, 4079, 4080, 4081, 5000, 70000, 1000000, MAX_FRAME_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ring_echo(f, &end, i + 2, sizes[i]);
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(stats(f).ring_count, 0);
}

static void a_random_stream_comes_back(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint64_t random = seed(), frames;
    size_t room = 2 << 20;
    uint8_t *stream = malloc(room), *back = malloc(room);
    size_t count = make_stream(stream, room, &random, &frames);
    size_t sent = 0, come = 0;
    uint64_t until_ns = now() + PATIENCE_NS;
    while (come < count) {
        size_t taken, got;
        size_t piece = next_random(&random) % 3000;
        piece = piece < count - sent ? piece : count - sent;
        assert_int_equal(hd_ring_write(&end.ring, stream + sent, piece, &taken), 0);
        assert_int_equal(hd_ring_read(&end.ring, back + come, next_random(&random) % 3000, &got), 0);
        sent += taken;
        come += got;
        if (taken || got)
            bell(&end);
        if (next_random(&random) % 2)
            turn(f);
        assert_true(now() < until_ns);
    }
    assert_memory_equal(stream, back, count);
    free(stream);
    free(back);
    close_ring(&end);
}

static void rings_are_few_and_sockets_go_on(void **state)
{
    struct fixture *f = *state;
    struct end ends[3], more = {.fd = dial(f)};
    for (int i = 0; i < 3; i++)
        ends[i] = open_ring(f);
    assert_int_equal(try_open(f, &more), HD_ELIMIT);
    expect_echo(f, more.fd, 2); /* over the socket, as if nothing had been */
    for (int i = 0; i < 3; i++)
        ring_echo(f, &ends[i], 3, 10);
    close_ring(&ends[0]);
    AWAIT(f, stats(f).ring_count == 2);
    assert_int_equal(try_open(f, &more), 0);
    ring_echo(f, &more, 4, 100);
    assert_int_equal(stats(f).rings_refused_count, 1);
    close_ring(&ends[1]);
    close_ring(&ends[2]);
    close_ring(&more);
}

static void there_are_none_over_tcp(void **state)
{
    struct fixture *f = *state;
    struct hd_address any;
    struct hd_reason reason;
    struct hd_socket listening;
    assert_int_equal(hd_address_parse("tcp:127.0.0.1:0", &any, &reason), 0);
    assert_int_equal(hd_socket_listen(&any, &listening, &reason), 0);
    assert_int_equal(hd_net_listen(f->net, &listening), 0);
    struct end end = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(connect(end.fd, &listening.address.socket.any, listening.address.length), 0);
    assert_int_equal(fcntl(end.fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(try_open(f, &end), HD_EINVALID);
    expect_echo(f, end.fd, 2);
    close(end.fd);
}

static void nobody_has_two(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64];
    ring_push(f, &end, bytes, put_frame(bytes, FAKE_RING, 2, NULL, 0));
    ring_pull(f, &end, bytes, HD_FRAME_HEADER_BYTES + 1);
    assert_int_equal((int8_t)bytes[HD_FRAME_HEADER_BYTES], HD_EEXISTS);
    ring_echo(f, &end, 3, 10);
    close_ring(&end);
}

static void memory_is_charged(void **state)
{
    struct fixture *f = *state;
    struct end end = {.fd = dial(f)};
    expect_echo(f, end.fd, 1);
    size_t before = fake_counts(f->server)->used_bytes;
    fake_limit(f->server, before + 4096);
    assert_int_equal(try_open(f, &end), HD_ENOMEM);
    assert_int_equal(fake_counts(f->server)->used_bytes, before);
    fake_limit(f->server, SIZE_MAX);
    assert_int_equal(try_open(f, &end), 0);
    assert_true(fake_counts(f->server)->used_bytes >= before + hd_ring_memory_bytes(RING_BYTES, RING_BYTES));
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
}

/* A system that refuses the n-th piece of shared memory, or to map it. */
static struct {
    unsigned calls;
    unsigned fail_at; /* 0: none */
    int files;
    int mappings;
} refusing;

static int refusing_new(void *context, uint64_t bytes, bool for_ever, int *out)
{
    if (++refusing.calls == refusing.fail_at)
        return HD_EDESCRIPTORS;
    refusing.files++;
    return hd_os_linux()->shared_new(context, bytes, for_ever, out);
}

static void *refusing_map(void *context, int fd, size_t bytes)
{
    if (++refusing.calls == refusing.fail_at)
        return NULL;
    refusing.mappings++;
    return hd_os_linux()->shared_map(context, fd, bytes);
}

static void refusing_unmap(void *context, void *pointer, size_t bytes)
{
    refusing.mappings--;
    hd_os_linux()->unmap(context, pointer, bytes);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Its bookkeeping, its memory, its mapping: whatever cannot be had, the socket goes on and nothing is left. */
static void each_part_of_a_ring_fails(void **state)
{
    (void)state;
    struct hd_os os = *hd_os_linux();
    os.shared_new = refusing_new;
    os.shared_map = refusing_map;
    os.unmap = refusing_unmap;
    memset(&refusing, 0, sizeof refusing);
    struct fixture *f = begin_on(&(struct fake_config){.max_frame_bytes = MAX_FRAME_BYTES,
                                                       .max_connections = 10,
                                                       .output_high_bytes = 256 << 10},
                                 &os);
    struct end end = {.fd = dial(f)};
    expect_echo(f, end.fd, 1);
    size_t used_bytes = fake_counts(f->server)->used_bytes;
    unsigned before = descriptors();
    for (unsigned i = 0; i < 3; i++) {
        refusing.calls = 0;
        refusing.fail_at = i;
        fake_limit(f->server, i == 0 ? used_bytes : SIZE_MAX); /* first: no room for what it is kept in */
        int error = try_open(f, &end);
        assert_int_equal(error, i == 0 ? HD_ENOMEM : i == 1 ? HD_EDESCRIPTORS : HD_ESYSTEM);
        fake_limit(f->server, SIZE_MAX);
        expect_echo(f, end.fd, 2 + i);
        assert_int_equal(fake_counts(f->server)->used_bytes, used_bytes);
        assert_int_equal(descriptors(), before);
        assert_int_equal(refusing.mappings, 0);
    }
    refusing.fail_at = 0;
    assert_int_equal(stats(f).rings_refused_count, 3);
    assert_int_equal(try_open(f, &end), 0);
    ring_echo(f, &end, 9, 100);
    assert_int_equal(refusing.mappings, 1);
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(refusing.mappings, 0);
    teardown((void **)&f);
}

/* The loop would sleep, and no ring is polled. */
static bool is_asleep(struct fixture *f)
{
    turn(f);
    return uv_backend_timeout(&f->loop) == -1;
}

static void silent_rings_let_the_daemon_sleep(void **state)
{
    struct fixture *f = *state;
    struct end ends[3];
    for (int i = 0; i < 3; i++) {
        ends[i] = open_ring(f);
        ring_echo(f, &ends[i], 2, 10);
    }
    for (int round = 0; round < 20; round++) {
        AWAIT(f, is_asleep(f));
        uint64_t sleeps = stats(f).ring_sleeps_count;
        assert_true(is_asleep(f));
        assert_int_equal(stats(f).ring_sleeps_count, sleeps); /* and nothing wakes it */
        ring_echo(f, &ends[round % 3], 3, 10);
    }
    for (int i = 0; i < 3; i++)
        close_ring(&ends[i]);
}

static void a_sleeping_client_is_woken_once(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64];
    hd_ring_want(&end.ring, HD_RING_WANTS_INPUT);
    ring_push(f, &end, bytes, put_frame(bytes, FAKE_ECHO, 2, "a", 1));
    AWAIT(f, hd_ring_has_input(&end.ring));
    ring_push(f, &end, bytes, put_frame(bytes, FAKE_ECHO, 3, "b", 1));
    AWAIT(f, fake_counts(f->server)->request_count == 3);
    assert_int_equal(hear(&end, bytes, sizeof bytes), 1);
    assert_int_equal(stats(f).ring_bells_count, 1);
    ring_pull(f, &end, bytes, 2 * HD_FRAME_HEADER_BYTES + 2);
    close_ring(&end);
}

static void a_slow_reader_is_waited_for_asleep(void **state)
{
    struct fixture *f = *state;
    struct end slow = open_ring(f), other = open_ring(f);
    uint32_t size = 100000;
    uint8_t request[32];
    size_t request_bytes = put_frame(request, FAKE_BIG, 1, &size, sizeof size);
    unsigned asked = 0;
    for (int stuck = 0; stuck < 100;) {
        uint64_t unread = slow.ring.out_at - atomic_load(&slow.control->to_daemon.read.value);
        if (RING_BYTES - unread >= request_bytes) {
            ring_push(f, &slow, request, request_bytes);
            asked++;
            stuck = 0;
        } else {
            stuck++;
        }
        turn(f);
    }
    assert_true(asked > 5);
    assert_true(fake_counts(f->server)->output_peak_bytes < (256 << 10) + 2 * size);
    AWAIT(f, is_asleep(f)); /* though one of them is not through */
    ring_echo(f, &other, 2, 1000);
    uint8_t header[HD_FRAME_HEADER_BYTES], *body = malloc(size);
    for (unsigned i = 0; i < asked; i++) {
        ring_pull(f, &slow, header, sizeof header);
        ring_pull(f, &slow, body, size);
        assert_int_equal(body[size - 1], 'x');
    }
    free(body);
    close_ring(&slow);
    close_ring(&other);
}

static void descriptors_come_before_their_frames(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64];
    for (uint64_t id = 2; id < 50; id++) {
        ring_push(f, &end, bytes, put_frame(bytes, FAKE_PASS, id, "x", 1));
        AWAIT(f, hd_ring_has_input(&end.ring));
        assert_int_equal(end.passed, -1);
        assert_int_equal(hear(&end, bytes, sizeof bytes), 1);
        assert_true(end.passed >= 0);
        close(end.passed);
        end.passed = -1;
        ring_pull(f, &end, bytes, HD_FRAME_HEADER_BYTES + 1);
    }
    close_ring(&end);
}

/* ---- clients that lie, or end ---- */

static void lies_end_their_own_session_alone(void **state)
{
    struct fixture *f = *state;
    static const int64_t lies[] = {-1, RING_BYTES + 1, INT64_MIN, INT64_MAX, -(int64_t)RING_BYTES};
    struct end honest = open_ring(f);
    ring_echo(f, &honest, 2, 10);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct end liar = open_ring(f);
        ring_echo(f, &liar, 2, 100);
        uint64_t at = atomic_load(&liar.control->to_daemon.written.value);
        atomic_store(&liar.control->to_daemon.written.value, at + (uint64_t)lies[i]);
        bell(&liar);
        AWAIT(f, is_closed(liar.fd));
        close_ring(&liar);
        ring_echo(f, &honest, 3, 10);
        assert_int_equal(stats(f).rings_broken_count, i + 1);
    }
    struct end liar = open_ring(f); /* about what it has read: seen when the ring is full */
    atomic_store(&liar.control->to_client.read.value, UINT64_C(1) << 40);
    uint32_t size = 100000;
    uint8_t request[32];
    ring_push(f, &liar, request, put_frame(request, FAKE_BIG, 1, &size, sizeof size));
    AWAIT(f, is_closed(liar.fd));
    close_ring(&liar);
    ring_echo(f, &honest, 4, 10);
    close_ring(&honest);
}

static void what_was_taken_is_not_looked_at_again(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64], back[64];
    uint8_t *data = (uint8_t *)end.control + HD_RING_CONTROL_BYTES;
    size_t count = put_frame(bytes, FAKE_ECHO, 7, "abcd", 4);
    size_t taken;
    /* The header is there, and was seen; then its length becomes a lie. */
    assert_int_equal(hd_ring_write(&end.ring, bytes, HD_FRAME_HEADER_BYTES, &taken), 0);
    bell(&end);
    AWAIT(f, atomic_load(&end.control->to_daemon.read.value) == HD_FRAME_HEADER_BYTES);
    memset(data, 0xff, HD_FRAME_HEADER_BYTES);
    ring_push(f, &end, bytes + HD_FRAME_HEADER_BYTES, 4);
    ring_pull(f, &end, back, count);
    assert_memory_equal(back, bytes, count);
    close_ring(&end);
}

static void what_was_sent_before_the_end_is_run(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64];
    unsigned before = fake_counts(f->server)->request_count;
    for (uint64_t id = 2; id < 12; id++) {
        size_t taken, count = put_frame(bytes, FAKE_ECHO, id, "x", 1);
        assert_int_equal(hd_ring_write(&end.ring, bytes, count, &taken), 0);
    }
    size_t taken;
    assert_int_equal(hd_ring_write(&end.ring, bytes, 5, &taken), 0); /* and a part of one more */
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
    assert_int_equal(fake_counts(f->server)->request_count, before + 10);
    AWAIT(f, is_asleep(f));
}

static void one_that_dies_with_replies_unread_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint32_t size = 1000000;
    uint8_t request[32];
    ring_push(f, &end, request, put_frame(request, FAKE_BIG, 1, &size, sizeof size));
    AWAIT(f, hd_ring_has_input(&end.ring));
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
    AWAIT(f, is_asleep(f));
}

static void who_sends_on_behind_the_request_is_closed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint8_t bytes[128];
    size_t count = put_frame(bytes, FAKE_RING, 1, NULL, 0);
    count += put_frame(bytes + count, FAKE_ECHO, 2, "abcd", 4) - 2; /* a frame that ends elsewhere */
    push(f, fd, bytes, count);
    AWAIT(f, is_closed(fd));
    close(fd);
}

/* It said that it sends no more while the request for a ring waited for its turn; its death is heard even so. */
static void one_that_ended_half_before_its_ring_leaves_nothing(void **state)
{
    (void)state;
    struct fixture *f = begin(&(struct fake_config){.max_frame_bytes = MAX_FRAME_BYTES,
                                                    .max_connections = 10,
                                                    .output_high_bytes = 256 << 10,
                                                    .requests_per_receive = 1});
    uint8_t stream[4096];
    size_t count = 0;
    int fd = dial(f);
    for (uint64_t id = 1; id < 100; id++)
        count += put_frame(stream + count, FAKE_ECHO, id, "x", 1);
    count += put_frame(stream + count, FAKE_RING, 100, NULL, 0);
    push(f, fd, stream, count);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    AWAIT(f, stats(f).rings_opened_count == 1);
    close(fd);
    AWAIT(f, stats(f).connection_count == 0);
    end(f);
}

static void bells_mean_nothing(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    static const uint8_t noise[8192] = {1, 2, 3};
    for (int i = 0; i < 50; i++) {
        push(f, end.fd, noise, sizeof noise);
        ring_echo(f, &end, (uint64_t)i + 2, 10);
    }
    AWAIT(f, is_asleep(f));
    close_ring(&end);
}

/* Nobody can shrink the memory, but its pages can be taken away: they read as zero, and that is a lie like others. */
static void holes_in_its_memory_end_a_session(void **state)
{
    struct fixture *f = *state;
    struct end honest = open_ring(f);
    for (int part = 0; part < 3; part++) {
        struct end end = {.fd = dial(f), .passed = -1};
        uint8_t bytes[64];
        /* As open_ring, but the descriptor is kept. */
        ask(f, end.fd, FAKE_RING, 1, NULL, 0);
        (void)hear_reply(f, &end, bytes, sizeof bytes);
        assert_true(end.passed >= 0);
        size_t memory_bytes = hd_ring_memory_bytes(RING_BYTES, RING_BYTES);
        end.control = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, end.passed, 0);
        assert_true(end.control != MAP_FAILED);
        assert_int_equal(hd_ring_init(&end.ring, end.control, RING_BYTES, RING_BYTES, false), 0);
        ring_echo(f, &end, 2, 100);
        int all = fallocate(end.passed, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, part ? 4096 * (part - 1) : 0,
                            part ? 4096 : (off_t)memory_bytes);
        assert_int_equal(all, 0);
        if (part == 2) {
            /* The client's own bytes: what it sends next is there again. */
            ring_echo(f, &end, 3, 100);
        } else {
            (void)send(end.fd, "", 1, MSG_NOSIGNAL);
            AWAIT(f, is_closed(end.fd));
        }
        close_ring(&end);
        ring_echo(f, &honest, 5, 10);
    }
    assert_int_equal(stats(f).rings_broken_count, 2);
    close_ring(&honest);
}

static void send_descriptors(const struct end *end, unsigned count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
    } control = {.bytes = {0}};
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
    for (unsigned i = 0; i < count; i++)
        memcpy(CMSG_DATA(rights) + i * sizeof(int), &end->fd, sizeof end->fd);
    assert_int_equal(sendmsg(end->fd, &message, MSG_NOSIGNAL), 1);
}

/* Nobody is to send any: they are closed as they come, its own connection's among them. */
static void descriptors_among_bells_are_closed(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    unsigned before = descriptors();
    uint64_t count = stats(f).unexpected_descriptors_count;
    for (unsigned i = 1; i <= 40; i++) {
        send_descriptors(&end, 1 + i % 16);
        ring_echo(f, &end, i + 1, 10);
        count += 1 + i % 16;
    }
    AWAIT(f, stats(f).unexpected_descriptors_count == count);
    assert_int_equal(descriptors(), before);
    close_ring(&end);
    AWAIT(f, stats(f).connection_count == 0);
}

/* A header that promises more than ever comes; or less than a header. */
static void half_a_frame_and_the_end_leave_nothing(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[100000];
    unsigned before = descriptors();
    size_t used_bytes = fake_counts(f->server)->used_bytes;
    const size_t sizes[] = {1, HD_FRAME_HEADER_BYTES - 1, HD_FRAME_HEADER_BYTES, 5000, sizeof bytes - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct end end = open_ring(f);
        ring_echo(f, &end, 2, 10);
        (void)put_frame(bytes, FAKE_ECHO, 3, NULL, sizeof bytes - HD_FRAME_HEADER_BYTES);
        ring_push(f, &end, bytes, sizes[i]);
        close_ring(&end);
        AWAIT(f, stats(f).connection_count == 0);
        turn(f);
        assert_int_equal(descriptors(), before);
        assert_true(fake_counts(f->server)->used_bytes <= used_bytes + 1024);
    }
}

static void one_that_is_over_is_told_and_closed(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f), stubborn = open_ring(f);
    uint8_t bytes[64];
    uint32_t size = 100000;
    ring_push(f, &stubborn, bytes, put_frame(bytes, FAKE_BIG, 1, &size, sizeof size));
    AWAIT(f, hd_ring_has_input(&stubborn.ring));
    ring_push(f, &end, bytes, put_frame(bytes, FAKE_GOODBYE, 2, "bye", 3));
    ring_pull(f, &end, bytes, HD_FRAME_HEADER_BYTES + 3);
    AWAIT(f, is_closed(end.fd));
    struct end killer = open_ring(f);
    ring_push(f, &killer, bytes, put_frame(bytes, FAKE_KILL, 3, NULL, 0));
    AWAIT(f, stats(f).connection_count == 1); /* though the stubborn one never reads */
    close_ring(&end);
    close_ring(&stubborn);
    close_ring(&killer);
}

static void stopping_sends_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct end end = open_ring(f);
    uint8_t bytes[64];
    ring_push(f, &end, bytes, put_frame(bytes, FAKE_ECHO, 2, "x", 1));
    AWAIT(f, hd_ring_has_input(&end.ring));
    hd_net_stop(f->net, 0, on_stopped, f);
    AWAIT(f, f->stopped);
    ring_pull(f, &end, bytes, HD_FRAME_HEADER_BYTES + 1);
    close_ring(&end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_of_any_size_go_through),
        TEST(a_random_stream_comes_back),
        TEST(rings_are_few_and_sockets_go_on),
        TEST(there_are_none_over_tcp),
        TEST(nobody_has_two),
        TEST(memory_is_charged),
        cmocka_unit_test(each_part_of_a_ring_fails),
        TEST(silent_rings_let_the_daemon_sleep),
        TEST(a_sleeping_client_is_woken_once),
        TEST(a_slow_reader_is_waited_for_asleep),
        TEST(descriptors_come_before_their_frames),
        TEST(lies_end_their_own_session_alone),
        TEST(what_was_taken_is_not_looked_at_again),
        TEST(what_was_sent_before_the_end_is_run),
        TEST(one_that_dies_with_replies_unread_leaves_nothing),
        TEST(who_sends_on_behind_the_request_is_closed),
        cmocka_unit_test(one_that_ended_half_before_its_ring_leaves_nothing),
        TEST(bells_mean_nothing),
        TEST(holes_in_its_memory_end_a_session),
        TEST(descriptors_among_bells_are_closed),
        TEST(half_a_frame_and_the_end_leave_nothing),
        TEST(one_that_is_over_is_told_and_closed),
        TEST(stopping_sends_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
