#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

static int ends[2];
static char text[4096];

static int setup(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    return pipe2(ends, O_NONBLOCK);
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static const char *logged(void)
{
    ssize_t count = read(ends[0], text, sizeof text - 1);
    text[count > 0 ? count : 0] = '\0';
    return text;
}

static void a_line_has_time_process_and_level(void **state)
{
    (void)state;
    struct hd_log log;
    char expected[64];
    hd_log_init(&log, ends[1], HD_LOG_INFO);
    hd_log(&log, HD_LOG_WARNING, "%d of %s", 5, "seven");
    (void)snprintf(expected, sizeof expected, "Z heapd[%ld] warning: 5 of seven\n", (long)getpid());
    assert_non_null(strstr(logged(), expected));
    assert_int_equal(strlen(text), strlen("2024-01-01T00:00:00.000") + strlen(expected));
}

static void levels_filter(void **state)
{
    (void)state;
    struct hd_log log;
    hd_log_init(&log, ends[1], HD_LOG_WARNING);
    hd_log(&log, HD_LOG_INFO, "no");
    hd_log(&log, HD_LOG_DEBUG, "no");
    assert_string_equal(logged(), "");
    hd_log(&log, HD_LOG_ERROR, "yes");
    assert_non_null(strstr(logged(), "error: yes\n"));
    enum hd_log_level level = HD_LOG_ERROR;
    assert_true(hd_log_level_parse("debug", &level));
    assert_int_equal(level, HD_LOG_DEBUG);
    assert_false(hd_log_level_parse("Debug", &level));
}

static void the_journal_gets_priorities(void **state)
{
    (void)state;
    struct stat stream;
    char name[64];
    struct hd_log log;
    assert_int_equal(fstat(ends[1], &stream), 0);
    (void)snprintf(name, sizeof name, "%" PRIu64 ":%" PRIu64, (uint64_t)stream.st_dev, (uint64_t)stream.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    hd_log_init(&log, ends[1], HD_LOG_INFO);
    hd_log(&log, HD_LOG_ERROR, "bad");
    hd_log(&log, HD_LOG_INFO, "good");
    assert_string_equal(logged(), "<3>bad\n<6>good\n");
    setenv("JOURNAL_STREAM", "1:2", 1); /* meant for another stream */
    hd_log_init(&log, ends[1], HD_LOG_INFO);
    assert_false(log.journal);
}

static void nobody_can_forge_a_line(void **state)
{
    (void)state;
    struct hd_log log;
    char longest[5000];
    hd_log_init(&log, ends[1], HD_LOG_INFO);
    hd_log(&log, HD_LOG_INFO, "client \"%s\"", "x\nheapd: all is lost\x1b[2J");
    assert_non_null(strstr(logged(), "x?heapd: all is lost?[2J"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    memset(longest, 'l', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    hd_log(&log, HD_LOG_INFO, "%s", longest);
    assert_true(strlen(logged()) <= 1024);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_process_and_level),
        TEST(levels_filter),
        TEST(the_journal_gets_priorities),
        TEST(nobody_can_forge_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
