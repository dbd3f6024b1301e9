#include "inspect/dominators.h"

#include <string.h>

enum phase {
    PHASE_SNAPSHOT = 0,
    PHASE_WALK,     /* depth first: numbers */
    PHASE_COUNT,    /* predecessors are counted */
    PHASE_PLACE,    /* where each one's begin */
    PHASE_FILL,     /* predecessors are written */
    PHASE_PREPARE,  /* every tree of the forest is one node */
    PHASE_SEMI,     /* semidominators, from the last number down */
    PHASE_DOMINATE, /* dominators, from the first up */
    PHASE_NUMBER,   /* the numbers of nodes, again */
    PHASE_SIZES,    /* own sizes */
    PHASE_RETAIN,   /* those of the dominated are added, from the last down */
    PHASE_DONE,
};

#define ARRAYS 10u  /* words a node */
#define UNITS_FAR 4 /* a word that is not in the cache */
#define PREFETCH 8

void hd_dominators_init(struct hd_dominators *d, struct hd_heap *heap)
{
    memset(d, 0, sizeof *d);
    hd_snapshot_init(
        &d->snapshot, heap,
        (struct hd_snapshot_need){.node_bytes = ARRAYS * sizeof(uint32_t), .edge_bytes = sizeof(uint32_t)});
}

/* ---- edges, those of sources among them ----------------------------------- */

static uint32_t edge_count(const struct hd_dominators *d, uint32_t node)
{
    if (node == 0)
        return d->source_count + 1;
    if (node < d->first_source)
        return d->snapshot.node[node].count;
    uint32_t source = node - d->first_source;
    /* What hangs below the node of the frozen is found when all else is walked through. */
    return source < d->source_count ? d->source_roots[source + 1] - d->source_roots[source] : 0;
}

static uint32_t edge_target(const struct hd_dominators *d, uint32_t node, uint32_t edge)
{
    const struct hd_snapshot *s = &d->snapshot;
    if (node == 0)
        return d->first_source + edge;
    if (node < d->first_source)
        return s->edges[s->node[node].first + edge];
    return s->roots[d->source_roots[node - d->first_source] + edge].index;
}

/* ---- the walk ------------------------------------------------------------- */

static int list_roots(struct hd_dominators *d)
{
    const struct hd_snapshot *s = &d->snapshot;
    d->source_roots = hd_allocator_new(&s->heap->account.allocator, (s->source_count + 1) * sizeof *d->source_roots);
    if (!d->source_roots)
        return HD_ENOMEM;
    d->source_count = s->source_count;
    uint32_t root = 0;
    for (uint32_t i = 0; i <= s->source_count; i++) {
        /* Roots stand in the order of their sources. */
        while (root < s->root_count && s->roots[root].source < i)
            root++;
        d->source_roots[i] = root;
    }
    return 0;
}

static int begin(struct hd_dominators *d)
{
    const struct hd_snapshot *s = &d->snapshot;
    uint32_t *at = s->extra.base;
    d->first_source = s->length;
    d->limit = s->extra_nodes;
    if ((uint64_t)s->edge_count - s->unused_count + s->root_count + s->source_count + 2 > s->edge_capacity)
        return HD_ECHANGED;
    uint32_t **arrays[ARRAYS] = {&d->semi,   &d->label,  &d->bucket_head, &d->bucket_next, &d->number,
                                 &d->vertex, &d->parent, &d->ancestor,    &d->dominator,   &d->pred_first};
    for (unsigned i = 0; i < ARRAYS; i++, at += d->limit)
        *arrays[i] = at;
    d->preds = at;
    int error = list_roots(d);
    if (error)
        return error;
    d->count = 1;
    d->number[0] = 1;
    d->vertex[1] = 0;
    d->at = 1;
    d->frozen_next = 1;
    d->phase = PHASE_WALK;
    return 0;
}

/* Meets a node for the first time. */
static void enter(struct hd_dominators *d, uint32_t node)
{
    uint32_t number = ++d->count;
    d->number[node] = number;
    d->vertex[number] = node;
    d->parent[number] = d->at;
    /* One that leads nowhere need not be entered. */
    if (edge_count(d, node))
        d->at = number;
}

/* All that roots lead to is numbered; goes on with frozen objects, below a node of their own. False: at the end. */
static bool next_frozen(struct hd_dominators *d, uint64_t units, uint64_t *used)
{
    const struct hd_snapshot *s = &d->snapshot;
    for (uint64_t i = 0; d->frozen_next < s->length && i < units; d->frozen_next++, i++, (*used)++) {
        uint32_t node = d->frozen_next;
        if ((s->node[node].kind & HD_SNAPSHOT_FROZEN) && !d->number[node]) {
            d->at = d->number[d->first_source + d->source_count];
            enter(d, node);
            return true;
        }
    }
    return d->frozen_next < s->length;
}

static uint64_t step_walk(struct hd_dominators *d, uint64_t units)
{
    const struct hd_snapshot *s = &d->snapshot;
    uint64_t used = 0;
    while (used < units) {
        uint32_t node = d->vertex[d->at];
        uint32_t edge = d->label[d->at];
        if (edge < edge_count(d, node)) {
            uint32_t to = edge_target(d, node, edge);
            d->label[d->at]++;
            used += UNITS_FAR;
            if (edge + PREFETCH < edge_count(d, node))
                __builtin_prefetch(&d->number[edge_target(d, node, edge + PREFETCH)]);
            if (!d->number[to] && (to >= d->first_source || s->node[to].kind))
                enter(d, to);
            continue;
        }
        used++;
        if (d->at != 1) {
            d->at = d->parent[d->at];
        } else if (!next_frozen(d, units, &used)) {
            d->phase = PHASE_COUNT;
            d->at = 1;
            d->cursor = 0;
            break;
        }
    }
    return used + 1;
}

/* ---- predecessors --------------------------------------------------------- */

/* Goes over all edges between numbered nodes, in order; `fill`: writes, else counts. */
static uint64_t step_preds(struct hd_dominators *d, uint64_t units, bool fill)
{
    uint64_t used = 0;
    while (d->at <= d->count && used < units) {
        uint32_t node = d->vertex[d->at], edges = edge_count(d, node);
        for (; d->cursor < edges && used < units; d->cursor++, used += UNITS_FAR) {
            if (d->cursor + PREFETCH < edges)
                __builtin_prefetch(&d->number[edge_target(d, node, d->cursor + PREFETCH)]);
            uint32_t number = d->number[edge_target(d, node, d->cursor)];
            if (!number)
                continue;
            if (fill)
                d->preds[d->pred_first[number]++] = d->at;
            else
                d->pred_first[number]++;
        }
        used++;
        if (d->cursor >= edges) {
            d->at++;
            d->cursor = 0;
        }
    }
    if (d->at > d->count) {
        d->phase++;
        d->at = 1;
        d->bucket = 0;
    }
    return used + 1;
}

/* Counts become places; `bucket` is the sum so far. */
static uint64_t step_place(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    for (; d->at <= d->count && used < units; d->at++, used++) {
        uint32_t count = d->pred_first[d->at];
        d->pred_first[d->at] = d->bucket;
        d->bucket += count;
    }
    if (d->at > d->count) {
        d->phase = PHASE_FILL;
        d->at = 1;
        d->cursor = 0;
    }
    return used + 1;
}

/* Filling moved each place to the end of its own, which is where the next one's begin. */
static uint32_t preds_begin(const struct hd_dominators *d, uint32_t number)
{
    return d->pred_first[number - 1]; /* pred_first[0] is 0 */
}

static uint64_t step_prepare(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    for (; d->at <= d->count && used < units; d->at++, used++) {
        d->semi[d->at] = d->at;
        d->label[d->at] = d->at;
    }
    if (d->at > d->count) {
        d->phase = PHASE_SEMI;
        d->at = d->count;
        d->cursor = d->at > 1 ? preds_begin(d, d->at) : 0;
        d->in_bucket = false;
    }
    return used + 1;
}

/* ---- semidominators ------------------------------------------------------- */

/* The number with the least semidominator on the way from `number` up its tree. False: it takes longer. */
static bool evaluate(struct hd_dominators *d, uint32_t number, uint64_t units, uint64_t *used, uint32_t *out)
{
    uint32_t *ancestor = d->ancestor, *stack = d->number;
    if (ancestor[number] == 0) {
        *out = number;
        return true;
    }
    if (d->stack_length == 0 && !d->descending)
        d->climb = number;
    for (; !d->descending; *used += UNITS_FAR) {
        if (*used >= units)
            return false;
        if (ancestor[ancestor[d->climb]] == 0) {
            d->descending = true;
            break;
        }
        stack[d->stack_length++] = d->climb;
        d->climb = ancestor[d->climb];
    }
    for (; d->stack_length; *used += UNITS_FAR) {
        if (*used >= units)
            return false;
        uint32_t at = stack[--d->stack_length], above = ancestor[at];
        if (d->semi[d->label[above]] < d->semi[d->label[at]])
            d->label[at] = d->label[above];
        ancestor[at] = ancestor[above];
    }
    d->descending = false;
    *out = d->label[number];
    return true;
}

static bool step_bucket(struct hd_dominators *d, uint64_t units, uint64_t *used)
{
    uint32_t parent = d->parent[d->at];
    while (d->bucket) {
        uint32_t number = d->bucket, least;
        if (!evaluate(d, number, units, used, &least))
            return false;
        d->dominator[number] = d->semi[least] < d->semi[number] ? least : parent;
        d->bucket = d->bucket_next[number];
        *used += UNITS_FAR;
    }
    d->bucket_head[parent] = 0;
    return true;
}

static uint64_t step_semi(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    while (d->at > 1 && used < units) {
        uint32_t number = d->at, least;
        while (!d->in_bucket && d->cursor < d->pred_first[number]) {
            if (!evaluate(d, d->preds[d->cursor], units, &used, &least))
                return used + 1;
            if (d->semi[least] < d->semi[number])
                d->semi[number] = d->semi[least];
            d->cursor++;
            used += UNITS_FAR;
            if (used >= units)
                return used;
        }
        if (!d->in_bucket) {
            uint32_t semi = d->semi[number];
            d->bucket_next[number] = d->bucket_head[semi];
            d->bucket_head[semi] = number;
            d->ancestor[number] = d->parent[number];
            d->bucket = d->bucket_head[d->parent[number]];
            d->in_bucket = true;
        }
        if (!step_bucket(d, units, &used))
            break;
        d->in_bucket = false;
        d->at--;
        d->cursor = d->at > 1 ? preds_begin(d, d->at) : 0;
        used += UNITS_FAR;
    }
    if (d->at <= 1) {
        d->phase = PHASE_DOMINATE;
        d->at = 2;
    }
    return used + 1;
}

static uint64_t step_dominate(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    for (; d->at <= d->count && used < units; d->at++, used += 2)
        if (d->dominator[d->at] != d->semi[d->at])
            d->dominator[d->at] = d->dominator[d->dominator[d->at]];
    if (d->at > d->count) {
        d->phase = PHASE_NUMBER;
        d->at = 0;
    }
    return used + 1;
}

/* ---- sizes ---------------------------------------------------------------- */

/* The stack of compressions wrote over the numbers: first all are taken away, then those of the numbered are put back.
 */
static uint64_t step_number(struct hd_dominators *d, uint64_t units)
{
    uint32_t part = units < 1u << 20 ? (uint32_t)units * 4 : 1u << 22;
    if (d->at < d->limit) {
        uint32_t count = d->limit - d->at < part ? d->limit - d->at : part;
        memset(d->number + d->at, 0, count * sizeof *d->number);
        d->at += count;
        if (d->at == d->limit)
            d->cursor = 1;
        return count / 4 + 1;
    }
    uint64_t used = 0;
    for (; d->cursor <= d->count && used < units; d->cursor++, used += 2)
        d->number[d->vertex[d->cursor]] = d->cursor;
    if (d->cursor > d->count) {
        d->phase = PHASE_SIZES;
        d->retained = (uint64_t *)(void *)d->semi;
        d->retained_count = d->ancestor;
        d->at = 1;
    }
    return used + 1;
}

static uint64_t step_sizes(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    for (; d->at <= d->count && used < units; d->at++, used += 3) {
        bool is_object = hd_dominators_is_object(d, d->at);
        d->retained[d->at] = is_object ? hd_snapshot_bytes(&d->snapshot, d->vertex[d->at]) : 0;
        d->retained_count[d->at] = is_object;
    }
    if (d->at > d->count) {
        d->phase = PHASE_RETAIN;
        d->at = d->count;
    }
    return used + 1;
}

static uint64_t step_retain(struct hd_dominators *d, uint64_t units)
{
    uint64_t used = 0;
    for (; d->at > 1 && used < units; d->at--, used += 2) {
        d->retained[d->dominator[d->at]] += d->retained[d->at];
        d->retained_count[d->dominator[d->at]] += d->retained_count[d->at];
    }
    if (d->at <= 1)
        d->phase = PHASE_DONE;
    return used + 1;
}

static int step_once(struct hd_dominators *d, uint64_t units, uint64_t *used)
{
    int result;
    switch ((enum phase)d->phase) {
    case PHASE_SNAPSHOT:
        result = hd_snapshot_step(&d->snapshot, units, used);
        return result == 1 ? begin(d) : result;
    case PHASE_WALK:
        *used = step_walk(d, units);
        return 0;
    case PHASE_COUNT:
        *used = step_preds(d, units, false);
        return 0;
    case PHASE_PLACE:
        *used = step_place(d, units);
        return 0;
    case PHASE_FILL:
        *used = step_preds(d, units, true);
        return 0;
    case PHASE_PREPARE:
        *used = step_prepare(d, units);
        return 0;
    case PHASE_SEMI:
        *used = step_semi(d, units);
        return 0;
    case PHASE_DOMINATE:
        *used = step_dominate(d, units);
        return 0;
    case PHASE_NUMBER:
        *used = step_number(d, units);
        return 0;
    case PHASE_SIZES:
        *used = step_sizes(d, units);
        return 0;
    case PHASE_RETAIN:
        *used = step_retain(d, units);
        return 0;
    case PHASE_DONE:
        break;
    }
    return 0;
}

int hd_dominators_step(struct hd_dominators *d, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    while (!d->error && d->phase != PHASE_DONE && total < units) {
        uint64_t part = 0;
        d->error = step_once(d, units - total, &part);
        total += part + 1;
    }
    *used = total;
    return d->error ? d->error : d->phase == PHASE_DONE;
}

bool hd_dominators_release(struct hd_dominators *d, uint64_t bytes)
{
    struct hd_snapshot *s = &d->snapshot;
    if (d->source_roots)
        hd_allocator_free(&s->heap->account.allocator, d->source_roots,
                          (d->source_count + 1) * sizeof *d->source_roots);
    d->source_roots = NULL;
    return hd_snapshot_release(s, bytes);
}

void hd_dominators_fini(struct hd_dominators *d)
{
    while (d->snapshot.heap && hd_dominators_release(d, UINT64_MAX / 4))
        ;
}
