/*
 * Combining tables. An operation is a sequence of stages; each goes through one
 * source and does one thing with every element.
 *
 *     held[TARGET]   the set or dict that is asked; not watched, since the sources are
 *     held[OTHERS]   the tuple of the others
 *     held[ASIDE]    what a source without an index was read into, or an earlier result
 *     held[RESULT]   what is being made
 */
#include "object/combine.h"

#include <string.h>

#include "object/combine_small.h"
#include "object/hash_table.h"
#include "object/payload.h"
#include "object/undo.h"

enum { TARGET, OTHERS, ASIDE, RESULT };

#define UNITS_PER_ELEMENT 8
#define ATTEMPTS_MAX 3

static bool is_set(const struct hd_objects *objects, hd_value value)
{
    return hd_is_type(objects, value, HD_TYPE_SET) || hd_is_type(objects, value, HD_TYPE_FROZENSET);
}

static bool is_table(const struct hd_objects *objects, hd_value value)
{
    return is_set(objects, value) || hd_is_type(objects, value, HD_TYPE_DICT);
}

/* ---- entries ---------------------------------------------------------------- */

int hd_table_put(struct hd_objects *objects, hd_value table, struct hd_key *key, hd_value value, bool is_new)
{
    struct hd_gc *gc = objects->gc;
    struct hd_hash_table *entries = hd_gc_payload(gc, table);
    unsigned stride = hd_stride_of((enum hd_type)hd_gc_type(gc, table));
    uint32_t entry = HD_ENTRY_NONE;
    int error = is_new ? hd_key_hash(objects, key) : hd_hash_table_find(objects, entries, stride, key, &entry);
    if (error)
        return error;
    if (entry != HD_ENTRY_NONE) {
        if (stride == 2)
            hd_gc_store(gc, hd_value_index(table), &entries->entries[(size_t)entry * 2 + 1], hd_gc_retain(gc, value));
        return 0;
    }
    error = hd_hash_table_add(objects, table, stride, key, key->value, stride == 2 ? value : HD_ABSENT);
    if (error)
        return error;
    hd_gc_retain(gc, key->value);
    if (stride == 2)
        hd_gc_retain(gc, value);
    if (hd_gc_type(gc, table) == HD_TYPE_FROZENSET)
        hd_frozenset_sum_up(hd_gc_payload(gc, table), key);
    return 0;
}

int hd_pair_of(struct hd_objects *objects, hd_value pair, hd_value *first, hd_value *second)
{
    struct hd_source source;
    hd_value none;
    int error = hd_source_begin(objects, pair, HD_VIEW_KEYS, false, &source);
    if (error)
        return error;
    if (hd_source_length(objects, pair) != 2)
        return HD_EVALUE;
    (void)hd_source_next(objects, &source, first, &none);
    (void)hd_source_next(objects, &source, second, &none);
    return 0;
}

/* ---- stages ----------------------------------------------------------------- */

static hd_value other_at(const struct hd_combine *combine, uint32_t i)
{
    return hd_tuple_at(combine->work.objects, combine->work.held[OTHERS], i);
}

/* A place of the work gets another object (steal). */
static void set_held(struct hd_combine *combine, unsigned place, hd_value value)
{
    struct hd_gc *gc = combine->work.objects->gc;
    hd_value old = combine->work.held[place];
    hd_gc_shade(gc, value);
    combine->work.held[place] = value;
    hd_gc_release(gc, old);
}

static int new_table(struct hd_combine *combine, unsigned place, enum hd_type type)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value value;
    int error = type == HD_TYPE_DICT  ? hd_dict_new(objects, 0, &value)
                : type == HD_TYPE_SET ? hd_set_new(objects, 0, &value)
                                      : hd_frozenset_new(objects, 0, &value);
    if (!error)
        set_held(combine, place, value);
    return error;
}

static int new_result(struct hd_combine *combine)
{
    return new_table(combine, RESULT, (enum hd_type)hd_gc_type(combine->work.objects->gc, combine->work.held[TARGET]));
}

static int run(struct hd_combine *combine, enum hd_combine_action action, hd_value container, hd_value filter)
{
    int error = hd_source_begin(combine->work.objects, container, HD_VIEW_KEYS, false, &combine->source);
    combine->action = action;
    combine->filter = filter;
    combine->running = error == 0;
    return error;
}

/* The elements of what has no index go into a set aside. */
static int run_aside(struct hd_combine *combine, hd_value other)
{
    int error = new_table(combine, ASIDE, HD_TYPE_SET);
    combine->work.held[RESULT] = HD_ABSENT;
    return error ? error : run(combine, HD_COMBINE_ADD, other, HD_ABSENT);
}

#define STAGES_OVER 1

static int union_stage(struct hd_combine *combine)
{
    unsigned stage = combine->stage;
    if (stage == 0) {
        int error = new_result(combine);
        return error ? error : run(combine, HD_COMBINE_COPY, combine->work.held[TARGET], HD_ABSENT);
    }
    if (stage > combine->count)
        return STAGES_OVER;
    hd_value other = other_at(combine, stage - 1);
    return run(combine, HD_COMBINE_ADD, other, HD_ABSENT);
}

/* As CPython: of two sets the smaller one is gone through, and its elements are kept. */
static int intersection_stage(struct hd_combine *combine)
{
    struct hd_objects *objects = combine->work.objects;
    unsigned stage = combine->stage;
    if (stage && stage >= combine->count)
        return STAGES_OVER;
    hd_value left = combine->work.held[TARGET];
    /* What the stage before made; unless this one was tried before, when memory was short. */
    if (stage && combine->work.held[RESULT] != HD_ABSENT) {
        set_held(combine, ASIDE, combine->work.held[RESULT]);
        combine->work.held[RESULT] = HD_ABSENT;
    }
    if (stage)
        left = combine->work.held[ASIDE];
    int error = new_result(combine);
    if (error)
        return error;
    if (combine->count == 0)
        return run(combine, HD_COMBINE_COPY, left, HD_ABSENT);
    hd_value other = other_at(combine, stage);
    if (is_set(objects, other) && hd_dict_length(objects, other) > hd_dict_length(objects, left))
        return run(combine, HD_COMBINE_ADD_IF_IN, left, other);
    return run(combine, HD_COMBINE_ADD_IF_IN, other, left);
}

static int difference_stage(struct hd_combine *combine)
{
    struct hd_objects *objects = combine->work.objects;
    unsigned stage = combine->stage;
    hd_value left = combine->work.held[TARGET];
    hd_value first = combine->count ? other_at(combine, 0) : HD_ABSENT;
    bool filters = first != HD_ABSENT && is_table(objects, first);
    if (stage == 0) {
        int error = new_result(combine);
        if (error)
            return error;
        return filters ? run(combine, HD_COMBINE_ADD_IF_NOT_IN, left, first)
                       : run(combine, HD_COMBINE_COPY, left, HD_ABSENT);
    }
    uint32_t next = filters ? stage : stage - 1;
    return next >= combine->count ? STAGES_OVER : run(combine, HD_COMBINE_DISCARD, other_at(combine, next), HD_ABSENT);
}

/* What of the other two sets is in one alone. */
static int symmetric_stage(struct hd_combine *combine)
{
    hd_value left = combine->work.held[TARGET], other = other_at(combine, 0);
    bool direct = is_set(combine->work.objects, other);
    unsigned stage = combine->stage + direct;
    if (stage == 0)
        return run_aside(combine, other);
    if (!direct)
        other = combine->work.held[ASIDE];
    if (stage == 1) {
        int error = new_result(combine);
        return error ? error : run(combine, HD_COMBINE_ADD_IF_NOT_IN, left, other);
    }
    return stage == 2 ? run(combine, HD_COMBINE_ADD_IF_NOT_IN, other, left) : STAGES_OVER;
}

/* A relation: from the lengths, or with one or two stages. */
static int relation_stage(struct hd_combine *combine)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value left = combine->work.held[TARGET], other = other_at(combine, 0);
    enum hd_set_relation relation = combine->relation;
    bool direct = is_table(objects, other);
    bool needs_index = relation == HD_SET_SUBSET && !direct;
    unsigned stage = combine->stage + !needs_index;
    if (stage == 0)
        return run_aside(combine, other);
    if (stage > 1)
        return STAGES_OVER;
    if (needs_index)
        other = combine->work.held[ASIDE];
    direct |= needs_index;
    uint32_t left_count = hd_dict_length(objects, left), other_count = direct ? hd_dict_length(objects, other) : 0;
    switch (relation) {
    case HD_SET_EQUAL:
    case HD_SET_NOT_EQUAL:
    case HD_SET_PROPER_SUBSET:
    case HD_SET_SUBSET: {
        bool equality = relation == HD_SET_EQUAL || relation == HD_SET_NOT_EQUAL;
        bool fits = equality                           ? left_count == other_count
                    : relation == HD_SET_PROPER_SUBSET ? left_count < other_count
                                                       : left_count <= other_count;
        if (!fits)
            combine->work.truth = false;
        return fits ? run(combine, HD_COMBINE_ALL_IN, left, other) : STAGES_OVER;
    }
    case HD_SET_PROPER_SUPERSET:
    case HD_SET_SUPERSET: {
        bool fits = !direct || (relation == HD_SET_SUPERSET ? left_count >= other_count : left_count > other_count);
        if (!fits)
            combine->work.truth = false;
        return fits ? run(combine, HD_COMBINE_ALL_IN, other, left) : STAGES_OVER;
    }
    default:
        if (direct && other_count > left_count)
            return run(combine, HD_COMBINE_NONE_IN, left, other);
        return run(combine, HD_COMBINE_NONE_IN, other, left);
    }
}

static int next_stage(struct hd_combine *combine)
{
    if (combine->relation)
        return relation_stage(combine);
    switch (combine->operation) {
    case HD_SET_UNION:
        return union_stage(combine);
    case HD_SET_INTERSECTION:
        return intersection_stage(combine);
    case HD_SET_DIFFERENCE:
        return difference_stage(combine);
    default:
        return symmetric_stage(combine);
    }
}

/* ---- elements --------------------------------------------------------------- */

static hd_value made_in(const struct hd_combine *combine)
{
    return combine->work.held[combine->work.held[RESULT] == HD_ABSENT ? ASIDE : RESULT];
}

static int discard(struct hd_combine *combine, struct hd_key *key)
{
    bool was_there;
    return hd_set_discard(combine->work.objects, made_in(combine), key, &was_there);
}

/* 0, or STAGES_OVER: the rest need not be looked at. */
static int do_element(struct hd_combine *combine, hd_value first, hd_value second)
{
    struct hd_objects *objects = combine->work.objects;
    enum hd_combine_action action = combine->action;
    if (combine->is_dict && second == HD_ABSENT) {
        int error = hd_pair_of(objects, first, &first, &second);
        if (error)
            return error;
    }
    struct hd_key key = hd_key_of(first);
    if (action == HD_COMBINE_ADD || action == HD_COMBINE_COPY)
        return hd_table_put(objects, made_in(combine), &key, second, action == HD_COMBINE_COPY);
    if (action == HD_COMBINE_DISCARD)
        return discard(combine, &key);
    bool there;
    int error = hd_dict_contains(objects, combine->filter, &key, &there);
    if (error)
        return error;
    if (action == HD_COMBINE_ALL_IN || action == HD_COMBINE_NONE_IN) {
        combine->work.truth = there == (action == HD_COMBINE_ALL_IN);
        return combine->work.truth ? 0 : STAGES_OVER;
    }
    if (there != (action == HD_COMBINE_ADD_IF_IN))
        return 0;
    error = hd_table_put(objects, made_in(combine), &key, HD_ABSENT, false);
    if (error || action != HD_COMBINE_ADD_IF_IN)
        return error;
    /* All were found: the rest is not looked at, as CPython has it. */
    return hd_dict_length(objects, made_in(combine)) < hd_dict_length(objects, combine->filter) ? 0 : STAGES_OVER;
}

/* 1: the stage is over; 0: the units are used up. */
static int run_stage(struct hd_combine *combine, uint64_t *units)
{
    struct hd_objects *objects = combine->work.objects;
    hd_value first, second;
    for (;;) {
        if (*units == 0)
            return 0;
        uint64_t worked = objects->work_units;
        struct hd_source next = combine->source;
        if (!hd_source_next(objects, &next, &first, &second))
            return 1;
        int error = do_element(combine, first, second);
        if (error < 0)
            return error;
        combine->source = next;
        if (error == STAGES_OVER)
            return 1;
        uint64_t used = UNITS_PER_ELEMENT + (objects->work_units - worked);
        *units -= used < *units ? used : *units;
    }
}

/* ---- the end ---------------------------------------------------------------- */

static int finish(struct hd_combine *combine)
{
    struct hd_work *work = &combine->work;
    struct hd_objects *objects = work->objects;
    if (combine->relation) {
        if (combine->relation == HD_SET_NOT_EQUAL)
            work->truth = !work->truth;
        return 1;
    }
    if (!combine->in_place) {
        work->value = work->held[RESULT];
        work->held[RESULT] = HD_ABSENT;
        return 1;
    }
    int error = hd_undo_prepare(objects);
    if (error)
        return error;
    hd_undo_note(objects, &(struct hd_undo_note){
                              .kind = HD_UNDO_CLEARED, .owner = work->held[TARGET], .value = work->held[RESULT]});
    hd_table_exchange(objects, work->held[TARGET], work->held[RESULT]);
    return 1;
}

/* Begins from the beginning: the target changed. */
static void begin_again(struct hd_combine *combine)
{
    combine->target.changed = false;
    hd_gc_watch(combine->work.objects->gc, hd_value_index(combine->work.held[TARGET]));
    combine->attempts++;
    combine->stage = 0;
    combine->running = false;
    set_held(combine, RESULT, HD_ABSENT);
    set_held(combine, ASIDE, HD_ABSENT);
}

/* Goes on until the units are used up. */
static int run_stages(struct hd_combine *combine, uint64_t *units)
{
    for (;;) {
        if (!combine->running) {
            int result = next_stage(combine);
            if (result == STAGES_OVER)
                return finish(combine);
            if (result)
                return result;
        }
        int result = run_stage(combine, units);
        if (result <= 0)
            return result;
        combine->running = false;
        combine->stage++;
    }
}

static int step(struct hd_work *work, uint64_t units)
{
    struct hd_combine *combine = (struct hd_combine *)work;
    if (work->kept && combine->target.changed) {
        if (!combine->in_place)
            return HD_ECHANGED;
        begin_again(combine);
    }
    if (combine->attempts >= ATTEMPTS_MAX)
        units = UINT64_MAX;
    /* A little that comes into a table of any size: at once, before anything is copied. */
    if (combine->in_place && combine->stage == 0 && !combine->running) {
        int result = hd_combine_small(combine);
        if (result)
            return result;
    }
    uint64_t left = units;
    int result = run_stages(combine, &left);
    work->objects->work_units += (units - left) / 4;
    return result;
}

/* ---- watching --------------------------------------------------------------- */

static bool covers_target(const struct hd_watcher *watcher, uint32_t index)
{
    const struct hd_combine *combine = (const void *)((const char *)watcher - offsetof(struct hd_combine, target));
    return hd_value_index(combine->work.held[TARGET]) == index;
}

static bool covers(const struct hd_work *work, uint32_t index)
{
    const struct hd_combine *combine = (const struct hd_combine *)work;
    for (uint32_t i = 0; i < combine->count; i++)
        if (hd_value_index(other_at(combine, i)) == index)
            return true;
    return false;
}

static void keep(struct hd_work *work)
{
    struct hd_combine *combine = (struct hd_combine *)work;
    struct hd_gc *gc = work->objects->gc;
    combine->target.covers = covers_target;
    hd_gc_watch_begin(gc, &combine->target);
    hd_gc_watch(gc, hd_value_index(work->held[TARGET]));
    for (uint32_t i = 0; i < combine->count; i++)
        if (hd_value_is_inner_ref(other_at(combine, i)))
            hd_gc_watch(gc, hd_value_index(other_at(combine, i)));
}

static void fini(struct hd_work *work)
{
    struct hd_combine *combine = (struct hd_combine *)work;
    if (work->kept)
        hd_gc_watch_end(work->objects->gc, &combine->target);
}

static const struct hd_work_kind combine_kind = {
    .bytes = sizeof(struct hd_combine), .step = step, .keep = keep, .covers = covers, .fini = fini};

/* ---- beginning -------------------------------------------------------------- */

static int check_others(const struct hd_objects *objects, hd_value others, bool strict, bool dicts)
{
    uint32_t count = hd_tuple_length(objects, others);
    if (count > HD_COMBINE_OTHERS_MAX)
        return HD_ELIMIT;
    for (uint32_t i = 0; i < count; i++) {
        struct hd_source source;
        hd_value other = hd_tuple_at(objects, others, i);
        bool fits = dicts ? hd_is_type(objects, other, HD_TYPE_DICT) : is_set(objects, other);
        if (strict && !fits)
            return HD_ETYPE;
        int error = hd_source_begin(objects, other, HD_VIEW_KEYS, false, &source);
        if (error)
            return error;
    }
    return 0;
}

static void begin(struct hd_objects *objects, hd_value target, hd_value others, struct hd_combine *out)
{
    memset(out, 0, sizeof *out);
    hd_work_init(&out->work, &combine_kind, objects);
    hd_work_hold(&out->work, TARGET, target, false);
    hd_work_hold(&out->work, OTHERS, others, false);
    out->count = hd_tuple_length(objects, others);
}

int hd_combine_begin(struct hd_objects *objects, hd_value set, enum hd_set_operation operation, hd_value others,
                     bool strict, bool in_place, struct hd_combine *out)
{
    if (in_place ? !hd_is_type(objects, set, HD_TYPE_SET) : !is_set(objects, set))
        return HD_ETYPE;
    if (operation < HD_SET_UNION || operation > HD_SET_SYMMETRIC_DIFFERENCE)
        return HD_EINVALID;
    if (operation == HD_SET_SYMMETRIC_DIFFERENCE && hd_tuple_length(objects, others) != 1)
        return HD_EINVALID;
    int error = check_others(objects, others, strict, false);
    if (error)
        return error;
    begin(objects, set, others, out);
    out->operation = operation;
    out->in_place = in_place;
    return 0;
}

int hd_relate_begin(struct hd_objects *objects, hd_value set, enum hd_set_relation relation, hd_value other,
                    bool strict, struct hd_combine *out)
{
    bool any = relation == HD_SET_SUBSET || relation == HD_SET_SUPERSET || relation == HD_SET_DISJOINT;
    if (relation < HD_SET_EQUAL || relation > HD_SET_DISJOINT)
        return HD_EINVALID;
    struct hd_source source;
    if (!is_set(objects, set) || ((strict || !any) && !is_set(objects, other)))
        return HD_ETYPE;
    int error = hd_source_begin(objects, other, HD_VIEW_KEYS, false, &source);
    if (error)
        return error;
    hd_value others;
    error = hd_tuple_new(objects, 1, &others);
    if (error)
        return error;
    hd_tuple_init_at(objects, others, 0, hd_gc_retain(objects->gc, other));
    begin(objects, set, others, out);
    hd_gc_release(objects->gc, others);
    out->relation = relation;
    out->work.truth = true; /* of nothing, anything is true */
    return 0;
}

int hd_merge_begin(struct hd_objects *objects, hd_value dict, hd_value others, bool strict, bool in_place,
                   struct hd_combine *out)
{
    if (!hd_is_type(objects, dict, HD_TYPE_DICT))
        return HD_ETYPE;
    int error = check_others(objects, others, strict, true);
    if (error)
        return error;
    begin(objects, dict, others, out);
    out->operation = HD_SET_UNION;
    out->is_dict = true;
    out->in_place = in_place;
    return 0;
}
