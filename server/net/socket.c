#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the kernel allows (net.core.somaxconn cuts it). */
#define BACKLOG 4096

static int refuse_errno(const struct hd_address *address, const char *what, struct hd_reason *reason)
{
    int number = errno;
    const char *hint = "";
    if (number == ENOENT)
        hint = "; create its directory first";
    else if (number == EACCES || number == EPERM)
        hint = "; choose a directory that this user may write to";
    else if (number == EADDRINUSE)
        hint = "; another program listens there, stop it or choose another port";
    hd_reason_set(reason, "%s: cannot %s: %s%s", address->text, what, strerror(number), hint);
    return number == EADDRINUSE ? HD_EEXISTS : HD_ESYSTEM;
}

static void lock_path(const struct hd_address *address, char out[sizeof address->socket.local.sun_path + 8])
{
    (void)snprintf(out, sizeof address->socket.local.sun_path + 8, "%s.lock", address->socket.local.sun_path);
}

/*
 * Locks the file beside the socket. Its owner removes it on exit, so a lock
 * counts only if the file that we locked is still the one that has the name.
 */
static int take_lock(const struct hd_address *address, int *out, struct hd_reason *reason)
{
    char path[sizeof address->socket.local.sun_path + 8];
    lock_path(address, path);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return refuse_errno(address, "open the lock file beside the socket", reason);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            int number = errno;
            close(fd);
            if (number == EINTR)
                continue;
            if (number == EWOULDBLOCK) {
                hd_reason_set(reason, "another daemon listens on %s; stop it first or choose another address",
                              address->text);
                return HD_EEXISTS;
            }
            errno = number;
            return refuse_errno(address, "lock the file beside the socket", reason);
        }
        struct stat locked, named;
        if (fstat(fd, &locked) == 0 && stat(path, &named) == 0 && locked.st_ino == named.st_ino &&
            locked.st_dev == named.st_dev) {
            *out = fd;
            return 0;
        }
        close(fd);
    }
}

static void drop_lock(const struct hd_address *address, int lock_fd)
{
    char path[sizeof address->socket.local.sun_path + 8];
    lock_path(address, path);
    unlink(path); /* before the lock goes, or a successor's file could be hit */
    close(lock_fd);
}

/* Removes a socket file on which nobody listens. The lock is held. */
static int clear_path(const struct hd_address *address, struct hd_reason *reason)
{
    const char *path = address->socket.local.sun_path;
    struct stat found;
    if (lstat(path, &found) < 0)
        return errno == ENOENT ? 0 : refuse_errno(address, "look at the path", reason);
    if (!S_ISSOCK(found.st_mode)) {
        hd_reason_set(reason, "%s: a file that is not a socket has this name; remove it or choose another path",
                      address->text);
        return HD_EEXISTS;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse_errno(address, "make a socket", reason);
    int refused = connect(fd, &address->socket.any, address->length) < 0 ? errno : 0;
    close(fd);
    if (refused == ECONNREFUSED || refused == ENOENT) {
        if (unlink(path) < 0 && errno != ENOENT)
            return refuse_errno(address, "remove the stale socket file", reason);
        return 0;
    }
    if (refused == 0 || refused == EAGAIN || refused == EINPROGRESS || refused == EPROTOTYPE)
        hd_reason_set(reason, "another program listens on %s; stop it first or choose another address", address->text);
    else
        hd_reason_set(reason, "%s: cannot tell whether someone listens: %s", address->text, strerror(refused));
    return HD_EEXISTS;
}

static int bind_unix(int fd, const struct hd_address *address, struct hd_socket *out, struct hd_reason *reason)
{
    /* Bound under a narrow umask: there is no moment at which others could connect. */
    mode_t old_mask = umask(0177);
    int failed = bind(fd, &address->socket.any, address->length);
    umask(old_mask);
    if (failed)
        return refuse_errno(address, "bind the socket", reason);
    struct stat made;
    if (lstat(address->socket.local.sun_path, &made) < 0)
        return refuse_errno(address, "look at the new socket", reason);
    if ((made.st_mode & 0177) != 0 || made.st_uid != geteuid()) {
        unlink(address->socket.local.sun_path);
        hd_reason_set(reason, "%s: the file system does not keep a mode of 0600; choose another directory",
                      address->text);
        return HD_ESYSTEM;
    }
    out->device = made.st_dev;
    out->inode = made.st_ino;
    return 0;
}

static int listen_unix(const struct hd_address *address, struct hd_socket *out, struct hd_reason *reason)
{
    struct hd_socket made = {.fd = -1, .address = *address};
    int error = take_lock(address, &made.lock_fd, reason);
    if (error)
        return error;
    error = clear_path(address, reason);
    if (!error) {
        made.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        error = made.fd < 0 ? refuse_errno(address, "make a socket", reason) : 0;
    }
    if (!error)
        error = bind_unix(made.fd, address, &made, reason);
    if (!error && listen(made.fd, BACKLOG) < 0)
        error = refuse_errno(address, "listen", reason);
    if (error) {
        hd_socket_close(&made);
        return error;
    }
    *out = made;
    return 0;
}

static int listen_tcp(const struct hd_address *address, struct hd_socket *out, struct hd_reason *reason)
{
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse_errno(address, "make a socket", reason);
    struct hd_socket made = {.fd = fd, .lock_fd = -1};
    int on = 1;
    int error = 0;
    /* A port in TIME_WAIT may be taken again; one that is listened on still may not. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, &address->socket.any, address->length) < 0 || listen(fd, BACKLOG) < 0)
        error = refuse_errno(address, "listen", reason);
    if (!error)
        error = hd_address_of(fd, &made.address, reason);
    if (error) {
        close(fd);
        return error;
    }
    *out = made;
    return 0;
}

int hd_socket_listen(const struct hd_address *address, struct hd_socket *out, struct hd_reason *reason)
{
    return hd_address_is_unix(address) ? listen_unix(address, out, reason) : listen_tcp(address, out, reason);
}

int hd_socket_adopt(int fd, struct hd_socket *out, struct hd_reason *reason)
{
    int type = 0, listens = 0;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens) {
        hd_reason_set(reason, "inherited descriptor %d is not a listening stream socket; correct the socket unit", fd);
        return HD_EINVALID;
    }
    struct hd_socket made = {.fd = fd, .lock_fd = -1};
    int error = hd_address_of(fd, &made.address, reason);
    if (error)
        return error;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return refuse_errno(&made.address, "take over the inherited socket", reason);
    *out = made;
    return 0;
}

int hd_socket_inherited_count(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count_text = getenv("LISTEN_FDS");
    long count = 0;
    if (pid && count_text && strtol(pid, NULL, 10) == (long)getpid())
        count = strtol(count_text, NULL, 10);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count > 0 && count < 1024 ? (int)count : 0;
}

void hd_socket_close(struct hd_socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    if (socket->lock_fd >= 0) {
        struct stat found;
        const char *path = socket->address.socket.local.sun_path;
        if (socket->inode && lstat(path, &found) == 0 && found.st_ino == socket->inode &&
            found.st_dev == socket->device)
            unlink(path);
        drop_lock(&socket->address, socket->lock_fd);
    }
    socket->fd = -1;
    socket->lock_fd = -1;
    socket->inode = 0;
}
