/*
 * A handle: a slot and a generation, both chosen by the client.
 *
 *     bits 0..31   slot, 1 .. max_slots - 1 (0 means "no handle")
 *     bits 32..63  generation, raised each time the client uses the slot again
 */
#ifndef HEAPD_COMMON_HANDLE_H
#define HEAPD_COMMON_HANDLE_H

#include <stdint.h>

typedef uint64_t hd_handle;

static inline hd_handle hd_handle_make(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}

static inline uint32_t hd_handle_slot(hd_handle handle)
{
    return (uint32_t)handle;
}

static inline uint32_t hd_handle_generation(hd_handle handle)
{
    return (uint32_t)(handle >> 32);
}

#endif
