/* What the server does by itself: policy.c, and at the memory limit relief.c. */
#ifndef HEAPD_RPC_UPKEEP_H
#define HEAPD_RPC_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct hd_rpc_connection;
struct hd_rpc_server;
struct hd_session;

/* ---- policy.c ---- */

void hd_policy_init(struct hd_rpc_server *server);
/* Begins a collection that is due by the clock or after a session. */
void hd_policy_run(struct hd_rpc_server *server);
/* All that it held is released. */
void hd_policy_session_ended(struct hd_rpc_server *server, const struct hd_session *session);

/* ---- relief.c ---- */

/*
 * The connection's request found no memory, and has changed nothing. True: it
 * waits while memory is looked for, and its frame is not to be taken. False: it is
 * to be refused.
 */
bool hd_relief_wait(struct hd_rpc_connection *connection) HD_MUST_USE;
/* It waits no more. */
void hd_relief_forget(struct hd_rpc_connection *connection);
/*
 * For requests that go on in slices: begins a search unless one is under way;
 * false: the last was in vain, and not long ago. Is it still going on?
 */
bool hd_relief_want(struct hd_rpc_server *server) HD_MUST_USE;
bool hd_relief_is_on(const struct hd_rpc_server *server);
/* Goes on with it; who waits runs again when there is reason to. */
void hd_relief_run(struct hd_rpc_server *server, uint64_t units);

#endif
