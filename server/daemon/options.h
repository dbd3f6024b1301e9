/* The command line. It goes over the configuration file, which goes over the defaults. */
#ifndef HEAPD_DAEMON_OPTIONS_H
#define HEAPD_DAEMON_OPTIONS_H

#include "common/error.h"
#include "daemon/settings.h"

enum hd_action {
    HD_ACTION_SERVE,
    HD_ACTION_CHECK_CONFIG,
    HD_ACTION_HELP,
    HD_ACTION_VERSION,
};

struct hd_options {
    enum hd_action action;
    const char *config_path;     /* borrow: an argument; NULL: no file */
    struct hd_settings settings; /* all of it, put together */
};

/*
 * Reads arguments and the file that they name. HD_EINVALID or HD_ESYSTEM with a
 * reason. Not to be called from two threads: getopt has state of its own.
 */
int hd_options_parse(int argc, char **argv, struct hd_options *out, struct hd_reason *reason) HD_MUST_USE;

/* What --help prints. */
const char *hd_options_usage(void);

#endif
