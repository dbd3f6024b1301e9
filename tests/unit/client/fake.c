#include "fake.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void fake_check(struct fake *fake, int condition, const char *file, int line, const char *text)
{
    if (condition)
        return;
    fake->failures++;
    (void)fprintf(stderr, "%s:%d: the script expected: %s\n", file, line, text);
}

static int read_all(int fd, void *to, size_t count)
{
    uint8_t *at = to;
    while (count > 0) {
        ssize_t got = recv(fd, at, count, 0);
        if (got <= 0)
            return -1;
        at += got;
        count -= (size_t)got;
    }
    return 0;
}

int fake_read(struct fake *fake, struct fake_request *out)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    *out = (struct fake_request){0};
    if (read_all(fake->fd, header, sizeof header))
        return -1;
    if (hd_frame_read(header, sizeof header, HD_FRAME_MAX_BODY_BYTES, &out->frame))
        return -1;
    out->body = malloc(out->frame.body_bytes + 1u);
    return read_all(fake->fd, out->body, out->frame.body_bytes);
}

int fake_expect(struct fake *fake, uint16_t method, struct fake_request *out)
{
    int ended = fake_read(fake, out);
    FAKE_CHECK(fake, !ended);
    FAKE_CHECK(fake, ended || out->frame.method == method);
    return ended;
}

void fake_request_fini(struct fake_request *request)
{
    free(request->body);
    request->body = NULL;
}

void fake_write(struct fake *fake, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t sent = send(fake->fd, at, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        count -= (size_t)sent;
    }
}

void fake_send(struct fake *fake, const struct fake_request *to, uint8_t flags, const ProtobufCMessage *message)
{
    size_t body_bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(HD_FRAME_HEADER_BYTES + body_bytes);
    struct hd_frame frame = {
        .body_bytes = (uint32_t)body_bytes,
        .method = to->frame.method,
        .flags = flags,
        .request_id = to->frame.request_id,
    };
    hd_frame_write(bytes, &frame);
    protobuf_c_message_pack(message, bytes + HD_FRAME_HEADER_BYTES);
    fake_write(fake, bytes, HD_FRAME_HEADER_BYTES + body_bytes);
    free(bytes);
}

void fake_reply_empty(struct fake *fake, const struct fake_request *to)
{
    Heapd__V1__Empty message = HEAPD__V1__EMPTY__INIT;
    fake_send(fake, to, 0, &message.base);
}

void fake_reply_int(struct fake *fake, const struct fake_request *to, int64_t value)
{
    Heapd__V1__Value message = HEAPD__V1__VALUE__INIT;
    message.kind_case = HEAPD__V1__VALUE__KIND_INTEGER;
    message.integer = value;
    fake_send(fake, to, 0, &message.base);
}

void fake_reply_handle(struct fake *fake, const struct fake_request *to, uint64_t handle, int type)
{
    Heapd__V1__Value message = HEAPD__V1__VALUE__INIT;
    message.kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
    message.handle = handle;
    message.type = (Heapd__V1__Type)type;
    fake_send(fake, to, 0, &message.base);
}

void fake_reply_error(struct fake *fake, const struct fake_request *to, int code, const char *text,
                      uint64_t failed_request)
{
    Heapd__V1__Error message = HEAPD__V1__ERROR__INIT;
    message.code = (uint32_t)-code;
    message.status = (Heapd__V1__Status)hd_error_status(code);
    message.message = (char *)(uintptr_t)text;
    message.failed_request = failed_request;
    fake_send(fake, to, HD_FRAME_ERROR, &message.base);
}

void fake_serve_end(struct fake *fake)
{
    struct fake_request request;
    while (fake_read(fake, &request) == 0) {
        fake_reply_empty(fake, &request);
        fake_request_fini(&request);
    }
    fake_request_fini(&request);
}

static void greet(struct fake *fake)
{
    struct fake_request request;
    if (fake_expect(fake, HD_METHOD_HELLO, &request) == 0) {
        Heapd__V1__HelloReply message = HEAPD__V1__HELLO_REPLY__INIT;
        message.version = 1;
        message.session_id = 7;
        message.server_version = (char *)(uintptr_t) "fake";
        message.max_frame_bytes = 1 << 20;
        message.max_slots = 1000;
        message.max_depth = 20;
        fake_send(fake, &request, 0, &message.base);
    }
    fake_request_fini(&request);
}

static void *run(void *context)
{
    struct fake *fake = context;
    greet(fake);
    fake->script(fake);
    shutdown(fake->fd, SHUT_RDWR);
    return NULL;
}

void fake_start_with(struct fake *fake, fake_script *script, void *context, const struct heapd_options *options)
{
    int pair[2];
    *fake = (struct fake){.script = script, .context = context};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fake->fd = pair[0];
    assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
    struct heapd_error error;
    /* A script has no ring to give. */
    struct heapd_options over_socket = HEAPD_OPTIONS_INIT;
    if (options)
        over_socket = *options;
    over_socket.ring = HEAPD_RING_NEVER;
    if (heapd_connect_fd(pair[1], &over_socket, &fake->client, &error))
        fail_msg("%s", error.message);
}

void fake_start(struct fake *fake, fake_script *script, void *context)
{
    fake_start_with(fake, script, context, NULL);
}

void fake_stop(struct fake *fake)
{
    heapd_close(fake->client);
    pthread_join(fake->thread, NULL);
    close(fake->fd);
    assert_int_equal(fake->failures, 0);
}
