/*
 * Requests that were begun: waiting for them, and event loops.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_PIPELINE_H
#define HEAPD_PIPELINE_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The pipeline */

/*
 * A begin function queues a request and returns. Of its last parameters
 *
 *   into     where a handle can come: the handle that the result will have, for
 *            use in later requests at once. NULL: not wanted ahead; the handle
 *            then comes with the result. If the result turns out to be a plain
 *            value, or the request fails, the handle holds nothing and need not
 *            be released (it may be).
 *   ticket   by which heapd_wait fetches the result; it must be fetched or
 *            forgotten. NULL: nobody asks; a failure is then reported by
 *            heapd_finish.
 *   error    if the request could not even be queued: HEAPD_ENOMEM,
 *            HEAPD_ELIMIT (no free handle, or never_wait and output_limit_bytes
 *            reached), HEAPD_ETOO_LARGE, HEAPD_EINVALID, HEAPD_ECLOSED,
 *            HEAPD_EFORKED. Nothing was sent then.
 *
 * Without never_wait a begin function waits when output_limit_bytes are unsent,
 * and takes in replies meanwhile. Requests leave with heapd_flush, with any wait
 * or step, or when enough have gathered.
 */

/* Sends what is queued, as far as the socket takes it without waiting. */
HEAPD_API int heapd_flush(struct heapd_connection *connection, struct heapd_error *error);

/*
 * Waits for one request, at most timeout_ms (negative: without end; 0: just
 * looks). Returns 0 and its result, its failure, or HEAPD_PENDING, after which
 * the ticket is still good. In the other cases the ticket is used up. result may
 * be NULL; a handle that was not given out ahead by `into` is then released.
 * One thread may wait for a ticket at a time. HEAPD_ETICKET.
 */
HEAPD_API int heapd_wait(struct heapd_connection *connection, heapd_ticket ticket, int timeout_ms,
                         struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Waits until everything that was begun before has been answered (parked
 * requests included: cancel those first, or bound them; exports and follows,
 * which are read part by part, not), and returns the first failure, in order of
 * the requests, among those that were begun without a ticket since the last
 * heapd_finish. Results of tickets stay to be fetched.
 */
HEAPD_API int heapd_finish(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
/* The same, for so long; HEAPD_PENDING: not all is answered yet. Negative: without end. */
HEAPD_API int heapd_finish_within(struct heapd_connection *connection, int timeout_ms,
                                  struct heapd_error *error) HEAPD_MUST_USE;

/* Nobody will wait for this ticket any more: as heapd_wait with no result, but without the waiting. */
HEAPD_API void heapd_forget(struct heapd_connection *connection, heapd_ticket ticket);

/*
 * Asks the daemon to stop a request that is parked, or is worked on in slices.
 * The request still answers: with HEAPD_ECANCELLED, or, if it was done already,
 * with what it did.
 */
HEAPD_API int heapd_cancel(struct heapd_connection *connection, heapd_ticket ticket, struct heapd_error *error);

/* Requests begun and not answered yet. */
HEAPD_API size_t heapd_pending_count(struct heapd_connection *connection);

/* For programs with their own event loop */

/*
 *     struct pollfd p = {heapd_fd(c), POLLIN | (heapd_wants_write(c) ? POLLOUT : 0), 0};
 *     poll(&p, 1, heapd_wants_step(c) ? 0 : -1);
 *     heapd_step(c, &error);
 */

/* The socket, for poll, epoll, libuv and the like. Lend: never read, write or close it. */
HEAPD_API int heapd_fd(const struct heapd_connection *connection);
/* Is there something to send? Ask again after each step and each begin. */
HEAPD_API bool heapd_wants_write(struct heapd_connection *connection);
/* Are callbacks due, though the socket may be quiet? (Replies that a synchronous call took in.) */
HEAPD_API bool heapd_wants_step(struct heapd_connection *connection);
/*
 * Sends and takes in what is possible without waiting, then calls the callbacks
 * of requests that were answered. Returns 0, or HEAPD_ECLOSED when the
 * connection is lost: all callbacks have then been called, each with its
 * request's result or failure.
 */
HEAPD_API int heapd_step(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * code is 0 or the failure. `result` is the callee's (to be cleared by it) on success, NULL on failure; `error` is
 * lent for the call. May begin further requests, and release; must not close the connection.
 */
typedef void heapd_callback(struct heapd_connection *connection, heapd_ticket ticket, int code,
                            struct heapd_result *result, const struct heapd_error *error, void *context);
/*
 * Has the callback called, once, by heapd_step and in its thread, when the request is answered. Uses the ticket up.
 * HEAPD_ETICKET.
 */
HEAPD_API int heapd_on_done(struct heapd_connection *connection, heapd_ticket ticket, heapd_callback *callback,
                            void *context);

#ifdef __cplusplus
}
#endif

#endif
