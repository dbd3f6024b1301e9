#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "net/address.h"

static void accepts(const char *text, const char *formatted)
{
    struct hd_address address;
    struct hd_reason reason = {""};
    assert_int_equal(hd_address_parse(text, &address, &reason), 0);
    assert_string_equal(address.text, formatted);
    assert_string_equal(reason.text, "");
}

static void refuses(const char *text, const char *hint)
{
    struct hd_address address = {.length = 77};
    struct hd_reason reason = {""};
    assert_int_equal(hd_address_parse(text, &address, &reason), HD_EINVALID);
    if (!strstr(reason.text, hint))
        fail_msg("\"%s\" does not say \"%s\"", reason.text, hint);
    assert_int_equal(address.length, 77);
}

static void parses_what_people_write(void **state)
{
    (void)state;
    accepts("/run/heapd/heapd.sock", "unix:/run/heapd/heapd.sock");
    accepts("unix:heapd.sock", "unix:heapd.sock");
    accepts("./heapd.sock", "unix:./heapd.sock");
    accepts("tcp:127.0.0.1:7411", "tcp:127.0.0.1:7411");
    accepts("tcp:127.9.9.9:0", "tcp:127.9.9.9:0");
    accepts("tcp:localhost:7411", "tcp:127.0.0.1:7411");
    accepts("tcp:[::1]:65535", "tcp:[::1]:65535");
}

static void refuses_with_a_reason(void **state)
{
    (void)state;
    refuses("", "write unix:/PATH");
    refuses("heapd", "write unix:/PATH");
    refuses("unix:", "needs a path");
    refuses("tcp:127.0.0.1", "is not an address");
    refuses("tcp:127.0.0.1:", "is not an address");
    refuses("tcp:127.0.0.1:65536", "is not an address");
    refuses("tcp:127.0.0.1:-1", "is not an address");
    refuses("tcp::7411", "is not an address");
    refuses("tcp:[::1:7411", "is not an address");
    refuses("tcp:]:1", "not a loopback address");
    refuses("tcp:[]:1", "is not an address");
    refuses("tcp:0.0.0.0:7411", "loopback");
    refuses("tcp:[::]:7411", "loopback");
    refuses("tcp:192.168.1.1:7411", "ssh");
    refuses("tcp:example.com:7411", "loopback");
}

static void a_unix_path_has_a_longest_length(void **state)
{
    (void)state;
    char text[200] = "/";
    memset(text + 1, 'a', 106);
    struct hd_address address;
    struct hd_reason reason;
    assert_int_equal(hd_address_parse(text, &address, &reason), 0);
    assert_int_equal(strlen(address.text), 5 + 107);
    text[107] = 'a';
    refuses(text, "at most 107 bytes");
}

static void tells_what_a_socket_is_bound_to(void **state)
{
    (void)state;
    struct hd_reason reason;
    struct hd_address address, bound;
    assert_int_equal(hd_address_parse("tcp:127.0.0.1:0", &address, &reason), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, &address.socket.any, address.length), 0);
    assert_int_equal(hd_address_of(fd, &bound, &reason), 0);
    assert_int_not_equal(bound.socket.inet.sin_port, 0);
    close(fd);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    address.socket.inet.sin_addr.s_addr = INADDR_ANY;
    assert_int_equal(bind(fd, &address.socket.any, address.length), 0);
    assert_int_equal(hd_address_of(fd, &bound, &reason), HD_EINVALID);
    close(fd);
    assert_int_equal(hd_address_of(fd, &bound, &reason), HD_ESYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_people_write),
        cmocka_unit_test(refuses_with_a_reason),
        cmocka_unit_test(a_unix_path_has_a_longest_length),
        cmocka_unit_test(tells_what_a_socket_is_bound_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
