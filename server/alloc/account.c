#include "alloc/account.h"

#include <assert.h>
#include <stdlib.h>

void hd_budget_init(struct hd_budget *budget, uint64_t limit_bytes)
{
    *budget = (struct hd_budget){.limit_bytes = limit_bytes};
}

void hd_budget_force(struct hd_budget *budget, uint64_t bytes)
{
    budget->used_bytes += bytes;
    if (budget->used_bytes > budget->peak_bytes)
        budget->peak_bytes = budget->used_bytes;
}

bool hd_budget_charge(struct hd_budget *budget, uint64_t bytes)
{
    /* Use may stand above the limit: after a forced charge, or when the limit was lowered. */
    bool fits = budget->used_bytes <= budget->limit_bytes && bytes <= budget->limit_bytes - budget->used_bytes;
    if (!fits) {
        budget->refused_count++;
        budget->refused_bytes = bytes;
        return false;
    }
    hd_budget_force(budget, bytes);
    return true;
}

void hd_budget_uncharge(struct hd_budget *budget, uint64_t bytes)
{
    assert(bytes <= budget->used_bytes);
    budget->used_bytes -= bytes;
}

static void count_change(struct hd_account *account, size_t old_bytes, size_t new_bytes)
{
    account->used_bytes += new_bytes;
    account->used_bytes -= old_bytes;
    if (account->used_bytes > account->peak_bytes)
        account->peak_bytes = account->used_bytes;
}

bool hd_account_charge(struct hd_account *account, uint64_t bytes)
{
    if (account->fault && account->fault(account->fault_context))
        return false;
    if (!hd_budget_charge(account->budget, bytes))
        return false;
    count_change(account, 0, bytes);
    return true;
}

void hd_account_uncharge(struct hd_account *account, uint64_t bytes)
{
    assert(bytes <= account->used_bytes);
    count_change(account, bytes, 0);
    hd_budget_uncharge(account->budget, bytes);
}

static void account_free(struct hd_account *account, void *pointer, size_t bytes)
{
    if (!pointer)
        return;
    assert(account->allocation_count > 0);
    assert(bytes <= account->used_bytes);
    free(pointer);
    count_change(account, bytes, 0);
    account->allocation_count--;
    hd_budget_uncharge(account->budget, bytes);
}

static void *account_grow(struct hd_account *account, void *pointer, size_t old_bytes, size_t new_bytes)
{
    if (account->fault && account->fault(account->fault_context))
        return NULL;
    if (!hd_budget_charge(account->budget, new_bytes - old_bytes))
        return NULL;
    void *grown = realloc(pointer, new_bytes);
    if (!grown) {
        hd_budget_uncharge(account->budget, new_bytes - old_bytes);
        return NULL;
    }
    if (!pointer)
        account->allocation_count++;
    count_change(account, old_bytes, new_bytes);
    return grown;
}

static void *account_shrink(struct hd_account *account, void *pointer, size_t old_bytes, size_t new_bytes)
{
    void *shrunk = realloc(pointer, new_bytes);
    if (!shrunk)
        return NULL;
    count_change(account, old_bytes, new_bytes);
    hd_budget_uncharge(account->budget, old_bytes - new_bytes);
    return shrunk;
}

static void *account_resize(void *context, void *pointer, size_t old_bytes, size_t new_bytes)
{
    struct hd_account *account = context;
    assert(pointer || old_bytes == 0);
    if (new_bytes == 0) {
        account_free(account, pointer, old_bytes);
        return NULL;
    }
    if (!pointer || new_bytes > old_bytes)
        return account_grow(account, pointer, old_bytes, new_bytes);
    return account_shrink(account, pointer, old_bytes, new_bytes);
}

void hd_account_init(struct hd_account *account, struct hd_budget *budget)
{
    *account = (struct hd_account){.budget = budget};
    account->allocator = (struct hd_allocator){.resize = account_resize, .context = account};
}

void hd_account_fini(struct hd_account *account)
{
    if (!account)
        return;
    assert(account->used_bytes == 0);
    assert(account->allocation_count == 0);
}
