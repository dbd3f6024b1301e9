/* Values, keys, objects and literals that requests name: values.c. */
#ifndef HEAPD_RPC_VALUES_H
#define HEAPD_RPC_VALUES_H

#include <heapd/v1/value.pb-c.h>
#include <stdbool.h>

#include "rpc/call.h"

/* The object of a handle, borrowed. */
int hd_call_object(struct hd_call *call, hd_handle handle, hd_value *out) HD_MUST_USE;
/* The same, and it must be of a kind. */
int hd_call_object_of(struct hd_call *call, hd_handle handle, enum hd_kind_of_value kind, hd_value *out) HD_MUST_USE;
/* 0 is the global scope: HD_ABSENT. */
int hd_call_scope(struct hd_call *call, hd_handle handle, hd_value *out) HD_MUST_USE;
/* Notes the slot of the result and checks that it will take one; 0: none. */
int hd_call_into(struct hd_call *call, hd_handle into) HD_MUST_USE;

/* A new reference to what a Value describes. `what` names the field. */
int hd_call_value(struct hd_call *call, const Heapd__V1__Value *value, const char *what, hd_value *out) HD_MUST_USE;

/* A key out of a Value. What it owns is given up by hd_call_key_done. */
struct hd_call_key {
    struct hd_key key;
    hd_value owned;
};
int hd_call_key(struct hd_call *call, const Heapd__V1__Value *value, struct hd_call_key *out) HD_MUST_USE;
void hd_call_key_done(struct hd_call *call, struct hd_call_key *key);
/* An attribute's name. */
int hd_call_attribute(struct hd_call *call, const ProtobufCBinaryData *name, struct hd_key *out) HD_MUST_USE;

/* How to build a literal: columns and handles. captured is in the arena. */
struct hd_call_build {
    struct hd_columns columns;
    struct hd_build build;
};
int hd_call_build_init(struct hd_call *call, const Heapd__V1__Literal *literal, struct hd_call_build *out) HD_MUST_USE;

#endif
