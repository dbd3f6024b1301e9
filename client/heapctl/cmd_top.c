/* A screen that is drawn anew every second. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/heapctl/ctl.h"
#include "client/heapctl/object.h"

#define SCREEN_MS 1000
#define SESSIONS_SHOWN 10
#define TYPES_SHOWN 8
#define SLOW_SHOWN 5

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

struct rates {
    uint64_t at_ns;
    uint64_t requests, errors, created, freed, received, sent;
};

struct top {
    struct hd_ctl *ctl;
    bool is_terminal;
    struct rates before;
    bool has_before;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t stat_of(const struct heapd_result *stats, const char *name)
{
    for (size_t i = 0; i < stats->as.stats.count; i++)
        if (!strcmp(stats->as.stats.items[i].name, name))
            return stats->as.stats.items[i].value;
    return 0;
}

static void begin_bold(const struct top *top)
{
    if (top->is_terminal)
        fputs("\033[1m", stdout);
}

static void end_bold(const struct top *top)
{
    if (top->is_terminal)
        fputs("\033[0m", stdout);
    putchar('\n');
}

static void print_size(const char *what, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    unsigned unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    printf("%s %.1f %s", what, size, units[unit]);
}

static double per_second(uint64_t from, uint64_t to, uint64_t elapsed_ns)
{
    return elapsed_ns ? (double)(to - from) * 1e9 / (double)elapsed_ns : 0;
}

static void print_rates(struct top *top, const struct heapd_result *stats)
{
    struct rates now = {
        .at_ns = now_ns(),
        .requests = stat_of(stats, "rpc_requests_count"),
        .errors = stat_of(stats, "rpc_errors_count"),
        .created = stat_of(stats, "objects_created_count"),
        .freed = stat_of(stats, "objects_freed_count"),
        .received = stat_of(stats, "rpc_received_bytes"),
        .sent = stat_of(stats, "rpc_sent_bytes"),
    };
    struct rates before = top->has_before ? top->before : now;
    uint64_t elapsed = now.at_ns - before.at_ns;
    printf("requests %.0f/s, refused %.0f/s, objects made %.0f/s, freed %.0f/s, ",
           per_second(before.requests, now.requests, elapsed), per_second(before.errors, now.errors, elapsed),
           per_second(before.created, now.created, elapsed), per_second(before.freed, now.freed, elapsed));
    print_size("in", (uint64_t)per_second(before.received, now.received, elapsed));
    print_size("/s, out", (uint64_t)per_second(before.sent, now.sent, elapsed));
    puts("/s");
    top->before = now;
    top->has_before = true;
}

static void print_memory(const struct top *top, const struct heapd_memory_info *memory)
{
    begin_bold(top);
    fputs("MEMORY", stdout);
    end_bold(top);
    print_size("used", memory->used_bytes);
    if (memory->limit_bytes != UINT64_MAX)
        print_size(" of", memory->limit_bytes);
    print_size(", objects", memory->objects_mapped_bytes);
    print_size(" (live", memory->objects_live_bytes);
    print_size("), table", memory->table_bytes);
    print_size(", bookkeeping", memory->bookkeeping_bytes);
    printf(", fragmentation %.1f%%\n", memory->fragmentation_permille / 10.0);
    for (size_t i = 0; i < HEAPD_GENERATIONS; i++)
        printf("%sgeneration %zu: %" PRIu64 " objects, %" PRIu64 " collections", i ? ";  " : "", i,
               memory->generation[i].tracked, memory->generation[i].collections);
    printf(";  frozen: %" PRIu64 "\n", memory->frozen_count);
    fputs("pauses, 99.9% and longest:", stdout);
    for (size_t i = 0; i < memory->histogram_count; i++)
        if (memory->histograms[i].count)
            printf("  %s %.2f %.2f ms", memory->histograms[i].name, (double)memory->histograms[i].p999_ns / 1e6,
                   (double)memory->histograms[i].max_ns / 1e6);
    putchar('\n');
}

static int by_value(const void *a, const void *b)
{
    const struct heapd_stat *left = *(const struct heapd_stat *const *)a, *right = *(const struct heapd_stat *const *)b;
    return left->value < right->value ? 1 : -(left->value > right->value);
}

/* The types are those stats whose names are objects_TYPE_count. */
static void print_types(const struct heapd_result *stats)
{
    static const char *const others[] = {"live", "created", "freed", "waiting_to_be_freed"};
    const struct heapd_stat *types[64];
    size_t count = 0;
    for (size_t i = 0; i < stats->as.stats.count && count < 64; i++) {
        const struct heapd_stat *stat = &stats->as.stats.items[i];
        size_t bytes = strlen(stat->name);
        bool is_type = !strncmp(stat->name, "objects_", 8) && bytes > 14 && !strcmp(stat->name + bytes - 6, "_count") &&
                       stat->value;
        for (size_t o = 0; o < sizeof others / sizeof others[0]; o++)
            is_type =
                is_type && (strncmp(stat->name + 8, others[o], strlen(others[o])) || strlen(others[o]) != bytes - 14);
        if (is_type)
            types[count++] = stat;
    }
    qsort(types, count, sizeof *types, by_value);
    printf("%" PRIu64 " objects:", stat_of(stats, "objects_live_count"));
    for (size_t i = 0; i < count && i < TYPES_SHOWN; i++)
        printf("  %" PRIu64 " %.*s", types[i]->value, (int)(strlen(types[i]->name) - 14), types[i]->name + 8);
    putchar('\n');
}

static int by_requests(const void *a, const void *b)
{
    const struct heapd_session *left = *(const struct heapd_session *const *)a;
    const struct heapd_session *right = *(const struct heapd_session *const *)b;
    return left->requests < right->requests ? 1 : -(left->requests > right->requests);
}

static void print_sessions(const struct top *top, const struct heapd_session_list *sessions)
{
    const struct heapd_session **sorted = calloc(sessions->count + 1, sizeof *sorted);
    begin_bold(top);
    printf("%-8s %8s %12s %12s %8s %12s  %s (%zu)", "SESSION", "PID", "REQUESTS", "HANDLES", "PARKED", "UNREAD BYTES",
           "CLIENT", sessions->count);
    end_bold(top);
    for (size_t i = 0; sorted && i < sessions->count; i++)
        sorted[i] = &sessions->items[i];
    if (sorted)
        qsort(sorted, sessions->count, sizeof *sorted, by_requests);
    for (size_t i = 0; sorted && i < sessions->count && i < SESSIONS_SHOWN; i++) {
        printf("%-8" PRIu64 " %8" PRIu64 " %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %12" PRIu64 "  ", sorted[i]->id,
               sorted[i]->pid, sorted[i]->requests, sorted[i]->handles, sorted[i]->parked, sorted[i]->output_bytes);
        hd_ctl_print_name(heapd_text(sorted[i]->client_name));
        puts(sorted[i]->self ? " (this)" : "");
    }
    free(sorted);
}

static void print_slow(const struct top *top, const struct heapd_slow_requests *slow)
{
    begin_bold(top);
    printf("SLOWEST REQUESTS OF LATE (%.0f ms and more: %" PRIu64 " ever)", (double)slow->threshold_ns / 1e6,
           slow->ever);
    end_bold(top);
    for (size_t i = 0; i < slow->count && i < SLOW_SHOWN; i++) {
        const struct heapd_slow_request *item = &slow->items[i];
        printf("%10.3f ms  %6.1f s ago  %-16s session %" PRIu64 "\n", (double)item->taken_ns / 1e6,
               (double)item->ago_ns / 1e9, item->method_name, item->session);
    }
}

static int draw(struct top *top)
{
    struct heapd_connection *connection = top->ctl->connection;
    struct heapd_result stats, memory, sessions;
    struct heapd_report slow;
    struct heapd_error error;
    if (heapd_stats(connection, &stats, &error))
        return hd_ctl_fail(top->ctl, &error);
    int code = heapd_memory(connection, &memory, &error);
    if (code) {
        heapd_result_clear(&stats);
        return hd_ctl_fail(top->ctl, &error);
    }
    code = heapd_list_sessions(connection, &sessions, &error);
    if (!code) {
        code = heapd_slowlog(connection, &slow, &error);
        if (code)
            heapd_result_clear(&sessions);
    }
    if (!code) {
        if (top->is_terminal)
            fputs("\033[H\033[2J", stdout);
        print_rates(top, &stats);
        print_types(&stats);
        print_memory(top, memory.as.memory);
        print_sessions(top, &sessions.as.sessions);
        print_slow(top, &slow.as.slowlog);
        heapd_result_clear(&sessions);
        heapd_report_clear(&slow);
        if (fflush(stdout))
            stopped = 1; /* nobody reads any more */
    }
    heapd_result_clear(&stats);
    heapd_result_clear(&memory);
    return code ? hd_ctl_fail(top->ctl, &error) : 0;
}

/* For scripts: the numbers of one moment and the rates up to the next, as one line for each screen. */
static int draw_json(struct top *top)
{
    struct heapd_result stats;
    struct heapd_error error;
    struct hd_json_writer json;
    if (heapd_stats(top->ctl->connection, &stats, &error))
        return hd_ctl_fail(top->ctl, &error);
    int failed = hd_ctl_json_begin(top->ctl, &json, false);
    for (size_t i = 0; !failed && i < stats.as.stats.count; i++)
        hd_ctl_json_uint(&json, stats.as.stats.items[i].name, stats.as.stats.items[i].value);
    if (!failed)
        hd_ctl_json_end(&json);
    heapd_result_clear(&stats);
    if (fflush(stdout))
        stopped = 1;
    return failed;
}

int hd_cmd_top(struct hd_ctl *ctl)
{
    struct top top = {.ctl = ctl, .is_terminal = isatty(STDOUT_FILENO) != 0};
    struct sigaction action = {.sa_handler = stop};
    bool as_json = hd_ctl_options_has(&ctl->options, HD_OPTION_JSON);
    int failed = 0;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (unsigned i = 0; !failed && !stopped && (!ctl->options.count || i < ctl->options.count); i++) {
        if (i > 0)
            (void)poll(NULL, 0, SCREEN_MS);
        if (!stopped)
            failed = as_json ? draw_json(&top) : draw(&top);
    }
    return failed;
}
