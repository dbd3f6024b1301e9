/* Frames that stay in the input while they are read in turns: releases of many handles, long literals. */
#ifndef HEAPD_RPC_RELEASE_H
#define HEAPD_RPC_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/frame.h"
#include "session/session.h"

struct hd_call;
struct hd_rpc_connection;

/* ---- release.c ---- */

/* A Release of many handles: its frame stays in the input until it is done. */
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

/* Is it a Release that takes more than one turn? */
bool hd_release_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame);
/* Goes on with it. 0: replied; HD_CALL_LATER: there is more, and the frame is to be given again; or an error. */
int hd_release_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;

/* ---- columns.c ---- */

/* Is it a Create or Extend whose message takes more than one turn to be taken apart? */
bool hd_reading_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame);
/* Goes on with it, and runs it in the end. As hd_release_step, or HD_CALL_CONTINUES. */
int hd_reading_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body) HD_MUST_USE;
void hd_reading_free(struct hd_rpc_connection *connection);

#endif
