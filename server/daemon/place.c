/* The default address, and the directory that it needs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/settings.h"

/* In a directory that others may write to, they could put a socket of their own in our place. */
static int check_directory(const char *path, struct hd_reason *reason)
{
    struct stat found;
    if (lstat(path, &found) < 0) {
        hd_reason_set(reason, "%s: %s; create it, or say where to listen with --listen", path, strerror(errno));
        return HD_ESYSTEM;
    }
    if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 022)) {
        hd_reason_set(reason,
                      "%s is not a directory that this user owns and that others may not write to; "
                      "correct that, or say where to listen with --listen",
                      path);
        return HD_EINVALID;
    }
    return 0;
}

int hd_settings_default_address(struct hd_address *out, struct hd_reason *reason)
{
    char directory[256], path[300];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool is_given = runtime && runtime[0] == '/';
    int length;
    if (is_given)
        length = snprintf(directory, sizeof directory, "%s", runtime);
    else if (geteuid() == 0)
        length = snprintf(directory, sizeof directory, "/run/heapd");
    else
        length = snprintf(directory, sizeof directory, "/tmp/heapd-%lu", (unsigned long)geteuid());
    if (length < 0 || (size_t)length >= sizeof directory) {
        hd_reason_set(reason, "XDG_RUNTIME_DIR is too long for a socket; say where to listen with --listen");
        return HD_EINVALID;
    }
    if (!is_given && mkdir(directory, 0700) < 0 && errno != EEXIST) {
        hd_reason_set(reason, "cannot make the directory %s: %s; say where to listen with --listen", directory,
                      strerror(errno));
        return HD_ESYSTEM;
    }
    int error = check_directory(directory, reason);
    if (error)
        return error;
    (void)snprintf(path, sizeof path, "%s/heapd.sock", directory);
    return hd_address_parse(path, out, reason);
}
