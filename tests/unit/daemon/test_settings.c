#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/settings.h"

static struct hd_settings defaults(void)
{
    struct hd_settings settings;
    hd_settings_default(&settings);
    return settings;
}

static void says(const struct hd_reason *reason, const char *hint)
{
    if (!strstr(reason->text, hint))
        fail_msg("\"%s\" does not say \"%s\"", reason->text, hint);
}

static struct hd_settings parsed(const char *text)
{
    struct hd_settings settings = defaults();
    struct hd_reason reason;
    if (hd_settings_parse(&settings, "f", text, strlen(text), &reason))
        fail_msg("%s", reason.text);
    return settings;
}

static void refuses(const char *text, const char *place, const char *hint)
{
    struct hd_settings settings = defaults(), before = settings;
    struct hd_reason reason = {""};
    assert_int_equal(hd_settings_parse(&settings, "heapd.conf", text, strlen(text), &reason), HD_EINVALID);
    says(&reason, place);
    says(&reason, hint);
    assert_memory_equal(&settings, &before, sizeof settings);
}

static void reads_every_key(void **state)
{
    (void)state;
    struct hd_settings s = parsed("# a comment\n"
                                  "\n"
                                  "listen = /run/a#b.sock   # and a comment behind\n"
                                  "listen=tcp:127.0.0.1:7411\n"
                                  "  memory_limit =  2G\n"
                                  "max_connections = 100\r\n"
                                  "max_slots = 64K\n"
                                  "max_frame = 1m\n"
                                  "max_parked = 7\n"
                                  "max_tokens = 8K\n"
                                  "log_level = debug\n"
                                  "gc_threshold = 500 20 5\n"
                                  "gc_interval = 60\n"
                                  "gc_on_session_end = yes\n"
                                  "huge_pages = no\n"
                                  "preallocate = 64M\n"
                                  "seed = 18446744073709551615");
    assert_int_equal(s.listen_count, 2);
    assert_string_equal(s.listen[0].text, "unix:/run/a#b.sock");
    assert_string_equal(s.listen[1].text, "tcp:127.0.0.1:7411");
    assert_int_equal(s.memory_limit_bytes, UINT64_C(2) << 30);
    assert_int_equal(s.max_connections, 100);
    assert_int_equal(s.max_slots, 65536);
    assert_int_equal(s.max_frame_bytes, 1 << 20);
    assert_int_equal(s.max_parked, 7);
    assert_int_equal(s.max_tokens, 8192);
    assert_int_equal(s.log_level, HD_LOG_DEBUG);
    assert_int_equal(s.gc_threshold[0], 500);
    assert_int_equal(s.gc_threshold[1], 20);
    assert_int_equal(s.gc_threshold[2], 5);
    assert_int_equal(s.gc_interval_s, 60);
    assert_true(s.gc_on_session_end);
    assert_false(s.huge_pages);
    assert_int_equal(s.preallocate_bytes, 64 << 20);
    assert_true(s.has_seed);
    assert_true(s.seed == UINT64_MAX);
}

static void nothing_means_the_defaults(void **state)
{
    (void)state;
    struct hd_settings s = parsed(""), d = defaults();
    assert_memory_equal(&s, &d, sizeof s);
    s = parsed("\n\n  \n#");
    assert_memory_equal(&s, &d, sizeof s);
    assert_int_equal(parsed("memory_limit = none").memory_limit_bytes == UINT64_MAX, 1);
    assert_int_equal(parsed("gc_threshold = 0,0,0").gc_threshold[0], 0);
    assert_int_equal(parsed("memory_limit = 1048576").memory_limit_bytes, 1 << 20);
}

static void refuses_with_place_and_advice(void **state)
{
    (void)state;
    refuses("\n\nmemory = 1G\n", "heapd.conf:3: ", "the keys are listen, memory_limit,");
    refuses("listen", "heapd.conf:1: ", "write key = value");
    refuses("= 4", "heapd.conf:1: ", "no key");
    refuses("log_level = info\nlog_level = info\n", "heapd.conf:2: ", "given before");
    refuses("max_slots = 9\nlog_level = loud", "heapd.conf:2: ", "error, warning, info or debug");
    refuses("listen = tcp:0.0.0.0:1", "heapd.conf:1: ", "loopback");
    refuses("memory_limit = ", "1: ", "512M");
    refuses("memory_limit = 100", "1: ", "at least 1M");
    refuses("memory_limit = -1", "1: ", "512M");
    refuses("memory_limit = 5T", "1: ", "512M");
    refuses("memory_limit = 5GB", "1: ", "512M");
    refuses("memory_limit = 99999999999999999999", "1: ", "512M");
    refuses("memory_limit = 18014398509481984K", "1: ", "512M");
    refuses("max_connections = 0", "1: ", "from 1 to 1000000");
    refuses("max_slots = 1", "1: ", "from 2 to");
    refuses("max_frame = 4096", "1: ", "from 131072");
    refuses("max_frame = 17M", "1: ", "to 16777216");
    refuses("max_parked = many", "1: ", "write a number");
    refuses("gc_threshold = 700", "1: ", "three numbers");
    refuses("gc_threshold = 700 10 10 10", "1: ", "three numbers");
    refuses("gc_threshold = 700 -10 10", "1: ", "three numbers");
    refuses("gc_threshold = 7000000000 10 10", "1: ", "three numbers");
    refuses("huge_pages = maybe", "1: ", "yes or no");
    refuses("gc_on_session_end = true", "1: ", "not a value of gc_on_session_end; write yes or no");
    refuses("gc_interval = -1", "1: ", "0 for never");
    refuses("gc_interval = 1.5", "1: ", "0 for never");
    refuses("gc_interval = 2678401", "1: ", "from 1 to 2678400");
    refuses("gc_interval = 1M", "1: ", "seconds");
    refuses("preallocate = some", "1: ", "K, M or G");
    refuses("preallocate = -1", "1: ", "K, M or G");
    refuses("preallocate = 17179869183G", "1: ", "K, M or G");
    refuses("seed = 0x10", "1: ", "below 2^64");
}

static void settings_must_go_together(void **state)
{
    (void)state;
    struct hd_reason reason = {""};
    struct hd_settings s = parsed("preallocate = 100M");
    assert_int_equal(hd_settings_check(&s, &reason), 0);
    s = parsed("preallocate = 63M\nmemory_limit = 64M");
    assert_int_equal(hd_settings_check(&s, &reason), 0);
    s = parsed("memory_limit = 64M\npreallocate = 64513K");
    assert_int_equal(hd_settings_check(&s, &reason), HD_EINVALID);
    says(&reason, "memory_limit = 67108864 leaves nothing beside preallocate = 66061312");
    s = parsed("memory_limit = 64M\npreallocate = 1G");
    assert_int_equal(hd_settings_check(&s, &reason), HD_EINVALID);
    s = parsed("memory_limit = 1M");
    assert_int_equal(hd_settings_check(&s, &reason), 0);
}

static void refuses_what_is_no_text(void **state)
{
    (void)state;
    struct hd_settings settings = defaults();
    struct hd_reason reason;
    assert_int_equal(hd_settings_parse(&settings, "f", "\0\0\0", 3, &reason), HD_EINVALID);
    says(&reason, "f:1: ");
    char line[2000];
    memset(line, 'x', sizeof line);
    assert_int_equal(hd_settings_parse(&settings, "f", line, sizeof line, &reason), HD_EINVALID);
    says(&reason, "is this a configuration file?");
}

static void there_are_so_many_addresses(void **state)
{
    (void)state;
    char text[1024] = "";
    for (int i = 0; i <= HD_LISTEN_MAX; i++)
        strcat(text, "listen = /tmp/s\n");
    refuses(text, "heapd.conf:17: ", "more than 16 addresses");
}

static void loads_a_file(void **state)
{
    (void)state;
    struct hd_settings settings = defaults();
    struct hd_reason reason;
    char path[] = "/tmp/heapd-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "seed = 5\n", 9), 9);
    assert_int_equal(hd_settings_load(&settings, path, &reason), 0);
    assert_int_equal(settings.seed, 5);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(hd_settings_load(&settings, path, &reason), HD_EINVALID);
    says(&reason, "larger than 65535 bytes");
    close(fd);
    unlink(path);
    assert_int_equal(hd_settings_load(&settings, path, &reason), HD_ESYSTEM);
    says(&reason, "No such file");
    assert_int_equal(hd_settings_load(&settings, "/tmp", &reason), HD_ESYSTEM);
}

static void the_default_address_is_private(void **state)
{
    (void)state;
    char directory[] = "/tmp/heapd-test-XXXXXX";
    struct hd_address address;
    struct hd_reason reason;
    assert_non_null(mkdtemp(directory));
    setenv("XDG_RUNTIME_DIR", directory, 1);
    assert_int_equal(hd_settings_default_address(&address, &reason), 0);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "unix:%s/heapd.sock", directory);
    assert_string_equal(address.text, expected);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_int_equal(hd_settings_default_address(&address, &reason), HD_EINVALID);
    says(&reason, "others may not write to");
    rmdir(directory);
    assert_int_equal(hd_settings_default_address(&address, &reason), HD_ESYSTEM);
    says(&reason, "--listen");
    unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(refuses_with_place_and_advice),
        cmocka_unit_test(settings_must_go_together),
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(there_are_so_many_addresses),
        cmocka_unit_test(loads_a_file),
        cmocka_unit_test(the_default_address_is_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
