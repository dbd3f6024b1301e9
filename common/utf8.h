/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. NUL is a character. */
#ifndef HEAPD_COMMON_UTF8_H
#define HEAPD_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool hd_utf8_valid(const uint8_t *bytes, size_t count);
/* Code points in valid UTF-8. */
size_t hd_utf8_length(const uint8_t *bytes, size_t count);

#endif
