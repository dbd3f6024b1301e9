#include "client/lib/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

int heapd_default_address(char *out, size_t out_bytes)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int length;
    if (runtime && *runtime)
        length = snprintf(out, out_bytes, "unix:%s/heapd.sock", runtime);
    else if (getuid() == 0)
        length = snprintf(out, out_bytes, "unix:/run/heapd/heapd.sock");
    else
        length = snprintf(out, out_bytes, "unix:/tmp/heapd-%lu/heapd.sock", (unsigned long)getuid());
    return length < 0 || (size_t)length >= out_bytes ? HEAPD_ETOO_LARGE : 0;
}

static int parse_unix(const char *path, struct hd_client_address *out, struct heapd_error *error)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0)
        return hd_fail_with(error, HD_ESYNTAX, "an address unix: needs a path, as in unix:/run/heapd/heapd.sock");
    if (length >= sizeof local.sun_path)
        return hd_fail_with(error, HD_ETOO_LARGE, "the path of a Unix socket has at most %zu bytes, this one has %zu",
                            sizeof local.sun_path - 1, length);
    memcpy(local.sun_path, path, length + 1);
    *out = (struct hd_client_address){.length = (socklen_t)sizeof local};
    memcpy(&out->socket, &local, sizeof local);
    (void)snprintf(out->text, sizeof out->text, "unix:%s", path);
    return 0;
}

static int parse_tcp(const char *text, struct hd_client_address *out, struct heapd_error *error)
{
    const char *colon = strrchr(text, ':');
    char host[128];
    size_t host_bytes = colon ? (size_t)(colon - text) : 0;
    if (host_bytes == 0 || host_bytes >= sizeof host || !colon[1])
        return hd_fail_with(error, HD_ESYNTAX, "an address tcp: needs a host and a port, as in tcp:127.0.0.1:7331");
    memcpy(host, text, host_bytes);
    host[host_bytes] = '\0';
    if (host[0] == '[' && host[host_bytes - 1] == ']') {
        host[host_bytes - 1] = '\0';
        memmove(host, host + 1, host_bytes - 1);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int failure = getaddrinfo(host, colon + 1, &hints, &found);
    if (failure)
        return hd_fail_with(error, failure == EAI_SERVICE ? HD_ESYNTAX : HD_EUNAVAILABLE, "tcp:%s: %s", text,
                            gai_strerror(failure));
    *out = (struct hd_client_address){.length = found->ai_addrlen};
    memcpy(&out->socket, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    (void)snprintf(out->text, sizeof out->text, "tcp:%s", text);
    return 0;
}

int hd_client_address_parse(const char *text, struct hd_client_address *out, struct heapd_error *error)
{
    char fallback[256];
    if (!text)
        text = getenv("HEAPD_ADDRESS");
    if (!text || !*text) {
        int code = heapd_default_address(fallback, sizeof fallback);
        if (code)
            return hd_fail_with(error, code, "XDG_RUNTIME_DIR is too long for the path of a socket");
        text = fallback;
    }
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, error);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(text + 4, out, error);
    if (text[0] == '/')
        return parse_unix(text, out, error);
    return hd_fail_with(error, HD_ESYNTAX, "\"%.80s\" is no address; use unix:/path or tcp:127.0.0.1:PORT", text);
}

/* Waits for a connect that goes on by itself. 0, or -1 with errno. */
static int await_connected(int fd, unsigned timeout_ms)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    int ready;
    do
        ready = poll(&poller, 1, timeout_ms > INT32_MAX ? -1 : (int)timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return -1;
    if (ready == 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    int failure = 0;
    socklen_t length = sizeof failure;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
        return -1;
    errno = failure;
    return failure ? -1 : 0;
}

static int connect_within(int fd, const struct hd_client_address *address, unsigned timeout_ms)
{
    if (connect(fd, (const struct sockaddr *)&address->socket, address->length) == 0)
        return 0;
    if (errno == EINPROGRESS || errno == EINTR)
        return await_connected(fd, timeout_ms);
    return -1;
}

/* Replies are read by blocking calls, so the socket itself blocks; what must not block says so call by call. */
static int make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

int hd_client_address_connect(const struct hd_client_address *address, unsigned timeout_ms, int *out,
                              struct heapd_error *error)
{
    int family = address->socket.ss_family;
    /* A Unix socket connects at once, or waits for room in the daemon's queue, which blocking does better. */
    int type = SOCK_STREAM | SOCK_CLOEXEC | (family == AF_UNIX ? 0 : SOCK_NONBLOCK);
    int fd = socket(family, type, 0);
    if (fd < 0)
        return hd_fail_errno(error, HD_ESYSTEM, "socket");
    if (family == AF_UNIX) {
        struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    if (connect_within(fd, address, timeout_ms) < 0 || make_blocking(fd) < 0) {
        int code = hd_fail_errno(error, HD_EUNAVAILABLE, address->text);
        if (error && strlen(error->message) + 50 < sizeof error->message)
            strcat(error->message, "; start heapd or check the address");
        close(fd);
        return code;
    }
    if (family == AF_UNIX) {
        struct timeval none = {0};
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    } else {
        int yes = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    *out = fd;
    return 0;
}
