/* Why: the paths that keep an object alive. */
#include "rpc/inspect.h"

#include "inspect/paths.h"
#include "rpc/private.h"

#define PATHS_USUAL 5u
#define STEPS_USUAL 64u

struct why {
    struct hd_analysis base;
    struct hd_paths paths;
};

static int step_why(struct hd_analysis *analysis, uint64_t units)
{
    struct why *why = (struct why *)analysis;
    uint64_t used;
    int result = hd_paths_step(&why->paths, units, &used);
    return result;
}

void hd_describe_session(const struct hd_rpc_connection *connection, uint64_t position, Heapd__V1__Root *out)
{
    out->client_name = (char *)(uintptr_t)connection->client_name; /* read only */
    out->pid = connection->peer.pid;
    if (position == 0)
        return;
    hd_handle slot = hd_handle_make((uint32_t)position, 0);
    out->handle = hd_handle_make((uint32_t)position, hd_session_generation(&connection->session, slot));
}

void hd_set_root(enum hd_root_kind kind, uint64_t id, uint64_t position, Heapd__V1__Root *out)
{
    heapd__v1__root__init(out);
    out->kind = (Heapd__V1__RootKind)kind;
    out->position = position;
    if (kind != HD_ROOT_SESSION)
        return;
    out->session = id;
    out->handle = position;
    out->position = 0;
}

void hd_describe_root(struct hd_rpc_server *server, enum hd_root_kind kind, uint64_t id, uint64_t position,
                      Heapd__V1__Root *out)
{
    hd_set_root(kind, id, position, out);
    if (kind != HD_ROOT_SESSION)
        return;
    const struct hd_rpc_connection *connection = server->connections;
    while (connection && connection->session.id != id)
        connection = connection->next;
    if (connection)
        hd_describe_session(connection, position, out);
}

static void describe_step(const struct hd_path_step *step, Heapd__V1__PathStep *out)
{
    heapd__v1__path_step__init(out);
    out->identity = step->identity;
    out->type = (Heapd__V1__Type)(step->type + HD_IS_INT - HD_TYPE_INT);
    out->edge = (Heapd__V1__EdgeKind)step->edge.kind;
    out->number = step->edge.number;
    out->text.data = (uint8_t *)(uintptr_t)step->edge.text; /* read only, as what follows */
    out->text.len = step->edge.text_bytes;
    out->class_name.data = (uint8_t *)(uintptr_t)step->label.text;
    out->class_name.len = step->label.text_bytes;
    out->shallow_bytes = step->shallow_bytes;
    out->gone = step->gone;
}

static int describe_path(struct hd_rpc_server *server, const struct hd_path *path, Heapd__V1__Path *out)
{
    struct hd_rpc_arena *arena = &server->arena;
    Heapd__V1__Root *root = hd_rpc_arena_get(arena, sizeof *root);
    Heapd__V1__PathStep *steps = hd_rpc_arena_get(arena, path->step_count * sizeof *steps);
    heapd__v1__path__init(out);
    out->steps = hd_rpc_arena_get(arena, path->step_count * sizeof *out->steps);
    if (!root || !steps || !out->steps)
        return HD_ENOMEM;
    hd_describe_root(server, path->root_kind, path->root_id, path->root_position, root);
    out->root = root;
    out->n_steps = path->step_count;
    for (uint32_t i = 0; i < path->step_count; i++) {
        describe_step(&path->steps[i], &steps[i]);
        out->steps[i] = &steps[i];
    }
    out->elided = path->elided_count;
    out->elided_before = path->elided_at;
    return 0;
}

static int reply_why(struct hd_analysis *analysis, struct hd_call *call, bool *more)
{
    const struct hd_paths *paths = &((struct why *)analysis)->paths;
    struct hd_rpc_arena *arena = &call->server->arena;
    const struct hd_table *table = &call->heap->table;
    Heapd__V1__WhyReply reply = HEAPD__V1__WHY_REPLY__INIT;
    Heapd__V1__Path *rows = hd_rpc_arena_get(arena, paths->path_count * sizeof *rows);
    *more = false;
    reply.paths = hd_rpc_arena_get(arena, paths->path_count * sizeof *reply.paths);
    if (!rows || !reply.paths)
        return HD_ENOMEM;
    for (uint32_t i = 0; i < paths->path_count; i++) {
        int error = describe_path(call->server, &paths->paths[i], &rows[i]);
        if (error)
            return error;
        reply.paths[i] = &rows[i];
    }
    reply.n_paths = paths->path_count;
    reply.identity = paths->identity;
    reply.type = (Heapd__V1__Type)(hd_snapshot_type(&paths->snapshot, paths->target) + HD_IS_INT - HD_TYPE_INT);
    uint32_t index = hd_table_find(table, paths->identity);
    reply.reference_count = index ? hd_table_count(table, index) : 0;
    reply.holders = paths->holders_total;
    reply.reachable = paths->reached_count;
    return hd_reply_message(call, &reply.base, 0);
}

static bool release_why(struct hd_analysis *analysis, uint64_t bytes)
{
    return hd_paths_release(&((struct why *)analysis)->paths, bytes);
}

static const struct hd_analysis_kind why_kind = {sizeof(struct why), step_why, reply_why, release_why};

int hd_call_identity(struct hd_call *call, hd_handle object, uint64_t identity, uint64_t *out)
{
    hd_value value;
    if (!object) {
        if (!hd_table_find(&call->heap->table, identity))
            return hd_fail(call, HD_EKEY, "no object has the identity 0x%llx", (unsigned long long)identity);
        *out = identity;
        return 0;
    }
    int error = hd_call_object(call, object, &value);
    if (error)
        return error;
    if (!hd_value_is_ref(value))
        return hd_fail(call, HD_ETYPE, "the value lies in the handle itself; it is no object that others could hold");
    *out = hd_table_identity(&call->heap->table, hd_value_index(value));
    return 0;
}

int hd_run_why(struct hd_call *call, const void *message)
{
    const Heapd__V1__WhyRequest *request = message;
    uint32_t max_paths = request->max_paths ? request->max_paths : PATHS_USUAL;
    uint32_t max_steps = request->max_steps ? request->max_steps : STEPS_USUAL;
    uint64_t identity;
    struct hd_analysis *analysis;
    if (max_paths > HD_PATHS_MAX || max_steps < 2 || max_steps > HD_PATH_STEPS_MAX)
        return hd_fail(call, HD_EINVALID, "%u paths of %u steps; at most %u of 2 to %u", max_paths, max_steps,
                       HD_PATHS_MAX, HD_PATH_STEPS_MAX);
    int error = hd_call_identity(call, request->object, request->identity, &identity);
    if (!error)
        error = hd_analysis_new(call, &why_kind, &analysis);
    if (error)
        return error;
    struct why *why = (struct why *)analysis;
    hd_paths_init(&why->paths, call->heap, identity, max_paths, max_steps);
    if (request->others)
        why->paths.ignored_session = call->session->id;
    return hd_analysis_start(analysis, call);
}
