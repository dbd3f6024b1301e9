/*
 * Where a daemon listens, as people write it:
 *
 *     /run/heapd/heapd.sock  or  unix:/run/heapd/heapd.sock
 *     tcp:127.0.0.1:7411  or  tcp:[::1]:7411  or  tcp:localhost:7411
 *
 * TCP is for the loopback interface alone: the protocol has neither encryption
 * nor authentication, so other addresses are refused here, in one place.
 */
#ifndef HEAPD_NET_ADDRESS_H
#define HEAPD_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/error.h"
#include "net/reason.h"

#define HD_ADDRESS_TEXT_BYTES 128 /* the longest Unix path with its prefix fits */

struct hd_address {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
    } socket;
    socklen_t length;
    char text[HD_ADDRESS_TEXT_BYTES]; /* in the long form, with the prefix */
};

static inline bool hd_address_is_unix(const struct hd_address *address)
{
    return address->socket.any.sa_family == AF_UNIX;
}

/* HD_EINVALID, and *reason says why. Port 0 is allowed: the system chooses. */
int hd_address_parse(const char *text, struct hd_address *out, struct hd_reason *reason) HD_MUST_USE;

/*
 * The address that a bound socket has. HD_EINVALID with a reason for one that
 * the daemon must not listen on (not Unix, not loopback); HD_ESYSTEM.
 */
int hd_address_of(int fd, struct hd_address *out, struct hd_reason *reason) HD_MUST_USE;

#endif
