/*
 * Young collections: trial deletion among the young.
 *
 * Take the objects a, b, c, all young; a and b refer to each other, b refers to
 * c, and a handle refers to c.
 *
 *     counts                              a 1   b 1   c 2
 *     references among the young, less    a 0   b 0   c 1
 *     c has a count left: it is referred to from outside, lives, and keeps what
 *     it reaches; a and b have none, and nothing living reaches them: garbage.
 *
 * The counts themselves are counted down and up again, since nothing can look at
 * them in between; an object's references are read twice, no memory is needed
 * beside the lists of the young. (CPython copies the counts instead; its test
 * for reachability is the same. See also Bacon and Rajan, "Concurrent cycle
 * collection in reference counted systems", 2001.)
 */
#include "gc/gc.h"

#include <string.h>

#include "gc/gc_internal.h"

/* A container with more references than this becomes old unexamined, so that a pause stays short. */
#define LARGE_REFERENCES 4096
/* And so do those that come when so many references have been counted. */
#define ALL_REFERENCES (4 * HD_YOUNG_MAX)
/* Members that are asked for together before they are looked at; fewer were born just now, and are in the cache. */
#define FETCH_MEMBERS 64
#define FETCH_MIN_MEMBERS 1024
/* References of each, likewise. */
#define FETCH_REFERENCES 8

struct young_set {
    uint32_t *members; /* candidates first; later survivors first, garbage behind */
    uint32_t count;
    uint32_t *large; /* excluded: members that are kept unexamined, at the far end of the memory of members and stack */
    uint32_t large_count;
};

static size_t reference_count(const struct hd_refs *refs)
{
    size_t count = 0;
    for (unsigned i = 0; i < refs->span_count; i++)
        count += refs->spans[i].count;
    return count;
}

/* As hd_gc_refs, asked in the way that costs least. */
static inline void references(const struct hd_gc *gc, uint32_t index, struct hd_refs *out)
{
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, index)];
    void *payload = hd_table_payload(gc->table, index);
    if (!ops->span) {
        hd_gc_refs(gc, index, out);
        return;
    }
    out->spans[0] = ops->span(gc, payload);
    out->span_count = 1;
    out->hidden = ops->hidden ? ops->hidden(gc, payload) : 0;
}

static bool is_member(const struct hd_gc *gc, uint32_t index, unsigned oldest)
{
    const uint8_t state = gc->table->state[index];
    return (state & HD_STATE_TRACKED) && (state & HD_STATE_GENERATION) <= oldest && !(state & HD_STATE_DYING);
}

/*
 * Calls BODY for the index of each member of the set that `refs` refers to. A
 * macro, since the body differs and is the inner loop.
 */
#define FOR_EACH_MEMBER(gc, refs, oldest, target, BODY) \
    do { \
        for (unsigned span_ = 0; span_ < (refs).span_count; span_++) { \
            const struct hd_span *words_ = &(refs).spans[span_]; \
            for (size_t word_ = 0; word_ < words_->count; word_++) { \
                if (!hd_value_is_inner_ref(words_->words[word_])) \
                    continue; \
                uint32_t target = hd_value_index(words_->words[word_]); \
                if (is_member(gc, target, oldest)) \
                    BODY; \
            } \
        } \
        if ((refs).hidden && is_member(gc, (refs).hidden, oldest)) { \
            uint32_t target = (refs).hidden; \
            BODY; \
        } \
    } while (0)

static bool is_saturated(const struct hd_table *table, uint32_t index)
{
    return hd_table_count(table, index) == HD_COUNT_SATURATED;
}

/*
 * Asks for all that subtracting `count` members will read, one step of the way for all of them at a time: entries,
 * payloads, references, and the states of what these refer to. In a heap of millions each of these lies anywhere.
 */
static void fetch(const struct hd_gc *gc, const uint32_t *members, uint32_t count)
{
    const struct hd_table *table = gc->table;
    struct hd_span spans[FETCH_MEMBERS];
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(&table->location[members[i]]);
        __builtin_prefetch(&table->meta[members[i]], 1);
    }
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(hd_table_payload(table, members[i]));
    for (uint32_t i = 0; i < count; i++) {
        struct hd_refs refs;
        references(gc, members[i], &refs);
        spans[i] = refs.span_count ? refs.spans[0] : (struct hd_span){0};
        __builtin_prefetch(spans[i].words);
    }
    for (uint32_t i = 0; i < count; i++)
        for (size_t word = 0; word < spans[i].count && word < FETCH_REFERENCES; word++)
            if (hd_value_is_inner_ref(spans[i].words[word]))
                __builtin_prefetch(&table->state[hd_value_index(spans[i].words[word])]);
}

/*
 * What a large container refers to, and what comes when so many references were counted, is not subtracted. So all
 * that it refers to lives, and it lives itself: it is no candidate any more, and its own references are not restored.
 */
static void subtract(struct hd_gc *gc, struct young_set *set, unsigned oldest)
{
    struct hd_table *table = gc->table;
    uint32_t *far_end = set->members + 2 * (size_t)set->count;
    uint32_t kept = 0;
    size_t sum = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t index = set->members[i], left = set->count - i;
        if (set->count >= FETCH_MIN_MEMBERS && i % FETCH_MEMBERS == 0)
            fetch(gc, &set->members[i], left < FETCH_MEMBERS ? left : FETCH_MEMBERS);
        struct hd_refs refs;
        references(gc, index, &refs);
        size_t count = reference_count(&refs);
        if (__builtin_expect(count > LARGE_REFERENCES || sum + count > ALL_REFERENCES, 0)) {
            table->state[index] &= (uint8_t)~HD_STATE_CANDIDATE;
            *(far_end - ++set->large_count) = index;
            continue;
        }
        sum += count;
        set->members[kept++] = index;
        bool barren = true;
        FOR_EACH_MEMBER(gc, refs, oldest, target, {
            barren = false;
            if (!is_saturated(table, target))
                table->meta[target] -= HD_META_ONE;
        });
        /* Most of the young refer to nothing young: they need not be read again. */
        table->state[index] |= barren ? HD_STATE_BARREN : 0;
    }
    set->count = kept;
    set->large = far_end - set->large_count;
}

/* Adds an object's references among the young to the counts again, and reaches what they lead to. */
static uint32_t restore(struct hd_gc *gc, uint32_t index, unsigned oldest, uint32_t *stack, uint32_t depth)
{
    struct hd_table *table = gc->table;
    struct hd_refs refs;
    references(gc, index, &refs);
    FOR_EACH_MEMBER(gc, refs, oldest, target, {
        if (!is_saturated(table, target))
            table->meta[target] += HD_META_ONE;
        if (stack && (table->state[target] & HD_STATE_CANDIDATE)) {
            table->state[target] &= (uint8_t)~HD_STATE_CANDIDATE;
            if (!(table->state[target] & HD_STATE_BARREN))
                stack[depth++] = target;
        }
    });
    return depth;
}

/* Those with counts left live, and all that they reach. `stack` has room for every member. */
static void keep_reachable(struct hd_gc *gc, const struct young_set *set, unsigned oldest, uint32_t *stack)
{
    struct hd_table *table = gc->table;
    uint32_t depth = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        uint32_t index = set->members[i];
        if (!(table->state[index] & HD_STATE_CANDIDATE) || hd_table_count(table, index) == 0)
            continue;
        table->state[index] &= (uint8_t)~HD_STATE_CANDIDATE;
        if (table->state[index] & HD_STATE_BARREN)
            continue;
        stack[depth++] = index;
        while (depth) {
            uint32_t next = stack[--depth];
            depth = restore(gc, next, oldest, stack, depth);
        }
    }
}

/* All stay, and become old. */
static void save_garbage(struct hd_gc *gc, const uint32_t *garbage, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hd_value value = hd_value_ref(garbage[i], false);
        gc->table->state[garbage[i]] &= (uint8_t)~HD_STATE_CANDIDATE;
        hd_gc_make_old(gc, garbage[i]);
        /* A full collection under way may not have been led to it, and has looked at the roots. */
        hd_gc_shade(gc, value);
        hd_gc_save(gc, garbage[i]);
    }
}

/* What a full collection is clearing is either all saved or all cleared, and what the young refer to may be part of it.
 */
static bool is_saving(const struct hd_gc *gc)
{
    return gc->phase == HD_PHASE_CLEAR && !gc->dry_run ? gc->saves : gc->save != NULL;
}

static void free_garbage(struct hd_gc *gc, const uint32_t *garbage, uint32_t count)
{
    /* Before anything is given up, so that nobody comes back through one of them to another that is half cleared. */
    for (uint32_t i = 0; i < count; i++)
        hd_gc_tell_gone(gc, garbage[i]);
    /* Held while they are cleared, so that none goes away before its turn. */
    for (uint32_t i = 0; i < count; i++) {
        gc->table->state[garbage[i]] &= (uint8_t)~HD_STATE_CANDIDATE;
        gc->table->state[garbage[i]] |= HD_STATE_CONDEMNED;
        hd_gc_retain(gc, hd_value_ref(garbage[i], false));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct hd_gc_cursor cursor = {.index = garbage[i]};
        hd_gc_give_up(gc, &cursor, UINT64_MAX);
    }
    for (uint32_t i = 0; i < count; i++)
        hd_gc_release(gc, hd_value_ref(garbage[i], false));
}

/* Survivors go one generation up; where that list has no room, two. */
static void promote(struct hd_gc *gc, const uint32_t *survivors, uint32_t count, unsigned oldest)
{
    struct hd_young_list *middle = &gc->young[1];
    bool has_room = oldest == 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = survivors[i];
        /* Looking for room costs a pass over the list: when there was none, not for each of the others. */
        if (has_room && (middle->length == middle->capacity || middle->length == HD_YOUNG_MAX))
            has_room = hd_gc_young_reserve(gc, 1) == 0;
        if (!has_room) {
            hd_gc_make_old(gc, index);
            continue;
        }
        uint8_t *state = &gc->table->state[index];
        gc->tracked_count[0]--;
        gc->tracked_count[1]++;
        *state = (uint8_t)((*state & ~HD_STATE_GENERATION) | 1);
        middle->indices[middle->length++] = index;
    }
}

void hd_gc_collect_young(struct hd_gc *gc, unsigned generation, struct hd_collection *out)
{
    struct hd_young_list *nursery = &gc->young[0];
    struct hd_young_list *middle = &gc->young[1];
    memset(out, 0, sizeof *out);

    /* The nursery's memory has room for both lists and for a stack behind them: hd_gc_young_reserve sees to it. */
    uint32_t nothing; /* stands in for a nursery that has no memory yet, since NULL + 0 is not defined */
    struct young_set set = {.members = nursery->indices ? nursery->indices : &nothing};
    set.count = hd_gc_young_gather(gc, nursery, 0, set.members);
    out->examined_count[0] = set.count;
    if (generation) {
        uint32_t older = hd_gc_young_gather(gc, middle, 1, set.members + set.count);
        out->examined_count[1] = older;
        set.count += older;
        middle->length = 0;
    }
    nursery->length = 0;
    gc->young_pause = 0;
    subtract(gc, &set, generation);
    keep_reachable(gc, &set, generation, set.members + set.count);

    /* Sort garbage behind the survivors; the stack's memory takes it meanwhile. */
    uint32_t *garbage = set.members + set.count;
    uint32_t garbage_count = 0, survivor_count = 0;
    for (uint32_t i = 0; i < set.count; i++) {
        uint32_t index = set.members[i];
        uint8_t state = gc->table->state[index];
        if (state & HD_STATE_CANDIDATE) {
            garbage[garbage_count++] = index;
            out->unreachable_count[state & HD_STATE_GENERATION]++;
        } else {
            set.members[survivor_count++] = index;
        }
        gc->table->state[index] = state & (uint8_t)~HD_STATE_BARREN;
    }
    /* Only now may the living leave their generation, which is what makes them members. */
    for (uint32_t i = 0; i < garbage_count; i++)
        restore(gc, garbage[i], generation, NULL, 0);
    promote(gc, set.members, survivor_count, generation);
    for (uint32_t i = 0; i < set.large_count; i++)
        hd_gc_make_old(gc, set.large[i]);
    if (__builtin_expect(is_saving(gc), 0))
        save_garbage(gc, garbage, garbage_count);
    else
        free_garbage(gc, garbage, garbage_count);

    gc->stats[generation].collection_count++;
    gc->stats[generation].collected_count += garbage_count;
    for (unsigned i = 0; i <= generation; i++)
        gc->counts[i] = 0;
    gc->counts[generation + 1]++;
}
