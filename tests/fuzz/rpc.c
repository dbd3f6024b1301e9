/*
 * Sequences of operations over server/rpc, by two clients of one heap. The input
 * is a program: a byte for what to do, then its arguments, each reduced to what
 * may exist, so that every input means something. The structures are checked as
 * it goes, and in the end nothing may be left.
 */
#include <heapd/v1/gc.pb-c.h>
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/names.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <heapd/v1/session.pb-c.h>
#include <stdbool.h>
#include <string.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "common/handle.h"
#include "fuzz.h"
#include "heap/heap.h"
#include "rpc/private.h"
#include "rpc/rpc.h"

#define CLIENTS 2
#define SLOTS 12
#define OPERATIONS_MAX 400
#define CHECK_EVERY 32
/* Numbers of methods, as shared memory has them. */
#define METHOD_RING_FIRST 8
#define METHOD_RING_LAST 11
#define METHOD_BUFFER_FIRST 80
#define METHOD_BUFFER_LAST 95

struct program {
    const uint8_t *at;
    const uint8_t *end;
};

struct client {
    struct hd_rpc_connection *connection;
    struct hd_buffer input;
    uint64_t last_id;
    bool deaf;
};

struct world {
    struct hd_os os;
    uint64_t now_ns;
    struct hd_heap *heap;
    struct hd_rpc_server *server;
    struct client clients[CLIENTS];
    uint64_t fail_in; /* allocations; 0: none fails */
};

static uint8_t next(struct program *program)
{
    return program->at < program->end ? *program->at++ : 0;
}

static uint8_t below(struct program *program, unsigned limit)
{
    return (uint8_t)(next(program) % limit);
}

/* ---- arguments ---- */

static hd_handle a_handle(struct program *program)
{
    uint8_t byte = next(program);
    if (byte == 0xff)
        return UINT64_MAX;
    return hd_handle_make(byte % SLOTS, byte / SLOTS % 8);
}

static ProtobufCBinaryData a_text(struct program *program)
{
    static char *const texts[] = {"a", "b", "name", "a text of more than seven bytes", "", "\xff", "\xc3\xa9t\xc3\xa9"};
    char *text = texts[below(program, sizeof texts / sizeof texts[0])];
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* A literal of a few nodes, mostly well-formed. Lent until the next. */
static Heapd__V1__Literal *a_literal(struct program *program)
{
    static Heapd__V1__Literal literal;
    static uint8_t kinds[16];
    static uint64_t counts[16], sizes[16], handles[16], shared[16];
    static int64_t integers[16];
    static double reals[16] = {0.0, 1.5, 1e300};
    static uint8_t data[16] = "text and more te";
    heapd__v1__literal__init(&literal);
    size_t length = 1 + below(program, 12);
    for (size_t i = 0; i < length; i++) {
        uint8_t kind = 1 + below(program, 16);
        kinds[i] = kind;
        if (kind >= 9 && (kind <= 12 || kind == 15))
            counts[literal.n_counts++] = below(program, 4);
        else if (kind == 4)
            integers[literal.n_integers++] = (int8_t)next(program);
        else if (kind == 6)
            literal.n_reals++;
        else if (kind == 5 || kind == 7 || kind == 8) {
            sizes[literal.n_sizes] = 1;
            literal.data.len += sizes[literal.n_sizes++];
        } else if (kind == 13)
            handles[literal.n_handles++] = a_handle(program);
        else if (kind == 14)
            shared[literal.n_shared++] = below(program, 3);
    }
    literal.kinds = (ProtobufCBinaryData){length, kinds};
    literal.data.data = data;
    literal.counts = counts;
    literal.sizes = sizes;
    literal.handles = handles;
    literal.shared = shared;
    literal.integers = integers;
    literal.reals = reals;
    return &literal;
}

static Heapd__V1__Value *a_value(struct program *program, Heapd__V1__Value *value)
{
    heapd__v1__value__init(value);
    value->kind_case = (Heapd__V1__Value__KindCase)below(program, 10);
    switch (value->kind_case) {
    case HEAPD__V1__VALUE__KIND_BOOLEAN:
        value->boolean = below(program, 2);
        break;
    case HEAPD__V1__VALUE__KIND_INTEGER:
        value->integer = (int8_t)next(program);
        if (value->integer == 100)
            value->integer = INT64_MAX;
        break;
    case HEAPD__V1__VALUE__KIND_REAL:
        value->real = (double)next(program) / 4;
        break;
    case HEAPD__V1__VALUE__KIND_BIG_INTEGER:
    case HEAPD__V1__VALUE__KIND_STR:
    case HEAPD__V1__VALUE__KIND_BYTES:
        value->str = a_text(program);
        break;
    case HEAPD__V1__VALUE__KIND_HANDLE:
        value->handle = a_handle(program);
        break;
    case HEAPD__V1__VALUE__KIND_LITERAL:
        value->literal = a_literal(program);
        break;
    default:
        break;
    }
    return value;
}

/* ---- requests ---- */

/* All that requests are made of; each takes what it needs. */
struct arguments {
    Heapd__V1__Value key;
    Heapd__V1__Value value;
    uint64_t captures[2];
    uint64_t handles[3];
};

#define BEGIN(type, lower) \
    Heapd__V1__##type message; \
    heapd__v1__##lower##__init(&message)
#define END(method) return pack(HEAPD__V1__METHOD__##method, &message.base, out)

static int pack(int method, const ProtobufCMessage *message, struct hd_buffer *out)
{
    uint8_t *room;
    FUZZ_CHECK(hd_buffer_reserve(out, protobuf_c_message_get_packed_size(message), &room) == 0);
    hd_buffer_commit(out, protobuf_c_message_pack(message, room));
    return method;
}

static int make_graph(struct program *program, struct arguments *arguments, struct hd_buffer *out)
{
    size_t captures = below(program, 3);
    arguments->captures[0] = 0;
    arguments->captures[1] = 1 + below(program, 2);
    if (below(program, 2)) {
        BEGIN(CreateRequest, create_request);
        message.literal = a_literal(program);
        message.into = a_handle(program);
        message.captures = arguments->captures;
        message.n_captures = captures;
        message.captures_into = a_handle(program);
        END(CREATE);
    }
    BEGIN(ExtendRequest, extend_request);
    message.object = a_handle(program);
    message.literal = a_literal(program);
    message.captures = arguments->captures;
    message.n_captures = captures;
    message.captures_into = a_handle(program);
    END(EXTEND);
}

static int make_class(struct program *program, struct hd_buffer *out)
{
    ProtobufCBinaryData attribute = a_text(program);
    BEGIN(CreateClassRequest, create_class_request);
    message.name = a_text(program);
    message.superclass = below(program, 3) == 0 ? a_handle(program) : 0;
    message.attributes = &attribute;
    message.n_attributes = below(program, 2);
    message.into = a_handle(program);
    END(CREATE_CLASS);
}

static int make_release(struct program *program, struct arguments *arguments, struct hd_buffer *out)
{
    BEGIN(ReleaseRequest, release_request);
    message.n_handles = below(program, 4);
    message.handles = arguments->handles;
    for (size_t i = 0; i < message.n_handles; i++)
        arguments->handles[i] = a_handle(program);
    END(RELEASE);
}

/* Requests with the fields object (1) and perhaps key, value, name, into: they differ in their numbers alone. */
static int make_on_object(struct program *program, struct arguments *arguments, struct hd_buffer *out)
{
    static const int item_methods[] = {
        HEAPD__V1__METHOD__SET_ITEM, HEAPD__V1__METHOD__DEL_ITEM, HEAPD__V1__METHOD__CONTAINS,
        HEAPD__V1__METHOD__LENGTH,   HEAPD__V1__METHOD__CLEAR,    HEAPD__V1__METHOD__INSPECT,
        HEAPD__V1__METHOD__READ,     HEAPD__V1__METHOD__EXPORT,
    };
    static const int value_methods[] = {HEAPD__V1__METHOD__APPEND, HEAPD__V1__METHOD__SET_ADD,
                                        HEAPD__V1__METHOD__SET_DISCARD};
    static const int attribute_methods[] = {HEAPD__V1__METHOD__SET_ATTR, HEAPD__V1__METHOD__DEL_ATTR};
    switch (below(program, 5)) {
    case 0: {
        BEGIN(SetItemRequest, set_item_request);
        message.object = a_handle(program);
        message.key = a_value(program, &arguments->key);
        message.value =
            arguments->key.kind_case == HEAPD__V1__VALUE__KIND_LITERAL ? NULL : a_value(program, &arguments->value);
        int method = item_methods[below(program, sizeof item_methods / sizeof item_methods[0])];
        return pack(method, &message.base, out);
    }
    case 1: {
        BEGIN(AppendRequest, append_request);
        message.object = a_handle(program);
        message.value = a_value(program, &arguments->value);
        return pack(value_methods[below(program, 3)], &message.base, out);
    }
    case 2: {
        BEGIN(SetAttrRequest, set_attr_request);
        message.object = a_handle(program);
        message.name = a_text(program);
        message.value = a_value(program, &arguments->value);
        return pack(attribute_methods[below(program, 2)], &message.base, out);
    }
    case 3: {
        BEGIN(InsertRequest, insert_request);
        message.object = a_handle(program);
        message.index = (int8_t)next(program);
        message.value = a_value(program, &arguments->value);
        END(INSERT);
    }
    default: {
        BEGIN(AddRequest, add_request);
        message.object = a_handle(program);
        message.key = below(program, 2) ? a_value(program, &arguments->key) : NULL;
        if (!message.key)
            message.name = a_text(program);
        message.delta = message.key && message.key->literal ? NULL : a_value(program, &arguments->value);
        END(ADD);
    }
    }
}

static int make_with_result(struct program *program, struct arguments *arguments, struct hd_buffer *out)
{
    Heapd__V1__Step step = HEAPD__V1__STEP__INIT;
    Heapd__V1__Step *steps[] = {&step};
    switch (below(program, 5)) {
    case 0: {
        BEGIN(GetItemRequest, get_item_request);
        message.object = a_handle(program);
        message.key = a_value(program, &arguments->key);
        message.into = a_handle(program);
        message.as_object = below(program, 2);
        END(GET_ITEM);
    }
    case 1: {
        BEGIN(PopRequest, pop_request);
        message.object = a_handle(program);
        message.key = below(program, 2) ? a_value(program, &arguments->key) : NULL;
        message.into = a_handle(program);
        END(POP);
    }
    case 2: {
        BEGIN(GetAttrRequest, get_attr_request);
        message.object = a_handle(program);
        message.name = a_text(program);
        message.into = a_handle(program);
        message.as_object = below(program, 2);
        END(GET_ATTR);
    }
    case 3: {
        BEGIN(DuplicateRequest, duplicate_request);
        message.object = a_handle(program);
        message.into = a_handle(program);
        END(DUPLICATE);
    }
    default: {
        BEGIN(ResolveRequest, resolve_request);
        message.name = a_text(program);
        message.into = a_handle(program);
        message.steps = steps;
        message.n_steps = below(program, 2);
        step.kind_case = HEAPD__V1__STEP__KIND_ITEM;
        step.item = a_value(program, &arguments->key);
        END(RESOLVE);
    }
    }
}

static int make_on_names(struct program *program, struct arguments *arguments, struct hd_buffer *out)
{
    hd_handle scope = below(program, 2) ? a_handle(program) : 0;
    switch (below(program, 6)) {
    case 0: {
        BEGIN(OpenScopeRequest, open_scope_request);
        message.parent = scope;
        message.into = a_handle(program);
        END(OPEN_SCOPE);
    }
    case 1: {
        BEGIN(CloseScopeRequest, close_scope_request);
        message.scope = scope;
        END(CLOSE_SCOPE);
    }
    case 2: {
        BEGIN(LookupRequest, lookup_request);
        message.scope = scope;
        message.name = a_text(program);
        message.into = a_handle(program);
        message.as_object = below(program, 2);
        message.wait_ms = below(program, 4);
        END(LOOKUP);
    }
    case 3: {
        BEGIN(UnbindRequest, unbind_request);
        message.scope = scope;
        message.name = a_text(program);
        END(UNBIND);
    }
    case 4: {
        BEGIN(ListNamesRequest, list_names_request);
        message.scope = scope;
        message.limit = below(program, 3);
        END(LIST_NAMES);
    }
    default: {
        BEGIN(BindRequest, bind_request);
        message.scope = scope;
        message.name = a_text(program);
        message.value = a_value(program, &arguments->value);
        END(BIND);
    }
    }
}

/* Any method, any bytes. */
static int make_raw(struct program *program, struct hd_buffer *out)
{
    uint8_t bytes[32];
    size_t count = below(program, sizeof bytes);
    for (size_t i = 0; i < count; i++)
        bytes[i] = next(program);
    FUZZ_CHECK(hd_buffer_append(out, bytes, count) == 0);
    return next(program);
}

static int make(struct program *program, struct hd_buffer *out)
{
    struct arguments arguments;
    switch (below(program, 8)) {
    case 0:
    case 1:
        return make_graph(program, &arguments, out);
    case 2:
        return make_class(program, out);
    case 3:
        return make_release(program, &arguments, out);
    case 4:
        return make_on_object(program, &arguments, out);
    case 5:
        return make_with_result(program, &arguments, out);
    case 6:
        return make_on_names(program, &arguments, out);
    default:
        return make_raw(program, out);
    }
}

/* ---- any method ---- */

/* Shared memory is not for a fuzzer: a thread closes it, at a time of its own. */
static bool is_for_fuzzing(const struct hd_operation *operation)
{
    unsigned method = operation->method;
    bool shared = (method >= METHOD_RING_FIRST && method <= METHOD_RING_LAST) ||
                  (method >= METHOD_BUFFER_FIRST && method <= METHOD_BUFFER_LAST);
    return !shared && !(operation->flags & (HD_OP_ADMIN | HD_OP_BEFORE_HELLO)) && operation->request;
}

static void put_varint(struct hd_buffer *out, uint64_t number)
{
    uint8_t bytes[10];
    size_t count = 0;
    for (; number >= 0x80; number >>= 7)
        bytes[count++] = (uint8_t)(number | 0x80);
    bytes[count++] = (uint8_t)number;
    FUZZ_CHECK(hd_buffer_append(out, bytes, count) == 0);
}

/* Mostly of the generation that what was made first has. */
static uint64_t a_number(struct program *program)
{
    switch (below(program, 4)) {
    case 0:
        return next(program);
    case 1:
        return a_handle(program);
    default:
        return hd_handle_make(below(program, SLOTS), 1);
    }
}

static void put_message(struct program *program, const ProtobufCMessageDescriptor *type, unsigned depth,
                        struct hd_buffer *out);

static void put_delimited(const struct hd_buffer *from, struct hd_buffer *out)
{
    put_varint(out, hd_buffer_readable(from));
    FUZZ_CHECK(hd_buffer_append(out, hd_buffer_head(from), hd_buffer_readable(from)) == 0);
}

static void put_inner(struct program *program, const ProtobufCMessageDescriptor *type, unsigned depth,
                      struct hd_buffer *out)
{
    struct hd_buffer body;
    Heapd__V1__Value value;
    hd_buffer_init(&body, &hd_allocator_libc, (size_t)1 << 16);
    if (type == &heapd__v1__value__descriptor && below(program, 2)) {
        heapd__v1__value__init(&value);
        value.kind_case = HEAPD__V1__VALUE__KIND_HANDLE;
        value.handle = a_number(program);
        (void)pack(0, &value.base, &body);
    } else if (type == &heapd__v1__value__descriptor)
        (void)pack(0, &a_value(program, &value)->base, &body);
    else if (type == &heapd__v1__literal__descriptor)
        (void)pack(0, &a_literal(program)->base, &body);
    else if (depth)
        put_message(program, type, depth - 1, &body);
    put_delimited(&body, out);
    hd_buffer_fini(&body);
}

/* Numbers are handles, or small: positions, modes, counts, times. */
static void put_field(struct program *program, const ProtobufCFieldDescriptor *field, unsigned depth,
                      struct hd_buffer *out)
{
    ProtobufCBinaryData text;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        put_varint(out, (uint64_t)field->id << 3 | 2);
        put_inner(program, field->descriptor, depth, out);
        return;
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_STRING:
        text = a_text(program);
        put_varint(out, (uint64_t)field->id << 3 | 2);
        put_varint(out, text.len);
        FUZZ_CHECK(hd_buffer_append(out, text.data, text.len) == 0);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        return;
    case PROTOBUF_C_TYPE_UINT64:
        put_varint(out, (uint64_t)field->id << 3);
        put_varint(out, a_number(program));
        return;
    default:
        put_varint(out, (uint64_t)field->id << 3);
        put_varint(out, below(program, 24));
    }
}

static void put_message(struct program *program, const ProtobufCMessageDescriptor *type, unsigned depth,
                        struct hd_buffer *out)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        unsigned times = below(program, 4) ? 1 : 0;
        if (type->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
            times = below(program, 3);
        for (; times; times--)
            put_field(program, &type->fields[i], depth, out);
    }
}

/* A request of any method that there is, by what its descriptor says: new ones come by themselves. */
static int make_described(struct program *program, struct hd_buffer *out)
{
    uint16_t method = next(program);
    const struct hd_operation *operation = hd_operation_find(method);
    if (operation && is_for_fuzzing(operation))
        put_message(program, operation->request, 2, out);
    else
        method = HEAPD__V1__METHOD__PING;
    return method;
}

/* ---- clients ---- */

static void pump(struct client *client)
{
    for (int i = 0; i < 100; i++) {
        size_t count, taken = 0;
        if (hd_buffer_readable(&client->input) && hd_rpc_connection_wants_input(client->connection)) {
            taken =
                hd_rpc_receive(client->connection, hd_buffer_head(&client->input), hd_buffer_readable(&client->input));
            hd_buffer_consume(&client->input, taken);
        }
        (void)hd_rpc_output(client->connection, &count);
        if (!client->deaf)
            hd_rpc_sent(client->connection, count);
        bool reads_on = client->connection->reading || client->connection->release.phase;
        if (!taken && !reads_on && (client->deaf || !count))
            return;
    }
}

static void add_frame(struct client *client, const struct hd_frame *frame, const uint8_t *body)
{
    uint8_t header[HD_FRAME_HEADER_BYTES];
    hd_frame_write(header, frame);
    FUZZ_CHECK(hd_buffer_append(&client->input, header, sizeof header) == 0);
    FUZZ_CHECK(hd_buffer_append(&client->input, body, frame->body_bytes) == 0);
}

static void open_client(struct world *world, struct client *client)
{
    static const uint8_t hello[] = {0x08, 1, 0x10, 1};
    const struct hd_frame frame = {.body_bytes = sizeof hello, .method = HEAPD__V1__METHOD__HELLO, .request_id = 1};
    const struct hd_rpc_peer peer = {.admin = client == &world->clients[0]};
    world->fail_in = 0;
    hd_buffer_init(&client->input, &hd_allocator_libc, (size_t)1 << 20);
    FUZZ_CHECK(hd_rpc_connection_new(world->server, &peer, NULL, &client->connection) == 0);
    client->last_id = 1;
    client->deaf = false;
    add_frame(client, &frame, hello);
    pump(client);
}

static void close_client(struct client *client)
{
    hd_rpc_connection_close(client->connection);
    hd_buffer_fini(&client->input);
}

/* ---- the world ---- */

static uint64_t clock_of(void *context)
{
    return ((const struct world *)context)->now_ns;
}

static bool fault(void *context)
{
    struct world *world = context;
    return world->fail_in > 0 && --world->fail_in == 0;
}

static void open_world(struct world *world)
{
    struct hd_heap_config config;
    const struct hd_rpc_config rpc = {.max_frame_bytes = 128 << 10,
                                      .max_slots = SLOTS,
                                      .max_connections = 4,
                                      .max_parked = 4,
                                      .output_high_bytes = 4096,
                                      .at_once_nodes = 5};
    hd_heap_config_default(&config);
    config.thresholds[0] = 20;
    config.fault = fault;
    config.fault_context = world;
    world->os = *hd_os_linux();
    world->os.now_ns = clock_of;
    world->os.context = world;
    FUZZ_CHECK(hd_heap_new(&world->os, &config, &world->heap) == 0);
    FUZZ_CHECK(hd_rpc_server_new(world->heap, &world->os, &rpc, &world->server) == 0);
    for (int i = 0; i < CLIENTS; i++)
        open_client(world, &world->clients[i]);
}

static void check(struct world *world)
{
    const char *broken = hd_heap_check(world->heap, &hd_allocator_libc);
    if (broken)
        fprintf(stderr, "broken: %s\n", broken);
    FUZZ_CHECK(!broken);
}

static void send_request(struct program *program, struct client *client, bool described)
{
    struct hd_buffer body;
    struct hd_frame frame = {.request_id = ++client->last_id};
    hd_buffer_init(&body, &hd_allocator_libc, (size_t)1 << 16);
    frame.method = (uint16_t)(described ? make_described(program, &body) : make(program, &body));
    frame.body_bytes = (uint32_t)hd_buffer_readable(&body);
    add_frame(client, &frame, hd_buffer_head(&body));
    hd_buffer_fini(&body);
    pump(client);
}

static void step(struct program *program, struct world *world)
{
    struct client *client = &world->clients[below(program, CLIENTS)];
    struct hd_frame frame = {.request_id = client->last_id - below(program, 4)};
    switch (below(program, 16)) {
    case 0:
        (void)hd_rpc_run(world->server, 1 + 16 * (uint64_t)next(program));
        break;
    case 1:
        world->now_ns += (uint64_t)below(program, 4) * 1000000;
        break;
    case 2:
        frame.flags = HD_FRAME_CANCEL;
        add_frame(client, &frame, NULL);
        pump(client);
        break;
    case 3:
        client->deaf = !client->deaf;
        pump(client);
        break;
    case 4:
        close_client(client);
        open_client(world, client);
        break;
    case 5:
        world->fail_in = next(program);
        break;
    case 6:
        frame.flags = next(program);
        frame.method = next(program);
        add_frame(client, &frame, NULL);
        pump(client);
        break;
    case 15:
    case 14:
        send_request(program, client, true);
        break;
    default:
        send_request(program, client, false);
    }
    if (hd_rpc_connection_is_over(client->connection)) {
        close_client(client);
        open_client(world, client);
    }
    while (hd_rpc_next_ready(world->server))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {data, data + size};
    struct world world;
    memset(&world, 0, sizeof world);
    open_world(&world);
    for (unsigned i = 1; i <= OPERATIONS_MAX && program.at < program.end; i++) {
        step(&program, &world);
        if (i % CHECK_EVERY == 0)
            check(&world);
    }
    world.fail_in = 0;
    check(&world);
    for (int i = 0; i < CLIENTS; i++)
        close_client(&world.clients[i]);
    while (hd_rpc_run(world.server, 1000))
        ;
    check(&world);
    hd_rpc_server_free(world.server);
    hd_heap_free(world.heap);
    return 0;
}
