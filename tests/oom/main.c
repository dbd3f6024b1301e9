/*
 * Each allocation fails in turn.
 *
 * A scenario is a short story told to the engine. It is run again and again: the
 * first allocation of it fails, then the second, and so on until it comes to its
 * end without a failure. When an operation fails, the error must be HD_ENOMEM,
 * every check of the heap must hold and the scenario stops where it is (or goes on,
 * where it says that nothing has changed). Then all is released, and the heap must
 * be as it was, and its account empty after it is freed.
 *
 * The same is then done with every later allocation failing too, and with
 * mappings of the operating system instead of allocations.
 */
#include "oom.h"

#include "common/literal.h"

static bool fault(void *context)
{
    struct oom *oom = context;
    oom->calls++;
    if (oom->fail_at == 0 || oom->calls < oom->fail_at || (oom->calls > oom->fail_at && !oom->fail_from))
        return false;
    oom->failures++;
    return true;
}

static size_t scan(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    (void)from;
    (void)max;
    const struct oom *oom = (const void *)((const char *)source - offsetof(struct oom, source));
    for (size_t i = 0; i < OOM_ROOTS; i++)
        visitor->visit(visitor, oom->roots[i]);
    return 0;
}

void oom_check(struct oom *oom)
{
    /* The check hashes keys, which may take memory. */
    uint64_t fail_at = oom->fail_at, calls = oom->calls;
    oom->fail_at = 0;
    const char *broken = hd_heap_check(oom->heap, &hd_allocator_libc);
    oom->fail_at = fail_at;
    oom->calls = calls;
    if (broken)
        fail_msg("%s, failure %llu: broken invariant: %s", oom->name, (unsigned long long)fail_at, broken);
}

static uint64_t fingerprint(struct oom *oom)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < oom->heap->table.length; i++) {
        unsigned type = hd_table_type(&oom->heap->table, i);
        if (type == HD_TYPE_FREE || (oom->heap->table.state[i] & (HD_STATE_DYING | HD_STATE_CONDEMNED)))
            continue;
        uint64_t length = 0;
        hd_value value = hd_value_ref(i, !hd_table_bit(oom->heap->table.inner, i));
        if (hd_length(oom->objects, value, &length) != 0)
            length = 0;
        sum = sum * 31 + hd_table_identity(&oom->heap->table, i) * 7 + type + length * 131;
    }
    return sum;
}

void oom_begin(struct oom *oom)
{
    while (hd_gc_reap(oom->gc, 1000))
        ;
    oom->before = fingerprint(oom);
}

bool oom_ok(struct oom *oom, int error)
{
    if (!error)
        return true;
    if (error != HD_ENOMEM)
        fail_msg("%s, failure %llu: %s instead of HD_ENOMEM", oom->name, (unsigned long long)oom->fail_at,
                 hd_error_name(error));
    assert_true(oom->failures > 0 || oom->os.failed_count > 0);
    oom_check(oom);
    return false;
}

bool oom_unchanged(struct oom *oom, int error)
{
    if (oom_ok(oom, error))
        return true;
    /* What was begun for the operation is gone again; what there was is as it was. */
    while (hd_gc_reap(oom->gc, 1000))
        ;
    oom_check(oom);
    if (fingerprint(oom) != oom->before)
        fail_msg("%s, failure %llu: the failed operation left something behind", oom->name,
                 (unsigned long long)oom->fail_at);
    return false;
}

void oom_root(struct oom *oom, size_t at, hd_value value)
{
    hd_value old = oom->roots[at];
    oom->roots[at] = value;
    hd_gc_release(oom->gc, old);
}

/* One run of a scenario; true if it met a failure. */
static bool run_once(const struct oom_scenario *scenario, uint64_t fail_at, bool fail_from, bool mappings)
{
    struct oom oom = {.name = scenario->name};
    hd_os_fault_init(&oom.os);
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    config.fault = fault;
    config.fault_context = &oom;
    config.thresholds[0] = scenario->threshold;
    int error = hd_heap_new(&oom.os.os, &config, &oom.heap);
    assert_int_equal(error, 0);
    oom.objects = &oom.heap->objects;
    oom.gc = &oom.heap->gc;
    oom.source.scan = scan;
    hd_gc_add_roots(oom.gc, &oom.source);
    uint32_t live = oom.heap->table.live_count;

    oom.calls = 0;
    oom.fail_from = fail_from;
    if (mappings)
        hd_os_fault_arm(&oom.os, fail_at, fail_from);
    else
        oom.fail_at = fail_at;
    scenario->run(&oom);
    bool failed = mappings ? oom.os.failed_count > 0 : oom.failures > 0;
    oom.fail_at = 0;
    hd_os_fault_arm(&oom.os, 0, false);

    for (size_t i = 0; i < OOM_ROOTS; i++)
        oom_root(&oom, i, HD_NONE);
    uint32_t position = 0;
    hd_value name, value;
    while (hd_heap_next_name(oom.heap, HD_ABSENT, &position, &name, &value)) {
        size_t size;
        const uint8_t *bytes = hd_bytes_view(oom.objects, &name, &size);
        assert_int_equal(hd_heap_unbind(oom.heap, HD_ABSENT, bytes, size), 0);
        position = 0;
    }
    struct hd_collection found;
    assert_int_equal(hd_heap_collect(oom.heap, 2, &found), 0);
    oom_check(&oom);
    if (oom.heap->table.live_count != live)
        fail_msg("%s, failure %llu: %u objects are left", scenario->name, (unsigned long long)fail_at,
                 oom.heap->table.live_count - live);
    hd_gc_remove_roots(oom.gc, &oom.source);
    hd_heap_free(oom.heap); /* where its account, in builds with assertions, checks that it is empty */
    assert_int_equal(oom.os.mapped_bytes, 0);
    assert_int_equal(oom.os.shared_count, 0);
    return failed;
}

static void run_scenario(void **state)
{
    const struct oom_scenario *scenario = *state;
    uint64_t n;
    for (n = 1; run_once(scenario, n, false, false); n++)
        ;
    for (uint64_t m = 1; run_once(scenario, m, true, false); m++)
        ;
    uint64_t mapped = 1;
    while (run_once(scenario, mapped, false, true))
        mapped++;
    print_message("%s: %llu allocations failed in turn, %llu mappings\n", scenario->name, (unsigned long long)n - 1,
                  (unsigned long long)mapped - 1);
    assert_true(n > 1);
}

/* The heap itself: made without memory, at each point. */
static void a_heap_is_made(void **state)
{
    (void)state;
    for (int mappings = 0; mappings < 2; mappings++) {
        for (uint64_t n = 1;; n++) {
            struct oom oom = {.name = "heap", .fail_at = mappings ? 0 : n};
            hd_os_fault_init(&oom.os);
            hd_os_fault_arm(&oom.os, mappings ? n : 0, false);
            struct hd_heap_config config;
            hd_heap_config_default(&config);
            config.fault = fault;
            config.fault_context = &oom;
            struct hd_heap *heap = NULL;
            int error = hd_heap_new(&oom.os.os, &config, &heap);
            if (!error) {
                hd_heap_free(heap);
                assert_int_equal(oom.os.mapped_bytes, 0);
                if (oom.failures + oom.os.failed_count)
                    continue; /* it could do without */
                assert_true(n > 1);
                break;
            }
            assert_int_equal(error, HD_ENOMEM);
            assert_null(heap);
            assert_int_equal(oom.os.mapped_bytes, 0);
        }
    }
}

int main(void)
{
    size_t count = oom_scenario_count;
    struct CMUnitTest *tests = calloc(count + 1, sizeof *tests);
    if (!tests)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){oom_scenarios[i].name, run_scenario, NULL, NULL, (void *)&oom_scenarios[i]};
    tests[count] = (struct CMUnitTest)cmocka_unit_test(a_heap_is_made);
    int failed = _cmocka_run_group_tests("oom", tests, count + 1, NULL, NULL);
    free(tests);
    return failed;
}
