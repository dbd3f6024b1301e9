#include "support/rpc_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/private.h"

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#define BUFFER_MAX_BYTES ((size_t)256 << 20)

/* ---- the world ---- */

static uint64_t clock_of(void *context)
{
    const struct rpc_world *world = context;
    return world->now_ns;
}

static bool fault(void *context)
{
    struct rpc_world *world = context;
    world->allocation_count++;
    if (world->fail_at == 0)
        return false;
    if (world->fail_at > 1) {
        world->fail_at--;
        return false;
    }
    if (!world->fail_every)
        world->fail_at = 0;
    return true;
}

/* The real system's functions take no context, so this one may be the world. */
void rpc_world_init(struct rpc_world *world)
{
    memset(world, 0, sizeof *world);
    world->os = *hd_os_linux();
    world->os.now_ns = clock_of;
    world->os.cpu_ns = clock_of;
    world->os.context = world;
    world->now_ns = 1000;
    hd_heap_config_default(&world->heap_config);
    world->heap_config.fault = fault;
    world->heap_config.fault_context = world;
    world->rpc_config = (struct hd_rpc_config){
        .max_frame_bytes = 1 << 20,
        .max_slots = 4096,
        .max_connections = 16,
        .max_parked = 64,
        .output_high_bytes = 256 << 10,
    };
}

void rpc_world_start(struct rpc_world *world)
{
    MUST(hd_heap_new(&world->os, &world->heap_config, &world->heap) == 0);
    MUST(hd_rpc_server_new(world->heap, &world->os, &world->rpc_config, &world->server) == 0);
}

void rpc_world_run(struct rpc_world *world)
{
    for (int i = 0; i < 1000000; i++)
        if (!hd_rpc_run(world->server, 10000))
            return;
    MUST(false && "hd_rpc_run ends");
}

void rpc_world_check(struct rpc_world *world)
{
    const char *broken = hd_heap_check(world->heap, &hd_allocator_libc);
    if (!broken)
        return;
    fprintf(stderr, "broken: %s\n", broken);
    abort();
}

void rpc_world_fini(struct rpc_world *world)
{
    world->fail_at = 0;
    rpc_world_run(world);
    rpc_world_check(world);
    hd_rpc_server_free(world->server);
    rpc_world_check(world);
    hd_heap_free(world->heap);
}

struct stat_wanted {
    const char *name;
    uint64_t value;
    bool found;
};

static void look(void *context, const char *name, uint64_t value)
{
    struct stat_wanted *wanted = context;
    if (strcmp(name, wanted->name) != 0)
        return;
    wanted->value = value;
    wanted->found = true;
}

uint64_t rpc_world_stat(struct rpc_world *world, const char *name)
{
    struct stat_wanted wanted = {.name = name};
    hd_heap_stats(world->heap, look, &wanted);
    MUST(wanted.found);
    return wanted.value;
}

/* ---- the client ---- */

void rpc_client_connect(struct rpc_client *client, struct rpc_world *world, bool admin)
{
    const struct hd_rpc_peer peer = {.pid = 17, .uid = 1000, .admin = admin, .takes_descriptors = true};
    memset(client, 0, sizeof *client);
    client->world = world;
    hd_buffer_init(&client->input, &hd_allocator_libc, BUFFER_MAX_BYTES);
    hd_buffer_init(&client->received, &hd_allocator_libc, BUFFER_MAX_BYTES);
    MUST(hd_rpc_connection_new(world->server, &peer, client, &client->connection) == 0);
}

void rpc_client_open(struct rpc_client *client, struct rpc_world *world, bool admin)
{
    struct rpc_reply reply;
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    hello.min_version = hello.max_version = 1;
    hello.client_name = (char *)(uintptr_t) "test";
    rpc_client_connect(client, world, admin);
    uint64_t id = rpc_send(client, HEAPD__V1__METHOD__HELLO, &hello);
    MUST(rpc_take(client, id, &reply) && !(reply.frame.flags & HD_FRAME_ERROR));
}

void rpc_client_close(struct rpc_client *client)
{
    hd_rpc_connection_close(client->connection);
    hd_buffer_fini(&client->input);
    hd_buffer_fini(&client->received);
    free(client->taken);
    memset(client, 0, sizeof *client);
}

void rpc_take_output(struct rpc_client *client, size_t count)
{
    size_t there;
    const uint8_t *bytes = hd_rpc_output(client->connection, &there);
    if (count > there)
        count = there;
    if (count == 0)
        return;
    MUST(hd_buffer_append(&client->received, bytes, count) == 0);
    hd_rpc_sent(client->connection, count);
}

/* A long literal is read on in the next turns: they are given to it. */
static size_t receive(struct rpc_client *client, const uint8_t *bytes, size_t count)
{
    size_t taken = hd_rpc_receive(client->connection, bytes, count);
    while (!taken && client->connection->reading)
        taken = hd_rpc_receive(client->connection, bytes, count);
    return taken;
}

/* As a socket would do it: each byte by itself, with all that came before and was not taken. */
static size_t give(struct rpc_client *client)
{
    const uint8_t *bytes = hd_buffer_head(&client->input);
    size_t count = hd_buffer_readable(&client->input);
    if (!client->byte_by_byte)
        return receive(client, bytes, count);
    for (size_t i = 1; i <= count; i++) {
        size_t taken = receive(client, bytes, i);
        if (taken)
            return taken;
    }
    return 0;
}

/* One turn: input as long as it is wanted, then output. */
static bool pump_once(struct rpc_client *client)
{
    bool moved = false;
    if (hd_buffer_readable(&client->input) && hd_rpc_connection_wants_input(client->connection)) {
        size_t taken = give(client);
        hd_buffer_consume(&client->input, taken);
        moved = taken > 0;
        client->heard = 0;
    }
    if (hd_rpc_connection_overhears(client->connection))
        client->heard = hd_rpc_overhear(client->connection, hd_buffer_head(&client->input),
                                        hd_buffer_readable(&client->input), client->heard);
    size_t there;
    (void)hd_rpc_output(client->connection, &there);
    if (client->deaf || there == 0)
        return moved;
    rpc_take_output(client, SIZE_MAX);
    return true;
}

bool rpc_pump(struct rpc_client *client)
{
    bool moved = false;
    while (pump_once(client))
        moved = true;
    return moved;
}

void rpc_send_bytes(struct rpc_client *client, const void *bytes, size_t count)
{
    MUST(hd_buffer_append(&client->input, bytes, count) == 0);
    rpc_pump(client);
}

void rpc_send_frame(struct rpc_client *client, const struct hd_frame *frame, const void *body)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    hd_frame_write(header, frame);
    MUST(hd_buffer_append(&client->input, header, sizeof header) == 0);
    MUST(hd_buffer_append(&client->input, body, body ? frame->body_bytes : 0) == 0);
    rpc_pump(client);
}

void rpc_send_as(struct rpc_client *client, uint64_t id, int method, const void *message)
{
    size_t bytes = message ? protobuf_c_message_get_packed_size(message) : 0;
    uint8_t *body = malloc(bytes + 1);
    MUST(body);
    if (message)
        protobuf_c_message_pack(message, body);
    const struct hd_frame frame = {.body_bytes = (uint32_t)bytes, .method = (uint16_t)method, .request_id = id};
    rpc_send_frame(client, &frame, body);
    free(body);
}

uint64_t rpc_send(struct rpc_client *client, int method, const void *message)
{
    rpc_send_as(client, ++client->last_id, method, message);
    return client->last_id;
}

void rpc_cancel(struct rpc_client *client, uint64_t id)
{
    const struct hd_frame frame = {.flags = HD_FRAME_CANCEL, .request_id = id};
    rpc_send_frame(client, &frame, NULL);
}

/* Takes the frame at `at` out of what was received. */
static void take_at(struct rpc_client *client, size_t at, const struct hd_frame *frame, struct rpc_reply *out)
{
    struct hd_buffer *received = &client->received;
    uint8_t *head = hd_buffer_head(received) + at;
    size_t bytes = HD_FRAME_HEADER_BYTES + frame->body_bytes;
    free(client->taken);
    client->taken = malloc(bytes);
    MUST(client->taken);
    memcpy(client->taken, head, bytes);
    memmove(head, head + bytes, hd_buffer_readable(received) - at - bytes);
    received->end -= bytes;
    out->frame = *frame;
    out->body = client->taken + HD_FRAME_HEADER_BYTES;
}

static bool take(struct rpc_client *client, bool any, uint64_t id, struct rpc_reply *out)
{
    rpc_pump(client);
    for (size_t at = 0;;) {
        struct hd_frame frame;
        size_t left = hd_buffer_readable(&client->received) - at;
        const uint8_t *head = hd_buffer_head(&client->received);
        int result = left ? hd_frame_read(head + at, left, HD_FRAME_MAX_BODY_BYTES, &frame) : 1;
        MUST(result >= 0);
        if (result || left < HD_FRAME_HEADER_BYTES + frame.body_bytes)
            return false;
        if (any || frame.request_id == id) {
            take_at(client, at, &frame, out);
            return true;
        }
        at += HD_FRAME_HEADER_BYTES + frame.body_bytes;
    }
}

bool rpc_take(struct rpc_client *client, uint64_t id, struct rpc_reply *out)
{
    return take(client, false, id, out);
}

bool rpc_take_any(struct rpc_client *client, struct rpc_reply *out)
{
    return take(client, true, 0, out);
}

void *rpc_unpack(const struct rpc_reply *reply, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = protobuf_c_message_unpack(descriptor, NULL, reply->frame.body_bytes, reply->body);
    MUST(message);
    return message;
}

/* ---- values ---- */

static Heapd__V1__Value value_of(Heapd__V1__Value__KindCase kind)
{
    Heapd__V1__Value value = HEAPD__V1__VALUE__INIT;
    value.kind_case = kind;
    return value;
}

Heapd__V1__Value rpc_none(void)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_NONE);
    value.none = true;
    return value;
}

Heapd__V1__Value rpc_bool(bool boolean)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_BOOLEAN);
    value.boolean = boolean;
    return value;
}

Heapd__V1__Value rpc_int(int64_t integer)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_INTEGER);
    value.integer = integer;
    return value;
}

Heapd__V1__Value rpc_real(double real)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_REAL);
    value.real = real;
    return value;
}

ProtobufCBinaryData rpc_bytes(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

Heapd__V1__Value rpc_str(const char *text)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_STR);
    value.str = rpc_bytes(text);
    return value;
}

Heapd__V1__Value rpc_handle(hd_handle handle)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_HANDLE);
    value.handle = handle;
    return value;
}

Heapd__V1__Value rpc_literal(Heapd__V1__Literal *literal)
{
    Heapd__V1__Value value = value_of(HEAPD__V1__VALUE__KIND_LITERAL);
    value.literal = literal;
    return value;
}

Heapd__V1__Literal rpc_empty(enum _Heapd__V1__Kind kind)
{
    static uint8_t kinds[16];
    static uint64_t zero = 0;
    Heapd__V1__Literal literal = HEAPD__V1__LITERAL__INIT;
    kinds[kind] = (uint8_t)kind;
    literal.kinds = (ProtobufCBinaryData){1, &kinds[kind]};
    literal.counts = &zero;
    literal.n_counts = 1;
    return literal;
}
