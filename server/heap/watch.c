#include "heap/watch.h"

#include <string.h>

#include "heap/heap.h"
#include "heap/names.h"

static const struct hd_allocator *allocator_of(const struct hd_heap *heap)
{
    return &heap->account.allocator;
}

/* ---- the line of those that changed ---- */

static void changed(struct hd_watch *watch, struct hd_subscription *subscription)
{
    if (subscription->changed)
        return;
    subscription->changed = true;
    subscription->changed_next = NULL;
    subscription->changed_previous = watch->changed_last;
    if (watch->changed_last)
        watch->changed_last->changed_next = subscription;
    else
        watch->changed_first = subscription;
    watch->changed_last = subscription;
}

static void leave_line(struct hd_watch *watch, struct hd_subscription *subscription)
{
    if (!subscription->changed)
        return;
    subscription->changed = false;
    if (subscription->changed_previous)
        subscription->changed_previous->changed_next = subscription->changed_next;
    else
        watch->changed_first = subscription->changed_next;
    if (subscription->changed_next)
        subscription->changed_next->changed_previous = subscription->changed_previous;
    else
        watch->changed_last = subscription->changed_previous;
}

bool hd_watch_has_changed(const struct hd_heap *heap)
{
    return heap->watch->changed_first != NULL;
}

/* ---- buckets: containers by index, names by hash ---- */

static struct hd_subscription **bucket_of(struct hd_watch *watch, uint32_t hash)
{
    return &watch->buckets[hash % HD_WATCH_BUCKETS];
}

/* Keyed, so that no client can make all names fall into one bucket. */
static uint32_t hash_name(const struct hd_heap *heap, uint64_t scope, const uint8_t *name, size_t size)
{
    uint64_t hash = heap->objects.hash_key[0] ^ UINT64_C(0xcbf29ce484222325) ^ scope;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ name[i]) * UINT64_C(0x100000001b3);
    hash ^= heap->objects.hash_key[1];
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32);
}

static uint32_t index_of(const struct hd_subscription *subscription)
{
    return (uint32_t)subscription->identity;
}

/* A scope that is closed or freed: its names are gone, whatever their buckets. Rare. */
static void scope_changed(struct hd_watch *watch, uint32_t index)
{
    for (unsigned i = 0; watch->name_count && i < HD_WATCH_BUCKETS; i++)
        for (struct hd_subscription *s = watch->buckets[i]; s; s = s->next)
            if (s->name_size && index_of(s) == index)
                changed(watch, s);
}

static void hit(struct hd_watcher *watcher, uint32_t index)
{
    struct hd_watch *watch = (struct hd_watch *)((char *)watcher - offsetof(struct hd_watch, watcher));
    for (struct hd_subscription *s = *bucket_of(watch, index); s; s = s->next)
        if (!s->name_size && index_of(s) == index)
            changed(watch, s);
    scope_changed(watch, index);
}

/* ---- beginning and end ---- */

static bool covers_nothing(const struct hd_watcher *watcher, uint32_t index)
{
    (void)watcher;
    (void)index;
    return false;
}

int hd_watch_init(struct hd_heap *heap)
{
    heap->watch = hd_allocator_new_zeroed(allocator_of(heap), sizeof *heap->watch);
    if (!heap->watch)
        return HD_ENOMEM;
    heap->watch->watcher.covers = covers_nothing;
    heap->watch->watcher.hit = hit;
    return 0;
}

void hd_watch_fini(struct hd_heap *heap)
{
    struct hd_watch *watch = heap->watch;
    if (!watch)
        return;
    for (unsigned i = 0; i < HD_WATCH_BUCKETS; i++)
        while (watch->buckets[i])
            hd_watch_remove(heap, watch->buckets[i]);
    hd_allocator_free(allocator_of(heap), watch, sizeof *watch);
    heap->watch = NULL;
}

static int add(struct hd_heap *heap, hd_value target, hd_value marked, const uint8_t *name, size_t size,
               struct hd_subscription **out)
{
    struct hd_watch *watch = heap->watch;
    struct hd_subscription *subscription = hd_allocator_new_zeroed(allocator_of(heap), sizeof *subscription + size);
    if (!subscription)
        return HD_ENOMEM;
    subscription->target = hd_table_identity(&heap->table, hd_value_index(target));
    subscription->identity = hd_table_identity(&heap->table, hd_value_index(marked));
    subscription->name_size = (uint32_t)size;
    if (size)
        memcpy(subscription->name, name, size);
    subscription->hash = size ? hash_name(heap, subscription->target, name, size) : index_of(subscription);
    struct hd_subscription **bucket = bucket_of(watch, subscription->hash);
    subscription->next = *bucket;
    if (*bucket)
        (*bucket)->previous = subscription;
    *bucket = subscription;
    if (watch->count++ == 0)
        hd_gc_watch_begin(&heap->gc, &watch->watcher);
    watch->name_count += size > 0;
    hd_gc_watch(&heap->gc, hd_value_index(marked));
    *out = subscription;
    return 0;
}

static bool can_change(enum hd_kind_of_value kind)
{
    switch (kind) {
    case HD_IS_LIST:
    case HD_IS_DICT:
    case HD_IS_SET:
    case HD_IS_CLASS:
    case HD_IS_INSTANCE:
    case HD_IS_QUEUE:
        return true;
    default:
        return false;
    }
}

int hd_watch_add(struct hd_heap *heap, hd_value object, struct hd_subscription **out)
{
    if (object == HD_ABSENT)
        object = heap->globals;
    if (hd_kind_of(&heap->objects, object) == HD_IS_SCOPE) {
        if (hd_scope_is_closed(&heap->objects, object))
            return HD_EINVALID;
        return add(heap, object, hd_scope_names(&heap->objects, object), NULL, 0, out);
    }
    return can_change(hd_kind_of(&heap->objects, object)) ? add(heap, object, object, NULL, 0, out) : HD_ETYPE;
}

int hd_watch_add_name(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size,
                      struct hd_subscription **out)
{
    int error = hd_names_check(heap, scope, name, size);
    if (scope == HD_ABSENT)
        scope = heap->globals;
    return error ? error : add(heap, scope, scope, name, size, out);
}

void hd_watch_remove(struct hd_heap *heap, struct hd_subscription *subscription)
{
    struct hd_watch *watch = heap->watch;
    leave_line(watch, subscription);
    if (subscription->previous)
        subscription->previous->next = subscription->next;
    else
        *bucket_of(watch, subscription->hash) = subscription->next;
    if (subscription->next)
        subscription->next->previous = subscription->previous;
    watch->name_count -= subscription->name_size > 0;
    /* The mark is left; it goes away with the next change. */
    if (--watch->count == 0)
        hd_gc_watch_end(&heap->gc, &watch->watcher);
    hd_allocator_free(allocator_of(heap), subscription, sizeof *subscription + subscription->name_size);
}

/* ---- telling ---- */

/* So that its next change is seen. */
static void mark(struct hd_heap *heap, const struct hd_subscription *subscription)
{
    uint32_t index = hd_table_find(&heap->table, subscription->identity);
    if (index)
        hd_gc_watch(&heap->gc, index);
}

struct hd_subscription *hd_watch_next(struct hd_heap *heap)
{
    struct hd_subscription *subscription = heap->watch->changed_first;
    if (!subscription)
        return NULL;
    leave_line(heap->watch, subscription);
    subscription->untold_count++;
    mark(heap, subscription);
    return subscription;
}

struct hd_subscription *hd_watch_last(const struct hd_heap *heap)
{
    return heap->watch->changed_last;
}

void hd_watch_forget_behind(struct hd_heap *heap, const struct hd_subscription *last)
{
    while (heap->watch->changed_last != last) {
        struct hd_subscription *subscription = heap->watch->changed_last;
        leave_line(heap->watch, subscription);
        mark(heap, subscription);
    }
}

bool hd_watch_is_gone(const struct hd_heap *heap, const struct hd_subscription *subscription)
{
    uint32_t index = hd_table_find(&heap->table, subscription->target);
    if (!index || heap->table.state[index] & HD_STATE_DYING)
        return true;
    return hd_table_type(&heap->table, index) == HD_TYPE_SCOPE &&
           hd_scope_is_closed(&heap->objects, hd_value_ref(index, false));
}

uint64_t hd_watch_identity(struct hd_heap *heap, const struct hd_subscription *subscription, bool *bound)
{
    hd_value value;
    *bound = false;
    if (!subscription->name_size)
        return subscription->target;
    if (hd_watch_is_gone(heap, subscription))
        return 0;
    hd_value scope = hd_value_ref(hd_table_find(&heap->table, subscription->target), false);
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, subscription->name, subscription->name_size);
    if (hd_dict_get(&heap->objects, hd_scope_names(&heap->objects, scope), &key, &value))
        return 0;
    *bound = true;
    uint64_t identity = hd_value_is_ref(value) ? hd_table_identity(&heap->table, hd_value_index(value)) : 0;
    hd_gc_release(&heap->gc, value);
    return identity;
}

void hd_watch_name_changed(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    struct hd_watch *watch = heap->watch;
    if (!watch->name_count)
        return;
    if (scope == HD_ABSENT)
        scope = heap->globals;
    uint64_t target = hd_table_identity(&heap->table, hd_value_index(scope));
    uint32_t hash = hash_name(heap, target, name, size);
    for (struct hd_subscription *s = *bucket_of(watch, hash); s; s = s->next)
        if (s->hash == hash && s->target == target && s->name_size == size && memcmp(s->name, name, size) == 0)
            changed(watch, s);
}
