/*
 * Cycles, which reference counts alone do not free.
 *
 *     example_cycles [COUNT] [ADDRESS]
 *
 * Builds COUNT (10,000) pairs of lists that contain each other, releases all
 * handles, and prints how many objects live: before, while they are held, and
 * after. The collector is switched off meanwhile, so that what counting does can
 * be seen alone, and then set as it was. Where it was off (`heapctl gc disable`),
 * the cycles wait for `heapctl gc collect`.
 */
#include <heapd/heapd.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 1000

static void check(int code, const struct heapd_error *error, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, heapd_code_name(code));
    exit(1);
}

static uint64_t live_objects(struct heapd_connection *heap)
{
    struct heapd_result stats;
    struct heapd_error error;
    check(heapd_stats(heap, &stats, &error), &error, "stats");
    uint64_t count = heapd_result_stat(&stats, "objects_live_count", 0);
    heapd_result_clear(&stats);
    return count;
}

/* outer = [inner]; inner.append(outer). The inner list is captured, so that it has a handle, too. */
static void begin_cycle(struct heapd_connection *heap, const struct heapd_literal *literal, heapd_handle *outer,
                        heapd_handle *inner)
{
    static const uint64_t inner_number = 1;
    struct heapd_error error;
    check(heapd_begin_create(heap, literal, &inner_number, 1, inner, outer, NULL, &error), &error, "create");
    check(heapd_begin_append(heap, *inner, heapd_ref(*outer), NULL, &error), &error, "append");
}

int main(int argument_count, char **arguments)
{
    long count = argument_count > 1 ? atol(arguments[1]) : 10000;
    const char *address = argument_count > 2 ? arguments[2] : NULL;
    struct heapd_connection *heap;
    struct heapd_error error;
    if (count < 1 || count > 100000000) {
        fprintf(stderr, "usage: example_cycles [COUNT] [ADDRESS]\n");
        return 2;
    }
    check(heapd_connect(address, NULL, &heap, &error), &error, "connect");
    struct heapd_collector_stats collector;
    check(heapd_gc_stats(heap, &collector, &error), &error, "gc stats");
    check(heapd_gc_set_enabled(heap, false, &error), &error, "gc disable");

    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    heapd_literal_close(literal);

    printf("%llu objects live before\n", (unsigned long long)live_objects(heap));
    for (long done = 0; done < count;) {
        heapd_handle outer[BATCH], inner[BATCH];
        long batch = count - done < BATCH ? count - done : BATCH;
        for (long i = 0; i < batch; i++)
            begin_cycle(heap, literal, &outer[i], &inner[i]);
        check(heapd_finish(heap, &error), &error, "build");
        done += batch;
        if (done == count)
            printf("%llu with %ld cycles built, the last %ld of them held\n", (unsigned long long)live_objects(heap),
                   count, batch);
        for (long i = 0; i < batch; i++) {
            heapd_release(heap, outer[i]);
            heapd_release(heap, inner[i]);
        }
    }
    check(heapd_finish(heap, &error), &error, "release");
    printf("%llu after every handle was released: counting alone does not free a cycle\n",
           (unsigned long long)live_objects(heap));
    check(heapd_gc_set_enabled(heap, collector.enabled, &error), &error, "gc enable");
    if (collector.enabled)
        printf("the collector is on again and will find them by itself; run `heapctl gc disable` first to watch\n"
               "`heapctl gc collect` do it\n");
    heapd_literal_free(literal);
    heapd_close(heap);
    return 0;
}
