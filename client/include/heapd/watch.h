/*
 * Being told of changes, and names that end by themselves. Part of heapd.h, which
 * tells the conventions; include that.
 *
 *     uint64_t subscription;
 *     struct heapd_event event;
 *     heapd_subscribe_name(heap, HEAPD_GLOBAL, heapd_text("config"), &subscription, &error);
 *     while (heapd_next_event(heap, -1, &event, &error) == 0)
 *         reload();
 *
 * An event says that something changed, not what: changes that come faster than
 * they are asked for are one event, whose count says how many requests there were
 * that changed it. A connection that does not read costs the daemon no more than
 * its subscriptions.
 */
#ifndef HEAPD_WATCH_H
#define HEAPD_WATCH_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

struct heapd_event {
    uint64_t subscription;
    uint64_t identity; /* of the container; of a name: of what is bound, 0 for nothing or a plain value */
    uint64_t count;    /* changes since the last event; at least 1 */
    bool bound;        /* of a name: it stands for something */
    bool gone;         /* the object was freed, or the scope closed: no more events come */
};

/*
 * Subscribes to a list, dict, set, class, instance or queue, or to all names of a
 * scope (HEAPD_GLOBAL: the global ones). The connection need not hold the object
 * any longer. HEAPD_ETYPE: it never changes; HEAPD_ELIMIT: too many.
 */
HEAPD_API int heapd_subscribe(struct heapd_connection *connection, heapd_handle object, uint64_t *subscription,
                              struct heapd_error *error) HEAPD_MUST_USE;
/* Begun, the ticket is the subscription; the result is an int, the identity. */
HEAPD_API int heapd_begin_subscribe(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
/* To one name of a scope, whether it is bound now or not. */
HEAPD_API int heapd_subscribe_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                   uint64_t *subscription, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_subscribe_name(struct heapd_connection *connection, heapd_handle scope,
                                         struct heapd_bytes name, heapd_ticket *ticket,
                                         struct heapd_error *error) HEAPD_MUST_USE;
/* After this no event of it is given out. HEAPD_EKEY: there is no such subscription. */
HEAPD_API int heapd_unsubscribe(struct heapd_connection *connection, uint64_t subscription,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_unsubscribe(struct heapd_connection *connection, uint64_t subscription, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The oldest event, taken out; waits for one at most timeout_ms (negative: without
 * end; 0: looks at what has come). HEAPD_PENDING: there is none. HEAPD_ENOMEM:
 * this process had no memory for one, so look at everything that is subscribed to.
 * For programs with an event loop: after each heapd_step, with 0, until
 * HEAPD_PENDING.
 */
HEAPD_API int heapd_next_event(struct heapd_connection *connection, int timeout_ms, struct heapd_event *out,
                               struct heapd_error *error) HEAPD_MUST_USE;

/* As heapd_bind; after ttl_ms (> 0) the daemon unbinds the name. A later heapd_bind takes the time to live away. */
HEAPD_API int heapd_bind_for(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                             struct heapd_value value, uint64_t ttl_ms, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_bind_for(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                   struct heapd_value value, uint64_t ttl_ms, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;
/* Gives a bound name a time to live in place of the one that it had; 0: none. */
HEAPD_API int heapd_expire(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           uint64_t ttl_ms, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_expire(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 uint64_t ttl_ms, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* What is left of it; -1: the name has none. The begun form answers an int value. */
HEAPD_API int heapd_time_to_live(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 int64_t *left_ms, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_time_to_live(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                       heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
