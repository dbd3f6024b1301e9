/*
 * Tells the service manager how we are: sd_notify's protocol, which is one
 * datagram of "NAME=value" lines to the socket that NOTIFY_SOCKET names, and is
 * documented as stable. Written here rather than linked: libsystemd would bring
 * compression and cryptography libraries into the daemon for these few lines.
 */
#ifndef HEAPD_DAEMON_NOTIFY_H
#define HEAPD_DAEMON_NOTIFY_H

#include "common/error.h"

/*
 * Sends, for example, "READY=1". 0 too when nobody asked to be told; HD_ESYSTEM
 * (errno says why) when the manager's socket does not take it.
 */
int hd_notify(const char *state);

#endif
