/*
 * Compaction: rounds of emptying arenas.
 *
 * Nothing points to a payload but its table entry, so an object is moved by
 * copying it and writing one word; no reference has to be found. A pass along the
 * table meets every block, its own or one that its type knows of, and moves those
 * that lie in a chosen arena. Moving in table order also brings payloads into
 * that order, in which the collector reads them.
 */
#include "gc/gc.h"
#include "gc/gc_internal.h"

#define ARENAS_PER_STEP 64
#define ROUNDS_MAX 32
/* A round that gave back less than one part in so many is the last. */
#define GAIN_SHARE 100
#define PREFETCH_DISTANCE 16
/* Copying so many bytes counts as one unit. */
#define BYTES_PER_UNIT 64

static uint64_t mapped_bytes(const struct hd_gc *gc)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(gc->alloc, &stats);
    return stats.mapped_bytes;
}

static void begin_round(struct hd_gc *gc)
{
    struct hd_compaction *compaction = &gc->compaction;
    compaction->phase = HD_COMPACT_CHOOSE;
    compaction->mapped_bytes = mapped_bytes(gc);
    compaction->next = 1;
    compaction->failed = false;
    compaction->round_count++;
    hd_alloc_evacuate_begin(gc->alloc);
}

void hd_gc_compact_start(struct hd_gc *gc)
{
    if (gc->compaction.phase != HD_COMPACT_IDLE)
        return;
    gc->compaction.round_count = 0;
    begin_round(gc);
}

static void end_round(struct hd_gc *gc)
{
    struct hd_compaction *compaction = &gc->compaction;
    uint64_t before = compaction->mapped_bytes, after = mapped_bytes(gc);
    bool gained = after < before && before - after >= before / GAIN_SHARE;
    if (gained && !compaction->failed && compaction->round_count < ROUNDS_MAX) {
        begin_round(gc);
        return;
    }
    compaction->phase = HD_COMPACT_IDLE;
    compaction->compaction_count++;
}

static uint64_t move_payload(struct hd_gc *gc, uint32_t index)
{
    struct hd_compaction *compaction = &gc->compaction;
    void *payload = hd_table_payload(gc->table, index);
    if (hd_alloc_is_leaving(payload)) {
        void *moved = hd_alloc_move(gc->alloc, payload);
        if (!moved) {
            compaction->failed = true;
            return 1;
        }
        hd_table_set_payload(gc->table, index, moved);
        payload = moved;
        compaction->moved_count++;
        compaction->moved_bytes += hd_alloc_usable(moved);
    }
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, index)];
    if (ops->relocate && ops->relocate(gc, payload) != 0)
        compaction->failed = true;
    return 1;
}

static uint64_t move_step(struct hd_gc *gc, uint64_t units)
{
    struct hd_compaction *compaction = &gc->compaction;
    const struct hd_table *table = gc->table;
    uint64_t used = 0;
    while (used < units && compaction->next < table->length && !compaction->failed) {
        uint32_t index = compaction->next++;
        /* Four entries that stay count as one unit. */
        used += index % 4 == 0;
        if (index + PREFETCH_DISTANCE < table->length)
            hd_alloc_prefetch_leaving(hd_table_payload(table, index + PREFETCH_DISTANCE));
        if (hd_table_type(table, index) == HD_TYPE_FREE)
            continue;
        uint64_t bytes = compaction->moved_bytes;
        move_payload(gc, index);
        used += (compaction->moved_bytes - bytes + BYTES_PER_UNIT - 1) / BYTES_PER_UNIT;
    }
    if (compaction->next >= table->length || compaction->failed)
        compaction->phase = HD_COMPACT_END;
    return used + 1;
}

bool hd_gc_compact_step(struct hd_gc *gc, uint64_t units)
{
    struct hd_compaction *compaction = &gc->compaction;
    while (units && compaction->phase != HD_COMPACT_IDLE) {
        uint64_t used = ARENAS_PER_STEP * 16;
        if (compaction->phase == HD_COMPACT_CHOOSE) {
            if (!hd_alloc_evacuate_choose(gc->alloc, ARENAS_PER_STEP))
                compaction->phase = hd_alloc_evacuate_bytes(gc->alloc) ? HD_COMPACT_MOVE : HD_COMPACT_END;
        } else if (compaction->phase == HD_COMPACT_MOVE) {
            used = move_step(gc, units);
        } else if (!hd_alloc_evacuate_end(gc->alloc, ARENAS_PER_STEP)) {
            end_round(gc);
        }
        units -= used < units ? used : units;
    }
    return compaction->phase != HD_COMPACT_IDLE;
}
