/* Scopes: names with a parent. Looking a name up along the parents is the heap's affair. */
#include "object/object.h"
#include "object/payload.h"

static struct hd_scope *scope_of(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

static void scope_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_scope *scope = payload;
    out->spans[out->span_count++] = (struct hd_span){&scope->names, 3};
}

static void scope_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    (void)payload;
    hd_objects_of(gc)->type_count[HD_TYPE_SCOPE]--;
}

const struct hd_type_ops hd_scope_ops = {
    .name = "scope", .inner = true, .tracked = true, .traverse = scope_traverse, .dispose = scope_dispose};

int hd_scope_new(struct hd_objects *objects, hd_value parent, hd_value *out)
{
    if (parent != HD_ABSENT && !hd_is_type(objects, parent, HD_TYPE_SCOPE))
        return HD_ETYPE;
    unsigned depth = parent == HD_ABSENT ? 0 : scope_of(objects, parent)->depth + 1u;
    if (depth > HD_CHAIN_MAX)
        return HD_EDEPTH;
    hd_value names, value;
    int error = hd_dict_new(objects, 0, &names);
    if (error)
        return error;
    error = hd_object_new(objects, HD_TYPE_SCOPE, sizeof(struct hd_scope), &value);
    if (error) {
        hd_gc_release(objects->gc, names);
        return error;
    }
    struct hd_scope *scope = scope_of(objects, value);
    scope->depth = (uint16_t)depth;
    hd_gc_put_new(&scope->names, names);
    hd_gc_put_new(&scope->parent, hd_gc_retain(objects->gc, parent));
    *out = value;
    return 0;
}

hd_value hd_scope_names(const struct hd_objects *objects, hd_value scope)
{
    return scope_of(objects, scope)->names;
}

hd_value hd_scope_parent(const struct hd_objects *objects, hd_value scope)
{
    return scope_of(objects, scope)->parent;
}

hd_value hd_scope_deadlines(const struct hd_objects *objects, hd_value scope)
{
    return scope_of(objects, scope)->deadlines;
}

int hd_scope_make_deadlines(struct hd_objects *objects, hd_value value)
{
    hd_value deadlines;
    if (scope_of(objects, value)->deadlines != HD_ABSENT)
        return 0;
    int error = hd_dict_new(objects, 0, &deadlines);
    if (!error)
        hd_gc_put_new(&scope_of(objects, value)->deadlines, deadlines);
    return error;
}

void hd_scope_drop_deadlines(struct hd_objects *objects, hd_value value)
{
    struct hd_scope *scope = scope_of(objects, value);
    hd_value deadlines = scope->deadlines;
    if (deadlines == HD_ABSENT || hd_dict_length(objects, deadlines))
        return;
    /* Not a change that anyone who watches the scope should hear of: it is no part of what the scope shows. */
    scope->deadlines = HD_ABSENT;
    hd_gc_release(objects->gc, deadlines);
}

void hd_scope_close(struct hd_objects *objects, hd_value value)
{
    struct hd_scope *scope = scope_of(objects, value);
    scope->closed = 1;
    hd_gc_store(objects->gc, hd_value_index(value), &scope->names, HD_ABSENT);
    hd_gc_store(objects->gc, hd_value_index(value), &scope->deadlines, HD_ABSENT);
    hd_gc_store(objects->gc, hd_value_index(value), &scope->parent, HD_ABSENT);
}

bool hd_scope_is_closed(const struct hd_objects *objects, hd_value scope)
{
    return scope_of(objects, scope)->closed != 0;
}
