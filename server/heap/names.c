/* Names: what binds objects to words, globally and in scopes; and numbers in slots. */
#include "heap/names.h"
#include "common/utf8.h"
#include "heap/heap.h"
#include "heap/watch.h"

static int check_name(const uint8_t *name, size_t size)
{
    if (size == 0 || size > HD_NAME_MAX_BYTES)
        return HD_EINVALID;
    return hd_utf8_valid(name, size) ? 0 : HD_EUTF8;
}

/* The dict of a scope's names: borrowed. */
static int names_of(const struct hd_heap *heap, hd_value scope, hd_value *out)
{
    if (scope == HD_ABSENT)
        scope = heap->globals;
    if (hd_kind_of(&heap->objects, scope) != HD_IS_SCOPE)
        return HD_ETYPE;
    if (hd_scope_is_closed(&heap->objects, scope))
        return HD_EINVALID;
    *out = hd_scope_names(&heap->objects, scope);
    return 0;
}

static int prepare(const struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, struct hd_key *key,
                   hd_value *names)
{
    int error = check_name(name, size);
    if (error)
        return error;
    *key = hd_key_of_bytes(HD_TAG_STR, name, size);
    return names_of(heap, scope, names);
}

int hd_names_check(const struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    struct hd_key key;
    hd_value names;
    return prepare(heap, scope, name, size, &key, &names);
}

int hd_names_has(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, bool *out)
{
    struct hd_key key;
    hd_value names;
    int error = prepare(heap, scope, name, size, &key, &names);
    return error ? error : hd_dict_contains(&heap->objects, names, &key, out);
}

int hd_heap_bind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value)
{
    int error = hd_heap_rebind(heap, scope, name, size, value);
    if (!error)
        hd_expiry_forget(heap, scope, name, size);
    return error;
}

int hd_heap_rebind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value value)
{
    struct hd_key key;
    hd_value names;
    int error = prepare(heap, scope, name, size, &key, &names);
    if (!error)
        error = hd_dict_set(&heap->objects, names, &key, value);
    if (!error) {
        heap->names_epoch++;
        hd_watch_name_changed(heap, scope, name, size);
    }
    return error;
}

int hd_heap_lookup(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value *out)
{
    struct hd_key key;
    hd_value names;
    int error = prepare(heap, scope, name, size, &key, &names);
    if (error)
        return error;
    if (scope == HD_ABSENT)
        scope = heap->globals;
    for (;;) {
        error = hd_dict_get(&heap->objects, names, &key, out);
        if (error != HD_EKEY)
            return error;
        if (scope == heap->globals)
            return HD_ENAME;
        scope = hd_scope_parent(&heap->objects, scope);
        /* The chain of a scope ends, whether by its making or because a parent was closed, at the global one. */
        if (scope == HD_ABSENT || hd_scope_is_closed(&heap->objects, scope))
            scope = heap->globals;
        names = hd_scope_names(&heap->objects, scope);
    }
}

int hd_heap_lookup_own(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value *out)
{
    struct hd_key key;
    hd_value names;
    int error = prepare(heap, scope, name, size, &key, &names);
    if (!error)
        error = hd_dict_get(&heap->objects, names, &key, out);
    return error == HD_EKEY ? HD_ENAME : error;
}

int hd_heap_unbind(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size)
{
    struct hd_key key;
    hd_value names;
    int error = prepare(heap, scope, name, size, &key, &names);
    if (!error)
        error = hd_dict_pop(&heap->objects, names, &key, NULL);
    if (!error) {
        hd_watch_name_changed(heap, scope, name, size);
        hd_expiry_forget(heap, scope, name, size);
    }
    return error == HD_EKEY ? HD_ENAME : error;
}

bool hd_heap_next_name(const struct hd_heap *heap, hd_value scope, uint32_t *position, hd_value *name, hd_value *value)
{
    hd_value names;
    if (names_of(heap, scope, &names) != 0)
        return false;
    return hd_dict_next(&heap->objects, names, position, name, value);
}

/* ---- numbers in slots ----------------------------------------------------- */

/*
 * What was in the slot (steal) and the delta make a sum; it is put back by
 * `store`. Immutable values are never changed: the slot gets another one.
 */
static int add(struct hd_heap *heap, hd_value old, hd_value delta, hd_value *sum)
{
    int error = hd_number_add(&heap->objects, old, delta, sum);
    hd_gc_release(&heap->gc, old);
    return error;
}

/* The sum is stored and given out, or let go of. */
static int finish(struct hd_heap *heap, int error, hd_value sum, hd_value *out)
{
    if (error)
        hd_gc_release(&heap->gc, sum);
    else
        *out = sum;
    return error;
}

int hd_heap_add_to_name(struct hd_heap *heap, hd_value scope, const uint8_t *name, size_t size, hd_value delta,
                        hd_value *out)
{
    struct hd_key key;
    hd_value names, old, sum;
    int error = prepare(heap, scope, name, size, &key, &names);
    if (!error)
        error = hd_dict_get(&heap->objects, names, &key, &old);
    if (!error)
        error = add(heap, old, delta, &sum);
    if (error)
        return error == HD_EKEY ? HD_ENAME : error;
    error = hd_dict_set(&heap->objects, names, &key, hd_gc_retain(&heap->gc, sum));
    if (error)
        hd_gc_release(&heap->gc, sum);
    else
        hd_watch_name_changed(heap, scope, name, size);
    return finish(heap, error, sum, out);
}

int hd_heap_add_to_item(struct hd_heap *heap, hd_value object, struct hd_key *key, hd_value delta, hd_value *out)
{
    hd_value old, sum;
    int error = hd_get_item(&heap->objects, object, key, &old);
    if (!error)
        error = add(heap, old, delta, &sum);
    if (error)
        return error;
    error = hd_set_item(&heap->objects, object, key, hd_gc_retain(&heap->gc, sum));
    if (error)
        hd_gc_release(&heap->gc, sum);
    return finish(heap, error, sum, out);
}

int hd_heap_add_to_attribute(struct hd_heap *heap, hd_value object, struct hd_key *name, hd_value delta, hd_value *out)
{
    hd_value old, sum;
    int error = hd_attribute_get(&heap->objects, object, name, &old);
    if (!error)
        error = add(heap, old, delta, &sum);
    if (error)
        return error;
    error = hd_attribute_set(&heap->objects, object, name, hd_gc_retain(&heap->gc, sum));
    if (error)
        hd_gc_release(&heap->gc, sum);
    return finish(heap, error, sum, out);
}
