/* What both sides of buffers need. */
#ifndef HEAPD_CLIENT_BUFFER_H
#define HEAPD_CLIENT_BUFFER_H

#include <heapd/buffer.h>

#include "client/lib/error.h"

/* What the daemon takes and gives at once. */
#define HD_BUFFER_PART_BYTES ((size_t)256 << 10)
/* Up to here a buffer that lies somewhere already goes to the daemon as bytes; DESIGN.md has the figures. */
#define HD_BUFFER_SMALL_BYTES ((uint64_t)32 << 10)
/* Parts under way at once, over TCP. */
#define HD_BUFFER_PARTS 8

/* HD_EDESCRIPTORS. */
int hd_buffer_fail_descriptor(struct heapd_error *error);

#endif
