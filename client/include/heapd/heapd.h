/*
 * libheapd: objects in a heap that many processes share.
 *
 *     struct heapd_connection *heap;
 *     struct heapd_error error;
 *     if (heapd_connect(NULL, NULL, &heap, &error))
 *         errx(1, "%s", error.message);
 *     heapd_bind(heap, HEAPD_GLOBAL, heapd_text("answer"), heapd_int(42), &error);
 *     heapd_close(heap);
 *
 * Every method of the daemon has two functions. heapd_<method> sends the request
 * and waits for the reply. heapd_begin_<method> only queues it and gives a
 * ticket, by which heapd_wait fetches the reply later; many begun requests
 * travel in one write, and the daemon starts them in the order in which they
 * were begun.
 *
 * Results. A function that can fail returns 0, or one of the negative codes of
 * enum heapd_code. Out-parameters come last and change only on success. The last
 * of all is `struct heapd_error *error`, which may be NULL; on failure it tells
 * in words what was wrong and what to do. A request that failed changed nothing
 * in the heap.
 *
 * Objects are held by handles: numbers that mean something to one connection
 * alone. Each handle holds one reference, until heapd_release or the end of the
 * connection. A begun request can name the handle that its result will have
 * before the result exists, so that a chain (create, append to it, bind it,
 * release it) needs no waiting. If a link fails, later requests that name its
 * handle fail with HEAPD_EABORTED, and error.failed_request is the ticket of the
 * link that failed first.
 *
 * Memory. Values, names and literals that a caller passes are borrowed until the
 * function returns, in begin functions too. What comes back in a struct
 * heapd_value or a struct heapd_result is the caller's, until heapd_value_clear
 * or heapd_result_clear. Text is UTF-8 and may hold NUL; returned bytes (those
 * that an export lends aside) are followed by a NUL that does not count.
 *
 * Threads. Several threads may use one connection at once, without locks of
 * their own; while one waits for its reply, others go on. heapd_close is the
 * exception: no other call may run then or later. A literal, an export
 * or a result belongs to one thread at a time.
 *
 * Fork. A child must not use its parent's connection: every call fails with
 * HEAPD_EFORKED and does nothing. heapd_close in the child frees the child's
 * copy and leaves the parent's session alone.
 *
 * Signals. A write to a closed connection gives HEAPD_ECLOSED, never SIGPIPE.
 */
#ifndef HEAPD_HEAPD_H
#define HEAPD_HEAPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HEAPD_MUST_USE __attribute__((warn_unused_result))
#define HEAPD_API __attribute__((visibility("default")))

/* In the order in which they build on each other. */
/* clang-format off */
#include <heapd/error.h>
#include <heapd/connection.h>
#include <heapd/value.h>
#include <heapd/literal.h>
#include <heapd/result.h>
#include <heapd/pipeline.h>
#include <heapd/object.h>
#include <heapd/names.h>
#include <heapd/collector.h>
/* clang-format on */

/* Subjects of their own. */
#include <heapd/batch.h>
#include <heapd/buffer.h>
#include <heapd/bulk.h>
#include <heapd/containers.h>
#include <heapd/inspect.h>
#include <heapd/sequence.h>
#include <heapd/sync.h>
#include <heapd/tags.h>
#include <heapd/token.h>
#include <heapd/watch.h>

#endif
