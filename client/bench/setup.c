#include "client/bench/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bench/operation.h"

struct job {
    const struct hd_bench_options *options;
    char *value;
};

static void fill_dict(struct heapd_literal *literal, const struct job *job)
{
    (void)heapd_literal_open_dict(literal);
    for (uint64_t i = 0; i < job->options->keyspace; i++) {
        uint8_t key[HD_BENCH_KEY_BYTES];
        hd_bench_key(key, i);
        (void)heapd_literal_add(literal, heapd_str_of((const char *)key, sizeof key));
        (void)heapd_literal_add(literal, heapd_str_of(job->value, job->options->value_bytes));
    }
    (void)heapd_literal_close(literal);
}

static void fill_list(struct heapd_literal *literal, const struct job *job)
{
    (void)heapd_literal_open_list(literal);
    for (uint64_t i = 0; i < job->options->keyspace; i++)
        (void)heapd_literal_add(literal, heapd_str_of(job->value, job->options->value_bytes));
    (void)heapd_literal_close(literal);
}

static void fill_counters(struct heapd_literal *literal, const struct job *job)
{
    (void)heapd_literal_open_list(literal);
    for (uint64_t i = 0; i < job->options->keyspace; i++)
        (void)heapd_literal_add(literal, heapd_int(0));
    (void)heapd_literal_close(literal);
}

static void fill_growing(struct heapd_literal *literal, const struct job *job)
{
    (void)job;
    (void)heapd_literal_open_list(literal);
    (void)heapd_literal_close(literal);
}

/* The literal's functions remember the first failure, and finish tells it. */
static int make(struct heapd_connection *connection, struct heapd_literal *literal, const char *name,
                void fill(struct heapd_literal *literal, const struct job *job), const struct job *job,
                struct heapd_error *error)
{
    int code = heapd_literal_attach(literal, connection, 0);
    if (code) {
        (void)snprintf(error->message, sizeof error->message, "%s", heapd_code_text(code));
        return code;
    }
    fill(literal, job);
    heapd_handle handle;
    code = heapd_literal_finish(literal, &handle, error);
    if (!code)
        code = heapd_bind(connection, HEAPD_GLOBAL, heapd_text(name), heapd_ref(handle), error);
    if (!code)
        (void)heapd_release(connection, handle);
    return code;
}

int hd_bench_setup(struct heapd_connection *connection, const struct hd_bench_options *options)
{
    struct job job = {.options = options, .value = malloc(options->value_bytes + 1)};
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_error error = {.message = "no memory"};
    int code = HEAPD_ENOMEM;
    if (job.value && literal) {
        memset(job.value, 'x', options->value_bytes);
        code = make(connection, literal, HD_BENCH_NAME_DICT, fill_dict, &job, &error);
        if (!code)
            code = make(connection, literal, HD_BENCH_NAME_LIST, fill_list, &job, &error);
        if (!code)
            code = make(connection, literal, HD_BENCH_NAME_COUNTERS, fill_counters, &job, &error);
        if (!code)
            code = make(connection, literal, HD_BENCH_NAME_GROWING, fill_growing, &job, &error);
    }
    if (code)
        (void)fprintf(stderr, "heapd-bench: the objects for the benchmark could not be made: %s\n", error.message);
    heapd_literal_free(literal);
    free(job.value);
    return code;
}

void hd_bench_teardown(struct heapd_connection *connection)
{
    static const char *const names[] = {HD_BENCH_NAME_DICT, HD_BENCH_NAME_LIST, HD_BENCH_NAME_COUNTERS,
                                        HD_BENCH_NAME_GROWING};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)!heapd_unbind(connection, HEAPD_GLOBAL, heapd_text(names[i]), NULL);
}
