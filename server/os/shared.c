/* Shared memory: sealed files without a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/shared.h"

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

int hd_linux_shared_seal(void *context, int fd)
{
    (void)context;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return 0;
    return errno == EBUSY ? HD_EMAPPED : HD_ESYSTEM;
}

/*
 * A new open file: readers share neither offset nor flags with each other, and a mapping through it cannot be made
 * writable, which kernels before 6.7 would refuse to map shared at all otherwise.
 */
int hd_linux_shared_reader(void *context, int fd, int *out)
{
    (void)context;
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
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
