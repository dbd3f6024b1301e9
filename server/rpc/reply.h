/* Replies: reply.c; what is read of a buffer: buffers.c. */
#ifndef HEAPD_RPC_REPLY_H
#define HEAPD_RPC_REPLY_H

#include <heapd/v1/value.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "rpc/call.h"

/* Room for a body of at most `bytes`; where it goes, lent until the next call. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_reply_begin(struct hd_call *call, size_t bytes, uint8_t **out) HD_MUST_USE;
/* The body is written. */
void hd_reply_end(struct hd_call *call, size_t bytes, uint8_t flags);
/* After hd_connection_has_room these cannot fail. */
void hd_reply_empty(struct hd_call *call);
void hd_reply_error(struct hd_call *call, int error);
/* A message of any size. HD_ENOMEM; HD_ETOO_LARGE: beyond a frame. */
int hd_reply_message(struct hd_call *call, const ProtobufCMessage *message, uint8_t flags) HD_MUST_USE;
/* A plain bool or int: infallible, as empty. */
void hd_reply_bool(struct hd_call *call, bool boolean);
void hd_reply_count(struct hd_call *call, uint64_t count);

/*
 * Can this value be the reply? Checks that it is plain or that call->into takes
 * it, and makes room, so that hd_reply_value cannot fail afterwards. as_object:
 * it goes into the slot in any case. HD_ENOT_PLAIN, HD_ENOMEM.
 */
int hd_reply_prepare(struct hd_call *call, hd_value value, bool as_object) HD_MUST_USE;
/* Sends the value (steal), plain or by filling the slot. Only after prepare. */
void hd_reply_value(struct hd_call *call, hd_value value, bool as_object);
/* Both; the value is released on failure, too. */
int hd_reply_result(struct hd_call *call, hd_value value, bool as_object) HD_MUST_USE;

/* Columns as a message, which borrows them. */
Heapd__V1__Literal hd_reply_literal(const struct hd_columns *columns);
/* Does the value travel plain, not as a handle? */
bool hd_reply_is_plain(const struct hd_objects *objects, hd_value value);
/*
 * Writes a value as a heapd.v1.Value, a part of a larger reply: plain, or as the handle
 * `into` (0: there is none), whose slot is the caller's affair. `to` has room for
 * HD_PLAIN_INT_MAX_BYTES. HD_ENOT_PLAIN.
 */
int hd_reply_pack(struct hd_call *call, hd_value value, hd_handle into, uint8_t *to, size_t *size,
                  bool *is_handle) HD_MUST_USE;

/* ---- buffers.c ---- */

/* Read, of a buffer. */
int hd_read_buffer(struct hd_call *call, hd_value buffer, uint64_t offset, uint64_t size) HD_MUST_USE;
/* Those whose buffers were sealed meanwhile go on. */
void hd_buffers_run(struct hd_rpc_server *server);

#endif
