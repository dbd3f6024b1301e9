/* Events and barriers: where many wait for one thing to happen. */
#include <string.h>

#include "object/sync_internal.h"

static struct hd_event *event_of(const struct hd_objects *objects, hd_value event)
{
    return hd_sync_payload(objects, event);
}

static struct hd_barrier *barrier_of(const struct hd_objects *objects, hd_value barrier)
{
    return hd_sync_payload(objects, barrier);
}

static void gate_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
}

const struct hd_type_ops hd_event_ops = {.name = "event", .dispose = gate_dispose};
const struct hd_type_ops hd_barrier_ops = {.name = "barrier", .dispose = gate_dispose};

int hd_event_new(struct hd_objects *objects, hd_value *out)
{
    hd_value value;
    int error = hd_object_new(objects, HD_TYPE_EVENT, sizeof(struct hd_event), &value);
    if (error)
        return error;
    memset(event_of(objects, value), 0, sizeof(struct hd_event));
    *out = value;
    return 0;
}

int hd_event_try(struct hd_objects *objects, const struct hd_sync_request *request)
{
    return event_of(objects, request->object)->is_set ? 0 : HD_SYNC_BUSY;
}

void hd_event_set(struct hd_objects *objects, hd_value value)
{
    struct hd_event *event = event_of(objects, value);
    event->is_set = 1;
    hd_line_wake_all(&event->line, 0);
}

void hd_event_clear(struct hd_objects *objects, hd_value event)
{
    event_of(objects, event)->is_set = 0;
}

/* ---- barriers ---- */

int hd_barrier_new(struct hd_objects *objects, int64_t parties, hd_value *out)
{
    hd_value value;
    if (parties < 1 || parties > (int64_t)UINT32_MAX)
        return HD_EINVALID;
    int error = hd_object_new(objects, HD_TYPE_BARRIER, sizeof(struct hd_barrier), &value);
    if (error)
        return error;
    struct hd_barrier *barrier = barrier_of(objects, value);
    memset(barrier, 0, sizeof *barrier);
    barrier->parties = (uint32_t)parties;
    *out = value;
    return 0;
}

int hd_barrier_try(struct hd_objects *objects, const struct hd_sync_request *request, struct hd_sync_result *result)
{
    struct hd_barrier *barrier = barrier_of(objects, request->object);
    if (barrier->broken)
        return HD_EBROKEN_BARRIER;
    if (barrier->line.length + 1 < barrier->parties)
        return HD_SYNC_BUSY;
    result->index = barrier->line.length;
    hd_line_wake_all(&barrier->line, 0);
    return 0;
}

void hd_barrier_break(struct hd_objects *objects, hd_value value)
{
    struct hd_barrier *barrier = barrier_of(objects, value);
    if (!barrier->broken)
        objects->sync->broken_barriers_count++;
    barrier->broken = 1;
    hd_line_wake_all(&barrier->line, HD_EBROKEN_BARRIER);
}

void hd_barrier_abort(struct hd_objects *objects, hd_value barrier)
{
    hd_barrier_break(objects, barrier);
}

void hd_barrier_reset(struct hd_objects *objects, hd_value value)
{
    struct hd_barrier *barrier = barrier_of(objects, value);
    barrier->broken = 0;
    hd_line_wake_all(&barrier->line, HD_EBROKEN_BARRIER);
}
