/*
 * Lists, tuples, str and bytes as sequences: looking for something in them, parts of
 * them, putting them together. Each is work (object/work.h): begun here, done by
 * hd_work_step.
 *
 * Indices and bounds are Python's. A struct hd_range is what stands between the
 * brackets: any part may be left out, and numbers too large for a sequence are
 * clipped as Python clips them.
 */
#ifndef HEAPD_OBJECT_SEQUENCE_H
#define HEAPD_OBJECT_SEQUENCE_H

#include "object/compare.h"
#include "object/object.h"
#include "object/work.h"

/* HD_ABSENT and HD_NONE: left out. */
struct hd_range {
    hd_value start;
    hd_value stop;
    hd_value step;
};

/* The positions that a range means in a sequence of a length: start, start + step, ... `count` of them. */
struct hd_indices {
    int64_t start;
    int64_t stop; /* as Python's slice.indices has it */
    int64_t step;
    uint32_t count;
};

/* HD_ETYPE: not an int, bool or none. HD_EVALUE: a step of 0. */
int hd_range_resolve(const struct hd_objects *objects, const struct hd_range *range, uint32_t length,
                     struct hd_indices *out) HD_MUST_USE;

/* ---- iteration ------------------------------------------------------------ */

/* Can it be gone through: list, tuple, set, dict (its keys), str (its characters), bytes (its ints)? */
bool hd_is_iterable(const struct hd_objects *objects, hd_value value);
/*
 * The element at *position (0 to begin), which then is that of the next one; false
 * behind the last. Borrowed; characters and ints are inline.
 */
bool hd_iterate(const struct hd_objects *objects, hd_value container, uint32_t *position, hd_value *out);

/* ---- looking for (search.c) ----------------------------------------------- */

/* Numbers of heapd.v1.Search. */
enum hd_search_mode {
    HD_SEARCH_INDEX = 1,       /* number: the first position; HD_EVALUE if there is none */
    HD_SEARCH_FIND = 2,        /* number: the first position, or -1 */
    HD_SEARCH_LAST = 3,        /* number: the last position, or -1; str and bytes only */
    HD_SEARCH_COUNT = 4,       /* number: how many; of str and bytes those that do not overlap */
    HD_SEARCH_CONTAINS = 5,    /* truth */
    HD_SEARCH_STARTS_WITH = 6, /* truth; str and bytes only */
    HD_SEARCH_ENDS_WITH = 7,   /* truth; str and bytes only */
    HD_SEARCH_REMOVE = 8,      /* of a list: takes the first one out; HD_EVALUE if there is none */
};

struct hd_search {
    struct hd_work work;
    struct hd_comparer comparer;
    struct hd_sparse read; /* containers that comparing has looked at, beside the one that is searched */
    enum hd_search_mode mode;
    uint32_t begin; /* positions of elements; in a str or bytes, of bytes */
    uint32_t stop;
    uint32_t position; /* what is left to look through: up to before end */
    uint32_t end;
    uint32_t found;
};

/*
 * Looks for an element of a list or tuple, or a part of a str or bytes, from `start`
 * to before `stop` (clipped as in a range; range->step is of no meaning). HD_ETYPE:
 * no such search in this type, or nothing that can be a part of it.
 */
int hd_search_begin(struct hd_objects *objects, hd_value object, enum hd_search_mode mode, hd_value what,
                    const struct hd_range *range, struct hd_search *out) HD_MUST_USE;

#endif
