/* Requests about buffers: what is passed, what is refused, and that nothing is left of what could not be done. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <heapd/v1/buffer.pb-c.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    unsigned count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static uint64_t send_create_buffer(struct rpc_client *client, uint64_t size, hd_handle into)
{
    Heapd__V1__CreateBufferRequest request = HEAPD__V1__CREATE_BUFFER_REQUEST__INIT;
    request.size = size;
    request.into = into;
    request.want_descriptor = true;
    return rpc_send(client, METHOD(CREATE_BUFFER), &request);
}

static uint64_t send_seal(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__SealBufferRequest request = HEAPD__V1__SEAL_BUFFER_REQUEST__INIT;
    request.object = object;
    return rpc_send(client, METHOD(SEAL_BUFFER), &request);
}

static uint64_t send_get_buffer(struct rpc_client *client, hd_handle object)
{
    Heapd__V1__GetBufferRequest request = HEAPD__V1__GET_BUFFER_REQUEST__INIT;
    request.object = object;
    request.want_descriptor = true;
    return rpc_send(client, METHOD(GET_BUFFER), &request);
}

/* As net does: the descriptor first, then the bytes. The helper's thread may have to be waited for. 0 or the error. */
static int finish(struct fixture *fixture, uint64_t id, bool passes)
{
    struct rpc_client *a = &fixture->a;
    struct rpc_reply reply;
    size_t before;
    unsigned passed = 0;
    for (;;) {
        rpc_pump(a);
        rpc_world_run(&fixture->world);
        while (hd_rpc_next_descriptor(a->connection, &before) >= 0) {
            hd_rpc_descriptor_sent(a->connection);
            passed++;
        }
        a->deaf = false;
        rpc_pump(a);
        a->deaf = true;
        if (rpc_take(a, id, &reply))
            break;
        (void)sched_yield();
    }
    bool failed = reply.frame.flags & HD_FRAME_ERROR;
    assert_int_equal(passed, passes && !failed);
    assert_int_equal(reply.frame.descriptors, passed);
    if (!failed)
        return 0;
    Heapd__V1__Error *error = rpc_unpack(&reply, &heapd__v1__error__descriptor);
    int code = -(int)error->code;
    free_message(error);
    return code;
}

enum ask { CREATE, SEAL, GET };

static int ask(struct fixture *fixture, enum ask what, hd_handle handle)
{
    struct rpc_client *a = &fixture->a;
    uint64_t id = what == CREATE ? send_create_buffer(a, 5000, handle)
                  : what == SEAL ? send_seal(a, handle)
                                 : send_get_buffer(a, handle);
    return finish(fixture, id, what != SEAL);
}

static void release(struct fixture *fixture, hd_handle handle)
{
    fixture->a.deaf = false;
    expect_empty(&fixture->a, send_release(&fixture->a, handle));
    fixture->a.deaf = true;
    while (rpc_world_stat(&fixture->world, "objects_buffer_count") > 0)
        rpc_world_run(&fixture->world);
}

/* Each allocation of each request, in turn. What failed can be asked again, and in the end nothing is left. */
static void each_allocation_fails(void **state)
{
    struct fixture *fixture = *state;
    uint32_t generation = 0;
    unsigned refused = 0;
    fixture->a.deaf = true;
    assert_int_equal(ask(fixture, CREATE, HANDLE(9, 1)), 0); /* the helper's thread and its like are there */
    assert_int_equal(ask(fixture, SEAL, HANDLE(9, 1)), 0);
    release(fixture, HANDLE(9, 1));
    while (rpc_world_stat(&fixture->world, "buffers_count") > 0)
        rpc_world_run(&fixture->world);
    for (enum ask failing = CREATE; failing <= GET; failing++) {
        for (uint64_t nth = 1; nth < 8; nth++) {
            hd_handle handle = HANDLE(3, ++generation);
            for (enum ask what = CREATE; what <= GET; what++) {
                if (what == failing) {
                    fixture->world.fail_at = nth;
                    fixture->world.fail_every = 1;
                    uint64_t bytes = rpc_world_stat(&fixture->world, "buffers_bytes");
                    uint64_t id = what == CREATE ? send_create_buffer(&fixture->a, 5000, handle)
                                  : what == SEAL ? send_seal(&fixture->a, handle)
                                                 : send_get_buffer(&fixture->a, handle);
                    fixture->world.now_ns += UINT64_C(20000000000); /* it waited for memory, in vain */
                    do
                        rpc_world_run(&fixture->world);
                    while (rpc_pump(&fixture->a));
                    fixture->world.fail_at = fixture->world.fail_every = 0;
                    int error = finish(fixture, id, what != SEAL);
                    assert_true(error == 0 || error == HD_ENOMEM);
                    rpc_world_check(&fixture->world);
                    if (error == 0)
                        continue;
                    refused++;
                    assert_int_equal(rpc_world_stat(&fixture->world, "buffers_bytes"), bytes);
                    if (what == CREATE)
                        handle = HANDLE(3, ++generation);
                }
                assert_int_equal(ask(fixture, what, handle), 0);
            }
            release(fixture, handle);
        }
    }
    assert_true(refused >= 3);
    fixture->a.deaf = false;
}

/* Several replies gather in the output: each descriptor goes in front of its own frame. */
static void descriptors_go_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    size_t before, there;
    a->deaf = true;
    for (uint32_t i = 1; i <= 3; i++)
        send_create_buffer(a, i, HANDLE(i, 1));
    (void)hd_rpc_output(a->connection, &there);
    for (int i = 0; i < 3; i++) {
        assert_true(hd_rpc_next_descriptor(a->connection, &before) >= 0);
        assert_int_equal(before, 0);
        size_t reach = hd_rpc_descriptor_reach(a->connection, there);
        assert_in_range(reach, HD_FRAME_HEADER_BYTES, i == 2 ? there : there - 1);
        assert_int_equal(hd_rpc_descriptor_reach(a->connection, 5), 5);
        hd_rpc_descriptor_sent(a->connection);
        rpc_take_output(a, reach);
        there -= reach;
    }
    assert_int_equal(there, 0);
    assert_true(hd_rpc_next_descriptor(a->connection, &before) < 0);
    a->deaf = false;
}

/* Who asks for many descriptors and takes none is not given more than so many; none stays behind when it goes. */
static void a_client_that_never_reads(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = descriptors();
    struct rpc_client c;
    rpc_client_open(&c, &fixture->world, false);
    c.deaf = true;
    for (uint32_t i = 1; i <= 300; i++)
        send_create_buffer(&c, 1, HANDLE(i, 1));
    rpc_world_run(&fixture->world);
    /* A file and a descriptor on its way for each of those that were begun. */
    unsigned taken = descriptors() - before;
    rpc_client_close(&c);
    while (rpc_world_stat(&fixture->world, "objects_buffer_count") > 0)
        rpc_world_run(&fixture->world);
    for (int i = 0; i < 100000 && descriptors() > before; i++) {
        rpc_world_run(&fixture->world);
        (void)sched_yield();
    }
    assert_in_range(taken, 1, 2 * (64 + 2));
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(each_allocation_fails), TEST(descriptors_go_one_by_one),
                                       TEST(a_client_that_never_reads)};
    return cmocka_run_group_tests_name("rpc buffers", tests, NULL, NULL);
}
