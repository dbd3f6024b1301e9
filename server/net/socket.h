/*
 * Listening sockets, made so that two daemons never share one address.
 *
 * A Unix socket has a lock file beside it, PATH.lock. Whoever holds the lock
 * owns the path: a socket file that is found there then is stale, unless some
 * other program answers on it. Both files go when the socket is closed. The
 * socket's mode is 0600 from the moment it exists.
 *
 * No event loop here. Not safe while other threads create files: the umask is
 * the process's.
 */
#ifndef HEAPD_NET_SOCKET_H
#define HEAPD_NET_SOCKET_H

#include <sys/types.h>

#include "common/error.h"
#include "net/address.h"
#include "net/reason.h"

struct hd_socket {
    int fd;      /* own; non-blocking, closed on exec */
    int lock_fd; /* own; -1: the path is not ours (inherited), or there is none (TCP) */
    dev_t device;
    ino_t inode;               /* of the socket file that we made: only that one is removed */
    struct hd_address address; /* as bound: with the port that the system chose */
};

/* HD_EEXISTS (another daemon listens there), HD_ESYSTEM, HD_EINVALID; *reason says what to do. */
int hd_socket_listen(const struct hd_address *address, struct hd_socket *out, struct hd_reason *reason) HD_MUST_USE;

/*
 * Takes over a listening socket that the starter of this process opened. On
 * success the descriptor is owned. HD_EINVALID or HD_ESYSTEM with a reason.
 */
int hd_socket_adopt(int fd, struct hd_socket *out, struct hd_reason *reason) HD_MUST_USE;

/*
 * How many descriptors, from HD_SOCKET_INHERITED_FIRST on, were handed to this
 * very process by LISTEN_FDS and LISTEN_PID; 0 if none. Takes the two variables
 * out of the environment, so that no child believes they are meant for it.
 */
int hd_socket_inherited_count(void);
#define HD_SOCKET_INHERITED_FIRST 3

/* Closes, and removes the files that we made. Idempotent. */
void hd_socket_close(struct hd_socket *socket);

#endif
