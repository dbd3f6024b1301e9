/*
 * The narrow door to the operating system: pages, time and randomness.
 *
 * Nothing else in the server maps memory, reads a clock or asks for entropy, so
 * a test can put its own vtable here: one that fails the n-th mapping, or whose
 * clock stands still. Socket and file I/O belong to server/net.
 *
 * Shared memory is a file without a name (memfd) that goes to other processes as
 * a descriptor. Its size is fixed from the beginning, so nobody can shrink it
 * under somebody's mapping: no access to it ever faults.
 */
#ifndef HEAPD_OS_OS_H
#define HEAPD_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct hd_os {
    /*
     * Maps zeroed pages at an address that is a multiple of align_bytes (a power
     * of two, at least the page size). bytes is a multiple of the page size.
     * Returns NULL when the system refuses.
     */
    void *(*map)(void *context, size_t bytes, size_t align_bytes);
    /* Gives back a mapping, or a part of one: whole pages. Cannot fail. */
    void (*unmap)(void *context, void *pointer, size_t bytes);
    /*
     * Resizes a mapping, perhaps elsewhere, keeping contents and alignment; new
     * pages are zero. Returns NULL when refused; the old mapping is then as it was.
     */
    void *(*remap)(void *context, void *pointer, size_t old_bytes, size_t new_bytes, size_t align_bytes);
    /* Lets the system take the pages' memory; they read as zero afterwards. */
    void (*discard)(void *context, void *pointer, size_t bytes);
    /* Asks for huge pages behind a range that will be used densely. May do nothing. */
    void (*advise_huge)(void *context, void *pointer, size_t bytes);
    /* Monotonic time. */
    uint64_t (*now_ns)(void *context);
    /* CPU time of the calling thread. */
    uint64_t (*cpu_ns)(void *context);
    /* Unpredictable bytes; 0 or HD_ESYSTEM. */
    int (*random)(void *context, void *out, size_t bytes);
    /*
     * Shared memory of so many bytes, all zero, which take no pages before they are touched. for_ever: its seals are
     * final, it stays writable. HD_EDESCRIPTORS: the process or the system has none left; HD_ESYSTEM.
     */
    int (*shared_new)(void *context, uint64_t bytes, bool for_ever, int *out);
    /* Maps all of it for reading and writing; unmap takes it back. NULL when refused. */
    void *(*shared_map)(void *context, int fd, size_t bytes);
    /*
     * From now on nobody can write to it, by whatever descriptor or mapping. HD_EMAPPED while somebody has it mapped
     * for writing, or lets a device write to it. Looks at every page: some 10 ms for a GiB, and longer if somebody
     * holds pages on purpose, so it is a helper thread's work.
     */
    int (*shared_seal)(void *context, int fd);
    /* All of so many bytes, from or to an offset within it. HD_ESYSTEM: no memory, or it is sealed. */
    int (*shared_read)(void *context, int fd, uint64_t offset, void *to, size_t bytes);
    int (*shared_write)(void *context, int fd, uint64_t offset, const void *from, size_t bytes);
    /* The same open file once more. HD_EDESCRIPTORS, HD_ESYSTEM. */
    int (*shared_writer)(void *context, int fd, int *out);
    /* A descriptor of its own for reading alone. HD_EDESCRIPTORS, HD_ESYSTEM. */
    int (*shared_reader)(void *context, int fd, int *out);
    /* Frees the pages if nobody else has it: some 100 ms for a GiB. */
    void (*shared_close)(void *context, int fd);
    void *context;
    size_t page_bytes;
};

/* The real one (Linux). Lend for ever. */
const struct hd_os *hd_os_linux(void);

#endif
