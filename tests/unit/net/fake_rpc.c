#include "fake_rpc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "os/os.h"

/* Not assert: it holds in every build. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            (void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

struct hd_rpc_server {
    struct fake_config config;
    struct fake_counts counts;
    struct hd_allocator allocator;
    size_t limit_bytes;
    size_t relief_bytes; /* 0: relief does not help */
    hd_rpc_stats_source stats_source;
    void *stats_source_context;
    hd_rpc_ring_source ring_source;
    void *ring_source_context;
    struct hd_rpc_connection *connections;
};

struct hd_rpc_connection {
    struct hd_rpc_server *server;
    struct hd_rpc_connection *next;
    void *owner;
    struct hd_buffer output;
    int passing_fd; /* -1: none */
    size_t passing_before;
    struct hd_frame waiting; /* the parked or the sliced request */
    uint64_t deadline_ns;    /* UINT64_MAX: nothing parked */
    uint32_t slices_left;
    bool over;
    bool ready;
    bool memory_waiting;
    bool held; /* the sliced request holds back what follows */
};

static uint64_t now(void)
{
    return hd_os_linux()->now_ns(hd_os_linux()->context);
}

static void *resize(void *context, void *pointer, size_t old_bytes, size_t new_bytes)
{
    struct hd_rpc_server *server = context;
    struct fake_counts *counts = &server->counts;
    if (new_bytes > old_bytes && counts->used_bytes - old_bytes + new_bytes > server->limit_bytes)
        return NULL;
    REQUIRE(counts->used_bytes >= old_bytes);
    counts->used_bytes = counts->used_bytes - old_bytes + new_bytes;
    if (counts->used_bytes > counts->peak_bytes)
        counts->peak_bytes = counts->used_bytes;
    if (new_bytes == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_bytes);
}

struct hd_rpc_server *fake_new(const struct fake_config *config)
{
    struct hd_rpc_server *server = calloc(1, sizeof *server);
    REQUIRE(server);
    server->config = *config;
    server->allocator = (struct hd_allocator){resize, server};
    server->limit_bytes = SIZE_MAX;
    return server;
}

void fake_free(struct hd_rpc_server *server)
{
    REQUIRE(!server->connections);
    REQUIRE(server->counts.used_bytes == 0);
    free(server);
}

struct fake_counts *fake_counts(struct hd_rpc_server *server)
{
    return &server->counts;
}

void fake_limit(struct hd_rpc_server *server, size_t limit_bytes)
{
    server->limit_bytes = limit_bytes;
}

void fake_relief(struct hd_rpc_server *server, size_t limit_bytes)
{
    server->relief_bytes = limit_bytes;
}

bool hd_rpc_relieve(struct hd_rpc_server *server)
{
    server->counts.relieve_count++;
    if (!server->relief_bytes)
        return false;
    server->limit_bytes = server->relief_bytes;
    server->relief_bytes = 0;
    return true;
}

/* The search ends in the next turn. */
bool hd_rpc_wait_for_memory(struct hd_rpc_connection *connection)
{
    connection->server->counts.wait_count++;
    if (!hd_rpc_relieve(connection->server))
        return false;
    connection->memory_waiting = connection->ready = true;
    return true;
}

void hd_rpc_frame_refused(struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    (void)frame;
    connection->server->counts.refused_count++;
}

void hd_rpc_server_set_stats_source(struct hd_rpc_server *server, hd_rpc_stats_source source, void *source_context)
{
    server->stats_source = source;
    server->stats_source_context = source_context;
}

void hd_rpc_server_set_ring_source(struct hd_rpc_server *server, hd_rpc_ring_source source, void *source_context)
{
    server->ring_source = source;
    server->ring_source_context = source_context;
}

void hd_rpc_server_on_helper(struct hd_rpc_server *server, void (*on_done)(void *context), void *context)
{
    (void)server;
    (void)on_done;
    (void)context;
}

bool hd_rpc_charge(struct hd_rpc_server *server, uint64_t bytes)
{
    if (server->counts.used_bytes + bytes > server->limit_bytes)
        return false;
    server->counts.used_bytes += bytes;
    return true;
}

void hd_rpc_uncharge(struct hd_rpc_server *server, uint64_t bytes)
{
    server->counts.used_bytes -= bytes;
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
    REQUIRE(!wanted->found);
    wanted->value = value;
    wanted->found = true;
}

uint64_t fake_stat(struct hd_rpc_server *server, const char *name)
{
    struct stat_wanted wanted = {.name = name};
    REQUIRE(server->stats_source);
    server->stats_source(server->stats_source_context, look, &wanted);
    REQUIRE(wanted.found);
    return wanted.value;
}

const struct hd_allocator *hd_rpc_allocator(struct hd_rpc_server *server)
{
    return &server->allocator;
}

int hd_rpc_connection_new(struct hd_rpc_server *server, const struct hd_rpc_peer *peer, void *owner,
                          struct hd_rpc_connection **out)
{
    if (server->counts.connection_count >= server->config.max_connections)
        return HD_ELIMIT;
    struct hd_rpc_connection *connection = calloc(1, sizeof *connection);
    REQUIRE(connection);
    connection->server = server;
    connection->owner = owner;
    connection->deadline_ns = UINT64_MAX;
    connection->passing_fd = -1;
    hd_buffer_init(&connection->output, &hd_allocator_libc, SIZE_MAX / 4);
    connection->next = server->connections;
    server->connections = connection;
    server->counts.connection_count++;
    server->counts.last_pid = peer->pid;
    server->counts.last_admin = peer->admin;
    *out = connection;
    return 0;
}

void hd_rpc_connection_close(struct hd_rpc_connection *connection)
{
    if (!connection)
        return;
    struct hd_rpc_connection **link = &connection->server->connections;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    connection->server->counts.connection_count--;
    if (connection->passing_fd >= 0)
        hd_rpc_descriptor_sent(connection);
    hd_buffer_fini(&connection->output);
    free(connection);
}

void *hd_rpc_connection_owner(const struct hd_rpc_connection *connection)
{
    return connection->owner;
}

static void reply(struct hd_rpc_connection *connection, const struct hd_frame *request, const void *body, size_t bytes)
{
    struct hd_frame frame = *request;
    frame.body_bytes = (uint32_t)bytes;
    uint8_t *to;
    int error = hd_buffer_reserve(&connection->output, HD_FRAME_HEADER_BYTES + bytes, &to);
    REQUIRE(!error);
    hd_frame_write(to, &frame);
    if (body)
        memcpy(to + HD_FRAME_HEADER_BYTES, body, bytes);
    else
        memset(to + HD_FRAME_HEADER_BYTES, 'x', bytes);
    hd_buffer_commit(&connection->output, HD_FRAME_HEADER_BYTES + bytes);
    size_t held = hd_buffer_readable(&connection->output);
    if (held > connection->server->counts.output_peak_bytes)
        connection->server->counts.output_peak_bytes = held;
}

static uint32_t number(const uint8_t *body, uint32_t bytes)
{
    uint32_t value = 0;
    memcpy(&value, body, bytes < sizeof value ? bytes : sizeof value);
    return value;
}

static void kill_others(struct hd_rpc_connection *self)
{
    for (struct hd_rpc_connection *other = self->server->connections; other; other = other->next) {
        if (other == self)
            continue;
        other->over = other->ready = true;
        reply(other, &(struct hd_frame){.flags = HD_FRAME_EVENT}, "bye", 3);
    }
}

static void run_request(struct hd_rpc_connection *connection, const struct hd_frame *frame, const uint8_t *body)
{
    connection->server->counts.request_count++;
    switch (frame->method) {
    case FAKE_SLICED:
    case FAKE_HELD:
        connection->held = frame->method == FAKE_HELD;
        connection->waiting = *frame;
        connection->slices_left = number(body, frame->body_bytes);
        break;
    case FAKE_WAIT:
        connection->waiting = *frame;
        connection->deadline_ns = now() + (uint64_t)number(body, frame->body_bytes) * 1000000;
        break;
    case FAKE_BIG:
        reply(connection, frame, NULL, number(body, frame->body_bytes));
        break;
    case FAKE_KILL:
        kill_others(connection);
        reply(connection, frame, NULL, 0);
        break;
    case FAKE_RING: {
        struct hd_rpc_server *server = connection->server;
        struct hd_rpc_ring ring;
        int error = server->ring_source(server->ring_source_context, connection->owner, &ring);
        int8_t told = (int8_t)error;
        connection->passing_before = hd_buffer_readable(&connection->output);
        connection->passing_fd = error ? -1 : ring.fd;
        reply(connection, frame, &told, 1);
        break;
    }
    case FAKE_PASS: /* any descriptor will do */
        connection->passing_before = hd_buffer_readable(&connection->output);
        connection->passing_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        reply(connection, frame, body, frame->body_bytes);
        break;
    case FAKE_GOODBYE:
        connection->over = true;
        reply(connection, frame, body, frame->body_bytes);
        break;
    default:
        reply(connection, frame, body, frame->body_bytes);
    }
}

size_t hd_rpc_receive(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;
    unsigned requests = 0, allowed = connection->server->config.requests_per_receive;
    while (hd_rpc_connection_wants_input(connection) && !connection->over && (!allowed || requests < allowed)) {
        struct hd_frame frame;
        int result = hd_frame_read(bytes + taken, count - taken, connection->server->config.max_frame_bytes, &frame);
        if (result < 0) {
            frame.flags = HD_FRAME_ERROR;
            reply(connection, &frame, "broken", 6);
            connection->over = true;
        }
        if (result || count - taken < HD_FRAME_HEADER_BYTES + frame.body_bytes)
            break;
        run_request(connection, &frame, bytes + taken + HD_FRAME_HEADER_BYTES);
        taken += HD_FRAME_HEADER_BYTES + frame.body_bytes;
        requests++;
    }
    connection->server->counts.receive_count += requests > 0;
    return taken;
}

size_t hd_rpc_frame_bytes(const struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count)
{
    struct hd_frame frame;
    if (hd_frame_read(bytes, count, connection->server->config.max_frame_bytes, &frame))
        return 0;
    return HD_FRAME_HEADER_BYTES + (size_t)frame.body_bytes;
}

const uint8_t *hd_rpc_output(const struct hd_rpc_connection *connection, size_t *count)
{
    *count = hd_buffer_readable(&connection->output);
    return *count ? hd_buffer_head(&connection->output) : NULL;
}

int hd_rpc_next_descriptor(const struct hd_rpc_connection *connection, size_t *before)
{
    *before = connection->passing_before;
    return connection->passing_fd;
}

/* It has one at a time. */
size_t hd_rpc_descriptor_reach(const struct hd_rpc_connection *connection, size_t count)
{
    (void)connection;
    return count;
}

void hd_rpc_descriptor_sent(struct hd_rpc_connection *connection)
{
    close(connection->passing_fd);
    connection->passing_fd = -1;
}

void hd_rpc_sent(struct hd_rpc_connection *connection, size_t count)
{
    connection->passing_before -= connection->passing_before < count ? connection->passing_before : count;
    hd_buffer_consume(&connection->output, count);
}

bool hd_rpc_connection_overhears(const struct hd_rpc_connection *connection)
{
    return connection->slices_left > 0 && connection->held && !connection->over;
}

/* A cancel ends the sliced request, without an answer of its own: the last slice comes at once. */
size_t hd_rpc_overhear(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count, size_t from)
{
    struct hd_frame frame;
    while (from < count && hd_rpc_connection_overhears(connection) &&
           hd_frame_read(bytes + from, count - from, connection->server->config.max_frame_bytes, &frame) == 0 &&
           count - from >= HD_FRAME_HEADER_BYTES + frame.body_bytes) {
        if (frame.flags & HD_FRAME_CANCEL && frame.request_id == connection->waiting.request_id) {
            connection->slices_left = 1;
            connection->server->counts.overheard_count++;
        }
        from += HD_FRAME_HEADER_BYTES + frame.body_bytes;
    }
    return from;
}

bool hd_rpc_connection_wants_input(const struct hd_rpc_connection *connection)
{
    return hd_buffer_readable(&connection->output) <= connection->server->config.output_high_bytes &&
           !connection->memory_waiting && !(connection->held && connection->slices_left);
}

bool hd_rpc_connection_is_working(const struct hd_rpc_connection *connection)
{
    return connection->slices_left > 0;
}

bool hd_rpc_connection_is_over(const struct hd_rpc_connection *connection)
{
    return connection->over;
}

void hd_rpc_set_turn_units(struct hd_rpc_server *server, uint64_t units)
{
    (void)server;
    (void)units;
}

bool hd_rpc_run(struct hd_rpc_server *server, uint64_t work_units)
{
    (void)work_units;
    bool more = false;
    server->counts.run_count++;
    for (struct hd_rpc_connection *connection = server->connections; connection; connection = connection->next) {
        bool is_due = connection->deadline_ns != UINT64_MAX && connection->deadline_ns <= now();
        if (connection->slices_left && --connection->slices_left == 0)
            is_due = true;
        if (is_due) {
            connection->deadline_ns = UINT64_MAX;
            reply(connection, &connection->waiting, "done", 4);
            connection->ready = true;
        }
        more = more || connection->slices_left > 0;
    }
    return more;
}

uint64_t hd_rpc_next_deadline_ns(const struct hd_rpc_server *server)
{
    uint64_t first = UINT64_MAX;
    for (struct hd_rpc_connection *connection = server->connections; connection; connection = connection->next) {
        if (connection->slices_left)
            return 0; /* as the real one says when a request can go on */
        first = connection->deadline_ns < first ? connection->deadline_ns : first;
    }
    return first;
}

struct hd_rpc_connection *hd_rpc_next_ready(struct hd_rpc_server *server)
{
    for (struct hd_rpc_connection *connection = server->connections; connection; connection = connection->next) {
        if (!connection->ready)
            continue;
        connection->ready = connection->memory_waiting = false;
        return connection;
    }
    return NULL;
}

bool hd_rpc_shutdown_wanted(const struct hd_rpc_server *server)
{
    (void)server;
    return false;
}
