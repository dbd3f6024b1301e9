/*
 * Going through what any container has, one after the other.
 *
 * A source is a place in a container; it holds nothing. It stays good while the
 * container does not change: whoever goes on later watches it, or asks for its
 * version.
 */
#ifndef HEAPD_OBJECT_SOURCE_H
#define HEAPD_OBJECT_SOURCE_H

#include "object/object.h"

/* Numbers of heapd.v1.View. */
enum hd_view {
    HD_VIEW_KEYS = 1, /* of what has no keys: its elements */
    HD_VIEW_VALUES = 2,
    HD_VIEW_ITEMS = 3,
};

struct hd_source {
    hd_value container; /* borrow */
    bool reversed;
    uint32_t position; /* how far it has come */
    uint32_t from;     /* of a sequence backward: its length when that began */
};

/*
 * list, tuple, dict, set, frozenset, instance (attributes), class (its own
 * attributes), scope (names), str (code points), bytes (ints). HD_ETYPE: no such, or
 * a view that it does not have, or, reversed, what is not a list, tuple or dict.
 */
int hd_source_begin(const struct hd_objects *objects, hd_value container, enum hd_view view, bool reversed,
                    struct hd_source *out) HD_MUST_USE;
/*
 * The next one, borrowed or inline; false at the end. second: the value of a dict's
 * key or an attribute's name, else HD_ABSENT.
 */
bool hd_source_next(const struct hd_objects *objects, struct hd_source *source, hd_value *first, hd_value *second);
/* How many there are. O(size) for a str. */
uint64_t hd_source_length(struct hd_objects *objects, hd_value container);
/* Another number when elements came or went since; lists and what never changes have always 0. */
uint64_t hd_source_version(const struct hd_objects *objects, hd_value container);

#endif
