/* libheapd against the real daemon: every method, and what only two ends together can show. */
#include <heapd/heapd.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"

static int start(void **state)
{
    /* So few that one test can use them all in any build, and enough for the others. */
    static const char settings[] = "max_slots = 64K\n";
    char path[] = "/tmp/heapd-test-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    if (fd < 0 || write(fd, settings, sizeof settings - 1) < 0)
        return -1;
    close(fd);
    bb_daemon_start(&bb, (const char *const[]){"--config", path, NULL});
    unlink(path);
    return 0;
}

static uint64_t stat_of(struct heapd_connection *heap, const char *name)
{
    struct heapd_result stats;
    struct heapd_error error;
    DO(heapd_stats(heap, &stats, &error));
    uint64_t value = heapd_result_stat(&stats, name, UINT64_MAX);
    heapd_result_clear(&stats);
    assert_true(value != UINT64_MAX);
    return value;
}

static uint64_t handles_of(struct heapd_connection *heap)
{
    struct heapd_result result;
    struct heapd_error error;
    uint64_t handles = UINT64_MAX;
    DO(heapd_list_sessions(heap, &result, &error));
    for (size_t i = 0; i < result.as.sessions.count; i++) {
        if (result.as.sessions.items[i].self)
            handles = result.as.sessions.items[i].handles;
    }
    heapd_result_clear(&result);
    return handles;
}

static void lists(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle list;
    struct heapd_value value;
    uint64_t length;
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_append(heap, list, heapd_str("b"), &error));
    DO(heapd_insert(heap, list, 0, heapd_int(-7), &error));
    DO(heapd_append(heap, list, heapd_float(0.5), &error));
    DO(heapd_append(heap, list, heapd_none(), &error));
    DO(heapd_append(heap, list, heapd_bytes_of("a\0b", 3), &error));
    DO(heapd_length(heap, list, &length, &error));
    assert_int_equal(length, 5);
    DO(heapd_get_item(heap, list, heapd_int(0), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, -7);
    DO(heapd_get_item(heap, list, heapd_int(-3), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_FLOAT);
    DO(heapd_get_item(heap, list, heapd_int(1), HEAPD_OBJECT, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_REF);
    assert_int_equal(value.type, HEAPD_TYPE_STR);
    heapd_handle text = value.as.ref;
    DO(heapd_read_all(heap, text, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_STR);
    assert_string_equal(value.as.bytes.data, "b");
    heapd_value_clear(&value);
    heapd_release(heap, text);
    DO(heapd_set_item(heap, list, heapd_int(3), heapd_bool(true), &error));
    DO(heapd_pop(heap, list, heapd_value_make(HEAPD_VALUE_ABSENT), HEAPD_ANY, &value, &error));
    if (value.kind == HEAPD_VALUE_REF)
        heapd_release(heap, value.as.ref);
    heapd_value_clear(&value);
    DO(heapd_pop(heap, list, heapd_int(-1), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_BOOL);
    DO(heapd_add_item(heap, list, heapd_int(0), heapd_int(10), &value, &error));
    assert_int_equal(value.as.integer, 3);
    DO(heapd_del_item(heap, list, heapd_int(0), &error));
    assert_int_equal(heapd_get_item(heap, list, heapd_int(9), HEAPD_PLAIN, &value, &error), HEAPD_EINDEX);
    DO(heapd_clear(heap, list, &error));
    DO(heapd_length(heap, list, &length, &error));
    assert_int_equal(length, 0);
    DO(heapd_release(heap, list));
    assert_int_equal(handles_of(heap), 0);
    heapd_close(heap);
}

static void dicts_sets_and_numbers(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle dict, set;
    struct heapd_value value;
    bool flag;
    DO(heapd_new_dict(heap, &dict, &error));
    DO(heapd_set_item(heap, dict, heapd_str("k"), heapd_int(1), &error));
    DO(heapd_contains(heap, dict, heapd_str("k"), &flag, &error));
    assert_true(flag);
    DO(heapd_add_item(heap, dict, heapd_str("k"), heapd_float(0.25), &value, &error));
    assert_true(fabs(value.as.real - 1.25) < 1e-12);
    /* 2^64, which no 64-bit number holds. */
    DO(heapd_set_item(heap, dict, heapd_str("big"), heapd_big_int("\0\0\0\0\0\0\0\0\1", 9), &error));
    DO(heapd_get_item(heap, dict, heapd_str("big"), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_BIG_INT);
    assert_memory_equal(value.as.bytes.data, "\0\0\0\0\0\0\0\0\1", 9);
    heapd_value_clear(&value);
    DO(heapd_del_item(heap, dict, heapd_str("k"), &error));
    assert_int_equal(heapd_get_item(heap, dict, heapd_str("k"), HEAPD_PLAIN, &value, &error), HEAPD_EKEY);
    assert_int_equal(heapd_set_item(heap, dict, heapd_ref(dict), heapd_none(), &error), HEAPD_EUNHASHABLE);
    assert_int_equal(heapd_append(heap, dict, heapd_none(), &error), HEAPD_ETYPE);
    DO(heapd_new_set(heap, &set, &error));
    DO(heapd_set_add(heap, set, heapd_int(1), &flag, &error));
    assert_true(flag);
    DO(heapd_set_add(heap, set, heapd_int(1), &flag, &error));
    assert_false(flag);
    DO(heapd_set_discard(heap, set, heapd_int(1), &flag, &error));
    assert_true(flag);
    DO(heapd_set_discard(heap, set, heapd_int(1), NULL, &error));
    heapd_close(heap);
}

static void classes_and_instances(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle point, instance;
    struct heapd_bytes attributes[] = {heapd_text("x"), heapd_text("y")};
    struct heapd_value value;
    DO(heapd_create_class(heap, heapd_text("Point"), 0, attributes, 2, &point, &error));
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_instance(literal, point);
    heapd_literal_add(literal, heapd_str("x"));
    heapd_literal_add(literal, heapd_int(3));
    heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &instance, &error));
    heapd_literal_free(literal);
    DO(heapd_set_attr(heap, instance, heapd_text("y"), heapd_int(4), &error));
    DO(heapd_add_attr(heap, instance, heapd_text("y"), heapd_int(1), &value, &error));
    assert_int_equal(value.as.integer, 5);
    DO(heapd_get_attr(heap, instance, heapd_text("x"), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 3);
    DO(heapd_del_attr(heap, instance, heapd_text("x"), &error));
    assert_int_equal(heapd_get_attr(heap, instance, heapd_text("x"), HEAPD_PLAIN, &value, &error), HEAPD_EATTRIBUTE);
    struct heapd_result result;
    DO(heapd_inspect(heap, instance, &result, &error));
    assert_int_equal(result.as.info.type, HEAPD_TYPE_INSTANCE);
    assert_string_equal(result.as.info.class_name.data, "Point");
    assert_int_equal(result.as.info.reference_count, 1);
    heapd_result_clear(&result);
    heapd_handle copy;
    DO(heapd_duplicate(heap, instance, &copy, &error));
    DO(heapd_inspect(heap, instance, &result, &error));
    assert_int_equal(result.as.info.reference_count, 2);
    heapd_result_clear(&result);
    heapd_close(heap);
}

static void names_and_scopes(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle outer, inner;
    struct heapd_value value;
    DO(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("names:a"), heapd_int(1), &error));
    DO(heapd_bind(heap, HEAPD_GLOBAL, heapd_text("names:b"), heapd_int(2), &error));
    DO(heapd_open_scope(heap, 0, &outer, &error));
    DO(heapd_open_scope(heap, outer, &inner, &error));
    DO(heapd_bind(heap, outer, heapd_text("names:a"), heapd_int(10), &error));
    DO(heapd_lookup(heap, inner, heapd_text("names:a"), HEAPD_PLAIN, 0, &value, &error));
    assert_int_equal(value.as.integer, 10);
    DO(heapd_lookup(heap, inner, heapd_text("names:b"), HEAPD_PLAIN, 0, &value, &error));
    assert_int_equal(value.as.integer, 2);
    DO(heapd_close_scope(heap, outer, &error));
    struct heapd_result result;
    DO(heapd_list_names(heap, HEAPD_GLOBAL, heapd_text("names:"), 0, 1, &result, &error));
    assert_int_equal(result.as.names.count, 1);
    assert_string_equal(result.as.names.items[0].name.data, "names:a");
    assert_true(result.as.names.next != 0);
    uint64_t next = result.as.names.next;
    heapd_result_clear(&result);
    DO(heapd_list_names(heap, HEAPD_GLOBAL, heapd_text("names:"), next, 10, &result, &error));
    assert_int_equal(result.as.names.count, 1);
    assert_string_equal(result.as.names.items[0].name.data, "names:b");
    assert_int_equal(result.as.names.next, 0);
    heapd_result_clear(&result);
    DO(heapd_add_name(heap, HEAPD_GLOBAL, heapd_text("names:a"), heapd_int(5), &value, &error));
    assert_int_equal(value.as.integer, 6);
    DO(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text("names:a"), &error));
    DO(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text("names:b"), &error));
    assert_int_equal(heapd_unbind(heap, HEAPD_GLOBAL, heapd_text("names:b"), &error), HEAPD_ENAME);
    heapd_close(heap);
}

static void the_collector(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_thresholds thresholds, before;
    struct heapd_counts counts;
    struct heapd_collector_stats stats;
    struct heapd_collection collection;
    DO(heapd_gc_get_threshold(heap, &before, &error));
    DO(heapd_gc_set_threshold(heap, (struct heapd_thresholds){{900, 9, 8}}, &error));
    DO(heapd_gc_get_threshold(heap, &thresholds, &error));
    assert_int_equal(thresholds.threshold[0], 900);
    assert_int_equal(thresholds.threshold[2], 8);
    DO(heapd_gc_set_threshold(heap, before, &error));
    DO(heapd_gc_set_enabled(heap, false, &error));
    DO(heapd_gc_stats(heap, &stats, &error));
    assert_false(stats.enabled);
    DO(heapd_gc_collect(heap, 2, &collection, &error));
    uint64_t live = stat_of(heap, "objects_live_count");
    heapd_handle list;
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_append(heap, list, heapd_ref(list), &error));
    DO(heapd_release(heap, list));
    DO(heapd_gc_get_count(heap, &counts, &error));
    assert_int_equal(stat_of(heap, "objects_live_count"), live + 1);
    DO(heapd_gc_collect(heap, 2, &collection, &error));
    assert_int_equal(collection.unreachable, 1);
    assert_int_equal(stat_of(heap, "objects_live_count"), live);
    DO(heapd_gc_set_enabled(heap, true, &error));
    heapd_close(heap);
}

static void upkeep(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_collection collection;
    struct heapd_compaction compaction;
    heapd_handle list;
    uint64_t frozen = 77;
    DO(heapd_gc_set_enabled(heap, false, &error));
    DO(heapd_gc_collect(heap, 2, &collection, &error));
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_append(heap, list, heapd_ref(list), &error));
    DO(heapd_release(heap, list));
    DO(heapd_gc_dry_run(heap, &collection, &error));
    assert_int_equal(collection.unreachable, 1);
    assert_true(collection.unreachable_bytes >= 16);
    DO(heapd_gc_freeze(heap, &error));
    DO(heapd_gc_freeze_count(heap, &frozen, &error));
    assert_true(frozen >= 1);
    DO(heapd_gc_collect(heap, 2, &collection, &error));
    assert_int_equal(collection.unreachable, 0);
    DO(heapd_gc_unfreeze(heap, &error));
    DO(heapd_gc_freeze_count(heap, &frozen, &error));
    assert_int_equal(frozen, 0);
    DO(heapd_compact(heap, &compaction, &error));
    /* All of it again, begun. */
    heapd_ticket tickets[6];
    struct heapd_result result;
    DO(heapd_begin_gc_dry_run(heap, &tickets[0], &error));
    DO(heapd_begin_gc_freeze(heap, &tickets[1], &error));
    DO(heapd_begin_gc_unfreeze(heap, &tickets[2], &error));
    DO(heapd_begin_compact(heap, &tickets[3], &error));
    DO(heapd_begin_gc_freeze_count(heap, &tickets[4], &error));
    DO(heapd_begin_memory(heap, &tickets[5], &error));
    for (size_t i = 0; i < 6; i++) {
        DO(heapd_wait(heap, tickets[i], -1, &result, &error));
        if (i == 0)
            assert_int_equal(result.as.collection.unreachable, 1);
        if (i == 4)
            assert_int_equal(result.value.kind, HEAPD_VALUE_INT);
        if (i == 5)
            assert_true(result.as.memory->used_bytes > 0);
        heapd_result_clear(&result);
    }
    DO(heapd_gc_collect(heap, 2, &collection, &error));
    assert_int_equal(collection.unreachable, 1);
    DO(heapd_gc_set_enabled(heap, true, &error));
    heapd_close(heap);
}

static void memory_is_shown(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_result result;
    DO(heapd_memory(heap, &result, &error));
    assert_int_equal(result.method, HEAPD_METHOD_MEMORY);
    const struct heapd_memory_info *memory = result.as.memory;
    assert_int_equal(memory->used_bytes,
                     memory->objects_mapped_bytes + memory->table_bytes + memory->bookkeeping_bytes);
    assert_int_equal(memory->objects_mapped_bytes, memory->arena_bytes + memory->large_bytes + memory->retired_bytes);
    assert_true(memory->class_count > 32);
    uint64_t pools = 0;
    for (size_t i = 0; i < memory->class_count; i++)
        pools += memory->classes[i].pools_used + memory->classes[i].pools_full;
    assert_int_equal(pools, memory->pools_used_count + memory->pools_full_count);
    assert_int_equal(memory->histogram_count, 7);
    assert_string_equal(memory->histograms[0].name, "young");
    assert_string_equal(memory->histograms[6].name, "relief");
    for (size_t i = 0; i < memory->histogram_count; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < memory->histograms[i].bucket_count; j++)
            sum += memory->histograms[i].buckets[j];
        assert_int_equal(sum, memory->histograms[i].count);
    }
    heapd_result_clear(&result);
    assert_int_equal(stat_of(heap, "net_connections_count") > 0, 1);
    heapd_close(heap);
}

/* A document of several megabytes, deeper than one literal may be, and long strs. */
static void build(struct heapd_literal *literal, int rows, const char *long_text, size_t long_bytes)
{
    heapd_literal_open_dict(literal);
    heapd_literal_add(literal, heapd_str("rows"));
    heapd_literal_open_list(literal);
    for (int i = 0; i < rows; i++) {
        char key[32];
        heapd_literal_open_dict(literal);
        (void)snprintf(key, sizeof key, "number-%d", i);
        heapd_literal_add(literal, heapd_str(key));
        heapd_literal_add(literal, heapd_int(i));
        heapd_literal_add(literal, heapd_str("tuple"));
        heapd_literal_open_tuple(literal);
        heapd_literal_add(literal, heapd_float(i / 2.0));
        heapd_literal_add(literal, heapd_none());
        heapd_literal_close(literal);
        heapd_literal_close(literal);
    }
    heapd_literal_close(literal);
    heapd_literal_add(literal, heapd_str("deep"));
    for (int i = 0; i < 1000; i++)
        heapd_literal_open_list(literal);
    heapd_literal_add(literal, heapd_str_of(long_text, long_bytes));
    for (int i = 0; i < 1000; i++)
        heapd_literal_close(literal);
    heapd_literal_close(literal);
}

static uint64_t check_export(struct heapd_connection *heap, heapd_handle document, int rows, size_t long_bytes)
{
    struct heapd_export *reader;
    struct heapd_error error;
    struct heapd_node node;
    DO(heapd_export_open(heap, document, 0, &reader, &error));
    uint64_t nodes = 0;
    int64_t integers = 0;
    uint32_t deepest = 0;
    size_t longest = 0;
    int more;
    while ((more = heapd_export_next(reader, &node, &error)) == 1) {
        nodes++;
        deepest = node.depth > deepest ? node.depth : deepest;
        if (node.kind == HEAPD_NODE_VALUE && node.value.kind == HEAPD_VALUE_INT)
            integers += node.value.as.integer;
        if (node.kind == HEAPD_NODE_VALUE && node.value.kind == HEAPD_VALUE_STR && node.value.as.bytes.size > longest)
            longest = node.value.as.bytes.size;
    }
    DO(more);
    heapd_export_close(reader);
    assert_int_equal(integers, (int64_t)rows * (rows - 1) / 2);
    assert_int_equal(deepest, 1001);
    assert_int_equal(longest, long_bytes);
    return nodes;
}

static void large_documents(void **state)
{
    (void)state;
    enum { ROWS = 30000, LONG_BYTES = 300000 };
    struct heapd_connection *heap = join();
    struct heapd_error error;
    uint64_t live = stat_of(heap, "objects_live_count");
    char *long_text = malloc(LONG_BYTES);
    memset(long_text, 'x', LONG_BYTES);
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle document;
    assert_int_equal(heapd_literal_attach(literal, heap, 0), 0);
    build(literal, ROWS, long_text, LONG_BYTES);
    assert_true(heapd_literal_sent_bytes(literal) > 1000000);
    DO(heapd_literal_finish(literal, &document, &error));
    assert_int_equal(handles_of(heap), 1);
    uint64_t nodes = check_export(heap, document, ROWS, LONG_BYTES);
    /* Each row: a dict, two keys, an int, a tuple, its two elements, two ends. And 1000 lists with ends, the rest. */
    assert_int_equal(nodes, ROWS * 9 + 2000 + 7);
    struct heapd_value value;
    struct heapd_path_step steps[] = {heapd_step_member("rows"), heapd_step_item(heapd_int(77)),
                                      heapd_step_item(heapd_str("number-77"))};
    DO(heapd_resolve(heap, document, 0, heapd_text(""), steps, 3, HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 77);
    heapd_release(heap, document);
    DO(heapd_finish(heap, &error));
    BB_AWAIT(stat_of(heap, "objects_live_count") == live);
    heapd_literal_free(literal);
    free(long_text);
    heapd_close(heap);
}

/* Chains released in the same write, good and bad ones mixed, leave nothing behind. */
static void chains_leave_nothing(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    uint64_t live = stat_of(heap, "objects_live_count");
    struct heapd_literal *literal = heapd_literal_new();
    heapd_literal_open_list(literal);
    heapd_literal_open_list(literal);
    heapd_literal_close(literal);
    heapd_literal_close(literal);
    static const uint64_t inner_number = 1;
    heapd_handle base;
    DO(heapd_create(heap, literal, &base, &error));
    for (int i = 0; i < 3000; i++) {
        heapd_handle list, inner, item;
        heapd_ticket ticket;
        DO(heapd_begin_create(heap, literal, &inner_number, 1, &inner, &list, NULL, &error));
        /* Every third chain asks for what is not there, and its end is aborted. */
        DO(heapd_begin_get_item(heap, list, heapd_int(i % 3 ? 0 : 5), HEAPD_OBJECT, &item, &ticket, &error));
        heapd_forget(heap, ticket);
        DO(heapd_begin_append(heap, inner, heapd_ref(base), &ticket, &error));
        heapd_forget(heap, ticket);
        heapd_release(heap, item);
        heapd_release(heap, inner);
        heapd_release(heap, list);
    }
    DO(heapd_finish(heap, &error));
    assert_int_equal(heapd_held_count(heap), 1);
    assert_int_equal(handles_of(heap), 1);
    heapd_release(heap, base);
    DO(heapd_finish(heap, &error));
    BB_AWAIT(stat_of(heap, "objects_live_count") == live);
    heapd_literal_free(literal);
    heapd_close(heap);
}

static void parked_lookups(void **state)
{
    (void)state;
    struct heapd_connection *waiter = join();
    struct heapd_connection *binder = join();
    struct heapd_error error;
    heapd_ticket ticket, cancelled;
    heapd_handle into;
    DO(heapd_begin_lookup(waiter, HEAPD_GLOBAL, heapd_text("parked"), HEAPD_OBJECT, 60000, &into, &ticket, &error));
    DO(heapd_begin_lookup(waiter, HEAPD_GLOBAL, heapd_text("never"), HEAPD_ANY, 60000, NULL, &cancelled, &error));
    DO(heapd_ping(waiter, &error));
    assert_int_equal(heapd_wait(waiter, ticket, 10, NULL, &error), HEAPD_PENDING);
    DO(heapd_cancel(waiter, cancelled, &error));
    assert_int_equal(heapd_wait(waiter, cancelled, -1, NULL, &error), HEAPD_ECANCELLED);
    heapd_handle list;
    DO(heapd_new_list(binder, &list, &error));
    DO(heapd_bind(binder, HEAPD_GLOBAL, heapd_text("parked"), heapd_ref(list), &error));
    DO(heapd_wait(waiter, ticket, -1, NULL, &error));
    DO(heapd_append(waiter, into, heapd_int(1), &error));
    struct heapd_value value;
    assert_int_equal(heapd_lookup(waiter, HEAPD_GLOBAL, heapd_text("never"), HEAPD_ANY, 20, &value, &error),
                     HEAPD_EDEADLINE);
    /* Released before it was answered: the slot is pending, so the release waits for the answer. */
    DO(heapd_begin_lookup(waiter, HEAPD_GLOBAL, heapd_text("later"), HEAPD_OBJECT, 60000, &into, NULL, &error));
    DO(heapd_release(waiter, into));
    DO(heapd_ping(waiter, &error));
    DO(heapd_bind(binder, HEAPD_GLOBAL, heapd_text("later"), heapd_ref(list), &error));
    DO(heapd_finish(waiter, &error));
    DO(heapd_ping(waiter, &error));
    assert_int_equal(handles_of(waiter), 1);
    DO(heapd_unbind(binder, HEAPD_GLOBAL, heapd_text("parked"), &error));
    DO(heapd_unbind(binder, HEAPD_GLOBAL, heapd_text("later"), &error));
    heapd_close(waiter);
    heapd_close(binder);
}

struct worker {
    struct heapd_connection *heap;
    heapd_handle list;
    int number;
    int wrong;
};

static void *work(void *context)
{
    struct worker *worker = context;
    struct heapd_error error;
    for (int i = 0; i < 300; i++) {
        heapd_handle copy = 0;
        struct heapd_value sum = {0};
        worker->wrong += heapd_duplicate(worker->heap, worker->list, &copy, &error) != 0;
        worker->wrong += heapd_append(worker->heap, copy, heapd_int(worker->number), &error) != 0;
        worker->wrong += heapd_begin_append(worker->heap, copy, heapd_int(0), NULL, &error) != 0;
        worker->wrong += heapd_add_item(worker->heap, copy, heapd_int(0), heapd_int(1), &sum, &error) != 0;
        worker->wrong += heapd_release(worker->heap, copy) != 0;
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle list;
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_append(heap, list, heapd_int(0), &error));
    pthread_t threads_of[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.heap = heap, .list = list, .number = i};
        assert_int_equal(pthread_create(&threads_of[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads_of[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    DO(heapd_finish(heap, &error));
    uint64_t length;
    DO(heapd_length(heap, list, &length, &error));
    assert_int_equal(length, 1 + THREADS * 600);
    struct heapd_value value;
    DO(heapd_get_item(heap, list, heapd_int(0), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, THREADS * 300);
    assert_int_equal(handles_of(heap), 1);
    heapd_close(heap);
}

/* All handles in use is a failure of its own; after a release it goes on. */
static void slots_run_out(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_server_info info;
    heapd_get_server_info(heap, &info);
    heapd_handle list, copy = 0;
    DO(heapd_new_list(heap, &list, &error));
    int code = 0;
    uint64_t taken = 1;
    while ((code = heapd_begin_duplicate(heap, list, &copy, NULL, &error)) == 0)
        taken++;
    assert_int_equal(code, HEAPD_ELIMIT);
    assert_int_equal(taken, info.max_slots - 1);
    DO(heapd_finish(heap, &error));
    DO(heapd_release(heap, copy));
    DO(heapd_duplicate(heap, list, &copy, &error));
    heapd_close(heap);
}

/* Ends the daemon, so it is the last. */
static void the_daemon_is_killed_in_mid_pipeline(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_ticket first, parked;
    DO(heapd_begin_length(heap, 4711, &first, &error));
    DO(heapd_begin_lookup(heap, HEAPD_GLOBAL, heapd_text("never"), HEAPD_ANY, 60000, NULL, &parked, &error));
    DO(heapd_ping(heap, &error));
    bb_daemon_kill(&bb);
    assert_int_equal(heapd_wait(heap, parked, -1, NULL, &error), HEAPD_ECLOSED);
    assert_int_equal(heapd_wait(heap, first, -1, NULL, &error), HEAPD_EHANDLE_UNKNOWN);
    assert_int_equal(heapd_ping(heap, &error), HEAPD_ECLOSED);
    heapd_close(heap);
    bb_daemon_restart(&bb, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(dicts_sets_and_numbers),
        cmocka_unit_test(classes_and_instances),
        cmocka_unit_test(names_and_scopes),
        cmocka_unit_test(the_collector),
        cmocka_unit_test(upkeep),
        cmocka_unit_test(memory_is_shown),
        cmocka_unit_test(large_documents),
        cmocka_unit_test(chains_leave_nothing),
        cmocka_unit_test(parked_lookups),
        cmocka_unit_test(threads),
        cmocka_unit_test(slots_run_out),
        cmocka_unit_test(the_daemon_is_killed_in_mid_pipeline),
    };
    return cmocka_run_group_tests_name("libheapd and heapd", tests, start, stop);
}
