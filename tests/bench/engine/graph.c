#include "graph.h"

#include <string.h>

static const char *const edge_names[GRAPH_EDGES] = {"a", "b", "c"};

struct hd_heap *bench_heap_new(bool collects)
{
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    if (!collects)
        config.thresholds[0] = 0;
    struct hd_heap *heap;
    BENCH_CHECK(hd_heap_new(hd_os_linux(), &config, &heap));
    return heap;
}

void bench_bind(struct hd_heap *heap, const char *name, hd_value value)
{
    BENCH_CHECK(hd_heap_bind(heap, HD_ABSENT, (const uint8_t *)name, strlen(name), value));
}

void bench_unbind(struct hd_heap *heap, const char *name)
{
    BENCH_CHECK(hd_heap_unbind(heap, HD_ABSENT, (const uint8_t *)name, strlen(name)));
}

static struct hd_key edge_key(unsigned edge)
{
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)edge_names[edge], 1);
}

/* The class of all instances, kept by a name of its own. */
static hd_value node_class(struct hd_heap *heap)
{
    struct hd_objects *objects = &heap->objects;
    static const uint8_t name[] = "Node";
    hd_value class_value;
    if (hd_heap_lookup(heap, HD_ABSENT, name, 4, &class_value) == 0) {
        hd_gc_release(&heap->gc, class_value);
        return class_value;
    }
    hd_value name_value;
    BENCH_CHECK(hd_str_new(objects, name, 4, &name_value));
    BENCH_CHECK(hd_class_new(objects, name_value, HD_ABSENT, &class_value));
    for (unsigned i = 0; i < GRAPH_EDGES; i++) {
        struct hd_key key = edge_key(i);
        BENCH_CHECK(hd_class_add_attribute(objects, class_value, &key));
    }
    bench_bind(heap, "Node", class_value);
    return class_value;
}

static hd_value object_of(struct hd_heap *heap, hd_value class_value, char shape, const hd_value edges[GRAPH_EDGES])
{
    struct hd_objects *objects = &heap->objects;
    hd_value object;
    switch (shape) {
    case 'l':
        BENCH_CHECK(hd_list_new(objects, GRAPH_EDGES, &object));
        for (unsigned i = 0; i < GRAPH_EDGES; i++)
            BENCH_CHECK(hd_list_append(objects, object, edges[i]));
        return object;
    case 't':
        BENCH_CHECK(hd_tuple_new(objects, GRAPH_EDGES, &object));
        for (unsigned i = 0; i < GRAPH_EDGES; i++)
            hd_tuple_init_at(objects, object, i, edges[i]);
        return object;
    case 'd':
        BENCH_CHECK(hd_dict_new(objects, GRAPH_EDGES, &object));
        for (unsigned i = 0; i < GRAPH_EDGES; i++) {
            struct hd_key key = edge_key(i);
            BENCH_CHECK(hd_dict_set(objects, object, &key, edges[i]));
        }
        return object;
    case 'i':
        BENCH_CHECK(hd_instance_new(objects, class_value, &object));
        for (unsigned i = 0; i < GRAPH_EDGES; i++) {
            struct hd_key key = edge_key(i);
            BENCH_CHECK(hd_attribute_set(objects, object, &key, edges[i]));
        }
        return object;
    default:
        bench_die("shapes are letters out of l, t, d and i");
    }
}

hd_value graph_object(struct hd_heap *heap, char shape, const hd_value edges[GRAPH_EDGES])
{
    return object_of(heap, shape == 'i' ? node_class(heap) : HD_ABSENT, shape, edges);
}

hd_value graph_new(struct hd_heap *heap, uint64_t count, bool sequential, const char *shapes)
{
    struct hd_objects *objects = &heap->objects;
    size_t shape_count = strlen(shapes);
    hd_value class_value = node_class(heap);
    hd_value all;
    BENCH_CHECK(hd_list_new(objects, (uint32_t)count, &all));
    for (uint64_t i = 0; i < count; i++) {
        hd_value edges[GRAPH_EDGES];
        for (uint64_t k = 0; k < GRAPH_EDGES; k++) {
            hd_value referent = all;
            if (sequential && i > k)
                referent = hd_list_at(objects, all, (uint32_t)(i - k - 1));
            else if (!sequential && i > 0)
                referent = hd_list_at(objects, all, (uint32_t)(bench_random() % i));
            edges[k] = hd_gc_retain(&heap->gc, referent);
        }
        BENCH_CHECK(hd_list_append(objects, all, object_of(heap, class_value, shapes[i % shape_count], edges)));
    }
    return all;
}

hd_value small_lists_new(struct hd_heap *heap, uint64_t count)
{
    struct hd_objects *objects = &heap->objects;
    hd_value *lists = bench_memory(count * sizeof *lists);
    for (uint64_t i = 0; i < count; i++) {
        BENCH_CHECK(hd_list_new(objects, 2, &lists[i]));
        BENCH_CHECK(hd_list_append(objects, lists[i], HD_NONE));
        BENCH_CHECK(hd_list_append(objects, lists[i], HD_NONE));
    }
    hd_value all;
    BENCH_CHECK(hd_list_new(objects, (uint32_t)count, &all));
    for (uint64_t left = count; left; left--) {
        uint64_t chosen = bench_random() % left;
        BENCH_CHECK(hd_list_append(objects, all, lists[chosen]));
        lists[chosen] = lists[left - 1];
    }
    return all;
}
