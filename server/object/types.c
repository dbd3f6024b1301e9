/* The types' registration, and what they have in common. */
#include "object/object.h"

#include <string.h>

#include "object/intern.h"
#include "object/payload.h"
#include "object/references.h"
#include "object/sync.h"
#include "object/sync_internal.h"

static void leaf_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
}

static const struct hd_type_ops int_ops = {.name = "int", .dispose = leaf_dispose};
static const struct hd_type_ops float_ops = {.name = "float", .dispose = leaf_dispose};
static const struct hd_type_ops str_ops = {.name = "str", .dispose = leaf_dispose};
static const struct hd_type_ops bytes_ops = {.name = "bytes", .dispose = leaf_dispose};

int hd_objects_init(struct hd_objects *objects, struct hd_gc *gc, const struct hd_allocator *allocator,
                    const uint64_t hash_key[2])
{
    memset(objects, 0, sizeof *objects);
    objects->memo = hd_allocator_new_zeroed(allocator, HD_MEMO_SLOTS * sizeof *objects->memo);
    if (!objects->memo)
        return HD_ENOMEM;
    objects->sync = hd_allocator_new_zeroed(allocator, sizeof *objects->sync);
    if (!objects->sync) {
        hd_allocator_free(allocator, objects->memo, HD_MEMO_SLOTS * sizeof *objects->memo);
        return HD_ENOMEM;
    }
    objects->gc = gc;
    objects->allocator = allocator;
    objects->hash_key[0] = hash_key[0];
    objects->hash_key[1] = hash_key[1];
    gc->types_context = objects;
    gc->types[HD_TYPE_INT] = &int_ops;
    gc->types[HD_TYPE_FLOAT] = &float_ops;
    gc->types[HD_TYPE_STR] = &str_ops;
    gc->types[HD_TYPE_BYTES] = &bytes_ops;
    gc->types[HD_TYPE_LIST] = &hd_list_ops;
    gc->types[HD_TYPE_TUPLE] = &hd_tuple_ops;
    gc->types[HD_TYPE_DICT] = &hd_dict_ops;
    gc->types[HD_TYPE_SET] = &hd_set_ops;
    gc->types[HD_TYPE_CLASS] = &hd_class_ops;
    gc->types[HD_TYPE_INSTANCE] = &hd_instance_ops;
    gc->types[HD_TYPE_SCOPE] = &hd_scope_ops;
    gc->types[HD_TYPE_FROZENSET] = &hd_frozenset_ops;
    gc->types[HD_TYPE_WEAK] = &hd_weak_ops;
    gc->types[HD_TYPE_SOFT] = &hd_soft_ops;
    gc->types[HD_TYPE_QUEUE] = &hd_queue_ops;
    gc->types[HD_TYPE_LOCK] = &hd_lock_ops;
    gc->types[HD_TYPE_RLOCK] = &hd_rlock_ops;
    gc->types[HD_TYPE_SEMAPHORE] = &hd_semaphore_ops;
    gc->types[HD_TYPE_CONDITION] = &hd_condition_ops;
    gc->types[HD_TYPE_EVENT] = &hd_event_ops;
    gc->types[HD_TYPE_BARRIER] = &hd_barrier_ops;
    gc->types[HD_TYPE_BUFFER] = &hd_bulk_ops;
    gc->types[HD_TYPE_CURSOR] = &hd_cursor_ops;
    return 0;
}

void hd_objects_fini(struct hd_objects *objects)
{
    if (!objects || !objects->allocator)
        return;
    hd_references_fini(objects);
    hd_intern_fini(objects);
    hd_allocator_free(objects->allocator, objects->memo, HD_MEMO_SLOTS * sizeof *objects->memo);
    hd_hold_free_all(objects);
    hd_allocator_free(objects->allocator, objects->sync, sizeof *objects->sync);
    hd_allocator_free(objects->allocator, objects->class_indices, objects->class_capacity * sizeof(uint32_t));
    memset(objects, 0, sizeof *objects);
}

int hd_object_new(struct hd_objects *objects, enum hd_type type, size_t payload_bytes, hd_value *out)
{
    int error = hd_gc_new(objects->gc, (unsigned)type, payload_bytes, out);
    if (!error)
        objects->type_count[type]++;
    return error;
}

enum hd_kind_of_value hd_kind_of(const struct hd_objects *objects, hd_value value)
{
    switch (hd_value_tag(value)) {
    case HD_TAG_INT:
        return HD_IS_INT;
    case HD_TAG_STR:
        return HD_IS_STR;
    case HD_TAG_BYTES:
        return HD_IS_BYTES;
    case HD_TAG_FLOAT:
        return HD_IS_FLOAT;
    case HD_TAG_SINGLE:
        return value == HD_NONE ? HD_IS_NONE : HD_IS_BOOL;
    case HD_TAG_REF:
        break;
    }
    /* The boxed types are numbered in the same order, behind none and bool. */
    _Static_assert(HD_TYPE_INT + 2 == (int)HD_IS_INT && HD_TYPE_CURSOR + 2 == (int)HD_IS_CURSOR, "same order");
    return (enum hd_kind_of_value)(hd_gc_type(objects->gc, value) + 2);
}

const char *hd_kind_name(enum hd_kind_of_value kind)
{
    static const char *const names[] = {
        [HD_IS_NONE] = "none",
        [HD_IS_BOOL] = "bool",
        [HD_IS_INT] = "int",
        [HD_IS_FLOAT] = "float",
        [HD_IS_STR] = "str",
        [HD_IS_BYTES] = "bytes",
        [HD_IS_LIST] = "list",
        [HD_IS_TUPLE] = "tuple",
        [HD_IS_DICT] = "dict",
        [HD_IS_SET] = "set",
        [HD_IS_CLASS] = "class",
        [HD_IS_INSTANCE] = "instance",
        [HD_IS_SCOPE] = "scope",
        [HD_IS_QUEUE] = "queue",
        [HD_IS_LOCK] = "lock",
        [HD_IS_RLOCK] = "rlock",
        [HD_IS_SEMAPHORE] = "semaphore",
        [HD_IS_CONDITION] = "condition",
        [HD_IS_EVENT] = "event",
        [HD_IS_BARRIER] = "barrier",
        [HD_IS_FROZENSET] = "frozenset",
        [HD_IS_WEAK] = "weak reference",
        [HD_IS_SOFT] = "soft reference",
        [HD_IS_CURSOR] = "cursor",
        [HD_IS_BUFFER] = "buffer",
    };
    unsigned index = (unsigned)kind;
    return index < sizeof names / sizeof names[0] && names[index] ? names[index] : "?";
}
