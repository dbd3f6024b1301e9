/* Work in slices, with the collector at work in between, has the outcome of work at once. */
#include "fixture.h"

#include <time.h>

#include "object/sequence.h"

static uint64_t seed;

static uint32_t below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % bound);
}

static void begin_random(struct fixture *f)
{
    const char *given = getenv("HEAPD_TEST_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("HEAPD_TEST_SEED=%llu\n", (unsigned long long)seed);
    begin(f);
}

/* Gives up a root again. */
static void drop(struct fixture *f, hd_value value)
{
    size_t at = f->root_count;
    while (f->roots[--at] != value)
        assert_true(at > 0);
    f->roots[at] = f->roots[--f->root_count];
    release(f, value);
}

/* Anything of all kinds, some of them objects. */
static hd_value some_element(struct fixture *f, bool plain)
{
    switch (below(plain ? 5 : 8)) {
    case 0:
        return power_of_two(f, 60 + below(20), below(2));
    case 1:
        return real(f, below(2) ? below(50) : below(50) / 4.0);
    default:
        return hd_value_int((int64_t)below(60) - 30);
    case 5:
        return str(f, below(2) ? "a str that is not short" : "b");
    case 6:
        return tuple(f, 2, hd_value_int(below(3)), str(f, "another str that is not short"));
    case 7: {
        hd_value inner = list(f);
        append(f, inner, hd_value_int(below(3)));
        return inner;
    }
    }
}

static hd_value some_list(struct fixture *f, uint32_t count, bool plain)
{
    hd_value value = list(f);
    for (uint32_t i = 0; i < count; i++) {
        /* Room in front, too. */
        if (below(50) == 0)
            assert_int_equal(hd_list_insert(f->objects, value, 0, some_element(f, plain)), 0);
        else
            append(f, value, some_element(f, plain));
    }
    return value;
}

static hd_value copy_of(struct fixture *f, hd_value value)
{
    struct hd_copy copy;
    assert_int_equal(hd_copy_begin(f->objects, value, false, &copy), 0);
    assert_int_equal(hd_work_finish(&copy.work), 0);
    hd_value made = hd_work_take_value(&copy.work);
    hd_work_fini(&copy.work);
    return made;
}

static bool equal(struct fixture *f, hd_value left, hd_value right)
{
    struct hd_compare compare;
    assert_int_equal(hd_compare_begin(f->objects, left, HD_EQUAL, right, &compare), 0);
    assert_int_equal(hd_work_finish(&compare.work), 0);
    bool truth = compare.work.truth;
    hd_work_fini(&compare.work);
    return truth;
}

/* A kind of work with operands that were chosen; which is told again. */
struct choice {
    unsigned which;
    int64_t start, stop, step;
    hd_value other; /* borrow */
    bool flag;
};

union any_work {
    struct hd_work work;
    union hd_make make;
    struct hd_splice splice;
    struct hd_sort sort;
    struct hd_copy copy;
    struct hd_search search;
    struct hd_compare compare;
};

enum { CHOICES = 17 };

static int begin_choice(struct fixture *f, const struct choice *choice, hd_value object, union any_work *out)
{
    struct hd_objects *objects = f->objects;
    const struct hd_range range = {hd_value_int(choice->start), hd_value_int(choice->stop), hd_value_int(choice->step)};
    const struct hd_range simple = {hd_value_int(choice->start), hd_value_int(choice->stop), HD_NONE};
    const struct hd_range whole = {HD_ABSENT, HD_ABSENT, HD_ABSENT};
    switch (choice->which) {
    case 0:
        return hd_get_slice_begin(objects, object, &range, &out->make);
    case 1:
        return hd_concat_begin(objects, object, choice->other, &out->make);
    case 2:
        return hd_repeat_begin(objects, object, hd_value_int(choice->flag + 1), &out->make);
    case 3:
        return hd_set_slice_begin(objects, object, &simple, choice->other, &out->splice);
    case 4:
        return hd_set_slice_begin(objects, object, &range, choice->other, &out->splice);
    case 5:
        return hd_delete_slice_begin(objects, object, &simple, &out->splice);
    case 6:
        return hd_delete_slice_begin(objects, object, &range, &out->splice);
    case 7:
        return hd_extend_begin(objects, object, choice->flag ? object : choice->other, &out->splice);
    case 8:
        return hd_repeat_in_place_begin(objects, object, hd_value_int(choice->flag + 1), &out->splice);
    case 9:
        return hd_reverse_begin(objects, object, &out->splice);
    case 10:
        return hd_insert_begin(objects, object, choice->start, choice->other, &out->splice);
    case 11:
        return hd_pop_begin(objects, object, choice->start, &out->splice);
    case 12:
        return hd_sort_begin(objects, object, choice->flag, &out->sort);
    case 13:
        return hd_copy_begin(objects, object, choice->flag, &out->copy);
    case 14:
        return hd_search_begin(objects, object, HD_SEARCH_REMOVE, hd_value_int(choice->start), &whole, &out->search);
    case 15:
        return hd_search_begin(objects, object, HD_SEARCH_COUNT, choice->other, &whole, &out->search);
    default:
        return hd_search_begin(objects, object, HD_SEARCH_ADD, choice->other, &whole, &out->search);
    }
}

static int run_at_once(struct fixture *f, const struct choice *choice, hd_value object, union any_work *out)
{
    int error = begin_choice(f, choice, object, out);
    if (error)
        return error;
    error = hd_work_finish(&out->work);
    if (error)
        hd_work_fini(&out->work);
    return error;
}

/* What the daemon does between two slices. */
static void meanwhile(struct fixture *f)
{
    if (below(8) == 0)
        hd_gc_full_start(f->gc, false);
    if (below(20) == 0)
        hd_heap_compact_begin(f->heap);
    hd_heap_step(f->heap, 1 + below(200));
}

static int run_in_slices(struct fixture *f, const struct choice *choice, hd_value object, uint32_t units,
                         unsigned check_every, union any_work *out)
{
    int result = begin_choice(f, choice, object, out);
    if (result)
        return result;
    for (unsigned n = 1; (result = hd_work_step(&out->work, 1 + below(units))) == 0; n++) {
        assert_true(n < 1000000); /* each step gets on */
        if (!out->work.kept)
            hd_work_keep(&out->work);
        meanwhile(f);
        if (n % check_every == 0)
            check(f);
    }
    if (result < 0)
        hd_work_fini(&out->work);
    return result < 0 ? result : 0;
}

static void compare_outcomes(struct fixture *f, const struct choice *choice, uint32_t size, hd_value left,
                             hd_value right, uint32_t units, unsigned check_every)
{
    union any_work once, sliced;
    hd_value made = HD_ABSENT;
    int error = run_at_once(f, choice, left, &once);
    if (!error) {
        made = hd_work_take_value(&once.work);
        hd_work_fini(&once.work);
    }
    if (made != HD_ABSENT)
        keep(f, made);
    int other = run_in_slices(f, choice, right, units, check_every, &sliced);
    if (error != other)
        fail_msg("choice %u of %u: at once %d, in slices %d", choice->which, size, error, other);
    if (!other) {
        assert_int_equal(made == HD_ABSENT, sliced.work.value == HD_ABSENT);
        assert_true(made == HD_ABSENT || equal(f, made, sliced.work.value));
        assert_int_equal(once.work.truth, sliced.work.truth);
        assert_int_equal(once.work.number, sliced.work.number);
        hd_work_fini(&sliced.work);
    }
    if (made != HD_ABSENT)
        drop(f, made);
    if (!equal(f, left, right))
        fail_msg("choice %u of %u, %lld:%lld:%lld: the lists differ", choice->which, size, (long long)choice->start,
                 (long long)choice->stop, (long long)choice->step);
}

static void one_round(struct fixture *f, uint32_t size, uint32_t units, unsigned check_every)
{
    struct choice choice = {.which = below(CHOICES), .flag = below(2)};
    bool plain = choice.which == 12 && below(4);
    hd_value left = keep(f, some_list(f, below(size), plain));
    hd_value right = keep(f, copy_of(f, left));
    uint32_t length = hd_list_length(f->objects, left);
    choice.start = (int64_t)below(length + 6) - (below(3) ? 0 : length);
    choice.stop = (int64_t)below(length + 6) - (below(3) ? 0 : length);
    choice.step = (int64_t)below(7) - 3;
    choice.other = choice.which == 10 || choice.which >= 15 ? some_element(f, false) : some_list(f, below(size), plain);
    keep(f, choice.other);
    compare_outcomes(f, &choice, size, left, right, units, check_every);
    drop(f, choice.other);
    drop(f, left);
    drop(f, right);
}

static void small_work(void **state)
{
    (void)state;
    struct fixture f;
    begin_random(&f);
    for (int i = 0; i < 600; i++)
        one_round(&f, i % 2 ? 8 : 120, 1 + below(20), 10);
    check(&f);
    end(&f);
}

/* Long enough that payloads are put together beside the list. */
static void large_work(void **state)
{
    (void)state;
    struct fixture f;
    begin_random(&f);
    for (int i = 0; i < 25; i++)
        one_round(&f, 200000, 4000, 40);
    check(&f);
    end(&f);
}

static void a_change_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    begin_random(&f);
    for (unsigned which = 0; which < CHOICES; which++) {
        hd_value object = keep(&f, some_list(&f, 3000, false)), other = keep(&f, some_list(&f, 2000, false));
        struct choice choice = {
            .which = which, .start = 1, .stop = 2000, .step = 1, .other = other, .flag = which == 13};
        union any_work any;
        assert_int_equal(begin_choice(&f, &choice, object, &any), 0);
        if (hd_work_step(&any.work, 3) == 0) {
            hd_work_keep(&any.work);
            assert_int_equal(hd_work_step(&any.work, 3), 0);
            append(&f, object, hd_value_int(1));
            hd_value before = copy_of(&f, object);
            assert_int_equal(hd_work_step(&any.work, 100000), HD_ECHANGED);
            assert_true(equal(&f, object, before));
            hd_gc_release(f.gc, before);
        }
        hd_work_fini(&any.work);
        drop(&f, object);
        drop(&f, other);
        check(&f);
    }
    end(&f);
}

/* Many elements are many steps, whatever they are. */
static void a_step_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin_random(&f);
    hd_value object = keep(&f, some_list(&f, 4000, false));
    for (unsigned which = 12; which < CHOICES; which++) {
        struct choice choice = {.which = which, .start = 1000, .other = hd_value_int(1000)};
        union any_work any;
        unsigned steps = 0;
        int result = begin_choice(&f, &choice, object, &any);
        assert_int_equal(result, 0);
        while ((result = hd_work_step(&any.work, 20)) == 0)
            steps++;
        /* A sort of what has no order ends when that is found. */
        assert_true(steps >= 20 || which == 12);
        hd_work_fini(&any.work);
    }
    end(&f);
}

/* What was read deep inside counts, too. */
static void a_change_of_a_part_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value outer = keep(&f, list(&f)), inner = list(&f);
    append(&f, outer, hd_gc_retain(f.gc, inner));
    for (int i = 0; i < 500; i++)
        append(&f, outer, list(&f));
    hd_value other = keep(&f, copy_of(&f, outer));
    struct hd_compare compare;
    struct hd_copy copy;
    assert_int_equal(hd_compare_begin(f.objects, outer, HD_EQUAL, other, &compare), 0);
    assert_int_equal(hd_copy_begin(f.objects, outer, true, &copy), 0);
    assert_int_equal(hd_work_step(&compare.work, 2), 0);
    assert_int_equal(hd_work_step(&copy.work, 20), 0);
    hd_work_keep(&compare.work);
    hd_work_keep(&copy.work);
    assert_int_equal(hd_work_step(&compare.work, 20), 0);
    assert_int_equal(hd_work_step(&copy.work, 20), 0);
    append(&f, inner, hd_value_int(1));
    assert_int_equal(hd_work_step(&copy.work, 20), HD_ECHANGED);
    hd_work_fini(&copy.work);
    /* The same list is in both: the comparison had no need to look into it. */
    assert_true(hd_work_step(&compare.work, 20) == 0);
    hd_work_fini(&compare.work);
    hd_gc_release(f.gc, inner);
    end(&f);
}

/* ---- bad input ------------------------------------------------------------- */

static void expect_unchanged(struct fixture *f, struct hd_work *work, int begun, int expected, hd_value object)
{
    hd_value before = copy_of(f, object);
    int error = begun;
    if (!begun) {
        error = hd_work_finish(work);
        hd_work_fini(work);
    }
    assert_int_equal(error, expected);
    assert_true(equal(f, object, before));
    hd_gc_release(f->gc, before);
    check(f);
}

static void bad_input_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value object = keep(&f, list(&f)), huge = keep(&f, power_of_two(&f, 63, false)), index;
    for (int i = 0; i < 10; i++)
        append(&f, object, hd_value_int(i));
    struct hd_range none = {.step = hd_value_int(0)},
                    text = {.start = HD_TRUE, .step = hd_value_short(HD_TAG_STR, "x", 1)};
    const struct hd_range words = {.start = hd_value_short(HD_TAG_STR, "x", 1)};
    union any_work any;
#define TRY(call, expected) expect_unchanged(&f, &any.work, (call), (expected), object)
    TRY(hd_get_slice_begin(f.objects, object, &none, &any.make), HD_EVALUE);
    TRY(hd_set_slice_begin(f.objects, object, &none, object, &any.splice), HD_EVALUE);
    TRY(hd_delete_slice_begin(f.objects, object, &none, &any.splice), HD_EVALUE);
    TRY(hd_delete_slice_begin(f.objects, object, &text, &any.splice), HD_ETYPE);
    none = (struct hd_range){.step = hd_value_int(2)};
    TRY(hd_set_slice_begin(f.objects, object, &none, object, &any.splice), HD_EVALUE);
    TRY(hd_set_slice_begin(f.objects, object, &none, hd_value_int(5), &any.splice), HD_ETYPE);
    TRY(hd_extend_begin(f.objects, object, HD_NONE, &any.splice), HD_ETYPE);
    TRY(hd_repeat_in_place_begin(f.objects, object, hd_value_int(INT64_C(1000000000000)), &any.splice), HD_ETOO_LARGE);
    TRY(hd_repeat_begin(f.objects, object, hd_value_int(INT64_C(1000000000000)), &any.make), HD_ETOO_LARGE);
    TRY(hd_repeat_in_place_begin(f.objects, object, huge, &any.splice), HD_EOVERFLOW);
    TRY(hd_pop_begin(f.objects, object, 10, &any.splice), HD_EINDEX);
    TRY(hd_search_begin(f.objects, object, HD_SEARCH_REMOVE, HD_NONE, &words, &any.search), HD_ETYPE);
    TRY(hd_search_begin(f.objects, object, HD_SEARCH_STARTS_WITH, HD_NONE, &none, &any.search), HD_ETYPE);
    append(&f, object, str(&f, "a str among ints"));
    TRY(hd_sort_begin(f.objects, object, false, &any.sort), HD_ETYPE);
    TRY(hd_compare_begin(f.objects, object, HD_LESS, huge, &any.compare), HD_ETYPE);
    TRY(hd_compare_begin(f.objects, object, (enum hd_relation)99, huge, &any.compare), HD_EINVALID);
#undef TRY
    struct hd_key key = hd_key_of(huge);
    assert_int_equal(hd_get_item(f.objects, object, &key, &index), HD_EINDEX);
    end(&f);
}

/* Circles that Python does not get out of, and depth that it does not get to. */
static void circles_and_depth(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value left = keep(&f, list(&f)), right = keep(&f, list(&f));
    append(&f, left, hd_gc_retain(f.gc, left));
    append(&f, right, hd_gc_retain(f.gc, right));
    struct hd_compare compare;
    assert_int_equal(hd_compare_begin(f.objects, left, HD_EQUAL, right, &compare), 0);
    assert_int_equal(hd_work_finish(&compare.work), HD_ERECURSION);
    hd_work_fini(&compare.work);
    hd_value deep[2];
    for (int side = 0; side < 2; side++) {
        deep[side] = list(&f);
        for (int i = 0; i < 100000; i++) {
            hd_value outer = list(&f);
            append(&f, outer, deep[side]);
            deep[side] = outer;
        }
    }
    assert_true(equal(&f, deep[0], deep[1]));
    struct hd_copy copy;
    assert_int_equal(hd_copy_begin(f.objects, deep[0], true, &copy), 0);
    assert_int_equal(hd_work_finish(&copy.work), 0);
    assert_true(copy.work.value != deep[0]);
    assert_true(equal(&f, copy.work.value, deep[1]));
    hd_work_fini(&copy.work);
    hd_gc_release(f.gc, deep[0]);
    hd_gc_release(f.gc, deep[1]);
    end(&f);
}

/* A circle through a tuple, and a part that is shared, are in the copy what they were. */
static void copies_keep_circles(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value inner = list(&f), shared = list(&f);
    hd_value outer = keep(&f, tuple(&f, 3, hd_gc_retain(f.gc, inner), hd_gc_retain(f.gc, shared), shared));
    append(&f, inner, hd_gc_retain(f.gc, outer));
    hd_gc_release(f.gc, inner);
    struct hd_copy copy;
    assert_int_equal(hd_copy_begin(f.objects, outer, true, &copy), 0);
    assert_int_equal(hd_work_finish(&copy.work), 0);
    hd_value made = keep(&f, hd_work_take_value(&copy.work));
    hd_work_fini(&copy.work);
    assert_true(made != outer);
    assert_true(hd_list_at(f.objects, hd_tuple_at(f.objects, made, 0), 0) == made);
    assert_true(hd_tuple_at(f.objects, made, 1) == hd_tuple_at(f.objects, made, 2));
    assert_true(hd_tuple_at(f.objects, made, 1) != shared);
    hd_value plain = keep(&f, tuple(&f, 2, hd_value_int(1), str(&f, "shared, since it cannot change")));
    assert_int_equal(hd_copy_begin(f.objects, plain, true, &copy), 0);
    assert_int_equal(hd_work_finish(&copy.work), 0);
    assert_true(copy.work.value == plain);
    hd_work_fini(&copy.work);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_work),
        cmocka_unit_test(large_work),
        cmocka_unit_test(a_change_ends_it),
        cmocka_unit_test(a_step_is_bounded),
        cmocka_unit_test(a_change_of_a_part_ends_it),
        cmocka_unit_test(bad_input_changes_nothing),
        cmocka_unit_test(circles_and_depth),
        cmocka_unit_test(copies_keep_circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
