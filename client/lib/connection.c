#include "client/lib/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/address.h"
#include "client/lib/call.h"
#include "client/lib/ring.h"
#include "client/lib/wait.h"
#include "client/lib/watch.h"
#include "heapd/v1/session.pb-c.h"

#define HD_CONNECT_TIMEOUT_MS 5000u
#define HD_GOODBYE_TIMEOUT_MS 1000
#define HD_OUTPUT_LIMIT_BYTES ((size_t)64 << 20)
/* Room beyond the limit, so that a request that was let in always fits, with the releases in front of it. */
#define HD_OUTPUT_EXTRA_BYTES ((size_t)HD_FRAME_MAX_BODY_BYTES + ((size_t)1 << 20))
#define HD_INPUT_LIMIT_BYTES ((size_t)2 * HD_FRAME_MAX_BODY_BYTES)

/*
 * The process that we are in. getpid is a system call, so a handler keeps this
 * up to date: each call of the library then costs a load and a comparison.
 */
static _Atomic pid_t current_pid;
static pthread_once_t current_pid_once = PTHREAD_ONCE_INIT;

static _Atomic uint64_t last_number;

static void note_pid(void)
{
    atomic_store_explicit(&current_pid, getpid(), memory_order_relaxed);
}

static void watch_forks(void)
{
    note_pid();
    (void)pthread_atfork(NULL, NULL, note_pid);
}

int hd_check_process(const struct heapd_connection *connection, struct heapd_error *error)
{
    if (!connection)
        return hd_fail_with(error, HD_EINVALID, "the connection is NULL");
    if (connection->pid != atomic_load_explicit(&current_pid, memory_order_relaxed))
        return hd_fail_with(error, HEAPD_EFORKED,
                            "the connection belongs to process %ld, from which this one was forked; connect again",
                            (long)connection->pid);
    return 0;
}

int hd_enter(struct heapd_connection *connection, struct heapd_error *error)
{
    int code = hd_check_process(connection, error);
    if (code)
        return code;
    pthread_mutex_lock(&connection->lock);
    return 0;
}

void hd_leave(struct heapd_connection *connection)
{
    pthread_mutex_unlock(&connection->lock);
}

int hd_check_alive(const struct heapd_connection *connection, struct heapd_error *error)
{
    if (!connection->broken)
        return 0;
    if (error)
        *error = connection->broken_detail;
    return connection->broken;
}

/* What a program leaves open, its user may decide. */
static enum heapd_ring ring_of(enum heapd_ring given)
{
    const char *wanted = given == HEAPD_RING_AUTO ? getenv("HEAPD_RING") : NULL;
    if (!wanted)
        return given;
    return strcmp(wanted, "always") == 0 ? HEAPD_RING_ALWAYS : strcmp(wanted, "never") == 0 ? HEAPD_RING_NEVER : given;
}

/* Shared memory can be handed out only here. */
static bool is_local(int fd)
{
    int domain = 0;
    socklen_t length = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

static struct heapd_connection *connection_new(int fd, const struct heapd_options *options)
{
    struct heapd_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->pid = getpid();
    connection->never_wait = options->never_wait;
    connection->output_limit_bytes = options->output_limit_bytes ? options->output_limit_bytes : HD_OUTPUT_LIMIT_BYTES;
    connection->server.max_frame_bytes = HD_FRAME_MAX_BODY_BYTES;
    connection->next_id = 1;
    connection->number = atomic_fetch_add(&last_number, 1) + 1;
    connection->is_local = is_local(fd);
    connection->ring_wanted = connection->is_local ? ring_of(options->ring) : HEAPD_RING_NEVER;
    /* Programs with an event loop wait in their own way. */
    if (connection->ring_wanted == HEAPD_RING_AUTO && options->never_wait)
        connection->ring_wanted = HEAPD_RING_NEVER;
    pthread_mutex_init(&connection->lock, NULL);
    hd_buffer_init(&connection->output, &hd_allocator_libc, connection->output_limit_bytes + HD_OUTPUT_EXTRA_BYTES);
    hd_buffer_init(&connection->input, &hd_allocator_libc, HD_INPUT_LIMIT_BYTES);
    hd_request_table_init(&connection->requests);
    hd_slots_init(&connection->slots, 1);
    hd_arena_init(&connection->arena);
    return connection;
}

static void connection_free(struct heapd_connection *connection)
{
    hd_client_ring_free(connection->ring);
    hd_descriptors_fini(&connection->descriptors);
    hd_watch_fini(connection);
    hd_arena_fini(&connection->arena);
    hd_slots_fini(&connection->slots);
    hd_request_table_fini(&connection->requests);
    hd_buffer_fini(&connection->input);
    hd_buffer_fini(&connection->output);
    free(connection);
}

/* A copy of what the caller knows of the options, over the defaults. */
static struct heapd_options options_of(const struct heapd_options *given)
{
    struct heapd_options options = HEAPD_OPTIONS_INIT;
    if (given && given->size_bytes) {
        size_t known = given->size_bytes < sizeof options ? given->size_bytes : sizeof options;
        memcpy(&options, given, known);
    }
    options.size_bytes = sizeof options;
    if (!options.client_name)
        options.client_name = program_invocation_short_name;
    if (!options.connect_timeout_ms)
        options.connect_timeout_ms = HD_CONNECT_TIMEOUT_MS;
    return options;
}

static int accept_greeting(struct heapd_connection *connection, const struct heapd_server_info *info,
                           struct heapd_error *error)
{
    if (info->protocol_version != HD_PROTOCOL_VERSION)
        return hd_fail_with(error, HD_EHELLO, "the daemon speaks version %u of the protocol and this library %d",
                            info->protocol_version, HD_PROTOCOL_VERSION);
    if (info->max_frame_bytes == 0 || info->max_frame_bytes > HD_FRAME_MAX_BODY_BYTES || info->max_slots < 2)
        return hd_fail_with(error, HD_EPROTOCOL, "the daemon's greeting makes no sense: frames of %u bytes, %u slots",
                            info->max_frame_bytes, info->max_slots);
    connection->server = *info;
    hd_slots_init(&connection->slots, info->max_slots);
    return 0;
}

/* With the lock held. */
static int greet(struct heapd_connection *connection, const struct heapd_options *options, struct heapd_error *error)
{
    Heapd__V1__HelloRequest message = HEAPD__V1__HELLO_REQUEST__INIT;
    message.min_version = HD_PROTOCOL_VERSION;
    message.max_version = HD_PROTOCOL_VERSION;
    message.client_name = (char *)(uintptr_t)options->client_name;
    struct hd_call call = {.method = HD_METHOD_HELLO, .message = &message.base};
    struct hd_request *request;
    int code = hd_call_queue(connection, &call, &request, error);
    if (code)
        return code;
    struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
    int timeout_ms = options->connect_timeout_ms > INT32_MAX ? INT32_MAX : (int)options->connect_timeout_ms;
    if (hd_wait_for(connection, &wait, timeout_ms) == HEAPD_PENDING)
        return hd_fail_with(error, HD_EUNAVAILABLE, "someone listens there but did not greet within %d ms", timeout_ms);
    struct heapd_result result = {0};
    code = hd_call_take(connection, request, &result, error);
    if (!code)
        code = accept_greeting(connection, result.memory, error);
    heapd_result_clear(&result);
    return code;
}

int heapd_connect_fd(int fd, const struct heapd_options *given, struct heapd_connection **out,
                     struct heapd_error *error)
{
    pthread_once(&current_pid_once, watch_forks);
    struct heapd_options options = options_of(given);
    struct heapd_connection *connection = connection_new(fd, &options);
    if (!connection)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a connection");
    pthread_mutex_lock(&connection->lock);
    int code = greet(connection, &options, error);
    if (!code && connection->ring_wanted == HEAPD_RING_ALWAYS)
        hd_wait_open_ring(connection);
    pthread_mutex_unlock(&connection->lock);
    if (code) {
        connection_free(connection);
        return code;
    }
    *out = connection;
    hd_succeed(error);
    return 0;
}

int heapd_connect(const char *address, const struct heapd_options *given, struct heapd_connection **out,
                  struct heapd_error *error)
{
    struct heapd_options options = options_of(given);
    struct hd_client_address parsed;
    int fd;
    int code = hd_client_address_parse(address, &parsed, error);
    if (!code)
        code = hd_client_address_connect(&parsed, options.connect_timeout_ms, &fd, error);
    if (code)
        return code;
    code = heapd_connect_fd(fd, &options, out, error);
    if (code)
        close(fd);
    return code;
}

/* With the lock held. The daemon's answer shows that all requests before were taken. */
static void say_goodbye(struct heapd_connection *connection)
{
    Heapd__V1__Empty message = HEAPD__V1__EMPTY__INIT;
    struct hd_call call = {.method = HD_METHOD_GOODBYE, .message = &message.base};
    struct hd_request *request;
    connection->closing = true;
    if (hd_call_queue(connection, &call, &request, NULL))
        return;
    struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
    int timed_out = hd_wait_for(connection, &wait, HD_GOODBYE_TIMEOUT_MS);
    (void)timed_out; /* then the daemon sees a connection that ends without goodbye, which does no harm */
}

void heapd_close(struct heapd_connection *connection)
{
    if (!connection)
        return;
    /* In a forked child another thread of the parent may have held the lock: it is not touched. */
    if (hd_check_process(connection, NULL) == 0) {
        pthread_mutex_lock(&connection->lock);
        say_goodbye(connection);
        pthread_mutex_unlock(&connection->lock);
        pthread_mutex_destroy(&connection->lock);
    }
    close(connection->fd);
    connection_free(connection);
}

void heapd_get_server_info(const struct heapd_connection *connection, struct heapd_server_info *out)
{
    *out = connection->server;
}

bool heapd_uses_ring(struct heapd_connection *connection)
{
    if (hd_enter(connection, NULL))
        return false;
    bool uses = connection->ring != NULL;
    hd_leave(connection);
    return uses;
}

int heapd_connection_state(struct heapd_connection *connection, struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    code = hd_check_alive(connection, error);
    if (!code)
        hd_succeed(error);
    hd_leave(connection);
    return code;
}

size_t heapd_held_count(struct heapd_connection *connection)
{
    if (hd_enter(connection, NULL))
        return 0;
    size_t count = connection->slots.taken_count;
    hd_leave(connection);
    return count;
}
