/*
 * The narrow door to the operating system: pages, time and randomness.
 *
 * Nothing else in the server maps memory, reads a clock or asks for entropy, so
 * a test can put its own vtable here: one that fails the n-th mapping, or whose
 * clock stands still. Socket and file I/O belong to server/net.
 */
#ifndef HEAPD_OS_OS_H
#define HEAPD_OS_OS_H

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
    void *context;
    size_t page_bytes;
};

/* The real one (Linux). Lend for ever. */
const struct hd_os *hd_os_linux(void);

#endif
