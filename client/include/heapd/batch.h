/*
 * Batches: requests that happen together or not at all; and versions, to make them depend on what was read.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_BATCH_H
#define HEAPD_BATCH_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is begun (heapd_begin_...) from here on is kept by the daemon, and done in one go by heapd_commit_batch, with no
 * other client in between: all of it, or nothing. At most 1000 requests of 1 MiB together, that neither wait nor take
 * long: HEAPD_EBATCH for others. Their tickets are answered when the batch ends, so functions that wait for an answer
 * fail with HEAPD_EBATCH meanwhile; handles that are released are let go of afterwards. The connection is one thread's
 * as long as a batch is open. wait_ms: the daemon refuses a commit that comes later (HEAPD_EDEADLINE); 0: it does not.
 */
HEAPD_API int heapd_open_batch(struct heapd_connection *connection, uint64_t wait_ms,
                               struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Does it. HEAPD_EABORTED: one of the requests failed, and nothing was done; its own ticket tells why, those of the
 * others and error.failed_request name it.
 */
HEAPD_API int heapd_commit_batch(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_commit_batch(struct heapd_connection *connection, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;
/* Forgets it: its tickets are answered with HEAPD_EABORTED. */
HEAPD_API int heapd_discard_batch(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * A number that is another one once the object itself has changed. Not of a plain value (HEAPD_ETYPE). Not within a
 * batch.
 */
HEAPD_API int heapd_version(struct heapd_connection *connection, heapd_handle object, uint64_t *out,
                            struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Within a batch: fails with HEAPD_ECHANGED, and the batch with it, unless the object still has that version; or unless
 * the name in this scope is bound to the object of that identity (0: to nothing).
 */
HEAPD_API int heapd_begin_check_version(struct heapd_connection *connection, heapd_handle object, uint64_t version,
                                        heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_check_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                     uint64_t identity, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
