/* The Objects service: items, elements and attributes, one after the other begun or waited for. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/object.pb-c.h"

/* Items */

struct get_item {
    Heapd__V1__GetItemRequest message;
    struct hd_wire_value key;
};

static int fill_get_item(struct get_item *get, heapd_handle object, const struct heapd_value *key, enum heapd_want want)
{
    heapd__v1__get_item_request__init(&get->message);
    get->message.object = object;
    get->message.key = &get->key.value;
    get->message.as_object = want == HEAPD_OBJECT;
    return hd_wire_value(key, &get->key);
}

int heapd_get_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                   enum heapd_want want, struct heapd_value *result, struct heapd_error *error)
{
    struct get_item get;
    int code = fill_get_item(&get, object, &key, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_ITEM,
        .message = &get.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &get.message.into,
    };
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_get_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                         enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct get_item get;
    int code = fill_get_item(&get, object, &key, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_ITEM,
        .message = &get.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &get.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct set_item {
    Heapd__V1__SetItemRequest message;
    struct hd_wire_value key;
    struct hd_wire_value value;
};

static int fill_set_item(struct set_item *fill, heapd_handle object, const struct heapd_value *key,
                         const struct heapd_value *value)
{
    heapd__v1__set_item_request__init(&fill->message);
    fill->message.object = object;
    fill->message.key = &fill->key.value;
    fill->message.value = &fill->value.value;
    int code = hd_wire_value(key, &fill->key);
    return code ? code : hd_wire_value(value, &fill->value);
}

int heapd_set_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                   struct heapd_value value, struct heapd_error *error)
{
    struct set_item message;
    int code = fill_set_item(&message, object, &key, &value);
    return hd_sync(connection, HEAPD_METHOD_SET_ITEM, &message.message.base, code, NULL, error);
}

int heapd_begin_set_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                         struct heapd_value value, heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_item message;
    int code = fill_set_item(&message, object, &key, &value);
    return hd_begin(connection, HEAPD_METHOD_SET_ITEM, &message.message.base, code, ticket, error);
}

struct del_item {
    Heapd__V1__DelItemRequest message;
    struct hd_wire_value key;
};

static int fill_del_item(struct del_item *fill, heapd_handle object, const struct heapd_value *key)
{
    heapd__v1__del_item_request__init(&fill->message);
    fill->message.object = object;
    fill->message.key = &fill->key.value;
    return hd_wire_value(key, &fill->key);
}

int heapd_del_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                   struct heapd_error *error)
{
    struct del_item message;
    int code = fill_del_item(&message, object, &key);
    return hd_sync(connection, HEAPD_METHOD_DEL_ITEM, &message.message.base, code, NULL, error);
}

int heapd_begin_del_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                         heapd_ticket *ticket, struct heapd_error *error)
{
    struct del_item message;
    int code = fill_del_item(&message, object, &key);
    return hd_begin(connection, HEAPD_METHOD_DEL_ITEM, &message.message.base, code, ticket, error);
}

struct contains {
    Heapd__V1__ContainsRequest message;
    struct hd_wire_value key;
};

static int fill_contains(struct contains *fill, heapd_handle object, const struct heapd_value *key)
{
    heapd__v1__contains_request__init(&fill->message);
    fill->message.object = object;
    fill->message.key = &fill->key.value;
    return hd_wire_value(key, &fill->key);
}

int heapd_contains(struct heapd_connection *connection, heapd_handle object, struct heapd_value key, bool *out,
                   struct heapd_error *error)
{
    struct contains message;
    int code = fill_contains(&message, object, &key);
    return hd_sync_bool(connection, HEAPD_METHOD_CONTAINS, &message.message.base, code, out, error);
}

int heapd_begin_contains(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                         heapd_ticket *ticket, struct heapd_error *error)
{
    struct contains message;
    int code = fill_contains(&message, object, &key);
    return hd_begin(connection, HEAPD_METHOD_CONTAINS, &message.message.base, code, ticket, error);
}

/* Lists and sets */

struct append {
    Heapd__V1__AppendRequest message;
    struct hd_wire_value value;
};

static int fill_append(struct append *fill, heapd_handle object, const struct heapd_value *value)
{
    heapd__v1__append_request__init(&fill->message);
    fill->message.object = object;
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_append(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                 struct heapd_error *error)
{
    struct append message;
    int code = fill_append(&message, object, &value);
    return hd_sync(connection, HEAPD_METHOD_APPEND, &message.message.base, code, NULL, error);
}

int heapd_begin_append(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                       heapd_ticket *ticket, struct heapd_error *error)
{
    struct append message;
    int code = fill_append(&message, object, &value);
    return hd_begin(connection, HEAPD_METHOD_APPEND, &message.message.base, code, ticket, error);
}

struct insert {
    Heapd__V1__InsertRequest message;
    struct hd_wire_value value;
};

static int fill_insert(struct insert *fill, heapd_handle object, int64_t index, const struct heapd_value *value)
{
    heapd__v1__insert_request__init(&fill->message);
    fill->message.object = object;
    fill->message.index = index;
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_insert(struct heapd_connection *connection, heapd_handle object, int64_t index, struct heapd_value value,
                 struct heapd_error *error)
{
    struct insert message;
    int code = fill_insert(&message, object, index, &value);
    return hd_sync(connection, HEAPD_METHOD_INSERT, &message.message.base, code, NULL, error);
}

int heapd_begin_insert(struct heapd_connection *connection, heapd_handle object, int64_t index,
                       struct heapd_value value, heapd_ticket *ticket, struct heapd_error *error)
{
    struct insert message;
    int code = fill_insert(&message, object, index, &value);
    return hd_begin(connection, HEAPD_METHOD_INSERT, &message.message.base, code, ticket, error);
}

struct pop {
    Heapd__V1__PopRequest message;
    struct hd_wire_value key;
};

static int fill_pop(struct pop *pop, heapd_handle object, const struct heapd_value *key)
{
    heapd__v1__pop_request__init(&pop->message);
    pop->message.object = object;
    if (key->kind == HEAPD_VALUE_ABSENT)
        return 0;
    pop->message.key = &pop->key.value;
    return hd_wire_value(key, &pop->key);
}

int heapd_pop(struct heapd_connection *connection, heapd_handle object, struct heapd_value key, enum heapd_want want,
              struct heapd_value *result, struct heapd_error *error)
{
    struct pop pop;
    int code = fill_pop(&pop, object, &key);
    struct hd_call call = {
        .method = HEAPD_METHOD_POP,
        .message = &pop.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &pop.message.into,
    };
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_pop(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                    enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    struct pop pop;
    int code = fill_pop(&pop, object, &key);
    struct hd_call call = {
        .method = HEAPD_METHOD_POP,
        .message = &pop.message.base,
        .into = want == HEAPD_PLAIN ? NULL : &pop.message.into,
    };
    return hd_begin_handle(connection, &call, code, into, ticket, error);
}

struct set_add {
    Heapd__V1__SetAddRequest message;
    struct hd_wire_value value;
};

static int fill_set_add(struct set_add *fill, heapd_handle object, const struct heapd_value *value)
{
    heapd__v1__set_add_request__init(&fill->message);
    fill->message.object = object;
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_set_add(struct heapd_connection *connection, heapd_handle object, struct heapd_value value, bool *was_new,
                  struct heapd_error *error)
{
    struct set_add message;
    int code = fill_set_add(&message, object, &value);
    return hd_sync_bool(connection, HEAPD_METHOD_SET_ADD, &message.message.base, code, was_new, error);
}

int heapd_begin_set_add(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                        heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_add message;
    int code = fill_set_add(&message, object, &value);
    return hd_begin(connection, HEAPD_METHOD_SET_ADD, &message.message.base, code, ticket, error);
}

struct set_discard {
    Heapd__V1__SetDiscardRequest message;
    struct hd_wire_value value;
};

static int fill_set_discard(struct set_discard *fill, heapd_handle object, const struct heapd_value *value)
{
    heapd__v1__set_discard_request__init(&fill->message);
    fill->message.object = object;
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_set_discard(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                      bool *was_there, struct heapd_error *error)
{
    struct set_discard message;
    int code = fill_set_discard(&message, object, &value);
    return hd_sync_bool(connection, HEAPD_METHOD_SET_DISCARD, &message.message.base, code, was_there, error);
}

int heapd_begin_set_discard(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                            heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_discard message;
    int code = fill_set_discard(&message, object, &value);
    return hd_begin(connection, HEAPD_METHOD_SET_DISCARD, &message.message.base, code, ticket, error);
}

/* Attributes */

static void fill_get_attr(Heapd__V1__GetAttrRequest *message, heapd_handle object, struct heapd_bytes name,
                          enum heapd_want want)
{
    heapd__v1__get_attr_request__init(message);
    message->object = object;
    message->name = hd_wire_bytes(name);
    message->as_object = want == HEAPD_OBJECT;
}

int heapd_get_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                   enum heapd_want want, struct heapd_value *result, struct heapd_error *error)
{
    Heapd__V1__GetAttrRequest message;
    fill_get_attr(&message, object, name, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_ATTR,
        .message = &message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.into,
    };
    return hd_sync_value(connection, &call, 0, result, error);
}

int heapd_begin_get_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                         enum heapd_want want, heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__GetAttrRequest message;
    fill_get_attr(&message, object, name, want);
    struct hd_call call = {
        .method = HEAPD_METHOD_GET_ATTR,
        .message = &message.base,
        .into = want == HEAPD_PLAIN ? NULL : &message.into,
    };
    return hd_begin_handle(connection, &call, 0, into, ticket, error);
}

struct set_attr {
    Heapd__V1__SetAttrRequest message;
    struct hd_wire_value value;
};

static int fill_set_attr(struct set_attr *fill, heapd_handle object, struct heapd_bytes name,
                         const struct heapd_value *value)
{
    heapd__v1__set_attr_request__init(&fill->message);
    fill->message.object = object;
    fill->message.name = hd_wire_bytes(name);
    fill->message.value = &fill->value.value;
    return hd_wire_value(value, &fill->value);
}

int heapd_set_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                   struct heapd_value value, struct heapd_error *error)
{
    struct set_attr message;
    int code = fill_set_attr(&message, object, name, &value);
    return hd_sync(connection, HEAPD_METHOD_SET_ATTR, &message.message.base, code, NULL, error);
}

int heapd_begin_set_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                         struct heapd_value value, heapd_ticket *ticket, struct heapd_error *error)
{
    struct set_attr message;
    int code = fill_set_attr(&message, object, name, &value);
    return hd_begin(connection, HEAPD_METHOD_SET_ATTR, &message.message.base, code, ticket, error);
}

struct del_attr {
    Heapd__V1__DelAttrRequest message;
};

static int fill_del_attr(struct del_attr *fill, heapd_handle object, struct heapd_bytes name)
{
    heapd__v1__del_attr_request__init(&fill->message);
    fill->message.object = object;
    fill->message.name = hd_wire_bytes(name);
    return 0;
}

int heapd_del_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                   struct heapd_error *error)
{
    struct del_attr message;
    int code = fill_del_attr(&message, object, name);
    return hd_sync(connection, HEAPD_METHOD_DEL_ATTR, &message.message.base, code, NULL, error);
}

int heapd_begin_del_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                         heapd_ticket *ticket, struct heapd_error *error)
{
    struct del_attr message;
    int code = fill_del_attr(&message, object, name);
    return hd_begin(connection, HEAPD_METHOD_DEL_ATTR, &message.message.base, code, ticket, error);
}

/* Add: to a number where it is kept */

struct add_item {
    Heapd__V1__AddRequest message;
    struct hd_wire_value key;
    struct hd_wire_value delta;
};

static int fill_add_item(struct add_item *fill, heapd_handle object, const struct heapd_value *key,
                         const struct heapd_value *delta)
{
    heapd__v1__add_request__init(&fill->message);
    fill->message.object = object;
    fill->message.key = &fill->key.value;
    fill->message.delta = &fill->delta.value;
    int code = hd_wire_value(key, &fill->key);
    return code ? code : hd_wire_value(delta, &fill->delta);
}

int heapd_add_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                   struct heapd_value delta, struct heapd_value *result, struct heapd_error *error)
{
    struct add_item message;
    int code = fill_add_item(&message, object, &key, &delta);
    struct hd_call call = {.method = HEAPD_METHOD_ADD, .message = &message.message.base};
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_add_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                         struct heapd_value delta, heapd_ticket *ticket, struct heapd_error *error)
{
    struct add_item message;
    int code = fill_add_item(&message, object, &key, &delta);
    return hd_begin(connection, HEAPD_METHOD_ADD, &message.message.base, code, ticket, error);
}

struct add_attr {
    Heapd__V1__AddRequest message;
    struct hd_wire_value delta;
};

static int fill_add_attr(struct add_attr *fill, heapd_handle object, struct heapd_bytes name,
                         const struct heapd_value *delta)
{
    heapd__v1__add_request__init(&fill->message);
    fill->message.object = object;
    fill->message.name = hd_wire_bytes(name);
    fill->message.delta = &fill->delta.value;
    return hd_wire_value(delta, &fill->delta);
}

int heapd_add_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                   struct heapd_value delta, struct heapd_value *result, struct heapd_error *error)
{
    struct add_attr message;
    int code = fill_add_attr(&message, object, name, &delta);
    struct hd_call call = {.method = HEAPD_METHOD_ADD, .message = &message.message.base};
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_add_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                         struct heapd_value delta, heapd_ticket *ticket, struct heapd_error *error)
{
    struct add_attr message;
    int code = fill_add_attr(&message, object, name, &delta);
    return hd_begin(connection, HEAPD_METHOD_ADD, &message.message.base, code, ticket, error);
}

struct add_name {
    Heapd__V1__AddRequest message;
    struct hd_wire_value delta;
};

static int fill_add_name(struct add_name *fill, heapd_handle scope, struct heapd_bytes name,
                         const struct heapd_value *delta)
{
    heapd__v1__add_request__init(&fill->message);
    fill->message.scope = scope;
    fill->message.name = hd_wire_bytes(name);
    fill->message.delta = &fill->delta.value;
    return hd_wire_value(delta, &fill->delta);
}

int heapd_add_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                   struct heapd_value delta, struct heapd_value *result, struct heapd_error *error)
{
    struct add_name message;
    int code = fill_add_name(&message, scope, name, &delta);
    struct hd_call call = {.method = HEAPD_METHOD_ADD, .message = &message.message.base};
    return hd_sync_value(connection, &call, code, result, error);
}

int heapd_begin_add_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                         struct heapd_value delta, heapd_ticket *ticket, struct heapd_error *error)
{
    struct add_name message;
    int code = fill_add_name(&message, scope, name, &delta);
    return hd_begin(connection, HEAPD_METHOD_ADD, &message.message.base, code, ticket, error);
}
