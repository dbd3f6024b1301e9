/*
 * A list of work that one process fills and others empty.
 *
 *     example_work_list [ADDRESS]
 *
 * Taking an item out is one request, so no two workers get the same one. The
 * workers wait for the list's name to be bound, in the daemon, without asking
 * again and again: a parked request. (Waiting for the next item in the same way
 * is what queues are for, which the heap does not have yet; here the list is
 * full before its name appears.)
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3
#define JOBS 300
#define WORK "example:work"
#define RESULTS "example:results"

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static struct heapd_connection *connect_to(const char *address)
{
    struct heapd_connection *heap;
    struct heapd_error error;
    check(heapd_connect(address, NULL, &heap, &error), &error, "connect");
    return heap;
}

static heapd_handle find(struct heapd_connection *heap, const char *name, uint64_t wait_ms)
{
    struct heapd_value value;
    struct heapd_error error;
    check(heapd_lookup(heap, HEAPD_GLOBAL, heapd_text(name), HEAPD_OBJECT, wait_ms, &value, &error), &error, name);
    return value.as.ref;
}

static void work(const char *address)
{
    struct heapd_connection *heap = connect_to(address);
    heapd_handle jobs = find(heap, WORK, 10000);
    heapd_handle results = find(heap, RESULTS, 0);
    struct heapd_value last = heapd_value_make(HEAPD_VALUE_ABSENT);
    struct heapd_error error;
    for (;;) {
        struct heapd_value job;
        int code = heapd_pop(heap, jobs, last, HEAPD_PLAIN, &job, &error);
        if (code == HEAPD_EINDEX)
            break; /* nothing left */
        check(code, &error, "pop");
        check(heapd_append(heap, results, heapd_int(job.as.integer * job.as.integer), &error), &error, "append");
    }
    heapd_close(heap);
}

/* The results first, and the jobs complete: whoever finds the jobs finds everything. */
static void publish(struct heapd_connection *heap)
{
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_error error;
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    check(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(RESULTS), heapd_new(literal), &error), &error, "bind");
    heapd_literal_reset(literal);
    heapd_literal_open_list(literal);
    for (int i = 1; i <= JOBS; i++)
        heapd_literal_add(literal, heapd_int(i));
    heapd_literal_close(literal);
    check(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(WORK), heapd_new(literal), &error), &error, "bind");
    heapd_literal_free(literal);
}

int main(int count, char **arguments)
{
    const char *address = count > 1 ? arguments[1] : NULL;
    struct heapd_connection *heap = connect_to(address);
    struct heapd_error error;
    for (int i = 0; i < WORKERS; i++) {
        pid_t child = fork();
        if (child == 0) {
            work(address);
            _exit(0);
        }
    }
    publish(heap);
    int failed = 0;
    for (int i = 0; i < WORKERS; i++) {
        int status;
        wait(&status);
        failed |= status != 0;
    }
    heapd_handle results = find(heap, RESULTS, 0);
    uint64_t length;
    check(heapd_length(heap, results, &length, &error), &error, "length");
    int64_t sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        struct heapd_value value;
        check(heapd_get_item(heap, results, heapd_int((int64_t)i), HEAPD_PLAIN, &value, &error), &error, "get");
        sum += value.as.integer;
    }
    printf("%d workers did %llu jobs; the squares add up to %lld\n", WORKERS, (unsigned long long)length,
           (long long)sum);
    check(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text(WORK), &error), &error, "unbind");
    check(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text(RESULTS), &error), &error, "unbind");
    heapd_close(heap);
    return failed || length != JOBS;
}
