/* How much at most: of replies, and of work at once. */
#ifndef HEAPD_RPC_LIMITS_H
#define HEAPD_RPC_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/frame.h"
#include "object/object.h"

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

#endif
