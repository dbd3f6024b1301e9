#include "common/frame.h"

/* Spelled out, since compilers make one load or store of it on a little endian machine. */
static inline uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline void put32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

void hd_frame_write(uint8_t out[HD_FRAME_HEADER_BYTES], const struct hd_frame *frame)
{
    put32(out, frame->body_bytes);
    put32(out + 4, frame->method | (uint32_t)frame->flags << 16 | (uint32_t)frame->descriptors << 24);
    put32(out + 8, (uint32_t)frame->request_id);
    put32(out + 12, (uint32_t)(frame->request_id >> 32));
}

int hd_frame_read(const uint8_t *bytes, size_t count, uint32_t max_body_bytes, struct hd_frame *out)
{
    if (count < HD_FRAME_HEADER_BYTES)
        return 1;
    uint32_t kind = get32(bytes + 4);
    *out = (struct hd_frame){
        .body_bytes = get32(bytes),
        .method = (uint16_t)kind,
        .flags = (uint8_t)(kind >> 16),
        .descriptors = (uint8_t)(kind >> 24),
        .request_id = get32(bytes + 8) | (uint64_t)get32(bytes + 12) << 32,
    };
    if (out->body_bytes > max_body_bytes)
        return HD_ETOO_LARGE;
    if (out->flags & ~HD_FRAME_FLAGS_KNOWN)
        return HD_EPROTOCOL;
    return 0;
}
