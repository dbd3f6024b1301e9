/* Each planted miscount is found, and nothing else is, whatever happens meanwhile. */
#include "graph.h"
#include "inspect/audit.h"

static struct hd_audit audit;

/* With changes in between, if somebody makes them. */
static void run(struct fixture *f, struct random *random)
{
    uint64_t used;
    int result;
    hd_audit_init(&audit, f->heap);
    do {
        result = hd_audit_step(&audit, 300, &used);
        assert_true(result >= 0);
        for (unsigned i = 0; random && i < 3; i++)
            graph_mutate(f, random);
    } while (result == 0);
    while (hd_audit_release(&audit, 1 << 20))
        ;
}

static void none_after_a_random_run(void **state)
{
    (void)state;
    struct fixture f;
    struct random random;
    begin(&f);
    random_init(&random);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 2000; i++)
            graph_mutate(&f, &random);
        run(&f, &random);
        assert_int_equal(audit.suspect_count, 0);
        assert_true(audit.checked_count > 0);
    }
    check(&f);
    end(&f);
}

static void counts_that_are_too_high(void **state)
{
    (void)state;
    struct fixture f;
    hd_value planted[12];
    begin(&f);
    hd_value all = keep(&f, list(&f));
    for (unsigned i = 0; i < 2000; i++)
        append(&f, all, i % 2 ? list(&f) : str(&f, "a text that is boxed, and one of many"));
    for (unsigned i = 0; i < 12; i++) {
        planted[i] = hd_list_at(f.objects, all, i * 150);
        uint32_t *meta = &f.heap->table.meta[hd_value_index(planted[i])];
        /* As after a forgotten release, or several. */
        *meta = i % 3 ? *meta + HD_META_ONE * (i + 1) : *meta + HD_META_ONE;
    }
    run(&f, NULL);
    /* Texts may be shared: one object is one suspect. */
    unsigned wanted = 0;
    for (unsigned i = 0; i < 12; i++) {
        bool is_first = true;
        for (unsigned j = 0; j < i; j++)
            is_first &= planted[j] != planted[i];
        wanted += is_first;
        bool is_found = false;
        for (unsigned s = 0; s < audit.suspect_count; s++) {
            is_found |= (uint32_t)audit.suspects[s].identity == hd_value_index(planted[i]);
            assert_true(audit.suspects[s].count > audit.suspects[s].found);
        }
        assert_true(is_found);
    }
    assert_int_equal(audit.suspect_count, wanted);
    for (unsigned i = 0; i < 12; i++)
        f.heap->table.meta[hd_value_index(planted[i])] -= i % 3 ? HD_META_ONE * (i + 1) : HD_META_ONE;
    run(&f, NULL);
    assert_int_equal(audit.suspect_count, 0);
    end(&f);
}

/* As after a release too much. None goes to zero, where the object would be gone. */
static void counts_that_are_too_low(void **state)
{
    (void)state;
    enum { PLANTED = 8, REFERENCES = 6 };
    struct fixture f;
    hd_value planted[PLANTED];
    begin(&f);
    hd_value all = keep(&f, list(&f));
    for (unsigned i = 0; i < PLANTED; i++) {
        planted[i] = list(&f);
        for (unsigned j = 1; j < REFERENCES; j++) {
            hd_gc_retain(&f.heap->gc, planted[i]);
            append(&f, all, planted[i]);
        }
        append(&f, all, planted[i]);
        f.heap->table.meta[hd_value_index(planted[i])] -= HD_META_ONE * (1 + i % (REFERENCES - 1));
    }
    run(&f, NULL);
    assert_int_equal(audit.suspect_count, PLANTED);
    for (unsigned i = 0; i < PLANTED; i++) {
        const struct hd_suspect *suspect = &audit.suspects[i];
        uint32_t less = 0;
        for (unsigned j = 0; j < PLANTED; j++)
            if (hd_value_index(planted[j]) == (uint32_t)suspect->identity)
                less = 1 + j % (REFERENCES - 1);
        assert_true(less > 0);
        assert_int_equal(suspect->found, REFERENCES);
        assert_int_equal(suspect->count, REFERENCES - less);
    }
    for (unsigned i = 0; i < PLANTED; i++)
        f.heap->table.meta[hd_value_index(planted[i])] += HD_META_ONE * (1 + i % (REFERENCES - 1));
    run(&f, NULL);
    assert_int_equal(audit.suspect_count, 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_after_a_random_run),
        cmocka_unit_test(counts_that_are_too_high),
        cmocka_unit_test(counts_that_are_too_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
