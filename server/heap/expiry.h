/*
 * Names that end by themselves. The heap knows no clock: a moment is a number
 * that only grows, and whoever has a clock says what it is now (hd_heap_expire).
 */
#ifndef HEAPD_HEAP_EXPIRY_H
#define HEAPD_HEAP_EXPIRY_H

#include <stdint.h>

#include "common/allocator.h"

/* One name's end. An entry whose scope is gone is stale, and found so when its moment comes or by chance before. */
struct hd_expiry {
    uint64_t at;
    uint64_t scope;    /* its identity */
    uint32_t position; /* in `order`; of a free entry: the next free one */
    uint32_t size;
    uint8_t *name; /* own; NULL: a free entry */
};

/*
 *     order is a heap of entry numbers, the earliest first; order_count of them
 *     entries in use == order_count
 *     a scope's deadlines, a dict, map each name to the number of its entry
 */
struct hd_expiries {
    struct hd_expiry *entries; /* own */
    uint32_t *order;           /* own */
    uint32_t length;           /* entries ever used; 0 is never */
    uint32_t capacity;
    uint32_t order_capacity;
    uint32_t free; /* 0: none */
    uint32_t order_count;
    uint32_t sweep; /* where in the order stale ones are looked for next */
    uint64_t expired_count;
};

#endif
