/* Walking along a path, and adding to a number where it is kept. */
#include <heapd/v1/object.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "rpc/place.h"
#include "rpc/private.h"

/* ---- resolve ---- */

/* A longer path, or one of longer keys, is walked by several requests, each from where the last one ended. */
#define STEPS_MAX 16384
#define STEPS_MAX_UNITS (16 * HD_TURN_UNITS)

static int step_member(struct hd_call *call, hd_value object, const ProtobufCBinaryData *name, hd_value *out)
{
    enum hd_kind_of_value kind = hd_kind_of(call->objects, object);
    struct hd_key key;
    int error = hd_call_attribute(call, name, &key);
    if (error)
        return error;
    if (kind == HD_IS_INSTANCE || kind == HD_IS_CLASS)
        error = hd_attribute_get(call->objects, object, &key, out);
    else if (kind == HD_IS_DICT)
        error = hd_dict_get(call->objects, object, &key, out);
    else
        return hd_fail(call, HD_ETYPE, "%s has no members", hd_kind_name(kind));
    return error ? hd_fail_on(call, error, object, &key) : 0;
}

static int step_item(struct hd_call *call, hd_value object, const Heapd__V1__Value *item, hd_value *out)
{
    struct hd_call_key key;
    int error = hd_call_key(call, item, &key);
    if (error)
        return error;
    error = hd_get_item(call->objects, object, &key.key, out);
    if (error)
        (void)hd_fail_on(call, error, object, &key.key);
    hd_call_key_done(call, &key);
    return error;
}

static int step(struct hd_call *call, hd_value object, const Heapd__V1__Step *request, hd_value *out)
{
    switch (request->kind_case) {
    case HEAPD__V1__STEP__KIND_ITEM:
        return step_item(call, object, request->item, out);
    case HEAPD__V1__STEP__KIND_MEMBER:
        return step_member(call, object, &request->member, out);
    default:
        return hd_fail(call, HD_EINVALID, "a step of no kind that this version knows");
    }
}

/* Puts the step's number in front of what is said already. */
static void say_step(struct hd_call *call, size_t number, size_t count)
{
    char said[HD_MESSAGE_BYTES];
    memcpy(said, call->message, sizeof said);
    struct hd_text text = {call->message, call->message + sizeof call->message};
    hd_text_print(&text, "step %zu of %zu", number, count);
    /* What is said is long only where it quotes, and then the end may go, between characters. */
    size_t room = (size_t)(text.end - text.at) - 3, length = strlen(said);
    if (length > room)
        length = room;
    while (length > 0 && ((unsigned char)said[length] & 0xc0) == 0x80)
        length--;
    if (length)
        hd_text_print(&text, ", %.*s", (int)length, said);
}

static int begin_path(struct hd_call *call, const Heapd__V1__ResolveRequest *request, hd_value *out)
{
    hd_value scope;
    int error;
    if (request->object) {
        error = hd_call_object(call, request->object, out);
        if (!error)
            hd_gc_retain(&call->heap->gc, *out);
        return error;
    }
    error = hd_call_scope(call, request->scope, &scope);
    if (error)
        return error;
    error = hd_heap_lookup(call->heap, scope, request->name.data, request->name.len, out);
    return error ? hd_fail_name(call, error, &request->name) : 0;
}

int hd_run_resolve(struct hd_call *call, const void *message)
{
    const Heapd__V1__ResolveRequest *request = message;
    hd_value value, next;
    if (request->n_steps > STEPS_MAX)
        return hd_fail(call, HD_ELIMIT, "a path of %zu steps; at most %d", request->n_steps, STEPS_MAX);
    int error = hd_call_into(call, request->into);
    if (!error)
        error = begin_path(call, request, &value);
    if (error)
        return error;
    uint64_t units_end = call->objects->work_units + STEPS_MAX_UNITS;
    for (size_t i = 0; i < request->n_steps; i++) {
        if (call->objects->work_units < units_end)
            error = step(call, value, request->steps[i], &next);
        else
            error = hd_fail(call, HD_ELIMIT, "the keys so far are too long for one request");
        if (error)
            say_step(call, i + 1, request->n_steps);
        hd_gc_release(&call->heap->gc, value);
        if (error)
            return error;
        value = next;
    }
    return hd_reply_result(call, value, request->as_object);
}

static bool is_number(enum hd_kind_of_value kind)
{
    return kind == HD_IS_INT || kind == HD_IS_FLOAT || kind == HD_IS_BOOL;
}

static int check_terms(struct hd_call *call, hd_value current, hd_value delta)
{
    enum hd_kind_of_value kind = hd_kind_of(call->objects, current);
    enum hd_kind_of_value delta_kind = hd_kind_of(call->objects, delta);
    if (!is_number(kind))
        return hd_fail(call, HD_ETYPE, "a %s is there, not a number", hd_kind_name(kind));
    if (!is_number(delta_kind))
        return hd_fail(call, HD_ETYPE, "the delta is a %s, not a number", hd_kind_name(delta_kind));
    return 0;
}

static int fail_sum(struct hd_call *call, int error)
{
    if (error == HD_EOVERFLOW)
        return hd_fail(call, error, "an int too large to be added to a float");
    if (error == HD_ETOO_LARGE)
        return hd_fail(call, error, "ints of more than %zu bytes are not added", HD_ARITHMETIC_MAX_BYTES);
    return error;
}

/* The room for the sum is made before it is stored; then nothing can fail any more. */
static int add_at(struct hd_call *call, struct hd_place *place, hd_value delta, hd_value *out)
{
    struct hd_gc *gc = &call->heap->gc;
    hd_value current, sum;
    int error = hd_place_get(call, place, &current);
    if (error)
        return error;
    error = check_terms(call, current, delta);
    if (!error) {
        error = hd_number_add(call->objects, current, delta, &sum);
        if (error)
            (void)fail_sum(call, error);
    }
    hd_gc_release(gc, current);
    if (error)
        return error;
    error = hd_reply_prepare(call, sum, false);
    if (!error) {
        error = hd_place_set(call, place, hd_gc_retain(gc, sum), true);
        if (error) {
            hd_gc_release(gc, sum);
        }
    }
    if (error)
        hd_gc_release(gc, sum);
    else
        *out = sum;
    return error;
}

int hd_run_add(struct hd_call *call, const void *message)
{
    const Heapd__V1__AddRequest *request = message;
    struct hd_place place;
    hd_value delta, sum = HD_NONE;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_place_find(call, request->object, request->key, request->scope, &request->name, &place);
    if (error)
        return error;
    error = hd_call_value(call, request->delta, "delta", &delta);
    if (!error) {
        error = add_at(call, &place, delta, &sum);
        hd_gc_release(&call->heap->gc, delta);
    }
    hd_call_key_done(call, &place.key);
    if (!error)
        hd_reply_value(call, sum, false);
    return error;
}
