/*
 * A connection: its socket, what is to be sent, what was asked, and who waits.
 *
 * One lock guards it all. A thread that waits for a reply takes one of three
 * parts, and DESIGN.md says why this neither sleeps too long nor spins:
 *
 *     reader   one at a time; sleeps in recv or poll without the lock, then
 *              hands out what came
 *     writer   one at a time; sleeps in poll until the socket takes more, when
 *              its own request is still unsent and another thread reads
 *     sleeper  waits on a condition variable of its own, to be woken by the
 *              reader when its reply is there, or to become the next reader
 *
 * Nothing is sent or received by anyone but transport.c.
 */
#ifndef HEAPD_CLIENT_CONNECTION_H
#define HEAPD_CLIENT_CONNECTION_H

#include <heapd/heapd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "client/lib/arena.h"
#include "client/lib/descriptors.h"
#include "client/lib/error.h"
#include "client/lib/request.h"
#include "client/lib/slots.h"
#include "common/buffer.h"
#include "common/frame.h"

struct hd_waiter;
struct hd_event;
struct hd_client_ring;

struct heapd_connection {
    /* Fixed once connected. */
    int fd;    /* own */
    pid_t pid; /* of the process that connected */
    bool never_wait;
    size_t output_limit_bytes;
    struct heapd_server_info server;
    uint64_t number; /* of no other connection of this process */
    bool is_local;   /* a Unix socket: memory can be shared */

    pthread_mutex_t lock;

    /* All that follows is guarded by the lock. */
    int broken; /* 0, or the code of `broken_detail`: nothing can be sent any more */
    struct heapd_error broken_detail;
    bool closing;            /* goodbye was said: the end of the stream is no failure */
    bool reading;            /* a thread has the reader's part; the input is its own then */
    bool writing;            /* a thread has the writer's part */
    bool in_batch;           /* requests are kept by the daemon: nothing can be waited for, releases wait */
    struct hd_buffer output; /* requests not sent yet */
    struct hd_buffer input;  /* replies not taken apart yet */
    uint64_t queued_bytes;   /* put into output since the beginning; sent: queued - readable(output) */
    uint64_t next_id;        /* of the next request */
    struct hd_request_table requests;
    struct hd_slots slots;
    struct hd_waiter *sleepers;   /* borrow: on the stacks of the threads that sleep */
    struct hd_request *callbacks; /* answered, in order; to be called by heapd_step */
    struct hd_request *last_callback;
    struct hd_event *events;          /* own; oldest first: watch.h */
    bool events_lost;                 /* there was no memory for one */
    struct heapd_error first_failure; /* of requests without a ticket, since the last heapd_finish */
    struct hd_arena arena;            /* for the reply that is being taken apart */
    struct hd_client_ring *ring;      /* own; NULL: frames go over the socket */
    enum heapd_ring ring_wanted;      /* AUTO until it was decided */
    uint32_t waits;                   /* synchronous calls since quick_since_ns, while a ring may still be asked for */
    uint64_t quick_since_ns;
    bool ring_asked;                   /* the daemon was asked for one, and nothing is sent until it has answered */
    uint64_t ring_asked_end;           /* of the output, that is sent meanwhile; as queued_bytes */
    struct hd_descriptors descriptors; /* came, and their frames were not taken apart yet */
};

/*
 * Every public function begins with this: HEAPD_EINVALID for NULL, HEAPD_EFORKED
 * in a child of the process that connected; else the lock is held until hd_leave.
 */
int hd_enter(struct heapd_connection *connection, struct heapd_error *error) HD_MUST_USE;
void hd_leave(struct heapd_connection *connection);
/* As hd_enter, without taking the lock. */
int hd_check_process(const struct heapd_connection *connection, struct heapd_error *error) HD_MUST_USE;
/* With the lock held: 0, or why the connection is lost. */
int hd_check_alive(const struct heapd_connection *connection, struct heapd_error *error) HD_MUST_USE;

#endif
