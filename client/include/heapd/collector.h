/*
 * The cycle collector, and what is for the daemon's own user.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_COLLECTOR_H
#define HEAPD_COLLECTOR_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The cycle collector, as Python's gc module */

/* Collects a generation, 0 .. 2, and all younger ones. */
HEAPD_API int heapd_gc_collect(struct heapd_connection *connection, uint32_t generation, struct heapd_collection *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_collect(struct heapd_connection *connection, uint32_t generation, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;
/* Counts what a collection of everything would find, and what that holds (unreachable_bytes), and frees nothing. */
HEAPD_API int heapd_gc_dry_run(struct heapd_connection *connection, struct heapd_collection *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_dry_run(struct heapd_connection *connection, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                                           heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_get_threshold(struct heapd_connection *connection, struct heapd_thresholds *out,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_get_threshold(struct heapd_connection *connection, heapd_ticket *ticket,
                                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_get_count(struct heapd_connection *connection, struct heapd_counts *out,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_get_count(struct heapd_connection *connection, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_stats(struct heapd_connection *connection, struct heapd_collector_stats *out,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_stats(struct heapd_connection *connection, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_set_enabled(struct heapd_connection *connection, bool enabled,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_set_enabled(struct heapd_connection *connection, bool enabled, heapd_ticket *ticket,
                                         struct heapd_error *error) HEAPD_MUST_USE;
/* Freezes all objects that the collector knows now: collections pass them by, until heapd_gc_unfreeze. Counting still
 * frees them. */
HEAPD_API int heapd_gc_freeze(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_freeze(struct heapd_connection *connection, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
/* Frozen objects become old again. */
HEAPD_API int heapd_gc_unfreeze(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_unfreeze(struct heapd_connection *connection, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* How many are frozen. The begun form answers an int value. */
HEAPD_API int heapd_gc_freeze_count(struct heapd_connection *connection, uint64_t *out,
                                    struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_freeze_count(struct heapd_connection *connection, heapd_ticket *ticket,
                                          struct heapd_error *error) HEAPD_MUST_USE;
/* Moves objects together, so that memory that a shrunken heap does not need goes back to the system; answers when that
 * is done. Others are served meanwhile. */
HEAPD_API int heapd_compact(struct heapd_connection *connection, struct heapd_compaction *out,
                            struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_compact(struct heapd_connection *connection, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;

/* For the daemon's own user (HEAPD_EPERMISSION) */

/* Every number that the daemon keeps: result.as.stats. */
HEAPD_API int heapd_stats(struct heapd_connection *connection, struct heapd_result *result,
                          struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_stats(struct heapd_connection *connection, heapd_ticket *ticket,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* What its memory is made of, and how long work between requests took: result.as.memory. */
HEAPD_API int heapd_memory(struct heapd_connection *connection, struct heapd_result *result,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_memory(struct heapd_connection *connection, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;
/* result.as.sessions */
HEAPD_API int heapd_list_sessions(struct heapd_connection *connection, struct heapd_result *result,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_sessions(struct heapd_connection *connection, heapd_ticket *ticket,
                                        struct heapd_error *error) HEAPD_MUST_USE;
/* Ends a session; all that it held is released. */
HEAPD_API int heapd_kill_session(struct heapd_connection *connection, uint64_t session_id,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_kill_session(struct heapd_connection *connection, uint64_t session_id, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;
/* Ends the daemon; the heap is lost. */
HEAPD_API int heapd_shutdown(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_shutdown(struct heapd_connection *connection, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
