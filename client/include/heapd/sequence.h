/*
 * libheapd: sequences, arithmetic, comparing and copying, slots.
 *
 * Included by heapd.h. All as in Python, errors too: HEAPD_EVALUE is ValueError,
 * HEAPD_EINDEX IndexError, HEAPD_ETYPE TypeError, HEAPD_EZERO_DIVISION
 * ZeroDivisionError, HEAPD_EOVERFLOW OverflowError, HEAPD_ERECURSION RecursionError;
 * HEAPD_ENOMEM and HEAPD_ETOO_LARGE are MemoryError.
 *
 * What takes long is done in slices: later requests of this connection wait for it,
 * other clients do not. If one of them changes meanwhile what is read, the request
 * fails with HEAPD_ECHANGED and nothing was done.
 */
#ifndef HEAPD_SEQUENCE_H
#define HEAPD_SEQUENCE_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What stands between the brackets; absent and none parts are left out, as in heapd_range_all. */
struct heapd_range {
    struct heapd_value start;
    struct heapd_value stop;
    struct heapd_value step;
};

static inline struct heapd_range heapd_range_all(void)
{
    struct heapd_range range;
    memset(&range, 0, sizeof range);
    return range;
}

/* [start:stop] */
static inline struct heapd_range heapd_range_of(int64_t start, int64_t stop)
{
    struct heapd_range range = heapd_range_all();
    range.start = heapd_int(start);
    range.stop = heapd_int(stop);
    return range;
}

enum heapd_search_mode {
    HEAPD_SEARCH_INDEX = 1,       /* an int; HEAPD_EVALUE if it is not there */
    HEAPD_SEARCH_FIND = 2,        /* an int, -1 if it is not there */
    HEAPD_SEARCH_LAST = 3,        /* likewise, the last place; of a str or bytes */
    HEAPD_SEARCH_COUNT = 4,       /* an int */
    HEAPD_SEARCH_CONTAINS = 5,    /* a bool */
    HEAPD_SEARCH_STARTS_WITH = 6, /* a bool; of a str or bytes */
    HEAPD_SEARCH_ENDS_WITH = 7,   /* a bool; of a str or bytes */
    HEAPD_SEARCH_REMOVE = 8, /* of a list: takes the first out and answers its place; HEAPD_EVALUE: there is none */
    HEAPD_SEARCH_ADD = 9,    /* of a list: appends it if it is not there; a bool: it was appended */
};

enum heapd_arithmetic {
    HEAPD_ADD = 1,
    HEAPD_SUBTRACT = 2,
    HEAPD_MULTIPLY = 3,
    HEAPD_TRUE_DIVIDE = 4,
    HEAPD_FLOOR_DIVIDE = 5,
    HEAPD_MODULO = 6,
    HEAPD_POWER = 7,
    HEAPD_SHIFT_LEFT = 8,
    HEAPD_SHIFT_RIGHT = 9,
    HEAPD_AND = 10,
    HEAPD_OR = 11,
    HEAPD_XOR = 12,
    HEAPD_NEGATE = 13, /* of the left operand alone, as the next two */
    HEAPD_ABSOLUTE = 14,
    HEAPD_INVERT = 15,
};

enum heapd_relation {
    HEAPD_EQUAL = 1,
    HEAPD_NOT_EQUAL = 2,
    HEAPD_LESS = 3,
    HEAPD_LESS_OR_EQUAL = 4,
    HEAPD_GREATER = 5,
    HEAPD_GREATER_OR_EQUAL = 6,
    HEAPD_IDENTICAL = 7, /* Python's `is` */
};

/* A slot: an item (object and key), an attribute (object and name) or a bound name (scope and name). */
struct heapd_place {
    heapd_handle object;
    struct heapd_value key;
    struct heapd_bytes name;
    heapd_handle scope;
};

static inline struct heapd_place heapd_place_item(heapd_handle object, struct heapd_value key)
{
    struct heapd_place place;
    memset(&place, 0, sizeof place);
    place.object = object;
    place.key = key;
    return place;
}

static inline struct heapd_place heapd_place_attr(heapd_handle object, struct heapd_bytes name)
{
    struct heapd_place place;
    memset(&place, 0, sizeof place);
    place.object = object;
    place.name = name;
    return place;
}

static inline struct heapd_place heapd_place_name(heapd_handle scope, struct heapd_bytes name)
{
    struct heapd_place place;
    memset(&place, 0, sizeof place);
    place.scope = scope;
    place.name = name;
    return place;
}

enum heapd_update {
    HEAPD_UPDATE_COMPUTE = 1,         /* slot = slot <arithmetic> operand; answers the new value */
    HEAPD_UPDATE_SWAP = 2,            /* slot = operand; answers the old value */
    HEAPD_UPDATE_COMPARE_AND_SET = 3, /* if slot == expected (absent: if nothing is there), slot = operand; a bool */
    HEAPD_UPDATE_GET_OR_CREATE = 4,   /* if nothing is there, slot = operand; answers what is there now */
    HEAPD_UPDATE_ADD_IF_ABSENT =
        5, /* appends to the list in the slot, or that is the object; a bool: it was appended */
};

/* object[range], a new object of the same type. A str counts in characters; what is short enough comes plain. */
HEAPD_API int heapd_get_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                              enum heapd_want want, struct heapd_value *result,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                                    enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
/* object[range] = values, of a list; values are whatever can be gone through. */
HEAPD_API int heapd_set_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                              struct heapd_value values, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                                    struct heapd_value values, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_del_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_del_slice(struct heapd_connection *connection, heapd_handle object, struct heapd_range range,
                                    heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* list += values: a list, tuple, set, dict (its keys), str or bytes; heapd_extend sends new elements instead. */
HEAPD_API int heapd_extend_from(struct heapd_connection *connection, heapd_handle object, struct heapd_value values,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_extend_from(struct heapd_connection *connection, heapd_handle object,
                                      struct heapd_value values, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* list *= times */
HEAPD_API int heapd_repeat(struct heapd_connection *connection, heapd_handle object, struct heapd_value times,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_repeat(struct heapd_connection *connection, heapd_handle object, struct heapd_value times,
                                 heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_reverse(struct heapd_connection *connection, heapd_handle object,
                            struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_reverse(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/* By value, stable. HEAPD_ETYPE, and nothing is changed, if two elements have no order. */
HEAPD_API int heapd_sort(struct heapd_connection *connection, heapd_handle object, bool reverse,
                         struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_sort(struct heapd_connection *connection, heapd_handle object, bool reverse,
                               heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* For an element of a list or tuple, or a part of a str or bytes, from range.start to before range.stop. */
HEAPD_API int heapd_search(struct heapd_connection *connection, heapd_handle object, enum heapd_search_mode mode,
                           struct heapd_value what, struct heapd_range range, struct heapd_value *result,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_search(struct heapd_connection *connection, heapd_handle object, enum heapd_search_mode mode,
                                 struct heapd_value what, struct heapd_range range, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;
/* copy.copy and, if deep, copy.deepcopy. Always a handle. */
HEAPD_API int heapd_copy(struct heapd_connection *connection, heapd_handle object, bool deep, heapd_handle *out,
                         struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_copy(struct heapd_connection *connection, heapd_handle object, bool deep, heapd_handle *into,
                               heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* Computes; of lists, tuples, str and bytes, HEAPD_ADD makes a new one of both, HEAPD_MULTIPLY with an int repeats. */
HEAPD_API int heapd_operate(struct heapd_connection *connection, enum heapd_arithmetic operation,
                            struct heapd_value left, struct heapd_value right, enum heapd_want want,
                            struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_operate(struct heapd_connection *connection, enum heapd_arithmetic operation,
                                  struct heapd_value left, struct heapd_value right, enum heapd_want want,
                                  heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_compare(struct heapd_connection *connection, struct heapd_value left, enum heapd_relation relation,
                            struct heapd_value right, bool *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_compare(struct heapd_connection *connection, struct heapd_value left,
                                  enum heapd_relation relation, struct heapd_value right, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/* The same for equal values, as long as the daemon runs; an int. */
HEAPD_API int heapd_hash(struct heapd_connection *connection, struct heapd_value value, struct heapd_value *result,
                         struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_hash(struct heapd_connection *connection, struct heapd_value value, heapd_ticket *ticket,
                               struct heapd_error *error) HEAPD_MUST_USE;
/* Reads and changes a slot in one step. `expected` and `arithmetic` where the update asks for them. */
HEAPD_API int heapd_update(struct heapd_connection *connection, struct heapd_place place, enum heapd_update update,
                           enum heapd_arithmetic arithmetic, struct heapd_value operand, struct heapd_value expected,
                           enum heapd_want want, struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_update(struct heapd_connection *connection, struct heapd_place place,
                                 enum heapd_update update, enum heapd_arithmetic arithmetic, struct heapd_value operand,
                                 struct heapd_value expected, enum heapd_want want, heapd_handle *into,
                                 heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
