/* Weak references, exact with counting and with both collectors; soft references, the least recently used first. */
#include "fixture.h"

#include "object/references.h"

static hd_value weak_to(struct fixture *f, hd_value target)
{
    hd_value weak = HD_ABSENT;
    assert_int_equal(hd_weak_new(f->objects, target, &weak), 0);
    return weak;
}

/* A list that holds itself. */
static hd_value cycle(struct fixture *f)
{
    hd_value value = list(f);
    append(f, value, hd_gc_retain(f->gc, value));
    return value;
}

static void counting_clears_at_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value target = list(&f), text = str(&f, "a str that is an object");
    hd_value weak = keep(&f, weak_to(&f, target)), leaf = keep(&f, weak_to(&f, text));
    assert_int_equal(hd_weak_get(f.objects, weak), target);
    release(&f, target); /* what get gave */
    release(&f, target);
    release(&f, text);
    assert_int_equal(f.gc->dead_count, 1); /* not taken apart yet, and gone all the same */
    assert_int_equal(hd_weak_get(f.objects, weak), HD_ABSENT);
    assert_int_equal(hd_weak_get(f.objects, leaf), HD_ABSENT);
    assert_int_equal(f.objects->weak_cleared_count, 2);
    check(&f);
    end(&f);
}

static void there_is_one_for_each_object(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value target = keep(&f, list(&f)), weak = weak_to(&f, target), none;
    assert_int_equal(weak_to(&f, target), weak);
    release(&f, weak);
    release(&f, weak);
    /* The last of them is gone: the object pays nothing any more. */
    assert_int_equal(f.heap->table.state[hd_value_index(target)] & HD_STATE_WEAK, 0);
    assert_int_equal(hd_weak_of(f.objects, target), HD_ABSENT);
    assert_int_equal(hd_weak_new(f.objects, hd_value_int(1), &none), HD_ETYPE);
    assert_int_equal(hd_weak_new(f.objects, HD_NONE, &none), HD_ETYPE);
    end(&f);
}

static void young_cycles_clear_them_first(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    /* a -> b -> a, and b holds the weak reference to a as well. */
    hd_value a = list(&f), b = list(&f), weak = weak_to(&f, a);
    keep(&f, hd_gc_retain(f.gc, weak));
    append(&f, a, hd_gc_retain(f.gc, b));
    append(&f, b, hd_gc_retain(f.gc, a));
    append(&f, b, weak);
    release(&f, a);
    release(&f, b);
    assert_int_equal(hd_weak_peek(f.objects, weak), a);
    struct hd_collection found;
    hd_gc_collect_young(f.gc, 0, &found);
    assert_int_equal(found.unreachable_count[0], 2);
    assert_int_equal(hd_weak_peek(f.objects, weak), HD_ABSENT);
    check(&f);
    end(&f);
}

/* The clearing takes slices; all that it is about has been gone since marking ended. */
static void a_full_collection_ends_them_all_at_one_moment(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    enum { COUNT = 60 };
    hd_value weaks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        hd_value target = cycle(&f);
        weaks[i] = keep(&f, weak_to(&f, target));
        release(&f, target);
    }
    hd_gc_full_start(f.gc, true); /* a dry run changes nothing */
    while (hd_gc_full_step(f.gc, 1))
        for (int i = 0; i < COUNT; i++)
            assert_int_not_equal(hd_weak_peek(f.objects, weaks[i]), HD_ABSENT);
    hd_gc_full_start(f.gc, false);
    bool between = false;
    while (hd_gc_full_step(f.gc, 1)) {
        int alive = 0;
        for (int i = 0; i < COUNT; i++)
            alive += hd_weak_peek(f.objects, weaks[i]) != HD_ABSENT;
        assert_int_equal(alive, f.gc->phase < HD_PHASE_CLEAR ? COUNT : 0);
        between |= f.gc->phase == HD_PHASE_CLEAR && f.objects->weak_cleared_count < COUNT;
        check(&f);
    }
    assert_true(between);
    assert_int_equal(f.objects->weak_cleared_count, COUNT);
    end(&f);
}

static void who_follows_one_while_it_marks_keeps_the_object(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value target = cycle(&f), weak = keep(&f, weak_to(&f, target));
    append(&f, target, list(&f));
    release(&f, target);
    hd_gc_full_start(f.gc, false);
    while (f.gc->phase != HD_PHASE_MARK)
        hd_gc_full_step(f.gc, 1);
    hd_value got = hd_weak_get(f.objects, weak);
    assert_int_equal(got, target);
    while (hd_gc_full_step(f.gc, 1))
        ;
    assert_int_equal(hd_list_length(f.objects, got), 2);
    assert_int_equal(hd_weak_peek(f.objects, weak), target);
    keep(&f, got);
    end(&f);
}

static void as_keys_they_are_their_objects(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value one = tuple(&f, 2, hd_value_int(1), hd_value_int(2)), two = tuple(&f, 2, hd_value_int(1), real(&f, 2.0));
    hd_value a = keep(&f, weak_to(&f, one)), b = keep(&f, weak_to(&f, two)), s = keep(&f, set(&f));
    struct hd_key a_key = hd_key_of(a), b_key = hd_key_of(b), plain = hd_key_of(one);
    bool flag;
    assert_true(same_key(&f, hd_gc_retain(f.gc, a), hd_gc_retain(f.gc, b)));
    assert_int_equal(hd_key_equal(f.objects, &a_key, one, &flag), 0);
    assert_false(flag);
    assert_int_equal(hd_key_hash(f.objects, &plain), 0);
    assert_int_equal(hd_set_add(f.objects, s, &a_key, &flag), 0);
    assert_true(flag);
    assert_int_equal(a_key.hash, plain.hash);
    /* Gone, it keeps the hash that it was asked for, and equals itself alone. */
    release(&f, one);
    assert_int_equal(hd_weak_peek(f.objects, a), HD_ABSENT);
    assert_int_equal(hd_dict_contains(f.objects, s, &a_key, &flag), 0);
    assert_true(flag);
    assert_int_equal(hd_dict_contains(f.objects, s, &b_key, &flag), 0);
    assert_false(flag);
    /* Never asked: there is no hash. */
    hd_value late = keep(&f, weak_to(&f, one = tuple(&f, 1, HD_NONE)));
    release(&f, one);
    struct hd_key late_key = hd_key_of(late);
    assert_int_equal(hd_set_add(f.objects, s, &late_key, &flag), HD_EGONE);
    /* What it leads to must be hashable. */
    hd_value unhashable = keep(&f, weak_to(&f, keep(&f, list(&f))));
    struct hd_key key = hd_key_of(unhashable);
    assert_int_equal(hd_set_add(f.objects, s, &key, &flag), HD_EUNHASHABLE);
    release(&f, two);
    end(&f);
}

/* A weak reference to a tuple that holds a weak reference to a tuple, and so on. */
static void deep_chains_do_not_recurse(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value all = keep(&f, list(&f)), weak[2];
    for (int side = 0; side < 2; side++) {
        hd_value inner = hd_value_int(5);
        for (int i = 0; i < 100000; i++) {
            hd_value around = tuple(&f, 1, inner);
            append(&f, all, around);
            inner = weak_to(&f, around);
        }
        weak[side] = keep(&f, inner);
    }
    assert_true(same_key(&f, hd_gc_retain(f.gc, weak[0]), hd_gc_retain(f.gc, weak[1])));
    end(&f);
}

static uint32_t seen_count;
static uint32_t seen[8];

static void see(void *context, uint32_t index)
{
    (void)context;
    seen[seen_count++] = index;
}

static void others_are_told_too(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value target = list(&f), weak = weak_to(&f, target), other = cycle(&f), other_weak = weak_to(&f, other);
    uint32_t index = hd_value_index(target), other_index = hd_value_index(other);
    seen_count = 0;
    hd_objects_on_gone(f.objects, see, NULL);
    release(&f, weak);
    release(&f, target);
    release(&f, other);
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(f.heap, 2, &found), 0);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0], index);
    assert_int_equal(seen[1], other_index);
    release(&f, other_weak);
    end(&f);
}

/* ---- soft references ---- */

static hd_value soft_bytes(struct fixture *f, size_t size)
{
    static uint8_t zeros[100000];
    hd_value value, soft = HD_ABSENT;
    assert_int_equal(hd_bytes_new(f->objects, zeros, size, &value), 0);
    assert_int_equal(hd_soft_new(f->objects, value, &soft), 0);
    release(f, value);
    return soft;
}

static bool is_full(struct fixture *f, hd_value soft)
{
    return hd_soft_peek(f->objects, soft) != HD_ABSENT;
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value soft[4];
    for (int i = 0; i < 4; i++)
        soft[i] = keep(&f, soft_bytes(&f, 10000));
    release(&f, hd_soft_get(f.objects, soft[0])); /* now the newest */
    assert_int_equal(hd_softs_evict(f.objects, 10000, UINT64_MAX), 1);
    assert_false(is_full(&f, soft[1]));
    assert_int_equal(hd_soft_get(f.objects, soft[1]), HD_ABSENT);
    assert_int_equal(hd_softs_evict(f.objects, 15000, UINT64_MAX), 2);
    assert_false(is_full(&f, soft[2]) || is_full(&f, soft[3]));
    assert_true(is_full(&f, soft[0]));
    check(&f);
    assert_int_equal(f.objects->soft_count, 1);
    assert_int_equal(f.objects->soft_evicted_count, 3);
    assert_int_equal(hd_softs_evict(f.objects, UINT64_MAX, UINT64_MAX), 1);
    assert_int_equal(hd_softs_evict(f.objects, UINT64_MAX, UINT64_MAX), 0);
    end(&f);
}

static void what_others_hold_is_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value held = keep(&f, soft_bytes(&f, 5000)), free_to_go = keep(&f, soft_bytes(&f, 5000));
    keep(&f, hd_gc_retain(f.gc, hd_soft_peek(f.objects, held)));
    assert_int_equal(hd_softs_evict(f.objects, UINT64_MAX, UINT64_MAX), 1);
    assert_true(is_full(&f, held));
    assert_false(is_full(&f, free_to_go));
    /* Nothing else is left. */
    assert_int_equal(hd_softs_evict(f.objects, UINT64_MAX, UINT64_MAX), 1);
    assert_false(is_full(&f, held));
    end(&f);
}

static void eviction_is_sliced(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value all = keep(&f, list(&f));
    for (int i = 0; i < 2000; i++)
        append(&f, all, soft_bytes(&f, 100));
    uint64_t slices = 0;
    while (hd_softs_evict(f.objects, UINT64_MAX, 64))
        slices++;
    assert_true(slices > 50);
    assert_int_equal(f.objects->soft_count, 0);
    check(&f);
    end(&f);
}

/* Soft references among what a collection clears leave the list with their objects. */
static void garbage_leaves_the_list(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = list(&f), soft;
    assert_int_equal(hd_soft_new(f.objects, value, &soft), 0);
    append(&f, value, soft);
    release(&f, value);
    hd_gc_full_start(f.gc, false);
    while (hd_gc_full_step(f.gc, 1)) {
        if (f.gc->phase == HD_PHASE_CLEAR)
            assert_int_equal(hd_softs_evict(f.objects, UINT64_MAX, 1000), 0);
        check(&f);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_clears_at_once),
        cmocka_unit_test(there_is_one_for_each_object),
        cmocka_unit_test(young_cycles_clear_them_first),
        cmocka_unit_test(a_full_collection_ends_them_all_at_one_moment),
        cmocka_unit_test(who_follows_one_while_it_marks_keeps_the_object),
        cmocka_unit_test(as_keys_they_are_their_objects),
        cmocka_unit_test(deep_chains_do_not_recurse),
        cmocka_unit_test(others_are_told_too),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(what_others_hold_is_passed_over),
        cmocka_unit_test(eviction_is_sliced),
        cmocka_unit_test(garbage_leaves_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
