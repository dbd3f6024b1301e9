/* What the files of this folder share. Nobody else includes this. DESIGN.md tells how they fit together. */
#ifndef HEAPD_RPC_PRIVATE_H
#define HEAPD_RPC_PRIVATE_H

#include <heapd/v1/value.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "object/prefetch.h"
#include "object/sync.h"
#include "rpc/arena.h"
#include "rpc/hot.h"
#include "rpc/rpc.h"
#include "session/session.h"
#include "session/tokens.h"

#define HD_METHODS_MAX 256
#define HD_CLIENT_NAME_BYTES 64
#define HD_MESSAGE_BYTES 400

/*
 * Room in the output that is there before a request runs: for an error, and for
 * any reply without bytes of an object in it. A request that changes something
 * and has more to say makes room before it changes anything.
 */
#define HD_REPLY_ROOM_BYTES ((size_t)1024)
#define HD_SMALL_REPLY_BYTES (HD_REPLY_ROOM_BYTES - HD_FRAME_HEADER_BYTES)
/* Strings up to this come plain. */
#define HD_PLAIN_MAX_BYTES ((size_t)64 << 10)
/* The sum of two numbers that may be added is always plain. */
#define HD_PLAIN_INT_MAX_BYTES (HD_ARITHMETIC_MAX_BYTES + 64)
/* So that every plain value fits a frame. */
#define HD_FRAME_MIN_BODY_BYTES (2 * (uint32_t)HD_PLAIN_MAX_BYTES)
/* What the output of a quiet connection keeps. */
#define HD_OUTPUT_KEEP_BYTES ((size_t)4 << 10)

/* One turn of one connection; its units until somebody who has a clock says otherwise. */
#define HD_TURN_REQUESTS 2048u
#define HD_TURN_UNITS 16384u
/* A small request, its decoding and its reply. */
#define HD_REQUEST_UNITS 32u
/* One slice of a request that continues. */
#define HD_SLICE_UNITS 4096u
/* Nodes of a literal that are built at once: some hundred microseconds. */
#define HD_AT_ONCE_NODES 4096u
/* Waiting requests that one Bind answers at once; more are answered in slices. */
#define HD_WAKE_AT_ONCE 64u
/* Locks of a session that ends that are given up at once; more are in slices. */
#define HD_HOLDS_AT_ONCE 1024u

/* ---- operations (table.c) ------------------------------------------------- */

struct hd_call;

enum hd_operation_flag {
    HD_OP_BEFORE_HELLO = 1, /* Hello itself */
    HD_OP_ADMIN = 2,
    HD_OP_CONTINUES = 4, /* may be parked, or go on in slices */
    HD_OP_BATCH = 16,    /* may be in a batch: all that it changes can be undone */
    HD_OP_HEAP_WORK = 8, /* these slices are measured as the heap's own */
};

struct hd_operation {
    uint16_t method;
    const char *name; /* in lower case, as in stats */
    const ProtobufCMessageDescriptor *request;
    unsigned flags;
    const char *needs; /* what an object must have: "<type> has no <needs>" */
    /* 0: replied; HD_CALL_CONTINUES; or an error, after which nothing has changed and the output is as it was. */
    int (*run)(struct hd_call *call, const void *request);
};

#define HD_CALL_CONTINUES 1
/* Of hd_release_step alone. */
#define HD_CALL_LATER 2

/* NULL: no such method. */
const struct hd_operation *hd_operation_find(uint16_t method);

/* ---- connections ---------------------------------------------------------- */

struct hd_unfinished;
struct hd_passing;
struct hd_batch;

/* A Release of many handles (release.c): its frame stays in the input until it is done. */
enum hd_release_phase {
    HD_RELEASE_NONE,
    HD_RELEASE_MARKING,   /* each handle is looked at */
    HD_RELEASE_RELEASING, /* all will do */
    HD_RELEASE_UNMARKING, /* one will not: nothing happens */
};

struct hd_release {
    enum hd_release_phase phase;
    size_t at;         /* position in the body */
    size_t packed_end; /* at < packed_end: handles follow each other up to there */
    size_t good;       /* handles that were marked */
    size_t done;       /* of these, released or unmarked */
    int error;
    hd_handle bad;
    uint64_t failed_request; /* why it is bad */
};

/* Descriptors that go out with frames of the output, oldest first (descriptors.c). */
struct hd_passing_list {
    struct hd_passing *first;
    struct hd_passing *last;
    uint32_t count;
    uint64_t sent_bytes; /* of the output since the beginning: what the positions count from */
};
/* More of them waiting to be sent, and no further request of the connection starts. */
#define HD_PASSING_MAX 64u

struct hd_reading;

struct hd_rpc_connection {
    struct hd_rpc_server *server;
    struct hd_rpc_connection *next; /* in connections or in closing */
    struct hd_rpc_connection *previous;
    struct hd_rpc_connection *ready_next;
    bool ready; /* is in the ready list */
    bool greeted;
    bool over;
    bool starved; /* no memory for output: until some was sent */
    bool held;    /* a request goes on that later ones may be about: until it is done */
    /* At the memory limit: relief.c. */
    bool memory_waiting; /* its next request is to run again: it is in the server's list */
    bool memory_waited;  /* that request has waited, or waits */
    uint64_t memory_deadline_ns;
    struct hd_rpc_connection *memory_next;
    struct hd_rpc_connection *memory_previous;
    void *owner;
    struct hd_rpc_peer peer;
    struct hd_session session;
    struct hd_buffer output;                /* empty => capacity >= HD_REPLY_ROOM_BYTES */
    struct hd_passing_list passing;
    struct hd_batch *batch; /* own; NULL: none is open */
    struct hd_release release; /* of many handles, as far as it has come */
    struct hd_reading *reading; /* own: a long literal, as far as it was read; NULL */
    struct hd_unfinished *unfinished_first; /* oldest first */
    struct hd_unfinished *unfinished_last;
    uint32_t unfinished_count;
    uint64_t unfinished_highest_id; /* of all that ever were: who counts up need not be looked for among them */
    uint32_t blocked_count; /* of these, waiting for output to drain */
    uint32_t working_count; /* of these, not parked: they go on by themselves */
    struct hd_subscription *subscriptions; /* newest first: events.c */
    uint32_t subscription_count;
    uint32_t events_waiting_count; /* subscriptions with something to tell, for which there is no room */
    uint64_t request_count;
    uint8_t offer[HD_TOKEN_BYTES]; /* offered: lets another session copy itself here */
    bool offered;
    char client_name[HD_CLIENT_NAME_BYTES];
};

void hd_connection_make_ready(struct hd_rpc_connection *connection);
/* Room in the output for a reply of HD_REPLY_ROOM_BYTES. False: there is no memory, or too much waits already. */
bool hd_connection_has_room(struct hd_rpc_connection *connection);
bool hd_connection_above_high(const struct hd_rpc_connection *connection);
/* No request of it goes on; what waits is dropped without replies. */
void hd_connection_end(struct hd_rpc_connection *connection);

/* ---- the server ----------------------------------------------------------- */

struct hd_waiter;

struct hd_waiter_list {
    struct hd_waiter *first;
    struct hd_waiter *last;
};
#define HD_WAITER_BUCKETS 256

struct hd_rpc_counts {
    uint64_t requests[HD_METHODS_MAX];
    uint64_t errors_by_code[64];
    uint64_t requests_count;
    uint64_t errors_count;
    uint64_t unknown_methods_count;
    uint64_t broken_streams_count;
    uint64_t cancels_count;
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t parked_ever_count;
    uint64_t deadlines_count;
    uint64_t parts_count;
    uint64_t retries_count;
    uint64_t stalls_count;
    uint64_t connections_ever_count;
    uint64_t connections_refused_count;
    uint64_t sessions_killed_count;
    uint64_t input_reliefs_count;
    uint64_t policy_collections_count;
    uint64_t events_count;
    uint64_t events_coalesced_count;
};

/* ---- how long slices take (slices.c) -------------------------------------- */

enum hd_slice {
    HD_SLICE_YOUNG,   /* a young collection, with whatever else was done beside it */
    HD_SLICE_FULL,    /* tracing and clearing */
    HD_SLICE_FREE,    /* taking the dead apart; what ended sessions held */
    HD_SLICE_COMPACT, /* moving */
    HD_SLICE_OTHER,   /* unmapping; looking whether something is due */
    HD_SLICE_REQUEST, /* an export, a long literal: not the heap's own */
    HD_SLICE_RELIEF,  /* looking for memory at the limit, whatever that is about */
    HD_SLICE_KINDS,
};
#define HD_SLICE_BUCKETS 65

/* count == the sum of buckets; a time of n ns is in bucket 64 - clz(n), one of 0 in bucket 0. */
struct hd_slice_times {
    uint64_t count;
    uint64_t total_ns;
    uint64_t max_ns;
    uint64_t buckets[HD_SLICE_BUCKETS];
};

struct hd_slice_watch {
    enum hd_slice kind; /* found by begin; may be changed before end */
    uint64_t young_collections;
    uint64_t begin_ns;
};

const char *hd_slice_name(enum hd_slice kind);
/* Two looks at the clock: around work that is there, not around the question whether there is some. */
void hd_slice_begin(const struct hd_rpc_server *server, struct hd_slice_watch *watch);
void hd_slice_end(struct hd_rpc_server *server, const struct hd_slice_watch *watch);
/* The upper end of the bucket that the quantile is in, and not above the longest; 0: there were none. */
uint64_t hd_slice_quantile_ns(const struct hd_slice_times *times, unsigned permille);
/* For Stats (memory.c). */
void hd_slice_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context);

/* ---- the frames that come next (ahead.c) ---------------------------------- */

/* So many are read before the first of them runs: enough for their waits for memory to overlap. */
#define HD_AHEAD_MAX 32

struct hd_ahead_frame {
    struct hd_frame frame;
    struct hd_hot hot; /* hot.request is NULL: protobuf-c reads it when its turn comes */
    struct hd_prefetch prefetch;
};

/* Frames of one connection that lie whole in its input, from `next` on. Holds within one hd_rpc_receive. */
struct hd_ahead {
    unsigned count;
    unsigned next;
    struct hd_ahead_frame frames[HD_AHEAD_MAX];
};

/* Reads what lies at the front of `bytes`, and asks for the memory that it will need. May find none. */
void hd_ahead_look(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count);
struct hd_analysis;
struct hd_slowlog;
struct hd_garbage;
struct hd_followers;


struct hd_rpc_server {
    struct hd_heap *heap;   /* borrow */
    const struct hd_os *os; /* borrow */
    struct hd_rpc_config config;
    const struct hd_allocator *allocator; /* borrow: the heap's account */
    struct hd_rpc_arena arena;            /* of the request that runs */
    struct hd_ahead ahead;
    struct hd_versions *versions; /* own; NULL: nobody has asked for one yet */
    struct hd_rpc_connection *connections;
    struct hd_rpc_connection *closing; /* sessions that end, oldest first */
    struct hd_rpc_connection *closing_last;
    struct hd_rpc_connection *ready_first;
    struct hd_rpc_connection *ready_last;
    uint32_t connection_count; /* of `connections` */
    uint32_t closing_count;
    uint64_t last_session_id;
    uint64_t turn_units; /* of one hd_rpc_receive */
    /* Unfinished requests that have something to do, in turns. */
    struct hd_unfinished *runnable_first;
    struct hd_unfinished *runnable_last;
    /* Requests that wait for a name: waiters.c. */
    struct hd_waiter_list buckets[HD_WAITER_BUCKETS];
    struct hd_waiter **waiters; /* own; waiter_count of them; their scopes are roots */
    uint32_t waiter_count;
    uint32_t waiter_capacity;
    /* Deadlines of whatever is parked: deadlines.c. */
    struct hd_unfinished **deadlines; /* own; a heap, the earliest first; deadline_count of them */
    uint32_t deadline_count;
    uint32_t deadline_capacity;
    struct hd_root_source waiter_roots;
    uint64_t names_epoch; /* the heap's, as far as waiters know of it */
    bool waiters_stale;   /* a scope was closed: all are to look again */
    struct hd_tokens tokens;
    uint64_t unfinished_count;
    uint64_t parked_count; /* of these */
    uint64_t subscription_count;
    /* After a search for memory that did not help: the number of requests at which the next may be. */
    uint64_t relief_after;
    bool relieving; /* a search goes on */
    struct hd_relief relief;
    struct hd_rpc_connection *memory_first; /* who waits for it, oldest first */
    struct hd_rpc_connection *memory_last;
    bool shutdown_wanted;
    bool heap_behind;                 /* the last settle left something: the next one is worth measuring */
    bool collect_wanted;              /* a full collection is to begin as soon as it can */
    uint64_t collect_at_ns;           /* UINT64_MAX: not by the clock */
    uint64_t collected_activity;      /* when the last such collection began */
    struct hd_unfinished *freezing;   /* borrow: the one freeze or unfreeze that goes on */
    /* Analyses of the whole heap (analysis.c): the first goes on, the others wait; those that ended give memory back. */
    struct hd_analysis *analysis_first;
    struct hd_analysis *analysis_last;
    struct hd_analysis *analysis_ended;
    struct hd_slowlog *slowlog;   /* own */
    struct hd_garbage *garbage;   /* own; NULL: none was ever kept */
    uint32_t debug_flags;
    struct hd_followers *followers; /* own; NULL: nobody has followed yet */
    hd_rpc_stats_source stats_source; /* may be NULL */
    void *stats_source_context;
    hd_rpc_ring_source ring_source; /* NULL: no rings */
    void *ring_source_context;
    struct hd_slice_times slices[HD_SLICE_KINDS];
    struct hd_rpc_counts counts;
};

/* ---- one request (call.c) ------------------------------------------------- */

struct hd_call {
    struct hd_rpc_server *server;
    struct hd_rpc_connection *connection;
    struct hd_session *session;
    struct hd_heap *heap;
    struct hd_objects *objects;
    const struct hd_operation *operation;
    const struct hd_ahead_frame *ahead; /* NULL: not one that was read ahead */
    uint64_t request_id;
    uint16_t method;
    /* The slots that results go to: on failure they are marked. */
    hd_handle into;
    hd_handle captures_into;
    uint64_t captures_count;
    uint64_t failed_request;        /* with HD_EABORTED: the request that failed first, or 0 */
    char message[HD_MESSAGE_BYTES]; /* what exactly was wrong; empty: the general text says it all */
};

void hd_call_init(struct hd_call *call, struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id);
/*
 * A frame that waits behind a request that goes on: if it cancels one that is under way, that ends now. There is room
 * for a small reply.
 */
void hd_call_overhear(struct hd_rpc_connection *connection, const struct hd_frame *frame);
/*
 * Runs the request of one whole frame, up to its reply. There is room for a small reply. `ahead` may be NULL. False:
 * the frame is to be kept: there is no memory, nothing has changed, and it is to run again when the connection is
 * ready; or it goes on in the next turn (release.c).
 */
bool hd_call_run(struct hd_rpc_connection *connection, const struct hd_frame *frame, const uint8_t *body,
                 const struct hd_ahead_frame *ahead);
/* Decodes a body and runs it: what its handler says. */
int hd_call_do(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
/* Marks the result slots and says so. There is room for a small reply. */
void hd_call_refuse(struct hd_call *call, int error);

/* ---- replies (reply.c) ---------------------------------------------------- */

/* Room for a body of at most `bytes`; where it goes, lent until the next call. HD_ENOMEM, HD_ETOO_LARGE. */
int hd_reply_begin(struct hd_call *call, size_t bytes, uint8_t **out) HD_MUST_USE;
/* The body is written. */
void hd_reply_end(struct hd_call *call, size_t bytes, uint8_t flags);
/* After hd_connection_has_room these cannot fail. */
void hd_reply_empty(struct hd_call *call);
void hd_reply_error(struct hd_call *call, int error);
/* A message of any size. HD_ENOMEM; HD_ETOO_LARGE: beyond a frame. */
int hd_reply_message(struct hd_call *call, const ProtobufCMessage *message, uint8_t flags) HD_MUST_USE;
/* A plain bool or int: infallible, as empty. */
void hd_reply_bool(struct hd_call *call, bool boolean);
void hd_reply_count(struct hd_call *call, uint64_t count);

/*
 * Can this value be the reply? Checks that it is plain or that call->into takes
 * it, and makes room, so that hd_reply_value cannot fail afterwards. as_object:
 * it goes into the slot in any case. HD_ENOT_PLAIN, HD_ENOMEM.
 */
int hd_reply_prepare(struct hd_call *call, hd_value value, bool as_object) HD_MUST_USE;
/* Sends the value (steal), plain or by filling the slot. Only after prepare. */
void hd_reply_value(struct hd_call *call, hd_value value, bool as_object);
/* Both; the value is released on failure, too. */
int hd_reply_result(struct hd_call *call, hd_value value, bool as_object) HD_MUST_USE;

/* ---- descriptors that go with replies (descriptors.c) --------------------- */

/*
 * As hd_reply_message, and the frame takes a descriptor along, which is stolen on success. Then it is closed once it was
 * sent, or when the connection ends. HD_ENOMEM, HD_ETOO_LARGE.
 */
int hd_reply_passing(struct hd_call *call, const ProtobufCMessage *message, int fd) HD_MUST_USE;
/* Closes what was not sent. */
void hd_passing_fini(struct hd_rpc_connection *connection);
/* Columns as a message, which borrows them. */
Heapd__V1__Literal hd_reply_literal(const struct hd_columns *columns);
/* Does the value travel plain, not as a handle? */
bool hd_reply_is_plain(const struct hd_objects *objects, hd_value value);
/*
 * Writes a value as a heapd.v1.Value, a part of a larger reply: plain, or as the handle
 * `into` (0: there is none), whose slot is the caller's affair. `to` has room for
 * HD_PLAIN_INT_MAX_BYTES. HD_ENOT_PLAIN.
 */
int hd_reply_pack(struct hd_call *call, hd_value value, hd_handle into, uint8_t *to, size_t *size,
                  bool *is_handle) HD_MUST_USE;

/* ---- buffers (buffers.c) -------------------------------------------------- */

/* Read, of a buffer. */
int hd_read_buffer(struct hd_call *call, hd_value buffer, uint64_t offset, uint64_t size) HD_MUST_USE;
/* Those whose buffers were sealed meanwhile go on. */
void hd_buffers_run(struct hd_rpc_server *server);

/* ---- messages (explain.c) ------------------------------------------------- */

struct hd_text {
    char *at;
    char *end; /* room for the NUL is kept */
};

/* Sets the message unless a more exact one is there, and gives the error back. */
int hd_fail(struct hd_call *call, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error of an operation on an object with perhaps a key, said in terms of these. NULL: no key. */
int hd_fail_on(struct hd_call *call, int error, hd_value object, const struct hd_key *key);
/* The error of a handle, or of a slot for a result. */
int hd_fail_handle(struct hd_call *call, int error, hd_handle handle);
int hd_fail_slot(struct hd_call *call, int error, hd_handle handle);
/* The error of a name. */
int hd_fail_name(struct hd_call *call, int error, const ProtobufCBinaryData *name);
/* The error of building a literal. */
int hd_fail_literal(struct hd_call *call, int error);
/* Writes text, cut short where the room ends; bytes quoted and escaped. */
void hd_text_print(struct hd_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hd_text_bytes(struct hd_text *text, const uint8_t *bytes, size_t size);

/* ---- values (values.c) ---------------------------------------------------- */

/* The object of a handle, borrowed. */
int hd_call_object(struct hd_call *call, hd_handle handle, hd_value *out) HD_MUST_USE;
/* The same, and it must be of a kind. */
int hd_call_object_of(struct hd_call *call, hd_handle handle, enum hd_kind_of_value kind, hd_value *out) HD_MUST_USE;
/* 0 is the global scope: HD_ABSENT. */
int hd_call_scope(struct hd_call *call, hd_handle handle, hd_value *out) HD_MUST_USE;
/* Notes the slot of the result and checks that it will take one; 0: none. */
int hd_call_into(struct hd_call *call, hd_handle into) HD_MUST_USE;

/* A new reference to what a Value describes. `what` names the field. */
int hd_call_value(struct hd_call *call, const Heapd__V1__Value *value, const char *what, hd_value *out) HD_MUST_USE;

/* A key out of a Value. What it owns is given up by hd_call_key_done. */
struct hd_call_key {
    struct hd_key key;
    hd_value owned;
};
int hd_call_key(struct hd_call *call, const Heapd__V1__Value *value, struct hd_call_key *out) HD_MUST_USE;
void hd_call_key_done(struct hd_call *call, struct hd_call_key *key);
/* An attribute's name. */
int hd_call_attribute(struct hd_call *call, const ProtobufCBinaryData *name, struct hd_key *out) HD_MUST_USE;

/* How to build a literal: columns and handles. captured is in the arena. */
struct hd_call_build {
    struct hd_columns columns;
    struct hd_build build;
};
int hd_call_build_init(struct hd_call *call, const Heapd__V1__Literal *literal, struct hd_call_build *out) HD_MUST_USE;

/* ---- releasing many handles (release.c) ------------------------------------ */

/* Is it a Release that takes more than one turn? */
bool hd_release_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame);
/* Goes on with it. 0: replied; HD_CALL_LATER: there is more, and the frame is to be given again; or an error. */
int hd_release_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;

/* ---- long literals (columns.c) ---------------------------------------------- */

/* Is it a Create or Extend whose message takes more than one turn to be taken apart? */
bool hd_reading_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame);
/* Goes on with it, and runs it in the end. As hd_release_step, or HD_CALL_CONTINUES. */
int hd_reading_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
void hd_reading_free(struct hd_rpc_connection *connection);

/* ---- requests that outlive their frame (unfinished.c) --------------------- */

enum hd_step {
    HD_STEP_AGAIN,   /* there is more to do */
    HD_STEP_BLOCKED, /* not until output has drained */
    HD_STEP_PARKED,  /* not until it is woken */
    HD_STEP_DONE,    /* replied; to be freed */
};

struct hd_unfinished_kind {
    enum hd_step (*step)(struct hd_unfinished *unfinished, uint64_t units);
    /* Frees what it has and the memory itself; it is in no list any more. */
    void (*free)(struct hd_unfinished *unfinished);
    /* The client wants it to stop; it answers, now or later. NULL: it is dropped, with HD_ECANCELLED. */
    void (*cancel)(struct hd_unfinished *unfinished);
};

struct hd_unfinished {
    const struct hd_unfinished_kind *kind;
    struct hd_rpc_connection *connection;
    struct hd_unfinished *next; /* of the connection */
    struct hd_unfinished *previous;
    struct hd_unfinished *run_next; /* of the server's turns */
    struct hd_unfinished *run_previous;
    uint64_t request_id;
    hd_handle into;
    hd_handle captures_into; /* and the slots behind it, captures_count in all */
    uint64_t captures_count;
    uint16_t method;
    uint64_t begin_ns; /* of one that goes on in slices */
    uint64_t deadline_ns;
    uint32_t deadline_position; /* in server->deadlines, or HD_NOT_TIMED */
    bool timed_out;             /* its deadline has passed */
    bool runnable;
    bool blocked;
    bool parked;
};
#define HD_NOT_TIMED UINT32_MAX

/* May one more of this session's requests stay unfinished? HD_ELIMIT. */
int hd_unfinished_allowed(struct hd_call *call) HD_MUST_USE;
/* Links it in, with what the call is about. `parked`: it waits to be woken; else it is runnable. */
void hd_unfinished_add(struct hd_unfinished *unfinished, const struct hd_unfinished_kind *kind, struct hd_call *call,
                       bool parked);
/* A call to reply by. */
void hd_unfinished_call(const struct hd_unfinished *unfinished, struct hd_call *call);
struct hd_unfinished *hd_unfinished_find(const struct hd_rpc_connection *connection, uint64_t request_id);
/* Takes it out of all lists and frees it. */
void hd_unfinished_drop(struct hd_unfinished *unfinished);
/* The client wants it to stop. There is room for a small reply. */
void hd_unfinished_cancel(struct hd_unfinished *unfinished);
void hd_unfinished_make_runnable(struct hd_unfinished *unfinished);
/* Does what a step said. */
void hd_unfinished_after(struct hd_unfinished *unfinished, enum hd_step step);
/* Output has drained. */
void hd_unfinished_unblock(struct hd_rpc_connection *connection);
/* Goes on with them in turns. Returns the units that were not needed. */
uint64_t hd_unfinished_run(struct hd_rpc_server *server, uint64_t units);

/* ---- waiting for names (waiters.c) ---------------------------------------- */

void hd_waiters_init(struct hd_rpc_server *server);
void hd_waiters_fini(struct hd_rpc_server *server);
/* Parks the call until the name is bound. HD_CALL_CONTINUES, HD_ELIMIT, HD_ENOMEM. */
int hd_wait_for_name(struct hd_call *call, hd_value scope, const ProtobufCBinaryData *name, bool as_object,
                     uint64_t wait_ms) HD_MUST_USE;
/* A name was bound: whoever waits for it looks again. */
void hd_waiters_bound(struct hd_rpc_server *server, const uint8_t *name, size_t size);
/*
 * All look again, in slices: something happened that no name tells. O(waiters), so
 * hd_rpc_run does it, once for all scopes that were closed in a turn (waiters_stale).
 */
void hd_waiters_wake_all(struct hd_rpc_server *server);

/* ---- batches (batch.c) ---------------------------------------------------- */

/* Is a request of this method to be kept and not to be run? */
bool hd_batch_wants(const struct hd_rpc_connection *connection, uint16_t method);
/* Keeps it: HD_CALL_CONTINUES. Else it is refused, and but for want of memory the batch with it. */
int hd_batch_keep(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
/* A request that was to be kept was refused before: if a batch is open, it has failed. */
void hd_batch_spoil(struct hd_rpc_connection *connection, uint16_t method, uint64_t request_id, int error);
bool hd_batch_is_running(const struct hd_rpc_connection *connection);
/* A name is bound: in a batch, of which nobody is to know before it ends? */
bool hd_batch_binds(struct hd_rpc_connection *connection);
/* Is it a batch that failed, whose requests are being answered? */
bool hd_batch_is_answering(const struct hd_unfinished *unfinished);
/* The call, Commit, has failed for good: what the batch holds is answered. HD_CALL_CONTINUES, or an error to refuse with. */
int hd_batch_fail(struct hd_call *call, int error) HD_MUST_USE;
void hd_batch_free(struct hd_rpc_connection *connection);

/* ---- deadlines (deadlines.c) ---------------------------------------------- */

/* Makes room for one more. HD_ENOMEM. */
int hd_deadline_reserve(struct hd_rpc_server *server) HD_MUST_USE;
/* After hd_deadline_reserve and hd_unfinished_add: it is made runnable, timed_out, once wait_ms have passed. */
void hd_deadline_set(struct hd_unfinished *unfinished, uint64_t wait_ms);
/* Takes one without a deadline. */
void hd_deadline_remove(struct hd_unfinished *unfinished);
/* Those whose time is over. */
void hd_deadlines_expire(struct hd_rpc_server *server);
void hd_deadlines_fini(struct hd_rpc_server *server);

/* ---- coordination (sync_wait.c) ------------------------------------------- */

/*
 * Does what the request asks, or parks the call for wait_ms (-1: without end). The
 * reply, when it comes, is that of the act. HD_CALL_CONTINUES, or what hd_sync_try
 * says; what the request owns is given up on failure.
 */
int hd_call_sync(struct hd_call *call, struct hd_sync_request *request, int64_t wait_ms, bool as_object) HD_MUST_USE;
/* Answers those whose turn has come. To be called when a request, a deadline or an end may have woken some. */
void hd_sync_answer(struct hd_rpc_server *server);
/* NULL: it waits for something else. */
const struct hd_sync_waiter *hd_sync_waiter_of(const struct hd_unfinished *unfinished);
/* For Stats. */
void hd_sync_stats(const struct hd_rpc_server *server, hd_stat_visit visit, void *context);

/* ---- what the server does by itself (policy.c) ---------------------------- */

void hd_policy_init(struct hd_rpc_server *server);
/* Begins a collection that is due by the clock or after a session. */
void hd_policy_run(struct hd_rpc_server *server);
/* All that it held is released. */
void hd_policy_session_ended(struct hd_rpc_server *server, const struct hd_session *session);

/* ---- at the memory limit (relief.c) --------------------------------------- */

/*
 * The connection's request found no memory, and has changed nothing. True: it
 * waits while memory is looked for, and its frame is not to be taken. False: it is
 * to be refused.
 */
bool hd_relief_wait(struct hd_rpc_connection *connection) HD_MUST_USE;
/* It waits no more. */
void hd_relief_forget(struct hd_rpc_connection *connection);
/*
 * For requests that go on in slices: begins a search unless one is under way;
 * false: the last was in vain, and not long ago. Is it still going on?
 */
bool hd_relief_want(struct hd_rpc_server *server) HD_MUST_USE;
bool hd_relief_is_on(const struct hd_rpc_server *server);
/* Goes on with it; who waits runs again when there is reason to. */
void hd_relief_run(struct hd_rpc_server *server, uint64_t units);

/* ---- analyses of the whole heap (analysis.c) ------------------------------ */

/*
 * A request that looks at the whole heap: one at a time, since each takes much
 * memory and there is one observer. It has a place in the connection's unfinished
 * requests; when it ends, in whatever way, its memory goes back in slices.
 */
struct hd_analysis_kind {
    size_t bytes; /* of the struct that begins with struct hd_analysis */
    /* 1: done, with a reply to be made; 0: more; an error. */
    int (*step)(struct hd_analysis *analysis, uint64_t units);
    /* Replies; *more: there is a further frame to come. An error: nothing was sent. */
    int (*reply)(struct hd_analysis *analysis, struct hd_call *call, bool *more);
    /* Gives back about `bytes`; true while there is more. */
    bool (*release)(struct hd_analysis *analysis, uint64_t bytes);
};

struct hd_analysis {
    struct hd_unfinished base;
    const struct hd_analysis_kind *kind;
    struct hd_rpc_server *server;
    struct hd_analysis *next;
    bool stepped;
};

/* A zeroed one of that kind. HD_ENOMEM, HD_ELIMIT. */
int hd_analysis_new(struct hd_call *call, const struct hd_analysis_kind *kind, struct hd_analysis **out) HD_MUST_USE;
/* Its turn will come. */
int hd_analysis_start(struct hd_analysis *analysis, struct hd_call *call);
/* One that was never started. */
void hd_analysis_free(struct hd_analysis *analysis);
/* Gives memory of ended ones back. True while there is more. */
bool hd_analyses_release(struct hd_rpc_server *server, uint64_t units);

/* The identity of a request's object: by handle, or if that is 0 by identity. HD_EKEY; HD_ETYPE: an inline value. */
int hd_call_identity(struct hd_call *call, hd_handle object, uint64_t identity, uint64_t *out) HD_MUST_USE;

/* ---- subscriptions, names that end (events.c) ----------------------------- */

/* At a safe point: tells what changed, of `count` subscriptions at most. True if more changed. */
bool hd_events_tell(struct hd_rpc_server *server, uint64_t count);
/* After a request: tells some; hd_rpc_run the rest. */
void hd_events_after(struct hd_rpc_server *server);
/* Its output has drained. */
void hd_events_drained(struct hd_rpc_connection *connection);
/* All its subscriptions end. */
void hd_events_end(struct hd_rpc_connection *connection);
/* The moment at which a name that now gets a time to live ends; what is left until one, -1: no end. */
uint64_t hd_names_moment(const struct hd_rpc_server *server, uint64_t ttl_ms);
int64_t hd_names_left_ms(const struct hd_rpc_server *server, uint64_t at);
/* Names whose moment has come are unbound, some at a time. True if there are more. */
bool hd_names_expire(struct hd_rpc_server *server);

/* ---- handlers ------------------------------------------------------------- */

/* clang-format off */
#define HD_HANDLERS(X) \
    X(hello) X(goodbye) X(ping) \
    X(open_ring) X(create_buffer) X(write_buffer) X(seal_buffer) X(get_buffer) \
    X(begin) X(commit) X(discard) X(check) X(version) \
    X(create) X(extend) X(create_class) X(release) X(duplicate) X(read) X(inspect) \
    X(length) X(get_item) X(set_item) X(del_item) X(contains) X(append) X(insert) X(pop) X(clear) X(set_add) \
    X(set_discard) X(get_attr) X(set_attr) X(del_attr) X(add) X(resolve) X(export) \
    X(open_scope) X(close_scope) X(bind) X(lookup) X(unbind) X(list_names) \
    X(gc_collect) X(gc_set_threshold) X(gc_get_threshold) X(gc_get_count) X(gc_stats) X(gc_set_enabled) \
    X(gc_freeze) X(gc_unfreeze) X(gc_freeze_count) X(compact) \
    X(make_token) X(redeem_token) X(offer_session) X(clone_session) \
    X(get_slice) X(set_slice) X(del_slice) X(extend_from) X(repeat) X(reverse) X(sort) X(search) X(copy) X(operate) \
    X(compare) X(hash) X(update) \
    X(stats) X(list_sessions) X(kill_session) X(shutdown) X(memory) \
    X(set_combine) X(set_update) X(set_compare) X(set_remove) X(dict_get) X(dict_set_default) \
    X(dict_pop) X(dict_pop_item) X(dict_update) X(dict_merge) X(dict_from_keys) X(gather) \
    X(open_cursor) X(read_cursor) X(make_weak) X(make_soft) X(get_referent) X(has_attr) \
    X(is_instance) X(is_subclass) X(get_class)
/* clang-format on */
#define HD_HANDLER_DECLARE(name) int hd_run_##name(struct hd_call *call, const void *message) HD_MUST_USE;
HD_HANDLERS(HD_HANDLER_DECLARE)
/* clang-format off */
#define HD_SYNC_HANDLERS(X) \
    X(create_sync) X(acquire) X(unlock) X(sync_state) X(put) X(get) X(task_done) X(join) X(condition_wait) X(notify) \
    X(event_set) X(event_clear) X(event_wait) X(barrier_wait) X(barrier_reset) X(barrier_abort) \
    X(subscribe) X(unsubscribe) X(expire) X(time_to_live) X(list_sync) X(list_scopes)
/* clang-format on */
HD_SYNC_HANDLERS(HD_HANDLER_DECLARE)
HD_HANDLER_DECLARE(get_many)
#undef HD_HANDLER_DECLARE

#endif
