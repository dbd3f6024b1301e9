/* Looking at the whole heap without memory: it is refused, and the heap is as it was. */
#include "oom.h"

#include "gc/tags.h"
#include "inspect/audit.h"
#include "inspect/census.h"
#include "inspect/paths.h"
#include "object/intern.h"

#define UNITS 200
#define RELEASE_BYTES ((uint64_t)1 << 20)

static struct hd_audit audit;
static struct hd_paths paths;
static struct hd_retained retained;
static struct hd_census census;

/* A tag for what is made, and a str that is interned and held. */
static bool mark(struct oom *oom)
{
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)"an interned text", 16);
    hd_value text;
    uint32_t tag;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_tags_hold(oom->gc, (const uint8_t *)"a tag", 5, &tag)))
        return false;
    hd_tags_choose(oom->gc, tag);
    if (!oom_ok(oom, hd_intern(oom->objects, &key, true, &text)))
        return false;
    hd_gc_release(oom->gc, text);
    return true;
}

/* The heap has no objects but the tests' in the end. */
static void unmark(struct oom *oom)
{
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)"an interned text", 16);
    bool was_held;
    assert_int_equal(hd_intern_let_go(oom->objects, &key, &was_held), 0);
}

static bool plant(struct oom *oom)
{
    hd_value list, inner;
    if (!oom_ok(oom, hd_list_new(oom->objects, 0, &list)))
        return false;
    oom_root(oom, 0, list);
    for (unsigned i = 0; i < 40; i++) {
        if (!oom_ok(oom, hd_list_new(oom->objects, 0, &inner)))
            return false;
        int error = hd_list_append(oom->objects, list, inner);
        if (error)
            hd_gc_release(oom->gc, inner);
        if (!oom_ok(oom, error))
            return false;
    }
    return true;
}

static uint64_t identity_of_first(struct oom *oom)
{
    hd_value value = hd_list_at(oom->objects, oom->roots[0], 0);
    return hd_table_identity(&oom->heap->table, hd_value_index(value));
}

static int why(struct oom *oom)
{
    uint64_t used;
    int result;
    hd_paths_init(&paths, oom->heap, identity_of_first(oom), 5, 64);
    do
        result = hd_paths_step(&paths, UNITS, &used);
    while (result == 0);
    if (result == 1)
        assert_int_equal(paths.path_count, 1);
    while (hd_paths_release(&paths, RELEASE_BYTES))
        ;
    hd_paths_fini(&paths);
    return result < 0 ? result : 0;
}

static int keeps(struct oom *oom)
{
    uint64_t used;
    int result;
    hd_retained_init(&retained, oom->heap, identity_of_first(oom), 10);
    do
        result = hd_retained_step(&retained, UNITS, &used);
    while (result == 0);
    if (result == 1)
        assert_true(retained.target > 0);
    while (hd_dominators_release(&retained.dominators, RELEASE_BYTES))
        ;
    hd_dominators_fini(&retained.dominators);
    return result < 0 ? result : 0;
}

static int sums(struct oom *oom)
{
    uint64_t used;
    int result;
    hd_census_init(&census, oom->heap, 32);
    do
        result = hd_census_step(&census, UNITS, &used);
    while (result == 0);
    if (result == 1)
        assert_true(census.types[HD_TYPE_LIST].count >= 41);
    while (hd_dominators_release(&census.dominators, RELEASE_BYTES))
        ;
    hd_dominators_fini(&census.dominators);
    return result < 0 ? result : 0;
}

static int audits(struct oom *oom)
{
    uint64_t used;
    int result;
    hd_audit_init(&audit, oom->heap);
    do
        result = hd_audit_step(&audit, UNITS, &used);
    while (result == 0);
    if (result == 1)
        assert_int_equal(audit.suspect_count, 0);
    while (hd_audit_release(&audit, RELEASE_BYTES))
        ;
    return result < 0 ? result : 0;
}

static void inspect(struct oom *oom)
{
    static int (*const analyses[])(struct oom *) = {why, keeps, sums, audits};
    for (size_t i = 0; i < sizeof analyses / sizeof *analyses; i++) {
        uint64_t charged = oom->heap->budget.used_bytes;
        oom_begin(oom);
        bool done = oom_unchanged(oom, analyses[i](oom));
        /* Nobody observes any more, and what was charged is given back. */
        assert_null(oom->gc->observer);
        assert_int_equal(oom->heap->budget.used_bytes, charged);
        if (!done && oom->fail_from)
            return;
    }
}

void oom_inspection(struct oom *oom)
{
    if (mark(oom) && plant(oom))
        inspect(oom);
    unmark(oom);
}
