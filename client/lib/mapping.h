/*
 * The buffers that this process has mapped, once each, for all its connections.
 *
 * A file of memory is known by device and inode, which are the kernel's and cannot be used again while it is mapped. So
 * that a second get need not pass a descriptor, a mapping also remembers by which serial numbers it is known on which
 * connections.
 */
#ifndef HEAPD_CLIENT_MAPPING_H
#define HEAPD_CLIENT_MAPPING_H

#include <heapd/buffer.h>

#include "common/error.h"

/* One more reference to what this connection knows by that serial; NULL: nothing. */
struct heapd_buffer *hd_mapping_find(uint64_t connection_number, uint64_t serial);
/* Maps the file, or finds it mapped, and remembers the serial. fd stays the caller's. HD_ENOMEM, HD_EPROTOCOL (its
 * size). */
int hd_mapping_of_file(int fd, uint64_t bytes, uint64_t connection_number, uint64_t serial,
                       struct heapd_buffer **out) HD_MUST_USE;
/* Memory of this process alone, to be filled before hd_mapping_share makes it known. HD_ENOMEM. */
int hd_mapping_private(uint64_t bytes, struct heapd_buffer **out, void **data) HD_MUST_USE;
void hd_mapping_share(struct heapd_buffer *buffer, uint64_t connection_number, uint64_t serial);

#endif
