/*
 * Asking for memory ahead: the cache lines that an access to an item will read.
 *
 * In a heap larger than the caches, most of the time of a small request is waiting
 * for memory, some five times one after the other: the object's table entry, its
 * payload, the slot of the index, the entry, the key's table entry, the key. Whoever
 * knows several requests ahead takes one step for each of them in turn, so that
 * their waits overlap. A step reads what the one before it asked for, and asks for
 * what that leads to. Nothing changes but the caches, and nothing is promised: a
 * request that ran in between may have changed what another will find.
 */
#ifndef HEAPD_OBJECT_PREFETCH_H
#define HEAPD_OBJECT_PREFETCH_H

#include "object/object.h"

struct hd_prefetch {
    hd_value object;    /* borrow; a reference */
    struct hd_key key;  /* of the item; its hash is computed on the way */
    bool has_key;       /* false: it is about the object itself, or about its end */
    bool is_known;      /* the object and its payload were asked for already */
    const hd_value *at; /* what was asked for in the last step */
};

/* Takes all steps for `count` of them; the array of pointers is used up. */
void hd_prefetch_all(struct hd_objects *objects, struct hd_prefetch **wanted, unsigned count);

#endif
