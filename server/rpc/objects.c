/* Making, holding and reading whole objects. */
#include <heapd/v1/object.pb-c.h>
#include <string.h>

#include "common/utf8.h"
#include "rpc/private.h"

/* ---- create and extend ---- */

static int check_captures(struct hd_call *call, const uint64_t *captures, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (captures[i] <= captures[i - 1])
            return hd_fail(call, HD_EINVALID, "captures are not ascending: %llu before %llu",
                           (unsigned long long)captures[i - 1], (unsigned long long)captures[i]);
    return 0;
}

/* The slots that captured containers go to, and the memory for what is captured. */
static int prepare_captures(struct hd_call *call, struct hd_call_build *build, const uint64_t *captures, size_t count,
                            hd_handle into)
{
    hd_handle bad;
    if (count == 0)
        return 0;
    call->captures_into = into;
    call->captures_count = count;
    int error = check_captures(call, captures, count);
    if (error)
        return error;
    error = hd_session_prepare_range(call->session, into, count, &bad);
    if (error)
        return hd_fail_slot(call, error, bad);
    uint64_t slot = hd_handle_slot(into), result = hd_handle_slot(call->into);
    if (result >= slot && result < slot + count)
        return hd_fail(call, HD_EINVALID, "slot %llu is for the result and for a capture, too",
                       (unsigned long long)result);
    build->build.captures = captures;
    build->build.capture_count = count;
    build->build.captured = hd_rpc_arena_get(&call->server->arena, count * sizeof(hd_value));
    return build->build.captured ? 0 : HD_ENOMEM;
}

static void fill_captures(struct hd_call *call, const struct hd_call_build *build)
{
    for (size_t i = 0; i < build->build.capture_count; i++)
        hd_session_fill(call->session, call->captures_into + i, build->build.captured[i]);
}

static void drop_captures(struct hd_call *call, const struct hd_call_build *build)
{
    for (size_t i = 0; i < build->build.capture_count; i++)
        hd_gc_release(&call->heap->gc, build->build.captured[i]);
}

static int fail_build(struct hd_call *call, int error)
{
    switch (error) {
    case HD_EPROTOCOL:
        return hd_fail(call, error, "the literal's columns do not fit its kinds, or its top level does not fit");
    case HD_EUTF8:
        return hd_fail(call, error, "a str in the literal");
    case HD_EDEPTH:
        return hd_fail(call, error, "the literal nests deeper than %u", HD_LITERAL_MAX_DEPTH);
    case HD_EUNHASHABLE:
        return hd_fail(call, error, "a key in the literal");
    case HD_EINVALID:
        return hd_fail(call, error, "the literal shares or captures a container that it does not have");
    default:
        return error;
    }
}

int hd_run_create(struct hd_call *call, const void *message)
{
    const Heapd__V1__CreateRequest *request = message;
    struct hd_call_build build;
    hd_value value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_build_init(call, request->literal, &build);
    if (!error)
        error = prepare_captures(call, &build, request->captures, request->n_captures, request->captures_into);
    if (error)
        return error;
    error = hd_build_value(call->objects, &build.build, &value);
    if (error == HD_ETYPE)
        return hd_fail(call, error, "the literal has an instance of what is no class");
    if (error)
        return fail_build(call, error);
    /* With a slot, what was made is held, be it as small as an int: a chain names it. */
    error = hd_reply_result(call, value, request->into != 0);
    if (error)
        drop_captures(call, &build);
    else
        fill_captures(call, &build);
    return error;
}

int hd_run_extend(struct hd_call *call, const void *message)
{
    const Heapd__V1__ExtendRequest *request = message;
    struct hd_call_build build;
    hd_value container;
    int error = hd_call_object(call, request->object, &container);
    if (!error)
        error = hd_call_build_init(call, request->literal, &build);
    if (!error)
        error = prepare_captures(call, &build, request->captures, request->n_captures, request->captures_into);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, container);
    if (kind != HD_IS_LIST && kind != HD_IS_SET && kind != HD_IS_DICT)
        return hd_fail_on(call, HD_ETYPE, container, NULL);
    error = hd_build_extend(call->objects, &build.build, container);
    if (error == HD_ETYPE)
        return hd_fail(call, error, "the literal has an instance of what is no class");
    if (error)
        return fail_build(call, error);
    fill_captures(call, &build);
    hd_reply_empty(call);
    return 0;
}

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
