#include "inspect/parts.h"

/* Words of a large container that are read at once if one of them is about to change. */
#define PART_WORDS 512u
/* In the place of a word that is read and no edge. A place that was not written yet is 0. */
#define NO_EDGE UINT32_MAX

struct hd_snapshot_part *hd_parts_find(struct hd_snapshot *s, uint32_t index)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        if (s->parts[i].index == index)
            return &s->parts[i];
    return NULL;
}

struct hd_snapshot_part *hd_parts_begin(struct hd_snapshot *s, uint32_t index)
{
    struct hd_refs refs;
    uint64_t words = 0;
    hd_snapshot_refs(s, index, &refs);
    for (unsigned i = 0; i < refs.span_count; i++)
        words += refs.spans[i].count;
    if (s->part_count == HD_SNAPSHOT_PARTS_MAX || s->retries || words + 1 > s->edge_capacity - s->edge_count)
        return NULL;
    struct hd_snapshot_part *part = &s->parts[s->part_count++];
    *part = (struct hd_snapshot_part){
        .index = index, .first = s->edge_count, .words = (uint32_t)words, .hidden = refs.hidden};
    s->edge_count += part->words + 1;
    hd_snapshot_fill(s, index, part->first, 0);
    hd_table_bit_clear(s->captured, index);
    return part;
}

/* Reads the words from `word` on, a multiple of PART_WORDS, unless they are read already. Returns the work done. */
static uint64_t read_part(struct hd_snapshot *s, const struct hd_snapshot_part *part, const struct hd_refs *refs,
                          uint32_t word)
{
    uint32_t *places = s->edges + part->first;
    uint64_t end = (uint64_t)word + PART_WORDS < part->words ? (uint64_t)word + PART_WORDS : part->words;
    uint64_t before = 0;
    if (places[word])
        return 1;
    for (unsigned i = 0; i < refs->span_count; before += refs->spans[i].count, i++) {
        const struct hd_span *span = &refs->spans[i];
        for (uint64_t at = word > before ? word : before; at < end && at < before + span->count; at++) {
            hd_value value = span->words[at - before];
            places[at] = hd_snapshot_is_edge(s, value) ? hd_value_index(value) : NO_EDGE;
        }
    }
    return end - word + 1;
}

uint64_t hd_parts_read(struct hd_snapshot *s, struct hd_snapshot_part *part, uint64_t units)
{
    struct hd_refs refs;
    uint64_t used = 0;
    hd_snapshot_refs(s, part->index, &refs);
    while (part->next < part->words && used < units) {
        used += read_part(s, part, &refs, part->next);
        part->next = part->words - part->next > PART_WORDS ? part->next + PART_WORDS : part->words;
    }
    if (part->next == part->words) {
        hd_table_bit_set(s->captured, part->index);
        part->is_read = true;
        part->next = 0;
    }
    return used + 1;
}

bool hd_parts_read_around(struct hd_snapshot *s, const struct hd_snapshot_part *part, const hd_value *word)
{
    struct hd_refs refs;
    uint64_t before = 0;
    if (!word)
        return true;
    hd_snapshot_refs(s, part->index, &refs);
    for (unsigned i = 0; i < refs.span_count; before += refs.spans[i].count, i++) {
        uint64_t offset = ((uintptr_t)word - (uintptr_t)refs.spans[i].words) / sizeof *word;
        if (offset >= refs.spans[i].count)
            continue;
        uint64_t at = before + offset;
        /* It came since. */
        if (at >= part->words)
            return true;
        (void)read_part(s, part, &refs, (uint32_t)(at - at % PART_WORDS));
        return true;
    }
    return false;
}

uint64_t hd_parts_step(struct hd_snapshot *s, struct hd_snapshot_part *part, uint64_t units)
{
    uint32_t *edges = s->edges + part->first;
    uint64_t used = 0;
    if (!part->is_read)
        return hd_parts_read(s, part, units);
    for (; part->next < part->words && used < units; part->next++, used++)
        if (edges[part->next] != NO_EDGE)
            edges[part->count++] = edges[part->next];
    if (part->next < part->words)
        return used;
    if (part->hidden)
        edges[part->count++] = part->hidden;
    s->node[part->index].count = part->count;
    s->unused_count += part->words + 1 - part->count;
    *part = s->parts[--s->part_count];
    return used + 1;
}
