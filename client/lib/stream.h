/*
 * The parts of an export that have come and were not read yet: the bodies of
 * its frames, in order. Filled by whichever thread reads the socket, with the
 * connection's lock held, and emptied by the export's own thread likewise.
 */
#ifndef HEAPD_CLIENT_STREAM_H
#define HEAPD_CLIENT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct hd_stream_part {
    struct hd_stream_part *next;
    size_t bytes;
    uint8_t data[];
};

struct hd_stream {
    struct hd_stream_part *first; /* own */
    struct hd_stream_part *last;
};

/* Copies a body. HD_ENOMEM. */
int hd_stream_push(struct hd_stream *stream, const uint8_t *body, size_t bytes) HD_MUST_USE;
/* The oldest part, which the caller then owns (free); NULL if there is none. */
struct hd_stream_part *hd_stream_pop(struct hd_stream *stream);
void hd_stream_fini(struct hd_stream *stream);

#endif
