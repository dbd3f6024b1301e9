/*
 * Set algebra, and dicts out of dicts: work in slices over any number of sources.
 *
 * What is made is made aside. In place of a change, a target gets it by an exchange
 * in the last step, so that nobody ever sees a part of it; unless what comes is
 * little, which is first looked up, with room made for it, and then put in at once.
 * So the cost of a small change is in proportion to the change, and of a large one
 * to what comes out.
 *
 * A source that changes meanwhile ends the work with HD_ECHANGED. A target that does
 * makes it begin again, and the third time it is done in one go.
 */
#ifndef HEAPD_OBJECT_COMBINE_H
#define HEAPD_OBJECT_COMBINE_H

#include "object/object.h"
#include "object/source.h"
#include "object/work.h"

/* Numbers of heapd.v1.SetOperation. */
enum hd_set_operation {
    HD_SET_UNION = 1,
    HD_SET_INTERSECTION = 2,
    HD_SET_DIFFERENCE = 3,
    HD_SET_SYMMETRIC_DIFFERENCE = 4,
};

/* Numbers of heapd.v1.SetRelation. */
enum hd_set_relation {
    HD_SET_EQUAL = 1,
    HD_SET_NOT_EQUAL = 2,
    HD_SET_SUBSET = 3,
    HD_SET_PROPER_SUBSET = 4,
    HD_SET_SUPERSET = 5,
    HD_SET_PROPER_SUPERSET = 6,
    HD_SET_DISJOINT = 7,
};

#define HD_COMBINE_OTHERS_MAX 64
/* Entries that are put into a target at once. */
#define HD_COMBINE_AT_ONCE 2048
/* Up to so many, too, rather than copy a target that has HD_COMBINE_SHARE times as many: some milliseconds. */
#define HD_COMBINE_RATHER 16384
#define HD_COMBINE_SHARE 8

enum hd_combine_action {
    HD_COMBINE_ADD,           /* to the result */
    HD_COMBINE_COPY,          /* the same, of what has no two equal ones, to an empty result */
    HD_COMBINE_ADD_IF_IN,     /* those that are in the filter */
    HD_COMBINE_ADD_IF_NOT_IN, /* those that are not */
    HD_COMBINE_DISCARD,       /* from the result */
    HD_COMBINE_ALL_IN,        /* is each of them in the filter? */
    HD_COMBINE_NONE_IN,       /* is none of them? */
};

struct hd_combine {
    struct hd_work work; /* value: what was made; truth: of a relation */
    enum hd_set_operation operation;
    enum hd_set_relation relation; /* 0: not asked for one */
    bool is_dict;
    bool in_place;
    bool joins; /* the last stage is over: what is aside goes into the target */
    unsigned stage;
    uint32_t count; /* of the others */
    bool running;
    enum hd_combine_action action;
    struct hd_source source;
    hd_value filter; /* borrow */
    unsigned attempts;
    struct hd_watcher target;
};

/*
 * set: a set or frozenset; the result is of its type, or in place (a set). others: a
 * tuple of what is combined with it, in turn; anything that can be gone through, or,
 * `strict`, sets and frozensets alone, as operators want them. HD_ETYPE, HD_ELIMIT
 * (more than HD_COMBINE_OTHERS_MAX), HD_EINVALID (no such operation, or not one other).
 */
int hd_combine_begin(struct hd_objects *objects, hd_value set, enum hd_set_operation operation, hd_value others,
                     bool strict, bool in_place, struct hd_combine *out) HD_MUST_USE;
/* Asks for a relation of a set to another, or, unless strict, to anything that can be gone through. */
int hd_relate_begin(struct hd_objects *objects, hd_value set, enum hd_set_relation relation, hd_value other,
                    bool strict, struct hd_combine *out) HD_MUST_USE;
/*
 * A dict with what the others have in turn: dicts, or, unless strict, whatever has pairs.
 * The steps give HD_ETYPE (what is no pair), HD_EVALUE (a pair not of two).
 */
int hd_merge_begin(struct hd_objects *objects, hd_value dict, hd_value others, bool strict, bool in_place,
                   struct hd_combine *out) HD_MUST_USE;

/*
 * Puts one entry into a table (dict: key and value, borrowed; a set: key alone), as
 * dict.update and set.add do. is_new: it is known not to be there.
 */
int hd_table_put(struct hd_objects *objects, hd_value table, struct hd_key *key, hd_value value,
                 bool is_new) HD_MUST_USE;
/* The two elements of a pair, borrowed; HD_ETYPE, HD_EVALUE. */
int hd_pair_of(struct hd_objects *objects, hd_value pair, hd_value *first, hd_value *second) HD_MUST_USE;

#endif
