/*
 * One that moves much: for measuring what others feel of it.
 *
 * usage: bench_disturb ADDRESS stream MIB   sends a list of strings of so many MiB, prints MiB a second
 *        bench_disturb ADDRESS drop COUNT   makes a list of so many lists, lets go of it, prints when it is gone
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES 1000

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fail(const struct heapd_error *error)
{
    (void)fprintf(stderr, "bench_disturb: %s\n", error->message);
    return 1;
}

static int finish(struct heapd_literal *literal, heapd_handle *out, struct heapd_error *error)
{
    int code = heapd_literal_finish(literal, out, error);
    heapd_literal_free(literal);
    return code;
}

static int stream(struct heapd_connection *connection, unsigned long mib)
{
    static char text[TEXT_BYTES];
    struct heapd_error error = {.message = "no memory"};
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle handle;
    double begin = now_s();
    memset(text, 'x', sizeof text);
    if (!literal || heapd_literal_attach(literal, connection, 0))
        return fail(&error);
    (void)heapd_literal_open_list(literal);
    for (unsigned long i = 0; i < (mib << 20) / TEXT_BYTES; i++)
        (void)heapd_literal_add(literal, heapd_str_of(text, sizeof text));
    (void)heapd_literal_close(literal);
    if (finish(literal, &handle, &error))
        return fail(&error);
    (void)printf("stream\t%.1f\tMiB/s\n", (double)mib / (now_s() - begin));
    return 0;
}

static int drop(struct heapd_connection *connection, unsigned long count)
{
    struct heapd_error error = {.message = "no memory"};
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle handle;
    if (!literal || heapd_literal_attach(literal, connection, 0))
        return fail(&error);
    (void)heapd_literal_open_list(literal);
    for (unsigned long i = 0; i < count; i++) {
        (void)heapd_literal_open_list(literal);
        (void)heapd_literal_close(literal);
    }
    (void)heapd_literal_close(literal);
    if (finish(literal, &handle, &error))
        return fail(&error);
    /* Whoever started this begins to measure now. */
    (void)puts("ready");
    (void)fflush(stdout);
    (void)getchar();
    if (heapd_release(connection, handle))
        return fail(&error);
    (void)getchar();
    return 0;
}

int main(int count, char **arguments)
{
    struct heapd_connection *connection;
    struct heapd_error error;
    if (count != 4) {
        (void)fputs("usage: bench_disturb ADDRESS stream MIB | drop COUNT\n", stderr);
        return 2;
    }
    if (heapd_connect(arguments[1], NULL, &connection, &error))
        return fail(&error);
    unsigned long amount = strtoul(arguments[3], NULL, 10);
    int result = strcmp(arguments[2], "drop") == 0 ? drop(connection, amount) : stream(connection, amount);
    heapd_close(connection);
    return result;
}
