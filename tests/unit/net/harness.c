#include "harness.h"

#include <errno.h>
#include <unistd.h>

uint64_t now(void)
{
    return hd_os_linux()->now_ns(hd_os_linux()->context);
}

void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

struct fixture *begin(const struct fake_config *config)
{
    return begin_on(config, hd_os_linux());
}

struct fixture *begin_on(const struct fake_config *config, const struct hd_os *os)
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
    struct hd_net_config net_config = {
        .max_frame_bytes = config->max_frame_bytes, .slice_ns = 200000, .max_rings = 3, .ring_bytes = 4096};
    assert_int_equal(hd_net_new(&f->loop, f->server, os, &net_config, &f->net), 0);
    assert_int_equal(hd_net_listen(f->net, &socket), 0);
    return f;
}

int setup(void **state)
{
    *state = begin(&(struct fake_config){
        .max_frame_bytes = MAX_FRAME_BYTES, .max_connections = 10000, .output_high_bytes = 256 << 10});
    return 0;
}

void on_stopped(struct hd_net *net, void *data)
{
    (void)net;
    ((struct fixture *)data)->stopped = true;
}

void end(struct fixture *f)
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

int teardown(void **state)
{
    end(*state);
    return 0;
}

struct hd_net_stats stats(const struct fixture *f)
{
    struct hd_net_stats s;
    hd_net_stats(f->net, &s);
    return s;
}

/* --- a client --- */

int dial(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &f->address.socket.any, f->address.length), 0);
    return fd;
}

size_t put_frame(uint8_t *to, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes)
{
    struct hd_frame frame = {.method = method, .request_id = id, .body_bytes = body_bytes};
    hd_frame_write(to, &frame);
    if (body)
        memcpy(to + HD_FRAME_HEADER_BYTES, body, body_bytes);
    return HD_FRAME_HEADER_BYTES + body_bytes;
}

void push(struct fixture *f, int fd, const uint8_t *bytes, size_t count)
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

void ask(struct fixture *f, int fd, uint16_t method, uint64_t id, const void *body, uint32_t body_bytes)
{
    uint8_t *bytes = malloc(HD_FRAME_HEADER_BYTES + body_bytes);
    push(f, fd, bytes, put_frame(bytes, method, id, body, body_bytes));
    free(bytes);
}

void pull(struct fixture *f, int fd, uint8_t *to, size_t count)
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

struct hd_frame answer(struct fixture *f, int fd, void *body, size_t room)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    struct hd_frame frame;
    pull(f, fd, header, sizeof header);
    assert_int_equal(hd_frame_read(header, sizeof header, HD_FRAME_MAX_BODY_BYTES, &frame), 0);
    assert_true(frame.body_bytes <= room);
    pull(f, fd, body, frame.body_bytes);
    return frame;
}

void expect_echo(struct fixture *f, int fd, uint64_t id)
{
    char body[8];
    ask(f, fd, FAKE_ECHO, id, "ping", 4);
    struct hd_frame frame = answer(f, fd, body, sizeof body);
    assert_int_equal(frame.request_id, id);
    assert_int_equal(frame.body_bytes, 4);
    assert_memory_equal(body, "ping", 4);
}

bool is_closed(int fd)
{
    char scrap[4096];
    ssize_t got;
    while ((got = recv(fd, scrap, sizeof scrap, 0)) > 0)
        ;
    return got == 0 || errno == ECONNRESET;
}

/* splitmix64 */
uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t seed(void)
{
    const char *wanted = getenv("HEAPD_TEST_SEED");
    uint64_t value = wanted ? strtoull(wanted, NULL, 0) : now();
    print_message("HEAPD_TEST_SEED=%llu\n", (unsigned long long)value);
    return value;
}

size_t make_stream(uint8_t *stream, size_t room, uint64_t *random, uint64_t *frames)
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
