/* Slices, searches, sorting, copying, comparing, computing: requests that are work of the object layer. */
#include "object/sequence.h"

#include <heapd/v1/sequence.pb-c.h>

#include "rpc/work.h"

static void release(struct hd_call *call, hd_value value)
{
    hd_gc_release(&call->heap->gc, value);
}

/* ---- ranges --------------------------------------------------------------- */

static void range_done(struct hd_call *call, const struct hd_range *range)
{
    release(call, range->start);
    release(call, range->stop);
    release(call, range->step);
}

static int bound_of(struct hd_call *call, const Heapd__V1__Value *value, const char *what, hd_value *out)
{
    if (!value || value->kind_case == HEAPD__V1__VALUE__KIND__NOT_SET)
        return 0;
    return hd_call_value(call, value, what, out);
}

/* No range is all of it. What it owns is given up by range_done, after a failure already. */
static int range_of(struct hd_call *call, const Heapd__V1__Range *from, struct hd_range *out)
{
    *out = (struct hd_range){HD_ABSENT, HD_ABSENT, HD_ABSENT};
    if (!from)
        return 0;
    int error = bound_of(call, from->start, "start", &out->start);
    if (!error)
        error = bound_of(call, from->stop, "stop", &out->stop);
    if (!error)
        error = bound_of(call, from->step, "step", &out->step);
    if (error)
        range_done(call, out);
    return error;
}

static int fail_range(struct hd_call *call, int error, hd_value object)
{
    if (error == HD_EVALUE)
        return hd_fail(call, error, "a step of 0 never comes anywhere");
    return hd_fail_on(call, error, object, NULL);
}

/* ---- slices --------------------------------------------------------------- */

int hd_run_get_slice(struct hd_call *call, const void *message)
{
    const Heapd__V1__GetSliceRequest *request = message;
    struct hd_range range;
    union hd_make make;
    hd_value object;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (!error)
        error = range_of(call, request->range, &range);
    if (error)
        return error;
    error = hd_get_slice_begin(call->objects, object, &range, &make);
    range_done(call, &range);
    if (error)
        return fail_range(call, error, object);
    return hd_call_work(call, &make.work, request->as_object ? HD_ANSWER_OBJECT : HD_ANSWER_VALUE, object);
}

int hd_run_set_slice(struct hd_call *call, const void *message)
{
    const Heapd__V1__SetSliceRequest *request = message;
    struct hd_range range;
    struct hd_splice splice;
    hd_value object, values;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_value(call, request->values, "values", &values);
    if (error)
        return error;
    error = range_of(call, request->range, &range);
    if (!error) {
        error = hd_set_slice_begin(call->objects, object, &range, values, &splice);
        range_done(call, &range);
        if (error)
            (void)fail_range(call, error, object);
    }
    release(call, values);
    return error ? error : hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, object);
}

int hd_run_del_slice(struct hd_call *call, const void *message)
{
    const Heapd__V1__DelSliceRequest *request = message;
    struct hd_range range;
    struct hd_splice splice;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = range_of(call, request->range, &range);
    if (error)
        return error;
    error = hd_delete_slice_begin(call->objects, object, &range, &splice);
    range_done(call, &range);
    if (error)
        return fail_range(call, error, object);
    return hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, object);
}

/* ---- whole lists ---------------------------------------------------------- */

int hd_run_extend_from(struct hd_call *call, const void *message)
{
    const Heapd__V1__ExtendFromRequest *request = message;
    struct hd_splice splice;
    hd_value object, values;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_value(call, request->values, "values", &values);
    if (error)
        return error;
    error = hd_extend_begin(call->objects, object, values, &splice);
    release(call, values);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, object);
}

int hd_run_repeat(struct hd_call *call, const void *message)
{
    const Heapd__V1__RepeatRequest *request = message;
    struct hd_splice splice;
    hd_value object, times;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_value(call, request->times, "number of times", &times);
    if (error)
        return error;
    error = hd_repeat_in_place_begin(call->objects, object, times, &splice);
    release(call, times);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, object);
}

int hd_run_reverse(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReverseRequest *request = message;
    struct hd_splice splice;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_reverse_begin(call->objects, object, &splice);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &splice.work, HD_ANSWER_NOTHING, object);
}

int hd_run_sort(struct hd_call *call, const void *message)
{
    const Heapd__V1__SortRequest *request = message;
    struct hd_sort sort;
    hd_value object;
    int error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_sort_begin(call->objects, object, request->reverse, &sort);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &sort.work, HD_ANSWER_NOTHING, object);
}

int hd_run_copy(struct hd_call *call, const void *message)
{
    const Heapd__V1__CopyRequest *request = message;
    struct hd_copy copy;
    hd_value object;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_object(call, request->object, &object);
    if (error)
        return error;
    error = hd_copy_begin(call->objects, object, request->deep, &copy);
    if (error)
        return hd_fail_on(call, error, object, NULL);
    return hd_call_work(call, &copy.work, HD_ANSWER_OBJECT, object);
}

/* ---- searches ------------------------------------------------------------- */

static enum hd_answer answer_of(enum hd_search_mode mode)
{
    switch (mode) {
    case HD_SEARCH_INDEX:
    case HD_SEARCH_FIND:
    case HD_SEARCH_LAST:
    case HD_SEARCH_COUNT:
    case HD_SEARCH_REMOVE:
        return HD_ANSWER_NUMBER;
    default:
        return HD_ANSWER_TRUTH;
    }
}

int hd_run_search(struct hd_call *call, const void *message)
{
    const Heapd__V1__SearchRequest *request = message;
    enum hd_search_mode mode = (enum hd_search_mode)request->mode;
    struct hd_range range;
    struct hd_search search;
    hd_value object, what;
    int error = hd_call_object(call, request->object, &object);
    if (!error)
        error = hd_call_value(call, request->what, "value", &what);
    if (error)
        return error;
    error = range_of(call, request->range, &range);
    if (!error) {
        error = hd_search_begin(call->objects, object, mode, what, &range, &search);
        range_done(call, &range);
        if (error)
            (void)hd_fail_on(call, error, object, NULL);
    }
    release(call, what);
    return error ? error : hd_call_work(call, &search.work, answer_of(mode), object);
}

/* ---- two operands --------------------------------------------------------- */

struct operands {
    hd_value left; /* own */
    hd_value right;
};

/* `right` may be missing where `unary`. */
static int operands_of(struct hd_call *call, const Heapd__V1__Value *left, const Heapd__V1__Value *right, bool unary,
                       struct operands *out)
{
    *out = (struct operands){HD_ABSENT, HD_NONE};
    int error = hd_call_value(call, left, "left operand", &out->left);
    if (!error && !unary) {
        error = hd_call_value(call, right, "right operand", &out->right);
        if (error)
            release(call, out->left);
    }
    return error;
}

static int fail_operands(struct hd_call *call, int error, const struct operands *operands)
{
    const char *left = hd_kind_name(hd_kind_of(call->objects, operands->left));
    const char *right = hd_kind_name(hd_kind_of(call->objects, operands->right));
    if (error == HD_ETYPE)
        return hd_fail(call, error, "between %s and %s", left, right);
    return error;
}

static bool is_sequence(const struct hd_objects *objects, hd_value value)
{
    switch (hd_kind_of(objects, value)) {
    case HD_IS_STR:
    case HD_IS_BYTES:
    case HD_IS_LIST:
    case HD_IS_TUPLE:
        return true;
    default:
        return false;
    }
}

/* Of sequences: 1: it is one of these, and was begun; 0: it is another operation; or an error. */
static int begin_sequence(struct hd_call *call, enum hd_arithmetic operation, const struct operands *operands,
                          union hd_make *out)
{
    struct hd_objects *objects = call->objects;
    bool left = is_sequence(objects, operands->left), right = is_sequence(objects, operands->right);
    int error;
    if (operation == HD_ADD && left)
        error = hd_concat_begin(objects, operands->left, operands->right, out);
    else if (operation == HD_MULTIPLY && left != right)
        error = hd_repeat_begin(objects, left ? operands->left : operands->right,
                                left ? operands->right : operands->left, out);
    else
        return 0;
    return error ? error : 1;
}

static int operate(struct hd_call *call, const Heapd__V1__OperateRequest *request, const struct operands *operands)
{
    enum hd_arithmetic operation = (enum hd_arithmetic)request->operation;
    union hd_make make;
    hd_value result;
    int error = begin_sequence(call, operation, operands, &make);
    if (error == 1)
        return hd_call_work(call, &make.work, request->as_object ? HD_ANSWER_OBJECT : HD_ANSWER_VALUE, HD_ABSENT);
    if (!error)
        error = hd_number_compute(call->objects, operation, operands->left, operands->right, &result);
    if (error)
        return fail_operands(call, error, operands);
    return hd_reply_result(call, result, request->as_object);
}

int hd_run_operate(struct hd_call *call, const void *message)
{
    const Heapd__V1__OperateRequest *request = message;
    struct operands operands;
    int result = hd_call_into(call, request->into);
    if (!result)
        result = operands_of(call, request->left, request->right,
                             hd_arithmetic_is_unary((enum hd_arithmetic)request->operation), &operands);
    if (result)
        return result;
    result = operate(call, request, &operands);
    release(call, operands.left);
    release(call, operands.right);
    return result;
}

int hd_run_compare(struct hd_call *call, const void *message)
{
    const Heapd__V1__CompareRequest *request = message;
    struct hd_compare compare;
    struct operands operands;
    int result = operands_of(call, request->left, request->right, false, &operands);
    if (result)
        return result;
    result =
        hd_compare_begin(call->objects, operands.left, (enum hd_relation)request->relation, operands.right, &compare);
    if (!result)
        result = hd_call_work(call, &compare.work, HD_ANSWER_TRUTH, HD_ABSENT);
    if (result < 0)
        (void)fail_operands(call, result, &operands);
    release(call, operands.left);
    release(call, operands.right);
    return result;
}

int hd_run_hash(struct hd_call *call, const void *message)
{
    const Heapd__V1__HashRequest *request = message;
    struct hd_call_key key;
    int error = hd_call_key(call, request->value, &key);
    if (error)
        return error;
    error = hd_key_hash(call->objects, &key.key);
    uint32_t hash = key.key.hash;
    if (error && key.owned != HD_ABSENT)
        (void)hd_fail_on(call, error, key.owned, &key.key);
    hd_call_key_done(call, &key);
    if (!error)
        hd_reply_count(call, hash);
    return error;
}
