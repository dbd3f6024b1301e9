/*
 * A client for tests: a raw socket, the generated messages and common/frame.h.
 * It can do all that the real library refuses to do.
 */
#ifndef HEAPD_TESTS_BLACKBOX_CLIENT_H
#define HEAPD_TESTS_BLACKBOX_CLIENT_H

#include <heapd/v1/admin.pb-c.h>
#include <heapd/v1/gc.pb-c.h>
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/names.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <heapd/v1/session.pb-c.h>
#include <heapd/v1/value.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/frame.h"
#include "common/handle.h"

#define BB_METHOD(name) HEAPD__V1__METHOD__##name
/* Handle `slot` in its first generation. */
#define BB_HANDLE(slot) hd_handle_make((slot), 1)

/* Names of numbers in Stats that tests look at. */
#define BB_STAT_OBJECTS "objects_live_count"
#define BB_STAT_BOOKKEEPING "memory_bookkeeping_bytes"
#define BB_STAT_SESSIONS "rpc_sessions_count"

struct bb_client {
    int fd;
    uint64_t next_id;
    uint64_t session_id;
};

/* A frame that came. */
struct bb_reply {
    struct hd_frame frame;
    uint8_t *body; /* own; bb_reply_free */
};

/* --- connections --- */

/* "unix:/path", "/path" or "tcp:127.0.0.1:port"; no Hello yet. */
void bb_dial(struct bb_client *client, const char *address);
/* The same, and says Hello. */
void bb_connect(struct bb_client *client, const char *address);
void bb_hello(struct bb_client *client, const char *name);
void bb_close(struct bb_client *client);

/* --- bytes --- */

/* Packs a frame; the size. `message` NULL: no body. */
size_t bb_pack(uint8_t *to, size_t room, uint16_t method, uint64_t id, uint8_t flags, const ProtobufCMessage *message);
void bb_write(struct bb_client *client, const void *bytes, size_t count);
/* True if the daemon closes within the patience; what still comes is thrown away. */
bool bb_is_closed(struct bb_client *client);
/* True if something has come, within so many milliseconds. */
bool bb_has_reply(struct bb_client *client, int wait_ms);

/* --- requests --- */

/* Sends without waiting; the request's id. */
uint64_t bb_send(struct bb_client *client, uint16_t method, const ProtobufCMessage *message);
void bb_send_cancel(struct bb_client *client, uint16_t method, uint64_t id);
/* The next frame; the test fails if none comes. */
void bb_receive(struct bb_client *client, struct bb_reply *out);
void bb_reply_free(struct bb_reply *reply);
/* send and receive; the reply's id is the request's. */
void bb_call(struct bb_client *client, uint16_t method, const ProtobufCMessage *message, struct bb_reply *out);

/* --- expectations; each frees the reply --- */

void bb_expect_ok(struct bb_reply *reply);
/* Status and code of the table, a text, and `hint` in it; the request that failed first. */
uint64_t bb_expect_error(struct bb_reply *reply, int error, const char *hint);
int64_t bb_expect_integer(struct bb_reply *reply);
void bb_expect_handle(struct bb_reply *reply, uint64_t handle);

/* --- common requests, answered well, or the test fails --- */

/* A list of 0, 1, ... count - 1. */
void bb_create_list(struct bb_client *client, uint64_t into, unsigned count);
/* The frame alone, to be put into a pipeline. */
size_t bb_pack_create_list(uint8_t *to, size_t room, uint64_t id, uint64_t into, unsigned count);
void bb_bind(struct bb_client *client, const char *name, uint64_t handle);
void bb_unbind(struct bb_client *client, const char *name);
void bb_lookup(struct bb_client *client, const char *name, uint64_t into);
void bb_release(struct bb_client *client, uint64_t handle);
void bb_ping(struct bb_client *client);
uint64_t bb_length(struct bb_client *client, uint64_t handle);
/* One of the numbers of Stats; the test fails if there is none of the name. */
uint64_t bb_stat(struct bb_client *client, const char *name);
/* Objects, when dead sessions have released all that they held and all of it is freed. */
uint64_t bb_settled_objects(struct bb_client *client);
void bb_collect(struct bb_client *client);

/* Requests as the error tests want them. */
static inline Heapd__V1__Value bb_integer(int64_t integer)
{
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
    value.integer = integer;
    return value;
}

static inline Heapd__V1__Value bb_handle(uint64_t handle)
{
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
    value.handle = handle;
    return value;
}

/* A NUL-terminated text, lent. */
static inline ProtobufCBinaryData bb_text(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return (ProtobufCBinaryData){.len = length, .data = (uint8_t *)(uintptr_t)text};
}

#endif
