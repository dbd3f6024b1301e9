/* Slots that requests name. */
#include "rpc/place.h"

int hd_place_find(struct hd_call *call, hd_handle object, const Heapd__V1__Value *key, hd_handle scope,
                  const ProtobufCBinaryData *name, struct hd_place *out)
{
    bool with_key = key && key->kind_case != HEAPD__V1__VALUE__KIND__NOT_SET;
    *out = (struct hd_place){.kind = HD_PLACE_NAME, .key.owned = HD_ABSENT, .name = name};
    if (with_key == (name->len > 0))
        return hd_fail(call, HD_EINVALID, "say where: an object and a key, an object and a name, or a name");
    if (with_key && !object)
        return hd_fail(call, HD_EINVALID, "a key was given without an object");
    if (!object)
        return hd_call_scope(call, scope, &out->object);
    out->kind = with_key ? HD_PLACE_ITEM : HD_PLACE_ATTRIBUTE;
    int error = hd_call_object(call, object, &out->object);
    if (error)
        return error;
    return with_key ? hd_call_key(call, key, &out->key) : hd_call_attribute(call, name, &out->key.key);
}

/* Of this scope alone, as what is put there will be. */
static int get_name(struct hd_call *call, const struct hd_place *place, hd_value *out)
{
    const ProtobufCBinaryData *name = place->name;
    hd_value scope = place->object == HD_ABSENT ? call->heap->globals : place->object;
    /* The lookup tells a bad name; the scope's own dict, whether it is there. */
    int error = hd_heap_lookup(call->heap, place->object, name->data, name->len, out);
    if (!error) {
        struct hd_key key = hd_key_of_bytes(HD_TAG_STR, name->data, name->len);
        hd_gc_release(&call->heap->gc, *out);
        error = hd_dict_get(call->objects, hd_scope_names(call->objects, scope), &key, out);
    }
    return error == HD_EKEY ? HD_ENAME : error;
}

static int fail(struct hd_call *call, int error, const struct hd_place *place)
{
    if (place->kind == HD_PLACE_NAME)
        return hd_fail_name(call, error, place->name);
    /* Of a type without attributes, the name does not matter. */
    bool about_type = error == HD_ETYPE && place->kind == HD_PLACE_ATTRIBUTE;
    return hd_fail_on(call, error, place->object, about_type ? NULL : &place->key.key);
}

/* The message is for those to whom it is an error that nothing is there. */
int hd_place_get(struct hd_call *call, struct hd_place *place, hd_value *out)
{
    int error;
    switch (place->kind) {
    case HD_PLACE_ITEM:
        error = hd_get_item(call->objects, place->object, &place->key.key, out);
        break;
    case HD_PLACE_ATTRIBUTE:
        error = hd_attribute_get(call->objects, place->object, &place->key.key, out);
        break;
    default:
        error = get_name(call, place, out);
    }
    return error ? fail(call, error, place) : 0;
}

int hd_place_set(struct hd_call *call, struct hd_place *place, hd_value value, bool was_there)
{
    int error;
    if (place->kind == HD_PLACE_ITEM) {
        error = hd_set_item(call->objects, place->object, &place->key.key, value);
    } else if (place->kind == HD_PLACE_ATTRIBUTE) {
        error = hd_attribute_set(call->objects, place->object, &place->key.key, value);
    } else {
        error = hd_heap_rebind(call->heap, place->object, place->name->data, place->name->len, value);
        if (!error && was_there)
            call->server->names_epoch = call->heap->names_epoch;
        else if (!error && !hd_batch_binds(call->connection))
            hd_waiters_bound(call->server, place->name->data, place->name->len);
    }
    return error ? fail(call, error, place) : 0;
}
