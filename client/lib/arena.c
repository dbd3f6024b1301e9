#include "client/lib/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define HD_ARENA_CHUNK_BYTES ((size_t)16 << 10)

struct hd_arena_chunk {
    alignas(16) struct hd_arena_chunk *next;
    size_t bytes;
    alignas(16) unsigned char data[];
};

static void *protobuf_alloc(void *context, size_t bytes)
{
    return hd_arena_alloc(context, bytes);
}

static void protobuf_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer;
}

void hd_arena_init(struct hd_arena *arena)
{
    *arena = (struct hd_arena){
        .protobuf = {.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena},
    };
}

void hd_arena_fini(struct hd_arena *arena)
{
    if (!arena)
        return;
    while (arena->first) {
        struct hd_arena_chunk *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    arena->used_bytes = 0;
}

void *hd_arena_alloc(struct hd_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    size_t rounded = (bytes + 15) & ~(size_t)15;
    struct hd_arena_chunk *chunk = arena->first;
    if (!chunk || rounded > chunk->bytes - arena->used_bytes) {
        /* Chunks double, so that a message of many small parts needs few of them. */
        size_t wanted = chunk ? chunk->bytes * 2 : HD_ARENA_CHUNK_BYTES;
        if (wanted < rounded)
            wanted = rounded;
        chunk = malloc(sizeof *chunk + wanted);
        if (!chunk) {
            arena->failed = true;
            return NULL;
        }
        chunk->next = arena->first;
        chunk->bytes = wanted;
        arena->first = chunk;
        arena->used_bytes = 0;
    }
    void *result = chunk->data + arena->used_bytes;
    arena->used_bytes += rounded;
    return result;
}

void hd_arena_reset(struct hd_arena *arena)
{
    while (arena->first && (arena->first->next || arena->first->bytes > HD_ARENA_CHUNK_BYTES)) {
        struct hd_arena_chunk *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    arena->used_bytes = 0;
    arena->failed = false;
}
