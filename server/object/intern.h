/*
 * Interned str: of equal ones, the one that all share (sys.intern).
 *
 * Mortal, as CPython's are: being interned keeps nothing alive, and the entry goes
 * with the string's last reference (through HD_STATE_WEAK, as a weak reference is
 * cleared). An entry may also be held: the table has a reference of its own then,
 * and is a root, until it is told to let go.
 *
 * Strings of up to seven bytes lie in the word and are all the same anyway.
 *
 * A hash table with linear probing. While it grows, or shrinks, the old one stands
 * beside it and each insertion moves a few entries, so none takes long.
 *
 *     count == entries in both;  used == slots of `slots` that are not empty, graves among them
 *     a slot with an identity: its object lives, is a str, and has HD_STATE_WEAK
 *     held_count == entries that are held
 */
#ifndef HEAPD_OBJECT_INTERN_H
#define HEAPD_OBJECT_INTERN_H

#include "object/object.h"

/* To find the entry of a string that dies it is hashed once more: not of a megabyte. */
#define HD_INTERN_MAX_BYTES ((size_t)64 << 10)

/*
 * The str that stands for all that equal the key, as a new reference: the one that is interned, or else this one, or
 * one made of the key's bytes. hold: and it is kept until hd_intern_let_go. HD_ETYPE: no str; HD_ETOO_LARGE: longer
 * than HD_INTERN_MAX_BYTES; HD_ENOMEM.
 */
int hd_intern(struct hd_objects *objects, struct hd_key *key, bool hold, hd_value *out) HD_MUST_USE;
/* Is it this very object that is interned? Those that lie in the word are. */
bool hd_is_interned(struct hd_objects *objects, hd_value value);
/* *out: it was held, and is no longer. Errors as of hd_intern. */
int hd_intern_let_go(struct hd_objects *objects, struct hd_key *key, bool *out) HD_MUST_USE;

/* An object with HD_STATE_WEAK goes: it may be one of these. */
void hd_intern_gone(struct hd_objects *objects, uint32_t index);
/* NULL or a broken invariant. */
const char *hd_intern_check(struct hd_objects *objects);
void hd_intern_fini(struct hd_objects *objects);

#endif
