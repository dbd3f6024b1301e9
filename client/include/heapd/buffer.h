/*
 * Buffers: large bytes in shared memory. One process writes a buffer and seals it; from then on nobody can change it,
 * and every process that holds a handle to it maps the same pages.
 *
 *     writer                                          reader
 *     heapd_buffer_create(c, bytes, &w, &e)
 *     memcpy(heapd_buffer_writer_data(w), ...)
 *     heapd_buffer_seal(w, &handle, &e)
 *     heapd_bind(c, ..., heapd_ref(handle), &e)       heapd_lookup(c, ..., &value, &e)
 *                                                     heapd_buffer_get(c, value.as.ref, &b, &e)
 *                                                     use(heapd_buffer_data(b), heapd_buffer_bytes(b))
 *                                                     heapd_buffer_release(b)
 *
 * or heapd_buffer_put, for bytes that lie somewhere already. A buffer is an object as any other: it can be bound, put
 * into containers, and shared; its handle is released with heapd_release.
 *
 * Over TCP, where memory cannot be shared, the same calls move the bytes in parts.
 */
#ifndef HEAPD_BUFFER_H
#define HEAPD_BUFFER_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writing */

/* A buffer that is not sealed yet. For one thread at a time. */
struct heapd_buffer_writer;

/*
 * Makes a buffer of so many zeros (at least one). If the connection ends before it is sealed, its bytes are gone.
 * HEAPD_ENOMEM (the heap's limit), HEAPD_ELIMIT (max_unsealed), HEAPD_EDESCRIPTORS.
 */
HEAPD_API int heapd_buffer_create(struct heapd_connection *connection, uint64_t bytes, struct heapd_buffer_writer **out,
                                  struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The same without waiting; the ticket must be asked for. Its result becomes a writer by the second, which takes handle
 * and descriptor out of it; on failure they stay there (HEAPD_EDESCRIPTORS: this process could take none), and the
 * handle is to be released. The result is to be cleared in either case.
 */
HEAPD_API int heapd_begin_buffer_create(struct heapd_connection *connection, uint64_t bytes, heapd_ticket *ticket,
                                        struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_buffer_writer_take(struct heapd_connection *connection, struct heapd_result *result,
                                       struct heapd_buffer_writer **out, struct heapd_error *error) HEAPD_MUST_USE;
/* Its memory, to be written to: lent until it is sealed or abandoned. NULL: the system refused to map it. */
HEAPD_API void *heapd_buffer_writer_data(struct heapd_buffer_writer *writer);
/* Its handle, for who wants to bind it or put it somewhere before it is sealed. It goes with the writer. */
HEAPD_API heapd_handle heapd_buffer_writer_handle(const struct heapd_buffer_writer *writer);
/* A file of its bytes, to read from another file or a socket into; -1 over TCP. Lent until it is sealed or abandoned.
 */
HEAPD_API int heapd_buffer_writer_fd(const struct heapd_buffer_writer *writer);
/* Copies bytes in, without mapping it: faster for bytes that lie somewhere already. HEAPD_EINDEX. */
HEAPD_API int heapd_buffer_write(struct heapd_buffer_writer *writer, uint64_t offset, const void *data, size_t bytes,
                                 struct heapd_error *error) HEAPD_MUST_USE;
/*
 * Seals it. On success the writer is freed, and *out is a handle to the buffer. Else the writer stays, without its
 * memory (heapd_buffer_writer_data maps it again): HEAPD_EMAPPED, when somebody else has it mapped still, as a child
 * that was forked meanwhile.
 */
HEAPD_API int heapd_buffer_seal(struct heapd_buffer_writer *writer, heapd_handle *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The same without waiting for it: requests that follow wait for it in the daemon. The writer is freed, and *out is the
 * program's. If it then fails, as above, that is what the ticket says, and the buffer can only be released. Over TCP
 * bytes that were written to memory go out first, and that is waited for.
 */
HEAPD_API int heapd_begin_buffer_seal(struct heapd_buffer_writer *writer, heapd_handle *out, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;
/* Gives the buffer up. Takes NULL. Before heapd_close. */
HEAPD_API void heapd_buffer_abandon(struct heapd_buffer_writer *writer);

/* create, write, seal. */
HEAPD_API int heapd_buffer_put(struct heapd_connection *connection, const void *data, uint64_t bytes, heapd_handle *out,
                               struct heapd_error *error) HEAPD_MUST_USE;

/* Reading */

/* The bytes of a sealed buffer as this process sees them: one mapping, however many times and from wherever it is got.
 */
struct heapd_buffer;

/*
 * Maps a sealed buffer, read only. The second time it is only counted: by the same handle, which still names the same
 * bytes, without asking the daemon; by another, in one round trip. It stays after the handle is released, after
 * heapd_close even, until heapd_buffer_release: what is mapped still when nobody holds the buffer any more is beyond
 * the daemon's accounting, and counts in the system's alone. HEAPD_ENOT_SEALED, HEAPD_ETYPE, HEAPD_EDESCRIPTORS;
 * HEAPD_ENOMEM: this process cannot map it.
 */
HEAPD_API int heapd_buffer_get(struct heapd_connection *connection, heapd_handle handle, struct heapd_buffer **out,
                               struct heapd_error *error) HEAPD_MUST_USE;
/*
 * The same without waiting for it; the ticket must be asked for. Its result becomes a buffer by the second, and is to
 * be cleared after that; `handle` is that of the request. Over TCP it reads the bytes, and waits for them.
 */
HEAPD_API int heapd_begin_buffer_get(struct heapd_connection *connection, heapd_handle handle, heapd_ticket *ticket,
                                     struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_buffer_take(struct heapd_connection *connection, heapd_handle handle,
                                const struct heapd_result *result, struct heapd_buffer **out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* Lent until the release that belongs to the get. From any thread. */
HEAPD_API const void *heapd_buffer_data(const struct heapd_buffer *buffer);
HEAPD_API uint64_t heapd_buffer_bytes(const struct heapd_buffer *buffer);
/* Once for each get; the last unmaps. Takes NULL. From any thread. */
HEAPD_API void heapd_buffer_release(struct heapd_buffer *buffer);

/* Its size and whether it is sealed, without mapping it. HEAPD_ENOT_SEALED, HEAPD_ETYPE. */
HEAPD_API int heapd_buffer_look(struct heapd_connection *connection, heapd_handle handle, struct heapd_buffer_info *out,
                                struct heapd_error *error) HEAPD_MUST_USE;
/* Its result has as.buffer. */
HEAPD_API int heapd_begin_buffer_look(struct heapd_connection *connection, heapd_handle handle, heapd_ticket *ticket,
                                      struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
