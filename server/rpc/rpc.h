/*
 * Requests: decode, run on the session, encode. Bytes in, bytes out; no I/O.
 *
 * The layer above owns sockets and the loop. It gives received bytes to
 * hd_rpc_receive, sends what hd_rpc_output shows, and calls hd_rpc_run while
 * there is work that goes on in slices. Nothing here calls back: connections
 * that got output without having been given input are taken from
 * hd_rpc_next_ready.
 */
#ifndef HEAPD_RPC_RPC_H
#define HEAPD_RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/allocator.h"
#include "common/error.h"
#include "common/frame.h"
#include "heap/heap.h"
#include "os/os.h"

struct hd_rpc_server;
struct hd_rpc_connection;

struct hd_rpc_config {
    uint32_t max_frame_bytes; /* of a body; 128 KiB to HD_FRAME_MAX_BODY_BYTES */
    uint32_t max_slots;       /* per session; 2 at least */
    uint32_t max_connections;
    uint32_t max_parked;          /* requests of a session that wait or go on in slices */
    uint64_t max_unsealed_bytes;  /* of a session's buffers; 0: no limit of its own */
    uint32_t max_tokens;          /* of a session, that are still good; 0: no limit of its own */
    size_t output_high_bytes;     /* above: no further request of this connection starts */
    uint32_t at_once_nodes;       /* literals of more nodes are built in slices; 0: 4096 */
    uint64_t collect_interval_ns; /* a full collection begins so often, unless nothing happened; 0: never */
    uint64_t memory_wait_ns;      /* a request waits so long at most while memory is looked for; 0: ten seconds */
    bool collect_on_session_end;  /* and when a session that had handles has released all of them */
};

/* Who is at the other end, as the kernel says. */
struct hd_rpc_peer {
    uint64_t pid; /* 0: unknown */
    uint64_t uid; /* UINT64_MAX: unknown */
    bool admin;   /* may use the Admin service */
    bool takes_descriptors;
};

/* heap and os are borrowed until free. HD_ENOMEM; HD_EINVALID: the configuration is out of bounds. */
int hd_rpc_server_new(struct hd_heap *heap, const struct hd_os *os, const struct hd_rpc_config *config,
                      struct hd_rpc_server **out) HD_MUST_USE;
/* Every connection must be closed before. Takes NULL. */
void hd_rpc_server_free(struct hd_rpc_server *server);
/* The daemon's bookkeeping allocator, for the layer above. Lend until the server is freed. */
const struct hd_allocator *hd_rpc_allocator(struct hd_rpc_server *server);

/*
 * Numbers of the layer above, for the Stats reply: `source` calls visit for each
 * (name with its unit, and value; the name is lent for that call) whenever
 * somebody asks. Both are borrowed until another source, or NULL, is set.
 */
typedef void (*hd_stat_visit)(void *context, const char *name, uint64_t value);
typedef void (*hd_rpc_stats_source)(void *source_context, hd_stat_visit visit, void *visit_context);
void hd_rpc_server_set_stats_source(struct hd_rpc_server *server, hd_rpc_stats_source source, void *source_context);

/*
 * Shared memory for a connection, which the layer above makes when a client asks: `source` is given what
 * hd_rpc_connection_owner gives, and answers 0 with the descriptor to be passed (the rpc server's from then on), or
 * HD_ELIMIT, HD_EINVALID, HD_EEXISTS, HD_ENOMEM, HD_EDESCRIPTORS, HD_ESYSTEM. The ring takes the place of the socket
 * behind the output that is there when hd_rpc_receive returns. With `out` NULL it takes back the one that it made for
 * this owner a moment ago, which could not be passed. A source that is NULL: there are no rings.
 */
struct hd_rpc_ring {
    int fd;
    uint32_t to_daemon_bytes;
    uint32_t to_client_bytes;
};
typedef int (*hd_rpc_ring_source)(void *source_context, void *owner, struct hd_rpc_ring *out);
void hd_rpc_server_set_ring_source(struct hd_rpc_server *server, hd_rpc_ring_source source, void *source_context);

/* Memory of the layer above that no allocator knows of counts too. False: it would pass the limit. */
bool hd_rpc_charge(struct hd_rpc_server *server, uint64_t bytes) HD_MUST_USE;
void hd_rpc_uncharge(struct hd_rpc_server *server, uint64_t bytes);

/*
 * The layer above has no memory for what came: begins to look for some, and does a
 * slice of that at once. True if bytes came back, so that a second try is worth
 * while. Only between calls. Soon after a search in vain there is no other: false,
 * at no cost.
 */
bool hd_rpc_relieve(struct hd_rpc_server *server) HD_MUST_USE;

/* HD_ENOMEM or HD_ELIMIT. `owner` is what hd_rpc_connection_owner gives back. */
int hd_rpc_connection_new(struct hd_rpc_server *server, const struct hd_rpc_peer *peer, void *owner,
                          struct hd_rpc_connection **out) HD_MUST_USE;
/* The session ends; all that it held is released (in slices, by hd_rpc_run). Takes NULL. */
void hd_rpc_connection_close(struct hd_rpc_connection *connection);
void *hd_rpc_connection_owner(const struct hd_rpc_connection *connection);

/*
 * Takes the whole frames at the front of `bytes` and runs their requests in
 * order, until the bytes, the turn's work or the room for output are used up.
 * Returns how many bytes were taken; what is left is to be given again, first
 * thing, when more has arrived, output has drained, or hd_rpc_connection_wants
 * says so.
 */
size_t hd_rpc_receive(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count);

/*
 * Is a request under way that all later ones wait for? Then input is not wanted, but a cancel frame in it is to be
 * heard: what has come may be shown to hd_rpc_overhear, which acts on the cancel frames among the whole frames from
 * `from` on and returns where it stopped. Nothing is taken: all of it is given to hd_rpc_receive later on, where a
 * cancel that was heard finds nothing to do.
 */
bool hd_rpc_connection_overhears(const struct hd_rpc_connection *connection);
size_t hd_rpc_overhear(struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count, size_t from);

/* How many bytes a frame that begins at `bytes` takes in all, 0 if that cannot be known yet; for sizing input. */
size_t hd_rpc_frame_bytes(const struct hd_rpc_connection *connection, const uint8_t *bytes, size_t count);

/* What is to be sent; lent until the next call for this connection. */
const uint8_t *hd_rpc_output(const struct hd_rpc_connection *connection, size_t *count);
/* `count` of these bytes are on their way. */
void hd_rpc_sent(struct hd_rpc_connection *connection, size_t count);
/*
 * The first descriptor that is to go with the output, or -1. *before: so many bytes of hd_rpc_output come before the
 * frame that it belongs to. It is lent until hd_rpc_descriptor_sent, which closes it; its frame must not be seen
 * earlier.
 */
int hd_rpc_next_descriptor(const struct hd_rpc_connection *connection, size_t *before);
void hd_rpc_descriptor_sent(struct hd_rpc_connection *connection);
/* Of the output, what may go with the first descriptor: up to the frame that takes the second; at most `count`. */
size_t hd_rpc_descriptor_reach(const struct hd_rpc_connection *connection, size_t count);
/*
 * There is no memory for input that has not been read yet. True: it may wait, and
 * does not want input until memory was looked for; then it comes up as ready, and
 * may ask once more. False: it waited already, or soon after a search in vain.
 */
bool hd_rpc_wait_for_memory(struct hd_rpc_connection *connection) HD_MUST_USE;
/* The layer above refuses a frame of this header, of which the rest is not given: a batch that it was for fails. */
void hd_rpc_frame_refused(struct hd_rpc_connection *connection, const struct hd_frame *frame);
/* May input be read and given? False while output is above its mark, and while it waits for memory. */
bool hd_rpc_connection_wants_input(const struct hd_rpc_connection *connection);
/* Close it once the output is sent: goodbye, a broken stream, killed. */
bool hd_rpc_connection_is_over(const struct hd_rpc_connection *connection);
/*
 * Has it requests that go on by themselves (an export, a collection), so that
 * output will come without input? Parked ones do not count. Who closes a
 * connection whose peer sends no more waits until this is false.
 */
bool hd_rpc_connection_is_working(const struct hd_rpc_connection *connection);

/* The work units that one hd_rpc_receive may take, beyond its last request: what others wait for meanwhile. */
void hd_rpc_set_turn_units(struct hd_rpc_server *server, uint64_t units);

/*
 * Goes on with what continues in slices, for about work_units; deadlines that
 * have passed end first. True if more is left: call again after the sockets.
 */
bool hd_rpc_run(struct hd_rpc_server *server, uint64_t work_units);
/*
 * When hd_rpc_run has to be called even without input (os->now_ns); UINT64_MAX:
 * never. To be asked after output was sent, too: that may set work free.
 */
uint64_t hd_rpc_next_deadline_ns(const struct hd_rpc_server *server);
/* A connection that has output, is over, or wants input again since it was last taken from here; NULL: none. */
struct hd_rpc_connection *hd_rpc_next_ready(struct hd_rpc_server *server);

/*
 * Called from a helper's thread when hd_rpc_run has something to do that no request brought; to be set before the first
 * connection, and NULL after the last.
 */
void hd_rpc_server_on_helper(struct hd_rpc_server *server, void (*on_done)(void *context), void *context);

/* An admin asked for the end. */
bool hd_rpc_shutdown_wanted(const struct hd_rpc_server *server);
/* An admin asked for a line in the log for each collection: gc.DEBUG_STATS. */
bool hd_rpc_logs_collections(const struct hd_rpc_server *server);

#endif
