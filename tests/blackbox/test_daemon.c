/* The daemon as a process: start, stop, sockets, settings, limits. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

static char output[16384];

static void says(const char *hint)
{
    if (!strstr(output, hint))
        fail_msg("\"%s\" does not say \"%s\"", output, hint);
}

#define RUN(...) bb_run((const char *const[]){__VA_ARGS__, NULL}, output, sizeof output)

static void the_command_line_is_answered(void **state)
{
    (void)state;
    assert_int_equal(RUN("--version"), 0);
    says("heapd ");
    assert_int_equal(RUN("--help"), 0);
    says("--memory-limit");
    assert_int_equal(RUN("--frobnicate"), 2);
    says("not an option");
    assert_int_equal(RUN("--listen", "tcp:0.0.0.0:1"), 2);
    says("loopback");
    assert_int_equal(RUN("--listen", "/nowhere/at/all/s"), 1);
    says("create its directory first");
}

static void settings_are_checked(void **state)
{
    (void)state;
    char path[] = "/tmp/heapd-test-XXXXXX";
    const char text[] = "log_level = info\nmax_slots = lots\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(RUN("--check-config", "--config", path), 2);
    says(path);
    says(":2: ");
    assert_int_equal(ftruncate(fd, sizeof "log_level = info"), 0);
    assert_int_equal(RUN("--check-config", "--config", path), 0);
    close(fd);
    unlink(path);
    assert_int_equal(RUN("--check-config", "--config", path), 2);
    says("No such file");
}

static void the_socket_is_private(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct stat found;
    bb_daemon_start(&daemon, NULL);
    assert_int_equal(stat(daemon.path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    bb_daemon_stop(&daemon);
}

static void a_second_daemon_is_refused(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&client, daemon.path);
    assert_int_equal(RUN("--listen", daemon.path), 1);
    says("another daemon listens on");
    bb_ping(&client); /* the first one has noticed nothing */
    bb_close(&client);
    bb_connect(&client, daemon.path);
    bb_close(&client);
    bb_daemon_stop(&daemon);
}

static void a_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client;
    bb_daemon_start(&daemon, NULL);
    bb_daemon_kill(&daemon);
    assert_int_equal(access(daemon.path, F_OK), 0);
    bb_daemon_restart(&daemon, NULL);
    bb_connect(&client, daemon.path);
    bb_ping(&client);
    bb_close(&client);
    bb_daemon_stop(&daemon);
}

static void tcp_has_no_administration(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client;
    struct bb_reply reply;
    char address[64];
    bb_daemon_start(&daemon, (const char *const[]){"--listen", "tcp:127.0.0.1:0", NULL});
    bb_daemon_address(&daemon, "tcp:127.0.0.1:", address, sizeof address);
    bb_connect(&client, address);
    bb_create_list(&client, BB_HANDLE(1), 3);
    assert_int_equal(bb_length(&client, BB_HANDLE(1)), 3);
    bb_call(&client, BB_METHOD(SHUTDOWN), NULL, &reply);
    bb_expect_error(&reply, HD_EPERMISSION, "Unix socket");
    Heapd__V1__KillSessionRequest kill_one = HEAPD__V1__KILL_SESSION_REQUEST__INIT;
    kill_one.id = 1;
    bb_call(&client, BB_METHOD(KILL_SESSION), &kill_one.base, &reply);
    bb_expect_error(&reply, HD_EPERMISSION, "");
    bb_call(&client, BB_METHOD(LIST_SESSIONS), NULL, &reply);
    bb_expect_error(&reply, HD_EPERMISSION, "");
    bb_ping(&client);
    bb_close(&client);
    bb_daemon_stop(&daemon);
}

static void an_administrator_can_end_it(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client;
    struct bb_reply reply;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&client, daemon.path);
    bb_call(&client, BB_METHOD(SHUTDOWN), NULL, &reply); /* and the answer comes before the end */
    bb_expect_ok(&reply);
    assert_true(bb_is_closed(&client));
    assert_int_equal(bb_daemon_wait(&daemon), 0);
    bb_close(&client);
    bb_daemon_stop(&daemon);
}

static void signals_end_it_in_order(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client, waiting;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&client, daemon.path);
    bb_create_list(&client, BB_HANDLE(1), 100000);
    bb_bind(&client, "kept", BB_HANDLE(1));
    bb_connect(&waiting, daemon.path);
    Heapd__V1__LookupRequest lookup = HEAPD__V1__LOOKUP_REQUEST__INIT;
    lookup.name = bb_text("never");
    lookup.into = BB_HANDLE(1);
    lookup.wait_ms = 60000;
    bb_send(&waiting, BB_METHOD(LOOKUP), &lookup.base);
    kill(daemon.pid, SIGHUP); /* does nothing, and says so */
    assert_true(bb_daemon_logged(&daemon, "SIGHUP"));
    bb_ping(&client);
    kill(daemon.pid, SIGINT);
    assert_int_equal(bb_daemon_wait(&daemon), 0);
    bb_close(&client);
    bb_close(&waiting);
    bb_daemon_stop(&daemon);
}

/* A client that holds the daemon's last replies and does not read them cannot keep it from ending. */
static void a_client_that_does_not_read_cannot_hold_it(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client client;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&client, daemon.path);
    size_t payload_bytes = 100000;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    ping.payload = (ProtobufCBinaryData){.len = payload_bytes, .data = calloc(1, payload_bytes)};
    /* As many as surely fit the daemon's output and one socket buffer: this client sends until it is through. */
    for (int i = 0; i < 4; i++)
        bb_send(&client, BB_METHOD(PING), &ping.base);
    free(ping.payload.data);
    assert_true(bb_has_reply(&client, BB_PATIENCE_MS));
    uint64_t begin_ms = bb_now_ms();
    kill(daemon.pid, SIGTERM);
    assert_int_equal(bb_daemon_wait(&daemon), 0);
    assert_true(bb_now_ms() - begin_ms < 10000);
    bb_close(&client);
    bb_daemon_stop(&daemon);
}

static void too_many_connections_are_refused_clearly(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client clients[4], extra;
    struct bb_reply reply;
    char path[] = "/tmp/heapd-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "max_connections = 4\n", 20), 20);
    close(fd);
    bb_daemon_start(&daemon, (const char *const[]){"--config", path, NULL});
    unlink(path);
    for (int i = 0; i < 4; i++)
        bb_connect(&clients[i], daemon.path);
    bb_dial(&extra, daemon.path);
    bb_receive(&extra, &reply);
    assert_int_equal(reply.frame.request_id, 0);
    bb_expect_error(&reply, HD_ELIMIT, "max_connections");
    assert_true(bb_is_closed(&extra));
    bb_close(&extra);
    for (int i = 0; i < 4; i++) {
        bb_ping(&clients[i]);
        bb_close(&clients[i]);
    }
    BB_AWAIT((bb_dial(&extra, daemon.path), !bb_has_reply(&extra, 50) || (bb_close(&extra), false)));
    bb_hello(&extra, "late");
    bb_close(&extra);
    bb_daemon_stop(&daemon);
}

/* One client fills the heap to its limit: it is refused, nothing breaks, and others can still release. */
static void a_memory_limit_holds(void **state)
{
    (void)state;
    struct bb_daemon daemon;
    struct bb_client greedy, other;
    struct bb_reply reply;
    bb_daemon_start(&daemon, (const char *const[]){"--memory-limit", "24M", NULL});
    bb_connect(&greedy, daemon.path);
    bb_connect(&other, daemon.path);
    bb_create_list(&other, BB_HANDLE(1), 1000);
    uint8_t *bytes = malloc(400000);
    uint32_t slot = 0;
    for (;;) {
        size_t count = bb_pack_create_list(bytes, 400000, greedy.next_id++, BB_HANDLE(slot + 1), 50000);
        bb_write(&greedy, bytes, count);
        bb_receive(&greedy, &reply);
        if (reply.frame.flags & HD_FRAME_ERROR)
            break;
        bb_expect_handle(&reply, BB_HANDLE(++slot));
        assert_true(slot < 1000);
    }
    free(bytes);
    bb_expect_error(&reply, HD_ENOMEM, "limit");
    assert_true(slot > 10);
    assert_int_equal(bb_length(&greedy, BB_HANDLE(slot)), 50000);
    bb_ping(&other);
    bb_release(&other, BB_HANDLE(1));
    bb_close(&greedy);
    BB_AWAIT(bb_stat(&other, BB_STAT_OBJECTS) < 10);
    bb_create_list(&other, BB_HANDLE(2), 50000);
    bb_close(&other);
    bb_daemon_stop(&daemon);
}

/* What an idle connection costs the daemon, the kernel's part apart. */
static void idle_connections_are_cheap(void **state)
{
    (void)state;
    enum { COUNT = 800 };
    static struct bb_client clients[COUNT];
    struct bb_daemon daemon;
    struct bb_client admin;
    bb_daemon_start(&daemon, NULL);
    bb_connect(&admin, daemon.path);
    uint64_t before = bb_stat(&admin, BB_STAT_BOOKKEEPING);
    for (int i = 0; i < COUNT; i++) {
        bb_connect(&clients[i], daemon.path);
        bb_create_list(&clients[i], BB_HANDLE(1), 10);
    }
    uint64_t each = (bb_stat(&admin, BB_STAT_BOOKKEEPING) - before) / COUNT;
    print_message("%llu bytes of bookkeeping for each connection\n", (unsigned long long)each);
    assert_true(each <= 8192);
    for (int i = 0; i < COUNT; i++)
        bb_close(&clients[i]);
    BB_AWAIT(bb_stat(&admin, BB_STAT_BOOKKEEPING) < before + 65536);
    bb_close(&admin);
    bb_daemon_stop(&daemon);
}

/* As systemd does it: the socket is there before the daemon is. */
static void a_socket_can_be_handed_over(void **state)
{
    (void)state;
    char directory[] = "/tmp/heapd-test-XXXXXX", pid_text[32];
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fd != 3)
            (void)dup2(fd, 3);
        (void)snprintf(pid_text, sizeof pid_text, "%ld", (long)getpid());
        setenv("LISTEN_PID", pid_text, 1);
        setenv("LISTEN_FDS", "1", 1);
        (void)close(STDERR_FILENO);
        (void)open("/dev/null", O_WRONLY);
        execl(HEAPD_BINARY, HEAPD_BINARY, (char *)NULL);
        _exit(127);
    }
    close(fd);
    struct bb_client client;
    bb_connect(&client, address.sun_path); /* it waits in the queue until the daemon is up */
    bb_ping(&client);
    bb_close(&client);
    kill(pid, SIGTERM);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(unlink(address.sun_path), 0); /* it was not the daemon's to remove */
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_line_is_answered),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(the_socket_is_private),
        cmocka_unit_test(a_second_daemon_is_refused),
        cmocka_unit_test(a_stale_socket_file_is_replaced),
        cmocka_unit_test(tcp_has_no_administration),
        cmocka_unit_test(an_administrator_can_end_it),
        cmocka_unit_test(signals_end_it_in_order),
        cmocka_unit_test(a_client_that_does_not_read_cannot_hold_it),
        cmocka_unit_test(too_many_connections_are_refused_clearly),
        cmocka_unit_test(a_memory_limit_holds),
        cmocka_unit_test(idle_connections_are_cheap),
        cmocka_unit_test(a_socket_can_be_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
