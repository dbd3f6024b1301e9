/* Tags: who has which is what a plain table says; what a tag keeps is what the definition says. */
#include "gc/tags.h"
#include "graph.h"
#include "inspect/census.h"

enum { TAGS = 50 };

static uint32_t tag(struct fixture *f, unsigned number)
{
    char name[16];
    uint32_t out;
    (void)snprintf(name, sizeof name, "tag %u", number);
    assert_int_equal(hd_tags_hold(f->gc, (const uint8_t *)name, strlen(name), &out), 0);
    return out;
}

static void none(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    hd_value value = keep(&f, list(&f));
    assert_null(f.gc->tags);
    assert_int_equal(hd_tags_of(f.gc, hd_value_index(value)), 0);
    hd_tags_choose(f.gc, 7);
    assert_null(f.gc->tags);
    assert_null(hd_tags_check(f.gc));
    end(&f);
}

/* A tag is there as long as somebody has it: an object, a holder, or a reader of names. */
static void life(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    uint32_t first = tag(&f, 1);
    assert_int_equal(f.gc->tags->count, 1);
    hd_tags_choose(f.gc, first);
    hd_value one = str(&f, "a text that is boxed");
    hd_tags_choose(f.gc, 0);
    hd_value other = keep(&f, list(&f));
    assert_int_equal(hd_tags_of(f.gc, hd_value_index(one)), first);
    assert_int_equal(hd_tags_of(f.gc, hd_value_index(other)), 0);
    hd_tags_drop(f.gc, first);
    assert_int_equal(f.gc->tags->count, 1);
    assert_null(hd_tags_check(f.gc));
    bool reading = hd_tags_read_begin(f.gc);
    assert_true(reading);
    release(&f, one);
    assert_int_equal(f.gc->tags->count, 1);
    hd_tags_read_end(f.gc, reading);
    assert_int_equal(f.gc->tags->count, 0);
    /* What is chosen and gone is given to nobody. */
    first = tag(&f, 2);
    hd_tags_choose(f.gc, first);
    hd_tags_drop(f.gc, first);
    hd_value late = keep(&f, list(&f));
    assert_int_equal(hd_tags_of(f.gc, hd_value_index(late)), 0);
    check(&f);
    end(&f);
}

static void too_many(void **state)
{
    (void)state;
    struct fixture f;
    char name[16];
    uint32_t out = 99;
    begin(&f);
    for (unsigned i = 0; i < HD_TAGS_MAX; i++)
        (void)tag(&f, i);
    (void)snprintf(name, sizeof name, "one more");
    assert_int_equal(hd_tags_hold(f.gc, (const uint8_t *)name, strlen(name), &out), HD_ELIMIT);
    assert_int_equal(out, 99);
    assert_int_equal(f.gc->tags->tags[tag(&f, 17)].holder_count, 2);
    uint32_t known = tag(&f, 17);
    for (unsigned i = 0; i < 3; i++)
        hd_tags_drop(f.gc, known);
    assert_int_equal(hd_tags_hold(f.gc, (const uint8_t *)name, strlen(name), &out), 0);
    assert_int_equal(out, known);
    check(&f);
    end(&f);
}

/* An object that finds no room for its tag is not born, and leaves nothing behind. */
static void no_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    uint32_t first = tag(&f, 1);
    uint64_t live = f.heap->table.live_count;
    hd_tags_choose(f.gc, first);
    unsigned failed = 0;
    for (unsigned n = 1; n < 10; n++) {
        hd_value value;
        arm(&f, n);
        int error = hd_list_new(f.objects, 0, &value);
        arm(&f, 0);
        if (!error) {
            keep(&f, value);
            break;
        }
        failed++;
        assert_int_equal(error, HD_ENOMEM);
        assert_int_equal(f.heap->table.live_count, live);
        check(&f);
    }
    assert_true(failed >= 2); /* the directory, and the chunk */
    assert_int_equal(f.gc->tags->tags[first].object_count, 1);
    end(&f);
}

/* Births, deaths and changes of tags at random; the heap's checks count all entries again. */
static void at_random(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    uint32_t tags[TAGS];
    begin(&f);
    random_init(&random);
    for (unsigned i = 0; i < TAGS; i++)
        tags[i] = tag(&f, i);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 30; i++) {
            hd_tags_choose(f.gc, random_below(&random, 3) ? tags[random_below(&random, TAGS)] : 0);
            graph_mutate(&f, &random);
            uint32_t index = random_below(&random, f.heap->table.length);
            if (index == 0 || hd_table_type(&f.heap->table, index) == HD_TYPE_FREE)
                continue;
            uint32_t wanted = random_below(&random, 4) ? tags[random_below(&random, TAGS)] : 0;
            assert_int_equal(hd_tags_set(f.gc, index, wanted), 0);
            assert_int_equal(hd_tags_of(f.gc, index), wanted);
        }
        assert_null(hd_tags_check(f.gc));
    }
    check(&f);
    end(&f);
}

/* By the definition: the retained sizes of those objects of the tag that no other one of it dominates. */
static uint64_t retained_by(const struct hd_dominators *d, uint32_t wanted)
{
    uint64_t bytes = 0;
    for (uint32_t i = 2; i <= d->count; i++) {
        if (!hd_dominators_is_object(d, i) || d->snapshot.tags[d->vertex[i]] != wanted)
            continue;
        uint32_t above = d->dominator[i];
        while (above > 1 && !(hd_dominators_is_object(d, above) && d->snapshot.tags[d->vertex[above]] == wanted))
            above = d->dominator[above];
        bytes += above > 1 ? 0 : d->retained[i];
    }
    return bytes;
}

/* How many tags the snapshot's objects have, each counted once. */
static uint32_t distinct(const struct hd_snapshot *s)
{
    static bool seen[HD_TAGS_MAX + 1];
    uint32_t count = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 1; i < s->length; i++) {
        if (s->node[i].kind == 0 || s->tags[i] == 0 || seen[s->tags[i]])
            continue;
        seen[s->tags[i]] = true;
        count++;
    }
    return count;
}

/* A list of one object for each tag, in place of what the first root held: changes by chance may leave few tags. */
static void keep_each(struct fixture *f, const uint32_t *tags)
{
    hd_value all = list(f), old = f->roots[0];
    for (unsigned i = 0; i < TAGS; i++) {
        hd_tags_choose(f->gc, tags[i]);
        append(f, all, list(f));
    }
    f->roots[0] = all;
    hd_gc_release(f->gc, old);
}

static void sums(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    uint32_t tags[TAGS];
    static struct hd_census census;
    begin(&f);
    random_init(&random);
    for (unsigned i = 0; i < TAGS; i++)
        tags[i] = tag(&f, i);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 400; i++) {
            hd_tags_choose(f.gc, tags[random_below(&random, TAGS)]);
            graph_mutate(&f, &random);
        }
        /* In the other rounds there are as many as there are. */
        bool all = round & 1;
        if (all)
            keep_each(&f, tags);
        uint64_t charged = f.heap->budget.used_bytes, used;
        int result;
        hd_census_init(&census, f.heap, HD_CENSUS_ROWS_MAX);
        do {
            result = hd_census_step(&census, 1 + random_below(&random, 300), &used);
            assert_true(result >= 0);
        } while (!result);
        uint64_t count = 0, before = UINT64_MAX;
        for (uint32_t i = 0; i < census.by_tag.count; i++) {
            uint32_t number = census.by_tag.rows[i].number;
            const struct hd_census_sum *sum = &census.tags[number];
            assert_true(sum->shallow_bytes <= before);
            before = sum->shallow_bytes;
            count += sum->count;
            assert_int_equal(sum->retained_bytes, retained_by(&census.dominators, number));
        }
        assert_int_equal(count + census.tags[0].count, census.all.count);
        assert_int_equal(census.by_tag.count, distinct(&census.dominators.snapshot));
        if (all)
            assert_int_equal(census.by_tag.count, TAGS); /* more than 32: more than one pass */
        hd_dominators_fini(&census.dominators);
        assert_int_equal(f.heap->budget.used_bytes, charged);
        assert_int_equal(f.gc->tags->reader_count, 0);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none),      cmocka_unit_test(life),      cmocka_unit_test(too_many),
        cmocka_unit_test(no_memory), cmocka_unit_test(at_random), cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
