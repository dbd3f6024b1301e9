/* Items, elements and attributes of objects. */
#include <heapd/v1/object.pb-c.h>

#include "object/sequence.h"
#include "rpc/work.h"

/* The characters of a longer str are counted in slices. */
#define COUNTED_AT_ONCE_BYTES ((size_t)64 << 10)

/* Its characters are counted in slices; in a batch, where nothing is sliced, at once. */
static bool is_long_str(const struct hd_call *call, hd_value object)
{
    size_t size;
    if (!hd_value_is_ref(object) || hd_kind_of(call->objects, object) != HD_IS_STR ||
        hd_batch_is_running(call->connection))
        return false;
    (void)hd_bytes_view(call->objects, &object, &size);
    return size > COUNTED_AT_ONCE_BYTES;
}

int hd_run_length(struct hd_call *call, const void *message)
{
    const Heapd__V1__LengthRequest *request = message;
    hd_value object;
    uint64_t length;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    if (is_long_str(call, object)) {
        struct hd_count count;
        hd_count_begin(call->objects, object, &count);
        return hd_call_work(call, &count.work, HD_ANSWER_NUMBER, object);
    }
    error = hd_length(call->objects, object, &length);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    hd_reply_count(call, length);
    return 0;
}

int hd_run_get_item(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetItemRequest *request = message;
    struct hd_call_key key;
    hd_value object, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_key(call, request->key, &key);
    if (error)
        return error;
    error = hd_get_item(call->objects, object, &key.key, &value);
    if (error)
        (void)hd_fail_on(call, error, object, &key.key);
    hd_call_key_done(call, &key);
    return error ? error : hd_reply_result(call, value, request->as_object);
}

int hd_run_set_item(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetItemRequest *request = message;
    struct hd_call_key key;
    hd_value object, value;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_key(call, request->key, &key);
    if (error)
        return error;
    error = hd_call_value(call, request->value, "value", &value);
    if (!error) {
        error = hd_set_item(call->objects, object, &key.key, value);
        if (error) {
            (void)hd_fail_on(call, error, object, &key.key);
            hd_gc_release(&call->heap->gc, value);
        }
    }
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_empty(call);
    return error;
}

/* ---- elements of long lists ------------------------------------------------ */

/* Is it an index of a list, where taking an element out moves so many that it is done in slices? */
static bool is_long_removal(const struct hd_call *call, hd_value object, const struct hd_key *key, int64_t *index)
{
    return hd_kind_of(call->objects, object) == HD_IS_LIST && hd_int_to_int64(call->objects, key->value, index) &&
           hd_list_moves_much(call->objects, object, *index, false);
}

static int remove_long(struct hd_call *call, hd_value list, int64_t index, enum hd_answer answer)
{
    struct hd_splice splice;
    int error = hd_pop_begin(call->objects, list, index, &splice);
    return error ? error : hd_call_work(call, &splice.work, answer, list);
}

static int insert_long(struct hd_call *call, hd_value list, int64_t index, hd_value value)
{
    struct hd_splice splice;
    int error = hd_insert_begin(call->objects, list, index, value, &splice);
    hd_gc_release(&call->heap->gc, value);
    return error ? error : hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, list);
}

int hd_run_del_item(struct hd_call *call, const void *message)
{
    const Heapd__V1__DelItemRequest *request = message;
    struct hd_call_key key;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_key(call, request->key, &key);
    if (error)
        return error;
    int64_t index;
    if (is_long_removal(call, object, &key.key, &index)) {
        error = remove_long(call, object, index, HD_ANSWER_NOTHING);
        if (error < 0)
            (void)hd_fail_on(call, error, object, &key.key);
        hd_call_key_done(call, &key);
        return error;
    }
    error = hd_pop_item(call->objects, object, &key.key, NULL);
    if (error)
        (void)hd_fail_on(call, error, object, &key.key);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_empty(call);
    return error;
}

int hd_run_append(struct hd_call *call, const void *message)
{
    const Heapd__V1__AppendRequest *request = message;
    hd_value list, value;
    int error = hd_call_object_of(call, request->object, HD_IS_LIST, &list);
    if (!error)
        error = hd_call_value(call, request->value, "value", &value);
    if (error)
        return error;
    error = hd_list_append(call->objects, list, value);
    if (error)
        hd_gc_release(&call->heap->gc, value);
    else
        hd_reply_empty(call);
    return error;
}

int hd_run_insert(struct hd_call *call, const void *message)
{
    const Heapd__V1__InsertRequest *request = message;
    hd_value list, value;
    int error = hd_call_object_of(call, request->object, HD_IS_LIST, &list);
    if (!error)
        error = hd_call_value(call, request->value, "value", &value);
    if (error)
        return error;
    if (hd_list_moves_much(call->objects, list, request->index, true))
        return insert_long(call, list, request->index, value);
    error = hd_list_insert(call->objects, list, request->index, value);
    if (error)
        hd_gc_release(&call->heap->gc, value);
    else
        hd_reply_empty(call);
    return error;
}

/* ---- pop ---- */

/* What would be taken out of a list or dict, as a new reference, so that a refusal comes before the change. */
static int peek(struct hd_call *call, hd_value object, struct hd_key *key, hd_value *out)
{
    struct hd_key last = hd_key_of(hd_value_int(-1));
    return hd_get_item(call->objects, object, key ? key : &last, out);
}

/* The last of a dict or set. */
static int pop_last(struct hd_call *call, hd_value object, hd_value *out)
{
    hd_value key, value;
    int error = hd_dict_last(call->objects, object, &key, &value);
    if (!error)
        error = hd_reply_prepare(call, value == HD_ABSENT ? key : value, false);
    return error ? error : hd_pop_item(call->objects, object, NULL, out);
}

static int pop(struct hd_call *call, hd_value object, struct hd_key *key, hd_value *out)
{
    enum hd_kind_of_value kind = hd_kind_of(call->objects, object);
    hd_value value;
    if (!key && (kind == HD_IS_DICT || kind == HD_IS_SET))
        return pop_last(call, object, out);
    if (key && kind == HD_IS_SET)
        return hd_fail(call, HD_ETYPE, "a set has no keys to pop by; use discard");
    if (kind != HD_IS_LIST && kind != HD_IS_DICT)
        return HD_ETYPE;
    int error = peek(call, object, key, &value);
    if (error)
        return error;
    error = hd_reply_prepare(call, value, false);
    hd_gc_release(&call->heap->gc, value);
    return error ? error : hd_pop_item(call->objects, object, key, out);
}

int hd_run_pop(struct hd_call *call, const void *message)
{
    const Heapd__V1__PopRequest *request = message;
    struct hd_call_key key = {.owned = HD_ABSENT};
    hd_value object, value;
    bool with_key = request->key && request->key->kind_case != HEAPD__V1__VALUE__KIND__NOT_SET;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (!error && with_key)
        error = hd_call_key(call, request->key, &key);
    if (error)
        return error;
    int64_t index;
    if (with_key && is_long_removal(call, object, &key.key, &index)) {
        error = remove_long(call, object, index, HD_ANSWER_VALUE);
        if (error < 0)
            (void)hd_fail_on(call, error, object, &key.key);
        hd_call_key_done(call, &key);
        return error;
    }
    error = pop(call, object, with_key ? &key.key : NULL, &value);
    /* pop(2 ** 63) is no index at all to Python, as a[2 ** 63] is one out of range. */
    if (error == HD_EINDEX && with_key && hd_is_big_int(call->objects, key.key.value))
        error = HD_EOVERFLOW;
    if (error)
        (void)hd_fail_on(call, error, object, with_key ? &key.key : NULL);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_value(call, value, false);
    return error;
}

int hd_run_clear(struct hd_call *call, const void *message)
{
    const Heapd__V1__ClearRequest *request = message;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_clear(call->objects, object);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    hd_reply_empty(call);
    return 0;
}

/* ---- sets ---- */

static int run_set(struct hd_call *call, hd_handle handle, const Heapd__V1__Value *value,
                   int (*change)(struct hd_objects *objects, hd_value set, struct hd_key *key, bool *out))
{
    struct hd_call_key key;
    hd_value set;
    bool result;
    int error = hd_call_object_of(call, handle, HD_IS_SET, &set);
    if (!error)
        error = hd_call_key(call, value, &key);
    if (error)
        return error;
    key.key.as_frozen = change == hd_set_discard;
    error = change(call->objects, set, &key.key, &result);
    if (error)
        (void)hd_fail_on(call, error, set, &key.key);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_bool(call, result);
    return error;
}

int hd_run_set_add(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetAddRequest *request = message;
    return run_set(call, request->object, request->value, hd_set_add);
}

int hd_run_set_discard(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetDiscardRequest *request = message;
    return run_set(call, request->object, request->value, hd_set_discard);
}

/* ---- attributes ---- */

/* Of a type without attributes, the name does not matter. */
static int fail_attribute(struct hd_call *call, int error, hd_value object, const struct hd_key *name)
{
    return hd_fail_on(call, error, object, error == HD_ETYPE ? NULL : name);
}

static int attribute_of(struct hd_call *call, hd_handle handle, const ProtobufCBinaryData *name, hd_value *object,
                        struct hd_key *key)
{
    int error = hd_call_object(call, handle, object);
    return error ? error : hd_call_attribute(call, name, key);
}

int hd_run_get_attr(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetAttrRequest *request = message;
    struct hd_key name;
    hd_value object, value;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = attribute_of(call, request->object, &request->name, &object, &name);
    if (error)
        return error;
    error = hd_attribute_get(call->objects, object, &name, &value);
    return error ? fail_attribute(call, error, object, &name) : hd_reply_result(call, value, request->as_object);
}

int hd_run_set_attr(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetAttrRequest *request = message;
    struct hd_key name;
    hd_value object, value;
    int error = attribute_of(call, request->object, &request->name, &object, &name);
    if (!error)
        error = hd_call_value(call, request->value, "value", &value);
    if (error)
        return error;
    error = hd_attribute_set(call->objects, object, &name, value);
    if (error) {
        hd_gc_release(&call->heap->gc, value);
        return fail_attribute(call, error, object, &name);
    }
    hd_reply_empty(call);
    return 0;
}

int hd_run_del_attr(struct hd_call *call, const void *message)
{
    const Heapd__V1__DelAttrRequest *request = message;
    struct hd_key name;
    hd_value object;
    int error = attribute_of(call, request->object, &request->name, &object, &name);
    if (error)
        return error;
    error = hd_attribute_delete(call->objects, object, &name);
    if (error)
        return fail_attribute(call, error, object, &name);
    hd_reply_empty(call);
    return 0;
}
