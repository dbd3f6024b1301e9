#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/notify.h"
#include "heap/heap.h"
#include "net/net.h"
#include "net/socket.h"
#include "os/os.h"
#include "rpc/rpc.h"

/* How long clients may take to read their last replies when the daemon stops. */
#define FLUSH_NS (UINT64_C(2) * 1000000000)
/* What a slice of background work should take: a small part of what a request may wait for. */
#define SLICE_NS UINT64_C(200000)
/* Output of one connection that nobody reads, above which its requests wait. */
#define OUTPUT_HIGH_BYTES ((size_t)256 << 10)
/* Descriptors that the daemon needs besides those of connections. */
#define OWN_DESCRIPTORS 64
/* Buffers that there may be however low the limit of open files is. */
#define LEAST_BUFFERS 64u
/* The same trouble is not logged more often. */
#define TROUBLE_INTERVAL_MS 10000

static const int caught_signals[] = {SIGTERM, SIGINT, SIGHUP};
#define SIGNAL_COUNT (sizeof caught_signals / sizeof *caught_signals)

struct hd_daemon {
    const struct hd_settings *settings; /* borrow */
    const struct hd_log *log;           /* borrow */
    struct hd_socket sockets[HD_LISTEN_MAX];
    size_t socket_count; /* of these; all are net's once it listens */
    struct hd_heap *heap;
    struct hd_rpc_server *rpc;
    struct hd_net *net;
    uv_loop_t loop;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_check_t check;
    uv_poll_t input; /* standard input, of a daemon that ends with it */
    bool input_watched;
    bool stopping;
    struct hd_net_stats told; /* the troubles that were logged already */
    uint64_t told_ms;
    struct hd_generation_stats told_collections[HD_GENERATIONS];
};

static int fail(const struct hd_daemon *daemon, int error, const char *what)
{
    hd_log(daemon->log, HD_LOG_ERROR, "%s: %s", what, hd_error_text(error));
    return error;
}

/* --- sockets --- */

static void close_sockets(struct hd_daemon *daemon)
{
    while (daemon->socket_count)
        hd_socket_close(&daemon->sockets[--daemon->socket_count]);
}

static int adopt_inherited(struct hd_daemon *daemon, struct hd_reason *reason)
{
    int count = hd_socket_inherited_count();
    if (count > HD_LISTEN_MAX) {
        hd_reason_set(reason, "%d sockets were inherited and at most %d can be served; split the socket unit", count,
                      HD_LISTEN_MAX);
        return HD_EINVALID;
    }
    for (int i = 0; i < count; i++) {
        int error = hd_socket_adopt(HD_SOCKET_INHERITED_FIRST + i, &daemon->sockets[daemon->socket_count], reason);
        if (error)
            return error;
        daemon->socket_count++;
    }
    return 0;
}

static bool is_open_already(const struct hd_daemon *daemon, const struct hd_address *address)
{
    for (size_t i = 0; i < daemon->socket_count; i++)
        if (strcmp(daemon->sockets[i].address.text, address->text) == 0)
            return true;
    return false;
}

static int open_address(struct hd_daemon *daemon, const struct hd_address *address, struct hd_reason *reason)
{
    if (is_open_already(daemon, address))
        return 0; /* inherited, and named in the configuration too */
    if (daemon->socket_count == HD_LISTEN_MAX) {
        hd_reason_set(reason, "more than %d addresses to listen on, the inherited ones counted; drop some",
                      HD_LISTEN_MAX);
        return HD_EINVALID;
    }
    int error = hd_socket_listen(address, &daemon->sockets[daemon->socket_count], reason);
    if (!error)
        daemon->socket_count++;
    return error;
}

static int open_default(struct hd_daemon *daemon, struct hd_reason *reason)
{
    struct hd_address address;
    int error = hd_settings_default_address(&address, reason);
    return error ? error : open_address(daemon, &address, reason);
}

static int open_sockets(struct hd_daemon *daemon)
{
    struct hd_reason reason = {""};
    const struct hd_settings *settings = daemon->settings;
    int error = adopt_inherited(daemon, &reason);
    for (size_t i = 0; !error && i < settings->listen_count; i++)
        error = open_address(daemon, &settings->listen[i], &reason);
    if (!error && daemon->socket_count == 0)
        error = open_default(daemon, &reason);
    if (error) {
        hd_log(daemon->log, HD_LOG_ERROR, "%s", reason.text);
        close_sockets(daemon);
    }
    return error;
}

/* --- heap and rpc server --- */

/* A limit below what the daemon itself takes. */
static int fail_for_memory(const struct hd_daemon *daemon, int error, const char *what)
{
    const struct hd_settings *settings = daemon->settings;
    if (error != HD_ENOMEM)
        return fail(daemon, error, what);
    if (settings->memory_limit_bytes == UINT64_MAX)
        hd_log(daemon->log, HD_LOG_ERROR, "%s: the system has not enough memory (preallocate = %" PRIu64 ")", what,
               settings->preallocate_bytes);
    else
        hd_log(daemon->log, HD_LOG_ERROR,
               "%s: memory_limit = %" PRIu64 " is below what is needed to begin (preallocate = %" PRIu64 "); raise it",
               what, settings->memory_limit_bytes, settings->preallocate_bytes);
    return error;
}

/* What connections may need is theirs: a buffer is refused rather than a client. */
static uint32_t descriptors_for_buffers(const struct hd_settings *settings)
{
    struct rlimit limit;
    rlim_t kept = (rlim_t)settings->max_connections + OWN_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    if (limit.rlim_cur <= kept + LEAST_BUFFERS)
        return LEAST_BUFFERS;
    return limit.rlim_cur - kept < UINT32_MAX ? (uint32_t)(limit.rlim_cur - kept) : UINT32_MAX;
}

static int make_heap(struct hd_daemon *daemon)
{
    const struct hd_settings *settings = daemon->settings;
    const struct hd_os *os = hd_os_linux();
    struct hd_heap_config config;
    hd_heap_config_default(&config);
    config.limit_bytes = settings->memory_limit_bytes;
    config.huge_pages = settings->huge_pages;
    config.preallocate_bytes = settings->preallocate_bytes;
    config.max_buffers = descriptors_for_buffers(settings);
    for (size_t i = 0; i < HD_GENERATIONS; i++)
        config.thresholds[i] = settings->gc_threshold[i];
    config.hash_key[0] = settings->seed;
    config.hash_key[1] = 0;
    int error = settings->has_seed ? 0 : os->random(os->context, config.hash_key, sizeof config.hash_key);
    if (error)
        return fail(daemon, error, "no randomness for the hash key");
    error = hd_heap_new(os, &config, &daemon->heap);
    return error ? fail_for_memory(daemon, error, "cannot make the heap") : 0;
}

static int make_rpc(struct hd_daemon *daemon)
{
    const struct hd_settings *settings = daemon->settings;
    struct hd_rpc_config config = {.max_frame_bytes = settings->max_frame_bytes,
                                   .max_slots = settings->max_slots,
                                   .max_connections = settings->max_connections,
                                   .max_parked = settings->max_parked,
                                   .max_unsealed_bytes = settings->max_unsealed_bytes,
                                   .max_tokens = settings->max_tokens,
                                   .output_high_bytes = OUTPUT_HIGH_BYTES,
                                   .collect_interval_ns = settings->gc_interval_s * UINT64_C(1000000000),
                                   .collect_on_session_end = settings->gc_on_session_end};
    int error = hd_rpc_server_new(daemon->heap, hd_os_linux(), &config, &daemon->rpc);
    return error ? fail_for_memory(daemon, error, "cannot make the rpc server") : 0;
}

/* --- the end --- */

static void on_net_stopped(struct hd_net *net, void *data)
{
    (void)net;
    struct hd_daemon *daemon = data;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    uv_close((uv_handle_t *)&daemon->check, NULL);
    if (daemon->input_watched)
        uv_close((uv_handle_t *)&daemon->input, NULL);
}

static void begin_stop(struct hd_daemon *daemon, const char *why)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    hd_log(daemon->log, HD_LOG_INFO, "%s: stopping", why);
    (void)hd_notify("STOPPING=1"); /* a manager that does not listen is no reason to stay */
    hd_net_stop(daemon->net, FLUSH_NS, on_net_stopped, daemon);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct hd_daemon *daemon = handle->data;
    if (number == SIGHUP)
        hd_log(daemon->log, HD_LOG_INFO, "SIGHUP: the configuration is read at the start only; nothing was done");
    else
        begin_stop(daemon, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* What comes is not read for its own sake: the end is what counts. */
static void on_input(uv_poll_t *handle, int status, int events)
{
    char ignored[256];
    (void)status;
    (void)events;
    ssize_t count = read(STDIN_FILENO, ignored, sizeof ignored);
    if (count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    (void)uv_poll_stop(handle);
    begin_stop(handle->data, "standard input ended");
}

/* --- watching --- */

/* net does not log; it counts. What grew since the last look is told here, and not too often. */
static void tell_troubles(struct hd_daemon *daemon)
{
    struct hd_net_stats now;
    const struct hd_net_stats *told = &daemon->told;
    hd_net_stats(daemon->net, &now);
    uint64_t limit = now.refused_limit_count - told->refused_limit_count;
    uint64_t descriptors = now.refused_descriptors_count - told->refused_descriptors_count;
    uint64_t failed = now.accept_failed_count - told->accept_failed_count;
    uint64_t memory = now.refused_frames_count - told->refused_frames_count;
    if (!(limit | descriptors | failed | memory) || uv_now(&daemon->loop) < daemon->told_ms + TROUBLE_INTERVAL_MS)
        return;
    daemon->told = now;
    daemon->told_ms = uv_now(&daemon->loop);
    hd_log(daemon->log, HD_LOG_WARNING,
           "clients were refused: %" PRIu64 " beyond max_connections or memory, %" PRIu64
           " for want of descriptors, %" PRIu64 " failed accepts; %" PRIu64 " requests found no memory",
           limit, descriptors, failed, memory);
}

/* For whoever set gc.DEBUG_STATS: what was collected since the last look. */
static void tell_collections(struct hd_daemon *daemon)
{
    const struct hd_gc *gc = &daemon->heap->gc;
    bool wanted = hd_rpc_logs_collections(daemon->rpc);
    for (unsigned i = 0; i < HD_GENERATIONS; i++) {
        const struct hd_generation_stats *now = &gc->stats[i];
        struct hd_generation_stats *told = &daemon->told_collections[i];
        uint64_t count = now->collection_count - told->collection_count;
        if (wanted && count)
            hd_log(daemon->log, HD_LOG_INFO,
                   "gc: generation %u: %" PRIu64 " collections, %" PRIu64 " unreachable objects; %" PRIu64 " left", i,
                   count, now->collected_count - told->collected_count, gc->tracked_count[i]);
        *told = *now;
    }
}

static void on_check(uv_check_t *check)
{
    struct hd_daemon *daemon = check->data;
    tell_troubles(daemon);
    tell_collections(daemon);
    if (hd_rpc_shutdown_wanted(daemon->rpc))
        begin_stop(daemon, "asked by an administrator");
}

/* --- the beginning --- */

static void raise_descriptor_limit(const struct hd_daemon *daemon)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t old = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = old;
    }
    if (limit.rlim_cur < (rlim_t)daemon->settings->max_connections + OWN_DESCRIPTORS)
        hd_log(daemon->log, HD_LOG_WARNING,
               "the limit of %llu open files is too low for max_connections = %u; raise it (LimitNOFILE) or lower that",
               (unsigned long long)limit.rlim_cur, daemon->settings->max_connections);
}

static int start_handles(struct hd_daemon *daemon)
{
    int failed = 0;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        (void)uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        failed |= uv_signal_start(&daemon->signals[i], on_signal, caught_signals[i]);
        uv_unref((uv_handle_t *)&daemon->signals[i]);
    }
    (void)uv_check_init(&daemon->loop, &daemon->check);
    daemon->check.data = daemon;
    (void)uv_check_start(&daemon->check, on_check);
    uv_unref((uv_handle_t *)&daemon->check);
    if (daemon->settings->until_eof && !failed) {
        failed = uv_poll_init(&daemon->loop, &daemon->input, STDIN_FILENO);
        daemon->input_watched = !failed;
        daemon->input.data = daemon;
        failed = failed ? failed : uv_poll_start(&daemon->input, UV_READABLE | UV_DISCONNECT, on_input);
        if (daemon->input_watched)
            uv_unref((uv_handle_t *)&daemon->input);
    }
    return failed ? HD_ESYSTEM : 0;
}

static int listen_all(struct hd_daemon *daemon)
{
    while (daemon->socket_count) {
        const struct hd_socket *socket = &daemon->sockets[daemon->socket_count - 1];
        int error = hd_net_listen(daemon->net, socket);
        if (error)
            return error;
        hd_log(daemon->log, HD_LOG_INFO, "listening on %s", socket->address.text);
        daemon->socket_count--;
    }
    return 0;
}

/* Runs the loop until stop is through. The loop and the net exist. */
static int serve(struct hd_daemon *daemon)
{
    int error = start_handles(daemon);
    if (!error)
        error = listen_all(daemon);
    if (error) {
        fail(daemon, error, "cannot watch the sockets");
        begin_stop(daemon, "start failed");
    } else if (hd_notify("READY=1")) {
        hd_log(daemon->log, HD_LOG_WARNING, "the service manager was not told that we are ready: %s", strerror(errno));
    }
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    return error;
}

static int run_loop(struct hd_daemon *daemon)
{
    if (uv_loop_init(&daemon->loop))
        return fail(daemon, HD_ESYSTEM, "cannot make the event loop");
    struct hd_net_config config = {.max_frame_bytes = daemon->settings->max_frame_bytes,
                                   .slice_ns = SLICE_NS,
                                   .max_rings = daemon->settings->max_rings};
    int error = hd_net_new(&daemon->loop, daemon->rpc, hd_os_linux(), &config, &daemon->net);
    if (error)
        fail_for_memory(daemon, error, "cannot make the network layer");
    else
        error = serve(daemon);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT); /* what was closed last */
    hd_net_free(daemon->net);
    (void)uv_loop_close(&daemon->loop);
    return error;
}

int hd_daemon_run(const struct hd_settings *settings, const struct hd_log *log)
{
    struct hd_daemon daemon = {.settings = settings, .log = log};
    hd_log(log, HD_LOG_INFO, "heapd %s starts", HEAPD_VERSION);
    (void)signal(SIGPIPE, SIG_IGN); /* a write to a client that left says so by its result */
    raise_descriptor_limit(&daemon);
    int error = open_sockets(&daemon); /* first: a second daemon is to fail before it takes memory */
    if (!error)
        error = make_heap(&daemon);
    if (!error)
        error = make_rpc(&daemon);
    if (!error)
        error = run_loop(&daemon);
    close_sockets(&daemon);
    hd_rpc_server_free(daemon.rpc);
    hd_heap_free(daemon.heap);
    if (!error)
        hd_log(log, HD_LOG_INFO, "stopped");
    return error;
}
