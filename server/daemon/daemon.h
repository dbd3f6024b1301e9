/*
 * A daemon from start to end: sockets, heap, rpc server, loop, and all of it
 * given back in the opposite order.
 */
#ifndef HEAPD_DAEMON_DAEMON_H
#define HEAPD_DAEMON_DAEMON_H

#include "common/error.h"
#include "daemon/log.h"
#include "daemon/settings.h"

/*
 * Serves until SIGTERM, SIGINT or an administrator's request. 0 after an orderly
 * end; else the start has failed and the log says why. Handles the process's
 * signals, raises its limit of open files: one daemon per process.
 */
int hd_daemon_run(const struct hd_settings *settings, const struct hd_log *log) HD_MUST_USE;

#endif
