/* Memory that a daemon passes is mapped only if nobody can take it away again. */
#include "client/lib/mapping.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/lib/ring.h"

static int file_of(size_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void a_buffer_is_sealed_or_refused(void **state)
{
    const int lacking[] = {0, F_SEAL_SHRINK, F_SEAL_WRITE, F_SEAL_GROW};
    struct heapd_buffer *buffer = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        int fd = file_of(5000, lacking[i]);
        assert_int_equal(hd_mapping_of_file(fd, 5000, &buffer), HD_EPROTOCOL);
        close(fd);
    }
    int fd = file_of(5000, F_SEAL_SHRINK | F_SEAL_WRITE);
    assert_int_equal(hd_mapping_of_file(fd, 5001, &buffer), HD_EPROTOCOL);
    assert_int_equal(hd_mapping_of_file(fd, 5000, &buffer), 0);
    close(fd);
    assert_int_equal(heapd_buffer_bytes(buffer), 5000);
    heapd_buffer_release(buffer);
}

static void a_ring_that_could_shrink_is_refused(void **state)
{
    const uint32_t bytes = HD_RING_LEAST_BYTES;
    const size_t all = hd_ring_memory_bytes(bytes, bytes);
    struct hd_client_ring *ring = NULL;
    (void)state;
    int fd = file_of(all, F_SEAL_GROW);
    assert_int_equal(hd_client_ring_new(fd, bytes, bytes, &ring), HD_EPROTOCOL);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(hd_client_ring_new(fd, bytes, bytes * 2, &ring), HD_EPROTOCOL);
    assert_int_equal(hd_client_ring_new(fd, bytes, bytes, &ring), 0);
    close(fd);
    hd_client_ring_free(ring);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(hd_client_ring_new(pipes[0], bytes, bytes, &ring), HD_EPROTOCOL);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_sealed_or_refused),
        cmocka_unit_test(a_ring_that_could_shrink_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
