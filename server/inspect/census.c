#include "inspect/census.h"

#include <string.h>

/* Keeps the largest; O(limit) for one that is among them. */
static void consider(struct hd_keepers *keepers, uint32_t number, uint64_t bytes)
{
    uint32_t at = keepers->count;
    if (at == keepers->limit) {
        if (at == 0 || keepers->rows[at - 1].retained_bytes >= bytes)
            return;
        at--;
    } else {
        keepers->count++;
    }
    for (; at > 0 && keepers->rows[at - 1].retained_bytes < bytes; at--)
        keepers->rows[at] = keepers->rows[at - 1];
    keepers->rows[at] = (struct hd_keeper){number, bytes};
}

/* ---- one object, or the largest ------------------------------------------- */

enum { RETAINED_DOMINATORS = 0, RETAINED_SCAN, RETAINED_DONE };

void hd_retained_init(struct hd_retained *r, struct hd_heap *heap, uint64_t identity, uint32_t limit)
{
    memset(r, 0, sizeof *r);
    hd_dominators_init(&r->dominators, heap);
    r->identity = identity;
    r->largest.limit = limit < HD_CENSUS_ROWS_MAX ? limit : HD_CENSUS_ROWS_MAX;
}

static int find_target(struct hd_retained *r)
{
    const struct hd_snapshot *s = &r->dominators.snapshot;
    uint32_t index = (uint32_t)r->identity;
    r->phase = RETAINED_SCAN;
    r->at = 2;
    if (!r->identity)
        return 0;
    if (index == 0 || index >= s->length || s->node[index].kind == 0 || hd_snapshot_identity(s, index) != r->identity)
        return HD_EKEY;
    r->target = hd_dominators_number(&r->dominators, index);
    r->at = r->target + 1;
    if (!r->target)
        r->phase = RETAINED_DONE;
    return 0;
}

static uint64_t scan(struct hd_retained *r, uint64_t units)
{
    const struct hd_dominators *d = &r->dominators;
    uint64_t used = 0;
    for (; r->at <= d->count && used < units; r->at++, used++) {
        if (!hd_dominators_is_object(d, r->at) || (r->target && d->dominator[r->at] != r->target))
            continue;
        consider(&r->largest, r->at, d->retained[r->at]);
    }
    if (r->at > d->count)
        r->phase = RETAINED_DONE;
    return used + 1;
}

int hd_retained_step(struct hd_retained *r, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    while (!r->error && r->phase != RETAINED_DONE && total < units) {
        uint64_t part = 0;
        if (r->phase == RETAINED_SCAN) {
            part = scan(r, units - total);
        } else {
            int result = hd_dominators_step(&r->dominators, units - total, &part);
            r->error = result == 1 ? find_target(r) : result;
        }
        total += part + 1;
    }
    *used = total;
    return r->error ? r->error : r->phase == RETAINED_DONE;
}

/* ---- sums ----------------------------------------------------------------- */

enum { CENSUS_DOMINATORS = 0, CENSUS_CLEAR, CENSUS_NODES, CENSUS_NUMBERS, CENSUS_TAGS, CENSUS_CLASSES, CENSUS_NAMES, CENSUS_DONE };

void hd_census_init(struct hd_census *c, struct hd_heap *heap, uint32_t limit)
{
    memset(c, 0, sizeof *c);
    hd_dominators_init(&c->dominators, heap);
    c->limit = limit < HD_CENSUS_ROWS_MAX ? limit : HD_CENSUS_ROWS_MAX;
    c->classes.limit = c->by_tag.limit = c->limit;
}

/* What dominators needed on the way lies idle now. */
static int begin(struct hd_census *c)
{
    struct hd_dominators *d = &c->dominators;
    c->class_bytes = (uint64_t *)(void *)d->bucket_head; /* and bucket_next */
    c->class_count = d->pred_first;
    c->mask = d->parent;
    c->at = 0;
    c->phase = CENSUS_CLEAR;
    return 0;
}

static uint64_t clear(struct hd_census *c, uint64_t units)
{
    uint32_t limit = c->dominators.limit;
    uint32_t part = units < 1u << 20 ? (uint32_t)units * 2 : 1u << 21;
    uint32_t count = limit - c->at < part ? limit - c->at : part;
    memset(c->class_bytes + c->at, 0, count * sizeof *c->class_bytes);
    memset(c->class_count + c->at, 0, count * sizeof *c->class_count);
    c->at += count;
    if (c->at == limit) {
        c->phase = CENSUS_NODES;
        c->at = 1;
    }
    return count / 2 + 1;
}

/* All objects, reachable or not. */
static uint64_t add_nodes(struct hd_census *c, uint64_t units)
{
    const struct hd_snapshot *s = &c->dominators.snapshot;
    uint64_t used = 0;
    for (; c->at < s->length && used < units; c->at++, used += 2) {
        const struct hd_snapshot_node *node = &s->node[c->at];
        if (node->kind == 0)
            continue;
        uint64_t bytes = hd_snapshot_bytes(s, c->at);
        struct hd_census_sum *sum = &c->types[hd_snapshot_type(s, c->at)];
        sum->count++;
        sum->shallow_bytes += bytes;
        c->all.count++;
        c->all.shallow_bytes += bytes;
        if (s->tags) {
            c->tags[s->tags[c->at]].count++;
            c->tags[s->tags[c->at]].shallow_bytes += bytes;
        }
        if (hd_snapshot_type(s, c->at) == HD_TYPE_INSTANCE && node->count) {
            /* An instance's class is the last of its edges. */
            uint32_t class_node = s->edges[node->first + node->count - 1];
            c->class_count[class_node]++;
            c->class_bytes[class_node] += bytes;
        }
    }
    if (c->at >= s->length) {
        c->phase = CENSUS_NUMBERS;
        c->at = 2;
        c->mask[1] = 0;
        c->reachable_count = c->dominators.retained_count[1];
        c->all.retained_bytes = c->dominators.retained[1];
    }
    return used + 1;
}

/* The next round of tags; when there are none left, the classes. */
static void begin_tags(struct hd_census *c)
{
    memset(c->tag_bit, 0, sizeof c->tag_bit);
    c->at = 2;
    c->phase = CENSUS_TAGS;
    if (c->tags_done == c->by_tag.count) {
        c->phase = CENSUS_CLASSES;
        c->at = 1;
    }
    for (unsigned i = 0; i < 32 && c->tags_done < c->by_tag.count; i++)
        c->tag_bit[c->by_tag.rows[c->tags_done++].number] = UINT32_C(1) << i;
}

/* Dominators come before what they dominate, so each finds the types above it. */
static uint64_t add_numbers(struct hd_census *c, uint64_t units)
{
    const struct hd_dominators *d = &c->dominators;
    uint64_t used = 0;
    for (; c->at <= d->count && used < units; c->at++, used += 3) {
        uint32_t above = c->mask[d->dominator[c->at]];
        c->mask[c->at] = above;
        if (!hd_dominators_is_object(d, c->at))
            continue;
        unsigned type = hd_snapshot_type(&d->snapshot, d->vertex[c->at]);
        uint32_t bit = UINT32_C(1) << (type & 31);
        c->mask[c->at] |= bit;
        if (!(above & bit))
            c->types[type].retained_bytes += d->retained[c->at];
    }
    if (c->at > d->count) {
        for (uint32_t tag = 1; tag <= HD_TAGS_MAX; tag++)
            if (c->tags[tag].count)
                consider(&c->by_tag, tag, c->tags[tag].shallow_bytes);
        begin_tags(c);
    }
    return used + 1;
}

/* A pass for 32 tags at a time, in the manner of types. */
static uint64_t add_tags(struct hd_census *c, uint64_t units)
{
    const struct hd_dominators *d = &c->dominators;
    uint64_t used = 0;
    for (; c->at <= d->count && used < units; c->at++, used += 3) {
        uint32_t above = c->mask[d->dominator[c->at]];
        c->mask[c->at] = above;
        if (!hd_dominators_is_object(d, c->at))
            continue;
        uint32_t tag = d->snapshot.tags[d->vertex[c->at]];
        uint32_t bit = c->tag_bit[tag];
        c->mask[c->at] |= bit;
        if (bit & ~above)
            c->tags[tag].retained_bytes += d->retained[c->at];
    }
    if (c->at > d->count)
        begin_tags(c);
    return used + 1;
}

static uint64_t add_classes(struct hd_census *c, uint64_t units)
{
    const struct hd_snapshot *s = &c->dominators.snapshot;
    uint64_t used = 0;
    for (; c->at < s->length && used < units; c->at++, used++)
        if (c->class_count[c->at])
            consider(&c->classes, c->at, c->class_bytes[c->at]);
    if (c->at >= s->length)
        c->phase = CENSUS_NAMES;
    return used + 1;
}

static uint64_t retained_of(const struct hd_census *c, const struct hd_census_name *name)
{
    return name->number ? c->dominators.retained[name->number] : 0;
}

static void add_name(struct hd_census *c, const struct hd_census_name *name)
{
    uint32_t at = c->name_count;
    if (at == c->limit) {
        if (at == 0 || retained_of(c, &c->names[at - 1]) >= retained_of(c, name))
            return;
        at--;
    } else {
        c->name_count++;
    }
    for (; at > 0 && retained_of(c, &c->names[at - 1]) < retained_of(c, name); at--)
        c->names[at] = c->names[at - 1];
    c->names[at] = *name;
}

/* The names as they are at the end; what they are bound to as it was in the beginning. */
static uint64_t add_names(struct hd_census *c, uint64_t units)
{
    const struct hd_dominators *d = &c->dominators;
    const struct hd_heap *heap = d->snapshot.heap;
    hd_value names = hd_scope_names(&heap->objects, heap->globals);
    uint32_t scope = hd_dominators_number(d, hd_value_index(names));
    uint64_t used = 0;
    hd_value key, value;
    while (used < units) {
        if (!hd_heap_next_name(heap, HD_ABSENT, &c->name_position, &key, &value)) {
            c->phase = CENSUS_DONE;
            break;
        }
        used += 16;
        uint32_t index = hd_value_index(value);
        if (!hd_value_is_ref(value) || index >= d->snapshot.length ||
            hd_snapshot_identity(&d->snapshot, index) != hd_table_identity(&heap->table, index))
            continue;
        struct hd_census_name name = {.number = hd_dominators_number(d, index)};
        name.text_bytes = hd_label_name(heap, key, name.text);
        name.alone = name.number && d->dominator[name.number] == scope;
        add_name(c, &name);
    }
    return used + 1;
}

static int step_once(struct hd_census *c, uint64_t units, uint64_t *used)
{
    int result;
    switch (c->phase) {
    case CENSUS_DOMINATORS:
        result = hd_dominators_step(&c->dominators, units, used);
        return result == 1 ? begin(c) : result;
    case CENSUS_CLEAR:
        *used = clear(c, units);
        return 0;
    case CENSUS_NODES:
        *used = add_nodes(c, units);
        return 0;
    case CENSUS_NUMBERS:
        *used = add_numbers(c, units);
        return 0;
    case CENSUS_TAGS:
        *used = add_tags(c, units);
        return 0;
    case CENSUS_CLASSES:
        *used = add_classes(c, units);
        return 0;
    default:
        *used = add_names(c, units);
        return 0;
    }
}

int hd_census_step(struct hd_census *c, uint64_t units, uint64_t *used)
{
    uint64_t total = 0;
    while (!c->error && c->phase != CENSUS_DONE && total < units) {
        uint64_t part = 0;
        c->error = step_once(c, units - total, &part);
        total += part + 1;
    }
    *used = total;
    return c->error ? c->error : c->phase == CENSUS_DONE;
}
