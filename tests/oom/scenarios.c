/* The stories. Each goes on as long as it can; what it has made is in roots, or let go of. */
#include "oom.h"

#include "common/literal.h"
#include "object/sequence.h"
#include "object/combine.h"
#include "object/cursor.h"
#include "object/references.h"
#include "object/sync.h"

static struct hd_key key_of(const char *text)
{
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, strlen(text));
}

static int new_str(struct oom *oom, const char *text, hd_value *out)
{
    return hd_str_new(oom->objects, (const uint8_t *)text, strlen(text), out);
}

static void scalars(struct oom *oom)
{
    static const uint8_t raw[40] = {[39] = 0x40};
    hd_value value;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_int_new(oom->objects, INT64_MAX, &value)))
        oom_root(oom, 0, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_int_from_bytes(oom->objects, raw, sizeof raw, &value)))
        oom_root(oom, 1, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_float_new(oom->objects, 1e300, &value)))
        oom_root(oom, 2, value);
    oom_begin(oom);
    if (oom_unchanged(oom, new_str(oom, "a string that needs memory", &value)))
        oom_root(oom, 3, value);
    if (!oom->roots[0] || !oom->roots[1] || !oom->roots[2])
        return;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_number_add(oom->objects, oom->roots[0], oom->roots[1], &value)))
        oom_root(oom, 4, value);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_number_add(oom->objects, oom->roots[1], oom->roots[2], &value)))
        oom_root(oom, 5, value);
}

static bool make_list(struct oom *oom, size_t at)
{
    hd_value value;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_list_new(oom->objects, 0, &value)))
        return false;
    oom_root(oom, at, value);
    return true;
}

static void lists(struct oom *oom)
{
    if (!make_list(oom, 0))
        return;
    hd_value list = oom->roots[0], value;
    for (int i = 0; i < 300; i++) {
        oom_begin(oom);
        int error = i % 2 ? hd_list_append(oom->objects, list, hd_value_int(i))
                          : hd_list_insert(oom->objects, list, i % 4 ? 1 : i / 2, hd_value_int(i));
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
    /* Taking out needs no memory. */
    while (hd_list_length(oom->objects, list))
        assert_int_equal(hd_list_pop(oom->objects, list, 0, &value), 0);
    oom_check(oom);
}

static void dicts(struct oom *oom)
{
    hd_value value;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &value)))
        return;
    oom_root(oom, 0, value);
    hd_value dict = value;
    for (int i = 0; i < 1100; i++) {
        char text[64];
        snprintf(text, sizeof text, "the key of number %d", i % 950);
        struct hd_key key = key_of(text);
        /* Looking at the whole heap each time takes too long. */
        if (i % 8 == 0)
            oom_begin(oom);
        int error = hd_dict_set(oom->objects, dict, &key, hd_value_int(i));
        bool ok = i % 8 == 0 ? oom_unchanged(oom, error) : oom_ok(oom, error);
        if (!ok && oom->fail_from)
            break;
        if (i % 5 == 4) {
            snprintf(text, sizeof text, "the key of number %d", i - 3);
            key = key_of(text);
            error = hd_dict_pop(oom->objects, dict, &key, NULL);
            assert_true(error == 0 || error == HD_EKEY || error == HD_ENOMEM);
        }
    }
    oom_check(oom);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_clear(oom->objects, dict)))
        assert_int_equal(hd_dict_length(oom->objects, dict), 0);
}

/* What is mapped by itself. */
static void large_objects(struct oom *oom)
{
    enum { BYTES = 3 << 20 };
    uint8_t *bytes = calloc(1, BYTES);
    assert_non_null(bytes);
    hd_value value;
    for (size_t i = 0; i < 3; i++) {
        oom_begin(oom);
        if (oom_unchanged(oom, hd_bytes_new(oom->objects, bytes, BYTES, &value)))
            oom_root(oom, i, value);
    }
    free(bytes);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_dict_new(oom->objects, 200000, &value)))
        oom_root(oom, 3, value);
    if (!make_list(oom, 4))
        return;
    for (uint32_t more = 100000; more < 1000000; more *= 2) {
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_list_reserve(oom->objects, oom->roots[4], more)) && oom->fail_from)
            return;
    }
}

static void sets(struct oom *oom)
{
    hd_value set;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_set_new(oom->objects, 20, &set)))
        return;
    oom_root(oom, 0, set);
    for (int i = 0; i < 200; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i % 150));
        bool was_new;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_set_add(oom->objects, set, &key, &was_new)) && oom->fail_from)
            break;
        if (i % 3 == 0) {
            key = hd_key_of(hd_value_int(i / 2));
            bool was_there;
            assert_int_equal(hd_set_discard(oom->objects, set, &key, &was_there), 0);
        }
    }
}

/* Tuples nested deeper than what is hashed without memory. */
static void deep_keys(struct oom *oom)
{
    hd_value tuple = hd_value_int(1), dict;
    for (int i = 0; i < 40; i++) {
        hd_value outer;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_tuple_new(oom->objects, 1, &outer)))
            return;
        hd_tuple_init_at(oom->objects, outer, 0, tuple == hd_value_int(1) ? tuple : hd_gc_retain(oom->gc, tuple));
        oom_root(oom, 0, outer);
        tuple = outer;
    }
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &dict)))
        return;
    oom_root(oom, 1, dict);
    for (int i = 0; i < 3; i++) {
        struct hd_key key = hd_key_of(tuple);
        bool found;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_dict_set(oom->objects, dict, &key, HD_NONE)) && oom->fail_from)
            return;
        key = hd_key_of(tuple);
        oom_begin(oom);
        if (oom_unchanged(oom, hd_dict_contains(oom->objects, dict, &key, &found)))
            assert_int_equal(found, hd_dict_length(oom->objects, dict) == 1);
    }
}

/* A class may be left prepared for what it was to take, so only the checks are asked for here. */
static void classes(struct oom *oom)
{
    hd_value name, class_value, sub, instance;
    if (!oom_ok(oom, new_str(oom, "a class with a long name", &name)))
        return;
    int error = hd_class_new(oom->objects, name, HD_ABSENT, &class_value);
    hd_gc_release(oom->gc, name);
    if (!oom_ok(oom, error))
        return;
    oom_root(oom, 0, class_value);
    static const char *const attributes[] = {
        "x", "y", "an attribute with a long name", "another one, long as well", "a", "b", "c", "d", "e", "f", "g"};
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_instance_new(oom->objects, class_value, &instance)))
        return;
    oom_root(oom, 1, instance);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        struct hd_key key = key_of(attributes[i]);
        uint32_t before = hd_instance_length(oom->objects, instance);
        error = hd_attribute_set(oom->objects, instance, &key, hd_value_int((int64_t)i));
        bool ok = oom_ok(oom, error);
        assert_int_equal(hd_instance_length(oom->objects, instance), before + ok);
        if (i % 2) {
            key = key_of(attributes[i]);
            if (!oom_ok(oom, hd_attribute_set(oom->objects, class_value, &key, HD_TRUE)))
                continue;
            hd_value value;
            assert_int_equal(hd_attribute_get(oom->objects, class_value, &key, &value), 0);
        }
    }
    oom_begin(oom);
    if (oom_unchanged(oom, hd_class_new(oom->objects, hd_class_name(oom->objects, class_value), class_value, &sub)))
        oom_root(oom, 2, sub);
    /* Many classes: their ids take memory too. */
    for (int i = 0; i < 40; i++) {
        oom_begin(oom);
        if (oom_unchanged(oom, hd_class_new(oom->objects, hd_value_short(HD_TAG_STR, "C", 1), HD_ABSENT, &sub)))
            oom_root(oom, 3 + (size_t)i % 4, sub);
    }
}

static void names(struct oom *oom)
{
    hd_value scope = HD_ABSENT, value;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_scope_new(oom->objects, HD_ABSENT, &scope)))
        oom_root(oom, 0, scope);
    for (int i = 0; i < 60; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "name number %d of many", i % 40);
        hd_value where = oom->roots[0] && i % 2 ? scope : HD_ABSENT;
        oom_begin(oom);
        if (!oom_unchanged(
                oom, hd_heap_bind(oom->heap, where, (const uint8_t *)text, (size_t)length, hd_value_int(HD_INT_MAX))))
            continue;
        oom_begin(oom);
        if (oom_unchanged(oom, hd_heap_add_to_name(oom->heap, where, (const uint8_t *)text, (size_t)length,
                                                   hd_value_int(1), &value)))
            hd_gc_release(oom->gc, value);
    }
}

static void add_node(struct hd_literal_writer *writer, struct hd_node node)
{
    assert_int_equal(hd_literal_writer_add(writer, &node), 0);
}

static void add_str(struct hd_literal_writer *writer, const char *text)
{
    struct hd_node node = {.kind = HD_KIND_STR};
    node.bytes.data = (const uint8_t *)text;
    node.bytes.size = strlen(text);
    add_node(writer, node);
}

/* Records in a list, with containers of all kinds, shared parts, captures. */
static void write_literal(struct hd_literal_writer *writer, uint64_t records)
{
    hd_literal_writer_init(writer, &hd_allocator_libc, 1 << 20);
    add_node(writer, (struct hd_node){.kind = HD_KIND_LIST, .count = records});
    for (uint64_t i = 0; i < records; i++) {
        add_node(writer, (struct hd_node){.kind = HD_KIND_DICT, .count = 4});
        add_str(writer, "a member with a long name");
        add_node(writer, (struct hd_node){.kind = HD_KIND_TUPLE, .count = 2});
        add_node(writer, (struct hd_node){.kind = HD_KIND_INT, .integer = INT64_MIN});
        add_node(writer, (struct hd_node){.kind = HD_KIND_FLOAT, .real = 1e-300});
        add_str(writer, "set");
        add_node(writer, (struct hd_node){.kind = HD_KIND_SET, .count = 2});
        add_str(writer, "an element of a set");
        add_node(writer, (struct hd_node){.kind = HD_KIND_NONE});
        add_str(writer, "shared");
        add_node(writer, (struct hd_node){.kind = HD_KIND_SHARED, .shared = 2});
        add_node(writer, (struct hd_node){.kind = HD_KIND_INT, .integer = (int64_t)i});
        add_node(writer, (struct hd_node){.kind = HD_KIND_LIST, .count = 0});
    }
}

static void literals(struct oom *oom)
{
    struct hd_literal_writer writer;
    struct hd_columns columns;
    write_literal(&writer, 20);
    hd_literal_writer_columns(&writer, &columns);
    const uint64_t captures[] = {0, 2, 5};
    hd_value captured[3], value;
    struct hd_build build = {.columns = &columns, .captures = captures, .capture_count = 3, .captured = captured};
    oom_begin(oom);
    if (oom_unchanged(oom, hd_build_value(oom->objects, &build, &value))) {
        oom_root(oom, 0, value);
        for (size_t i = 0; i < 3; i++)
            oom_root(oom, 1 + i, captured[i]);
    }
    build.capture_count = 0;
    hd_value list;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_list_new(oom->objects, 0, &list))) {
        oom_root(oom, 5, list);
        for (int i = 0; i < 3; i++) {
            oom_begin(oom);
            if (oom_unchanged(oom, hd_build_extend(oom->objects, &build, list)))
                assert_true(hd_list_length(oom->objects, list) > 0);
        }
    }
    hd_literal_writer_fini(&writer);
}

/* All or nothing, in the middle of the index's growth too. */
static void extending_a_dict(struct oom *oom)
{
    enum { PAIRS = 1200 };
    hd_value dict;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_dict_new(oom->objects, 0, &dict)))
        return;
    oom_root(oom, 0, dict);
    struct hd_literal_writer writer;
    hd_literal_writer_init(&writer, &hd_allocator_libc, 1 << 20);
    for (int i = 0; i < PAIRS; i++) {
        add_node(&writer, (struct hd_node){.kind = HD_KIND_INT, .integer = 1000000 + i});
        add_node(&writer, (struct hd_node){.kind = HD_KIND_NONE});
    }
    struct hd_columns columns;
    hd_literal_writer_columns(&writer, &columns);
    struct hd_build build = {.columns = &columns};
    uint32_t length = 0;
    for (int64_t i = 0; i < 1600; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        if (oom_ok(oom, hd_dict_set(oom->objects, dict, &key, HD_NONE)))
            length++;
        else if (oom->fail_from)
            break;
    }
    if (oom_ok(oom, hd_build_extend(oom->objects, &build, dict)))
        length += PAIRS;
    assert_int_equal(hd_dict_length(oom->objects, dict), length);
    hd_literal_writer_fini(&writer);
}

/* A walk that fails says so; the graph is untouched. */
static void walks(struct oom *oom)
{
    struct hd_literal_writer source, writer;
    struct hd_columns columns;
    write_literal(&source, 5);
    hd_literal_writer_columns(&source, &columns);
    struct hd_build build = {.columns = &columns};
    hd_value value;
    int error = hd_build_value(oom->objects, &build, &value);
    hd_literal_writer_fini(&source);
    if (!oom_ok(oom, error))
        return;
    oom_root(oom, 0, value);
    struct hd_walk *walk;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_walk_new(oom->objects, value, &walk)))
        return;
    hd_literal_writer_init(&writer, &oom->heap->account.allocator, 1 << 20);
    do {
        error = hd_walk_step(walk, &writer, 1 << 16, 3);
    } while (error == 0);
    hd_walk_free(walk);
    hd_literal_writer_fini(&writer);
    if (error < 0)
        assert_false(oom_unchanged(oom, error));
}

/* Appends what a root holds. */
static bool append_root(struct oom *oom, hd_value list, size_t at)
{
    hd_value value = hd_gc_retain(oom->gc, oom->roots[at]);
    int error = hd_list_append(oom->objects, list, value);
    if (error)
        hd_gc_release(oom->gc, value);
    return oom_ok(oom, error);
}

static bool drop_cycle(struct oom *oom)
{
    hd_value a, b;
    if (!oom_ok(oom, hd_list_new(oom->objects, 0, &a)))
        return false;
    oom_root(oom, 0, a);
    if (!oom_ok(oom, hd_list_new(oom->objects, 0, &b)))
        return false;
    oom_root(oom, 1, b);
    bool linked = append_root(oom, a, 1) && append_root(oom, b, 0);
    oom_root(oom, 0, HD_NONE);
    oom_root(oom, 1, HD_NONE);
    return linked;
}

/* Young collections come by themselves while memory is short; they need none. */
static void young_collections(struct oom *oom)
{
    for (int i = 0; i < 150; i++) {
        if (!drop_cycle(oom) && oom->fail_from)
            break;
        hd_heap_settle(oom->heap);
        if (i % 40 == 0)
            oom_check(oom);
    }
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(oom->heap, 0, &found), 0);
    assert_int_equal(hd_heap_collect(oom->heap, 1, &found), 0);
}

/* Everything fails in the middle of a full collection, and of a compaction. */
static void full_collections(struct oom *oom)
{
    if (!make_list(oom, 2))
        return;
    for (int i = 0; i < 120; i++) {
        hd_value element;
        if (oom_ok(oom, hd_list_new(oom->objects, 3, &element))) {
            oom_root(oom, 3, element);
            append_root(oom, oom->roots[2], 3);
        }
        if (i % 50 == 10)
            hd_gc_full_start(oom->gc, false);
        if (i % 50 == 35)
            hd_heap_compact_begin(oom->heap);
        drop_cycle(oom);
        hd_heap_step(oom->heap, 20);
        if (i % 10 == 0)
            oom_check(oom);
    }
    hd_heap_compact(oom->heap);
    hd_heap_relieve(oom->heap);
    oom_check(oom);
}

/* ---- coordination ---- */

static bool make_sync(struct oom *oom, size_t at, int error, const hd_value *value)
{
    if (!oom_unchanged(oom, error))
        return false;
    oom_root(oom, at, *value);
    return true;
}

static void fill_queue(struct oom *oom, hd_value queue, struct hd_party *party)
{
    for (int i = 0; i < 60; i++) {
        struct hd_sync_request request = {.act = HD_SYNC_PUT, .object = queue, .item = hd_value_int(i), .party = party};
        struct hd_sync_result result;
        oom_begin(oom);
        if (!oom_unchanged(oom, hd_sync_try(oom->objects, &request, &result)) && oom->fail_from)
            return;
        if (i % 3)
            continue;
        request.act = HD_SYNC_GET;
        request.item = HD_ABSENT;
        int error = hd_sync_try(oom->objects, &request, &result);
        assert_true(error == 0 || error == HD_SYNC_BUSY);
    }
}

/* Waking needs no memory: whoever got in line is served. */
static void wait_for_units(struct oom *oom, hd_value semaphore, struct hd_party *party)
{
    struct hd_sync_waiter waiters[3] = {{.objects = NULL}};
    struct hd_sync_request request = {.act = HD_SYNC_ACQUIRE, .object = semaphore, .item = HD_ABSENT, .party = party};
    struct hd_sync_result result;
    oom_begin(oom);
    int error = hd_sync_try(oom->objects, &request, &result);
    uint64_t in_line = 0, woken = 0;
    if (oom_unchanged(oom, error))
        for (int i = 0; i < 3; i++) {
            oom_begin(oom);
            in_line += oom_unchanged(oom, hd_sync_wait(oom->objects, &request, &waiters[i]));
        }
    for (uint64_t i = 0; i < in_line; i++)
        assert_int_equal(hd_sync_release(oom->objects, semaphore, party, 0, 1), 0);
    while (hd_sync_next_woken(oom->objects))
        woken++;
    assert_int_equal(woken, in_line);
    oom_check(oom);
    for (int i = 0; i < 3; i++)
        hd_sync_waiter_fini(&waiters[i]);
}

static void coordination(struct oom *oom)
{
    struct hd_party party = {.id = 1};
    hd_value value = HD_ABSENT;
    oom_begin(oom);
    bool has_queue = make_sync(oom, 0, hd_queue_new(oom->objects, 0, &value), &value);
    oom_begin(oom);
    bool has_semaphore = make_sync(oom, 1, hd_semaphore_new(oom->objects, 1, false, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 2, hd_condition_new(oom->objects, HD_ABSENT, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 3, hd_event_new(oom->objects, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 4, hd_barrier_new(oom->objects, 2, &value), &value);
    oom_begin(oom);
    (void)make_sync(oom, 5, hd_lock_new(oom->objects, false, &value), &value);
    if (has_queue)
        fill_queue(oom, oom->roots[0], &party);
    if (has_semaphore)
        wait_for_units(oom, oom->roots[1], &party);
    while (hd_party_end_step(oom->objects, &party, false, 1))
        ;
    oom_check(oom);
}

static void names_that_end(struct oom *oom)
{
    struct hd_subscription *subscription = NULL, *another = NULL;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_watch_add(oom->heap, HD_ABSENT, &subscription)))
        assert_null(subscription);
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_watch_add_name(oom->heap, HD_ABSENT, (const uint8_t *)"n", 1, &another)))
        assert_null(another);
    for (int i = 0; i < 60; i++) {
        char text[64];
        int length = snprintf(text, sizeof text, "name number %d of many", i % 40);
        oom_begin(oom);
        int error = i % 3 ? hd_heap_bind_until(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length,
                                               hd_value_int(i), (uint64_t)(i * 7 % 50))
                          : hd_heap_bind(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length, HD_NONE);
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
        oom_begin(oom);
        error = hd_heap_set_deadline(oom->heap, HD_ABSENT, (const uint8_t *)text, (size_t)length, 100);
        if (error != HD_ENAME && !oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
    /* That their time is over needs no memory. */
    (void)hd_heap_expire(oom->heap, 1000, UINT64_MAX);
    assert_int_equal(hd_heap_next_deadline(oom->heap), HD_NEVER);
    while (hd_watch_next(oom->heap))
        ;
    if (subscription)
        hd_watch_remove(oom->heap, subscription);
    if (another)
        hd_watch_remove(oom->heap, another);
    oom_check(oom);
}

/* Finishes a work that was begun, and lets go of what it made. Whatever fails, nothing has changed. */
static bool finish_work(struct oom *oom, int begun, struct hd_work *work)
{
    if (begun)
        return oom_unchanged(oom, begun);
    int error = hd_work_finish(work);
    hd_work_fini(work);
    return error ? oom_unchanged(oom, error) : oom_ok(oom, 0);
}

static bool fill_list(struct oom *oom, size_t at)
{
    if (!make_list(oom, at))
        return false;
    for (int i = 0; i < 60; i++) {
        hd_value value;
        if (!oom_ok(oom, i % 3 ? new_str(oom, "a str that is not short", &value)
                               : hd_int_new(oom->objects, INT64_MAX - i, &value)))
            return false;
        int error = hd_list_append(oom->objects, oom->roots[at], value);
        if (error)
            hd_gc_release(oom->gc, value);
        if (!oom_ok(oom, error))
            return false;
    }
    return true;
}

static void sequences(struct oom *oom)
{
    if (!fill_list(oom, 0) || !fill_list(oom, 1))
        return;
    struct hd_objects *objects = oom->objects;
    hd_value list = oom->roots[0], other = oom->roots[1];
    const struct hd_range part = {hd_value_int(5), hd_value_int(50), hd_value_int(3)};
    const struct hd_range front = {hd_value_int(2), hd_value_int(9), HD_NONE};
    union {
        struct hd_work work;
        union hd_make make;
        struct hd_splice splice;
        struct hd_sort sort;
        struct hd_copy copy;
        struct hd_compare compare;
    } any;
#define WORK(call) \
    do { \
        oom_begin(oom); \
        int begun = (call); \
        if (!finish_work(oom, begun, &any.work) && oom->fail_from) \
            return; \
    } while (0)
    WORK(hd_get_slice_begin(objects, list, &part, &any.make));
    WORK(hd_concat_begin(objects, list, other, &any.make));
    WORK(hd_repeat_begin(objects, list, hd_value_int(3), &any.make));
    WORK(hd_copy_begin(objects, list, true, &any.copy));
    WORK(hd_compare_begin(objects, list, HD_EQUAL, other, &any.compare));
    WORK(hd_set_slice_begin(objects, list, &front, other, &any.splice));
    WORK(hd_delete_slice_begin(objects, list, &part, &any.splice));
    WORK(hd_extend_begin(objects, list, list, &any.splice));
    WORK(hd_reverse_begin(objects, list, &any.splice));
    WORK(hd_repeat_in_place_begin(objects, other, hd_value_int(2), &any.splice));
    WORK(hd_delete_slice_begin(objects, list, &front, &any.splice));
#undef WORK
    if (!make_list(oom, 2))
        return;
    for (int i = 0; i < 80; i++)
        if (!oom_ok(oom, hd_list_append(objects, oom->roots[2], hd_value_int(i * 37 % 80))))
            return;
    oom_begin(oom);
    (void)finish_work(oom, hd_sort_begin(objects, oom->roots[2], false, &any.sort), &any.work);
    for (int i = HD_ADD; i <= HD_XOR; i++) {
        hd_value result, small = hd_value_int(3);
        oom_begin(oom);
        hd_value big = hd_list_at(objects, other, 0);
        if (oom_unchanged(oom, hd_number_compute(objects, (enum hd_arithmetic)i, big, small, &result)))
            hd_gc_release(oom->gc, result);
        else if (oom->fail_from)
            return;
    }
}

static bool fill_set(struct oom *oom, size_t at, bool frozen, int from, int count)
{
    hd_value set;
    int error = frozen ? hd_frozenset_new(oom->objects, 0, &set) : hd_set_new(oom->objects, 0, &set);
    if (!oom_ok(oom, error))
        return false;
    for (int i = from; !error && i < from + count; i++) {
        struct hd_key key = hd_key_of(hd_value_int(i));
        bool was_new;
        error = hd_set_add(oom->objects, set, &key, &was_new);
    }
    oom_root(oom, at, set);
    return oom_ok(oom, error);
}

/* New ones, and in place; by a little, and by what takes another table. */
static void set_algebra(struct oom *oom)
{
    hd_value others;
    if (!fill_set(oom, 0, false, 0, 40) || !fill_set(oom, 1, true, 20, 2200))
        return;
    if (!oom_ok(oom, hd_tuple_new(oom->objects, 1, &others)))
        return;
    hd_tuple_init_at(oom->objects, others, 0, hd_gc_retain(oom->gc, oom->roots[1]));
    oom_root(oom, 2, others);
    for (int operation = HD_SET_UNION; operation <= HD_SET_SYMMETRIC_DIFFERENCE; operation++) {
        struct hd_combine combine;
        oom_begin(oom);
        int error = hd_combine_begin(oom->objects, oom->roots[0], (enum hd_set_operation)operation, others, true,
                                     operation % 2 == 0, &combine);
        if (!error) {
            error = hd_work_finish(&combine.work);
            hd_work_fini(&combine.work);
        }
        if (!oom_unchanged(oom, error) && oom->fail_from)
            break;
    }
}

static void references(struct oom *oom)
{
    if (!make_list(oom, 0))
        return;
    hd_value weak, soft, cursor;
    oom_begin(oom);
    if (oom_unchanged(oom, hd_weak_new(oom->objects, oom->roots[0], &weak)))
        oom_root(oom, 1, weak);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_soft_new(oom->objects, oom->roots[0], &soft)))
        oom_root(oom, 2, soft);
    oom_begin(oom);
    if (oom_unchanged(oom, hd_cursor_new(oom->objects, oom->roots[0], HD_VIEW_KEYS, false, &cursor)))
        oom_root(oom, 3, cursor);
    /* The list goes with its holders; the weak reference is told. */
    oom_root(oom, 0, HD_NONE);
    oom_root(oom, 2, HD_NONE);
    oom_root(oom, 3, HD_NONE);
    while (hd_gc_reap(oom->gc, 100))
        ;
    if (oom->roots[1] != HD_ABSENT)
        assert_int_equal(hd_weak_get(oom->objects, oom->roots[1]), HD_ABSENT);
    oom_check(oom);
}

const struct oom_scenario oom_scenarios[] = {
    {"scalars", scalars, 700},
    {"lists", lists, 700},
    {"dicts", dicts, 700},
    {"large objects", large_objects, 700},
    {"sets", sets, 700},
    {"deep keys", deep_keys, 700},
    {"classes and instances", classes, 700},
    {"names and scopes", names, 700},
    {"literals", literals, 700},
    {"sequences", sequences, 700},
    {"coordination", coordination, 700},
    {"names that end, subscriptions", names_that_end, 700},
    {"extending a dict", extending_a_dict, 700},
    {"walks", walks, 700},
    {"young collections", young_collections, 20},
    {"full collections and compaction", full_collections, 50},
    {"set algebra", set_algebra, 700},
    {"references and cursors", references, 700},
    {"inspection", oom_inspection, 700},
    {"buffers", oom_buffers, 700},
};
const size_t oom_scenario_count = sizeof oom_scenarios / sizeof oom_scenarios[0];
