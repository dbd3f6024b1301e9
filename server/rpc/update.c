/* Reading and changing a slot in one step. */
#include <heapd/v1/sequence.pb-c.h>

#include "object/sequence.h"
#include "rpc/place.h"
#include "rpc/work.h"

/* What a comparison with what is expected may take: it is done at once. */
#define COMPARE_UNITS HD_SLICE_UNITS

struct update {
    struct hd_call *call;
    const Heapd__V1__UpdateRequest *request;
    struct hd_place place;
    hd_value operand; /* own */
    hd_value current; /* own; HD_ABSENT: nothing is there */
};

static void release(struct update *update, hd_value value)
{
    hd_gc_release(&update->call->heap->gc, value);
}

/* What is there, for those to whom it is no error that nothing is. */
static int look(struct update *update)
{
    struct hd_call *call = update->call;
    int error = hd_place_get(call, &update->place, &update->current);
    if (error != HD_EKEY && error != HD_EATTRIBUTE && error != HD_ENAME)
        return error;
    call->message[0] = '\0';
    update->current = HD_ABSENT;
    return 0;
}

static int store(struct update *update, hd_value value)
{
    hd_value stored = hd_gc_retain(&update->call->heap->gc, value);
    int error = hd_place_set(update->call, &update->place, stored, update->current != HD_ABSENT);
    if (error)
        release(update, stored);
    return error;
}

/* Stores a value and answers another one (both borrowed), or the same; the room for the answer is made first. */
static int store_and_answer(struct update *update, hd_value value, hd_value answer)
{
    struct hd_call *call = update->call;
    int error = hd_reply_prepare(call, answer, update->request->as_object);
    if (!error)
        error = store(update, value);
    if (error)
        return error;
    hd_reply_value(call, hd_gc_retain(&call->heap->gc, answer), update->request->as_object);
    return 0;
}

static int compute(struct update *update)
{
    struct hd_call *call = update->call;
    hd_value result;
    int error = hd_place_get(call, &update->place, &update->current);
    if (error)
        return error;
    error = hd_number_compute(call->objects, (enum hd_arithmetic)update->request->arithmetic, update->current,
                              update->operand, &result);
    if (error == HD_ETYPE)
        return hd_fail(call, error, "a %s is there, and the operand is a %s",
                       hd_kind_name(hd_kind_of(call->objects, update->current)),
                       hd_kind_name(hd_kind_of(call->objects, update->operand)));
    if (error)
        return error;
    error = store_and_answer(update, result, result);
    release(update, result);
    return error;
}

static int swap(struct update *update)
{
    int error = hd_place_get(update->call, &update->place, &update->current);
    return error ? error : store_and_answer(update, update->operand, update->current);
}

static int is_expected(struct update *update, hd_value expected, bool *out)
{
    struct hd_comparer comparer;
    uint64_t units = COMPARE_UNITS;
    hd_comparer_init(&comparer, update->call->objects);
    int result = hd_comparer_run(&comparer, update->current, expected, HD_EQUAL, false, &units);
    bool truth = comparer.truth;
    hd_comparer_fini(&comparer);
    if (result == 1)
        *out = truth;
    if (result == 0)
        return hd_fail(update->call, HD_ETOO_LARGE, "what is there is too large to be compared in one step");
    return result < 0 ? result : 0;
}

static int compare_and_set(struct update *update)
{
    struct hd_call *call = update->call;
    const Heapd__V1__Value *expected = update->request->expected;
    bool none = !expected || expected->kind_case == HEAPD__V1__VALUE__KIND__NOT_SET;
    bool met = none;
    int error = look(update);
    if (error)
        return error;
    if (update->current == HD_ABSENT || none) {
        met = update->current == HD_ABSENT && none;
    } else {
        hd_value value;
        error = hd_call_value(call, expected, "expected value", &value);
        if (error)
            return error;
        error = is_expected(update, value, &met);
        release(update, value);
    }
    if (!error && met)
        error = store(update, update->operand);
    if (!error)
        hd_reply_bool(call, met);
    return error;
}

static int get_or_create(struct update *update)
{
    struct hd_call *call = update->call;
    int error = look(update);
    if (error)
        return error;
    if (update->current == HD_ABSENT)
        return store_and_answer(update, update->operand, update->operand);
    return hd_reply_result(call, hd_gc_retain(&call->heap->gc, update->current), update->request->as_object);
}

static int add_if_absent(struct update *update, hd_value list)
{
    const struct hd_range whole = {0};
    struct hd_search search;
    int error = hd_search_begin(update->call->objects, list, HD_SEARCH_ADD, update->operand, &whole, &search);
    if (error == HD_ETYPE)
        return hd_fail(update->call, error, "a %s is there, not a list",
                       hd_kind_name(hd_kind_of(update->call->objects, list)));
    return error ? error : hd_call_work(update->call, &search.work, HD_ANSWER_TRUTH, list);
}

static int add_in_place(struct update *update)
{
    int error = hd_place_get(update->call, &update->place, &update->current);
    return error ? error : add_if_absent(update, update->current);
}

static int add_to_object(struct update *update)
{
    hd_value list;
    int error = hd_call_object(update->call, update->request->object, &list);
    return error ? error : add_if_absent(update, list);
}

static int run(struct update *update)
{
    switch (update->request->update) {
    case HEAPD__V1__UPDATE__UPDATE_COMPUTE:
        return compute(update);
    case HEAPD__V1__UPDATE__UPDATE_SWAP:
        return swap(update);
    case HEAPD__V1__UPDATE__UPDATE_COMPARE_AND_SET:
        return compare_and_set(update);
    case HEAPD__V1__UPDATE__UPDATE_GET_OR_CREATE:
        return get_or_create(update);
    case HEAPD__V1__UPDATE__UPDATE_ADD_IF_ABSENT:
        return add_in_place(update);
    default:
        return hd_fail(update->call, HD_EINVALID, "update %d is none that this version knows",
                       (int)update->request->update);
    }
}

int hd_run_update(struct hd_call *call, const void *message)
{
    const Heapd__V1__UpdateRequest *request = message;
    struct update update = {.call = call, .request = request, .operand = HD_NONE, .current = HD_ABSENT};
    bool of_object = request->update == HEAPD__V1__UPDATE__UPDATE_ADD_IF_ABSENT && !request->key && !request->name.len;
    bool unary = request->update == HEAPD__V1__UPDATE__UPDATE_COMPUTE &&
                 hd_arithmetic_is_unary((enum hd_arithmetic)request->arithmetic);
    int result = hd_call_into(call, request->into);
    if (!result && !unary)
        result = hd_call_value(call, request->operand, "operand", &update.operand);
    if (result)
        return result;
    update.place.key.owned = HD_ABSENT;
    if (of_object) {
        result = add_to_object(&update);
    } else {
        result = hd_place_find(call, request->object, request->key, request->scope, &request->name, &update.place);
        if (!result)
            result = run(&update);
        hd_call_key_done(call, &update.place.key);
    }
    release(&update, update.operand);
    release(&update, update.current);
    return result;
}
