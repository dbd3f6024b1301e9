/*
 * Work that may be long, done in slices: sorting, comparing, copying, whatever
 * goes through as many elements as there are.
 *
 * A kind of work embeds struct hd_work first and has a function that begins it in
 * the caller's storage. Then
 *
 *     int result = hd_work_step(&sort.work, units);      1: done; 0: there is more; else an error
 *
 * and, if there is more and somebody else is to run meanwhile, hd_work_keep once,
 * after which it stays where it is: its values are roots, and what it reads is
 * watched. If that changes, the next step gives HD_ECHANGED. In the end, whatever
 * came out, hd_work_fini.
 *
 * What a kind promises:
 *   - Nothing that anybody can see changes before the step that gives 1; that step
 *     makes the change in time that does not depend on the size.
 *   - Whatever a step needs between steps lies in `held` (counted references, roots)
 *     or in memory of its own, without references that are counted. No pointer into
 *     a payload is kept from one step to the next.
 *   - After HD_ENOMEM the step may be called again and goes on where it was; after
 *     another error only fini.
 *   - Before hd_work_keep it may be moved (memcpy): nothing points into it.
 *
 * rpc/work.c makes a request of any kind of work.
 */
#ifndef HEAPD_OBJECT_WORK_H
#define HEAPD_OBJECT_WORK_H

#include "object/object.h"

struct hd_work;

struct hd_work_kind {
    size_t bytes; /* of the struct that embeds the work */
    /* Does about `units`; 1: done, with its outcome in the work; 0: there is more; or an error. */
    int (*step)(struct hd_work *work, uint64_t units);
    /* Others will run between steps from now on. May be NULL. */
    void (*keep)(struct hd_work *work);
    /* Was the object read? Asked when a marked one changes. NULL: what `watched` says, and no other. */
    bool (*covers)(const struct hd_work *work, uint32_t index);
    /* Frees what it has beside `held`. May be NULL. */
    void (*fini)(struct hd_work *work);
};

#define HD_WORK_HELD_MAX 4

struct hd_work {
    const struct hd_work_kind *kind;
    struct hd_objects *objects;
    hd_value held[HD_WORK_HELD_MAX]; /* own, or HD_ABSENT */
    unsigned watched;                /* bit i: held[i] must stay as it is */
    bool kept;
    /* The outcome, as the kind says. */
    bool truth;
    int64_t number;
    hd_value value; /* own; a root */
    struct hd_root_source roots;
    struct hd_watcher watcher;
};

/* For the kinds: everything but the kind and the objects is nothing yet. */
void hd_work_init(struct hd_work *work, const struct hd_work_kind *kind, struct hd_objects *objects);
/* Holds one more reference at a place of `held`. */
void hd_work_hold(struct hd_work *work, unsigned place, hd_value value, bool watched);
/* Marks an object that was read, of a kind that has `covers`; only once the work is kept. */
void hd_work_read(struct hd_work *work, uint32_t index);

int hd_work_step(struct hd_work *work, uint64_t units) HD_MUST_USE;
/* All of it in one go: 0 or an error. For tests, and where the work is known to be little. */
int hd_work_finish(struct hd_work *work) HD_MUST_USE;
void hd_work_keep(struct hd_work *work);
void hd_work_fini(struct hd_work *work);
/* Hands the value out; the caller owns it. */
hd_value hd_work_take_value(struct hd_work *work);

/*
 * Memory for words that are not references yet: charged to the heap, and given
 * back in slices if it is large. NULL.
 */
hd_value *hd_scratch_new(struct hd_objects *objects, size_t count);
void hd_scratch_free(struct hd_objects *objects, hd_value *words);

/* Units that a step has used: a unit is some tens of nanoseconds. */
#define HD_WORK_WORDS_PER_UNIT 8   /* words moved in order */
#define HD_WORK_RETAINS_PER_UNIT 4 /* and counted */

#endif
