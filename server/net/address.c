#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int parse_unix(const char *path, struct hd_address *out, struct hd_reason *reason)
{
    struct hd_address address = {.socket.local.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0) {
        hd_reason_set(reason, "a Unix address needs a path: unix:/run/heapd/heapd.sock");
        return HD_EINVALID;
    }
    if (length >= sizeof address.socket.local.sun_path) {
        hd_reason_set(reason,
                      "the path of a Unix socket has at most %zu bytes and this one has %zu: \"%s\"; shorten it",
                      sizeof address.socket.local.sun_path - 1, length, path);
        return HD_EINVALID;
    }
    memcpy(address.socket.local.sun_path, path, length + 1);
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    (void)snprintf(address.text, sizeof address.text, "unix:%s", path);
    *out = address;
    return 0;
}

static void format_tcp(struct hd_address *address)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->socket.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->socket.inet.sin_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "tcp:%s:%u", host, ntohs(address->socket.inet.sin_port));
    } else {
        inet_ntop(AF_INET6, &address->socket.inet6.sin6_addr, host, sizeof host);
        (void)snprintf(address->text, sizeof address->text, "tcp:[%s]:%u", host,
                       ntohs(address->socket.inet6.sin6_port));
    }
}

static bool is_loopback(const struct hd_address *address)
{
    if (address->socket.any.sa_family == AF_INET)
        return ntohl(address->socket.inet.sin_addr.s_addr) >> 24 == 127;
    return address->socket.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->socket.inet6.sin6_addr);
}

static bool parse_port(const char *text, uint16_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* Splits "host:port" or "[host]:port"; false when it is neither. */
static bool split_host(const char *text, char *host, size_t host_bytes, uint16_t *port)
{
    const char *begin = text;
    const char *colon = strrchr(text, ':');
    if (!colon || !parse_port(colon + 1, port))
        return false;
    const char *end = colon;
    if (*begin == '[') {
        if (end == begin || end[-1] != ']')
            return false;
        begin++;
        end--;
    }
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= host_bytes)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    return true;
}

static int parse_tcp(const char *text, struct hd_address *out, struct hd_reason *reason)
{
    struct hd_address address = {.length = 0};
    char host[INET6_ADDRSTRLEN];
    uint16_t port;
    if (!split_host(text, host, sizeof host, &port)) {
        hd_reason_set(reason, "\"tcp:%s\" is not an address; write tcp:127.0.0.1:PORT or tcp:[::1]:PORT", text);
        return HD_EINVALID;
    }
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &address.socket.inet.sin_addr) == 1) {
        address.socket.inet.sin_family = AF_INET;
        address.socket.inet.sin_port = htons(port);
        address.length = sizeof address.socket.inet;
    } else if (inet_pton(AF_INET6, host, &address.socket.inet6.sin6_addr) == 1) {
        address.socket.inet6.sin6_family = AF_INET6;
        address.socket.inet6.sin6_port = htons(port);
        address.length = sizeof address.socket.inet6;
    }
    if (!is_loopback(&address)) {
        hd_reason_set(reason,
                      "\"tcp:%s\" is not a loopback address; TCP is served on 127.0.0.1, [::1] or localhost only, "
                      "forward it over ssh to reach it from elsewhere",
                      text);
        return HD_EINVALID;
    }
    format_tcp(&address);
    *out = address;
    return 0;
}

int hd_address_parse(const char *text, struct hd_address *out, struct hd_reason *reason)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, reason);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(text + 4, out, reason);
    if (strchr(text, '/'))
        return parse_unix(text, out, reason);
    hd_reason_set(reason, "\"%s\" is not an address; write unix:/PATH or tcp:127.0.0.1:PORT", text);
    return HD_EINVALID;
}

int hd_address_of(int fd, struct hd_address *out, struct hd_reason *reason)
{
    struct hd_address address = {.length = sizeof address.socket};
    if (getsockname(fd, &address.socket.any, &address.length) < 0) {
        hd_reason_set(reason, "descriptor %d: %s", fd, strerror(errno));
        return HD_ESYSTEM;
    }
    if (hd_address_is_unix(&address)) {
        /* An abstract or unnamed one is still a Unix socket: only its name cannot be shown. */
        size_t path_bytes = address.length - offsetof(struct sockaddr_un, sun_path);
        const char *path = address.socket.local.sun_path;
        if (address.length <= offsetof(struct sockaddr_un, sun_path) || !path[0])
            (void)snprintf(address.text, sizeof address.text, "unix:(descriptor %d)", fd);
        else
            (void)snprintf(address.text, sizeof address.text, "unix:%.*s", (int)strnlen(path, path_bytes), path);
        *out = address;
        return 0;
    }
    if (!is_loopback(&address)) {
        hd_reason_set(reason, "descriptor %d is bound to an address that is neither a Unix nor a loopback one", fd);
        return HD_EINVALID;
    }
    format_tcp(&address);
    *out = address;
    return 0;
}
