/*
 * Weak and soft references.
 *
 * A weak reference leads to an object and does not keep it. When the object's last
 * counted reference goes, or a collection finds it unreachable, the weak reference
 * is cleared before anything of the object is taken apart, and from then on leads
 * nowhere. There is one for each object, shared by all who ask, as CPython shares
 * those without a callback.
 *
 *   - Of a full collection, all that it found unreachable is gone in the moment in
 *     which marking ends, however many slices the clearing takes afterwards.
 *   - While it marks, whoever follows a weak reference keeps the object.
 *   - They are cleared in the order in which counting brings objects to zero, or in
 *     which the collector lists its garbage: the same for the same inputs.
 *
 * An object that has one has HD_STATE_WEAK, and an entry in a side table; others pay
 * nothing.
 *
 * A soft reference keeps its object until memory runs short; then those that were
 * not asked for longest lose theirs first. All of a heap stand in one list.
 */
#ifndef HEAPD_OBJECT_REFERENCES_H
#define HEAPD_OBJECT_REFERENCES_H

#include "object/object.h"

/* To the weak reference of an object, made if there is none. HD_ETYPE (no object: an inline value), HD_ENOMEM. */
int hd_weak_new(struct hd_objects *objects, hd_value target, hd_value *out) HD_MUST_USE;
/* The object, borrowed, or HD_ABSENT. Does not keep it: for looks within one call. */
hd_value hd_weak_peek(const struct hd_objects *objects, hd_value weak);
/* The object as a new reference, or HD_ABSENT. */
hd_value hd_weak_get(struct hd_objects *objects, hd_value weak);
/* The weak reference of an object, borrowed, or HD_ABSENT. */
hd_value hd_weak_of(const struct hd_objects *objects, hd_value target);

/*
 * Who else wants to know that an object with HD_STATE_WEAK goes: called once its weak
 * reference is cleared, before it is taken apart; it must neither allocate nor release.
 * Such an object keeps the bit when its weak reference dies.
 */
void hd_objects_on_gone(struct hd_objects *objects, void (*gone)(void *context, uint32_t index), void *context);

/* Gives an object HD_STATE_WEAK. */
void hd_objects_tell_gone(struct hd_objects *objects, uint32_t index);

/* value: any (borrow). HD_ENOMEM. */
int hd_soft_new(struct hd_objects *objects, hd_value value, hd_value *out) HD_MUST_USE;
/* The value as a new reference, or HD_ABSENT; and is now the one used last. */
hd_value hd_soft_get(struct hd_objects *objects, hd_value soft);
/* The value, borrowed, or HD_ABSENT; changes nothing. */
hd_value hd_soft_peek(const struct hd_objects *objects, hd_value soft);

/*
 * For when memory runs short, at a safe point: lets go of what was not used longest,
 * and takes it apart, until objects of about `bytes_wanted` came back or `units` are
 * used up. What others hold too is passed over, since that brings nothing back, unless
 * nothing else is left. Returns how many lost their object; 0: there is nothing to gain.
 */
uint64_t hd_softs_evict(struct hd_objects *objects, uint64_t bytes_wanted, uint64_t units);

/* NULL or a broken invariant of the side table or the list. O(table). */
const char *hd_references_check(struct hd_objects *objects);
void hd_references_fini(struct hd_objects *objects);

#endif
