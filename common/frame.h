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

/* Spelled out, since compilers make one load or store of it on a little endian machine. */
static inline uint32_t hd_frame_get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline void hd_frame_put32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

static inline void hd_frame_write(uint8_t out[HD_FRAME_HEADER_BYTES], const struct hd_frame *frame)
{
    hd_frame_put32(out, frame->body_bytes);
    hd_frame_put32(out + 4, frame->method | (uint32_t)frame->flags << 16 | (uint32_t)frame->descriptors << 24);
    hd_frame_put32(out + 8, (uint32_t)frame->request_id);
    hd_frame_put32(out + 12, (uint32_t)(frame->request_id >> 32));
}

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
static inline int hd_frame_read(const uint8_t *bytes, size_t count, uint32_t max_body_bytes,
                                struct hd_frame *out) HD_MUST_USE;
static inline int hd_frame_read(const uint8_t *bytes, size_t count, uint32_t max_body_bytes, struct hd_frame *out)
{
    if (count < HD_FRAME_HEADER_BYTES)
        return 1;
    uint32_t kind = hd_frame_get32(bytes + 4);
    *out = (struct hd_frame){
        .body_bytes = hd_frame_get32(bytes),
        .method = (uint16_t)kind,
        .flags = (uint8_t)(kind >> 16),
        .descriptors = (uint8_t)(kind >> 24),
        .request_id = hd_frame_get32(bytes + 8) | (uint64_t)hd_frame_get32(bytes + 12) << 32,
    };
    if (out->body_bytes > max_body_bytes)
        return HD_ETOO_LARGE;
    if (out->flags & ~HD_FRAME_FLAGS_KNOWN)
        return HD_EPROTOCOL;
    return 0;
}

#endif
