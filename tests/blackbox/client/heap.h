/* What tests of libheapd share: a daemon, and calls that must come off. */
#ifndef HEAPD_TESTS_BLACKBOX_CLIENT_HEAP_H
#define HEAPD_TESTS_BLACKBOX_CLIENT_HEAP_H

#include <heapd/heapd.h>
#include <stdio.h>

#include "fixture.h"
#include "test.h"

static struct bb_daemon bb;

/* A daemon with the settings that it has by itself. */
static inline int start_plain(void **state)
{
    (void)state;
    bb_daemon_start(&bb, NULL);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    bb_daemon_stop(&bb);
    return 0;
}

/* Runs a call, whose last argument is &error, and shows the daemon's words if it fails. */
#define DO(call) \
    do { \
        int do_code = (call); \
        if (do_code) \
            fail_msg("%s: %d, %s", #call, do_code, error.message); \
    } while (0)

static inline struct heapd_connection *join(void)
{
    struct heapd_connection *heap = NULL;
    struct heapd_error error;
    char address[128];
    (void)snprintf(address, sizeof address, "unix:%s", bb.path);
    DO(heapd_connect(address, NULL, &heap, &error));
    return heap;
}

#endif
