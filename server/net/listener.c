#include "net/private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Connections taken from one listener in a turn, so that a storm of them does not starve those that work. */
#define ACCEPTS_PER_TURN 64
/* How long a listener rests when the system can give nothing more; a closed connection wakes it earlier. */
#define PAUSE_MS 100

#define NO_DESCRIPTORS "the daemon has no descriptor left; close a connection or raise its limit of open files"

static void pause_listener(struct hd_listener *listener);

/*
 * Descriptors have run out. Without the reserve the client would hang in the
 * queue, and its being there would wake us again and again. The lack is told when
 * nobody is in the queue, too. 1: one was refused; 0: nobody is there; -1: it could
 * not be done.
 */
static int refuse_with_reserve(struct hd_listener *listener)
{
    struct hd_net *net = listener->net;
    if (net->reserve_fd < 0)
        return -1;
    close(net->reserve_fd);
    int fd = accept4(listener->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool is_nobody = fd < 0 && errno == EAGAIN;
    if (fd >= 0) {
        net->stats.refused_descriptors_count++;
        hd_connection_refuse(fd, HD_ELIMIT, NO_DESCRIPTORS);
    }
    net->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? 1 : is_nobody ? 0 : -1;
}

/* False: no more for now. */
static bool accept_one(struct hd_listener *listener)
{
    struct hd_net *net = listener->net;
    int fd = accept4(listener->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        hd_connection_open(net, fd, hd_address_is_unix(&listener->socket.address));
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE: {
        int refused = refuse_with_reserve(listener);
        if (refused >= 0)
            return refused == 1;
        break;
    }
    case ENOBUFS:
    case ENOMEM:
        break;
    default: /* that one client's trouble (ECONNABORTED, EPROTO, ...): it is gone */
        net->stats.accept_failed_count++;
        return true;
    }
    net->stats.accept_failed_count++;
    pause_listener(listener);
    return false;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct hd_listener *listener = handle->data;
    if (status < 0) {
        listener->net->stats.accept_failed_count++;
        pause_listener(listener);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(listener); i++)
        ;
}

static void on_accept_again(uv_timer_t *timer)
{
    hd_listeners_resume(timer->data);
}

static void pause_listener(struct hd_listener *listener)
{
    struct hd_net *net = listener->net;
    listener->paused = true;
    uv_poll_stop(&listener->poll);
    uv_timer_start(&net->accept_again, on_accept_again, PAUSE_MS, 0);
}

void hd_listeners_resume(struct hd_net *net)
{
    if (net->stopping)
        return;
    if (net->reserve_fd < 0)
        net->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (struct hd_listener *listener = net->listeners; listener; listener = listener->next) {
        if (!listener->paused)
            continue;
        listener->paused = uv_poll_start(&listener->poll, UV_READABLE, on_poll) != 0;
        if (listener->paused)
            uv_timer_start(&net->accept_again, on_accept_again, PAUSE_MS, 0);
    }
}

int hd_net_listen(struct hd_net *net, const struct hd_socket *socket)
{
    struct hd_listener *listener = hd_allocator_new(net->allocator, sizeof *listener);
    if (!listener)
        return HD_ENOMEM;
    *listener = (struct hd_listener){.net = net, .socket = *socket, .next = net->listeners};
    if (uv_poll_init(net->loop, &listener->poll, socket->fd)) {
        hd_allocator_free(net->allocator, listener, sizeof *listener);
        return HD_ESYSTEM;
    }
    listener->poll.data = listener;
    listener->paused = true;
    net->listeners = listener;
    hd_listeners_resume(net);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct hd_listener *listener = handle->data;
    struct hd_net *net = listener->net;
    hd_allocator_free(net->allocator, listener, sizeof *listener);
    hd_net_closed(net);
}

void hd_listener_close(struct hd_listener *listener)
{
    listener->net->closing_count++;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    hd_socket_close(&listener->socket);
}
