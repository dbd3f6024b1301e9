/*
 * libheapd: objects in a heap that many processes share.
 *
 *     struct heapd_connection *heap;
 *     struct heapd_error error;
 *     if (heapd_connect(NULL, NULL, &heap, &error))
 *         errx(1, "%s", error.message);
 *     heapd_bind(heap, HEAPD_GLOBAL, heapd_text("answer"), heapd_int(42), &error);
 *     heapd_close(heap);
 *
 * Every method of the daemon has two functions. heapd_<method> sends the request
 * and waits for the reply. heapd_begin_<method> only queues it and gives a
 * ticket, by which heapd_wait fetches the reply later; many begun requests
 * travel in one write, and the daemon starts them in the order in which they
 * were begun.
 *
 * Results. A function that can fail returns 0, or one of the negative codes of
 * enum heapd_code. Out-parameters come last and change only on success. The last
 * of all is `struct heapd_error *error`, which may be NULL; on failure it tells
 * in words what was wrong and what to do. A request that failed changed nothing
 * in the heap.
 *
 * Objects are held by handles: numbers that mean something to one connection
 * alone. Each handle holds one reference, until heapd_release or the end of the
 * connection. A begun request can name the handle that its result will have
 * before the result exists, so that a chain (create, append to it, bind it,
 * release it) needs no waiting. If a link fails, later requests that name its
 * handle fail with HEAPD_EABORTED, and error.failed_request is the ticket of the
 * link that failed first.
 *
 * Memory. Values, names and literals that a caller passes are borrowed until the
 * function returns, in begin functions too. What comes back in a struct
 * heapd_value or a struct heapd_result is the caller's, until heapd_value_clear
 * or heapd_result_clear. Text is UTF-8 and may hold NUL; returned bytes (those
 * that an export lends aside) are followed by a NUL that does not count.
 *
 * Threads. Several threads may use one connection at once, without locks of
 * their own; while one waits for its reply, others go on. heapd_close is the
 * exception: no other call may run then or later. A literal, an export
 * or a result belongs to one thread at a time.
 *
 * Fork. A child must not use its parent's connection: every call fails with
 * HEAPD_EFORKED and does nothing. heapd_close in the child frees the child's
 * copy and leaves the parent's session alone.
 *
 * Signals. A write to a closed connection gives HEAPD_ECLOSED, never SIGPIPE.
 */
#ifndef HEAPD_HEAPD_H
#define HEAPD_HEAPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPD_MUST_USE __attribute__((warn_unused_result))
#define HEAPD_API __attribute__((visibility("default")))

/* Errors */

/*
 * The codes, as the daemon has them. Numbers keep their meaning for ever.
 * heapd_code_text says of each what it means and what to do.
 */
enum heapd_code {
    HEAPD_OK = 0,
    HEAPD_ENOMEM = -1,           /* the heap's limit is reached, or this process has no memory */
    HEAPD_ELIMIT = -2,           /* a limit of the session, of the daemon or of the connection */
    HEAPD_EINVALID = -3,         /* an argument is not valid */
    HEAPD_EPROTOCOL = -4,        /* bytes that are not what the method has */
    HEAPD_ETYPE = -5,            /* the object's type does not have this operation */
    HEAPD_EINDEX = -6,           /* no such index */
    HEAPD_EKEY = -7,             /* no such key */
    HEAPD_ENAME = -8,            /* no such name */
    HEAPD_EATTRIBUTE = -9,       /* no such attribute */
    HEAPD_EUNHASHABLE = -10,     /* a list, dict or set as a key */
    HEAPD_EHANDLE_STALE = -11,   /* the handle was released */
    HEAPD_EHANDLE_UNKNOWN = -12, /* the session does not hold it */
    HEAPD_ESLOT_OCCUPIED = -13,
    HEAPD_ESLOT_PENDING = -14, /* the handle waits for an earlier request's reply */
    HEAPD_ESLOT_GENERATION = -15,
    HEAPD_EABORTED = -16, /* an earlier link of the chain failed: error.failed_request */
    HEAPD_ECHANGED = -17, /* an object changed meanwhile: nothing was done, try again */
    HEAPD_ECANCELLED = -18,
    HEAPD_EDEADLINE = -19,    /* the time that the request may wait is over */
    HEAPD_EPERMISSION = -20,  /* for the daemon's own user alone */
    HEAPD_EMETHOD = -21,      /* the daemon does not know this method */
    HEAPD_ETOO_LARGE = -22,   /* send or ask for it in parts */
    HEAPD_EUTF8 = -23,        /* a str that is not valid UTF-8 */
    HEAPD_ECYCLE = -24,       /* a literal that refers to a container that is still open */
    HEAPD_EDEPTH = -25,       /* nested deeper than the limit */
    HEAPD_EUNAVAILABLE = -26, /* no daemon answers there */
    HEAPD_EINTERNAL = -27,
    HEAPD_ENOT_PLAIN = -28, /* the result is an object, and HEAPD_PLAIN was asked for */
    HEAPD_EHELLO = -29,     /* no common version of the protocol */
    HEAPD_ECLOSED = -30,    /* the connection is lost; whether the request ran is not known */
    HEAPD_EOVERFLOW = -31,  /* the number does not fit */
    HEAPD_ESYNTAX = -32,    /* an address that does not follow its grammar */
    HEAPD_ESYSTEM = -33,    /* the operating system refused */
    HEAPD_EEXISTS = -34,
    HEAPD_EVALUE = -35,         /* Python's ValueError: of the right type, and yet nothing that this takes */
    HEAPD_EZERO_DIVISION = -36, /* Python's ZeroDivisionError */
    HEAPD_ERECURSION = -37,     /* Python's RecursionError: objects that contain themselves have no end */
    /* Containers, cursors, weak references. */
    HEAPD_EGONE = -40,      /* the object that the weak reference was to is gone */
    HEAPD_EITERATION = -41, /* the container changed while a cursor went through it */
    HEAPD_EEMPTY = -42,     /* nothing to pop */
    HEAPD_ESEALED = -53,      /* the buffer is sealed: nobody can write to it */
    HEAPD_ENOT_SEALED = -54,  /* the buffer is not sealed yet, or never will be: its writer has gone */
    HEAPD_EMAPPED = -55,      /* somebody has the buffer mapped for writing */
    HEAPD_EDESCRIPTORS = -56, /* the daemon has no descriptor left */

    HEAPD_EQUEUE_FULL = -45,     /* queue.Full */
    HEAPD_EQUEUE_EMPTY = -46,    /* queue.Empty */
    HEAPD_ENOT_LOCKED = -47,     /* a lock was released that nobody holds */
    HEAPD_ENOT_OWNED = -48,      /* somebody else holds the lock, or nobody does */
    HEAPD_EOVER_RELEASE = -49,   /* a bounded semaphore, or task_done */
    HEAPD_EBROKEN_BARRIER = -50, /* threading.BrokenBarrierError */
    HEAPD_EBATCH = -57, /* not in a batch, or no batch is open */
    HEAPD_ETOKEN = -59, /* the token has run out */

    /* Of this library alone; never on the wire. */
    HEAPD_EFORKED = -1001, /* the connection belongs to the parent process */
    HEAPD_ETICKET = -1002, /* no such ticket, or its result was fetched before */
};

/* What heapd_wait returns when the time is over and the request still runs; nothing failed. */
#define HEAPD_PENDING 1

/* What went wrong with one call. All zero after a success. */
struct heapd_error {
    int code;                /* enum heapd_code */
    int status;              /* gRPC's status number: 3 INVALID_ARGUMENT, 5 NOT_FOUND, ... */
    uint64_t request;        /* the ticket of the request that failed; 0: it was never sent */
    uint64_t failed_request; /* HEAPD_EABORTED: the ticket of the request that failed first */
    char message[232];       /* what was wrong and what to do, as text that ends in NUL */
};

/* "HEAPD_EKEY" and so on. Never NULL. */
HEAPD_API const char *heapd_code_name(int code);
/* What it means and what to do. Never NULL. */
HEAPD_API const char *heapd_code_text(int code);
/* "NOT_FOUND" and so on, of error.status. Never NULL. */
HEAPD_API const char *heapd_status_name(int status);

/* Connections */

struct heapd_connection;

/*
 * Requests and replies through shared memory instead of the socket: a request and its reply then take about a
 * microsecond instead of some fifteen, for which a thread that waits looks for its reply (up to 50 us, and less where
 * that has not helped lately) before it sleeps. The daemon may have no ring to give; then everything goes over the
 * socket, without an error: heapd_uses_ring tells.
 */
enum heapd_ring {
    /*
     * As $HEAPD_RING says, "always" or "never"; without it, once the connection has waited for 128 replies in a row, each
     * within 100 us. Never with never_wait.
     */
    HEAPD_RING_AUTO = 0,
    HEAPD_RING_NEVER = 1,  /* the socket */
    HEAPD_RING_ALWAYS = 2, /* from the beginning */
};

struct heapd_options {
    size_t size_bytes;           /* of this struct, as the caller knows it; HEAPD_OPTIONS_INIT sets it */
    const char *client_name;     /* for people who list the sessions; NULL: the program's name */
    unsigned connect_timeout_ms; /* to connect and be greeted; 0: 5000 */
    size_t output_limit_bytes;   /* of requests that were begun and not yet sent; 0: 64 MiB */
    /*
     * For programs with an event loop. True: no begin function ever waits, and
     * fails with HEAPD_ELIMIT where it otherwise would (output_limit_bytes).
     */
    bool never_wait;
    enum heapd_ring ring; /* over a Unix socket */
};
#define HEAPD_OPTIONS_INIT \
    { \
        sizeof(struct heapd_options), NULL, 0, 0, false, HEAPD_RING_AUTO \
    }

/*
 * Connects and greets the daemon. `address` is one of
 *
 *     unix:/path   /path       a Unix socket
 *     tcp:127.0.0.1:PORT       TCP, where the daemon is configured for it
 *     NULL                     $HEAPD_ADDRESS, else heapd_default_address
 *
 * options may be NULL. HEAPD_ESYNTAX (the address), HEAPD_EUNAVAILABLE (nobody
 * answers, or not in time), HEAPD_EHELLO, HEAPD_ELIMIT (too many connections).
 */
HEAPD_API int heapd_connect(const char *address, const struct heapd_options *options, struct heapd_connection **out,
                            struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Greets over a stream socket that is connected already; the descriptor is
 * stolen on success. For socket pairs, proxies and tests.
 */
HEAPD_API int heapd_connect_fd(int fd, const struct heapd_options *options, struct heapd_connection **out,
                               struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Says goodbye, waits up to a second for the answer, and frees everything; what
 * the session held is released by the daemon. Requests begun and not yet sent
 * are sent first. Takes NULL. After this no handle, ticket or export of the
 * connection may be used.
 */
HEAPD_API void heapd_close(struct heapd_connection *connection);

/* "unix:/path", by the daemon's own rule: $XDG_RUNTIME_DIR/heapd.sock; for root /run/heapd/heapd.sock; else
 * /tmp/heapd-UID/heapd.sock. The environment variable HEAPD_ADDRESS is not looked at. HEAPD_ETOO_LARGE. */
HEAPD_API int heapd_default_address(char *out, size_t out_bytes) HEAPD_MUST_USE;

/* What the daemon said when it greeted. */
struct heapd_server_info {
    uint32_t protocol_version;
    uint64_t session_id;
    uint32_t max_frame_bytes; /* of one request or of one part of a reply */
    uint32_t max_slots;       /* handles that the session may hold at once, and one */
    uint32_t max_depth;       /* of containers in one literal */
    char version[64];         /* of the daemon */
};
HEAPD_API void heapd_get_server_info(const struct heapd_connection *connection, struct heapd_server_info *out);

/* Do its requests go through shared memory now? */
HEAPD_API bool heapd_uses_ring(struct heapd_connection *connection);

/* 0 while it works; else why it does not (HEAPD_ECLOSED, HEAPD_EPROTOCOL, HEAPD_EFORKED). error may be NULL. */
HEAPD_API int heapd_connection_state(struct heapd_connection *connection, struct heapd_error *error);

/* Values */

/* A handle; 0 is none. Valid in its own connection alone. */
typedef uint64_t heapd_handle;

/* A begun request; 0 is none. Never used twice in a connection. */
typedef uint64_t heapd_ticket;

/* Borrowed bytes: a name, the contents of a str or of bytes. */
struct heapd_bytes {
    const char *data;
    size_t size;
};

/* The kinds of objects. */
enum heapd_type {
    HEAPD_TYPE_UNKNOWN = 0,
    HEAPD_TYPE_NONE = 1,
    HEAPD_TYPE_BOOL = 2,
    HEAPD_TYPE_INT = 3,
    HEAPD_TYPE_FLOAT = 4,
    HEAPD_TYPE_STR = 5,
    HEAPD_TYPE_BYTES = 6,
    HEAPD_TYPE_LIST = 7,
    HEAPD_TYPE_TUPLE = 8,
    HEAPD_TYPE_DICT = 9,
    HEAPD_TYPE_SET = 10,
    HEAPD_TYPE_CLASS = 11,
    HEAPD_TYPE_INSTANCE = 12,
    HEAPD_TYPE_SCOPE = 13,
    HEAPD_TYPE_FROZENSET = 14,
    HEAPD_TYPE_WEAK_REFERENCE = 15,
    HEAPD_TYPE_SOFT_REFERENCE = 16,
    HEAPD_TYPE_CURSOR = 17,

    HEAPD_TYPE_QUEUE = 18,
    HEAPD_TYPE_LOCK = 19,
    HEAPD_TYPE_RLOCK = 20,
    HEAPD_TYPE_SEMAPHORE = 21,
    HEAPD_TYPE_CONDITION = 22,
    HEAPD_TYPE_EVENT = 23,
    HEAPD_TYPE_BARRIER = 24,

    HEAPD_TYPE_BUFFER = 25,
};

/* "list" and so on; "?" for a number that is none. */
HEAPD_API const char *heapd_type_name(enum heapd_type type);

enum heapd_value_kind {
    HEAPD_VALUE_ABSENT = 0, /* no value at all: the reply of a method that answers none */
    HEAPD_VALUE_NONE = 1,
    HEAPD_VALUE_BOOL = 2,    /* as.boolean */
    HEAPD_VALUE_INT = 3,     /* as.integer */
    HEAPD_VALUE_BIG_INT = 4, /* as.bytes: two's complement, little endian, any length >= 1 */
    HEAPD_VALUE_FLOAT = 5,   /* as.real */
    HEAPD_VALUE_STR = 6,     /* as.bytes: UTF-8 */
    HEAPD_VALUE_BYTES = 7,   /* as.bytes */
    HEAPD_VALUE_REF = 8,     /* as.ref; type says what it is, in replies */
    HEAPD_VALUE_LITERAL = 9, /* as.literal: a new object, built on the way; requests only */
};

struct heapd_literal;

struct heapd_value {
    enum heapd_value_kind kind;
    enum heapd_type type; /* of the object of a ref that came in a reply; else of no meaning */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct heapd_bytes bytes;
        heapd_handle ref;
        const struct heapd_literal *literal;
    } as;
    void *memory; /* private: what heapd_value_clear frees; NULL in values that the caller made */
};

/* Frees the bytes of a value that came from the library, and makes it absent. A ref is NOT released. Takes NULL. */
HEAPD_API void heapd_value_clear(struct heapd_value *value);

static inline struct heapd_bytes heapd_slice(const void *data, size_t size)
{
    struct heapd_bytes bytes;
    bytes.data = (const char *)data;
    bytes.size = size;
    return bytes;
}

/* A C string, without its NUL. */
static inline struct heapd_bytes heapd_text(const char *text)
{
    return heapd_slice(text, strlen(text));
}

static inline struct heapd_value heapd_value_make(enum heapd_value_kind kind)
{
    struct heapd_value value;
    memset(&value, 0, sizeof value);
    value.kind = kind;
    return value;
}

static inline struct heapd_value heapd_none(void)
{
    return heapd_value_make(HEAPD_VALUE_NONE);
}

static inline struct heapd_value heapd_bool(bool boolean)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_BOOL);
    value.as.boolean = boolean;
    return value;
}

static inline struct heapd_value heapd_int(int64_t integer)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_INT);
    value.as.integer = integer;
    return value;
}

static inline struct heapd_value heapd_float(double real)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_FLOAT);
    value.as.real = real;
    return value;
}

/* A C string as a str. The text is borrowed, as in all of these. */
static inline struct heapd_value heapd_str(const char *text)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_STR);
    value.as.bytes = heapd_text(text);
    return value;
}

static inline struct heapd_value heapd_str_of(const char *utf8, size_t size)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_STR);
    value.as.bytes = heapd_slice(utf8, size);
    return value;
}

static inline struct heapd_value heapd_bytes_of(const void *data, size_t size)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_BYTES);
    value.as.bytes = heapd_slice(data, size);
    return value;
}

/* Two's complement, little endian, at least one byte. */
static inline struct heapd_value heapd_big_int(const void *data, size_t size)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_BIG_INT);
    value.as.bytes = heapd_slice(data, size);
    return value;
}

static inline struct heapd_value heapd_ref(heapd_handle handle)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_REF);
    value.as.ref = handle;
    return value;
}

static inline struct heapd_value heapd_new(const struct heapd_literal *literal)
{
    struct heapd_value value = heapd_value_make(HEAPD_VALUE_LITERAL);
    value.as.literal = literal;
    return value;
}

/* In what form a result is wanted. */
enum heapd_want {
    /* A plain value. An object (a container, a long str) is HEAPD_ENOT_PLAIN, and nothing was done. */
    HEAPD_PLAIN = 0,
    /* A plain value where the daemon can send one, else a ref, which the caller must release. */
    HEAPD_ANY = 1,
    /* Always a ref. For chains, where the next request names the handle whatever it holds. */
    HEAPD_OBJECT = 2,
};

/* Handles */

/*
 * Gives a handle back. Sends nothing by itself: releases are gathered and go out
 * in front of the next request, or with heapd_flush, heapd_step, any wait, or
 * heapd_close. A handle whose request was not answered yet may be released too
 * (the end of a chain). Cannot fail for lack of memory. 0 is ignored;
 * HEAPD_EHANDLE_STALE for a handle that the connection does not hold any more.
 */
HEAPD_API int heapd_release(struct heapd_connection *connection, heapd_handle handle);

/* How many handles the connection holds, those of pending requests included. */
HEAPD_API size_t heapd_held_count(struct heapd_connection *connection);

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

/* Compound results */

/* The methods, by their numbers on the wire. */
enum heapd_method {
    HEAPD_METHOD_PING = 3,
    HEAPD_METHOD_BEGIN = 4,
    HEAPD_METHOD_COMMIT = 5,
    HEAPD_METHOD_DISCARD = 6,
    HEAPD_METHOD_CHECK = 7,
    HEAPD_METHOD_MAKE_TOKEN = 12,
    HEAPD_METHOD_REDEEM_TOKEN = 13,
    HEAPD_METHOD_OFFER_SESSION = 14,
    HEAPD_METHOD_CLONE_SESSION = 15,
    HEAPD_METHOD_CREATE_BUFFER = 80,
    HEAPD_METHOD_WRITE_BUFFER = 81,
    HEAPD_METHOD_SEAL_BUFFER = 82,
    HEAPD_METHOD_GET_BUFFER = 83,
    HEAPD_METHOD_CREATE = 16,
    HEAPD_METHOD_EXTEND = 17,
    HEAPD_METHOD_CREATE_CLASS = 18,
    HEAPD_METHOD_DUPLICATE = 20,
    HEAPD_METHOD_READ = 21,
    HEAPD_METHOD_INSPECT = 22,
    HEAPD_METHOD_LENGTH = 23,
    HEAPD_METHOD_GET_ITEM = 24,
    HEAPD_METHOD_SET_ITEM = 25,
    HEAPD_METHOD_DEL_ITEM = 26,
    HEAPD_METHOD_CONTAINS = 27,
    HEAPD_METHOD_APPEND = 28,
    HEAPD_METHOD_INSERT = 29,
    HEAPD_METHOD_POP = 30,
    HEAPD_METHOD_CLEAR = 31,
    HEAPD_METHOD_SET_ADD = 32,
    HEAPD_METHOD_SET_DISCARD = 33,
    HEAPD_METHOD_GET_ATTR = 34,
    HEAPD_METHOD_SET_ATTR = 35,
    HEAPD_METHOD_DEL_ATTR = 36,
    HEAPD_METHOD_ADD = 37,
    HEAPD_METHOD_RESOLVE = 38,
    HEAPD_METHOD_GET_SLICE = 40,
    HEAPD_METHOD_SET_SLICE = 41,
    HEAPD_METHOD_DEL_SLICE = 42,
    HEAPD_METHOD_EXTEND_FROM = 43,
    HEAPD_METHOD_REPEAT = 44,
    HEAPD_METHOD_REVERSE = 45,
    HEAPD_METHOD_SORT = 46,
    HEAPD_METHOD_SEARCH = 47,
    HEAPD_METHOD_COPY = 48,
    HEAPD_METHOD_OPERATE = 49,
    HEAPD_METHOD_COMPARE = 50,
    HEAPD_METHOD_HASH = 51,
    HEAPD_METHOD_UPDATE = 52,
    HEAPD_METHOD_OPEN_SCOPE = 64,
    HEAPD_METHOD_CLOSE_SCOPE = 65,
    HEAPD_METHOD_BIND = 66,
    HEAPD_METHOD_LOOKUP = 67,
    HEAPD_METHOD_UNBIND = 68,
    HEAPD_METHOD_LIST_NAMES = 69,
    HEAPD_METHOD_GC_COLLECT = 96,
    HEAPD_METHOD_GC_SET_THRESHOLD = 97,
    HEAPD_METHOD_GC_GET_THRESHOLD = 98,
    HEAPD_METHOD_GC_GET_COUNT = 99,
    HEAPD_METHOD_GC_STATS = 100,
    HEAPD_METHOD_GC_SET_ENABLED = 101,
    HEAPD_METHOD_GC_FREEZE = 102,
    HEAPD_METHOD_GC_UNFREEZE = 103,
    HEAPD_METHOD_GC_FREEZE_COUNT = 104,
    HEAPD_METHOD_COMPACT = 105,
    HEAPD_METHOD_STATS = 128,
    HEAPD_METHOD_LIST_SESSIONS = 129,
    HEAPD_METHOD_KILL_SESSION = 130,
    HEAPD_METHOD_SHUTDOWN = 131,
    HEAPD_METHOD_MEMORY = 132,

    HEAPD_METHOD_SUBSCRIBE = 70,
    HEAPD_METHOD_UNSUBSCRIBE = 71,
    HEAPD_METHOD_EXPIRE = 72,
    HEAPD_METHOD_TIME_TO_LIVE = 73,
    HEAPD_METHOD_CREATE_SYNC = 192,
    HEAPD_METHOD_ACQUIRE = 193,
    HEAPD_METHOD_UNLOCK = 194,
    HEAPD_METHOD_SYNC_STATE = 195,
    HEAPD_METHOD_PUT = 196,
    HEAPD_METHOD_GET = 197,
    HEAPD_METHOD_TASK_DONE = 198,
    HEAPD_METHOD_JOIN = 199,
    HEAPD_METHOD_CONDITION_WAIT = 200,
    HEAPD_METHOD_NOTIFY = 201,
    HEAPD_METHOD_EVENT_SET = 202,
    HEAPD_METHOD_EVENT_CLEAR = 203,
    HEAPD_METHOD_EVENT_WAIT = 204,
    HEAPD_METHOD_BARRIER_WAIT = 205,
    HEAPD_METHOD_BARRIER_RESET = 206,
    HEAPD_METHOD_BARRIER_ABORT = 207,
    HEAPD_METHOD_LIST_SYNC = 208,
    HEAPD_METHOD_LIST_SCOPES = 209,
    /* heapd/containers.h */
    HEAPD_METHOD_SET_COMBINE = 160,
    HEAPD_METHOD_SET_UPDATE = 161,
    HEAPD_METHOD_SET_COMPARE = 162,
    HEAPD_METHOD_SET_REMOVE = 163,
    HEAPD_METHOD_DICT_GET = 164,
    HEAPD_METHOD_DICT_SET_DEFAULT = 165,
    HEAPD_METHOD_DICT_POP = 166,
    HEAPD_METHOD_DICT_POP_ITEM = 167,
    HEAPD_METHOD_DICT_UPDATE = 168,
    HEAPD_METHOD_DICT_MERGE = 169,
    HEAPD_METHOD_DICT_FROM_KEYS = 170,
    HEAPD_METHOD_GATHER = 171,
    HEAPD_METHOD_OPEN_CURSOR = 172,
    HEAPD_METHOD_READ_CURSOR = 173,
    HEAPD_METHOD_MAKE_WEAK = 174,
    HEAPD_METHOD_MAKE_SOFT = 175,
    HEAPD_METHOD_GET_REFERENT = 176,
    HEAPD_METHOD_HAS_ATTR = 177,
    HEAPD_METHOD_IS_INSTANCE = 178,
    HEAPD_METHOD_IS_SUBCLASS = 179,
    HEAPD_METHOD_GET_CLASS = 180,
    HEAPD_METHOD_VERSION = 224,
    HEAPD_METHOD_GET_MANY = 225, /* heapd/bulk.h */
};

/* Inspect: one object. */
struct heapd_object_info {
    enum heapd_type type;
    bool tracked;                  /* known to the cycle collector */
    bool shared;                   /* interned or saturated: its count says less */
    uint32_t generation;           /* 0 .. 2, of a tracked object */
    struct heapd_bytes class_name; /* of an instance; of a class its own name; else empty */
    uint64_t identity;             /* unique among the living; 0 for an inline value */
    uint64_t reference_count;
    uint64_t shallow_bytes;
    uint64_t length; /* elements, bytes or attributes */
};

/* Read: a part of a str or of bytes. */
struct heapd_part {
    struct heapd_bytes data;
    uint64_t total_bytes; /* of the whole object */
    enum heapd_type type;
};

struct heapd_name {
    struct heapd_bytes name;
    enum heapd_type type;
    uint64_t identity;
    uint64_t length;
    int64_t ttl_ms; /* what is left of its time to live; 0: it has none; -1: less than 1 ms */
};
struct heapd_name_list {
    const struct heapd_name *items;
    size_t count;
    uint64_t next; /* where to go on; 0: there are no more */
};

/* MakeToken: bytes that stand for a reference. */
struct heapd_token {
    struct heapd_bytes secret;
    uint64_t ttl_ms; /* of what it was given */
};

/* The collector's generations, youngest first. */
#define HEAPD_GENERATIONS 3
struct heapd_collection {
    uint64_t unreachable; /* objects found, in all */
    uint64_t unreachable_by_generation[HEAPD_GENERATIONS];
    uint64_t examined_by_generation[HEAPD_GENERATIONS];
    uint64_t unreachable_bytes; /* what they hold; of a dry run only */
};
struct heapd_compaction {
    uint64_t moved_count; /* blocks */
    uint64_t moved_bytes;
    uint64_t released_bytes; /* given back to the system meanwhile */
};
struct heapd_thresholds {
    uint32_t threshold[HEAPD_GENERATIONS];
};
struct heapd_counts {
    uint64_t count[HEAPD_GENERATIONS];
};
struct heapd_generation {
    uint64_t collections;
    uint64_t collected;
    uint64_t uncollectable;
    uint64_t objects;
};
struct heapd_collector_stats {
    struct heapd_generation generation[HEAPD_GENERATIONS];
    bool enabled;
};

/* Every number that the daemon keeps; units are part of the name (_bytes, _count, _ns). */
struct heapd_stat {
    const char *name;
    uint64_t value;
};
struct heapd_stat_list {
    const struct heapd_stat *items;
    size_t count;
};

/* One size class of the object heap: blocks of one size, cut from pools. */
struct heapd_size_class {
    uint32_t block_bytes; /* 0: runs of whole granules, of any length */
    uint32_t blocks_per_pool;
    uint64_t pools_used; /* with room */
    uint64_t pools_full;
    uint64_t live_blocks;
};
struct heapd_memory_generation {
    uint64_t tracked;   /* objects in it now */
    uint32_t threshold; /* 0: not collected by itself */
    uint64_t count;     /* held against the threshold */
    uint64_t collections;
    uint64_t collected; /* objects found unreachable */
};
/* How long slices of one kind of work between requests took. */
struct heapd_histogram {
    const char *name; /* "young", "full", "free", "compact", "other", "request", "relief" */
    uint64_t count;
    uint64_t total_ns;
    uint64_t max_ns;
    uint64_t p50_ns; /* not more than this, likewise the others */
    uint64_t p99_ns;
    uint64_t p999_ns;
    const uint64_t *buckets; /* [0]: took 0 ns; [i]: 2^(i-1) to 2^i - 1 ns */
    size_t bucket_count;     /* those after the last that is not 0 are left out */
};
/* What the daemon's memory is made of. */
struct heapd_memory_info {
    /* used == objects_mapped + table + bookkeeping, and used <= limit. */
    uint64_t limit_bytes; /* UINT64_MAX: none */
    uint64_t used_bytes;
    uint64_t peak_bytes;
    uint64_t refused_count; /* charges that the limit refused */
    uint64_t objects_mapped_bytes;
    uint64_t objects_live_bytes; /* in blocks, rounded to their class */
    uint64_t objects_live_count;
    uint64_t table_bytes;
    uint64_t table_entries_count;
    uint64_t bookkeeping_bytes;
    uint64_t bookkeeping_count;
    /* objects_mapped == arena + large + retired */
    uint64_t arena_bytes; /* of all arenas */
    uint64_t arena_live_bytes;
    uint64_t arena_count;
    uint64_t arena_free_count;
    uint64_t arenas_mapped_count;   /* ever */
    uint64_t arenas_released_count; /* ever */
    uint64_t large_bytes;
    uint64_t large_count;
    uint64_t retired_bytes; /* of large objects that are gone, still to be unmapped */
    uint64_t pools_used_count;
    uint64_t pools_full_count;
    uint64_t pools_empty_count;
    uint32_t fragmentation_permille;        /* of arena_bytes: in no live block */
    uint32_t waste_permille;                /* of used_bytes: in no live block of an object */
    const struct heapd_size_class *classes; /* by size; runs last */
    size_t class_count;
    struct heapd_memory_generation generation[HEAPD_GENERATIONS];
    uint64_t frozen_count;
    bool gc_enabled;
    uint32_t gc_phase;               /* 0: no full collection is under way */
    uint64_t waiting_count;          /* objects that are dead and not taken apart yet */
    uint64_t waiting_sessions_count; /* that ended, and whose handles are not all released yet */
    uint32_t compaction_phase;       /* 0: none is under way */
    uint64_t compactions_count;
    uint64_t compaction_moved_count;
    uint64_t compaction_moved_bytes;
    const struct heapd_histogram *histograms;
    size_t histogram_count;
};

struct heapd_session {
    uint64_t id;
    const char *client_name;
    uint64_t pid; /* 0: not known (TCP) */
    uint64_t uid;
    uint64_t handles;
    uint64_t requests;
    uint64_t parked;
    uint64_t output_bytes; /* replies that were not sent yet */
    bool self;
};
struct heapd_sync_info;
struct heapd_sync_list;
struct heapd_scope_list;
struct heapd_session_list {
    const struct heapd_session *items;
    size_t count;
};

/* What the daemon says of a buffer: heapd/buffer.h. */
struct heapd_buffer_info {
    uint64_t bytes;
    uint64_t serial; /* of no other buffer of this daemon, now or later */
    bool sealed;
};

/* A dict's pair. Refs are to be released; bytes are the result's. */
struct heapd_pair {
    struct heapd_value key;
    struct heapd_value value;
};

/* What a value is, without the value. */
struct heapd_description {
    enum heapd_type type;
    enum heapd_type key_type; /* UNKNOWN: it has no key */
    uint64_t identity;        /* 0: an inline value */
    uint64_t length;
};
/* Elements in the order of a cursor. */
struct heapd_chunk {
    const struct heapd_value *items; /* of VIEW_ITEMS key and value by turns; bytes are the result's, refs to be released */
    size_t count;
    size_t ref_count; /* of these, refs */
    bool done;        /* there are no more */
    /* describe: as many as there are keys or elements; items are the keys, those that are not plain none */
    const struct heapd_description *descriptions;
    size_t description_count;
};

/*
 * What a request answered. `value` is set for methods that answer a value (absent otherwise), one member of `as` for
 * those that answer something compound. Pointers are good until heapd_result_clear.
 */
struct heapd_result {
    enum heapd_method method;
    struct heapd_value value;
    union {
        struct heapd_object_info info;          /* INSPECT */
        struct heapd_part part;                 /* READ */
        struct heapd_bytes payload;             /* PING */
        struct heapd_token token;               /* MAKE_TOKEN */
        struct heapd_name_list names;           /* LIST_NAMES */
        struct heapd_collection collection;     /* GC_COLLECT */
        struct heapd_thresholds thresholds;     /* GC_GET_THRESHOLD */
        struct heapd_counts counts;             /* GC_GET_COUNT */
        struct heapd_collector_stats gc_stats;  /* GC_STATS */
        struct heapd_compaction compaction;     /* COMPACT */
        const struct heapd_memory_info *memory; /* MEMORY */
        struct heapd_stat_list stats;           /* STATS */
        struct heapd_session_list sessions;     /* LIST_SESSIONS */
        struct heapd_buffer_info buffer;        /* CREATE_BUFFER, SEAL_BUFFER, GET_BUFFER */

        const struct heapd_sync_info *sync_state; /* SYNC_STATE: sync.h */
        const struct heapd_sync_list *sync_list;  /* LIST_SYNC */
        const struct heapd_scope_list *scopes;    /* LIST_SCOPES */
        struct heapd_pair pair;                 /* DICT_POP_ITEM */
        struct heapd_chunk chunk;               /* READ_CURSOR, GET_MANY */
    } as;
    void *memory;   /* private */
    int descriptor; /* private: one that came with the reply, and 1; 0: none */
};

/* Frees it; a ref in value is NOT released. Takes NULL and a zeroed result. */
HEAPD_API void heapd_result_clear(struct heapd_result *result);
/* A number out of a Stats result by its name; `otherwise` if the daemon does not keep it. */
HEAPD_API uint64_t heapd_result_stat(const struct heapd_result *result, const char *name, uint64_t otherwise);

/* The pipeline */

/*
 * A begin function queues a request and returns. Of its last parameters
 *
 *   into     where a handle can come: the handle that the result will have, for
 *            use in later requests at once. NULL: not wanted ahead; the handle
 *            then comes with the result. If the result turns out to be a plain
 *            value, or the request fails, the handle holds nothing and need not
 *            be released (it may be).
 *   ticket   by which heapd_wait fetches the result; it must be fetched or
 *            forgotten. NULL: nobody asks; a failure is then reported by
 *            heapd_finish.
 *   error    if the request could not even be queued: HEAPD_ENOMEM,
 *            HEAPD_ELIMIT (no free handle, or never_wait and output_limit_bytes
 *            reached), HEAPD_ETOO_LARGE, HEAPD_EINVALID, HEAPD_ECLOSED,
 *            HEAPD_EFORKED. Nothing was sent then.
 *
 * Without never_wait a begin function waits when output_limit_bytes are unsent,
 * and takes in replies meanwhile. Requests leave with heapd_flush, with any wait
 * or step, or when enough have gathered.
 */

/* Sends what is queued, as far as the socket takes it without waiting. */
HEAPD_API int heapd_flush(struct heapd_connection *connection, struct heapd_error *error);

/*
 * Waits for one request, at most timeout_ms (negative: without end; 0: just
 * looks). Returns 0 and its result, its failure, or HEAPD_PENDING, after which
 * the ticket is still good. In the other cases the ticket is used up. result may
 * be NULL; a handle that was not given out ahead by `into` is then released.
 * One thread may wait for a ticket at a time. HEAPD_ETICKET.
 */
HEAPD_API int heapd_wait(struct heapd_connection *connection, heapd_ticket ticket, int timeout_ms,
                         struct heapd_result *result, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Waits until everything that was begun before has been answered (parked
 * requests included: cancel those first, or bound them; exports and follows,
 * which are read part by part, not), and returns the first failure, in order of
 * the requests, among those that were begun without a ticket since the last
 * heapd_finish. Results of tickets stay to be fetched.
 */
HEAPD_API int heapd_finish(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/* Nobody will wait for this ticket any more: as heapd_wait with no result, but without the waiting. */
HEAPD_API void heapd_forget(struct heapd_connection *connection, heapd_ticket ticket);

/*
 * Asks the daemon to stop a request that is parked, or is worked on in slices.
 * The request still answers: with HEAPD_ECANCELLED, or, if it was done already,
 * with what it did.
 */
HEAPD_API int heapd_cancel(struct heapd_connection *connection, heapd_ticket ticket, struct heapd_error *error);

/* Requests begun and not answered yet. */
HEAPD_API size_t heapd_pending_count(struct heapd_connection *connection);

/* For programs with their own event loop */

/*
 *     struct pollfd p = {heapd_fd(c), POLLIN | (heapd_wants_write(c) ? POLLOUT : 0), 0};
 *     poll(&p, 1, heapd_wants_step(c) ? 0 : -1);
 *     heapd_step(c, &error);
 */

/* The socket, for poll, epoll, libuv and the like. Lend: never read, write or close it. */
HEAPD_API int heapd_fd(const struct heapd_connection *connection);
/* Is there something to send? Ask again after each step and each begin. */
HEAPD_API bool heapd_wants_write(struct heapd_connection *connection);
/* Are callbacks due, though the socket may be quiet? (Replies that a synchronous call took in.) */
HEAPD_API bool heapd_wants_step(struct heapd_connection *connection);
/*
 * Sends and takes in what is possible without waiting, then calls the callbacks
 * of requests that were answered. Returns 0, or HEAPD_ECLOSED when the
 * connection is lost: all callbacks have then been called, each with its
 * request's result or failure.
 */
HEAPD_API int heapd_step(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/*
 * code is 0 or the failure. `result` is the callee's (to be cleared by it) on success, NULL on failure; `error` is
 * lent for the call. May begin further requests, and release; must not close the connection.
 */
typedef void heapd_callback(struct heapd_connection *connection, heapd_ticket ticket, int code,
                            struct heapd_result *result, const struct heapd_error *error, void *context);
/*
 * Has the callback called, once, by heapd_step and in its thread, when the request is answered. Uses the ticket up.
 * HEAPD_ETICKET.
 */
HEAPD_API int heapd_on_done(struct heapd_connection *connection, heapd_ticket ticket, heapd_callback *callback,
                            void *context);

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

/* Names and scopes */

/* The scope of global names. */
#define HEAPD_GLOBAL ((heapd_handle)0)

/* A scope has names and perhaps a parent, in which names that it does not have are looked up; then globally. */
HEAPD_API int heapd_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_open_scope(struct heapd_connection *connection, heapd_handle parent, heapd_handle *into,
                                     heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
/* Drops the scope's names at once, whoever else may hold it. Its handle is still to be released. */
HEAPD_API int heapd_close_scope(struct heapd_connection *connection, heapd_handle scope,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_close_scope(struct heapd_connection *connection, heapd_handle scope, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;

/* Gives a name to a value, in place of what had it before. The name holds a reference. */
HEAPD_API int heapd_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                         struct heapd_value value, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_bind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                               struct heapd_value value, heapd_ticket *ticket,
                               struct heapd_error *error) HEAPD_MUST_USE;

/*
 * What the name stands for. wait_ms > 0: waits that long for the name to be bound (HEAPD_EDEADLINE); the request is
 * parked meanwhile: later ones run, and heapd_cancel ends it.
 */
HEAPD_API int heapd_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           enum heapd_want want, uint64_t wait_ms, struct heapd_value *result,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_lookup(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 enum heapd_want want, uint64_t wait_ms, heapd_handle *into, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;

HEAPD_API int heapd_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_unbind(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes name,
                                 heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;

/* The scope's own names in the order in which they were bound: result.as.names, from position `start` on, at most
 * `limit` (0: as many as fit); go on at as.names.next until that is 0. */
HEAPD_API int heapd_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix,
                               uint64_t start, uint32_t limit, struct heapd_result *result,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_names(struct heapd_connection *connection, heapd_handle scope, struct heapd_bytes prefix,
                                     uint64_t start, uint32_t limit, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;

/* The cycle collector, as Python's gc module */

/* Collects a generation, 0 .. 2, and all younger ones. */
HEAPD_API int heapd_gc_collect(struct heapd_connection *connection, uint32_t generation, struct heapd_collection *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_collect(struct heapd_connection *connection, uint32_t generation, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;
/* Counts what a collection of everything would find, and what that holds (unreachable_bytes), and frees nothing. */
HEAPD_API int heapd_gc_dry_run(struct heapd_connection *connection, struct heapd_collection *out,
                               struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_dry_run(struct heapd_connection *connection, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                                           heapd_ticket *ticket, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_get_threshold(struct heapd_connection *connection, struct heapd_thresholds *out,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_get_threshold(struct heapd_connection *connection, heapd_ticket *ticket,
                                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_get_count(struct heapd_connection *connection, struct heapd_counts *out,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_get_count(struct heapd_connection *connection, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_stats(struct heapd_connection *connection, struct heapd_collector_stats *out,
                             struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_stats(struct heapd_connection *connection, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_set_enabled(struct heapd_connection *connection, bool enabled,
                                   struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_set_enabled(struct heapd_connection *connection, bool enabled, heapd_ticket *ticket,
                                         struct heapd_error *error) HEAPD_MUST_USE;
/* Freezes all objects that the collector knows now: collections pass them by, until heapd_gc_unfreeze. Counting still
 * frees them. */
HEAPD_API int heapd_gc_freeze(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_freeze(struct heapd_connection *connection, heapd_ticket *ticket,
                                    struct heapd_error *error) HEAPD_MUST_USE;
/* Frozen objects become old again. */
HEAPD_API int heapd_gc_unfreeze(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_unfreeze(struct heapd_connection *connection, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* How many are frozen. The begun form answers an int value. */
HEAPD_API int heapd_gc_freeze_count(struct heapd_connection *connection, uint64_t *out,
                                    struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_gc_freeze_count(struct heapd_connection *connection, heapd_ticket *ticket,
                                          struct heapd_error *error) HEAPD_MUST_USE;
/* Moves objects together, so that memory that a shrunken heap does not need goes back to the system; answers when that
 * is done. Others are served meanwhile. */
HEAPD_API int heapd_compact(struct heapd_connection *connection, struct heapd_compaction *out,
                            struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_compact(struct heapd_connection *connection, heapd_ticket *ticket,
                                  struct heapd_error *error) HEAPD_MUST_USE;

/* For the daemon's own user (HEAPD_EPERMISSION) */

/* Every number that the daemon keeps: result.as.stats. */
HEAPD_API int heapd_stats(struct heapd_connection *connection, struct heapd_result *result,
                          struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_stats(struct heapd_connection *connection, heapd_ticket *ticket,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* What its memory is made of, and how long work between requests took: result.as.memory. */
HEAPD_API int heapd_memory(struct heapd_connection *connection, struct heapd_result *result,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_memory(struct heapd_connection *connection, heapd_ticket *ticket,
                                 struct heapd_error *error) HEAPD_MUST_USE;
/* result.as.sessions */
HEAPD_API int heapd_list_sessions(struct heapd_connection *connection, struct heapd_result *result,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_list_sessions(struct heapd_connection *connection, heapd_ticket *ticket,
                                        struct heapd_error *error) HEAPD_MUST_USE;
/* Ends a session; all that it held is released. */
HEAPD_API int heapd_kill_session(struct heapd_connection *connection, uint64_t session_id,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_kill_session(struct heapd_connection *connection, uint64_t session_id, heapd_ticket *ticket,
                                       struct heapd_error *error) HEAPD_MUST_USE;
/* Ends the daemon; the heap is lost. */
HEAPD_API int heapd_shutdown(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_begin_shutdown(struct heapd_connection *connection, heapd_ticket *ticket,
                                   struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#include <heapd/buffer.h>
#include <heapd/batch.h>
#include <heapd/inspect.h>
/* Subjects of their own. */
#include <heapd/sync.h>
#include <heapd/watch.h>
#include <heapd/token.h>
#include <heapd/sequence.h>
#include <heapd/containers.h>
#include <heapd/bulk.h>
#include <heapd/tags.h>

#endif
