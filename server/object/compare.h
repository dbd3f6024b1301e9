/*
 * Comparing any two values, as Python compares them.
 *
 * Numbers by value (1 == 1.0 == True), str by code points, bytes by bytes, lists
 * and tuples element by element, dicts by their items, sets by their elements and,
 * with an order, as subsets; anything else by identity. What has no order is
 * HD_ETYPE. Inside of containers the same object is equal to itself, be it a NaN.
 *
 * Nothing recurses: a comparer has a stack of its own, and goes on in slices. Where
 * Python would never come to an end, because the same two objects are being compared
 * already, it gives HD_ERECURSION; any other depth is only a matter of memory.
 */
#ifndef HEAPD_OBJECT_COMPARE_H
#define HEAPD_OBJECT_COMPARE_H

#include "object/object.h"
#include "object/sparse.h"
#include "object/work.h"

/* Numbers of heapd.v1.Relation. */
enum hd_relation {
    HD_EQUAL = 1,
    HD_NOT_EQUAL = 2,
    HD_LESS = 3,
    HD_LESS_OR_EQUAL = 4,
    HD_GREATER = 5,
    HD_GREATER_OR_EQUAL = 6,
    HD_IDENTICAL = 7,
};

struct hd_compare_frame {
    hd_value left; /* borrow: reached from what is compared, which must not change */
    hd_value right;
    uint32_t position;
    bool asked; /* the pair at position was handed down and its answer comes back */
};

struct hd_comparer {
    struct hd_objects *objects;
    enum hd_relation relation; /* of the frame at the bottom, which may not be HD_IDENTICAL; all others: HD_EQUAL */
    bool active;               /* begun and without an answer yet */
    bool truth;                /* the answer */
    struct hd_compare_frame *frames; /* own */
    size_t depth;
    size_t capacity;
    /* A pair that was met going down: if it comes again above itself, there is no end. */
    hd_value mark_left, mark_right;
    size_t mark_depth;      /* 0: none */
    size_t mark_next;       /* the depth at which another is taken */
    struct hd_sparse *read; /* borrow; NULL: what is read need not be known. Containers that were looked at */
    struct hd_work *reader; /* borrow; with read */
};

void hd_comparer_init(struct hd_comparer *comparer, struct hd_objects *objects);
void hd_comparer_fini(struct hd_comparer *comparer);
/*
 * Compares for at most about *units, which go down; 1: comparer->truth is the answer;
 * 0: call it again, with the same values. `shortcut`: the same object is equal
 * whatever it is, as between elements. HD_ETYPE, HD_ERECURSION, HD_ENOMEM (to be
 * called again, or given up by hd_comparer_reset), errors of hd_key_hash.
 */
int hd_comparer_run(struct hd_comparer *comparer, hd_value left, hd_value right, enum hd_relation relation,
                    bool shortcut, uint64_t *units) HD_MUST_USE;
/* Forgets a comparison that has no answer yet. */
void hd_comparer_reset(struct hd_comparer *comparer);

/* Which of two numbers, str or bytes comes first: -1, 0, 1; 2: none, one is a NaN. HD_ETYPE: they have no order. */
int hd_order(struct hd_objects *objects, hd_value left, hd_value right, int *out) HD_MUST_USE;

struct hd_compare {
    struct hd_work work; /* truth */
    struct hd_comparer comparer;
    struct hd_sparse read;
    enum hd_relation relation;
};

/* HD_EINVALID: no such relation. */
int hd_compare_begin(struct hd_objects *objects, hd_value left, enum hd_relation relation, hd_value right,
                     struct hd_compare *out) HD_MUST_USE;

#endif
