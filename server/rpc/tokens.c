/* References on their way outside sessions: tokens, and copies of whole sessions for forked processes. */
#include <heapd/v1/token.pb-c.h>
#include <string.h>

#include "rpc/private.h"

/* A pickle in a queue is fetched within minutes, or its reader is dead. */
#define TTL_USUAL_MS UINT64_C(300000)
#define TTL_MAX_MS UINT64_C(86400000)

static int random_bytes(struct hd_call *call, uint8_t out[HD_TOKEN_BYTES])
{
    return call->server->os->random(call->server->os->context, out, HD_TOKEN_BYTES);
}

static int reply_secret(struct hd_call *call, uint8_t *secret, uint64_t ttl_ms)
{
    Heapd__V1__Token reply = HEAPD__V1__TOKEN__INIT;
    reply.secret = (ProtobufCBinaryData){HD_TOKEN_BYTES, secret};
    reply.ttl_ms = ttl_ms;
    return hd_reply_message(call, &reply.base, 0);
}

static int check_count(struct hd_call *call)
{
    uint32_t limit = call->server->config.max_tokens;
    if (limit == 0 || hd_tokens_made_by(&call->server->tokens, call->session->id) < limit)
        return 0;
    return hd_fail(call, HD_ELIMIT,
                   "%u tokens of this session are neither used up nor out of date, as many as a session may have; give "
                   "them fewer uses or less time, or raise max_tokens",
                   limit);
}

int hd_run_make_token(struct hd_call *call, const void *message)
{
    const Heapd__V1__MakeTokenRequest *request = message;
    struct hd_rpc_server *server = call->server;
    uint8_t secret[HD_TOKEN_BYTES];
    hd_value value;
    int error = hd_call_object(call, request->object, &value);
    if (!error)
        error = check_count(call);
    if (!error)
        error = random_bytes(call, secret);
    if (error)
        return error;
    uint64_t ttl_ms = request->ttl_ms ? request->ttl_ms : TTL_USUAL_MS;
    if (ttl_ms > TTL_MAX_MS)
        ttl_ms = TTL_MAX_MS;
    struct hd_token_wish wish = {.value = value,
                                 .expires_ns = server->os->now_ns(server->os->context) + ttl_ms * 1000000,
                                 .maker = call->session->id,
                                 .uses = request->uses};
    error = hd_tokens_make(&server->tokens, secret, &wish);
    /* A small reply, for which there is room: it cannot fail after the change. */
    return error ? error : reply_secret(call, secret, ttl_ms);
}

int hd_run_redeem_token(struct hd_call *call, const void *message)
{
    const Heapd__V1__RedeemTokenRequest *request = message;
    struct hd_rpc_server *server = call->server;
    hd_value value;
    if (request->into == 0)
        return hd_fail(call, HD_ENOT_PLAIN, "a token gives an object");
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_tokens_redeem(&server->tokens, request->secret.data, request->secret.len,
                                 server->os->now_ns(server->os->context), &value);
    /* The slot is prepared and the reply is small: nothing fails after the token was used. */
    return error ? error : hd_reply_result(call, value, true);
}

/* ---- sessions ---- */

int hd_run_offer_session(struct hd_call *call, const void *message)
{
    struct hd_rpc_connection *connection = call->connection;
    uint8_t secret[HD_TOKEN_BYTES];
    (void)message;
    int error = random_bytes(call, secret);
    if (error)
        return error;
    error = reply_secret(call, secret, 0);
    if (error)
        return error;
    memcpy(connection->offer, secret, sizeof secret);
    connection->offered = true;
    return 0;
}

struct clone {
    struct hd_unfinished base;
    uint64_t target_id;
    hd_handle *except; /* own */
    size_t except_count;
    size_t except_position;
    uint32_t position;
};

/* By its number, each time: it may have ended since. O(connections), for each slice of a fork. */
static struct hd_rpc_connection *find_session(struct hd_rpc_server *server, uint64_t id)
{
    for (struct hd_rpc_connection *i = server->connections; i; i = i->next)
        if (i->session.id == id)
            return i;
    return NULL;
}

static bool is_offered(const struct hd_rpc_connection *target, const ProtobufCBinaryData *secret)
{
    uint8_t differs = 0;
    if (!target || !target->offered || secret->len != HD_TOKEN_BYTES)
        return false;
    for (size_t i = 0; i < HD_TOKEN_BYTES; i++)
        differs |= target->offer[i] ^ secret->data[i];
    return differs == 0;
}

static enum hd_step step_clone(struct hd_unfinished *unfinished, uint64_t units)
{
    struct clone *clone = (struct clone *)unfinished;
    struct hd_rpc_connection *source = unfinished->connection;
    struct hd_call call;
    if (!hd_connection_has_room(source))
        return HD_STEP_BLOCKED;
    struct hd_rpc_connection *target = find_session(source->server, clone->target_id);
    if (target && hd_session_clone_step(&target->session, &source->session, clone->except, clone->except_count,
                                        &clone->position, &clone->except_position, units))
        return HD_STEP_AGAIN;
    hd_unfinished_call(unfinished, &call);
    if (target)
        hd_reply_empty(&call);
    else
        hd_call_refuse(&call, hd_fail(&call, HD_ECLOSED, "the session that was to be the copy has ended"));
    return HD_STEP_DONE;
}

static void free_clone(struct hd_unfinished *unfinished)
{
    struct clone *clone = (struct clone *)unfinished;
    struct hd_rpc_connection *connection = unfinished->connection;
    const struct hd_allocator *allocator = connection->server->allocator;
    connection->held = false;
    hd_connection_make_ready(connection);
    hd_allocator_free(allocator, clone->except, clone->except_count * sizeof *clone->except);
    hd_allocator_free(allocator, clone, sizeof *clone);
}

static const struct hd_unfinished_kind clone_kind = {.step = step_clone, .free = free_clone};

static int check_except(struct hd_call *call, const Heapd__V1__CloneSessionRequest *request)
{
    for (size_t i = 1; i < request->n_except; i++)
        if (hd_handle_slot(request->except[i]) <= hd_handle_slot(request->except[i - 1]))
            return hd_fail(call, HD_EINVALID, "the slots of `except` are not ascending");
    return 0;
}

static int clone_new(struct hd_call *call, const Heapd__V1__CloneSessionRequest *request, struct clone **out)
{
    const struct hd_allocator *allocator = call->server->allocator;
    struct clone *clone = hd_allocator_new_zeroed(allocator, sizeof *clone);
    size_t bytes = request->n_except * sizeof *clone->except;
    if (!clone)
        return HD_ENOMEM;
    clone->target_id = request->session_id;
    if (bytes) {
        clone->except = hd_allocator_new(allocator, bytes);
        if (!clone->except) {
            hd_allocator_free(allocator, clone, sizeof *clone);
            return HD_ENOMEM;
        }
        memcpy(clone->except, request->except, bytes);
        clone->except_count = request->n_except;
    }
    *out = clone;
    return 0;
}

int hd_run_clone_session(struct hd_call *call, const void *message)
{
    const Heapd__V1__CloneSessionRequest *request = message;
    struct hd_rpc_connection *target = find_session(call->server, request->session_id);
    struct clone *clone;
    int error = check_except(call, request);
    if (error)
        return error;
    /* Whether the session or the secret is wrong is not told. */
    if (!is_offered(target, &request->secret))
        return hd_fail(call, HD_EPERMISSION, "session %llu does not offer itself with this secret",
                       (unsigned long long)request->session_id);
    error = hd_unfinished_allowed(call);
    if (!error)
        error = clone_new(call, request, &clone);
    if (error)
        return error;
    error = hd_session_clone_begin(&target->session, call->session);
    if (error) {
        hd_allocator_free(call->server->allocator, clone->except, clone->except_count * sizeof *clone->except);
        hd_allocator_free(call->server->allocator, clone, sizeof *clone);
        return error == HD_EINVALID ? hd_fail(call, error, "the session that is to be the copy was used already")
                                    : error;
    }
    target->offered = false;
    hd_unfinished_add(&clone->base, &clone_kind, call, false);
    call->connection->held = true;
    return HD_CALL_CONTINUES;
}
