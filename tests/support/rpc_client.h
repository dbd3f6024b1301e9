/*
 * A client of server/rpc in the same process: frames requests, feeds them to
 * hd_rpc_receive, takes replies apart. And the world that it lives in: a heap, a
 * clock that stands still, a server. For unit tests and fuzzers; what must not
 * be, aborts.
 */
#ifndef HEAPD_TESTS_SUPPORT_RPC_CLIENT_H
#define HEAPD_TESTS_SUPPORT_RPC_CLIENT_H

#include <heapd/v1/admin.pb-c.h>
#include <heapd/v1/gc.pb-c.h>
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/names.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <heapd/v1/session.pb-c.h>
#include <heapd/v1/sync.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "common/handle.h"
#include "heap/heap.h"
#include "rpc/rpc.h"

/* ---- the world ---- */

struct rpc_world {
    struct hd_os os; /* the real one, but for the clock */
    uint64_t now_ns;
    struct hd_heap_config heap_config;
    struct hd_rpc_config rpc_config;
    struct hd_heap *heap;
    struct hd_rpc_server *server;
    /* Allocations: counted, and the fail_at-th from now fails (0: none does). */
    uint64_t allocation_count;
    uint64_t fail_at;
    uint64_t fail_every; /* from fail_at on, all of them fail */
};

/* Configurations as a test wants them; then rpc_world_start. */
void rpc_world_init(struct rpc_world *world);
void rpc_world_start(struct rpc_world *world);
/* Runs until nothing is left to do but wait. */
void rpc_world_run(struct rpc_world *world);
/* Aborts, and says what, if an invariant of the heap does not hold. */
void rpc_world_check(struct rpc_world *world);
/* All connections must be closed. Checks that nothing is left of them. */
void rpc_world_fini(struct rpc_world *world);
/* A number of the engine, by its name in hd_heap_stats. */
uint64_t rpc_world_stat(struct rpc_world *world, const char *name);

/* ---- the client ---- */

struct rpc_reply {
    struct hd_frame frame;
    const uint8_t *body; /* in the client's memory, until the next call of it */
};

struct rpc_client {
    struct rpc_world *world;
    struct hd_rpc_connection *connection;
    struct hd_buffer input;    /* sent, and not taken by the server yet */
    struct hd_buffer received; /* frames that nobody has asked for yet */
    uint8_t *taken;            /* the reply given out last */
    uint64_t last_id;
    size_t heard; /* of input, looked through for cancels */
    bool byte_by_byte;
    bool deaf; /* takes no output */
};

/* Connects; without Hello. */
void rpc_client_connect(struct rpc_client *client, struct rpc_world *world, bool admin);
/* Connects and says Hello. */
void rpc_client_open(struct rpc_client *client, struct rpc_world *world, bool admin);
void rpc_client_close(struct rpc_client *client);

/* Sends a request and returns its id. `message` may be NULL: no body. */
uint64_t rpc_send(struct rpc_client *client, int method, const void *message);
/* The same under an id of the caller's choice. */
void rpc_send_as(struct rpc_client *client, uint64_t id, int method, const void *message);
/* Any bytes. */
void rpc_send_bytes(struct rpc_client *client, const void *bytes, size_t count);
void rpc_send_frame(struct rpc_client *client, const struct hd_frame *frame, const void *body);
void rpc_cancel(struct rpc_client *client, uint64_t id);
/* Gives the server what it has not taken yet, and takes output unless deaf. True if something moved. */
bool rpc_pump(struct rpc_client *client);
/* Takes `count` bytes of output at most. */
void rpc_take_output(struct rpc_client *client, size_t count);

/* The oldest reply to a request, taken out; false: none yet. */
bool rpc_take(struct rpc_client *client, uint64_t id, struct rpc_reply *out);
/* The oldest frame of all. */
bool rpc_take_any(struct rpc_client *client, struct rpc_reply *out);

/* The body of a reply as a message, by malloc; to be freed with protobuf_c_message_free_unpacked. */
void *rpc_unpack(const struct rpc_reply *reply, const ProtobufCMessageDescriptor *descriptor);

/* ---- values ---- */

Heapd__V1__Value rpc_none(void);
Heapd__V1__Value rpc_bool(bool boolean);
Heapd__V1__Value rpc_int(int64_t integer);
Heapd__V1__Value rpc_real(double real);
Heapd__V1__Value rpc_str(const char *text);
Heapd__V1__Value rpc_handle(hd_handle handle);
Heapd__V1__Value rpc_literal(Heapd__V1__Literal *literal);
ProtobufCBinaryData rpc_bytes(const char *text);

/* A literal of one empty container, or of one list of ints. Lent: static memory for the kind. */
Heapd__V1__Literal rpc_empty(enum _Heapd__V1__Kind kind);

#endif
