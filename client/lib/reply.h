/* From the body of a reply to what the program gets. */
#ifndef HEAPD_CLIENT_REPLY_H
#define HEAPD_CLIENT_REPLY_H

#include "client/lib/arena.h"
#include "client/lib/error.h"

/*
 * Fills *out, which is zeroed before, with what the method answers. The arena
 * is used and is the caller's to reset. HD_EPROTOCOL, HD_ENOMEM.
 */
int hd_reply_decode(struct hd_arena *arena, uint16_t method, const uint8_t *body, size_t body_bytes,
                    struct heapd_result *out) HD_MUST_USE;

/* Of SyncState, ListSyncReply, ListScopesReply: sync.c. */
int hd_sync_decode_state(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;
int hd_sync_decode_list(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;
int hd_sync_decode_scopes(const ProtobufCMessage *message, struct heapd_result *result) HD_MUST_USE;

/* The body of a frame with the error flag. Always fills in a failure; of a body that makes no sense HD_EPROTOCOL. */
void hd_reply_decode_error(struct hd_arena *arena, const uint8_t *body, size_t body_bytes, struct heapd_error *out);

#endif
