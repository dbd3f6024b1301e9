/*
 * A random mutator beside a model of its own, between steps of random size of
 * full collections, young ones and freeing. The model is arrays of edges, its
 * reachability a breadth-first search; the collector must not free what that
 * reaches, and must free what it did not reach when a full collection began.
 *
 *     HEAPD_TEST_SEED=n test_gc_random      to run a failure again
 */
#include "toy.h"

enum { NODES = 4000, EDGES = 4, ROOTS = 40, EXTRA = 4, EXTRA_ROOTS = 5, WIDE = 2500, NOTHING = UINT32_MAX };

/* What a node is known to be. ids are never used twice in a run until the object is known to be gone. */
struct model_node {
    hd_value value;
    uint64_t identity;
    bool used;
    bool condemned; /* was unreachable when the full collection under way began */
    uint32_t edge_count;
    uint32_t *edges; /* own; ids, or NOTHING */
};

struct model {
    struct toy *toy;
    uint64_t random;
    struct model_node nodes[NODES];
    uint32_t roots[ROOTS];
    struct toy_roots extra[EXTRA];
    bool extra_used[EXTRA];
    uint32_t extra_roots[EXTRA][EXTRA_ROOTS];
    bool reached[NODES];
    uint32_t queue[NODES];
    uint32_t queue_length;
    bool young_meanwhile; /* a young collection ran while marking: its garbage was shaded, so exactness is off */
    uint64_t full_count;
    uint64_t condemned_total;
};

static struct model *model_new(struct toy *toy, uint64_t seed)
{
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->toy = toy;
    model->random = seed;
    for (uint32_t i = 0; i < ROOTS; i++)
        model->roots[i] = NOTHING;
    return model;
}

static void reach_one(struct model *model, uint32_t id)
{
    if (id == NOTHING || model->reached[id])
        return;
    model->reached[id] = true;
    model->queue[model->queue_length++] = id;
}

static void reach(struct model *model)
{
    memset(model->reached, 0, sizeof model->reached);
    model->queue_length = 0;
    for (uint32_t i = 0; i < ROOTS; i++)
        reach_one(model, model->roots[i]);
    for (uint32_t e = 0; e < EXTRA; e++)
        for (uint32_t i = 0; model->extra_used[e] && i < EXTRA_ROOTS; i++)
            reach_one(model, model->extra_roots[e][i]);
    for (uint32_t head = 0; head < model->queue_length; head++) {
        struct model_node *node = &model->nodes[model->queue[head]];
        for (uint32_t i = 0; i < node->edge_count; i++)
            reach_one(model, node->edges[i]);
    }
}

/* All that the model reaches lives and is as the model has it; ids that are gone may be used again. */
static void compare(struct model *model)
{
    struct toy *toy = model->toy;
    reach(model);
    for (uint32_t id = 0; id < NODES; id++) {
        struct model_node *node = &model->nodes[id];
        if (!node->used)
            continue;
        bool lives = toy_lives(toy, node->identity);
        if (!model->reached[id]) {
            if (!lives) {
                free(node->edges);
                *node = (struct model_node){0};
            }
            continue;
        }
        if (!lives)
            fail_msg("node %u is reachable and was freed", id);
        const struct toy_node *at = toy_at(toy, node->value);
        assert_int_equal(at->id, id);
        assert_int_equal(at->count, node->edge_count);
        for (uint32_t i = 0; i < node->edge_count; i++) {
            hd_value wanted = node->edges[i] == NOTHING ? HD_NONE : model->nodes[node->edges[i]].value;
            assert_int_equal(at->words[i], wanted);
        }
    }
}

/* A node that the mutator can get at: somewhere below a root. NOTHING if there is none. */
static uint32_t pick(struct model *model)
{
    uint32_t id = NOTHING;
    for (int tries = 0; id == NOTHING && tries < 20; tries++)
        id = model->roots[toy_below(&model->random, ROOTS)];
    for (uint32_t steps = toy_below(&model->random, 12); id != NOTHING && steps; steps--) {
        struct model_node *node = &model->nodes[id];
        uint32_t next = node->edge_count ? node->edges[toy_below(&model->random, node->edge_count)] : NOTHING;
        if (next == NOTHING)
            break;
        id = next;
    }
    return id;
}

static hd_value value_of(struct model *model, uint32_t id)
{
    return id == NOTHING ? HD_NONE : hd_gc_retain(&model->toy->gc, model->nodes[id].value);
}

static uint32_t create(struct model *model)
{
    uint32_t id = toy_below(&model->random, NODES), tries = 0;
    while (model->nodes[id].used && ++tries < 50)
        id = toy_below(&model->random, NODES);
    struct model_node *node = &model->nodes[id];
    if (node->used)
        return NOTHING;
    uint32_t count = toy_below(&model->random, 300) == 0 ? WIDE : toy_below(&model->random, EDGES + 1);
    unsigned type = toy_below(&model->random, 5) ? TOY_NODE : TOY_STILL;
    hd_value value = HD_ABSENT;
    assert_int_equal(toy_try_node(model->toy, type, id, count, &value), 0);
    *node = (struct model_node){value, toy_identity(model->toy, value), true, false, count, NULL};
    node->edges = malloc((count + 1) * sizeof *node->edges);
    assert_non_null(node->edges);
    for (uint32_t i = 0; i < count; i++) {
        node->edges[i] = toy_below(&model->random, 2) ? NOTHING : pick(model);
        toy_at(model->toy, value)->words[i] = value_of(model, node->edges[i]);
    }
    return id;
}

/* Puts a reference (steal) into a root. */
static void set_root(struct model *model, uint32_t position, uint32_t id, hd_value value)
{
    model->roots[position] = id;
    toy_root(model->toy, position, value);
}

static void change_extra(struct model *model)
{
    uint32_t e = toy_below(&model->random, EXTRA);
    if (model->extra_used[e]) {
        toy_roots_fini(model->toy, &model->extra[e]);
        model->extra_used[e] = false;
        return;
    }
    toy_roots_init(model->toy, &model->extra[e], EXTRA_ROOTS);
    model->extra_used[e] = true;
    for (uint32_t i = 0; i < EXTRA_ROOTS; i++) {
        model->extra_roots[e][i] = pick(model);
        model->extra[e].words[i] = value_of(model, model->extra_roots[e][i]);
    }
}

static void mutate(struct model *model)
{
    uint32_t what = toy_below(&model->random, 100);
    if (what < 25) {
        uint32_t id = create(model);
        if (id != NOTHING)
            set_root(model, toy_below(&model->random, ROOTS), id, model->nodes[id].value);
    } else if (what < 60) { /* store, perhaps of what was just read elsewhere */
        uint32_t from = pick(model), to = pick(model);
        if (from == NOTHING || !model->nodes[from].edge_count)
            return;
        uint32_t position = toy_below(&model->random, model->nodes[from].edge_count);
        model->nodes[from].edges[position] = to;
        toy_set(model->toy, model->nodes[from].value, position, value_of(model, to));
    } else if (what < 75) { /* take out of an object and put into a root */
        uint32_t from = pick(model);
        if (from == NOTHING || !model->nodes[from].edge_count)
            return;
        struct model_node *node = &model->nodes[from];
        uint32_t position = toy_below(&model->random, node->edge_count), id = node->edges[position];
        hd_value value =
            hd_gc_take(&model->toy->gc, hd_value_index(node->value), &toy_at(model->toy, node->value)->words[position]);
        node->edges[position] = NOTHING;
        toy_at(model->toy, node->value)->words[position] = HD_NONE;
        set_root(model, toy_below(&model->random, ROOTS), id, value);
    } else if (what < 85) {
        uint32_t id = pick(model);
        set_root(model, toy_below(&model->random, ROOTS), id, value_of(model, id));
    } else if (what < 98) {
        set_root(model, toy_below(&model->random, ROOTS), NOTHING, HD_NONE);
    } else {
        change_extra(model);
    }
}

static void start_full(struct model *model)
{
    struct toy *toy = model->toy;
    reach(model);
    for (uint32_t id = 0; id < NODES; id++)
        model->nodes[id].condemned = model->nodes[id].used && !model->reached[id];
    model->young_meanwhile = false;
    hd_gc_full_start(&toy->gc, false);
}

/* What was unreachable when it began is gone, or goes when the dead are taken apart. */
static void end_full(struct model *model)
{
    struct toy *toy = model->toy;
    toy_reap(toy);
    model->full_count++;
    for (uint32_t id = 0; id < NODES; id++) {
        struct model_node *node = &model->nodes[id];
        if (!node->condemned)
            continue;
        node->condemned = false;
        model->condemned_total++;
        if (toy_lives(toy, node->identity) && !model->young_meanwhile)
            fail_msg("node %u was unreachable and is still there", id);
    }
}

static void collect_something(struct model *model)
{
    struct toy *toy = model->toy;
    uint32_t what = toy_below(&model->random, 20);
    if (what < 5) {
        hd_gc_reap(&toy->gc, 1 + toy_below(&model->random, 200));
    } else if (what == 5) {
        struct hd_collection found;
        model->young_meanwhile |= toy->gc.marking || toy->gc.dead_count;
        hd_gc_collect_young(&toy->gc, toy_below(&model->random, 2), &found);
        model->young_meanwhile |= toy->gc.phase != HD_PHASE_IDLE;
    } else if (toy->gc.phase == HD_PHASE_IDLE) {
        if (what < 9)
            start_full(model);
    } else if (!hd_gc_full_step(&toy->gc, 1 + toy_below(&model->random, what < 10 ? 3000 : 40))) {
        end_full(model);
    }
}

static void run(uint64_t seed, uint64_t operations, unsigned check_every)
{
    struct toy toy;
    toy_init(&toy, ROOTS);
    for (uint32_t i = 0; i < ROOTS; i++)
        toy.roots.words[i] = HD_NONE;
    struct model *model = model_new(&toy, seed);
    for (uint64_t i = 0; i < operations; i++) {
        /* Growing and shrinking in waves. */
        for (uint32_t k = toy_below(&model->random, 6); k; k--)
            mutate(model);
        collect_something(model);
        if (i % check_every == 0) {
            toy_check(&toy);
            compare(model);
        }
    }
    assert_true(model->full_count > 0);
    assert_true(model->condemned_total > 0);
    for (uint32_t e = 0; e < EXTRA; e++)
        if (model->extra_used[e])
            toy_roots_fini(&toy, &model->extra[e]);
    for (uint32_t i = 0; i < NODES; i++)
        free(model->nodes[i].edges);
    free(model);
    toy_fini(&toy, 0);
}

static void a_random_mutator_between_steps(void **state)
{
    (void)state;
    uint64_t seed = hd_test_seed("gc_random");
    for (uint64_t i = 0; i < 6; i++)
        run(seed + i, 6000, 7);
}

static void a_random_mutator_checked_after_every_step(void **state)
{
    (void)state;
    uint64_t seed = hd_test_seed("gc_random");
    run(seed + 100, 3000, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_mutator_between_steps),
        cmocka_unit_test(a_random_mutator_checked_after_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
