/* The helper: jobs given by one thread are done by another, and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/helper.h"

#define PATIENCE_MS 20000

static atomic_uint told_count;

static void on_done(void *context)
{
    (void)context;
    atomic_fetch_add(&told_count, 1);
}

static int new_file(uint64_t bytes)
{
    const struct hd_os *os = hd_os_linux();
    int fd;
    assert_int_equal(os->shared_new(os->context, bytes, false, &fd), 0);
    return fd;
}

/* Takes jobs until so many came. */
static unsigned take(struct hd_helper *helper, unsigned wanted, unsigned *sealed)
{
    unsigned count = 0;
    for (int i = 0; i < PATIENCE_MS && count < wanted; i++) {
        for (struct hd_helper_job *job = hd_helper_take(helper), *next; job; job = next, count++) {
            next = job->next;
            *sealed += job->task == HD_HELPER_SEAL && job->result == 0;
        }
        usleep(1000);
    }
    return count;
}

static void jobs_come_back_done(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct hd_helper_job jobs[2 * COUNT];
    struct hd_helper *helper;
    unsigned sealed = 0;
    atomic_store(&told_count, 0);
    assert_int_equal(hd_helper_new(hd_os_linux(), &hd_allocator_libc, &helper), 0);
    assert_null(hd_helper_take(helper));
    hd_helper_on_done(helper, on_done, NULL);
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = (struct hd_helper_job){.task = HD_HELPER_SEAL, .fd = new_file(4096)};
        hd_helper_give(helper, &jobs[i]);
    }
    assert_int_equal(take(helper, COUNT, &sealed), COUNT);
    assert_int_equal(sealed, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(pwrite(jobs[i].fd, "x", 1, 0) < 0);
        jobs[COUNT + i] = (struct hd_helper_job){.task = HD_HELPER_CLOSE, .fd = jobs[i].fd};
        hd_helper_give(helper, &jobs[COUNT + i]);
    }
    assert_int_equal(take(helper, COUNT, &sealed), COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_true(fcntl(jobs[i].fd, F_GETFD) < 0);
    assert_int_equal(atomic_load(&told_count), 2 * COUNT);
    hd_helper_on_done(helper, NULL, NULL);
    hd_helper_free(helper);
}

static void what_is_mapped_is_not_sealed(void **state)
{
    (void)state;
    struct hd_helper *helper;
    unsigned sealed = 0;
    assert_int_equal(hd_helper_new(hd_os_linux(), &hd_allocator_libc, &helper), 0);
    struct hd_helper_job job = {.task = HD_HELPER_SEAL, .fd = new_file(8192)};
    char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, job.fd, 0);
    assert_true(mapped != MAP_FAILED);
    hd_helper_give(helper, &job);
    assert_int_equal(take(helper, 1, &sealed), 1);
    assert_int_equal(job.result, HD_EMAPPED);
    assert_int_equal(munmap(mapped, 8192), 0);
    hd_helper_give(helper, &job);
    assert_int_equal(take(helper, 1, &sealed), 1);
    assert_int_equal(job.result, 0);
    close(job.fd);
    hd_helper_free(helper);
}

static void freeing_does_what_was_given(void **state)
{
    (void)state;
    static struct hd_helper_job jobs[100];
    struct hd_helper *helper;
    assert_int_equal(hd_helper_new(hd_os_linux(), &hd_allocator_libc, &helper), 0);
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct hd_helper_job){.task = HD_HELPER_CLOSE, .fd = new_file(1 << 20)};
        hd_helper_give(helper, &jobs[i]);
    }
    hd_helper_free(helper);
    for (int i = 0; i < 100; i++)
        assert_true(fcntl(jobs[i].fd, F_GETFD) < 0);
    hd_helper_free(NULL);
}

static void shared_memory_keeps_its_size(void **state)
{
    (void)state;
    const struct hd_os *os = hd_os_linux();
    int fd = new_file(10000), reader, writer;
    char bytes[16] = "abcdefghijklmno", back[16];
    assert_true(ftruncate(fd, 0) < 0 && ftruncate(fd, 20000) < 0);
    assert_int_equal(os->shared_write(os->context, fd, 9984, bytes, 16), 0);
    assert_int_not_equal(os->shared_write(os->context, fd, 9990, bytes, 16), 0);
    assert_int_equal(os->shared_read(os->context, fd, 9984, back, 16), 0);
    assert_memory_equal(bytes, back, 16);
    assert_int_not_equal(os->shared_read(os->context, fd, 9990, back, 16), 0);
    assert_int_equal(os->shared_writer(os->context, fd, &writer), 0);
    assert_int_equal(os->shared_reader(os->context, fd, &reader), 0);
    assert_true(pwrite(reader, "x", 1, 0) < 0 && pwrite(writer, "x", 1, 0) == 1);
    assert_int_equal(os->shared_seal(os->context, fd), 0);
    assert_int_equal(os->shared_seal(os->context, fd), 0);
    assert_true(pwrite(writer, "x", 1, 0) < 0);
    os->shared_close(os->context, fd);
    close(reader);
    close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_done),
        cmocka_unit_test(what_is_mapped_is_not_sealed),
        cmocka_unit_test(freeing_does_what_was_given),
        cmocka_unit_test(shared_memory_keeps_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
