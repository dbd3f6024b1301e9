/*
 * Undoing changes of objects: what a batch needs to be all or nothing.
 *
 * While an undo log is open (objects->undo), every function that changes a list,
 * dict, set, instance, class or scope's names notes what it did, and keeps what it
 * took out. Rolling back goes through the notes from the last to the first, so each
 * finds things as its change left them; it allocates nothing and cannot fail. For
 * that, lists and hash tables give no room back and move no entries meanwhile
 * (hd_undo_is_open): an element that was taken out has its place left.
 *
 * A function that cannot be undone is not to be called meanwhile: sorting,
 * changing slices, queues, locks. No safe point comes while a log is open (R3).
 */
#ifndef HEAPD_OBJECT_UNDO_H
#define HEAPD_OBJECT_UNDO_H

#include "object/object.h"

enum hd_undo_kind {
    HD_UNDO_WORD,     /* a word of a list, dict or instance was overwritten: position, value */
    HD_UNDO_ADDED,    /* an entry was put at the end of a hash table: hash */
    HD_UNDO_TAKEN,    /* an entry was taken out: position, hash, key, value */
    HD_UNDO_INSERTED, /* an element was put into a list: position */
    HD_UNDO_POPPED,   /* an element was taken out of a list: position, value */
    HD_UNDO_CLEARED,  /* the contents went to another object: value */
};

struct hd_undo_note {
    hd_value owner; /* own */
    hd_value key;   /* own, or HD_ABSENT */
    hd_value value; /* likewise */
    uint32_t position;
    uint32_t hash;
    uint8_t kind;
};

struct hd_undo {
    struct hd_undo_note *notes; /* own */
    uint32_t count;
    uint32_t capacity;
    bool rolling_back; /* nothing is noted */
};

/* Opens a log. Nothing else is open. */
void hd_undo_open(struct hd_objects *objects, struct hd_undo *undo);
/* All changes stay. Closes it. */
void hd_undo_commit(struct hd_objects *objects);
/* All is as it was when it was opened. Closes it. */
void hd_undo_roll_back(struct hd_objects *objects);

static inline bool hd_undo_is_open(const struct hd_objects *objects)
{
    return __builtin_expect(objects->undo != NULL, 0);
}

/* For those who change things: room for one note, before anything is changed. HD_ENOMEM. */
int hd_undo_make_room(struct hd_objects *objects) HD_MUST_USE;
static inline int hd_undo_prepare(struct hd_objects *objects)
{
    return hd_undo_is_open(objects) ? hd_undo_make_room(objects) : 0;
}
/* Notes a change, after hd_undo_prepare; does nothing without a log. Borrows: what it keeps, it retains. */
void hd_undo_add(struct hd_objects *objects, const struct hd_undo_note *note);
static inline void hd_undo_note(struct hd_objects *objects, const struct hd_undo_note *note)
{
    if (hd_undo_is_open(objects))
        hd_undo_add(objects, note);
}

#endif
