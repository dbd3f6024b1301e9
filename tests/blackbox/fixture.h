/*
 * A daemon of its own for a test: the real executable, in a directory of its own,
 * told by its own words when it is ready.
 */
#ifndef HEAPD_TESTS_BLACKBOX_FIXTURE_H
#define HEAPD_TESTS_BLACKBOX_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bb_daemon {
    pid_t pid; /* 0: not running */
    int notify_fd;
    char directory[64];
    char path[96];     /* of its Unix socket */
    char log_path[96]; /* its standard error */
};

/*
 * Starts a daemon on a Unix socket, with further arguments (NULL-terminated; NULL:
 * none), and returns when it has said READY=1. The test fails if it does not.
 */
void bb_daemon_start(struct bb_daemon *daemon, const char *const *arguments);
/* Starts it again, in the same directory, after it ended in whatever way. */
void bb_daemon_restart(struct bb_daemon *daemon, const char *const *arguments);
/*
 * Ends it with SIGTERM. The test fails unless it exits with 0 (so sanitizers and
 * leaks are heard of), leaves no socket behind and its directory can be removed.
 */
void bb_daemon_stop(struct bb_daemon *daemon);
/* Ends it with SIGKILL; its files stay. */
void bb_daemon_kill(struct bb_daemon *daemon);
/* Waits for an end of its own will; the exit status, or -1 after a signal. */
int bb_daemon_wait(struct bb_daemon *daemon);

/* Does its log hold this text by now, or within the patience? */
bool bb_daemon_logged(const struct bb_daemon *daemon, const char *text);
/* The first address in the log that begins with `prefix`, such as "tcp:127.0.0.1:". */
void bb_daemon_address(const struct bb_daemon *daemon, const char *prefix, char *out, size_t room);
/* A line of /proc/PID/status in bytes: "VmRSS", "VmHWM". */
size_t bb_daemon_memory(const struct bb_daemon *daemon, const char *line);
/* Open descriptors of the daemon. */
unsigned bb_daemon_descriptors(const struct bb_daemon *daemon);

/* Runs the executable to its end: exit status, and what it printed (both streams, cut to the room). */
int bb_run(const char *const *arguments, char *out, size_t room);

/* Monotonic. */
uint64_t bb_now_ms(void);
#define BB_PATIENCE_MS 20000

/* Polls a condition until it holds or the patience ends; then the test fails. */
#define BB_AWAIT(condition) \
    do { \
        uint64_t until_ms = bb_now_ms() + BB_PATIENCE_MS; \
        while (!(condition)) { \
            if (bb_now_ms() > until_ms) \
                fail_msg("waited in vain for: %s", #condition); \
            bb_pause(); \
        } \
    } while (0)
/* A millisecond, between two looks. */
void bb_pause(void);

#endif
