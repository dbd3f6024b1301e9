#include "client.h"

#include "fixture.h"
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- connections --- */

static void dial_tcp(struct bb_client *client, const char *address)
{
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    target.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&target, sizeof target), 0);
}

void bb_dial(struct bb_client *client, const char *address)
{
    *client = (struct bb_client){.next_id = 1};
    if (strncmp(address, "tcp:", 4) == 0) {
        dial_tcp(client, address);
        return;
    }
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
    (void)snprintf(target.sun_path, sizeof target.sun_path, "%s", path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&target, sizeof target), 0);
}

void bb_hello(struct bb_client *client, const char *name)
{
    Heapd__V1__HelloRequest request = HEAPD__V1__HELLO_REQUEST__INIT;
    request.min_version = request.max_version = HD_PROTOCOL_VERSION;
    request.client_name = (char *)(uintptr_t)name;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(HELLO), &request.base, &reply);
    assert_int_equal(reply.frame.flags, 0);
    Heapd__V1__HelloReply *hello = heapd__v1__hello_reply__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(hello);
    assert_int_equal(hello->version, HD_PROTOCOL_VERSION);
    client->session_id = hello->session_id;
    heapd__v1__hello_reply__free_unpacked(hello, NULL);
    bb_reply_free(&reply);
}

void bb_connect(struct bb_client *client, const char *address)
{
    bb_dial(client, address);
    bb_hello(client, "test");
}

void bb_close(struct bb_client *client)
{
    close(client->fd);
    client->fd = -1;
}

/* --- bytes --- */

size_t bb_pack(uint8_t *to, size_t room, uint16_t method, uint64_t id, uint8_t flags, const ProtobufCMessage *message)
{
    size_t body_bytes = message ? protobuf_c_message_get_packed_size(message) : 0;
    assert_true(HD_FRAME_HEADER_BYTES + body_bytes <= room);
    struct hd_frame frame = {.method = method, .request_id = id, .flags = flags, .body_bytes = (uint32_t)body_bytes};
    hd_frame_write(to, &frame);
    if (message)
        (void)protobuf_c_message_pack(message, to + HD_FRAME_HEADER_BYTES);
    return HD_FRAME_HEADER_BYTES + body_bytes;
}

void bb_write(struct bb_client *client, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    while (count) {
        ssize_t sent = send(client->fd, from, count, MSG_NOSIGNAL);
        if (sent < 0)
            fail_msg("the daemon does not take a request: %s", strerror(errno));
        from += sent;
        count -= (size_t)sent;
    }
}

bool bb_has_reply(struct bb_client *client, int wait_ms)
{
    struct pollfd look = {.fd = client->fd, .events = POLLIN};
    return poll(&look, 1, wait_ms) > 0;
}

static void read_bytes(struct bb_client *client, void *to, size_t count)
{
    uint8_t *at = to;
    while (count) {
        if (!bb_has_reply(client, BB_PATIENCE_MS))
            fail_msg("the daemon does not answer");
        ssize_t got = recv(client->fd, at, count, 0);
        if (got <= 0)
            fail_msg("the daemon closed the connection: %s", got ? strerror(errno) : "end of file");
        at += got;
        count -= (size_t)got;
    }
}

bool bb_is_closed(struct bb_client *client)
{
    char scrap[4096];
    while (bb_has_reply(client, BB_PATIENCE_MS))
        if (recv(client->fd, scrap, sizeof scrap, 0) <= 0)
            return true;
    return false;
}

/* --- requests --- */

uint64_t bb_send(struct bb_client *client, uint16_t method, const ProtobufCMessage *message)
{
    size_t room = HD_FRAME_HEADER_BYTES + (message ? protobuf_c_message_get_packed_size(message) : 0);
    uint8_t *bytes = malloc(room);
    assert_non_null(bytes);
    uint64_t id = client->next_id++;
    bb_write(client, bytes, bb_pack(bytes, room, method, id, 0, message));
    free(bytes);
    return id;
}

void bb_send_cancel(struct bb_client *client, uint16_t method, uint64_t id)
{
    uint8_t bytes[HD_FRAME_HEADER_BYTES];
    bb_write(client, bytes, bb_pack(bytes, sizeof bytes, method, id, HD_FRAME_CANCEL, NULL));
}

void bb_receive(struct bb_client *client, struct bb_reply *out)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    read_bytes(client, header, sizeof header);
    assert_int_equal(hd_frame_read(header, sizeof header, HD_FRAME_MAX_BODY_BYTES, &out->frame), 0);
    out->body = malloc(out->frame.body_bytes + 1);
    assert_non_null(out->body);
    read_bytes(client, out->body, out->frame.body_bytes);
}

void bb_reply_free(struct bb_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

void bb_call(struct bb_client *client, uint16_t method, const ProtobufCMessage *message, struct bb_reply *out)
{
    uint64_t id = bb_send(client, method, message);
    bb_receive(client, out);
    assert_int_equal(out->frame.request_id, id);
    assert_int_equal(out->frame.method, method);
}

/* --- expectations --- */

static void fail_with_error(const struct bb_reply *reply)
{
    Heapd__V1__Error *error = heapd__v1__error__unpack(NULL, reply->frame.body_bytes, reply->body);
    fail_msg("method %u: %s: %s", reply->frame.method, error ? hd_status_name((enum hd_status)error->status) : "?",
             error ? error->message : "an error that cannot be read");
}

void bb_expect_ok(struct bb_reply *reply)
{
    if (reply->frame.flags & HD_FRAME_ERROR)
        fail_with_error(reply);
    bb_reply_free(reply);
}

uint64_t bb_expect_error(struct bb_reply *reply, int error, const char *hint)
{
    assert_int_equal(reply->frame.flags & HD_FRAME_ERROR, HD_FRAME_ERROR);
    Heapd__V1__Error *got = heapd__v1__error__unpack(NULL, reply->frame.body_bytes, reply->body);
    assert_non_null(got);
    if (got->code != (uint32_t)-error)
        fail_msg("%s was expected and %s came: %s", hd_error_name(error), hd_error_name(-(int)got->code), got->message);
    assert_int_equal(got->status, hd_error_status(error));
    if (!got->message[0] || !strstr(got->message, hint))
        fail_msg("\"%s\" does not say \"%s\"", got->message, hint);
    uint64_t failed_request = got->failed_request;
    heapd__v1__error__free_unpacked(got, NULL);
    bb_reply_free(reply);
    return failed_request;
}

static Heapd__V1__Value *unpack_value(struct bb_reply *reply)
{
    if (reply->frame.flags & HD_FRAME_ERROR)
        fail_with_error(reply);
    Heapd__V1__Value *value = heapd__v1__value__unpack(NULL, reply->frame.body_bytes, reply->body);
    assert_non_null(value);
    bb_reply_free(reply);
    return value;
}

int64_t bb_expect_integer(struct bb_reply *reply)
{
    Heapd__V1__Value *value = unpack_value(reply);
    assert_int_equal(value->kind_case, HEAPD__V1__VALUE__KIND_INTEGER);
    int64_t integer = value->integer;
    heapd__v1__value__free_unpacked(value, NULL);
    return integer;
}

void bb_expect_handle(struct bb_reply *reply, uint64_t handle)
{
    Heapd__V1__Value *value = unpack_value(reply);
    assert_int_equal(value->kind_case, HEAPD__V1__VALUE__KIND_HANDLE);
    assert_int_equal(value->handle, handle);
    heapd__v1__value__free_unpacked(value, NULL);
}

/* --- common requests --- */

size_t bb_pack_create_list(uint8_t *to, size_t room, uint64_t id, uint64_t into, unsigned count)
{
    uint8_t *kinds = malloc(count + 1);
    int64_t *integers = malloc((count + 1) * sizeof *integers);
    assert_non_null(kinds);
    assert_non_null(integers);
    kinds[0] = HEAPD__V1__KIND__KIND_LIST;
    memset(kinds + 1, HEAPD__V1__KIND__KIND_INT, count);
    for (unsigned i = 0; i < count; i++)
        integers[i] = i;
    uint64_t length = count;
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    literal.kinds = (ProtobufCBinaryData){.len = count + 1, .data = kinds};
    literal.n_integers = count;
    literal.integers = integers;
    literal.n_counts = 1;
    literal.counts = &length;
    Heapd__V1__CreateRequest request = HEAPD__V1__CREATE_REQUEST__INIT;
    request.literal = &literal;
    request.into = into;
    size_t bytes = bb_pack(to, room, BB_METHOD(CREATE), id, 0, &request.base);
    free(kinds);
    free(integers);
    return bytes;
}

void bb_create_list(struct bb_client *client, uint64_t into, unsigned count)
{
    size_t room = 256 + (size_t)count * 12;
    uint8_t *bytes = malloc(room);
    assert_non_null(bytes);
    bb_write(client, bytes, bb_pack_create_list(bytes, room, client->next_id++, into, count));
    free(bytes);
    struct bb_reply reply;
    bb_receive(client, &reply);
    bb_expect_handle(&reply, into);
}

void bb_bind(struct bb_client *client, const char *name, uint64_t handle)
{
    Heapd__V1__Value value = bb_handle(handle);
    Heapd__V1__BindRequest request = HEAPD__V1__BIND_REQUEST__INIT;
    request.name = bb_text(name);
    request.value = &value;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(BIND), &request.base, &reply);
    bb_expect_ok(&reply);
}

void bb_unbind(struct bb_client *client, const char *name)
{
    Heapd__V1__UnbindRequest request = HEAPD__V1__UNBIND_REQUEST__INIT;
    request.name = bb_text(name);
    struct bb_reply reply;
    bb_call(client, BB_METHOD(UNBIND), &request.base, &reply);
    bb_expect_ok(&reply);
}

void bb_lookup(struct bb_client *client, const char *name, uint64_t into)
{
    Heapd__V1__LookupRequest request = HEAPD__V1__LOOKUP_REQUEST__INIT;
    request.name = bb_text(name);
    request.into = into;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(LOOKUP), &request.base, &reply);
    bb_expect_handle(&reply, into);
}

void bb_release(struct bb_client *client, uint64_t handle)
{
    Heapd__V1__ReleaseRequest request = HEAPD__V1__RELEASE_REQUEST__INIT;
    request.n_handles = 1;
    request.handles = &handle;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(RELEASE), &request.base, &reply);
    bb_expect_ok(&reply);
}

void bb_ping(struct bb_client *client)
{
    Heapd__V1__PingRequest request = HEAPD__V1__PING_REQUEST__INIT;
    request.payload = bb_text("ping");
    struct bb_reply reply;
    bb_call(client, BB_METHOD(PING), &request.base, &reply);
    assert_int_equal(reply.frame.flags, 0);
    Heapd__V1__PingReply *pong = heapd__v1__ping_reply__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(pong);
    assert_int_equal(pong->payload.len, 4);
    assert_memory_equal(pong->payload.data, "ping", 4);
    heapd__v1__ping_reply__free_unpacked(pong, NULL);
    bb_reply_free(&reply);
}

uint64_t bb_length(struct bb_client *client, uint64_t handle)
{
    Heapd__V1__LengthRequest request = HEAPD__V1__LENGTH_REQUEST__INIT;
    request.object = handle;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(LENGTH), &request.base, &reply);
    return (uint64_t)bb_expect_integer(&reply);
}

uint64_t bb_stat(struct bb_client *client, const char *name)
{
    struct bb_reply reply;
    bb_call(client, BB_METHOD(STATS), NULL, &reply);
    if (reply.frame.flags & HD_FRAME_ERROR)
        fail_with_error(&reply);
    Heapd__V1__StatsReply *stats = heapd__v1__stats_reply__unpack(NULL, reply.frame.body_bytes, reply.body);
    assert_non_null(stats);
    for (size_t i = 0; i < stats->n_stats; i++) {
        if (strcmp(stats->stats[i]->name, name) != 0)
            continue;
        uint64_t value = stats->stats[i]->value;
        heapd__v1__stats_reply__free_unpacked(stats, NULL);
        bb_reply_free(&reply);
        return value;
    }
    fail_msg("Stats has no \"%s\"", name);
    return 0;
}

uint64_t bb_settled_objects(struct bb_client *client)
{
    BB_AWAIT(bb_stat(client, "rpc_sessions_closing_count") + bb_stat(client, "objects_waiting_to_be_freed_count") == 0);
    return bb_stat(client, BB_STAT_OBJECTS);
}

void bb_collect(struct bb_client *client)
{
    Heapd__V1__CollectRequest request = HEAPD__V1__COLLECT_REQUEST__INIT;
    request.generation = 2;
    struct bb_reply reply;
    bb_call(client, BB_METHOD(GC_COLLECT), &request.base, &reply);
    bb_expect_ok(&reply);
}
