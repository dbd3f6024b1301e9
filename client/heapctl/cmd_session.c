/* The daemon as a whole: is it there, its numbers, its sessions, its end. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/heapctl/ctl.h"

/* How long shutdown waits for the daemon to be gone. */
#define SHUTDOWN_WAIT_MS 30000

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int hd_cmd_ping(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_server_info info;
    uint64_t begin_ns = now_ns();
    if (heapd_ping(ctl->connection, &error))
        return hd_ctl_fail(ctl, &error);
    uint64_t taken_ns = now_ns() - begin_ns;
    heapd_get_server_info(ctl->connection, &info);
    if (!hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        printf("heapd %s answered in %" PRIu64 " us (protocol %" PRIu32 ", session %" PRIu64 ")\n", info.version,
               taken_ns / 1000, info.protocol_version, info.session_id);
        return 0;
    }
    struct hd_json_writer json;
    int failed = hd_ctl_json_begin(ctl, &json, false);
    if (failed)
        return failed;
    hd_ctl_json_string(&json, "version", info.version);
    hd_ctl_json_uint(&json, "protocol_version", info.protocol_version);
    hd_ctl_json_uint(&json, "session", info.session_id);
    hd_ctl_json_uint(&json, "max_frame_bytes", info.max_frame_bytes);
    hd_ctl_json_uint(&json, "max_slots", info.max_slots);
    hd_ctl_json_uint(&json, "max_depth", info.max_depth);
    hd_ctl_json_uint(&json, "taken_ns", taken_ns);
    hd_ctl_json_end(&json);
    return 0;
}

static bool begins_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

int hd_cmd_stats(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_result result;
    struct hd_json_writer json;
    const char *prefix = ctl->operand_count ? ctl->operands[0] : "";
    bool as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
    if (heapd_stats(ctl->connection, &result, &error))
        return hd_ctl_fail(ctl, &error);

    int failed = as_json ? hd_ctl_json_begin(ctl, &json, false) : 0;
    int width = 0;
    for (size_t i = 0; i < result.as.stats.count; i++) {
        int length = (int)strlen(result.as.stats.items[i].name);
        if (begins_with(result.as.stats.items[i].name, prefix) && length > width)
            width = length;
    }
    for (size_t i = 0; !failed && i < result.as.stats.count; i++) {
        const struct heapd_stat *stat = &result.as.stats.items[i];
        if (!begins_with(stat->name, prefix))
            continue;
        if (as_json)
            hd_ctl_json_uint(&json, stat->name, stat->value);
        else
            printf("%-*s  %" PRIu64 "\n", width, stat->name, stat->value);
    }
    if (as_json && !failed)
        hd_ctl_json_end(&json);
    heapd_result_clear(&result);
    if (!failed && *prefix && !width && !as_json)
        return hd_problem_set(&ctl->problem, HD_EKEY, "no number's name begins with \"%s\"", prefix);
    return failed;
}

static int print_sessions_as_json(struct hd_ctl *ctl, const struct heapd_session_list *sessions)
{
    struct hd_json_writer json;
    int failed = hd_ctl_json_begin(ctl, &json, true);
    for (size_t i = 0; !failed && i < sessions->count; i++) {
        const struct heapd_session *session = &sessions->items[i];
        if (hd_json_writer_begin_object(&json)) {
            failed = hd_problem_no_memory(&ctl->problem);
            break;
        }
        hd_ctl_json_uint(&json, "id", session->id);
        hd_ctl_json_string(&json, "client_name", session->client_name ? session->client_name : "");
        hd_ctl_json_uint(&json, "pid", session->pid);
        hd_ctl_json_uint(&json, "uid", session->uid);
        hd_ctl_json_uint(&json, "handles", session->handles);
        hd_ctl_json_uint(&json, "requests", session->requests);
        hd_ctl_json_uint(&json, "parked", session->parked);
        hd_ctl_json_uint(&json, "output_bytes", session->output_bytes);
        hd_ctl_json_bool(&json, "self", session->self);
        hd_json_writer_end(&json);
    }
    if (!failed)
        hd_ctl_json_end(&json);
    return failed;
}

static void print_sessions(const struct heapd_session_list *sessions)
{
    printf("%8s %8s %8s %10s %12s %8s %12s  %s\n", "SESSION", "PID", "UID", "HANDLES", "REQUESTS", "PARKED", "OUTPUT",
           "CLIENT");
    for (size_t i = 0; i < sessions->count; i++) {
        const struct heapd_session *session = &sessions->items[i];
        char pid[24] = "-", uid[24] = "-";
        if (session->pid)
            snprintf(pid, sizeof pid, "%" PRIu64, session->pid);
        if (session->uid != UINT64_MAX)
            snprintf(uid, sizeof uid, "%" PRIu64, session->uid);
        printf("%8" PRIu64 " %8s %8s %10" PRIu64 " %12" PRIu64 " %8" PRIu64 " %12" PRIu64 "  ", session->id, pid, uid,
               session->handles, session->requests, session->parked, session->output_bytes);
        hd_ctl_print_name(heapd_text(session->client_name ? session->client_name : ""));
        puts(session->self ? " (this one)" : "");
    }
}

int hd_cmd_session_list(struct hd_ctl *ctl)
{
    struct heapd_error error;
    struct heapd_result result;
    int failed = 0;
    if (heapd_list_sessions(ctl->connection, &result, &error))
        return hd_ctl_fail(ctl, &error);
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON))
        failed = print_sessions_as_json(ctl, &result.as.sessions);
    else
        print_sessions(&result.as.sessions);
    heapd_result_clear(&result);
    return failed;
}

/* For commands that have nothing to say but that they were done. */
static int say_done(struct hd_ctl *ctl, const char *key, uint64_t value, const char *sentence)
{
    if (hd_ctl_options_has(&ctl->options, HD_OPTION_JSON)) {
        struct hd_json_writer json;
        int failed = hd_ctl_json_begin(ctl, &json, false);
        if (failed)
            return failed;
        hd_ctl_json_uint(&json, key, value);
        hd_ctl_json_end(&json);
    } else if (!hd_ctl_options_has(&ctl->options, HD_OPTION_QUIET)) {
        puts(sentence);
    }
    return 0;
}

int hd_cmd_session_kill(struct hd_ctl *ctl)
{
    struct heapd_error error;
    uint64_t id;
    int failed = hd_ctl_parse_number(ctl, ctl->operands[0], "the session", UINT64_MAX, &id);
    if (failed)
        return failed;
    if (heapd_kill_session(ctl->connection, id, &error))
        return hd_ctl_fail(ctl, &error);
    return say_done(ctl, "killed", id, "the session was ended, and what it held is released");
}

/* The connection ends when the daemon has closed its sockets. */
static bool wait_until_gone(struct heapd_connection *connection)
{
    uint64_t deadline_ns = now_ns() + SHUTDOWN_WAIT_MS * UINT64_C(1000000);
    struct heapd_error error;
    while (!heapd_step(connection, &error)) {
        uint64_t now = now_ns();
        if (now >= deadline_ns)
            return false;
        struct pollfd waiting = {.fd = heapd_fd(connection), .events = POLLIN};
        poll(&waiting, 1, (int)((deadline_ns - now) / 1000000) + 1);
    }
    return true;
}

int hd_cmd_shutdown(struct hd_ctl *ctl)
{
    struct heapd_error error;
    int code = heapd_shutdown(ctl->connection, &error);
    /* A daemon may be gone before its answer is read. */
    if (code && code != HEAPD_ECLOSED)
        return hd_ctl_fail(ctl, &error);
    if (!code && !wait_until_gone(ctl->connection))
        return hd_problem_set(&ctl->problem, HD_EDEADLINE, "the daemon agreed to end, but has not after %d s",
                              SHUTDOWN_WAIT_MS / 1000);
    return say_done(ctl, "stopped", 1, "the daemon has ended");
}
