/* OpenRing, as far as it is the rpc layer's: what was made is passed or taken back, never neither. */
#include "test.h"

#include <fcntl.h>
#include <heapd/v1/ring.pb-c.h>
#include <unistd.h>

struct source {
    void *owner;
    unsigned made;
    unsigned taken_back;
    int fd; /* made last */
};

static int make_ring(void *context, void *owner, struct hd_rpc_ring *out)
{
    struct source *source = context;
    source->owner = owner;
    if (!out) {
        source->taken_back++;
        return 0;
    }
    assert_int_equal(source->made, source->taken_back); /* one at a time */
    source->made++;
    source->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(source->fd >= 0);
    *out = (struct hd_rpc_ring){.fd = source->fd, .to_daemon_bytes = 4096, .to_client_bytes = 8192};
    return 0;
}

static void what_cannot_be_passed_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    unsigned refused = 0;
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct source source = {.fd = -1};
        struct rpc_reply reply;
        size_t before;
        hd_rpc_server_set_ring_source(fixture->world.server, make_ring, &source);
        a->deaf = true;
        fixture->world.fail_at = nth;
        fixture->world.fail_every = 1;
        uint64_t opened = rpc_send(a, METHOD(OPEN_RING), NULL);
        for (int i = 0; i < 4; i++) {
            rpc_pump(a);
            rpc_world_run(&fixture->world);
        }
        fixture->world.fail_at = fixture->world.fail_every = 0;
        rpc_pump(a);
        rpc_world_run(&fixture->world);
        rpc_pump(a);
        bool is_passed = hd_rpc_next_descriptor(a->connection, &before) >= 0;
        assert_int_equal(source.made - source.taken_back, is_passed);
        if (is_passed)
            hd_rpc_descriptor_sent(a->connection);
        assert_true(source.made == 0 || fcntl(source.fd, F_GETFD) < 0); /* closed, either way */
        a->deaf = false;
        rpc_pump(a);
        assert_true(rpc_take(a, opened, &reply));
        assert_int_equal(!!(reply.frame.flags & HD_FRAME_ERROR), !is_passed);
        refused += source.taken_back;
    }
    assert_true(refused > 0);
    hd_rpc_server_set_ring_source(fixture->world.server, NULL, NULL);
    expect_error(a, rpc_send(a, METHOD(OPEN_RING), NULL), HD_EINVALID, "go on over the socket");
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(what_cannot_be_passed_is_taken_back)};
    return cmocka_run_group_tests_name("rpc ring", tests, NULL, NULL);
}
