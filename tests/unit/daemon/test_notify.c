#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

static void tells_the_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, bytes), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(hd_notify("READY=1"), 0);
    char text[32] = "";
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_string_equal(text, "READY=1");
    close(fd);
}

static void speaks_to_a_path_and_to_an_abstract_name(void **state)
{
    (void)state;
    char directory[] = "/tmp/heapd-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/n", directory);
    tells_the_manager(path);
    unlink(path);
    rmdir(directory);
    (void)snprintf(path, sizeof path, "@heapd-test-%ld", (long)getpid());
    tells_the_manager(path);
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(hd_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(hd_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    assert_int_equal(hd_notify("READY=1"), HD_ESYSTEM);
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    assert_int_equal(hd_notify("READY=1"), HD_ESYSTEM);
    char longest[300];
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_int_equal(hd_notify("READY=1"), HD_ESYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_to_a_path_and_to_an_abstract_name),
        cmocka_unit_test(nobody_needs_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
