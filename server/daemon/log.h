/*
 * Lines for an administrator, on standard error.
 *
 * Each is written with one write, so lines of several processes do not mix.
 * Under systemd (JOURNAL_STREAM names our standard error) a line begins with its
 * priority, and the journal adds the time; elsewhere the line carries both.
 * Nothing is logged per request.
 */
#ifndef HEAPD_DAEMON_LOG_H
#define HEAPD_DAEMON_LOG_H

#include <stdbool.h>

enum hd_log_level {
    HD_LOG_ERROR,   /* the daemon cannot do its work */
    HD_LOG_WARNING, /* it goes on, but someone should look */
    HD_LOG_INFO,    /* start and stop */
    HD_LOG_DEBUG,
};

struct hd_log {
    int fd; /* borrow */
    enum hd_log_level level;
    bool journal;
};

void hd_log_init(struct hd_log *log, int fd, enum hd_log_level level);

/* No line end in the format. Control characters become '?': what a client named must not look like a line of ours. */
void hd_log(const struct hd_log *log, enum hd_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "error", "warning", "info", "debug"; false for anything else. */
bool hd_log_level_parse(const char *text, enum hd_log_level *out);

#endif
