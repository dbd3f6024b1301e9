/* The collector's invariants, looked at from outside. */
#include "gc/gc.h"

#include <string.h>

#include "gc/gc_internal.h"

static const char *check_queue(const struct hd_gc *gc, uint32_t head, uint64_t *count)
{
    for (uint32_t i = head; i; i = ((const uint32_t *)hd_table_payload(gc->table, i))[1]) {
        if (i >= gc->table->length || !(gc->table->state[i] & HD_STATE_DYING))
            return "gc: the queue of the dead holds dying objects";
        if (hd_table_count(gc->table, i) != 0)
            return "gc: a dying object has no count";
        if (++*count > gc->dead_count)
            break;
    }
    return NULL;
}

static const char *check_dead(const struct hd_gc *gc)
{
    uint64_t count = (gc->dead_cursor.index ? 1u : 0u) + (gc->dead_large.index ? 1u : 0u);
    const char *broken = check_queue(gc, gc->dead_head, &count);
    if (!broken)
        broken = check_queue(gc, gc->dead_before, &count);
    if (broken)
        return broken;
    if (gc->dead_before && !gc->dead_wait)
        return "gc: nobody waits for those that come first";
    return count == gc->dead_count ? NULL : "gc: dead_count is the queue's length";
}

static const char *check_young(const struct hd_gc *gc, uint64_t tracked[HD_GENERATIONS + 1])
{
    for (unsigned generation = 0; generation < 2; generation++) {
        const struct hd_young_list *list = &gc->young[generation];
        if (list->length > list->capacity)
            return "gc: a list of the young fits its memory";
        for (uint32_t i = 0; i < list->length; i++)
            if (list->indices[i] == 0 || list->indices[i] >= gc->table->capacity_count)
                return "gc: a list of the young holds table indices";
    }
    if (2 * ((uint64_t)gc->young[0].length + gc->young[1].length) > gc->young[0].capacity)
        return "gc: the nursery has room for a collection";
    for (unsigned i = 0; i <= HD_GENERATIONS; i++)
        if (tracked[i] != gc->tracked_count[i])
            return "gc: tracked_count[g] counts the tracked objects of g";
    return NULL;
}

static const char *check_entries(const struct hd_gc *gc)
{
    const struct hd_table *table = gc->table;
    uint64_t tracked[HD_GENERATIONS + 1] = {0};
    uint64_t dying = 0;
    for (uint32_t i = 1; i < table->length; i++) {
        unsigned type = hd_table_type(table, i);
        if (type == HD_TYPE_FREE)
            continue;
        if (!gc->types[type])
            return "gc: a live entry has a known type";
        if (gc->types[type]->inner != hd_table_bit(table->inner, i))
            return "gc: the inner bit says what the type says";
        uint8_t state = table->state[i];
        if (gc->phase == HD_PHASE_IDLE && (hd_table_bit(table->mark, i) || hd_table_bit(table->done, i)))
            return "gc: between collections nothing is marked";
        if (state & HD_STATE_CANDIDATE)
            return "gc: no candidates between collections";
        if (state & HD_STATE_TRACKED)
            tracked[state & HD_STATE_GENERATION]++;
        if (state & HD_STATE_DYING)
            dying++;
        else if (hd_table_count(table, i) == 0)
            return "gc: an object with no count is dying";
    }
    if (dying != gc->dead_count)
        return "gc: the dying are in the queue of the dead";
    return check_young(gc, tracked);
}

static const char *count_word(const struct hd_gc *gc, uint32_t *counts, hd_value value)
{
    if (!hd_value_is_ref(value))
        return NULL;
    uint32_t index = hd_value_index(value);
    if (index >= gc->table->length || hd_table_type(gc->table, index) == HD_TYPE_FREE)
        return "gc: a reference refers to a living object";
    if (hd_value_is_leaf_ref(value) == hd_table_bit(gc->table->inner, index))
        return "gc: a reference's leaf bit says what its object is";
    counts[index]++;
    return NULL;
}

struct root_count {
    const struct hd_gc *gc;
    uint32_t *counts;
    const char *broken;
};

static void count_root(struct hd_root_visitor *visitor, hd_value value)
{
    struct root_count *state = visitor->context;
    const char *broken = count_word(state->gc, state->counts, value);
    if (broken)
        state->broken = broken;
}

/* R2, and that no reference dangles. */
static const char *check_counts(const struct hd_gc *gc, uint32_t *counts)
{
    const struct hd_table *table = gc->table;
    memset(counts, 0, table->length * sizeof *counts);
    for (uint32_t i = 1; i < table->length; i++) {
        if (!hd_table_bit(table->inner, i))
            continue;
        struct hd_refs refs;
        hd_gc_refs(gc, i, &refs);
        for (unsigned s = 0; s < refs.span_count; s++) {
            for (size_t w = 0; w < refs.spans[s].count; w++) {
                const char *broken = count_word(gc, counts, refs.spans[s].words[w]);
                if (broken)
                    return broken;
            }
        }
        if (refs.hidden)
            counts[refs.hidden]++;
    }
    struct root_count state = {gc, counts, NULL};
    struct hd_root_visitor visitor = {count_root, &state};
    for (struct hd_root_source *source = gc->roots; source; source = source->next) {
        size_t from = 0;
        do {
            from = source->scan(source, &visitor, from, 1024);
        } while (from);
    }
    if (state.broken)
        return state.broken;
    if (gc->clear_cursor.index)
        counts[gc->clear_cursor.index]++;
    for (uint32_t i = 1; i < table->length; i++) {
        uint32_t count = hd_table_count(table, i);
        if (hd_table_type(table, i) != HD_TYPE_FREE && count != HD_COUNT_SATURATED && count != counts[i])
            return "gc: R2, a count is the number of references";
    }
    return NULL;
}

const char *hd_gc_check(const struct hd_gc *gc, uint32_t *scratch)
{
    const char *broken = check_dead(gc);
    if (!broken)
        broken = check_entries(gc);
    if (!broken && scratch)
        broken = check_counts(gc, scratch);
    return broken;
}
