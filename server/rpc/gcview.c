/* The rest of Python's gc, over the wire: objects, who refers to whom, debug flags and garbage; and the audit. */
#include <string.h>

#include "inspect/audit.h"
#include "inspect/snapshot.h"
#include "rpc/inspect.h"

#define ROWS_USUAL 256u
#define ROWS_MAX 4096u
/* Entries of the table, or references of an object, that one request looks at. */
#define LOOKED_AT_MAX 65536u
#define CLEARED_AT_ONCE 16384u
/* CPython's numbers. */
#define DEBUG_STATS 1u
#define DEBUG_SAVEALL 32u

static int new_rows(struct hd_call *call, uint32_t asked, Heapd__V1__ObjectRow **rows, Heapd__V1__ObjectsReply *reply)
{
    uint32_t count = asked ? asked : ROWS_USUAL;
    if (count > ROWS_MAX)
        return hd_fail(call, HD_EINVALID, "%u rows; at most %u", asked, ROWS_MAX);
    *rows = hd_rpc_arena_get(&call->server->arena, count * sizeof **rows);
    reply->objects = hd_rpc_arena_get(&call->server->arena, count * sizeof *reply->objects);
    return *rows && reply->objects ? (int)count : HD_ENOMEM;
}

static void add_row(const struct hd_heap *heap, uint32_t index, Heapd__V1__ObjectRow *rows,
                    Heapd__V1__ObjectsReply *reply)
{
    const struct hd_table *table = &heap->table;
    Heapd__V1__ObjectRow *row = &rows[reply->n_objects];
    heapd__v1__object_row__init(row);
    row->identity = hd_table_identity(table, index);
    row->type = hd_wire_type(hd_table_type(table, index));
    row->tracked = table->state[index] & HD_STATE_TRACKED;
    row->generation = table->state[index] & HD_STATE_GENERATION;
    row->reference_count = hd_table_count(table, index);
    row->shallow_bytes = hd_shallow_bytes(&heap->objects, hd_value_ref(index, !hd_table_bit(table->inner, index)));
    reply->objects[reply->n_objects++] = row;
}

/* gc.get_objects: those that the collector knows. */
int hd_run_gc_objects(struct hd_call *call, const void *message)
{
    const Heapd__V1__GcObjectsRequest *request = message;
    const struct hd_table *table = &call->heap->table;
    Heapd__V1__ObjectsReply reply = HEAPD__V1__OBJECTS_REPLY__INIT;
    Heapd__V1__ObjectRow *rows;
    if (request->generation > HD_GENERATIONS + 1)
        return hd_fail(call, HD_EINVALID, "generation %u; 0: all, 1 to 3: generations 0 to 2, 4: frozen",
                       request->generation);
    int most = new_rows(call, request->count, &rows, &reply);
    if (most < 0)
        return most;
    uint64_t at = request->from ? request->from : 1, looked_at = 0;
    for (; at < table->length && looked_at < LOOKED_AT_MAX && reply.n_objects < (size_t)most; at++, looked_at++) {
        uint8_t state = table->state[at];
        if (!(state & HD_STATE_TRACKED) || (state & (HD_STATE_DYING | HD_STATE_CONDEMNED)) ||
            (request->generation && (state & HD_STATE_GENERATION) != request->generation - 1))
            continue;
        add_row(call->heap, (uint32_t)at, rows, &reply);
    }
    reply.next = at < table->length ? at : 0;
    return hd_reply_message(call, &reply.base, 0);
}

/* gc.get_referents: what an object that the session holds refers to. */
int hd_run_referents(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReferentsRequest *request = message;
    const struct hd_heap *heap = call->heap;
    Heapd__V1__ObjectsReply reply = HEAPD__V1__OBJECTS_REPLY__INIT;
    Heapd__V1__ObjectRow *rows;
    uint64_t identity;
    int error = hd_call_identity(call, request->object, 0, &identity);
    if (error)
        return error;
    int most = new_rows(call, request->count, &rows, &reply);
    if (most < 0)
        return most;
    uint32_t index = (uint32_t)identity;
    struct hd_refs refs = {.span_count = 0};
    if (hd_table_bit(heap->table.inner, index))
        heap->gc.types[hd_table_type(&heap->table, index)]->traverse(&heap->gc, hd_table_payload(&heap->table, index),
                                                                     &refs);
    uint64_t at = request->from, before = 0, looked_at = 0;
    if (at == 0 && refs.hidden)
        add_row(heap, refs.hidden, rows, &reply);
    for (unsigned i = 0; i < refs.span_count; before += refs.spans[i].count, i++) {
        for (; at - before < refs.spans[i].count; at++) {
            if (++looked_at > LOOKED_AT_MAX || reply.n_objects == (size_t)most) {
                reply.next = at;
                return hd_reply_message(call, &reply.base, 0);
            }
            hd_value value = refs.spans[i].words[at - before];
            if (hd_value_is_ref(value))
                add_row(heap, hd_value_index(value), rows, &reply);
            else if (value != HD_ABSENT)
                reply.plain++;
        }
    }
    return hd_reply_message(call, &reply.base, 0);
}

/* A reference to an object by its identity. */
int hd_run_take(struct hd_call *call, const void *message)
{
    const Heapd__V1__TakeRequest *request = message;
    const struct hd_table *table = &call->heap->table;
    uint64_t identity;
    int error = hd_call_into(call, request->into);
    if (!error)
        error = hd_call_identity(call, 0, request->identity, &identity);
    if (error)
        return error;
    uint32_t index = (uint32_t)identity;
    if (table->state[index] & (HD_STATE_DYING | HD_STATE_CONDEMNED))
        return hd_fail(call, HD_EKEY, "the object of the identity 0x%llx is dying", (unsigned long long)identity);
    hd_value value = hd_value_ref(index, !hd_table_bit(table->inner, index));
    /* To a collection under way it may be unreachable: whoever takes it makes it reachable again. */
    if (call->heap->gc.phase == HD_PHASE_CLEAR && hd_table_bit(table->inner, index) &&
        !hd_table_bit(table->mark, index))
        return hd_fail(call, HD_EKEY, "the object of the identity 0x%llx is garbage", (unsigned long long)identity);
    hd_gc_shade(&call->heap->gc, value);
    return hd_reply_result(call, hd_gc_retain(&call->heap->gc, value), true);
}

/* ---- gc.get_referrers ---- */

struct referrers {
    struct hd_analysis base;
    struct hd_snapshot snapshot;
    uint64_t identity;
    bool begun;
    uint32_t at;
    uint32_t cursor;
    uint32_t found[ROWS_MAX];
    uint32_t found_count;
    uint64_t roots;
    uint32_t limit;
};

static int scan(struct referrers *r, uint64_t units)
{
    const struct hd_snapshot *s = &r->snapshot;
    uint64_t used = 0;
    for (; r->at < s->length && used < units; used++) {
        const struct hd_snapshot_node *node = &s->node[r->at];
        const uint32_t target = (uint32_t)r->identity;
        for (; r->cursor < node->count && used < units; r->cursor++, used++) {
            if (s->edges[node->first + r->cursor] != target)
                continue;
            if (r->found_count < r->limit && (r->found_count == 0 || r->found[r->found_count - 1] != r->at))
                r->found[r->found_count++] = r->at;
        }
        if (r->cursor >= node->count) {
            r->at++;
            r->cursor = 0;
        }
    }
    return r->at >= s->length;
}

static int step_referrers(struct hd_analysis *analysis, uint64_t units)
{
    struct referrers *r = (struct referrers *)analysis;
    uint64_t used;
    if (r->begun)
        return scan(r, units);
    int result = hd_snapshot_step(&r->snapshot, units, &used);
    if (result != 1)
        return result;
    const struct hd_snapshot *s = &r->snapshot;
    uint32_t target = (uint32_t)r->identity;
    if (target >= s->length || s->node[target].kind == 0 || hd_snapshot_identity(s, target) != r->identity)
        return HD_EKEY;
    for (uint32_t i = 0; i < s->root_count; i++)
        r->roots += s->roots[i].index == target;
    r->begun = true;
    r->at = 1;
    return 0;
}

static int reply_referrers(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    const struct referrers *r = (struct referrers *)analysis;
    Heapd__V1__ObjectsReply reply = HEAPD__V1__OBJECTS_REPLY__INIT;
    Heapd__V1__ObjectRow *rows;
    *more = false;
    int most = new_rows(call, r->limit, &rows, &reply);
    if (most < 0)
        return most;
    /* Those that have died since cannot be taken any more, and are left out. */
    for (uint32_t i = 0; i < r->found_count; i++)
        if (hd_table_find(&call->heap->table, hd_snapshot_identity(&r->snapshot, r->found[i])))
            add_row(call->heap, r->found[i], rows, &reply);
    reply.roots = r->roots;
    return hd_reply_message(call, &reply.base, 0);
}

static bool release_referrers(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_snapshot_release(&((struct referrers *)analysis)->snapshot, bytes);
}

static const struct hd_analysis_kind referrers_kind = {sizeof(struct referrers), step_referrers, reply_referrers,
                                                       release_referrers};

int hd_run_referrers(struct hd_call *call, const void *message)
{
    const Heapd__V1__ReferrersRequest *request = message;
    struct hd_analysis *analysis;
    uint64_t identity;
    if (request->count > ROWS_MAX)
        return hd_fail(call, HD_EINVALID, "%u rows; at most %u", request->count, ROWS_MAX);
    int error = hd_call_identity(call, request->object, request->identity, &identity);
    if (!error)
        error = hd_analysis_new(call, &referrers_kind, &analysis);
    if (error)
        return error;
    struct referrers *r = (struct referrers *)analysis;
    r->identity = identity;
    r->limit = request->count ? request->count : ROWS_USUAL;
    hd_snapshot_init(&r->snapshot, call->heap, (struct hd_snapshot_need){0, 0});
    return hd_analysis_start(analysis, call);
}

/* ---- the audit ---- */

struct audit {
    struct hd_analysis base;
    struct hd_audit audit;
};

static int step_audit(struct hd_analysis *analysis, uint64_t units)
{
    uint64_t used;
    return hd_audit_step(&((struct audit *)analysis)->audit, units, &used);
}

static int reply_audit(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    const struct hd_audit *audit = &((struct audit *)analysis)->audit;
    struct hd_rpc_arena *arena = &call->server->arena;
    Heapd__V1__AuditReply reply = HEAPD__V1__AUDIT_REPLY__INIT;
    Heapd__V1__Miscount *rows = hd_rpc_arena_get(arena, audit->suspect_count * sizeof *rows);
    *more = false;
    reply.miscounts = hd_rpc_arena_get(arena, audit->suspect_count * sizeof *reply.miscounts);
    if (!rows || !reply.miscounts)
        return HD_ENOMEM;
    for (uint32_t i = 0; i < audit->suspect_count; i++) {
        const struct hd_suspect *suspect = &audit->suspects[i];
        heapd__v1__miscount__init(&rows[i]);
        rows[i].identity = suspect->identity;
        rows[i].type = hd_wire_type(hd_table_type(&call->heap->table, (uint32_t)suspect->identity));
        rows[i].reference_count = suspect->count;
        rows[i].found = suspect->found;
        reply.miscounts[i] = &rows[i];
    }
    reply.n_miscounts = audit->suspect_count;
    reply.checked = audit->checked_count;
    reply.more = audit->too_many;
    return hd_reply_message(call, &reply.base, 0);
}

static bool release_audit(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_audit_release(&((struct audit *)analysis)->audit, bytes);
}

static const struct hd_analysis_kind audit_kind = {sizeof(struct audit), step_audit, reply_audit, release_audit};

int hd_run_audit(struct hd_call *call, const void *message)
{
    struct hd_analysis *analysis;
    (void)message;
    int error = hd_analysis_new(call, &audit_kind, &analysis);
    if (error)
        return error;
    hd_audit_init(&((struct audit *)analysis)->audit, call->heap);
    return hd_analysis_start(analysis, call);
}

/* ---- debug flags and garbage ---- */

/* What collections found, held one by one: a source of roots. */
struct hd_garbage {
    struct hd_root_source roots;
    struct hd_rpc_server *server;
    hd_value *values; /* own */
    uint32_t count;
    uint32_t capacity;
    uint64_t lost; /* that there was no memory to hold: each collection finds them again */
};

static size_t scan_garbage(struct hd_root_source *source, struct hd_root_visitor *visitor, size_t from, size_t max)
{
    const struct hd_garbage *garbage = (const void *)((const char *)source - offsetof(struct hd_garbage, roots));
    size_t left = garbage->count > from ? garbage->count - from : 0;
    size_t end = from + (left < max ? left : max);
    for (size_t i = from; i < end; i++)
        visitor->visit(visitor, garbage->values[i]);
    return end < garbage->count ? end : 0;
}

/* In the midst of a collection. */
static void save(struct hd_gc *gc, uint32_t index)
{
    struct hd_garbage *garbage = gc->save_context;
    if (garbage->count == garbage->capacity) {
        uint32_t capacity = garbage->capacity ? garbage->capacity * 2 : 256;
        hd_value *values = capacity < UINT32_MAX / 2
                               ? hd_allocator_resize(garbage->server->allocator, garbage->values,
                                                     garbage->capacity * sizeof *values, capacity * sizeof *values)
                               : NULL;
        if (!values) {
            garbage->lost++;
            return;
        }
        garbage->values = values;
        garbage->capacity = capacity;
    }
    garbage->values[garbage->count++] = hd_gc_retain(gc, hd_value_ref(index, false));
}

void hd_garbage_free(struct hd_rpc_server *server)
{
    struct hd_garbage *garbage = server->garbage;
    if (!garbage)
        return;
    server->heap->gc.save = NULL;
    while (garbage->count)
        hd_gc_release(&server->heap->gc, garbage->values[--garbage->count]);
    hd_gc_remove_roots(&server->heap->gc, &garbage->roots);
    hd_allocator_free(server->allocator, garbage->values, garbage->capacity * sizeof *garbage->values);
    hd_allocator_free(server->allocator, garbage, sizeof *garbage);
    server->garbage = NULL;
}

static int make_garbage(struct hd_rpc_server *server)
{
    if (server->garbage)
        return 0;
    struct hd_garbage *garbage = hd_allocator_new_zeroed(server->allocator, sizeof *garbage);
    if (!garbage)
        return HD_ENOMEM;
    garbage->server = server;
    garbage->roots.scan = scan_garbage;
    garbage->roots.kind = HD_ROOT_GARBAGE;
    hd_gc_add_roots(&server->heap->gc, &garbage->roots);
    server->garbage = garbage;
    return 0;
}

int hd_run_gc_debug(struct hd_call *call, const void *message)
{
    const Heapd__V1__GcDebugRequest *request = message;
    struct hd_rpc_server *server = call->server;
    uint32_t flags = request->set ? request->flags : server->debug_flags;
    if (flags & ~(DEBUG_STATS | DEBUG_SAVEALL))
        return hd_fail(call, HD_EINVALID, "debug flags 0x%x; 1: stats, 32: saveall", flags);
    if (request->set && !call->connection->peer.admin)
        return hd_fail(call, HD_EPERMISSION, "to set debug flags");
    int error = flags & DEBUG_SAVEALL ? make_garbage(server) : 0;
    if (error)
        return error;
    server->debug_flags = flags;
    call->heap->gc.save = flags & DEBUG_SAVEALL ? save : NULL;
    call->heap->gc.save_context = server->garbage;
    hd_reply_count(call, flags);
    return 0;
}

bool hd_rpc_logs_collections(const struct hd_rpc_server *server)
{
    return server->debug_flags & DEBUG_STATS;
}

/* A part of the list from its end is let go of; what is a cycle waits for the next collection. */
static void clear_garbage(struct hd_rpc_server *server)
{
    struct hd_garbage *garbage = server->garbage;
    for (uint32_t i = 0; garbage && garbage->count && i < CLEARED_AT_ONCE; i++)
        hd_gc_release(&server->heap->gc, garbage->values[--garbage->count]);
}

int hd_run_gc_garbage(struct hd_call *call, const void *message)
{
    const Heapd__V1__GcGarbageRequest *request = message;
    const struct hd_garbage *garbage = call->server->garbage;
    Heapd__V1__ObjectsReply reply = HEAPD__V1__OBJECTS_REPLY__INIT;
    Heapd__V1__ObjectRow *rows;
    if (request->clear) {
        clear_garbage(call->server);
        reply.next = garbage ? garbage->count : 0;
        return hd_reply_message(call, &reply.base, 0);
    }
    int most = new_rows(call, request->count, &rows, &reply);
    if (most < 0)
        return most;
    uint64_t at = request->from;
    for (; garbage && at < garbage->count && reply.n_objects < (size_t)most; at++)
        add_row(call->heap, hd_value_index(garbage->values[at]), rows, &reply);
    reply.next = garbage && at < garbage->count ? at : 0;
    reply.roots = garbage ? garbage->count : 0;
    return hd_reply_message(call, &reply.base, 0);
}
