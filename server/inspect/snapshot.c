#include "inspect/snapshot.h"

#include <stddef.h>
#include <string.h>

#include "gc/tags.h"
#include "inspect/parts.h"

enum phase {
    PHASE_START = 0,
    PHASE_ESTIMATE, /* counts are added up */
    PHASE_ROOTS,    /* the roots that were not read in the beginning */
    PHASE_NODES,
    PHASE_DONE,
    PHASE_RETRY, /* there was too little room: memory goes back, and again */
};

/* References of one object that are looked at in one go; one with more is read in parts. */
#define LARGE_REFERENCES 4096
/* Entries of the estimate that make one unit: it reads one word of each. */
#define ESTIMATE_PER_UNIT 16
#define FIRST_SLACK 65536u
#define RETRIES_MAX 3u
/* An object's payload and its pool's header are cache misses. */
#define UNITS_PER_OBJECT 8
/* Objects ahead whose payloads are asked for. */
#define PREFETCH 16
#define RELEASE_BYTES ((uint64_t)256 << 10)

void hd_snapshot_fill(struct hd_snapshot *s, uint32_t index, uint32_t first, uint32_t count)
{
    const struct hd_table *table = &s->heap->table;
    uint8_t state = table->state[index];
    bool leaf = !hd_table_bit(table->inner, index);
    uint64_t bytes = hd_shallow_bytes(&s->heap->objects, hd_value_ref(index, leaf));
    uint64_t units = (bytes + HD_SNAPSHOT_UNIT_BYTES - 1) / HD_SNAPSHOT_UNIT_BYTES;
    bool frozen = (state & HD_STATE_TRACKED) && (state & HD_STATE_GENERATION) == HD_GENERATIONS;
    s->node[index] = (struct hd_snapshot_node){
        .first = first,
        .count = count,
        .units = units < UINT32_MAX ? (uint32_t)units : UINT32_MAX,
        .kind =
            hd_table_type(table, index) | hd_table_generation(table, index) << 6 | (frozen ? HD_SNAPSHOT_FROZEN : 0),
    };
    if (s->tags)
        s->tags[index] = (uint16_t)hd_tags_of(&s->heap->gc, index);
    s->live_count++;
    s->live_bytes += units * HD_SNAPSHOT_UNIT_BYTES;
    hd_table_bit_set(s->captured, index);
}

static bool has_room(struct hd_snapshot *s, uint64_t count)
{
    if (count <= s->edge_capacity - s->edge_count)
        return true;
    s->overflow = true;
    return false;
}

static uint32_t copy_words(struct hd_snapshot *s, const hd_value *words, size_t count, uint32_t at)
{
    uint32_t *edges = s->edges;
    for (size_t i = 0; i < count; i++)
        if (hd_snapshot_is_edge(s, words[i]))
            edges[at++] = hd_value_index(words[i]);
    return at;
}

static uint64_t count_words(const struct hd_snapshot *s, const hd_value *words, size_t count)
{
    uint64_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += hd_snapshot_is_edge(s, words[i]);
    return found;
}

/* Reads an object in one go. Returns the work done. */
static uint64_t capture(struct hd_snapshot *s, uint32_t index)
{
    if (!hd_table_bit(s->heap->table.inner, index)) {
        hd_snapshot_fill(s, index, s->edge_count, 0);
        return UNITS_PER_OBJECT;
    }
    struct hd_refs refs;
    uint64_t words = 0, count = 0;
    hd_snapshot_refs(s, index, &refs);
    for (unsigned i = 0; i < refs.span_count; i++)
        words += refs.spans[i].count;
    /* Mostly there is room whatever they are; only near the end they have to be counted first. */
    if (words + 1 > s->edge_capacity - s->edge_count) {
        for (unsigned i = 0; i < refs.span_count; i++)
            count += count_words(s, refs.spans[i].words, refs.spans[i].count);
        if (!has_room(s, count + (refs.hidden != 0))) {
            hd_table_bit_set(s->captured, index);
            return UNITS_PER_OBJECT;
        }
    }
    uint32_t at = s->edge_count;
    for (unsigned i = 0; i < refs.span_count; i++)
        at = copy_words(s, refs.spans[i].words, refs.spans[i].count, at);
    if (refs.hidden)
        s->edges[at++] = refs.hidden;
    hd_snapshot_fill(s, index, s->edge_count, at - s->edge_count);
    s->edge_count = at;
    return UNITS_PER_OBJECT + words;
}

static bool is_large(const struct hd_snapshot *s, uint32_t index)
{
    if (!hd_table_bit(s->heap->table.inner, index))
        return false;
    struct hd_refs refs;
    hd_snapshot_refs(s, index, &refs);
    for (unsigned i = 0; i < refs.span_count; i++)
        if (refs.spans[i].count > LARGE_REFERENCES)
            return true;
    return false;
}

/* ---- the observer --------------------------------------------------------- */

static void on_change(struct hd_gc_observer *observer, uint32_t index)
{
    struct hd_snapshot *s = (struct hd_snapshot *)((char *)observer - offsetof(struct hd_snapshot, observer));
    if (index >= s->length || hd_table_bit(s->captured, index))
        return;
    struct hd_snapshot_part *part = hd_parts_find(s, index);
    if (part) {
        (void)hd_parts_read(s, part, UINT64_MAX);
        return;
    }
    if (s->heap->table.state[index] & HD_STATE_DYING) {
        /* It is taken apart now; then, it waited for that already. */
        hd_table_bit_set(s->captured, index);
        return;
    }
    if (s->large.index == index) {
        /* What was read of it in parts is of no use any more: its edges are to lie side by side. */
        struct hd_refs refs;
        hd_snapshot_refs(s, index, &refs);
        if (s->large_counted)
            s->unused_count += s->large_count + (refs.hidden != 0);
        s->large.index = 0;
        s->large_counted = false;
    }
    (void)capture(s, index);
}

static void on_store(struct hd_gc_observer *observer, uint32_t index, const hd_value *word)
{
    struct hd_snapshot *s = (struct hd_snapshot *)((char *)observer - offsetof(struct hd_snapshot, observer));
    if (index >= s->length || hd_table_bit(s->captured, index))
        return;
    struct hd_snapshot_part *part = hd_parts_find(s, index);
    bool is_begun = part || s->large.index == index || (s->heap->table.state[index] & HD_STATE_DYING);
    if (!is_begun && is_large(s, index))
        part = hd_parts_begin(s, index);
    if (!part || !hd_parts_read_around(s, part, word))
        on_change(observer, index);
}

static void on_birth(struct hd_gc_observer *observer, uint32_t index)
{
    struct hd_snapshot *s = (struct hd_snapshot *)((char *)observer - offsetof(struct hd_snapshot, observer));
    if (index < s->length)
        hd_table_bit_set(s->captured, index);
}

/* ---- roots ---------------------------------------------------------------- */

struct visitor {
    struct hd_root_visitor base;
    struct hd_snapshot *snapshot;
    uint32_t source;
    size_t position;
    int error;
};

static int grow_roots(struct hd_snapshot *s)
{
    uint64_t capacity = (uint64_t)s->root_capacity * 2;
    if (capacity >= HD_SNAPSHOT_NODES_MAX)
        return HD_ELIMIT;
    int error = hd_area_grow(s->heap, &s->roots_area, capacity * sizeof *s->roots);
    if (error)
        return error;
    s->roots = s->roots_area.base;
    s->root_capacity = (uint32_t)capacity;
    return 0;
}

static void visit_root(struct hd_root_visitor *base, hd_value value)
{
    struct visitor *visitor = (struct visitor *)base;
    struct hd_snapshot *s = visitor->snapshot;
    uint32_t index = hd_value_index(value);
    if (!hd_value_is_ref(value) || index >= s->length || visitor->error)
        return;
    if (s->root_count == s->root_capacity)
        visitor->error = grow_roots(s);
    if (!visitor->error)
        s->roots[s->root_count++] = (struct hd_snapshot_root){index, visitor->source, visitor->position};
}

/* Goes on with the roots, for `max` positions. */
static int scan_roots(struct hd_snapshot *s, size_t max)
{
    struct visitor visitor = {.base = {.visit = visit_root}, .snapshot = s};
    for (size_t i = 0; s->late_source && i < max && !visitor.error; i++) {
        struct hd_root_source *source = s->late_source;
        visitor.source = s->late_number;
        visitor.position = s->late_position;
        s->late_position = source->scan(source, &visitor.base, s->late_position, 1);
        if (s->late_position == 0) {
            s->late_source = source->next;
            s->late_number++;
        }
        if (s->late_number >= s->source_count)
            s->late_source = NULL;
    }
    return visitor.error;
}

static int list_sources(struct hd_snapshot *s)
{
    uint32_t count = 0;
    for (struct hd_root_source *i = s->heap->gc.roots; i; i = i->next)
        count++;
    s->sources = hd_allocator_new(&s->heap->account.allocator, count * sizeof *s->sources);
    if (!s->sources)
        return HD_ENOMEM;
    s->source_count = 0;
    for (struct hd_root_source *i = s->heap->gc.roots; i; i = i->next)
        s->sources[s->source_count++] = (struct hd_snapshot_source){i->kind, i->id};
    s->late_source = s->heap->gc.roots;
    s->late_position = 0;
    s->late_number = 0;
    return 0;
}

/* ---- phases --------------------------------------------------------------- */

void hd_snapshot_init(struct hd_snapshot *s, struct hd_heap *heap, struct hd_snapshot_need need)
{
    memset(s, 0, sizeof *s);
    s->heap = heap;
    s->need = need;
    s->observer = (struct hd_gc_observer){on_change, on_store, on_birth};
}

static uint64_t step_estimate(struct hd_snapshot *s, uint64_t units)
{
    const struct hd_table *table = &s->heap->table;
    uint64_t end = s->next + units * ESTIMATE_PER_UNIT;
    if (end > table->length)
        end = table->length;
    uint64_t used = (end - s->next) / ESTIMATE_PER_UNIT + 1;
    uint64_t sum = 0;
    for (uint32_t i = s->next; i < end; i++)
        if (hd_table_type(table, i) != HD_TYPE_FREE)
            sum += hd_table_count(table, i);
    s->estimate += sum;
    s->next = (uint32_t)end;
    return used;
}

static int make_room(struct hd_snapshot *s)
{
    struct hd_heap *heap = s->heap;
    uint64_t slack = (uint64_t)FIRST_SLACK << 3 * s->retries;
    uint64_t edges = s->estimate + s->estimate / 8 + slack;
    /* A count that is saturated says less than the words that there can be at most. */
    struct hd_alloc_stats stats;
    hd_alloc_stats(heap->alloc, &stats);
    uint64_t most = stats.live_bytes / sizeof(hd_value) + heap->table.live_count;
    if (edges > most + slack)
        edges = most + slack;
    uint64_t length = (uint64_t)heap->table.length;
    if (length >= HD_SNAPSHOT_NODES_MAX - 65536 || edges >= UINT32_MAX)
        return HD_ELIMIT;
    int error = list_sources(s);
    s->extra_nodes = (uint32_t)length + s->source_count + 4;
    if (!error)
        error = hd_area_map(heap, length * sizeof *s->node, &s->nodes_area);
    if (!error)
        error = hd_area_map(heap, (length + 63) / 64 * 8, &s->captured_area);
    if (!error)
        error = hd_area_map(heap, edges * sizeof *s->edges, &s->edges_area);
    if (!error)
        error = hd_area_map(heap, 1024 * sizeof *s->roots, &s->roots_area);
    if (!error && heap->gc.tags && heap->gc.tags->count)
        error = hd_area_map(heap, length * sizeof *s->tags, &s->tags_area);
    if (!error && (s->need.node_bytes || s->need.edge_bytes))
        error =
            hd_area_map(heap, (uint64_t)s->extra_nodes * s->need.node_bytes + edges * s->need.edge_bytes, &s->extra);
    if (error)
        return error;
    s->length = (uint32_t)length;
    s->node = s->nodes_area.base;
    s->captured = s->captured_area.base;
    s->tags = s->tags_area.base;
    s->reads_tags = s->tags && hd_tags_read_begin(&heap->gc);
    s->edges = s->edges_area.base;
    s->edge_capacity = (uint32_t)edges;
    s->roots = s->roots_area.base;
    s->root_capacity = 1024;
    return 0;
}

/* The moment that the snapshot is of. */
static int begin(struct hd_snapshot *s)
{
    struct hd_gc *gc = &s->heap->gc;
    int error = make_room(s);
    if (!error)
        error = scan_roots(s, HD_SNAPSHOT_ROOTS_AT_ONCE);
    if (error)
        return error;
    gc->observer = &s->observer;
    s->observing = true;
    s->next = 1;
    s->phase = s->late_source ? PHASE_ROOTS : PHASE_NODES;
    return 0;
}

static void stop_observing(struct hd_snapshot *s)
{
    if (s->observing)
        s->heap->gc.observer = NULL;
    s->observing = false;
}

/* A large container without a place for each word: its references are counted, then copied. Returns the work done. */
static uint64_t step_large(struct hd_snapshot *s, uint64_t units)
{
    struct hd_gc_cursor *cursor = &s->large;
    struct hd_refs refs;
    hd_snapshot_refs(s, cursor->index, &refs);
    uint64_t used = 0;
    while (cursor->span < refs.span_count && used < units) {
        const struct hd_span *span = &refs.spans[cursor->span];
        size_t count = span->count - cursor->offset;
        if (count > units - used)
            count = units - used;
        if (s->large_counted)
            s->node[cursor->index].count = copy_words(s, span->words + cursor->offset, count,
                                                      s->node[cursor->index].first + s->node[cursor->index].count) -
                                           s->node[cursor->index].first;
        else
            s->large_count += (uint32_t)count_words(s, span->words + cursor->offset, count);
        cursor->offset += count;
        used += count;
        if (cursor->offset >= span->count) {
            cursor->span++;
            cursor->offset = 0;
        }
    }
    if (cursor->span < refs.span_count)
        return used;
    used++;
    uint32_t index = cursor->index;
    if (!s->large_counted) {
        if (!has_room(s, (uint64_t)s->large_count + 1))
            return used;
        /* Its place: others are read behind it meanwhile. */
        s->large_counted = true;
        s->node[index] = (struct hd_snapshot_node){.first = s->edge_count};
        s->edge_count += s->large_count + (refs.hidden != 0);
        *cursor = (struct hd_gc_cursor){.index = index};
        return used;
    }
    uint32_t first = s->node[index].first, count = s->node[index].count;
    if (refs.hidden)
        s->edges[first + count++] = refs.hidden;
    hd_snapshot_fill(s, index, first, count);
    cursor->index = 0;
    return used;
}

static void prefetch(const struct hd_snapshot *s, uint32_t index)
{
    if (index < s->length)
        __builtin_prefetch(hd_table_payload(&s->heap->table, index));
}

static uint64_t step_nodes(struct hd_snapshot *s, uint64_t units)
{
    const struct hd_table *table = &s->heap->table;
    uint64_t used = 0;
    if (s->part_count)
        return hd_parts_step(s, &s->parts[0], units);
    if (s->large.index)
        return step_large(s, units);
    while (s->next < s->length && used < units && !s->overflow) {
        uint32_t index = s->next;
        if ((index & 63) == 0 && s->captured[index >> 6] == ~UINT64_C(0)) {
            s->next += 64;
            used++;
            continue;
        }
        prefetch(s, index + PREFETCH);
        s->next++;
        if (hd_table_bit(s->captured, index))
            continue;
        if (hd_table_type(table, index) == HD_TYPE_FREE || (table->state[index] & HD_STATE_DYING)) {
            /* An entry that is free now was free then, or it would have been read. */
            used++;
            hd_table_bit_set(s->captured, index);
        } else if (is_large(s, index)) {
            if (hd_parts_begin(s, index))
                return used + 1;
            s->large = (struct hd_gc_cursor){.index = index};
            s->large_counted = false;
            s->large_count = 0;
            return used + 1;
        } else {
            used += capture(s, index);
        }
    }
    if (s->next >= s->length) {
        stop_observing(s);
        s->phase = PHASE_DONE;
    }
    return used + 1;
}

static int step_once(struct hd_snapshot *s, uint64_t units, uint64_t *used)
{
    int error = 0;
    switch ((enum phase)s->phase) {
    case PHASE_START:
        if (s->heap->gc.observer)
            return HD_EEXISTS;
        s->next = 1;
        s->estimate = 0;
        s->phase = PHASE_ESTIMATE;
        break;
    case PHASE_ESTIMATE:
        *used = step_estimate(s, units);
        if (s->next >= s->heap->table.length) {
            error = s->heap->gc.observer ? HD_EEXISTS : begin(s);
            *used += HD_SNAPSHOT_ROOTS_AT_ONCE / 8;
        }
        break;
    case PHASE_ROOTS:
        error = scan_roots(s, units / 2 + 1);
        *used = units;
        if (!s->late_source)
            s->phase = PHASE_NODES;
        break;
    case PHASE_NODES:
        *used = step_nodes(s, units);
        break;
    case PHASE_RETRY:
        *used = units;
        if (!hd_snapshot_release(s, RELEASE_BYTES)) {
            unsigned retries = s->retries + 1;
            hd_snapshot_init(s, s->heap, s->need);
            s->retries = retries;
        }
        break;
    case PHASE_DONE:
        break;
    }
    if (!error && s->overflow && s->phase != PHASE_RETRY) {
        stop_observing(s);
        if (s->retries >= RETRIES_MAX)
            return HD_ECHANGED;
        s->phase = PHASE_RETRY;
    }
    return error;
}

/*
 * A source of roots that ends while roots are read late: the list is not the one that was numbered in the beginning,
 * so the snapshot begins anew. New sources stand in front of it and do not matter.
 */
static void check_sources(struct hd_snapshot *s)
{
    if (s->phase != PHASE_ROOTS)
        return;
    uint32_t left = 0;
    bool found = false;
    for (struct hd_root_source *i = s->heap->gc.roots; i; i = i->next) {
        found |= i == s->late_source;
        left += found;
    }
    if (found && left == s->source_count - s->late_number)
        return;
    s->late_source = NULL;
    s->overflow = true;
}

int hd_snapshot_step(struct hd_snapshot *s, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    int error = s->error;
    if (!error)
        check_sources(s);
    while (!error && s->phase != PHASE_DONE && total < units) {
        uint64_t part = 0;
        error = step_once(s, units - total, &part);
        total += part + 1;
    }
    *used = total;
    if (error) {
        stop_observing(s);
        s->error = error;
        return error;
    }
    return s->phase == PHASE_DONE;
}

bool hd_snapshot_release(struct hd_snapshot *s, uint64_t bytes)
{
    struct hd_area *areas[] = {&s->extra, &s->edges_area, &s->nodes_area, &s->captured_area, &s->roots_area,
                               &s->tags_area};
    stop_observing(s);
    hd_tags_read_end(&s->heap->gc, s->reads_tags);
    s->reads_tags = false;
    for (unsigned i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        if (!areas[i]->base)
            continue;
        (void)hd_area_release(s->heap, areas[i], bytes);
        return true;
    }
    if (s->sources)
        hd_allocator_free(&s->heap->account.allocator, s->sources, s->source_count * sizeof *s->sources);
    s->sources = NULL;
    return false;
}

void hd_snapshot_fini(struct hd_snapshot *s)
{
    while (s->heap && hd_snapshot_release(s, UINT64_MAX / 4))
        ;
}

const char *hd_snapshot_check(const struct hd_snapshot *s)
{
    uint64_t live = 0;
    for (uint32_t i = 1; i < s->length; i++) {
        const struct hd_snapshot_node *node = &s->node[i];
        if (!hd_table_bit(s->captured, i))
            return "snapshot: every entry was looked at";
        if (node->kind == 0) {
            if (node->count)
                return "snapshot: what was no object has no edges";
            continue;
        }
        live++;
        if ((uint64_t)node->first + node->count > s->edge_count)
            return "snapshot: a node's edges are within the edges";
        for (uint32_t e = 0; e < node->count; e++) {
            uint32_t target = s->edges[node->first + e];
            /* 0 and beyond: never; a target that was born later: only in what a request was filling. */
            if (target == 0)
                return "snapshot: an edge leads to an object";
        }
    }
    return live == s->live_count ? NULL : "snapshot: live_count counts the nodes";
}
