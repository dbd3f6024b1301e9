/*
 * The one table of errors.
 *
 * Every function that can fail returns 0 or one of these, negative. The number
 * travels in Error.code, so numbers are never reused; the gRPC status is what
 * generic clients see. The text says what to do; a layer that knows more (which
 * key, which slot) puts its own message in front of it.
 */
#ifndef HEAPD_COMMON_ERROR_H
#define HEAPD_COMMON_ERROR_H

/* X(name, number, gRPC status, text) */
#define HD_ERRORS(X) \
    X(NOMEM, 1, RESOURCE_EXHAUSTED, "the heap's memory limit is reached; release objects or raise the limit") \
    X(LIMIT, 2, RESOURCE_EXHAUSTED, "a limit of this session or of the daemon is reached; release something first") \
    X(INVALID, 3, INVALID_ARGUMENT, "an argument is not valid") \
    X(PROTOCOL, 4, INVALID_ARGUMENT, "the bytes are not a message of this method; check the client's version") \
    X(TYPE, 5, INVALID_ARGUMENT, "the object's type does not have this operation") \
    X(INDEX, 6, OUT_OF_RANGE, "the index is out of range; ask for the length") \
    X(KEY, 7, NOT_FOUND, "no such key") \
    X(NAME, 8, NOT_FOUND, "no such name; bind it first or list the names") \
    X(ATTRIBUTE, 9, NOT_FOUND, "the instance has no such attribute") \
    X(UNHASHABLE, 10, INVALID_ARGUMENT, "a list, dict or set cannot be a key; use a tuple") \
    X(HANDLE_STALE, 11, FAILED_PRECONDITION, "the handle was released; take a new reference") \
    X(HANDLE_UNKNOWN, 12, NOT_FOUND, "this session holds no such handle; handles are valid in their own session only") \
    X(SLOT_OCCUPIED, 13, ALREADY_EXISTS, "the slot is in use; release it or choose another") \
    X(SLOT_PENDING, 14, FAILED_PRECONDITION, "the slot waits for an earlier request; wait for its reply or cancel it") \
    X(SLOT_GENERATION, 15, INVALID_ARGUMENT, "the slot was used before; raise the handle's generation") \
    X(ABORTED, 16, ABORTED, "an earlier request of this chain failed; see failed_request") \
    X(CHANGED, 17, ABORTED, "an object changed meanwhile and nothing was done; try again") \
    X(CANCELLED, 18, CANCELLED, "the request was cancelled") \
    X(DEADLINE, 19, DEADLINE_EXCEEDED, "the time to wait is over") \
    X(PERMISSION, 20, PERMISSION_DENIED, "only the daemon's own user may do this, over its Unix socket") \
    X(METHOD, 21, UNIMPLEMENTED, "the daemon does not know this method; check its version") \
    X(TOO_LARGE, 22, OUT_OF_RANGE, "larger than the limit allows; send or ask for it in parts") \
    X(UTF8, 23, INVALID_ARGUMENT, "a str must be valid UTF-8 without surrogates; send bytes instead") \
    X(CYCLE, 24, INVALID_ARGUMENT, "a literal cannot refer to a container that is still open; make the cycle with a second request") \
    X(DEPTH, 25, INVALID_ARGUMENT, "nested deeper than the limit; build the object in several requests") \
    X(UNAVAILABLE, 26, UNAVAILABLE, "no daemon answers there; start one or check the address") \
    X(INTERNAL, 27, INTERNAL, "heapd broke one of its own rules; please report it") \
    X(NOT_PLAIN, 28, FAILED_PRECONDITION, "the result is an object; name a slot to put it into") \
    X(HELLO, 29, FAILED_PRECONDITION, "a connection begins with one Hello, and with a version that both sides speak") \
    X(CLOSED, 30, UNAVAILABLE, "the connection is closed; connect again") \
    X(OVERFLOW, 31, OUT_OF_RANGE, "the number does not fit") \
    X(SYNTAX, 32, INVALID_ARGUMENT, "the text does not follow its grammar") \
    X(SYSTEM, 33, UNAVAILABLE, "the operating system refused; see errno's text") \
    X(EXISTS, 34, ALREADY_EXISTS, "it exists already") \
    /* Python's ValueError, ZeroDivisionError and RecursionError. */ \
    X(VALUE, 35, INVALID_ARGUMENT, "the value is of the right type, and not one that this operation takes") \
    X(ZERO_DIVISION, 36, INVALID_ARGUMENT, "a division by zero") \
    X(RECURSION, 37, FAILED_PRECONDITION, "the objects contain themselves, so that comparing them has no end") \
    /* Containers, cursors, weak references: 40 to 44. */ \
    X(GONE, 40, FAILED_PRECONDITION, "the object that the weak reference was to is gone") \
    X(ITERATION, 41, FAILED_PRECONDITION, "the container changed during iteration; open a new cursor") \
    X(EMPTY, 42, NOT_FOUND, "the container is empty") \
    /* coordination */ \
    X(QUEUE_FULL, 45, FAILED_PRECONDITION, "the queue is full; get something first, or wait") \
    X(QUEUE_EMPTY, 46, FAILED_PRECONDITION, "the queue is empty; put something first, or wait") \
    X(NOT_LOCKED, 47, FAILED_PRECONDITION, "the lock is not locked; acquire it first") \
    X(NOT_OWNED, 48, FAILED_PRECONDITION, "this session and thread do not hold the lock; acquire it first") \
    X(OVER_RELEASE, 49, FAILED_PRECONDITION, "released or done more often than acquired or put") \
    X(BROKEN_BARRIER, 50, ABORTED, "the barrier is broken; reset it") \
    /* Buffers and descriptors. */ \
    X(SEALED, 53, FAILED_PRECONDITION, "the buffer is sealed and nobody can write to it; make another one") \
    X(NOT_SEALED, 54, FAILED_PRECONDITION, "the buffer is not sealed yet; its writer seals it first") \
    X(MAPPED, 55, FAILED_PRECONDITION, "somebody has the buffer mapped for writing; unmap it and seal again") \
    X(DESCRIPTORS, 56, RESOURCE_EXHAUSTED, "the daemon has no descriptor left; release buffers or raise its limit of open files") \
    /* Tokens: 59. */ \
    /* batches */ \
    X(BATCH, 57, FAILED_PRECONDITION, "batches are not made so; see Begin") \
    X(TOKEN, 59, NOT_FOUND, "the token has run out: its time is over, or it was used as often as it may be; make a new one")

enum hd_error {
#define HD_ERROR_ENUM(name, number, status, text) HD_E##name = -(number),
    HD_ERRORS(HD_ERROR_ENUM)
#undef HD_ERROR_ENUM
};

/* gRPC's status codes. */
enum hd_status {
    HD_STATUS_OK = 0,
    HD_STATUS_CANCELLED = 1,
    HD_STATUS_UNKNOWN = 2,
    HD_STATUS_INVALID_ARGUMENT = 3,
    HD_STATUS_DEADLINE_EXCEEDED = 4,
    HD_STATUS_NOT_FOUND = 5,
    HD_STATUS_ALREADY_EXISTS = 6,
    HD_STATUS_PERMISSION_DENIED = 7,
    HD_STATUS_RESOURCE_EXHAUSTED = 8,
    HD_STATUS_FAILED_PRECONDITION = 9,
    HD_STATUS_ABORTED = 10,
    HD_STATUS_OUT_OF_RANGE = 11,
    HD_STATUS_UNIMPLEMENTED = 12,
    HD_STATUS_INTERNAL = 13,
    HD_STATUS_UNAVAILABLE = 14,
    HD_STATUS_DATA_LOSS = 15,
    HD_STATUS_UNAUTHENTICATED = 16,
};

/* A result that must be looked at. */
#define HD_MUST_USE __attribute__((warn_unused_result))

/* "HD_EKEY" and so on; "HD_OK" for 0, "HD_E?" for a number that is not in the table. */
const char *hd_error_name(int error);
/* What it means and what to do. Never NULL. */
const char *hd_error_text(int error);
enum hd_status hd_error_status(int error);
/* "NOT_FOUND" and so on. Never NULL. */
const char *hd_status_name(enum hd_status status);

#endif
