/*
 * Resident bytes for each element of one large collection, everything included.
 *
 *     bench_elements COUNT ints|strings|dict|instances
 */
#include <stdio.h>
#include <string.h>

#include "graph.h"

static hd_value text(struct hd_heap *heap, uint64_t number)
{
    char bytes[32];
    int size = snprintf(bytes, sizeof bytes, "%010llu", (unsigned long long)number);
    hd_value value;
    BENCH_CHECK(hd_str_new(&heap->objects, (const uint8_t *)bytes, (size_t)size, &value));
    return value;
}

static void add_int(struct hd_heap *heap, hd_value list, uint64_t number)
{
    hd_value value;
    BENCH_CHECK(hd_int_new(&heap->objects, (int64_t)number + 1000, &value));
    BENCH_CHECK(hd_list_append(&heap->objects, list, value));
}

static void add_string(struct hd_heap *heap, hd_value list, uint64_t number)
{
    BENCH_CHECK(hd_list_append(&heap->objects, list, text(heap, number)));
}

static void add_entry(struct hd_heap *heap, hd_value dict, uint64_t number)
{
    hd_value name = text(heap, number);
    struct hd_key key = hd_key_of(name);
    BENCH_CHECK(hd_dict_set(&heap->objects, dict, &key, hd_value_int((int64_t)number + 1000)));
    hd_gc_release(&heap->gc, name);
}

static void set_attribute(struct hd_heap *heap, hd_value instance, const char *name, hd_value value)
{
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)name, strlen(name));
    BENCH_CHECK(hd_attribute_set(&heap->objects, instance, &key, value));
}

/* Of a class that learns its layout from the first instance, as when nobody declares it. */
static void add_instance(struct hd_heap *heap, hd_value list, uint64_t number)
{
    static hd_value class_value;
    if (!class_value) {
        BENCH_CHECK(hd_class_new(&heap->objects, hd_value_short(HD_TAG_STR, "Point", 5), HD_ABSENT, &class_value));
        bench_bind(heap, "Point", class_value);
    }
    hd_value instance;
    BENCH_CHECK(hd_instance_new(&heap->objects, class_value, &instance));
    set_attribute(heap, instance, "a", hd_value_int((int64_t)number + 1000));
    set_attribute(heap, instance, "b", HD_NONE);
    set_attribute(heap, instance, "c", HD_TRUE);
    BENCH_CHECK(hd_list_append(&heap->objects, list, instance));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*add)(struct hd_heap *heap, hd_value collection, uint64_t number);
    } shapes[] = {{"ints", add_int}, {"strings", add_string}, {"dict", add_entry}, {"instances", add_instance}};
    if (argc != 3)
        bench_die("usage: bench_elements COUNT ints|strings|dict|instances");
    uint64_t count = bench_count(argv[1]);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(argv[2], shapes[i].name) != 0)
            continue;
        double before = bench_rss_bytes();
        struct hd_heap *heap = bench_heap_new(true);
        hd_value collection;
        if (strcmp(argv[2], "dict") == 0)
            BENCH_CHECK(hd_dict_new(&heap->objects, 0, &collection));
        else
            BENCH_CHECK(hd_list_new(&heap->objects, 0, &collection));
        bench_bind(heap, "all", collection);
        for (uint64_t number = 0; number < count; number++) {
            shapes[i].add(heap, collection, number);
            (void)hd_heap_settle(heap);
        }
        while (hd_heap_step(heap, UINT64_MAX))
            ;
        bench_row("rss", (bench_rss_bytes() - before) / (double)count, "bytes");
        hd_heap_free(heap);
        return 0;
    }
    bench_die("unknown shape");
}
