/* Up to seven bytes as a number, the first byte lowest: without the call that memcpy of an unknown size is. */
#ifndef HEAPD_COMMON_LOAD_H
#define HEAPD_COMMON_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hd_load_short(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    if (count >= 4) {
        uint32_t low, high; /* they overlap unless count is 8 */
        memcpy(&low, at, 4);
        memcpy(&high, at + count - 4, 4);
        return low | (uint64_t)high << 8 * (count - 4);
    }
    if (count == 0) /* which may come without an address */
        return 0;
    /* First, middle and last: the same byte where there are fewer than three. */
    return at[0] | (uint64_t)at[count / 2] << 8 * (count / 2) | (uint64_t)at[count - 1] << 8 * (count - 1);
}

#endif
