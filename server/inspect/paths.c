#include "inspect/paths.h"

#include <string.h>

enum phase {
    PHASE_SNAPSHOT = 0,
    PHASE_ROOTS, /* what the roots hold is met */
    PHASE_BREADTH,
    PHASE_FROZEN, /* what is frozen is met */
    PHASE_PATHS,  /* from the object back to the root */
    PHASE_LABELS, /* how each step refers to the next */
    PHASE_DONE,
};

#define FROM_ROOT (UINT32_C(1) << 31)
#define FROM_FROZEN (FROM_ROOT | (FROM_ROOT - 1))
/* Edges of one node that are followed in one go. */
#define EDGES_PART 4096u
/* A node that is met is a cache miss, or two. */
#define UNITS_PER_NODE 6
#define UNITS_PER_EDGE 4

void hd_paths_init(struct hd_paths *p, struct hd_heap *heap, uint64_t identity, uint32_t max_paths, uint32_t max_steps)
{
    memset(p, 0, sizeof *p);
    p->heap = heap;
    p->identity = identity;
    p->max_paths = max_paths;
    p->max_steps = max_steps;
    hd_snapshot_init(&p->snapshot, heap, (struct hd_snapshot_need){.node_bytes = 2 * sizeof(uint32_t)});
}

static void add_holder(struct hd_paths *p, uint32_t from)
{
    if (p->holder_count && p->holders[p->holder_count - 1] == from)
        return;
    p->holders_total++;
    if (p->holder_count < p->max_paths)
        p->holders[p->holder_count++] = from;
}

/* The object itself is not followed: a way round through it is no reason. */
static void meet(struct hd_paths *p, uint32_t index, uint32_t from)
{
    if (index == p->target) {
        add_holder(p, from);
        return;
    }
    if (p->from[index] || p->snapshot.node[index].kind == 0)
        return;
    p->from[index] = from;
    p->queue[p->queue_tail++] = index;
}

static int begin(struct hd_paths *p)
{
    const struct hd_snapshot *s = &p->snapshot;
    uint32_t index = (uint32_t)p->identity;
    if (index == 0 || index >= s->length || s->node[index].kind == 0 || hd_snapshot_identity(s, index) != p->identity)
        return HD_EKEY;
    p->target = index;
    p->from = s->extra.base;
    p->queue = p->from + s->length;
    p->phase = PHASE_ROOTS;
    return 0;
}

/* Names first: they say most. */
static unsigned rank(enum hd_root_kind kind)
{
    return kind == HD_ROOT_GLOBALS ? 0 : kind == HD_ROOT_OTHER ? 2 : 1;
}

static uint64_t step_roots(struct hd_paths *p, uint64_t units)
{
    const struct hd_snapshot *s = &p->snapshot;
    uint64_t used = 0;
    /* Three rounds over the roots, one for each rank. */
    for (; p->next < 3 * s->root_count && used < units; p->next++, used++) {
        uint32_t number = p->next % s->root_count;
        const struct hd_snapshot_root *root = &s->roots[number];
        const struct hd_snapshot_source *source = &s->sources[root->source];
        bool is_ignored = source->kind == HD_ROOT_SESSION && source->id == p->ignored_session;
        if (rank(source->kind) == p->next / s->root_count && !is_ignored)
            meet(p, root->index, FROM_ROOT | number);
    }
    if (p->next >= 3 * s->root_count) {
        p->phase = PHASE_BREADTH;
        p->next = 0;
    }
    return used + 1;
}

static uint64_t step_breadth(struct hd_paths *p, uint64_t units)
{
    const struct hd_snapshot *s = &p->snapshot;
    uint64_t used = 0;
    while (p->queue_head < p->queue_tail && used < units) {
        uint32_t index = p->queue[p->queue_head];
        if (p->queue_head + 8 < p->queue_tail)
            __builtin_prefetch(&s->node[p->queue[p->queue_head + 8]]);
        const struct hd_snapshot_node *node = &s->node[index];
        uint32_t end = node->count - p->next < EDGES_PART ? node->count : p->next + EDGES_PART;
        const uint32_t *edges = s->edges + node->first;
        used += UNITS_PER_NODE + (uint64_t)(end - p->next) * UNITS_PER_EDGE;
        for (; p->next < end; p->next++)
            meet(p, edges[p->next], index + 1);
        if (p->next >= node->count) {
            p->queue_head++;
            p->next = 0;
        }
    }
    if (p->queue_head == p->queue_tail) {
        p->phase = p->holder_count || p->tried_frozen ? PHASE_PATHS : PHASE_FROZEN;
        if (!p->tried_frozen)
            p->reached_count = p->queue_tail;
        p->next = 1;
    }
    return used + 1;
}

static uint64_t step_frozen(struct hd_paths *p, uint64_t units)
{
    const struct hd_snapshot *s = &p->snapshot;
    uint64_t used = 0;
    for (; p->next < s->length && used < units; p->next++, used++)
        if (s->node[p->next].kind & HD_SNAPSHOT_FROZEN)
            meet(p, p->next, FROM_FROZEN);
    if (p->next >= s->length) {
        p->tried_frozen = true;
        p->next = 0;
        p->phase = PHASE_BREADTH;
    }
    return used + 1;
}

/* ---- writing paths -------------------------------------------------------- */

static uint32_t before(const struct hd_paths *p, uint32_t node)
{
    return node == p->target ? p->holders[p->path_count] : p->from[node];
}

/* Counts the nodes of the path, from the object on. False: there are more. */
static bool measure(struct hd_paths *p, uint64_t units, uint64_t *used)
{
    for (*used = 1; *used <= units; *used += UNITS_PER_EDGE) {
        uint32_t from = before(p, p->walk);
        p->path_length++;
        if (from & FROM_ROOT)
            return true;
        p->walk = from - 1;
    }
    return false;
}

static void set_root(struct hd_paths *p, struct hd_path *path, uint32_t from)
{
    const struct hd_snapshot *s = &p->snapshot;
    if (from == FROM_FROZEN) {
        path->root_kind = HD_ROOT_FROZEN;
        return;
    }
    const struct hd_snapshot_root *root = &s->roots[from & ~FROM_ROOT];
    path->root_kind = s->sources[root->source].kind;
    path->root_id = s->sources[root->source].id;
    path->root_position = root->position;
}

/* The path is measured: its steps get memory. */
static int begin_steps(struct hd_paths *p)
{
    struct hd_path *path = &p->paths[p->path_count];
    *path = (struct hd_path){.step_count = p->path_length};
    set_root(p, path, before(p, p->walk));
    if (path->step_count > p->max_steps) {
        path->step_count = p->max_steps;
        path->elided_count = p->path_length - p->max_steps;
        path->elided_at = p->max_steps / 2;
    }
    path->allocated_count = path->step_count;
    path->steps = hd_allocator_new_zeroed(&p->heap->account.allocator, path->step_count * sizeof *path->steps);
    if (!path->steps)
        return HD_ENOMEM;
    p->walk = p->target;
    p->next = p->path_length; /* nodes still to be written, from the end */
    return 0;
}

static void describe(const struct hd_paths *p, uint32_t index, struct hd_path_step *step)
{
    const struct hd_snapshot *s = &p->snapshot;
    const struct hd_heap *heap = p->heap;
    step->identity = hd_snapshot_identity(s, index);
    step->type = hd_snapshot_type(s, index);
    step->shallow_bytes = hd_snapshot_bytes(s, index);
    step->gone = hd_table_find(&heap->table, step->identity) == 0 || (heap->table.state[index] & HD_STATE_DYING);
    if (!step->gone && step->type == HD_TYPE_INSTANCE) {
        hd_value class_value = hd_instance_class(&heap->objects, hd_value_ref(index, false));
        step->label.text_bytes = hd_label_name(heap, hd_class_name(&heap->objects, class_value), step->label.text);
    }
}

/* Where node number `number` of the path (from the root) stands among the steps; UINT32_MAX: left out. */
static uint32_t place(const struct hd_path *path, uint32_t number)
{
    if (path->elided_count == 0 || number < path->elided_at)
        return number;
    if (number < path->elided_at + path->elided_count)
        return UINT32_MAX;
    return (uint32_t)(number - path->elided_count);
}

/* Writes nodes from the object to the root. */
static uint64_t write_steps(struct hd_paths *p, uint64_t units)
{
    struct hd_path *path = &p->paths[p->path_count];
    uint64_t used = 0;
    while (p->next > 0 && used < units) {
        uint32_t at = place(path, --p->next);
        used += UNITS_PER_EDGE;
        if (at != UINT32_MAX) {
            describe(p, p->walk, &path->steps[at]);
            used += 16;
        }
        uint32_t from = before(p, p->walk);
        if (!(from & FROM_ROOT))
            p->walk = from - 1;
    }
    return used;
}

static int step_paths(struct hd_paths *p, uint64_t units, uint64_t *used)
{
    if (p->path_count >= p->holder_count) {
        p->phase = PHASE_DONE;
        return 0;
    }
    struct hd_path *path = &p->paths[p->path_count];
    if (!path->steps) {
        if (p->path_length == 0)
            p->walk = p->target;
        return measure(p, units, used) ? begin_steps(p) : 0;
    }
    *used = write_steps(p, units) + 1;
    if (p->next == 0) {
        p->step = 1;
        p->search = (struct hd_edge_search){0};
        p->phase = PHASE_LABELS;
    }
    return 0;
}

/* A scope's dict of names is no step of its own: what it holds is held by name. */
static void collapse(struct hd_path *path)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < path->step_count; i++) {
        bool is_names = i > 0 && path->steps[i].edge.kind == HD_EDGE_NAMES && i + 1 < path->step_count &&
                        !(path->elided_count && (i == path->elided_at || i + 1 == path->elided_at));
        if (is_names) {
            struct hd_edge *edge = &path->steps[i + 1].edge;
            if (edge->kind == HD_EDGE_KEY) {
                /* Without its quotes. */
                edge->kind = HD_EDGE_NAME;
                if (edge->text_bytes >= 2) {
                    edge->text_bytes -= 2;
                    memmove(edge->text, edge->text + 1, edge->text_bytes);
                }
                if (path->elided_count && i < path->elided_at)
                    path->elided_at--;
                continue;
            }
        }
        path->steps[to++] = path->steps[i];
    }
    for (uint32_t i = to; i < path->step_count; i++)
        path->steps[i] = (struct hd_path_step){0};
    path->step_count = to;
}

/* Looks for one edge at a time, in the objects as they are now; what changed since stays unknown. */
static uint64_t step_labels(struct hd_paths *p, uint64_t units)
{
    struct hd_path *path = &p->paths[p->path_count];
    uint64_t total = 0;
    while (p->step < path->step_count && total < units) {
        const struct hd_path_step *from = &path->steps[p->step - 1];
        struct hd_path_step *to = &path->steps[p->step];
        uint64_t used = 1;
        bool found = true;
        bool is_gap = path->elided_count && p->step == path->elided_at;
        if (!is_gap && hd_table_find(&p->heap->table, from->identity) && hd_table_find(&p->heap->table, to->identity)) {
            p->search.from = (uint32_t)from->identity;
            p->search.to = (uint32_t)to->identity;
            found = hd_edge_find(p->heap, &p->search, units - total, &used, &to->edge);
        }
        total += used;
        if (found) {
            p->step++;
            p->search = (struct hd_edge_search){0};
        }
    }
    if (p->step >= path->step_count) {
        collapse(path);
        p->path_count++;
        p->path_length = 0;
        p->phase = PHASE_PATHS;
    }
    return total + 1;
}

static int step_once(struct hd_paths *p, uint64_t units, uint64_t *used)
{
    int result;
    switch ((enum phase)p->phase) {
    case PHASE_SNAPSHOT:
        result = hd_snapshot_step(&p->snapshot, units, used);
        return result == 1 ? begin(p) : result;
    case PHASE_ROOTS:
        *used = step_roots(p, units);
        return 0;
    case PHASE_BREADTH:
        *used = step_breadth(p, units);
        return 0;
    case PHASE_FROZEN:
        *used = step_frozen(p, units);
        return 0;
    case PHASE_PATHS:
        return step_paths(p, units, used);
    case PHASE_LABELS:
        *used = step_labels(p, units);
        return 0;
    case PHASE_DONE:
        break;
    }
    return 0;
}

int hd_paths_step(struct hd_paths *p, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    while (!p->error && p->phase != PHASE_DONE && total < units) {
        uint64_t part = 0;
        p->error = step_once(p, units - total, &part);
        total += part + 1;
    }
    *used = total;
    return p->error ? p->error : p->phase == PHASE_DONE;
}

bool hd_paths_release(struct hd_paths *p, uint64_t bytes)
{
    for (uint32_t i = 0; i < HD_PATHS_MAX; i++) {
        struct hd_path *path = &p->paths[i];
        if (!path->steps)
            continue;
        /* The memory is that of the steps before any was left out. */
        hd_allocator_free(&p->heap->account.allocator, path->steps, path->allocated_count * sizeof *path->steps);
        path->steps = NULL;
    }
    return hd_snapshot_release(&p->snapshot, bytes);
}

void hd_paths_fini(struct hd_paths *p)
{
    while (p->heap && hd_paths_release(p, UINT64_MAX / 4))
        ;
}
