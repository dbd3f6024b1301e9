/*
 * References to an object that another process made.
 *
 *     example_reference COUNT NAME [KEY]
 *
 * Takes COUNT references to the object of a name, or to what lies under a key of
 * it, prints "holding COUNT", and waits for SIGTERM or SIGINT; then it releases
 * them. `heapctl inspect` shows how the object's count moves meanwhile.
 */
#include <heapd/heapd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

/* A handle for each reference, all to the same object. */
static heapd_handle *take(struct heapd_connection *heap, long count, const char *name, const char *key)
{
    heapd_handle *handles = calloc((size_t)count, sizeof *handles);
    struct heapd_path_step step = heapd_step_item(heapd_str(key ? key : ""));
    struct heapd_error error;
    for (long i = 0; handles && i < count; i++) {
        struct heapd_value value;
        check(heapd_resolve(heap, 0, HEAPD_GLOBAL, heapd_text(name), &step, key ? 1 : 0, HEAPD_OBJECT, &value, &error),
              &error, "resolve");
        handles[i] = value.as.ref;
    }
    return handles;
}

int main(int argument_count, char **arguments)
{
    long count = argument_count > 1 ? atol(arguments[1]) : 0;
    struct heapd_connection *heap;
    struct heapd_error error;
    sigset_t ends;
    int number;
    if (argument_count < 3 || argument_count > 4 || count < 1) {
        fprintf(stderr, "usage: example_reference COUNT NAME [KEY]\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    check(heapd_connect(NULL, NULL, &heap, &error), &error, "connect");
    heapd_handle *handles = take(heap, count, arguments[2], argument_count > 3 ? arguments[3] : NULL);
    if (!handles)
        return 1;
    printf("holding %ld\n", count);
    fflush(stdout);
    sigwait(&ends, &number);
    for (long i = 0; i < count; i++)
        heapd_release(heap, handles[i]);
    free(handles);
    heapd_close(heap);
    return 0;
}
