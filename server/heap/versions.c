#include "heap/versions.h"

static struct hd_version *set_of(const struct hd_versions *versions, uint32_t index)
{
    uint32_t number = (index * UINT32_C(2654435761)) >> 16 & (HD_VERSION_SETS - 1);
    return (struct hd_version *)&versions->entries[(size_t)number * HD_VERSION_WAYS];
}

static struct hd_version *find(const struct hd_versions *versions, uint64_t identity)
{
    struct hd_version *set = set_of(versions, (uint32_t)identity);
    for (unsigned i = 0; i < HD_VERSION_WAYS; i++)
        if (set[i].identity == identity)
            return &set[i];
    return NULL;
}

/* The object changes or dies: whoever looks at its entry next finds another number. Nothing is covered in slices. */
static bool changed(const struct hd_watcher *watcher, uint32_t index)
{
    struct hd_versions *versions = (struct hd_versions *)((uintptr_t)watcher - offsetof(struct hd_versions, watcher));
    struct hd_version *entry = find(versions, hd_table_identity(versions->gc->table, index));
    if (!entry)
        return false;
    if (entry->number <= versions->mark)
        entry->before = entry->number;
    entry->number = ++versions->clock;
    return false;
}

int hd_versions_new(struct hd_heap *heap, struct hd_versions **out)
{
    struct hd_versions *versions = hd_allocator_new_zeroed(&heap->account.allocator, sizeof *versions);
    if (!versions)
        return HD_ENOMEM;
    versions->gc = &heap->gc;
    versions->watcher.covers = changed;
    hd_gc_watch_begin(&heap->gc, &versions->watcher);
    *out = versions;
    return 0;
}

void hd_versions_free(struct hd_heap *heap, struct hd_versions *versions)
{
    if (!versions)
        return;
    hd_gc_watch_end(&heap->gc, &versions->watcher);
    hd_allocator_free(&heap->account.allocator, versions, sizeof *versions);
}

uint64_t hd_versions_ask(struct hd_versions *versions, hd_value object)
{
    uint32_t index = hd_value_index(object);
    uint64_t identity = hd_table_identity(versions->gc->table, index);
    struct hd_version *entry = find(versions, identity);
    if (!entry) {
        struct hd_version *set = set_of(versions, index);
        entry = &set[0];
        for (unsigned i = 1; i < HD_VERSION_WAYS; i++)
            if (set[i].asked < entry->asked)
                entry = &set[i];
        *entry = (struct hd_version){.identity = identity, .number = ++versions->clock};
    }
    entry->asked = ++versions->clock;
    hd_gc_watch(versions->gc, index);
    return entry->number;
}

void hd_versions_open(struct hd_versions *versions)
{
    if (versions)
        versions->mark = versions->clock;
}

void hd_versions_close(struct hd_versions *versions, bool put_back)
{
    if (!versions)
        return;
    const uint64_t mark = versions->mark;
    versions->mark = 0;
    if (!put_back || versions->clock == mark)
        return;
    for (size_t i = 0; i < (size_t)HD_VERSION_SETS * HD_VERSION_WAYS; i++) {
        struct hd_version *entry = &versions->entries[i];
        uint32_t index = entry->number > mark ? hd_table_find(versions->gc->table, entry->identity) : 0;
        if (!index)
            continue;
        entry->number = entry->before;
        hd_gc_watch(versions->gc, index);
    }
}

bool hd_versions_hold(const struct hd_versions *versions, hd_value object, uint64_t number)
{
    if (!hd_value_is_ref(object))
        return false;
    const struct hd_version *entry = find(versions, hd_table_identity(versions->gc->table, hd_value_index(object)));
    return entry && entry->number == number;
}
