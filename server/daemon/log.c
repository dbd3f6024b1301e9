#include "daemon/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define LINE_BYTES 1024

static const struct {
    const char *name;
    char priority; /* syslog's */
} levels[] = {
    [HD_LOG_ERROR] = {"error", '3'},
    [HD_LOG_WARNING] = {"warning", '4'},
    [HD_LOG_INFO] = {"info", '6'},
    [HD_LOG_DEBUG] = {"debug", '7'},
};

/* JOURNAL_STREAM is "device:inode" of the stream that the journal reads; it is inherited by those who redirect, too. */
static bool is_journal(int fd)
{
    const char *text = getenv("JOURNAL_STREAM");
    uint64_t device, inode;
    struct stat stream;
    return text && sscanf(text, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 && fstat(fd, &stream) == 0 &&
           stream.st_dev == device && stream.st_ino == inode;
}

void hd_log_init(struct hd_log *log, int fd, enum hd_log_level level)
{
    *log = (struct hd_log){.fd = fd, .level = level, .journal = is_journal(fd)};
}

static size_t write_prefix(const struct hd_log *log, enum hd_log_level level, char *line)
{
    if (log->journal)
        return (size_t)snprintf(line, LINE_BYTES, "<%c>", levels[level].priority);
    /* The time of day, for people: no layer decides anything by it, so it is not one of server/os's clocks. */
    uv_timeval64_t now = {.tv_sec = 0};
    (void)uv_gettimeofday(&now);
    time_t seconds = (time_t)now.tv_sec;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t count = strftime(line, LINE_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    return count + (size_t)snprintf(line + count, LINE_BYTES - count,
                                    ".%03ldZ heapd[%ld] %s: ", (long)now.tv_usec / 1000, (long)getpid(),
                                    levels[level].name);
}

void hd_log(const struct hd_log *log, enum hd_log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    char line[LINE_BYTES];
    size_t begin = write_prefix(log, level, line);
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line + begin, sizeof line - begin - 1, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        return;
    size_t end = begin + strlen(line + begin);
    for (size_t at = begin; at < end; at++)
        if ((unsigned char)line[at] < ' ' || line[at] == 0x7f)
            line[at] = '?';
    line[end] = '\n';
    (void)!write(log->fd, line, end + 1); /* there is nobody left to tell if this fails */
}

bool hd_log_level_parse(const char *text, enum hd_log_level *out)
{
    for (size_t level = 0; level < sizeof levels / sizeof *levels; level++) {
        if (strcmp(text, levels[level].name) == 0) {
            *out = (enum hd_log_level)level;
            return true;
        }
    }
    return false;
}
