/* What a parked request waits for: a name, a coordination object, its deadline. */
#ifndef HEAPD_RPC_WAITS_H
#define HEAPD_RPC_WAITS_H

#include <heapd/v1/value.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object/sync.h"
#include "rpc/call.h"
#include "rpc/rpc.h"
#include "rpc/unfinished.h"

/* ---- names (waiters.c) ---- */

void hd_waiters_init(struct hd_rpc_server *server);
void hd_waiters_fini(struct hd_rpc_server *server);
/* Parks the call until the name is bound. HD_CALL_CONTINUES, HD_ELIMIT, HD_ENOMEM. */
int hd_wait_for_name(struct hd_call *call, hd_value scope, const ProtobufCBinaryData *name, bool as_object,
                     uint64_t wait_ms) HD_MUST_USE;
/* A name was bound: whoever waits for it looks again. */
void hd_waiters_bound(struct hd_rpc_server *server, const uint8_t *name, size_t size);
/*
 * All look again, in slices: something happened that no name tells. O(waiters), so
 * hd_rpc_run does it, once for all scopes that were closed in a turn (waiters_stale).
 */
void hd_waiters_wake_all(struct hd_rpc_server *server);

/* ---- coordination (sync_wait.c) ---- */

/*
 * Does what the request asks, or parks the call for wait_ms (-1: without end). The
 * reply, when it comes, is that of the act. HD_CALL_CONTINUES, or what hd_sync_try
 * says; what the request owns is given up on failure.
 */
int hd_call_sync(struct hd_call *call, struct hd_sync_request *request, int64_t wait_ms, bool as_object) HD_MUST_USE;
/* Answers those whose turn has come. To be called when a request, a deadline or an end may have woken some. */
void hd_sync_answer(struct hd_rpc_server *server);
/* NULL: it waits for something else. */
const struct hd_sync_waiter *hd_sync_waiter_of(const struct hd_unfinished *unfinished);
/* For Stats. */
void hd_sync_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context);

/* ---- deadlines (deadlines.c) ---- */

/* Makes room for one more. HD_ENOMEM. */
int hd_deadline_reserve(struct hd_rpc_server *server) HD_MUST_USE;
/* After hd_deadline_reserve and hd_unfinished_add: it is made runnable, timed_out, once wait_ms have passed. */
void hd_deadline_set(struct hd_unfinished *unfinished, uint64_t wait_ms);
/* Takes one without a deadline. */
void hd_deadline_remove(struct hd_unfinished *unfinished);
/* Those whose time is over. */
void hd_deadlines_expire(struct hd_rpc_server *server);
void hd_deadlines_fini(struct hd_rpc_server *server);

#endif
