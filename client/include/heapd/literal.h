/*
 * Building objects, and reading whole ones.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_LITERAL_H
#define HEAPD_LITERAL_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Literals: building objects */

/*
 * A description of objects, built up node by node and then sent in one request.
 *
 *     struct heapd_literal *literal = heapd_literal_new();
 *     heapd_literal_open_dict(literal);
 *     heapd_literal_add(literal, heapd_str("primes"));    key
 *     heapd_literal_open_list(literal);                   its value
 *     heapd_literal_add(literal, heapd_int(2));
 *     heapd_literal_add(literal, heapd_int(3));
 *     heapd_literal_close(literal);
 *     heapd_literal_close(literal);
 *     heapd_create(heap, literal, &handle, &error);
 *
 * The functions return 0 or an error, and an error sticks: all later calls give
 * it again until heapd_literal_reset, and a request with such a literal is
 * refused with it. So a program may build without looking and check once.
 */

/* NULL if there is no memory. */
HEAPD_API struct heapd_literal *heapd_literal_new(void);
/* Takes NULL. */
HEAPD_API void heapd_literal_free(struct heapd_literal *literal);
/* Empties it for reuse and keeps the memory. Containers are numbered from 0 again. */
HEAPD_API void heapd_literal_reset(struct heapd_literal *literal);

/* A scalar, or a reference to an object that the connection holds. Bytes are copied. HEAPD_EINVALID for an absent
 * value or a literal. */
HEAPD_API int heapd_literal_add(struct heapd_literal *literal, struct heapd_value value);
/* Many ints, one by one, and much faster. */
HEAPD_API int heapd_literal_add_ints(struct heapd_literal *literal, const int64_t *values, size_t count);

/* Opens a container; all that follows until heapd_literal_close goes into it. Counts need not be known. */
HEAPD_API int heapd_literal_open_list(struct heapd_literal *literal);
HEAPD_API int heapd_literal_open_tuple(struct heapd_literal *literal);
/* Keys and values follow in turn; each may be any node. A key given twice: the last value wins. */
HEAPD_API int heapd_literal_open_dict(struct heapd_literal *literal);
HEAPD_API int heapd_literal_open_set(struct heapd_literal *literal);
HEAPD_API int heapd_literal_open_frozenset(struct heapd_literal *literal);
/* An instance of a class that the connection holds; attribute names (str) and values follow in turn. */
HEAPD_API int heapd_literal_open_instance(struct heapd_literal *literal, heapd_handle class_handle);
/* HEAPD_EINVALID if nothing is open, or a dict or an instance ends with a key that has no value. */
HEAPD_API int heapd_literal_close(struct heapd_literal *literal);

/* Once more a container that was closed before, by its number, so that a graph can share it. HEAPD_ECYCLE if it is
 * still open: make cycles with a second request. */
HEAPD_API int heapd_literal_add_shared(struct heapd_literal *literal, uint64_t container_number);

/* The number of the container that was opened last: the first has 0. Numbers name containers for
 * heapd_literal_add_shared and for captures. */
HEAPD_API uint64_t heapd_literal_last_container(const struct heapd_literal *literal);
/* How many containers are open. */
HEAPD_API size_t heapd_literal_depth(const struct heapd_literal *literal);
/* About how many bytes it takes on the wire; never too few. */
HEAPD_API size_t heapd_literal_size_bytes(const struct heapd_literal *literal);
/* Top-level nodes so far; pairs are counted as two. */
HEAPD_API size_t heapd_literal_top_count(const struct heapd_literal *literal);
/* 0, the error that sticks, or HEAPD_EINVALID while a container is open. */
HEAPD_API int heapd_literal_state(const struct heapd_literal *literal);

/*
 * Documents of any size: attached to a connection, a literal sends itself in
 * parts of about part_bytes (0: 256 KiB) while it is built, by begun requests,
 * and deeper than the daemon's max_depth, too. The literal must be empty. It
 * must have one top-level node, a list or dict, in the end; tuples, sets and
 * instances travel whole, so each must fit into one request; container numbers
 * cannot be used. Calls may wait while output_limit_bytes is reached.
 *
 * heapd_literal_finish sends the rest, waits for all parts and gives the handle
 * of the whole. Whether it succeeds or not, the literal is then reset and
 * detached; after a failure nothing of the document stays held.
 */
HEAPD_API int heapd_literal_attach(struct heapd_literal *literal, struct heapd_connection *connection,
                                   size_t part_bytes);
HEAPD_API int heapd_literal_finish(struct heapd_literal *literal, heapd_handle *out,
                                   struct heapd_error *error) HEAPD_MUST_USE;
/* How much of it was sent so far; for progress lines. */
HEAPD_API uint64_t heapd_literal_sent_bytes(const struct heapd_literal *literal);

/* Export: reading whole objects */

enum heapd_node_kind {
    HEAPD_NODE_VALUE = 1, /* a scalar: node.value, lent until the next call */
    HEAPD_NODE_LIST = 2,  /* node.count children follow, then HEAPD_NODE_END */
    HEAPD_NODE_TUPLE = 3,
    HEAPD_NODE_DICT = 4, /* node.count pairs follow */
    HEAPD_NODE_SET = 5,
    HEAPD_NODE_INSTANCE = 6, /* node.value is the class's name; node.count pairs of attribute and value follow */
    HEAPD_NODE_SHARED = 7,   /* node.container again: one that came before, or, in a cycle, is still open */
    HEAPD_NODE_END = 8,      /* the innermost open container ends */
    HEAPD_NODE_FROZENSET = 9,
};

struct heapd_node {
    enum heapd_node_kind kind;
    bool is_key;              /* a dict's key or an attribute's name; its value comes next */
    uint32_t depth;           /* containers open around it; for END, around the container that ends */
    uint64_t count;           /* of a container: children, or pairs */
    uint64_t container;       /* of a container, SHARED and END: its number, from 0 in order of appearance */
    struct heapd_value value; /* lent; not to be cleared */
};

struct heapd_export;

/*
 * Streams everything that an object reaches, in one walk, part_bytes (0: the
 * daemon's choice) at a time, so that documents larger than memory can be read.
 * The export belongs to one thread; other threads may use the connection
 * meanwhile. Close it before the connection.
 */
HEAPD_API int heapd_export_open(struct heapd_connection *connection, heapd_handle object, uint32_t part_bytes,
                                struct heapd_export **out, struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The next node; waits for it. 1: *out is set. 0: the walk is complete. Negative: it failed, for instance with
 * HEAPD_ECHANGED, if someone changed a part that was not sent yet.
 */
HEAPD_API int heapd_export_next(struct heapd_export *reader, struct heapd_node *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The ints that come next, many at once: *values is lent until the next call, *count is how many; 0 if the next node is
 * something else, or there is none: heapd_export_next tells. They are those of one container, and never keys and values
 * of a dict. For who reads long lists of numbers.
 */
HEAPD_API int heapd_export_ints(struct heapd_export *reader, const int64_t **values, size_t *count,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* The same for floats. */
HEAPD_API int heapd_export_floats(struct heapd_export *reader, const double **values, size_t *count,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Waits until heapd_export_next has something to say. 0: it has, and does not wait any more, unless an instance stands
 * at the end of a part. HEAPD_PENDING: timeout_ms (-1: none; 0: nothing is read) is over. For who holds a lock while it
 * reads and must not while it waits.
 */
HEAPD_API int heapd_export_wait(struct heapd_export *reader, int timeout_ms) HEAPD_MUST_USE;
/* Cancels what was not read. Takes NULL. */
HEAPD_API void heapd_export_close(struct heapd_export *reader);

#ifdef __cplusplus
}
#endif

#endif
