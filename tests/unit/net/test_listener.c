/* Those who are not let in: too many, no memory, no descriptors. */
#include "harness.h"

#include <heapd/v1/value.pb-c.h>
#include <sys/resource.h>
#include <unistd.h>

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
    assert_int_equal(fake_stat(f->server, "net_refused_limit_count"), 1);
    expect_echo(f, fd, 2);
    fake_relief(f->server, SIZE_MAX); /* collecting helps, this time */
    int lucky = dial(f);
    expect_echo(f, lucky, 1);
    assert_int_equal(stats(f).refused_limit_count, 1);
    close(lucky);
    fake_limit(f->server, SIZE_MAX);
    int later = dial(f);
    expect_echo(f, later, 1);
    close(fd);
    close(later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_connections_are_refused_clearly),
        TEST(lack_of_descriptors_is_told_and_passes),
        TEST(a_connection_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
