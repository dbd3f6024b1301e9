#include "rpc/arena.h"

#include <stdint.h>

#define ALIGN ((size_t)16)

static int add_chunk(struct hd_rpc_arena *arena, size_t bytes)
{
    struct hd_arena_chunk *chunk = hd_allocator_new(arena->allocator, bytes);
    if (!chunk)
        return HD_ENOMEM;
    chunk->next = arena->first;
    chunk->bytes = bytes;
    arena->first = chunk;
    arena->at = (char *)chunk + HD_ARENA_CHUNK_HEADER_BYTES;
    arena->end = (char *)chunk + bytes;
    return 0;
}

void *hd_rpc_arena_get(struct hd_rpc_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) {
        arena->error = HD_ENOMEM;
        return NULL;
    }
    bytes = bytes ? (bytes + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    if (bytes > (size_t)(arena->end - arena->at)) {
        size_t chunk_bytes = HD_ARENA_FIRST_BYTES * 4;
        if (chunk_bytes < bytes + HD_ARENA_CHUNK_HEADER_BYTES)
            chunk_bytes = bytes + HD_ARENA_CHUNK_HEADER_BYTES;
        arena->error = add_chunk(arena, chunk_bytes);
        if (arena->error)
            return NULL;
    }
    void *result = arena->at;
    arena->at += bytes;
    return result;
}

static void *protobuf_alloc(void *context, size_t bytes)
{
    struct hd_rpc_arena *arena = context;
    if (bytes > arena->limit_bytes - arena->taken_bytes) {
        arena->error = HD_ETOO_LARGE;
        return NULL;
    }
    void *result = hd_rpc_arena_get(arena, bytes);
    if (result)
        arena->taken_bytes += bytes;
    return result;
}

static void protobuf_free(void *context, void *pointer)
{
    (void)context;
    (void)pointer; /* the reset does it */
}

int hd_rpc_arena_init(struct hd_rpc_arena *arena, const struct hd_allocator *allocator)
{
    *arena = (struct hd_rpc_arena){.allocator = allocator};
    arena->protobuf = (ProtobufCAllocator){.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena};
    return add_chunk(arena, HD_ARENA_FIRST_BYTES);
}

void hd_rpc_arena_reset(struct hd_rpc_arena *arena)
{
    while (arena->first->next) {
        struct hd_arena_chunk *chunk = arena->first;
        arena->first = chunk->next;
        hd_allocator_free(arena->allocator, chunk, chunk->bytes);
    }
    arena->at = (char *)arena->first + HD_ARENA_CHUNK_HEADER_BYTES;
    arena->end = (char *)arena->first + arena->first->bytes;
}

void hd_rpc_arena_fini(struct hd_rpc_arena *arena)
{
    if (!arena || !arena->first)
        return;
    hd_rpc_arena_reset(arena);
    hd_allocator_free(arena->allocator, arena->first, arena->first->bytes);
    arena->first = NULL;
}

int hd_rpc_arena_take_over(struct hd_rpc_arena *arena, struct hd_rpc_arena *from)
{
    struct hd_arena_chunk *chunks = from->first;
    char *at = from->at, *end = from->end;
    from->first = NULL;
    if (add_chunk(from, HD_ARENA_FIRST_BYTES)) {
        from->first = chunks;
        return HD_ENOMEM;
    }
    from->first->next = NULL;
    *arena = (struct hd_rpc_arena){.allocator = from->allocator, .first = chunks, .at = at, .end = end};
    return 0;
}

void hd_rpc_arena_exchange(struct hd_rpc_arena *left, struct hd_rpc_arena *right)
{
    const struct hd_rpc_arena other = *left;
    left->first = right->first;
    left->at = right->at;
    left->end = right->end;
    right->first = other.first;
    right->at = other.at;
    right->end = other.end;
}

void hd_rpc_arena_limit(struct hd_rpc_arena *arena, size_t body_bytes)
{
    arena->taken_bytes = 0;
    arena->limit_bytes = body_bytes * HD_DECODE_FACTOR + HD_DECODE_EXTRA_BYTES;
    arena->error = 0;
}
