/*
 * The one way to ask for bookkeeping memory: a sized callback, as Lua has it.
 *
 * Daemon and client share the code in common/, but not an allocator: the
 * daemon's is accounted and limited (server/alloc/account.h), the client's is
 * the C library's. Sizes are given back on free, so an allocator needs no
 * header of its own to keep account.
 */
#ifndef HEAPD_COMMON_ALLOCATOR_H
#define HEAPD_COMMON_ALLOCATOR_H

#include <stddef.h>

struct hd_allocator {
    /*
     * Makes (pointer NULL, old_bytes 0), resizes, or frees (new_bytes 0) a
     * block of at least 16-byte alignment. Returns NULL when there is no memory
     * (the old block is then untouched) and after a free.
     */
    void *(*resize)(void *context, void *pointer, size_t old_bytes, size_t new_bytes);
    void *context;
};

/* The C library's malloc, realloc and free. */
extern const struct hd_allocator hd_allocator_libc;

static inline void *hd_allocator_new(const struct hd_allocator *allocator, size_t bytes)
{
    return allocator->resize(allocator->context, NULL, 0, bytes);
}

/* As above, and all zero. */
void *hd_allocator_new_zeroed(const struct hd_allocator *allocator, size_t bytes);

static inline void *hd_allocator_resize(const struct hd_allocator *allocator, void *pointer, size_t old_bytes,
                                        size_t new_bytes)
{
    return allocator->resize(allocator->context, pointer, old_bytes, new_bytes);
}

static inline void hd_allocator_free(const struct hd_allocator *allocator, void *pointer, size_t bytes)
{
    if (pointer)
        allocator->resize(allocator->context, pointer, bytes, 0);
}

#endif
