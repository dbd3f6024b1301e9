/* Results by ticket, and the event loop's side of it. */
#include "client/lib/call.h"
#include "client/lib/incoming.h"
#include "client/lib/ring.h"
#include "client/lib/transport.h"
#include "client/lib/wait.h"

int heapd_flush(struct heapd_connection *connection, struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    hd_call_queue_releases(connection);
    hd_transport_send(connection);
    hd_transport_arm(connection);
    code = hd_check_alive(connection, error);
    if (!code)
        hd_succeed(error);
    hd_leave(connection);
    return code;
}

/* A request whose ticket the program still has; NULL otherwise. */
static struct hd_request *find_ticket(struct heapd_connection *connection, heapd_ticket ticket)
{
    struct hd_request *request = hd_request_table_find(&connection->requests, ticket);
    bool usable = request && request->ticketed && !request->claimed && !request->callback;
    return usable ? request : NULL;
}

static int fail_ticket(struct heapd_error *error, heapd_ticket ticket)
{
    return hd_fail_with(error, HEAPD_ETICKET,
                        "there is no ticket %llu, its result was fetched before, or another thread waits for it",
                        (unsigned long long)ticket);
}

int heapd_wait(struct heapd_connection *connection, heapd_ticket ticket, int timeout_ms, struct heapd_result *result,
               struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    struct hd_request *request = find_ticket(connection, ticket);
    if (!request) {
        code = fail_ticket(error, ticket);
    } else if (request->answered) {
        code = hd_call_take(connection, request, result, error);
    } else {
        hd_call_queue_releases(connection);
        struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
        request->claimed = true;
        if (hd_wait_for(connection, &wait, timeout_ms) == HEAPD_PENDING) {
            request->claimed = false;
            hd_succeed(error);
            code = HEAPD_PENDING;
        } else {
            code = hd_call_take(connection, request, result, error);
        }
    }
    hd_leave(connection);
    return code;
}

int heapd_finish_within(struct heapd_connection *connection, int timeout_ms, struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    hd_call_queue_releases(connection);
    struct hd_wait wait = {.kind = HD_WAIT_OLDER, .id = connection->next_id - 1};
    struct heapd_error *first = &connection->first_failure;
    if (hd_wait_for(connection, &wait, timeout_ms) == HEAPD_PENDING) {
        hd_succeed(error);
        code = HEAPD_PENDING;
    } else if (first->code) {
        code = first->code;
        if (error)
            *error = *first;
        *first = (struct heapd_error){0};
    } else {
        code = hd_check_alive(connection, error);
        if (!code)
            hd_succeed(error);
    }
    hd_leave(connection);
    return code;
}

int heapd_finish(struct heapd_connection *connection, struct heapd_error *error)
{
    return heapd_finish_within(connection, -1, error);
}

void heapd_forget(struct heapd_connection *connection, heapd_ticket ticket)
{
    if (hd_enter(connection, NULL))
        return;
    struct hd_request *request = find_ticket(connection, ticket);
    if (request && request->answered)
        (void)hd_call_take(connection, request, NULL, NULL);
    else if (request)
        request->ticketed = false;
    hd_leave(connection);
}

/* A frame without a body, of the request's own id. */
static int queue_cancel(struct heapd_connection *connection, const struct hd_request *request)
{
    uint8_t *to;
    int code = hd_buffer_reserve(&connection->output, HD_FRAME_HEADER_BYTES, &to);
    if (code)
        return code;
    struct hd_frame frame = {.method = request->method, .flags = HD_FRAME_CANCEL, .request_id = request->id};
    hd_frame_write(to, &frame);
    hd_buffer_commit(&connection->output, HD_FRAME_HEADER_BYTES);
    connection->queued_bytes += HD_FRAME_HEADER_BYTES;
    hd_transport_send(connection);
    return 0;
}

int heapd_cancel(struct heapd_connection *connection, heapd_ticket ticket, struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    /* Another thread may wait for it: that is whom a cancel serves. */
    struct hd_request *request = hd_request_table_find(&connection->requests, ticket);
    code = hd_check_alive(connection, error);
    if (!code && !request)
        code = fail_ticket(error, ticket);
    if (!code) {
        code = request->answered ? 0 : queue_cancel(connection, request);
        (void)hd_fail(error, code);
    }
    if (!code)
        hd_succeed(error);
    hd_leave(connection);
    return code;
}

size_t heapd_pending_count(struct heapd_connection *connection)
{
    if (hd_enter(connection, NULL))
        return 0;
    size_t count = connection->requests.unanswered_count;
    hd_leave(connection);
    return count;
}

int heapd_fd(const struct heapd_connection *connection)
{
    return connection->fd;
}

bool heapd_wants_write(struct heapd_connection *connection)
{
    if (hd_enter(connection, NULL))
        return false;
    /* A socket beside a full ring is writable all the time: it is read, for the bell. */
    bool unsent = hd_buffer_readable(&connection->output) > 0 && !(connection->ring && connection->ring->full);
    bool wants = !connection->broken && (unsent || connection->slots.release_count > 0);
    hd_leave(connection);
    return wants;
}

bool heapd_wants_step(struct heapd_connection *connection)
{
    if (hd_enter(connection, NULL))
        return false;
    bool wants = connection->callbacks != NULL;
    hd_leave(connection);
    return wants;
}

int heapd_on_done(struct heapd_connection *connection, heapd_ticket ticket, heapd_callback *callback, void *context)
{
    int code = hd_enter(connection, NULL);
    if (code)
        return code;
    struct hd_request *request = find_ticket(connection, ticket);
    if (!request || !callback) {
        hd_leave(connection);
        return callback ? HEAPD_ETICKET : HEAPD_EINVALID;
    }
    request->callback = callback;
    request->context = context;
    if (request->answered)
        hd_incoming_queue_callback(connection, request);
    hd_leave(connection);
    return 0;
}

/* Calls the callbacks that are due, each without the lock. */
static void run_callbacks(struct heapd_connection *connection)
{
    while (connection->callbacks) {
        struct hd_request *request = connection->callbacks;
        connection->callbacks = request->next_callback;
        if (!connection->callbacks)
            connection->last_callback = NULL;
        heapd_callback *callback = request->callback;
        void *context = request->context;
        heapd_ticket ticket = request->id;
        struct heapd_result result = {0};
        struct heapd_error error;
        int code = hd_call_take(connection, request, &result, &error);
        pthread_mutex_unlock(&connection->lock);
        callback(connection, ticket, code, code ? NULL : &result, &error, context);
        pthread_mutex_lock(&connection->lock);
    }
}

int heapd_step(struct heapd_connection *connection, struct heapd_error *error)
{
    int code = hd_enter(connection, error);
    if (code)
        return code;
    hd_call_queue_releases(connection);
    hd_transport_send(connection);
    hd_transport_hear(connection);
    while (hd_transport_receive(connection))
        ;
    run_callbacks(connection);
    hd_transport_send(connection);
    hd_transport_arm(connection);
    run_callbacks(connection);
    code = hd_check_alive(connection, error);
    if (!code)
        hd_succeed(error);
    hd_leave(connection);
    return code;
}
