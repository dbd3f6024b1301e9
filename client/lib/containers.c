/* The Containers service: set algebra, dicts, containers out of others. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/containers.pb-c.h"

/* ---- arguments ---- */

struct others {
    struct hd_wire_value values[HEAPD_OTHERS_MAX];
    Heapd__V1__Value *pointers[HEAPD_OTHERS_MAX];
};

static int fill_others(const struct heapd_value *others, size_t count, struct others *out)
{
    if (count > HEAPD_OTHERS_MAX)
        return HD_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int code = hd_wire_value(&others[i], &out->values[i]);
        if (code)
            return code;
        out->pointers[i] = &out->values[i].value;
    }
    return 0;
}

/* A value that may be absent. */
static int fill_optional(const struct heapd_value *value, struct hd_wire_value *wire, Heapd__V1__Value **out)
{
    if (value->kind == HEAPD_VALUE_ABSENT)
        return 0;
    *out = &wire->value;
    return hd_wire_value(value, wire);
}

/* ---- sets ---- */

struct set_combine {
    Heapd__V1__SetCombineRequest message;
    struct others others;
};

static int fill_set_combine(struct set_combine *fill, heapd_handle set, enum heapd_set_operation operation,
                            const struct heapd_value *others, size_t count, bool strict, struct hd_call *call)
{
    heapd__v1__set_combine_request__init(&fill->message);
    fill->message.object = set;
    fill->message.operation = (Heapd__V1__SetOperation)operation;
    fill->message.others = fill->others.pointers;
    fill->message.n_others = count;
    fill->message.strict = strict;
    *call = (struct hd_call){
        .method = HEAPD_METHOD_SET_COMBINE, .message = &fill->message.base, .into = &fill->message.into};
    return fill_others(others, count, &fill->others);
}

int heapd_set_combine(struct heapd_connection *connection, heapd_handle set, enum heapd_set_operation operation,
                      const struct heapd_value *others, size_t count, bool strict, heapd_handle *out,
                      struct heapd_error *error)
{
    struct set_combine fill;
    struct hd_call call;
    int code = fill_set_combine(&fill, set, operation, others, count, strict, &call);
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_set_combine(struct heapd_connection *connection, heapd_handle set, enum heapd_set_operation operation,
                            const struct heapd_value *others, size_t count, bool strict, heapd_handle *into,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_combine fill;
    struct hd_call call;
    int code = fill_set_combine(&fill, set, operation, others, count, strict, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct set_update {
    Heapd__V1__SetUpdateRequest message;
    struct others others;
};

static int fill_set_update(struct set_update *fill, heapd_handle set, enum heapd_set_operation operation,
                           const struct heapd_value *others, size_t count, bool strict)
{
    heapd__v1__set_update_request__init(&fill->message);
    fill->message.object = set;
    fill->message.operation = (Heapd__V1__SetOperation)operation;
    fill->message.others = fill->others.pointers;
    fill->message.n_others = count;
    fill->message.strict = strict;
    return fill_others(others, count, &fill->others);
}

int heapd_set_update(struct heapd_connection *connection, heapd_handle set, enum heapd_set_operation operation,
                     const struct heapd_value *others, size_t count, bool strict, struct heapd_error *error)
{
    struct set_update fill;
    int code = fill_set_update(&fill, set, operation, others, count, strict);
    return hd_sync(connection, HEAPD_METHOD_SET_UPDATE, &fill.message.base, code, NULL, error);
}

int heapd_begin_set_update(struct heapd_connection *connection, heapd_handle set, enum heapd_set_operation operation,
                           const struct heapd_value *others, size_t count, bool strict, heapd_ticket *ticket,
                           struct heapd_error *error)
{
    struct set_update fill;
    int code = fill_set_update(&fill, set, operation, others, count, strict);
    return hd_begin(connection, HEAPD_METHOD_SET_UPDATE, &fill.message.base, code, ticket, error);
}

struct set_compare {
    Heapd__V1__SetCompareRequest message;
    struct hd_wire_value other;
};

static int fill_set_compare(struct set_compare *fill, heapd_handle set, enum heapd_set_relation relation,
                            const struct heapd_value *other, bool strict)
{
    heapd__v1__set_compare_request__init(&fill->message);
    fill->message.object = set;
    fill->message.relation = (Heapd__V1__SetRelation)relation;
    fill->message.other = &fill->other.value;
    fill->message.strict = strict;
    return hd_wire_value(other, &fill->other);
}

int heapd_set_compare(struct heapd_connection *connection, heapd_handle set, enum heapd_set_relation relation,
                      struct heapd_value other, bool strict, bool *out, struct heapd_error *error)
{
    struct set_compare fill;
    int code = fill_set_compare(&fill, set, relation, &other, strict);
    return hd_sync_bool(connection, HEAPD_METHOD_SET_COMPARE, &fill.message.base, code, out, error);
}

int heapd_begin_set_compare(struct heapd_connection *connection, heapd_handle set, enum heapd_set_relation relation,
                            struct heapd_value other, bool strict, heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_compare fill;
    int code = fill_set_compare(&fill, set, relation, &other, strict);
    return hd_begin(connection, HEAPD_METHOD_SET_COMPARE, &fill.message.base, code, ticket, error);
}

struct set_remove {
    Heapd__V1__SetRemoveRequest message;
    struct hd_wire_value element;
};

static int fill_set_remove(struct set_remove *fill, heapd_handle set, const struct heapd_value *element)
{
    heapd__v1__set_remove_request__init(&fill->message);
    fill->message.object = set;
    fill->message.value = &fill->element.value;
    return hd_wire_value(element, &fill->element);
}

int heapd_set_remove(struct heapd_connection *connection, heapd_handle set, struct heapd_value element,
                     struct heapd_error *error)
{
    struct set_remove fill;
    int code = fill_set_remove(&fill, set, &element);
    return hd_sync(connection, HEAPD_METHOD_SET_REMOVE, &fill.message.base, code, NULL, error);
}

int heapd_begin_set_remove(struct heapd_connection *connection, heapd_handle set, struct heapd_value element,
                           heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_remove fill;
    int code = fill_set_remove(&fill, set, &element);
    return hd_begin(connection, HEAPD_METHOD_SET_REMOVE, &fill.message.base, code, ticket, error);
}

/* ---- dicts: one key ---- */

struct dict_get {
    Heapd__V1__DictGetRequest message;
    struct hd_wire_value key;
    struct hd_wire_value otherwise;
};

static int fill_dict_get(struct dict_get *fill, heapd_handle dict, const struct heapd_value *key,
                         const struct heapd_value *otherwise, enum heapd_want want, struct hd_call *call)
{
    heapd__v1__dict_get_request__init(&fill->message);
    fill->message.object = dict;
    fill->message.key = &fill->key.value;
    fill->message.as_object = want == HEAPD_OBJECT;
    *call = (struct hd_call){.method = HEAPD_METHOD_DICT_GET,
                             .message = &fill->message.base,
                             .into = want == HEAPD_PLAIN ? NULL : &fill->message.into};
    int code = hd_wire_value(key, &fill->key);
    return code ? code : fill_optional(otherwise, &fill->otherwise, &fill->message.otherwise);
}

int heapd_dict_get(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                   struct heapd_value otherwise, enum heapd_want want, struct heapd_value *result,
                   struct heapd_error *error)
{
    struct dict_get fill;
    struct hd_call call;
    int code = fill_dict_get(&fill, dict, &key, &otherwise, want, &call);
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_dict_get(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                         struct heapd_value otherwise, enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                         struct heapd_error *error)
{
    struct dict_get fill;
    struct hd_call call;
    int code = fill_dict_get(&fill, dict, &key, &otherwise, want, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct dict_set_default {
    Heapd__V1__DictSetDefaultRequest message;
    struct hd_wire_value key;
    struct hd_wire_value value;
};

static int fill_dict_set_default(struct dict_set_default *fill, heapd_handle dict, const struct heapd_value *key,
                                 const struct heapd_value *value, enum heapd_want want, struct hd_call *call)
{
    heapd__v1__dict_set_default_request__init(&fill->message);
    fill->message.object = dict;
    fill->message.key = &fill->key.value;
    fill->message.as_object = want == HEAPD_OBJECT;
    *call = (struct hd_call){.method = HEAPD_METHOD_DICT_SET_DEFAULT,
                             .message = &fill->message.base,
                             .into = want == HEAPD_PLAIN ? NULL : &fill->message.into};
    int code = hd_wire_value(key, &fill->key);
    return code ? code : fill_optional(value, &fill->value, &fill->message.value);
}

int heapd_dict_set_default(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                           struct heapd_value value, enum heapd_want want, struct heapd_value *result,
                           struct heapd_error *error)
{
    struct dict_set_default fill;
    struct hd_call call;
    int code = fill_dict_set_default(&fill, dict, &key, &value, want, &call);
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_dict_set_default(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                                 struct heapd_value value, enum heapd_want want, heapd_handle *into,
                                 heapd_ticket *ticket, struct heapd_error *error)
{
    struct dict_set_default fill;
    struct hd_call call;
    int code = fill_dict_set_default(&fill, dict, &key, &value, want, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct dict_pop {
    Heapd__V1__DictPopRequest message;
    struct hd_wire_value key;
    struct hd_wire_value otherwise;
};

static int fill_dict_pop(struct dict_pop *fill, heapd_handle dict, const struct heapd_value *key,
                         const struct heapd_value *otherwise, enum heapd_want want, struct hd_call *call)
{
    heapd__v1__dict_pop_request__init(&fill->message);
    fill->message.object = dict;
    fill->message.key = &fill->key.value;
    *call = (struct hd_call){.method = HEAPD_METHOD_DICT_POP,
                             .message = &fill->message.base,
                             .into = want == HEAPD_PLAIN ? NULL : &fill->message.into};
    int code = hd_wire_value(key, &fill->key);
    return code ? code : fill_optional(otherwise, &fill->otherwise, &fill->message.otherwise);
}

int heapd_dict_pop(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                   struct heapd_value otherwise, enum heapd_want want, struct heapd_value *result,
                   struct heapd_error *error)
{
    struct dict_pop fill;
    struct hd_call call;
    int code = fill_dict_pop(&fill, dict, &key, &otherwise, want, &call);
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_dict_pop(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                         struct heapd_value otherwise, enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                         struct heapd_error *error)
{
    struct dict_pop fill;
    struct hd_call call;
    int code = fill_dict_pop(&fill, dict, &key, &otherwise, want, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* ---- dicts: pairs ---- */

static void fill_pop_item(Heapd__V1__DictPopItemRequest *message, heapd_handle dict, struct hd_call *call)
{
    heapd__v1__dict_pop_item_request__init(message);
    message->object = dict;
    *call = (struct hd_call){.method = HEAPD_METHOD_DICT_POP_ITEM,
                             .message = &message->base,
                             .into = &message->key_into,
                             .captures_into = &message->value_into,
                             .capture_count = 1};
}

int heapd_dict_pop_item(struct heapd_connection *connection, heapd_handle dict, struct heapd_result *result,
                        struct heapd_error *error)
{
    Heapd__V1__DictPopItemRequest message;
    struct hd_call call;
    fill_pop_item(&message, dict, &call);
    return hd_call_sync(connection, &call, 0, result, error);
}

int heapd_begin_dict_pop_item(struct heapd_connection *connection, heapd_handle dict, heapd_ticket *ticket,
                              struct heapd_error *error)
{
    Heapd__V1__DictPopItemRequest message;
    struct hd_call call;
    fill_pop_item(&message, dict, &call);
    return hd_call_begin(connection, &call, 0, ticket, error);
}

struct dict_update {
    Heapd__V1__DictUpdateRequest message;
    struct others others;
};

static int fill_dict_update(struct dict_update *fill, heapd_handle dict, const struct heapd_value *others, size_t count,
                            bool strict)
{
    heapd__v1__dict_update_request__init(&fill->message);
    fill->message.object = dict;
    fill->message.others = fill->others.pointers;
    fill->message.n_others = count;
    fill->message.strict = strict;
    return fill_others(others, count, &fill->others);
}

int heapd_dict_update(struct heapd_connection *connection, heapd_handle dict, const struct heapd_value *others,
                      size_t count, bool strict, struct heapd_error *error)
{
    struct dict_update fill;
    int code = fill_dict_update(&fill, dict, others, count, strict);
    return hd_sync(connection, HEAPD_METHOD_DICT_UPDATE, &fill.message.base, code, NULL, error);
}

int heapd_begin_dict_update(struct heapd_connection *connection, heapd_handle dict, const struct heapd_value *others,
                            size_t count, bool strict, heapd_ticket *ticket, struct heapd_error *error)
{
    struct dict_update fill;
    int code = fill_dict_update(&fill, dict, others, count, strict);
    return hd_begin(connection, HEAPD_METHOD_DICT_UPDATE, &fill.message.base, code, ticket, error);
}

struct dict_merge {
    Heapd__V1__DictMergeRequest message;
    struct others others;
};

static int fill_dict_merge(struct dict_merge *fill, heapd_handle dict, const struct heapd_value *others, size_t count,
                           bool strict, struct hd_call *call)
{
    heapd__v1__dict_merge_request__init(&fill->message);
    fill->message.object = dict;
    fill->message.others = fill->others.pointers;
    fill->message.n_others = count;
    fill->message.strict = strict;
    *call = (struct hd_call){
        .method = HEAPD_METHOD_DICT_MERGE, .message = &fill->message.base, .into = &fill->message.into};
    return fill_others(others, count, &fill->others);
}

int heapd_dict_merge(struct heapd_connection *connection, heapd_handle dict, const struct heapd_value *others,
                     size_t count, bool strict, heapd_handle *out, struct heapd_error *error)
{
    struct dict_merge fill;
    struct hd_call call;
    int code = fill_dict_merge(&fill, dict, others, count, strict, &call);
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_dict_merge(struct heapd_connection *connection, heapd_handle dict, const struct heapd_value *others,
                           size_t count, bool strict, heapd_handle *into, heapd_ticket *ticket,
                           struct heapd_error *error)
{
    struct dict_merge fill;
    struct hd_call call;
    int code = fill_dict_merge(&fill, dict, others, count, strict, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct from_keys {
    Heapd__V1__DictFromKeysRequest message;
    struct hd_wire_value keys;
    struct hd_wire_value value;
};

static int fill_from_keys(struct from_keys *fill, const struct heapd_value *keys, const struct heapd_value *value,
                          struct hd_call *call)
{
    heapd__v1__dict_from_keys_request__init(&fill->message);
    fill->message.keys = &fill->keys.value;
    *call = (struct hd_call){
        .method = HEAPD_METHOD_DICT_FROM_KEYS, .message = &fill->message.base, .into = &fill->message.into};
    int code = hd_wire_value(keys, &fill->keys);
    return code ? code : fill_optional(value, &fill->value, &fill->message.value);
}

int heapd_dict_from_keys(struct heapd_connection *connection, struct heapd_value keys, struct heapd_value value,
                         heapd_handle *out, struct heapd_error *error)
{
    struct from_keys fill;
    struct hd_call call;
    int code = fill_from_keys(&fill, &keys, &value, &call);
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_dict_from_keys(struct heapd_connection *connection, struct heapd_value keys, struct heapd_value value,
                               heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct from_keys fill;
    struct hd_call call;
    int code = fill_from_keys(&fill, &keys, &value, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

/* ---- any container out of any ---- */

struct gather {
    Heapd__V1__GatherRequest message;
    struct hd_wire_value source;
};

static int fill_gather(struct gather *fill, const struct heapd_value *source, enum heapd_view view, bool reversed,
                       enum heapd_type type, struct hd_call *call)
{
    heapd__v1__gather_request__init(&fill->message);
    fill->message.source = &fill->source.value;
    fill->message.view = (Heapd__V1__View)view;
    fill->message.reversed = reversed;
    fill->message.type = (Heapd__V1__Type)type;
    *call =
        (struct hd_call){.method = HEAPD_METHOD_GATHER, .message = &fill->message.base, .into = &fill->message.into};
    return hd_wire_value(source, &fill->source);
}

int heapd_gather(struct heapd_connection *connection, struct heapd_value source, enum heapd_view view, bool reversed,
                 enum heapd_type type, heapd_handle *out, struct heapd_error *error)
{
    struct gather fill;
    struct hd_call call;
    int code = fill_gather(&fill, &source, view, reversed, type, &call);
    return hd_sync_handle(connection, &call, code, out, error);
}

int heapd_begin_gather(struct heapd_connection *connection, struct heapd_value source, enum heapd_view view,
                       bool reversed, enum heapd_type type, heapd_handle *into, heapd_ticket *ticket,
                       struct heapd_error *error)
{
    struct gather fill;
    struct hd_call call;
    int code = fill_gather(&fill, &source, view, reversed, type, &call);
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}
