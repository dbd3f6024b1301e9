#include "client/lib/descriptors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* SCM_MAX_FD of Linux: a message cannot carry more. */
#define HD_MESSAGE_DESCRIPTORS 253

static void put(struct hd_descriptors *descriptors, int fd)
{
    if (!descriptors->fds)
        descriptors->fds = malloc(HD_DESCRIPTORS_MAX * sizeof *descriptors->fds);
    if (!descriptors->fds || descriptors->count == HD_DESCRIPTORS_MAX) {
        if (fd >= 0)
            close(fd);
        return;
    }
    descriptors->fds[(descriptors->first + descriptors->count++) % HD_DESCRIPTORS_MAX] = fd;
}

/* How many came. */
static unsigned take_from(struct hd_descriptors *descriptors, struct msghdr *message)
{
    unsigned count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = part->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
            put(descriptors, fd);
            count++;
        }
    }
    return count;
}

ssize_t hd_descriptors_recv(struct hd_descriptors *descriptors, int socket, void *to, size_t room, int flags)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * HD_MESSAGE_DESCRIPTORS)];
    } control;
    struct iovec part = {.iov_base = to, .iov_len = room};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t count = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    unsigned came = count >= 0 && message.msg_controllen > 0 ? take_from(descriptors, &message) : 0;
    /* This process has no descriptor left: the place in the queue is kept, for the frame that counts one. */
    if (count >= 0 && message.msg_flags & MSG_CTRUNC && came == 0)
        put(descriptors, HD_DESCRIPTOR_LOST);
    return count;
}

int hd_descriptors_take(struct hd_descriptors *descriptors)
{
    if (descriptors->count == 0)
        return HD_DESCRIPTOR_NONE;
    int fd = descriptors->fds[descriptors->first];
    descriptors->first = (descriptors->first + 1) % HD_DESCRIPTORS_MAX;
    descriptors->count--;
    return fd;
}

void hd_descriptors_fini(struct hd_descriptors *descriptors)
{
    int fd;
    while ((fd = hd_descriptors_take(descriptors)) != HD_DESCRIPTOR_NONE)
        if (fd >= 0)
            close(fd);
    free(descriptors->fds);
    descriptors->fds = NULL;
}
