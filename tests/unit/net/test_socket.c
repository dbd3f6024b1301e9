#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/socket.h"

struct place {
    char directory[64];
    char path[96];
    char lock[104];
    struct hd_address address;
    struct hd_reason reason;
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    strcpy(place->directory, "/tmp/heapd-test-XXXXXX");
    if (!mkdtemp(place->directory))
        return -1;
    (void)snprintf(place->path, sizeof place->path, "%s/s", place->directory);
    (void)snprintf(place->lock, sizeof place->lock, "%s.lock", place->path);
    *state = place;
    return hd_address_parse(place->path, &place->address, &place->reason);
}

static int teardown(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    unlink(place->lock);
    int failed = rmdir(place->directory); /* so nothing else was left in it */
    free(place);
    return failed;
}

static void says(const struct place *place, const char *hint)
{
    if (!strstr(place->reason.text, hint))
        fail_msg("\"%s\" does not say \"%s\"", place->reason.text, hint);
}

static void opens_private_and_cleans_up(void **state)
{
    struct place *place = *state;
    struct hd_socket made;
    mode_t mask = umask(0);
    assert_int_equal(hd_socket_listen(&place->address, &made, &place->reason), 0);
    assert_int_equal(umask(mask), 0); /* the process's umask is as it was */
    struct stat found;
    assert_int_equal(lstat(place->path, &found), 0);
    assert_true(S_ISSOCK(found.st_mode));
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(lstat(place->lock, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_true(fcntl(made.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(made.fd, F_GETFL) & O_NONBLOCK);
    hd_socket_close(&made);
    hd_socket_close(&made);
    assert_int_equal(access(place->path, F_OK), -1);
    assert_int_equal(access(place->lock, F_OK), -1);
}

static void a_second_one_is_refused(void **state)
{
    struct place *place = *state;
    struct hd_socket first, second = {.fd = 77};
    assert_int_equal(hd_socket_listen(&place->address, &first, &place->reason), 0);
    assert_int_equal(hd_socket_listen(&place->address, &second, &place->reason), HD_EEXISTS);
    says(place, "another daemon listens on unix:/tmp/");
    assert_int_equal(second.fd, 77);
    assert_int_equal(access(place->path, F_OK), 0);
    assert_int_equal(access(place->lock, F_OK), 0);
    hd_socket_close(&first);
    assert_int_equal(hd_socket_listen(&place->address, &second, &place->reason), 0);
    hd_socket_close(&second);
}

static void a_stale_file_is_replaced(void **state)
{
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0) { /* a daemon that dies without cleaning up */
        struct hd_socket made;
        _exit(hd_socket_listen(&place->address, &made, &place->reason) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(access(place->path, F_OK), 0);
    struct hd_socket made;
    assert_int_equal(hd_socket_listen(&place->address, &made, &place->reason), 0);
    hd_socket_close(&made);
}

static void another_program_is_respected(void **state)
{
    struct place *place = *state;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, &place->address.socket.any, place->address.length), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct hd_socket made;
    assert_int_equal(hd_socket_listen(&place->address, &made, &place->reason), HD_EEXISTS);
    says(place, "another program listens on");
    assert_int_equal(access(place->path, F_OK), 0);
    close(fd);
}

static void a_file_of_another_kind_is_respected(void **state)
{
    struct place *place = *state;
    close(open(place->path, O_CREAT | O_WRONLY, 0600));
    struct hd_socket made;
    assert_int_equal(hd_socket_listen(&place->address, &made, &place->reason), HD_EEXISTS);
    says(place, "not a socket");
    assert_int_equal(access(place->path, F_OK), 0);
}

static void a_successors_socket_is_not_removed(void **state)
{
    struct place *place = *state;
    struct hd_socket made;
    assert_int_equal(hd_socket_listen(&place->address, &made, &place->reason), 0);
    unlink(place->path);
    close(open(place->path, O_CREAT | O_WRONLY, 0600));
    hd_socket_close(&made);
    assert_int_equal(access(place->path, F_OK), 0);
}

static void a_missing_directory_is_named(void **state)
{
    struct place *place = *state;
    struct hd_address address;
    struct hd_socket made;
    assert_int_equal(hd_address_parse("/nowhere/at/all/s", &address, &place->reason), 0);
    assert_int_equal(hd_socket_listen(&address, &made, &place->reason), HD_ESYSTEM);
    says(place, "create its directory first");
}

static void tcp_takes_a_free_port_and_shares_none(void **state)
{
    struct place *place = *state;
    struct hd_address address;
    struct hd_socket first, second;
    assert_int_equal(hd_address_parse("tcp:127.0.0.1:0", &address, &place->reason), 0);
    assert_int_equal(hd_socket_listen(&address, &first, &place->reason), 0);
    assert_int_not_equal(first.address.socket.inet.sin_port, 0);
    assert_int_equal(hd_socket_listen(&first.address, &second, &place->reason), HD_EEXISTS);
    says(place, "another program listens there");
    hd_socket_close(&first);
}

static void inherited_sockets_are_checked(void **state)
{
    struct place *place = *state;
    struct hd_socket made;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(hd_socket_adopt(pair[0], &made, &place->reason), HD_EINVALID);
    says(place, "not a listening stream socket");
    close(pair[0]);
    close(pair[1]);

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listen(fd, 1), 0); /* on every interface */
    assert_int_equal(hd_socket_adopt(fd, &made, &place->reason), HD_EINVALID);
    says(place, "neither a Unix nor a loopback");
    close(fd);

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, &place->address.socket.any, place->address.length), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(hd_socket_adopt(fd, &made, &place->reason), 0);
    assert_string_equal(made.address.text, place->address.text);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    hd_socket_close(&made);
    assert_int_equal(access(place->path, F_OK), 0); /* its starter's, not ours */
}

static void the_environment_is_meant_for_one_process(void **state)
{
    (void)state;
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(hd_socket_inherited_count(), 0);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(hd_socket_inherited_count(), 2);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(hd_socket_inherited_count(), 0);
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(hd_socket_inherited_count(), 0);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "-4", 1);
    assert_int_equal(hd_socket_inherited_count(), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_private_and_cleans_up),
        TEST(a_second_one_is_refused),
        TEST(a_stale_file_is_replaced),
        TEST(another_program_is_respected),
        TEST(a_file_of_another_kind_is_respected),
        TEST(a_successors_socket_is_not_removed),
        TEST(a_missing_directory_is_named),
        TEST(tcp_takes_a_free_port_and_shares_none),
        TEST(inherited_sockets_are_checked),
        cmocka_unit_test(the_environment_is_meant_for_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
