/*
 * Memory for one protobuf message at a time: allocation moves a pointer,
 * nothing is freed by itself, a reset takes all of it back.
 *
 * A small first chunk stays between messages, so that ordinary replies cost no
 * malloc; what a large one needed beyond it goes back at the reset.
 */
#ifndef HEAPD_CLIENT_ARENA_H
#define HEAPD_CLIENT_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct hd_arena_chunk;

struct hd_arena {
    ProtobufCAllocator protobuf;  /* what protobuf-c is given; lend until fini */
    struct hd_arena_chunk *first; /* own; newest first, the kept one last */
    size_t used_bytes;            /* of the newest chunk */
    bool failed; /* memory was refused since the last reset: a message that does not unpack may be well */
};

/* Cannot fail: memory is asked for when it is needed. Must not be moved afterwards. */
void hd_arena_init(struct hd_arena *arena);
void hd_arena_fini(struct hd_arena *arena);
/* NULL if there is no memory. Aligned to 16 bytes. */
void *hd_arena_alloc(struct hd_arena *arena, size_t bytes);
void hd_arena_reset(struct hd_arena *arena);

#endif
