/* Full collections: exact when nothing mutates, true to the snapshot when something does, in slices of any size. */
#include "toy.h"

static hd_value ring(struct toy *toy, uint32_t count)
{
    hd_value first = toy_node(toy, 0, 2), last = first;
    for (uint32_t i = 1; i < count; i++) {
        hd_value next = toy_node(toy, i, 2);
        toy_set(toy, last, 0, next);
        last = next;
    }
    toy_set(toy, last, 0, hd_gc_retain(&toy->gc, first));
    return first;
}

/* Steps until the phase is no longer `phase`. */
static void step_past(struct toy *toy, enum hd_phase phase, uint64_t units)
{
    while (toy->gc.phase == phase)
        hd_gc_full_step(&toy->gc, units);
}

static void finish(struct toy *toy)
{
    while (hd_gc_full_step(&toy->gc, 100))
        ;
    toy_reap(toy);
    toy_check(toy);
}

static void a_dropped_cycle_is_found_and_counted(void **state)
{
    (void)state;
    for (uint32_t count = 1; count < 3000; count = count * 3 + 1) {
        struct toy toy;
        toy_init(&toy, 1);
        toy_root(&toy, 0, ring(&toy, 7));
        hd_gc_release(&toy.gc, ring(&toy, count));
        hd_gc_full_start(&toy.gc, false);
        assert_int_equal(toy.gc.current.examined_count[0], count + 7);
        finish(&toy);
        assert_int_equal(toy.table.live_count, 7);
        /* Each member of the cycle counts, whichever way it went in the end. */
        assert_int_equal(toy.gc.last.unreachable_count[0], count);
        assert_int_equal(toy.gc.stats[2].collected_count, count);
        assert_int_equal(toy.gc.stats[2].collection_count, 1);
        assert_int_equal(toy.gc.full_ended_count, 1);
        assert_int_equal(toy.gc.long_lived_total, 7);
        toy_fini(&toy, 0);
    }
}

static void unreachable_ones_are_counted_by_generation(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    struct hd_collection found;
    toy_root(&toy, 0, ring(&toy, 11));
    toy_collect_young(&toy, 0, &found);
    toy_collect_young(&toy, 1, &found);
    toy_root(&toy, 1, ring(&toy, 5));
    toy_collect_young(&toy, 0, &found);
    hd_gc_release(&toy.gc, ring(&toy, 3));
    toy_root(&toy, 0, HD_NONE);
    toy_root(&toy, 1, HD_NONE);
    assert_int_equal(toy_collect(&toy), 19);
    assert_int_equal(toy.gc.last.unreachable_count[0], 3);
    assert_int_equal(toy.gc.last.unreachable_count[1], 5);
    assert_int_equal(toy.gc.last.unreachable_count[2], 11);
    toy_fini(&toy, 0);
}

static void the_smallest_step_makes_progress(void **state)
{
    (void)state;
    for (uint64_t units = 1; units <= 4; units++) {
        struct toy toy;
        toy_init(&toy, 1);
        toy_root(&toy, 0, ring(&toy, 30));
        hd_gc_release(&toy.gc, ring(&toy, 30));
        hd_gc_full_start(&toy.gc, false);
        unsigned steps = 0;
        while (hd_gc_full_step(&toy.gc, units)) {
            assert_true(++steps < 5000);
            toy_check(&toy);
        }
        toy_reap(&toy);
        assert_int_equal(toy.table.live_count, 30);
        toy_fini(&toy, 0);
    }
}

static void survivors_are_old(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    toy_root(&toy, 0, ring(&toy, 10));
    assert_int_equal(toy_collect(&toy), 0);
    assert_int_equal(toy.gc.tracked_count[2], 10);
    assert_int_equal(toy.gc.long_lived_total, 10);
    assert_int_equal(toy.gc.long_lived_pending, 0);
    assert_int_equal(toy.gc.young[0].length, 0);
    toy_fini(&toy, 0);
}

/* Shapes that marking goes over in different ways. */
static void shapes_are_marked_whole(void **state)
{
    (void)state;
    enum { COUNT = 60000 };
    for (int shape = 0; shape < 5; shape++) {
        struct toy toy;
        toy_init(&toy, 1);
        hd_value *nodes = calloc(COUNT, sizeof *nodes);
        assert_non_null(nodes);
        /* Shape 4: a node wider than what is followed in one go, among others that are. */
        for (uint32_t i = 0; i < COUNT; i++)
            nodes[i] = toy_node(&toy, i, shape == 4 ? (i % 1000 ? 2 : 5000) : shape == 2 && i == 0 ? COUNT : 3);
        toy_root(&toy, 0, hd_gc_retain(&toy.gc, nodes[shape == 1 ? COUNT - 1 : 0]));
        uint64_t random = 7;
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t from = i;
            if (shape == 0 && i + 1 < COUNT)
                toy_set(&toy, nodes[i], 0, hd_gc_retain(&toy.gc, nodes[i + 1])); /* a chain in the table's order */
            else if (shape == 1 && i > 0)
                toy_set(&toy, nodes[i], 0, hd_gc_retain(&toy.gc, nodes[i - 1])); /* and against it */
            else if (shape == 2)
                toy_set(&toy, nodes[0], i, hd_gc_retain(&toy.gc, nodes[i])); /* a fan */
            else if (shape == 3 && i > 0) {
                from = toy_below(&random, i); /* a random tree, with more edges */
                toy_set(&toy, nodes[i], 1, hd_gc_retain(&toy.gc, nodes[from]));
                toy_set(&toy, nodes[i], 2, hd_gc_retain(&toy.gc, nodes[toy_below(&random, COUNT)]));
                if (i / 2 < i)
                    toy_set(&toy, nodes[i / 2], i % 2 ? 0 : 1, hd_gc_retain(&toy.gc, nodes[i]));
            } else if (shape == 4 && i % 1000) {
                /* Hubs refer to what comes next, and to the next hub through its last word. */
                toy_set(&toy, nodes[i - i % 1000], i % 1000 * 5, hd_gc_retain(&toy.gc, nodes[i]));
                if (i % 1000 == 999 && i + 1 < COUNT)
                    toy_set(&toy, nodes[i - 999], 4999, hd_gc_retain(&toy.gc, nodes[i + 1]));
            }
        }
        for (uint32_t i = 0; i < COUNT; i++)
            hd_gc_release(&toy.gc, nodes[i]);
        hd_gc_release(&toy.gc, ring(&toy, 100));
        hd_gc_full_start(&toy.gc, false);
        uint64_t steps = 0;
        while (hd_gc_full_step(&toy.gc, 700))
            if (++steps % 97 == 0)
                toy_check(&toy);
        toy_reap(&toy);
        toy_check(&toy);
        assert_int_equal(toy.table.live_count, COUNT);
        assert_int_equal(toy_unreachable(&toy.gc.last), 100);
        free(nodes);
        toy_fini(&toy, 0);
    }
}

/* The work of one step is bounded by its units and by what one object may cost, whatever lies side by side. */
static void a_step_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 6400, WIDTH = 1000 };
    struct toy toy;
    toy_init(&toy, 1);
    hd_value hub = toy_node(&toy, 0, COUNT);
    toy_root(&toy, 0, hub);
    for (uint32_t i = 0; i < COUNT; i++)
        toy_set(&toy, hub, i, toy_node(&toy, i, WIDTH));
    hd_gc_full_start(&toy.gc, false);
    step_past(&toy, HD_PHASE_ROOTS, 1);
    uint64_t steps = 0;
    while (toy.gc.phase == HD_PHASE_MARK) {
        hd_gc_full_step(&toy.gc, 1000);
        steps++;
    }
    /* Some 6.4 million references: at 1,000 units a step, give or take a queue's worth of objects each. */
    assert_true(steps >= (uint64_t)COUNT * WIDTH / (1000 + 20 * WIDTH));
    finish(&toy);
    toy_fini(&toy, 0);
}

static void a_new_object_is_born_marked(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    toy_root(&toy, 0, ring(&toy, 100));
    hd_gc_full_start(&toy.gc, false);
    step_past(&toy, HD_PHASE_ROOTS, 1);
    toy_root(&toy, 1, ring(&toy, 3));
    hd_gc_release(&toy.gc, ring(&toy, 4)); /* garbage of now: not this collection's */
    finish(&toy);
    assert_int_equal(toy.table.live_count, 107);
    assert_int_equal(toy_unreachable(&toy.gc.last), 0);
    assert_int_equal(toy_collect(&toy), 4);
    toy_fini(&toy, 0);
}

/* How a reference gets from where marking was not yet to where it will not look again. */
enum move {
    THROUGH_SCANNED_ROOT,
    THROUGH_BLACK_OBJECT,
    THROUGH_LATE_ROOTS,
    AND_HOLDER_DIES,            /* what held it dies, and is taken apart only after the collection */
    AND_HOLDER_IS_BEING_REAPED, /* or is being taken apart meanwhile */
    MOVES
};

static void a_moved_reference_is_not_lost(void **state)
{
    (void)state;
    for (enum move move = 0; move < MOVES; move++) {
        struct toy toy;
        toy_init(&toy, 4);
        hd_value kept = toy_node(&toy, 7, 1);
        toy_set(&toy, kept, 0, toy_node(&toy, 8, 0)); /* reached through it alone */
        uint64_t identity = toy_identity(&toy, kept), below = toy_identity(&toy, toy_at(&toy, kept)->words[0]);
        hd_value end = toy_node(&toy, 0, 20), chain = end;
        for (uint32_t i = 0; i < 20; i++)
            toy_set(&toy, end, i, HD_NONE);
        toy_set(&toy, end, 19, kept);
        hd_value holder = HD_ABSENT; /* of the end of the chain */
        for (uint32_t i = 1; i < 50000; i++) {
            hd_value node = toy_node(&toy, i, 1);
            toy_set(&toy, node, 0, chain);
            chain = node;
            holder = holder ? holder : node;
        }
        toy_root(&toy, 0, chain);
        hd_gc_full_start(&toy.gc, false);
        step_past(&toy, HD_PHASE_ROOTS, 1);
        hd_gc_full_step(&toy.gc, 10);
        assert_int_equal(toy.gc.phase, HD_PHASE_MARK);
        struct toy_roots late = {.words = NULL};
        if (move == THROUGH_BLACK_OBJECT) {
            hd_value fresh = toy_node(&toy, 9, 1);
            toy_root(&toy, 1, fresh);
            toy_set(&toy, fresh, 0, hd_gc_take(&toy.gc, hd_value_index(end), &toy_at(&toy, end)->words[19]));
        } else if (move == THROUGH_LATE_ROOTS) {
            toy_roots_init(&toy, &late, 1);
            late.words[0] = toy_get(&toy, end, 19);
            toy_root(&toy, 0, HD_NONE);
            toy_reap(&toy);
        } else {
            toy_root(&toy, 1, toy_get(&toy, end, 19));
            if (move == THROUGH_SCANNED_ROOT)
                toy_set(&toy, end, 19, HD_NONE);
            else
                toy_set(&toy, holder, 0, HD_NONE);
            if (move == AND_HOLDER_IS_BEING_REAPED)
                assert_true(hd_gc_reap(&toy.gc, 7));
        }
        while (hd_gc_full_step(&toy.gc, 1000))
            ;
        toy_check(&toy);
        assert_true(toy_lives(&toy, identity));
        assert_true(toy_lives(&toy, below));
        toy_reap(&toy);
        toy_check(&toy);
        assert_true(toy_lives(&toy, identity));
        assert_true(toy_lives(&toy, below));
        if (late.words)
            toy_roots_fini(&toy, &late);
        toy_fini(&toy, 0);
    }
}

/* What was pushed to be followed dies, and its index is free or born again (as a leaf, too) before its turn. */
static void the_dead_are_not_followed(void **state)
{
    (void)state;
    enum { CHAINS = 16, LENGTH = 20 };
    for (int reborn = 0; reborn < 3; reborn++) {
        struct toy toy;
        toy_init(&toy, CHAINS);
        /* Chains against the table's order make marking go depth first; fans make the stack build up. */
        for (uint32_t r = 0; r < CHAINS; r++) {
            hd_value chain = HD_NONE;
            for (uint32_t i = 0; i < LENGTH; i++) {
                hd_value node = toy_node(&toy, r, 8);
                for (uint32_t k = 0; k < 7; k++)
                    toy_set(&toy, node, k, toy_node(&toy, r, 1));
                toy_set(&toy, node, 7, chain);
                chain = node;
            }
            toy_root(&toy, r, chain);
        }
        hd_gc_full_start(&toy.gc, false);
        unsigned cut = 0;
        while (hd_gc_full_step(&toy.gc, 3)) {
            if (toy.gc.phase != HD_PHASE_MARK || toy.gc.stack_length < 2 || cut == CHAINS / 2)
                continue;
            /* Cut off the chain whose member is the next to be followed, and take it apart. */
            uint32_t next = toy.gc.stack[toy.gc.stack_length - 1];
            uint32_t r = ((const struct toy_node *)hd_table_payload(&toy.table, next))->id;
            if (!hd_value_is_ref(toy.roots.words[r]) || hd_value_is_leaf_ref(toy.roots.words[r]))
                continue;
            cut++;
            toy_root(&toy, r, HD_NONE);
            toy_reap(&toy);
            assert_int_equal(hd_table_type(&toy.table, next), HD_TYPE_FREE);
            hd_value kept = HD_NONE;
            for (uint32_t k = 0; reborn && k < LENGTH * 8; k++) {
                hd_gc_release(&toy.gc, kept);
                kept = reborn == 1 ? toy_leaf(&toy) : toy_node(&toy, CHAINS - 1, 1);
            }
            toy_root(&toy, r, kept);
            toy_check(&toy);
        }
        assert_int_equal(cut, CHAINS / 2);
        finish(&toy);
        toy_fini(&toy, 0);
    }
}

/* A container larger than what is followed in one go dies, shrinks or grows while it is being followed. */
static void a_large_object_changes_while_followed(void **state)
{
    (void)state;
    for (int change = 0; change < 3; change++) {
        struct toy toy;
        toy_init(&toy, 2);
        enum { WIDTH = 20000 };
        hd_value large = toy_node(&toy, 1, WIDTH);
        for (uint32_t i = 0; i < WIDTH; i++)
            toy_set(&toy, large, i, toy_node(&toy, i, 1));
        hd_value last = toy_at(&toy, large)->words[WIDTH - 1];
        uint64_t identity = toy_identity(&toy, last);
        toy_root(&toy, 0, large);
        hd_gc_full_start(&toy.gc, false);
        while (!toy.gc.mark_cursor.index || toy.gc.mark_cursor.offset < 3000)
            assert_true(hd_gc_full_step(&toy.gc, 1));
        if (change == 0) {
            toy_root(&toy, 1, hd_gc_retain(&toy.gc, last));
            toy_root(&toy, 0, HD_NONE);
            hd_gc_reap(&toy.gc, 100);
            hd_gc_full_step(&toy.gc, 1); /* it is followed while it is taken apart */
        } else if (change == 1) {
            /* The tail is cut off, as a list's pop does it, and one of it kept elsewhere. */
            toy_root(&toy, 1, hd_gc_retain(&toy.gc, last));
            for (uint32_t i = WIDTH; i > 10; i--) {
                toy_set(&toy, large, i - 1, HD_ABSENT);
                toy_at(&toy, large)->count--;
            }
        } else {
            assert_int_equal(
                hd_gc_resize(&toy.gc, hd_value_index(large), sizeof(struct toy_node) + 8 * 4 * (size_t)WIDTH), 0);
            memset(toy_at(&toy, large)->words + WIDTH, 0, 8 * 3 * (size_t)WIDTH);
            toy_at(&toy, large)->count = 4 * WIDTH;
        }
        toy_check(&toy);
        finish(&toy);
        assert_true(toy_lives(&toy, identity));
        if (change == 2)
            assert_int_equal(toy.table.live_count, WIDTH + 1);
        toy_fini(&toy, 0);
    }
}

static void root_sources_come_and_go_during_a_scan(void **state)
{
    (void)state;
    for (int when = 0; when < 12; when++) {
        struct toy toy;
        toy_init(&toy, 3000);
        struct toy_roots more[4];
        for (int i = 0; i < 4; i++) {
            toy_roots_init(&toy, &more[i], 2500);
            for (uint32_t k = 0; k < 2500; k += 100)
                more[i].words[k] = ring(&toy, 2);
        }
        for (uint32_t k = 0; k < 3000; k += 100)
            toy_root(&toy, k, ring(&toy, 2));
        hd_gc_full_start(&toy.gc, false);
        for (int i = 0; i < when; i++)
            hd_gc_full_step(&toy.gc, 1);
        toy_roots_fini(&toy, &more[when % 4]); /* perhaps the one that is being scanned */
        toy_reap(&toy);
        toy_roots_init(&toy, &more[when % 4], 10);
        more[when % 4].words[3] = hd_gc_retain(&toy.gc, toy.roots.words[100]);
        uint64_t identity = toy_identity(&toy, toy.roots.words[100]);
        toy_root(&toy, 100, HD_NONE);
        toy_check(&toy);
        finish(&toy);
        assert_true(toy_lives(&toy, identity));
        toy_collect(&toy);
        assert_int_equal(toy.table.live_count, 2 * (3 * 25 + 30));
        for (int i = 0; i < 4; i++)
            toy_roots_fini(&toy, &more[i]);
        toy_fini(&toy, 0);
    }
}

static void shells_with_saturated_counts_are_freed(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value first = ring(&toy, 5);
    toy_saturate(&toy, first);
    toy_saturate(&toy, toy_at(&toy, first)->words[0]);
    hd_gc_release(&toy.gc, first);
    hd_value held = toy_node(&toy, 1, 0);
    toy_saturate(&toy, held);
    toy_root(&toy, 0, held);
    hd_gc_full_start(&toy.gc, false);
    while (hd_gc_full_step(&toy.gc, 5))
        toy_check(&toy);
    toy_reap(&toy);
    toy_check(&toy);
    assert_int_equal(toy.table.live_count, 1);
    assert_int_equal(toy_unreachable(&toy.gc.last), 5);
    toy_fini(&toy, 0);
}

/* A garbage instance whose own count, or whose class's, is saturated; the class stands before it in the table, or
 * behind. */
static void saturated_shells_and_hidden_references(void **state)
{
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        struct toy toy;
        toy_init(&toy, 1);
        hd_value class_value, instance;
        if (variant & 1) {
            class_value = toy_node(&toy, 1, 0);
            instance = toy_node(&toy, 2, 1);
        } else {
            instance = toy_node(&toy, 2, 1);
            class_value = toy_node(&toy, 1, 0);
        }
        toy_at(&toy, instance)->hidden = hd_value_index(class_value); /* steals ours */
        toy_set(&toy, instance, 0, hd_gc_retain(&toy.gc, instance));
        if (variant & 2)
            toy_saturate(&toy, instance);
        if (variant & 4)
            toy_saturate(&toy, class_value);
        hd_gc_release(&toy.gc, instance);
        hd_gc_full_start(&toy.gc, false);
        while (hd_gc_full_step(&toy.gc, 4))
            toy_check(&toy);
        toy_reap(&toy);
        toy_check(&toy);
        assert_int_equal(toy.table.live_count, 0);
        toy_fini(&toy, 0);
    }
}

/* Objects that are dead already when the collection begins are no reason to keep what only they led to. */
static void what_only_the_dead_led_to_is_unreachable(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_value dead = toy_node(&toy, 1, 2);
    toy_set(&toy, dead, 0, ring(&toy, 6));
    hd_gc_release(&toy.gc, dead); /* waits to be taken apart */
    hd_gc_full_start(&toy.gc, false);
    hd_gc_full_step(&toy.gc, 1);
    toy_reap(&toy);
    finish(&toy);
    assert_int_equal(toy.table.live_count, 0);
    toy_fini(&toy, 0);
}

static void the_table_grows_while_marking(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 2);
    toy_root(&toy, 0, ring(&toy, 60000));
    hd_gc_full_start(&toy.gc, false);
    step_past(&toy, HD_PHASE_ROOTS, 1);
    uint32_t capacity = toy.table.capacity_count;
    hd_value chain = HD_NONE;
    while (toy.gc.phase == HD_PHASE_MARK || toy.table.capacity_count == capacity) {
        for (uint32_t i = 0; i < 500; i++) {
            hd_value node = toy_node(&toy, i, 1);
            toy_set(&toy, node, 0, chain);
            chain = node;
        }
        hd_gc_full_step(&toy.gc, 20);
    }
    toy_root(&toy, 1, chain);
    toy_check(&toy);
    uint32_t live = toy.table.live_count;
    finish(&toy);
    assert_int_equal(toy.table.live_count, live);
    toy_fini(&toy, 0);
}

static void young_collections_run_during_a_full_one(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 3);
    struct hd_collection found;
    toy_root(&toy, 0, ring(&toy, 2000));
    hd_gc_release(&toy.gc, ring(&toy, 2000));
    toy_root(&toy, 1, ring(&toy, 10));
    hd_gc_full_start(&toy.gc, false);
    unsigned steps = 0;
    while (hd_gc_full_step(&toy.gc, 50)) {
        hd_gc_release(&toy.gc, ring(&toy, 3));
        toy_root(&toy, 2, ring(&toy, 3));
        if (++steps % 3 == 0)
            toy_collect_young(&toy, steps % 2, &found);
        toy_check(&toy);
    }
    toy_reap(&toy);
    toy_collect(&toy);
    assert_int_equal(toy.table.live_count, 2013);
    toy_fini(&toy, 0);
}

/* Takes a reference to what a collection found, as long as there are roots. */
static void save_in_roots(struct hd_gc *gc, uint32_t index)
{
    struct toy *toy = gc->save_context;
    for (size_t i = 0; i < toy->roots.count; i++) {
        if (toy->roots.words[i] != HD_ABSENT)
            continue;
        toy->roots.words[i] = hd_gc_retain(gc, hd_value_ref(index, false));
        return;
    }
}

/* How far the ring goes on from a node: all the way round, if no member was cleared. */
static uint32_t ring_length(const struct toy *toy, hd_value first)
{
    uint32_t length = 0;
    hd_value node = first;
    do {
        length++;
        node = toy_at(toy, node)->words[0];
    } while (hd_value_is_ref(node) && node != first);
    return length;
}

static void save(struct toy *toy, bool on)
{
    toy->gc.save_context = toy;
    toy->gc.save = on ? save_in_roots : NULL;
}

/* Whenever it is asked for in the course of a collection, and however many it takes: what it has is whole. */
static void what_is_saved_is_saved_whole(void **state)
{
    (void)state;
    for (unsigned turn_on = 0; turn_on < 40; turn_on += 3) {
        for (unsigned turn_off = turn_on; turn_off < 40; turn_off += 3) {
            struct toy toy;
            toy_init(&toy, 5);
            hd_gc_release(&toy.gc, ring(&toy, 20));
            hd_gc_full_start(&toy.gc, false);
            for (unsigned i = 0; hd_gc_full_step(&toy.gc, 5); i++) {
                if (i == turn_on || i == turn_off)
                    save(&toy, i == turn_on);
                if (i == 7) {
                    struct hd_collection found;
                    hd_gc_release(&toy.gc, ring(&toy, 20));
                    hd_gc_collect_young(&toy.gc, 1, &found);
                }
            }
            save(&toy, false);
            toy_check(&toy);
            for (size_t i = 0; i < 5; i++)
                if (toy.roots.words[i] != HD_ABSENT)
                    assert_int_equal(ring_length(&toy, toy.roots.words[i]), 20);
            toy_fini(&toy, 0);
        }
    }
}

static void starting_twice_is_one_collection(void **state)
{
    (void)state;
    struct toy toy;
    toy_init(&toy, 1);
    hd_gc_release(&toy.gc, ring(&toy, 100));
    hd_gc_full_start(&toy.gc, false);
    hd_gc_full_step(&toy.gc, 10);
    hd_gc_full_start(&toy.gc, false);
    finish(&toy);
    assert_int_equal(toy.gc.full_ended_count, 1);
    assert_false(hd_gc_full_step(&toy.gc, 10));
    assert_int_equal(toy.gc.full_ended_count, 1);
    toy_fini(&toy, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_cycle_is_found_and_counted),
        cmocka_unit_test(unreachable_ones_are_counted_by_generation),
        cmocka_unit_test(the_smallest_step_makes_progress),
        cmocka_unit_test(survivors_are_old),
        cmocka_unit_test(shapes_are_marked_whole),
        cmocka_unit_test(a_step_is_bounded),
        cmocka_unit_test(a_new_object_is_born_marked),
        cmocka_unit_test(a_moved_reference_is_not_lost),
        cmocka_unit_test(the_dead_are_not_followed),
        cmocka_unit_test(a_large_object_changes_while_followed),
        cmocka_unit_test(root_sources_come_and_go_during_a_scan),
        cmocka_unit_test(shells_with_saturated_counts_are_freed),
        cmocka_unit_test(saturated_shells_and_hidden_references),
        cmocka_unit_test(what_only_the_dead_led_to_is_unreachable),
        cmocka_unit_test(the_table_grows_while_marking),
        cmocka_unit_test(young_collections_run_during_a_full_one),
        cmocka_unit_test(what_is_saved_is_saved_whole),
        cmocka_unit_test(starting_twice_is_one_collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
