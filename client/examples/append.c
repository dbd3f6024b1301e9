/*
 * Appends to a list that another process made.
 *
 *     example_append NAME KEY TEXT
 *
 * One request finds the list, which lies under a key of a named dict, and holds
 * it; the next ones use the handle.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

int main(int argument_count, char **arguments)
{
    struct heapd_connection *heap;
    struct heapd_error error;
    struct heapd_value list;
    uint64_t length;
    if (argument_count != 4) {
        fprintf(stderr, "usage: example_append NAME KEY TEXT\n");
        return 2;
    }
    struct heapd_path_step step = heapd_step_item(heapd_str(arguments[2]));
    check(heapd_connect(NULL, NULL, &heap, &error), &error, "connect");
    check(heapd_resolve(heap, 0, HEAPD_GLOBAL, heapd_text(arguments[1]), &step, 1, HEAPD_OBJECT, &list, &error), &error,
          "resolve");
    check(heapd_append(heap, list.as.ref, heapd_str(arguments[3]), &error), &error, "append");
    check(heapd_length(heap, list.as.ref, &length, &error), &error, "length");
    printf("%s[\"%s\"] has %llu elements now\n", arguments[1], arguments[2], (unsigned long long)length);
    heapd_release(heap, list.as.ref);
    heapd_close(heap);
    return 0;
}
