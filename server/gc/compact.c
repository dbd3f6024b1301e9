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

#define ARENAS_PER_STEP 4
/* Choosing an arena, or giving up on it, is a look at each of its pools and some of their neighbours. */
#define UNITS_PER_ARENA (HD_ARENA_BYTES / 1024)
#define ROUNDS_MAX 32
/* A round that gave back less than one part in so many is the last. */
#define GAIN_SHARE 100
/* A round ends when so many blocks on end found no memory. One class may have none while others do. */
#define FAILURES_MAX 64
#define UNITS_PER_FAILURE 256
#define CAUTION_MAX 3
/* Words of the table that count as a unit, if nothing in them lives; and entries that live and stay where they are. */
#define WORDS_PER_UNIT 16
#define ENTRIES_PER_UNIT 2
/* The blocks of a container beside its own are elsewhere: asking whether they leave waits for memory. */
#define UNITS_PER_RELOCATE 24
#define UNITS_PER_BLOCK 24
/* Copying so many bytes counts as one unit. */
#define COPIED_BYTES_PER_UNIT 32

/* Those that are empty are as good as gone. */
static uint64_t arena_count(const struct hd_gc *gc)
{
    struct hd_alloc_stats stats;
    hd_alloc_stats(gc->alloc, &stats);
    return stats.arena_count - stats.arena_free_count;
}

static void begin_round(struct hd_gc *gc)
{
    struct hd_compaction *compaction = &gc->compaction;
    compaction->phase = HD_COMPACT_CHOOSE;
    hd_alloc_evacuate_begin(gc->alloc, compaction->caution);
    compaction->arena_count = arena_count(gc);
    compaction->next = 1;
    compaction->failed_count = 0;
    compaction->failed = false;
    compaction->round_count++;
}

void hd_gc_compact_start(struct hd_gc *gc)
{
    if (gc->compaction.phase != HD_COMPACT_IDLE)
        return;
    gc->compaction.round_count = 0;
    gc->compaction.caution = 0;
    begin_round(gc);
}

static void end_round(struct hd_gc *gc)
{
    struct hd_compaction *compaction = &gc->compaction;
    uint64_t before = compaction->arena_count, after = arena_count(gc);
    bool gained = after < before && before - after >= before / GAIN_SHARE;
    bool again = gained;
    if (!gained && compaction->failed && compaction->caution < CAUTION_MAX) {
        compaction->caution++;
        again = true;
    }
    if (again && compaction->round_count < ROUNDS_MAX) {
        begin_round(gc);
        return;
    }
    compaction->phase = HD_COMPACT_IDLE;
    compaction->compaction_count++;
}

/* Moves those of an object's blocks that are leaving; false when there is no memory for one of them. */
static bool move_object(struct hd_gc *gc, uint32_t index)
{
    void *payload = hd_table_payload(gc->table, index);
    if (hd_alloc_is_leaving(payload)) {
        void *moved = hd_alloc_move(gc->alloc, payload);
        if (!moved)
            return false;
        hd_table_set_payload(gc->table, index, moved);
        payload = moved;
    }
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, index)];
    return !ops->relocate || ops->relocate(gc, payload) == 0;
}

/* Moves an object, and returns the work that it was. */
static uint64_t move_and_count(struct hd_gc *gc, uint32_t index)
{
    struct hd_compaction *compaction = &gc->compaction;
    struct hd_alloc_moved before, now;
    hd_alloc_moved(gc->alloc, &before);
    bool moved = move_object(gc, index);
    hd_alloc_moved(gc->alloc, &now);
    uint64_t bytes = now.bytes - before.bytes, blocks = now.block_count - before.block_count;
    compaction->moved_count += blocks;
    compaction->moved_bytes += bytes;
    if (moved && blocks)
        compaction->failed_count = 0;
    compaction->failed_count += !moved;
    compaction->failed |= !moved;
    return blocks * UNITS_PER_BLOCK + bytes / COPIED_BYTES_PER_UNIT + (moved ? 0 : UNITS_PER_FAILURE);
}

/* What is asked of the entries in a word lies anywhere: whether their blocks are leaving, and the blocks themselves. */
static void prefetch_word(const struct hd_table *table, uint32_t first)
{
    if (first >= table->length || hd_table_skip(table, first) != first)
        return;
    for (uint64_t used = ~table->holes[first / 64]; used; used &= used - 1) {
        const void *payload = hd_table_payload(table, first + (uint32_t)__builtin_ctzll(used));
        hd_alloc_prefetch_leaving(payload);
        __builtin_prefetch(payload);
    }
}

/* Moves what lies in leaving arenas of those in `used` (bits) of the word that begins at `first`. Returns the work. */
static uint64_t move_word(struct hd_gc *gc, uint32_t first, uint64_t used, uint64_t units)
{
    struct hd_compaction *compaction = &gc->compaction;
    const struct hd_table *table = gc->table;
    uint64_t done = 0, seen = 0;
    for (; used && done < units && compaction->failed_count < FAILURES_MAX; used &= used - 1) {
        uint32_t index = first + (uint32_t)__builtin_ctzll(used);
        compaction->next = index + 1;
        unsigned type = hd_table_type(table, index);
        if (type == HD_TYPE_FREE) /* never used yet */
            continue;
        done += seen++ % ENTRIES_PER_UNIT == 0;
        bool relocates = gc->types[type]->relocate != NULL;
        if (relocates || hd_alloc_is_leaving(hd_table_payload(table, index)))
            done += move_and_count(gc, index) + (relocates ? UNITS_PER_RELOCATE : 0);
    }
    if (!used)
        compaction->next = first + 64;
    return done;
}

static uint64_t move_step(struct hd_gc *gc, uint64_t units)
{
    struct hd_compaction *compaction = &gc->compaction;
    const struct hd_table *table = gc->table;
    uint64_t used = 0;
    while (used < units && compaction->next < table->length && compaction->failed_count < FAILURES_MAX) {
        compaction->next = hd_table_skip(table, compaction->next);
        uint32_t first = compaction->next & ~63u;
        if (compaction->next == first)
            prefetch_word(table, first + 64);
        /* Of a heap that shrank most words are nothing but holes. */
        used += first / 64 % WORDS_PER_UNIT == 0;
        uint64_t there = ~table->holes[first / 64] & ~UINT64_C(0) << (compaction->next & 63);
        if (first == 0)
            there &= ~UINT64_C(1); /* entry 0 means no object */
        used += move_word(gc, first, there, units > used ? units - used : 1);
    }
    if (compaction->next >= table->length || compaction->failed_count >= FAILURES_MAX)
        compaction->phase = HD_COMPACT_END;
    return used + 1;
}

bool hd_gc_compact_step(struct hd_gc *gc, uint64_t units)
{
    struct hd_compaction *compaction = &gc->compaction;
    while (units && compaction->phase != HD_COMPACT_IDLE) {
        uint64_t used = ARENAS_PER_STEP * UNITS_PER_ARENA;
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
