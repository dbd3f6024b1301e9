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

/* One part of it, clipped to 64 bits. HD_ETYPE. */
int hd_range_bound(const struct hd_objects *objects, hd_value value, bool *left_out, int64_t *out) HD_MUST_USE;
/* How often: an int or bool, 0 if negative. HD_ETYPE, HD_EOVERFLOW. */
int hd_times_of(const struct hd_objects *objects, hd_value times, uint64_t *out) HD_MUST_USE;

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
    HD_SEARCH_ADD = 9,         /* of a list: appends it if there is none. truth: it was appended */
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

/* ---- characters of a str (length.c) --------------------------------------- */

struct hd_count {
    struct hd_work work;
    size_t position; /* bytes that were looked at */
};

/* Counts the characters of a str, which must be one. The outcome is number. */
void hd_count_begin(struct hd_objects *objects, hd_value str, struct hd_count *out);

/* ---- new ones out of old ones (join.c, text.c) ---------------------------- */

/* Of lists and tuples, and of str and bytes, which have their own fields. The outcome is value. */
struct hd_join {
    struct hd_work work;
    bool list;
    int64_t next; /* position in the first source */
    int64_t step;
    uint32_t left;     /* elements still to come from this source, this time */
    uint32_t length;   /* of the first source, for the next time */
    uint64_t times;    /* how often it comes after this time */
    bool second;       /* then the second source, once */
    uint32_t capacity; /* of what is made */
};

struct hd_text_join {
    struct hd_work work;
    struct hd_range range; /* own; of a slice */
    int phase;
    size_t at;       /* byte where it stands in the source */
    uint64_t number; /* character that begins there */
    uint64_t length; /* of the source, in characters */
    struct hd_indices indices;
    uint32_t taken; /* characters of the slice that were passed */
    size_t size;    /* bytes of what is made */
    size_t filled;
    size_t source_size;
    uint64_t times;
    bool counted;     /* its size is known; now it is filled */
    uint8_t small[8]; /* what fits a word */
};

union hd_make {
    struct hd_work work;
    struct hd_join join;
    struct hd_text_join text;
};

/* object[range], of the object's type. HD_ETYPE: nothing to slice, or no range; HD_EVALUE: a step of 0. */
int hd_get_slice_begin(struct hd_objects *objects, hd_value object, const struct hd_range *range,
                       union hd_make *out) HD_MUST_USE;
/* left + right, two of one type. HD_ETYPE; HD_ETOO_LARGE. */
int hd_concat_begin(struct hd_objects *objects, hd_value left, hd_value right, union hd_make *out) HD_MUST_USE;
/* object * times. HD_ETYPE; HD_EOVERFLOW: no index is that large; HD_ETOO_LARGE. */
int hd_repeat_begin(struct hd_objects *objects, hd_value object, hd_value times, union hd_make *out) HD_MUST_USE;

/*
 * Has adding or taking out an element at a position to move so many that it is to be
 * done in slices (hd_insert_begin, hd_pop_begin)?
 */
bool hd_list_moves_much(const struct hd_objects *objects, hd_value list, int64_t index, bool insert);

/* For join.c: the part of them that is about str and bytes. */
int hd_text_slice(struct hd_objects *objects, hd_value object, const struct hd_range *range,
                  struct hd_text_join *out) HD_MUST_USE;
int hd_text_concat(struct hd_objects *objects, hd_value left, hd_value right, struct hd_text_join *out) HD_MUST_USE;
int hd_text_repeat(struct hd_objects *objects, hd_value object, uint64_t times, struct hd_text_join *out) HD_MUST_USE;

/* ---- changing a list (splice.c) ------------------------------------------- */

struct hd_splice {
    struct hd_work work;
    struct hd_indices indices; /* what is replaced: of a step other than 1, each element by one */
    uint64_t times;            /* how often the source is still to be gone through */
    uint32_t position;         /* in the source */
    bool exact;                /* as many new elements as old ones */
    bool reversed;
    int phase;
    uint32_t done;       /* words of the phase */
    hd_value *block;     /* own, scratch: the list's payload to come */
    hd_value *removed;   /* own, scratch: a payload with what is taken out, for held[2] */
    uint32_t block_head; /* free room in front in it */
};

/* list[range] = each of values. HD_ETYPE: no list, no range, nothing to go through; HD_EVALUE: step 0, another number.
 */
int hd_set_slice_begin(struct hd_objects *objects, hd_value list, const struct hd_range *range, hd_value values,
                       struct hd_splice *out) HD_MUST_USE;
int hd_delete_slice_begin(struct hd_objects *objects, hd_value list, const struct hd_range *range,
                          struct hd_splice *out) HD_MUST_USE;
/* list += values, each element of whatever can be gone through. */
int hd_extend_begin(struct hd_objects *objects, hd_value list, hd_value values, struct hd_splice *out) HD_MUST_USE;
/* list *= times. HD_EOVERFLOW, HD_ETOO_LARGE. */
int hd_repeat_in_place_begin(struct hd_objects *objects, hd_value list, hd_value times,
                             struct hd_splice *out) HD_MUST_USE;
int hd_reverse_begin(struct hd_objects *objects, hd_value list, struct hd_splice *out) HD_MUST_USE;
/* As hd_list_insert and hd_list_pop (value is what is taken out), for a list that is long: hd_list_moves_much. */
int hd_insert_begin(struct hd_objects *objects, hd_value list, int64_t index, hd_value value,
                    struct hd_splice *out) HD_MUST_USE;
int hd_pop_begin(struct hd_objects *objects, hd_value list, int64_t index, struct hd_splice *out) HD_MUST_USE;

/* ---- sorting (sort.c) ----------------------------------------------------- */

struct hd_sort {
    struct hd_work work;
    struct hd_comparer comparer;
    struct hd_sparse read;
    bool reverse;
    int phase;
    uint32_t length;
    hd_value *words; /* own, scratch: a payload with the order to come */
    hd_value *spare; /* own, scratch: half as many words */
    uint32_t done;
    /* The run that is being found, or put together by insertion. */
    uint32_t from, to, low, high, want;
    bool descending;
    /* Runs that wait to be merged. */
    struct {
        uint32_t from, length;
    } runs[64];
    unsigned run_count;
    /* The merge under way: of words[from, middle) and words[middle, to). */
    uint32_t middle, spare_length, i, j, k;
};

/*
 * Sorts a list by its elements' order, stable. HD_ETYPE if two of them have none, and
 * nothing has changed then. Elements of which some are not in order with all others
 * (NaN, sets) end up in an order that is not specified.
 */
int hd_sort_begin(struct hd_objects *objects, hd_value list, bool reverse, struct hd_sort *out) HD_MUST_USE;

/* ---- copying (copy.c) ----------------------------------------------------- */

struct hd_copy_frame;

struct hd_copy {
    struct hd_work work;          /* value: the copy */
    struct hd_sparse made;        /* by the index of an original, the word of its copy */
    struct hd_copy_frame *frames; /* own */
    size_t depth;
    size_t capacity;
    bool deep;
    bool begun;
};

/*
 * copy.copy and copy.deepcopy: what cannot change is shared, circles and shared parts
 * stay what they are. HD_ETYPE: of what is no data (a scope).
 */
int hd_copy_begin(struct hd_objects *objects, hd_value object, bool deep, struct hd_copy *out) HD_MUST_USE;

#endif
