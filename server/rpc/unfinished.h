/* Requests that outlive their frame: unfinished.c. */
#ifndef HEAPD_RPC_UNFINISHED_H
#define HEAPD_RPC_UNFINISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "rpc/call.h"

struct hd_unfinished;

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

#endif
