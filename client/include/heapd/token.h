/*
 * References on their way to other processes: tokens, and connections for forked children.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_TOKEN_H
#define HEAPD_TOKEN_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens */

/*
 * Makes a token: bytes that nobody can guess, by which whoever shows them gets a reference to the object:
 * result.as.token. It keeps the object alive until ttl_ms are over (0: the daemon's usual time, five minutes; at most a
 * day) or it was redeemed `uses` times (0: no limit), whatever becomes of this connection.
 */
HEAPD_API int heapd_make_token(struct heapd_connection *connection, heapd_handle object, uint64_t ttl_ms, uint32_t uses,
                               struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_make_token(struct heapd_connection *connection, heapd_handle object, uint64_t ttl_ms,
                                     uint32_t uses, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* A reference to what the token names; the value tells its type. HEAPD_ETOKEN: it has run out. */
HEAPD_API int heapd_redeem_token(struct heapd_connection *connection, struct heapd_bytes secret,
                                 struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_redeem_token(struct heapd_connection *connection, struct heapd_bytes secret,
                                       heapd_handle *into, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;

/* Fork */

/*
 * For a process that is about to fork and whose child is to go on with what it holds:
 *
 *     heapd_clone(connection, address, options, &clone, &error);
 *     if (fork() == 0) {
 *         heapd_adopt(clone);          the child's own from now on, with the same handles
 *         heapd_close(connection);     frees the child's copy; the parent's session goes on
 *     } else {
 *         heapd_disown(clone);         frees the parent's copy; the child's session goes on
 *     }
 *
 * The clone is a session of its own, made on the daemon before the fork, so that nothing is lost in between; it ends
 * with the child, however that ends. Handles that wait for a reply are not part of it: in the child they are stale.
 * Other threads may use the connection meanwhile. Errors as heapd_connect.
 */
HEAPD_API int heapd_clone(struct heapd_connection *connection, const char *address, const struct heapd_options *options,
                          struct heapd_connection **out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API void heapd_adopt(struct heapd_connection *clone);
HEAPD_API void heapd_disown(struct heapd_connection *clone);

#ifdef __cplusplus
}
#endif

#endif
