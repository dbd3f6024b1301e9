/*
 * Values as they are sent and come back, and handles.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_VALUE_H
#define HEAPD_VALUE_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif
