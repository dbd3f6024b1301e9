/* From the wire to the heap: handles, values, keys, literals. */
#include <string.h>

#include "common/utf8.h"
#include "rpc/private.h"

int hd_call_object(struct hd_call *call, hd_handle handle, hd_value *out)
{
    hd_value value = hd_session_peek(call->session, handle);
    if (value != HD_ABSENT) {
        *out = value;
        return 0;
    }
    int error = hd_session_get(call->session, handle, out, &call->failed_request);
    return error ? hd_fail_handle(call, error, handle) : 0;
}

int hd_call_object_of(struct hd_call *call, hd_handle handle, enum hd_kind_of_value kind, hd_value *out)
{
    hd_value value;
    int error = hd_call_object(call, handle, &value);
    if (error)
        return error;
    if (hd_kind_of(call->objects, value) != kind)
        return hd_fail_on(call, HD_ETYPE, value, NULL);
    *out = value;
    return 0;
}

int hd_call_scope(struct hd_call *call, hd_handle handle, hd_value *out)
{
    hd_value value;
    if (handle == 0) {
        *out = HD_ABSENT;
        return 0;
    }
    int error = hd_call_object(call, handle, &value);
    if (error)
        return error;
    enum hd_kind_of_value kind = hd_kind_of(call->objects, value);
    if (kind != HD_IS_SCOPE)
        return hd_fail(call, HD_ETYPE, "a %s was given as the scope", hd_kind_name(kind));
    if (hd_scope_is_closed(call->objects, value))
        return hd_fail(call, HD_EINVALID, "the scope is closed");
    *out = value;
    return 0;
}

int hd_call_into(struct hd_call *call, hd_handle into)
{
    if (into == 0)
        return 0;
    call->into = into;
    int error = hd_session_prepare(call->session, into);
    return error ? hd_fail_slot(call, error, into) : 0;
}

/* ---- literals ---- */

static struct hd_columns columns_of(const Heapd__V1__Literal *literal)
{
    return (struct hd_columns){
        .kinds = literal->kinds.data,
        .kind_count = literal->kinds.len,
        .integers = literal->integers,
        .integer_count = literal->n_integers,
        .reals = literal->reals,
        .real_count = literal->n_reals,
        .sizes = literal->sizes,
        .size_count = literal->n_sizes,
        .data = literal->data.data,
        .data_bytes = literal->data.len,
        .counts = literal->counts,
        .count_count = literal->n_counts,
        .handles = literal->handles,
        .handle_count = literal->n_handles,
        .shared = literal->shared,
        .shared_count = literal->n_shared,
    };
}

static int resolve(void *context, uint64_t handle, hd_value *out)
{
    return hd_call_object(context, handle, out);
}

int hd_call_build_init(struct hd_call *call, const Heapd__V1__Literal *literal, struct hd_call_build *out)
{
    if (!literal)
        return hd_fail(call, HD_EINVALID, "the literal is missing");
    *out = (struct hd_call_build){.columns = columns_of(literal)};
    out->build = (struct hd_build){.columns = &out->columns, .resolver = {resolve, call}};
    return 0;
}

static int build_literal(struct hd_call *call, const Heapd__V1__Literal *literal, hd_value *out)
{
    struct hd_call_build build;
    int error = hd_call_build_init(call, literal, &build);
    if (!error)
        error = hd_build_value(call->objects, &build.build, out);
    return error ? hd_fail_literal(call, error) : 0;
}

/* ---- values ---- */

static int fail_value(struct hd_call *call, int error, const char *what)
{
    if (error == HD_EUTF8)
        return hd_fail(call, error, "the %s", what);
    if (error == HD_EINVALID)
        return hd_fail(call, error, "the %s is an int of no bytes", what);
    return error;
}

int hd_call_value(struct hd_call *call, const Heapd__V1__Value *value, const char *what, hd_value *out)
{
    struct hd_objects *objects = call->objects;
    int error;
    if (!value)
        return hd_fail(call, HD_EINVALID, "the %s is missing", what);
    switch (value->kind_case) {
    case HEAPD__V1__VALUE__KIND_NONE:
        *out = HD_NONE;
        return 0;
    case HEAPD__V1__VALUE__KIND_BOOLEAN:
        *out = hd_value_bool(value->boolean);
        return 0;
    case HEAPD__V1__VALUE__KIND_INTEGER:
        return hd_int_new(objects, value->integer, out);
    case HEAPD__V1__VALUE__KIND_BIG_INTEGER:
        error = hd_int_from_bytes(objects, value->big_integer.data, value->big_integer.len, out);
        return fail_value(call, error, what);
    case HEAPD__V1__VALUE__KIND_REAL:
        return hd_float_new(objects, value->real, out);
    case HEAPD__V1__VALUE__KIND_STR:
        return fail_value(call, hd_str_new(objects, value->str.data, value->str.len, out), what);
    case HEAPD__V1__VALUE__KIND_BYTES:
        return hd_bytes_new(objects, value->bytes.data, value->bytes.len, out);
    case HEAPD__V1__VALUE__KIND_HANDLE:
        error = hd_call_object(call, value->handle, out);
        if (!error)
            hd_gc_retain(&call->heap->gc, *out);
        return error;
    case HEAPD__V1__VALUE__KIND_LITERAL:
        return build_literal(call, value->literal, out);
    default:
        return hd_fail(call, HD_EINVALID, "the %s has no kind that this version knows", what);
    }
}

/* ---- keys ---- */

int hd_call_attribute(struct hd_call *call, const ProtobufCBinaryData *name, struct hd_key *out)
{
    if (name->len == 0 || name->len > HD_NAME_MAX_BYTES)
        return hd_fail(call, HD_EINVALID, "an attribute's name of %zu bytes; names have 1 to %d", name->len,
                       HD_NAME_MAX_BYTES);
    if (!hd_utf8_valid(name->data, name->len))
        return hd_fail_name(call, HD_EUTF8, name);
    *out = hd_key_of_bytes(HD_TAG_STR, name->data, name->len);
    return 0;
}

/* The hash of a key that was read ahead was computed then. */
static void take_hash(const struct hd_call *call, const Heapd__V1__Value *value, struct hd_key *key)
{
    const struct hd_ahead_frame *ahead = call->ahead;
    if (!ahead || value != ahead->hot.key || !ahead->prefetch.key.hashed)
        return;
    key->hash = ahead->prefetch.key.hash;
    key->hashed = true;
}

/* The bytes of a str or bytes are looked for as they lie in the message; no object is made. */
int hd_call_key(struct hd_call *call, const Heapd__V1__Value *value, struct hd_call_key *out)
{
    out->owned = HD_ABSENT;
    if (value && value->kind_case == HEAPD__V1__VALUE__KIND_STR) {
        if (!hd_utf8_valid(value->str.data, value->str.len))
            return hd_fail(call, HD_EUTF8, "the key");
        out->key = hd_key_of_bytes(HD_TAG_STR, value->str.data, value->str.len);
        take_hash(call, value, &out->key);
        return 0;
    }
    if (value && value->kind_case == HEAPD__V1__VALUE__KIND_INTEGER && hd_int_fits(value->integer)) {
        out->key = hd_key_of(hd_value_int(value->integer));
        return 0;
    }
    if (value && value->kind_case == HEAPD__V1__VALUE__KIND_BYTES) {
        out->key = hd_key_of_bytes(HD_TAG_BYTES, value->bytes.data, value->bytes.len);
        take_hash(call, value, &out->key);
        return 0;
    }
    int error = hd_call_value(call, value, "key", &out->owned);
    if (!error)
        out->key = hd_key_of(out->owned);
    return error;
}

void hd_call_key_done(struct hd_call *call, struct hd_call_key *key)
{
    hd_gc_release(&call->heap->gc, key->owned);
    key->owned = HD_ABSENT;
}
