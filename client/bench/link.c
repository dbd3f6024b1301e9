#include "client/bench/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int hd_bench_link_use_ring(struct hd_bench_link *link, int fd, uint32_t to_daemon_bytes, uint32_t to_client_bytes)
{
    int code = hd_client_ring_new(fd, to_daemon_bytes, to_client_bytes, &link->ring);
    if (!code)
        return 0;
    errno = code == HD_ENOMEM ? ENOMEM : EPROTO;
    return -1;
}

void hd_bench_link_close(struct hd_bench_link *link)
{
    hd_client_ring_free(link->ring);
    if (link->fd >= 0)
        close(link->fd);
    *link = (struct hd_bench_link){.fd = -1};
}

/* After a look at the ring that moved something: the daemon may sleep and wait for that. */
static void ring_bell_if_due(struct hd_bench_link *link)
{
    static const uint8_t bell = 0;
    if (hd_ring_bell_due(&link->ring->ring))
        (void)!send(link->fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* a full socket has a bell already */
}

static long through_ring(struct hd_bench_link *link, int code, size_t count)
{
    if (code) {
        errno = EPROTO;
        return -1;
    }
    if (count)
        ring_bell_if_due(link);
    return (long)count;
}

static bool is_passing(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

long hd_bench_link_send(struct hd_bench_link *link, const uint8_t *bytes, size_t count)
{
    if (link->ring) {
        size_t taken = 0;
        int code = hd_ring_write(&link->ring->ring, bytes, count, &taken);
        return through_ring(link, code, taken);
    }
    ssize_t sent = send(link->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && is_passing() ? 0 : sent;
}

static long receive_from_socket(int fd, uint8_t *to, size_t room)
{
    ssize_t count = recv(fd, to, room, MSG_DONTWAIT);
    if (count < 0 && is_passing())
        return 0;
    if (count == 0) {
        errno = ECONNRESET;
        return -1;
    }
    return count;
}

long hd_bench_link_receive(struct hd_bench_link *link, uint8_t *to, size_t room)
{
    if (!link->ring)
        return receive_from_socket(link->fd, to, room);
    size_t count = 0;
    int code = hd_ring_read(&link->ring->ring, to, room, &count);
    return through_ring(link, code, count);
}

int hd_bench_link_hear(struct hd_bench_link *link)
{
    uint8_t bells[64];
    return receive_from_socket(link->fd, bells, sizeof bells) < 0 ? -1 : 0;
}
