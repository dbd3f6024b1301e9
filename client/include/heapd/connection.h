/*
 * Connections to a daemon.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_CONNECTION_H
#define HEAPD_CONNECTION_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct heapd_connection;

/*
 * Requests and replies through shared memory instead of the socket: a request and its reply then take about a
 * microsecond instead of some fifteen, for which a thread that waits looks for its reply (up to 50 us and twice what it
 * worked since its last wait, 200 us at most, and less where that has not helped lately) before it sleeps. The
 * daemon may have no ring to give; then everything goes over the socket, without an error: heapd_uses_ring tells.
 */
enum heapd_ring {
    /*
     * As $HEAPD_RING says, "always" or "never"; without it, once the connection has waited for 128 replies in a row,
     * each within 100 us. Never with never_wait.
     */
    HEAPD_RING_AUTO = 0,
    HEAPD_RING_NEVER = 1,  /* the socket */
    HEAPD_RING_ALWAYS = 2, /* from the beginning */
};

struct heapd_options {
    size_t size_bytes;           /* of this struct, as the caller knows it; HEAPD_OPTIONS_INIT sets it */
    const char *client_name;     /* for people who list the sessions; NULL: the program's name */
    unsigned connect_timeout_ms; /* to connect and be greeted; 0: 5000 */
    size_t output_limit_bytes;   /* of requests that were begun and not yet sent; 0: 64 MiB */
    /*
     * For programs with an event loop. True: no begin function ever waits, and
     * fails with HEAPD_ELIMIT where it otherwise would (output_limit_bytes).
     */
    bool never_wait;
    enum heapd_ring ring; /* over a Unix socket */
};
#define HEAPD_OPTIONS_INIT \
    { \
        sizeof(struct heapd_options), NULL, 0, 0, false, HEAPD_RING_AUTO \
    }

/*
 * Connects and greets the daemon. `address` is one of
 *
 *     unix:/path   /path       a Unix socket
 *     tcp:127.0.0.1:PORT       TCP, where the daemon is configured for it
 *     NULL                     $HEAPD_ADDRESS, else heapd_default_address
 *
 * options may be NULL. HEAPD_ESYNTAX (the address), HEAPD_EUNAVAILABLE (nobody
 * answers, or not in time), HEAPD_EHELLO, HEAPD_ELIMIT (too many connections).
 */
HEAPD_API int heapd_connect(const char *address, const struct heapd_options *options, struct heapd_connection **out,
                            struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Greets over a stream socket that is connected already; the descriptor is
 * stolen on success. For socket pairs, proxies and tests.
 */
HEAPD_API int heapd_connect_fd(int fd, const struct heapd_options *options, struct heapd_connection **out,
                               struct heapd_error *error) HEAPD_MUST_USE;

/*
 * Says goodbye, waits up to a second for the answer, and frees everything; what
 * the session held is released by the daemon. Requests begun and not yet sent
 * are sent first. Takes NULL. After this no handle, ticket or export of the
 * connection may be used.
 */
HEAPD_API void heapd_close(struct heapd_connection *connection);

/* "unix:/path", by the daemon's own rule: $XDG_RUNTIME_DIR/heapd.sock; for root /run/heapd/heapd.sock; else
 * /tmp/heapd-UID/heapd.sock. The environment variable HEAPD_ADDRESS is not looked at. HEAPD_ETOO_LARGE. */
HEAPD_API int heapd_default_address(char *out, size_t out_bytes) HEAPD_MUST_USE;

/* What the daemon said when it greeted. */
struct heapd_server_info {
    uint32_t protocol_version;
    uint64_t session_id;
    uint32_t max_frame_bytes; /* of one request or of one part of a reply */
    uint32_t max_slots;       /* handles that the session may hold at once, and one */
    uint32_t max_depth;       /* of containers in one literal */
    char version[64];         /* of the daemon */
};
HEAPD_API void heapd_get_server_info(const struct heapd_connection *connection, struct heapd_server_info *out);

/* Do its requests go through shared memory now? */
HEAPD_API bool heapd_uses_ring(struct heapd_connection *connection);

/* 0 while it works; else why it does not (HEAPD_ECLOSED, HEAPD_EPROTOCOL, HEAPD_EFORKED). error may be NULL. */
HEAPD_API int heapd_connection_state(struct heapd_connection *connection, struct heapd_error *error);

#ifdef __cplusplus
}
#endif

#endif
