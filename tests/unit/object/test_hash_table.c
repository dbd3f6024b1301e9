/*
 * Dicts and sets under deletion: holes are closed and tables shrink step by step,
 * beside a model that knows which keys are there and in what order.
 */
#include "fixture.h"
#include "object/hash_internal.h"

enum { KEYS_MAX = 1 << 18 };

/* The keys of a table in order: doubly linked, 0 is both ends. Key k stands for itself, or is a str of it. */
struct model {
    struct fixture *f;
    hd_value table;
    unsigned stride;
    bool text;
    uint32_t next[KEYS_MAX];
    uint32_t previous[KEYS_MAX];
    bool there[KEYS_MAX];
    uint32_t place[KEYS_MAX]; /* in present */
    uint32_t present[KEYS_MAX];
    uint32_t count;
    uint64_t random;
};

static struct model the_model;

static struct model *start(struct fixture *f, unsigned stride, bool text)
{
    struct model *m = &the_model;
    memset(m, 0, sizeof *m);
    begin(f);
    m->random = hd_test_seed("object_hash_table");
    m->f = f;
    m->stride = stride;
    m->text = text;
    m->table = keep(f, stride == 2 ? dict(f) : set(f));
    return m;
}

static struct hd_hash_table *table_of(struct model *m)
{
    return hd_gc_payload(m->f->gc, m->table);
}

static uint32_t below(struct model *m, uint32_t limit)
{
    return (uint32_t)(hd_test_random(&m->random) % limit);
}

static struct hd_key key_of(struct model *m, uint32_t k, char buffer[32])
{
    if (!m->text)
        return hd_key_of(hd_value_int(k));
    int size = snprintf(buffer, 32, "key number %u", (unsigned)k);
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)buffer, (size_t)size);
}

static void check_table(struct model *m)
{
    const char *broken = hd_object_check(m->f->objects, m->table);
    if (broken)
        fail_msg("broken invariant: %s", broken);
}

static int try_add(struct model *m, uint32_t k)
{
    char buffer[32];
    struct hd_key key = key_of(m, k, buffer);
    bool was_new = true;
    int error = m->stride == 2 ? hd_dict_set(m->f->objects, m->table, &key, hd_value_int(k * 3))
                               : hd_set_add(m->f->objects, m->table, &key, &was_new);
    if (error)
        return error;
    assert_true(was_new);
    m->there[k] = true;
    m->place[k] = m->count;
    m->present[m->count++] = k;
    m->previous[k] = m->previous[0];
    m->next[k] = 0;
    m->next[m->previous[0]] = k;
    m->previous[0] = k;
    return 0;
}

static void add(struct model *m, uint32_t k)
{
    assert_int_equal(try_add(m, k), 0);
}

static void forget(struct model *m, uint32_t k)
{
    m->there[k] = false;
    m->next[m->previous[k]] = m->next[k];
    m->previous[m->next[k]] = m->previous[k];
    m->present[m->place[k]] = m->present[--m->count];
    m->place[m->present[m->place[k]]] = m->place[k];
}

static void drop(struct model *m, uint32_t k)
{
    char buffer[32];
    struct hd_key key = key_of(m, k, buffer);
    bool was_there = true;
    hd_value out = hd_value_int(k * 3);
    if (m->stride == 2)
        assert_int_equal(hd_dict_pop(m->f->objects, m->table, &key, &out), 0);
    else
        assert_int_equal(hd_set_discard(m->f->objects, m->table, &key, &was_there), 0);
    assert_true(was_there && out == hd_value_int(k * 3));
    forget(m, k);
}

static void drop_last(struct model *m)
{
    char buffer[32];
    hd_value key, value;
    uint32_t k = m->previous[0];
    struct hd_key expected = key_of(m, k, buffer);
    assert_int_equal(hd_dict_pop_last(m->f->objects, m->table, &key, &value), 0);
    bool equal = false;
    assert_int_equal(hd_key_equal(m->f->objects, &expected, key, &equal), 0);
    assert_true(equal);
    release(m->f, key);
    forget(m, k);
}

/* Order, contents, and some keys that are there or not. */
static void compare(struct model *m)
{
    char buffer[32];
    check_table(m);
    assert_int_equal(hd_dict_length(m->f->objects, m->table), m->count);
    uint32_t position = 0;
    hd_value key, value;
    bool equal;
    for (uint32_t k = m->next[0]; k; k = m->next[k]) {
        assert_true(hd_dict_next(m->f->objects, m->table, &position, &key, &value));
        struct hd_key expected = key_of(m, k, buffer);
        assert_int_equal(hd_key_equal(m->f->objects, &expected, key, &equal), 0);
        assert_true(equal);
        if (m->stride == 2)
            assert_true(value == hd_value_int(k * 3));
    }
    assert_false(hd_dict_next(m->f->objects, m->table, &position, &key, &value));
    for (int i = 0; i < 100; i++) {
        uint32_t k = 1 + below(m, KEYS_MAX - 1);
        struct hd_key wanted = key_of(m, k, buffer);
        bool there;
        assert_int_equal(hd_dict_contains(m->f->objects, m->table, &wanted, &there), 0);
        assert_int_equal(there, m->there[k]);
    }
}

static uint32_t absent_key(struct model *m)
{
    uint32_t k;
    do {
        k = 1 + below(m, KEYS_MAX - 1);
    } while (m->there[k]);
    return k;
}

static uint32_t present_key(struct model *m)
{
    return m->present[below(m, m->count)];
}

/* The order of deletion decides where the holes are. */
enum pattern { RANDOM, OLDEST, NEWEST, RUNS, PATTERNS };

static void drop_one(struct model *m, enum pattern pattern)
{
    if (pattern == NEWEST)
        drop_last(m);
    else
        drop(m, pattern == OLDEST ? m->next[0] : present_key(m));
}

static void drop_some(struct model *m, enum pattern pattern)
{
    if (pattern != RUNS) {
        drop_one(m, pattern);
        return;
    }
    /* Neighbours, from the middle of the run outwards, so that holes meet from both sides. */
    uint32_t left = present_key(m), right = m->next[left];
    for (uint32_t times = 1 + below(m, 20); times; times--) {
        uint32_t k = below(m, 2) ? left : right;
        if (!k)
            break;
        left = k == left ? m->previous[k] : left;
        right = k == right ? m->next[k] : right;
        drop(m, k);
    }
}

/* What is under way, to see that the tests meet it. */
struct seen {
    uint64_t moving;
    uint64_t renumbering;
    uint64_t leaving;
};

static void look(struct model *m, struct seen *seen)
{
    const struct hd_hash_table *table = table_of(m);
    seen->moving += hd_closing_moves(table);
    seen->renumbering += table->closing && !table->closing->slots;
    seen->leaving += table->old_slots && !table->closing;
}

static void every_pattern(unsigned stride, bool text, uint32_t size)
{
    for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
        struct fixture f;
        struct seen seen = {0};
        struct model *m = start(&f, stride, text);
        for (uint32_t i = 0; i < size; i++)
            add(m, absent_key(m));
        compare(m);
        /* As many come as go. */
        for (uint32_t i = 0; i < 2 * size; i++) {
            drop_some(m, pattern);
            while (m->count < size && (below(m, 4) || m->count == 0))
                add(m, absent_key(m));
            look(m, &seen);
            if (i % (size / 4 + 1) == 0)
                compare(m);
        }
        compare(m);
        /* Then more go than come. */
        for (uint32_t i = 0; m->count; i++) {
            drop_some(m, pattern);
            if (m->count && below(m, 5) == 0)
                add(m, absent_key(m));
            look(m, &seen);
            if (i % (size / 8 + 1) == 0)
                compare(m);
        }
        compare(m);
        assert_int_equal(hd_hash_table_bytes(table_of(m)), 0);
        if (size > 4 * HD_TABLE_AT_ONCE && pattern != NEWEST)
            assert_true(seen.moving && seen.renumbering);
        add(m, 1);
        compare(m);
        end(&f);
    }
}

static void small_tables(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 40; size = size * 3 / 2 + 1) {
        every_pattern(2, false, size);
        every_pattern(1, false, size);
    }
}

static void middling_tables(void **state)
{
    (void)state;
    every_pattern(2, true, 300);
    every_pattern(1, false, HD_TABLE_AT_ONCE);
}

static void large_tables(void **state)
{
    (void)state;
    every_pattern(2, false, 30000);
    every_pattern(1, true, 9000);
}

/* The check after every single step, on a table that is just large enough to be closed in steps. */
static void every_step(void **state)
{
    (void)state;
    for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
        struct fixture f;
        struct seen seen = {0};
        struct model *m = start(&f, 2, false);
        for (uint32_t i = 0; i < 1500; i++)
            add(m, absent_key(m));
        for (uint32_t i = 0; i < 2500; i++) {
            drop_some(m, below(m, 8) ? pattern : (enum pattern)below(m, PATTERNS));
            while (m->count < 1400 && below(m, 16))
                add(m, absent_key(m));
            look(m, &seen);
            if (i % 3 == 0)
                check_table(m);
        }
        compare(m);
        end(&f);
    }
}

/* Stops in the middle of the first half of closing holes. */
static struct model *half_closed(struct fixture *f, uint32_t size)
{
    struct model *m = start(f, 2, false);
    for (uint32_t k = 1; k <= size; k++)
        add(m, k);
    while (!hd_closing_moves(table_of(m)) || table_of(m)->closing->from < size / 3)
        drop(m, present_key(m));
    compare(m);
    return m;
}

static void what_follows_in_the_middle(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    struct fixture f;
    /* Cleared. */
    struct model *m = half_closed(&f, SIZE);
    assert_int_equal(hd_clear(f.objects, m->table), 0);
    check(&f);
    end(&f);
    /* Dropped. */
    m = half_closed(&f, SIZE);
    end(&f);
    /* All that was not moved yet goes, from the end: the last entry lies before the holes then. */
    m = half_closed(&f, SIZE);
    uint32_t left = m->count;
    while (m->count > left / 4) {
        drop_last(m);
        if (m->count % 64 == 0)
            compare(m);
    }
    end(&f);
    /* All that was moved goes. */
    m = half_closed(&f, SIZE);
    for (uint32_t i = 0; i < SIZE / 5; i++)
        drop(m, m->next[0]);
    compare(m);
    end(&f);
    /* Room for many is wanted at once, more than was foreseen; what was promised is kept. */
    for (uint32_t more = 10; more < 2 * SIZE; more *= 7) {
        m = half_closed(&f, SIZE);
        assert_int_equal(hd_dict_reserve(f.objects, m->table, more), 0);
        compare(m);
        for (uint32_t i = 0; i < more; i++) {
            arm(&f, 1);
            add(m, absent_key(m));
            arm(&f, 0);
        }
        compare(m);
        end(&f);
    }
    /* The same, but the index is being left. */
    m = half_closed(&f, SIZE);
    while (hd_closing_moves(table_of(m)))
        add(m, absent_key(m));
    assert_non_null(table_of(m)->old_slots);
    assert_int_equal(hd_dict_reserve(f.objects, m->table, 3 * SIZE), 0);
    assert_int_equal(hd_dict_reserve(f.objects, m->table, 5 * SIZE), 0);
    compare(m);
    for (uint32_t i = 0; i < 5 * SIZE; i++)
        add(m, absent_key(m));
    compare(m);
    end(&f);
}

/* Each n-th allocation fails: an insertion that is refused changes nothing, a deletion is never refused. */
static void failing_allocations(void **state)
{
    (void)state;
    for (uint64_t every = 1; every < 4; every++) {
        struct fixture f;
        struct model *m = start(&f, 2, false);
        uint64_t refused = 0;
        for (uint32_t i = 0; i < 60000; i++) {
            arm(&f, every);
            if (m->count && below(m, 10) < (i / 10000 % 2 ? 7 : 3))
                drop(m, present_key(m));
            else
                refused += try_add(m, absent_key(m)) != 0;
            arm(&f, 0);
            if (i % 5000 == 0)
                compare(m);
            /* Now and then there is memory, or nothing would ever grow. */
            if (i % 40 == 0 && m->count < KEYS_MAX / 2)
                add(m, absent_key(m));
        }
        compare(m);
        if (every == 1)
            assert_true(refused > 0);
        end(&f);
    }
}

/* A walk that nothing disturbs meets each entry once, also while holes are being closed. */
static void positions_hold_between_changes(void **state)
{
    (void)state;
    struct fixture f;
    struct model *m = half_closed(&f, 10000);
    for (uint32_t times = 0; times < 200; times++) {
        /* Also from the middle of holes. */
        uint32_t position = below(m, table_of(m)->end), entry = position;
        entry = hd_hash_table_next(table_of(m), 2, entry);
        for (uint32_t i = position; i < entry && i < table_of(m)->end; i++)
            assert_true(hd_is_hole(table_of(m)->entries[(size_t)i * 2]));
        assert_true(entry == HD_ENTRY_NONE || !hd_is_hole(table_of(m)->entries[(size_t)entry * 2]));
        drop(m, present_key(m));
    }
    compare(m);
    end(&f);
}

/* What was large and is small has given its room back, without being asked. */
static void a_table_shrinks(void **state)
{
    (void)state;
    for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
        struct fixture f;
        struct model *m = start(&f, 2, false);
        for (uint32_t k = 1; k <= 100000; k++)
            add(m, k);
        while (m->count > 50)
            drop_some(m, pattern);
        compare(m);
        assert_true(hd_hash_table_bytes(table_of(m)) < 40000);
        end(&f);
    }
}

/* Each change does a bounded part: what a step moves is counted. */
static void a_step_is_bounded(void **state)
{
    (void)state;
    enum { SIZE = 60000, MOST = 8 * HD_TABLE_STEP };
    for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
        struct fixture f;
        struct model *m = start(&f, 2, false);
        for (uint32_t k = 1; k <= SIZE; k++)
            add(m, k);
        for (uint32_t i = 0; m->count > SIZE / 50; i++) {
            const struct hd_hash_table *table = table_of(m);
            bool moves = hd_closing_moves(table);
            uint32_t moved = moves ? table->closing->to : 0, migrated = table->migrated;
            bool leaves = table->old_slots;
            if (i % 3 && m->count < SIZE)
                add(m, absent_key(m));
            else
                drop_some(m, pattern == RUNS ? RANDOM : pattern);
            if (i > SIZE / 2 && m->count)
                drop(m, present_key(m));
            if (m->count == 0)
                break;
            table = table_of(m);
            if (moves && hd_closing_moves(table))
                assert_true(table->closing->to <= moved + 2 * MOST);
            if (leaves && table->old_slots && table->migrated >= migrated)
                assert_true(table->migrated <= migrated + 2 * MOST);
            if (i > 4 * SIZE)
                break;
        }
        compare(m);
        end(&f);
    }
}

/* Closing and leaving an index while a full collection is under way, whose marker stands in the table. */
static void beside_the_collector(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    struct fixture f;
    begin(&f);
    uint64_t random = hd_test_seed("object_hash_table_marking");
    hd_value wide = keep(&f, dict(&f));
    static bool there[4 * SIZE];
    memset(there, 0, sizeof there);
    for (int round = 0; round < 6; round++) {
        for (uint32_t k = 0; k < SIZE; k++) {
            if (there[k])
                continue;
            hd_value element = list(&f);
            append(&f, element, list(&f));
            put(&f, wide, hd_value_int(k), element);
            there[k] = true;
        }
        hd_gc_full_start(f.gc, false);
        for (uint32_t i = 0; f.gc->phase != HD_PHASE_IDLE; i++) {
            uint32_t k = (uint32_t)(hd_test_random(&random) % SIZE);
            struct hd_key key = hd_key_of(hd_value_int(k));
            hd_value out;
            if (there[k]) {
                assert_int_equal(hd_dict_pop(f.objects, wide, &key, &out), 0);
                /* What was taken out is put back elsewhere, or goes. */
                uint32_t other = SIZE + (uint32_t)(hd_test_random(&random) % (3 * SIZE));
                if (i % 2 && !there[other]) {
                    put(&f, wide, hd_value_int(other), out);
                    there[other] = true;
                } else {
                    release(&f, out);
                }
                there[k] = false;
            }
            if (i % 4 == 0)
                hd_gc_full_step(f.gc, 1);
            hd_gc_reap(f.gc, 1);
        }
        while (hd_gc_reap(f.gc, 1000))
            ;
        check(&f);
        for (uint32_t k = 0; k < 4 * SIZE; k++) {
            hd_value element = look_up(&f, wide, hd_value_int(k));
            assert_int_equal(element != HD_ABSENT, there[k]);
            if (element == HD_ABSENT)
                continue;
            assert_int_equal(hd_list_length(f.objects, element), 1);
            assert_int_equal(hd_list_length(f.objects, hd_list_at(f.objects, element, 0)), 0);
            release(&f, element);
        }
    }
    end(&f);
}

/* All of its blocks may move at any time between changes. */
static void beside_compaction(void **state)
{
    (void)state;
    struct fixture f;
    struct model *m = start(&f, 2, false);
    hd_value ballast = keep(&f, list(&f));
    for (uint32_t i = 0; i < 3000; i++)
        add(m, absent_key(m));
    for (uint32_t i = 0; i < 8000; i++) {
        drop_some(m, RANDOM);
        while (m->count < 2500 && below(m, 4))
            add(m, absent_key(m));
        /* Blocks that come and go make the arenas worth emptying. */
        append(&f, ballast, tuple(&f, 5, HD_NONE, HD_NONE, HD_NONE, HD_NONE, HD_NONE));
        if (i % 500 == 499)
            assert_int_equal(hd_clear(f.objects, ballast), 0);
        hd_gc_reap(f.gc, 20);
        hd_gc_compact_start(f.gc);
        hd_gc_compact_step(f.gc, 1 + below(m, 2000));
        if (i % 400 == 0) {
            compare(m);
            check(&f);
        }
    }
    compare(m);
    assert_true(f.gc->compaction.compaction_count > 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tables),
        cmocka_unit_test(middling_tables),
        cmocka_unit_test(large_tables),
        cmocka_unit_test(every_step),
        cmocka_unit_test(what_follows_in_the_middle),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(positions_hold_between_changes),
        cmocka_unit_test(a_table_shrinks),
        cmocka_unit_test(a_step_is_bounded),
        cmocka_unit_test(beside_the_collector),
        cmocka_unit_test(beside_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
