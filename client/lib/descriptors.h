/* Descriptors as they came over the socket, oldest first. */
#ifndef HEAPD_CLIENT_DESCRIPTORS_H
#define HEAPD_CLIENT_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* More than the daemon has under way; beyond them they are closed, and their frames are broken ones. */
#define HD_DESCRIPTORS_MAX 256

struct hd_descriptors {
    int *fds; /* own; a queue, round */
    uint32_t first;
    uint32_t count;
};

/* recvmsg, and what descriptors come with the bytes are queued. Returns as recv. */
ssize_t hd_descriptors_recv(struct hd_descriptors *descriptors, int socket, void *to, size_t room, int flags);
#define HD_DESCRIPTOR_NONE (-1)
#define HD_DESCRIPTOR_LOST (-2) /* it came, and this process could not take it */

/* The oldest, which is the caller's then; or one of these. */
int hd_descriptors_take(struct hd_descriptors *descriptors);
void hd_descriptors_fini(struct hd_descriptors *descriptors);

#endif
