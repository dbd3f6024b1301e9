/* Names with a time to live. */
#include "heap/expiry.h"

#include <string.h>

#include "heap/heap.h"
#include "heap/names.h"

/* Stale entries that are looked for when one is made: so they never are most. */
#define SWEEP_COUNT 2u

static struct hd_expiry *entry_at(const struct hd_heap *heap, uint32_t position)
{
    return &heap->expiries.entries[heap->expiries.order[position]];
}

/* ---- the order: a binary heap ---- */

static void put(struct hd_expiries *expiries, uint32_t position, uint32_t number)
{
    expiries->order[position] = number;
    expiries->entries[number].position = position;
}

static void sift_up(struct hd_expiries *expiries, uint32_t position)
{
    uint32_t number = expiries->order[position];
    while (position > 0) {
        uint32_t parent = expiries->order[(position - 1) / 2];
        if (expiries->entries[parent].at <= expiries->entries[number].at)
            break;
        put(expiries, position, parent);
        position = (position - 1) / 2;
    }
    put(expiries, position, number);
}

static void sift_down(struct hd_expiries *expiries, uint32_t position)
{
    uint32_t number = expiries->order[position];
    for (;;) {
        uint32_t child = 2 * position + 1;
        if (child >= expiries->order_count)
            break;
        if (child + 1 < expiries->order_count &&
            expiries->entries[expiries->order[child + 1]].at < expiries->entries[expiries->order[child]].at)
            child++;
        if (expiries->entries[expiries->order[child]].at >= expiries->entries[number].at)
            break;
        put(expiries, position, expiries->order[child]);
        position = child;
    }
    put(expiries, position, number);
}

static void move_to(struct hd_expiries *expiries, uint32_t number, uint64_t at)
{
    expiries->entries[number].at = at;
    sift_up(expiries, expiries->entries[number].position);
    sift_down(expiries, expiries->entries[number].position);
}

static void free_entry(struct hd_heap *heap, uint32_t number)
{
    struct hd_expiries *expiries = &heap->expiries;
    struct hd_expiry *entry = &expiries->entries[number];
    uint32_t position = entry->position;
    uint32_t last = expiries->order[--expiries->order_count];
    if (last != number) {
        put(expiries, position, last);
        sift_up(expiries, position);
        sift_down(expiries, expiries->entries[last].position);
    }
    hd_allocator_free(&heap->account.allocator, entry->name, entry->size);
    *entry = (struct hd_expiry){.position = expiries->free};
    expiries->free = number;
}

/* Room for one more of each. */
static int grow(struct hd_heap *heap)
{
    struct hd_expiries *expiries = &heap->expiries;
    const struct hd_allocator *allocator = &heap->account.allocator;
    if (expiries->length >= expiries->capacity) {
        uint32_t old = expiries->capacity, capacity = old ? old * 2 : 16;
        struct hd_expiry *entries =
            hd_allocator_resize(allocator, expiries->entries, old * sizeof *entries, capacity * sizeof *entries);
        if (!entries)
            return HD_ENOMEM;
        expiries->entries = entries;
        expiries->capacity = capacity;
    }
    if (expiries->order_count == expiries->order_capacity) {
        uint32_t old = expiries->order_capacity, capacity = old ? old * 2 : 16;
        uint32_t *order =
            hd_allocator_resize(allocator, expiries->order, old * sizeof *order, capacity * sizeof *order);
        if (!order)
            return HD_ENOMEM;
        expiries->order = order;
        expiries->order_capacity = capacity;
    }
    return 0;
}

static int new_entry(struct hd_heap *heap, uint64_t scope, const uint8_t *name, size_t size, uint64_t at, uint32_t *out)
{
    struct hd_expiries *expiries = &heap->expiries;
    int error = grow(heap);
    if (error)
        return error;
    uint8_t *copy = hd_allocator_new(&heap->account.allocator, size);
    if (!copy)
        return HD_ENOMEM;
    memcpy(copy, name, size);
    uint32_t number = expiries->free;
    if (number) {
        expiries->free = expiries->entries[number].position;
    } else {
        number = expiries->length ? expiries->length : 1;
        expiries->length = number + 1;
    }
    expiries->entries[number] = (struct hd_expiry){.at = at, .scope = scope, .size = (uint32_t)size, .name = copy};
    put(expiries, expiries->order_count++, number);
    sift_up(expiries, expiries->order_count - 1);
    *out = number;
    return 0;
}

/* ---- names and their entries ---- */

static hd_value scope_of(const struct hd_heap *heap, hd_value scope)
{
    return scope == HD_ABSENT ? heap->globals : scope;
}

static struct hd_key key_of(const uint8_t *name, size_t size)
{
    return hd_key_of_bytes(HD_TAG_STR, name, size);
}

/* 0: it has none. */
static uint32_t find(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    hd_value deadlines = hd_scope_deadlines(&heap->objects, scope), number;
    struct hd_key key = key_of(name, size);
    if (deadlines == HD_ABSENT || hd_dict_get(&heap->objects, deadlines, &key, &number))
        return 0;
    return (uint32_t)hd_value_to_int(number);
}

/* The live scope of an entry, or HD_ABSENT: it is stale. */
static hd_value live_scope(const struct hd_heap *heap, const struct hd_expiry *entry)
{
    uint32_t index = hd_table_find(&heap->table, entry->scope);
    if (!index || hd_table_type(&heap->table, index) != HD_TYPE_SCOPE)
        return HD_ABSENT;
    hd_value scope = hd_value_ref(index, false);
    return hd_scope_is_closed(&heap->objects, scope) ? HD_ABSENT : scope;
}

static void sweep(struct hd_heap *heap)
{
    struct hd_expiries *expiries = &heap->expiries;
    for (unsigned i = 0; i < SWEEP_COUNT && expiries->order_count; i++) {
        if (++expiries->sweep >= expiries->order_count)
            expiries->sweep = 0;
        if (live_scope(heap, entry_at(heap, expiries->sweep)) == HD_ABSENT)
            free_entry(heap, expiries->order[expiries->sweep]);
    }
}

/* A new entry and its place in the scope's deadlines. */
static int add(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, uint64_t at, uint32_t *out)
{
    uint64_t identity = hd_table_identity(&heap->table, hd_value_index(scope));
    struct hd_key key = key_of(name, size);
    uint32_t number = 0;
    int error = hd_scope_make_deadlines(&heap->objects, scope);
    if (!error)
        error = new_entry(heap, identity, name, size, at, &number);
    if (!error)
        error = hd_dict_set(&heap->objects, hd_scope_deadlines(&heap->objects, scope), &key, hd_value_int(number));
    if (!error) {
        *out = number;
        return 0;
    }
    if (number)
        free_entry(heap, number);
    hd_scope_drop_deadlines(&heap->objects, scope);
    return error;
}

bool hd_heap_name_expires(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    return hd_names_check(heap, scope, name, size) == 0 && find(heap, scope_of(heap, scope), name, size) != 0;
}

void hd_expiry_forget(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    scope = scope_of(heap, scope);
    uint32_t number = find(heap, scope, name, size);
    struct hd_key key = key_of(name, size);
    if (!number)
        return;
    int error = hd_dict_pop(&heap->objects, hd_scope_deadlines(&heap->objects, scope), &key, NULL);
    assert(!error); /* it was found */
    (void)error;
    free_entry(heap, number);
    hd_scope_drop_deadlines(&heap->objects, scope);
}

int hd_heap_bind_until(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value,
                       uint64_t at)
{
    int error = hd_names_check(heap, scope, name, size);
    if (error)
        return error;
    hd_value in = scope_of(heap, scope);
    uint32_t number = find(heap, in, name, size);
    bool is_new = !number;
    sweep(heap);
    if (is_new)
        error = add(heap, in, name, size, at, &number);
    if (error)
        return error;
    error = hd_heap_rebind(heap, scope, name, size, value);
    if (error && is_new)
        hd_expiry_forget(heap, in, name, size);
    else if (!error)
        move_to(&heap->expiries, number, at);
    return error;
}

int hd_heap_set_deadline(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, uint64_t at)
{
    bool bound;
    int error = hd_names_has(heap, scope, name, size, &bound);
    if (error || !bound)
        return error ? error : HD_ENAME;
    hd_value in = scope_of(heap, scope);
    if (at == HD_NEVER) {
        hd_expiry_forget(heap, in, name, size);
        return 0;
    }
    uint32_t number = find(heap, in, name, size);
    if (!number)
        return add(heap, in, name, size, at, &number);
    move_to(&heap->expiries, number, at);
    return 0;
}

int hd_heap_deadline(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, uint64_t *at)
{
    bool bound;
    int error = hd_names_has(heap, scope, name, size, &bound);
    if (error || !bound)
        return error ? error : HD_ENAME;
    uint32_t number = find(heap, scope_of(heap, scope), name, size);
    *at = number ? heap->expiries.entries[number].at : HD_NEVER;
    return 0;
}

uint64_t hd_heap_next_deadline(const struct hd_heap *heap)
{
    return heap->expiries.order_count ? entry_at(heap, 0)->at : HD_NEVER;
}

bool hd_heap_expire(struct hd_heap *heap, uint64_t now, uint64_t units)
{
    struct hd_expiries *expiries = &heap->expiries;
    while (expiries->order_count && entry_at(heap, 0)->at <= now) {
        if (units-- == 0)
            return true;
        const struct hd_expiry *entry = entry_at(heap, 0);
        hd_value scope = live_scope(heap, entry);
        if (scope == HD_ABSENT) {
            free_entry(heap, expiries->order[0]);
            continue;
        }
        expiries->expired_count++;
        /* Unbinding forgets the entry, whose name is not used after that. */
        int error = hd_heap_unbind(heap, scope, entry->name, entry->size);
        assert(!error);
        (void)error;
    }
    return false;
}

void hd_expiries_fini(struct hd_heap *heap)
{
    struct hd_expiries *expiries = &heap->expiries;
    const struct hd_allocator *allocator = &heap->account.allocator;
    for (uint32_t i = 1; i < expiries->length; i++)
        hd_allocator_free(allocator, expiries->entries[i].name, expiries->entries[i].size);
    hd_allocator_free(allocator, expiries->entries, expiries->capacity * sizeof *expiries->entries);
    hd_allocator_free(allocator, expiries->order, expiries->order_capacity * sizeof *expiries->order);
    *expiries = (struct hd_expiries){.entries = NULL};
}

const char *hd_expiries_check(const struct hd_heap *heap)
{
    const struct hd_expiries *expiries = &heap->expiries;
    uint32_t used = 0;
    for (uint32_t i = 1; i < expiries->length; i++)
        used += expiries->entries[i].name != NULL;
    if (used != expiries->order_count)
        return "expiry: entries in use == order_count";
    for (uint32_t i = 0; i < expiries->order_count; i++)
        if (entry_at(heap, i)->position != i || (i && entry_at(heap, (i - 1) / 2)->at > entry_at(heap, i)->at))
            return "expiry: the order is a heap, and each entry knows its place";
    return NULL;
}
