/* What exactly was wrong, in words: explain.c. */
#ifndef HEAPD_RPC_EXPLAIN_H
#define HEAPD_RPC_EXPLAIN_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"

struct hd_text {
    char *at;
    char *end; /* room for the NUL is kept */
};

/* Sets the message unless a more exact one is there, and gives the error back. */
int hd_fail(struct hd_call *call, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error of an operation on an object with perhaps a key, said in terms of these. NULL: no key. */
int hd_fail_on(struct hd_call *call, int error, hd_value object, const struct hd_key *key);
/* The error of a handle, or of a slot for a result. */
int hd_fail_handle(struct hd_call *call, int error, hd_handle handle);
int hd_fail_slot(struct hd_call *call, int error, hd_handle handle);
/* The error of a name. */
int hd_fail_name(struct hd_call *call, int error, const ProtobufCBinaryData *name);
/* The error of building a literal. */
int hd_fail_literal(struct hd_call *call, int error);
/* Writes text, cut short where the room ends; bytes quoted and escaped. */
void hd_text_print(struct hd_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hd_text_bytes(struct hd_text *text, const uint8_t *bytes, size_t size);

#endif
