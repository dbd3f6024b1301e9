/*
 * Conditions. One who waits lets the lock go, however often he holds it, and gets
 * in line. A notification moves him into the line for the lock, at its end; so he
 * has the lock when he is told. His time being over does the same.
 */
#include <string.h>

#include "object/sync_internal.h"

static struct hd_condition *condition_of(const struct hd_objects *objects, hd_value condition)
{
    return hd_sync_payload(objects, condition);
}

static void condition_traverse(const struct hd_gc *gc, void *payload, struct hd_refs *out)
{
    (void)gc;
    struct hd_condition *condition = payload;
    out->spans[out->span_count++] = (struct hd_span){&condition->lock, 1};
}

static void condition_dispose(struct hd_gc *gc, uint32_t index, void *payload)
{
    (void)payload;
    hd_objects_of(gc)->type_count[hd_table_type(gc->table, index)]--;
}

/* A lock refers to nothing, so there are no cycles through a condition. */
const struct hd_type_ops hd_condition_ops = {
    .name = "condition", .inner = true, .traverse = condition_traverse, .dispose = condition_dispose};

int hd_condition_new(struct hd_objects *objects, hd_value lock, hd_value *out)
{
    hd_value value;
    int error = 0;
    if (lock == HD_ABSENT)
        error = hd_lock_new(objects, true, &lock);
    else if (!hd_lock_is_lock(objects, lock))
        return HD_ETYPE;
    else
        hd_gc_retain(objects->gc, lock);
    if (!error) {
        error = hd_object_new(objects, HD_TYPE_CONDITION, sizeof(struct hd_condition), &value);
        if (error)
            hd_gc_release(objects->gc, lock);
    }
    if (error)
        return error;
    struct hd_condition *condition = condition_of(objects, value);
    condition->line = (struct hd_line){.first = NULL};
    hd_gc_put_new(&condition->lock, lock);
    *out = value;
    return 0;
}

hd_value hd_sync_lock_of(const struct hd_objects *objects, hd_value object)
{
    return hd_kind_of(objects, object) == HD_IS_CONDITION ? condition_of(objects, object)->lock : object;
}

int hd_condition_try(struct hd_objects *objects, const struct hd_sync_request *request)
{
    const struct hd_condition *condition = condition_of(objects, request->object);
    if (!hd_lock_is_held_by(objects, condition->lock, request->party, request->thread))
        return HD_ENOT_OWNED;
    return HD_SYNC_BUSY;
}

void hd_condition_wait(struct hd_objects *objects, struct hd_sync_waiter *waiter)
{
    struct hd_condition *condition = condition_of(objects, waiter->object);
    hd_line_append(&condition->line, waiter);
    waiter->count = hd_lock_let_go(objects, condition->lock);
}

void hd_condition_relock(struct hd_objects *objects, struct hd_sync_waiter *waiter)
{
    struct hd_condition *condition = condition_of(objects, waiter->object);
    hd_line_remove(&condition->line, waiter);
    waiter->relocking = true;
    hd_lock_queue(objects, condition->lock, waiter);
}

static uint64_t notify(struct hd_objects *objects, hd_value value, uint64_t count)
{
    struct hd_condition *condition = condition_of(objects, value);
    uint64_t woken = 0;
    for (; woken < count && condition->line.first; woken++) {
        struct hd_sync_waiter *waiter = condition->line.first;
        waiter->notified = true;
        hd_condition_relock(objects, waiter);
    }
    return woken;
}

int hd_condition_notify(struct hd_objects *objects, hd_value value, struct hd_party *party, uint64_t thread,
                        uint64_t count, uint64_t *woken)
{
    const struct hd_condition *condition = condition_of(objects, value);
    if (!hd_lock_is_held_by(objects, condition->lock, party, thread))
        return HD_ENOT_OWNED;
    if (count < condition->line.length) {
        *woken = notify(objects, value, count);
        return 0;
    }
    /* The lock is held, so they all get in line for it. */
    *woken = condition->line.length;
    hd_line_notify_all(&condition_of(objects, value)->line, hd_lock_line(objects, condition->lock));
    return 0;
}

void hd_condition_pass_on(struct hd_objects *objects, struct hd_sync_waiter *waiter)
{
    if (!waiter->notified)
        return;
    waiter->notified = false;
    objects->sync->returned_count++;
    (void)notify(objects, waiter->object, 1);
}

/* First the notification, so that whoever gets it is in line before the lock is free. */
void hd_condition_undo(struct hd_objects *objects, struct hd_sync_waiter *waiter)
{
    const struct hd_condition *condition = condition_of(objects, waiter->object);
    hd_condition_pass_on(objects, waiter);
    hd_lock_undo(objects, condition->lock, waiter);
}
