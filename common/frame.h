/*
 * Frames: the unit of the wire. No I/O: bytes in, headers out.
 *
 *     offset  size  field
 *          0     4  body_bytes    of the body that follows the header
 *          4     2  method        heapd.v1.Method; a reply repeats its request's
 *          6     1  flags
 *          7     1  descriptors   passed with the first byte of this frame
 *          8     8  request_id    chosen by the client; 0 in events
 *
 * All little endian. The body is one protobuf message of the method.
 */
#ifndef HEAPD_COMMON_FRAME_H
#define HEAPD_COMMON_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define HD_FRAME_HEADER_BYTES 16
/* What version 1 allows for a body; HelloReply may say less, never more. */
#define HD_FRAME_MAX_BODY_BYTES (16u << 20)

#define HD_PROTOCOL_VERSION 1

enum hd_frame_flag {
    HD_FRAME_EVENT = 1,  /* from the daemon, answers no request */
    HD_FRAME_MORE = 2,   /* further frames with this request id follow */
    HD_FRAME_CANCEL = 4, /* from the client: stop the request of this id; no body */
    HD_FRAME_ERROR = 8,  /* from the daemon: the body is heapd.v1.Error */
};
#define HD_FRAME_FLAGS_KNOWN (HD_FRAME_EVENT | HD_FRAME_MORE | HD_FRAME_CANCEL | HD_FRAME_ERROR)

struct hd_frame {
    uint32_t body_bytes;
    uint16_t method;
    uint8_t flags;
    uint8_t descriptors;
    uint64_t request_id;
};

void hd_frame_write(uint8_t out[HD_FRAME_HEADER_BYTES], const struct hd_frame *frame);

/*
 * Reads the header at the front of `count` bytes. Returns
 *   0               the header was read into *out; the whole frame is there if
 *                   count >= HD_FRAME_HEADER_BYTES + out->body_bytes
 *   1               fewer bytes than a header; *out is unchanged
 *   HD_ETOO_LARGE   a body beyond max_body_bytes; *out holds the header, so that
 *                   the refusal can name the request
 *   HD_EPROTOCOL    unknown flags; likewise
 * After an error the stream cannot be followed any further.
 */
int hd_frame_read(const uint8_t *bytes, size_t count, uint32_t max_body_bytes, struct hd_frame *out) HD_MUST_USE;

#endif
