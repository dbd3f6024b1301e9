/* A connection for a forked child: a session of its own that holds what the parent's held at the fork. */
#include <heapd/heapd.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "client/lib/wait.h"
#include "client/lib/wire.h"
#include "heapd/v1/token.pb-c.h"

static int ask_offer(struct heapd_connection *clone, struct heapd_result *offer, struct heapd_error *error)
{
    Heapd__V1__OfferSessionRequest message = HEAPD__V1__OFFER_SESSION_REQUEST__INIT;
    return hd_sync(clone, HEAPD_METHOD_OFFER_SESSION, &message.base, 0, offer, error);
}

/* Queues the request and copies the table of handles as it is at this place in the session's order. With the lock held.
 */
static int queue_clone(struct heapd_connection *connection, const struct hd_call *call,
                       Heapd__V1__CloneSessionRequest *message, struct hd_slots *slots, struct hd_request **out,
                       struct heapd_error *error)
{
    hd_handle *except;
    size_t except_count;
    /* First, so that what was given back is not copied. */
    hd_call_queue_releases(connection);
    int code = hd_slots_copy(&connection->slots, slots, &except, &except_count);
    if (code)
        return hd_fail_with(error, code, "this process has no memory for a copy of its handles");
    message->except = except;
    message->n_except = except_count;
    code = hd_call_queue(connection, call, out, error);
    free(except);
    if (code)
        hd_slots_fini(slots);
    return code;
}

static int copy_session(struct heapd_connection *connection, struct heapd_connection *clone,
                        const struct heapd_result *offer, struct heapd_error *error)
{
    Heapd__V1__CloneSessionRequest message = HEAPD__V1__CLONE_SESSION_REQUEST__INIT;
    struct hd_call call = {.method = HEAPD_METHOD_CLONE_SESSION, .message = &message.base};
    struct hd_request *request;
    struct hd_slots slots;
    message.session_id = clone->server.session_id;
    message.secret =
        (ProtobufCBinaryData){offer->as.token.secret.size, (uint8_t *)(uintptr_t)offer->as.token.secret.data};
    int code = hd_enter(connection, error);
    if (code)
        return code;
    code = queue_clone(connection, &call, &message, &slots, &request, error);
    if (!code) {
        struct hd_wait wait = {.kind = HD_WAIT_REQUEST, .request = request};
        request->claimed = true;
        int timed_out = hd_wait_for(connection, &wait, -1);
        (void)timed_out; /* without a timeout it cannot be */
        code = hd_call_take(connection, request, NULL, error);
        if (code) {
            hd_slots_fini(&slots);
        } else {
            hd_slots_fini(&clone->slots);
            clone->slots = slots;
        }
    }
    hd_leave(connection);
    return code;
}

int heapd_clone(struct heapd_connection *connection, const char *address, const struct heapd_options *options,
                struct heapd_connection **out, struct heapd_error *error)
{
    struct heapd_connection *clone;
    struct heapd_result offer = {0};
    int code = heapd_connection_state(connection, error);
    if (!code)
        code = heapd_connect(address, options, &clone, error);
    if (code)
        return code;
    code = ask_offer(clone, &offer, error);
    if (!code)
        code = copy_session(connection, clone, &offer, error);
    heapd_result_clear(&offer);
    if (code) {
        heapd_close(clone);
        return code;
    }
    *out = clone;
    hd_succeed(error);
    return 0;
}

void heapd_adopt(struct heapd_connection *clone)
{
    if (clone)
        clone->pid = getpid();
}

void heapd_disown(struct heapd_connection *clone)
{
    if (!clone)
        return;
    /* As a child frees its copy of a parent's connection: without a word to the daemon. */
    clone->pid = -1;
    heapd_close(clone);
}
