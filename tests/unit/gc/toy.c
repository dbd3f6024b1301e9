#include "toy.h"

static void traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct toy_node *node = payload;
    out->spans[0] = (struct hd_span){node->words, node->count};
    out->span_count = 1;
    out->hidden = node->hidden;
}

static void dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    (void)payload;
    struct toy *toy = gc->types_context;
    toy->disposed_count++;
}

static const struct hd_type_ops node_ops = {
    .name = "node", .inner = true, .tracked = true, .traverse = traverse, .dispose = dispose};
static const struct hd_type_ops still_ops = {.name = "still", .inner = true, .traverse = traverse, .dispose = dispose};
static const struct hd_type_ops leaf_ops = {.name = "leaf", .dispose = dispose};

static bool fault(void *context)
{
    struct toy *toy = context;
    if (toy->allocation_left == 0)
        return true;
    toy->allocation_left--;
    return false;
}

static size_t scan_roots(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    struct toy_roots *roots = (struct toy_roots *)((char *)source - offsetof(struct toy_roots, source));
    roots->scans++;
    size_t i = from;
    for (; i < roots->count && i - from < max; i++)
        visitor->visit(visitor, roots->words[i]);
    return i < roots->count ? i : 0;
}

void toy_roots_init(struct toy *toy, struct toy_roots *roots, size_t count)
{
    *roots = (struct toy_roots){.source = {.scan = scan_roots}, .count = count};
    roots->words = calloc(count ? count : 1, sizeof *roots->words);
    assert_non_null(roots->words);
    hd_gc_add_roots(&toy->gc, &roots->source);
}

void toy_roots_fini(struct toy *toy, struct toy_roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        hd_value old = roots->words[i];
        roots->words[i] = HD_ABSENT;
        hd_gc_release(&toy->gc, old);
    }
    hd_gc_remove_roots(&toy->gc, &roots->source);
    free(roots->words);
    roots->words = NULL;
}

void toy_init(struct toy *toy, size_t root_count)
{
    memset(toy, 0, sizeof *toy);
    toy->allocation_left = UINT64_MAX;
    hd_os_fault_init(&toy->os);
    hd_budget_init(&toy->budget, UINT64_MAX);
    hd_account_init(&toy->account, &toy->budget);
    struct hd_alloc_config config = {.reserve_arena_count = 2, .fault = fault, .fault_context = toy};
    assert_int_equal(hd_alloc_new(&toy->os.os, &toy->budget, &toy->account.allocator, &config, &toy->alloc), 0);
    assert_int_equal(hd_table_init(&toy->table, &toy->os.os, &toy->budget, false), 0);
    hd_gc_init(&toy->gc, &toy->table, toy->alloc, &toy->account.allocator);
    toy->gc.types[TOY_NODE] = &node_ops;
    toy->gc.types[TOY_STILL] = &still_ops;
    toy->gc.types[TOY_LEAF] = &leaf_ops;
    toy->gc.types_context = toy;
    toy->account.fault = fault;
    toy->account.fault_context = toy;
    toy_roots_init(toy, &toy->roots, root_count);
}

void toy_fini(struct toy *toy, uint64_t immortal_count)
{
    toy->allocation_left = UINT64_MAX;
    toy_roots_fini(toy, &toy->roots);
    toy_reap(toy);
    while (hd_gc_full_step(&toy->gc, 1000))
        ;
    toy_reap(toy);
    toy_collect(toy);
    toy_check(toy);
    assert_int_equal(toy->table.live_count, immortal_count);
    assert_int_equal(toy->gc.created_count, toy->gc.freed_count + immortal_count);
    assert_int_equal(toy->disposed_count, toy->gc.freed_count);
    assert_null(toy->gc.roots);
    hd_gc_fini(&toy->gc);
    hd_table_fini(&toy->table);
    hd_alloc_free(toy->alloc);
    assert_int_equal(toy->account.used_bytes, 0);
    hd_account_fini(&toy->account);
    assert_int_equal(toy->budget.used_bytes, 0);
    assert_int_equal(toy->os.mapped_bytes, 0);
}

int toy_try_node(struct toy *toy, unsigned type, uint32_t id, uint32_t count, hd_value *out)
{
    size_t bytes = sizeof(struct toy_node) + (size_t)count * sizeof(hd_value);
    int error = hd_gc_new(&toy->gc, type, bytes, out);
    if (error)
        return error;
    struct toy_node *node = toy_at(toy, *out);
    memset(node->words, 0, (size_t)count * sizeof(hd_value));
    node->id = id;
    node->count = count;
    return 0;
}

hd_value toy_node(struct toy *toy, uint32_t id, uint32_t count)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(toy_try_node(toy, TOY_NODE, id, count, &value), 0);
    return value;
}

hd_value toy_leaf(struct toy *toy)
{
    hd_value value = HD_ABSENT;
    assert_int_equal(hd_gc_new(&toy->gc, TOY_LEAF, 24, &value), 0);
    return value;
}

struct toy_node *toy_at(const struct toy *toy, hd_value node)
{
    return hd_gc_payload(&toy->gc, node);
}

void toy_set(struct toy *toy, hd_value node, uint32_t position, hd_value value)
{
    struct toy_node *at = toy_at(toy, node);
    assert_true(position < at->count);
    hd_gc_store(&toy->gc, hd_value_index(node), &at->words[position], value);
}

void toy_root(struct toy *toy, size_t position, hd_value value)
{
    assert_true(position < toy->roots.count);
    hd_value old = toy->roots.words[position];
    toy->roots.words[position] = value;
    hd_gc_release(&toy->gc, old);
}

hd_value toy_get(struct toy *toy, hd_value node, uint32_t position)
{
    return hd_gc_retain(&toy->gc, toy_at(toy, node)->words[position]);
}

static void assert_whole(const char *broken)
{
    if (broken)
        fail_msg("broken invariant: %s", broken);
}

void toy_check(struct toy *toy)
{
    uint32_t *scratch = calloc(toy->table.length, sizeof *scratch);
    assert_non_null(scratch);
    assert_whole(hd_table_check(&toy->table));
    assert_whole(hd_gc_check(&toy->gc, scratch));
    assert_whole(hd_alloc_check(toy->alloc));
    free(scratch);
}

void toy_reap(struct toy *toy)
{
    while (hd_gc_reap(&toy->gc, 1000))
        ;
    assert_int_equal(toy->gc.dead_count, 0);
}

uint64_t toy_unreachable(const struct hd_collection *collection)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        sum += collection->unreachable_count[i];
    return sum;
}

uint64_t toy_collect(struct toy *toy)
{
    while (hd_gc_full_step(&toy->gc, 1000)) /* one that is under way */
        ;
    toy_reap(toy);
    hd_gc_full_start(&toy->gc, false);
    while (hd_gc_full_step(&toy->gc, 1000))
        ;
    toy_reap(toy);
    return toy_unreachable(&toy->gc.last);
}

void toy_collect_young(struct toy *toy, unsigned generation, struct hd_collection *out)
{
    hd_gc_collect_young(&toy->gc, generation, out);
    toy_check(toy);
    toy_reap(toy);
    toy_check(toy);
}

void toy_saturate(struct toy *toy, hd_value value)
{
    toy->table.meta[hd_value_index(value)] |= HD_COUNT_SATURATED << HD_META_TYPE_BITS;
}
