/*
 * Classes and instances.
 *
 * The instances of a class share a layout: which attribute stands in which slot.
 * A name that is new to the layout is appended to it, so a layout only grows, and
 * an older instance has fewer slots until it needs more. An instance names its
 * class by a small id, which leaves it one word of overhead.
 */
#include <string.h>

#include "object/object.h"
#include "object/payload.h"
#include "object/undo.h"

#define CLASS_ID_BITS 24
#define CLASS_ID_MASK ((UINT32_C(1) << CLASS_ID_BITS) - 1)

static struct hd_class *class_of(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

static struct hd_instance *instance_of(const struct hd_objects *objects, hd_value value)
{
    return hd_gc_payload(objects->gc, value);
}

static uint32_t slot_count(const struct hd_instance *instance)
{
    return instance->shape >> CLASS_ID_BITS;
}

static void class_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_class *class = payload;
    _Static_assert(offsetof(struct hd_class, attributes) == offsetof(struct hd_class, name) + 3 * sizeof(hd_value),
                   "the class's references stand together");
    out->spans[out->span_count++] = (struct hd_span){&class->name, 4};
}

static void class_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    struct hd_objects *objects = hd_objects_of(gc);
    hd_class_forget(objects, ((struct hd_class *)payload)->id);
    objects->type_count[HD_TYPE_CLASS]--;
}

static void instance_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    struct hd_instance *instance = payload;
    out->spans[out->span_count++] = (struct hd_span){instance->slots, slot_count(instance)};
    uint32_t id = instance->shape & CLASS_ID_MASK;
    out->hidden = id ? hd_objects_of(gc)->class_indices[id] : 0;
}

static struct hd_span instance_span(const struct hd_gc *gc, void *payload)
{
    (void)gc;
    struct hd_instance *instance = payload;
    return (struct hd_span){instance->slots, slot_count(instance)};
}

static uint32_t instance_hidden(const struct hd_gc *gc, void *payload)
{
    uint32_t id = ((const struct hd_instance *)payload)->shape & CLASS_ID_MASK;
    return id ? hd_objects_of(gc)->class_indices[id] : 0;
}

static void instance_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)index;
    (void)payload;
    hd_objects_of(gc)->type_count[HD_TYPE_INSTANCE]--;
}

const struct hd_type_ops hd_class_ops = {
    .name = "class", .inner = true, .tracked = true, .traverse = class_traverse, .dispose = class_dispose};
const struct hd_type_ops hd_instance_ops = {.name = "instance",
                                            .inner = true,
                                            .tracked = true,
                                            .traverse = instance_traverse,
                                            .span = instance_span,
                                            .hidden = instance_hidden,
                                            .dispose = instance_dispose};

/* ---- class ids ------------------------------------------------------------ */

static int take_id(struct hd_objects *objects, uint32_t *out)
{
    if (objects->class_free) {
        *out = objects->class_free;
        objects->class_free = objects->class_indices[*out];
        return 0;
    }
    if (objects->class_count == objects->class_capacity) {
        uint32_t capacity = objects->class_capacity ? objects->class_capacity * 2 : 16;
        if (objects->class_capacity > CLASS_ID_MASK / 2)
            return HD_ELIMIT;
        uint32_t *indices = hd_allocator_resize(objects->allocator, objects->class_indices,
                                                objects->class_capacity * sizeof *indices, capacity * sizeof *indices);
        if (!indices)
            return HD_ENOMEM;
        objects->class_indices = indices;
        objects->class_capacity = capacity;
        if (objects->class_count == 0)
            objects->class_count = 1; /* id 0 is no class */
    }
    *out = objects->class_count++;
    return 0;
}

void hd_class_forget(struct hd_objects *objects, uint32_t id)
{
    if (id == 0)
        return;
    objects->class_indices[id] = objects->class_free;
    objects->class_free = id;
}

/* ---- classes -------------------------------------------------------------- */

/* Takes over what the superclass has. */
static int inherit(struct hd_objects *objects, hd_value class_value, hd_value superclass)
{
    hd_value layout = class_of(objects, superclass)->layout;
    uint32_t position = 0;
    hd_value name, ignored;
    while (hd_dict_next(objects, layout, &position, &name, &ignored)) {
        struct hd_key key = hd_key_of(name);
        int error = hd_class_add_attribute(objects, class_value, &key);
        if (error)
            return error;
    }
    return 0;
}

static int fill_class(struct hd_objects *objects, hd_value value, hd_value name, hd_value superclass)
{
    int error = hd_dict_new(objects, 0, &class_of(objects, value)->layout);
    if (error)
        return error;
    uint32_t id;
    error = take_id(objects, &id);
    if (error)
        return error;
    struct hd_class *class = class_of(objects, value);
    class->id = id;
    objects->class_indices[id] = hd_value_index(value);
    hd_gc_put_new(&class->name, hd_gc_retain(objects->gc, name));
    if (superclass == HD_ABSENT)
        return 0;
    hd_gc_put_new(&class->superclass, hd_gc_retain(objects->gc, superclass));
    return inherit(objects, value, superclass);
}

int hd_class_new(struct hd_objects *objects, hd_value name, hd_value superclass, hd_value *out)
{
    if (!hd_is_str(objects, name) || (superclass != HD_ABSENT && !hd_is_type(objects, superclass, HD_TYPE_CLASS)))
        return HD_ETYPE;
    uint32_t depth = superclass == HD_ABSENT ? 0 : class_of(objects, superclass)->depth + 1;
    if (depth > HD_CHAIN_MAX)
        return HD_EDEPTH;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_CLASS, sizeof(struct hd_class), &value);
    if (error)
        return error;
    class_of(objects, value)->depth = depth;
    error = fill_class(objects, value, name, superclass);
    if (error)
        hd_gc_release(objects->gc, value);
    else
        *out = value;
    return error;
}

static int add_to_layout(struct hd_objects *objects, hd_value class_value, struct hd_key *name)
{
    struct hd_class *class = class_of(objects, class_value);
    bool there;
    int error = hd_dict_contains(objects, class->layout, name, &there);
    if (error || there)
        return error;
    if (class->layout_count == HD_ATTRIBUTES_MAX)
        return HD_ELIMIT;
    hd_gc_touch(objects->gc, hd_value_index(class_value));
    /* That a layout knows one name more shows in no object: it stays, whatever becomes of a batch. */
    struct hd_undo *undo = objects->undo;
    objects->undo = NULL;
    error = hd_dict_set(objects, class->layout, name, hd_value_int(class->layout_count));
    objects->undo = undo;
    if (!error)
        class->layout_count++;
    return error;
}

static void confirm(struct hd_class *class, uint32_t count)
{
    if (class->confirmed_count < count)
        class->confirmed_count = count;
}

/* Names that nobody confirmed go, the last first; unless a literal under way may use them. */
static void drop_unconfirmed(struct hd_objects *objects, hd_value class_value)
{
    struct hd_class *class = class_of(objects, class_value);
    struct hd_undo *undo = objects->undo;
    objects->undo = NULL; /* as for what added them */
    while (class->builder_count == 0 && class->layout_count > class->confirmed_count) {
        hd_value name, number;
        /* A str takes no memory to hash. */
        if (hd_dict_pop_last(objects, class->layout, &name, &number) != 0)
            break;
        hd_gc_release(objects->gc, name);
        hd_gc_touch(objects->gc, hd_value_index(class_value));
        class->layout_count--;
    }
    objects->undo = undo;
}

int hd_class_add_attribute(struct hd_objects *objects, hd_value class_value, struct hd_key *name)
{
    int error = add_to_layout(objects, class_value, name);
    if (!error)
        confirm(class_of(objects, class_value), class_of(objects, class_value)->layout_count);
    return error;
}

void hd_class_builder_begins(struct hd_objects *objects, hd_value class_value)
{
    class_of(objects, class_value)->builder_count++;
}

void hd_class_builder_ends(struct hd_objects *objects, hd_value class_value, bool success)
{
    struct hd_class *class = class_of(objects, class_value);
    class->builder_count--;
    if (success)
        confirm(class, class->layout_count);
    else
        drop_unconfirmed(objects, class_value);
}

hd_value hd_class_name(const struct hd_objects *objects, hd_value class_value)
{
    return class_of(objects, class_value)->name;
}

hd_value hd_class_superclass(const struct hd_objects *objects, hd_value class_value)
{
    return class_of(objects, class_value)->superclass;
}

bool hd_class_derives(const struct hd_objects *objects, hd_value class_value, hd_value from)
{
    while (class_value != HD_ABSENT && class_value != from)
        class_value = class_of(objects, class_value)->superclass;
    return class_value == from;
}

/* ---- instances ------------------------------------------------------------ */

static size_t instance_bytes(uint32_t slots)
{
    return sizeof(struct hd_instance) + slots * sizeof(hd_value);
}

/* As many slots as the block has room for. */
static uint32_t slots_in(const struct hd_instance *instance)
{
    size_t slots = (hd_alloc_usable(instance) - sizeof *instance) / sizeof(hd_value);
    return slots > HD_ATTRIBUTES_MAX ? HD_ATTRIBUTES_MAX : (uint32_t)slots;
}

int hd_instance_new(struct hd_objects *objects, hd_value class_value, hd_value *out)
{
    if (!hd_is_type(objects, class_value, HD_TYPE_CLASS))
        return HD_ETYPE;
    uint32_t wanted = class_of(objects, class_value)->layout_count;
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_INSTANCE, instance_bytes(wanted ? wanted : 1), &value);
    if (error)
        return error;
    struct hd_instance *instance = instance_of(objects, value);
    uint32_t slots = slots_in(instance);
    memset(instance->slots, 0, slots * sizeof(hd_value));
    hd_gc_retain(objects->gc, class_value);
    instance->shape = slots << CLASS_ID_BITS | class_of(objects, class_value)->id;
    *out = value;
    return 0;
}

hd_value hd_instance_class(const struct hd_objects *objects, hd_value value)
{
    uint32_t id = instance_of(objects, value)->shape & CLASS_ID_MASK;
    return hd_value_ref(objects->class_indices[id], false);
}

uint32_t hd_instance_length(const struct hd_objects *objects, hd_value value)
{
    const struct hd_instance *instance = instance_of(objects, value);
    uint32_t set = 0;
    for (uint32_t i = 0; i < slot_count(instance); i++)
        set += instance->slots[i] != HD_ABSENT;
    return set;
}

bool hd_instance_next(const struct hd_objects *objects, hd_value value, uint32_t *position, hd_value *name,
                      hd_value *attribute)
{
    const struct hd_instance *instance = instance_of(objects, value);
    hd_value layout = class_of(objects, hd_instance_class(objects, value))->layout;
    hd_value slot;
    /* A layout loses nothing, so its entries' positions are the slots' numbers. */
    while (hd_dict_next(objects, layout, position, name, &slot)) {
        uint64_t number = (uint64_t)hd_value_to_int(slot);
        if (number < slot_count(instance) && instance->slots[number] != HD_ABSENT) {
            *attribute = instance->slots[number];
            return true;
        }
    }
    return false;
}

/* The slot of an attribute: its number, or HD_EATTRIBUTE. */
static int find_slot(struct hd_objects *objects, hd_value instance, struct hd_key *name, uint32_t *out)
{
    hd_value layout = class_of(objects, hd_instance_class(objects, instance))->layout;
    hd_value number;
    int error = hd_dict_get(objects, layout, name, &number);
    if (error)
        return error == HD_EKEY ? HD_EATTRIBUTE : error;
    *out = (uint32_t)hd_value_to_int(number);
    return 0;
}

/* Makes room for a slot of that number. */
static int reserve_slot(struct hd_objects *objects, hd_value value, uint32_t number)
{
    struct hd_instance *instance = instance_of(objects, value);
    uint32_t slots = slot_count(instance);
    if (number < slots)
        return 0;
    uint32_t wanted = class_of(objects, hd_instance_class(objects, value))->layout_count;
    int error = hd_gc_resize(objects->gc, hd_value_index(value), instance_bytes(wanted > number ? wanted : number + 1));
    if (error)
        return error;
    instance = instance_of(objects, value);
    uint32_t more = slots_in(instance);
    memset(instance->slots + slots, 0, (more - slots) * sizeof(hd_value));
    instance->shape = more << CLASS_ID_BITS | (instance->shape & CLASS_ID_MASK);
    return 0;
}

/* ---- attributes ----------------------------------------------------------- */

/* Of the class and its superclasses, at most HD_CHAIN_MAX. */
static int class_get(struct hd_objects *objects, hd_value class_value, struct hd_key *name, hd_value *out)
{
    for (; class_value != HD_ABSENT; class_value = class_of(objects, class_value)->superclass) {
        hd_value attributes = class_of(objects, class_value)->attributes;
        if (attributes == HD_ABSENT)
            continue;
        int error = hd_dict_get(objects, attributes, name, out);
        if (error != HD_EKEY)
            return error;
    }
    return HD_EATTRIBUTE;
}

int hd_attribute_get(struct hd_objects *objects, hd_value object, struct hd_key *name, hd_value *out)
{
    if (hd_is_type(objects, object, HD_TYPE_CLASS))
        return class_get(objects, object, name, out);
    if (!hd_is_type(objects, object, HD_TYPE_INSTANCE))
        return HD_ETYPE;
    uint32_t number;
    int error = find_slot(objects, object, name, &number);
    if (!error) {
        const struct hd_instance *instance = instance_of(objects, object);
        if (number < slot_count(instance) && instance->slots[number] != HD_ABSENT) {
            *out = hd_gc_retain(objects->gc, instance->slots[number]);
            return 0;
        }
    } else if (error != HD_EATTRIBUTE) {
        return error;
    }
    return class_get(objects, hd_instance_class(objects, object), name, out);
}

static int class_set(struct hd_objects *objects, hd_value class_value, struct hd_key *name, hd_value value)
{
    struct hd_class *class = class_of(objects, class_value);
    hd_gc_touch(objects->gc, hd_value_index(class_value));
    if (class->attributes == HD_ABSENT) {
        hd_value attributes;
        int error = hd_dict_new(objects, 0, &attributes);
        if (error)
            return error;
        hd_gc_put_new(&class->attributes, attributes);
    }
    return hd_dict_set(objects, class->attributes, name, value);
}

/* What a literal has in the place of a name may be anything. */
static bool is_attribute_name(const struct hd_objects *objects, const struct hd_key *name)
{
    size_t size = name->size;
    if (name->value == HD_ABSENT)
        return name->tag == HD_TAG_STR && size > 0 && size <= HD_NAME_MAX_BYTES;
    if (!hd_is_str(objects, name->value))
        return false;
    (void)hd_bytes_view(objects, &name->value, &size);
    return size > 0 && size <= HD_NAME_MAX_BYTES;
}

static void note_slot(struct hd_objects *objects, hd_value instance, uint32_t number)
{
    hd_undo_note(objects, &(struct hd_undo_note){.kind = HD_UNDO_WORD,
                                                 .owner = instance,
                                                 .position = number,
                                                 .value = instance_of(objects, instance)->slots[number]});
}

/* Sets an attribute of an instance; a name that is new to the layout is not confirmed. */
static int instance_set(struct hd_objects *objects, hd_value object, struct hd_key *name, hd_value value,
                        uint32_t *number)
{
    int error = find_slot(objects, object, name, number);
    if (error == HD_EATTRIBUTE) {
        hd_value class_value = hd_instance_class(objects, object);
        error = add_to_layout(objects, class_value, name);
        if (!error)
            error = find_slot(objects, object, name, number);
    }
    if (!error)
        error = reserve_slot(objects, object, *number);
    if (!error)
        error = hd_undo_prepare(objects);
    if (error)
        return error;
    note_slot(objects, object, *number);
    hd_gc_store(objects->gc, hd_value_index(object), &instance_of(objects, object)->slots[*number], value);
    return 0;
}

int hd_attribute_set_in_literal(struct hd_objects *objects, hd_value instance, struct hd_key *name, hd_value value)
{
    uint32_t number;
    return is_attribute_name(objects, name) ? instance_set(objects, instance, name, value, &number) : HD_ETYPE;
}

int hd_attribute_set(struct hd_objects *objects, hd_value object, struct hd_key *name, hd_value value)
{
    if (!is_attribute_name(objects, name))
        return HD_ETYPE;
    if (hd_is_type(objects, object, HD_TYPE_CLASS))
        return class_set(objects, object, name, value);
    if (!hd_is_type(objects, object, HD_TYPE_INSTANCE))
        return HD_ETYPE;
    uint32_t number;
    hd_value class_value = hd_instance_class(objects, object);
    int error = instance_set(objects, object, name, value, &number);
    if (error)
        drop_unconfirmed(objects, class_value);
    else
        confirm(class_of(objects, class_value), number + 1);
    return error;
}

int hd_attribute_delete(struct hd_objects *objects, hd_value object, struct hd_key *name)
{
    if (hd_is_type(objects, object, HD_TYPE_CLASS)) {
        hd_value attributes = class_of(objects, object)->attributes;
        int error = attributes == HD_ABSENT ? HD_EKEY : hd_dict_pop(objects, attributes, name, NULL);
        return error == HD_EKEY ? HD_EATTRIBUTE : error;
    }
    if (!hd_is_type(objects, object, HD_TYPE_INSTANCE))
        return HD_ETYPE;
    uint32_t number;
    int error = find_slot(objects, object, name, &number);
    if (error)
        return error;
    struct hd_instance *instance = instance_of(objects, object);
    if (number >= slot_count(instance) || instance->slots[number] == HD_ABSENT)
        return HD_EATTRIBUTE;
    error = hd_undo_prepare(objects);
    if (error)
        return error;
    note_slot(objects, object, number);
    hd_gc_store(objects->gc, hd_value_index(object), &instance->slots[number], HD_ABSENT);
    return 0;
}
