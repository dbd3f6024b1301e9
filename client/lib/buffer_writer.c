/* Writing buffers: their bytes go through memory that is shared, or over TCP in parts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/lib/buffer.h"
#include "client/lib/call.h"
#include "client/lib/mapping.h"
#include "client/lib/method.h"
#include "heapd/v1/buffer.pb-c.h"

struct heapd_buffer_writer {
    struct heapd_connection *connection; /* borrow */
    heapd_handle handle;                 /* own */
    uint64_t bytes;
    void *data; /* own; NULL: not mapped; without a descriptor, memory that is sent when it is sealed */
    int fd;     /* own; -1: bytes travel in parts */
};

/* The result's handle and descriptor become the writer's, or stay where they are. */
static int writer_of(struct heapd_connection *connection, struct heapd_result *result, struct heapd_buffer_writer **out,
                     struct heapd_error *error)
{
    if (result->method != HEAPD_METHOD_CREATE_BUFFER || result->value.kind != HEAPD_VALUE_REF)
        return hd_fail_with(error, HD_EINVALID, "the result is not that of a request for a new buffer");
    if (connection->is_local && !result->descriptor)
        return hd_buffer_fail_descriptor(error);
    if (connection->is_local && !hd_mapping_is_safe(result->descriptor - 1, result->as.buffer.bytes, F_SEAL_SHRINK))
        return hd_fail_with(error, HD_EPROTOCOL, "the memory that the daemon sent is not that of the buffer");
    struct heapd_buffer_writer *writer = malloc(sizeof *writer);
    if (!writer)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a buffer's writer");
    *writer = (struct heapd_buffer_writer){.connection = connection,
                                           .handle = result->value.as.ref,
                                           .bytes = result->as.buffer.bytes,
                                           .fd = result->descriptor - 1};
    result->descriptor = 0;
    result->value = (struct heapd_value){0};
    *out = writer;
    hd_succeed(error);
    return 0;
}

int heapd_buffer_writer_take(struct heapd_connection *connection, struct heapd_result *result,
                             struct heapd_buffer_writer **out, struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    return code ? code : writer_of(connection, result, out, error);
}

int heapd_begin_buffer_create(struct heapd_connection *connection, uint64_t bytes, heapd_ticket *ticket,
                              struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    if (code)
        return code;
    Heapd__V1__CreateBufferRequest message = HEAPD__V1__CREATE_BUFFER_REQUEST__INIT;
    message.size = bytes;
    message.want_descriptor = connection->is_local;
    struct hd_call call = {.method = HEAPD_METHOD_CREATE_BUFFER, .message = &message.base, .into = &message.into};
    return hd_call_begin(connection, &call, 0, ticket, error);
}

int heapd_buffer_create(struct heapd_connection *connection, uint64_t bytes, struct heapd_buffer_writer **out,
                        struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    if (code)
        return code;
    Heapd__V1__CreateBufferRequest message = HEAPD__V1__CREATE_BUFFER_REQUEST__INIT;
    message.size = bytes;
    message.want_descriptor = connection->is_local;
    struct hd_call call = {.method = HEAPD_METHOD_CREATE_BUFFER, .message = &message.base, .into = &message.into};
    struct heapd_result result = {0};
    code = hd_call_sync(connection, &call, 0, &result, error);
    if (code)
        return code;
    if (result.as.buffer.bytes == bytes)
        code = writer_of(connection, &result, out, error);
    else
        code = hd_fail_with(error, HD_EPROTOCOL, "the daemon made a buffer of another size");
    if (code)
        (void)heapd_release(connection, result.value.as.ref);
    heapd_result_clear(&result);
    return code;
}

void *heapd_buffer_writer_data(struct heapd_buffer_writer *writer)
{
    if (writer->data || writer->bytes > SIZE_MAX)
        return writer->data;
    int flags = writer->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *data = mmap(NULL, (size_t)writer->bytes, PROT_READ | PROT_WRITE, flags, writer->fd, 0);
    if (data == MAP_FAILED)
        return NULL;
    /* Where the system gives huge pages for the asking, filling it costs a third. */
    (void)madvise(data, (size_t)writer->bytes, MADV_HUGEPAGE);
    writer->data = data;
    return data;
}

heapd_handle heapd_buffer_writer_handle(const struct heapd_buffer_writer *writer)
{
    return writer->handle;
}

int heapd_buffer_writer_fd(const struct heapd_buffer_writer *writer)
{
    return writer->fd;
}

static void unmap(struct heapd_buffer_writer *writer)
{
    if (writer->data)
        (void)munmap(writer->data, (size_t)writer->bytes);
    writer->data = NULL;
}

/* Parts, some of them under way at once; a failure is told by the first. */
static int write_parts(struct heapd_buffer_writer *writer, uint64_t offset, const uint8_t *data, size_t bytes,
                       struct heapd_error *error)
{
    heapd_ticket tickets[HD_BUFFER_PARTS];
    size_t begun = 0, waited = 0;
    int code = 0;
    for (size_t done = 0; done < bytes && !code;) {
        Heapd__V1__WriteBufferRequest message = HEAPD__V1__WRITE_BUFFER_REQUEST__INIT;
        size_t part = bytes - done < HD_BUFFER_PART_BYTES ? bytes - done : HD_BUFFER_PART_BYTES;
        size_t most = writer->connection->server.max_frame_bytes / 2;
        part = part < most ? part : most;
        message.object = writer->handle;
        message.offset = offset + done;
        message.data = (ProtobufCBinaryData){part, (uint8_t *)(uintptr_t)(data + done)}; /* read only */
        if (begun - waited == HD_BUFFER_PARTS)
            code = heapd_wait(writer->connection, tickets[waited++ % HD_BUFFER_PARTS], -1, NULL, error);
        if (!code)
            code = hd_begin(writer->connection, HEAPD_METHOD_WRITE_BUFFER, &message.base, 0,
                            &tickets[begun % HD_BUFFER_PARTS], error);
        if (!code)
            begun++;
        done += part;
    }
    while (waited < begun) {
        struct heapd_error later;
        int failed = heapd_wait(writer->connection, tickets[waited++ % HD_BUFFER_PARTS], -1, NULL, &later);
        if (failed && !code && error)
            *error = later;
        code = code ? code : failed;
    }
    return code;
}

static int write_file(const struct heapd_buffer_writer *writer, uint64_t offset, const uint8_t *data, size_t bytes,
                      struct heapd_error *error)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t put = pwrite(writer->fd, data + done, bytes - done, (off_t)(offset + done));
        if (put < 0 && errno != EINTR) {
            char text[96];
            return hd_fail_with(error, HD_ENOMEM, "the system has no memory for the buffer: %s",
                                strerror_r(errno, text, sizeof text));
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

int heapd_buffer_write(struct heapd_buffer_writer *writer, uint64_t offset, const void *data, size_t bytes,
                       struct heapd_error *error)
{
    int code = hd_check_process(writer->connection, error);
    if (code)
        return code;
    if (offset > writer->bytes || bytes > writer->bytes - offset)
        return hd_fail_with(error, HD_EINDEX, "%zu bytes at %llu do not lie within a buffer of %llu", bytes,
                            (unsigned long long)offset, (unsigned long long)writer->bytes);
    if (writer->fd >= 0)
        code = write_file(writer, offset, data, bytes, error);
    else if (writer->data)
        memcpy((uint8_t *)writer->data + offset, data, bytes);
    else
        code = write_parts(writer, offset, data, bytes, error);
    if (!code)
        hd_succeed(error);
    return code;
}

static void free_writer(struct heapd_buffer_writer *writer)
{
    unmap(writer);
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer);
}

/*
 * Pages that were just made wait in a list of this processor before all of the kernel knows them. To whoever seals they
 * look as if somebody held them, and it stops every processor to be sure. Advice about any page, as one of the stack,
 * empties that list first, at a tenth of the price.
 */
static void settle_pages(void)
{
    char here;
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)madvise((void *)((uintptr_t)&here & ~(page_bytes - 1)), (size_t)page_bytes, MADV_COLD);
}

/* All bytes are where they belong, and nobody has them mapped for writing, not even we. */
static int prepare_seal(struct heapd_buffer_writer *writer, struct heapd_error *error)
{
    int code = hd_check_process(writer->connection, error);
    if (!code && writer->fd < 0 && writer->data)
        code = write_parts(writer, 0, writer->data, (size_t)writer->bytes, error);
    if (!code && writer->fd >= 0) {
        unmap(writer);
        settle_pages();
    }
    return code;
}

int heapd_buffer_seal(struct heapd_buffer_writer *writer, heapd_handle *out, struct heapd_error *error)
{
    int code = prepare_seal(writer, error);
    if (code)
        return code;
    Heapd__V1__SealBufferRequest message = HEAPD__V1__SEAL_BUFFER_REQUEST__INIT;
    message.object = writer->handle;
    struct heapd_result result = {0};
    code = hd_sync(writer->connection, HEAPD_METHOD_SEAL_BUFFER, &message.base, 0, &result, error);
    heapd_result_clear(&result);
    if (code)
        return code;
    *out = writer->handle;
    free_writer(writer);
    return 0;
}

int heapd_begin_buffer_seal(struct heapd_buffer_writer *writer, heapd_handle *out, heapd_ticket *ticket,
                            struct heapd_error *error)
{
    int code = prepare_seal(writer, error);
    if (code)
        return code;
    Heapd__V1__SealBufferRequest message = HEAPD__V1__SEAL_BUFFER_REQUEST__INIT;
    message.object = writer->handle;
    code = hd_begin(writer->connection, HEAPD_METHOD_SEAL_BUFFER, &message.base, 0, ticket, error);
    if (code)
        return code;
    *out = writer->handle;
    free_writer(writer);
    return 0;
}

void heapd_buffer_abandon(struct heapd_buffer_writer *writer)
{
    if (!writer)
        return;
    if (hd_check_process(writer->connection, NULL) == 0)
        (void)heapd_release(writer->connection, writer->handle);
    free_writer(writer);
}

/*
 * Does the system give huge pages of shared memory to those that ask, but not to those that write to a file? Then it
 * is mapped and written to. (With "always" and "within_size" a write gets them too, and without any it is the cheaper
 * way.)
 */
static bool must_ask_for_huge_pages(void)
{
    char text[128] = "";
    int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    return count > 0 && strstr(text, "[advise]");
}

#define HD_HUGE_PAGE_BYTES ((uint64_t)2 << 20)

static int fill(struct heapd_buffer_writer *writer, const void *data, uint64_t bytes, struct heapd_error *error)
{
    void *to = NULL;
    if (writer->fd >= 0 && bytes >= HD_HUGE_PAGE_BYTES && must_ask_for_huge_pages())
        to = heapd_buffer_writer_data(writer);
    if (!to)
        return heapd_buffer_write(writer, 0, data, (size_t)bytes, error);
    memcpy(to, data, (size_t)bytes);
    return 0;
}

/* The three requests of a put in one write: creating, its bytes, sealing. Those that were begun have tickets. */
static int begin_small(struct heapd_connection *connection, const void *data, size_t bytes, heapd_handle *handle,
                       heapd_ticket tickets[3], unsigned *begun, struct heapd_error *error)
{
    Heapd__V1__CreateBufferRequest create = HEAPD__V1__CREATE_BUFFER_REQUEST__INIT;
    Heapd__V1__WriteBufferRequest write = HEAPD__V1__WRITE_BUFFER_REQUEST__INIT;
    Heapd__V1__SealBufferRequest seal = HEAPD__V1__SEAL_BUFFER_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_CREATE_BUFFER, .message = &create.base, .into = &create.into};
    create.size = bytes;
    *begun = 0;
    int code = hd_begin_handle(connection, &call, 0, handle, &tickets[0], error);
    if (code)
        return code;
    *begun = 1;
    write.object = seal.object = *handle;
    write.data = (ProtobufCBinaryData){bytes, (uint8_t *)(uintptr_t)data}; /* read only */
    code = hd_begin(connection, HEAPD_METHOD_WRITE_BUFFER, &write.base, 0, &tickets[1], error);
    *begun += !code;
    if (!code)
        code = hd_begin(connection, HEAPD_METHOD_SEAL_BUFFER, &seal.base, 0, &tickets[2], error);
    *begun += !code;
    return code;
}

/* One round trip: for so few bytes, shared memory costs more time than it saves. */
static int put_small(struct heapd_connection *connection, const void *data, size_t bytes, heapd_handle *out,
                     struct heapd_error *error)
{
    heapd_ticket tickets[3];
    heapd_handle handle;
    unsigned begun;
    int code = hd_enter(connection, error);
    if (code)
        return code;
    if (connection->in_batch)
        code = hd_fail_with(error, HD_EBATCH, "a batch is open, so the answer would never come; put it before");
    hd_leave(connection);
    if (code)
        return code;
    code = begin_small(connection, data, bytes, &handle, tickets, &begun, error);
    for (unsigned i = 0; i < begun; i++) {
        struct heapd_error later;
        int failed = heapd_wait(connection, tickets[i], -1, NULL, &later);
        if (failed && !code && error)
            *error = later;
        code = code ? code : failed;
    }
    if (code) {
        if (begun > 0)
            (void)heapd_release(connection, handle);
        return code;
    }
    *out = handle;
    hd_succeed(error);
    return 0;
}

int heapd_buffer_put(struct heapd_connection *connection, const void *data, uint64_t bytes, heapd_handle *out,
                     struct heapd_error *error)
{
    struct heapd_buffer_writer *writer;
    if (connection && bytes > 0 && bytes <= HD_BUFFER_SMALL_BYTES && bytes <= connection->server.max_frame_bytes / 2)
        return put_small(connection, data, (size_t)bytes, out, error);
    if (bytes > SIZE_MAX)
        return hd_fail_with(error, HD_EINVALID, "more bytes than this process can have");
    int code = heapd_buffer_create(connection, bytes, &writer, error);
    if (code)
        return code;
    code = fill(writer, data, bytes, error);
    if (!code)
        code = heapd_buffer_seal(writer, out, error);
    if (code)
        heapd_buffer_abandon(writer);
    return code;
}
