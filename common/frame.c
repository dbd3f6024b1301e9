#include "common/frame.h"

static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

void hd_frame_write(uint8_t out[HD_FRAME_HEADER_BYTES], const struct hd_frame *frame)
{
    put(out, frame->body_bytes, 4);
    put(out + 4, frame->method, 2);
    out[6] = frame->flags;
    out[7] = frame->descriptors;
    put(out + 8, frame->request_id, 8);
}

int hd_frame_read(const uint8_t *bytes, size_t count, uint32_t max_body_bytes, struct hd_frame *out)
{
    if (count < HD_FRAME_HEADER_BYTES)
        return 1;
    *out = (struct hd_frame){
        .body_bytes = (uint32_t)get(bytes, 4),
        .method = (uint16_t)get(bytes + 4, 2),
        .flags = bytes[6],
        .descriptors = bytes[7],
        .request_id = get(bytes + 8, 8),
    };
    if (out->body_bytes > max_body_bytes)
        return HD_ETOO_LARGE;
    if (out->flags & ~HD_FRAME_FLAGS_KNOWN)
        return HD_EPROTOCOL;
    return 0;
}
