/* Reading buffers: mapped where memory can be shared, else in parts. */
#include "client/lib/buffer.h"

#include <string.h>
#include <unistd.h>

#include "client/lib/call.h"
#include "client/lib/mapping.h"
#include "client/lib/method.h"
#include "heapd/v1/buffer.pb-c.h"

int hd_buffer_fail_descriptor(struct heapd_error *error)
{
    return hd_fail_with(error, HD_EDESCRIPTORS,
                        "this process has no descriptor left to take a buffer by; close some or raise its limit");
}

static void get_call(struct hd_call *call, Heapd__V1__GetBufferRequest *message, heapd_handle handle,
                     bool want_descriptor)
{
    *message = (Heapd__V1__GetBufferRequest)HEAPD__V1__GET_BUFFER_REQUEST__INIT;
    message->object = handle;
    message->want_descriptor = want_descriptor;
    *call = (struct hd_call){.method = HEAPD_METHOD_GET_BUFFER, .message = &message->base};
}

int heapd_buffer_look(struct heapd_connection *connection, heapd_handle handle, struct heapd_buffer_info *out,
                      struct heapd_error *error)
{
    Heapd__V1__GetBufferRequest message;
    struct hd_call call;
    struct heapd_result result = {0};
    get_call(&call, &message, handle, false);
    int code = hd_call_sync(connection, &call, 0, &result, error);
    if (!code)
        *out = result.as.buffer;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_buffer_look(struct heapd_connection *connection, heapd_handle handle, heapd_ticket *ticket,
                            struct heapd_error *error)
{
    Heapd__V1__GetBufferRequest message;
    struct hd_call call;
    get_call(&call, &message, handle, false);
    return hd_call_begin(connection, &call, 0, ticket, error);
}

/* All of it, in parts, some of them under way at once. */
static int read_parts(struct heapd_connection *connection, heapd_handle handle, uint8_t *to, uint64_t bytes,
                      struct heapd_error *error)
{
    heapd_ticket tickets[HD_BUFFER_PARTS];
    uint64_t asked = 0, come = 0;
    size_t most = connection->server.max_frame_bytes / 2;
    size_t part_bytes = HD_BUFFER_PART_BYTES < most ? HD_BUFFER_PART_BYTES : most;
    size_t begun = 0, waited = 0;
    int code = 0;
    while (!code && come < bytes) {
        while (!code && asked < bytes && begun - waited < HD_BUFFER_PARTS) {
            code = heapd_begin_read(connection, handle, asked, part_bytes, &tickets[begun % HD_BUFFER_PARTS], error);
            asked += part_bytes;
            begun += !code;
        }
        struct heapd_result result = {0};
        if (!code)
            code = heapd_wait(connection, tickets[waited++ % HD_BUFFER_PARTS], -1, &result, error);
        size_t size = result.as.part.data.size;
        if (!code && (size == 0 || size > bytes - come))
            code = hd_fail_with(error, HD_EPROTOCOL, "the daemon sent a part of another size");
        if (!code) {
            memcpy(to + come, result.as.part.data.data, size);
            come += size;
        }
        heapd_result_clear(&result);
    }
    while (waited < begun)
        heapd_forget(connection, tickets[waited++ % HD_BUFFER_PARTS]);
    return code;
}

static int get_in_parts(struct heapd_connection *connection, heapd_handle handle, uint64_t bytes,
                        struct heapd_buffer **out, struct heapd_error *error)
{
    struct heapd_buffer *buffer;
    void *data;
    if (hd_mapping_private(bytes, &buffer, &data))
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a buffer of %llu bytes",
                            (unsigned long long)bytes);
    int code = read_parts(connection, handle, data, bytes, error);
    if (code) {
        heapd_buffer_release(buffer);
        return code;
    }
    hd_mapping_protect(buffer);
    *out = buffer;
    return 0;
}

static int map(int fd, uint64_t bytes, struct heapd_buffer **out, struct heapd_error *error)
{
    int code = hd_mapping_of_file(fd, bytes, out);
    if (!code)
        return 0;
    return hd_fail_with(error, code, "a buffer of %llu bytes cannot be mapped: %s", (unsigned long long)bytes,
                        hd_error_text(code));
}

/* The descriptor stays the result's. */
static int take(struct heapd_connection *connection, heapd_handle handle, const struct heapd_result *result,
                struct heapd_buffer **out, struct heapd_error *error)
{
    const struct heapd_buffer_info *info = &result->as.buffer;
    struct heapd_buffer *buffer = hd_mapping_find(connection->number, HD_MAPPING_SERIAL, info->serial);
    int code = 0;
    if (!buffer) {
        if (!connection->is_local)
            code = get_in_parts(connection, handle, info->bytes, &buffer, error);
        else if (!result->descriptor)
            code = hd_buffer_fail_descriptor(error);
        else
            code = map(result->descriptor - 1, info->bytes, &buffer, error);
        if (code)
            return code;
        hd_mapping_remember(buffer, connection->number, HD_MAPPING_SERIAL, info->serial);
    }
    hd_mapping_remember(buffer, connection->number, HD_MAPPING_HANDLE, handle);
    *out = buffer;
    hd_succeed(error);
    return 0;
}

/* What this process has mapped by a handle that it still holds. *out NULL: the daemon is to be asked. */
static int find_mapped(struct heapd_connection *connection, heapd_handle handle, struct heapd_buffer **out,
                       struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    code = hd_check_alive(connection, error);
    if (!code) {
        bool held = hd_slots_is_held(&connection->slots, handle);
        *out = held ? hd_mapping_find(connection->number, HD_MAPPING_HANDLE, handle) : NULL;
        hd_succeed(error);
    }
    hd_leave(connection);
    return code;
}

int heapd_buffer_get(struct heapd_connection *connection, heapd_handle handle, struct heapd_buffer **out,
                     struct heapd_error *error)
{
    struct heapd_buffer *known;
    Heapd__V1__GetBufferRequest message;
    struct hd_call call;
    struct heapd_result result = {0};
    int code = find_mapped(connection, handle, &known, error);
    if (!code && known)
        *out = known;
    if (code || known)
        return code;
    get_call(&call, &message, handle, connection->is_local);
    code = hd_call_sync(connection, &call, 0, &result, error);
    if (!code)
        code = take(connection, handle, &result, out, error);
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_buffer_get(struct heapd_connection *connection, heapd_handle handle, heapd_ticket *ticket,
                           struct heapd_error *error)
{
    Heapd__V1__GetBufferRequest message;
    struct hd_call call;
    int code = hd_check_process(connection, error);
    if (code)
        return code;
    get_call(&call, &message, handle, connection->is_local);
    return hd_call_begin(connection, &call, 0, ticket, error);
}

int heapd_buffer_take(struct heapd_connection *connection, heapd_handle handle, const struct heapd_result *result,
                      struct heapd_buffer **out, struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    if (!code && (result->method != HEAPD_METHOD_GET_BUFFER || !result->as.buffer.sealed))
        code = hd_fail_with(error, HD_EINVALID, "the result is not that of a request for a buffer");
    if (!code)
        code = take(connection, handle, result, out, error);
    return code;
}
