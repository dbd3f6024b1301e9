/* One connection: its session, what is unfinished of it, its output. */
#ifndef HEAPD_RPC_CONNECTION_H
#define HEAPD_RPC_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "rpc/limits.h"
#include "rpc/passing.h"
#include "rpc/release.h"
#include "rpc/rpc.h"
#include "session/session.h"
#include "session/tokens.h"

struct hd_batch;
struct hd_reading;
struct hd_subscription;
struct hd_unfinished;

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
    struct hd_buffer output; /* empty => capacity >= HD_REPLY_ROOM_BYTES */
    struct hd_passing_list passing;
    struct hd_batch *batch;                 /* own; NULL: none is open */
    struct hd_release release;              /* of many handles, as far as it has come */
    struct hd_reading *reading;             /* own: a long literal, as far as it was read; NULL */
    struct hd_unfinished *unfinished_first; /* oldest first */
    struct hd_unfinished *unfinished_last;
    uint32_t unfinished_count;
    uint64_t unfinished_highest_id;        /* of all that ever were: who counts up need not be looked for among them */
    uint32_t blocked_count;                /* of these, waiting for output to drain */
    uint32_t working_count;                /* of these, not parked: they go on by themselves */
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

#endif
