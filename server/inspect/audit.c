#include "inspect/audit.h"

#include <string.h>

enum { AUDIT_REAP = 0, AUDIT_SNAPSHOT, AUDIT_EDGES, AUDIT_ROOTS, AUDIT_COMPARE, AUDIT_RELEASE, AUDIT_DONE };

#define RELEASE_BYTES ((uint64_t)256 << 10)
#define UNITS_FAR 4

static void begin_pass(struct hd_audit *a)
{
    hd_snapshot_init(&a->snapshot, a->heap, (struct hd_snapshot_need){.node_bytes = sizeof(uint32_t)});
    a->phase = AUDIT_REAP;
}

void hd_audit_init(struct hd_audit *a, struct hd_heap *heap)
{
    memset(a, 0, sizeof *a);
    a->heap = heap;
    begin_pass(a);
}

/* What is dead and not taken apart yet refers to others, and is in no snapshot. */
static int step_snapshot(struct hd_audit *a, uint64_t units, uint64_t *used)
{
    if (a->phase == AUDIT_REAP) {
        *used = units;
        if (!hd_gc_reap(&a->heap->gc, units))
            a->phase = AUDIT_SNAPSHOT;
        return 0;
    }
    int result = hd_snapshot_step(&a->snapshot, units, used);
    if (result != 1)
        return result;
    a->found = a->snapshot.extra.base;
    a->at = 1;
    a->cursor = 0;
    a->phase = AUDIT_EDGES;
    return 0;
}

static uint64_t step_edges(struct hd_audit *a, uint64_t units)
{
    const struct hd_snapshot *s = &a->snapshot;
    uint64_t used = 0;
    for (; a->at < s->length && used < units; used++) {
        const struct hd_snapshot_node *node = &s->node[a->at];
        for (; a->cursor < node->count && used < units; a->cursor++, used += UNITS_FAR)
            a->found[s->edges[node->first + a->cursor]]++;
        if (a->cursor >= node->count) {
            a->at++;
            a->cursor = 0;
        }
    }
    if (a->at >= s->length) {
        a->at = 0;
        a->phase = AUDIT_ROOTS;
    }
    return used + 1;
}

static uint64_t step_roots(struct hd_audit *a, uint64_t units)
{
    const struct hd_snapshot *s = &a->snapshot;
    uint64_t used = 0;
    for (; a->at < s->root_count && used < units; a->at++, used += UNITS_FAR)
        a->found[s->roots[a->at].index]++;
    if (a->at >= s->root_count) {
        a->at = 1;
        a->checked_count = 0;
        a->suspect_count = 0;
        a->too_many = 0;
        a->phase = AUDIT_COMPARE;
    }
    return used + 1;
}

/* By bisection: suspects were met in the order of their indices. */
static bool was_suspect(const struct hd_audit *a, const struct hd_suspect *suspect)
{
    uint32_t low = 0, high = a->before_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if ((uint32_t)a->before[middle].identity < (uint32_t)suspect->identity)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->before_count && !memcmp(&a->before[low], suspect, sizeof *suspect);
}

static void compare(struct hd_audit *a, uint32_t index)
{
    const struct hd_snapshot *s = &a->snapshot;
    const struct hd_table *table = &a->heap->table;
    uint64_t identity = hd_snapshot_identity(s, index);
    if (!hd_table_find(table, identity) || (table->state[index] & (HD_STATE_DYING | HD_STATE_CONDEMNED)))
        return;
    uint32_t count = hd_table_count(table, index);
    if (count == HD_COUNT_SATURATED)
        return;
    a->checked_count++;
    struct hd_suspect suspect = {.identity = identity, .count = count, .found = a->found[index]};
    if (count == a->found[index] || (a->pass > 0 && !was_suspect(a, &suspect)))
        return;
    if (a->suspect_count < HD_AUDIT_SUSPECTS)
        a->suspects[a->suspect_count++] = suspect;
    else
        a->too_many++;
}

static uint64_t step_compare(struct hd_audit *a, uint64_t units)
{
    const struct hd_snapshot *s = &a->snapshot;
    uint64_t used = 0;
    for (; a->at < s->length && used < units; a->at++, used += 2)
        if (s->node[a->at].kind)
            compare(a, a->at);
    if (a->at >= s->length)
        a->phase = ++a->pass == HD_AUDIT_PASSES || a->suspect_count == 0 ? AUDIT_DONE : AUDIT_RELEASE;
    return used + 1;
}

static int step_once(struct hd_audit *a, uint64_t units, uint64_t *used)
{
    switch (a->phase) {
    case AUDIT_EDGES:
        *used = step_edges(a, units);
        return 0;
    case AUDIT_ROOTS:
        *used = step_roots(a, units);
        return 0;
    case AUDIT_COMPARE:
        *used = step_compare(a, units);
        return 0;
    case AUDIT_RELEASE:
        *used = units;
        if (!hd_snapshot_release(&a->snapshot, RELEASE_BYTES)) {
            memcpy(a->before, a->suspects, sizeof a->before);
            a->before_count = a->suspect_count;
            begin_pass(a);
        }
        return 0;
    default:
        return step_snapshot(a, units, used);
    }
}

int hd_audit_step(struct hd_audit *a, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    while (!a->error && a->phase != AUDIT_DONE && total < units) {
        uint64_t part = 0;
        a->error = step_once(a, units - total, &part);
        total += part + 1;
    }
    *used = total;
    return a->error ? a->error : a->phase == AUDIT_DONE;
}

bool hd_audit_release(struct hd_audit *a, uint64_t bytes)
{
    return hd_snapshot_release(&a->snapshot, bytes);
}
