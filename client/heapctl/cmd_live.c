/* What took long, and what happens now. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

#define THRESHOLD_MAX_MS 86400000u

static bool wants_json(const struct hd_ctl *ctl)
{
    return hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
}

/* ---- slowlog ---- */

static int print_slow_json(struct hd_ctl *ctl, const struct heapd_slow_requests *slow, size_t count)
{
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, "threshold_ns", slow->threshold_ns);
    hd_ctl_json_uint(&json, "ever", slow->ever);
    hd_json_writer_key(&json, "requests", 8);
    error = hd_json_writer_begin_array(&json);
    for (size_t i = 0; !error && i < count; i++) {
        const struct heapd_slow_request *item = &slow->items[i];
        error = hd_json_writer_begin_object(&json);
        if (error)
            break;
        hd_ctl_json_uint(&json, "number", item->number);
        hd_ctl_json_string(&json, "method", item->method_name);
        hd_ctl_json_uint(&json, "session", item->session);
        hd_ctl_json_string(&json, "client", item->client_name);
        hd_ctl_json_uint(&json, "taken_ns", item->taken_ns);
        hd_ctl_json_uint(&json, "ago_ns", item->ago_ns);
        hd_ctl_json_uint(&json, "body_bytes", item->body_bytes);
        hd_ctl_json_bool(&json, "in_slices", item->in_slices);
        hd_json_writer_end(&json);
    }
    hd_ctl_json_end(&json);
    return error ? hd_problem_no_memory(&ctl->problem) : 0;
}

static void print_slow(const struct heapd_slow_requests *slow, size_t count)
{
    if (slow->threshold_ns)
        printf("%" PRIu64 " requests took %.3f ms or more since the daemon began\n", slow->ever,
               (double)slow->threshold_ns / 1e6);
    else
        puts("no requests are kept; heapctl slowlog threshold MS changes that");
    if (count)
        printf("%8s %12s %10s  %-16s %8s  %s\n", "NUMBER", "TOOK", "AGO", "METHOD", "SESSION", "CLIENT");
    for (size_t i = 0; i < count; i++) {
        const struct heapd_slow_request *item = &slow->items[i];
        printf("%8" PRIu64 " %9.3f ms %8.1f s  %-16s %8" PRIu64 "  ", item->number, (double)item->taken_ns / 1e6,
               (double)item->ago_ns / 1e9, item->method_name, item->session);
        hd_ctl_print_name(heapd_text(item->client_name));
        puts(item->in_slices ? "  (in slices)" : "");
    }
}

/* What holds after a change, for scripts. */
static int say_threshold(struct hd_ctl *ctl)
{
    struct heapd_report report;
    struct heapd_error error;
    if (!wants_json(ctl))
        return 0;
    if (heapd_slowlog(ctl->connection, &report, &error))
        return hd_ctl_fail(ctl, &error);
    int failed = print_slow_json(ctl, &report.as.slowlog, report.as.slowlog.count);
    heapd_report_clear(&report);
    return failed;
}

static int change_slowlog(struct hd_ctl *ctl)
{
    struct heapd_error error;
    uint64_t threshold_ms;
    bool is_reset = !strcmp(ctl->operands[0], "reset");
    if (is_reset ? ctl->operand_count != 1 : strcmp(ctl->operands[0], "threshold") || ctl->operand_count != 2) {
        ctl->is_usage_problem = true;
        return hd_problem_set(&ctl->problem, HD_EINVALID, "slowlog knows reset, and threshold with a number");
    }
    if (is_reset)
        return heapd_slowlog_reset(ctl->connection, &error) ? hd_ctl_fail(ctl, &error) : say_threshold(ctl);
    int failed = hd_ctl_parse_number(ctl, ctl->operands[1], "the threshold", THRESHOLD_MAX_MS, &threshold_ms);
    if (failed)
        return failed;
    return heapd_slowlog_threshold(ctl->connection, threshold_ms * 1000000u, &error) ? hd_ctl_fail(ctl, &error)
                                                                                     : say_threshold(ctl);
}

int hd_cmd_slowlog(struct hd_ctl *ctl)
{
    struct heapd_report report;
    struct heapd_error error;
    if (ctl->operand_count)
        return change_slowlog(ctl);
    if (heapd_slowlog(ctl->connection, &report, &error))
        return hd_ctl_fail(ctl, &error);
    const struct heapd_slow_requests *slow = &report.as.slowlog;
    size_t count = slow->count, most = ctl->options.count ? ctl->options.count : 20;
    int failed = 0;
    if (count > most)
        count = most;
    if (wants_json(ctl))
        failed = print_slow_json(ctl, slow, count);
    else
        print_slow(slow, count);
    heapd_report_clear(&report);
    return failed;
}

/* ---- monitor ---- */

static int print_event_json(struct hd_ctl *ctl, const struct heapd_follow_event *event)
{
    static const char *const names[] = {"?", "died", "collection begins", "collection ends", "request"};
    struct hd_json_writer json;
    int error = hd_ctl_json_begin(ctl, &json, false);
    if (error)
        return error;
    hd_ctl_json_uint(&json, "sequence", event->sequence);
    hd_ctl_json_string(&json, "event", names[event->kind <= HEAPD_FOLLOW_REQUEST ? event->kind : 0]);
    if (event->kind == HEAPD_FOLLOW_REQUEST) {
        hd_ctl_json_string(&json, "method", event->method_name);
        hd_ctl_json_uint(&json, "session", event->session);
        hd_ctl_json_uint(&json, "body_bytes", event->body_bytes);
        hd_ctl_json_bool(&json, "failed", event->failed);
    } else {
        hd_ctl_json_uint(&json, "generation", event->generation);
        hd_ctl_json_uint(&json, "unreachable", event->unreachable);
    }
    hd_ctl_json_uint(&json, "lost", event->lost);
    hd_ctl_json_end(&json);
    return 0;
}

static void print_event(const struct heapd_follow_event *event)
{
    if (event->lost)
        printf("... %" PRIu64 " events were lost: there were more than could be sent ...\n", event->lost);
    printf("%8" PRIu64 "  ", event->sequence);
    if (event->kind == HEAPD_FOLLOW_REQUEST)
        printf("session %" PRIu64 "  %s, %" PRIu64 " bytes%s\n", event->session, event->method_name, event->body_bytes,
               event->failed ? ", refused" : "");
    else if (event->kind == HEAPD_FOLLOW_COLLECTION_BEGINS)
        printf("collection of generation %u begins\n", event->generation);
    else
        printf("collection of generation %u ends: %" PRIu64 " unreachable\n", event->generation, event->unreachable);
}

int hd_cmd_monitor(struct hd_ctl *ctl)
{
    const struct heapd_follow_options options = {.collections = true, .requests = true, .room = 65536};
    struct heapd_follow *follow;
    struct heapd_follow_event event;
    struct heapd_error error;
    if (heapd_follow_open(ctl->connection, &options, &follow, &error))
        return hd_ctl_fail(ctl, &error);
    int code = 1, failed = 0;
    for (unsigned i = 0; !failed && (!ctl->options.count || i < ctl->options.count); i++) {
        code = heapd_follow_next(follow, -1, &event, &error);
        if (code <= 0)
            break;
        if (wants_json(ctl))
            failed = print_event_json(ctl, &event);
        else
            print_event(&event);
        if (fflush(stdout))
            break; /* nobody reads any more */
    }
    heapd_follow_close(follow);
    return failed ? failed : code < 0 ? hd_ctl_fail(ctl, &error) : 0;
}
