/*
 * The buffers that this process has mapped, once each, for all its connections.
 *
 * A file of memory is known by device and inode, which are the kernel's and cannot be used again while it is mapped. A
 * mapping also remembers by which serial number each connection knows it, for bytes that came in parts, and by which
 * handle it was got last: a handle that is held names the same object for ever, and a sealed buffer does not change, so
 * who gets it again by that handle need not ask the daemon.
 */
#ifndef HEAPD_CLIENT_MAPPING_H
#define HEAPD_CLIENT_MAPPING_H

#include <heapd/buffer.h>
#include <stdbool.h>

#include "common/error.h"

enum hd_mapping_key {
    HD_MAPPING_SERIAL,
    HD_MAPPING_HANDLE,
};

/* One more reference to what this connection knows by that; NULL: nothing. */
struct heapd_buffer *hd_mapping_find(uint64_t connection_number, enum hd_mapping_key key, uint64_t number);
/*
 * Has the file of memory so many bytes, and can nobody do to it what these seals forbid? One that is shorter than its
 * mapping would end this process, so what a daemon sends is looked at first.
 */
bool hd_mapping_is_safe(int fd, uint64_t bytes, int seals);
/* Maps the file, or finds it mapped. fd stays the caller's. HD_ENOMEM, HD_EPROTOCOL (its size, or not sealed). */
int hd_mapping_of_file(int fd, uint64_t bytes, struct heapd_buffer **out) HD_MUST_USE;
/* Memory of this process alone, which nobody finds before it is remembered. HD_ENOMEM. */
int hd_mapping_private(uint64_t bytes, struct heapd_buffer **out, void **data) HD_MUST_USE;
/* It is filled. */
void hd_mapping_protect(struct heapd_buffer *buffer);
/*
 * The connection knows the buffer by this from now on, and by no other number of the kind. Without memory for it, the
 * next get asks the daemon again.
 */
void hd_mapping_remember(struct heapd_buffer *buffer, uint64_t connection_number, enum hd_mapping_key key,
                         uint64_t number);

#endif
