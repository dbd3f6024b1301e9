/* What the files of this folder share. Nobody else includes this. */
#ifndef HEAPD_NET_PRIVATE_H
#define HEAPD_NET_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/buffer.h"
#include "common/frame.h"
#include "common/ring.h"
#include "net/net.h"

/*
 * How much one connection may bring in per turn of the loop. Two or three
 * thousand small requests: enough to make the system calls cheap, little enough
 * that the others need not wait for long.
 */
#define HD_NET_READ_BYTES ((size_t)64 << 10)
/*
 * A frame larger than this is received straight into a buffer of its own; its
 * beginning is not copied about with each read.
 */
#define HD_NET_OWN_BUFFER_BYTES ((size_t)16 << 10)
/* What is read of a connection whose requests wait for one that goes on: a cancel of that one may be in it. */
#define HD_NET_HEARD_BYTES ((size_t)32 << 10)
/*
 * What each connection has for input from its beginning on. A frame that fits can
 * always be taken in, and of a larger one the header, so that it can be refused:
 * release a handle at the memory limit, and it works.
 */
#define HD_NET_RESERVE_BYTES ((size_t)512)

/*
 *     READABLE is polled   <=> the rpc connection wants input, no whole frame lies
 *                              in `input`, and neither side has ended
 *     WRITABLE is polled   <=> there is output that the kernel did not take
 *     DISCONNECT is polled <=> neither of these, and it has not told its news yet
 *
 * While a request is awaited that all others wait for, READABLE is polled, too, until HD_NET_HEARD_BYTES lie in
 * `input`.
 *
 * So what a client can make us hold is bounded: one frame and a read of input,
 * and what the rpc server lets output grow to.
 */
struct hd_net_ring;

struct hd_connection {
    uv_poll_t poll;
    struct hd_net *net;            /* borrow */
    struct hd_rpc_connection *rpc; /* own; NULL once closed */
    struct hd_connection *next;    /* all connections of the net */
    struct hd_connection *previous;
    struct hd_connection *retry_next; /* in net->retry_first, if in_retry */
    struct hd_connection *retry_previous;
    struct hd_buffer input;  /* the part of a frame, or frames that had no turn yet; else the reserve */
    uint64_t heard_turn;     /* the turn of the loop in which its socket was read last */
    size_t heard_bytes;      /* of input that waits for a request: looked through for cancel frames */
    size_t skip_bytes;       /* of a refused frame, still to come and to be thrown away */
    struct hd_frame refused; /* its header, while refusing */
    size_t refusal_sent_bytes;
    struct hd_net_ring *ring; /* own; NULL: frames go over the socket */
    int fd;
    int polled; /* events that are polled for now */
    bool is_unix;
    bool in_retry;
    bool ended;           /* the peer sends no more */
    bool deaf;            /* the peer reads no more: output is dropped, what it sent is still run */
    bool disconnect_seen; /* DISCONNECT told all that it can tell */
    bool broken;          /* nothing more can be had from it, or kept for it: to be closed */
    bool hears_no_more;   /* as much waits for a request as may: nothing is read before it is done */
    bool refusing;        /* the refusal is not sent in full yet; nothing is read meanwhile */
    bool lingering;       /* over, but its last output was not taken yet when the sweep came by */
};

struct hd_listener {
    uv_poll_t poll;
    struct hd_net *net; /* borrow */
    struct hd_listener *next;
    struct hd_socket socket; /* own */
    bool paused;
};

struct hd_net {
    uv_loop_t *loop;                      /* borrow */
    struct hd_rpc_server *rpc;            /* borrow */
    const struct hd_os *os;               /* borrow */
    const struct hd_allocator *allocator; /* borrow */
    struct hd_net_config config;
    struct hd_net_stats stats;

    uint8_t *read_buffer;  /* own; HD_NET_READ_BYTES; holds nothing between two calls */
    uint8_t *spare_buffer; /* own; as large; NULL: given away, and there was no memory for another one since */
    struct hd_connection *connections;
    /* Have replies of this turn, or whole frames that are to be given another turn. */
    struct hd_connection *retry_first;
    struct hd_connection *retry_last;
    struct hd_listener *listeners;
    int reserve_fd; /* own; what is closed to refuse a client when descriptors have run out; -1: lost */

    struct hd_net_ring *ring_first; /* those that are polled */
    struct hd_net_ring *ring_last;
    uint32_t ring_count;        /* of all */
    uint32_t ring_active_count; /* of those that are polled */
    struct hd_ring_thrift ring_thrift;

    uv_check_t check;        /* after the sockets: slices and what got ready */
    uv_idle_t idle;          /* active <=> the loop must not sleep */
    uv_timer_t deadline;     /* for hd_rpc_next_deadline_ns */
    uv_timer_t accept_again; /* after accept failed for want of something */
    uv_timer_t linger;       /* bounds how long a connection that is over may take to read its last replies */
    uv_timer_t flush;        /* bounds stop */
    uv_async_t helper_async; /* a helper's thread has done what was given to it */
    uint64_t deadline_ns;    /* what `deadline` is set to; UINT64_MAX: not active */
    uint64_t slice_work_units;
    uint64_t turn_work_units; /* of hd_rpc_set_turn_units */
    uint64_t turn;            /* of the loop: how often the sockets were asked */
    size_t gathered_bytes;    /* of input since replies were last sent */
    bool sockets_busy;        /* a socket had something to say in this turn of the loop */
    bool rpc_touched;         /* bytes were given or a connection was closed since hd_rpc_run was last called */
    bool rpc_has_work;

    bool stopping;
    size_t closing_count; /* handles whose callback of closing is awaited */
    hd_net_stopped stopped;
    void *stopped_data;
};

/* connection.c */

/* Steals fd, on failure too (then it is closed, after the reason was told to the peer). */
void hd_connection_open(struct hd_net *net, int fd, bool is_unix);
/* Gives held input another turn, sends, closes if it is over. The connection may be gone afterwards. */
void hd_connection_advance(struct hd_connection *connection);
/* The same without another turn, of one that had its own. */
void hd_connection_end_turn(struct hd_connection *connection);
/* There may be input: receives, sends, and so on. The connection may be gone afterwards. */
void hd_connection_take_turn(struct hd_connection *connection);
/* The session ends now. The memory goes in libuv's callback. */
void hd_connection_close(struct hd_connection *connection);

/* input.c */

/* Makes the reserve. HD_ENOMEM. */
int hd_input_init(struct hd_connection *connection) HD_MUST_USE;
/* May bytes be read, or requests run? */
bool hd_connection_takes_input(const struct hd_connection *connection);
/* Does a whole frame lie in `input`, that had no turn yet? */
bool hd_connection_holds_frame(const struct hd_connection *connection);
/* Reads once and gives what came to the rpc server. */
void hd_connection_receive(struct hd_connection *connection);
/* recvmsg on the socket, and no descriptor slips in. 0: nothing there, or the peer has ended (then it is marked). */
size_t hd_connection_recv(struct hd_connection *connection, uint8_t *to, size_t room);
/* Is a request awaited, and may what comes meanwhile be read, for a cancel that is in it? */
bool hd_connection_overhears(const struct hd_connection *connection);
/* Looks through what is held for cancels of what is awaited. */
void hd_connection_look_for_cancels(struct hd_connection *connection);
/* Gives what is held a turn. */
void hd_connection_give_held(struct hd_connection *connection);

/* output.c */

/* Sends what the kernel takes now. */
void hd_connection_send(struct hd_connection *connection);
bool hd_connection_has_output(const struct hd_connection *connection);
/* Sends an error frame that answers no request, if the kernel takes it at once, and closes. */
void hd_connection_refuse(int fd, int error, const char *message);
/* Is this errno of a socket one that goes by itself? */
bool hd_net_is_passing(int number);

/* One byte that takes a descriptor along, if fd is one. False: the socket is full; try again when it is not. */
bool hd_connection_ring_bell(struct hd_connection *connection, int fd);

/* ring.c */

enum hd_ring_state {
    HD_RING_ABSENT,
    HD_RING_PENDING, /* what is in the output still goes over the socket, and no input is taken */
    HD_RING_OPEN,
};
enum hd_ring_state hd_net_ring_state(const struct hd_connection *connection);
/* A hd_rpc_ring_source; its context is the net. */
int hd_net_ring_make(void *net, void *connection, struct hd_rpc_ring *out);
/* Input was given to the rpc server: if a ring was made, notes what output still goes over the socket. */
void hd_net_ring_made(struct hd_connection *connection);
/* `count` bytes of it went: perhaps the ring begins. */
void hd_net_ring_socket_sent(struct hd_connection *connection, size_t count);
/* As recv and send; they say nothing when there is nothing, and mark a connection whose ring is corrupt. */
size_t hd_net_ring_receive(struct hd_connection *connection, uint8_t *to, size_t room);
size_t hd_net_ring_send(struct hd_connection *connection, const uint8_t *bytes, size_t count);
/* The socket is readable: bells, or the end. */
void hd_net_ring_hear(struct hd_connection *connection);
/* Polled from now on, or not, as the connection wants input. */
void hd_net_ring_settle(struct hd_connection *connection, bool wants_input);
/* Polls the active ones for a while, and gives turns; puts to sleep those that are silent. */
void hd_net_rings_run(struct hd_net *net);
void hd_net_ring_close(struct hd_connection *connection);

/* listener.c */

void hd_listener_close(struct hd_listener *listener);
/* Those that wait for descriptors try again. */
void hd_listeners_resume(struct hd_net *net);

/* net.c */

/* What follows turns of connections: what got ready, slices of work, deadlines. */
void hd_net_serve(struct hd_net *net);
/* Sends its replies, and gives it another turn if it holds a whole frame, after the sockets had theirs. Idempotent. */
void hd_net_retry(struct hd_net *net, struct hd_connection *connection);
/*
 * So many bytes are about to be run: if there were much of them in this turn, the replies to those before are sent
 * first, since they are not to wait for others' work. No connection is closed.
 */
void hd_net_gather(struct hd_net *net, size_t input_bytes);
void hd_net_retry_cancel(struct hd_net *net, struct hd_connection *connection);
/*
 * Around what one connection is given of its `count` bytes: how many work units it may take next time, so that it is
 * about as long as a slice.
 */
uint64_t hd_net_turn_begin(const struct hd_net *net, size_t count);
void hd_net_turn_end(struct hd_net *net, uint64_t begin_ns, bool has_more);
/* A connection is over and has output left: see to it that it does not stay for ever. */
void hd_net_linger(struct hd_net *net);
/* A handle's callback of closing has come. */
void hd_net_closed(struct hd_net *net);

#endif
