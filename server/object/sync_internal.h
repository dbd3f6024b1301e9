/* What the files of coordination share: how the objects lie in memory, lines, holds. For this folder only. */
#ifndef HEAPD_OBJECT_SYNC_INTERNAL_H
#define HEAPD_OBJECT_SYNC_INTERNAL_H

#include "object/payload.h"
#include "object/sync.h"

/*
 * Waiters in order of arrival. They know the object by its value, never by address:
 * payloads move, waiters do not.
 */
struct hd_line {
    struct hd_sync_waiter *first;
    struct hd_sync_waiter *last;
    uint64_t length;
    struct hd_cohort *cohort; /* of all in line, where all can be woken at once; else NULL */
};

/*
 * Those who are in line together, so that any number of them is woken in one step: the
 * line is hung behind the outbox, or a condition's behind its lock's, and each
 * waiter learns of it when it is looked at (hd_sync_waiter.cohort).
 */
struct hd_cohort {
    uint64_t count; /* of waiters that know of it; the last one frees it */
    bool is_woken;
    int error;
};

/*
 * What a party holds of an object: a lock, or units of a semaphore. In memory of
 * its own, since it is in a list of the party's. Made before it is needed, so
 * that giving needs no memory.
 */
struct hd_hold {
    struct hd_hold *all_next; /* of all there are, since a heap is freed without looking at its objects */
    struct hd_hold *all_previous;
    struct hd_party *party; /* NULL: nobody, or one that said goodbye with it */
    struct hd_hold *next;   /* of the party */
    struct hd_hold *previous;
    struct hd_hold *next_holder; /* of a semaphore, oldest first */
    struct hd_hold *previous_holder;
    uint32_t object; /* its index */
    uint64_t thread;
    uint64_t count; /* how often; 0: it is not held */
};

/* Lock and rlock. The hold is there as long as the lock is. */
struct hd_lock {
    uint32_t abandoned; /* to be told to the next holder */
    uint32_t gc_link;
    struct hd_hold *hold;          /* own */
    struct hd_sync_waiter *untold; /* the holder, while it was not told */
    struct hd_line line;
};

/* value + the units of all holders == level, which only those can change who hold none. */
struct hd_semaphore {
    uint8_t bounded;
    uint8_t abandoned;
    uint32_t gc_link;
    uint64_t value;
    uint64_t initial;
    struct hd_hold *first; /* own: holders */
    struct hd_hold *last;
    struct hd_line line;
};

struct hd_condition {
    uint32_t unused;
    uint32_t gc_link;
    hd_value lock;
    struct hd_line line;
};

struct hd_event {
    uint32_t is_set;
    uint32_t gc_link;
    struct hd_line line;
};

struct hd_barrier {
    uint32_t parties;
    uint32_t gc_link;
    uint32_t broken;
    struct hd_line line;
};

/* Of the first `capacity` places of a ring, place i is what place (i + by) % capacity was before. */
struct hd_queue_turn {
    uint32_t capacity;
    uint32_t by;
};
/* Each is for a capacity of its own, and capacities double. */
#define HD_QUEUE_TURNS_MAX 32

/*
 * A ring. Words that hold no item are absent, so that all of them can be shown to
 * the collector and an item keeps its place while it is in.
 *
 * Where items went round the end of a large ring that grows, none is moved: what was
 * the ring is turned, so that its first item is in its first place, and the new room
 * follows the last. Which word a place is follows from the turns; there are none
 * once the queue was empty.
 *
 *     length + untold_count <= capacity: what was given and not told has room to come back
 */
struct hd_queue {
    uint32_t length;
    uint32_t gc_link;
    uint32_t head;
    uint32_t capacity;
    uint64_t untold_count;
    uint64_t maximum; /* 0: none */
    uint64_t unfinished;
    struct hd_line getters;
    struct hd_line putters;
    struct hd_line joiners;
    struct hd_queue_turn *turns; /* own: HD_QUEUE_TURNS_MAX, or NULL */
    uint32_t turn_count;
    hd_value items[];
};

extern const struct hd_type_ops hd_queue_ops, hd_lock_ops, hd_rlock_ops, hd_semaphore_ops, hd_condition_ops,
    hd_event_ops, hd_barrier_ops;

static inline void *hd_sync_payload(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

/* NULL, or what is wrong with its ring (queue.c). */
const char *hd_queue_check_ring(const struct hd_queue *queue);

/* ---- lines (sync.c) ---- */

/* Before the first of a line that is woken as a whole gets in: HD_ENOMEM. */
int hd_line_prepare(struct hd_objects *objects, struct hd_line *line) HD_MUST_USE;
void hd_line_append(struct hd_line *line, struct hd_sync_waiter *waiter);
void hd_line_remove(struct hd_line *line, struct hd_sync_waiter *waiter);
/* Out of the line, into the outbox, with how it ended. */
void hd_line_wake(struct hd_line *line, struct hd_sync_waiter *waiter, int error);
/* All of them, of a prepared line. Its cost does not depend on how many they are. */
void hd_line_wake_all(struct hd_line *line, int error);
/* A condition's line gets behind its lock's, all of them notified; likewise. */
void hd_line_notify_all(struct hd_line *line, struct hd_line *lock_line);
/* What is wrong with it, or NULL. */
const char *hd_line_check(const struct hd_line *line);

/* ---- holds (sync.c) ---- */

struct hd_hold *hd_hold_new(struct hd_objects *objects);
/* Takes NULL. */
void hd_hold_free(struct hd_objects *objects, struct hd_hold *hold);
/* The party holds it; count is the caller's affair. */
void hd_hold_attach(struct hd_hold *hold, struct hd_party *party);
void hd_hold_detach(struct hd_hold *hold);

void hd_hold_free_all(struct hd_objects *objects);

/* ---- locks (lock.c) ---- */

bool hd_lock_is_lock(const struct hd_objects *objects, hd_value value);
int hd_lock_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result);
int hd_lock_release(struct hd_objects *objects, hd_value lock, const struct hd_party *party, uint64_t thread);
/* Does this party, and with a re-entrant lock this thread, hold it? */
bool hd_lock_is_held_by(const struct hd_objects *objects, hd_value lock, const struct hd_party *party,
                        uint64_t thread);
/* Whatever its count: it is free, or the next in line's. Returns the count that it had. */
uint64_t hd_lock_let_go(struct hd_objects *objects, hd_value lock);
/* For one of a condition: at once if the lock is free, else in line. */
void hd_lock_queue(struct hd_objects *objects, hd_value lock, struct hd_sync_waiter *waiter);
void hd_lock_told(struct hd_objects *objects, hd_value lock, const struct hd_sync_waiter *waiter);
/* It was not told: the lock goes on. */
void hd_lock_undo(struct hd_objects *objects, hd_value lock, const struct hd_sync_waiter *waiter);
struct hd_line *hd_lock_line(const struct hd_objects *objects, hd_value lock);
void hd_lock_party_ends(struct hd_objects *objects, struct hd_hold *hold, bool orderly);

/* ---- semaphores (semaphore.c) ---- */

int hd_semaphore_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result);
int hd_semaphore_release(struct hd_objects *objects, hd_value semaphore, struct hd_party *party, uint64_t count);
void hd_semaphore_undo(struct hd_objects *objects, hd_value semaphore, const struct hd_sync_waiter *waiter);
void hd_semaphore_party_ends(struct hd_objects *objects, struct hd_hold *hold, bool orderly);

/* ---- conditions (condition.c) ---- */

int hd_condition_try(struct hd_objects *objects, const struct hd_sync_request *request);
/* In line, and the lock let go of. */
void hd_condition_wait(struct hd_objects *objects, struct hd_sync_waiter *waiter);
/* Out of the line for notifications, into that for the lock. */
void hd_condition_relock(struct hd_objects *objects, struct hd_sync_waiter *waiter);
/* If it was notified, the next who waits is, instead. */
void hd_condition_pass_on(struct hd_objects *objects, struct hd_sync_waiter *waiter);
/* It ended: what it was given or notified of goes on. */
void hd_condition_undo(struct hd_objects *objects, struct hd_sync_waiter *waiter);

/* ---- queues (queue.c) ---- */

int hd_queue_try_get(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result);
int hd_queue_try_put(struct hd_objects *objects, const struct hd_sync_request *request);
int hd_queue_try_join(struct hd_objects *objects, const struct hd_sync_request *request);
void hd_queue_told(struct hd_objects *objects, hd_value queue);
/* An item comes back. */
void hd_queue_undo(struct hd_objects *objects, struct hd_sync_waiter *waiter);

/* ---- gates (gate.c) ---- */

int hd_event_try(struct hd_objects *objects, const struct hd_sync_request *request);
int hd_barrier_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result);
void hd_barrier_break(struct hd_objects *objects, hd_value barrier);

#endif
