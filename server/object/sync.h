/*
 * Coordination: queue, lock, re-entrant lock, semaphore, condition, event,
 * barrier. As Python's threading and multiprocessing have them, and fair: who
 * came first is served first, and nobody overtakes a line.
 *
 * Nothing here waits. An operation is tried (hd_sync_try); if it cannot be done
 * now, the caller may put a waiter into the object's line (hd_sync_wait). When
 * its turn comes, the waiter is *given* what it waits for there and then: the
 * lock is its own, the item is out of the queue. It goes to the outbox, from
 * which the layer above takes it (hd_sync_next_woken), to tell its client, and
 * says so (hd_sync_told). A waiter that ends before that, because its client is
 * gone, gives back what it was given: the lock goes to the next in line, the
 * item to the next or to the front of its queue, a notification to the next who
 * waits. So what a client was told is its own, and nothing else is ever lost.
 *
 * Time is the caller's affair: hd_sync_time_over says that a waiter's is over.
 *
 * Who holds what is known by party: one for each session. When a session ends,
 * hd_party_end gives back what a dead one held, and leaves alone what one held
 * that said goodbye (a re-entrant lock is given back in any case, since nobody
 * else could ever do it). The next holder of what a dead one held is told so, once.
 *
 *     a line is in order of arrival
 *     lock:      a line  =>  it is held
 *     semaphore: a line  =>  value == 0
 *     queue:     getters =>  it is empty; putters => it is full; joiners => unfinished > 0
 *     event:     a line  =>  it is not set
 *     barrier:   fewer than `parties` are in line, and none if it is broken
 */
#ifndef HEAPD_OBJECT_SYNC_H
#define HEAPD_OBJECT_SYNC_H

#include "object/object.h"

struct hd_hold;
struct hd_cohort;

/* One who can hold: a session. All zero but for the id to begin with; must not move. */
struct hd_party {
    uint64_t id; /* of the session */
    struct hd_hold *first;
    struct hd_hold *last;
    uint32_t hold_count;
};

/* What is asked of an object. */
enum hd_sync_act {
    HD_SYNC_ACQUIRE = 0, /* lock, rlock, semaphore */
    HD_SYNC_GET = 1,
    HD_SYNC_PUT = 2,
    HD_SYNC_JOIN = 3,
    HD_SYNC_CONDITION_WAIT = 4,
    HD_SYNC_EVENT_WAIT = 5,
    HD_SYNC_BARRIER_WAIT = 6,
    HD_SYNC_ACTS,
};

struct hd_sync_request {
    enum hd_sync_act act;
    hd_value object; /* borrow */
    hd_value item;   /* of a put: stolen once it is done or in line */
    struct hd_party *party;
    uint64_t thread; /* of the client: re-entrant locks, conditions over such */
    bool is_back;    /* of a put: the item was taken before; it goes in front, is no task more, and never waits */
};

struct hd_sync_result {
    hd_value item;  /* of a get: owned */
    uint64_t index; /* of a barrier: 0 for the first who came */
    bool abandoned; /* the one who held it before died with it */
};

/* From hd_sync_try: it has to wait. */
#define HD_SYNC_BUSY 1

/* Where a waiter is. */
enum hd_sync_state {
    HD_SYNC_NOWHERE = 0,
    HD_SYNC_IN_LINE = 1,
    HD_SYNC_WOKEN = 2, /* in the outbox */
    HD_SYNC_TAKEN = 3, /* out of it, to be told */
    HD_SYNC_TOLD = 4,
};

/* One that waits; a root of the collector. In memory of the caller's, and must not move. */
struct hd_sync_waiter {
    struct hd_objects *objects; /* borrow */
    struct hd_root_source roots;
    enum hd_sync_act act;
    enum hd_sync_state state;
    hd_value object; /* own */
    hd_value item;   /* own: to be put, or what a get was given */
    struct hd_party *party;
    uint64_t thread;
    struct hd_sync_waiter *next; /* of the line or of the outbox */
    struct hd_sync_waiter *previous;
    struct hd_hold *spare; /* own: what a semaphore's unit is noted in */
    uint64_t count;        /* of a condition: how often its lock is to be held again; of a barrier: the index */
    /* Those with whom it is woken at once: until it was looked at, the state and what follows are those of before. */
    struct hd_cohort *cohort;
    bool relocking; /* of a condition: it waits for the lock again */
    bool notified;
    bool abandoned;
    int error; /* how it ended: 0, HD_EDEADLINE, HD_EQUEUE_EMPTY, HD_EQUEUE_FULL, HD_EBROKEN_BARRIER, HD_ECANCELLED */
};

/* What hd_objects keeps of all this. */
struct hd_sync {
    struct hd_sync_waiter *woken_first; /* the outbox */
    struct hd_sync_waiter *woken_last;
    struct hd_hold *holds; /* own: all there are */
    uint64_t waiting_count[HD_SYNC_ACTS];    /* in line now */
    uint64_t waited_count;                   /* ever */
    uint64_t abandoned_count;                /* locks and units of semaphores that the dead held, ever */
    uint64_t left_count;                     /* locks and units that were kept by ones who said goodbye, ever */
    uint64_t returned_count;                 /* given to a waiter that ended before it was told, ever */
    uint64_t broken_barriers_count;          /* ever */
};

/* ---- making them ---------------------------------------------------------- */

/* HD_ENOMEM, all of them. */
int hd_lock_new(struct hd_objects *objects, bool reentrant, hd_value *out) HD_MUST_USE;
/* HD_EINVALID: a negative value. */
int hd_semaphore_new(struct hd_objects *objects, int64_t value, bool bounded, hd_value *out) HD_MUST_USE;
/* lock: HD_ABSENT for a re-entrant one of its own. HD_ETYPE: no lock. */
int hd_condition_new(struct hd_objects *objects, hd_value lock, hd_value *out) HD_MUST_USE;
int hd_event_new(struct hd_objects *objects, hd_value *out) HD_MUST_USE;
/* HD_EINVALID: parties < 1 or beyond 2^32 - 1. */
int hd_barrier_new(struct hd_objects *objects, int64_t parties, hd_value *out) HD_MUST_USE;
/* maximum <= 0: unbounded. */
int hd_queue_new(struct hd_objects *objects, int64_t maximum, hd_value *out) HD_MUST_USE;

/* ---- waiting -------------------------------------------------------------- */

/*
 * Does it if that can be done now. HD_SYNC_BUSY: it has to wait, nothing has
 * changed. A condition always has to wait, and a barrier unless it is the last.
 * HD_ETYPE: the object has no such act; HD_ENOT_OWNED: a condition whose lock the
 * party does not hold; HD_EBROKEN_BARRIER; HD_ENOMEM.
 */
int hd_sync_try(struct hd_objects *objects, const struct hd_sync_request *request,
                struct hd_sync_result *result) HD_MUST_USE;
/* What a get would give, borrowed; HD_SYNC_BUSY: it would wait. So that the caller can make room for it first. */
int hd_queue_peek(const struct hd_objects *objects, hd_value queue, hd_value *out) HD_MUST_USE;

/* Gets in line, after hd_sync_try said HD_SYNC_BUSY. The waiter's memory must be zero. HD_ENOMEM: it is not in line. */
int hd_sync_wait(struct hd_objects *objects, const struct hd_sync_request *request,
                 struct hd_sync_waiter *waiter) HD_MUST_USE;
/*
 * Its time is over, or (error HD_ECANCELLED) it is not wanted any more. It goes to
 * the outbox; one of a condition gets in line for the lock first, and is cancelled
 * for good by a second time. Nothing happens if it was given what it waits for.
 */
void hd_sync_time_over(struct hd_sync_waiter *waiter, int error);
/* Was it given what it waits for, or told that its time is over? */
bool hd_sync_is_given(const struct hd_sync_waiter *waiter);
/* Of a condition: does it wait for the lock again? */
bool hd_sync_is_relocking(const struct hd_sync_waiter *waiter);
/* Is somebody in the outbox? */
static inline bool hd_sync_has_woken(const struct hd_objects *objects)
{
    return objects->sync->woken_first != NULL;
}
/* The first of the outbox, taken out; NULL: it is empty. */
struct hd_sync_waiter *hd_sync_next_woken(struct hd_objects *objects);
/* Its client was told; it keeps what it was given. The item is the caller's from now on. */
void hd_sync_told(struct hd_sync_waiter *waiter);
/* Wherever it is: takes it out; what it was given and was not told of goes back. Takes one that never waited. */
void hd_sync_waiter_fini(struct hd_sync_waiter *waiter);

/* What is acquired and released by the name of this object: a condition's lock, else the object itself. Borrowed. */
hd_value hd_sync_lock_of(const struct hd_objects *objects, hd_value object);

/* ---- what never waits ----------------------------------------------------- */

/*
 * Releases a lock, or `count` units of a semaphore. HD_ENOT_LOCKED; HD_ENOT_OWNED
 * (a re-entrant lock of someone else); HD_EOVER_RELEASE (a bounded semaphore, or
 * more units than can be counted); HD_ETYPE. A plain lock may be released by anyone,
 * as in Python.
 */
int hd_sync_release(struct hd_objects *objects, hd_value object, struct hd_party *party, uint64_t thread,
                    uint64_t count) HD_MUST_USE;
/* Wakes at most `count` of those in line. HD_ENOT_OWNED: the party does not hold the lock. */
int hd_condition_notify(struct hd_objects *objects, hd_value condition, struct hd_party *party, uint64_t thread,
                        uint64_t count, uint64_t *woken) HD_MUST_USE;
/* HD_EOVER_RELEASE: more often than there were items. */
int hd_queue_task_done(struct hd_objects *objects, hd_value queue) HD_MUST_USE;
void hd_event_set(struct hd_objects *objects, hd_value event);
void hd_event_clear(struct hd_objects *objects, hd_value event);
/* Whoever is in line is told that it is broken. abort: it stays so until a reset. */
void hd_barrier_reset(struct hd_objects *objects, hd_value barrier);
void hd_barrier_abort(struct hd_objects *objects, hd_value barrier);

/* ---- the end of a party --------------------------------------------------- */

/* Goes on with what it holds, for about `units`: see above. True if something is left. */
bool hd_party_end_step(struct hd_objects *objects, struct hd_party *party, bool orderly, uint64_t units);

/* ---- looking -------------------------------------------------------------- */

struct hd_sync_info {
    uint64_t value;       /* semaphore: units left; queue: items; barrier: parties; lock: how often it is held */
    uint64_t maximum;     /* bounded semaphore, queue: 0 if there is none */
    uint64_t waiting;     /* in line: for the lock, for an item, for the event, ... */
    uint64_t putting;     /* queue: in line with an item */
    uint64_t joining;     /* queue: in line for the end of all tasks */
    uint64_t unfinished;  /* queue */
    uint64_t holder;      /* lock: id of the party; 0: nobody, or one that left */
    uint64_t thread;      /* lock: its holder's */
    bool is_set;          /* event: set; barrier: broken; lock: held; semaphore: bounded */
    bool abandoned;       /* the next holder will be told */
    hd_value lock;        /* of a condition, borrowed */
};

bool hd_is_sync(enum hd_kind_of_value kind);
void hd_sync_inspect(const struct hd_objects *objects, hd_value object, struct hd_sync_info *out);
/* NULL, or an invariant of the object that does not hold. */
const char *hd_sync_check(const struct hd_objects *objects, hd_value object);

#endif
