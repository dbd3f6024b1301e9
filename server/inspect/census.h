/*
 * What there is and what keeps it, over dominators: one object's retained size, the
 * largest keepers, and sums by type, class, tag, source and global name.
 */
#ifndef HEAPD_INSPECT_CENSUS_H
#define HEAPD_INSPECT_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "gc/tags.h"
#include "inspect/dominators.h"
#include "inspect/label.h"

#define HD_CENSUS_ROWS_MAX 256u
#define HD_CENSUS_ABOVE_MAX 32u

struct hd_keeper {
    uint32_t number; /* of the dominators; 0: none */
    uint64_t retained_bytes;
};

/* Those that retain most, the largest first. */
struct hd_keepers {
    uint32_t limit;
    uint32_t count;
    struct hd_keeper rows[HD_CENSUS_ROWS_MAX];
};

/* ---- one object, or the largest ------------------------------------------- */

struct hd_retained {
    struct hd_dominators dominators;
    uint64_t identity; /* 0: of no object in particular */
    int phase;
    int error;
    uint32_t target; /* its number; 0: no root leads to it */
    uint32_t at;
    struct hd_keepers largest; /* of what it dominates at once; without an object: of all */
};

void hd_retained_init(struct hd_retained *retained, struct hd_heap *heap, uint64_t identity, uint32_t limit);
/* 1: done; 0: more; HD_EKEY: no such object; else as hd_dominators_step. */
int hd_retained_step(struct hd_retained *retained, uint64_t units, uint64_t *used) HD_MUST_USE;

/* ---- sums ----------------------------------------------------------------- */

struct hd_census_sum {
    uint64_t count;
    uint64_t shallow_bytes;
    uint64_t retained_bytes; /* of those that none of the same kind dominates */
};

struct hd_census_name {
    uint8_t text[HD_LABEL_BYTES];
    uint32_t text_bytes;
    uint32_t number; /* of the object; 0: a plain value, or none that there was in the beginning */
    bool alone;      /* nothing else keeps it */
};

struct hd_census {
    struct hd_dominators dominators;
    int phase;
    int error;
    uint32_t at;
    uint32_t limit;
    struct hd_census_sum all; /* retained_bytes: of what roots lead to */
    uint64_t reachable_count;
    struct hd_census_sum types[HD_TYPE_COUNT];
    uint64_t *class_bytes;     /* by node: in the dominators' memory */
    uint32_t *class_count;     /* likewise */
    uint32_t *mask;            /* by number: types, then tags, among its dominators, itself included */
    struct hd_keepers classes; /* number: the class's node; retained_bytes: shallow bytes of its instances */
    struct hd_census_sum tags[HD_TAGS_MAX + 1];
    uint32_t tag_bit[HD_TAGS_MAX + 1]; /* of those that are summed up in this round */
    struct hd_keepers by_tag;          /* number: the tag; retained_bytes: shallow bytes of its objects */
    uint32_t tags_done;                /* of by_tag: retained bytes of these are known */
    uint32_t name_position;
    uint32_t name_count;
    struct hd_census_name names[HD_CENSUS_ROWS_MAX];
};

/* limit: rows of classes, tags and names, HD_CENSUS_ROWS_MAX at most. */
void hd_census_init(struct hd_census *census, struct hd_heap *heap, uint32_t limit);
int hd_census_step(struct hd_census *census, uint64_t units, uint64_t *used) HD_MUST_USE;

#endif
