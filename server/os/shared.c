/* Shared memory: sealed files without a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/shared.h"

#define PAGE_BYTES ((size_t)4096)

static int error_of(int number)
{
    return number == EMFILE || number == ENFILE ? HD_EDESCRIPTORS : HD_ESYSTEM;
}

int hd_linux_shared_new(void *context, uint64_t bytes, bool for_ever, int *out)
{
    (void)context;
    if (bytes > INT64_MAX)
        return HD_ESYSTEM;
    int fd = memfd_create("heapd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_of(errno);
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | (for_ever ? F_SEAL_SEAL : 0);
    if (ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0) {
        close(fd);
        return HD_ESYSTEM;
    }
    *out = fd;
    return 0;
}

void *hd_linux_shared_map(void *context, int fd, size_t bytes)
{
    (void)context;
    void *pointer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return pointer == MAP_FAILED ? NULL : pointer;
}

/* As the client's library does before it asks to seal: client/lib/buffer_writer.c says why. */
static void settle_pages(void)
{
    char here;
    (void)madvise((void *)((uintptr_t)&here & ~(uintptr_t)(PAGE_BYTES - 1)), PAGE_BYTES, MADV_COLD);
}

int hd_linux_shared_seal(void *context, int fd)
{
    (void)context;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return 0;
    if (errno == EBUSY)
        return HD_EMAPPED;
    /* Whoever can write to it can seal it too, and may have: then all is well, or nothing helps any more. */
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && seals & F_SEAL_WRITE ? 0 : HD_ESYSTEM;
}

int hd_linux_shared_read(void *context, int fd, uint64_t offset, void *to, size_t bytes)
{
    (void)context;
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));
        if (got == 0 || (got < 0 && errno != EINTR))
            return HD_ESYSTEM;
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int hd_linux_shared_write(void *context, int fd, uint64_t offset, const void *from, size_t bytes)
{
    (void)context;
    for (size_t done = 0; done < bytes;) {
        ssize_t put = pwrite(fd, (const uint8_t *)from + done, bytes - done, (off_t)(offset + done));
        if (put == 0 || (put < 0 && errno != EINTR))
            return HD_ESYSTEM;
        done += put > 0 ? (size_t)put : 0;
    }
    settle_pages();
    return 0;
}

int hd_linux_shared_writer(void *context, int fd, int *out)
{
    (void)context;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return error_of(errno);
    *out = copy;
    return 0;
}

/*
 * A new open file: readers share neither offset nor flags with each other, and a mapping through it cannot be made
 * writable, which kernels before 6.7 would refuse to map shared at all otherwise. Whoever has the file may hold a lease
 * on it: O_NONBLOCK, so that we are refused instead of waiting for him.
 */
int hd_linux_shared_reader(void *context, int fd, int *out)
{
    (void)context;
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader < 0)
        return error_of(errno);
    *out = reader;
    return 0;
}

void hd_linux_shared_close(void *context, int fd)
{
    (void)context;
    close(fd);
}
