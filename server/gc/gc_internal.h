/* What the collector's own files share. */
#ifndef HEAPD_GC_GC_INTERNAL_H
#define HEAPD_GC_GC_INTERNAL_H

#include "gc/gc.h"

/*
 * Writes the list's tracked, living members of that generation to `out` (which
 * may be the list itself), each once, and marks them as candidates.
 */
uint32_t hd_gc_young_gather(struct hd_gc *gc, const struct hd_young_list *list, unsigned generation, uint32_t *out);
/* Makes room for one more in a list of the young. HD_ENOMEM; HD_ELIMIT: there are HD_YOUNG_MAX. */
int hd_gc_young_reserve(struct hd_gc *gc, unsigned generation) HD_MUST_USE;

/* Gives up an object's references from the cursor on, about `units` of them; returns how many. */
uint64_t hd_gc_give_up(struct hd_gc *gc, struct hd_gc_cursor *cursor, uint64_t units);
/*
 * Has all been taken apart that was dead when this was first asked? Those that die meanwhile come after them. True ends
 * the waiting.
 */
bool hd_gc_dead_are_gone(struct hd_gc *gc);
bool hd_gc_cursor_at_end(const struct hd_gc *gc, const struct hd_gc_cursor *cursor);

/* Tells those who wait for the end of an object that it comes. */
static inline void hd_gc_tell_gone(struct hd_gc *gc, uint32_t index)
{
    if (__builtin_expect(gc->table->state[index] & HD_STATE_WEAK, 0))
        gc->gone(gc, index);
}

/* It was found unreachable and stays. While a full collection clears, it is seen to once. */
static inline void hd_gc_save(struct hd_gc *gc, uint32_t index)
{
    if (gc->phase == HD_PHASE_CLEAR && !gc->dry_run)
        hd_table_bit_set(gc->table->mark, index);
    if (gc->save)
        gc->save(gc, index);
}

/* Makes a tracked young object one of the old. */
static inline void hd_gc_make_old(struct hd_gc *gc, uint32_t index)
{
    uint8_t *state = &gc->table->state[index];
    gc->tracked_count[*state & HD_STATE_GENERATION]--;
    gc->tracked_count[2]++;
    gc->long_lived_pending++;
    *state = (uint8_t)((*state & ~HD_STATE_GENERATION) | 2);
}

/* It is no longer one of the living, as far as the generations go. */
static inline void hd_gc_untrack(struct hd_gc *gc, uint32_t index)
{
    uint8_t *state = &gc->table->state[index];
    if (!(*state & HD_STATE_TRACKED))
        return;
    gc->tracked_count[*state & HD_STATE_GENERATION]--;
    if (gc->counts[0] > 0)
        gc->counts[0]--;
    *state &= (uint8_t)~HD_STATE_TRACKED;
}

static inline void hd_gc_refs(const struct hd_gc *gc, uint32_t index, struct hd_refs *out)
{
    out->span_count = 0;
    out->hidden = 0;
    gc->types[hd_table_type(gc->table, index)]->traverse(gc, hd_table_payload(gc->table, index), out);
}

#endif
