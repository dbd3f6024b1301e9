/*
 * Tells AddressSanitizer which bytes of the heap nobody may touch: all that is
 * neither a live block nor the allocator's own records. Nothing in other builds.
 */
#ifndef HEAPD_ALLOC_POISON_H
#define HEAPD_ALLOC_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define HD_POISON_ENABLED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HD_POISON_ENABLED 1
#endif
#endif

#ifdef HD_POISON_ENABLED
#include <sanitizer/asan_interface.h>

static inline void hd_poison(const void *from, size_t bytes)
{
    __asan_poison_memory_region(from, bytes);
}

static inline void hd_unpoison(const void *from, size_t bytes)
{
    __asan_unpoison_memory_region(from, bytes);
}
#else
static inline void hd_poison(const void *from, size_t bytes)
{
    (void)from;
    (void)bytes;
}

static inline void hd_unpoison(const void *from, size_t bytes)
{
    (void)from;
    (void)bytes;
}
#endif

#endif
