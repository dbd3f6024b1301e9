#include "os/os.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "os/shared.h"

/* What every supported kernel and processor has; the allocator's granule is of this size too. */
#define HD_LINUX_PAGE_BYTES ((size_t)4096)

static bool is_aligned(const void *pointer, size_t align_bytes)
{
    return ((uintptr_t)pointer & (align_bytes - 1)) == 0;
}

static void *map_anywhere(size_t bytes, int protection)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (protection == PROT_NONE ? MAP_NORESERVE : 0);
    void *pointer = mmap(NULL, bytes, protection, flags, -1, 0);
    return pointer == MAP_FAILED ? NULL : pointer;
}

/*
 * Cutting a hole into a mapping splits it in two, which the kernel refuses once a
 * process has too many of them. The memory goes back all the same then; only the
 * addresses stay taken.
 */
static void unmap_range(void *pointer, size_t bytes)
{
    if (bytes == 0 || munmap(pointer, bytes) == 0)
        return;
    assert(errno == ENOMEM);
    (void)madvise(pointer, bytes, MADV_DONTNEED);
}

/*
 * The kernel puts a new mapping right below the last one, so after the first of
 * a size and alignment the plain attempt usually fits. Otherwise more is mapped
 * and trimmed, and the highest aligned part kept: that leaves the range below
 * whole for the next one, so that equal mappings lie side by side.
 */
static void *map_aligned(size_t bytes, size_t align_bytes, int protection)
{
    if (bytes == 0 || bytes > SIZE_MAX - align_bytes)
        return NULL;
    uint8_t *base = map_anywhere(bytes, protection);
    if (!base || is_aligned(base, align_bytes))
        return base;
    unmap_range(base, bytes);
    size_t mapped_bytes = bytes + align_bytes - HD_LINUX_PAGE_BYTES;
    base = map_anywhere(mapped_bytes, protection);
    if (!base)
        return NULL;
    size_t slack_bytes = mapped_bytes - bytes;
    size_t head_bytes = slack_bytes - (((uintptr_t)base + slack_bytes) & (align_bytes - 1));
    unmap_range(base, head_bytes);
    unmap_range(base + head_bytes + bytes, slack_bytes - head_bytes);
    return base + head_bytes;
}

static void *linux_map(void *context, size_t bytes, size_t align_bytes)
{
    (void)context;
    return map_aligned(bytes, align_bytes, PROT_READ | PROT_WRITE);
}

static void linux_unmap(void *context, void *pointer, size_t bytes)
{
    (void)context;
    unmap_range(pointer, bytes);
}

static void *linux_remap(void *context, void *pointer, size_t old_bytes, size_t new_bytes, size_t align_bytes)
{
    (void)context;
    if (new_bytes == 0)
        return NULL;
    if (mremap(pointer, old_bytes, new_bytes, 0) != MAP_FAILED)
        return pointer;
    /* The target is held by a reservation while the pages move, so no other thread's mapping can come between. */
    void *target = map_aligned(new_bytes, align_bytes, PROT_NONE);
    if (!target)
        return NULL;
    if (mremap(pointer, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED) {
        unmap_range(target, new_bytes);
        return NULL;
    }
    return target;
}

static void linux_discard(void *context, void *pointer, size_t bytes)
{
    (void)context;
    int result = madvise(pointer, bytes, MADV_DONTNEED);
    assert(result == 0);
    (void)result;
}

static void linux_advise_huge(void *context, void *pointer, size_t bytes)
{
    (void)context;
    /* A kernel without huge pages refuses; nothing depends on them. */
    (void)madvise(pointer, bytes, MADV_HUGEPAGE);
}

static uint64_t read_clock_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t linux_now_ns(void *context)
{
    (void)context;
    return read_clock_ns(CLOCK_MONOTONIC);
}

static uint64_t linux_cpu_ns(void *context)
{
    (void)context;
    return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static int linux_random(void *context, void *out, size_t bytes)
{
    (void)context;
    uint8_t *to = out;
    while (bytes > 0) {
        ssize_t got = getrandom(to, bytes, 0);
        if (got < 0 && errno != EINTR)
            return HD_ESYSTEM;
        if (got > 0) {
            to += got;
            bytes -= (size_t)got;
        }
    }
    return 0;
}

const struct hd_os *hd_os_linux(void)
{
    static const struct hd_os os = {
        .map = linux_map,
        .unmap = linux_unmap,
        .remap = linux_remap,
        .discard = linux_discard,
        .advise_huge = linux_advise_huge,
        .now_ns = linux_now_ns,
        .cpu_ns = linux_cpu_ns,
        .random = linux_random,
        .shared_new = hd_linux_shared_new,
        .shared_map = hd_linux_shared_map,
        .shared_seal = hd_linux_shared_seal,
        .shared_read = hd_linux_shared_read,
        .shared_write = hd_linux_shared_write,
        .shared_writer = hd_linux_shared_writer,
        .shared_reader = hd_linux_shared_reader,
        .shared_close = hd_linux_shared_close,
        .page_bytes = HD_LINUX_PAGE_BYTES,
    };
    return &os;
}
