/* The Inspect service: the rest of Python's gc, and the audit. */
#include <heapd/inspect.h>

#include "client/lib/call.h"
#include "client/lib/method.h"
#include "client/lib/report.h"
#include "heapd/v1/method.pb-c.h"

static int no_memory(struct hd_report *report, struct heapd_error *error)
{
    hd_report_drop(report);
    return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a report");
}

static int ask_objects(struct heapd_connection *connection, uint16_t method, const ProtobufCMessage *request,
                       struct heapd_report *report, struct heapd_error *error)
{
    struct hd_report got;
    int code = hd_report_ask(connection, method, request, &heapd__v1__objects_reply__descriptor, &got, error);
    if (code)
        return code;
    const Heapd__V1__ObjectsReply *from = got.message;
    struct heapd_object_row *items = hd_report_alloc(&got, from->n_objects, sizeof *items);
    if (!items)
        return no_memory(&got, error);
    for (size_t i = 0; i < from->n_objects; i++) {
        const Heapd__V1__ObjectRow *row = from->objects[i];
        items[i] = (struct heapd_object_row){
            .identity = row->identity,
            .type = (enum heapd_type)row->type,
            .tracked = row->tracked,
            .generation = row->generation,
            .reference_count = row->reference_count,
            .shallow_bytes = row->shallow_bytes,
        };
    }
    *report = (struct heapd_report){.memory = got.arena};
    report->as.objects = (struct heapd_object_rows){
        .items = items, .count = from->n_objects, .next = from->next, .plain = from->plain, .roots = from->roots};
    return 0;
}

int heapd_gc_objects(struct heapd_connection *connection, uint32_t generation, uint64_t from, uint32_t count,
                     struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__GcObjectsRequest request = HEAPD__V1__GC_OBJECTS_REQUEST__INIT;
    request.generation = generation + 1; /* any wraps to 0 */
    request.from = from;
    request.count = count;
    return ask_objects(connection, HEAPD__V1__METHOD__GC_OBJECTS, &request.base, report, error);
}

int heapd_referrers(struct heapd_connection *connection, struct heapd_object_ref object, uint32_t count,
                    struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__ReferrersRequest request = HEAPD__V1__REFERRERS_REQUEST__INIT;
    request.object = object.object;
    request.identity = object.identity;
    request.count = count;
    return ask_objects(connection, HEAPD__V1__METHOD__REFERRERS, &request.base, report, error);
}

int heapd_referents(struct heapd_connection *connection, heapd_handle object, uint64_t from, uint32_t count,
                    struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__ReferentsRequest request = HEAPD__V1__REFERENTS_REQUEST__INIT;
    request.object = object;
    request.from = from;
    request.count = count;
    return ask_objects(connection, HEAPD__V1__METHOD__REFERENTS, &request.base, report, error);
}

int heapd_take(struct heapd_connection *connection, uint64_t identity, heapd_handle *out, struct heapd_error *error)
{
    Heapd__V1__TakeRequest request = HEAPD__V1__TAKE_REQUEST__INIT;
    request.identity = identity;
    struct hd_call call = {.method = HEAPD__V1__METHOD__TAKE, .message = &request.base, .into = &request.into};
    return hd_sync_handle(connection, &call, 0, out, error);
}

static int debug(struct heapd_connection *connection, bool set, uint32_t flags, uint32_t *out,
                 struct heapd_error *error)
{
    Heapd__V1__GcDebugRequest request = HEAPD__V1__GC_DEBUG_REQUEST__INIT;
    struct heapd_result result = {0};
    request.set = set;
    request.flags = flags;
    int code = hd_sync(connection, HEAPD__V1__METHOD__GC_DEBUG, &request.base, 0, &result, error);
    if (!code && out)
        *out = (uint32_t)result.value.as.integer;
    heapd_result_clear(&result);
    return code;
}

int heapd_gc_set_debug(struct heapd_connection *connection, uint32_t flags, struct heapd_error *error)
{
    return debug(connection, true, flags, NULL, error);
}

int heapd_gc_get_debug(struct heapd_connection *connection, uint32_t *flags, struct heapd_error *error)
{
    return debug(connection, false, 0, flags, error);
}

int heapd_gc_garbage(struct heapd_connection *connection, uint64_t from, uint32_t count, struct heapd_report *report,
                     struct heapd_error *error)
{
    Heapd__V1__GcGarbageRequest request = HEAPD__V1__GC_GARBAGE_REQUEST__INIT;
    request.from = from;
    request.count = count;
    return ask_objects(connection, HEAPD__V1__METHOD__GC_GARBAGE, &request.base, report, error);
}

int heapd_gc_clear_garbage(struct heapd_connection *connection, struct heapd_error *error)
{
    Heapd__V1__GcGarbageRequest request = HEAPD__V1__GC_GARBAGE_REQUEST__INIT;
    uint64_t left;
    request.clear = true;
    /* In parts, so that others are served in between. */
    do {
        struct heapd_report report;
        int code = ask_objects(connection, HEAPD__V1__METHOD__GC_GARBAGE, &request.base, &report, error);
        if (code)
            return code;
        left = report.as.objects.next;
        heapd_report_clear(&report);
    } while (left);
    return 0;
}

int heapd_audit(struct heapd_connection *connection, struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__Empty request = HEAPD__V1__EMPTY__INIT;
    struct hd_report got;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__AUDIT, &request.base, &heapd__v1__audit_reply__descriptor,
                             &got, error);
    if (code)
        return code;
    const Heapd__V1__AuditReply *from = got.message;
    struct heapd_miscount *items = hd_report_alloc(&got, from->n_miscounts, sizeof *items);
    if (!items)
        return no_memory(&got, error);
    for (size_t i = 0; i < from->n_miscounts; i++)
        items[i] = (struct heapd_miscount){from->miscounts[i]->identity, (enum heapd_type)from->miscounts[i]->type,
                                           from->miscounts[i]->reference_count, from->miscounts[i]->found};
    *report = (struct heapd_report){.memory = got.arena};
    report->as.audit = (struct heapd_audited){
        .items = items, .count = from->n_miscounts, .more = from->more, .checked = from->checked};
    return 0;
}
