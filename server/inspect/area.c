#include "inspect/area.h"

static uint64_t whole_pages(const struct hd_heap *heap, uint64_t bytes)
{
    uint64_t page = heap->table.os->page_bytes;
    return bytes ? (bytes + page - 1) / page * page : page;
}

/* Part of the bookkeeping: the account that tests make fail, and that everyone can see. */
static bool charge(struct hd_heap *heap, uint64_t bytes)
{
    struct hd_account *account = &heap->account;
    if (account->fault && account->fault(account->fault_context))
        return false;
    if (!hd_budget_charge(&heap->budget, bytes))
        return false;
    account->used_bytes += bytes;
    if (account->used_bytes > account->peak_bytes)
        account->peak_bytes = account->used_bytes;
    return true;
}

static void uncharge(struct hd_heap *heap, uint64_t bytes)
{
    hd_budget_uncharge(&heap->budget, bytes);
    heap->account.used_bytes -= bytes;
}

int hd_area_map(struct hd_heap *heap, uint64_t bytes, struct hd_area *out)
{
    const struct hd_os *os = heap->table.os;
    if (bytes > SIZE_MAX / 2)
        return HD_ENOMEM;
    uint64_t mapped = whole_pages(heap, bytes);
    if (!charge(heap, mapped))
        return HD_ENOMEM;
    void *base = os->map(os->context, mapped, os->page_bytes);
    if (!base) {
        uncharge(heap, mapped);
        return HD_ENOMEM;
    }
    *out = (struct hd_area){.base = base, .mapped_bytes = mapped};
    return 0;
}

int hd_area_grow(struct hd_heap *heap, struct hd_area *area, uint64_t bytes)
{
    const struct hd_os *os = heap->table.os;
    uint64_t mapped = whole_pages(heap, bytes);
    if (mapped <= area->mapped_bytes)
        return 0;
    uint64_t more = mapped - area->mapped_bytes;
    if (bytes > SIZE_MAX / 2 || !charge(heap, more))
        return HD_ENOMEM;
    void *base = os->remap(os->context, area->base, area->mapped_bytes, mapped, os->page_bytes);
    if (!base) {
        uncharge(heap, more);
        return HD_ENOMEM;
    }
    *area = (struct hd_area){.base = base, .mapped_bytes = mapped};
    return 0;
}

bool hd_area_release(struct hd_heap *heap, struct hd_area *area, uint64_t bytes)
{
    const struct hd_os *os = heap->table.os;
    if (!area->base)
        return false;
    uint64_t part = whole_pages(heap, bytes);
    if (part > area->mapped_bytes)
        part = area->mapped_bytes;
    area->mapped_bytes -= part;
    os->unmap(os->context, (char *)area->base + area->mapped_bytes, part);
    uncharge(heap, part);
    if (area->mapped_bytes == 0)
        area->base = NULL;
    return area->base != NULL;
}
