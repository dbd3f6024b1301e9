/* What sets and dicts do with one another, and with single keys beyond items.c. */
#include <heapd/v1/containers.pb-c.h>
#include <string.h>

#include "object/combine.h"
#include "object/gather.h"
#include "rpc/pack.h"
#include "rpc/work.h"

/* ---- arguments ---------------------------------------------------------------- */

/* The values of a request as a tuple (new). */
static int others_of(struct hd_call *call, Heapd__V1__Value *const *values, size_t count, hd_value *out)
{
    hd_value tuple;
    if (count > HD_COMBINE_OTHERS_MAX)
        return hd_fail(call, HD_ELIMIT, "%zu containers at once; send at most %d", count, HD_COMBINE_OTHERS_MAX);
    int error = hd_tuple_new(call->objects, (uint32_t)count, &tuple);
    if (error)
        return error;
    for (size_t i = 0; !error && i < count; i++) {
        hd_value value;
        error = hd_call_value(call, values[i], "other", &value);
        if (!error)
            hd_tuple_init_at(call->objects, tuple, (uint32_t)i, value);
    }
    if (error)
        hd_gc_release(&call->heap->gc, tuple);
    else
        *out = tuple;
    return error;
}

/* What went wrong before there was work: the object, or one of the others. */
static int fail_combine(struct hd_call *call, int error, hd_value object, bool object_fits)
{
    if (error == HD_ETYPE && object_fits)
        return hd_fail(call, error, "one of the others is not a container that this takes");
    if (error == HD_EINVALID)
        return hd_fail(call, error, "no such operation, or not with so many others");
    return hd_fail_on(call, error, object, NULL);
}

static bool is_set(const struct hd_call *call, hd_value value)
{
    enum hd_kind_of_value kind = hd_kind_of(call->objects, value);
    return kind == HD_IS_SET || kind == HD_IS_FROZENSET;
}

/* ---- set algebra -------------------------------------------------------------- */

int hd_run_set_combine(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetCombineRequest *request = message;
    hd_value object, others;
    struct hd_combine combine;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (!error && !request->into)
        error = hd_fail(call, HD_ENOT_PLAIN, "the result is a set");
    if (!error)
        error = others_of(call, request->others, request->n_others, &others);
    if (error)
        return error;
    error = hd_combine_begin(call->objects, object, (enum hd_set_operation)request->operation, others, request->strict,
                             false, &combine);
    hd_gc_release(&call->heap->gc, others);
    if (error)
        return fail_combine(call, error, object, is_set(call, object));
    return hd_call_work(call, &combine.work, HD_ANSWER_OBJECT, object);
}

int hd_run_set_update(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetUpdateRequest *request = message;
    hd_value object, others;
    struct hd_combine combine;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = others_of(call, request->others, request->n_others, &others);
    if (error)
        return error;
    error = hd_combine_begin(call->objects, object, (enum hd_set_operation)request->operation, others, request->strict,
                             true, &combine);
    hd_gc_release(&call->heap->gc, others);
    if (error)
        return fail_combine(call, error, object, hd_kind_of(call->objects, object) == HD_IS_SET);
    return hd_call_work(call, &combine.work, HD_ANSWER_NOTHING, object);
}

int hd_run_set_compare(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetCompareRequest *request = message;
    hd_value object, other;
    struct hd_combine combine;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_value(call, request->other, "other", &other);
    if (error)
        return error;
    error = hd_relate_begin(call->objects, object, (enum hd_set_relation)request->relation, other, request->strict,
                            &combine);
    hd_gc_release(&call->heap->gc, other);
    if (error)
        return fail_combine(call, error, object, is_set(call, object));
    return hd_call_work(call, &combine.work, HD_ANSWER_TRUTH, object);
}

int hd_run_set_remove(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetRemoveRequest *request = message;
    struct hd_call_key key;
    hd_value set;
    bool was_there;
    int error = hd_call_object_of(call, request->object, HD_IS_SET, &set);
    if (!error)
        error = hd_call_key(call, request->value, &key);
    if (error)
        return error;
    key.key.as_frozen = true;
    error = hd_set_discard(call->objects, set, &key.key, &was_there);
    if (!error && !was_there)
        error = HD_EKEY;
    if (error)
        (void)hd_fail_on(call, error, set, &key.key);
    else
        hd_reply_empty(call);
    hd_call_key_done(call, &key);
    return error;
}

/* ---- dicts: one key ------------------------------------------------------------- */

static bool is_given(const Heapd__V1__Value *value)
{
    return value && value->kind_case != HEAPD__V1__VALUE__KIND__NOT_SET;
}

/* A default: none unless there is one. */
static int otherwise_of(struct hd_call *call, const Heapd__V1__Value *value, hd_value *out)
{
    *out = HD_NONE;
    return is_given(value) ? hd_call_value(call, value, "default", out) : 0;
}

static int dict_and_key(struct hd_call *call, hd_handle handle, const Heapd__V1__Value *key_value, hd_value *dict,
                        struct hd_call_key *key)
{
    int error = hd_call_object_of(call, handle, HD_IS_DICT, dict);
    return error ? error : hd_call_key(call, key_value, key);
}

int hd_run_dict_get(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictGetRequest *request = message;
    struct hd_call_key key;
    hd_value dict, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = dict_and_key(call, request->object, request->key, &dict, &key);
    if (error)
        return error;
    error = hd_dict_get(call->objects, dict, &key.key, &value);
    if (error == HD_EKEY)
        error = otherwise_of(call, request->otherwise, &value);
    else if (error)
        (void)hd_fail_on(call, error, dict, &key.key);
    hd_call_key_done(call, &key);
    return error ? error : hd_reply_result(call, value, request->as_object);
}

/* What will be answered must fit, before anything is put there. */
static int set_default(struct hd_call *call, hd_value dict, struct hd_key *key, hd_value value, bool as_object,
                       hd_value *out)
{
    hd_value there;
    int error = hd_dict_get(call->objects, dict, key, &there);
    if (error == 0)
        hd_gc_release(&call->heap->gc, there);
    else if (error != HD_EKEY)
        return error;
    error = hd_reply_prepare(call, error ? value : there, as_object);
    return error ? error : hd_dict_set_default(call->objects, dict, key, value, out);
}

int hd_run_dict_set_default(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictSetDefaultRequest *request = message;
    struct hd_call_key key;
    hd_value dict, value, result;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = dict_and_key(call, request->object, request->key, &dict, &key);
    if (error)
        return error;
    error = otherwise_of(call, request->value, &value);
    if (!error) {
        error = set_default(call, dict, &key.key, value, request->as_object, &result);
        if (error)
            (void)hd_fail_on(call, error, dict, &key.key);
        hd_gc_release(&call->heap->gc, value);
    }
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_value(call, result, request->as_object);
    return error;
}

int hd_run_dict_pop(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictPopRequest *request = message;
    struct hd_gc *gc = &call->heap->gc;
    struct hd_call_key key;
    hd_value dict, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = dict_and_key(call, request->object, request->key, &dict, &key);
    if (error)
        return error;
    bool missing = false;
    /* In an empty dict CPython looks for nothing, so that there even what is no key is only missing. */
    error = hd_dict_length(call->objects, dict) ? hd_dict_get(call->objects, dict, &key.key, &value) : HD_EKEY;
    if (error == HD_EKEY && is_given(request->otherwise)) {
        missing = true;
        error = otherwise_of(call, request->otherwise, &value);
    }
    if (!error) {
        error = hd_reply_prepare(call, value, false);
        if (error || !missing)
            hd_gc_release(gc, value);
        if (!error && !missing)
            error = hd_dict_pop(call->objects, dict, &key.key, &value);
    }
    if (error)
        (void)hd_fail_on(call, error, dict, &key.key);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_value(call, value, false);
    return error;
}

/* ---- dicts: the last pair --------------------------------------------------------- */

/* One of the pair: as it will be sent, and where it goes. */
struct half {
    hd_handle into;
    uint8_t *bytes; /* in the arena */
    size_t size;
    bool is_handle;
};

static int pack_half(struct hd_call *call, hd_value value, hd_handle into, struct half *out)
{
    int error = into ? hd_session_prepare(call->session, into) : 0;
    if (error)
        return hd_fail_slot(call, error, into);
    out->into = into;
    out->bytes = hd_rpc_arena_get(&call->server->arena, HD_PLAIN_INT_MAX_BYTES);
    return out->bytes ? hd_reply_pack(call, value, into, out->bytes, &out->size, &out->is_handle) : HD_ENOMEM;
}

/* The value (steal) goes where its half said. */
static void deliver_half(struct hd_call *call, const struct half *half, hd_value value)
{
    if (half->is_handle)
        hd_session_fill(call->session, half->into, value);
    else
        hd_gc_release(&call->heap->gc, value);
}

static uint8_t *write_half(uint8_t *to, unsigned field, const struct half *half)
{
    to = hd_pack_bytes_head(to, field, half->size);
    memcpy(to, half->bytes, half->size);
    return to + half->size;
}

static int pop_item(struct hd_call *call, hd_value dict, const struct half *key_half, const struct half *value_half)
{
    uint8_t *body;
    hd_value key, value;
    if (2 * HD_PACKED_MAX_BYTES + key_half->size + value_half->size > call->server->config.max_frame_bytes)
        return hd_fail(call, HD_ETOO_LARGE, "key and value do not fit a frame together");
    int error = hd_reply_begin(call, 2 * HD_PACKED_MAX_BYTES + key_half->size + value_half->size, &body);
    if (!error)
        error = hd_dict_pop_last(call->objects, dict, &key, &value);
    if (error)
        return error;
    uint8_t *end = write_half(write_half(body, 1, key_half), 2, value_half);
    hd_reply_end(call, (size_t)(end - body), 0);
    deliver_half(call, key_half, key);
    deliver_half(call, value_half, value);
    return 0;
}

int hd_run_dict_pop_item(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictPopItemRequest *request = message;
    struct half key_half, value_half;
    hd_value dict, key, value;
    /* Marked if it fails. */
    call->into = request->key_into;
    call->captures_into = request->value_into;
    call->captures_count = request->value_into != 0;
    int error = hd_call_object_of(call, request->object, HD_IS_DICT, &dict);
    if (error)
        return error;
    error = hd_dict_last(call->objects, dict, &key, &value);
    if (error)
        return hd_fail_on(call, error, dict, NULL);
    if (request->key_into && hd_handle_slot(request->key_into) == hd_handle_slot(request->value_into))
        return hd_fail(call, HD_EINVALID, "key and value cannot go into one slot");
    error = pack_half(call, key, request->key_into, &key_half);
    if (!error)
        error = pack_half(call, value, request->value_into, &value_half);
    return error ? error : pop_item(call, dict, &key_half, &value_half);
}

/* ---- dicts out of dicts ------------------------------------------------------------ */

static int run_merge(struct hd_call *call, hd_handle handle, Heapd__V1__Value *const *values, size_t count, bool strict,
                     bool in_place)
{
    hd_value dict, others;
    struct hd_combine combine;
    int error = hd_call_object_of(call, handle, HD_IS_DICT, &dict);
    if (!error)
        error = others_of(call, values, count, &others);
    if (error)
        return error;
    error = hd_merge_begin(call->objects, dict, others, strict, in_place, &combine);
    hd_gc_release(&call->heap->gc, others);
    if (error)
        return fail_combine(call, error, dict, true);
    return hd_call_work(call, &combine.work, in_place ? HD_ANSWER_NOTHING : HD_ANSWER_OBJECT, HD_ABSENT);
}

int hd_run_dict_update(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictUpdateRequest *request = message;
    return run_merge(call, request->object, request->others, request->n_others, request->strict, true);
}

int hd_run_dict_merge(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictMergeRequest *request = message;
    int error = hd_call_into(call, request->into);
    if (!error && !request->into)
        error = hd_fail(call, HD_ENOT_PLAIN, "the result is a dict");
    return error ? error : run_merge(call, request->object, request->others, request->n_others, request->strict, false);
}

int hd_run_dict_from_keys(struct hd_call *call, const void *message)
{
    const Heapd__V1__DictFromKeysRequest *request = message;
    hd_value keys, value;
    struct hd_gather gather;
    int error = hd_call_into(call, request->into);
    if (!error && !request->into)
        error = hd_fail(call, HD_ENOT_PLAIN, "the result is a dict");
    if (!error)
        error = hd_call_value(call, request->keys, "keys", &keys);
    if (error)
        return error;
    error = otherwise_of(call, request->value, &value);
    if (!error) {
        error = hd_from_keys_begin(call->objects, keys, value, &gather);
        if (error)
            (void)hd_fail_on(call, error, keys, NULL);
        hd_gc_release(&call->heap->gc, value);
    }
    hd_gc_release(&call->heap->gc, keys);
    return error ? error : hd_call_work(call, &gather.work, HD_ANSWER_OBJECT, HD_ABSENT);
}

/* ---- any container out of any ------------------------------------------------------- */

int hd_run_gather(struct hd_call *call, const void *message)
{
    const Heapd__V1__GatherRequest *request = message;
    enum hd_view view = request->view ? (enum hd_view)request->view : HD_VIEW_KEYS;
    hd_value source;
    struct hd_gather gather;
    int error = hd_call_into(call, request->into);
    if (!error && !request->into)
        error = hd_fail(call, HD_ENOT_PLAIN, "the result is a container");
    if (!error && view > HD_VIEW_ITEMS)
        error = hd_fail(call, HD_EINVALID, "no such view");
    if (!error)
        error = hd_call_value(call, request->source, "source", &source);
    if (error)
        return error;
    error =
        hd_gather_begin(call->objects, source, view, request->reversed, (enum hd_kind_of_value)request->type, &gather);
    if (error == HD_EINVALID)
        (void)hd_fail(call, error, "nothing can be gathered into that type");
    else if (error)
        (void)hd_fail_on(call, error, source, NULL);
    hd_gc_release(&call->heap->gc, source);
    return error ? error : hd_call_work(call, &gather.work, HD_ANSWER_OBJECT, HD_ABSENT);
}
