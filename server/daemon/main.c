#include <stdio.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/options.h"

/* Exit status, as a service manager reads them. */
enum { EXIT_STATUS_OK = 0, EXIT_STATUS_FAILED = 1, EXIT_STATUS_SETTINGS = 2 };

static int serve(const struct hd_settings *settings)
{
    struct hd_log log;
    hd_log_init(&log, STDERR_FILENO, settings->log_level);
    return hd_daemon_run(settings, &log) ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}

int main(int argc, char **argv)
{
    struct hd_options options;
    struct hd_reason reason = {""};
    if (hd_options_parse(argc, argv, &options, &reason)) {
        (void)fprintf(stderr, "heapd: %s\n", reason.text);
        return EXIT_STATUS_SETTINGS;
    }
    switch (options.action) {
    case HD_ACTION_HELP:
        (void)fputs(hd_options_usage(), stdout);
        return EXIT_STATUS_OK;
    case HD_ACTION_VERSION:
        (void)printf("heapd %s\n", HEAPD_VERSION);
        return EXIT_STATUS_OK;
    case HD_ACTION_CHECK_CONFIG:
        (void)printf("%s: the settings are right\n", options.config_path ? options.config_path : "command line");
        return EXIT_STATUS_OK;
    case HD_ACTION_SERVE:
        break;
    }
    return serve(&options.settings);
}
