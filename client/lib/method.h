/* What the files with the methods share: the usual shapes of a call. */
#ifndef HEAPD_CLIENT_METHOD_H
#define HEAPD_CLIENT_METHOD_H

#include "client/lib/call.h"
#include "client/lib/wire.h"

/* Requests that can bring no handle. `code`: as for hd_call_begin. result may be NULL. */
int hd_sync(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
            struct heapd_result *result, struct heapd_error *error) HD_MUST_USE;
int hd_begin(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
             heapd_ticket *ticket, struct heapd_error *error) HD_MUST_USE;

/* Requests that answer a value; a plain one if call->into is NULL. result may be NULL: a handle is then released. */
int hd_sync_value(struct heapd_connection *connection, const struct hd_call *call, int code, struct heapd_value *result,
                  struct heapd_error *error) HD_MUST_USE;
/* Requests that answer a bool; out may be NULL. */
int hd_sync_bool(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *message, int code,
                 bool *out, struct heapd_error *error) HD_MUST_USE;
/* Requests that always answer a handle. */
int hd_sync_handle(struct heapd_connection *connection, const struct hd_call *call, int code, heapd_handle *out,
                   struct heapd_error *error) HD_MUST_USE;
/* Begins a request that may answer a handle; `into` may be NULL. */
int hd_begin_handle(struct heapd_connection *connection, struct hd_call *call, int code, heapd_handle *into,
                    heapd_ticket *ticket, struct heapd_error *error) HD_MUST_USE;

#endif
