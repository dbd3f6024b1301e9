/*
 * Many values at once, and columns: C arrays of ints, floats and strings that go
 * into lists and dicts, and come out of lists. Part of heapd.h, which includes it;
 * what is said there holds here.
 *
 * What is long travels in parts, some of them on their way at once, so memory is
 * bounded at both ends however long the column is. What is made or changed is
 * complete or not there at all.
 */
#ifndef HEAPD_BULK_H
#define HEAPD_BULK_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

enum heapd_column_kind {
    HEAPD_COLUMN_INTS = 1,
    HEAPD_COLUMN_FLOATS = 2,
    HEAPD_COLUMN_STRS = 3, /* UTF-8 */
    HEAPD_COLUMN_BYTES = 4,
};

/* `count` values of one kind, borrowed until the call returns. */
struct heapd_column {
    enum heapd_column_kind kind;
    union {
        const int64_t *ints;
        const double *floats;
        const struct heapd_bytes *bytes; /* strs, bytes */
    } as;
    size_t count;
};

static inline struct heapd_column heapd_column_of_ints(const int64_t *ints, size_t count)
{
    struct heapd_column column;
    column.kind = HEAPD_COLUMN_INTS;
    column.as.ints = ints;
    column.count = count;
    return column;
}

static inline struct heapd_column heapd_column_of_floats(const double *floats, size_t count)
{
    struct heapd_column column;
    column.kind = HEAPD_COLUMN_FLOATS;
    column.as.floats = floats;
    column.count = count;
    return column;
}

static inline struct heapd_column heapd_column_of_strs(const struct heapd_bytes *strs, size_t count)
{
    struct heapd_column column;
    column.kind = HEAPD_COLUMN_STRS;
    column.as.bytes = strs;
    column.count = count;
    return column;
}

/* A new list of the column's values. HEAPD_ETOO_LARGE: one of the strs does not fit a request. */
HEAPD_API int heapd_new_list_of(struct heapd_connection *connection, struct heapd_column values, heapd_handle *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* Appends the values to a list, all of them in one step. */
HEAPD_API int heapd_extend_column(struct heapd_connection *connection, heapd_handle list, struct heapd_column values,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/* A new dict; of a key that comes twice the last value holds. HEAPD_EINVALID: not as many keys as values. */
HEAPD_API int heapd_new_dict_of(struct heapd_connection *connection, struct heapd_column keys,
                                struct heapd_column values, heapd_handle *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* Sets dict[keys[i]] = values[i] for all, in one step. */
HEAPD_API int heapd_update_columns(struct heapd_connection *connection, heapd_handle dict, struct heapd_column keys,
                                   struct heapd_column values, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Copies elements of a list or tuple, from `start` on, as far as the array and they
 * go; *read is how many. HEAPD_ETYPE: one of them is something else (*out may have
 * been written to); HEAPD_ECHANGED: it was changed meanwhile. Ints are read as
 * floats, but not floats as ints.
 */
HEAPD_API int heapd_read_ints(struct heapd_connection *connection, heapd_handle sequence, uint64_t start, int64_t *out,
                              size_t count, size_t *read, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_read_floats(struct heapd_connection *connection, heapd_handle sequence, uint64_t start, double *out,
                                size_t count, size_t *read, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Several items of a dict, list or tuple, or attributes of an instance (keys are
 * their names): result.as.chunk.items in the order of the keys. `otherwise` stands
 * for what is missing; HEAPD_VALUE_ABSENT: that is an error. What is not plain
 * comes as a ref, up to `slots` of them (the caller releases each); without slots it
 * is HEAPD_ENOT_PLAIN. A result that is long ends early, and is not `done`: ask for
 * the keys behind chunk.count again.
 */
HEAPD_API int heapd_get_many(struct heapd_connection *connection, heapd_handle object, const struct heapd_value *keys,
                             size_t count, struct heapd_value otherwise, uint32_t slots, struct heapd_result *result,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_get_many(struct heapd_connection *connection, heapd_handle object,
                                   const struct heapd_value *keys, size_t count, struct heapd_value otherwise,
                                   uint32_t slots, heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
