/*
 * Contains: at once in a dict or set; a list, tuple, str or bytes is looked through,
 * in slices if that is long.
 */
#include <heapd/v1/object.pb-c.h>

#include "object/sequence.h"
#include "rpc/work.h"

static int contains_key(struct hd_call *call, hd_value object, const Heapd__V1__Value *value)
{
    struct hd_call_key key;
    bool contained;
    int error = hd_call_key(call, value, &key);
    if (error)
        return error;
    key.key.as_frozen = hd_kind_of(call->objects, object) != HD_IS_DICT;
    error = hd_contains(call->objects, object, &key.key, &contained);
    if (error)
        /* The key may be of any kind, so the object's type is what does not fit. */
        (void)hd_fail_on(call, error, object, error == HD_ETYPE ? NULL : &key.key);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_bool(call, contained);
    return error;
}

static int contains_element(struct hd_call *call, hd_value object, const Heapd__V1__Value *value)
{
    const struct hd_range whole = {0};
    struct hd_search search;
    hd_value what;
    int error = hd_call_value(call, value, "key", &what);
    if (error)
        return error;
    error = hd_search_begin(call->objects, object, HD_SEARCH_CONTAINS, what, &whole, &search);
    hd_gc_release(&call->heap->gc, what);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &search.work, HD_ANSWER_TRUTH, object);
}

int hd_run_contains(struct hd_call *call, const void *message)
{
    const Heapd__V1__ContainsRequest *request = message;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    switch (hd_kind_of(call->objects, object)) {
    case HD_IS_LIST:
    case HD_IS_TUPLE:
    case HD_IS_STR:
    case HD_IS_BYTES:
        return contains_element(call, object, request->key);
    default:
        return contains_key(call, object, request->key);
    }
}
