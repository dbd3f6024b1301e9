#include "daemon/options.h"

#include <getopt.h>
#include <string.h>

enum { OPTION_CHECK_CONFIG = 256, OPTION_FOREGROUND, OPTION_UNTIL_EOF };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"listen", required_argument, NULL, 'l'},
    {"memory-limit", required_argument, NULL, 'm'},
    {"log-level", required_argument, NULL, 'v'},
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {"until-eof", no_argument, NULL, OPTION_UNTIL_EOF},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

const char *hd_options_usage(void)
{
    return "Usage: heapd [option]...\n"
           "\n"
           "Serves one managed heap to many processes.\n"
           "\n"
           "  -c, --config FILE        read settings from FILE (key = value lines)\n"
           "  -l, --listen ADDRESS     unix:/PATH or tcp:127.0.0.1:PORT; may be given again; replaces\n"
           "                           those of the file. By default $XDG_RUNTIME_DIR/heapd.sock, else\n"
           "                           /run/heapd/heapd.sock for root, else /tmp/heapd-UID/heapd.sock\n"
           "  -m, --memory-limit SIZE  of objects and bookkeeping together: 512M, 4G, none\n"
           "  -v, --log-level LEVEL    error, warning, info or debug\n"
           "      --foreground         stay in the foreground; heapd always does\n"
           "      --until-eof          end when standard input ends: for a daemon that belongs to a\n"
           "                           program, which holds the other end of a pipe while it lives\n"
           "      --check-config       only say whether the settings are right\n"
           "  -V, --version            print the version\n"
           "  -h, --help               print this\n"
           "\n"
           "SIGTERM and SIGINT end it in order. Sockets from systemd (LISTEN_FDS) are taken over.\n";
}

struct given {
    const char *listen[HD_LISTEN_MAX];
    size_t listen_count;
    const char *memory_limit;
    const char *log_level;
    bool until_eof;
};

static int take_option(int option, struct hd_options *options, struct given *given, char **argv,
                       struct hd_reason *reason)
{
    switch (option) {
    case 'c':
        options->config_path = optarg;
        return 0;
    case 'l':
        if (given->listen_count == HD_LISTEN_MAX) {
            hd_reason_set(reason, "more than %d addresses to listen on; drop some", HD_LISTEN_MAX);
            return HD_EINVALID;
        }
        given->listen[given->listen_count++] = optarg;
        return 0;
    case 'm':
        given->memory_limit = optarg;
        return 0;
    case 'v':
        given->log_level = optarg;
        return 0;
    case OPTION_FOREGROUND:
        return 0;
    case OPTION_UNTIL_EOF:
        given->until_eof = true;
        return 0;
    case OPTION_CHECK_CONFIG:
        options->action = HD_ACTION_CHECK_CONFIG;
        return 0;
    case 'V':
        options->action = HD_ACTION_VERSION;
        return 0;
    case 'h':
        options->action = HD_ACTION_HELP;
        return 0;
    case ':':
        hd_reason_set(reason, "%s needs a value; see heapd --help", argv[optind - 1]);
        return HD_EINVALID;
    default:
        hd_reason_set(reason, "\"%s\" is not an option; see heapd --help", argv[optind - 1]);
        return HD_EINVALID;
    }
}

static int apply(struct hd_options *options, const struct given *given, struct hd_reason *reason)
{
    struct hd_settings *settings = &options->settings;
    int error = options->config_path ? hd_settings_load(settings, options->config_path, reason) : 0;
    if (given->listen_count)
        settings->listen_count = 0;
    for (size_t i = 0; !error && i < given->listen_count; i++)
        error = hd_settings_set(settings, "listen", given->listen[i], reason);
    if (!error && given->memory_limit)
        error = hd_settings_set(settings, "memory_limit", given->memory_limit, reason);
    if (!error && given->log_level)
        error = hd_settings_set(settings, "log_level", given->log_level, reason);
    settings->until_eof = given->until_eof;
    return error ? error : hd_settings_check(settings, reason);
}

int hd_options_parse(int argc, char **argv, struct hd_options *out, struct hd_reason *reason)
{
    struct hd_options options = {.action = HD_ACTION_SERVE};
    struct given given = {.listen_count = 0};
    hd_settings_default(&options.settings);
    optind = 0; /* begins anew: tests parse more than one line */
    opterr = 0;
    int option;
    while ((option = getopt_long(argc, argv, ":c:l:m:v:Vh", long_options, NULL)) != -1) {
        int error = take_option(option, &options, &given, argv, reason);
        if (error)
            return error;
    }
    if (optind < argc) {
        hd_reason_set(reason, "\"%s\" is one argument too many; see heapd --help", argv[optind]);
        return HD_EINVALID;
    }
    if (options.action != HD_ACTION_HELP && options.action != HD_ACTION_VERSION) {
        int error = apply(&options, &given, reason);
        if (error)
            return error;
    }
    *out = options;
    return 0;
}
