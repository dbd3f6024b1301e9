/*
 * Looking at the whole heap: why an object lives, what it keeps, what there is.
 *
 * For the daemon's own user (HEAPD_EPERMISSION), but for what is said to be about
 * objects that the connection holds. Each function waits for its reply; the
 * daemon works in slices meanwhile, and answers for the heap as it was when it
 * began. What a report points to is good until heapd_report_clear.
 */
#ifndef HEAPD_INSPECT_H
#define HEAPD_INSPECT_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What holds an object at the beginning of a path. */
enum heapd_root_kind {
    HEAPD_ROOT_REQUEST = 0,  /* a request that was under way */
    HEAPD_ROOT_GLOBALS = 1,  /* the global names */
    HEAPD_ROOT_SESSION = 2,  /* a handle of a session */
    HEAPD_ROOT_WAITER = 3,   /* a request that is parked */
    HEAPD_ROOT_FROZEN = 4,   /* nothing but that it is frozen */
    HEAPD_ROOT_TOKEN = 5,    /* a token on its way */
    HEAPD_ROOT_GARBAGE = 6,  /* found unreachable, and kept on request */
    HEAPD_ROOT_INTERNED = 7, /* an interned str */
};
struct heapd_root {
    enum heapd_root_kind kind;
    uint64_t session;        /* SESSION: its id */
    uint64_t handle;         /* SESSION */
    const char *client_name; /* SESSION: "" if it ended since */
    uint64_t pid;
    uint64_t position; /* of other kinds */
};

/* How one object refers to the next. */
enum heapd_edge_kind {
    HEAPD_EDGE_UNKNOWN = 0,   /* it changed since */
    HEAPD_EDGE_INDEX = 1,     /* element `number` */
    HEAPD_EDGE_KEY = 2,       /* the value under the key `text` */
    HEAPD_EDGE_IS_KEY = 3,    /* itself a key */
    HEAPD_EDGE_MEMBER = 4,    /* of a set */
    HEAPD_EDGE_ATTRIBUTE = 5, /* `text` */
    HEAPD_EDGE_CLASS = 6,     /* an instance's */
    HEAPD_EDGE_NAME = 7,      /* `text` in a scope */
    HEAPD_EDGE_NAMES = 8,     /* a scope's dict of names */
    HEAPD_EDGE_PARENT = 9,    /* a scope's */
    HEAPD_EDGE_PART = 10,     /* a part of a class (`text`), or reference `number` */
};
struct heapd_why_step {
    uint64_t identity;
    enum heapd_type type;
    enum heapd_edge_kind edge; /* how the step before refers to it; of the first it says nothing */
    uint64_t number;
    struct heapd_bytes text;       /* UTF-8, cut short; a str key in double quotes */
    struct heapd_bytes class_name; /* of an instance */
    uint64_t shallow_bytes;
    bool gone; /* it died since */
};
struct heapd_why_path {
    struct heapd_root root;
    const struct heapd_why_step *steps; /* the object itself is the last */
    size_t step_count;
    uint64_t elided;      /* steps that were left out */
    size_t elided_before; /* before this one */
};
struct heapd_reasons {
    uint64_t identity;
    enum heapd_type type;
    uint64_t reference_count;
    const struct heapd_why_path *paths; /* one for each holder, the shortest first */
    size_t path_count;                  /* 0: no root leads to it; it waits for a collection */
    uint64_t holders;                   /* objects and roots that refer to it, at least */
    uint64_t reachable;                 /* objects that roots led to */
};

struct heapd_report {
    union {
        struct heapd_reasons why;
    } as;
    void *memory; /* private */
};
/* Frees it. Takes NULL and a zeroed one. */
HEAPD_API void heapd_report_clear(struct heapd_report *report);

/* An object: by a handle, or if that is 0 by its identity. */
struct heapd_object_ref {
    heapd_handle object;
    uint64_t identity;
};
struct heapd_why_options {
    uint32_t max_paths; /* at most 64; 0: 5 */
    uint32_t max_steps; /* of a path, 2 to 1024; 0: 64. Of longer ones the middle is left out */
    bool others;        /* this connection's own handles are no reason */
};
/* Why does it live? report->as.why. options may be NULL. HEAPD_EKEY: no such object. */
HEAPD_API int heapd_why(struct heapd_connection *connection, struct heapd_object_ref object,
                        const struct heapd_why_options *options, struct heapd_report *report,
                        struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
