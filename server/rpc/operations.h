/* Every method, one row: table.c. */
#ifndef HEAPD_RPC_OPERATIONS_H
#define HEAPD_RPC_OPERATIONS_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

struct hd_call;

enum hd_operation_flag {
    HD_OP_BEFORE_HELLO = 1, /* Hello itself */
    HD_OP_ADMIN = 2,
    HD_OP_CONTINUES = 4, /* may be parked, or go on in slices */
    HD_OP_BATCH = 16,    /* may be in a batch: all that it changes can be undone */
    HD_OP_HEAP_WORK = 8, /* these slices are measured as the heap's own */
};

struct hd_operation {
    uint16_t method;
    const char *name; /* in lower case, as in stats */
    const ProtobufCMessageDescriptor *request;
    unsigned flags;
    const char *needs; /* what an object must have: "<type> has no <needs>" */
    /* 0: replied; HD_CALL_CONTINUES; or an error, after which nothing has changed and the output is as it was. */
    int (*run)(struct hd_call *call, const void *request);
};

#define HD_CALL_CONTINUES 1
/* Of hd_release_step alone. */
#define HD_CALL_LATER 2

/* NULL: no such method. */
const struct hd_operation *hd_operation_find(uint16_t method);

#endif
