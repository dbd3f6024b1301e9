/*
 * Many requests in one write.
 *
 *     example_pipeline [ADDRESS]
 *
 * First a chain: create a list, append to it, bind it, release it, without
 * waiting in between. Then the same chain with a mistake in its first link, to
 * show how the others report it. At last a thousand additions one by one and in
 * a pipeline, with the time that each takes.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NAME "example:pipeline"
#define ADDITIONS 1000

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static void chain(struct heapd_connection *heap, const struct heapd_literal *literal)
{
    heapd_handle list;
    heapd_ticket length;
    struct heapd_error error;
    /* `list` can be named as soon as the request that makes it was begun. No ticket: heapd_finish reports failures. */
    check(heapd_begin_create(heap, literal, NULL, 0, NULL, &list, NULL, &error), &error, "create");
    for (int i = 0; i < 3; i++)
        check(heapd_begin_append(heap, list, heapd_int(i), NULL, &error), &error, "append");
    check(heapd_begin_bind(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_ref(list), NULL, &error), &error, "bind");
    check(heapd_begin_length(heap, list, &length, &error), &error, "length");
    heapd_release(heap, list);
    check(heapd_finish(heap, &error), &error, "the chain");
    struct heapd_result result;
    check(heapd_wait(heap, length, -1, &result, &error), &error, "length");
    printf("a list of %lld elements was made, bound and released in one write\n", (long long)result.value.as.integer);
    heapd_result_clear(&result);
}

static void broken_chain(struct heapd_connection *heap)
{
    heapd_handle element;
    heapd_ticket get, append;
    struct heapd_value found;
    struct heapd_error error;
    check(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text(NAME), HEAPD_OBJECT, 0, &found, &error), &error, "lookup");
    check(heapd_begin_get_item(heap, found.as.ref, heapd_int(99), HEAPD_OBJECT, &element, &get, &error), &error, "get");
    check(heapd_begin_append(heap, element, heapd_int(1), &append, &error), &error, "append");
    if (heapd_wait(heap, append, -1, NULL, &error) == HEAPD_EABORTED && error.failed_request == get)
        printf("the append was not run: %s\n", error.message);
    if (heapd_wait(heap, get, -1, NULL, &error))
        printf("because: %s\n", error.message);
    heapd_release(heap, found.as.ref);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void compare(struct heapd_connection *heap)
{
    struct heapd_error error;
    check(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_int(0), &error), &error, "bind");
    double begin = now_us();
    for (int i = 0; i < ADDITIONS; i++)
        check(heapd_add_name(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_int(1), NULL, &error), &error, "add");
    double middle = now_us();
    for (int i = 0; i < ADDITIONS; i++)
        check(heapd_begin_add_name(heap, HEAPD_GLOBAL, heapd_text(NAME), heapd_int(1), NULL, &error), &error, "add");
    check(heapd_finish(heap, &error), &error, "add");
    double end = now_us();
    struct heapd_value sum;
    check(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text(NAME), HEAPD_PLAIN, 0, &sum, &error), &error, "lookup");
    printf("%lld additions: %.1f us each one by one, %.2f us each in a pipeline\n", (long long)sum.as.integer,
           (middle - begin) / ADDITIONS, (end - middle) / ADDITIONS);
}

int main(int count, char **arguments)
{
    struct heapd_connection *heap;
    struct heapd_error error;
    check(heapd_connect(count > 1 ? arguments[1] : NULL, NULL, &heap, &error), &error, "connect");
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    chain(heap, literal);
    broken_chain(heap);
    compare(heap);
    check(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text(NAME), &error), &error, "unbind");
    heapd_literal_free(literal);
    heapd_close(heap);
    return 0;
}
