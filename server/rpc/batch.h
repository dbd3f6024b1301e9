/* Batches: batch.c. */
#ifndef HEAPD_RPC_BATCH_H
#define HEAPD_RPC_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/unfinished.h"

/* Is a request of this method to be kept and not to be run? */
bool hd_batch_wants(const struct hd_rpc_connection *connection, uint16_t method);
/* Keeps it: HD_CALL_CONTINUES. Else it is refused, and but for want of memory the batch with it. */
int hd_batch_keep(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
/* A request that was to be kept was refused before: if a batch is open, it has failed. */
void hd_batch_spoil(struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id, int error);
bool hd_batch_is_running(const struct hd_rpc_connection *connection);
/* A name is bound: in a batch, of which nobody is to know before it ends? */
bool hd_batch_binds(struct hd_rpc_connection *connection);
/* Is it a batch that failed, whose requests are being answered? */
bool hd_batch_is_answering(const struct hd_unfinished *unfinished);
/* The call, Commit, has failed for good: what the batch holds is answered. HD_CALL_CONTINUES, or an error to refuse
 * with. */
int hd_batch_fail(struct hd_call *call, int error) HD_MUST_USE;
void hd_batch_free(struct hd_rpc_connection *connection);

#endif
