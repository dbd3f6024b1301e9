/*
 * A client that keeps a daemon busy with a heap of many objects: what others see meanwhile is measured by bench_ping.
 *
 *     bench_load ADDRESS COUNT
 *
 * Reads one word a line from standard input and answers "done" when that is over:
 *
 *     build      COUNT lists of three references each, in one list; and a third as many in another
 *     collect    full collections, while objects are replaced as fast as it goes
 *     free       the other list is dropped, and until it is gone objects are replaced; then made again, if it was quick
 *     compact    nine of ten in the first list are dropped, and the rest is moved together, while objects are replaced
 *     replace    objects are replaced, three seconds long, with a rest now and then
 *     slices     prints the daemon's own rows: 99.9th percentile and longest of each kind of slice so far
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/bench.h"

/* Requests that are under way at once. */
#define BATCH 256
#define PART 4000
#define HUBS 64
/* A phase is repeated until it took so long: fewer pings say nothing of one in a thousand. */
#define PHASE_SECONDS 3

struct load {
    struct heapd_connection *connection;
    struct heapd_connection *control; /* what is begun here is not waited for by heapd_finish */
    struct heapd_error error;
    struct heapd_literal *literal;
    heapd_handle hubs[HUBS]; /* what all refer to */
    heapd_handle all;
    heapd_handle other;
    uint64_t count;
    uint64_t replaced_count;
};

#define MUST(load, call) \
    do { \
        if ((call) != 0) \
            bench_die((load)->error.message); \
    } while (0)

static void add_object(struct load *load)
{
    heapd_literal_open_list(load->literal);
    for (int i = 0; i < 3; i++)
        heapd_literal_add(load->literal, heapd_ref(load->hubs[bench_random() % HUBS]));
    heapd_literal_close(load->literal);
}

static heapd_handle build_list(struct load *load, uint64_t count)
{
    heapd_handle list;
    MUST(load, heapd_new_list(load->connection, &list, &load->error));
    for (uint64_t made = 0; made < count;) {
        heapd_literal_reset(load->literal);
        for (unsigned i = 0; i < PART && made < count; i++, made++)
            add_object(load);
        MUST(load, heapd_begin_extend(load->connection, list, load->literal, NULL, 0, NULL, NULL, &load->error));
        if (heapd_pending_count(load->connection) > 4)
            MUST(load, heapd_finish(load->connection, &load->error));
    }
    MUST(load, heapd_finish(load->connection, &load->error));
    return list;
}

static void build(struct load *load)
{
    for (int i = 0; i < HUBS; i++)
        MUST(load, heapd_new_list(load->connection, &load->hubs[i], &load->error));
    load->all = build_list(load, load->count);
    load->other = build_list(load, load->count / 3);
}

/* Objects are replaced by new ones; the old ones die. */
static void replace_some(struct load *load)
{
    for (int i = 0; i < BATCH; i++) {
        heapd_literal_reset(load->literal);
        add_object(load);
        struct heapd_value at = heapd_int((int64_t)(bench_random() % load->count));
        MUST(load, heapd_begin_set_item(load->connection, load->all, at, heapd_new(load->literal), NULL, &load->error));
    }
    MUST(load, heapd_finish(load->connection, &load->error));
    load->replaced_count += BATCH;
}

/* Until what was begun on `control` is answered. */
static void replace_until(struct load *load, heapd_ticket ticket)
{
    int code;
    while ((code = heapd_wait(load->control, ticket, 0, NULL, &load->error)) == HEAPD_PENDING)
        for (int i = 0; i < 8; i++)
            replace_some(load);
    MUST(load, code);
}

static void collect(struct load *load)
{
    double start = bench_now();
    for (int i = 0; i < 2 || bench_now() - start < PHASE_SECONDS; i++) {
        heapd_ticket ticket;
        MUST(load, heapd_begin_gc_collect(load->control, 2, &ticket, &load->error));
        MUST(load, heapd_flush(load->control, &load->error));
        replace_until(load, ticket);
    }
}

static uint64_t number(struct load *load, const char *name)
{
    struct heapd_result result;
    MUST(load, heapd_stats(load->control, &result, &load->error));
    uint64_t value = heapd_result_stat(&result, name, 0);
    heapd_result_clear(&result);
    return value;
}

static void free_other(struct load *load)
{
    double start = bench_now();
    do {
        if (!load->other)
            load->other = build_list(load, load->count / 3);
        uint64_t freed = number(load, "objects_freed_count");
        MUST(load, heapd_release(load->connection, load->other));
        load->other = 0;
        uint64_t replaced = load->replaced_count;
        do
            for (int i = 0; i < 8; i++)
                replace_some(load);
        while (number(load, "objects_freed_count") - freed < load->count / 3 + load->replaced_count - replaced);
    } while (bench_now() - start < PHASE_SECONDS);
}

/* At a moderate pace: what is looked at meanwhile changes, and the processor is not all ours. */
static void replace(struct load *load)
{
    const struct timespec rest = {.tv_nsec = 2000000};
    double start = bench_now();
    do {
        replace_some(load);
        nanosleep(&rest, NULL);
    } while (bench_now() - start < PHASE_SECONDS);
}

static void compact(struct load *load)
{
    for (uint64_t i = 0; i < load->count; i++) {
        if (bench_random() % 10 == 0)
            continue;
        MUST(load, heapd_begin_set_item(load->connection, load->all, heapd_int((int64_t)i), heapd_none(), NULL,
                                        &load->error));
        if (i % 1024 == 0)
            MUST(load, heapd_finish(load->connection, &load->error));
    }
    MUST(load, heapd_finish(load->connection, &load->error));
    double start = bench_now();
    do {
        heapd_ticket ticket;
        MUST(load, heapd_begin_compact(load->control, &ticket, &load->error));
        MUST(load, heapd_flush(load->control, &load->error));
        replace_until(load, ticket);
    } while (bench_now() - start < PHASE_SECONDS);
}

static void slices(struct load *load)
{
    static const char *const kinds[] = {"young", "full", "free", "compact", "other", "request"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char name[64], label[64];
        snprintf(name, sizeof name, "slices_%s_p999_ns", kinds[i]);
        snprintf(label, sizeof label, "slices %s, p99.9", kinds[i]);
        bench_row(label, (double)number(load, name) / 1e3, "us");
        snprintf(name, sizeof name, "slices_%s_max_ns", kinds[i]);
        snprintf(label, sizeof label, "slices %s, max", kinds[i]);
        bench_row(label, (double)number(load, name) / 1e3, "us");
    }
}

static struct heapd_connection *connect_to(const char *address, const char *name)
{
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    struct heapd_connection *connection;
    struct heapd_error error;
    options.client_name = name;
    options.ring = HEAPD_RING_NEVER;
    if (heapd_connect(address, &options, &connection, &error) != 0)
        bench_die(error.message);
    return connection;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct load *load);
    } phases[] = {
        {"build", build},     {"collect", collect}, {"free", free_other},
        {"compact", compact}, {"replace", replace}, {"slices", slices},
    };
    if (argc != 3)
        bench_die("usage: bench_load ADDRESS COUNT");
    static struct load load;
    load.count = bench_count(argv[2]);
    load.connection = connect_to(argv[1], "bench_load");
    load.control = connect_to(argv[1], "bench_load control");
    load.literal = heapd_literal_new();
    if (!load.literal)
        bench_die("not enough memory");
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        size_t i = 0;
        while (i < sizeof phases / sizeof phases[0] && strcmp(line, phases[i].name) != 0)
            i++;
        if (i == sizeof phases / sizeof phases[0])
            bench_die("unknown phase");
        phases[i].run(&load);
        puts("done");
        fflush(stdout);
    }
    heapd_literal_free(load.literal);
    heapd_close(load.control);
    heapd_close(load.connection);
    return 0;
}
