/* Freezing: objects that are there for good need not be looked at again. */
#include "gc/gc.h"

#define FROZEN 3

/* Moves tracked objects between generations; returns false at the end of the table. */
static bool move_all(struct hd_gc *gc, uint32_t *next, uint64_t units, bool freeze)
{
    struct hd_table *table = gc->table;
    uint32_t index = *next ? *next : 1;
    for (; (index = hd_table_skip(table, index)) < table->length && units; index++, units--) {
        uint8_t *state = &table->state[index];
        unsigned generation = *state & HD_STATE_GENERATION;
        if (!(*state & HD_STATE_TRACKED) || freeze == (generation == FROZEN))
            continue;
        unsigned to = freeze ? FROZEN : HD_GENERATIONS - 1;
        gc->tracked_count[generation]--;
        gc->tracked_count[to]++;
        *state = (uint8_t)((unsigned)(*state & ~HD_STATE_GENERATION) | to);
    }
    *next = index;
    return index < table->length;
}

bool hd_gc_freeze_step(struct hd_gc *gc, uint32_t *next, uint64_t units)
{
    assert(gc->phase == HD_PHASE_IDLE);
    if (move_all(gc, next, units, true))
        return true;
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        gc->counts[i] = 0;
    gc->long_lived_pending = gc->long_lived_total = 0;
    return false;
}

bool hd_gc_unfreeze_step(struct hd_gc *gc, uint32_t *next, uint64_t units)
{
    assert(gc->phase == HD_PHASE_IDLE);
    return move_all(gc, next, units, false);
}
