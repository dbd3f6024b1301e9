/* The functions of shared memory of hd_os_linux, as os.h describes them. For linux.c alone. */
#ifndef HEAPD_OS_SHARED_H
#define HEAPD_OS_SHARED_H

#include "os/os.h"

int hd_linux_shared_new(void *context, uint64_t bytes, bool for_ever, int *out) HD_MUST_USE;
void *hd_linux_shared_map(void *context, int fd, size_t bytes);
int hd_linux_shared_seal(void *context, int fd) HD_MUST_USE;
int hd_linux_shared_read(void *context, int fd, uint64_t offset, void *to, size_t bytes) HD_MUST_USE;
int hd_linux_shared_write(void *context, int fd, uint64_t offset, const void *from, size_t bytes) HD_MUST_USE;
int hd_linux_shared_writer(void *context, int fd, int *out) HD_MUST_USE;
int hd_linux_shared_reader(void *context, int fd, int *out) HD_MUST_USE;
void hd_linux_shared_close(void *context, int fd);

#endif
