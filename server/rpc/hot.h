/*
 * Reading the requests that come most often without protobuf-c.
 *
 * The same messages, out of the same bytes, in memory that is there already: what
 * protobuf-c does with allocations and descriptors costs more than most of these
 * requests do. Only what an encoder writes is read here; whatever is unusual (a
 * field twice, one that is not known, a nested literal) is left to protobuf-c,
 * and so is every error. A fuzz target holds the two against each other.
 */
#ifndef HEAPD_RPC_HOT_H
#define HEAPD_RPC_HOT_H

#include <heapd/v1/names.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <heapd/v1/session.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Handles of one Release that are read here. */
#define HD_HOT_NUMBERS 8

union hd_hot_message {
    ProtobufCMessage base;
    Heapd__V1__GetItemRequest get_item;
    Heapd__V1__SetItemRequest set_item;
    Heapd__V1__DelItemRequest del_item;
    Heapd__V1__ContainsRequest contains;
    Heapd__V1__AppendRequest append;
    Heapd__V1__InsertRequest insert;
    Heapd__V1__PopRequest pop;
    Heapd__V1__SetAddRequest set_add;
    Heapd__V1__SetDiscardRequest set_discard;
    Heapd__V1__GetAttrRequest get_attr;
    Heapd__V1__SetAttrRequest set_attr;
    Heapd__V1__AddRequest add;
    Heapd__V1__LengthRequest length;
    Heapd__V1__DuplicateRequest duplicate;
    Heapd__V1__ReleaseRequest release;
    Heapd__V1__LookupRequest lookup;
    Heapd__V1__PingRequest ping;
};

struct hd_hot {
    /* NULL: not read here. Else `message`; its bytes lie in the body, its values in `values`. */
    const void *request;
    uint64_t object;             /* the handle of the object that it is about, or 0 */
    const Heapd__V1__Value *key; /* of an item of the object; NULL: it is about none */
    unsigned value_count;
    Heapd__V1__Value values[2];
    uint64_t numbers[HD_HOT_NUMBERS];
    union hd_hot_message message;
};

/* Reads a body; lent as long as it is. False: it is for protobuf-c to read or to refuse. */
bool hd_hot_read(uint16_t method, const uint8_t *body, size_t bytes, struct hd_hot *out);

#endif
