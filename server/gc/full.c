/*
 * Full collections: incremental tracing from the roots.
 *
 * Two bitmaps hold the state: mark (reached) and done (its references followed).
 * What is marked and not done is the frontier. Marking goes over the frontier in
 * one of two ways:
 *
 *   breadth   sweep the bitmaps in order, and follow each object of the frontier
 *             by setting its referents' mark bits without looking at them. The
 *             table is read in order, payloads are prefetched, and an object
 *             that is reached many times is met once. Seven sweeps or so do a
 *             random graph of millions.
 *   depth     a bounded stack, for what is left when a sweep finds little: long
 *             chains, where each sweep would advance by one. What does not fit
 *             on the stack stays in the bitmaps and is found by the next sweep.
 *
 * Both can stop after any object; nothing but the bitmaps has to survive.
 */
#include "gc/gc.h"

#include <string.h>

#include "gc/gc_internal.h"

/* Objects whose payloads are asked for together. */
#define BATCH_COUNT 64
#define ROOTS_PER_STEP 1024
/* References of one object that are followed in one go. */
#define SPAN_CHUNK 1024
/* Words of the bitmaps without work that count as a unit: towards the end most of a sweep is these. */
#define WORDS_PER_UNIT 16
/* An object that is followed, besides its references: its parts lie anywhere, and where few are left nothing is near. */
#define UNITS_PER_OBJECT 4
/* Two bits of each: a unit is 256 bytes that are written, perhaps for the first time since they were mapped. */
#define ENTRIES_WIPED_PER_UNIT 1024

static uint32_t bitmap_words(const struct hd_gc *gc)
{
    return (gc->table->length + 63) / 64;
}

void hd_gc_full_start(struct hd_gc *gc, bool dry_run)
{
    if (gc->phase != HD_PHASE_IDLE)
        return;
    gc->phase = HD_PHASE_ROOTS;
    gc->marking = true;
    gc->dry_run = dry_run;
    gc->frozen_next = 1;
    gc->root_next = gc->roots;
    gc->root_position = 0;
    gc->mark_word = 0;
    gc->pass_found = gc->pass_found_before = 0;
    gc->pass_again = false;
    gc->depth_first = false;
    gc->mark_cursor.index = 0;
    gc->stack_length = 0;
    gc->clear_next = 0;
    gc->clear_pass = 0;
    gc->saw_saturated = false;
    gc->clear_cursor.index = 0;
    memset(&gc->current, 0, sizeof gc->current);
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        gc->current.examined_count[i] = gc->tracked_count[i];
        if (!dry_run)
            gc->counts[i] = 0;
    }
    /* Objects that wait to be taken apart need no care: nothing refers to them, so nothing will mark them. */
}

static void visit_root(struct hd_root_visitor *visitor, hd_value value)
{
    hd_gc_mark(visitor->context, value);
}

/* Frozen objects are kept whether anything refers to them or not. */
static uint64_t scan_frozen(struct hd_gc *gc)
{
    const uint8_t frozen = HD_STATE_TRACKED | HD_STATE_GENERATION;
    gc->frozen_next = hd_table_skip(gc->table, gc->frozen_next);
    uint32_t end = gc->table->length;
    if (gc->tracked_count[HD_GENERATIONS] == 0 || gc->frozen_next >= end) {
        gc->phase = HD_PHASE_MARK;
        return 1;
    }
    if (end - gc->frozen_next > 4 * ROOTS_PER_STEP)
        end = gc->frozen_next + 4 * ROOTS_PER_STEP;
    for (; gc->frozen_next < end; gc->frozen_next++)
        if ((gc->table->state[gc->frozen_next] & frozen) == frozen)
            hd_gc_mark(gc, hd_value_ref(gc->frozen_next, false));
    return ROOTS_PER_STEP / 4;
}

static uint64_t scan_roots(struct hd_gc *gc)
{
    if (!gc->root_next)
        return scan_frozen(gc);
    struct hd_root_source *source = gc->root_next;
    struct hd_root_visitor visitor = {visit_root, gc};
    gc->root_position = source->scan(source, &visitor, gc->root_position, ROOTS_PER_STEP);
    if (gc->root_position == 0)
        gc->root_next = source->next;
    return ROOTS_PER_STEP / 4;
}

/* Sets the mark bits of everything in `words`. Whether they were set before is not asked: that would be a branch. */
static inline void mark_words(struct hd_gc *gc, const hd_value *words, size_t count)
{
    uint64_t *mark = gc->table->mark;
    bool behind = false;
    for (size_t i = 0; i < count; i++) {
        hd_value value = words[i];
        if (!hd_value_is_inner_ref(value))
            continue;
        uint32_t index = hd_value_index(value);
        behind |= index >> 6 <= gc->mark_word;
        mark[index >> 6] |= UINT64_C(1) << (index & 63);
    }
    gc->pass_again |= behind;
}

/* As above, but newly marked objects go to the stack while there is room. */
static inline void push_words(struct hd_gc *gc, const hd_value *words, size_t count)
{
    uint64_t *mark = gc->table->mark;
    for (size_t i = 0; i < count; i++) {
        hd_value value = words[i];
        if (!hd_value_is_inner_ref(value))
            continue;
        uint32_t index = hd_value_index(value);
        uint64_t bit = UINT64_C(1) << (index & 63);
        if (mark[index >> 6] & bit)
            continue;
        mark[index >> 6] |= bit;
        if (gc->stack_length < HD_MARK_STACK) {
            __builtin_prefetch(&gc->table->location[index]);
            gc->stack[gc->stack_length++] = index;
        } else {
            /* Not narrow any more: breadth does better, from here on. */
            gc->pass_again = true;
            gc->depth_first = false;
        }
    }
}

static void follow_words(struct hd_gc *gc, const hd_value *words, size_t count)
{
    if (gc->depth_first)
        push_words(gc, words, count);
    else
        mark_words(gc, words, count);
}

/* Goes on with the large object at mark_cursor; returns the references followed. */
static uint64_t follow_cursor(struct hd_gc *gc)
{
    struct hd_gc_cursor *cursor = &gc->mark_cursor;
    struct hd_refs refs;
    hd_gc_refs(gc, cursor->index, &refs);
    while (cursor->span < refs.span_count) {
        const struct hd_span *span = &refs.spans[cursor->span];
        if (cursor->offset >= span->count) {
            cursor->span++;
            cursor->offset = 0;
            continue;
        }
        size_t count = span->count - cursor->offset;
        if (count > SPAN_CHUNK)
            count = SPAN_CHUNK;
        follow_words(gc, span->words + cursor->offset, count);
        cursor->offset += count;
        return count;
    }
    cursor->index = 0;
    return 1;
}

/*
 * Follows an object's references; its done bit is set. A large one is left to
 * mark_cursor (the caller checks it). Returns the work done.
 *
 * A large object whose elements move while it is followed is the business of
 * whoever moves them: R4.
 */
static inline uint64_t follow(struct hd_gc *gc, uint32_t index)
{
    struct hd_refs refs;
    hd_gc_refs(gc, index, &refs);
    uint64_t used = UNITS_PER_OBJECT;
    if (refs.hidden) {
        hd_value class_value = hd_value_ref(refs.hidden, false);
        follow_words(gc, &class_value, 1);
    }
    for (unsigned i = 0; i < refs.span_count; i++) {
        if (refs.spans[i].count > SPAN_CHUNK) {
            gc->mark_cursor = (struct hd_gc_cursor){.index = index};
            return used;
        }
    }
    for (unsigned i = 0; i < refs.span_count; i++) {
        follow_words(gc, refs.spans[i].words, refs.spans[i].count);
        used += refs.spans[i].count;
    }
    return used;
}

static uint64_t drain_stack(struct hd_gc *gc, uint64_t units)
{
    uint64_t used = 0;
    while (used < units && gc->stack_length && !gc->mark_cursor.index) {
        uint32_t index = gc->stack[--gc->stack_length];
        /* Since it was pushed it may have gone (neither), or its index been born again (both or neither). */
        if (!hd_table_bit(gc->table->mark, index) || hd_table_bit(gc->table->done, index))
            continue;
        hd_table_bit_set(gc->table->done, index);
        used += follow(gc, index);
        if (gc->stack_length)
            __builtin_prefetch(hd_table_payload(gc->table, gc->stack[gc->stack_length - 1]));
    }
    return used + 1;
}

/*
 * Follows an object in breadth; returns the work done. As follow, with the references
 * asked for in the way that costs least.
 */
static inline uint64_t follow_breadth(struct hd_gc *gc, uint32_t index)
{
    const struct hd_table *table = gc->table;
    const struct hd_type_ops *ops = gc->types[hd_table_type(table, index)];
    if (!ops->span)
        return follow(gc, index);
    void *payload = hd_table_payload(table, index);
    struct hd_span span = ops->span(gc, payload);
    if (ops->hidden) {
        uint32_t hidden = ops->hidden(gc, payload);
        /* A class, and marked by the first of many. */
        if (hidden && !hd_table_bit(table->mark, hidden))
            hd_gc_mark(gc, hd_value_ref(hidden, false));
    }
    if (span.count > SPAN_CHUNK) {
        gc->mark_cursor = (struct hd_gc_cursor){.index = index};
        return 1;
    }
    mark_words(gc, span.words, span.count);
    return span.count + UNITS_PER_OBJECT;
}

/* Objects of the frontier, in the order of the table, whose payloads were asked for. Their done bits are set. */
struct batch {
    uint32_t index[BATCH_COUNT];
    unsigned count;
};

/* Takes them from the frontier, where the sweep stands. Returns the work done. */
static uint64_t gather(struct hd_gc *gc, struct batch *batch, uint64_t units)
{
    struct hd_table *table = gc->table;
    uint32_t words = bitmap_words(gc);
    uint32_t word = gc->mark_word;
    uint64_t used = 0;
    unsigned count = 0;
    while (word < words && used < units) {
        uint64_t pending = table->mark[word] & ~table->done[word];
        uint64_t taken = pending;
        for (; pending && count < BATCH_COUNT; pending &= pending - 1) {
            uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(pending);
            __builtin_prefetch(hd_table_payload(table, index));
            batch->index[count++] = index;
        }
        table->done[word] |= taken ^ pending;
        if (count == BATCH_COUNT)
            break;
        word++;
        used += word % WORDS_PER_UNIT == 0;
    }
    gc->mark_word = word;
    batch->count = count;
    gc->pass_found += count;
    return used;
}

/* What there was no time for goes back to the frontier, and so does the sweep. */
static void put_back(struct hd_gc *gc, const struct batch *batch, unsigned from)
{
    gc->mark_word = batch->index[from] >> 6;
    gc->pass_found -= batch->count - from;
    for (unsigned i = from; i < batch->count; i++)
        hd_table_bit_clear(gc->table->done, batch->index[i]);
}

static void end_pass(struct hd_gc *gc)
{
    uint64_t found = gc->pass_found, before = gc->pass_found_before;
    gc->mark_word = 0;
    if (!gc->pass_again) {
        gc->phase = HD_PHASE_CLEAR;
        gc->marking = false;
        gc->saves = gc->save != NULL;
        return;
    }
    /* Few objects, and not a wave that is growing: what is left is narrow. */
    gc->depth_first = found < bitmap_words(gc) / 4 && found < 2 * before;
    if (bitmap_words(gc) < 64)
        gc->depth_first = true;
    gc->pass_found_before = found;
    gc->pass_found = 0;
    gc->pass_again = false;
}

/* Goes on to the next word of the frontier, whose objects go to the stack, which is empty. Returns the work done. */
static uint64_t push_frontier(struct hd_gc *gc, uint64_t units)
{
    const struct hd_table *table = gc->table;
    uint64_t used = 0;
    for (uint32_t words = bitmap_words(gc); gc->mark_word < words && used < units; gc->mark_word++) {
        uint64_t pending = table->mark[gc->mark_word] & ~table->done[gc->mark_word];
        /* The sweep comes back here when the stack is drained. */
        for (; pending; pending &= pending - 1) {
            gc->stack[gc->stack_length++] = gc->mark_word * 64 + (uint32_t)__builtin_ctzll(pending);
            gc->pass_found++;
        }
        if (gc->stack_length)
            break;
        used += gc->mark_word % WORDS_PER_UNIT == WORDS_PER_UNIT - 1;
    }
    return used;
}

/* Goes on with the sweep for about `units`; returns the work done. */
static uint64_t sweep_frontier(struct hd_gc *gc, uint64_t units)
{
    uint64_t used = 0;
    uint32_t words = bitmap_words(gc);
    while (gc->mark_word < words && used < units && !gc->mark_cursor.index && !gc->stack_length) {
        if (gc->depth_first) {
            used += push_frontier(gc, units);
            continue;
        }
        struct batch batch;
        used += gather(gc, &batch, units - used);
        for (unsigned i = 0; i < batch.count; i++) {
            if (i && (used >= units || gc->mark_cursor.index)) { /* one at least, or nothing would ever move on */
                put_back(gc, &batch, i);
                break;
            }
            used += follow_breadth(gc, batch.index[i]);
        }
    }
    if (gc->mark_word >= words && !gc->mark_cursor.index && !gc->stack_length) {
        /*
         * What was moved into a newborn, which is not followed, is shaded when that is taken apart, if it died. So
         * those that are dead now come first. When that marked nothing, all is marked, whatever died meanwhile: it
         * could only be moved out of what had been followed.
         */
        if ((!gc->pass_again || gc->dead_wait) && !hd_gc_dead_are_gone(gc)) {
            hd_gc_reap(gc, units);
            return units;
        }
        end_pass(gc);
    }
    return used + 1;
}

static uint64_t mark_step(struct hd_gc *gc, uint64_t units)
{
    if (gc->mark_cursor.index)
        return follow_cursor(gc);
    if (gc->stack_length)
        return drain_stack(gc, units);
    return sweep_frontier(gc, units);
}

static void begin_wipe(struct hd_gc *gc)
{
    gc->phase = HD_PHASE_WIPE;
    gc->clear_next = 0;
}

static uint64_t wipe_step(struct hd_gc *gc, uint64_t units)
{
    uint64_t count = units < UINT32_MAX / ENTRIES_WIPED_PER_UNIT ? units * ENTRIES_WIPED_PER_UNIT : UINT32_MAX;
    gc->clear_next = hd_table_clear_marks(gc->table, gc->clear_next, (uint32_t)count);
    if (gc->clear_next >= gc->table->length)
        gc->phase = HD_PHASE_IDLE;
    return units;
}

static void end_dry_run(struct hd_gc *gc)
{
    begin_wipe(gc);
    gc->last_dry_run = gc->current;
    gc->dry_run_ended_count++;
}

static void end_clear_pass(struct hd_gc *gc)
{
    if (gc->dry_run) {
        end_dry_run(gc);
        return;
    }
    if (gc->saw_saturated && gc->clear_pass < 2) {
        gc->clear_pass++;
        gc->clear_next = 0;
        return;
    }
    gc->phase = HD_PHASE_AGE;
}

/* All that survived is old. */
static uint64_t age_step(struct hd_gc *gc, uint64_t units)
{
    uint64_t used = 0;
    for (unsigned generation = 0; generation < 2; generation++) {
        struct hd_young_list *list = &gc->young[generation];
        while (list->length) {
            if (used++ >= units)
                return used;
            uint32_t index = list->indices[--list->length];
            uint8_t state = gc->table->state[index];
            if ((state & (HD_STATE_TRACKED | HD_STATE_GENERATION)) == (HD_STATE_TRACKED | generation))
                hd_gc_make_old(gc, index);
        }
    }
    begin_wipe(gc);
    gc->stats[2].collection_count++;
    for (unsigned i = 0; i < HD_GENERATIONS; i++)
        gc->stats[2].collected_count += gc->current.unreachable_count[i];
    gc->last = gc->current;
    gc->full_ended_count++;
    gc->long_lived_total = gc->tracked_count[2];
    gc->long_lived_pending = 0;
    return used + 1;
}

/* An unmarked object: its references are given up, under a hold of our own so that it stays until that is done. */
static uint64_t clear_object(struct hd_gc *gc, uint32_t index)
{
    uint8_t *state = &gc->table->state[index];
    if (gc->dry_run) {
        gc->current.unreachable_count[*state & HD_STATE_TRACKED ? *state & HD_STATE_GENERATION : 0]++;
        gc->current.unreachable_bytes += hd_alloc_usable(hd_table_payload(gc->table, index));
        return 1;
    }
    if (gc->clear_pass) {
        /* What is not saturated goes by itself, with the last shell that hides a reference to it. */
        if (hd_table_count(gc->table, index) != HD_COUNT_SATURATED)
            return 1;
        struct hd_refs refs;
        hd_gc_refs(gc, index, &refs);
        if (gc->clear_pass == 1 && !refs.hidden)
            return 1;
        /* Everything that referred to it is gone; only the saturated count did not notice. */
        gc->table->meta[index] = hd_table_type(gc->table, index) | HD_META_ONE;
        hd_gc_release(gc, hd_value_ref(index, false));
        return 1;
    }
    if (__builtin_expect(gc->saves, 0)) {
        gc->current.unreachable_count[*state & HD_STATE_TRACKED ? *state & HD_STATE_GENERATION : 0]++;
        hd_gc_save(gc, index);
        return 1;
    }
    hd_gc_tell_gone(gc, index);
    gc->current.unreachable_count[*state & HD_STATE_TRACKED ? *state & HD_STATE_GENERATION : 0]++;
    /* It may have to wait until what refers to it was taken apart; the living are counted without it. */
    hd_gc_untrack(gc, index);
    if (hd_table_count(gc->table, index) == HD_COUNT_SATURATED)
        gc->saw_saturated = true;
    *state |= HD_STATE_CONDEMNED;
    hd_gc_retain(gc, hd_value_ref(index, false));
    gc->clear_cursor = (struct hd_gc_cursor){.index = index};
    return 1;
}

static uint64_t clear_step(struct hd_gc *gc, uint64_t units)
{
    struct hd_table *table = gc->table;
    struct hd_gc_cursor *cursor = &gc->clear_cursor;
    if (cursor->index) {
        uint64_t used = hd_gc_give_up(gc, cursor, units);
        if (hd_gc_cursor_at_end(gc, cursor)) {
            uint32_t index = cursor->index;
            cursor->index = 0;
            hd_gc_release(gc, hd_value_ref(index, false));
        }
        return used;
    }
    /* Shells are freed when nothing that waits to be taken apart can refer to them. */
    if (gc->clear_pass && gc->clear_next == 0 && hd_gc_reap(gc, units))
        return units;
    uint64_t used = 0;
    while (used < units && !cursor->index) {
        uint32_t word = gc->clear_next / 64;
        if (word >= bitmap_words(gc)) {
            end_clear_pass(gc);
            break;
        }
        uint64_t garbage = table->inner[word] & ~table->mark[word] & ~UINT64_C(0) << (gc->clear_next & 63);
        if (!garbage) {
            gc->clear_next = (word + 1) * 64;
            used += (word & 63) == 0;
            continue;
        }
        uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(garbage);
        gc->clear_next = index + 1;
        if (!(table->state[index] & HD_STATE_DYING))
            used += clear_object(gc, index);
    }
    return used + 1;
}

bool hd_gc_full_step(struct hd_gc *gc, uint64_t units)
{
    while (units && gc->phase != HD_PHASE_IDLE) {
        uint64_t used;
        if (gc->phase == HD_PHASE_ROOTS)
            used = scan_roots(gc);
        else if (gc->phase == HD_PHASE_MARK)
            used = mark_step(gc, units);
        else if (gc->phase == HD_PHASE_CLEAR)
            used = clear_step(gc, units);
        else if (gc->phase == HD_PHASE_AGE)
            used = age_step(gc, units);
        else
            used = wipe_step(gc, units);
        units -= used < units ? used : units;
    }
    return gc->phase != HD_PHASE_IDLE;
}

void hd_gc_poll(struct hd_gc *gc)
{
    if (!gc->enabled || gc->thresholds[0] == 0 || gc->counts[0] <= gc->thresholds[0])
        return;
    unsigned oldest = 0;
    for (unsigned i = 1; i < HD_GENERATIONS && gc->thresholds[i] && gc->counts[i] > gc->thresholds[i]; i++)
        oldest = i;
    /* With the next newborns these would be more than a pause should have. */
    if (oldest == 0 && gc->thresholds[1] && gc->young[1].length > HD_MIDDLE_MAX)
        oldest = 1;
    /* Old objects are many and mostly stay: look at them again when a quarter has been added. */
    if (oldest == 2 && (gc->phase != HD_PHASE_IDLE || gc->long_lived_pending < gc->long_lived_total / 4))
        oldest = 1;
    struct hd_collection ignored;
    hd_gc_collect_young(gc, oldest ? 1 : 0, &ignored);
    if (oldest == 2)
        hd_gc_full_start(gc, false);
}
