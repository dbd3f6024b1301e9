/* Sets, dicts, cursors, references and classes through libheapd, against the real daemon. */
#include <heapd/heapd.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

#define REFUSED(call, wanted) assert_int_equal((call), (wanted))

/* An open function and the ints first, first + 1, ... */
static heapd_handle ints(struct heapd_connection *heap, int open(struct heapd_literal *), int64_t first, int64_t count)
{
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_error error;
    heapd_handle handle = 0;
    assert_non_null(literal);
    (void)open(literal);
    for (int64_t i = 0; i < count; i++)
        (void)heapd_literal_add(literal, heapd_int(first + i));
    (void)heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &handle, &error));
    heapd_literal_free(literal);
    return handle;
}

/* first: first + 1, and so on. */
static heapd_handle dict_of(struct heapd_connection *heap, int64_t first, int64_t count)
{
    struct heapd_literal *literal = heapd_literal_new();
    struct heapd_error error;
    heapd_handle handle = 0;
    assert_non_null(literal);
    (void)heapd_literal_open_dict(literal);
    for (int64_t i = 0; i < count; i++) {
        (void)heapd_literal_add(literal, heapd_int(first + i));
        (void)heapd_literal_add(literal, heapd_int(first + i + 1));
    }
    (void)heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &handle, &error));
    heapd_literal_free(literal);
    return handle;
}

static uint64_t length_of(struct heapd_connection *heap, heapd_handle object)
{
    struct heapd_error error;
    uint64_t length = 0;
    DO(heapd_length(heap, object, &length, &error));
    return length;
}

/* Handles that are held once the releases that were gathered are on their way. */
static size_t held_count(struct heapd_connection *heap, heapd_handle any)
{
    (void)length_of(heap, any);
    return heapd_held_count(heap);
}

static bool has(struct heapd_connection *heap, heapd_handle object, int64_t element)
{
    struct heapd_error error;
    bool there = false;
    DO(heapd_contains(heap, object, heapd_int(element), &there, &error));
    return there;
}

static bool relation(struct heapd_connection *heap, heapd_handle set, enum heapd_set_relation which, heapd_handle other)
{
    struct heapd_error error;
    bool truth = false;
    DO(heapd_set_compare(heap, set, which, heapd_ref(other), false, &truth, &error));
    return truth;
}

static heapd_handle combined(struct heapd_connection *heap, heapd_handle set, enum heapd_set_operation operation,
                             heapd_handle other)
{
    struct heapd_error error;
    struct heapd_value value = heapd_ref(other);
    heapd_handle out = 0;
    DO(heapd_set_combine(heap, set, operation, &value, 1, false, &out, &error));
    return out;
}

static void set_algebra(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    heapd_handle left = ints(heap, heapd_literal_open_set, 0, 10),
                 right = ints(heap, heapd_literal_open_frozenset, 5, 10);
    heapd_handle list = ints(heap, heapd_literal_open_list, 5, 10);
    struct heapd_value others[2] = {heapd_ref(right), heapd_ref(list)};
    const struct {
        enum heapd_set_operation operation;
        uint64_t length;
        int64_t in, out;
    } wanted[] = {
        {HEAPD_SET_UNION, 15, 14, 15},
        {HEAPD_SET_INTERSECTION, 5, 7, 3},
        {HEAPD_SET_DIFFERENCE, 5, 3, 7},
        {HEAPD_SET_SYMMETRIC_DIFFERENCE, 10, 12, 7},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            heapd_handle made = combined(heap, left, wanted[i].operation, others[j].as.ref), in_place;
            assert_int_equal(length_of(heap, made), wanted[i].length);
            assert_true(has(heap, made, wanted[i].in) && !has(heap, made, wanted[i].out));
            DO(heapd_gather(heap, heapd_ref(left), HEAPD_VIEW_KEYS, false, HEAPD_TYPE_SET, &in_place, &error));
            DO(heapd_set_update(heap, in_place, wanted[i].operation, &others[j], 1, false, &error));
            assert_true(relation(heap, in_place, HEAPD_SET_EQUAL, made));
            REFUSED(heapd_set_update(heap, right, wanted[i].operation, &others[j], 1, false, &error), HEAPD_ETYPE);
        }
        /* An operator takes sets alone. */
        REFUSED(heapd_set_update(heap, left, wanted[i].operation, &others[1], 1, true, &error), HEAPD_ETYPE);
    }
    assert_int_equal(length_of(heap, left), 10);
    heapd_close(heap);
}

static void set_relations(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    bool truth;
    heapd_handle small = ints(heap, heapd_literal_open_set, 2, 3), large = ints(heap, heapd_literal_open_set, 0, 10);
    heapd_handle list = ints(heap, heapd_literal_open_list, 0, 10), far = ints(heap, heapd_literal_open_list, 100, 3);
    assert_true(relation(heap, small, HEAPD_SET_SUBSET, large));
    assert_true(relation(heap, small, HEAPD_SET_SUBSET, list));
    assert_true(relation(heap, small, HEAPD_SET_PROPER_SUBSET, large));
    assert_false(relation(heap, large, HEAPD_SET_PROPER_SUBSET, large));
    assert_true(relation(heap, large, HEAPD_SET_SUPERSET, small));
    assert_true(relation(heap, large, HEAPD_SET_SUPERSET, list));
    assert_true(relation(heap, large, HEAPD_SET_PROPER_SUPERSET, small));
    assert_true(relation(heap, large, HEAPD_SET_DISJOINT, far));
    assert_false(relation(heap, large, HEAPD_SET_DISJOINT, list));
    assert_true(relation(heap, large, HEAPD_SET_NOT_EQUAL, small));
    REFUSED(heapd_set_compare(heap, small, HEAPD_SET_SUBSET, heapd_ref(list), true, &truth, &error), HEAPD_ETYPE);
    REFUSED(heapd_set_compare(heap, small, HEAPD_SET_EQUAL, heapd_ref(list), false, &truth, &error), HEAPD_ETYPE);
    DO(heapd_set_remove(heap, small, heapd_int(3), &error));
    REFUSED(heapd_set_remove(heap, small, heapd_int(3), &error), HEAPD_EKEY);
    /* A set is looked for among a set's elements as if it were frozen. */
    heapd_handle sets, frozen = ints(heap, heapd_literal_open_frozenset, 0, 10);
    DO(heapd_new_set(heap, &sets, &error));
    DO(heapd_set_add(heap, sets, heapd_ref(frozen), &truth, &error));
    DO(heapd_contains(heap, sets, heapd_ref(large), &truth, &error));
    assert_true(truth);
    REFUSED(heapd_set_add(heap, sets, heapd_ref(large), &truth, &error), HEAPD_EUNHASHABLE);
    DO(heapd_set_remove(heap, sets, heapd_ref(large), &error));
    assert_int_equal(length_of(heap, sets), 0);
    heapd_close(heap);
}

static void single_keys(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_value value, absent = {0};
    struct heapd_result result;
    heapd_handle dict = dict_of(heap, 1, 2), list;
    DO(heapd_dict_get(heap, dict, heapd_int(1), absent, HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 2);
    DO(heapd_dict_get(heap, dict, heapd_int(9), absent, HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_NONE);
    DO(heapd_dict_get(heap, dict, heapd_int(9), heapd_str("other"), HEAPD_PLAIN, &value, &error));
    assert_memory_equal(value.as.bytes.data, "other", 6);
    heapd_value_clear(&value);
    DO(heapd_dict_set_default(heap, dict, heapd_int(1), heapd_int(77), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 2);
    DO(heapd_new_list(heap, &list, &error));
    /* What cannot be answered is not put there either. */
    REFUSED(heapd_dict_set_default(heap, dict, heapd_int(3), heapd_ref(list), HEAPD_PLAIN, &value, &error),
            HEAPD_ENOT_PLAIN);
    assert_int_equal(length_of(heap, dict), 2);
    DO(heapd_dict_set_default(heap, dict, heapd_int(3), heapd_ref(list), HEAPD_ANY, &value, &error));
    assert_int_equal(value.type, HEAPD_TYPE_LIST);
    DO(heapd_dict_pop_item(heap, dict, &result, &error));
    assert_int_equal(result.as.pair.key.as.integer, 3);
    assert_int_equal(result.as.pair.value.type, HEAPD_TYPE_LIST);
    assert_int_equal(length_of(heap, result.as.pair.value.as.ref), 0);
    assert_int_equal(heapd_release(heap, result.as.pair.value.as.ref), 0);
    heapd_result_clear(&result);
    size_t held = held_count(heap, dict);
    DO(heapd_dict_pop_item(heap, dict, &result, &error));
    assert_int_equal(result.as.pair.key.as.integer, 2);
    heapd_result_clear(&result);
    assert_int_equal(held_count(heap, dict), held);
    DO(heapd_dict_pop(heap, dict, heapd_int(9), heapd_int(-1), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, -1);
    REFUSED(heapd_dict_pop(heap, dict, heapd_int(9), absent, HEAPD_PLAIN, &value, &error), HEAPD_EKEY);
    DO(heapd_dict_pop(heap, dict, heapd_int(1), absent, HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 2);
    REFUSED(heapd_dict_pop_item(heap, dict, &result, &error), HEAPD_EKEY);
    heapd_close(heap);
}

static void dicts_out_of_dicts(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_value value, absent = {0};
    heapd_handle left = dict_of(heap, 0, 3), right = dict_of(heap, 2, 3), merged, pairs, keys,
                 many = dict_of(heap, 0, 3000);
    struct heapd_value others[2] = {heapd_ref(right), absent};
    DO(heapd_set_item(heap, right, heapd_int(2), heapd_str("two"), &error));
    DO(heapd_dict_merge(heap, left, others, 1, true, &merged, &error));
    assert_int_equal(length_of(heap, merged), 5);
    assert_int_equal(length_of(heap, left), 3);
    DO(heapd_get_item(heap, merged, heapd_int(2), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_STR);
    heapd_value_clear(&value);
    DO(heapd_gather(heap, heapd_ref(right), HEAPD_VIEW_ITEMS, false, HEAPD_TYPE_LIST, &pairs, &error));
    others[0] = heapd_ref(pairs);
    REFUSED(heapd_dict_update(heap, left, others, 1, true, &error), HEAPD_ETYPE);
    DO(heapd_dict_update(heap, left, others, 1, false, &error));
    assert_int_equal(length_of(heap, left), 5);
    DO(heapd_append(heap, pairs, heapd_ref(right), &error)); /* of three: no pair */
    REFUSED(heapd_dict_update(heap, left, others, 1, false, &error), HEAPD_EVALUE);
    DO(heapd_set_item(heap, pairs, heapd_int(-1), heapd_int(5), &error));
    REFUSED(heapd_dict_update(heap, left, others, 1, false, &error), HEAPD_ETYPE);
    assert_int_equal(length_of(heap, left), 5);
    /* More than is put in at once. */
    others[0] = heapd_ref(many);
    DO(heapd_dict_update(heap, left, others, 1, true, &error));
    assert_int_equal(length_of(heap, left), 3000);
    DO(heapd_get_item(heap, left, heapd_int(2999), HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.as.integer, 3000);
    DO(heapd_dict_from_keys(heap, heapd_str("abca"), absent, &keys, &error));
    assert_int_equal(length_of(heap, keys), 3);
    heapd_close(heap);
}

static void cursors(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_result chunk;
    heapd_handle dict = dict_of(heap, 0, 2500), cursor, list;
    DO(heapd_open_cursor(heap, dict, HEAPD_VIEW_ITEMS, false, &cursor, &error));
    int64_t next = 0;
    for (bool done = false; !done;) {
        DO(heapd_read_cursor(heap, cursor, 999, 0, &chunk, &error));
        for (size_t i = 0; i < chunk.as.chunk.count; i += 2, next++) {
            assert_int_equal(chunk.as.chunk.items[i].as.integer, next);
            assert_int_equal(chunk.as.chunk.items[i + 1].as.integer, next + 1);
        }
        done = chunk.as.chunk.done;
        heapd_result_clear(&chunk);
    }
    assert_int_equal(next, 2500);
    /* Backward; another value under a key that is there changes nothing, another key does. */
    assert_int_equal(heapd_release(heap, cursor), 0);
    DO(heapd_open_cursor(heap, dict, HEAPD_VIEW_KEYS, true, &cursor, &error));
    DO(heapd_read_cursor(heap, cursor, 2, 0, &chunk, &error));
    assert_int_equal(chunk.as.chunk.items[1].as.integer, 2498);
    heapd_result_clear(&chunk);
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_set_item(heap, dict, heapd_int(2497), heapd_ref(list), &error));
    DO(heapd_read_cursor(heap, cursor, 1, 0, &chunk, &error));
    heapd_result_clear(&chunk);
    DO(heapd_del_item(heap, dict, heapd_int(5), &error));
    DO(heapd_set_item(heap, dict, heapd_int(5), heapd_none(), &error));
    REFUSED(heapd_read_cursor(heap, cursor, 1, 0, &chunk, &error), HEAPD_EITERATION);
    /* Objects go into slots, and the chunk ends where these do. */
    DO(heapd_append(heap, list, heapd_ref(dict), &error));
    DO(heapd_append(heap, list, heapd_int(1), &error));
    DO(heapd_append(heap, list, heapd_ref(list), &error));
    DO(heapd_open_cursor(heap, list, HEAPD_VIEW_KEYS, false, &cursor, &error));
    size_t held = held_count(heap, list);
    REFUSED(heapd_read_cursor(heap, cursor, 0, 0, &chunk, &error), HEAPD_ENOT_PLAIN);
    DO(heapd_read_cursor(heap, cursor, 0, 1, &chunk, &error));
    assert_int_equal(chunk.as.chunk.count, 2);
    assert_int_equal(chunk.as.chunk.items[0].type, HEAPD_TYPE_DICT);
    assert_int_equal(length_of(heap, chunk.as.chunk.items[0].as.ref), 2500);
    assert_int_equal(heapd_release(heap, chunk.as.chunk.items[0].as.ref), 0);
    heapd_result_clear(&chunk);
    /* A list's cursor sees what is appended meanwhile; slots that were not needed are free again. */
    DO(heapd_append(heap, list, heapd_str("last"), &error));
    DO(heapd_read_cursor(heap, cursor, 0, 5, &chunk, &error));
    assert_int_equal(chunk.as.chunk.count, 2);
    assert_int_equal(chunk.as.chunk.ref_count, 1);
    assert_memory_equal(chunk.as.chunk.items[1].as.bytes.data, "last", 5);
    assert_true(chunk.as.chunk.done);
    assert_int_equal(heapd_release(heap, chunk.as.chunk.items[0].as.ref), 0);
    heapd_result_clear(&chunk);
    assert_int_equal(held_count(heap, list), held);
    DO(heapd_read_cursor(heap, cursor, 0, 0, &chunk, &error));
    assert_true(chunk.as.chunk.done && chunk.as.chunk.count == 0);
    heapd_result_clear(&chunk);
    heapd_close(heap);
}

static void descriptions(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_result chunk;
    heapd_handle dict = dict_of(heap, 7, 1), list, cursor, tuple = ints(heap, heapd_literal_open_tuple, 0, 2);
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_set_item(heap, dict, heapd_ref(tuple), heapd_ref(list), &error));
    DO(heapd_open_cursor(heap, dict, HEAPD_VIEW_KEYS, false, &cursor, &error));
    DO(heapd_describe_cursor(heap, cursor, 0, &chunk, &error));
    const struct heapd_chunk *seen = &chunk.as.chunk;
    assert_int_equal(seen->description_count, 2);
    assert_int_equal(seen->items[0].as.integer, 7);
    assert_int_equal(seen->descriptions[0].type, HEAPD_TYPE_INT);
    assert_int_equal(seen->descriptions[0].key_type, HEAPD_TYPE_INT);
    assert_int_equal(seen->items[1].kind, HEAPD_VALUE_NONE);
    assert_int_equal(seen->descriptions[1].key_type, HEAPD_TYPE_TUPLE);
    assert_int_equal(seen->descriptions[1].type, HEAPD_TYPE_LIST);
    assert_true(seen->descriptions[1].identity != 0);
    heapd_result_clear(&chunk);
    heapd_close(heap);
}

static void references(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_value value;
    heapd_handle list, weak, again, soft;
    struct heapd_result info, other;
    DO(heapd_new_list(heap, &list, &error));
    DO(heapd_make_weak(heap, list, &weak, &error));
    DO(heapd_make_weak(heap, list, &again, &error));
    DO(heapd_inspect(heap, weak, &info, &error));
    DO(heapd_inspect(heap, again, &other, &error));
    assert_int_equal(info.as.info.type, HEAPD_TYPE_WEAK_REFERENCE);
    assert_int_equal(info.as.info.identity, other.as.info.identity);
    heapd_result_clear(&info);
    heapd_result_clear(&other);
    DO(heapd_get_referent(heap, weak, HEAPD_ANY, &value, &error));
    assert_int_equal(value.type, HEAPD_TYPE_LIST);
    assert_int_equal(heapd_release(heap, value.as.ref), 0);
    /* A cycle, and then nobody holds it. */
    DO(heapd_append(heap, list, heapd_ref(list), &error));
    assert_int_equal(heapd_release(heap, list), 0);
    DO(heapd_get_referent(heap, weak, HEAPD_ANY, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_REF);
    assert_int_equal(heapd_release(heap, value.as.ref), 0);
    struct heapd_collection found;
    DO(heapd_gc_collect(heap, 2, &found, &error));
    DO(heapd_get_referent(heap, weak, HEAPD_ANY, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_NONE);
    DO(heapd_make_soft(heap, heapd_str("kept while there is memory"), &soft, &error));
    DO(heapd_get_referent(heap, soft, HEAPD_PLAIN, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_STR);
    heapd_value_clear(&value);
    heapd_close(heap);
}

static void classes(void **state)
{
    (void)state;
    struct heapd_connection *heap = join();
    struct heapd_error error;
    struct heapd_value value;
    heapd_handle base, derived, instance;
    bool truth;
    DO(heapd_create_class(heap, heapd_text("Base"), 0, NULL, 0, &base, &error));
    DO(heapd_create_class(heap, heapd_text("Derived"), base, NULL, 0, &derived, &error));
    DO(heapd_set_attr(heap, base, heapd_text("shared"), heapd_int(1), &error));
    struct heapd_literal *literal = heapd_literal_new();
    (void)heapd_literal_open_instance(literal, derived);
    (void)heapd_literal_close(literal);
    DO(heapd_create(heap, literal, &instance, &error));
    heapd_literal_free(literal);
    DO(heapd_has_attr(heap, instance, heapd_text("shared"), &truth, &error));
    assert_true(truth);
    DO(heapd_has_attr(heap, instance, heapd_text("missing"), &truth, &error));
    assert_false(truth);
    DO(heapd_is_instance(heap, instance, base, &truth, &error));
    assert_true(truth);
    DO(heapd_is_instance(heap, base, base, &truth, &error));
    assert_false(truth);
    DO(heapd_is_subclass(heap, derived, base, &truth, &error));
    assert_true(truth);
    DO(heapd_is_subclass(heap, base, derived, &truth, &error));
    assert_false(truth);
    DO(heapd_get_class(heap, instance, &value, &error));
    DO(heapd_get_class(heap, value.as.ref, &value, &error));
    assert_int_equal(value.type, HEAPD_TYPE_CLASS);
    DO(heapd_get_class(heap, value.as.ref, &value, &error));
    assert_int_equal(value.kind, HEAPD_VALUE_NONE);
    REFUSED(heapd_is_subclass(heap, instance, base, &truth, &error), HEAPD_ETYPE);
    heapd_close(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_algebra),        cmocka_unit_test(set_relations), cmocka_unit_test(single_keys),
        cmocka_unit_test(dicts_out_of_dicts), cmocka_unit_test(cursors),       cmocka_unit_test(descriptions),
        cmocka_unit_test(references),         cmocka_unit_test(classes),
    };
    return cmocka_run_group_tests(tests, start_plain, stop);
}
