#include "alloc/pages.h"

#include "alloc/poison.h"

void *hd_pages_map(struct hd_pages *pages, size_t bytes, size_t align_bytes)
{
    if (!hd_budget_charge(pages->budget, bytes))
        return NULL;
    void *pointer = pages->os->map(pages->os->context, bytes, align_bytes);
    if (!pointer) {
        hd_budget_uncharge(pages->budget, bytes);
        return NULL;
    }
    pages->mapped_bytes += bytes;
    return pointer;
}

void hd_pages_unmap(struct hd_pages *pages, void *pointer, size_t bytes)
{
    /* The addresses may serve somebody else next, who knows nothing of our poison. */
    hd_unpoison(pointer, bytes);
    pages->os->unmap(pages->os->context, pointer, bytes);
    pages->mapped_bytes -= bytes;
    hd_budget_uncharge(pages->budget, bytes);
}

void *hd_pages_remap(struct hd_pages *pages, void *pointer, size_t old_bytes, size_t new_bytes, size_t align_bytes)
{
    size_t more_bytes = new_bytes > old_bytes ? new_bytes - old_bytes : 0;
    if (more_bytes && !hd_budget_charge(pages->budget, more_bytes))
        return NULL;
    void *moved = pages->os->remap(pages->os->context, pointer, old_bytes, new_bytes, align_bytes);
    if (!moved) {
        if (more_bytes)
            hd_budget_uncharge(pages->budget, more_bytes);
        return NULL;
    }
    pages->mapped_bytes += new_bytes;
    pages->mapped_bytes -= old_bytes;
    if (new_bytes < old_bytes)
        hd_budget_uncharge(pages->budget, old_bytes - new_bytes);
    return moved;
}
