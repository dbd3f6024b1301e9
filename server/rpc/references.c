/* Weak and soft references; what classes and instances are to one another. */
#include "object/references.h"

#include <heapd/v1/containers.pb-c.h>

#include "rpc/private.h"

int hd_run_make_weak(struct hd_call *call, const void *message)
{
    const Heapd__V1__MakeWeakRequest *request = message;
    hd_value object, weak;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_weak_new(call->objects, object, &weak);
    return error ? hd_fail_on(call, error, object, NULL) : hd_reply_result(call, weak, true);
}

int hd_run_make_soft(struct hd_call *call, const void *message)
{
    const Heapd__V1__MakeSoftRequest *request = message;
    hd_value value, soft;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_value(call, request->value, "value", &value);
    if (error)
        return error;
    error = hd_soft_new(call->objects, value, &soft);
    hd_gc_release(&call->heap->gc, value);
    return error ? error : hd_reply_result(call, soft, true);
}

int hd_run_get_referent(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetReferentRequest *request = message;
    hd_value reference, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &reference);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, reference);
    if (kind != HD_IS_WEAK && kind != HD_IS_SOFT)
        return hd_fail_on(call, HD_ETYPE, reference, NULL);
    value = kind == HD_IS_WEAK ? hd_weak_get(call->objects, reference) : hd_soft_get(call->objects, reference);
    /* None is told from what is there by its kind: a slot that was offered stays free. */
    if (value == HD_ABSENT)
        return hd_reply_result(call, HD_NONE, false);
    return hd_reply_result(call, value, request->as_object);
}

/* ---- classes ---- */

int hd_run_has_attr(struct hd_call *call, const void *message)
{
    const Heapd__V1__HasAttrRequest *request = message;
    struct hd_key name;
    hd_value object, value;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_attribute(call, &request->name, &name);
    if (error)
        return error;
    error = hd_attribute_get(call->objects, object, &name, &value);
    if (error && error != HD_EATTRIBUTE)
        return hd_fail_on(call, error, object, NULL);
    if (!error)
        hd_gc_release(&call->heap->gc, value);
    hd_reply_bool(call, error == 0);
    return 0;
}

static int class_of_request(struct hd_call *call, hd_handle handle, hd_value *out)
{
    int error = hd_call_object(call, handle, out);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, *out);
    return kind == HD_IS_CLASS ? 0 : hd_fail(call, HD_ETYPE, "a %s was given as the class", hd_kind_name(kind));
}

/* As Python's, it answers for any object; one that is no instance has no class here. */
int hd_run_is_instance(struct hd_call *call, const void *message)
{
    const Heapd__V1__IsInstanceRequest *request = message;
    hd_value object, class_value;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = class_of_request(call, request->class_handle, &class_value);
    if (error)
        return error;
    bool is_instance = hd_kind_of(call->objects, object) == HD_IS_INSTANCE;
    hd_reply_bool(call, is_instance &&
                            hd_class_derives(call->objects, hd_instance_class(call->objects, object), class_value));
    return 0;
}

int hd_run_is_subclass(struct hd_call *call, const void *message)
{
    const Heapd__V1__IsSubclassRequest *request = message;
    hd_value object, class_value;
    int error = hd_call_object_of(call, request->object, HD_IS_CLASS, &object);
    if (!error)
        error = class_of_request(call, request->class_handle, &class_value);
    if (error)
        return error;
    hd_reply_bool(call, hd_class_derives(call->objects, object, class_value));
    return 0;
}

int hd_run_get_class(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetClassRequest *request = message;
    hd_value object, class_value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, object);
    if (kind != HD_IS_CLASS && kind != HD_IS_INSTANCE)
        return hd_fail_on(call, HD_ETYPE, object, NULL);
    class_value =
        kind == HD_IS_CLASS ? hd_class_superclass(call->objects, object) : hd_instance_class(call->objects, object);
    if (class_value == HD_ABSENT)
        return hd_reply_result(call, HD_NONE, false);
    return hd_reply_result(call, hd_gc_retain(&call->heap->gc, class_value), true);
}
