#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/options.h"

static int parse(struct hd_options *options, struct hd_reason *reason, const char *line)
{
    char text[512], *argv[32] = {(char[]){"heapd"}};
    int argc = 1;
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return hd_options_parse(argc, argv, options, reason);
}

static void accepts(struct hd_options *options, const char *line)
{
    struct hd_reason reason;
    if (parse(options, &reason, line))
        fail_msg("%s", reason.text);
}

static void refuses(const char *line, const char *hint)
{
    struct hd_options options;
    struct hd_reason reason = {""};
    assert_int_not_equal(parse(&options, &reason, line), 0);
    if (!strstr(reason.text, hint))
        fail_msg("\"%s\" does not say \"%s\"", reason.text, hint);
}

static void reads_every_option(void **state)
{
    (void)state;
    struct hd_options o;
    accepts(&o, "--listen /tmp/a -l tcp:[::1]:5 --memory-limit 1G --log-level error --foreground");
    assert_int_equal(o.action, HD_ACTION_SERVE);
    assert_int_equal(o.settings.listen_count, 2);
    assert_string_equal(o.settings.listen[1].text, "tcp:[::1]:5");
    assert_int_equal(o.settings.memory_limit_bytes, 1 << 30);
    assert_int_equal(o.settings.log_level, HD_LOG_ERROR);
    accepts(&o, "");
    assert_int_equal(o.settings.listen_count, 0);
    accepts(&o, "--version");
    assert_int_equal(o.action, HD_ACTION_VERSION);
    accepts(&o, "-h");
    assert_int_equal(o.action, HD_ACTION_HELP);
    assert_non_null(strstr(hd_options_usage(), "--check-config"));
}

static void the_command_line_goes_over_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/heapd-test-XXXXXX", line[256];
    const char text[] = "listen = /tmp/file\nmemory_limit = 2G\nmax_slots = 99\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct hd_options o;
    (void)snprintf(line, sizeof line, "--listen /tmp/line --memory-limit none --check-config --config %s", path);
    accepts(&o, line);
    assert_int_equal(o.action, HD_ACTION_CHECK_CONFIG);
    assert_int_equal(o.settings.listen_count, 1);
    assert_string_equal(o.settings.listen[0].text, "unix:/tmp/line");
    assert_true(o.settings.memory_limit_bytes == UINT64_MAX);
    assert_int_equal(o.settings.max_slots, 99);
    (void)snprintf(line, sizeof line, "--config %s", path);
    accepts(&o, line);
    assert_string_equal(o.settings.listen[0].text, "unix:/tmp/file");
    unlink(path);
    refuses(line, "No such file");
}

static void refuses_with_advice(void **state)
{
    (void)state;
    refuses("--frobnicate", "\"--frobnicate\" is not an option");
    refuses("-x", "heapd --help");
    refuses("--config", "needs a value");
    refuses("extra", "one argument too many");
    refuses("--listen nowhere", "unix:/PATH");
    refuses("--memory-limit little", "512M");
    refuses("--log-level shout", "debug");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_option),
        cmocka_unit_test(the_command_line_goes_over_the_file),
        cmocka_unit_test(refuses_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
