#include "tests/support/os_fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool must_fail(struct hd_os_fault *fault)
{
    fault->call_count++;
    bool fails = fault->fail_at &&
                 (fault->fail_from ? fault->call_count >= fault->fail_at : fault->call_count == fault->fail_at);
    fault->failed_count += fails;
    return fails;
}

static void *fault_map(void *context, size_t bytes, size_t align_bytes)
{
    struct hd_os_fault *fault = context;
    if (must_fail(fault))
        return NULL;
    void *pointer = fault->real->map(fault->real->context, bytes, align_bytes);
    if (pointer)
        fault->mapped_bytes += bytes;
    return pointer;
}

static void fault_unmap(void *context, void *pointer, size_t bytes)
{
    struct hd_os_fault *fault = context;
    fault->real->unmap(fault->real->context, pointer, bytes);
    fault->mapped_bytes -= bytes;
}

static void *fault_remap(void *context, void *pointer, size_t old_bytes, size_t new_bytes, size_t align_bytes)
{
    struct hd_os_fault *fault = context;
    if (must_fail(fault))
        return NULL;
    void *moved = fault->real->remap(fault->real->context, pointer, old_bytes, new_bytes, align_bytes);
    if (moved)
        fault->mapped_bytes += new_bytes - old_bytes;
    return moved;
}

static void fault_discard(void *context, void *pointer, size_t bytes)
{
    struct hd_os_fault *fault = context;
    fault->real->discard(fault->real->context, pointer, bytes);
    fault->discarded_bytes += bytes;
}

static void fault_advise_huge(void *context, void *pointer, size_t bytes)
{
    struct hd_os_fault *fault = context;
    fault->real->advise_huge(fault->real->context, pointer, bytes);
}

static uint64_t fault_now_ns(void *context)
{
    return ((struct hd_os_fault *)context)->now_ns;
}

static uint64_t fault_cpu_ns(void *context)
{
    return ((struct hd_os_fault *)context)->cpu_ns;
}

static int fault_random(void *context, void *out, size_t bytes)
{
    struct hd_os_fault *fault = context;
    if (fault->fail_random)
        return HD_ESYSTEM;
    for (size_t done = 0; done < bytes; done += sizeof(uint64_t)) {
        uint64_t word = hd_test_random(&fault->random_state);
        memcpy((uint8_t *)out + done, &word, bytes - done < sizeof word ? bytes - done : sizeof word);
    }
    return 0;
}

static int fault_shared_new(void *context, uint64_t bytes, bool for_ever, int *out)
{
    struct hd_os_fault *fault = context;
    if (must_fail(fault))
        return HD_EDESCRIPTORS;
    int error = fault->real->shared_new(fault->real->context, bytes, for_ever, out);
    fault->shared_count += !error;
    return error;
}

static void *fault_shared_map(void *context, int fd, size_t bytes)
{
    struct hd_os_fault *fault = context;
    if (must_fail(fault))
        return NULL;
    void *pointer = fault->real->shared_map(fault->real->context, fd, bytes);
    if (pointer)
        fault->mapped_bytes += bytes;
    return pointer;
}

/* By the helper's thread: it does what it is told. */
static int fault_shared_seal(void *context, int fd)
{
    const struct hd_os_fault *fault = context;
    return fault->real->shared_seal(fault->real->context, fd);
}

static int fault_shared_read(void *context, int fd, uint64_t offset, void *to, size_t bytes)
{
    struct hd_os_fault *fault = context;
    return must_fail(fault) ? HD_ESYSTEM : fault->real->shared_read(fault->real->context, fd, offset, to, bytes);
}

static int fault_shared_write(void *context, int fd, uint64_t offset, const void *from, size_t bytes)
{
    struct hd_os_fault *fault = context;
    return must_fail(fault) ? HD_ESYSTEM : fault->real->shared_write(fault->real->context, fd, offset, from, bytes);
}

static int fault_shared_writer(void *context, int fd, int *out)
{
    struct hd_os_fault *fault = context;
    int error = must_fail(fault) ? HD_EDESCRIPTORS : fault->real->shared_writer(fault->real->context, fd, out);
    fault->shared_count += !error;
    return error;
}

static int fault_shared_reader(void *context, int fd, int *out)
{
    struct hd_os_fault *fault = context;
    int error = must_fail(fault) ? HD_EDESCRIPTORS : fault->real->shared_reader(fault->real->context, fd, out);
    fault->shared_count += !error;
    return error;
}

static void fault_shared_close(void *context, int fd)
{
    struct hd_os_fault *fault = context;
    fault->real->shared_close(fault->real->context, fd);
    fault->shared_count--;
}

void hd_os_fault_init(struct hd_os_fault *fault)
{
    const struct hd_os *real = hd_os_linux();
    *fault = (struct hd_os_fault){.real = real, .now_ns = 1, .cpu_ns = 1, .random_state = 1};
    fault->os = (struct hd_os){
        .map = fault_map,
        .unmap = fault_unmap,
        .remap = fault_remap,
        .discard = fault_discard,
        .advise_huge = fault_advise_huge,
        .now_ns = fault_now_ns,
        .cpu_ns = fault_cpu_ns,
        .random = fault_random,
        .shared_new = fault_shared_new,
        .shared_map = fault_shared_map,
        .shared_seal = fault_shared_seal,
        .shared_read = fault_shared_read,
        .shared_write = fault_shared_write,
        .shared_writer = fault_shared_writer,
        .shared_reader = fault_shared_reader,
        .shared_close = fault_shared_close,
        .context = fault,
        .page_bytes = real->page_bytes,
    };
}

void hd_os_fault_arm(struct hd_os_fault *fault, uint64_t n, bool from)
{
    fault->fail_at = n ? fault->call_count + n : 0;
    fault->fail_from = from;
}

uint64_t hd_test_seed(const char *test_name)
{
    const char *given = getenv("HEAPD_TEST_SEED");
    const struct hd_os *os = hd_os_linux();
    uint64_t seed = given ? strtoull(given, NULL, 0) : os->now_ns(os->context);
    printf("%s: HEAPD_TEST_SEED=%" PRIu64 "\n", test_name, seed);
    fflush(stdout);
    return seed;
}
