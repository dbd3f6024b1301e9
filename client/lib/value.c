#include <stdlib.h>
#include <unistd.h>

#include "client/lib/wire.h"

/* The wire's numbers are the public ones. */
_Static_assert((int)HEAPD_VALUE_NONE == (int)HEAPD__V1__VALUE__KIND_NONE, "");
_Static_assert((int)HEAPD_VALUE_BOOL == (int)HEAPD__V1__VALUE__KIND_BOOLEAN, "");
_Static_assert((int)HEAPD_VALUE_INT == (int)HEAPD__V1__VALUE__KIND_INTEGER, "");
_Static_assert((int)HEAPD_VALUE_BIG_INT == (int)HEAPD__V1__VALUE__KIND_BIG_INTEGER, "");
_Static_assert((int)HEAPD_VALUE_FLOAT == (int)HEAPD__V1__VALUE__KIND_REAL, "");
_Static_assert((int)HEAPD_VALUE_STR == (int)HEAPD__V1__VALUE__KIND_STR, "");
_Static_assert((int)HEAPD_VALUE_BYTES == (int)HEAPD__V1__VALUE__KIND_BYTES, "");
_Static_assert((int)HEAPD_VALUE_REF == (int)HEAPD__V1__VALUE__KIND_HANDLE, "");
_Static_assert((int)HEAPD_VALUE_LITERAL == (int)HEAPD__V1__VALUE__KIND_LITERAL, "");
_Static_assert((int)HEAPD_TYPE_NONE == (int)HEAPD__V1__TYPE__TYPE_NONE, "");
_Static_assert((int)HEAPD_TYPE_SCOPE == (int)HEAPD__V1__TYPE__TYPE_SCOPE, "");

const char *heapd_type_name(enum heapd_type type)
{
    static const char *const names[] = {
        [HEAPD_TYPE_NONE] = "none",
        [HEAPD_TYPE_BOOL] = "bool",
        [HEAPD_TYPE_INT] = "int",
        [HEAPD_TYPE_FLOAT] = "float",
        [HEAPD_TYPE_STR] = "str",
        [HEAPD_TYPE_BYTES] = "bytes",
        [HEAPD_TYPE_LIST] = "list",
        [HEAPD_TYPE_TUPLE] = "tuple",
        [HEAPD_TYPE_DICT] = "dict",
        [HEAPD_TYPE_SET] = "set",
        [HEAPD_TYPE_CLASS] = "class",
        [HEAPD_TYPE_INSTANCE] = "instance",
        [HEAPD_TYPE_SCOPE] = "scope",
        [HEAPD_TYPE_FROZENSET] = "frozenset",
        [HEAPD_TYPE_WEAK_REFERENCE] = "weak reference",
        [HEAPD_TYPE_SOFT_REFERENCE] = "soft reference",
        [HEAPD_TYPE_CURSOR] = "cursor",
        [HEAPD_TYPE_QUEUE] = "queue",
        [HEAPD_TYPE_LOCK] = "lock",
        [HEAPD_TYPE_RLOCK] = "rlock",
        [HEAPD_TYPE_SEMAPHORE] = "semaphore",
        [HEAPD_TYPE_CONDITION] = "condition",
        [HEAPD_TYPE_EVENT] = "event",
        [HEAPD_TYPE_BARRIER] = "barrier",
        [HEAPD_TYPE_BUFFER] = "buffer",
    };
    bool known = type > 0 && (size_t)type < sizeof names / sizeof names[0] && names[type];
    return known ? names[type] : "?";
}

void heapd_value_clear(struct heapd_value *value)
{
    if (!value)
        return;
    free(value->memory);
    *value = (struct heapd_value){0};
}

void heapd_result_clear(struct heapd_result *result)
{
    if (!result)
        return;
    heapd_value_clear(&result->value);
    free(result->memory);
    if (result->descriptor)
        close(result->descriptor - 1);
    *result = (struct heapd_result){0};
}

uint64_t heapd_result_stat(const struct heapd_result *result, const char *name, uint64_t otherwise)
{
    if (result->method != HEAPD_METHOD_STATS)
        return otherwise;
    for (size_t i = 0; i < result->as.stats.count; i++) {
        if (strcmp(result->as.stats.items[i].name, name) == 0)
            return result->as.stats.items[i].value;
    }
    return otherwise;
}

int hd_wire_value(const struct heapd_value *value, struct hd_wire_value *out)
{
    heapd__v1__value__init(&out->value);
    out->value.kind_case = (Heapd__V1__Value__KindCase)value->kind;
    switch (value->kind) {
    case HEAPD_VALUE_NONE:
        out->value.none = 1;
        return 0;
    case HEAPD_VALUE_BOOL:
        out->value.boolean = value->as.boolean;
        return 0;
    case HEAPD_VALUE_INT:
        out->value.integer = value->as.integer;
        return 0;
    case HEAPD_VALUE_FLOAT:
        out->value.real = value->as.real;
        return 0;
    case HEAPD_VALUE_BIG_INT:
        out->value.big_integer = hd_wire_bytes(value->as.bytes);
        return 0;
    case HEAPD_VALUE_STR:
        out->value.str = hd_wire_bytes(value->as.bytes);
        return 0;
    case HEAPD_VALUE_BYTES:
        out->value.bytes = hd_wire_bytes(value->as.bytes);
        return 0;
    case HEAPD_VALUE_REF:
        out->value.handle = value->as.ref;
        return 0;
    case HEAPD_VALUE_LITERAL:
        if (!value->as.literal)
            return HD_EINVALID;
        out->value.literal = &out->literal;
        return hd_wire_literal(value->as.literal, &out->literal);
    case HEAPD_VALUE_ABSENT:
        break;
    }
    return HD_EINVALID;
}
