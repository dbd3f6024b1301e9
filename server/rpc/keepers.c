/* Retained, Census: what keeps what. */
#include <stdlib.h>
#include <string.h>

#include "inspect/census.h"
#include "rpc/inspect.h"

#define ROWS_USUAL 10u
#define CENSUS_ROWS_USUAL 32u

static void describe_class(struct hd_rpc_server *server, uint64_t identity, unsigned type, ProtobufCBinaryData *out)
{
    const struct hd_heap *heap = server->heap;
    if (type != HD_TYPE_INSTANCE && type != HD_TYPE_CLASS)
        return;
    uint32_t index = hd_table_find(&heap->table, identity);
    uint8_t *text = hd_rpc_arena_get(&server->arena, HD_LABEL_BYTES);
    if (!index || (heap->table.state[index] & HD_STATE_DYING) || !text)
        return;
    hd_value object = hd_value_ref(index, false);
    hd_value class_value = type == HD_TYPE_CLASS ? object : hd_instance_class(&heap->objects, object);
    out->len = hd_label_name(heap, hd_class_name(&heap->objects, class_value), text);
    out->data = text;
}

/* The last of the sources is that of the frozen. */
static enum hd_root_kind source_kind(const struct hd_dominators *d, uint32_t source)
{
    return source < d->source_count ? d->snapshot.sources[source].kind : HD_ROOT_FROZEN;
}

static uint64_t source_id(const struct hd_dominators *d, uint32_t source)
{
    return source < d->source_count ? d->snapshot.sources[source].id : 0;
}

static int describe_source(struct hd_rpc_server *server, const struct hd_dominators *d, uint32_t source,
                           Heapd__V1__Root **out)
{
    Heapd__V1__Root *root = hd_rpc_arena_get(&server->arena, sizeof *root);
    if (!root)
        return HD_ENOMEM;
    hd_describe_root(server, source_kind(d, source), source_id(d, source), 0, root);
    *out = root;
    return 0;
}

static int describe_keeper(struct hd_rpc_server *server, const struct hd_dominators *d, uint32_t number,
                           Heapd__V1__Keeper *out)
{
    const struct hd_snapshot *s = &d->snapshot;
    uint32_t node = d->vertex[number];
    heapd__v1__keeper__init(out);
    out->retained_bytes = d->retained[number];
    out->retained_count = d->retained_count[number];
    if (!hd_dominators_is_object(d, number))
        return describe_source(server, d, node - d->first_source, &out->root);
    out->identity = hd_snapshot_identity(s, node);
    out->type = hd_wire_type(hd_snapshot_type(s, node));
    out->shallow_bytes = hd_snapshot_bytes(s, node);
    describe_class(server, out->identity, hd_snapshot_type(s, node), &out->class_name);
    return 0;
}

/* Memory for `count` rows of a message and the pointers to them. */
static void *new_rows(struct hd_rpc_server *server, size_t count, size_t size, void ***pointers)
{
    char *rows = hd_rpc_arena_get(&server->arena, count * size);
    void **to = hd_rpc_arena_get(&server->arena, count * sizeof *to);
    if (!rows || !to)
        return NULL;
    for (size_t i = 0; i < count; i++)
        to[i] = rows + i * size;
    *pointers = to;
    return rows;
}

/* ---- Retained ---- */

struct retained {
    struct hd_analysis base;
    struct hd_retained retained;
};

static int step_retained(struct hd_analysis *analysis, uint64_t units)
{
    uint64_t used;
    return hd_retained_step(&((struct retained *)analysis)->retained, units, &used);
}

/* What keeps the object, from its immediate dominator up. */
static int set_above(struct hd_rpc_server *server, const struct hd_retained *r, Heapd__V1__RetainedReply *reply)
{
    const struct hd_dominators *d = &r->dominators;
    Heapd__V1__Keeper *rows = new_rows(server, HD_CENSUS_ABOVE_MAX, sizeof *rows, (void ***)&reply->above);
    if (!rows)
        return HD_ENOMEM;
    uint32_t number = d->dominator[r->target];
    for (; number > 1 && reply->n_above < HD_CENSUS_ABOVE_MAX; number = d->dominator[number]) {
        int error = describe_keeper(server, d, number, &rows[reply->n_above++]);
        if (error)
            return error;
    }
    return 0;
}

static int set_object(struct hd_rpc_server *server, const struct hd_retained *r, Heapd__V1__RetainedReply *reply)
{
    const struct hd_snapshot *s = &r->dominators.snapshot;
    uint32_t node = (uint32_t)r->identity;
    Heapd__V1__Keeper *object = hd_rpc_arena_get(&server->arena, sizeof *object);
    if (!object)
        return HD_ENOMEM;
    reply->object = object;
    reply->reachable = r->target != 0;
    if (r->target)
        return describe_keeper(server, &r->dominators, r->target, object);
    heapd__v1__keeper__init(object);
    object->identity = r->identity;
    object->type = hd_wire_type(hd_snapshot_type(s, node));
    object->shallow_bytes = hd_snapshot_bytes(s, node);
    return 0;
}

static int reply_retained(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    const struct hd_retained *r = &((struct retained *)analysis)->retained;
    struct hd_rpc_server *server = call->server;
    Heapd__V1__RetainedReply reply = HEAPD__V1__RETAINED_REPLY__INIT;
    *more = false;
    reply.reachable_count = r->dominators.retained_count[1];
    reply.reachable_bytes = r->dominators.retained[1];
    int error = r->identity ? set_object(server, r, &reply) : 0;
    if (!error && r->target)
        error = set_above(server, r, &reply);
    Heapd__V1__Keeper *rows = new_rows(server, r->largest.count, sizeof *rows, (void ***)&reply.largest);
    if (!rows)
        error = HD_ENOMEM;
    for (uint32_t i = 0; !error && i < r->largest.count; i++)
        error = describe_keeper(server, &r->dominators, r->largest.rows[i].number, &rows[i]);
    reply.n_largest = r->largest.count;
    return error ? error : hd_reply_message(call, &reply.base, 0);
}

static bool release_retained(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_dominators_release(&((struct retained *)analysis)->retained.dominators, bytes);
}

static const struct hd_analysis_kind retained_kind = {sizeof(struct retained), step_retained, reply_retained,
                                                      release_retained};

int hd_run_retained(struct hd_call *call, const void *message)
{
    const Heapd__V1__RetainedRequest *request = message;
    struct hd_analysis *analysis;
    uint64_t identity = 0;
    int error = 0;
    if (request->count > HD_CENSUS_ROWS_MAX)
        return hd_fail(call, HD_EINVALID, "%u rows; at most %u", request->count, HD_CENSUS_ROWS_MAX);
    if (request->object || request->identity)
        error = hd_call_identity(call, request->object, request->identity, &identity);
    if (!error)
        error = hd_analysis_new(call, &retained_kind, &analysis);
    if (error)
        return error;
    hd_retained_init(&((struct retained *)analysis)->retained, call->heap, identity,
                     request->count ? request->count : ROWS_USUAL);
    return hd_analysis_start(analysis, call);
}

/* ---- Census ---- */

struct census {
    struct hd_analysis base;
    uint64_t created_count; /* when it began */
    struct hd_census census;
};

static int step_census(struct hd_analysis *analysis, uint64_t units)
{
    uint64_t used;
    return hd_census_step(&((struct census *)analysis)->census, units, &used);
}

static int set_types(struct hd_rpc_server *server, const struct hd_census *c, Heapd__V1__CensusReply *reply)
{
    Heapd__V1__CensusRow *rows = new_rows(server, HD_TYPE_COUNT, sizeof *rows, (void ***)&reply->types);
    if (!rows)
        return HD_ENOMEM;
    for (unsigned type = 1; type < HD_TYPE_COUNT; type++) {
        if (c->types[type].count == 0)
            continue;
        Heapd__V1__CensusRow *row = &rows[reply->n_types++];
        heapd__v1__census_row__init(row);
        row->type = hd_wire_type(type);
        row->count = c->types[type].count;
        row->shallow_bytes = c->types[type].shallow_bytes;
        row->retained_bytes = c->types[type].retained_bytes;
    }
    return 0;
}

static int set_classes(struct hd_rpc_server *server, const struct hd_census *c, Heapd__V1__CensusReply *reply)
{
    Heapd__V1__CensusRow *rows = new_rows(server, c->classes.count, sizeof *rows, (void ***)&reply->classes);
    if (!rows)
        return HD_ENOMEM;
    for (uint32_t i = 0; i < c->classes.count; i++) {
        uint32_t node = c->classes.rows[i].number;
        heapd__v1__census_row__init(&rows[i]);
        rows[i].identity = hd_snapshot_identity(&c->dominators.snapshot, node);
        rows[i].count = c->class_count[node];
        rows[i].shallow_bytes = c->class_bytes[node];
        describe_class(server, rows[i].identity, HD_TYPE_CLASS, &rows[i].name);
    }
    reply->n_classes = c->classes.count;
    return 0;
}

/* One source, as far as it is known which of them are told of. */
struct told {
    uint32_t source; /* of the snapshot */
    uint64_t retained_bytes;
    uint64_t session; /* 0: it is none */
    Heapd__V1__Root *root;
};

static bool keeps_more(const struct told *left, const struct told *right)
{
    if (left->retained_bytes != right->retained_bytes)
        return left->retained_bytes > right->retained_bytes;
    return left->source < right->source;
}

/* Adds one to a heap of those that keep most, where the one that keeps least is on top. */
static void tell_of(struct told *rows, uint32_t *count, struct told row)
{
    uint32_t at = 0;
    if (*count < HD_CENSUS_ROWS_MAX) {
        for (at = (*count)++; at > 0 && keeps_more(&rows[(at - 1) / 2], &row); at = (at - 1) / 2)
            rows[at] = rows[(at - 1) / 2];
        rows[at] = row;
        return;
    }
    if (!keeps_more(&row, &rows[0]))
        return;
    for (uint32_t child; (child = 2 * at + 1) < *count; at = child) {
        if (child + 1 < *count && keeps_more(&rows[child], &rows[child + 1]))
            child++;
        if (keeps_more(&rows[child], &row))
            break;
        rows[at] = rows[child];
    }
    rows[at] = row;
}

static int by_bytes(const void *left, const void *right)
{
    return keeps_more(left, right) ? -1 : keeps_more(right, left);
}

static int by_session(const void *left, const void *right)
{
    const struct told *a = left, *b = right;
    return a->session < b->session ? -1 : a->session > b->session;
}

/* Finds the sessions of the rows in one go along the connections: there may be many of both. */
static void describe_sessions(const struct hd_rpc_server *server, struct told *rows, uint32_t count)
{
    qsort(rows, count, sizeof *rows, by_session);
    for (const struct hd_rpc_connection *c = server->connections; c; c = c->next) {
        struct told wanted = {.session = c->session.id};
        struct told *row = bsearch(&wanted, rows, count, sizeof *rows, by_session);
        if (row)
            hd_describe_session(c, 0, row->root);
    }
}

/* Sources that keep something and all sessions, those that keep most first; where they are too many, these alone. */
static int set_sources(struct hd_rpc_server *server, const struct hd_census *c, Heapd__V1__CensusReply *reply)
{
    const struct hd_dominators *d = &c->dominators;
    struct hd_rpc_arena *arena = &server->arena;
    Heapd__V1__CensusRow *rows = new_rows(server, HD_CENSUS_ROWS_MAX, sizeof *rows, (void ***)&reply->sources);
    Heapd__V1__Root *roots = hd_rpc_arena_get(arena, HD_CENSUS_ROWS_MAX * sizeof *roots);
    struct told *told = hd_rpc_arena_get(arena, HD_CENSUS_ROWS_MAX * sizeof *told);
    uint32_t count = 0;
    if (!rows || !roots || !told)
        return HD_ENOMEM;
    for (uint32_t i = 0; i <= d->source_count; i++) {
        uint32_t number = hd_dominators_source(d, i);
        bool is_session = source_kind(d, i) == HD_ROOT_SESSION;
        if (number && (is_session || d->retained_count[number] > 0))
            tell_of(told, &count,
                    (struct told){.source = i,
                                  .retained_bytes = d->retained[number],
                                  .session = is_session ? source_id(d, i) : 0});
    }
    qsort(told, count, sizeof *told, by_bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = hd_dominators_source(d, told[i].source);
        heapd__v1__census_row__init(&rows[i]);
        told[i].root = rows[i].root = &roots[i];
        rows[i].count = d->retained_count[number];
        rows[i].retained_bytes = told[i].retained_bytes;
        hd_set_root(source_kind(d, told[i].source), source_id(d, told[i].source), 0, &roots[i]);
    }
    reply->n_sources = count;
    describe_sessions(server, told, count);
    return 0;
}

static int set_names(struct hd_rpc_server *server, const struct hd_census *c, Heapd__V1__CensusReply *reply)
{
    const struct hd_dominators *d = &c->dominators;
    Heapd__V1__CensusRow *rows = new_rows(server, c->name_count, sizeof *rows, (void ***)&reply->names);
    if (!rows)
        return HD_ENOMEM;
    for (uint32_t i = 0; i < c->name_count; i++) {
        const struct hd_census_name *name = &c->names[i];
        heapd__v1__census_row__init(&rows[i]);
        rows[i].name.data = (uint8_t *)(uintptr_t)name->text; /* read only */
        rows[i].name.len = name->text_bytes;
        rows[i].alone = name->alone;
        if (!name->number)
            continue;
        uint32_t node = d->vertex[name->number];
        rows[i].identity = hd_snapshot_identity(&d->snapshot, node);
        rows[i].type = hd_wire_type(hd_snapshot_type(&d->snapshot, node));
        rows[i].shallow_bytes = hd_snapshot_bytes(&d->snapshot, node);
        rows[i].count = d->retained_count[name->number];
        rows[i].retained_bytes = d->retained[name->number];
    }
    reply->n_names = c->name_count;
    return 0;
}

static int set_tags(struct hd_rpc_server *server, const struct hd_census *c, Heapd__V1__CensusReply *reply)
{
    const struct hd_tags *tags = server->heap->gc.tags;
    Heapd__V1__CensusRow *rows = new_rows(server, c->by_tag.count, sizeof *rows, (void ***)&reply->tags);
    if (!rows)
        return HD_ENOMEM;
    for (uint32_t i = 0; i < c->by_tag.count; i++) {
        uint32_t tag = c->by_tag.rows[i].number;
        heapd__v1__census_row__init(&rows[i]);
        rows[i].name.data = (uint8_t *)(uintptr_t)tags->tags[tag].name; /* read only */
        rows[i].name.len = tags->tags[tag].name_bytes;
        rows[i].count = c->tags[tag].count;
        rows[i].shallow_bytes = c->tags[tag].shallow_bytes;
        rows[i].retained_bytes = c->tags[tag].retained_bytes;
    }
    reply->n_tags = c->by_tag.count;
    return 0;
}

/* The same for as long as the daemon runs, and hardly the same for another: a keyed hash tells nothing of its key. */
static uint64_t heap_number(struct hd_heap *heap)
{
    static const char text[] = "the heap of this daemon";
    struct hd_key key = hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, sizeof text - 1);
    return hd_key_hash(&heap->objects, &key) ? 0 : key.hash;
}

static int reply_census(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    const struct hd_census *c = &((struct census *)analysis)->census;
    Heapd__V1__CensusReply reply = HEAPD__V1__CENSUS_REPLY__INIT;
    *more = false;
    reply.heap = heap_number(call->heap);
    reply.created = ((struct census *)analysis)->created_count;
    reply.count = c->all.count;
    reply.bytes = c->all.shallow_bytes;
    reply.reachable_count = c->reachable_count;
    reply.reachable_bytes = c->all.retained_bytes;
    int error = set_types(call->server, c, &reply);
    if (!error)
        error = set_classes(call->server, c, &reply);
    if (!error)
        error = set_sources(call->server, c, &reply);
    if (!error)
        error = set_names(call->server, c, &reply);
    if (!error)
        error = set_tags(call->server, c, &reply);
    return error ? error : hd_reply_message(call, &reply.base, 0);
}

static bool release_census(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_dominators_release(&((struct census *)analysis)->census.dominators, bytes);
}

static const struct hd_analysis_kind census_kind = {sizeof(struct census), step_census, reply_census, release_census};

int hd_run_census(struct hd_call *call, const void *message)
{
    const Heapd__V1__CensusRequest *request = message;
    struct hd_analysis *analysis;
    if (request->count > HD_CENSUS_ROWS_MAX)
        return hd_fail(call, HD_EINVALID, "%u rows; at most %u", request->count, HD_CENSUS_ROWS_MAX);
    int error = hd_analysis_new(call, &census_kind, &analysis);
    if (error)
        return error;
    ((struct census *)analysis)->created_count = call->heap->gc.created_count;
    hd_census_init(&((struct census *)analysis)->census, call->heap,
                   request->count ? request->count : CENSUS_ROWS_USUAL);
    return hd_analysis_start(analysis, call);
}
