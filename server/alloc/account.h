/*
 * The daemon's bookkeeping memory: everything that is not a client's object.
 *
 * An accounted, limited face of the C library's allocator, behind struct
 * hd_allocator. All accounts of a daemon charge one budget, which the object
 * heap charges too (in mapped bytes): one limit for all of it.
 *
 *     account->used_bytes == sum of the sizes asked for and not freed, and of what was charged
 *     budget->used_bytes  == sum over its accounts + object memory + table
 *     budget->used_bytes  <= budget->limit_bytes, but for the reserve that
 *                            hd_budget_force may use to say no politely
 */
#ifndef HEAPD_ALLOC_ACCOUNT_H
#define HEAPD_ALLOC_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/error.h"

struct hd_budget {
    uint64_t used_bytes;
    uint64_t peak_bytes;
    uint64_t limit_bytes; /* UINT64_MAX: none */
    uint64_t refused_count;
    uint64_t refused_bytes; /* what was asked for when it was refused last */
};

void hd_budget_init(struct hd_budget *budget, uint64_t limit_bytes);
/* False, and nothing charged, when it would pass the limit. */
bool hd_budget_charge(struct hd_budget *budget, uint64_t bytes) HD_MUST_USE;
/* Charges past the limit too: for what must go out even when there is no room, such as a refusal. Keep it small. */
void hd_budget_force(struct hd_budget *budget, uint64_t bytes);
void hd_budget_uncharge(struct hd_budget *budget, uint64_t bytes);

struct hd_account {
    struct hd_budget *budget;      /* borrow, until fini */
    struct hd_allocator allocator; /* what users are given; context is this account */
    uint64_t used_bytes;
    uint64_t peak_bytes;
    uint64_t allocation_count; /* live blocks */
    /* Tests: called before each request that asks for more; true makes it fail. NULL otherwise. */
    bool (*fault)(void *context);
    void *fault_context;
};

/* The account must not move while it is in use. */
void hd_account_init(struct hd_account *account, struct hd_budget *budget);
/* Memory that the account's allocator does not hand out, but that is its users': shared memory. False as for a budget.
 */
bool hd_account_charge(struct hd_account *account, uint64_t bytes) HD_MUST_USE;
void hd_account_uncharge(struct hd_account *account, uint64_t bytes);
/* Checks, in builds with assertions, that everything was given back. */
void hd_account_fini(struct hd_account *account);

#endif
