/*
 * Coordination between processes, as Python's threading and multiprocessing have
 * it: queue, lock, re-entrant lock, semaphore, condition, event, barrier. Part of
 * heapd.h, which tells the conventions; include that.
 *
 * They are objects as any other: held by handles, bound to names, put into
 * containers. They are fair: who came first is served first.
 *
 *     heapd_handle lock;
 *     int how;
 *     heapd_create_lock(heap, &lock, &error);
 *     heapd_bind(heap, HEAPD_GLOBAL, heapd_text("printer"), heapd_ref(lock), &error);
 *     if (heapd_acquire(heap, lock, 0, 1000, &how, &error) == 0 && how & HEAPD_ACQUIRED) {
 *         ...
 *         heapd_unlock(heap, lock, 0, 1, &error);
 *     }
 *
 * Waiting. wait_ms is how long the daemon may let the request wait: 0 not at all,
 * HEAPD_FOREVER until it is served; less is HEAPD_EINVALID. Later requests of the
 * connection run meanwhile; heapd_cancel ends a wait (HEAPD_ECANCELLED).
 *
 * Threads. `thread` is a number of the program's choice for what it calls a
 * thread; 0 does for a program that has one. A re-entrant lock belongs to the
 * connection and that number.
 *
 * Death. When a process dies, the locks and units of semaphores that it held are
 * released, and the next holder finds HEAPD_ABANDONED in its answer, once: what
 * the lock guards may be half done. After heapd_close a plain lock or a unit stays
 * taken, as a child of multiprocessing may exit with one, and anyone may release
 * it; a re-entrant lock is released in any case.
 */
#ifndef HEAPD_SYNC_H
#define HEAPD_SYNC_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPD_FOREVER ((int64_t)-1)

/* How a wait for a lock, a unit or a notification ended: bits of the int that is the answer. 0: not in time. */
enum heapd_acquired {
    HEAPD_ACQUIRED = 1,  /* it is held; of a condition: it was notified */
    HEAPD_ABANDONED = 2, /* whoever held it before died with it */
};

struct heapd_sync_options {
    enum heapd_type type; /* HEAPD_TYPE_QUEUE .. HEAPD_TYPE_BARRIER */
    int64_t value;        /* semaphore: units; barrier: parties; queue: items at most, without end if <= 0 */
    bool bounded;         /* semaphore: never more units than in the beginning */
    heapd_handle lock;    /* condition: a lock or rlock; 0: an rlock of its own */
};

/* HEAPD_EINVALID: units < 0, parties < 1. */
HEAPD_API int heapd_create_sync(struct heapd_connection *connection, const struct heapd_sync_options *options,
                                heapd_handle *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_create_sync(struct heapd_connection *connection, const struct heapd_sync_options *options,
                                      heapd_handle *into, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;

static inline int heapd_create_typed(struct heapd_connection *connection, enum heapd_type type, int64_t value,
                                     bool bounded, heapd_handle lock, heapd_handle *out, struct heapd_error *error)
{
    struct heapd_sync_options options;
    memset(&options, 0, sizeof options);
    options.type = type;
    options.value = value;
    options.bounded = bounded;
    options.lock = lock;
    return heapd_create_sync(connection, &options, out, error);
}
static inline int heapd_create_queue(struct heapd_connection *connection, int64_t maximum, heapd_handle *out,
                                     struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_QUEUE, maximum, false, 0, out, error);
}
static inline int heapd_create_lock(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_LOCK, 0, false, 0, out, error);
}
static inline int heapd_create_rlock(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_RLOCK, 0, false, 0, out, error);
}
static inline int heapd_create_semaphore(struct heapd_connection *connection, int64_t value, bool bounded,
                                         heapd_handle *out, struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_SEMAPHORE, value, bounded, 0, out, error);
}
/* lock: 0 for a re-entrant one of its own. */
static inline int heapd_create_condition(struct heapd_connection *connection, heapd_handle lock, heapd_handle *out,
                                         struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_CONDITION, 0, false, lock, out, error);
}
static inline int heapd_create_event(struct heapd_connection *connection, heapd_handle *out, struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_EVENT, 0, false, 0, out, error);
}
static inline int heapd_create_barrier(struct heapd_connection *connection, int64_t parties, heapd_handle *out,
                                       struct heapd_error *error)
{
    return heapd_create_typed(connection, HEAPD_TYPE_BARRIER, parties, false, 0, out, error);
}

/*
 * A lock, an rlock, a unit of a semaphore; a condition's own lock, too, by the
 * condition's handle. *how: bits of heapd_acquired; 0: not within wait_ms. The
 * begun form answers them as an int value.
 */
HEAPD_API int heapd_acquire(struct heapd_connection *connection, heapd_handle object, uint64_t thread, int64_t wait_ms,
                            int *how, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_acquire(struct heapd_connection *connection, heapd_handle object, uint64_t thread,
                                  int64_t wait_ms, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Releases a lock (count 1), or `count` units of a semaphore. HEAPD_ENOT_LOCKED;
 * HEAPD_ENOT_OWNED: an rlock of another session or thread; HEAPD_EOVER_RELEASE: a
 * bounded semaphore. Anyone may release a plain lock or a semaphore, as in Python.
 */
HEAPD_API int heapd_unlock(struct heapd_connection *connection, heapd_handle object, uint64_t thread, uint64_t count,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_unlock(struct heapd_connection *connection, heapd_handle object, uint64_t thread,
                                 uint64_t count, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* Puts a value at the end of a queue. HEAPD_EQUEUE_FULL: it stayed full for wait_ms. */
HEAPD_API int heapd_put(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value,
                        int64_t wait_ms, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_put(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value,
                              int64_t wait_ms, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/*
 * An item that was taken, and that nobody will work on, goes to the front again, however full the queue is: of a get
 * that was cancelled and had been served already, say. It is no further task for join.
 */
HEAPD_API int heapd_begin_put_back(struct heapd_connection *connection, heapd_handle queue, struct heapd_value value,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Takes the first item of a queue. HEAPD_EQUEUE_EMPTY: it stayed empty for wait_ms. An
 * item is taken once the daemon has begun to send it; one that was about to be
 * given to a process that died before that goes to the next.
 */
HEAPD_API int heapd_get(struct heapd_connection *connection, heapd_handle queue, enum heapd_want want, int64_t wait_ms,
                        struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get(struct heapd_connection *connection, heapd_handle queue, enum heapd_want want,
                              int64_t wait_ms, heapd_handle *into, heapd_ticket *ticket,
                              struct heapd_error *error) HEAPD_MUST_USE;
/* One item that was put is done. HEAPD_EOVER_RELEASE: all were. */
HEAPD_API int heapd_task_done(struct heapd_connection *connection, heapd_handle queue,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_task_done(struct heapd_connection *connection, heapd_handle queue, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
/* Until every item that was put is done. *done: false if not within wait_ms. */
HEAPD_API int heapd_join(struct heapd_connection *connection, heapd_handle queue, int64_t wait_ms, bool *done,
                         struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_join(struct heapd_connection *connection, heapd_handle queue, int64_t wait_ms,
                               heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Lets the condition's lock go, waits to be notified, and has the lock again when
 * it returns, notified or not: so it may take longer than wait_ms. Cancelled, it
 * has the lock, too, unless it was cancelled twice. HEAPD_ENOT_OWNED: the lock is
 * not held. *how as heapd_acquire.
 */
HEAPD_API int heapd_condition_wait(struct heapd_connection *connection, heapd_handle condition, uint64_t thread,
                                   int64_t wait_ms, int *how, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_condition_wait(struct heapd_connection *connection, heapd_handle condition, uint64_t thread,
                                         int64_t wait_ms, heapd_ticket *ticket,
                                         struct heapd_error *error) HEAPD_MUST_USE;
/* Wakes at most `count` (UINT64_MAX: all) of those who wait; *woken may be NULL. HEAPD_ENOT_OWNED: the lock is not
 * held. */
HEAPD_API int heapd_notify(struct heapd_connection *connection, heapd_handle condition, uint64_t thread, uint64_t count,
                           uint64_t *woken, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_notify(struct heapd_connection *connection, heapd_handle condition, uint64_t thread,
                                 uint64_t count, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_event_set(struct heapd_connection *connection, heapd_handle event,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_event_set(struct heapd_connection *connection, heapd_handle event, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_event_clear(struct heapd_connection *connection, heapd_handle event,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_event_clear(struct heapd_connection *connection, heapd_handle event, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* *is_set: false if it was not set within wait_ms. */
HEAPD_API int heapd_event_wait(struct heapd_connection *connection, heapd_handle event, int64_t wait_ms, bool *is_set,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_event_wait(struct heapd_connection *connection, heapd_handle event, int64_t wait_ms,
                                     heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Until all parties have come; *index is the order of arrival, from 0.
 * HEAPD_EBROKEN_BARRIER: it is broken, or was, by a reset, an abort, or by one of
 * those who waited: his time was over, he was cancelled, or died.
 */
HEAPD_API int heapd_barrier_wait(struct heapd_connection *connection, heapd_handle barrier, int64_t wait_ms,
                                 uint64_t *index, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_barrier_wait(struct heapd_connection *connection, heapd_handle barrier, int64_t wait_ms,
                                       heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_barrier_reset(struct heapd_connection *connection, heapd_handle barrier,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_barrier_reset(struct heapd_connection *connection, heapd_handle barrier,
                                        heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_barrier_abort(struct heapd_connection *connection, heapd_handle barrier,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_barrier_abort(struct heapd_connection *connection, heapd_handle barrier,
                                        heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* A coordination object as it is now. */
struct heapd_sync_info {
    enum heapd_type type;
    uint64_t value;      /* semaphore: units left; queue: items; barrier: parties; lock: how often it is held */
    uint64_t maximum;    /* bounded semaphore, queue; 0: none */
    uint64_t waiting;    /* in line: for the lock, a unit, an item, a notification, the event, the barrier */
    uint64_t putting;    /* queue: in line with an item */
    uint64_t joining;    /* queue: in line for the end of all tasks */
    uint64_t unfinished; /* queue: items put and not done */
    uint64_t holder;     /* lock: session id; 0: nobody, or one that said goodbye */
    uint64_t thread;     /* of that session */
    bool is_set;         /* event: set; barrier: broken; lock: held; semaphore: bounded; condition: its lock is held */
    bool abandoned;      /* the next holder will be told */
    uint64_t lock;       /* condition: the identity of its lock */
};
/* The begun form answers result.as.sync_state. */
HEAPD_API int heapd_sync_state(struct heapd_connection *connection, heapd_handle object, struct heapd_sync_info *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_sync_state(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;

/* Who holds what, and who waits for what: result.as.sync_list. For the daemon's own user (HEAPD_EPERMISSION). */
struct heapd_hold {
    uint64_t session;
    uint64_t object; /* identity */
    enum heapd_type type;
    uint64_t thread;
    uint64_t count; /* how often, or units */
};
struct heapd_wait_info {
    uint64_t session;
    uint64_t request;
    uint64_t object; /* identity */
    enum heapd_type type;
    const char *act; /* "acquire", "get", "put", "join", "condition wait", "event wait", "barrier wait" */
    uint64_t thread;
    bool given;     /* its turn has come, and it could not be told yet */
    bool relocking; /* of a condition: it waits for the lock again */
};
struct heapd_sync_list {
    const struct heapd_hold *holds;
    size_t hold_count;
    const struct heapd_wait_info *waits;
    size_t wait_count;
    bool more; /* than fit a reply */
};
HEAPD_API int heapd_list_sync(struct heapd_connection *connection, struct heapd_result *result,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_sync(struct heapd_connection *connection, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;

/* The scopes that a session holds by handles: result.as.scopes, from `start` on; go on at next until that is 0. */
struct heapd_scope_info {
    uint64_t slot; /* of the handle */
    uint64_t identity;
    uint64_t parent; /* identity; 0: the global one */
    uint64_t names;
    uint64_t bytes; /* of the scope and its table of names, without what they stand for */
    bool closed;
};
struct heapd_scope_list {
    const struct heapd_scope_info *items;
    size_t count;
    uint64_t next;
};
/* session: 0 for one's own; others are for the daemon's own user. HEAPD_EKEY: there is none. */
HEAPD_API int heapd_list_scopes(struct heapd_connection *connection, uint64_t session, uint64_t start,
                                struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_scopes(struct heapd_connection *connection, uint64_t session, uint64_t start,
                                      heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
