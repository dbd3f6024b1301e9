/* The Sequences service: each method begun or waited for. */
#include "heapd/v1/sequence.pb-c.h"

#include "client/lib/call.h"
#include "client/lib/method.h"

/* The public numbers are the wire's. */
_Static_assert((int)HEAPD_SEARCH_ADD == (int)HEAPD__V1__SEARCH__SEARCH_ADD, "");
_Static_assert((int)HEAPD_INVERT == (int)HEAPD__V1__ARITHMETIC__INVERT, "");
_Static_assert((int)HEAPD_IDENTICAL == (int)HEAPD__V1__RELATION__IDENTICAL, "");
_Static_assert((int)HEAPD_UPDATE_ADD_IF_ABSENT == (int)HEAPD__V1__UPDATE__UPDATE_ADD_IF_ABSENT, "");

/* Values that may be left out. */
static int fill_optional(const struct heapd_value *value, struct hd_wire_value *wire, Heapd__V1__Value **out)
{
    if (value->kind == HEAPD_VALUE_ABSENT)
        return 0;
    *out = &wire->value;
    return hd_wire_value(value, wire);
}

struct range {
    Heapd__V1__Range message;
    struct hd_wire_value start;
    struct hd_wire_value stop;
    struct hd_wire_value step;
};

static int fill_range(struct range *range, const struct heapd_range *from)
{
    heapd__v1__range__init(&range->message);
    int code = fill_optional(&from->start, &range->start, &range->message.start);
    if (!code)
        code = fill_optional(&from->stop, &range->stop, &range->message.stop);
    return code ? code : fill_optional(&from->step, &range->step, &range->message.step);
}

/* Get slice */

struct get_slice {
    Heapd__V1__GetSliceRequest message;
    struct range range;
};

static int fill_get_slice(struct get_slice *fill, heapd_handle object, const struct heapd_range *range,
                          enum heapd_want want)
{
    heapd__v1__get_slice_request__init(&fill->message);
    fill->message.object = object;
    fill->message.range = &fill->range.message;
    fill->message.as_object = want == HEAPD_OBJECT;
    return fill_range(&fill->range, range);
}

int heapd_get_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                    enum heapd_want want, struct heapd_value *result, struct heapd_error *error)
{
    struct get_slice message;
    int code = fill_get_slice(&message, object, &range, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_SLICE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_get_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                          enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct get_slice message;
    int code = fill_get_slice(&message, object, &range, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_SLICE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* Set slice */

struct set_slice {
    Heapd__V1__SetSliceRequest message;
    struct range range;
    struct hd_wire_value values;
};

static int fill_set_slice(struct set_slice *fill, heapd_handle object, const struct heapd_range *range,
                          const struct heapd_value *values)
{
    heapd__v1__set_slice_request__init(&fill->message);
    fill->message.object = object;
    fill->message.range = &fill->range.message;
    fill->message.values = &fill->values.value;
    int code = fill_range(&fill->range, range);
    return code ? code : hd_wire_value(values, &fill->values);
}

int heapd_set_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                    struct heapd_value values, struct heapd_error *error)
{
    struct set_slice message;
    int code = fill_set_slice(&message, object, &range, &values);
    return hd_sync(connection, HEAPD_METHOD_SET_SLICE, &message.message.base, code, NULL, error);
}

int heapd_begin_set_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                          struct heapd_value values, heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_slice message;
    int code = fill_set_slice(&message, object, &range, &values);
    return hd_begin(connection, HEAPD_METHOD_SET_SLICE, &message.message.base, code, ticket, error);
}

/* Del slice */

struct del_slice {
    Heapd__V1__DelSliceRequest message;
    struct range range;
};

static int fill_del_slice(struct del_slice *fill, heapd_handle object, const struct heapd_range *range)
{
    heapd__v1__del_slice_request__init(&fill->message);
    fill->message.object = object;
    fill->message.range = &fill->range.message;
    return fill_range(&fill->range, range);
}

int heapd_del_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                    struct heapd_error *error)
{
    struct del_slice message;
    int code = fill_del_slice(&message, object, &range);
    return hd_sync(connection, HEAPD_METHOD_DEL_SLICE, &message.message.base, code, NULL, error);
}

int heapd_begin_del_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                          heapd_ticket *ticket, struct heapd_error *error)
{
    struct del_slice message;
    int code = fill_del_slice(&message, object, &range);
    return hd_begin(connection, HEAPD_METHOD_DEL_SLICE, &message.message.base, code, ticket, error);
}

/* Extend from */

struct extend_from {
    Heapd__V1__ExtendFromRequest message;
    struct hd_wire_value values;
};

static int fill_extend_from(struct extend_from *fill, heapd_handle object, const struct heapd_value *values)
{
    heapd__v1__extend_from_request__init(&fill->message);
    fill->message.object = object;
    fill->message.values = &fill->values.value;
    return hd_wire_value(values, &fill->values);
}

int heapd_extend_from(struct heapd_connection *connection, heapd_handle object, struct heapd_value values,
                      struct heapd_error *error)
{
    struct extend_from message;
    int code = fill_extend_from(&message, object, &values);
    return hd_sync(connection, HEAPD_METHOD_EXTEND_FROM, &message.message.base, code, NULL, error);
}

int heapd_begin_extend_from(struct heapd_connection *connection, heapd_handle object, struct heapd_value values,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    struct extend_from message;
    int code = fill_extend_from(&message, object, &values);
    return hd_begin(connection, HEAPD_METHOD_EXTEND_FROM, &message.message.base, code, ticket, error);
}

/* Repeat */

struct repeat {
    Heapd__V1__RepeatRequest message;
    struct hd_wire_value times;
};

static int fill_repeat(struct repeat *fill, heapd_handle object, const struct heapd_value *times)
{
    heapd__v1__repeat_request__init(&fill->message);
    fill->message.object = object;
    fill->message.times = &fill->times.value;
    return hd_wire_value(times, &fill->times);
}

int heapd_repeat(struct heapd_connection *connection, heapd_handle object, struct heapd_value times,
                 struct heapd_error *error)
{
    struct repeat message;
    int code = fill_repeat(&message, object, &times);
    return hd_sync(connection, HEAPD_METHOD_REPEAT, &message.message.base, code, NULL, error);
}

int heapd_begin_repeat(struct heapd_connection *connection, heapd_handle object, struct heapd_value times,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    struct repeat message;
    int code = fill_repeat(&message, object, &times);
    return hd_begin(connection, HEAPD_METHOD_REPEAT, &message.message.base, code, ticket, error);
}

/* Reverse */

struct reverse {
    Heapd__V1__ReverseRequest message;
};

static int fill_reverse(struct reverse *fill, heapd_handle object)
{
    heapd__v1__reverse_request__init(&fill->message);
    fill->message.object = object;
    return 0;
}

int heapd_reverse(struct heapd_connection *connection, heapd_handle object, struct heapd_error *error)
{
    struct reverse message;
    int code = fill_reverse(&message, object);
    return hd_sync(connection, HEAPD_METHOD_REVERSE, &message.message.base, code, NULL, error);
}

int heapd_begin_reverse(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                        struct heapd_error *error)
{
    struct reverse message;
    int code = fill_reverse(&message, object);
    return hd_begin(connection, HEAPD_METHOD_REVERSE, &message.message.base, code, ticket, error);
}

/* Sort */

struct sort {
    Heapd__V1__SortRequest message;
};

static int fill_sort(struct sort *fill, heapd_handle object, bool reverse)
{
    heapd__v1__sort_request__init(&fill->message);
    fill->message.object = object;
    fill->message.reverse = reverse;
    return 0;
}

int heapd_sort(struct heapd_connection *connection, heapd_handle object, bool reverse, struct heapd_error *error)
{
    struct sort message;
    int code = fill_sort(&message, object, reverse);
    return hd_sync(connection, HEAPD_METHOD_SORT, &message.message.base, code, NULL, error);
}

int heapd_begin_sort(struct heapd_connection *connection, heapd_handle object, bool reverse, heapd_ticket *ticket,
                     struct heapd_error *error)
{
    struct sort message;
    int code = fill_sort(&message, object, reverse);
    return hd_begin(connection, HEAPD_METHOD_SORT, &message.message.base, code, ticket, error);
}

/* Search */

struct search {
    Heapd__V1__SearchRequest message;
    struct hd_wire_value what;
    struct range range;
};

static int fill_search(struct search *fill, heapd_handle object, enum heapd_search_mode mode,
                       const struct heapd_value *what, const struct heapd_range *range)
{
    heapd__v1__search_request__init(&fill->message);
    fill->message.object = object;
    fill->message.mode = (Heapd__V1__Search)mode;
    fill->message.what = &fill->what.value;
    fill->message.range = &fill->range.message;
    int code = hd_wire_value(what, &fill->what);
    return code ? code : fill_range(&fill->range, range);
}

int heapd_search(struct heapd_connection *connection, heapd_handle object, enum heapd_search_mode mode,
                 struct heapd_value what, struct heapd_range range, struct heapd_value *result,
                 struct heapd_error *error)
{
    struct search message;
    int code = fill_search(&message, object, mode, &what, &range);
    struct hd_call call = {.method = HEAPD_METHOD_SEARCH, .message = &message.message.base};
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_search(struct heapd_connection *connection, heapd_handle object, enum heapd_search_mode mode,
                       struct heapd_value what, struct heapd_range range, heapd_ticket *ticket,
                       struct heapd_error *error)
{
    struct search message;
    int code = fill_search(&message, object, mode, &what, &range);
    return hd_begin(connection, HEAPD_METHOD_SEARCH, &message.message.base, code, ticket, error);
}

/* Copy */

struct copy {
    Heapd__V1__CopyRequest message;
};

static int fill_copy(struct copy *fill, heapd_handle object, bool deep)
{
    heapd__v1__copy_request__init(&fill->message);
    fill->message.object = object;
    fill->message.deep = deep;
    return 0;
}

int heapd_copy(struct heapd_connection *connection, heapd_handle object, bool deep, heapd_handle *out,
               struct heapd_error *error)
{
    struct copy message;
    int code = fill_copy(&message, object, deep);
    struct hd_call call = {
        .method = HEAPD_METHOD_COPY,
        .message = &message.message.base,
        .into = &message.message.into,
    };
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_copy(struct heapd_connection *connection, heapd_handle object, bool deep, heapd_handle *into,
                     heapd_ticket *ticket, struct heapd_error *error)
{
    struct copy message;
    int code = fill_copy(&message, object, deep);
    struct hd_call call = {
        .method = HEAPD_METHOD_COPY,
        .message = &message.message.base,
        .into = &message.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* Operate */

struct operate {
    Heapd__V1__OperateRequest message;
    struct hd_wire_value left;
    struct hd_wire_value right;
};

static int fill_operate(struct operate *fill, enum heapd_arithmetic operation, const struct heapd_value *left,
                        const struct heapd_value *right, enum heapd_want want)
{
    heapd__v1__operate_request__init(&fill->message);
    fill->message.operation = (Heapd__V1__Arithmetic)operation;
    fill->message.left = &fill->left.value;
    fill->message.as_object = want == HEAPD_OBJECT;
    int code = hd_wire_value(left, &fill->left);
    return code ? code : fill_optional(right, &fill->right, &fill->message.right);
}

int heapd_operate(struct heapd_connection *connection, enum heapd_arithmetic operation, struct heapd_value left,
                  struct heapd_value right, enum heapd_want want, struct heapd_value *result, struct heapd_error *error)
{
    struct operate message;
    int code = fill_operate(&message, operation, &left, &right, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_OPERATE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_operate(struct heapd_connection *connection, enum heapd_arithmetic operation, struct heapd_value left,
                        struct heapd_value right, enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                        struct heapd_error *error)
{
    struct operate message;
    int code = fill_operate(&message, operation, &left, &right, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_OPERATE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* Compare */

struct compare {
    Heapd__V1__CompareRequest message;
    struct hd_wire_value left;
    struct hd_wire_value right;
};

static int fill_compare(struct compare *fill, const struct heapd_value *left, enum heapd_relation relation,
                        const struct heapd_value *right)
{
    heapd__v1__compare_request__init(&fill->message);
    fill->message.left = &fill->left.value;
    fill->message.relation = (Heapd__V1__Relation)relation;
    fill->message.right = &fill->right.value;
    int code = hd_wire_value(left, &fill->left);
    return code ? code : hd_wire_value(right, &fill->right);
}

int heapd_compare(struct heapd_connection *connection, struct heapd_value left, enum heapd_relation relation,
                  struct heapd_value right, bool *out, struct heapd_error *error)
{
    struct compare message;
    int code = fill_compare(&message, &left, relation, &right);
    return hd_sync_bool(connection, HEAPD_METHOD_COMPARE, &message.message.base, code, out, error);
}

int heapd_begin_compare(struct heapd_connection *connection, struct heapd_value left, enum heapd_relation relation,
                        struct heapd_value right, heapd_ticket *ticket, struct heapd_error *error)
{
    struct compare message;
    int code = fill_compare(&message, &left, relation, &right);
    return hd_begin(connection, HEAPD_METHOD_COMPARE, &message.message.base, code, ticket, error);
}

/* Hash */

struct hash {
    Heapd__V1__HashRequest message;
    struct hd_wire_value value;
};

static int fill_hash(struct hash *fill, const struct heapd_value *value)
{
    heapd__v1__hash_request__init(&fill->message);
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_hash(struct heapd_connection *connection, struct heapd_value value, struct heapd_value *result,
               struct heapd_error *error)
{
    struct hash message;
    int code = fill_hash(&message, &value);
    struct hd_call call = {.method = HEAPD_METHOD_HASH, .message = &message.message.base};
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_hash(struct heapd_connection *connection, struct heapd_value value, heapd_ticket *ticket,
                     struct heapd_error *error)
{
    struct hash message;
    int code = fill_hash(&message, &value);
    return hd_begin(connection, HEAPD_METHOD_HASH, &message.message.base, code, ticket, error);
}

/* Update */

struct update {
    Heapd__V1__UpdateRequest message;
    struct hd_wire_value key;
    struct hd_wire_value operand;
    struct hd_wire_value expected;
};

static int fill_update(struct update *fill, const struct heapd_place *place, enum heapd_update update,
                       enum heapd_arithmetic arithmetic, const struct heapd_value *operand,
                       const struct heapd_value *expected, enum heapd_want want)
{
    heapd__v1__update_request__init(&fill->message);
    fill->message.object = place->object;
    fill->message.name = hd_wire_bytes(place->name);
    fill->message.scope = place->scope;
    fill->message.update = (Heapd__V1__Update)update;
    fill->message.arithmetic = (Heapd__V1__Arithmetic)arithmetic;
    fill->message.as_object = want == HEAPD_OBJECT;
    int code = fill_optional(&place->key, &fill->key, &fill->message.key);
    if (!code)
        code = fill_optional(operand, &fill->operand, &fill->message.operand);
    return code ? code : fill_optional(expected, &fill->expected, &fill->message.expected);
}

int heapd_update(struct heapd_connection *connection, struct heapd_place place, enum heapd_update update,
                 enum heapd_arithmetic arithmetic, struct heapd_value operand, struct heapd_value expected,
                 enum heapd_want want, struct heapd_value *result, struct heapd_error *error)
{
    struct update message;
    int code = fill_update(&message, &place, update, arithmetic, &operand, &expected, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_UPDATE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_update(struct heapd_connection *connection, struct heapd_place place, enum heapd_update update,
                       enum heapd_arithmetic arithmetic, struct heapd_value operand, struct heapd_value expected,
                       enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct update message;
    int code = fill_update(&message, &place, update, arithmetic, &operand, &expected, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_UPDATE,
        .message = &message.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}
