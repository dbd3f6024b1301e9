/*
 * What Python's sets, dicts, classes and weak references do beyond single items;
 * cursors. Part of heapd.h, which includes it; what is said there holds here.
 *
 * Where a container is asked for as a value, it may be a ref or a literal. Work over
 * many elements goes on in slices on the daemon's side: if what it reads changes
 * meanwhile, it ends with HEAPD_ECHANGED and nothing was done.
 */
#ifndef HEAPD_CONTAINERS_H
#define HEAPD_CONTAINERS_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets and frozensets */

enum heapd_set_operation {
    HEAPD_SET_UNION = 1,
    HEAPD_SET_INTERSECTION = 2,
    HEAPD_SET_DIFFERENCE = 3,
    HEAPD_SET_SYMMETRIC_DIFFERENCE = 4, /* of exactly one other */
};

enum heapd_set_relation {
    HEAPD_SET_EQUAL = 1,
    HEAPD_SET_NOT_EQUAL = 2,
    HEAPD_SET_SUBSET = 3, /* <=, issubset */
    HEAPD_SET_PROPER_SUBSET = 4,
    HEAPD_SET_SUPERSET = 5,
    HEAPD_SET_PROPER_SUPERSET = 6,
    HEAPD_SET_DISJOINT = 7,
};

/* Containers that are combined at once. */
#define HEAPD_OTHERS_MAX 64

HEAPD_API int heapd_new_frozenset(struct heapd_connection *connection, heapd_handle *out,
                                  struct heapd_error *error) HEAPD_MUST_USE;

/*
 * A new set, of the type of the first: union, intersection and so on with `count`
 * others, in turn. The others are anything that can be gone through, as Python's
 * methods take them; with `strict` sets and frozensets alone, as its operators do.
 */
HEAPD_API int heapd_set_combine(struct heapd_connection *connection, heapd_handle set,
                                enum heapd_set_operation operation, const struct heapd_value *others, size_t count,
                                bool strict, heapd_handle *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_combine(struct heapd_connection *connection, heapd_handle set,
                                      enum heapd_set_operation operation, const struct heapd_value *others,
                                      size_t count, bool strict, heapd_handle *into, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* The same in place: update, |= and so on. The set stays the same object. */
HEAPD_API int heapd_set_update(struct heapd_connection *connection, heapd_handle set,
                               enum heapd_set_operation operation, const struct heapd_value *others, size_t count,
                               bool strict, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_update(struct heapd_connection *connection, heapd_handle set,
                                     enum heapd_set_operation operation, const struct heapd_value *others, size_t count,
                                     bool strict, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* strict: the other must be a set; else subset, superset and disjoint take anything that can be gone through. */
HEAPD_API int heapd_set_compare(struct heapd_connection *connection, heapd_handle set, enum heapd_set_relation relation,
                                struct heapd_value other, bool strict, bool *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_compare(struct heapd_connection *connection, heapd_handle set,
                                      enum heapd_set_relation relation, struct heapd_value other, bool strict,
                                      heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* HEAPD_EKEY if it is not there. */
HEAPD_API int heapd_set_remove(struct heapd_connection *connection, heapd_handle set, struct heapd_value element,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_remove(struct heapd_connection *connection, heapd_handle set, struct heapd_value element,
                                     heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* Dicts */

/* dict.get: `otherwise` (none, if it is absent) where there is no such key. */
HEAPD_API int heapd_dict_get(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                             struct heapd_value otherwise, enum heapd_want want, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_get(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                                   struct heapd_value otherwise, enum heapd_want want, heapd_handle *into,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* dict.setdefault: puts the value there unless the key is, and gives what is there then; one atomic step. */
HEAPD_API int heapd_dict_set_default(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                                     struct heapd_value value, enum heapd_want want, struct heapd_value *result,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_set_default(struct heapd_connection *connection, heapd_handle dict,
                                           struct heapd_value key, struct heapd_value value, enum heapd_want want,
                                           heapd_handle *into, heapd_ticket *ticket,
                                           struct heapd_error *error) HEAPD_MUST_USE;
/* dict.pop: `otherwise`, unless it is absent, where there is no such key; else HEAPD_EKEY. want: PLAIN or ANY. */
HEAPD_API int heapd_dict_pop(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                             struct heapd_value otherwise, enum heapd_want want, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_pop(struct heapd_connection *connection, heapd_handle dict, struct heapd_value key,
                                   struct heapd_value otherwise, enum heapd_want want, heapd_handle *into,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/*
 * dict.popitem: the pair that was put in last, result.as.pair; what is not plain
 * comes as a ref, which the caller must release. HEAPD_EKEY: the dict is empty.
 */
HEAPD_API int heapd_dict_pop_item(struct heapd_connection *connection, heapd_handle dict, struct heapd_result *result,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_pop_item(struct heapd_connection *connection, heapd_handle dict, heapd_ticket *ticket,
                                        struct heapd_error *error) HEAPD_MUST_USE;
/* dict.update, or with `strict` |=. The others are dicts or, unless strict, whatever has pairs. */
HEAPD_API int heapd_dict_update(struct heapd_connection *connection, heapd_handle dict,
                                const struct heapd_value *others, size_t count, bool strict,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_update(struct heapd_connection *connection, heapd_handle dict,
                                      const struct heapd_value *others, size_t count, bool strict, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* dict | other. */
HEAPD_API int heapd_dict_merge(struct heapd_connection *connection, heapd_handle dict, const struct heapd_value *others,
                               size_t count, bool strict, heapd_handle *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_merge(struct heapd_connection *connection, heapd_handle dict,
                                     const struct heapd_value *others, size_t count, bool strict, heapd_handle *into,
                                     heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* dict.fromkeys; an absent value is none. */
HEAPD_API int heapd_dict_from_keys(struct heapd_connection *connection, struct heapd_value keys,
                                   struct heapd_value value, heapd_handle *out,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_dict_from_keys(struct heapd_connection *connection, struct heapd_value keys,
                                         struct heapd_value value, heapd_handle *into, heapd_ticket *ticket,
                                         struct heapd_error *error) HEAPD_MUST_USE;

/* Containers out of others, and cursors */

enum heapd_view {
    HEAPD_VIEW_KEYS = 1, /* of what has no keys: its elements */
    HEAPD_VIEW_VALUES = 2,
    HEAPD_VIEW_ITEMS = 3,
};

/*
 * A new LIST, TUPLE, SET, FROZENSET or DICT of what the source has: list(x),
 * frozenset(x), list(d.items()), dict(pairs), list(reversed(d)). `reversed` is for
 * lists, tuples and dicts.
 */
HEAPD_API int heapd_gather(struct heapd_connection *connection, struct heapd_value source, enum heapd_view view,
                           bool reversed, enum heapd_type type, heapd_handle *out,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gather(struct heapd_connection *connection, struct heapd_value source, enum heapd_view view,
                                 bool reversed, enum heapd_type type, heapd_handle *into, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

/*
 * A cursor is an object that goes through a container, as an iterator does: list,
 * tuple, dict, set, frozenset, instance and class (attributes), scope (names), str,
 * bytes. It keeps the container until it came to the end. Over a list it goes by
 * index. Of the others, once an element came or went, reading is HEAPD_EITERATION.
 */
HEAPD_API int heapd_open_cursor(struct heapd_connection *connection, heapd_handle container, enum heapd_view view,
                                bool reversed, heapd_handle *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_open_cursor(struct heapd_connection *connection, heapd_handle container, enum heapd_view view,
                                      bool reversed, heapd_handle *into, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The next elements, at most `count` (0: the daemon's choice): result.as.chunk. What
 * is not plain comes as a ref, up to `slots` of them (the caller releases each), and
 * the chunk ends where these do; without slots it is HEAPD_ENOT_PLAIN.
 */
HEAPD_API int heapd_read_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count,
                                uint32_t slots, struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_read_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count,
                                      uint32_t slots, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* The same without the values, which are described instead: result.as.chunk.descriptions. No ref ever comes. */
HEAPD_API int heapd_describe_cursor(struct heapd_connection *connection, heapd_handle cursor, uint32_t count,
                                    struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;

/* References */

/* The weak reference of an object, which all who ask share. HEAPD_ETYPE: an inline value (a small int or str). */
HEAPD_API int heapd_make_weak(struct heapd_connection *connection, heapd_handle object, heapd_handle *out,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_make_weak(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                                    heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* Keeps the value until memory runs short; those that were not asked for longest lose theirs first. */
HEAPD_API int heapd_make_soft(struct heapd_connection *connection, struct heapd_value value, heapd_handle *out,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_make_soft(struct heapd_connection *connection, struct heapd_value value, heapd_handle *into,
                                    heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* What a weak or soft reference leads to, or none when that is gone. */
HEAPD_API int heapd_get_referent(struct heapd_connection *connection, heapd_handle reference, enum heapd_want want,
                                 struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_referent(struct heapd_connection *connection, heapd_handle reference,
                                       enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;

/* Classes */

HEAPD_API int heapd_has_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                             bool *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_has_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* False for what is no instance at all. */
HEAPD_API int heapd_is_instance(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle,
                                bool *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_is_instance(struct heapd_connection *connection, heapd_handle object,
                                      heapd_handle class_handle, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_is_subclass(struct heapd_connection *connection, heapd_handle object, heapd_handle class_handle,
                                bool *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_is_subclass(struct heapd_connection *connection, heapd_handle object,
                                      heapd_handle class_handle, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* The class of an instance; the superclass of a class, or none. A ref is to be released. */
HEAPD_API int heapd_get_class(struct heapd_connection *connection, heapd_handle object, struct heapd_value *result,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_class(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                                    heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
