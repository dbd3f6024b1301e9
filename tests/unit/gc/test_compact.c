/* Compaction: payloads and what they own move, in slices of any size, at any point of a collection. */
#include "toy.h"

enum { TOY_BOXED = 4 };

/* A node that owns a block beside its own. */
struct boxed {
    uint32_t size;
    uint32_t collectors;
    uint8_t *bytes; /* own */
};

static void boxed_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    (void)payload;
    out->span_count = 0;
}

static void boxed_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    ((struct toy *)gc->types_context)->disposed_count++;
    hd_alloc_put(gc->alloc, ((struct boxed *)payload)->bytes);
}

static int boxed_relocate(struct hd_gc *gc, void *payload)
{
    struct boxed *boxed = payload;
    if (!hd_alloc_is_leaving(boxed->bytes))
        return 0;
    uint8_t *moved = hd_alloc_move(gc->alloc, boxed->bytes);
    if (!moved)
        return HD_ENOMEM;
    boxed->bytes = moved;
    return 0;
}

static const struct hd_type_ops boxed_ops = {.name = "boxed",
                                             .inner = true,
                                             .tracked = true,
                                             .traverse = boxed_traverse,
                                             .dispose = boxed_dispose,
                                             .relocate = boxed_relocate};

static hd_value new_boxed(struct toy *toy, uint32_t size, uint8_t fill)
{
    hd_value value = HD_ABSENT;
    uint8_t *bytes = hd_alloc_get(toy->alloc, size);
    assert_non_null(bytes);
    memset(bytes, fill, size);
    assert_int_equal(hd_gc_new(&toy->gc, TOY_BOXED, sizeof(struct boxed), &value), 0);
    struct boxed *boxed = hd_gc_payload(&toy->gc, value);
    boxed->bytes = bytes;
    boxed->size = size;
    return value;
}

static void assert_boxed(struct toy *toy, hd_value value, uint8_t fill)
{
    const struct boxed *boxed = hd_gc_payload(&toy->gc, value);
    for (uint32_t i = 0; i < boxed->size; i++)
        assert_int_equal(boxed->bytes[i], fill);
}

enum { COUNT = 20000 };

/* Root i holds a node that refers to a boxed and to the node of some other root; nine of ten were freed again. */
static void build(struct toy *toy, uint64_t *random)
{
    *random = hd_test_seed("gc_compact");
    toy_init(toy, COUNT);
    toy->gc.types[TOY_BOXED] = &boxed_ops;
    for (uint32_t i = 0; i < COUNT; i++) {
        hd_value node = toy_node(toy, i, 2 + toy_below(random, 30));
        toy_set(toy, node, 0, new_boxed(toy, 1 + toy_below(random, 900), (uint8_t)i));
        toy_root(toy, i, node);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        if (toy_below(random, 10))
            toy_root(toy, i, HD_NONE);
    toy_reap(toy);
    for (uint32_t i = 0; i < COUNT; i++) {
        hd_value other = toy->roots.words[toy_below(random, COUNT)];
        if (toy->roots.words[i] != HD_NONE && other != HD_NONE)
            toy_set(toy, toy->roots.words[i], 1, hd_gc_retain(&toy->gc, other));
    }
}

static void verify(struct toy *toy)
{
    toy_check(toy);
    for (uint32_t i = 0; i < COUNT; i++) {
        hd_value node = toy->roots.words[i];
        if (node == HD_NONE)
            continue;
        const struct toy_node *at = toy_at(toy, node);
        assert_int_equal(at->id, i);
        assert_boxed(toy, at->words[0], (uint8_t)i);
        if (hd_value_is_ref(at->words[1]))
            assert_true(toy_at(toy, at->words[1])->id < COUNT);
    }
}

static uint64_t arena_count(struct toy *toy)
{
    struct hd_alloc_stats stats;
    hd_alloc_trim(toy->alloc);
    hd_alloc_stats(toy->alloc, &stats);
    return stats.arena_count;
}

static void payloads_and_their_blocks_move(void **state)
{
    (void)state;
    struct toy toy;
    uint64_t random;
    build(&toy, &random);
    uint64_t before = arena_count(&toy);
    hd_gc_compact_start(&toy.gc);
    hd_gc_compact_start(&toy.gc); /* no second one */
    for (unsigned step = 0; hd_gc_compact_step(&toy.gc, 1 + toy_below(&random, 300)); step++)
        if (step % 100 == 0)
            toy_check(&toy);
    verify(&toy);
    assert_true(arena_count(&toy) <= before / 4 + 2);
    assert_int_equal(toy.gc.compaction.compaction_count, 1);
    assert_true(toy.gc.compaction.moved_count > 0);
    assert_true(toy.gc.compaction.moved_bytes > toy.gc.compaction.moved_count);
    assert_false(hd_gc_compact_step(&toy.gc, 1000));
    toy_fini(&toy, 0);
}

static void the_smallest_step_makes_progress(void **state)
{
    (void)state;
    struct toy toy;
    uint64_t random;
    build(&toy, &random);
    hd_gc_compact_start(&toy.gc);
    for (unsigned step = 0; hd_gc_compact_step(&toy.gc, 1); step++)
        assert_true(step < 1000000);
    verify(&toy);
    toy_fini(&toy, 0);
}

/* At every point of a full collection, and of taking the dead apart. */
static void beside_collections(void **state)
{
    (void)state;
    struct toy toy;
    uint64_t random;
    build(&toy, &random);
    for (int round = 0; round < 4; round++) {
        hd_gc_compact_start(&toy.gc);
        for (unsigned step = 0; toy.gc.compaction.phase != HD_COMPACT_IDLE; step++) {
            if (toy_below(&random, 3))
                hd_gc_compact_step(&toy.gc, 1 + toy_below(&random, 500));
            else
                hd_gc_full_step(&toy.gc, 1 + toy_below(&random, 100));
            if (toy_below(&random, 20) == 0)
                hd_gc_full_start(&toy.gc, toy_below(&random, 3) == 0);
            /* A cycle for the collector; a tree for the queue of the dead, which is not emptied at once. */
            hd_value cycle = toy_node(&toy, COUNT, 2);
            toy_set(&toy, cycle, 0, hd_gc_retain(&toy.gc, cycle));
            toy_set(&toy, cycle, 1, new_boxed(&toy, 300, 1));
            hd_gc_release(&toy.gc, cycle);
            uint32_t place = toy_below(&random, COUNT);
            hd_value node = toy_node(&toy, place, 2 + toy_below(&random, 400));
            toy_set(&toy, node, 0, new_boxed(&toy, 1 + toy_below(&random, 900), (uint8_t)place));
            toy_root(&toy, place, node);
            if (toy_below(&random, 4) == 0)
                hd_gc_reap(&toy.gc, 5);
            struct hd_collection found;
            if (toy_below(&random, 50) == 0)
                hd_gc_collect_young(&toy.gc, toy_below(&random, 2), &found);
            if (step % 200 == 0)
                toy_check(&toy);
        }
        verify(&toy);
    }
    toy_fini(&toy, 0);
}

/* When nothing can be moved it ends, and leaves everything where it was. */
static void without_memory(void **state)
{
    (void)state;
    for (uint64_t left = 0; left < 3000; left = left * 3 + 1) {
        struct toy toy;
        uint64_t random;
        build(&toy, &random);
        hd_gc_compact_start(&toy.gc);
        toy.allocation_left = left;
        for (unsigned step = 0; hd_gc_compact_step(&toy.gc, 200); step++)
            assert_true(step < 100000);
        toy.allocation_left = UINT64_MAX;
        verify(&toy);
        /* And the next one does it. */
        uint64_t before = arena_count(&toy);
        hd_gc_compact_start(&toy.gc);
        while (hd_gc_compact_step(&toy.gc, 1000))
            ;
        verify(&toy);
        assert_true(arena_count(&toy) < before || left > 1000);
        toy_fini(&toy, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_and_their_blocks_move),
        cmocka_unit_test(the_smallest_step_makes_progress),
        cmocka_unit_test(beside_collections),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
