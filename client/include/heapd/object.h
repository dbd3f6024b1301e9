/*
 * What can be done with an object, and with a path to one.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_OBJECT_H
#define HEAPD_OBJECT_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Session */

/* There and back. */
HEAPD_API int heapd_ping(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_ping(struct heapd_connection *connection, struct heapd_bytes payload, heapd_ticket *ticket,
                               struct heapd_error *error) HEAPD_MUST_USE;

/* Objects */

/* Makes what the literal describes (one top-level node) and holds it. */
HEAPD_API int heapd_create(struct heapd_connection *connection, const struct heapd_literal *literal, heapd_handle *out,
                           struct heapd_error *error) HEAPD_MUST_USE;
/*
 * captures: numbers of containers in the literal, ascending, that are to be held too; capture_handles (as many)
 * receives their handles at once. HEAPD_ELIMIT.
 */
HEAPD_API int heapd_begin_create(struct heapd_connection *connection, const struct heapd_literal *literal,
                                 const uint64_t *captures, size_t capture_count, heapd_handle *capture_handles,
                                 heapd_handle *into, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* Short forms of create: an empty list, dict or set. */
HEAPD_API int heapd_new_list(struct heapd_connection *connection, heapd_handle *out,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_new_dict(struct heapd_connection *connection, heapd_handle *out,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_new_set(struct heapd_connection *connection, heapd_handle *out,
                            struct heapd_error *error) HEAPD_MUST_USE;

/* Appends the literal's top-level nodes to a list, adds them to a set, or, as pairs, to a dict. All or nothing. */
HEAPD_API int heapd_extend(struct heapd_connection *connection, heapd_handle object,
                           const struct heapd_literal *literal, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_extend(struct heapd_connection *connection, heapd_handle object,
                                 const struct heapd_literal *literal, const uint64_t *captures, size_t capture_count,
                                 heapd_handle *capture_handles, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

/* superclass: 0 for none. attributes: the first of the layout; instances may get others by use. */
HEAPD_API int heapd_create_class(struct heapd_connection *connection, struct heapd_bytes name, heapd_handle superclass,
                                 const struct heapd_bytes *attributes, size_t attribute_count, heapd_handle *out,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_create_class(struct heapd_connection *connection, struct heapd_bytes name,
                                       heapd_handle superclass, const struct heapd_bytes *attributes,
                                       size_t attribute_count, heapd_handle *into, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;

/* A second handle to the same object, with a reference of its own. */
HEAPD_API int heapd_duplicate(struct heapd_connection *connection, heapd_handle object, heapd_handle *out,
                              struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_duplicate(struct heapd_connection *connection, heapd_handle object, heapd_handle *into,
                                    heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * A part of a str or bytes object: result.as.part. Offsets and sizes are bytes; size is at most max_frame_bytes / 2,
 * less is no error at the object's end. A part of a str may begin or end inside a character.
 */
HEAPD_API int heapd_read(struct heapd_connection *connection, heapd_handle object, uint64_t offset, uint64_t size,
                         struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_read(struct heapd_connection *connection, heapd_handle object, uint64_t offset, uint64_t size,
                               heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* All of a str or bytes object, however long, as a value of that kind. */
HEAPD_API int heapd_read_all(struct heapd_connection *connection, heapd_handle object, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;

/* Type, identity, reference count, size, generation: result.as.info. */
HEAPD_API int heapd_inspect(struct heapd_connection *connection, heapd_handle object, struct heapd_result *result,
                            struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_inspect(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;

/* Elements, characters of a str, bytes. The begun form answers an int value. */
HEAPD_API int heapd_length(struct heapd_connection *connection, heapd_handle object, uint64_t *out,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_length(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

/* object[key]: an index of a list or tuple (negative: from the end), or a key of a dict. HEAPD_EKEY, HEAPD_EINDEX. */
HEAPD_API int heapd_get_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                             enum heapd_want want, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                                   enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_set_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                             struct heapd_value value, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                                   struct heapd_value value, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_del_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_del_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* A key of a dict, an element of a set, list or tuple. The begun form answers a bool value. */
HEAPD_API int heapd_contains(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                             bool *out, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_contains(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_append(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_append(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                                 heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_insert(struct heapd_connection *connection, heapd_handle object, int64_t index,
                           struct heapd_value value, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_insert(struct heapd_connection *connection, heapd_handle object, int64_t index,
                                 struct heapd_value value, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

/* Takes an item out. With an absent key (heapd_value_make(HEAPD_VALUE_ABSENT)): the last of a list, the newest of a
 * set. HEAPD_OBJECT asks the same as HEAPD_ANY. */
HEAPD_API int heapd_pop(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                        enum heapd_want want, struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_pop(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                              enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                              struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_clear(struct heapd_connection *connection, heapd_handle object,
                          struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_clear(struct heapd_connection *connection, heapd_handle object, heapd_ticket *ticket,
                                struct heapd_error *error) HEAPD_MUST_USE;

/* *was_new (may be NULL): it was not in the set before. The begun form answers a bool value. */
HEAPD_API int heapd_set_add(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                            bool *was_new, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_add(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                                  heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* *was_there may be NULL. The begun form answers a bool value. */
HEAPD_API int heapd_set_discard(struct heapd_connection *connection, heapd_handle object, struct heapd_value value,
                                bool *was_there, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_discard(struct heapd_connection *connection, heapd_handle object,
                                      struct heapd_value value, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_get_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                             enum heapd_want want, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                                   enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_set_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                             struct heapd_value value, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_set_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                                   struct heapd_value value, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_del_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_del_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                                   heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Adds to a number where it is kept, atomically, and answers its new value (a number, so HEAPD_PLAIN is right unless
 * it may grow very large). The place is an item, an attribute or a name. result may be NULL.
 */
HEAPD_API int heapd_add_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                             struct heapd_value delta, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_add_item(struct heapd_connection *connection, heapd_handle object, struct heapd_value key,
                                   struct heapd_value delta, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_add_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                             struct heapd_value delta, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_add_attr(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes name,
                                   struct heapd_value delta, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_add_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                             struct heapd_value delta, struct heapd_value *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_add_name(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                   struct heapd_value delta, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

/* Paths */

/* One step: [item], or .member, which is an attribute of an instance, else a key of a dict. */
struct heapd_path_step {
    bool is_member;
    struct heapd_bytes member; /* is_member */
    struct heapd_value item;   /* else */
};

static inline struct heapd_path_step heapd_step_item(struct heapd_value item)
{
    struct heapd_path_step step;
    memset(&step, 0, sizeof step);
    step.item = item;
    return step;
}

static inline struct heapd_path_step heapd_step_member(const char *name)
{
    struct heapd_path_step step;
    memset(&step, 0, sizeof step);
    step.is_member = true;
    step.member = heapd_text(name);
    return step;
}

/* Walks from an object (object != 0), or from a name in a scope (object == 0), along the steps, in one request. */
HEAPD_API int heapd_resolve(struct heapd_connection *connection, heapd_handle object, heapd_handle scope,
                            struct heapd_bytes name, const struct heapd_path_step *steps, size_t step_count,
                            enum heapd_want want, struct heapd_value *result, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_resolve(struct heapd_connection *connection, heapd_handle object, heapd_handle scope,
                                  struct heapd_bytes name, const struct heapd_path_step *steps, size_t step_count,
                                  enum heapd_want want, heapd_handle *into, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
