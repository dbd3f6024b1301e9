#include "common/utf8.h"

#include <string.h>

#include "common/load.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_BITS UINT64_C(0x0101010101010101)

static inline uint64_t load(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* How many bytes at the front are ASCII, rounded down to what whole words show: most text is nothing else. */
static inline size_t skip_ascii(const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    while (count - at >= 32) {
        uint64_t any = load(bytes + at) | load(bytes + at + 8) | load(bytes + at + 16) | load(bytes + at + 24);
        if (any & HIGH_BITS)
            break;
        at += 32;
    }
    while (count - at >= 8 && !(load(bytes + at) & HIGH_BITS))
        at += 8;
    return at;
}

static inline bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * Bytes of the well-formed sequence at the front, 0 if there is none. All of
 * what RFC 3629 forbids beyond a plain bit pattern shows in the second byte:
 * overlong forms (c0, c1, e0 80..9f, f0 80..8f), surrogates (ed a0..bf) and what
 * lies beyond U+10FFFF (f4 90.., f5..).
 */
static inline size_t sequence_bytes(const uint8_t *bytes, size_t count)
{
    uint8_t first = bytes[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || count < 2)
        return 0;
    uint8_t second = bytes[1];
    if (first < 0xe0)
        return is_continuation(second) ? 2 : 0;
    uint8_t lowest = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t highest = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (second < lowest || second > highest || count < 3 || !is_continuation(bytes[2]))
        return 0;
    if (first < 0xf0)
        return 3;
    return count >= 4 && is_continuation(bytes[3]) ? 4 : 0;
}

static inline bool is_ascii(const uint8_t *bytes, size_t count)
{
    if (count < 8)
        return !(hd_load_short(bytes, count) & HIGH_BITS);
    /* The last word may overlap the one before it. */
    size_t skipped = skip_ascii(bytes, count);
    return count - skipped < 8 && !(load(bytes + count - 8) & HIGH_BITS);
}

bool hd_utf8_valid(const uint8_t *bytes, size_t count)
{
    if (is_ascii(bytes, count))
        return true;
    size_t at = 0;
    while (at < count) {
        if (bytes[at] < 0x80) {
            size_t skipped = skip_ascii(bytes + at, count - at);
            at += skipped ? skipped : 1;
            continue;
        }
        size_t taken = sequence_bytes(bytes + at, count - at);
        if (!taken)
            return false;
        at += taken;
    }
    return true;
}

size_t hd_utf8_length(const uint8_t *bytes, size_t count)
{
    /* Every byte but a continuation begins a code point. */
    size_t continuations = 0;
    size_t at = 0;
    for (; count - at >= 8; at += 8) {
        uint64_t word = load(bytes + at);
        uint64_t marks = (word >> 7) & (~word >> 6) & LOW_BITS;
        continuations += (size_t)(marks * LOW_BITS >> 56); /* the sum of the eight bytes */
    }
    for (; at < count; at++)
        continuations += is_continuation(bytes[at]);
    return count - continuations;
}
