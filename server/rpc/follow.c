#include "rpc/follow.h"

#include <stddef.h>
#include <string.h>

#include "object/references.h"
#include "rpc/inspect.h"

#define RING_USUAL 1024u
#define RING_MIN 16u
#define RING_MAX 65536u
/* Events of one frame; and so many that they fit the room of a small reply, which is always there. */
#define FRAME_EVENTS 128u
#define FRAME_EVENTS_MIN 8u

struct event {
    uint64_t sequence;
    Heapd__V1__FollowKind kind;
    uint32_t generation;
    uint32_t body_bytes;
    uint16_t method;
    bool failed;
    uint64_t unreachable;
    uint64_t session;
};

struct hd_follow {
    struct hd_unfinished base;
    struct hd_follow *next; /* of the server's */
    struct hd_follow *previous;
    bool collections;
    bool requests;
    bool told_begin;
    uint64_t sequence;              /* of the last event */
    uint64_t lost;                  /* events that found no room, since this was told last */
    struct hd_obituary *obituaries; /* own; obituary_count of them */
    uint32_t obituary_count;
    struct hd_obituary *dead_first; /* to be told, in order */
    struct hd_obituary *dead_last;
    struct event *ring; /* own */
    uint32_t ring_capacity;
    uint32_t ring_head;
    uint32_t ring_count;
};

/* ---- deaths ---- */

static struct hd_obituary **bucket_of(struct hd_rpc_server *server, uint64_t identity)
{
    return &server->followers->buckets[(uint32_t)identity % HD_FOLLOW_BUCKETS];
}

static void wake(struct hd_follow *follow)
{
    hd_unfinished_make_runnable(&follow->base);
}

static void tell_death(struct hd_obituary *obituary)
{
    struct hd_follow *follow = obituary->follow;
    obituary->sequence = ++follow->sequence;
    obituary->next = NULL;
    if (follow->dead_last)
        follow->dead_last->next = obituary;
    else
        follow->dead_first = obituary;
    follow->dead_last = obituary;
    wake(follow);
}

/* In the midst of a collection, perhaps: only links change. */
static void on_gone(void *context, uint32_t index)
{
    struct hd_rpc_server *server = context;
    uint64_t identity = hd_table_identity(&server->heap->table, index);
    struct hd_obituary **link = bucket_of(server, identity);
    while (*link) {
        struct hd_obituary *obituary = *link;
        if (obituary->identity != identity) {
            link = &obituary->next;
            continue;
        }
        *link = obituary->next;
        tell_death(obituary);
    }
}

static void forget_obituaries(struct hd_follow *follow)
{
    struct hd_rpc_server *server = follow->base.connection->server;
    for (uint32_t i = 0; i < follow->obituary_count; i++) {
        struct hd_obituary *obituary = &follow->obituaries[i];
        if (obituary->sequence)
            continue;
        struct hd_obituary **link = bucket_of(server, obituary->identity);
        while (*link != obituary)
            link = &(*link)->next;
        *link = obituary->next;
    }
}

/* ---- what happens often ---- */

static void add_event(struct hd_follow *follow, struct event event)
{
    event.sequence = ++follow->sequence;
    if (follow->ring_count == follow->ring_capacity) {
        follow->lost++;
        return;
    }
    follow->ring[(follow->ring_head + follow->ring_count++) % follow->ring_capacity] = event;
    wake(follow);
}

static void tell_collection(struct hd_rpc_server *server, struct event event)
{
    for (struct hd_follow *i = server->followers->first; i; i = i->next)
        if (i->collections)
            add_event(i, event);
}

void hd_follow_collections(struct hd_rpc_server *server)
{
    struct hd_followers *followers = server->followers;
    const struct hd_gc *gc = &server->heap->gc;
    const uint32_t oldest = HD_GENERATIONS - 1;
    bool ended = gc->stats[oldest].collection_count != followers->collections[oldest];
    for (uint32_t g = 0; g < HD_GENERATIONS; g++) {
        uint64_t count = gc->stats[g].collection_count - followers->collections[g];
        uint64_t found = gc->stats[g].collected_count - followers->collected[g];
        /* Young ones are over when one hears of them; what several found is told with the last. */
        for (; count > 0; count--) {
            if (g < oldest || !followers->full_under_way)
                tell_collection(
                    server, (struct event){.kind = HEAPD__V1__FOLLOW_KIND__FOLLOW_COLLECTION_BEGINS, .generation = g});
            tell_collection(server, (struct event){.kind = HEAPD__V1__FOLLOW_KIND__FOLLOW_COLLECTION_ENDS,
                                                   .generation = g,
                                                   .unreachable = count == 1 ? found : 0});
        }
        followers->collections[g] = gc->stats[g].collection_count;
        followers->collected[g] = gc->stats[g].collected_count;
    }
    if (ended)
        followers->full_under_way = false;
    bool under_way = gc->phase != HD_PHASE_IDLE && !gc->dry_run;
    if (under_way && !followers->full_under_way)
        tell_collection(server,
                        (struct event){.kind = HEAPD__V1__FOLLOW_KIND__FOLLOW_COLLECTION_BEGINS, .generation = oldest});
    followers->full_under_way = under_way;
}

void hd_follow_request(struct hd_rpc_connection *connection, uint16_t method, uint32_t body_bytes, bool failed)
{
    struct event event = {.kind = HEAPD__V1__FOLLOW_KIND__FOLLOW_REQUEST,
                          .method = method,
                          .session = connection->session.id,
                          .body_bytes = body_bytes,
                          .failed = failed};
    for (struct hd_follow *i = connection->server->followers->first; i; i = i->next)
        /* Its own requests would be told without end. */
        if (i->requests && i->base.connection != connection)
            add_event(i, event);
}

/* ---- telling ---- */

static void describe(const struct event *event, Heapd__V1__FollowEvent *out)
{
    const struct hd_operation *operation = hd_operation_find(event->method);
    heapd__v1__follow_event__init(out);
    out->sequence = event->sequence;
    out->kind = event->kind;
    out->generation = event->generation;
    out->unreachable = event->unreachable;
    out->session = event->session;
    out->body_bytes = event->body_bytes;
    out->failed = event->failed;
    if (event->kind != HEAPD__V1__FOLLOW_KIND__FOLLOW_REQUEST)
        return;
    out->method = event->method;
    out->method_name = (char *)(uintptr_t)(operation ? operation->name : "unknown"); /* read only */
}

/* Two queues in the order of their numbers. */
static size_t fill(const struct hd_follow *follow, Heapd__V1__FollowEvent *rows, size_t most)
{
    const struct hd_obituary *dead = follow->dead_first;
    uint32_t taken = 0;
    size_t count = 0;
    for (; count < most && (dead || taken < follow->ring_count); count++) {
        const struct event *event =
            taken < follow->ring_count ? &follow->ring[(follow->ring_head + taken) % follow->ring_capacity] : NULL;
        if (dead && (!event || dead->sequence < event->sequence)) {
            heapd__v1__follow_event__init(&rows[count]);
            rows[count].kind = HEAPD__V1__FOLLOW_KIND__FOLLOW_DIED;
            rows[count].sequence = dead->sequence;
            rows[count].identity = dead->identity;
            rows[count].position = (uint32_t)(dead - follow->obituaries);
            dead = dead->next;
        } else {
            describe(event, &rows[count]);
            taken++;
        }
    }
    return count;
}

/* The first `count` were told. */
static void drop(struct hd_follow *follow, const Heapd__V1__FollowEvent *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == HEAPD__V1__FOLLOW_KIND__FOLLOW_DIED) {
            follow->dead_first = follow->dead_first->next;
            if (!follow->dead_first)
                follow->dead_last = NULL;
        } else {
            follow->ring_head = (follow->ring_head + 1) % follow->ring_capacity;
            follow->ring_count--;
        }
    }
}

static int tell(struct hd_follow *follow, size_t most)
{
    struct hd_rpc_server *server = follow->base.connection->server;
    Heapd__V1__FollowPart part = HEAPD__V1__FOLLOW_PART__INIT;
    Heapd__V1__FollowEvent *rows = hd_rpc_arena_get(&server->arena, FRAME_EVENTS * sizeof *rows);
    Heapd__V1__FollowEvent **pointers = hd_rpc_arena_get(&server->arena, FRAME_EVENTS * sizeof *pointers);
    struct hd_call call;
    if (!rows || !pointers)
        return HD_ENOMEM;
    part.n_events = fill(follow, rows, most);
    part.events = pointers;
    part.lost = follow->lost;
    part.begins = !follow->told_begin;
    for (size_t i = 0; i < part.n_events; i++)
        pointers[i] = &rows[i];
    hd_unfinished_call(&follow->base, &call);
    int error = hd_reply_message(&call, &part.base, HD_FRAME_MORE);
    if (error)
        return error;
    drop(follow, rows, part.n_events);
    follow->lost = 0;
    follow->told_begin = true;
    hd_connection_make_ready(follow->base.connection);
    return 0;
}

static bool has_news(const struct hd_follow *follow)
{
    return !follow->told_begin || follow->dead_first || follow->ring_count || follow->lost;
}

static enum hd_step step_follow(struct hd_unfinished *unfinished, uint64_t units)
{
    struct hd_follow *follow = (struct hd_follow *)unfinished;
    (void)units;
    if (!has_news(follow))
        return HD_STEP_PARKED;
    if (hd_connection_above_high(unfinished->connection) || !hd_connection_has_room(unfinished->connection))
        return HD_STEP_BLOCKED;
    int error = tell(follow, FRAME_EVENTS);
    if (error)
        error = tell(follow, FRAME_EVENTS_MIN);
    hd_rpc_arena_reset(&unfinished->connection->server->arena);
    if (error)
        return HD_STEP_BLOCKED;
    return has_news(follow) ? HD_STEP_AGAIN : HD_STEP_PARKED;
}

static void free_memory(struct hd_rpc_server *server, struct hd_follow *follow)
{
    hd_allocator_free(server->allocator, follow->obituaries, follow->obituary_count * sizeof *follow->obituaries);
    hd_allocator_free(server->allocator, follow->ring, follow->ring_capacity * sizeof *follow->ring);
    hd_allocator_free(server->allocator, follow, sizeof *follow);
}

static void end_follow(struct hd_unfinished *unfinished)
{
    struct hd_follow *follow = (struct hd_follow *)unfinished;
    struct hd_rpc_server *server = unfinished->connection->server;
    struct hd_followers *followers = server->followers;
    forget_obituaries(follow);
    if (follow->previous)
        follow->previous->next = follow->next;
    else
        followers->first = follow->next;
    if (follow->next)
        follow->next->previous = follow->previous;
    followers->request_count -= follow->requests;
    followers->collection_count -= follow->collections;
    free_memory(server, follow);
}

static const struct hd_unfinished_kind follow_kind = {.step = step_follow, .free = end_follow};

/* ---- beginning ---- */

static int make_followers(struct hd_rpc_server *server)
{
    if (server->followers)
        return 0;
    server->followers = hd_allocator_new_zeroed(server->allocator, sizeof *server->followers);
    if (!server->followers)
        return HD_ENOMEM;
    hd_objects_on_gone(&server->heap->objects, on_gone, server);
    return 0;
}

void hd_followers_free(struct hd_rpc_server *server)
{
    if (!server->followers)
        return;
    hd_objects_on_gone(&server->heap->objects, NULL, NULL);
    hd_allocator_free(server->allocator, server->followers, sizeof *server->followers);
    server->followers = NULL;
}

static int check_objects(struct hd_call *call, const Heapd__V1__FollowRequest *request)
{
    if (request->n_objects > HD_FOLLOW_OBJECTS_MAX)
        return hd_fail(call, HD_ELIMIT, "%zu objects; at most %u in one request", request->n_objects,
                       HD_FOLLOW_OBJECTS_MAX);
    for (size_t i = 0; i < request->n_objects; i++) {
        hd_value value;
        int error = hd_call_object(call, request->objects[i], &value);
        if (error)
            return error;
        if (!hd_value_is_ref(value))
            return hd_fail(call, HD_ETYPE, "the value in object %zu lies in the handle itself and does not die", i);
    }
    return 0;
}

static int allocate(struct hd_call *call, const Heapd__V1__FollowRequest *request, struct hd_follow **out)
{
    struct hd_rpc_server *server = call->server;
    struct hd_follow *follow = hd_allocator_new_zeroed(server->allocator, sizeof *follow);
    if (!follow)
        return HD_ENOMEM;
    follow->obituary_count = (uint32_t)request->n_objects;
    if (request->collections || request->requests)
        follow->ring_capacity = request->room ? request->room : RING_USUAL;
    if (follow->obituary_count)
        follow->obituaries =
            hd_allocator_new_zeroed(server->allocator, follow->obituary_count * sizeof *follow->obituaries);
    if (follow->ring_capacity)
        follow->ring = hd_allocator_new(server->allocator, follow->ring_capacity * sizeof *follow->ring);
    if ((follow->obituary_count && !follow->obituaries) || (follow->ring_capacity && !follow->ring)) {
        if (!follow->obituaries)
            follow->obituary_count = 0;
        if (!follow->ring)
            follow->ring_capacity = 0;
        free_memory(server, follow);
        return HD_ENOMEM;
    }
    *out = follow;
    return 0;
}

static void follow_objects(struct hd_call *call, struct hd_follow *follow, const Heapd__V1__FollowRequest *request)
{
    for (uint32_t i = 0; i < follow->obituary_count; i++) {
        hd_value value;
        int error = hd_call_object(call, request->objects[i], &value);
        if (error)
            continue; /* looked at before */
        struct hd_obituary *obituary = &follow->obituaries[i];
        uint32_t index = hd_value_index(value);
        obituary->identity = hd_table_identity(&call->heap->table, index);
        obituary->follow = follow;
        call->heap->table.state[index] |= HD_STATE_WEAK;
        struct hd_obituary **bucket = bucket_of(call->server, obituary->identity);
        obituary->next = *bucket;
        *bucket = obituary;
    }
}

static void begin_follow(struct hd_call *call, struct hd_follow *follow, const Heapd__V1__FollowRequest *request)
{
    struct hd_followers *followers = call->server->followers;
    follow->collections = request->collections;
    follow->requests = request->requests;
    if (follow->collections && followers->collection_count == 0) {
        /* What was before does not count. */
        for (unsigned g = 0; g < HD_GENERATIONS; g++) {
            followers->collections[g] = call->heap->gc.stats[g].collection_count;
            followers->collected[g] = call->heap->gc.stats[g].collected_count;
        }
        followers->full_under_way = call->heap->gc.phase != HD_PHASE_IDLE;
    }
    followers->collection_count += follow->collections;
    followers->request_count += follow->requests;
    follow->next = followers->first;
    if (followers->first)
        followers->first->previous = follow;
    followers->first = follow;
    hd_unfinished_add(&follow->base, &follow_kind, call, true);
    follow_objects(call, follow, request);
    wake(follow);
}

int hd_run_follow(struct hd_call *call, const void *message)
{
    const Heapd__V1__FollowRequest *request = message;
    struct hd_follow *follow;
    if (request->requests && !call->connection->peer.admin)
        return hd_fail(call, HD_EPERMISSION, "to follow requests");
    if (request->n_objects == 0 && !request->collections && !request->requests)
        return hd_fail(call, HD_EINVALID, "there is nothing to follow; name objects, or ask for collections");
    if (request->room && (request->room < RING_MIN || request->room > RING_MAX))
        return hd_fail(call, HD_EINVALID, "room for %u events; %u to %u", request->room, RING_MIN, RING_MAX);
    int error = check_objects(call, request);
    if (!error)
        error = hd_unfinished_allowed(call);
    if (!error)
        error = make_followers(call->server);
    if (!error)
        error = allocate(call, request, &follow);
    if (error)
        return error;
    begin_follow(call, follow, request);
    return HD_CALL_CONTINUES;
}
