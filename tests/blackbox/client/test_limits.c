/* A daemon whose descriptors run out: it says so, goes on, and recovers. */
#include <heapd/heapd.h>
#include <string.h>
#include <sys/resource.h>

#include "fixture.h"
#include "test.h"

#define MORE 40
/* Above those in use; the limit is on their numbers, among which some are free. */
#define FREE 4

static struct bb_daemon bb;
static struct heapd_error error;

static int join(struct heapd_connection **out)
{
    char address[128];
    (void)snprintf(address, sizeof address, "unix:%s", bb.path);
    return heapd_connect(address, NULL, out, &error);
}

static uint64_t stat(struct heapd_connection *heap, const char *name)
{
    struct heapd_result stats = {0};
    assert_int_equal(heapd_stats(heap, &stats, &error), 0);
    uint64_t value = heapd_result_stat(&stats, name, UINT64_MAX);
    heapd_result_clear(&stats);
    return value;
}

/* What it was started with is not what it has to live with. */
static void the_soft_limit_is_raised(void **state)
{
    (void)state;
    struct rlimit old, low, now;
    struct heapd_connection *first;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    bb_daemon_start(&bb, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(prlimit(bb.pid, RLIMIT_NOFILE, NULL, &now), 0);
    assert_true(now.rlim_cur == now.rlim_max);
    assert_true(now.rlim_max == old.rlim_max);
    /* ThreadSanitizer loses a signal that meets a thread's first wait: the daemon is to have waited once. */
    assert_int_equal(join(&first), 0);
    heapd_close(first);
    bb_daemon_stop(&bb);
}

static void who_finds_no_descriptor_is_told(void **state)
{
    (void)state;
    struct heapd_connection *first, *others[MORE];
    unsigned joined = 0, refused = 0;
    bb_daemon_start(&bb, NULL);
    assert_int_equal(join(&first), 0);
    const rlim_t most = bb_daemon_descriptors(&bb) + FREE;
    assert_int_equal(prlimit(bb.pid, RLIMIT_NOFILE, &(struct rlimit){most, most}, NULL), 0);
    for (int i = 0; i < MORE; i++) {
        int code = join(&others[joined]);
        if (code == 0) {
            joined++;
            continue;
        }
        assert_int_equal(code, HEAPD_ELIMIT);
        assert_non_null(strstr(error.message, "open files"));
        refused++;
    }
    assert_true(joined > 0 && refused > 0);
    /* Each was refused once: nobody is left in the queue who would wake the daemon again and again. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(stat(first, "net_refused_descriptors_count"), refused);
    assert_int_equal(stat(first, "net_accept_failed_count"), 0);
    assert_int_equal(stat(first, "net_connections_count"), joined + 1);
    heapd_close(others[--joined]);
    BB_AWAIT(stat(first, "net_connections_count") == joined + 1);
    assert_int_equal(join(&others[joined]), 0);
    assert_int_equal(stat(others[joined], "net_refused_descriptors_count"), refused);
    joined++;
    while (joined > 0)
        heapd_close(others[--joined]);
    heapd_close(first);
    bb_daemon_stop(&bb);
}

/* Thousands of buffers where there are descriptors for some: the others are refused, and nothing else is. */
static void buffers_beyond_the_descriptors_are_refused(void **state)
{
    (void)state;
    enum { ASKED = 3000 };
    static heapd_handle handles[ASKED];
    struct heapd_connection *heap;
    struct heapd_buffer *buffer;
    bb_daemon_start(&bb, NULL);
    assert_int_equal(join(&heap), 0);
    const rlim_t most = bb_daemon_descriptors(&bb) + 100;
    assert_int_equal(prlimit(bb.pid, RLIMIT_NOFILE, &(struct rlimit){most, most}, NULL), 0);
    unsigned made = 0, refused = 0;
    for (unsigned i = 0; i < ASKED; i++) {
        int code = heapd_buffer_put(heap, &i, sizeof i, &handles[made], &error);
        if (code == 0) {
            made++;
            continue;
        }
        assert_int_equal(code, HEAPD_EDESCRIPTORS);
        assert_non_null(strstr(error.message, "open files"));
        refused++;
    }
    assert_in_range(made, 50, 110);
    assert_true(refused > 0);
    /* What there is can be had as long as one descriptor is left for it. */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(heapd_release(heap, handles[--made]), 0);
    BB_AWAIT(stat(heap, "buffers_count") == made);
    BB_AWAIT(heapd_buffer_get(heap, handles[0], &buffer, &error) == 0); /* a helper's thread closes */
    heapd_buffer_release(buffer);
    while (made > 0)
        assert_int_equal(heapd_release(heap, handles[--made]), 0);
    BB_AWAIT(stat(heap, "buffers_count") == 0);
    BB_AWAIT(bb_daemon_descriptors(&bb) <= most - 90);
    assert_int_equal(heapd_buffer_put(heap, "again", 5, &handles[0], &error), 0);
    heapd_close(heap);
    bb_daemon_stop(&bb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_is_raised),
        cmocka_unit_test(who_finds_no_descriptor_is_told),
        cmocka_unit_test(buffers_beyond_the_descriptors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
