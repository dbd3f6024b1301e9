/*
 * Memory for one request: handed out by moving a pointer, taken back all at once.
 *
 * The first chunk is kept, so small requests allocate nothing. What decoding may
 * take is bounded by the size of the message: the bytes of a client decide how
 * much it gets, not what they claim.
 */
#ifndef HEAPD_RPC_ARENA_H
#define HEAPD_RPC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/allocator.h"
#include "common/error.h"

#define HD_ARENA_FIRST_BYTES ((size_t)32 << 10)
/* A packed column of one-byte varints becomes eight times as large; small messages have structs beside it. */
#define HD_DECODE_FACTOR 9
#define HD_DECODE_EXTRA_BYTES ((size_t)64 << 10)

struct hd_arena_chunk {
    struct hd_arena_chunk *next;
    size_t bytes; /* with this header */
};

/* A multiple of what memory is aligned to. */
#define HD_ARENA_CHUNK_HEADER_BYTES ((sizeof(struct hd_arena_chunk) + 15) & ~(size_t)15)

struct hd_rpc_arena {
    const struct hd_allocator *allocator; /* borrow, until fini */
    ProtobufCAllocator protobuf;          /* what protobuf-c is given; its limit is limit_bytes */
    struct hd_arena_chunk *first;         /* own; the newest is in front, the kept one last */
    char *at;
    char *end;
    size_t taken_bytes; /* by protobuf, since hd_rpc_arena_limit */
    size_t limit_bytes;
    int error; /* why the last allocation failed: HD_ENOMEM or HD_ETOO_LARGE */
};

/* The arena must not move. HD_ENOMEM. */
int hd_rpc_arena_init(struct hd_rpc_arena *arena, const struct hd_allocator *allocator) HD_MUST_USE;
void hd_rpc_arena_fini(struct hd_rpc_arena *arena);
/* Takes everything back. */
void hd_rpc_arena_reset(struct hd_rpc_arena *arena);
/* Was anything handed out since? */
static inline bool hd_rpc_arena_is_used(const struct hd_rpc_arena *arena)
{
    return arena->first->next || arena->at != (const char *)arena->first + HD_ARENA_CHUNK_HEADER_BYTES;
}
/*
 * Makes `arena` out of what `from` holds; `from` is then empty and ready. HD_ENOMEM:
 * nothing has changed.
 */
int hd_rpc_arena_take_over(struct hd_rpc_arena *arena, struct hd_rpc_arena *from) HD_MUST_USE;
/* Each gets what the other handed out. */
void hd_rpc_arena_exchange(struct hd_rpc_arena *left, struct hd_rpc_arena *right);
/* What decoding a message of `body_bytes` may take from now on. */
void hd_rpc_arena_limit(struct hd_rpc_arena *arena, size_t body_bytes);
/* Aligned to 16, undefined contents, until reset. NULL: no memory (the limit is not looked at). */
void *hd_rpc_arena_get(struct hd_rpc_arena *arena, size_t bytes);

#endif
