/* New containers out of what another one has, in slices: list(x), tuple(d.values()), dict(pairs), dict.fromkeys(x). */
#ifndef HEAPD_OBJECT_GATHER_H
#define HEAPD_OBJECT_GATHER_H

#include "object/object.h"
#include "object/source.h"
#include "object/work.h"

struct hd_gather {
    struct hd_work work; /* value: what was made */
    enum hd_kind_of_value kind;
    enum hd_view view;
    struct hd_source source;
    uint32_t count; /* of a tuple: elements that are there */
    bool from_keys;
};

/*
 * kind: HD_IS_LIST, TUPLE, SET, FROZENSET, or DICT (of a dict, or of pairs). HD_ETYPE as hd_source_begin, HD_EINVALID:
 * another kind. The steps give HD_EUNHASHABLE and hd_pair_of's errors, HD_ECHANGED, HD_ETOO_LARGE, HD_ENOMEM.
 */
int hd_gather_begin(struct hd_objects *objects, hd_value source, enum hd_view view, bool reversed,
                    enum hd_kind_of_value kind, struct hd_gather *out) HD_MUST_USE;
/* A dict of the source's elements, each with this one value (borrow). */
int hd_from_keys_begin(struct hd_objects *objects, hd_value source, hd_value value, struct hd_gather *out) HD_MUST_USE;

#endif
