/*
 * What requests answer that is more than one value.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_RESULT_H
#define HEAPD_RESULT_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

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
    const struct heapd_value
        *items; /* of VIEW_ITEMS key and value by turns; bytes are the result's, refs to be released */
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
        struct heapd_pair pair;                   /* DICT_POP_ITEM */
        struct heapd_chunk chunk;                 /* READ_CURSOR, GET_MANY */
    } as;
    void *memory;   /* private */
    int descriptor; /* private: one that came with the reply, and 1; 0: none */
};

/* Frees it; a ref in value is NOT released. Takes NULL and a zeroed result. */
HEAPD_API void heapd_result_clear(struct heapd_result *result);
/* A number out of a Stats result by its name; `otherwise` if the daemon does not keep it. */
HEAPD_API uint64_t heapd_result_stat(const struct heapd_result *result, const char *name, uint64_t otherwise);

#ifdef __cplusplus
}
#endif

#endif
