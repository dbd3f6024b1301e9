/* The Inspect service: what keeps what. */
#include <heapd/inspect.h>

#include "client/lib/report.h"
#include "client/lib/wire.h"
#include "heapd/v1/method.pb-c.h"

static void copy_keeper(const Heapd__V1__Keeper *from, struct heapd_keeper *to)
{
    *to = (struct heapd_keeper){
        .is_root = from->root != NULL,
        .identity = from->identity,
        .type = (enum heapd_type)from->type,
        .class_name = hd_public_bytes(from->class_name),
        .shallow_bytes = from->shallow_bytes,
        .retained_bytes = from->retained_bytes,
        .retained_count = from->retained_count,
    };
    hd_report_root(from->root, &to->root);
}

static const struct heapd_keeper *copy_keepers(struct hd_report *report, Heapd__V1__Keeper *const *from, size_t count)
{
    struct heapd_keeper *rows = hd_report_alloc(report, count, sizeof *rows);
    for (size_t i = 0; rows && i < count; i++)
        copy_keeper(from[i], &rows[i]);
    return rows;
}

static int no_memory(struct hd_report *report, struct heapd_error *error)
{
    hd_report_drop(report);
    return hd_fail_with(error, HD_ENOMEM, "this process has no memory for a report");
}

int heapd_retained(struct heapd_connection *connection, struct heapd_object_ref object, uint32_t count,
                   struct heapd_report *report, struct heapd_error *error)
{
    Heapd__V1__RetainedRequest request = HEAPD__V1__RETAINED_REQUEST__INIT;
    struct hd_report got;
    request.object = object.object;
    request.identity = object.identity;
    request.count = count;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__RETAINED, &request.base,
                             &heapd__v1__retained_reply__descriptor, &got, error);
    if (code)
        return code;
    const Heapd__V1__RetainedReply *from = got.message;
    struct heapd_report made = {.memory = got.arena};
    struct heapd_keeping *to = &made.as.retained;
    *to = (struct heapd_keeping){
        .has_object = from->object != NULL,
        .reachable = from->reachable,
        .above = copy_keepers(&got, from->above, from->n_above),
        .above_count = from->n_above,
        .largest = copy_keepers(&got, from->largest, from->n_largest),
        .largest_count = from->n_largest,
        .reachable_count = from->reachable_count,
        .reachable_bytes = from->reachable_bytes,
    };
    if (from->object)
        copy_keeper(from->object, &to->object);
    if (!to->above || !to->largest)
        return no_memory(&got, error);
    *report = made;
    return 0;
}

static int copy_sums(struct hd_report *report, Heapd__V1__CensusRow *const *from, size_t count, struct heapd_sums *out)
{
    struct heapd_sum *rows = hd_report_alloc(report, count, sizeof *rows);
    if (!rows)
        return HD_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct heapd_sum){
            .type = (enum heapd_type)from[i]->type,
            .name = hd_public_bytes(from[i]->name),
            .identity = from[i]->identity,
            .count = from[i]->count,
            .shallow_bytes = from[i]->shallow_bytes,
            .retained_bytes = from[i]->retained_bytes,
            .alone = from[i]->alone,
        };
        hd_report_root(from[i]->root, &rows[i].root);
    }
    *out = (struct heapd_sums){rows, count};
    return 0;
}

int heapd_census(struct heapd_connection *connection, uint32_t count, struct heapd_report *report,
                 struct heapd_error *error)
{
    Heapd__V1__CensusRequest request = HEAPD__V1__CENSUS_REQUEST__INIT;
    struct hd_report got;
    request.count = count;
    int code = hd_report_ask(connection, HEAPD__V1__METHOD__CENSUS, &request.base, &heapd__v1__census_reply__descriptor,
                             &got, error);
    if (code)
        return code;
    const Heapd__V1__CensusReply *from = got.message;
    struct heapd_report made = {.memory = got.arena};
    struct heapd_count *to = &made.as.census;
    *to = (struct heapd_count){
        .heap = from->heap,
        .created = from->created,
        .count = from->count,
        .bytes = from->bytes,
        .reachable_count = from->reachable_count,
        .reachable_bytes = from->reachable_bytes,
    };
    if (copy_sums(&got, from->types, from->n_types, &to->types) ||
        copy_sums(&got, from->classes, from->n_classes, &to->classes) ||
        copy_sums(&got, from->sources, from->n_sources, &to->sources) ||
        copy_sums(&got, from->names, from->n_names, &to->names) || copy_sums(&got, from->tags, from->n_tags, &to->tags))
        return no_memory(&got, error);
    *report = made;
    return 0;
}
