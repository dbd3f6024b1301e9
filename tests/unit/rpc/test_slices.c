/* Memory, and how long slices take. */
#include "test.h"

/* A clock that goes on by so much with each look. */
static uint64_t step_ns;
static uint64_t looks;

static uint64_t ticking(void *context)
{
    struct rpc_world *world = context;
    looks++;
    world->now_ns += step_ns;
    return world->now_ns;
}

static Heapd__V1__MemoryReply *memory_of(struct rpc_client *client)
{
    return expect_message(client, rpc_send(client, METHOD(MEMORY), NULL), &heapd__v1__memory_reply__descriptor);
}

static Heapd__V1__Histogram *histogram_of(Heapd__V1__MemoryReply *memory, const char *name)
{
    for (size_t i = 0; i < memory->n_histograms; i++)
        if (strcmp(memory->histograms[i]->name, name) == 0)
            return memory->histograms[i];
    fail_msg("no histogram is called %s", name);
    return NULL;
}

static uint64_t count_of(struct rpc_client *client, const char *name)
{
    Heapd__V1__MemoryReply *memory = memory_of(client);
    uint64_t count = histogram_of(memory, name)->count;
    free_message(memory);
    return count;
}

static void check_sums(const Heapd__V1__MemoryReply *memory)
{
    assert_int_equal(memory->used_bytes,
                     memory->objects_mapped_bytes + memory->table_bytes + memory->bookkeeping_bytes);
    assert_int_equal(memory->objects_mapped_bytes, memory->arena_bytes + memory->large_bytes + memory->retired_bytes);
    assert_true(memory->used_bytes <= memory->peak_bytes && memory->peak_bytes <= memory->limit_bytes);
    assert_true(memory->fragmentation_permille <= 1000 && memory->waste_permille <= 1000);
    uint64_t pools_used = 0, pools_full = 0, live_bytes = 0;
    for (size_t i = 0; i < memory->n_classes; i++) {
        const Heapd__V1__SizeClass *row = memory->classes[i];
        assert_int_equal(row->block_bytes == 0, i == memory->n_classes - 1);
        if (i && row->block_bytes)
            assert_true(row->block_bytes > memory->classes[i - 1]->block_bytes);
        assert_true(row->live_blocks <= (row->pools_used + row->pools_full) * row->blocks_per_pool);
        pools_used += row->pools_used;
        pools_full += row->pools_full;
        live_bytes += row->live_blocks * row->block_bytes;
    }
    assert_int_equal(pools_used, memory->pools_used_count);
    assert_int_equal(pools_full, memory->pools_full_count);
    assert_true(live_bytes <= memory->arena_live_bytes);
    assert_true(memory->arena_live_bytes <= memory->arena_bytes);
}

static void check_histogram(const Heapd__V1__Histogram *histogram)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < histogram->n_buckets; i++)
        sum += histogram->buckets[i];
    assert_int_equal(sum, histogram->count);
    if (histogram->n_buckets)
        assert_true(histogram->buckets[histogram->n_buckets - 1] > 0);
    assert_true(histogram->p50_ns <= histogram->p99_ns && histogram->p99_ns <= histogram->p999_ns);
    assert_true(histogram->p999_ns <= histogram->max_ns);
    assert_true(histogram->total_ns <= histogram->max_ns * histogram->count);
}

static void memory_adds_up(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    struct builder builder;
    builder_init(&builder);
    add_numbers(&builder, 100);
    for (uint32_t i = 1; i < 200; i++)
        expect_object(a, send_create(a, built(&builder), HANDLE(i, 1)), HANDLE(i, 1), HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
    Heapd__V1__MemoryReply *memory = memory_of(a);
    check_sums(memory);
    assert_true(memory->objects_live_count >= 199);
    assert_true(memory->objects_live_count <= memory->table_entries_count);
    assert_int_equal(memory->n_generations, 3);
    assert_int_equal(memory->generations[0]->threshold, 700);
    assert_true(memory->generations[0]->tracked >= 199);
    assert_true(memory->gc_enabled);
    assert_int_equal(memory->frozen_count, 0);
    assert_int_equal(memory->n_histograms, 7);
    for (size_t i = 0; i < memory->n_histograms; i++)
        check_histogram(memory->histograms[i]);
    free_message(memory);
    expect_error(&fixture->b, rpc_send(&fixture->b, METHOD(MEMORY), NULL), HD_EPERMISSION, "memory");
}

static void requests_that_leave_no_work_do_not_look_at_the_clock(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    fixture->world.os.now_ns = ticking;
    looks = 0;
    for (uint32_t i = 1; i < 100; i++) {
        expect_object(a, send_new(a, HEAPD__V1__KIND__KIND_LIST, HANDLE(1, i)), HANDLE(1, i),
                      HEAPD__V1__TYPE__TYPE_LIST);
        expect_empty(a, send_append(a, HANDLE(1, i), rpc_int(1)));
        expect_int(a, send_length(a, HANDLE(1, i)), 1);
        expect_empty(a, send_release(a, HANDLE(1, i)));
    }
    (void)hd_rpc_run(fixture->world.server, 1000);
    assert_int_equal(looks, 0);
}

static void slices_are_measured_by_kind(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_world *world = &fixture->world;
    struct rpc_client *a = &fixture->a;
    enum { MANY = 3000 };
    step_ns = 1500;
    world->os.now_ns = ticking;
    struct builder builder;
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, MANY);
    for (int i = 0; i < MANY; i++)
        add_node(&builder, HD_KIND_LIST, 0);
    assert_int_equal(count_of(a, "young"), 0);
    expect_object(a, send_create(a, built(&builder), HANDLE(1, 1)), HANDLE(1, 1), HEAPD__V1__TYPE__TYPE_LIST);
    builder_fini(&builder);
    assert_int_equal(count_of(a, "young"), 1);
    uint64_t id = send_collect(a, 1);
    assert_int_equal(count_of(a, "young"), 2);
    id = send_collect(a, 2);
    while (hd_rpc_run(world->server, 1000))
        ;
    free_message(expect_message(a, id, &heapd__v1__collect_reply__descriptor));
    assert_true(count_of(a, "full") > 3);
    expect_empty(a, send_release(a, HANDLE(1, 1)));
    while (hd_rpc_run(world->server, 1000))
        ;
    assert_true(count_of(a, "free") > 1);
    id = rpc_send(a, METHOD(COMPACT), NULL);
    rpc_world_run(world);
    free_message(expect_message(a, id, &heapd__v1__compact_reply__descriptor));
    assert_true(count_of(a, "compact") + count_of(a, "other") > 0);
    assert_int_equal(count_of(a, "relief"), 0);
    Heapd__V1__MemoryReply *memory = memory_of(a);
    for (size_t i = 0; i < memory->n_histograms; i++) {
        const Heapd__V1__Histogram *histogram = memory->histograms[i];
        check_histogram(histogram);
        if (histogram->count == 0)
            continue;
        /* Each took one step of the clock. */
        assert_int_equal(histogram->total_ns, histogram->count * step_ns);
        assert_int_equal(histogram->max_ns, step_ns);
        assert_int_equal(histogram->n_buckets, 12); /* 1024 to 2047 */
        assert_int_equal(histogram->buckets[11], histogram->count);
    }
    free_message(memory);
}

static uint64_t stat_of(struct rpc_client *client, const char *name)
{
    Heapd__V1__StatsReply *reply =
        expect_message(client, rpc_send(client, METHOD(STATS), NULL), &heapd__v1__stats_reply__descriptor);
    uint64_t value = UINT64_MAX;
    for (size_t i = 0; i < reply->n_stats; i++)
        if (strcmp(reply->stats[i]->name, name) == 0)
            value = reply->stats[i]->value;
    free_message(reply);
    return value;
}

static void quantiles_are_upper_ends(void **state)
{
    struct fixture *fixture = *state;
    struct rpc_client *a = &fixture->a;
    fixture->world.os.now_ns = ticking;
    /* 998 of 100 ns, two of 5000. */
    for (int i = 0; i < 1000; i++) {
        step_ns = i < 998 ? 100 : 5000;
        free_message(expect_message(a, send_collect(a, 0), &heapd__v1__collect_reply__descriptor));
    }
    Heapd__V1__MemoryReply *memory = memory_of(a);
    const Heapd__V1__Histogram *young = histogram_of(memory, "young");
    assert_int_equal(young->count, 1000);
    assert_int_equal(young->p50_ns, 127);
    assert_int_equal(young->p99_ns, 127);
    assert_int_equal(young->p999_ns, 5000); /* 8191, but nothing took as long */
    free_message(memory);
    assert_int_equal(stat_of(a, "slices_young_count"), 1000);
    assert_int_equal(stat_of(a, "slices_young_max_ns"), 5000);
    assert_int_equal(stat_of(a, "slices_young_p999_ns"), 5000);
    step_ns = 0;
    free_message(expect_message(a, send_collect(a, 0), &heapd__v1__collect_reply__descriptor));
    memory = memory_of(a);
    assert_int_equal(histogram_of(memory, "young")->buckets[0], 1);
    free_message(memory);
}

static void list_two(void *source_context, hd_stat_visit visit, void *visit_context)
{
    const uint64_t *values = source_context;
    visit(visit_context, "above_one_count", values[0]);
    visit(visit_context, "above_two_count", values[1]);
}

static void the_layer_above_adds_numbers(void **state)
{
    struct fixture *fixture = *state;
    uint64_t values[] = {5, 7};
    hd_rpc_server_set_stats_source(fixture->world.server, list_two, values);
    assert_int_equal(stat_of(&fixture->a, "above_one_count"), 5);
    values[1]++;
    assert_int_equal(stat_of(&fixture->a, "above_two_count"), 8);
    hd_rpc_server_set_stats_source(fixture->world.server, NULL, NULL);
    assert_int_equal(stat_of(&fixture->a, "above_one_count"), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_adds_up),
        TEST(requests_that_leave_no_work_do_not_look_at_the_clock),
        TEST(slices_are_measured_by_kind),
        TEST(quantiles_are_upper_ends),
        TEST(the_layer_above_adds_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
