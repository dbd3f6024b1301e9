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

/* Who keeps what: an object, or with is_root what roots of one kind hold. */
struct heapd_keeper {
    bool is_root;
    struct heapd_root root; /* handle and position of no meaning */
    uint64_t identity;
    enum heapd_type type;
    struct heapd_bytes class_name;
    uint64_t shallow_bytes;
    uint64_t retained_bytes; /* of all that would go with it, itself included */
    uint64_t retained_count;
};
struct heapd_keeping {
    bool has_object;
    struct heapd_keeper object;
    bool reachable;                   /* a root leads to the object; if not, it keeps nothing */
    const struct heapd_keeper *above; /* what keeps it, the nearest first */
    size_t above_count;
    const struct heapd_keeper *largest; /* of what it alone keeps, directly; without an object: of all */
    size_t largest_count;
    uint64_t reachable_count;
    uint64_t reachable_bytes;
};

struct heapd_sum {
    enum heapd_type type;    /* of a sum by type */
    struct heapd_bytes name; /* of a class, a global name or a tag */
    struct heapd_root root;  /* of a source */
    uint64_t identity;       /* of a class, or of what a name is bound to */
    uint64_t count;          /* objects; of a source or name: that it keeps */
    uint64_t shallow_bytes;
    uint64_t retained_bytes;
    bool alone; /* of a name: nothing else keeps its object */
};
struct heapd_sums {
    const struct heapd_sum *rows;
    size_t count;
};
struct heapd_count {
    uint64_t heap;    /* of which heap: two of different heaps have nothing to do with each other */
    uint64_t created; /* objects made until then */
    uint64_t count;
    uint64_t bytes;
    uint64_t reachable_count; /* the rest waits for a collection */
    uint64_t reachable_bytes;
    struct heapd_sums types, classes, sources, names, tags;
};

/* A request that took long: which method, whose, how long; nothing of what was in it. */
struct heapd_slow_request {
    uint64_t number; /* from 1 */
    const char *method_name;
    uint64_t session;
    const char *client_name;
    uint64_t taken_ns; /* estimated from the work done where nobody looked at the clock */
    uint64_t ago_ns;   /* since it ended */
    uint64_t body_bytes;
    bool in_slices; /* others were served meanwhile */
};
struct heapd_slow_requests {
    const struct heapd_slow_request *items; /* newest first */
    size_t count;
    uint64_t ever;
    uint64_t threshold_ns; /* 0: none are kept */
};

/* One object, as the collector sees it. */
struct heapd_object_row {
    uint64_t identity;
    enum heapd_type type;
    bool tracked;
    uint32_t generation; /* 3: frozen */
    uint64_t reference_count;
    uint64_t shallow_bytes;
};
struct heapd_object_rows {
    const struct heapd_object_row *items;
    size_t count;
    uint64_t next;  /* `from` of the next page; 0: that was all */
    uint64_t plain; /* of referents: values that are no objects */
    uint64_t roots; /* of referrers: handles and other roots that hold it; of garbage: how many there are */
};
struct heapd_miscount {
    uint64_t identity;
    enum heapd_type type;
    uint64_t reference_count;
    uint64_t found;
};
struct heapd_audited {
    const struct heapd_miscount *items;
    size_t count;
    uint64_t more; /* that there was no room for */
    uint64_t checked;
};

struct heapd_tag_row {
    struct heapd_bytes tag;
    uint64_t count;    /* objects that have it */
    uint64_t sessions; /* whose tag it is */
};
struct heapd_tag_rows {
    const struct heapd_tag_row *items;
    size_t count;
};

/* An arena, granule by granule. */
enum { HEAPD_MAP_FREE = 0, HEAPD_MAP_RECORDS = 1, HEAPD_MAP_CLASS = 2 };
struct heapd_arena_row {
    const uint8_t *uses;  /* of each granule: one of these, or HEAPD_MAP_CLASS + its pool's size class */
    const uint8_t *fills; /* the share of its pool's blocks that is used, of 255 */
    size_t granule_count;
    uint64_t pools;
    uint64_t free_granules;
    uint64_t live_bytes;
    bool leaving; /* a compaction is emptying it */
};
struct heapd_arenas {
    const struct heapd_arena_row *items;
    size_t count;
    uint64_t next;        /* `from` of the next page; 0: that was all */
    uint64_t arena_count; /* all that there are */
    uint64_t arena_bytes; /* of each */
    uint64_t granule_bytes;
    const uint32_t *class_bytes; /* of a block of each size class; 0: of any number of granules */
    size_t class_count;
    uint64_t large_count; /* objects with a mapping of their own, which are in no arena */
    uint64_t large_bytes;
};

struct heapd_report {
    union {
        struct heapd_tag_rows tags; /* heapd/tags.h */
        struct heapd_arenas map;
        struct heapd_object_rows objects;
        struct heapd_audited audit;
        struct heapd_slow_requests slowlog;
        struct heapd_reasons why;
        struct heapd_keeping retained;
        struct heapd_count census;
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

/*
 * What goes when the object goes: report->as.retained. An object of 0, 0: the largest keepers of all. count: rows of
 * `largest`, at most 256; 0: 10.
 */
HEAPD_API int heapd_retained(struct heapd_connection *connection, struct heapd_object_ref object, uint32_t count,
                             struct heapd_report *report, struct heapd_error *error) HEAPD_MUST_USE;
/* What there is, by type, class, source, name and tag: report->as.census. count: rows of each, at most 256; 0: 32. */
HEAPD_API int heapd_census(struct heapd_connection *connection, uint32_t count, struct heapd_report *report,
                           struct heapd_error *error) HEAPD_MUST_USE;

/*
 * gc.get_objects, in pages: report->as.objects. generation 0 to 2, 3: frozen, HEAPD_ANY_GENERATION. A page may have few
 * rows, or none, and yet not be the last. count: 4096 at most; 0: 256.
 */
#define HEAPD_ANY_GENERATION UINT32_MAX
HEAPD_API int heapd_gc_objects(struct heapd_connection *connection, uint32_t generation, uint64_t from, uint32_t count,
                               struct heapd_report *report, struct heapd_error *error) HEAPD_MUST_USE;
/* gc.get_referrers, 4096 at most: report->as.objects. */
HEAPD_API int heapd_referrers(struct heapd_connection *connection, struct heapd_object_ref object, uint32_t count,
                              struct heapd_report *report, struct heapd_error *error) HEAPD_MUST_USE;
/* gc.get_referents of an object that the connection holds, in pages; for anyone. */
HEAPD_API int heapd_referents(struct heapd_connection *connection, heapd_handle object, uint64_t from, uint32_t count,
                              struct heapd_report *report, struct heapd_error *error) HEAPD_MUST_USE;
/* A reference to an object by its identity. HEAPD_EKEY: there is none. */
HEAPD_API int heapd_take(struct heapd_connection *connection, uint64_t identity, heapd_handle *out,
                         struct heapd_error *error) HEAPD_MUST_USE;

/* CPython's debug flags, by its numbers. */
enum heapd_gc_debug {
    HEAPD_DEBUG_STATS = 1,    /* collections are told in the daemon's log, at level info */
    HEAPD_DEBUG_SAVEALL = 32, /* what collections find is kept as garbage */
};
HEAPD_API int heapd_gc_set_debug(struct heapd_connection *connection, uint32_t flags,
                                 struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_gc_get_debug(struct heapd_connection *connection, uint32_t *flags,
                                 struct heapd_error *error) HEAPD_MUST_USE;
/* What was kept, in pages: report->as.objects. */
HEAPD_API int heapd_gc_garbage(struct heapd_connection *connection, uint64_t from, uint32_t count,
                               struct heapd_report *report, struct heapd_error *error) HEAPD_MUST_USE;
/* Lets go of it; cycles wait for the next collection. */
HEAPD_API int heapd_gc_clear_garbage(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/* Arenas and what is in them, in pages: report->as.map. count: 256 at most; 0: 64. */
HEAPD_API int heapd_map(struct heapd_connection *connection, uint64_t from, uint32_t count, struct heapd_report *report,
                        struct heapd_error *error) HEAPD_MUST_USE;

/* Counts every reference again, while the heap is in use: report->as.audit. */
HEAPD_API int heapd_audit(struct heapd_connection *connection, struct heapd_report *report,
                          struct heapd_error *error) HEAPD_MUST_USE;

/* The slowest of late: report->as.slowlog. */
HEAPD_API int heapd_slowlog(struct heapd_connection *connection, struct heapd_report *report,
                            struct heapd_error *error) HEAPD_MUST_USE;
/* Keeps requests that take as long, from now on; 0: none. */
HEAPD_API int heapd_slowlog_threshold(struct heapd_connection *connection, uint64_t threshold_ns,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* Forgets those that there are. */
HEAPD_API int heapd_slowlog_reset(struct heapd_connection *connection, struct heapd_error *error) HEAPD_MUST_USE;

/* What happens, as it happens. Deaths are never lost: their room is made when the follow begins. */
struct heapd_follow;
struct heapd_follow_options {
    const heapd_handle *objects; /* whose death is to be told, once each; the handles may be released then */
    size_t object_count;         /* at most 65536 */
    bool collections;            /* each beginning and end */
    bool requests;               /* of other sessions; for the daemon's own user */
    uint32_t room;               /* collections and requests that may wait to be read, 16 to 65536; 0: 1024 */
};
enum heapd_follow_kind {
    HEAPD_FOLLOW_DIED = 1,
    HEAPD_FOLLOW_COLLECTION_BEGINS = 2,
    HEAPD_FOLLOW_COLLECTION_ENDS = 3,
    HEAPD_FOLLOW_REQUEST = 4,
};
struct heapd_follow_event {
    uint64_t sequence; /* from 1, without gaps but for events that were lost */
    enum heapd_follow_kind kind;
    uint64_t lost;     /* events that found no room, right before this one */
    uint64_t identity; /* DIED */
    size_t position;   /* DIED: in options.objects */
    uint32_t generation;
    uint64_t unreachable;    /* COLLECTION_ENDS */
    const char *method_name; /* REQUEST, as what follows; lent until the next call */
    uint64_t session;
    uint64_t body_bytes;
    bool failed;
};
/* When it returns, nothing that happens is missed. */
HEAPD_API int heapd_follow_open(struct heapd_connection *connection, const struct heapd_follow_options *options,
                                struct heapd_follow **out, struct heapd_error *error) HEAPD_MUST_USE;
/* Waits for the next event, for at most timeout_ms (< 0: without end). 1: *event; 0: none came; negative: it is over.
 */
HEAPD_API int heapd_follow_next(struct heapd_follow *follow, int timeout_ms, struct heapd_follow_event *event,
                                struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API void heapd_follow_close(struct heapd_follow *follow);

/* The whole graph, one object after the other. */
struct heapd_snapshot;
struct heapd_snapshot_edge {
    uint32_t target; /* the low 32 bits of an identity */
    enum heapd_edge_kind kind;
    uint64_t number;
    struct heapd_bytes text;
};
/* Roots come first, those of one source in one item or in several; then objects. */
struct heapd_snapshot_item {
    bool is_root;
    struct heapd_root root;
    const uint32_t *nodes; /* of roots: the low 32 bits of identities */
    size_t node_count;
    uint64_t identity; /* the same as before: more edges of the same object */
    enum heapd_type type;
    uint64_t shallow_bytes;
    struct heapd_bytes name; /* the beginning of a str, the name of a class; else empty */
    const struct heapd_snapshot_edge *edges;
    size_t edge_count;
};
struct heapd_snapshot_size {
    uint64_t object_count;
    uint64_t edge_count;
};
/* texts: with names of edges and nodes. The connection should have nothing else to do meanwhile. */
HEAPD_API int heapd_snapshot_open(struct heapd_connection *connection, bool texts, struct heapd_snapshot **out,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/* How much there will be; known once the first item was read. */
HEAPD_API struct heapd_snapshot_size heapd_snapshot_total(const struct heapd_snapshot *snapshot);
/* 1: *item is lent until the next call; 0: the end; negative: it failed. */
HEAPD_API int heapd_snapshot_next(struct heapd_snapshot *snapshot, struct heapd_snapshot_item *item,
                                  struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API void heapd_snapshot_close(struct heapd_snapshot *snapshot);

#ifdef __cplusplus
}
#endif

#endif
