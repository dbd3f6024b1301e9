/*
 * Names and scopes.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_NAMES_H
#define HEAPD_NAMES_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The scope of global names. */
#define HEAPD_GLOBAL ((heapd_handle)0)

/* A scope has names and perhaps a parent, in which names that it does not have are looked up; then globally. */
HEAPD_API int heapd_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *into,
                                     heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* Drops the scope's names at once, whoever else may hold it. Its handle is still to be released. */
HEAPD_API int heapd_close_scope(struct heapd_connection *connection, heapd_handle scope,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_close_scope(struct heapd_connection *connection, heapd_handle scope, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;

/* Gives a name to a value, in place of what had it before. The name holds a reference. */
HEAPD_API int heapd_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                         struct heapd_value value, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                               struct heapd_value value, heapd_ticket *ticket,
                               struct heapd_error *error) HEAPD_MUST_USE;

/*
 * What the name stands for. wait_ms > 0: waits that long for the name to be bound (HEAPD_EDEADLINE); the request is
 * parked meanwhile: later ones run, and heapd_cancel ends it.
 */
HEAPD_API int heapd_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           enum heapd_want want, uint64_t wait_ms, struct heapd_value *result,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 enum heapd_want want, uint64_t wait_ms, heapd_handle *into, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* The scope's own names in the order in which they were bound: result.as.names, from position `start` on, at most
 * `limit` (0: as many as fit); go on at as.names.next until that is 0. */
HEAPD_API int heapd_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix,
                               uint64_t start, uint32_t limit, struct heapd_result *result,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix,
                                     uint64_t start, uint32_t limit, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
