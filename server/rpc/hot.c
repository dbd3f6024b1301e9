#include "rpc/hot.h"

#include <heapd/v1/method.pb-c.h>
#include <string.h>

#include "common/varint.h"

/* ---- what there is to read ------------------------------------------------ */

enum field_type {
    NONE = 0,
    NUMBER, /* uint64 */
    SIGNED, /* sint64 */
    BOOLEAN,
    BYTES,
    VALUE,
    KEY,     /* a Value that names an item of the object */
    NUMBERS, /* repeated uint64 */
};

struct field {
    uint8_t type; /* enum field_type */
    uint8_t offset;
};

#define FIELDS_MAX 7

/* One message: its fields by number, and what it is before any is read. */
struct row {
    union hd_hot_message empty;
    struct field fields[FIELDS_MAX];
};

/* The fields of a message, by number. */
#define FIELD(message, number, type, name) [number] = {type, offsetof(Heapd__V1__##message, name)}
#define ROW(name, message, MESSAGE, ...) \
    static const struct row name = {{.name = HEAPD__V1__##MESSAGE##__INIT}, {__VA_ARGS__}}

ROW(get_item, GetItemRequest, GET_ITEM_REQUEST, FIELD(GetItemRequest, 1, NUMBER, object),
    FIELD(GetItemRequest, 2, KEY, key), FIELD(GetItemRequest, 3, NUMBER, into),
    FIELD(GetItemRequest, 4, BOOLEAN, as_object));
ROW(set_item, SetItemRequest, SET_ITEM_REQUEST, FIELD(SetItemRequest, 1, NUMBER, object),
    FIELD(SetItemRequest, 2, KEY, key), FIELD(SetItemRequest, 3, VALUE, value));
ROW(del_item, DelItemRequest, DEL_ITEM_REQUEST, FIELD(DelItemRequest, 1, NUMBER, object),
    FIELD(DelItemRequest, 2, KEY, key));
ROW(contains, ContainsRequest, CONTAINS_REQUEST, FIELD(ContainsRequest, 1, NUMBER, object),
    FIELD(ContainsRequest, 2, KEY, key));
ROW(append, AppendRequest, APPEND_REQUEST, FIELD(AppendRequest, 1, NUMBER, object),
    FIELD(AppendRequest, 2, VALUE, value));
ROW(insert, InsertRequest, INSERT_REQUEST, FIELD(InsertRequest, 1, NUMBER, object),
    FIELD(InsertRequest, 2, SIGNED, index), FIELD(InsertRequest, 3, VALUE, value));
ROW(pop, PopRequest, POP_REQUEST, FIELD(PopRequest, 1, NUMBER, object), FIELD(PopRequest, 2, KEY, key),
    FIELD(PopRequest, 3, NUMBER, into));
ROW(set_add, SetAddRequest, SET_ADD_REQUEST, FIELD(SetAddRequest, 1, NUMBER, object),
    FIELD(SetAddRequest, 2, KEY, value));
ROW(set_discard, SetDiscardRequest, SET_DISCARD_REQUEST, FIELD(SetDiscardRequest, 1, NUMBER, object),
    FIELD(SetDiscardRequest, 2, KEY, value));
ROW(get_attr, GetAttrRequest, GET_ATTR_REQUEST, FIELD(GetAttrRequest, 1, NUMBER, object),
    FIELD(GetAttrRequest, 2, BYTES, name), FIELD(GetAttrRequest, 3, NUMBER, into),
    FIELD(GetAttrRequest, 4, BOOLEAN, as_object));
ROW(set_attr, SetAttrRequest, SET_ATTR_REQUEST, FIELD(SetAttrRequest, 1, NUMBER, object),
    FIELD(SetAttrRequest, 2, BYTES, name), FIELD(SetAttrRequest, 3, VALUE, value));
ROW(add, AddRequest, ADD_REQUEST, FIELD(AddRequest, 1, NUMBER, object), FIELD(AddRequest, 2, KEY, key),
    FIELD(AddRequest, 3, BYTES, name), FIELD(AddRequest, 4, NUMBER, scope), FIELD(AddRequest, 5, VALUE, delta),
    FIELD(AddRequest, 6, NUMBER, into));
ROW(length, LengthRequest, LENGTH_REQUEST, FIELD(LengthRequest, 1, NUMBER, object));
ROW(duplicate, DuplicateRequest, DUPLICATE_REQUEST, FIELD(DuplicateRequest, 1, NUMBER, object),
    FIELD(DuplicateRequest, 2, NUMBER, into));
ROW(release, ReleaseRequest, RELEASE_REQUEST, FIELD(ReleaseRequest, 1, NUMBERS, handles));
ROW(lookup, LookupRequest, LOOKUP_REQUEST, FIELD(LookupRequest, 1, NUMBER, scope), FIELD(LookupRequest, 2, BYTES, name),
    FIELD(LookupRequest, 3, NUMBER, into), FIELD(LookupRequest, 4, BOOLEAN, as_object));
ROW(ping, PingRequest, PING_REQUEST, FIELD(PingRequest, 1, BYTES, payload));

/* A method that is in this table and in table.c is read here; the handler is the same. */
static const struct row *const rows[] = {
    [HEAPD__V1__METHOD__PING] = &ping,
    [HEAPD__V1__METHOD__RELEASE] = &release,
    [HEAPD__V1__METHOD__DUPLICATE] = &duplicate,
    [HEAPD__V1__METHOD__LENGTH] = &length,
    [HEAPD__V1__METHOD__GET_ITEM] = &get_item,
    [HEAPD__V1__METHOD__SET_ITEM] = &set_item,
    [HEAPD__V1__METHOD__DEL_ITEM] = &del_item,
    [HEAPD__V1__METHOD__CONTAINS] = &contains,
    [HEAPD__V1__METHOD__APPEND] = &append,
    [HEAPD__V1__METHOD__INSERT] = &insert,
    [HEAPD__V1__METHOD__POP] = &pop,
    [HEAPD__V1__METHOD__SET_ADD] = &set_add,
    [HEAPD__V1__METHOD__SET_DISCARD] = &set_discard,
    [HEAPD__V1__METHOD__GET_ATTR] = &get_attr,
    [HEAPD__V1__METHOD__SET_ATTR] = &set_attr,
    [HEAPD__V1__METHOD__ADD] = &add,
    [HEAPD__V1__METHOD__LOOKUP] = &lookup,
};

/* ---- reading -------------------------------------------------------------- */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline bool read_number(struct reader *reader, uint64_t *out)
{
    return hd_varint_get(&reader->at, reader->end, out);
}

static inline bool read_bytes(struct reader *reader, ProtobufCBinaryData *out)
{
    uint64_t size;
    if (!read_number(reader, &size) || size > (uint64_t)(reader->end - reader->at))
        return false;
    out->len = (size_t)size;
    out->data = (uint8_t *)(uintptr_t)reader->at; /* protobuf-c's fields are not const; nobody writes there */
    reader->at += size;
    return true;
}

static inline bool read_boolean(struct reader *reader, protobuf_c_boolean *out)
{
    uint64_t number;
    if (!read_number(reader, &number) || number > 1)
        return false;
    *out = (protobuf_c_boolean)number;
    return true;
}

static inline bool read_real(struct reader *reader, double *out)
{
    if (reader->end - reader->at < 8)
        return false;
    memcpy(out, reader->at, 8);
    reader->at += 8;
    return true;
}

static const Heapd__V1__Value empty_value = HEAPD__V1__VALUE__INIT;

/* Exactly one of the kinds, and nothing else. */
static bool read_value(struct reader *outer, Heapd__V1__Value *out)
{
    ProtobufCBinaryData inner;
    uint64_t number;
    if (!read_bytes(outer, &inner) || inner.len == 0)
        return false;
    struct reader reader = {inner.data + 1, inner.data + inner.len};
    bool good = false;
    *out = empty_value;
    switch (inner.data[0]) {
    case HD_WIRE_TAG(1, HD_WIRE_VARINT):
        out->kind_case = HEAPD__V1__VALUE__KIND_NONE;
        good = read_boolean(&reader, &out->none);
        break;
    case HD_WIRE_TAG(2, HD_WIRE_VARINT):
        out->kind_case = HEAPD__V1__VALUE__KIND_BOOLEAN;
        good = read_boolean(&reader, &out->boolean);
        break;
    case HD_WIRE_TAG(3, HD_WIRE_VARINT):
        out->kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
        good = read_number(&reader, &number);
        if (good)
            out->integer = hd_unzigzag(number);
        break;
    case HD_WIRE_TAG(5, HD_WIRE_FIXED64):
        out->kind_case = HEAPD__V1__VALUE__KIND_REAL;
        good = read_real(&reader, &out->real);
        break;
    case HD_WIRE_TAG(6, HD_WIRE_BYTES):
        out->kind_case = HEAPD__V1__VALUE__KIND_STR;
        good = read_bytes(&reader, &out->str);
        break;
    case HD_WIRE_TAG(7, HD_WIRE_BYTES):
        out->kind_case = HEAPD__V1__VALUE__KIND_BYTES;
        good = read_bytes(&reader, &out->bytes);
        break;
    case HD_WIRE_TAG(8, HD_WIRE_VARINT):
        out->kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
        good = read_number(&reader, &out->handle);
        break;
    default:
        break;
    }
    return good && reader.at == reader.end;
}

/* A packed column of a few numbers. */
static bool read_numbers(struct reader *outer, struct hd_hot *hot)
{
    ProtobufCBinaryData inner;
    size_t count = 0;
    if (!read_bytes(outer, &inner))
        return false;
    struct reader reader = {inner.data, inner.data + inner.len};
    while (reader.at < reader.end) {
        if (count == HD_HOT_NUMBERS || !read_number(&reader, &hot->numbers[count]))
            return false;
        count++;
    }
    hot->message.release.handles = hot->numbers;
    hot->message.release.n_handles = count;
    return true;
}

/* One field whose tag has been read. */
static inline bool read_field(struct reader *reader, enum field_type type, unsigned wire_type, void *to,
                              struct hd_hot *hot)
{
    uint64_t number;
    switch (type) {
    case NUMBER:
        return wire_type == HD_WIRE_VARINT && read_number(reader, to);
    case SIGNED:
        if (wire_type != HD_WIRE_VARINT || !read_number(reader, &number))
            return false;
        *(int64_t *)to = hd_unzigzag(number);
        return true;
    case BOOLEAN:
        return wire_type == HD_WIRE_VARINT && read_boolean(reader, to);
    case BYTES:
        return wire_type == HD_WIRE_BYTES && read_bytes(reader, to);
    case KEY:
    case VALUE: {
        Heapd__V1__Value *value = &hot->values[hot->value_count++];
        if (wire_type != HD_WIRE_BYTES || !read_value(reader, value))
            return false;
        *(Heapd__V1__Value **)to = value;
        if (type == KEY)
            hot->key = value;
        return true;
    }
    case NUMBERS:
        return wire_type == HD_WIRE_BYTES && read_numbers(reader, hot);
    case NONE:
        break;
    }
    return false;
}

bool hd_hot_read(uint16_t method, const uint8_t *body, size_t bytes, struct hd_hot *out)
{
    out->request = NULL;
    if (method >= sizeof rows / sizeof rows[0] || !rows[method])
        return false;
    const struct row *row = rows[method];
    struct reader reader = {body, body + bytes};
    unsigned seen = 0;
    out->object = 0;
    out->key = NULL;
    out->value_count = 0;
    out->message = row->empty;
    while (reader.at < reader.end) {
        unsigned tag = *reader.at++;
        unsigned number = tag >> 3;
        if (number >= FIELDS_MAX || (seen >> number & 1))
            return false;
        seen |= 1u << number;
        struct field field = row->fields[number];
        void *to = (uint8_t *)&out->message + field.offset;
        if (!read_field(&reader, (enum field_type)field.type, tag & 7, to, out))
            return false;
    }
    /* Those that are about an object have its handle as their first field. */
    if (row->fields[1].type == NUMBER && row != &lookup)
        memcpy(&out->object, (const uint8_t *)&out->message + row->fields[1].offset, sizeof out->object);
    out->request = &out->message;
    return true;
}
