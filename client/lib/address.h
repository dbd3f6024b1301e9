/* Where a daemon listens: the text of an address, and a socket connected to it. */
#ifndef HEAPD_CLIENT_ADDRESS_H
#define HEAPD_CLIENT_ADDRESS_H

#include <sys/socket.h>

#include "client/lib/error.h"

struct hd_client_address {
    struct sockaddr_storage socket;
    socklen_t length;
    char text[160]; /* as in error messages: "unix:/run/heapd/heapd.sock" */
};

/* NULL: the environment, then the default. HD_ESYNTAX, HD_ETOO_LARGE, HD_EUNAVAILABLE (a host that has no address). */
int hd_client_address_parse(const char *text, struct hd_client_address *out, struct heapd_error *error) HD_MUST_USE;

/* A connected, close-on-exec stream socket. HD_EUNAVAILABLE (also when the time is over), HD_ESYSTEM. */
int hd_client_address_connect(const struct hd_client_address *address, unsigned timeout_ms, int *out,
                              struct heapd_error *error) HD_MUST_USE;

#endif
