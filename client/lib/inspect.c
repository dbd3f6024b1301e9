/* The Inspect service: why an object lives. */
#include <heapd/inspect.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/report.h"
#include "client/lib/wire.h"
#include "heapd/v1/method.pb-c.h"

void heapd_report_clear(struct heapd_report *report)
{
    if (!report)
        return;
    struct hd_arena *arena = report->memory;
    if (arena) {
        hd_arena_fini(arena);
        free(arena);
    }
    *report = (struct heapd_report){.memory = NULL};
}

int hd_report_ask(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *reply, struct hd_report *out, struct heapd_error *error)
{
    struct hd_report report = {.arena = malloc(sizeof *report.arena)};
    if (!report.arena)
        return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a report");
    hd_arena_init(report.arena);
    int code = hd_parts_call(connection, method, request, reply, report.arena, &report.message, error);
    if (code) {
        hd_report_drop(&report);
        return code;
    }
    *out = report;
    return 0;
}

void hd_report_drop(struct hd_report *report)
{
    hd_arena_fini(report->arena);
    free(report->arena);
}

void *hd_report_alloc(struct hd_report *report, size_t count, size_t size)
{
    void *memory = hd_arena_alloc(report->arena, count * size + 1);
    if (memory)
        memset(memory, 0, count * size + 1);
    return memory;
}

void hd_report_root(const Heapd__V1__Root *from, struct heapd_root *to)
{
    *to = (struct heapd_root){.client_name = ""};
    if (!from)
        return;
    to->kind = (enum heapd_root_kind)from->kind;
    to->session = from->session;
    to->handle = from->handle;
    to->client_name = from->client_name;
    to->pid = from->pid;
    to->position = from->position;
}

static void copy_step(const Heapd__V1__PathStep *from, struct heapd_why_step *to)
{
    to->identity = from->identity;
    to->type = (enum heapd_type)from->type;
    to->edge = (enum heapd_edge_kind)from->edge;
    to->number = from->number;
    to->text = hd_public_bytes(from->text);
    to->class_name = hd_public_bytes(from->class_name);
    to->shallow_bytes = from->shallow_bytes;
    to->gone = from->gone;
}

static int copy_path(struct hd_report *report, const Heapd__V1__Path *from, struct heapd_why_path *to)
{
    struct heapd_why_step *steps = hd_report_alloc(report, from->n_steps, sizeof *steps);
    if (!steps)
        return HD_ENOMEM;
    for (size_t i = 0; i < from->n_steps; i++)
        copy_step(from->steps[i], &steps[i]);
    hd_report_root(from->root, &to->root);
    to->steps = steps;
    to->step_count = from->n_steps;
    to->elided = from->elided;
    to->elided_before = from->elided_before;
    return 0;
}

static int copy_why(struct hd_report *report, struct heapd_reasons *to)
{
    const Heapd__V1__WhyReply *from = report->message;
    struct heapd_why_path *paths = hd_report_alloc(report, from->n_paths, sizeof *paths);
    int code = paths ? 0 : HD_ENOMEM;
    for (size_t i = 0; !code && i < from->n_paths; i++)
        code = copy_path(report, from->paths[i], &paths[i]);
    *to = (struct heapd_reasons){
        .identity = from->identity,
        .type = (enum heapd_type)from->type,
        .reference_count = from->reference_count,
        .paths = paths,
        .path_count = from->n_paths,
        .holders = from->holders,
        .reachable = from->reachable,
    };
    return code;
}

int heapd_why(struct heapd_connection *connection, struct heapd_object_ref object,
              const struct heapd_why_options *options, struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__WhyRequest request = HEAPD__V1__WHY_REQUEST__INIT;
    struct hd_report got;
    request.object = object.object;
    request.identity = object.identity;
    if (options) {
        request.max_paths = options->max_paths;
        request.max_steps = options->max_steps;
        request.others = options->others;
    }
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__WHY, &request.base, &heapd__v1__why_reply__descriptor, &got,
                             error);
    if (code)
        return code;
    struct heapd_report made = {.memory = got.arena};
    code = copy_why(&got, &made.as.why);
    if (code) {
        hd_report_drop(&got);
        return hd_fail_with(error, code, "this process has no memory for a report");
    }
    *report = made;
    return 0;
}
