/* The Inspect service: what happens, and what took long. */
#include <heapd/inspect.h>
#include <stdlib.h>

#include "client/lib/report.h"
#include "heapd/v1/method.pb-c.h"

/* ---- slow requests ---- */

int heapd_slowlog(struct heapd_connection *connection, struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__SlowlogRequest request = HEAPD__V1__SLOWLOG_REQUEST__INIT;
    struct hd_report got;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__SLOWLOG, &request.base,
                             &heapd__v1__slowlog_reply__descriptor, &got, error);
    if (code)
        return code;
    const Heapd__V1__SlowlogReply *from = got.message;
    struct heapd_slow_request *items = hd_report_alloc(&got, from->n_requests, sizeof *items);
    if (!items) {
        hd_report_drop(&got);
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a report");
    }
    for (size_t i = 0; i < from->n_requests; i++) {
        const Heapd__V1__SlowRequest *row = from->requests[i];
        items[i] = (struct heapd_slow_request){
            .number = row->number,
            .method_name = row->method_name,
            .session = row->session,
            .client_name = row->client_name,
            .taken_ns = row->taken_ns,
            .ago_ns = row->ago_ns,
            .body_bytes = row->body_bytes,
            .in_slices = row->in_slices,
        };
    }
    *report = (struct heapd_report){.memory = got.arena};
    report->as.slowlog = (struct heapd_slow_requests){
        .items = items, .count = from->n_requests, .ever = from->count, .threshold_ns = from->threshold_ns};
    return 0;
}

static int change_slowlog(struct heapd_connection *connection, const Heapd__V1__SlowlogRequest *request,
                          struct heapd_error *error)
{
    struct hd_report got;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__SLOWLOG, &request->base,
                             &heapd__v1__slowlog_reply__descriptor, &got, error);
    if (!code)
        hd_report_drop(&got);
    return code;
}

int heapd_slowlog_threshold(struct heapd_connection *connection, uint64_t threshold_ns, struct heapd_error *error)
{
    Heapd__V1__SlowlogRequest request = HEAPD__V1__SLOWLOG_REQUEST__INIT;
    request.set_threshold = true;
    request.threshold_ns = threshold_ns;
    return change_slowlog(connection, &request, error);
}

int heapd_slowlog_reset(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__SlowlogRequest request = HEAPD__V1__SLOWLOG_REQUEST__INIT;
    request.reset = true;
    return change_slowlog(connection, &request, error);
}

/* ---- what happens ---- */

struct heapd_follow {
    struct hd_parts parts;
    struct hd_arena arena;
    const Heapd__V1__FollowPart *part;
    size_t next;
    uint64_t sequence; /* of the last event that was told */
};

static int next_part(struct heapd_follow *follow, int timeout_ms, struct heapd_error *error)
{
    struct hd_stream_part *part;
    int code = hd_parts_next_within(&follow->parts, timeout_ms, &part, error);
    if (code == HD_PARTS_LATE)
        return 0;
    if (code == 0)
        return hd_fail_with(error, HD_ECLOSED, "the daemon ended the follow");
    if (code < 0)
        return code;
    hd_arena_reset(&follow->arena);
    follow->next = 0;
    follow->part = (const Heapd__V1__FollowPart *)protobuf_c_message_unpack(
        &heapd__v1__follow_part__descriptor, &follow->arena.protobuf, part->bytes, part->data);
    free(part);
    if (!follow->part)
        return hd_fail_with(error, follow->arena.failed ? HD_ENOMEM : HD_EPROTOCOL, "an event cannot be read");
    return 1;
}

int heapd_follow_open(struct heapd_connection *connection, const struct heapd_follow_options *options,
                      struct heapd_follow **out, struct heapd_error *error)
{
    Heapd__V1__FollowRequest request = HEAPD__V1__FOLLOW_REQUEST__INIT;
    struct heapd_follow *follow = calloc(1, sizeof *follow);
    if (!follow)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a follow");
    hd_arena_init(&follow->arena);
    request.objects = (uint64_t *)(uintptr_t)options->objects; /* read only */
    request.n_objects = options->object_count;
    request.collections = options->collections;
    request.requests = options->requests;
    request.room = options->room;
    int code = hd_parts_begin(connection, HEAPD__V1__METHOD__FOLLOW, &request.base, &follow->parts, error);
    if (code) {
        free(follow);
        return code;
    }
    /* The first part says that it has begun. */
    code = next_part(follow, -1, error);
    if (code < 0) {
        heapd_follow_close(follow);
        return code;
    }
    *out = follow;
    return 0;
}

void heapd_follow_close(struct heapd_follow *follow)
{
    if (!follow)
        return;
    hd_parts_end(&follow->parts);
    hd_arena_fini(&follow->arena);
    free(follow);
}

int heapd_follow_next(struct heapd_follow *follow, int timeout_ms, struct heapd_follow_event *event,
                      struct heapd_error *error)
{
    while (!follow->part || follow->next == follow->part->n_events) {
        int code = next_part(follow, timeout_ms, error);
        if (code <= 0)
            return code;
    }
    const Heapd__V1__FollowEvent *from = follow->part->events[follow->next++];
    *event = (struct heapd_follow_event){
        .sequence = from->sequence,
        .kind = (enum heapd_follow_kind)from->kind,
        .lost = from->sequence - follow->sequence - 1, /* numbers have gaps for nothing else */
        .identity = from->identity,
        .position = from->position,
        .generation = from->generation,
        .unreachable = from->unreachable,
        .method_name = from->method_name,
        .session = from->session,
        .body_bytes = from->body_bytes,
        .failed = from->failed,
    };
    follow->sequence = from->sequence;
    return 1;
}
