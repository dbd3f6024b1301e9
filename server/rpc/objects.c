/* Making, holding and reading whole objects. */
#include <heapd/v1/object.pb-c.h>
#include <string.h>

#include "common/utf8.h"
#include "rpc/private.h"

/* ---- classes ---- */

static int add_attributes(struct hd_call *call, hd_value class_value, const Heapd__V1__CreateClassRequest *request)
{
    for (size_t i = 0; i < request->n_attributes; i++) {
        struct hd_key name;
        int error = hd_call_attribute(call, &request->attributes[i], &name);
        if (!error)
            error = hd_class_add_attribute(call->objects, class_value, &name);
        if (error == HD_ELIMIT)
            return hd_fail(call, error, "a class has at most %d attributes in its layout", HD_ATTRIBUTES_MAX);
        if (error)
            return error;
    }
    return 0;
}

int hd_run_create_class(struct hd_call *call, const void *message)
{
    const Heapd__V1__CreateClassRequest *request = message;
    struct hd_gc *gc = &call->heap->gc;
    hd_value name, class_value, superclass = HD_ABSENT;
    int error = hd_call_into(call, request->into);
    if (!error && request->superclass)
        error = hd_call_object(call, request->superclass, &superclass);
    if (error)
        return error;
    if (superclass != HD_ABSENT && hd_kind_of(call->objects, superclass) != HD_IS_CLASS)
        return hd_fail(call, HD_ETYPE, "a %s was given as the superclass",
                       hd_kind_name(hd_kind_of(call->objects, superclass)));
    if (request->name.len == 0 || request->name.len > HD_NAME_MAX_BYTES)
        return hd_fail_name(call, HD_EINVALID, &request->name);
    error = hd_str_new(call->objects, request->name.data, request->name.len, &name);
    if (error)
        return hd_fail_name(call, error, &request->name);
    error = hd_class_new(call->objects, name, superclass, &class_value);
    hd_gc_release(gc, name);
    if (error == HD_EDEPTH)
        return hd_fail(call, error, "a class with more than %d superclasses", HD_CHAIN_MAX);
    if (error)
        return error;
    error = add_attributes(call, class_value, request);
    if (error) {
        hd_gc_release(gc, class_value);
        return error;
    }
    return hd_reply_result(call, class_value, true);
}

/* ---- handles ---- */

int hd_run_release(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReleaseRequest *request = message;
    size_t bad;
    int error =
        hd_session_release_all(call->session, request->handles, request->n_handles, &bad, &call->failed_request);
    if (error)
        return hd_fail_handle(call, error, request->handles[bad]);
    hd_reply_empty(call);
    return 0;
}

int hd_run_duplicate(struct hd_call *call, const void *message)
{
    const Heapd__V1__DuplicateRequest *request = message;
    hd_value value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &value);
    if (error)
        return error;
    return hd_reply_result(call, hd_gc_retain(&call->heap->gc, value), true);
}

/* ---- reading ---- */

int hd_run_read(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReadRequest *request = message;
    hd_value value;
    int error = hd_call_object(call, request->object, &value);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, value);
    if (kind == HD_IS_BUFFER)
        return hd_read_buffer(call, value, request->offset, request->size);
    if (kind != HD_IS_STR && kind != HD_IS_BYTES)
        return hd_fail_on(call, HD_ETYPE, value, NULL);
    size_t total;
    const uint8_t *bytes = hd_bytes_view(call->objects, &value, &total);
    if (request->offset > total)
        return hd_fail(call, HD_EINDEX, "offset %llu of a %s of %zu bytes", (unsigned long long)request->offset,
                       hd_kind_name(kind), total);
    size_t offset = (size_t)request->offset;
    size_t size = total - offset;
    if (size > call->server->config.max_frame_bytes / 2)
        size = call->server->config.max_frame_bytes / 2;
    if (size > request->size)
        size = (size_t)request->size;
    Heapd__V1__ReadReply reply = HEAPD__V1__READ_REPLY__INIT;
    reply.data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)(bytes + offset)}; /* read only */
    reply.total = total;
    reply.type = (Heapd__V1__Type)kind;
    return hd_reply_message(call, &reply.base, 0);
}

int hd_run_inspect(struct hd_call *call, const void *message)
{
    const Heapd__V1__InspectRequest *request = message;
    hd_value value, name = HD_ABSENT;
    struct hd_object_info info;
    int error = hd_call_object(call, request->object, &value);
    if (error)
        return error;
    hd_heap_inspect(call->heap, value, &info);
    if (info.kind == HD_IS_CLASS)
        name = hd_class_name(call->objects, value);
    else if (info.kind == HD_IS_INSTANCE)
        name = hd_class_name(call->objects, hd_instance_class(call->objects, value));
    Heapd__V1__ObjectInfo reply = HEAPD__V1__OBJECT_INFO__INIT;
    reply.type = (Heapd__V1__Type)info.kind;
    if (name != HD_ABSENT)
        reply.class_name.data = (uint8_t *)(uintptr_t)hd_bytes_view(call->objects, &name, &reply.class_name.len);
    reply.identity = info.identity;
    reply.reference_count = info.reference_count;
    reply.shallow_bytes = info.shallow_bytes;
    reply.tracked = info.tracked;
    reply.generation = info.generation;
    reply.length = info.length;
    reply.shared = info.saturated;
    return hd_reply_message(call, &reply.base, 0);
}
