/* The Gc service: the cycle collector, as Python's gc module. */
#include "client/lib/call.h"
#include "client/lib/method.h"
#include "heapd/v1/gc.pb-c.h"

int heapd_gc_collect(struct heapd_connection *connection, uint32_t generation, struct heapd_collection *out,
                     struct heapd_error *error)
{
    Heapd__V1__CollectRequest message;
    heapd__v1__collect_request__init(&message);
    message.generation = generation;
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_GC_COLLECT, &message.base, 0, &result, error);
    if (!code)
        *out = result.as.collection;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_collect(struct heapd_connection *connection, uint32_t generation, heapd_ticket *ticket,
                           struct heapd_error *error)
{
    Heapd__V1__CollectRequest message;
    heapd__v1__collect_request__init(&message);
    message.generation = generation;
    return hd_begin(connection, HEAPD_METHOD_GC_COLLECT, &message.base, 0, ticket, error);
}

int heapd_gc_dry_run(struct heapd_connection *connection, struct heapd_collection *out, struct heapd_error *error)
{
    Heapd__V1__CollectRequest message;
    heapd__v1__collect_request__init(&message);
    message.generation = HEAPD_GENERATIONS - 1;
    message.dry_run = true;
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_GC_COLLECT, &message.base, 0, &result, error);
    if (!code)
        *out = result.as.collection;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_dry_run(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__CollectRequest message;
    heapd__v1__collect_request__init(&message);
    message.generation = HEAPD_GENERATIONS - 1;
    message.dry_run = true;
    return hd_begin(connection, HEAPD_METHOD_GC_COLLECT, &message.base, 0, ticket, error);
}

int heapd_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                           struct heapd_error *error)
{
    Heapd__V1__Thresholds message;
    heapd__v1__thresholds__init(&message);
    message.threshold0 = thresholds.threshold[0];
    message.threshold1 = thresholds.threshold[1];
    message.threshold2 = thresholds.threshold[2];
    return hd_sync(connection, HEAPD_METHOD_GC_SET_THRESHOLD, &message.base, 0, NULL, error);
}

int heapd_begin_gc_set_threshold(struct heapd_connection *connection, struct heapd_thresholds thresholds,
                                 heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Thresholds message;
    heapd__v1__thresholds__init(&message);
    message.threshold0 = thresholds.threshold[0];
    message.threshold1 = thresholds.threshold[1];
    message.threshold2 = thresholds.threshold[2];
    return hd_begin(connection, HEAPD_METHOD_GC_SET_THRESHOLD, &message.base, 0, ticket, error);
}

int heapd_gc_get_threshold(struct heapd_connection *connection, struct heapd_thresholds *out, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_GC_GET_THRESHOLD, &message.base, 0, &result, error);
    if (!code)
        *out = result.as.thresholds;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_get_threshold(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_GC_GET_THRESHOLD, &message.base, 0, ticket, error);
}

int heapd_gc_get_count(struct heapd_connection *connection, struct heapd_counts *out, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_GC_GET_COUNT, &message.base, 0, &result, error);
    if (!code)
        *out = result.as.counts;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_get_count(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_GC_GET_COUNT, &message.base, 0, ticket, error);
}

int heapd_gc_stats(struct heapd_connection *connection, struct heapd_collector_stats *out, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    struct heapd_result result = {0};
    int code = hd_sync(connection, HEAPD_METHOD_GC_STATS, &message.base, 0, &result, error);
    if (!code)
        *out = result.as.gc_stats;
    heapd_result_clear(&result);
    return code;
}

int heapd_begin_gc_stats(struct heapd_connection *connection, heapd_ticket *ticket, struct heapd_error *error)
{
    Heapd__V1__Empty message;
    heapd__v1__empty__init(&message);
    return hd_begin(connection, HEAPD_METHOD_GC_STATS, &message.base, 0, ticket, error);
}

int heapd_gc_set_enabled(struct heapd_connection *connection, bool enabled, struct heapd_error *error)
{
    Heapd__V1__SetEnabledRequest message;
    heapd__v1__set_enabled_request__init(&message);
    message.enabled = enabled;
    return hd_sync(connection, HEAPD_METHOD_GC_SET_ENABLED, &message.base, 0, NULL, error);
}

int heapd_begin_gc_set_enabled(struct heapd_connection *connection, bool enabled, heapd_ticket *ticket,
                               struct heapd_error *error)
{
    Heapd__V1__SetEnabledRequest message;
    heapd__v1__set_enabled_request__init(&message);
    message.enabled = enabled;
    return hd_begin(connection, HEAPD_METHOD_GC_SET_ENABLED, &message.base, 0, ticket, error);
}
