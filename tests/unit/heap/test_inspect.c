/* What the heap says of itself: one object, all numbers, and checks that find what is broken. */
#include "fixture.h"

static void one_object(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), text = keep(&f, str(&f, "a string that is boxed"));
    append(&f, l, HD_NONE);
    struct hd_object_info info;
    hd_heap_inspect(f.heap, l, &info);
    assert_int_equal(info.kind, HD_IS_LIST);
    assert_int_equal(info.reference_count, 1);
    assert_int_equal(info.length, 1);
    assert_true(info.tracked);
    assert_int_equal(info.generation, 0);
    assert_false(info.saturated);
    assert_true(info.shallow_bytes >= 24);
    assert_int_equal(hd_table_find(&f.heap->table, info.identity), hd_value_index(l));
    keep(&f, hd_gc_retain(f.gc, l));
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f.heap, 0, &found), 0);
    hd_heap_inspect(f.heap, l, &info);
    assert_int_equal(info.reference_count, 2);
    assert_int_equal(info.generation, 1);
    hd_heap_inspect(f.heap, text, &info);
    assert_int_equal(info.kind, HD_IS_STR);
    assert_int_equal(info.length, 22);
    assert_false(info.tracked);
    hd_heap_inspect(f.heap, hd_value_int(5), &info);
    assert_int_equal(info.kind, HD_IS_INT);
    assert_int_equal(info.identity, 0);
    assert_int_equal(info.reference_count, 0);
    assert_int_equal(info.shallow_bytes, 0);
    end(&f);
}

struct numbers {
    unsigned count;
    uint64_t used_bytes;
    uint64_t sum_bytes;
    uint64_t lists;
    uint64_t live;
};

static void visit(void *context, const char *name, uint64_t value)
{
    struct numbers *numbers = context;
    assert_non_null(name);
    numbers->count++;
    if (strcmp(name, "memory_used_bytes") == 0)
        numbers->used_bytes = value;
    else if (strcmp(name, "memory_objects_mapped_bytes") == 0 || strcmp(name, "memory_table_bytes") == 0 ||
             strcmp(name, "memory_bookkeeping_bytes") == 0)
        numbers->sum_bytes += value;
    else if (strcmp(name, "objects_list_count") == 0)
        numbers->lists = value;
    else if (strcmp(name, "objects_live_count") == 0)
        numbers->live = value;
}

static void all_numbers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f));
    for (int i = 0; i < 10; i++)
        append(&f, l, list(&f));
    struct numbers numbers = {0};
    hd_heap_stats(f.heap, visit, &numbers);
    assert_true(numbers.count > 30);
    assert_int_equal(numbers.lists, 11);
    assert_int_equal(numbers.live, f.live_before + 11);
    assert_int_equal(numbers.used_bytes, numbers.sum_bytes);
    end(&f);
}

/* The checks are worth something: what is broken by hand is found. */
static void checks_find_what_is_broken(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value l = keep(&f, list(&f)), d = keep(&f, dict(&f));
    append(&f, l, list(&f));
    for (int i = 0; i < 20; i++)
        put(&f, d, hd_value_int(i), HD_NONE);
    struct hd_table *table = &f.heap->table;
    uint32_t index = hd_value_index(l);
    check(&f);
    table->meta[index] += HD_META_ONE; /* a count too many */
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    table->meta[index] -= HD_META_ONE;
    table->state[index] |= HD_STATE_CANDIDATE;
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    table->state[index] &= (uint8_t)~HD_STATE_CANDIDATE;
    hd_table_bit_clear(table->inner, index);
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    hd_table_bit_set(table->inner, index);
    f.objects->type_count[HD_TYPE_LIST]++;
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    f.objects->type_count[HD_TYPE_LIST]--;
    f.heap->budget.used_bytes += 16;
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    f.heap->budget.used_bytes -= 16;
    f.gc->tracked_count[0]++;
    assert_non_null(hd_heap_check(f.heap, &hd_allocator_libc));
    f.gc->tracked_count[0]--;
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object),
        cmocka_unit_test(all_numbers),
        cmocka_unit_test(checks_find_what_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
