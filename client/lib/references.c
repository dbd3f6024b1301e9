/* The Containers service: weak and soft references, classes. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/containers.pb-c.h"

/* References */

int heapd_make_weak(struct heapd_connection *connection, heapd_handle object, heapd_handle *out,
                    struct heapd_error *error)
{
    Heapd__V1__MakeWeakRequest message = HEAPD__V1__MAKE_WEAK_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_MAKE_WEAK, .message = &message.base, .into = &message.into};
    message.object = object;
    return hd_sync_handle(connection, &call, 0, out, error);
}

int heapd_begin_make_weak(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                          heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__MakeWeakRequest message = HEAPD__V1__MAKE_WEAK_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_MAKE_WEAK, .message = &message.base, .into = &message.into};
    message.object = object;
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

int heapd_make_soft(struct heapd_connection *connection, struct heapd_value value, heapd_handle *out,
                    struct heapd_error *error)
{
    Heapd__V1__MakeSoftRequest message = HEAPD__V1__MAKE_SOFT_REQUEST__INIT;
    struct hd_wire_value wire;
    struct hd_call call = {.method = HEAPD_METHOD_MAKE_SOFT, .message = &message.base, .into = &message.into};
    message.value = &wire.value;
    return hd_sync_handle(connection, &call, hd_wire_value(&value, &wire), out, error);
}

int heapd_begin_make_soft(struct heapd_connection *connection, struct heapd_value value, heapd_handle *into,
                          heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__MakeSoftRequest message = HEAPD__V1__MAKE_SOFT_REQUEST__INIT;
    struct hd_wire_value wire;
    struct hd_call call = {.method = HEAPD_METHOD_MAKE_SOFT, .message = &message.base, .into = &message.into};
    message.value = &wire.value;
    return hd_begin_handle(connection, &call, hd_wire_value(&value, &wire), into, ticket, error);
}

int heapd_get_referent(struct heapd_connection *connection, heapd_handle reference, enum heapd_want want,
                       struct heapd_value *result, struct heapd_error *error)
{
    Heapd__V1__GetReferentRequest message = HEAPD__V1__GET_REFERENT_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_GET_REFERENT,
                           .message = &message.base,
                           .into = want == HEAPD_PLAIN ? NULL : &message.into};
    message.object = reference;
    message.as_object = want == HEAPD_OBJECT;
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_get_referent(struct heapd_connection *connection, heapd_handle reference, enum heapd_want want,
                             heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__GetReferentRequest message = HEAPD__V1__GET_REFERENT_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_GET_REFERENT,
                           .message = &message.base,
                           .into = want == HEAPD_PLAIN ? NULL : &message.into};
    message.object = reference;
    message.as_object = want == HEAPD_OBJECT;
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

/* Classes */

int heapd_has_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name, bool *out,
                   struct heapd_error *error)
{
    Heapd__V1__HasAttrRequest message = HEAPD__V1__HAS_ATTR_REQUEST__INIT;
    message.object = object;
    message.name = hd_wire_bytes(name);
    return hd_sync_bool(connection, HEAPD_METHOD_HAS_ATTR, &message.base, 0, out, error);
}

int heapd_begin_has_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                         heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__HasAttrRequest message = HEAPD__V1__HAS_ATTR_REQUEST__INIT;
    message.object = object;
    message.name = hd_wire_bytes(name);
    return hd_begin(connection, HEAPD_METHOD_HAS_ATTR, &message.base, 0, ticket, error);
}

int heapd_is_instance(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle, bool *out,
                      struct heapd_error *error)
{
    Heapd__V1__IsInstanceRequest message = HEAPD__V1__IS_INSTANCE_REQUEST__INIT;
    message.object = object;
    message.class_handle = class_handle;
    return hd_sync_bool(connection, HEAPD_METHOD_IS_INSTANCE, &message.base, 0, out, error);
}

int heapd_begin_is_instance(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__IsInstanceRequest message = HEAPD__V1__IS_INSTANCE_REQUEST__INIT;
    message.object = object;
    message.class_handle = class_handle;
    return hd_begin(connection, HEAPD_METHOD_IS_INSTANCE, &message.base, 0, ticket, error);
}

int heapd_is_subclass(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle, bool *out,
                      struct heapd_error *error)
{
    Heapd__V1__IsSubclassRequest message = HEAPD__V1__IS_SUBCLASS_REQUEST__INIT;
    message.object = object;
    message.class_handle = class_handle;
    return hd_sync_bool(connection, HEAPD_METHOD_IS_SUBCLASS, &message.base, 0, out, error);
}

int heapd_begin_is_subclass(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__IsSubclassRequest message = HEAPD__V1__IS_SUBCLASS_REQUEST__INIT;
    message.object = object;
    message.class_handle = class_handle;
    return hd_begin(connection, HEAPD_METHOD_IS_SUBCLASS, &message.base, 0, ticket, error);
}

int heapd_get_class(struct heapd_connection *connection, heapd_handle object, struct heapd_value *result,
                    struct heapd_error *error)
{
    Heapd__V1__GetClassRequest message = HEAPD__V1__GET_CLASS_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_GET_CLASS, .message = &message.base, .into = &message.into};
    message.object = object;
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_get_class(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                          heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__GetClassRequest message = HEAPD__V1__GET_CLASS_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_GET_CLASS, .message = &message.base, .into = &message.into};
    message.object = object;
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}
