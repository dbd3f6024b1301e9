/* Counting: objects are made, counted down and taken apart. */
#include "gc/gc.h"

#include <string.h>

#include "gc/gc_internal.h"
#include "gc/tags.h"

/* Words ahead at which the entries, and the payloads, of what is given up are asked for. */
#define PREFETCH_ENTRIES 32
#define PREFETCH_PAYLOADS 16
/* References that a large object gives up before what they brought to zero is freed, while it is in the cache. */
#define LARGE_PART 64

void hd_gc_init(struct hd_gc *gc, struct hd_table *table, struct hd_alloc *alloc, const struct hd_allocator *allocator)
{
    memset(gc, 0, sizeof *gc);
    gc->table = table;
    gc->alloc = alloc;
    gc->allocator = allocator;
    gc->enabled = true;
    gc->thresholds[0] = 700;
    gc->thresholds[1] = 10;
    gc->thresholds[2] = 10;
}

void hd_gc_fini(struct hd_gc *gc)
{
    if (!gc || !gc->allocator)
        return;
    for (unsigned i = 0; i < 2; i++)
        hd_allocator_free(gc->allocator, gc->young[i].indices, gc->young[i].capacity * sizeof(uint32_t));
    hd_tags_free(gc);
    memset(gc, 0, sizeof *gc);
}

void hd_gc_add_roots(struct hd_gc *gc, struct hd_root_source *source)
{
    /* In front, so that a scan under way does not meet it: what it will hold is marked or shaded anyway. */
    source->previous = NULL;
    source->next = gc->roots;
    if (gc->roots)
        gc->roots->previous = source;
    gc->roots = source;
}

void hd_gc_remove_roots(struct hd_gc *gc, struct hd_root_source *source)
{
    if (gc->root_next == source) {
        gc->root_next = source->next;
        gc->root_position = 0;
    }
    if (source->previous)
        source->previous->next = source->next;
    else
        gc->roots = source->next;
    if (source->next)
        source->next->previous = source->previous;
    source->next = source->previous = NULL;
}

/* Drops what has died, moved on or stands there twice. */
static void compact_young(struct hd_gc *gc, struct hd_young_list *list, unsigned generation)
{
    list->length = hd_gc_young_gather(gc, list, generation, list->indices);
    for (uint32_t i = 0; i < list->length; i++)
        gc->table->state[list->indices[i]] &= (uint8_t)~HD_STATE_CANDIDATE;
}

uint32_t hd_gc_young_gather(struct hd_gc *gc, const struct hd_young_list *list, unsigned generation, uint32_t *out)
{
    const uint8_t wanted = (uint8_t)(HD_STATE_TRACKED | generation);
    const uint8_t mask = HD_STATE_TRACKED | HD_STATE_GENERATION | HD_STATE_DYING | HD_STATE_CANDIDATE;
    uint8_t *state = gc->table->state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->length; i++) {
        uint32_t index = list->indices[i];
        if (i + PREFETCH_ENTRIES < list->length)
            __builtin_prefetch(&state[list->indices[i + PREFETCH_ENTRIES]], 1);
        if ((state[index] & mask) != wanted)
            continue;
        state[index] |= HD_STATE_CANDIDATE;
        out[kept++] = index;
    }
    return kept;
}

/* Room that a list must have before one more is added to it. */
static uint64_t young_needed(const struct hd_gc *gc, unsigned generation)
{
    /* The first list lends a collection its memory: every member of both, and a stack for as many. */
    if (generation == 0)
        return 2 * ((uint64_t)gc->young[0].length + gc->young[1].length + 1);
    return (uint64_t)gc->young[1].length + 1;
}

int hd_gc_young_reserve(struct hd_gc *gc, unsigned generation)
{
    struct hd_young_list *list = &gc->young[generation];
    if (young_needed(gc, generation) <= list->capacity && gc->young[0].length + gc->young[1].length < HD_YOUNG_MAX)
        return 0;
    /* Most of the young die young; only when half of the list lives does it need to grow. */
    compact_young(gc, list, generation);
    if (gc->young[0].length + gc->young[1].length >= HD_YOUNG_MAX)
        return HD_ELIMIT;
    if (young_needed(gc, generation) <= list->capacity / 2)
        return 0;
    uint64_t capacity = list->capacity ? (uint64_t)list->capacity * 2 : 1024;
    while (capacity < young_needed(gc, generation))
        capacity *= 2;
    uint32_t *indices = NULL;
    if (capacity <= UINT32_MAX)
        indices = hd_allocator_resize(gc->allocator, list->indices, list->capacity * sizeof(uint32_t),
                                      (size_t)capacity * sizeof(uint32_t));
    if (!indices)
        return young_needed(gc, generation) <= list->capacity ? 0 : HD_ENOMEM;
    list->indices = indices;
    list->capacity = (uint32_t)capacity;
    return 0;
}

/* A newborn is young; where there is no room for it among the young, it is old at once. */
static void track(struct hd_gc *gc, uint32_t index)
{
    gc->table->state[index] = HD_STATE_TRACKED;
    gc->tracked_count[0]++;
    gc->counts[0]++;
    if (gc->young_pause == 0 && hd_gc_young_reserve(gc, 0) == 0) {
        gc->young[0].indices[gc->young[0].length++] = index;
        return;
    }
    /* To look for room costs a pass over the young: not for each birth anew. */
    gc->young_pause = gc->young_pause ? gc->young_pause - 1 : HD_YOUNG_MAX / 4;
    hd_gc_make_old(gc, index);
}

int hd_gc_new(struct hd_gc *gc, unsigned type, size_t payload_bytes, hd_value *out)
{
    const struct hd_type_ops *ops = gc->types[type];
    void *payload = hd_alloc_get(gc->alloc, payload_bytes);
    if (!payload)
        return HD_ENOMEM;
    uint32_t index;
    int error = hd_table_add(gc->table, type, payload, ops->inner, &index);
    if (__builtin_expect(gc->tags != NULL, 0) && !error) {
        error = hd_tags_set(gc, index, gc->tags->current); /* 0, mostly */
        if (error)
            hd_table_remove(gc->table, index);
    }
    if (error) {
        hd_alloc_put(gc->alloc, payload);
        return error;
    }
    gc->created_count++;
    if (__builtin_expect(gc->observer != NULL, 0))
        gc->observer->born(gc->observer, index);
    if (ops->inner) {
        /* Fixed parts begin as nothing; what lies behind them is its type's to fill before it is counted in. */
        memset(payload, 0, payload_bytes < HD_PAYLOAD_ZEROED_BYTES ? payload_bytes : HD_PAYLOAD_ZEROED_BYTES);
        if (hd_gc_is_collecting(gc)) {
            hd_table_bit_set(gc->table->mark, index);
            hd_table_bit_set(gc->table->done, index);
        }
    }
    if (ops->tracked)
        track(gc, index);
    *out = hd_value_ref(index, !ops->inner);
    return 0;
}

int hd_gc_resize(struct hd_gc *gc, uint32_t index, size_t payload_bytes)
{
    void *payload = hd_alloc_resize(gc->alloc, hd_table_payload(gc->table, index), payload_bytes);
    if (!payload)
        return HD_ENOMEM;
    hd_table_set_payload(gc->table, index, payload);
    return 0;
}

/* Its references are others now. */
static void follow_again(struct hd_gc *gc, uint32_t index)
{
    if (!gc->marking)
        return;
    if (gc->mark_cursor.index == index)
        gc->mark_cursor.index = 0;
    hd_table_bit_clear(gc->table->done, index);
    if (hd_table_bit(gc->table->mark, index) && index >> 6 <= gc->mark_word)
        gc->pass_again = true;
}

void hd_gc_exchange(struct hd_gc *gc, uint32_t left, uint32_t right)
{
    void *payload = hd_table_payload(gc->table, left);
    hd_gc_touch(gc, left);
    hd_gc_touch(gc, right);
    hd_table_set_payload(gc->table, left, hd_table_payload(gc->table, right));
    hd_table_set_payload(gc->table, right, payload);
    follow_again(gc, left);
    follow_again(gc, right);
}

/* The object's last step: all references are given up. */
static void dispose(struct hd_gc *gc, uint32_t index)
{
    void *payload = hd_table_payload(gc->table, index);
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, index)];
    if (gc->mark_cursor.index == index)
        gc->mark_cursor.index = 0;
    if (ops->dispose)
        ops->dispose(gc, index, payload);
    if (__builtin_expect(gc->tags != NULL, 0))
        hd_tags_clear(gc, index);
    hd_table_remove(gc->table, index);
    hd_alloc_put(gc->alloc, payload);
    gc->freed_count++;
}

static uint32_t *dead_link(const struct hd_gc *gc, uint32_t index)
{
    return (uint32_t *)hd_table_payload(gc->table, index) + 1;
}

void hd_gc_zero(struct hd_gc *gc, uint32_t index)
{
    struct hd_table *table = gc->table;
    const struct hd_type_ops *ops = gc->types[hd_table_type(table, index)];
    hd_gc_tell_gone(gc, index);
    if (__builtin_expect(gc->observer != NULL, 0))
        gc->observer->changes(gc->observer, index);
    if (!ops->inner) {
        dispose(gc, index);
        return;
    }
    uint8_t state = table->state[index];
    if (state & HD_STATE_WATCHED)
        hd_gc_watch_hit(gc, index);
    /* Part of what the full collection found, although the count told of it first. */
    if (gc->phase == HD_PHASE_CLEAR && !(state & HD_STATE_CONDEMNED) && !hd_table_bit(table->mark, index) &&
        !(gc->dry_run && index < gc->clear_next)) /* a dry run has counted it then */
        gc->current.unreachable_count[state & HD_STATE_TRACKED ? state & HD_STATE_GENERATION : 0]++;
    hd_gc_untrack(gc, index);
    table->state[index] |= HD_STATE_DYING;
    /* A marker follows it as any other: what it has given up until then was shaded. */
    *dead_link(gc, index) = gc->dead_head;
    gc->dead_head = index;
    gc->dead_count++;
}

/*
 * What a large object refers to lies anywhere. Its table entry is asked for first,
 * and its payload, where the link of the dead will stand, when the entry is there.
 */
static inline void prefetch_ahead(const struct hd_gc *gc, const struct hd_span *span, size_t offset)
{
    if (offset + PREFETCH_ENTRIES >= span->count)
        return;
    const struct hd_table *table = gc->table;
    hd_value far = span->words[offset + PREFETCH_ENTRIES], near = span->words[offset + PREFETCH_PAYLOADS];
    if (hd_value_is_ref(far)) {
        uint32_t index = hd_value_index(far);
        __builtin_prefetch(&table->meta[index], 1);
        __builtin_prefetch(&table->location[index], 1);
        __builtin_prefetch(&table->state[index], 1);
        /* The bitmaps, which are written when it is freed. */
        __builtin_prefetch(&table->inner[index >> 6], 1);
        __builtin_prefetch(&table->mark[index >> 6], 1);
        __builtin_prefetch(&table->done[index >> 6], 1);
        __builtin_prefetch(&table->holes[index >> 6], 1);
    }
    if (hd_value_is_ref(near))
        __builtin_prefetch(hd_table_payload(table, hd_value_index(near)), 1);
}

uint64_t hd_gc_give_up(struct hd_gc *gc, struct hd_gc_cursor *cursor, uint64_t units)
{
    uint32_t index = cursor->index;
    /* What a collection clears did not fall to zero first, and may be half cleared when somebody begins to observe. */
    if (__builtin_expect(gc->observer != NULL, 0))
        gc->observer->changes(gc->observer, index);
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, index)];
    struct hd_refs refs = {0};
    ops->traverse(gc, hd_table_payload(gc->table, index), &refs);
    uint64_t used = 0;
    for (; cursor->span < refs.span_count; cursor->span++, cursor->offset = 0) {
        struct hd_span span = refs.spans[cursor->span];
        while (cursor->offset < span.count) {
            if (used >= units)
                return used + 1;
            prefetch_ahead(gc, &span, cursor->offset);
            /* Releasing moves no block, so the span stays where it is. */
            hd_value *word = &span.words[cursor->offset++];
            hd_value value = *word;
            *word = HD_ABSENT;
            hd_gc_release(gc, value);
            used++;
        }
    }
    return used + 1;
}

bool hd_gc_cursor_at_end(const struct hd_gc *gc, const struct hd_gc_cursor *cursor)
{
    const struct hd_type_ops *ops = gc->types[hd_table_type(gc->table, cursor->index)];
    struct hd_refs refs = {0};
    ops->traverse(gc, hd_table_payload(gc->table, cursor->index), &refs);
    return cursor->span >= refs.span_count;
}

static uint32_t hidden_of(const struct hd_gc *gc, uint32_t index)
{
    struct hd_refs refs = {0};
    gc->types[hd_table_type(gc->table, index)]->traverse(gc, hd_table_payload(gc->table, index), &refs);
    return refs.hidden;
}

/* Goes on with the one at the cursor, and frees it when it is done. */
static uint64_t reap_one(struct hd_gc *gc, struct hd_gc_cursor *cursor, uint64_t units)
{
    uint64_t used = hd_gc_give_up(gc, cursor, units);
    if (!hd_gc_cursor_at_end(gc, cursor))
        return used;
    uint32_t index = cursor->index;
    cursor->index = 0;
    gc->dead_count--;
    uint32_t hidden = hidden_of(gc, index);
    dispose(gc, index);
    if (hidden)
        hd_gc_release(gc, hd_value_ref(hidden, false));
    return used;
}

/* The one to go on with: what died last, while it is in the cache; a large one in parts in between. NULL: none. */
static struct hd_gc_cursor *next_dead(struct hd_gc *gc)
{
    struct hd_gc_cursor *cursor = &gc->dead_cursor;
    if (cursor->index)
        return cursor;
    uint32_t *head = gc->dead_before ? &gc->dead_before : &gc->dead_head;
    bool large_first = gc->dead_wait && !gc->dead_before && gc->dead_large.index;
    if (*head && !large_first) {
        *cursor = (struct hd_gc_cursor){.index = *head};
        *head = *dead_link(gc, *head);
        if (*head)
            __builtin_prefetch(dead_link(gc, *head), 1);
        return cursor;
    }
    return gc->dead_large.index ? &gc->dead_large : NULL;
}

bool hd_gc_dead_are_gone(struct hd_gc *gc)
{
    if (!gc->dead_wait) {
        assert(gc->dead_before == 0);
        gc->dead_before = gc->dead_head;
        gc->dead_head = 0;
        gc->dead_wait = true;
    }
    gc->dead_wait = gc->dead_before || gc->dead_cursor.index || gc->dead_large.index;
    return !gc->dead_wait;
}

bool hd_gc_reap(struct hd_gc *gc, uint64_t units)
{
    while (units) {
        struct hd_gc_cursor *cursor = next_dead(gc);
        if (!cursor)
            return false;
        /*
         * What dies while marking is marked first. So an unmarked one was unreachable
         * when the collection began, and the references it gives up need no shading:
         * what only it led to is not to be kept.
         */
        bool marking = gc->marking;
        gc->marking = marking && hd_table_bit(gc->table->mark, cursor->index);
        uint64_t used = reap_one(gc, cursor, units < LARGE_PART ? units : LARGE_PART);
        gc->marking = marking;
        units -= used < units ? used : units;
        if (gc->dead_cursor.index && !gc->dead_large.index) {
            gc->dead_large = gc->dead_cursor;
            gc->dead_cursor.index = 0;
        }
    }
    return gc->dead_count != 0;
}

void hd_gc_watch_hit(struct hd_gc *gc, uint32_t index)
{
    for (struct hd_watcher *watcher = gc->watchers; watcher; watcher = watcher->next)
        if (watcher->hit)
            watcher->hit(watcher, index);
        else
            watcher->changed |= watcher->covers(watcher, index);
    /* One change is told once. Marks that an ended watcher left behind go away here. */
    gc->table->state[index] &= (uint8_t)~HD_STATE_WATCHED;
}

void hd_gc_watch_begin(struct hd_gc *gc, struct hd_watcher *watcher)
{
    watcher->changed = false;
    watcher->previous = NULL;
    watcher->next = gc->watchers;
    if (gc->watchers)
        gc->watchers->previous = watcher;
    gc->watchers = watcher;
}

void hd_gc_watch(struct hd_gc *gc, uint32_t index)
{
    gc->table->state[index] |= HD_STATE_WATCHED;
}

void hd_gc_watch_end(struct hd_gc *gc, struct hd_watcher *watcher)
{
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        gc->watchers = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
}
