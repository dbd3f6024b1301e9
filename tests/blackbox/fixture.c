#include "fixture.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENT_MAX 32

uint64_t bb_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void bb_pause(void)
{
    (void)poll(NULL, 0, 1);
}

/* --- files --- */

static size_t read_file(const char *path, char *out, size_t room)
{
    size_t count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (fd >= 0 && count < room - 1 && (got = read(fd, out + count, room - 1 - count)) > 0)
        count += (size_t)got;
    if (fd >= 0)
        close(fd);
    out[count] = '\0';
    return count;
}

static void show_log(const struct bb_daemon *daemon)
{
    char text[8192];
    (void)read_file(daemon->log_path, text, sizeof text);
    print_error("--- the daemon said:\n%s---\n", text);
}

bool bb_daemon_logged(const struct bb_daemon *daemon, const char *text)
{
    char log[65536];
    uint64_t until_ms = bb_now_ms() + BB_PATIENCE_MS;
    do {
        (void)read_file(daemon->log_path, log, sizeof log);
        if (strstr(log, text))
            return true;
        bb_pause();
    } while (bb_now_ms() < until_ms);
    show_log(daemon);
    return false;
}

void bb_daemon_address(const struct bb_daemon *daemon, const char *prefix, char *out, size_t room)
{
    char log[65536];
    assert_true(bb_daemon_logged(daemon, prefix));
    (void)read_file(daemon->log_path, log, sizeof log);
    const char *found = strstr(log, prefix);
    size_t length = strcspn(found, " \n");
    assert_true(length < room);
    memcpy(out, found, length);
    out[length] = '\0';
}

/* --- the process --- */

static void open_notify(struct bb_daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", daemon->directory);
    daemon->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(daemon->notify_fd >= 0);
    (void)unlink(address.sun_path);
    assert_int_equal(bind(daemon->notify_fd, (const struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static void exec_daemon(const char *const *arguments, int output_fd)
{
    char *argv[ARGUMENT_MAX] = {(char *)(uintptr_t)HEAPD_BINARY};
    for (int i = 0; arguments && arguments[i] && i < ARGUMENT_MAX - 2; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no daemon behind */
    (void)dup2(output_fd, STDERR_FILENO);
    (void)dup2(output_fd, STDOUT_FILENO);
    (void)signal(SIGPIPE, SIG_DFL);
    execv(HEAPD_BINARY, argv);
    _exit(127);
}

static void await_ready(struct bb_daemon *daemon)
{
    uint64_t until_ms = bb_now_ms() + BB_PATIENCE_MS;
    while (bb_now_ms() < until_ms) {
        struct pollfd look = {.fd = daemon->notify_fd, .events = POLLIN};
        char text[64] = "";
        if (poll(&look, 1, 20) > 0 && recv(daemon->notify_fd, text, sizeof text - 1, 0) > 0 &&
            strncmp(text, "READY=1", 7) == 0)
            return;
        int status;
        if (waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
            daemon->pid = 0;
            show_log(daemon);
            fail_msg("the daemon ended with status %x before it was ready", (unsigned)status);
        }
    }
    show_log(daemon);
    fail_msg("the daemon was not ready in time");
}

void bb_daemon_restart(struct bb_daemon *daemon, const char *const *arguments)
{
    const char *all[ARGUMENT_MAX] = {"--listen", daemon->path};
    for (int i = 0; arguments && arguments[i] && i < ARGUMENT_MAX - 4; i++)
        all[i + 2] = arguments[i];
    open_notify(daemon);
    int log_fd = open(daemon->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(log_fd >= 0);
    daemon->pid = fork();
    assert_true(daemon->pid >= 0);
    if (daemon->pid == 0)
        exec_daemon(all, log_fd);
    close(log_fd);
    unsetenv("NOTIFY_SOCKET");
    await_ready(daemon);
}

void bb_daemon_start(struct bb_daemon *daemon, const char *const *arguments)
{
    (void)signal(SIGPIPE, SIG_IGN);
    *daemon = (struct bb_daemon){.directory = "/tmp/heapd-test-XXXXXX"};
    assert_non_null(mkdtemp(daemon->directory));
    (void)snprintf(daemon->path, sizeof daemon->path, "%s/s", daemon->directory);
    (void)snprintf(daemon->log_path, sizeof daemon->log_path, "%s/log", daemon->directory);
    bb_daemon_restart(daemon, arguments);
}

int bb_daemon_wait(struct bb_daemon *daemon)
{
    uint64_t until_ms = bb_now_ms() + BB_PATIENCE_MS;
    int status = 0;
    while (waitpid(daemon->pid, &status, WNOHANG) == 0) {
        if (bb_now_ms() > until_ms) {
            show_log(daemon);
            fail_msg("the daemon does not end");
        }
        bb_pause();
    }
    daemon->pid = 0;
    close(daemon->notify_fd);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/notify", daemon->directory);
    unlink(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void bb_daemon_stop(struct bb_daemon *daemon)
{
    if (daemon->pid) {
        kill(daemon->pid, SIGTERM);
        int status = bb_daemon_wait(daemon);
        if (status != 0) {
            show_log(daemon);
            fail_msg("the daemon ended with %d", status);
        }
    }
    assert_int_equal(access(daemon->path, F_OK), -1);
    unlink(daemon->log_path);
    assert_int_equal(rmdir(daemon->directory), 0);
}

void bb_daemon_kill(struct bb_daemon *daemon)
{
    kill(daemon->pid, SIGKILL);
    assert_int_equal(bb_daemon_wait(daemon), -1);
}

size_t bb_daemon_memory(const struct bb_daemon *daemon, const char *line)
{
    char path[64], text[8192];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)daemon->pid);
    assert_true(read_file(path, text, sizeof text) > 0);
    const char *found = strstr(text, line);
    assert_non_null(found);
    return (size_t)strtoull(found + strlen(line) + 1, NULL, 10) * 1024;
}

unsigned bb_daemon_descriptors(const struct bb_daemon *daemon)
{
    char path[64];
    unsigned count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)daemon->pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

int bb_run(const char *const *arguments, char *out, size_t room)
{
    int ends[2], status = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        exec_daemon(arguments, ends[1]);
    close(ends[1]);
    size_t count = 0;
    ssize_t got;
    while (count < room - 1 && (got = read(ends[0], out + count, room - 1 - count)) > 0)
        count += (size_t)got;
    out[count] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
