/*
 * A stream of frames gives the same frames, and ends in the same error,
 * whether it arrives whole or in pieces. Input: one byte that says how to cut,
 * then the stream.
 */
#include <string.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "fuzz.h"

#define MAX_FRAMES 256
#define MAX_BODY_BYTES 1000

struct receiver {
    struct hd_buffer input;
    struct hd_frame frames[MAX_FRAMES];
    uint32_t sums[MAX_FRAMES];
    size_t count;
    int error;
};

static uint32_t sum(const uint8_t *bytes, size_t count)
{
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++)
        total = total * 31 + bytes[i];
    return total;
}

static void take_frames(struct receiver *receiver)
{
    while (receiver->count < MAX_FRAMES && !receiver->error) {
        const uint8_t *head = hd_buffer_head(&receiver->input);
        size_t readable = hd_buffer_readable(&receiver->input);
        struct hd_frame frame;
        int result = hd_frame_read(head, readable, MAX_BODY_BYTES, &frame);
        if (result < 0)
            receiver->error = result;
        if (result || readable < HD_FRAME_HEADER_BYTES + frame.body_bytes)
            return;
        uint8_t header[HD_FRAME_HEADER_BYTES];
        hd_frame_write(header, &frame);
        FUZZ_CHECK(memcmp(header, head, sizeof header) == 0);
        receiver->frames[receiver->count] = frame;
        receiver->sums[receiver->count++] = sum(head + HD_FRAME_HEADER_BYTES, frame.body_bytes);
        hd_buffer_consume(&receiver->input, HD_FRAME_HEADER_BYTES + frame.body_bytes);
    }
}

/* Pieces of at most `piece` bytes, no two in a row of the same size. Whole frames never wait in a buffer of this limit.
 */
static void receive(struct receiver *receiver, const uint8_t *bytes, size_t count, size_t piece)
{
    hd_buffer_init(&receiver->input, &hd_allocator_libc, HD_FRAME_HEADER_BYTES + MAX_BODY_BYTES + piece);
    for (size_t at = 0, turn = 0; at < count && !receiver->error && receiver->count < MAX_FRAMES; turn++) {
        size_t step = 1 + (turn * 7 + piece / 2) % piece;
        if (step > count - at)
            step = count - at;
        FUZZ_CHECK(hd_buffer_append(&receiver->input, bytes + at, step) == 0);
        at += step;
        take_frames(receiver);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return -1;
    size_t piece = 1 + (size_t)data[0] % 97;
    struct receiver whole = {.count = 0};
    struct receiver cut = {.count = 0};
    hd_buffer_init(&whole.input, &hd_allocator_libc, size);
    FUZZ_CHECK(hd_buffer_append(&whole.input, data + 1, size - 1) == 0);
    take_frames(&whole);
    receive(&cut, data + 1, size - 1, piece);
    FUZZ_CHECK(whole.count == cut.count && whole.error == cut.error);
    for (size_t i = 0; i < whole.count; i++) {
        FUZZ_CHECK(whole.frames[i].request_id == cut.frames[i].request_id);
        FUZZ_CHECK(whole.frames[i].body_bytes == cut.frames[i].body_bytes);
        FUZZ_CHECK(whole.sums[i] == cut.sums[i]);
    }
    hd_buffer_fini(&whole.input);
    hd_buffer_fini(&cut.input);
    return 0;
}
