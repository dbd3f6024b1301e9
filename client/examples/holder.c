/*
 * A client that holds objects until someone ends it.
 *
 *     example_holder [COUNT] [ADDRESS]
 *
 * Makes COUNT (10,000) lists, holds each by a handle, prints "holding COUNT",
 * and waits. Kill it in any way, with SIGKILL too: the daemon sees the
 * connection end and releases all of them.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

int main(int argument_count, char **arguments)
{
    long count = argument_count > 1 ? atol(arguments[1]) : 10000;
    const char *address = argument_count > 2 ? arguments[2] : NULL;
    struct heapd_connection *heap;
    struct heapd_error error;
    if (count < 1) {
        fprintf(stderr, "usage: example_holder [COUNT] [ADDRESS]\n");
        return 2;
    }
    check(heapd_connect(address, NULL, &heap, &error), &error, "connect");
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    heapd_literal_add(literal, heapd_str("held by a process"));
    heapd_literal_close(literal);
    for (long i = 0; i < count; i++) {
        heapd_handle handle;
        check(heapd_begin_create(heap, literal, NULL, 0, NULL, &handle, NULL, &error), &error, "create");
    }
    check(heapd_finish(heap, &error), &error, "create");
    heapd_literal_free(literal);
    printf("holding %ld\n", count);
    fflush(stdout);
    for (;;)
        pause();
}
